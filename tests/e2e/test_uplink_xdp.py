#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
An uplink on AF_XDP: the XDP program takes VXLAN for us and leaves the rest to the kernel.

    [guest]--tap--switch s, VLAN 10 = VNI 10010--netloomd--u0 192.0.2.1, XDP--+
                                                                             |
    [guest]--tap--switch s, VLAN 10 = VNI 10010--netloomd--u0 192.0.2.2, XDP--+-- br0 (the underlay)
                                                                             |
    [10.0.10.9]--kernel vxlan device-----------------------u0 192.0.2.9-------+

Exit status: 0 passed, 77 skipped (the kernel has no AF_XDP), else failed.
"""
import json
import os
import signal
import socket
import sys

from overlay_lab import SKIP, Host, ip, main, run, wait_for
from overlay_traffic import iperf, pings, reachable


def kernel_vtep(lab, number, remotes, ipv6=False):
    """The kernel's own VXLAN, which leaves checksums to a NIC that is not there."""
    netns = lab.netns(f"k{number}")
    lab.attach(netns, number, f"k{number}")
    mine = f"2001:db8::{number}" if ipv6 else f"192.0.2.{number}"
    ip(netns, f"link add vx0 type vxlan id 10010 local {mine} dstport 4789", f"address add 10.0.10.{number}/24 dev vx0",
       "link set vx0 mtu 1430 up")
    for n in remotes:
        run("bridge", "fdb", "append", "00:00:00:00:00:00", "dev", "vx0", "dst",
            f"2001:db8::{n}" if ipv6 else f"192.0.2.{n}", netns=netns)
    return netns


def uplink(host):
    return host.call("uplink.list")["uplinks"][0]


def xdp_on(host):
    return "xdp" in json.loads(run("ip", "-j", "link", "show", "u0", netns=host.netns).stdout)[0]


def with_xdp(host, *peers, **more):
    host.peers(*peers, **more)
    host.call("uplink.set", name="up", ifname="u0", mode="af_xdp",
              local=[f"192.0.2.{host.number}", f"2001:db8::{host.number}"])
    wait_for("AF_XDP", lambda: uplink(host)["io"] == "af_xdp" and uplink(host)["running"])


def the_kernels_packets_pass_and_vxlan_is_ours(lab, ipv6=False):
    a = lab.host(1)
    kernel = kernel_vtep(lab, 9, [1], ipv6)
    with_xdp(a, 9, ipv6=ipv6)
    assert xdp_on(a)
    guest = a.guest("g", 10, mtu=1430)
    reachable(guest, "10.0.10.9")
    assert pings(kernel, "10.0.10.1", 3)
    assert pings(a.netns, "192.0.2.9") and pings(a.netns, "2001:db8::9")
    print(f"   {uplink(a)['io_detail']}; TCP to the kernel {iperf(lab, kernel, guest, '10.0.10.9'):.2f} Gb/s, "
          f"from it {iperf(lab, guest, kernel, '10.0.10.1'):.2f} Gb/s")
    assert not [d for d in a.drops() if "checksum" in d], a.drops()


def the_same_over_ipv6(lab):
    the_kernels_packets_pass_and_vxlan_is_ours(lab, ipv6=True)


def two_netloomds(lab):
    a, b = lab.host(1), lab.host(2)
    with_xdp(a, 2)
    with_xdp(b, 1)
    g1, g2 = a.guest("g", 10), b.guest("g", 10)
    reachable(g1, "10.0.10.2")
    print(f"   TCP {iperf(lab, g2, g1, '10.0.10.2'):.2f} Gb/s")


class Second(Host):
    """One more netloomd in the namespace of another."""

    def __init__(self, first):
        self.lab, self.number, self.netns = first.lab, first.number + 100, first.netns
        self.guests, self.ports = {}, {}
        self.dir = first.dir + "-second"
        os.mkdir(self.dir)
        self.socket = os.path.join(self.dir, "netloomd.sock")
        self.start()


