#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
TCP that the kernel forwards by itself between TAP ports and other hosts (`shortcut`), and that nobody notices but by speed.

    [tap0 10.0.10.1]--switch s--netloomd, shortcut--u0 192.0.2.1--+
    [tap0 10.0.10.2]--switch s--netloomd, shortcut--u0 192.0.2.2--+-- br0 (the underlay)
    [tap0 10.0.10.3]--switch s--netloomd------------u0 192.0.2.3--+
    [vx10 10.0.10.9]--the kernel's VXLAN------------u0 192.0.2.9--+

A TAP interface is in its host's own namespace, as the uplink is. Exit status: 0 passed, 77 skipped, else failed.
"""
import contextlib
import json
import os
import socket
import threading
import time

from overlay_lab import LIMIT_S, inside, ip, main, run, step, wait_for
from overlay_traffic import family_of, pings, reachable

PORT, CHUNK = 9999, 1 << 16
MB = 1 << 20


class Flow:
    """TCP from one namespace to another: bytes that the receiver compares with what was sent."""

    def __init__(self, sender, receiver, address):
        pattern = os.urandom(CHUNK)
        self.pattern, self.received, self.wrong, self.stopping = pattern, 0, False, False
        with inside(receiver):
            listener = socket.create_server((address, PORT), family=family_of(address))
        with inside(sender):
            self.out = socket.socket(family_of(address), socket.SOCK_STREAM)
        listener.settimeout(30)
        self.out.settimeout(30)
        self.out.connect((address, PORT))
        self.into, _ = listener.accept()
        listener.close()
        self.into.settimeout(0.2)
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self.send, self.receive)]
        for thread in self.threads:
            thread.start()

    def send(self):
        try:
            while not self.stopping:
                self.out.sendall(self.pattern)
        except OSError:
            pass

    def receive(self):
        twice = self.pattern * 2
        while not self.stopping:
            try:
                data = self.into.recv(CHUNK)
            except TimeoutError:
                continue
            except OSError:
                return
            at = self.received % CHUNK
            self.wrong |= twice[at:at + len(data)] != data
            self.received += len(data)

    def more(self, n, limit_s=60):
        """Wait for n more bytes."""
        goal = self.received + n
        wait_for(f"{n} bytes of TCP", lambda: self.received >= goal, limit_s)

    def stands(self):
        """Whether nothing arrives any more; what had arrived before is read in a moment."""
        def quiet():
            before = self.received
            time.sleep(0.3)
            return self.received == before
        wait_for("TCP to stop", quiet)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stopping = True
        for end in (self.out, self.into):
            with contextlib.suppress(OSError):  # it was reset
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self.threads:
            thread.join()
        assert not self.wrong, "TCP delivered other bytes than were sent"


def shortcuts(host):
    return host.call("uplink.list")["uplinks"][0]["shortcuts"]


def taken(host):
    return shortcuts(host)["pkts"]


def stations(host):
    told = shortcuts(host)
    return told["stations"], told["far_stations"]


def rate_takes_it(host, flow):
    """Most of what flows now takes the shortcut."""
    def most():
        before, bytes_before = shortcuts(host)["bytes"], flow.received
        flow.more(20 * MB)
        time.sleep(0.25)  # the counters follow within a fifth of a second
        return shortcuts(host)["bytes"] - before > (flow.received - bytes_before) / 2
    wait_for("TCP to take the shortcut", most)


def nothing_takes_it(host):
    def still():
        before = taken(host)
        time.sleep(0.5)
        return taken(host) == before
    wait_for("nothing to take the shortcut", still)


def tap(host, name="tap0", number=None, **more):
    number = number or host.number
    host.ports[name] = dict(name=name, type="tap", ifname=name, switch="s", mtu=1500, vlan={"access": 10},
                            addresses=[f"10.0.10.{number}/24", f"fd00:10::{number}/64"], **more)
    host.call("port.set", **host.ports[name])


def host_make(lab, number, others, shortcut):
    host = lab.host(number)
    host.call("switch.set", name="s", ageing_s=2)
    host.call("uplink.set", name="up", ifname="u0", local=[f"192.0.2.{number}"], **({"shortcut": True} if shortcut else {}))
    for other in others:
        host.call("vtep.set", name=f"h{other}", uplink="up", remote=f"192.0.2.{other}")
    host.vni_set(10, vteps=[f"h{other}" for other in others])
    tap(host)
    return host


def counters_are_complete(one, two):
    """What took the shortcut is in every counter that speaks of it, on both hosts."""
    def sums(host):
        port, vni = host.port("tap0"), host.vni(10)
        up = host.call("uplink.list")["uplinks"][0]
        vtep = host.vtep(f"h{3 - host.number}")
        return {"port out": port["tx"], "port in": port["rx"], "vni in": vni["rx"], "vni out": vni["tx"], "vtep in": vtep["rx"],
                "vtep out": vtep["tx"], "uplink in": up["rx"], "uplink out": up["tx"]}
    before = [sums(host) for host in (one, two)]
    with Flow(one.netns, two.netns, "10.0.10.2") as flow:
        rate_takes_it(one, flow)
        rate_takes_it(two, flow)
        n = flow.received
    nothing_takes_it(one)
    nothing_takes_it(two)
    for host, was, there in ((one, before[0], ("port in", "vni out", "vtep out", "uplink out")),
                             (two, before[1], ("port out", "vni in", "vtep in", "uplink in"))):
        now = sums(host)
        for name in there:
            grown = now[name]["bytes"] - was[name]["bytes"]
            assert n <= grown < 1.3 * n + 8 * MB, f"host {host.number}: {name} grew by {grown}, TCP carried {n}"
            assert now[name]["pkts"] > was[name]["pkts"]


def both_families_take_it(one, two):
    for address in ("10.0.10.2", "fd00:10::2"):
        for sender, receiver, to in ((one, two, address), (two, one, address[:-1] + "1")):
            with Flow(sender.netns, receiver.netns, to) as flow:
                rate_takes_it(sender, flow)
                rate_takes_it(receiver, flow)


def other_vteps_do_not_notice(one, address, netns):
    """The far end is netloomd without shortcuts, or the kernel: rows of segments, TCP that nobody cut."""
    reachable(one.netns, address)
    with Flow(one.netns, netns, address) as flow:
        rate_takes_it(one, flow)
    before = taken(one)
    with Flow(netns, one.netns, address.rpartition(".")[0] + ".1") as flow:
        flow.more(50 * MB)
    wait_for("acknowledgements to take it", lambda: taken(one) > before)


def capture(host, port):
    """A connection that carries a capture, once it has been answered."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(LIMIT_S)
    sock.connect(host.socket)
    request = {"jsonrpc": "2.0", "id": 1, "method": "capture", "params": {"targets": [port], "snaplen": 96}}
    sock.sendall(json.dumps(request).encode() + b"\n")
    answer = b""
    while not answer.endswith(b"\n"):
        answer += sock.recv(1)
    assert b"pcapng" in answer, answer
    return sock


