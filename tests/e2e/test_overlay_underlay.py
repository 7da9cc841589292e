#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
What a VLAN across hosts makes of an underlay that changes. Each host has two ways to the other's VTEP addresses, 198.51.100.N and
2001:db8:100::N, which are on its loopback interface; VLAN 10 is over IPv4, VLAN 20 over IPv6.

    host 1: [g10][g20]--taps--switch s--netloomd--u0 192.0.2.1,   2001:db8::1--br0--u0--netloomd--...--[g10][g20] :host 2
                                            |                                            |
                                            +-----u1 203.0.113.1, 2001:db8:1::1--br1--u1-+

Streams of numbered datagrams run in both VLANs all the time; each step says what they lost and how long nothing came.

Exit status: 0 passed, 77 skipped, else failed.
"""
import os
import signal
import time

from overlay_lab import Host, LIMIT_S, ip, main, run, step, sysctl, wait_for
from overlay_traffic import Stream, reachable, thousand_flows

BOTH4 = "nexthop via 192.0.2.{0} dev u0 nexthop via 203.0.113.{0} dev u1"
BOTH6 = "nexthop via 2001:db8::{0} dev u0 nexthop via 2001:db8:1::{0} dev u1"
FIRST4, FIRST6 = "via 192.0.2.{0} dev u0", "via 2001:db8::{0} dev u0"
SECOND4, SECOND6 = "via 203.0.113.{0} dev u1", "via 2001:db8:1::{0} dev u1"


def route(host, to, how4, how6):
    ip(host.netns, f"route replace 198.51.100.{to}/32 " + how4.format(to), f"route replace 2001:db8:100::{to}/128 " + how6.format(to))


def second_way(lab, host):
    n, name = host.number, f"s{host.number}"
    ip(host.netns, f"link add u1 mtu {lab.mtu} type veth peer name {name} mtu {lab.mtu} netns {lab.fabric}",
       f"address add 203.0.113.{n}/24 dev u1", f"address add 2001:db8:1::{n}/64 dev u1 nodad", "link set u1 up")
    ip(lab.fabric, f"link set {name} master br1 up")


def configure(host, other):
    n = host.number
    host.call("switch.set", name="s")
    host.call("uplink.set", name="up", ifname="u0", local=[f"198.51.100.{n}", f"2001:db8:100::{n}"])
    host.call("uplink.set", name="up2", ifname="u1", local=[f"203.0.113.{n}"])
    host.call("vtep.set", name="v4", uplink="up", remote=f"198.51.100.{other}")
    host.call("vtep.set", name="v6", uplink="up", remote=f"2001:db8:100::{other}")
    host.vni_set(10, vteps=["v4"])
    host.vni_set(20, vteps=["v6"])
    for vlan in (10, 20):
        host.guest(f"g{vlan}", vlan)


class Watched:
    """Streams in both VLANs around something that happens; lossless ones must not lose a single datagram."""

    def __init__(self, a, b, lossless=True):
        self.a, self.b, self.lossless = a, b, lossless

    def __enter__(self):
        self.streams = {10: Stream(self.a.guests["g10"], self.b.guests["g10"], f"10.0.10.{self.b.number}"),
                        20: Stream(self.a.guests["g20"], self.b.guests["g20"], f"fd00:20::{self.b.number}")}
        self.flows()
        return self

    def flows(self):
        """Wait until datagrams of all flows arrive again."""
        for stream in self.streams.values():
            for _ in range(2):
                stream.flows()

    def __exit__(self, kind, *unused):
        for stream in self.streams.values():
            stream.stop()
        if kind is not None:
            return
        self.lost = {vlan: s.lost() for vlan, s in self.streams.items()}
        self.said = "IPv{} lost {} of {}, gap {:.0f} ms; IPv{} lost {} of {}, gap {:.0f} ms".format(*[
            x for v, s in ((4, self.streams[10]), (6, self.streams[20])) for x in (v, s.lost(), len(s.sent), s.gap_ms())])
        assert not self.lossless or not any(self.lost.values()), (self.said, self.a.drops(), self.b.drops(), [
            run("ip", "-s", "link", "show", "eth1", netns=g).stdout for h in (self.a, self.b) for g in h.guests.values()])
        assert not any(s.twice() for s in self.streams.values()), "datagrams arrived twice"


def vteps(host, what, expected, limit_s=LIMIT_S):
    """Wait until both VTEPs are as expected; return how long that took, as text."""
    begin = time.monotonic()
    wait_for(what, lambda: all(expected(host.vtep(v)) for v in ("v4", "v6")), limit_s)
    return f"{(time.monotonic() - begin) * 1000:.0f} ms"


def both_ways_are_used(a, b):
    said = []
    for vlan, address in ((10, "10.0.10.2"), (20, "fd00:20::2")):
        before = {u: a.port(u)["tx"]["pkts"] for u in ("up", "up2")}
        thousand_flows(b.guests[f"g{vlan}"], a.guests[f"g{vlan}"], address)
        sent = {u: a.port(u)["tx"]["pkts"] - before[u] for u in before}
        assert min(sent.values()) > 0.25 * sum(sent.values()), (vlan, sent)
        said.append(f"{sent['up']} and {sent['up2']} packets")
    return ", ".join(said)


def changes_elsewhere_lose_nothing(a, b):
    with Watched(a, b) as watched:
        for host in (a, b):
            host.call("switch.set", name="other")
            host.call("vtep.set", name="third", uplink="up", remote="192.0.2.77")
            host.call("vni.set", vni=7, switch="other", vlan=7, vteps=["third"])
            host.vni_set(10, bum_limit=1000)
            host.call("vni.delete", vni=7)
            host.call("vtep.delete", name="third")
            host.call("switch.delete", name="other")
        ip(a.netns, "route add 198.18.0.0/15 dev u0", "route del 198.18.0.0/15")
        watched.flows()
    return watched.said


def route_moves_without_loss(a, b):
    with Watched(a, b) as watched:
        for how in ((FIRST4, FIRST6), (SECOND4, SECOND6), (FIRST4, FIRST6), (BOTH4, BOTH6)):
            route(a, 2, *how)
            vteps(a, "the route", lambda v, n=how[0].count("via"): v["next_hops"] == n and v["usable"])
            watched.flows()
    return watched.said


def route_flap_is_survived(a, b):
    """Gone and back at once, ten times; then gone for good, and back."""
    with Watched(a, b, lossless=False) as watched:
        for _ in range(10):
            ip(a.netns, "route del 198.51.100.2/32", "route del 2001:db8:100::2/128")
            route(a, 2, BOTH4, BOTH6)
        watched.flows()
        ip(a.netns, "route del 198.51.100.2/32", "route del 2001:db8:100::2/128")
        gone = vteps(a, "the route to be gone", lambda v: "no route" in v["detail"] and not v["usable"])
        wait_for("counted drops", lambda: a.drops().get("vxlan-no-route", 0) > 0)
        route(a, 2, BOTH4, BOTH6)
        back = vteps(a, "the route to be back", lambda v: v["usable"] and v["next_hops"] == 2)
        watched.flows()
    return f"gone {gone}, back {back}; {watched.said}"


def lost_next_hop_is_left(lab, a, b):
    """A cable is pulled on one of two ways, and plugged in again: the other one carries all meanwhile."""
    with Watched(a, b, lossless=False) as watched:
        ip(lab.fabric, "link set s1 down")
        left = vteps(a, "one next hop to be gone", lambda v: v["next_hops"] == 1 and v["usable"])
        watched.flows()
        assert "has no carrier" in a.port("up2")["detail"], a.port("up2")
        marks = {v: len(s.sent) for v, s in watched.streams.items()}
        watched.flows()
        ends = {v: len(s.sent) - 100 for v, s in watched.streams.items()}
        ip(lab.fabric, "link set s1 up")
        # The kernel takes a carrier's word; a route whose hops are all alive is what it was
        route(a, 2, BOTH4, BOTH6)
        vteps(a, "both next hops", lambda v: v["next_hops"] == 2 and v["resolved"] == 2)
        watched.flows()
    for vlan, stream in watched.streams.items():
        assert stream.lost(marks[vlan], ends[vlan]) == 0, f"VLAN {vlan} lost datagrams on the way that was left"
    return f"noticed after {left}; {watched.said}"


def forgotten_neighbours_lose_nothing(a, b):
    """The kernel forgets who has an address, as it does with old entries; the station is still there."""
    with Watched(a, b) as watched:
        for _ in range(5):
            for device in ("u0", "u1"):
                ip(a.netns, f"neigh flush dev {device}")
            watched.flows()
    return watched.said


def neighbour_that_died_is_left(lab, a, b):
    """A router that no longer answers, while all links are up: its way is left when the kernel finds out."""
    for family in ("ipv4", "ipv6"):
        for name, value in (("base_reachable_time_ms", 500), ("delay_first_probe_time", 1), ("ucast_solicit", 1),
                            ("mcast_solicit", 1), ("retrans_time_ms", 200)):
            sysctl(a.netns, f"{family}/neigh/u1/{name}", value)
    ip(a.netns, "neigh flush dev u1")
    with Watched(a, b, lossless=False) as watched:
        # Both ways are in use again: the one that dies must not be found just then
        vteps(a, "both next hops", lambda v: v["resolved"] == 2)
        ip(lab.fabric, "link set s2 nomaster")
        left = vteps(a, "one next hop to be dead", lambda v: v["resolved"] == 1 and v["usable"])
        marks = {v: len(s.sent) for v, s in watched.streams.items()}
        watched.flows()
        ip(lab.fabric, "link set s2 master br1")
        back = vteps(a, "the next hop to be back", lambda v: v["resolved"] == 2)
        watched.flows()
    for vlan, stream in watched.streams.items():
        assert stream.lost(marks[vlan]) == 0, f"VLAN {vlan} lost datagrams after the dead way was left"
    return f"left after {left}, back after {back}; {watched.said}"


def new_hardware_is_followed(a, b):
    """The other host's NIC is replaced and says so: the MAC is another one from now on."""
    sysctl(b.netns, "ipv4/conf/u0/arp_notify", 1)
    sysctl(b.netns, "ipv6/conf/u0/ndisc_notify", 1)
    route(a, 2, FIRST4, FIRST6)
    with Watched(a, b, lossless=False) as watched:
        ip(b.netns, "link set u0 address 02:00:00:00:77:02")
        watched.flows()
    return watched.said


