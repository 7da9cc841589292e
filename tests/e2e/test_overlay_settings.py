#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
What may be chosen about a VNI and a VTEP, and that the wire shows it. Two VTEPs are scripts with raw sockets.

    [g10][g20][g30]--taps--switch s--netloomd--u0 192.0.2.1, 2001:db8::1--+-- br0 (the underlay)
                                                                          |
                         [h9, a script]--u0 192.0.2.9, 2001:db8::9--------+
                         [h8, a script]--u0 192.0.2.8, 2001:db8::8--------+

Exit status: 0 passed, 77 skipped, else failed.
"""
import os

from overlay_lab import ip, main, step, wait_for
from overlay_packet import (ARP, OTHER_PORT, Script, Wire, advertisement, arp_reply, arp_request, datagram, dissect, eth,
                            pcap_write, solicitation)
from overlay_traffic import TooBig, too_big_is_told

FAR, FAR8, STRANGER = "02:00:00:00:00:99", "02:00:00:00:00:88", "02:00:00:00:00:66"
BROADCAST, RARP = "ff:ff:ff:ff:ff:ff", 0x8035
MARK = b"mark" * 5


def nothing(vtep, wanted):
    """Whether nothing of the kind was sent to a VTEP, among what was sent before something that surely came after it."""
    return not vtep.all(lambda o: wanted(o.inner))


def sync(guest, *vteps, vlan=10):
    """Everything that the guest sent before has been handled: a broadcast behind it arrives everywhere."""
    frame = datagram(BROADCAST, guest.mac, f"10.0.{vlan}.1", f"10.0.{vlan}.255", os.urandom(16))
    guest.send(frame)
    before = []
    for vtep in vteps:
        seen = []
        assert vtep.got(lambda o: seen.append(o.inner) or o.inner == frame), "a broadcast did not arrive"
        before.append(seen[:-1])
    return before


def answered_at_last(guest, request, reply):
    """The table that workers look into follows what is known within a tenth of a second."""
    def asked():
        guest.drain()
        guest.send(request)
        return guest.seen(lambda f: f == reply, limit_s=0.2)
    wait_for("an answer", asked)


def requests_are_answered_here(host, nine, guests):
    """ARP and ND for a station that was overheard: the answer is right, and the request does not cross."""
    answered = host.vni(10)["suppressed"]
    guest = guests[10]
    four, six = ("10.0.10.1", "10.0.10.9"), ("fd00:10::1", "fd00:10::9")
    unknown4, unknown6 = arp_request(guest.mac, four[0], "10.0.10.77"), solicitation(guest.mac, six[0], "fd00:10::77")
    for request in (arp_request(guest.mac, *four), solicitation(guest.mac, *six)):
        guest.send(request)
    crossed = sync(guest, nine)[0]
    assert arp_request(guest.mac, *four) in crossed and solicitation(guest.mac, *six) in crossed, "asked before anything is known"
    nine.send(arp_reply(FAR, four[1], guest.mac, four[0]))
    nine.send(advertisement(FAR, six[1], guest.mac, six[0]))
    known = lambda: {n["ip"]: n["mac"] for n in host.call("neigh.list", vni=10010)["neighbours"]}
    wait_for("both to be overheard", lambda: known().get(four[1]) == known().get(six[1]) == FAR)
    for request, reply in ((arp_request(guest.mac, *four), arp_reply(FAR, four[1], guest.mac, four[0])),
                           (solicitation(guest.mac, *six), advertisement(FAR, six[1], guest.mac, six[0]))):
        answered_at_last(guest, request, reply)
        sync(guest, nine)
        guest.send(request)
        assert guest.seen(lambda f: f == reply), "no answer, or not a proper one"
        guest.send(unknown4)
        guest.send(unknown6)
        crossed = sync(guest, nine)[0]
        assert request not in crossed, "an answered request crossed"
        assert crossed.count(unknown4) == crossed.count(unknown6) == 1, "a request for an unknown station must cross, once"
    assert host.vni(10)["suppressed"] >= answered + 4
    # Whoever asks a station itself, or says something of itself, means it
    unicast = arp_request(guest.mac, *four, to=FAR)
    announcement = arp_request(guest.mac, four[0], four[0])
    guest.send(unicast)
    guest.send(announcement)
    crossed = sync(guest, nine)[0]
    assert unicast in crossed and announcement in crossed, crossed
    host.vni_set(10, suppress=False)
    guest.send(arp_request(guest.mac, *four))
    guest.send(solicitation(guest.mac, *six))
    crossed = sync(guest, nine)[0]
    assert arp_request(guest.mac, *four) in crossed and solicitation(guest.mac, *six) in crossed, "suppression is off"
    host.vni_set(10, suppress=True)


def stated_neighbours_are_answered_for(host, nine, guests):
    guest = guests[20]
    host.vni_set(20, neighbours=[{"ip": "10.0.20.50", "mac": FAR}, {"ip": "fd00:20::50", "mac": FAR, "router": True}])
    for request, reply in ((arp_request(guest.mac, "10.0.20.1", "10.0.20.50"), arp_reply(FAR, "10.0.20.50", guest.mac, "10.0.20.1")),
                           (solicitation(guest.mac, "fd00:20::1", "fd00:20::50"),
                            advertisement(FAR, "fd00:20::50", guest.mac, "fd00:20::1", flags=0xe0))):
        answered_at_last(guest, request, reply)
        sync(guest, nine, vlan=20)
        guest.send(request)
        assert guest.seen(lambda f: f == reply), "no answer, or not a proper one"
        assert request not in sync(guest, nine, vlan=20)[0]
    host.vni_set(20, neighbours=[])


def uplink_rx(host):
    return host.call("uplink.list")["uplinks"][0]["rx"]


def uplink_counts_what_comes_with_its_outer_headers(host, nine, guests):
    """Also what is refused then."""
    pkts, size = uplink_rx(host)["pkts"], uplink_rx(host)["bytes"]
    frame = datagram(BROADCAST, FAR, "10.0.10.9", "10.0.10.255", MARK)
    for vni in (10010, 10010, 999):
        nine.send(frame, vni=vni)
    wait_for("three packets", lambda: uplink_rx(host)["pkts"] >= pkts + 3)
    now = uplink_rx(host)
    assert (now["pkts"] - pkts, now["bytes"] - size) == (3, 3 * (len(frame) + 50)), now
    guests[10].drain()


def stations_are_announced(host, nine, guests):
    """Plugged in, and moved in from another host: with the addresses that are known, and not where it is off."""
    new = "02:00:00:00:10:50"
    is_new = lambda o: o.inner[6:12].hex(":") == new
    is_rarp = lambda o: o.inner[12:14] == RARP.to_bytes(2, "big")
    came = uplink_rx(host)
    for off in (False, True):
        host.vni_set(10, announce=not off)
        nine.wire.drain()
        before = host.vni(10)["announced"]
        host.call("port.set", **dict(host.ports["g10"], name="n10", ifname="eth2", addresses=[], mac=new))
        if off:
            # What it says itself, of its own accord, crosses
            assert not [o for o in nine.got(is_new, 3) if is_rarp(o)]
            assert host.vni(10)["announced"] == before
        else:
            got = nine.got(lambda o: is_new(o) and is_rarp(o))
            assert got and got[0].inner[:6] == b"\xff" * 6 and got[0].inner[20:22] == b"\0\3", "no RARP request for itself"
        host.call("port.delete", name="n10")
    assert uplink_rx(host) == came, "what netloomd says itself has not come through the uplink"
    # FAR was behind h9 and had two addresses there; now it speaks up here
    for off in (True, False):
        host.vni_set(10, announce=not off)
        nine.send(arp_request(FAR, "10.0.10.9", "10.0.10.1"))
        wait_for("the station to be behind h9", lambda: host.behind(FAR) == "h9")
        wait_for("its address", lambda: "10.0.10.9" in [n["ip"] for n in host.call("neigh.list", vni=10010)["neighbours"]])
        nine.wire.drain()
        guests[10].send(datagram(BROADCAST, FAR, "10.0.10.9", "10.0.10.1", MARK))
        wait_for("the station to be here", lambda: host.behind(FAR) is None)
        announcement = arp_request(FAR, "10.0.10.9", "10.0.10.9")
        if off:
            assert announcement not in sync(guests[10], nine)[0]
        else:
            assert nine.got(lambda o: o.inner == announcement), "its address was not announced"
    assert host.vni(10)["announced"] >= 2


def outer_header_is_as_chosen(lab, host, nine, guests):
    """DSCP inherited or fixed, checksum or none, source ports, and the port of the other host."""
    frames = []
    for vlan, name, remote in ((10, "h9", "192.0.2.9"), (20, "h9v6", "2001:db8::9")):
        guest = guests[vlan]
        for setting, check in ((dict(dscp=46), lambda o: o.tos == 46 << 2 | 1),
                               (dict(dscp=0, checksum="on"), lambda o: o.tos == 1 and o.udp_sum != 0),
                               (dict(dscp="inherit", checksum="zero"), lambda o: o.tos == (10 << 2 | 1) and o.udp_sum == 0),
                               (dict(udp_port=OTHER_PORT), lambda o: o.dport == OTHER_PORT),
                               (dict(), lambda o, v6=vlan == 20: o.dport == 4789 and (o.udp_sum != 0) == v6)):
            host.call("vtep.set", name=name, uplink="up", remote=remote, **setting)
            frame = datagram(BROADCAST, guest.mac, f"10.0.{vlan}.1", f"10.0.{vlan}.9", MARK, tos=10 << 2 | 1)
            guest.send(frame)
            got = nine.got(lambda o: o.inner == frame)
            assert got and check(got[0]), (setting, vars(got[0]) if got else None)
            if "udp_port" not in setting:
                frames.append(got[0].frame)
            if setting.get("checksum") == "zero":  # and then it is taken, too
                nine.send(datagram(BROADCAST, FAR, "10.0.10.9", "10.0.10.1", MARK), vni=10000 + vlan, v6=vlan == 20, zero=True)
                assert guest.seen(lambda f: f.endswith(MARK)), "a packet without checksum was not taken"
    path = os.path.join(lab.dir, "chosen.pcap")
    pcap_write(path, frames)
    assert not [x for packet in dissect(path) for name, _, _, fields in packet for k, v in fields.items()
                if name == "_ws.malformed" or k.endswith("checksum.status") and "0" in v]
    host.call("uplink.set", name="up", ifname="u0", local=["192.0.2.1", "2001:db8::1"], source_ports="50000-50009")
    wait_for("the uplink to be back", lambda: host.vtep("h9")["usable"])
    seen = set()
    for i in range(100):
        guests[10].send(datagram(BROADCAST, guests[10].mac, "10.0.10.1", "10.0.10.9", MARK, 7000 + i))
    for o in nine.got(lambda o: o.inner.endswith(MARK) and o.vni == 10010, 100):
        seen.add(o.sport)
    assert seen == set(range(50000, 50010)), seen
    host.call("uplink.set", name="up", ifname="u0", local=["192.0.2.1", "2001:db8::1"])
    wait_for("the uplink to be back", lambda: host.vtep("h9")["usable"])


def too_big_answers_are_limited(host, guests):
    """None when none are wanted, and the frame is dropped all the same; then as many as may be."""
    netns = host.guests["g10"]
    ip(netns, "neigh replace 10.0.10.9 lladdr 02:00:00:00:00:99 dev eth1")
    host.vni_set(10, too_big_limit=0)
    host.guest_change("g10", mtu=1550)
    asked = TooBig(netns, "10.0.10.9")
    before = host.drops().get("vxlan-too-big", 0)
    for _ in range(20):
        asked.udp.send(bytes(1522))
    wait_for("counted drops", lambda: host.drops().get("vxlan-too-big", 0) == before + 20)
    assert asked.mtu() == 1550 and host.vni(10)["too_big_answers"] == 0
    host.vni_set(10, too_big_limit=1000)
    too_big_is_told(netns, "10.0.10.9", 1500, own_mtu=1550)
    asked.close()
    host.guest_change("g10", mtu=1500)


def flood_list_is_learned(host, nine, eight, guests):
    """A VTEP that takes part without being listed: taken only where allowed, and flooded to while a station is behind it."""
    guest = guests[10]
    word = lambda: datagram(BROADCAST, FAR8, "10.0.10.8", "10.0.10.1", MARK)
    eight.wire.drain()
    assert nothing(eight, lambda inner: True)
    before = host.drops().get("vxlan-vtep-not-in-vni", 0)
    eight.send(word())
    wait_for("the stranger to be counted", lambda: host.drops().get("vxlan-vtep-not-in-vni", 0) == before + 1)
    sync(guest, nine)
    assert nothing(eight, lambda inner: True), "a VTEP that is not listed was flooded to"
    host.vni_set(10, learn_vteps=True)
    sync(guest, nine)
    assert nothing(eight, lambda inner: True), "a VTEP that nobody heard of was flooded to"
    eight.send(word())
    assert guest.seen(lambda f: f == word()), "what a learned VTEP sent did not arrive"
    wait_for("the station", lambda: host.behind(FAR8) == "h8")

    def flooded():
        sync(guest, nine)
        return eight.all(lambda o: o.inner[:6] == b"\xff" * 6)

    wait_for("a flood to the learned VTEP", flooded)
    frame = datagram(BROADCAST, guest.mac, "10.0.10.1", "10.0.10.255", b"once" * 5)
    guest.send(frame)
    sync(guest, nine, eight)
    assert nothing(eight, lambda inner: inner == frame)  # sync() took it: not a second time
    # From one VTEP to the other: never through us
    eight.send(datagram(BROADCAST, FAR8, "10.0.10.8", "10.0.10.9", b"horizon" * 3))
    assert guest.seen(lambda f: f.endswith(b"horizon" * 3))
    assert not [i for i in sync(guest, nine)[0] if i.endswith(b"horizon" * 3)], "split horizon"
    host.call("fdb.flush")
    wait_for("the flood list to shrink", lambda: not flooded())
    host.vni_set(10, learn_vteps=False)


def tags_are_treated_on_the_way_out(host, nine, guests):
    """VLAN 30 belongs to a port that takes tags for payload."""
    guest = guests[30]
    tagged = lambda: datagram(BROADCAST, guest.mac, "10.0.30.1", "10.0.30.9", MARK, tags=[7])
    bare = lambda: datagram(BROADCAST, guest.mac, "10.0.30.1", "10.0.30.9", MARK)
    for tag, expected in (("keep", [tagged()]), ("strip", [bare()]), ("refuse", [])):
        host.vni_set(30, tag=tag)
        before = host.drops().get("vxlan-inner-tagged", 0)
        guest.send(tagged())
        crossed = [i for i in sync(guest, nine, vlan=30)[0] if i.endswith(MARK)]
        assert crossed == expected, (tag, [c.hex() for c in crossed])
        # Counted once a burst, so perhaps after what came behind it has been seen
        wait_for(f"{tag}: its frames to be counted",
                 lambda: host.drops().get("vxlan-inner-tagged", 0) == before + (tag == "refuse"))


def state_is_explained(host):
    assert host.vni(10)["state"] == "up", host.vni(10)
    host.call("vtep.set", name="away", uplink="up", remote="203.0.113.9")
    host.vni_set(10, vteps=["h9", "away"])
    vni = host.vni(10)
    assert vni["state"] == "degraded" and "away" in vni["detail"] and "no route" in vni["detail"], vni
    host.vni_set(10, vteps=["away"])
    assert host.vni(10)["state"] == "down", host.vni(10)
    host.vni_set(10, vteps=["h9"])
    wait_for("the VNI to be up", lambda: host.vni(10)["state"] == "up")
    host.call("vtep.delete", name="away")


def settings(lab):
    host = lab.host(1)
    nine, eight = Script(lab, 9, host), Script(lab, 8, host)
    host.peers(9)
    host.peers(9, ipv6=True, vlan=20)
    host.call("vtep.set", name="h8", uplink="up", remote="192.0.2.8")
    host.vni_set(30, vteps=["h9"], tag="keep")
    guests = {}
    for vlan in (10, 20, 30):
        guests[vlan] = Wire(host.guest(f"g{vlan}", vlan), "eth1")
    host.guest_change("g30", vlan={"tunnel": 30})
    wait_for("the far ends to be resolved", lambda: all(v["usable"] for v in host.call("vtep.list")["vteps"]))
    step(requests_are_answered_here, host, nine, guests)
    step(stated_neighbours_are_answered_for, host, nine, guests)
    step(uplink_counts_what_comes_with_its_outer_headers, host, nine, guests)
    step(stations_are_announced, host, nine, guests)
    step(outer_header_is_as_chosen, lab, host, nine, guests)
    step(too_big_answers_are_limited, host, guests)
    step(flood_list_is_learned, host, nine, eight, guests)
    step(tags_are_treated_on_the_way_out, host, nine, guests)
    step(state_is_explained, host)


if __name__ == "__main__":
    main([settings], needs=["ip", "tshark"])
