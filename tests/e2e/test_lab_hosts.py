#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
One lab file for several hosts: each host brings up its part, and what crosses, crosses.

     host 1 (netns h1)                                   host 2 (netns h2)
   a:eth1 --- [ lan ] --- VLAN 10 = VNI 10010 (VXLAN) --- [ lan ] --- b:eth1
   a:eth2 ------------------ a cable (VXLAN) -------------------------- b:eth2
              192.0.2.1, 2001:db8::1 ---- br0 ---- 192.0.2.2, 2001:db8::2

a and b are TAPs in network namespaces of their own; netloomd is started and ended by `netloom` itself.
"""
import json
import os
import re
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from overlay_lab import BUILD, inside, main, run, wait_for  # noqa: E402
from overlay_traffic import pings, reachable  # noqa: E402

NETLOOM = os.path.join(BUILD, "netloom")
SOL_PACKET, PACKET_AUXDATA, VLAN_VALID = 263, 8, 0x10

TWO_HOSTS = """
name: pair
topology:
  hosts:
    hostA: {{ vtep: [{a}], uplink: u0 }}
    hostB: {{ vtep: [{b}], uplink: u0 }}
  nodes:
"""
SPANNED = TWO_HOSTS + """
    lan: {{ kind: switch, vxlan: {{ vlan 10: vni 10010 }} }}
    a: {{ kind: tap, host: hostA, netns: {ns}a, ipv4: {{ eth1: 10.0.10.1/24, eth2: 10.0.20.1/24 }} }}
    b: {{ kind: tap, host: hostB, netns: {ns}b, ipv4: {{ eth1: 10.0.10.2/24, eth2: 10.0.20.2/24 }} }}
  links:
    - {{ endpoints: ["a:eth1", "lan:p1"], vlan: {{ access: 10 }} }}
    - {{ endpoints: ["b:eth1", "lan:p2"], vlan: {{ access: 10 }} }}
    - {{ endpoints: ["a:eth2", "b:eth2"] }}
"""
# One more VLAN that spans, and a TAP in it on each host, in one line.
EDITED = SPANNED.replace("10: vni 10010", "10: vni 10010, 30: 10030") + """
    - {{ endpoints: ["lan:p3"], host: {{ on: hostA, eth: eth3, netns: {ns}a, ipv4: 10.0.30.1/24 }}, vlan: {{ access: 30 }} }}
    - {{ endpoints: ["lan:p4"], host: {{ on: hostB, eth: eth3, netns: {ns}b, ipv4: 10.0.30.2/24 }}, vlan: {{ access: 30 }} }}
"""
# The cable ends at a switch on one side, and joins two switches with a trunk.
SWITCHES = TWO_HOSTS + """
    sw1: {{ kind: switch, host: hostA }}
    sw2: {{ kind: switch, host: hostB }}
    a: {{ kind: tap, host: hostA, netns: {ns}a, ipv4: {{ eth1: 10.0.10.1/24, eth2: 10.0.20.1/24 }} }}
    b: {{ kind: tap, host: hostB, netns: {ns}b, ipv4: {{ eth1: 10.0.10.2/24, eth2: 10.0.20.2/24 }} }}
  links:
    - {{ endpoints: ["a:eth1", "sw1:p1"], vlan: {{ access: 10 }} }}
    - {{ endpoints: ["b:eth1", "sw2:p1"], vlan: {{ access: 10 }} }}
    - {{ endpoints: ["sw1:up", "sw2:up"], vlan: {{ trunk: [10, 20] }}, vni: vni 77, impair: {{ delay: 10ms }} }}
    - {{ endpoints: ["a:eth2", "sw1:p2"], vlan: {{ access: 20 }} }}
    - {{ endpoints: ["b:eth2", "sw1:p3"], vlan: {{ access: 20 }} }}
