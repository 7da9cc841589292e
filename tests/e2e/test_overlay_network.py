#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
What happens to a VLAN across hosts when things are many, move, break, do not fit or make no sense.

    host 1: [guest]--tap--switch s, VLAN 10 = VNI 10010--netloomd--u0--+
    host 2: [guest]--tap--switch s, VLAN 10 = VNI 10010--netloomd--u0--+-- br0 (the underlay)
    host 3: [guest]--tap--switch s, VLAN 10 = VNI 10010--netloomd--u0--+

Exit status: 0 passed, 77 skipped, else failed.
"""
import json
import os
import re
import time

from overlay_lab import Lab, iperf, main, pings, reachable, run, wait_for

MOVER = "02:00:00:00:10:99"


def three_hosts_flood_without_duplicates_or_loops(lab):
    hosts = [lab.host(n) for n in (1, 2, 3)]
    for host in hosts:
        host.peers(*[n for n in (1, 2, 3) if n != host.number])
    guests = [h.guest("g", 10, f"10.0.10.{h.number}") for h in hosts]
    for guest in guests:
        for n in (1, 2, 3):
            reachable(guest, f"10.0.10.{n}")
    before = [h.vni(10010) for h in hosts]
    out = run("ping", "-b", "-c", "5", "-i", "0.1", "-W", "2", "-I", "eth1", "10.0.10.255", netns=guests[0], check=False).stdout
    assert "DUP" not in out, out
    for host in hosts:
        host.call("fdb.flush")  # what follows is unknown unicast
    out = run("ping", "-c", "5", "-i", "0.1", "-W", "2", "10.0.10.3", netns=guests[0]).stdout
    assert " 5 received" in out and "DUP" not in out, out
    after = [h.vni(10010) for h in hosts]
    # A loop would multiply: what arrived at the others is a small multiple of what was sent.
    for b, a in zip(before, after):
        assert a["rx"]["pkts"] - b["rx"]["pkts"] < 60, (b, a)


def station_that_moves_is_followed(lab):
    hosts = [lab.host(n) for n in (1, 2, 3)]
    for host in hosts:
        host.peers(*[n for n in (1, 2, 3) if n != host.number])
    asker = hosts[0].guest("g", 10, "10.0.10.1")
    hosts[1].guest("m", 10, "10.0.10.99", mac=MOVER)
    reachable(asker, "10.0.10.99")
    where = lambda: [e.get("vtep") for e in hosts[0].call("fdb.list")["entries"] if e["mac"] == MOVER]
    wait_for("the station on h2", lambda: where() == ["h2"])
    hosts[1].call("port.delete", name="m")
    moved = hosts[2].guest("m", 10, "10.0.10.99", mac=MOVER)
    run("ping", "-c", "1", "-W", "1", "10.0.10.1", netns=moved, check=False)
    started = time.monotonic()
    wait_for("the station on h3", lambda: where() == ["h3"])
    reachable(asker, "10.0.10.99")
    took = time.monotonic() - started
    print(f"   followed after {took * 1000:.0f} ms")


def route_that_goes_and_comes_is_acted_upon(lab):
    a, b = lab.host(1), lab.host(2)
    run("ip", "address", "add", "198.51.100.2/32", "dev", "lo", netns=b.netns)
    run("ip", "route", "add", "198.51.100.2/32", "via", "192.0.2.2", netns=a.netns)
    a.peers(2)
    a.call("vtep.set", name="h2", uplink="up", remote="198.51.100.2")
    b.call("switch.set", name="s")
    b.call("uplink.set", name="up", ifname="u0", local=["198.51.100.2"])
    b.call("vtep.set", name="h1", uplink="up", remote="192.0.2.1")
    b.call("vni.set", vni=10010, switch="s", vlan=10, vteps=["h1"])
    guest = a.guest("g", 10, "10.0.10.1")
    b.guest("g", 10, "10.0.10.2")
    reachable(guest, "10.0.10.2")

    def acted(what, expected, *command, netns=a.netns):
        started = time.monotonic()
        run(*command, netns=netns)
        vtep = wait_for(what, lambda: (lambda v: v if expected(v) else None)(a.vtep("h2")))
        print(f"   {what}: {(time.monotonic() - started) * 1000:.0f} ms; {vtep['detail']}")

    acted("route gone", lambda v: "no route" in v["detail"], "ip", "route", "del", "198.51.100.2/32")
    assert not pings(guest, "10.0.10.2")
    assert a.drops().get("vxlan-no-route", 0) > 0, a.drops()
    acted("route back", lambda v: v["usable"], "ip", "route", "add", "198.51.100.2/32", "via", "192.0.2.2")
    reachable(guest, "10.0.10.2")
    a.call("port.admin", name="up", admin="down")
    wait_for("the uplink down", lambda: "administratively down" in a.vtep("h2")["detail"])
    assert not pings(guest, "10.0.10.2")
    a.call("port.admin", name="up", admin="up")
    reachable(guest, "10.0.10.2")
    acted("link down", lambda v: "u0 is down" in v["detail"], "ip", "link", "set", "u0", "down")
    run("ip", "link", "set", "u0", "up", netns=a.netns)
    acted("link up", lambda v: v["usable"], "ip", "route", "add", "198.51.100.2/32", "via", "192.0.2.2")
    reachable(guest, "10.0.10.2")
    acted("address gone", lambda v: "is not on this host" in v["detail"], "ip", "address", "del", "192.0.2.1/24", "dev", "u0")
    run("ip", "address", "add", "192.0.2.1/24", "dev", "u0", netns=a.netns)
    acted("address back", lambda v: v["usable"], "ip", "route", "replace", "198.51.100.2/32", "via", "192.0.2.2")
    reachable(guest, "10.0.10.2")
    acted("interface deleted", lambda v: "no interface u0" in v["detail"], "ip", "link", "delete", "u0")
    lab.attach(a.netns, 1, "h1b")
    acted("interface made again", lambda v: v["usable"], "ip", "route", "replace", "198.51.100.2/32", "via", "192.0.2.2")
    reachable(guest, "10.0.10.2")


def frames_that_do_not_fit_are_answered(lab):
    a, b = lab.host(1), lab.host(2)
    a.peers(2)
    b.peers(1)
    assert "raise the underlay's MTU" in a.refused("vni.set", vni=10010, switch="s", vlan=10, vteps=["h2"], mtu=1500)
    a.call("vni.set", vni=10010, switch="s", vlan=10, vteps=["h2"], mtu=1450)
    g1, g2 = a.guest("g", 10, "10.0.10.1"), b.guest("g", 10, "10.0.10.2")
    reachable(g1, "10.0.10.2")
    for address, header in (("10.0.10.2", 28), ("fd00:10::2", 48)):
        reachable(g1, address)
        out = run("ping", "-c", "2", "-W", "2", "-M", "do", "-s", str(1500 - header), address, netns=g1, check=False).stdout
        assert "1450" in out or "too long" in out or "too big" in out.lower(), out
        assert pings(g1, address, 1, 1450 - header)
    run("ip", "route", "flush", "cache", netns=g1)
    print(f"   TCP with guests' MTU at 1500: {iperf(lab, g2, g1, '10.0.10.2'):.2f} Gb/s")
    assert a.vni(10010)["too_big_answers"] > 0, a.vni(10010)


frames_that_do_not_fit_are_answered.lab = {"mtu": 1500}


def jumbo_frames_cross_a_jumbo_underlay(lab):
    a, b = lab.host(1), lab.host(2)
    a.peers(2, mtu=8900)
    b.peers(1, mtu=8900)
    g1, g2 = a.guest("g", 10, "10.0.10.1", mtu=8900), b.guest("g", 10, "10.0.10.2", mtu=8900)
    reachable(g1, "10.0.10.2")
    assert pings(g1, "10.0.10.2", 2, 8872, "-M", "do")
    print(f"   TCP {iperf(lab, g2, g1, '10.0.10.2'):.2f} Gb/s")


jumbo_frames_cross_a_jumbo_underlay.lab = {"mtu": 9000}


def dissector_agrees_with_every_packet(lab):
    a, b = lab.host(1), lab.host(2)
    a.peers(2)
    b.peers(1)
    g1, g2 = a.guest("g", 10, "10.0.10.1", mtu=1430), b.guest("g", 10, "10.0.10.2", mtu=1430)
    reachable(g1, "10.0.10.2")
    # Cut by the kernel, as for a wire: rows are for receivers that take them.
    run("ethtool", "-K", "u0", "tx-udp-segmentation", "off", netns=a.netns, check=False)
    run("ethtool", "-K", "u0", "tx-checksumming", "off", netns=a.netns, check=False)
    pcap = os.path.join(lab.dir, "underlay.pcap")
    capture = lab.spawn("tcpdump", "-q", "-i", "h1", "-w", pcap, "-U", "-s", "0", "udp", "port", "4789",
                        netns=lab.fabric, stderr=open(os.devnull, "w"))
    wait_for("tcpdump", lambda: os.path.exists(pcap) and os.path.getsize(pcap) >= 24)
    assert pings(g1, "10.0.10.2", 5) and pings(g1, "fd00:10::2", 3)
    iperf(lab, g2, g1, "10.0.10.2", 1, "-n", "2M")
    capture.terminate()
    capture.wait(60)
    checks = [x for p in ("ip", "udp", "tcp") for x in ("-o", f"{p}.check_checksum:TRUE")]
    total = run("tshark", "-r", pcap, "-Y", "vxlan", "-T", "fields", "-e", "frame.number").stdout.split()
    wrong = run("tshark", "-r", pcap, *checks, "-Y",
                "_ws.malformed || ip.checksum.status == 0 || udp.checksum.status == 0 || tcp.checksum.status == 0 "
                "|| (vxlan && !(vxlan.vni == 10010))").stdout
    wrong = "\n".join(l for l in wrong.splitlines() if not l.startswith("Running as"))
    numbers = [n for n in total if n.isdigit()]
    assert len(numbers) > 20 and wrong.strip() == "", wrong[:2000]
    print(f"   {len(numbers)} packets")


def limits_and_switches_hold(lab):
    a, b = lab.host(1), lab.host(2)
    a.peers(2, bum_limit=5)
    b.peers(1)
    g1 = a.guest("g", 10, "10.0.10.1")
    b.guest("g", 10, "10.0.10.2")
    reachable(g1, "10.0.10.2")
    run("ping", "-b", "-c", "100", "-i", "0.005", "-W", "1", "10.0.10.255", netns=g1, check=False)
    assert a.drops().get("vxlan-bum-limit", 0) > 50, a.drops()
    a.call("vni.set", vni=10010, switch="s", vlan=10, vteps=["h2"], flood=False)
    run("ping", "-b", "-c", "5", "-i", "0.05", "-W", "1", "10.0.10.255", netns=g1, check=False)
    assert a.drops().get("vxlan-bum-off", 0) >= 5, a.drops()
    b.call("vni.set", vni=10010, switch="s", vlan=10, vteps=["h1"], learning=False)
    b.call("fdb.flush")
    run("ping", "-c", "3", "-i", "0.05", "-W", "1", "10.0.10.2", netns=g1, check=False)
    assert not [e for e in b.call("fdb.list")["entries"] if "vtep" in e], b.call("fdb.list")
    # Impostors: a VNI that is not there, and a host that is no peer.
    b.call("vni.delete", vni=10010)
    a.call("vni.set", vni=10010, switch="s", vlan=10, vteps=["h2"])
    run("ping", "-c", "3", "-i", "0.05", "-W", "1", "10.0.10.77", netns=g1, check=False)
    wait_for("a drop for the unknown VNI", lambda: b.drops().get("vxlan-unknown-vni", 0) > 0)
    b.call("vtep.delete", name="h1")
    run("ping", "-c", "3", "-i", "0.05", "-W", "1", "10.0.10.78", netns=g1, check=False)
    wait_for("a drop for the unknown host", lambda: b.drops().get("vxlan-unknown-vtep", 0) > 0)
    icmp = run("nstat", "-az", "IcmpOutDestUnreachs", netns=b.netns).stdout
    assert re.search(r"IcmpOutDestUnreachs\s+0\s", icmp), icmp


def nonsense_is_refused_with_a_sentence(lab):
    a = lab.host(1)
    a.peers(2)
    base = dict(switch="s", vlan=20, vteps=["h2"])
    cases = [
        ("vni.set", dict(base, vni=0), "vni"),
        ("vni.set", dict(base, vni=1 << 24), "16777215"),
        ("vni.set", dict(base, vni=11, vlan=10), "two VNIs"),
        ("vni.set", dict(base, vni=11, switch="x"), 'no switch "x"'),
        ("vni.set", dict(base, vni=11, vteps=["h2", "h2"]), "twice"),
        ("vni.set", dict(base, vni=11, vteps=["nobody"]), 'no vtep "nobody"'),
        ("vni.set", dict(base, vni=11, mtu=9000), "raise the underlay's MTU"),
        ("vtep.set", dict(name="m", uplink="up", remote="239.1.1.1"), "multicast"),
        ("vtep.set", dict(name="m", uplink="up", remote="192.0.2.1"), "address of this host"),
        ("vtep.set", dict(name="m", uplink="up", remote="192.0.2.2"), "twice"),
        ("vtep.set", dict(name="m", uplink="none", remote="192.0.2.7"), 'no uplink "none"'),
        ("vtep.delete", dict(name="h2"), "takes part in VNI 10010"),
        ("uplink.delete", dict(name="up"), "in use"),
        ("uplink.set", dict(name="u2", ifname="u0", local=["192.0.2.9"]), "u0 is uplink"),
        ("uplink.set", dict(name="u2", ifname="u9", local=["127.0.0.1"]), "loopback"),
        ("port.set", dict(name="t", type="vxlan"), "type"),
    ]
    before = [a.call(m) for m in ("uplink.list", "vtep.list", "vni.list")]
    for method, params, words in cases:
        sentence = a.refused(method, **params)
        assert words in sentence, (method, params, sentence)
    after = [a.call(m) for m in ("uplink.list", "vtep.list", "vni.list")]
    strip = lambda x: re.sub(r'"(pkts|bytes|wakeups)": \d+', "", json.dumps(x))
    assert strip(before) == strip(after), (before, after)
    # Somebody else has the UDP port.
    other = lab.netns("o")
    lab.attach(other, 5, "o")
    run("ip", "link", "add", "vx0", "type", "vxlan", "id", "1", "local", "192.0.2.1", "dstport", "4790", netns=a.netns)
    run("ip", "link", "set", "vx0", "up", netns=a.netns)
    sentence = a.refused("uplink.set", name="up", ifname="u0", local=["192.0.2.1", "2001:db8::1"], udp_port=4790)
    assert "in use" in sentence, sentence
    assert a.call("uplink.list")["uplinks"][0]["running"]


def state_survives_a_kill(lab):
    a, b = lab.host(1), lab.host(2)
    a.peers(2)
    b.peers(1)
    a.guest("g", 10, "10.0.10.1")
    g2 = b.guest("g", 10, "10.0.10.2")
    reachable(g2, "10.0.10.1")
    before = [v["vni"] for v in a.call("vni.list")["vnis"]]
    a.daemon.kill()
    a.daemon.wait(60)
    a.start()
    assert [v["vni"] for v in a.call("vni.list")["vnis"]] == before
    reachable(g2, "10.0.10.1")
    a.call("vni.delete", vni=10010)
    a.call("vtep.delete", name="h2")
    a.call("uplink.delete", name="up")
    assert [p["name"] for p in a.call("port.list")["ports"]] == ["g"]


def an_owner_has_its_overlay_in_one_request(lab):
    a = lab.host(1)
    mine = dict(owner="lab", switches=[{"name": "lab/s"}],
                ports=[{"name": "lab/up", "type": "uplink", "ifname": "u0", "local": ["192.0.2.1"]}],
                vteps=[{"name": "lab/b", "uplink": "lab/up", "remote": "192.0.2.2"}],
                vnis=[{"vni": 7, "switch": "lab/s", "vlan": 10, "vteps": ["lab/b"]}])
    changes = a.call("apply", **mine)["changes"]
    assert {(c["op"], c["object"]) for c in changes} == {("add", o) for o in ("switch", "port", "vtep", "vni")}, changes
    assert a.call("apply", **mine)["changes"] == []
    assert "belongs to" in a.refused("vni.set", vni=7, switch="lab/s", vlan=11)
    mine["vnis"][0]["vlan"] = 11
    assert ("change", "vni") in {(c["op"], c["object"]) for c in a.call("apply", **mine)["changes"]}
    a.call("apply", owner="lab", switches=[], ports=[])
    assert [a.call(m) for m in ("switch.list", "port.list", "vtep.list", "vni.list")] == [
        {"switches": []}, {"ports": []}, {"vteps": []}, {"vnis": []}]


if __name__ == "__main__":
    main([three_hosts_flood_without_duplicates_or_loops, station_that_moves_is_followed,
          route_that_goes_and_comes_is_acted_upon, frames_that_do_not_fit_are_answered,
          jumbo_frames_cross_a_jumbo_underlay, dissector_agrees_with_every_packet, limits_and_switches_hold,
          nonsense_is_refused_with_a_sentence, state_survives_a_kill, an_owner_has_its_overlay_in_one_request],
         needs=["ip", "ping", "iperf3", "tshark", "tcpdump", "ethtool", "nstat"])