def two_daemons_on_one_interface(lab):
    a = lab.host(1)
    with_xdp(a, 2)
    b = Second(a)
    said = b.refused("uplink.set", name="up", ifname="u0", local=["192.0.2.1"])
    assert "in use" in said, said
    # with an address of its own it may share the interface, but there is one XDP program
    b.call("uplink.set", name="up", ifname="u0", mode="af_xdp", local=["192.0.2.101"])
    wait_for("the reason", lambda: "auto" in uplink(b)["detail"])
    assert not uplink(b)["running"], uplink(b)
    b.call("uplink.set", name="up", ifname="u0", mode="auto", local=["192.0.2.101"])
    wait_for("the packet socket", lambda: uplink(b)["running"])
    assert uplink(b)["io"] == "af_packet" and uplink(b)["io_detail"], uplink(b)
    assert uplink(a)["io"] == "af_xdp" and uplink(a)["running"], uplink(a)


def what_happens_to_the_interface(lab):
    a, b = lab.host(1), lab.host(2)
    with_xdp(a, 2)
    b.peers(1)
    g1, _ = a.guest("g", 10), b.guest("g", 10)
    reachable(g1, "10.0.10.2")

    run("ip", "link", "set", "u0", "down", netns=a.netns)
    wait_for("down to be said", lambda: "is down" in uplink(a)["detail"])
    run("ip", "link", "set", "u0", "up", netns=a.netns)
    reachable(g1, "10.0.10.2")
    assert uplink(a)["io"] == "af_xdp", uplink(a)

    run("ip", "link", "set", "u0", "address", "02:00:00:00:99:01", netns=a.netns)
    run("ip", "link", "set", "u0", "mtu", "2000", netns=a.netns)
    wait_for("the new MTU", lambda: a.vtep("h2")["mtu"] == 2000)
    reachable(g1, "10.0.10.2")
    assert uplink(a)["io"] == "af_xdp" and xdp_on(a), uplink(a)

    run("ip", "link", "set", "u0", "down", netns=a.netns)
    run("ip", "link", "set", "u0", "name", "other", netns=a.netns)
    wait_for("a renamed interface to be missed", lambda: "no interface u0" in uplink(a)["detail"])
    run("ip", "link", "set", "other", "name", "u0", netns=a.netns)
    run("ip", "link", "set", "u0", "up", netns=a.netns)
    run("ip", "address", "replace", "192.0.2.1/24", "dev", "u0", netns=a.netns)
    reachable(g1, "10.0.10.2")

    run("ip", "link", "delete", "u0", netns=a.netns)
    wait_for("the deletion to be said", lambda: "no interface u0" in uplink(a)["detail"])
    lab.attach(a.netns, 1, "h1")
    reachable(g1, "10.0.10.2")
    wait_for("AF_XDP again", lambda: uplink(a)["io"] == "af_xdp" and xdp_on(a))


def killed_daemon_leaves_no_program(lab):
    a = lab.host(1)
    with_xdp(a, 2)
    assert xdp_on(a)
    a.daemon.send_signal(signal.SIGKILL)
    a.daemon.wait()
    wait_for("the program to be gone", lambda: not xdp_on(a))
    a.start()
    wait_for("AF_XDP from the saved state", lambda: uplink(a)["io"] == "af_xdp" and uplink(a)["running"])


def mode_is_chosen_and_said(lab):
    a = lab.host(1)
    a.peers(2)
    wait_for("the uplink", lambda: uplink(a)["running"])
    assert uplink(a)["io"] == "af_packet" and "without hardware" in uplink(a)["io_detail"], uplink(a)
    assert not xdp_on(a)
    said = a.refused("uplink.set", name="up", ifname="u0", mode="xdp", local=["192.0.2.1"])
    assert "af_xdp" in said, said


def kernel_has_af_xdp():
    try:
        socket.socket(44, socket.SOCK_RAW).close()  # AF_XDP
    except OSError as error:
        return str(error)
    return None


if __name__ == "__main__":
    missing = kernel_has_af_xdp()
    if missing:
        print(f"skipped: no AF_XDP: {missing}")
        sys.exit(SKIP)
    main([the_kernels_packets_pass_and_vxlan_is_ours, the_same_over_ipv6, two_netloomds,
          two_daemons_on_one_interface, what_happens_to_the_interface, killed_daemon_leaves_no_program,
          mode_is_chosen_and_said], needs=["ip", "ping", "iperf3"])
