#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
VLANs whose far end is the kernel's VXLAN: VLAN 10 is VNI 10010 over IPv4, VLAN 20 is VNI 10020 over IPv6.

    [g10][g20]--taps--switch s--netloomd--u0 192.0.2.1, 2001:db8::1--+-- br0 (the underlay, MTU 9000 and 1500)
                                                                     |
    [vx10 10.0.10.9][vx20 10.0.20.9]--u0 192.0.2.9, 2001:db8::9------+

Exit status: 0 passed, 77 skipped, else failed.
"""
from overlay_lab import ip, main, run
from overlay_peer import peer_checks


def kernel_vtep(lab):
    netns = lab.netns("k9")
    lab.attach(netns, 9, "k9")
    for vlan, prefix in ((10, "192.0.2."), (20, "2001:db8::")):
        ip(netns, f"link add vx{vlan} type vxlan id {10000 + vlan} local {prefix}9 dstport 4789",
           f"address add 10.0.{vlan}.9/24 dev vx{vlan}", f"address add fd00:{vlan}::9/64 dev vx{vlan} nodad",
           f"link set vx{vlan} mtu 1500 up")
        run("bridge", *f"fdb append 00:00:00:00:00:00 dev vx{vlan} dst {prefix}1".split(), netns=netns)
    interfaces = {10: "vx10", 20: "vx20"}
    return netns, interfaces, lambda vlan, mtu: ip(netns, f"link set {interfaces[vlan]} mtu {mtu}")


def kernel(lab):
    peer_checks(lab, kernel_vtep, "200M")


kernel.lab = {"mtu": 9000}

if __name__ == "__main__":
    main([kernel], needs=["ip", "bridge", "ping", "iperf3", "ethtool", "ss"])