def who_looks_sees_all(one, two):
    """A capture, a mirror and an impairment each take the shortcut away, at once, and give it back."""
    with Flow(one.netns, two.netns, "10.0.10.2") as flow:
        rate_takes_it(one, flow)
        stream = capture(one, "tap0")
        assert stations(one)[0] == 0, "a captured port still has a shortcut"
        wait_for("the reason", lambda: "looks at it" in shortcuts(one)["detail"])
        nothing_takes_it(one)
        flow.more(5 * MB)
        assert len(stream.recv(1 << 20)) > 1000, "a capture without frames"
        stream.close()
        rate_takes_it(one, flow)

        one.call("port.set", **one.ports["tap0"], impair={"in": {"delay_us": 1000}})
        assert stations(one)[0] == 0, "an impaired port still has a shortcut"
        wait_for("the reason", lambda: "impaired" in shortcuts(one)["detail"])
        nothing_takes_it(one)
        flow.more(MB)
        one.call("port.set", **one.ports["tap0"])
        rate_takes_it(one, flow)


def a_link_that_is_down_stops_it(one, two):
    with Flow(one.netns, two.netns, "10.0.10.2") as flow:
        rate_takes_it(two, flow)
        two.call("port.set", **two.ports["tap0"], admin="down")
        assert stations(two)[0] == 0, "a port that is shut still has a shortcut"
        flow.stands()
        two.call("port.set", **two.ports["tap0"])
        flow.more(MB)
        rate_takes_it(two, flow)


def a_station_that_sends_does_not_age(one, two):
    """Addresses are resolved for good, so that TCP is all there is; the switches forget after 2 s."""
    macs = [open_mac(host) for host in (one, two)]
    for host, other, mac in ((one, 2, macs[1]), (two, 1, macs[0])):
        ip(host.netns, f"neighbour replace 10.0.10.{other} lladdr {mac} dev tap0 nud permanent")
    with Flow(one.netns, two.netns, "10.0.10.2") as flow:
        rate_takes_it(one, flow)
        end = time.monotonic() + 4
        while time.monotonic() < end:
            assert one.behind(macs[1]) == "h2" and two.behind(macs[0]) == "h1", "a station that sends was forgotten"
            time.sleep(0.2)
        rate_takes_it(one, flow)
    wait_for("both to be forgotten", lambda: stations(one)[1] == 0 and one.behind(macs[1]) is False)
    for host, other in ((one, 2), (two, 1)):
        ip(host.netns, f"neighbour del 10.0.10.{other} dev tap0")