"""


class Netloom:
    """The command line on one host, with a run directory of its own."""

    def __init__(self, lab, number, name):
        self.lab, self.name = lab, name
        self.netns = lab.netns(f"h{number}")
        lab.attach(self.netns, number, f"h{number}")
        self.dir = os.path.join(lab.dir, name)
        self.env = dict(os.environ, NETLOOM_RUNDIR=self.dir, NETLOOMD_ARGS="--no-huge --threads 1")

    def do(self, *arguments, status=0):
        done = run(NETLOOM, *arguments, netns=self.netns, env=self.env, check=False)
        assert done.returncode == status, f"netloom {' '.join(arguments)}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def up(self, text, status=0, host=True):
        file = os.path.join(self.lab.dir, "pair.yaml")
        with open(file, "w") as out:
            out.write(text)
        return self.do("up", file, *(["--host", self.name] if host else []), status=status)

    def show(self, what):
        return json.loads(self.do("show", what, "--json"))

    def link(self, name):
        return next(link for link in self.show("links") if name in link["endpoints"])

    def is_clean(self):
        return not os.path.exists(self.dir)


class Pair:
    """Both hosts, and the namespaces of a and b."""

    def __init__(self, lab):
        self.tag = lab.tag
        self.a, self.b = lab.netns("a"), lab.netns("b")
        self.hosts = [Netloom(lab, 1, "hostA"), Netloom(lab, 2, "hostB")]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        for host in self.hosts:
            log = os.path.join(host.dir, "netloomd.log")
            if kind is not None and os.path.exists(log):
                print(f"--- {host.name}\n{open(log).read()}", file=sys.stderr)
            run(NETLOOM, "down", "--all", netns=host.netns, env=host.env, check=False)

    def text(self, template, a="192.0.2.1", b="192.0.2.2"):
        return template.format(ns=self.tag, a=a, b=b)

    def up(self, text):
        return [host.up(text) for host in self.hosts]

    def down(self):
        for host in self.hosts:
            host.do("down", "pair")
            assert host.is_clean(), os.listdir(host.dir)


def packet_socket(netns, ifname):
    """A socket that sees whole frames of an interface in a network namespace."""
    with inside(netns):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        sock.bind((ifname, 0))
    sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    sock.settimeout(1)
    return sock


def receive(sock):
    """The next frame; the outer tag, which the kernel has taken out, is put back."""
    frame, control, _, _ = sock.recvmsg(2048, 256)
    for level, kind, data in control:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
            if status & VLAN_VALID:
                frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
    return frame


def arrives(sender, receiver, frame):
    def once():
        sender.send(frame)
        try:
            while True:
                if receive(receiver) == frame:
                    return True
        except TimeoutError:
            return False
    wait_for(f"the frame {frame[:20].hex()}", once)


def has_carrier(netns, ifname):
    return "NO-CARRIER" not in run("ip", "link", "show", ifname, netns=netns).stdout


def frames():
    source = bytes.fromhex("020000000001")
    body = bytes(range(60))
    yield "LLDP", bytes.fromhex("0180c200000e") + source + b"\x88\xcc" + body
    yield "spanning tree", bytes.fromhex("0180c2000000") + source + b"\x00\x26\x42\x42\x03" + body
    yield "LACP", bytes.fromhex("0180c2000002") + source + b"\x88\x09\x01" + body
    yield "PAUSE", bytes.fromhex("0180c2000001") + source + b"\x88\x08\x00\x01" + body
    yield "a VLAN tag", b"\x02" * 6 + source + bytes.fromhex("8100000a") + b"\x88\xb5" + body
    yield "two tags", b"\x02" * 6 + source + bytes.fromhex("88a80014810000ff") + b"\x88\xb5" + body
    yield "the VLAN that is the segment's own", b"\x02" * 6 + source + bytes.fromhex("81000001") + b"\x88\xb5" + body
    yield "a priority tag", b"\x02" * 6 + source + bytes.fromhex("8100e000") + b"\x88\xb5" + body


def a_vlan_and_a_cable_cross(lab):
    with Pair(lab) as pair:
        said = pair.up(pair.text(SPANNED))
        assert "add      vni 10010" in said[0], said[0]
        reachable(pair.a, "10.0.10.2")
        reachable(pair.a, "10.0.20.2")
        wait_for("the cable's carrier", lambda: has_carrier(pair.a, "eth2") and has_carrier(pair.b, "eth2"))
        for host in pair.hosts:
            assert "every pair is as the lab file says" in host.do("test", "pair")
            link = host.link("a:eth2")
            assert link["kind"] == "vxlan" and link["vni"] >= 0x800000, link
            wait_for("the cable to be up", lambda h=host: h.link("a:eth2")["state"] == "up")
            assert "tap" in host.do("ps")
        assert pair.hosts[0].link("a:eth2")["vni"] == pair.hosts[1].link("a:eth2")["vni"]
        one, two = packet_socket(pair.a, "eth2"), packet_socket(pair.b, "eth2")
        for what, frame in frames():
            print(f"  {what} crosses the cable", flush=True)
            arrives(one, two, frame)
            arrives(two, one, frame)

        print("  up again, after an edit, changes what differs", flush=True)
        for host in pair.hosts:
            assert "nothing to do" in host.up(pair.text(SPANNED))
        ifindex = [run("cat", f"/sys/class/net/{i}/ifindex", netns=pair.a).stdout for i in ("eth1", "eth2")]
        pinger = lab.spawn("ping", "-i", "0.02", "10.0.10.2", netns=pair.a, stdout=subprocess.PIPE, text=True)
        said = pair.up(pair.text(EDITED))
        assert re.findall(r"^  (\w+) +(\w+) ([^:\s]+)", said[0], re.MULTILINE) == [
            ("add", "port", "pair/hostA"), ("change", "port", "pair/hostB"), ("add", "vni", "10030")], said[0]
        reachable(pair.a, "10.0.30.2")
        assert "every pair is as" in pair.hosts[0].do("test", "pair")
        pair.up(pair.text(SPANNED))
        assert not run("ip", "link", "show", "eth3", netns=pair.a, check=False).returncode == 0
        pinger.send_signal(2)
        sent, got = map(int, re.search(r"(\d+) packets transmitted, (\d+) received", pinger.communicate()[0]).groups())
        assert sent - got <= 1, f"{sent - got} of {sent} pings were lost while other things changed"
        assert ifindex == [run("cat", f"/sys/class/net/{i}/ifindex", netns=pair.a).stdout for i in ("eth1", "eth2")]

        print("  netloomd is killed; up brings its part back", flush=True)
        pid = int(open(os.path.join(pair.hosts[0].dir, "netloomd.pid")).read())
        os.kill(pid, 9)
        wait_for("the end of netloomd", lambda: not os.path.exists(f"/proc/{pid}/exe"))
        pair.hosts[0].up(pair.text(SPANNED))
        reachable(pair.a, "10.0.10.2")
        reachable(pair.b, "10.0.20.1")
        pair.hosts[0].do("link", "set", "pair/a:eth2", "down")
        assert pair.hosts[0].link("a:eth2")["state"] == "admin down"
        wait_for("the cable's cut", lambda: not pings(pair.b, "10.0.20.1"))
        wait_for("the cut to be seen on the other host", lambda: not has_carrier(pair.b, "eth2"))
        wait_for("what show links says", lambda: pair.hosts[1].link("a:eth2")["state"] == "other end down")
        assert has_carrier(pair.b, "eth1")
        pair.hosts[0].do("link", "set", "pair/a:eth2", "up")
        wait_for("the other end's carrier", lambda: has_carrier(pair.b, "eth2"))
        wait_for("what show links says", lambda: pair.hosts[1].link("a:eth2")["state"] == "up")

        print("  a host takes its part down; a cable that is always up stays so", flush=True)
        always = SPANNED.replace('"b:eth2"] }}', '"b:eth2"], carrier: always }}')
        for host in pair.hosts:
            assert re.search("change +vni", host.up(pair.text(always)))
        pair.hosts[1].do("down", "pair")
        assert has_carrier(pair.a, "eth2") and pair.hosts[0].link("a:eth2")["state"] == "up"
        pair.hosts[0].up(pair.text(SPANNED))
        wait_for("the end of the carrier", lambda: not has_carrier(pair.a, "eth2"))
        assert pair.hosts[0].link("a:eth2")["state"] == "other host not heard"
        assert "has not answered yet" in pair.hosts[0].do("show", "vnis")
        pair.hosts[1].up(pair.text(SPANNED))
        wait_for("the carrier", lambda: has_carrier(pair.a, "eth2") and has_carrier(pair.b, "eth2"))
        pair.down()


def cables_end_at_switches_over_ipv6(lab):
    with Pair(lab) as pair:
        pair.up(pair.text(SWITCHES, '192.0.2.1, "2001:db8::1"', '"2001:db8::2"'))
        assert [v["remote"] for v in pair.hosts[0].show("vteps")] == ["2001:db8::2"]
        reachable(pair.a, "10.0.10.2")
        reachable(pair.b, "10.0.20.1")
        rtt = run("ping", "-c", "1", "-W", "30", "10.0.10.2", netns=pair.a).stdout
        assert float(re.search(r"time=([0-9.]+)", rtt).group(1)) >= 20, rtt  # what each switch sends is late
        for host in pair.hosts:
            assert "every pair is as the lab file says" in host.do("test", "pair")
            wait_for("the trunk to be up", lambda h=host: h.link("sw1:up")["state"] == "up")
        pair.down()


def a_host_joins_with_one_line(lab):
    text = """
