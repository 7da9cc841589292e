#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
What netloomd sends and takes, byte by byte. The far end of VLAN 10 (VNI 10010, IPv4) and VLAN 20 (VNI 10020, IPv6) is a script with a raw
socket; VLAN 30 (VNI 10030) keeps the tags of its stations, VLAN 40 (VNI 10040) refuses them.

    [g10][g20][g30][g40]--taps--switch s--netloomd--u0 192.0.2.1, 2001:db8::1--+-- br0 (the underlay)
                                                                               |
                               [a VTEP made of Python]--u0 192.0.2.9, 2001:db8::9

Exit status: 0 passed, 77 skipped, else failed.
"""
import os
import struct

from overlay_lab import main, run, step, wait_for
from overlay_packet import (IP4, IP6, TCP, Script, Wire, arp_request, assert_whole, datagram, dissect, dissect_wrong, eth, l3,
                            pcap_write, solicitation, tcp_syn)
from overlay_traffic import iperf, reachable

FAR = "02:00:00:00:00:99"  # a station behind the script
BROADCAST = "ff:ff:ff:ff:ff:ff"
VLANS = {10: False, 20: True}  # and whether it is over IPv6


def plain(payload=b"netloom", **more):
    """A datagram from the far station to the guest's address, for everyone."""
    return datagram(BROADCAST, FAR, "10.0.10.9", "10.0.10.1", payload, **more)


def sample(guest_mac, vlan):
    """Frames of all kinds that a station may send."""
    four, six = f"10.0.{vlan}.1", f"fd00:{vlan}::1"
    far4, far6 = f"10.0.{vlan}.9", f"fd00:{vlan}::9"
    frames = [arp_request(guest_mac, four, far4), solicitation(guest_mac, six, far6),
              eth(FAR, guest_mac, 0x88b5, bytes(range(46)))]
    for tos in (0, 1, 2, 3, 46 << 2, 10 << 2 | 2, 0xff):
        for size in (0, 1, 7, 512, 1371):
            payload = bytes((size + i) & 0xff for i in range(size))
            frames.append(datagram(FAR, guest_mac, four, far4, payload, 4000 + tos, 9, tos))
            frames.append(datagram(FAR, guest_mac, six, far6, payload, 4000 + tos, 9, tos))
    for port in range(20):
        frames.append(eth(FAR, guest_mac, IP4, l3(four, far4, TCP, tcp_syn(four, far4, 5000 + port, 80))))
        frames.append(eth(FAR, guest_mac, IP6, l3(six, far6, TCP, tcp_syn(six, far6, 5000 + port, 80))))
    return frames


def tos_of(frame):
    kind = struct.unpack("!H", frame[12:14])[0]
    return frame[15] if kind == IP4 else struct.unpack("!H", frame[14:16])[0] >> 4 & 0xff if kind == IP6 else 0


def dissector_agrees_with_every_byte(lab, host, far, guests):
    """Every frame comes out as it went in, behind headers of which tshark knows every byte."""
    said = 0
    for vlan, v6 in VLANS.items():
        guest = guests[vlan]
        sent = sample(guest.mac, vlan)
        far.wire.drain()
        got = []
        for i in range(0, len(sent), 10):
            part = sent[i:i + 10]
            for frame in part:
                guest.send(frame)
            got += far.got(lambda o, part=part: o.inner in part, len(part))
        assert [o.inner for o in got] == sent, f"{len(got)} of {len(sent)} frames came as they were sent"
        path = os.path.join(lab.dir, f"sent{vlan}.pcap")
        pcap_write(path, [o.frame for o in got])
        layers = dissect(path)
        assert len(layers) == len(sent)
        for outer, packet, frame in zip(got, layers, sent):
            assert_whole(packet, len(outer.frame))
            names = [x[0] for x in packet if x[0] not in ("geninfo", "frame")]
            assert names[:5] == ["eth", "ipv6" if v6 else "ip", "udp", "vxlan", "eth"], names
            fields = {x[0]: x[3] for x in reversed(packet)}  # the outer ones win
            net, ports, vxlan = fields["ipv6" if v6 else "ip"], fields["udp"], fields["vxlan"]
            assert vxlan["vxlan.vni"] == [str(10000 + vlan)] and vxlan["vxlan.flags"] == ["0x0800"], vxlan
            assert vxlan["vxlan.reserved8"] == ["0"] and vxlan["vxlan.gbp"] == ["0"], vxlan
            assert ports["udp.dstport"] == ["4789"] and 49152 <= int(ports["udp.srcport"][0]) <= 65535, ports
            assert ports["udp.checksum.status"] == ["1" if v6 else "3"], ports  # good over IPv6, none over IPv4
            tos = tos_of(frame)
            if v6:
                assert net["ipv6.hlim"] == ["64"] and net["ipv6.tclass"][0] == f"0x{tos:08x}", (net, tos)
                assert (net["ipv6.src"], net["ipv6.dst"]) == (["2001:db8::1"], ["2001:db8::9"])
            else:
                assert net["ip.flags.df"] == ["1"] and net["ip.ttl"] == ["64"], net
                assert net["ip.dsfield"] == [f"0x{tos:02x}"] and net["ip.checksum.status"] == ["1"], (net, tos)
                assert (net["ip.src"], net["ip.dst"]) == (["192.0.2.1"], ["192.0.2.9"])
            assert (outer.src_mac, outer.dst_mac) == (far.host_mac, far.wire.mac)
        said += len(sent)
    return f"{said} packets"


