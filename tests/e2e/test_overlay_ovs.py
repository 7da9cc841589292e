#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
VLANs whose far end is Open vSwitch with its userspace datapath: VLAN 10 is VNI 10010 over IPv4, VLAN 20 is VNI 10020 over IPv6.

    [g10][g20]--taps--switch s--netloomd--u0 192.0.2.1, 2001:db8::1------------+-- br0 (the underlay)
                                                                               |
    [br10 10.0.10.9][br20 10.0.20.9]--vxlan ports--Open vSwitch--br-phy--u0----+

Exit status: 0 passed, 77 skipped, else failed.
"""
import os

from overlay_lab import ip, main, run, wait_for
from overlay_peer import peer_checks


def ovs_vtep(lab):
    netns = lab.netns("o9")
    lab.attach(netns, 9, "o9")
    ip(netns, "address flush dev u0")
    # As between machines: what reaches OVS is cut and summed, and so is what it sends
    run("ethtool", "-K", "o9", "tx", "off", "tx-udp-segmentation", "off", netns=lab.fabric)
    run("ethtool", "-K", "u0", "tx", "off", netns=netns)
    folder = os.path.join(lab.dir, "o9")
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
    vsctl("add-br", "br-phy", "--", "set", "bridge", "br-phy", "datapath_type=netdev", "--", "add-port", "br-phy", "u0",
          "--", "set", "interface", "u0", f"mtu_request={lab.mtu}", "--", "set", "interface", "br-phy", f"mtu_request={lab.mtu}")
    ip(netns, "address add 192.0.2.9/24 dev br-phy", "address add 2001:db8::9/64 dev br-phy nodad", "link set br-phy up")
    for vlan, prefix in ((10, "192.0.2."), (20, "2001:db8::")):
        vsctl("add-br", f"br{vlan}", "--", "set", "bridge", f"br{vlan}", "datapath_type=netdev", "--",
              "add-port", f"br{vlan}", f"vx{vlan}", "--", "set", "interface", f"vx{vlan}", "type=vxlan",
              f"options:remote_ip={prefix}1", f"options:key={10000 + vlan}")
        run("ethtool", "-K", f"br{vlan}", "tx", "off", netns=netns)
        ip(netns, f"address add 10.0.{vlan}.9/24 dev br{vlan}", f"address add fd00:{vlan}::9/64 dev br{vlan} nodad",
           f"link set br{vlan} mtu 1500 up")

    def mtu_set(vlan, mtu):
        vsctl("set", "interface", f"br{vlan}", f"mtu_request={mtu}")

    return netns, {10: "br10", 20: "br20"}, mtu_set


def open_vswitch(lab):
    peer_checks(lab, ovs_vtep, "20M")


open_vswitch.lab = {"mtu": 9000}

if __name__ == "__main__":
    main([open_vswitch], needs=["ip", "ping", "iperf3", "ethtool", "ss", "ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl"])