name: one
topology:
  nodes:
    lan: {{ kind: switch }}
  links:
    - {{ endpoints: ["lan:p1"], host: {{ eth: lab0, ipv4: 10.0.0.1/24, ipv6: "fd00::1/64", mtu: 1400 }}, vlan: {{ access: 10 }} }}
    - {{ endpoints: ["lan:p2"], host: {{ eth: lab1, netns: {ns}a, ipv4: 10.0.0.2/24, ipv6: "fd00::2/64" }}, vlan: {{ access: 10 }} }}
"""
    with Pair(lab) as pair:
        host = pair.hosts[0]
        host.up(pair.text(text), host=False)
        reachable(host.netns, "10.0.0.2")
        reachable(pair.a, "fd00::1")
        assert "mtu 1400" in run("ip", "link", "show", "lab0", netns=host.netns).stdout
        assert "every pair is as the lab file says" in host.do("test", "one")
        host.do("down", "one")
        assert host.is_clean()


def what_cannot_be_is_said(lab):
    with Pair(lab) as pair:
        host = pair.hosts[0]
        text = pair.text(SPANNED)
        assert "say which one this is, with --host and one of hostA, hostB" in host.up(text, status=2, host=False)
        host.name = "hostC"
        assert 'has no host "hostC"; --host is one of hostA, hostB' in host.up(text, status=2)
        host.name = "hostA"

        run("ip", "link", "set", "u0", "mtu", "1500", netns=host.netns)
        said = host.up(text, status=1)
        assert "an MTU of 1500 needs 1550 in the underlay" in said and "has 1500" in said, said
        assert host.is_clean()
        host.up(text.replace("vni 10010", "{ vni: 10010, mtu: 1450 }").replace("b:eth2\"]", "b:eth2\"], mtu: 1446"))
        assert [v["mtu"] for v in host.show("vteps")] == [1500]
        host.do("down", "pair")
        run("ip", "link", "set", "u0", "mtu", "1554", netns=host.netns)

        said = host.up(text.replace("uplink: u0", "uplink: nothere"), status=1)
        assert "pair/hostA:nothere: there is no interface nothere" in said and "with 1 failure" in said, said
        assert "there is no interface nothere" in host.show("vteps")[0]["detail"]
        host.do("down", "pair")
        run("ip", "route", "del", "192.0.2.0/24", netns=host.netns)
        assert "pair/hostB: the kernel has no route to 192.0.2.2" in host.up(text, status=1)
        run("ip", "route", "add", "192.0.2.0/24", "dev", "u0", netns=host.netns)
        wait_for("the route to be followed", lambda: host.show("vteps")[0]["next_hops"] == 1)
        host.do("down", "pair")

        print("  the other host is not there yet", flush=True)
        run("ip", "link", "set", "u0", "down", netns=pair.hosts[1].netns)
        run("ip", "neighbour", "flush", "all", netns=host.netns)
        host.up(text)
        vtep = host.show("vteps")[0]
        assert not vtep["usable"] and "192.0.2.2" in vtep["detail"], vtep
        wait_for("what show links says",
                 lambda: host.link("a:eth2")["state"] == "no way to the other host")
        host.name = "hostB"
        assert 'is up here as host "hostA"' in host.up(text, status=1)
        host.name = "hostA"
        run("ip", "link", "set", "u0", "up", netns=pair.hosts[1].netns)
        run("ip", "address", "replace", "192.0.2.2/24", "dev", "u0", netns=pair.hosts[1].netns)
        pair.hosts[1].up(text)
        reachable(pair.a, "10.0.10.2")
        pair.down()


for test in (a_vlan_and_a_cable_cross, cables_end_at_switches_over_ipv6, what_cannot_be_is_said):
    test.lab = {"mtu": 1574}
what_cannot_be_is_said.lab = {"mtu": 1554}

if __name__ == "__main__":
    main([a_vlan_and_a_cable_cross, cables_end_at_switches_over_ipv6, a_host_joins_with_one_line,
          what_cannot_be_is_said], needs=["ip", "ping"])
