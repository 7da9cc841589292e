#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
A VLAN across hosts: netloomd with the kernel's VXLAN, netloomd with netloomd.

    [guest]--tap--switch s, VLAN 10 = VNI 10010--netloomd--u0 192.0.2.N--+
                                                                        |
    [guest]--tap--switch s, VLAN 10 = VNI 10010--netloomd--u0-----------+-- br0 (the underlay)
                                                                        |
    [10.0.10.9]--kernel vxlan device-------------------------u0---------+

Exit status: 0 passed, 77 skipped, else failed.
"""
from overlay_lab import Lab, iperf, main, pings, reachable, run, wait_for


def kernel_vtep(lab, number, remotes, ipv6=False):
    """A host of the kernel's own: vxlan device with 10.0.10.NUMBER, checksums filled as on a real wire."""
    netns = lab.netns(f"k{number}")
    lab.attach(netns, number, f"k{number}")
    mine = f"2001:db8::{number}" if ipv6 else f"192.0.2.{number}"
    run("ip", "link", "add", "vx0", "type", "vxlan", "id", "10010", "local", mine, "dstport", "4789", netns=netns)
    run("ip", "address", "add", f"10.0.10.{number}/24", "dev", "vx0", netns=netns)
    run("ip", "link", "set", "vx0", "up", netns=netns)
    for n in remotes:
        run("bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "vx0", "dst",
            f"2001:db8::{n}" if ipv6 else f"192.0.2.{n}", netns=netns)
    return netns


def vlan_reaches_a_kernel_vtep(lab, ipv6=False):
    a = lab.host(1)
    kernel = kernel_vtep(lab, 9, [1], ipv6)
    a.peers(9, ipv6=ipv6)
    guest = a.guest("g", 10, "10.0.10.1", mtu=1430)
    reachable(guest, "10.0.10.9")
    assert pings(kernel, "10.0.10.1", 5)
    assert a.vtep("h9")["usable"], a.vtep("h9")
    vni = a.vni(10010)
    assert vni["rx"]["pkts"] > 0 and vni["tx"]["pkts"] > 0, vni
    print(f"   TCP to the kernel {iperf(lab, kernel, guest, '10.0.10.9'):.2f} Gb/s, "
          f"from it {iperf(lab, guest, kernel, '10.0.10.1'):.2f} Gb/s")


def vlan_reaches_a_kernel_vtep_over_ipv6(lab):
    vlan_reaches_a_kernel_vtep(lab, ipv6=True)


def two_netloomds_share_a_vlan(lab, ipv6=False):
    a, b = lab.host(1), lab.host(2)
    a.peers(2, ipv6=ipv6)
    b.peers(1, ipv6=ipv6)
    g1, g2 = a.guest("g", 10, "10.0.10.1", mtu=1430), b.guest("g", 10, "10.0.10.2", mtu=1430)
    reachable(g1, "10.0.10.2")
    assert pings(g1, "fd00:10::2", 3)
    gbits = iperf(lab, g2, g1, "10.0.10.2")
    print(f"   TCP {gbits:.2f} Gb/s")
    entries = a.call("fdb.list")["entries"]
    assert any(e.get("vtep") == "h2" for e in entries), entries


def two_netloomds_share_a_vlan_over_ipv6(lab):
    two_netloomds_share_a_vlan(lab, ipv6=True)


if __name__ == "__main__":
    main([vlan_reaches_a_kernel_vtep, vlan_reaches_a_kernel_vtep_over_ipv6, two_netloomds_share_a_vlan,
          two_netloomds_share_a_vlan_over_ipv6], needs=["ip", "ping", "iperf3"])