def dissector_agrees_with_cut_rows(lab, host, other):
    """TCP that was left to be segmented: as it is on a wire, cut and summed."""
    guest = host.guests["g10"]
    for device in (host.netns, other.netns):
        run("ethtool", "-K", "u0", "tx-udp-segmentation", "off", "tx-checksumming", "off", netns=device)
    wire = Wire(lab.fabric, "h1")
    iperf(lab, other.guests["g10"], guest, "10.0.10.2", "-n", "4M")
    # Other VNIs' guests may have something to say meanwhile
    frames = [f for f in wire.drain() if f[36:38] == b"\x12\xb5" and f[46:49] == (10010).to_bytes(3, "big")]
    wire.close()
    assert len(frames) > 300 and max(len(f) for f in frames) == 1550 + 14, (len(frames), max(map(len, frames)))
    path = os.path.join(lab.dir, "rows.pcap")
    pcap_write(path, frames)
    wrong = dissect_wrong(path)
    assert not wrong, (len(wrong), wrong[:5])
    pcap_write(path, frames[:100])
    for frame, packet in zip(frames, dissect(path)):
        assert_whole(packet, len(frame))
        assert "tcp" in [x[0] for x in packet]
    return f"{len(frames)} packets"


def source_ports_are_spread(far, guests):
    for vlan, v6 in VLANS.items():
        guest, four = guests[vlan], f"10.0.{vlan}."
        seen = {}
        for turn in range(2):
            far.wire.drain()
            for i in range(0, 300, 50):
                for port in range(i, i + 50):
                    guest.send(datagram(FAR, guest.mac, four + "1", four + "9", b"", 10000 + port, 9))
                for o in far.got(lambda o: o.inner[23:24] == b"\x11" and o.inner[36:38] == b"\0\x09", 50):
                    flow = struct.unpack("!H", o.inner[34:36])[0]
                    assert seen.setdefault(flow, o.sport) == o.sport, "a flow changed its source port"
        ports = set(seen.values())
        assert len(seen) == 300 and len(ports) > 280, (len(seen), len(ports))
        # Over the whole range: each eighth has its share
        shares = [sum(49152 + 2048 * i <= p < 49152 + 2048 * (i + 1) for p in ports) for i in range(8)]
        assert min(ports) >= 49152 and min(shares) > 10, shares
    return f"{len(ports)} ports for 300 flows"


NOT_ECT, ECT1, ECT0, CE = range(4)
# RFC 6040 figure 4: what the inner mark becomes, by inner and outer one; None: dropped
DECAP_ECN = {NOT_ECT: {NOT_ECT: NOT_ECT, ECT0: NOT_ECT, ECT1: NOT_ECT, CE: None},
             ECT0: {NOT_ECT: ECT0, ECT0: ECT0, ECT1: ECT1, CE: CE},
             ECT1: {NOT_ECT: ECT1, ECT0: ECT1, ECT1: ECT1, CE: CE},
             CE: {NOT_ECT: CE, ECT0: CE, ECT1: CE, CE: CE}}


def congestion_marks_are_combined(host, far, guests):
    for vlan, v6 in VLANS.items():
        for six in (False, True):
            n_dropped = host.drops().get("vxlan-ecn", 0)
            src, dst = (f"fd00:{vlan}::9", f"fd00:{vlan}::1") if six else (f"10.0.{vlan}.9", f"10.0.{vlan}.1")
            expected = []
            for inner, row in DECAP_ECN.items():
                for outer, result in row.items():
                    payload = bytes([inner, outer]) + b"mark"
                    frame = lambda ecn: datagram(BROADCAST, FAR, src, dst, payload, tos=0x28 << 2 | ecn)
                    far.send(frame(inner), vni=10000 + vlan, v6=v6, tos=0x11 << 2 | outer)
                    if result is not None:
                        expected.append(frame(result))
            got = guests[vlan].seen(lambda f: f.endswith(b"mark"), len(expected))
            assert got == expected, [(a.hex(), b.hex()) for a, b in zip(got, expected) if a != b]
            wait_for("the counted drop", lambda: host.drops().get("vxlan-ecn", 0) == n_dropped + 1)


