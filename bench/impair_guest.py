# SPDX-License-Identifier: BSD-3-Clause
"""Impaired links, measured by a microguest: it polls both ends of a wire, stamps each frame with the TSC and reads it off again.

    [card 0: generator]--vhost-user--wire, impaired on the way in--vhost-user--[card 1: sink]

No interface of the kernel and no Python is on the way, so that a gigabit is filled, and what a frame takes is the switch's.
"""
import math
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "guests"))
from traffic import GENERATE, LATENCY, SINK, Traffic  # noqa: E402

BITS_1518 = 1514 * 8  # a rate counts from the Ethernet header on, without the FCS
SEED = 1


class Cable:
    def __init__(self, lab, build):
        self.lab = lab
        self.epoch = 0
        self.guest = Traffic(build, lab.dir, "cable", ["02:00:00:00:0c:01", "02:00:00:00:0c:02"], ring=1024)
        lab.wait_for("the microguest", self.guest.ready)
        lab.call("apply", owner="cable", switches=[], ports=[
            {"name": name, "type": "vhost-user", "socket": self.guest.socket(card), "wire": other}
            for card, (name, other) in enumerate((("from", "to"), ("to", "from")))])
        lab.wait_for("both cards", lambda: lab.port("from")["running"] and lab.port("to")["running"])

    def close(self):
        self.lab.call("apply", owner="cable", switches=[], ports=[])
        self.guest.close()

    def begin(self, params, size, pps, count=0):
        self.lab.call("port.impair", ports=[{"name": "from", "in": None}])
        self.lab.call("port.impair", ports=[{"name": "from", "in": dict(params, seed=SEED) if params else None}])
        self.epoch += 1
        self.guest.order(0, GENERATE, size=size, dst=self.guest.macs[1], burst=8, pps=pps, count=count)
        self.guest.order(1, SINK | LATENCY)
        self.guest.begin(self.epoch)
        self.guest.go()

    def held(self):
        return self.lab.port("from").get("impaired", {}).get("in", {}).get("held_frames", 0)

    def all_of(self, params, count, pps):
        """So many frames of 64 bytes, until none of them is on the way. Return: the sink's counters."""
        self.begin(params, 64, pps, count)
        self.lab.wait_for("the generator", lambda: self.guest.counters(0)["tx"] == count, limit=60 + 2 * count / pps)
        before = None
        while before != self.guest.counters(1)["rx"] or self.held():
            before = self.guest.counters(1)["rx"]
            time.sleep(0.1)
        self.guest.stop(self.epoch + 1)
        self.epoch += 1
        return self.guest.counters(1)

    def passed(self):
        """Time, frames that have left the link, and those of them for which the sink had no room: it had no CPU then."""
        to = self.lab.port("to")
        missed = to["drops"].get("no-room", 0)
        return time.monotonic(), to["tx"]["pkts"] + missed, missed

    def rate_kbps(self, kbps, seconds):
        """Of frames of 1518 bytes, half as many again as the rate lets pass, and a queue of half a second: it never runs empty.

        Return: kbit/s, frames, how many of them the sink was too slow for.
        """
        pps = kbps * 1000 / BITS_1518
        self.begin({"rate_kbps": kbps, "queue_frames": int(pps / 2), "queue_bytes": 64000000}, 1518, 1.5 * pps)
        self.lab.wait_for("a full link", lambda: self.lab.port("from")["impaired"]["in"]["queue_full"])
        first = self.passed()
        time.sleep(seconds)
        last = self.passed()
        self.guest.stop(self.epoch + 1)
        self.epoch += 1
        took, frames, missed = (b - a for a, b in zip(first, last))
        return frames * BITS_1518 / took / 1000, frames, missed

    def delay_ms(self, params, count, pps=1000):
        """Return: mean and standard deviation in ms, frames."""
        counters = self.all_of(params, count, pps)
        n, khz = counters["rx"], self.guest.shared.tsc_khz
        mean = counters["delay_cycles"] / n / khz
        square = counters["delay_squares"] / n * (1024 / khz) ** 2
        return mean, math.sqrt(max(0, square - mean * mean)), n
