#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
#   script (split)   ====vhost==== left  ---wire--- right  ====vhost==== script (split)
#   script (packed)  ====vhost==== pleft ---wire--- pright ====vhost==== script (packed)
#                                       netloomd
#
# netloomd is killed under traffic, again and again, and the next one takes up the rings, split and packed. Every buffer of every
# ring comes back once and in order, traffic goes on in both directions, and what comes twice is no more than a burst for each death.

import signal
import struct
import threading
import time

from vhost_lab import expect, run, wait_until
from vhost_packed import LastingFrontEnd, PackedFrontEnd
from vhost_script import TX

DEATHS = 10
BURST = 64
FRAME = bytes.fromhex("02000000000202000000000188b5") + bytes(50)


class Side:
    """One end: sends frames with serial numbers, checks those of the other end."""

    def __init__(self, front_end):
        self.front_end = front_end
        self.sent = 0
        self.expected = 0  # next serial that is new
        self.again = 0

    def turn(self):
        front_end = self.front_end
        for _ in range(min(front_end.room(), 8)):
            front_end.offer(TX, FRAME + struct.pack("<I", self.sent))
            self.sent += 1
        front_end.kick_ring(TX)
        for frame in front_end.received():
            serial, = struct.unpack_from("<I", frame, len(FRAME))
            if serial < self.expected:
                self.again += 1
            else:
                self.expected = serial + 1


def make_ports(lab):
    wires = (("left", "right"), ("right", "left"), ("pleft", "pright"), ("pright", "pleft"))
    ports = [{"name": name, "type": "vhost-user", "socket": lab.path(name + ".sock"), "wire": other, "server": True}
             for name, other in wires]
    lab.netloomd.rpc.call("apply", owner="test", switches=[], ports=ports)


def traffic(sides, goal):
    """Until both ends have got @goal new frames."""
    goals = [side.expected + goal for side in sides]

    def done():
        for _ in range(20):
            for side in sides:
                side.turn()
        return all(side.expected >= wanted for side, wanted in zip(sides, goals))

    wait_until(f"{goal} frames each way", done, limit=60, step=0)


def die_under_traffic(lab, sides):
    """The kill comes from another thread, while frames are sent and taken."""
    killer = threading.Timer(0.01, lambda: lab.netloomd.process.send_signal(signal.SIGKILL))
    killer.start()
    deadline = time.monotonic() + 30
    while lab.netloomd.process.poll() is None:
        expect(time.monotonic() < deadline, "netloomd does not die")
        for side in sides:
            side.turn()
    killer.join()
    lab.netloomd.kill()


def main(lab):
    lab.netloomd.start()
    make_ports(lab)
    ends = {}
    for name in ("left", "right", "pleft", "pright"):
        ends[name] = (PackedFrontEnd if name[0] == "p" else LastingFrontEnd)(lab.path(name + ".sock"))
        lab.ends.append(ends[name].close)
        ends[name].start_lasting()
    sides = [Side(end) for end in ends.values()]
    traffic(sides, 100)
    for death in range(DEATHS):
        die_under_traffic(lab, sides)
        lab.netloomd.start()
        make_ports(lab)
        for end in ends.values():
            end.connect()
            end.start_lasting()
        traffic(sides, 50)
        for name in ends:
            port = lab.netloomd.port(name)
            expect(port["running"] and port["packed"] == (name[0] == "p") and port["n_bad_rings"] == 0,
                   f"port {name} after death {death + 1}: {port}")
    for name, side in zip(ends, sides):
        expect(side.again <= DEATHS * BURST, f"{name}: {side.again} frames came again in {DEATHS} deaths")
        print(f"ok: {name}: {DEATHS} deaths, {side.expected} frames, {side.again} came again", flush=True)


run(main, "--no-huge", "--threads", "1")
