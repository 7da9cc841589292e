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

from netbench.machine import WITH_US, Thread, distance_ns, tsc_hz
from netbench.subjects import VLAN, Unavailable, wait_for
from netbench.watch import Watch
from traffic import GENERATE, SINK, Traffic

RING = 1024
BUFFER = 2048
RING_PACKED = 34  # virtio 1.2 section 6
WARM_S = 0.1


def mac(number):
    return f"02:00:00:{number:02x}:00:00"


class Rig:
    """One subject and its generator. Epochs are the numbers under which trials run."""

    GENERATOR_THREADS = ("vcpu",)

    def __init__(self, options, subject, n_cards=2, vlans=None, ring=RING, buffer=BUFFER, memory="32M", windows=0, rings=None):
        """@rings: "split" or "packed", if not what --rings says."""
        self.options = options
        self.rings = rings or options.rings
        self.directory = tempfile.mkdtemp(prefix="netbench-", dir=options.scratch)
        self.subject = subject(options.build, self.directory, options.cpus[0])
        if windows:
            self.subject.witness(options.tools)
        self.epoch = 0
        self.guest = None
        try:
            self.guest = Traffic(options.build, self.directory, "t", [mac(i) for i in range(n_cards)], ring=ring,
                                 buffer=buffer, memory=memory, cpu=options.cpus[1], tools=options.tools, run_by=WITH_US,
                                 windows=windows, packed=self.rings == "packed")
            wait_for("the traffic microguest", self.guest.ready)
            if any(nic.features >> RING_PACKED & 1 != (self.rings == "packed") for nic in self.guest.shared.nics[:n_cards]):
                raise Unavailable(f"the guest did not take {self.rings} rings")
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
        for card in range(len(self.guest.macs)):  # who gets no other order is silent
            self.order(card, SINK)
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

    def watch(self):
        generator = self.generator().pid
        return Watch(self.subject.thread(), Thread(generator, self.GENERATOR_THREADS),
                     [generator, *(process.pid for process in self.subject.processes)], self.options.cpus)

    def generator(self):
        return self.guest.process

    @contextlib.contextmanager
    def load(self, realtime=True):
        """Run what was ordered for as long as the with block does, and wait for what is on its way.

        Without @realtime priority even if it was asked for: what waits for the kernel's own threads, as closing files does, waits long
        when two threads never leave their CPUs.
        Yields a dict, full when the block has ended: what was sent and came, all cards in sum. pps: frames really sent a second, by
        the generator's clock; the base of loss. lost_share: of those, that never came. share, vcpu_share: see Watch.
        """
        got, watch = {"subject": self.subject.name}, self.watch()
        self.epoch += 1
        self.guest.begin(self.epoch)
        with self.priority(watch) if realtime else contextlib.nullcontext():
            watch.begin()
            self.guest.go()
            yield got
            self.guest.hush()
            got.update(watch.end())
        self.drain()
        busy, idle, _ = self.guest.effort()
        self.epoch += 1
        self.guest.stop(self.epoch)
        self.subject.alive()
        counters = self.counters()
        sent, came = sum(c["tx"] for c in counters), sum(c["rx"] - c["foreign"] for c in counters)
        span = max(c["tx_last_tsc"] - c["tx_first_tsc"] for c in counters) / (self.guest.shared.tsc_khz * 1e3)
        got.update({"sent": sent, "came": came, "pps": sent / max(span, 1e-9), "span_s": span,
                    "lost_share": max(sent - came, 0) / max(sent, 1), "tx_full": sum(c["tx_full"] for c in counters),
                    "generator_busy": busy / max(busy + idle, 1)})

    def offer(self, seconds, done=lambda: False):
        """load() for @seconds, or until @done. Return: what it yields."""
        with self.load() as got:
            end = time.monotonic() + seconds
            while (left := end - time.monotonic()) > 0 and not done():
                time.sleep(min(left, 0.05))
        return got

    def counters(self):
        return [self.guest.counters(card) for card in range(len(self.guest.macs))]

    def received(self):
        return sum(c["rx"] for c in self.counters())

    def drain(self, limit=2.0):
        """Until nothing has come for 100 ms: a switch that somebody takes the CPU from may be away for that long."""
        end, last = time.monotonic() + limit, -1
        while self.received() != last and time.monotonic() < end:
            last = self.received()
            time.sleep(0.1)

    def trial(self, seconds, warm=WARM_S):
        """Run what was ordered for @warm + @seconds. Return: figures() of the last @seconds."""
        distance, watch = self.distance(), self.watch()
        self.epoch += 1
        self.guest.begin(self.epoch)
        with self.priority(watch):
            self.guest.go()
            time.sleep(warm)
            begin, before = self.counted(), self.guest.effort()
            watch.begin()
            time.sleep(seconds)
            end, had, after = self.counted(), watch.end(), self.guest.effort()
            self.subject.alive()
            self.epoch += 1
            self.guest.stop(self.epoch)
        busy, idle, stolen = (new - old for new, old in zip(after, before))
        return {**self.figures(begin, end, had, distance), "generator_busy": busy / max(busy + idle, 1),
                "generator_stolen": stolen / max(busy + idle + stolen, 1), "lost": sum(c["lost"] for c in self.counters())}

    def distance(self):
        return distance_ns(self.options.tools, self.options.cpus, self.options.realtime)

    def counted(self):
        """(when, received, sent)"""
        counters = self.counters()
        return time.monotonic(), sum(c["rx"] for c in counters), sum(c["tx"] for c in counters)

    def figures(self, begin, end, had, distance):
        """A trial, of two samples of counted() and what a Watch says.

        mpps: frames delivered a second, all cards in sum. offered_mpps: sent by the generator. cycles: of the subject's CPU time,
        for each frame delivered. share, vcpu_share: see Watch. generator_busy: for how much of its time the guest had something to
        send or to receive; the rest it waited for the subject.
        """
        seconds, frames = end[0] - begin[0], end[1] - begin[1]
        return {"subject": self.subject.name, "rings": self.rings, **had, "frames": frames, "mpps": frames / seconds / 1e6,
                "offered_mpps": (end[2] - begin[2]) / seconds / 1e6, "distance_ns": distance, "generator_busy": None,
                "cycles": had["cpu_ns"] / had["seconds"] * tsc_hz() / 1e9 / (max(frames, 1) / seconds)}

    @contextlib.contextmanager
    def priority(self, watch):
        """With --realtime: the two threads that are measured come before others, and whoever ends them before these, as do the other
        threads of their processes, which only work when there is something to learn, or to change."""
        if not self.options.realtime:
            yield
            return
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(2))
        try:
            for thread in watch.everything:
                thread.priority(2)
            for thread in watch.threads:
                thread.priority(1)
            yield
        finally:
            for thread in watch.everything:
                thread.priority(0)
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))

    def pause(self):
        self.subject.pause()

    def resume(self):
        self.subject.resume()

    def close(self):
        self.subject.stop()
        if self.guest:
            self.guest.close()
        shutil.rmtree(self.directory, ignore_errors=True)