def open_mac(host, name="tap0"):
    return run("cat", f"/sys/class/net/{name}/address", netns=host.netns).stdout.strip()


def a_station_that_moves_is_followed(one, two):
    """Host 2's station appears on host 1, behind a second TAP port: what was sent to host 2 goes there now."""
    mac = open_mac(two)
    with Flow(one.netns, two.netns, "10.0.10.2") as flow:
        rate_takes_it(one, flow)
        netns = one.guest("moved", 10, number=2, mac=mac)
        wait_for("the station to be here", lambda: pings(netns, "10.0.10.1", wait_s=0.2) and one.behind(mac) is None)
        wait_for("the shortcut to be gone", lambda: stations(one)[1] == 0)
        wait_for("TCP to be refused where the station is now", lambda: not flow.threads[0].is_alive())
    one.call("port.delete", name="moved")
    reachable(two.netns, "10.0.10.1")
    wait_for("the station to be back", lambda: one.behind(mac) == "h2")


def too_big_is_told_by_netloomd(lab, one, two):
    """Inner 1500 over an underlay of 1500: segments that do not fit go to netloomd, which says so; those that fit do not."""
    lab.underlay_mtu(1500)
    try:
        wait_for("the VTEP's MTU", lambda: one.vtep("h2")["mtu"] == two.vtep("h1")["mtu"] == 1500)
        answers = one.vni(10)["too_big_answers"]
        with Flow(one.netns, two.netns, "10.0.10.2") as flow:
            rate_takes_it(one, flow)
        assert one.vni(10)["too_big_answers"] > answers
    finally:
        lab.underlay_mtu(lab.mtu)


def a_netloomd_that_is_killed_leaves_nothing(one, two):
    """Its programs go with it: the kernel has nobody to hand packets to. Once it is back, all is as it was."""
    with Flow(one.netns, two.netns, "10.0.10.2") as flow:
        rate_takes_it(one, flow)
        two.daemon.kill()
        two.daemon.wait()
        flow.stands()
        assert not pings(one.netns, "10.0.10.2", wait_s=0.2)
        two.start()
    reachable(one.netns, "10.0.10.2")
    with Flow(two.netns, one.netns, "10.0.10.1") as flow:
        rate_takes_it(two, flow)


def refusals_are_sentences(one):
    local = ["192.0.2.1"]
    assert "for packets that pass through the kernel" in one.refused("uplink.set", name="up", ifname="u0", local=local,
                                                                     mode="af_xdp", shortcut=True)
    assert "is for IPv4" in one.refused("uplink.set", name="up", ifname="u0", local=local + ["2001:db8::1"], shortcut=True)
    one.guest("apart", 10, number=7)
    wait_for("a reason", lambda: "namespace of its own" in shortcuts(one)["detail"])
    one.call("port.delete", name="apart")
    wait_for("no reason", lambda: shortcuts(one)["detail"] == "")


def shortcut(lab):
    one, two = host_make(lab, 1, (2, 3, 9), True), host_make(lab, 2, (1,), True)
    three = host_make(lab, 3, (1,), False)
    nine = lab.netns("k9")
    lab.attach(nine, 9, "k9")
    ip(nine, "link add vx10 type vxlan id 10010 local 192.0.2.9 remote 192.0.2.1 dstport 4789",
       "address add 10.0.10.9/24 dev vx10", "link set vx10 mtu 1500 up")
    reachable(one.netns, "10.0.10.2")
    if "Linux 6.6" in shortcuts(one)["detail"]:
        print(f"skipped: {shortcuts(one)['detail']}")
        raise SystemExit(77)
    step(both_families_take_it, one, two)
    step(counters_are_complete, one, two)
    step(other_vteps_do_not_notice, one, "10.0.10.3", three.netns)
    step(other_vteps_do_not_notice, one, "10.0.10.9", nine)
    step(who_looks_sees_all, one, two)
    step(a_link_that_is_down_stops_it, one, two)
    step(a_station_that_sends_does_not_age, one, two)
    step(a_station_that_moves_is_followed, one, two)
    step(too_big_is_told_by_netloomd, lab, one, two)
    step(a_netloomd_that_is_killed_leaves_nothing, one, two)
    step(refusals_are_sentences, one)


shortcut.lab = {"mtu": 1600}

if __name__ == "__main__":
    main([shortcut], needs=["ip", "ping"])
