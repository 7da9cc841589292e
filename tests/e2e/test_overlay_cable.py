#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
Cables between hosts: carrier follows the other end, told by BFD inside VXLAN, and stations neither see that nor can forge it.

    [c40]--tap--[switch c40]--VNI 10040, liveness on----[switch c40]--tap--[c40]      IPv4 underlay
    [c50]--tap--[switch c50]--VNI 10050, liveness on----[switch c50]--tap--[c50]      IPv6 underlay
    [g10]--tap--[switch s]----VNI 10010-----------------[switch s]----tap--[g10]      a VLAN: nothing watches over it
              host 1: 192.0.2.1 --------- br0 (the underlay) --------- host 2: 192.0.2.2

    and, at host 1, VNI 10060 to the kernel's VXLAN on host 9, which does not speak BFD

Exit status: 0 passed, 77 skipped, else failed.
"""
import json
import os
import signal
import socket
import struct
import threading
import time

from overlay_lab import LIMIT_S, ip, main, run, step, wait_for
from overlay_packet import IP4, UDP, Outer, Script, Wire, dissect, eth, l3, pcap_write, udp
from overlay_traffic import pings, reachable

BFD_MAC, BFD_PORT, OAM = "00:00:5e:00:52:02", 3784, 0x01000000
DOWN, UP = 1, 3
CONCATENATED, ADMIN = 6, 7
CABLES = (40, 50)


class End:
    """This host's end of a cable: a switch of its own, and a TAP in a namespace on it."""

    def __init__(self, host, vlan, far, **settings):
        self.host, self.vni, self.name = host, 10000 + vlan, f"c{vlan}"
        self.netns = host.lab.netns(f"h{host.number}{self.name}")
        self.tap = {"name": self.name, "type": "tap", "ifname": "eth1", "netns": self.netns, "switch": self.name,
                    "vlan": {"tunnel": 1}, "addresses": [f"10.0.{vlan}.{host.number}/24"]}
        self.settings = {"vni": self.vni, "switch": self.name, "vlan": 1, "vteps": [far], "tag": "keep", "learning": False,
                         **settings}
        host.call("switch.set", name=self.name, learning=False, reserved="forward")
        host.call("vni.set", **self.settings)
        host.call("port.set", **self.tap)

    def carrier(self):
        """What the kernel says of the TAP."""
        said = json.loads(run("ip", "-json", "link", "show", "eth1", netns=self.netns).stdout)[0]
        return "NO-CARRIER" not in said["flags"]

    def shows(self, carrier, why=""):
        """The guest sees it, and netloomd says why."""
        def seen():
            cable = self.cable()
            return self.carrier() == carrier == (cable["carrier"] != "down") and why in cable["detail"]
        wait_for(f"{self.name} of host {self.host.number} {'with' if carrier else 'without'} carrier {why}", seen)

    def patience(self, multiplier=3):
        """With 50 the test may be kept from its CPU for long, and the cable is still whole."""
        self.settings["liveness_multiplier"] = multiplier
        self.host.call("vni.set", **self.settings)

    def listed(self):
        return next(v for v in self.host.call("vni.list")["vnis"] if v["vni"] == self.vni)

    def cable(self):
        return self.listed()["cable"]


def bfd(outer):
    """What a BFD packet between VTEPs says, or None: (flags of VXLAN, state, diagnostic, my and your discriminator)."""
    if outer is None or not outer.reserved & OAM:
        return None
    at = 14 + (20 if outer.inner[12:14] == b"\x08\x00" else 40) + 8
    first, second, _, length, mine, yours = struct.unpack("!BBBBII", outer.inner[at:at + 12])
    assert length == 24 and first >> 5 == 1, outer.inner
    return second >> 6, first & 31, mine, yours


def control_packet(state, mine, yours, ttl=255, source="192.0.2.2", length=24, mult=3):
    """An inner frame as netloomd sends them over IPv4."""
    body = struct.pack("!BBBBIIIII", 1 << 5, state << 6, mult, length, mine, yours, 1000000, 300000, 0)
    return eth(BFD_MAC, "02:00:00:00:00:99", IP4, l3(source, "127.0.0.1", UDP, udp(source, "127.0.0.1", 50000, BFD_PORT, body),
                                                     ttl=ttl))


def whole(ends):
    for end in ends:
        end.shows(True)


