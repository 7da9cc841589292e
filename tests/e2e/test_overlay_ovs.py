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

from overlay_lab import ip, main, run, step, wait_for
from overlay_packet import Wire
from overlay_peer import peer_checks
from overlay_traffic import pings, reachable

OVS_BFD_MAC = "00:23:20:00:00:01"


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
        return run("ovs-vsctl", f"--db=unix:{sock}", "--timeout=30", *words, netns=netns, env=env).stdout

    lab.vsctl, lab.far = vsctl, netns

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


def its_bfd_is_not_ours(lab, host):
    """
    Open vSwitch's BFD (169.254.1.1 to .0, no OAM flag) is not RFC 8971's: to netloomd its packets are a station's, and it drops
    netloomd's. So `auto` leaves the cable's carrier alone, and `on` says that nobody answers.
    """
    lab.vsctl("add-br", "br30", "--", "set", "bridge", "br30", "datapath_type=netdev", "--", "add-port", "br30", "vx30", "--", "set",
              "interface", "vx30", "type=vxlan", "options:remote_ip=192.0.2.1", "options:key=10030", "bfd:enable=true",
              "bfd:min_tx=100", "bfd:min_rx=100", "--", "set", "interface", "br30", "mtu_request=1400")
    ip(lab.far, "address add 10.0.30.9/24 dev br30", "link set br30 mtu 1400 up")
    run("ethtool", "-K", "br30", "tx", "off", netns=lab.far)
    host.call("switch.set", name="c")
    settings = {"vni": 10030, "switch": "c", "vlan": 30, "vteps": ["h9"], "mtu": 1400}
    host.call("vni.set", **settings, liveness="auto")
    guest = lab.netns("h1g30")
    host.call("port.set", name="g30", type="tap", ifname="eth1", netns=guest, switch="c", mtu=1400, vlan={"access": 30},
              addresses=["10.0.30.1/24"])
    wire = Wire(guest, "eth1")
    cable = lambda: host.vni(30)["cable"]
    reachable(guest, "10.0.30.9")
    wait_for("BFD of both", lambda: cable()["sent"] >= 3 and any(f[:6].hex(":") == OVS_BFD_MAC for f in wire.drain()))
    assert cable()["carrier"] == "silent" and cable()["received"] == cable()["changes"] == 0, cable()
    assert host.port("g30")["sees_carrier"] and pings(guest, "10.0.30.9", wait_s=10)
    assert "state=down" in lab.vsctl("get", "interface", "vx30", "bfd_status").replace('"', "")
    host.call("vni.set", **settings, liveness="on")
    wait_for("the carrier to go", lambda: not host.port("g30")["sees_carrier"])
    assert "has not answered yet" in cable()["detail"], cable()
    wire.close()


def open_vswitch(lab):
    peer_checks(lab, ovs_vtep, "20M")
    step(its_bfd_is_not_ours, lab, lab.hosts[1])


open_vswitch.lab = {"mtu": 9000}

if __name__ == "__main__":
    main([open_vswitch], needs=["ip", "ping", "iperf3", "ethtool", "ss", "ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl"])