def link_that_goes_and_comes_is_followed(a, b):
    route(a, 2, FIRST4, FIRST6)
    with Watched(a, b, lossless=False) as watched:
        ip(a.netns, "link set u0 down")
        gone = vteps(a, "the link to be down", lambda v: "u0 is down" in v["detail"])
        ip(a.netns, "link set u0 up", "address add 2001:db8::1/64 dev u0 nodad")
        route(a, 2, FIRST4, FIRST6)
        back = vteps(a, "the link to be up", lambda v: v["usable"])
        watched.flows()
    return f"down {gone}, up {back}; {watched.said}"


def address_that_goes_and_comes_is_followed(a, b):
    with Watched(a, b, lossless=False) as watched:
        ip(a.netns, "address del 198.51.100.1/32 dev lo", "address del 2001:db8:100::1/128 dev lo")
        gone = vteps(a, "the address to be gone", lambda v: "is not on this host" in v["detail"])
        ip(a.netns, "address add 198.51.100.1/32 dev lo", "address add 2001:db8:100::1/128 dev lo nodad")
        back = vteps(a, "the address to be back", lambda v: v["usable"])
        watched.flows()
    return f"gone {gone}, back {back}; {watched.said}"


def uplink_that_goes_and_comes_is_followed(lab, a, b):
    """A NIC is taken out and put back in."""
    mac = run("cat", "/sys/class/net/u0/address", netns=a.netns).stdout.strip()
    with Watched(a, b, lossless=False) as watched:
        ip(a.netns, "link delete u0")
        gone = vteps(a, "the interface to be gone", lambda v: "no interface u0" in v["detail"])
        lab.attach(a.netns, 1, "h1b", mac=mac)
        route(a, 2, FIRST4, FIRST6)
        back = vteps(a, "the interface to be back", lambda v: v["usable"])
        watched.flows()
        a.call("port.admin", name="up", admin="down")
        vteps(a, "the uplink to be down", lambda v: "administratively down" in v["detail"])
        a.call("port.admin", name="up", admin="up")
        watched.flows()
    return f"gone {gone}, back {back}; {watched.said}"