def a_port_that_is_shut_is_seen_at_the_other_end(ends):
    for one, two in (ends[:2], ends[3:1:-1]):
        one.host.call("port.admin", name=one.name, admin="down")
        two.shows(False, "the port at the other end is shut")
        one.host.call("port.admin", name=one.name, admin="up")
        whole((one, two))
        run("ip", "link", "delete", "eth1", netns=one.netns)  # whoever was there has gone
        two.shows(False, "has nobody attached")
        one.host.call("port.set", **one.tap)
        whole((one, two))
        one.host.call("port.set", **dict(one.tap, carrier="always"))
        two.host.call("port.admin", name=two.name, admin="down")
        wait_for("the shut port to be told", lambda end=one: end.cable()["carrier"] == "down")
        assert one.carrier() and one.host.port(one.name)["sees_carrier"], "always is always"
        two.host.call("port.admin", name=two.name, admin="up")
        one.host.call("port.set", **one.tap)
        whole((one, two))


def an_underlay_that_is_cut_is_seen_at_both(lab, ends, guests):
    for end in ends:
        end.patience(3)
    ip(lab.fabric, "link set h2 down")
    for end in ends:
        end.shows(False, "is not heard any more")
    for guest in guests:
        assert "NO-CARRIER" not in run("ip", "link", "show", "eth1", netns=guest).stdout, "a VLAN is no cable"
    ip(lab.fabric, "link set h2 up")
    whole(ends)
    reachable(ends[0].netns, "10.0.40.2")


def a_netloomd_that_is_killed_is_seen(ends):
    host = ends[0].host
    host.daemon.send_signal(signal.SIGKILL)
    host.daemon.wait()
    for end in ends[1::2]:
        end.shows(False, "is not heard any more")
    host.start()
    for end in ends:
        end.patience(50)
    whole(ends)
    reachable(ends[0].netns, "10.0.40.2")


def an_end_that_is_taken_away_says_so(lab, ends):
    one, two = ends[:2]
    wire = Wire(lab.fabric, "h1")
    one.host.call("vni.delete", vni=one.vni)
    two.shows(False, "has taken its end of the cable away")
    said = [bfd(o)[:2] for o in map(Outer.parse, wire.drain()) if bfd(o) and (o.vni, o.src) == (one.vni, "192.0.2.1")]
    assert said[-1] == (0, ADMIN), said
    wire.close()
    one.host.call("vni.set", **one.settings)
    whole((one, two))
    before = two.cable()["changes"]
    for mult, ms in ((20, 1200), (50, 100), (50, 300)):  # other timers: nobody sees the carrier go
        one.host.call("vni.set", **dict(one.settings, liveness_ms=ms, liveness_multiplier=mult))
        # Its own pace is the slower one's; what the other end waits for is known when the poll has been answered
        wait_for("the other end's detection time", lambda m=mult, t=ms: two.cable()["detection_ms"] == m * max(t, 300))
        wait_for("this end's pace", lambda t=ms: one.cable()["interval_ms"] == max(t, 300))
    assert two.cable()["changes"] == before and one.carrier() and two.carrier()


def wireshark_agrees(lab, ends):
    """Both families, all that happens when a port is shut and opened, seen on the cable of host 1."""
    wire = Wire(lab.fabric, "h1")
    for one in ends[::2]:
        one.host.call("port.admin", name=one.name, admin="down")
    for two in ends[1::2]:
        two.shows(False)
    for one in ends[::2]:
        one.host.call("port.admin", name=one.name, admin="up")
    whole(ends)
    frames = [f for f in wire.drain() if bfd(Outer.parse(f)) is not None]
    wire.close()
    path = os.path.join(lab.dir, "bfd.pcap")
    pcap_write(path, frames)
    seen = set()
    for layers in dissect(path):
        names = [name for name, *_ in layers if name not in ("geninfo", "frame")]
        assert names in (["eth", "ip", "udp", "vxlan", "eth", "ip", "udp", "bfd"],
                         ["eth", "ipv6", "udp", "vxlan", "eth", "ipv6", "udp", "bfd"]), names
        fields = {name: f for name, _, _, f in layers}
        for name, _, _, f in layers:
            for key, values in f.items():
                assert not (key.endswith(".checksum.status") and "0" in values), f"{name}: {key} is bad"
        assert fields["udp"]["udp.dstport"] == ["3784"] and 49152 <= int(fields["udp"]["udp.srcport"][0]), fields["udp"]
        assert fields["eth"]["eth.dst"] == [BFD_MAC], fields["eth"]
        assert (fields.get("ip", {}).get("ip.ttl") or fields["ipv6"]["ipv6.hlim"])[-1] == "255", fields
        says = fields["bfd"]
        assert says["bfd.version"] == ["1"] and says["bfd.message_length"] == ["24"], says
        seen.add((fields["vxlan"]["vxlan.vni"][0], int(says["bfd.sta"][0], 0), int(says["bfd.diag"][0], 0)))
    for vni in ("10040", "10050"):
        assert (vni, UP, 0) in seen and (vni, UP, CONCATENATED) in seen, seen
    return f"{len(frames)} packets"


