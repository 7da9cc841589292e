#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
An overlay that is changed all the time while it carries traffic: VNIs, VTEPs, ports and switches come and go, the underlay flaps, and a
third host sends whatever comes to its mind. Worth its time with sanitizers; also run as debug/test_overlay_stress.py.

    host 1: [g10][g20]--taps--switch s--netloomd--u0--+
    host 2: [g10][g20]--taps--switch s--netloomd--u0--+-- br0 (the underlay)
                    [random VXLAN packets]-------u0---+

OVERLAY_STRESS_S says for how many seconds (2), OVERLAY_STRESS_SEED repeats a run. Exit status: 0 passed, 77 skipped, else failed.
"""
import contextlib
import json
import os
import random
import signal
import socket
import threading
import time

from overlay_lab import LIMIT_S, ip, main, wait_for
from overlay_packet import Script, datagram
from overlay_traffic import Stream, reachable, thousand_flows

SECONDS = float(os.environ.get("OVERLAY_STRESS_S", "2"))
SEED = int(os.environ.get("OVERLAY_STRESS_SEED", random.SystemRandom().randrange(1 << 31)))
EXPECTED_REFUSALS = ("in use", "takes part", "no switch", "no vtep", "no port", "there is no", "two VNIs", "twice", "raise the underlay",
                     "attached", "no interface", "no uplink", "MTU", "belongs", "names", "is on no", "uplink")


class Chaos:
    """Requests at random about objects that are not needed for the traffic, and changes below them."""

    def __init__(self, host, rng):
        self.host, self.rng = host, rng
        self.n, self.n_refused, self.odd = 0, 0, []
        other = 3 - host.number
        self.vteps = [f"x{i}" for i in range(6)] + [f"h{other}", f"h{other}v6"]
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(LIMIT_S)
        self.sock.connect(host.socket)
        self.lines = self.sock.makefile()

    def ask(self, method, **params):
        self.sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        line = self.lines.readline()
        assert line, f"netloomd hung up at {method} {params}"
        answer = json.loads(line)
        self.n += 1
        if "error" in answer:
            self.n_refused += 1
            if not any(words in answer["error"]["message"] for words in EXPECTED_REFUSALS):
                self.odd.append((method, params, answer["error"]["message"]))

    def once(self):
        rng = self.rng
        vni, switch = 20000 + rng.randrange(20), rng.choice(["s", "t", "u"])
        what = rng.randrange(14)
        if what <= 2:
            self.ask("vni.set", vni=vni, switch=switch, vlan=100 + rng.randrange(20), vteps=rng.sample(self.vteps, rng.randrange(5)),
                     flood=rng.random() < .9, learning=rng.random() < .8, bum_limit=rng.choice([0, 10]),
                     learn_vteps=rng.random() < .3, tag=rng.choice(["strip", "keep", "refuse"]),
                     neighbours=[{"ip": f"10.9.9.{rng.randrange(9)}", "mac": "02:00:00:00:09:09"}] * rng.randrange(2))
        elif what == 3:
            self.ask("vni.delete", vni=vni)
        elif what == 4:
            address = f"192.0.2.{50 + rng.randrange(9)}" if rng.random() < .5 else f"2001:db8::{50 + rng.randrange(9)}"
            self.ask("vtep.set", name=f"x{rng.randrange(6)}", uplink="up", remote=address, dscp=rng.choice(["inherit", 3]),
                     checksum=rng.choice(["auto", "on", "zero"]))
        elif what == 5:
            self.ask("vtep.delete", name=f"x{rng.randrange(6)}")
        elif what == 6:
            self.ask("switch.set", name=rng.choice(["t", "u"]))
        elif what == 7:
            self.ask("switch.delete", name=rng.choice(["t", "u"]))
        elif what == 8:
            name = f"p{rng.randrange(4)}"
            self.ask("port.set", name=name, type="tap", ifname=f"{name}x", switch=switch, vlan={"access": 100 + rng.randrange(20)})
        elif what == 9:
            self.ask("port.delete", name=f"p{rng.randrange(4)}")
        elif what == 10:
            self.ask("fdb.flush")
        elif what == 11:
            ip(self.host.netns, "neigh flush dev u0", "route add 198.18.0.0/15 dev u0", "route del 198.18.0.0/15")
        elif what == 12:
            self.ask("vni.set", vni=10010, switch="s", vlan=10, vteps=[f"h{3 - self.host.number}"] + rng.choice([[], ["h9"]]),
                     learning=rng.random() < .9, tag=rng.choice(["strip", "keep"]))
        else:
            self.ask(rng.choice(["vni.list", "vtep.list", "port.list", "uplink.list", "fdb.list", "neigh.list", "drops"]))
        if rng.random() < .03:
            if rng.random() < .5:
                ip(self.host.netns, "link set u0 down", "link set u0 up", f"address add 2001:db8::{self.host.number}/64 dev u0 nodad")
            else:
                self.ask("port.admin", name="up", admin="down")
                self.ask("port.admin", name="up", admin="up")


def nonsense(far, rng, until):
    """Valid packets of which some bytes are not what they were."""
    while time.monotonic() < until:
        v6 = rng.random() < .5
        payload = rng.randbytes(rng.choice([0, 10, 100, 1300]))
        inner = datagram("ff:ff:ff:ff:ff:ff", f"02:00:00:00:09:{rng.randrange(100):02d}", *rng.choice(
            [("10.0.10.9", "10.0.10.1"), ("fd00:10::9", "fd00:10::1")]), payload, tags=rng.choice([[], [], [5], [5, 6]]))
        packet = bytearray(far.outer(inner, vni=rng.choice([10010, 10020, 20000 + rng.randrange(20)]), v6=v6, tos=rng.randrange(256),
                                     zero=rng.random() < .5, cut=rng.choice([None, None, rng.randrange(60)])))
        for _ in range(rng.choice([0, 0, 1, 4])):
            packet[rng.randrange(14, len(packet))] = rng.randrange(256)
        with contextlib.suppress(OSError):  # no room
            far.cable.send(bytes(packet))
        time.sleep(0.001)


def everything_at_once(lab):
    print(f"   seed {SEED}, {SECONDS:g} s", flush=True)
    hosts = lab.mesh(2)
    for host in hosts:
        for vlan in (10, 20):
            host.guest(f"g{vlan}", vlan)
        host.call("vtep.set", name="h9", uplink="up", remote="192.0.2.9")
    far = Script(lab, 9, hosts[0])
    for vlan in (10, 20):
        reachable(hosts[0].guests[f"g{vlan}"], f"10.0.{vlan}.2")
        reachable(hosts[0].guests[f"g{vlan}"], f"fd00:{vlan}::2")
    until = time.monotonic() + SECONDS
    thread = threading.Thread(target=nonsense, args=(far, random.Random(SEED), until), daemon=True)
    thread.start()
    a, b = hosts
    streams = [Stream(a.guests["g10"], b.guests["g10"], "10.0.10.2", interval_s=0.002),
               Stream(b.guests["g20"], a.guests["g20"], "fd00:20::1", interval_s=0.002),
               Stream(b.guests["g10"], a.guests["g10"], "fd00:10::1", interval_s=0.002)]
    chaos = [Chaos(host, random.Random(SEED + host.number)) for host in hosts]
    while time.monotonic() < until:
        for one in chaos:
            one.once()
    thread.join()
    for one in chaos:
        assert not one.odd, one.odd[:5]
        assert one.n_refused < one.n * .8, (one.n_refused, one.n)
        # What the traffic needs, as it should be
        one.host.vni_set(10, vteps=[f"h{3 - one.host.number}"], learning=True, tag="strip")
    for stream in streams:
        stream.flows()
        stream.stop()
    for vlan in (10, 20):
        reachable(a.guests[f"g{vlan}"], f"fd00:{vlan}::2")
        thousand_flows(b.guests[f"g{vlan}"], a.guests[f"g{vlan}"], f"10.0.{vlan}.2")
    print("   " + "; ".join(f"host {o.host.number}: {o.n} requests, {o.n_refused} refused" for o in chaos) + "; "
          + ", ".join(f"{s.lost()} of {len(s.sent)} lost" for s in streams))
    for host in hosts:
        host.daemon.send_signal(signal.SIGTERM)
        assert host.daemon.wait(LIMIT_S) == 0, f"host {host.number} ended with {host.daemon.returncode}"
        for words in ("Sanitizer", "runtime error"):
            assert words not in host.log(), host.log()


if __name__ == "__main__":
    main([everything_at_once], needs=["ip", "ping"])