class Intruder(Host):
    """A second netloomd in the namespace of another host."""

    def __init__(self, lab, host):
        self.lab, self.number, self.netns = lab, 9, host.netns
        self.guests, self.ports = {}, {}
        self.dir = os.path.join(lab.dir, "intruder")
        os.mkdir(self.dir)
        self.socket = os.path.join(self.dir, "netloomd.sock")
        self.start()


def second_daemon_is_told(lab, a, b):
    """The same address cannot be shared; another one on the same interface can, and neither takes what is the other's."""
    with Watched(a, b) as watched:
        second = Intruder(lab, a)
        sentence = second.refused("uplink.set", name="up", ifname="u0", local=["198.51.100.1"])
        assert "in use" in sentence and "198.51.100.1" in sentence, sentence
        second.call("uplink.set", name="up", ifname="u0", local=["192.0.2.1"])
        watched.flows()
        assert not [d for d in second.drops() if d.startswith("vxlan")], second.drops()
        second.call("stop")
        second.daemon.wait(LIMIT_S)
    return watched.said


def killed_daemon_comes_back(a, b):
    lists = ("switch.list", "vtep.list", "vni.list")
    before = [[x.get("name", x.get("vni")) for x in next(iter(a.call(m).values()))] for m in lists]
    with Watched(b, a, lossless=False) as watched:
        pass
    with Watched(a, b, lossless=False) as watched:
        a.daemon.send_signal(signal.SIGKILL)
        a.daemon.wait(LIMIT_S)
        a.start()
        watched.flows()
    assert before == [[x.get("name", x.get("vni")) for x in next(iter(a.call(m).values()))] for m in lists]
    reachable(b.guests["g10"], "10.0.10.1")
    return watched.said