def stations_are_not_disturbed_and_cannot_forge(ends):
    """All that a station sends crosses, BFD to the very address too, and it gets nothing that no station sent."""
    one, two = ends[:2]
    whole((one, two))
    before, changes = two.cable(), two.cable()["changes"]
    here, there = Wire(one.netns, "eth1"), Wire(two.netns, "eth1")
    there.drain()
    for state, mine, yours in ((DOWN, 7, 0), (0, before["remote_discriminator"], before["discriminator"]), (UP, 9, 9)):
        frame = control_packet(state, mine, yours, source="192.0.2.1")
        here.send(frame)
        assert there.seen(lambda f, wanted=frame: f == wanted), "a station's own BFD packet did not cross"
    sent = before["received"]
    wait_for("three more BFD packets", lambda: two.cable()["received"] >= sent + 3)
    assert not [f for f in there.drain() if f[:6].hex(":") == BFD_MAC], "a BFD packet of the VTEPs was given to a station"
    after = two.cable()
    assert (after["carrier"], after["refused"], after["changes"]) == ("up", before["refused"], changes), after
    here.close()
    there.close()


def impostors_are_refused_and_counted(lab, hosts, ends):
    """At host 2, a script that can write any packet, and the address of host 1 as its source."""
    two = ends[1]
    whole(ends[:2])
    script = Script(lab, 7, hosts[1])
    session = two.cable()
    changes = session["changes"]

    def drops():
        return two.listed()["drops"]

    def send(inner, src="192.0.2.1", **more):
        script.send(inner, vni=more.pop("vni", two.vni), src=src, word=0x09000000, **more)

    def counted(reason, *packets, where=drops, **more):
        before = where().get(reason, 0)
        for packet in packets:
            send(packet, **more)
        wait_for(f"{len(packets)} more of {reason}", lambda: where().get(reason, 0) >= before + len(packets))

    good = session["remote_discriminator"], session["discriminator"]
    ok = {"source": "192.0.2.1"}
    counted("vxlan-bfd-stranger", control_packet(DOWN, good[0], good[1] ^ 1, **ok), control_packet(UP, 1, good[1] ^ 7, **ok))
    assert two.cable()["refused"] == session["refused"] + 2
    whole_packet = control_packet(UP, *good, **ok)
    counted("vxlan-bfd-malformed", control_packet(UP, good[0], 0, **ok),  # names no session, and is not about to begin one
            control_packet(UP, 0, good[1], **ok), control_packet(UP, *good, mult=0, **ok),
            control_packet(UP, *good, length=23, **ok), control_packet(UP, *good, length=25, **ok),
            control_packet(UP, *good, ttl=254, **ok),  # came over a router inside
            control_packet(UP, *good, source="192.0.2.7"), whole_packet[:-1], whole_packet[:40], whole_packet[:14],
            whole_packet[:-1] + b"\x55")
    until = time.monotonic() + LIMIT_S
    while drops().get("vxlan-bfd-flood", 0) < 10:
        assert time.monotonic() < until, drops()
        packet = script.outer(control_packet(UP, good[0], good[1] ^ 1, **ok), vni=two.vni, src="192.0.2.1", word=0x09000000)
        for _ in range(300):
            script.cable.send(packet)
    counted("vxlan-bfd-off", control_packet(DOWN, 5, 0, **ok), vni=10010, where=hosts[1].drops)
    counted("vxlan-unknown-vtep", control_packet(DOWN, 5, 0, source="192.0.2.7"), src="192.0.2.7", where=hosts[1].drops)
    wait_for("packets of the true end after the flood", lambda: two.cable()["received"] > session["received"] + 1)
    assert two.carrier() and two.cable()["changes"] == changes, two.cable()