def tags_inside_are_treated_as_configured(host, far, guests):
    tagged = plain(b"tagged", tags=[5])
    bare = plain(b"tagged")
    before = host.drops().get("vxlan-inner-tagged", 0)
    for vni in (10010, 10030, 10040):
        far.send(tagged, vni=vni)
        far.send(plain(b"after"), vni=vni)
    for vlan, expected in ((10, [bare]), (30, [tagged]), (40, [])):
        got = guests[vlan].seen(lambda f: f.endswith(b"tagged") or f.endswith(b"after"), len(expected) + 1)
        assert got == expected + [plain(b"after")], (vlan, [f.hex() for f in got])
    wait_for("the drop to be counted", lambda: host.drops().get("vxlan-inner-tagged", 0) == before + 1)
    # The other way: a station's own tags
    far.wire.drain()
    for tags in ([7], [7, 8], []):
        frame = datagram(BROADCAST, guests[30].mac, "10.0.30.1", "10.0.30.9", b"mine", tags=tags)
        guests[30].send(frame)
        got = far.got(lambda o: o.inner.endswith(b"mine"))
        assert [(o.vni, o.inner) for o in got] == [(10030, frame)], [o.inner.hex() for o in got]


def broadcasts_are_limited(host, far, guests):
    """Every broadcast is sent or counted, and the limit holds; what is for a known station is not meant."""
    guest, n = guests[10], 1000
    host.vni_set(10, bum_limit=50)
    before = host.drops().get("vxlan-bum-limit", 0)
    far.wire.drain()
    passed = []
    for _ in range(n // 100):
        taken = host.port("g10")["rx"]["pkts"]
        for _ in range(100):
            guest.send(datagram(BROADCAST, guest.mac, "10.0.10.1", "10.0.10.9", b"limited"))
        wait_for("the port to take them", lambda want=taken + 100: host.port("g10")["rx"]["pkts"] >= want)
        passed += far.all(lambda o: o.inner.endswith(b"limited"))
    far.send(plain())  # the far station is known from now on
    wait_for("the far station to be known", lambda: host.behind(FAR) == "h9")
    for _ in range(100):
        guest.send(datagram(FAR, guest.mac, "10.0.10.1", "10.0.10.9", b"for one"))
    assert len(far.got(lambda o: o.inner.endswith(b"for one"), 100)) == 100
    dropped = host.drops()["vxlan-bum-limit"] - before
    # The guest's kernel may have had something to flood, too
    assert 1 <= len(passed) <= 200 and n <= len(passed) + dropped <= n + 10, (len(passed), dropped)
    host.vni_set(10, bum_limit=0, flood=False)
    before = host.drops().get("vxlan-bum-off", 0)
    for i in range(10):
        guest.send(datagram(BROADCAST, guest.mac, "10.0.10.1", "10.0.10.9", b"limited"))
        guest.send(datagram(FAR, guest.mac, "10.0.10.1", "10.0.10.9", b"for one"))
    assert {o.inner[-7:] for o in far.got(lambda o: o.inner[-7:] in (b"limited", b"for one"), 10)} == {b"for one"}
    wait_for("the drops to be counted", lambda: host.drops().get("vxlan-bum-off", 0) == before + 10)
    host.vni_set(10, flood=True)
    return f"{len(passed)} of {n} passed"


def stations_are_learned_only_where_allowed(host, far):
    other = "02:00:00:00:00:98"
    host.vni_set(10, learning=False)
    host.call("fdb.flush")
    frame = datagram(BROADCAST, other, "10.0.10.9", "10.0.10.1", b"x")
    far.send(frame)
    far.send(frame, vni=10020, v6=True)
    wait_for("learning in the other VLAN", lambda: host.behind(other, 20) == "h9v6")
    assert host.behind(other) is False
    host.vni_set(10, learning=True)
    far.send(frame)
    wait_for("learning to be on again", lambda: host.behind(other) == "h9")


IMPOSTORS = [
    # What is wrong, and the drop it is counted as
    (dict(vni=99), "vxlan-unknown-vni"),
    (dict(vni=0), "vxlan-unknown-vni"),
    (dict(vni=10050), "vxlan-vtep-not-in-vni"),
    (dict(word=0), "vxlan-no-vni"),
    (dict(word=0xf7ffffff), "vxlan-no-vni"),
    (dict(wrong_udp=0x0100, zero=False), "vxlan-bad-checksum"),
    (dict(udp_more=1), "vxlan-bad-length"),
    (dict(udp_more=7 - 126), "vxlan-bad-length"),
    (dict(udp_more=15 - 126), "vxlan-bad-length"),
    (dict(udp_more=20 - 126), "vxlan-inner-runt"),
    (dict(ip_more=200), "vxlan-bad-length"),
    (dict(cut=7), "vxlan-bad-length"),
    (dict(cut=0), "vxlan-bad-length"),
    (dict(cut=8), "vxlan-inner-runt"),
    (dict(cut=8 + 13), "vxlan-inner-runt"),
    (dict(src="own"), "vxlan-own-address"),
    (dict(src="stranger"), "vxlan-unknown-vtep"),
]
IMPOSTORS4 = [(dict(wrong_ip=0x0101), "vxlan-bad-checksum"), (dict(flags=0x2000), "vxlan-fragment")]
IMPOSTORS6 = [(dict(zero=True), "vxlan-bad-checksum")]
OWN = {"own": {False: "192.0.2.1", True: "2001:db8::1"}, "stranger": {False: "192.0.2.66", True: "2001:db8::66"}}


def impostors_are_counted(host, far, guests):
    """Each kind under its own name, the given number of times, and nothing of it reaches a guest."""
    n, times = 0, 3
    inner = {10: plain(b"impostor" + bytes(60)), 20: plain(b"impostor" + bytes(60))}
    for wire in guests.values():
        wire.drain()
    for vlan, v6 in VLANS.items():
        for wrong, reason in IMPOSTORS + (IMPOSTORS6 if v6 else IMPOSTORS4):
            how = dict({"vni": 10000 + vlan}, **wrong)
            if "src" in how:
                how["src"] = OWN[how["src"]][v6]
            before = host.drops()
            for _ in range(times):
                far.send(inner[vlan], v6=v6, **how)
            try:
                wait_for(reason, lambda: host.drops().get(reason, 0) >= before.get(reason, 0) + times, 15)
            except AssertionError:
                raise AssertionError(f"{how} over IPv{6 if v6 else 4}: {before} -> {host.drops()}")
            after = host.drops()
            assert {r: c - before.get(r, 0) for r, c in after.items() if c != before.get(r, 0)} == {reason: times}, (how, before, after)
            n += 1
    # Stations that cannot be, and a packet for somebody else
    before = host.drops()
    far.send(datagram(BROADCAST, "01:00:00:00:00:01", "10.0.10.9", "10.0.10.1", b"impostor"))
    wait_for("source-multicast", lambda: host.drops().get("source-multicast", 0) == before.get("source-multicast", 0) + 1)
    far.send(inner[10], dst="192.0.2.55")
    # Reserved bits are nobody's business
    far.send(plain(b"genuine"), word=0xffffffff, low=0xff)
    far.send(plain(b"genuine"), vni=10020, v6=True, word=0x7fffffff | 0x08000000, low=0xff)
    for vlan in VLANS:
        frames = guests[vlan].seen(lambda f: b"impostor" in f or f.endswith(b"genuine"))
        assert frames == [plain(b"genuine")], [f.hex() for f in frames]
    return f"{n} kinds"


def wire(lab):
    host = lab.host(1)
    far = Script(lab, 9, host)
    host.peers(9)
    host.peers(9, ipv6=True, vlan=20)
    host.vni_set(30, vteps=["h9"], tag="keep")
    host.vni_set(40, vteps=["h9"], tag="refuse")
    host.vni_set(50, vteps=[])
    guests = {}
    for vlan in (10, 20, 30, 40):
        netns = host.guest(f"g{vlan}", vlan)
        if vlan >= 30:
            host.guest_change(f"g{vlan}", vlan={"tunnel": vlan})
        guests[vlan] = Wire(netns, "eth1")
    wait_for("the far end to be resolved", lambda: all(v["usable"] for v in host.call("vtep.list")["vteps"]))
    step(dissector_agrees_with_every_byte, lab, host, far, guests)
    step(source_ports_are_spread, far, guests)
    step(congestion_marks_are_combined, host, far, guests)
    step(tags_inside_are_treated_as_configured, host, far, guests)
    step(broadcasts_are_limited, host, far, guests)
    step(stations_are_learned_only_where_allowed, host, far)
    step(impostors_are_counted, host, far, guests)
    other = lab.host(2)
    other.peers(1)
    other.guest("g10", 10)
    host.call("vtep.set", name="h2", uplink="up", remote="192.0.2.2")
    host.vni_set(10, vteps=["h2"])
    for station in (host.guests["g10"], other.guests["g10"]):
        run("ip", "link", "set", "eth1", "mtu", "1500", netns=station)
    reachable(host.guests["g10"], "10.0.10.2")
    step(dissector_agrees_with_cut_rows, lab, host, other)


if __name__ == "__main__":
    main([wire], needs=["ip", "ping", "ethtool", "iperf3", "ss", "tshark"])