def two_ways(lab):
    ip(lab.fabric, "link add br1 type bridge mcast_snooping 0", f"link set br1 mtu {lab.mtu} up")
    a, b = lab.host(1), lab.host(2)
    for host, other in ((a, b), (b, a)):
        second_way(lab, host)
        ip(host.netns, f"address add 198.51.100.{host.number}/32 dev lo", f"address add 2001:db8:100::{host.number}/128 dev lo nodad")
    for host, other in ((a, b), (b, a)):
        route(host, other.number, BOTH4, BOTH6)
        configure(host, other.number)
    for vlan in (10, 20):
        reachable(a.guests[f"g{vlan}"], f"10.0.{vlan}.2")
        reachable(a.guests[f"g{vlan}"], f"fd00:{vlan}::2")
    step(both_ways_are_used, a, b)
    step(changes_elsewhere_lose_nothing, a, b)
    step(route_moves_without_loss, a, b)
    step(route_flap_is_survived, a, b)
    step(lost_next_hop_is_left, lab, a, b)
    step(forgotten_neighbours_lose_nothing, a, b)
    step(neighbour_that_died_is_left, lab, a, b)
    step(new_hardware_is_followed, a, b)
    step(link_that_goes_and_comes_is_followed, a, b)
    step(address_that_goes_and_comes_is_followed, a, b)
    step(uplink_that_goes_and_comes_is_followed, lab, a, b)
    step(second_daemon_is_told, lab, a, b)
    step(killed_daemon_comes_back, a, b)


if __name__ == "__main__":
    main([two_ways], needs=["ip", "ping"])
