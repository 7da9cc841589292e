#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
What an overlay cannot be is refused with a sentence, and nothing changes; what an owner asks for is done whole.

    [netloomd--u0 192.0.2.1, 2001:db8::1]--br0 (the underlay, MTU 1550)

Exit status: 0 passed, 77 skipped, else failed.
"""
import json
import os
import re
import socket

from overlay_lab import inside, ip, main, step, wait_for
from overlay_traffic import reachable

LISTS = ("switch.list", "port.list", "uplink.list", "vtep.list", "vni.list")


def everything(host):
    """All that is configured, without what counts by itself."""
    return re.sub(r'"(pkts|bytes|wakeups)": \d+', "", json.dumps([host.call(m) for m in LISTS]))


def nonsense_is_refused(host):
    base = dict(switch="s", vlan=20, vteps=["h2"])
    cases = [
        ("vni.set", dict(base, vni=0), "16777215"),
        ("vni.set", dict(base, vni=1 << 24), "16777215"),
        ("vni.set", dict(base, vni=-1), "vni"),
        ("vni.set", dict(base, vni="x"), "vni"),
        ("vni.set", dict(base, vni=11, vlan=10), "two VNIs"),
        ("vni.set", dict(base, vni=11, vlan=4095), "vlan"),
        ("vni.set", dict(base, vni=11, switch="x"), 'no switch "x"'),
        ("vni.set", dict(base, vni=11, vteps=["h2", "h2"]), "twice"),
        ("vni.set", dict(base, vni=11, vteps=["nobody"]), 'no vtep "nobody"'),
        ("vni.set", dict(base, vni=11, mtu=1501), "raise the underlay's MTU"),
        ("vni.set", dict(base, vni=11, color="red"), "color"),
        ("vtep.set", dict(name="m", uplink="up", remote="239.1.1.1"), "multicast"),
        ("vtep.set", dict(name="m", uplink="up", remote="ff02::1"), "multicast"),
        ("vtep.set", dict(name="m", uplink="up", remote="127.0.0.2"), "loopback"),
        ("vtep.set", dict(name="m", uplink="up", remote="0.0.0.0"), "0.0.0.0"),
        ("vtep.set", dict(name="m", uplink="up", remote="192.0.2.1"), "address of this host"),
        ("vtep.set", dict(name="m", uplink="up", remote="2001:db8::1"), "address of this host"),
        ("vtep.set", dict(name="m", uplink="up", remote="192.0.2.2"), "twice"),
        ("vtep.set", dict(name="m", uplink="up", remote="192.0.2"), "192.0.2"),
        ("vtep.set", dict(name="m", uplink="none", remote="192.0.2.7"), 'no uplink "none"'),
        ("vtep.delete", dict(name="h2"), "takes part in VNI 10010"),
        ("vtep.delete", dict(name="h3"), "h3"),
        ("uplink.delete", dict(name="up"), "in use"),
        ("uplink.set", dict(name="u2", ifname="u0", local=["192.0.2.9"]), "u0 is uplink"),
        ("uplink.set", dict(name="u2", ifname="u9", local=["127.0.0.1"]), "loopback"),
        ("uplink.set", dict(name="u2", ifname="u9", local=["192.0.2.1"]), "192.0.2.1"),
        ("uplink.set", dict(name="u2", ifname="u9", local=[]), "local"),
        ("switch.delete", dict(name="s"), "s"),
        ("port.set", dict(name="t", type="vxlan"), "type"),
    ]
    before = everything(host)
    for method, params, words in cases:
        sentence = host.refused(method, **params)
        assert words in sentence and len(sentence) > 20, (method, params, sentence)
        assert everything(host) == before, (method, params)
    return f"{len(cases)} requests"


def what_is_not_there_is_said(host):
    """An uplink without interface, a VTEP without route: configured, degraded, and it says why."""
    host.call("uplink.set", name="u2", ifname="u9", local=["198.51.100.1"])
    host.call("vtep.set", name="far", uplink="u2", remote="198.51.100.9")
    host.call("vtep.set", name="lost", uplink="up", remote="203.0.113.9")
    host.vni_set(30, vteps=["far", "lost"])
    uplink = next(u for u in host.call("uplink.list")["uplinks"] if u["name"] == "u2")
    assert not uplink["running"] and "no interface u9" in uplink["detail"], uplink
    far, lost = host.vtep("far"), host.vtep("lost")
    assert not far["usable"] and "no interface u9" in far["detail"], far
    assert not lost["usable"] and "no route to 203.0.113.9" in lost["detail"], lost
    host.call("vni.delete", vni=10030)
    for name in ("far", "lost"):
        host.call("vtep.delete", name=name)
    host.call("uplink.delete", name="u2")


def taken_port_is_said(host):
    """The kernel has a VXLAN device of its own on the UDP port."""
    ip(host.netns, "link add vx0 type vxlan id 1 local 192.0.2.1 dstport 4790", "link set vx0 up")
    before = everything(host)
    sentence = host.refused("uplink.set", name="up", ifname="u0", local=["192.0.2.1", "2001:db8::1"], udp_port=4790)
    assert "in use" in sentence and "4790" in sentence, sentence
    assert re.sub(r'"generation": \d+', "", before) == everything(host)
    assert host.call("uplink.list")["uplinks"][0]["running"]


def taken_port_is_had_when_it_is_free(host):
    """Somebody else had it while netloomd started: said, tried again, and all is as it was. So is a card that has gone."""
    host.daemon.terminate()
    host.daemon.wait(60)
    with inside(host.netns):
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(("192.0.2.1", 4789))
    path = os.path.join(host.dir, "state.json")
    with open(path) as file:
        state = json.load(file)
    state["ports"].append({"name": "card", "type": "uplink", "pci": "0000:7f:00.0", "local": ["198.51.100.1"]})
    with open(path, "w") as file:
        json.dump(state, file)
    host.start()
    uplinks = lambda: {u["name"]: u for u in host.call("uplink.list")["uplinks"]}
    uplink, card = uplinks()["up"], uplinks()["card"]
    assert not uplink["running"] and "choose another udp_port" in uplink["detail"], uplink
    assert not card["running"] and "no PCI device 0000:7f:00.0" in card["detail"] and "lspci" in card["detail"], card
    assert "card" in host.log() and "tried again" in host.log()
    other.close()
    wait_for("the UDP port", lambda: uplinks()["up"]["running"])
    host.call("uplink.delete", name="card")


def interface_of_another_lab_is_said(host):
    host.call("uplink.set", name="one/up", ifname="u9", local=["192.0.2.9"], owner="one")
    said = host.refused("uplink.set", name="another/up", ifname="u9", local=["192.0.2.10"], owner="another")
    assert "lab one has interface u9" in said and "`netloom down one`" in said, said
    assert "ip link add NAME link u9 type macvlan mode bridge" in said, said
    host.call("uplink.delete", name="one/up")


def two_labs_share_a_wire(one, two):
    """As that sentence says: each lab has a macvlan interface, and an address, of its own on one and the same u0."""
    guests = []
    for host, other in ((one, 2), (two, 1)):
        for number, name in enumerate(("left", "right"), 1):
            ifname, vlan = f"m{number}", 40 + number
            ip(host.netns, f"link add {ifname} link u0 type macvlan mode bridge", f"link set {ifname} up",
               f"address add 203.0.{number}.{host.number}/24 dev {ifname}")
            host.call("apply", owner=name, switches=[{"name": f"{name}/s"}],
                      ports=[{"name": f"{name}/up", "type": "uplink", "ifname": ifname, "local": [f"203.0.{number}.{host.number}"]},
                             {"name": f"{name}/g", "type": "tap", "ifname": "eth1", "mtu": 1400, "vlan": {"access": vlan},
                              "netns": guest_in(host, name, guests), "switch": f"{name}/s",
                              "addresses": [f"10.0.{vlan}.{host.number}/24"]}],
                      vteps=[{"name": f"{name}/other", "uplink": f"{name}/up", "remote": f"203.0.{number}.{other}"}],
                      vnis=[{"vni": 10000 + vlan, "switch": f"{name}/s", "vlan": vlan, "vteps": [f"{name}/other"], "mtu": 1400}])
    for netns, vlan in ((guests[0], 41), (guests[1], 42)):
        reachable(netns, f"10.0.{vlan}.2")
    for host in (one, two):
        for name in ("left", "right"):
            host.call("apply", owner=name, switches=[], ports=[])


def guest_in(host, name, guests):
    guests.append(host.lab.netns(f"h{host.number}{name}"))
    return guests[-1]


def owner_gets_all_or_nothing(host):
    mine = dict(owner="lab", switches=[{"name": "lab/s"}],
                ports=[{"name": "lab/up", "type": "uplink", "ifname": "u1", "local": ["198.51.100.1"]}],
                vteps=[{"name": "lab/b", "uplink": "lab/up", "remote": "192.0.2.77"}],
                vnis=[{"vni": 7, "switch": "lab/s", "vlan": 10, "vteps": ["lab/b"]}])
    before = everything(host)
    assert "two VNIs" in host.refused("apply", **dict(mine, vnis=mine["vnis"] + [dict(mine["vnis"][0], vni=8)]))
    twice = host.refused("apply", **dict(mine, vnis=mine["vnis"] + [dict(mine["vnis"][0], vlan=11)]))
    assert "7" in twice and "twice" in twice, twice
    assert "mine" in host.refused("apply", **dict(mine, vnis=[dict(mine["vnis"][0], vteps=["mine"])]))
    assert everything(host) == before
    changes = host.call("apply", **mine)["changes"]
    assert {(c["op"], c["object"]) for c in changes} == {("add", o) for o in ("switch", "port", "vtep", "vni")}, changes
    assert host.call("apply", **mine)["changes"] == []
    assert "belongs to" in host.refused("vni.set", vni=7, switch="lab/s", vlan=11)
    mine["vnis"][0]["vlan"] = 11
    assert ("change", "vni") in {(c["op"], c["object"]) for c in host.call("apply", **mine)["changes"]}
    host.call("apply", owner="lab", switches=[], ports=[])
    assert everything(host) == before


def all_goes_when_told(host):
    host.call("vni.delete", vni=10010)
    host.call("vtep.delete", name="h2")
    host.call("uplink.delete", name="up")
    host.call("switch.delete", name="s")
    assert all(next(iter(host.call(m).values())) == [] for m in LISTS)


def refusals(lab):
    host = lab.host(1)
    host.peers(2)
    step(nonsense_is_refused, host)
    step(what_is_not_there_is_said, host)
    step(taken_port_is_said, host)
    step(taken_port_is_had_when_it_is_free, host)
    step(interface_of_another_lab_is_said, host)
    step(two_labs_share_a_wire, host, lab.host(2))
    step(owner_gets_all_or_nothing, host)
    step(all_goes_when_told, host)


if __name__ == "__main__":
    main([refusals], needs=["ip", "ping"])
