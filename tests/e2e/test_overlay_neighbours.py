#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Who has which address, and where, when stations are silent, move and die. What suppression does frame by frame is in test_overlay_settings.py.

    host 1: [guest]--tap--switch s, VLAN 10 = VNI 10010--netloomd--u0--+
    host 2: [guest]--tap--switch s, VLAN 10 = VNI 10010--netloomd--u0--+-- br0 (the underlay)
    host 3: [guest]--tap--switch s, VLAN 10 = VNI 10010--netloomd--u0--+

Exit status: 0 passed, 77 skipped, else failed.
"""
import time

from overlay_lab import ip, main, run, step, sysctl, wait_for
from overlay_traffic import reachable

SILENT = "02:00:00:00:10:99"


def known(host, address):
    """The binding of an address that is answered for."""
    for n in host.call("neigh.list", vni=10010)["neighbours"]:
        if n["ip"] == address and n["answered"]:
            return n
    return None


def requests_are_answered_here(hosts):
    guests = [host.guests["g"] for host in hosts]
    for other in ("10.0.10.2", "10.0.10.3", "fd00:10::2"):
        reachable(guests[0], other)
        wait_for(f"{other} to be known", lambda: known(hosts[0], other))
    assert known(hosts[0], "10.0.10.2")["vtep"] == "h2", known(hosts[0], "10.0.10.2")
    before = hosts[0].vni(10)["suppressed"]
    ip(guests[0], "neigh flush dev eth1")
    for other in ("10.0.10.2", "10.0.10.3", "fd00:10::2"):
        reachable(guests[0], other)
    after = hosts[0].vni(10)["suppressed"]
    assert after > before, (before, after)  # not all: stations may have told each other meanwhile
    # In the name of a station, but nothing is learned from it: stations are where they were.
    for host in (2, 3):
        mac = hosts[host - 1].port("g")["mac"]
        assert hosts[0].behind(mac) == f"h{host}", hosts[0].call("fdb.list")
    return f"{after - before} requests"


def who_is_gone_is_not_spoken_for(hosts):
    """Another machine takes the address and says nothing of it: whoever finds the old one silent hears the truth."""
    guest = hosts[0].guests["g"]
    for name, value in (("base_reachable_time_ms", 1000), ("delay_first_probe_time", 1), ("retrans_time_ms", 300)):
        sysctl(guest, f"ipv4/neigh/eth1/{name}", value)
    netns = hosts[1].guest("x", 10, mac="02:00:00:00:01:01", number=50)
    reachable(guest, "10.0.10.50")
    wait_for("10.0.10.50 to be known", lambda: known(hosts[0], "10.0.10.50"))
    hosts[1].vni_set(10, announce=False)
    hosts[1].guest_change("x", mac="02:00:00:00:01:02")
    sysctl(netns, "ipv4/conf/eth1/arp_notify", 0)
    begin = time.monotonic()
    reachable(guest, "10.0.10.50")
    took = time.monotonic() - begin
    hosts[1].vni_set(10)
    hosts[1].call("port.delete", name="x")
    return f"reached again after {took:.1f} s"


def silent(host, name):
    """A guest that never says a word of its own."""
    netns = host.guests[name] = host.lab.netns(f"h{host.number}{name}")
    for where in ("all", "default"):
        sysctl(netns, f"ipv6/conf/{where}/disable_ipv6", 1)
    host.call("port.set", name=name, type="tap", ifname="eth1", netns=netns, switch="s", vlan={"access": 10},
              addresses=["10.0.10.99/24"], mac=SILENT)


def station_that_attaches_in_silence_is_announced(hosts):
    asker = hosts[0].guests["g"]
    silent(hosts[1], "m")
    wait_for("the station on h2", lambda: hosts[0].behind(SILENT) == "h2")
    reachable(asker, "10.0.10.99")
    hosts[1].call("port.delete", name="m")
    begin = time.monotonic()
    silent(hosts[2], "m")
    wait_for("the station on h3", lambda: hosts[0].behind(SILENT) == "h3")
    took = time.monotonic() - begin
    reachable(asker, "10.0.10.99")
    assert hosts[2].vni(10)["announced"] > 0
    return f"followed after {took * 1000:.0f} ms"


def neighbours(lab):
    hosts = [lab.host(n) for n in (1, 2, 3)]
    for host in hosts:
        host.peers(*[n for n in (1, 2, 3) if n != host.number])
        host.guest("g", 10)
    step(requests_are_answered_here, hosts)
    step(station_that_attaches_in_silence_is_announced, hosts)
    step(who_is_gone_is_not_spoken_for, hosts)


if __name__ == "__main__":
    main([neighbours], needs=["ip", "ping"])
