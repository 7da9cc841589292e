#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
A VLAN whose far end is Open vSwitch with its userspace datapath, over IPv4 and IPv6.

    [guest]--tap--switch s, VLAN 10 = VNI 10010--netloomd--u0--+-- br0 (the underlay)
                                                               |
    [10.0.10.9 on br-int]--vxlan port--Open vSwitch--br-phy----+

Exit status: 0 passed, 77 skipped, else failed.
"""
import os

from overlay_lab import main, pings, reachable, run, wait_for


def ovs_vtep(lab, number, remote, mine, prefix):
    netns = lab.netns(f"o{number}")
    lab.attach(netns, number, f"o{number}")
    run("ip", "address", "flush", "dev", "u0", netns=netns)
    run("ethtool", "-K", "u0", "tx", "off", netns=netns)
    folder = os.path.join(lab.dir, f"o{number}")
    os.mkdir(folder)
    env = dict(os.environ, OVS_RUNDIR=folder, OVS_LOGDIR=folder, OVS_DBDIR=folder, OVS_SYSCONFDIR=folder)
    database, sock = os.path.join(folder, "conf.db"), os.path.join(folder, "db.sock")
    run("ovsdb-tool", "create", database, "/usr/share/openvswitch/vswitch.ovsschema", env=env)
    log = open(os.path.join(folder, "log"), "w")
    lab.spawn("ovsdb-server", database, f"--remote=punix:{sock}", netns=netns, env=env, stderr=log, stdout=log)
    wait_for("ovsdb-server", lambda: os.path.exists(sock))

    def vsctl(*words):
        run("ovs-vsctl", f"--db=unix:{sock}", "--timeout=30", *words, netns=netns, env=env)

    vsctl("--no-wait", "init")
    lab.spawn("ovs-vswitchd", f"unix:{sock}", netns=netns, env=env, stderr=log, stdout=log)
    vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev", "--", "add-port", "br-phy", "u0")
    vsctl("add-br", "br-int", "--", "set", "bridge", "br-int", "datapath_type=netdev", "--", "add-port", "br-int", "vx0",
          "--", "set", "interface", "vx0", "type=vxlan", f"options:remote_ip={remote}", "options:key=10010")
    run("ip", "address", "add", f"{mine}/{prefix}", "dev", "br-phy", *(["nodad"] if ":" in mine else []), netns=netns)
    run("ip", "link", "set", "br-phy", "up", netns=netns)
    run("ethtool", "-K", "br-int", "tx", "off", netns=netns, check=False)
    run("ip", "address", "add", "10.0.10.9/24", "dev", "br-int", netns=netns)
    run("ip", "link", "set", "br-int", "mtu", "1430", "up", netns=netns)
    return netns


def vlan_reaches_open_vswitch(lab, ipv6=False):
    a = lab.host(1)
    a.peers(9, ipv6=ipv6)
    guest = a.guest("g", 10, "10.0.10.1", mtu=1430)
    if ipv6:
        ovs = ovs_vtep(lab, 9, "2001:db8::1", "2001:db8::9", 64)
    else:
        ovs = ovs_vtep(lab, 9, "192.0.2.1", "192.0.2.9", 24)
    reachable(guest, "10.0.10.9")
    assert pings(ovs, "10.0.10.1", 5)
    assert pings(guest, "10.0.10.9", 3, 1402, "-M", "do")
    counters = a.vni(10010)
    assert counters["rx"]["pkts"] >= 8 and counters["tx"]["pkts"] >= 8, counters


def vlan_reaches_open_vswitch_over_ipv6(lab):
    vlan_reaches_open_vswitch(lab, ipv6=True)


if __name__ == "__main__":
    main([vlan_reaches_open_vswitch, vlan_reaches_open_vswitch_over_ipv6],
         needs=["ip", "ping", "ethtool", "ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl"])
