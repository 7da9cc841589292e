# SPDX-License-Identifier: BSD-3-Clause
"""A subject between the cards of one traffic microguest: the subject on one CPU, the guest on another.

    microguest, CPU G                       subject, CPU S
    card 0 ===vhost-user, own memory=== port p0 -+
    card 1 ===vhost-user, own memory=== port p1 -+  a switch
    ...
"""

import contextlib
import os
import shutil
import tempfile
import time

from netbench.machine import Thread, distance_ns, steal_ticks, tsc_hz
from netbench.subjects import VLAN, wait_for
from traffic import GENERATE, SINK, Traffic

RING = 1024
BUFFER = 2048
WARM_S = 0.1


def mac(number):
    return f"02:00:00:{number:02x}:00:00"


class Rig:
    """One subject and its generator. Epochs are the numbers under which trials run."""

    def __init__(self, options, subject, n_cards=2, vlans=None, ring=RING, buffer=BUFFER, memory="32M"):
        self.options = options
        self.directory = tempfile.mkdtemp(prefix="netbench-", dir=options.scratch)
        self.subject = subject(options.build, self.directory, options.cpus[0])
        self.epoch = 0
        self.guest = None
        try:
            self.guest = Traffic(options.build, self.directory, "t", [mac(i) for i in range(n_cards)], ring=ring,
                                 buffer=buffer, memory=memory, cpu=options.cpus[1], tools=options.tools)
            wait_for("the traffic microguest", self.guest.ready)
            self.vlans = vlans or [None] * n_cards
            self.subject.start([{"name": f"p{i}", "socket": self.guest.socket(i), "vlan": vlan}
                                for i, vlan in enumerate(self.vlans)])
            wait_for(f"frames pass through {self.subject.name}", self.passes)
        except BaseException:
            self.close()
            raise

    def passes(self):
        """A broadcast from each card arrives somewhere: the rings run, and the subject knows the addresses."""
        self.subject.alive()
        for card in range(len(self.guest.macs)):
            self.order(card, GENERATE | SINK, count=8)
        self.run(0.05)
        return all(self.guest.counters(card)["rx"] for card in range(len(self.guest.macs)))

    def order(self, card, role, **what):
        """As Traffic.order(); a card at a trunk tags its frames."""
        self.guest.order(card, role, vlan=VLAN if self.vlans[card] else 0, **what)

    def run(self, seconds):
        """Begin what was ordered, and end it after @seconds."""
        self.epoch += 1
        self.guest.begin(self.epoch)
        self.guest.go()
        time.sleep(seconds)
        self.epoch += 1
        self.guest.stop(self.epoch)

    def offer(self, seconds, done=lambda: False, realtime=True):
        """Run what was ordered for @seconds, or until @done, and wait for what is on its way. Return: what was sent and came, all cards in sum.

        Where the subject has to learn, @realtime priority (if asked for at all) would take the CPU from who does so: its
        control thread. pps: frames really sent a second, by the generator's clock; the base of loss. lost_share: of those, that never came.
        """
        thread, vcpu = self.subject.thread(), Thread(self.guest.process.pid, ("vcpu",))
        self.epoch += 1
        self.guest.begin(self.epoch)
        with self.priority(thread, vcpu) if realtime else contextlib.nullcontext():
            began, before = time.monotonic(), (thread.sample()[0], vcpu.sample()[0])
            self.guest.go()
            while (left := began + seconds - time.monotonic()) > 0 and not done():
                time.sleep(min(left, 0.05))
            self.guest.hush()
            wall, after = time.monotonic() - began, (thread.sample()[0], vcpu.sample()[0])
        self.drain()
        busy, idle, _ = self.guest.effort()
        self.epoch += 1
        self.guest.stop(self.epoch)
        self.subject.alive()
        counters = [self.guest.counters(i) for i in range(len(self.guest.macs))]
        sent, came = sum(c["tx"] for c in counters), sum(c["rx"] - c["foreign"] for c in counters)
        span = max(c["tx_last_tsc"] - c["tx_first_tsc"] for c in counters) / (self.guest.shared.tsc_khz * 1e3)
        return {"subject": self.subject.name, "sent": sent, "came": came, "pps": sent / max(span, 1e-9), "span_s": span,
                "lost_share": max(sent - came, 0) / max(sent, 1), "tx_full": sum(c["tx_full"] for c in counters),
                "share": (after[0] - before[0]) / 1e9 / wall, "vcpu_share": (after[1] - before[1]) / 1e9 / wall,
                "generator_busy": busy / max(busy + idle, 1)}

    def received(self):
        return sum(self.guest.counters(i)["rx"] for i in range(len(self.guest.macs)))

    def drain(self, limit=2.0):
        """Until nothing has come for 100 ms: a switch that somebody takes the CPU from may be away for that long."""
        end, last = time.monotonic() + limit, -1
        while self.received() != last and time.monotonic() < end:
            last = self.received()
            time.sleep(0.1)

    def trial(self, seconds, warm=WARM_S):
        """Run what was ordered for warm + @seconds; the figures are those of the last @seconds.

        mpps: frames delivered a second, all cards in sum. offered: sent by the guest. cycles: of the subject's CPU time,
        for each frame delivered. share: how much of its CPU the subject had, vcpu: the guest. generator_busy: for how much of
        that the guest had something to send or to receive; the rest it waited for the subject.
        """
        distance = distance_ns(self.options.tools, self.options.cpus, self.options.realtime)
        thread, vcpu = self.subject.thread(), Thread(self.guest.process.pid, ("vcpu",))
        self.epoch += 1
        self.guest.begin(self.epoch)
        with self.priority(thread, vcpu):
            self.guest.go()
            time.sleep(warm)
            begin, steal = self.sample(thread, vcpu), steal_ticks(self.options.cpus)
            time.sleep(seconds)
            end = self.sample(thread, vcpu)
            steal = steal_ticks(self.options.cpus) - steal
            self.subject.alive()
            self.epoch += 1
            self.guest.stop(self.epoch)
        wall = end["at"] - begin["at"]
        busy, idle = end["busy"] - begin["busy"], end["idle"] - begin["idle"]
        frames, cpu = end["rx"] - begin["rx"], end["cpu"][0] - begin["cpu"][0]
        return {
            "subject": self.subject.name, "seconds": wall, "frames": frames, "mpps": frames / wall / 1e6,
            "offered_mpps": (end["tx"] - begin["tx"]) / wall / 1e6,
            "cycles": cpu * tsc_hz() / 1e9 / max(frames, 1), "share": cpu / 1e9 / wall,
            "generator_busy": busy / max(busy + idle, 1),
            "vcpu_share": (end["vcpu"][0] - begin["vcpu"][0]) / 1e9 / wall,
            "involuntary": end["cpu"][1] - begin["cpu"][1] + end["vcpu"][1] - begin["vcpu"][1], "steal_ticks": steal,
            "distance_ns": distance,
            "lost": sum(self.guest.counters(i)["lost"] for i in range(len(self.guest.macs))),
        }

    @contextlib.contextmanager
    def priority(self, *threads):
        """With --realtime: the two threads that are measured come before others, and whoever ends them before these."""
        if not self.options.realtime:
            yield
            return
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(2))
        try:
            for thread in threads:
                thread.priority(True)
            yield
        finally:
            for thread in threads:
                thread.priority(False)
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

    def sample(self, thread, vcpu):
        counters = [self.guest.counters(i) for i in range(len(self.guest.macs))]
        busy, idle, _ = self.guest.effort()
        return {"at": time.monotonic(), "busy": busy, "idle": idle, "rx": sum(c["rx"] for c in counters), "tx": sum(c["tx"] for c in counters),
                "cpu": thread.sample(), "vcpu": vcpu.sample()}

    def pause(self):
        self.subject.pause()

    def resume(self):
        self.subject.resume()

    def close(self):
        self.subject.stop()
        if self.guest:
            self.guest.close()
        shutil.rmtree(self.directory, ignore_errors=True)
