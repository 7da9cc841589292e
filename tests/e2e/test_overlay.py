#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
VLANs across three hosts, all of them netloomd: VLAN 10 is VNI 10010 over IPv4, VLAN 20 is VNI 10020 over IPv6.

    host 1: [g10][g20]--taps--switch s--netloomd--u0--+
    host 2: [g10][g20]--taps--switch s--netloomd--u0--+-- br0 (the underlay, MTU 9000 and 1500)
    host 3: [g10][g20]--taps--switch s--netloomd--u0--+

Exit status: 0 passed, 77 skipped, else failed.
"""
import time

from overlay_lab import main, run, step, wait_for
from overlay_traffic import FrameSize, Stream, fills, iperf, pings, reachable, thousand_flows, too_big_is_told

MOVER = "02:00:00:00:10:99"
VLANS = {10: 50, 20: 70}  # and what VXLAN adds, over IPv4 and IPv6


def all_reach_all(hosts):
    for vlan in VLANS:
        for a in hosts:
            for b in hosts:
                if a is not b:
                    reachable(a.guests[f"g{vlan}"], f"10.0.{vlan}.{b.number}")
        assert pings(hosts[0].guests[f"g{vlan}"], f"fd00:{vlan}::2", 5)
        assert pings(hosts[1].guests[f"g{vlan}"], f"fd00:{vlan}::3", 5)
    assert not pings(hosts[0].guests["g10"], "10.0.20.2", wait_s=0.2), "VLAN 20 must not be reached from VLAN 10"


def flood_arrives_once(hosts):
    """Head-end replication and split horizon: every other host gets each broadcast once, the sender none."""
    said = []
    for vlan in VLANS:
        guests = [h.guests[f"g{vlan}"] for h in hosts]
        before = [h.vni(vlan) for h in hosts]
        with Stream(guests[0], guests[1:], f"10.0.{vlan}.255", interval_s=0.002) as stream:
            for guest in guests[1:]:
                stream.flows(guest, 100)
        after = [h.vni(vlan) for h in hosts]
        for guest in guests[1:]:
            assert (stream.lost(netns=guest), stream.twice(guest)) == (0, 0), (stream.lost(netns=guest), stream.twice(guest))
        sent = [a["tx"]["pkts"] - b["tx"]["pkts"] for a, b in zip(after, before)]
        # Two copies each from host 1, and next to nothing from those that received them: ND and ARP at most
        assert sent[0] >= 2 * len(stream.sent) and max(sent[1:]) < 20, (sent, len(stream.sent))
        said.append(f"{len(stream.sent)} broadcasts as {sent[0]} copies")
    return ", ".join(said)


def unknown_unicast_arrives_once(hosts):
    guests = [h.guests["g10"] for h in hosts]
    before = [h.vni(10)["rx"]["pkts"] for h in hosts]
    for host in hosts:
        host.call("fdb.flush")
        host.vni_set(10, learning=False)
    with Stream(guests[0], guests[2], "10.0.10.3") as stream:
        stream.flows(n=100)
    n = len(stream.sent)
    after = [h.vni(10)["rx"]["pkts"] for h in hosts]
    for host in hosts:
        host.vni_set(10, learning=True)
    assert (stream.lost(), stream.twice()) == (0, 0), (stream.lost(), stream.twice())
    # Flooded to host 2 as well, as nobody may learn where the station is, and not passed on by it.
    assert n <= after[1] - before[1] < n + 20, (before, after, n)
    assert n <= after[2] - before[2] < n + 20, (before, after, n)


def flows_complete(hosts):
    return "; ".join(f"VLAN {vlan}: " + thousand_flows(hosts[1].guests[f"g{vlan}"], hosts[0].guests[f"g{vlan}"], address)
                     for vlan, address in ((10, "10.0.10.2"), (20, "fd00:20::2")))


def tso_survives_the_tunnel(lab, hosts, mtu):
    """iperf3 between stations that leave segmentation to others; what they hand over is far larger than a packet."""
    said = []
    for vlan, address in ((10, "10.0.10.2"), (20, "fd00:20::2")):
        a, b = hosts[0].guests[f"g{vlan}"], hosts[1].guests[f"g{vlan}"]
        assert "tcp-segmentation-offload: on" in run("ethtool", "-k", "eth1", netns=a).stdout
        with FrameSize(hosts[0], f"g{vlan}") as frames:
            gbits = iperf(lab, b, a, address)
        size = frames.mean
        assert size > 1.3 * mtu, f"a frame of {size:.0f} bytes is no TSO frame"
        said.append(f"VLAN {vlan}: {gbits:.2f} Gb/s in frames of {size:.0f} bytes")
    return ", ".join(said)


def jumbo_frames_fit(hosts):
    for vlan, overhead in VLANS.items():
        for host in hosts[:2]:
            host.vni_set(vlan, mtu=9000 - overhead)
            host.guest_change(f"g{vlan}", mtu=9000 - overhead)
        for address in (f"10.0.{vlan}.2", f"fd00:{vlan}::2"):
            wait_for(f"jumbo frames to {address}", lambda to=address: fills(hosts[0].guests[f"g{vlan}"], to, 9000 - overhead))


def station_that_moves_is_followed(hosts):
    """From host 2 to host 3 while host 1 talks to it, and back."""
    asker = hosts[0].guests["g10"]
    hosts[1].guest("m", 10, 99, mac=MOVER)
    hosts[2].guest("m", 10, 99, mac=MOVER)
    hosts[2].call("port.delete", name="m")
    there, here = hosts[1].guests["m"], hosts[2].guests["m"]
    said = []
    reachable(asker, "10.0.10.99")
    for old, new in ((hosts[1], hosts[2]), (hosts[2], hosts[1])):
        there, here = old.guests["m"], new.guests["m"]
        with Stream(asker, [there, here], "10.0.10.99") as stream:
            stream.flows(there)
            old.call("port.delete", name="m")
            gone = time.monotonic()
            new.call("port.set", **new.ports["m"])
            came = time.monotonic()
            stream.flows(here)
        first = stream.got[here][0][1]
        said.append(f"{(first - came) * 1000:.0f} ms after it was plugged in, {(first - gone) * 1000:.0f} ms after it left")
        assert first - came < 30, said
        wait_for("the other host in the FDB", lambda to=new: hosts[0].behind(MOVER) == f"h{to.number}")
    hosts[1].call("port.delete", name="m")
    return "; ".join(said)


def too_big_is_answered(lab, hosts):
    """Inner 1500 over an underlay of 1500: the sender is told and learns, and TCP flows all the same."""
    for host in hosts:
        for vlan in VLANS:
            host.vni_set(vlan, mtu=1500 - VLANS[vlan])
            host.guest_change(f"g{vlan}", mtu=1500)
    lab.underlay_mtu(1500)
    wait_for("the new MTU", lambda: all(v["mtu"] == 1500 for h in hosts for v in h.call("vtep.list")["vteps"]))
    refused = hosts[0].refused("vni.set", vni=10010, switch="s", vlan=10, vteps=["h2"], mtu=1500)
    assert "raise the underlay's MTU" in refused, refused
    said = []
    for vlan, overhead in VLANS.items():
        here, there = hosts[0].guests[f"g{vlan}"], hosts[1].guests[f"g{vlan}"]
        for prefix in (f"10.0.{vlan}.", f"fd00:{vlan}::"):
            # TCP from the station that has learned nothing yet, to one that offers segments of 1500 bytes
            before = hosts[1].vni(vlan)["too_big_answers"]
            gbits = iperf(lab, here, there, prefix + "1", "-n", "50M")
            assert hosts[1].vni(vlan)["too_big_answers"] > before
            too_big_is_told(here, prefix + "2", 1500 - overhead)
            assert fills(here, prefix + "2", 1500 - overhead)
            said.append(f"{gbits:.2f}")
    return "TCP " + ", ".join(said) + " Gb/s"


def three_hosts(lab):
    hosts = lab.mesh(3)
    for host in hosts:
        for vlan in VLANS:
            host.guest(f"g{vlan}", vlan)
    step(all_reach_all, hosts)
    step(flood_arrives_once, hosts)
    step(unknown_unicast_arrives_once, hosts)
    step(flows_complete, hosts)
    step(tso_survives_the_tunnel, lab, hosts, 1500)
    step(station_that_moves_is_followed, hosts)
    step(jumbo_frames_fit, hosts)
    step(tso_survives_the_tunnel, lab, hosts, 9000)
    step(too_big_is_answered, lab, hosts)
    for host in hosts:
        drops = host.drops()
        expected = ("vxlan-too-big", "vxlan-no-neighbour", "vxlan-split-horizon", "vxlan-suppressed")
        odd = {r: n for r, n in drops.items() if r.startswith("vxlan-") and r not in expected}
        assert not odd, f"host {host.number}: {odd}"


three_hosts.lab = {"mtu": 9000}

if __name__ == "__main__":
    main([three_hosts], needs=["ip", "ping", "iperf3", "ethtool", "ss"])
