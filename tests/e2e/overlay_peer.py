# SPDX-License-Identifier: BSD-3-Clause
"""
What a VLAN to somebody else's VTEP must carry, whoever that is. The far end is a station number 9 in VLANs 10 (over IPv4) and 20 (over
IPv6), in one namespace; far_make(lab) makes it and returns the namespace, the names of its two interfaces, and how to set their MTU.
"""
from overlay_lab import ip, run, step, wait_for
from overlay_traffic import FrameSize, fills, iperf, pings, reachable, thousand_flows, too_big_is_told

VLANS = {10: 50, 20: 70}  # and what VXLAN adds, over IPv4 and IPv6


def both_ways(host, far):
    for vlan in VLANS:
        guest = host.guests[f"g{vlan}"]
        reachable(guest, f"10.0.{vlan}.9")
        assert pings(guest, f"fd00:{vlan}::9", 5)
        assert pings(far, f"10.0.{vlan}.1", 5) and pings(far, f"fd00:{vlan}::1", 5)
        vni = host.vni(vlan)
        assert vni["rx"]["pkts"] >= 15 and vni["tx"]["pkts"] >= 15, vni
        assert host.vtep("h9" if vlan == 10 else "h9v6")["usable"]


def flows_complete(host, far):
    """To the far end over one, and from it over the other."""
    to = thousand_flows(far, host.guests["g10"], "10.0.10.9")
    back = thousand_flows(host.guests["g20"], far, "fd00:20::1")
    return f"{to}; {back}"


def tso_survives_the_tunnel(lab, host, far, amount, mtu=1500):
    said = []
    for vlan in VLANS:
        guest = host.guests[f"g{vlan}"]
        assert "tcp-segmentation-offload: on" in run("ethtool", "-k", "eth1", netns=guest).stdout
        with FrameSize(host, f"g{vlan}") as frames:
            there = iperf(lab, far, guest, f"10.0.{vlan}.9", "-n", amount)
        assert frames.mean > 1.3 * mtu, f"a frame of {frames.mean:.0f} bytes is no TSO frame"
        back = iperf(lab, guest, far, f"10.0.{vlan}.1", "-n", amount)
        said.append(f"VLAN {vlan}: {there:.2f} Gb/s in frames of {frames.mean:.0f} bytes, back {back:.2f} Gb/s")
    return "; ".join(said)


def jumbo_frames_fit(host, far_mtu):
    for vlan, overhead in VLANS.items():
        host.vni_set(vlan, mtu=9000 - overhead)
        host.guest_change(f"g{vlan}", mtu=9000 - overhead)
        far_mtu(vlan, 9000 - overhead)
        for address in (f"10.0.{vlan}.9", f"fd00:{vlan}::9"):
            wait_for(f"jumbo frames to {address}",
                     lambda to=address: fills(host.guests[f"g{vlan}"], to, 9000 - overhead))


def too_big_is_answered(lab, host, far, interfaces, far_mtu, amount):
    """
    The guest has 1500, and so has the underlay. The far end fits, but tells TCP to send segments of 1500 bytes.
    """
    for vlan, overhead in VLANS.items():
        host.vni_set(vlan, mtu=1500 - overhead)
        host.guest_change(f"g{vlan}", mtu=1500)
        far_mtu(vlan, 1500 - overhead)
        ip(far, f"route add 10.0.{vlan}.1/32 dev {interfaces[vlan]} advmss 1460",
           f"route add fd00:{vlan}::1/128 dev {interfaces[vlan]} advmss 1440")
    lab.underlay_mtu(1500)
    wait_for("the new MTU", lambda: all(v["mtu"] == 1500 for v in host.call("vtep.list")["vteps"]))
    said = []
    for vlan, overhead in VLANS.items():
        for prefix in (f"10.0.{vlan}.", f"fd00:{vlan}::"):
            before = host.vni(vlan)["too_big_answers"]
            gbits = iperf(lab, far, host.guests[f"g{vlan}"], prefix + "9", "-n", amount)
            assert host.vni(vlan)["too_big_answers"] > before
            said.append(f"{gbits:.2f}")
            run("ip", "route", "flush", "cache", netns=host.guests[f"g{vlan}"])
            run("ip", "-6", "route", "flush", "cache", netns=host.guests[f"g{vlan}"])
            too_big_is_told(host.guests[f"g{vlan}"], prefix + "9", 1500 - overhead)
            assert fills(host.guests[f"g{vlan}"], prefix + "9", 1500 - overhead)
    return "TCP " + ", ".join(said) + " Gb/s"


def peer_checks(lab, far_make, amount):
    """All of the above, with one host of ours."""
    host = lab.host(1)
    host.peers(9)
    host.peers(9, ipv6=True, vlan=20)
    for vlan in VLANS:
        host.guest(f"g{vlan}", vlan)
    far, interfaces, far_mtu = far_make(lab)
    step(both_ways, host, far)
    step(flows_complete, host, far)
    step(tso_survives_the_tunnel, lab, host, far, amount)
    step(jumbo_frames_fit, host, far_mtu)
    step(tso_survives_the_tunnel, lab, host, far, amount, 9000)
    step(too_big_is_answered, lab, host, far, interfaces, far_mtu, amount)