def a_peer_that_does_not_speak_keeps_the_carrier(lab, hosts):
    """`off` and `auto` towards the kernel's VXLAN, which gets no BFD packet to see either; `on` wants an answer."""
    netns = lab.netns("k9")
    lab.attach(netns, 9, "k9")
    ip(netns, "link add vx60 type vxlan id 10060 local 192.0.2.9 remote 192.0.2.1 dstport 4789",
       "address add 10.0.60.9/24 dev vx60", "link set vx60 mtu 1400 up")
    hosts[0].call("vtep.set", name="h9", uplink="up", remote="192.0.2.9")
    end = End(hosts[0], 60, "h9", liveness="auto")
    wire = Wire(netns, "vx60")
    end.shows(True)
    reachable(end.netns, "10.0.60.9")
    wait_for("BFD packets", lambda: end.cable()["sent"] >= 3)
    assert end.cable()["carrier"] == "silent" and end.carrier() and end.cable()["changes"] == 0
    assert not [f for f in wire.drain() if f[:6].hex(":") == BFD_MAC], "the kernel's side got a BFD packet"
    hosts[0].call("vni.set", **dict(end.settings, liveness="on"))
    end.shows(False, "has not answered yet")
    hosts[0].call("vni.set", **dict(end.settings, liveness="off"))
    wait_for("the carrier, with nobody watching", end.carrier)
    assert "cable" not in end.listed() and pings(end.netns, "10.0.60.9", wait_s=10)
    wire.close()


def what_is_no_cable_is_refused(hosts):
    host = hosts[0]
    settings = {"vni": 10077, "switch": "s", "vlan": 77, "vteps": ["h2"], "liveness": "on"}
    assert 'switch "s" has 3 VNIs; give the cable a switch of its own' in host.refused("vni.set", **settings)
    host.call("switch.set", name="t")
    settings["switch"] = "t"
    assert "name one VTEP" in host.refused("vni.set", **dict(settings, vteps=["h2", "h2v6"]))
    assert "name one VTEP" in host.refused("vni.set", **dict(settings, vteps=[]))
    assert "learn_vteps" in host.refused("vni.set", **dict(settings, learn_vteps=True))
    assert "liveness" in host.refused("vni.set", **dict(settings, liveness="maybe"))
    assert "liveness_ms" in host.refused("vni.set", **dict(settings, liveness_ms=49))
    assert "liveness_multiplier" in host.refused("vni.set", **dict(settings, liveness_multiplier=0))
    host.call("vni.set", **settings)
    for name in ("t1", "t2"):
        tap = {"name": name, "type": "tap", "ifname": name, "switch": "t", "vlan": {"access": 77}}
        if name == "t1":
            host.call("port.set", **tap)
        else:
            assert 'switch "t" has 2 ports; a cable has one end here' in host.refused("port.set", **tap)
    host.call("port.delete", name="t1")
    host.call("vni.delete", vni=10077)
    host.call("switch.delete", name="t")


def changes_are_told(hosts, ends):
    """As events and as metrics' source: what happened to the cable, and to the port at its end."""
    heard = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(60)
        sock.connect(hosts[1].socket)
        sock.sendall(b'{"jsonrpc":"2.0","id":1,"method":"events"}\n')
        stream = sock.makefile()
        stream.readline()
        threading.Thread(target=hosts[0].call, args=("port.admin",), kwargs={"name": "c40", "admin": "down"}).start()
        while len(heard) < 2:
            event = json.loads(stream.readline())["params"]
            if event["kind"] in ("cable", "carrier"):
                heard.append(event)
    hosts[0].call("port.admin", name="c40", admin="up")
    cable = next(e for e in heard if e["kind"] == "cable")
    assert (cable["vni"], cable["port"], cable["vtep"], cable["carrier"]) == (10040, "c40", "h1", False), cable
    assert "shut" in cable["detail"], cable
    carrier = next(e for e in heard if e["kind"] == "carrier")
    assert (carrier["port"], carrier["carrier"]) == ("c40", False), carrier
    whole(ends)


def cables(lab):
    hosts = lab.mesh(2)
    guests = [host.guest("g10", 10) for host in hosts]
    ends = [End(host, vlan, f"h{3 - host.number}{'v6' if vlan == 50 else ''}", liveness="on", liveness_multiplier=50)
            for vlan in CABLES for host in hosts]
    whole(ends)
    reachable(ends[0].netns, "10.0.40.2")
    reachable(ends[2].netns, "10.0.50.2")
    step(a_port_that_is_shut_is_seen_at_the_other_end, ends)
    step(wireshark_agrees, lab, ends)
    step(stations_are_not_disturbed_and_cannot_forge, ends)
    step(an_underlay_that_is_cut_is_seen_at_both, lab, ends, guests)
    step(a_netloomd_that_is_killed_is_seen, ends)
    step(an_end_that_is_taken_away_says_so, lab, ends)
    step(changes_are_told, hosts, ends)
    step(impostors_are_refused_and_counted, lab, hosts, ends)
    step(a_peer_that_does_not_speak_keeps_the_carrier, lab, hosts)
    step(what_is_no_cable_is_refused, hosts)


cables.lab = {"mtu": 1574}

if __name__ == "__main__":
    main([cables], needs=["ip", "ping", "tshark"])
