#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# vm-runner on Open vSwitch with DPDK, ports of type dpdkvhostuserclient. OVS does not offer checksum offload as it
# comes, so this is also the test that a guest is offered what its switch has.
# Runs inside tests/nested/run, or on a host whose KVM runs kernels.
#
#   guest a ==vhost-user== OVS br0 ==vhost-user== guest b
#                   eth1: split rings, eth2: packed ones
# shares: the machine
# nested: --memory 2600 --cpus 3 --hugepages 200
# limit: 900
from vm_guests import Bench, OpenVswitch, step, wait

with Bench() as bench:
    switch = OpenVswitch(bench, [bench.socket(guest, nic) for nic in (1, 2) for guest in "ab"])
    nics = ["", ",packed=on"]
    a, b = bench.guest("a", nics), bench.guest("b", nics)
    a.up(), b.up()
    a.reaches("10.0.0.2")
    assert a.packed("eth2") and b.packed("eth2") and not a.packed()
    a.reaches("10.1.0.2")
    step("guests reach each other through OVS, on split rings and on packed ones")
    assert "tx-checksum-ip-generic: off [fixed]" in a.sh("ethtool -k eth1")
    assert a.nics()["eth1"]["refused"] == 0
    step("the guest was offered what OVS has")

    switch.process.kill()
    wait("the guests lose their carrier", lambda: not a.carrier() and not b.carrier())
    switch.start()
    a.reaches("10.0.0.2", 120)
    step("OVS was killed and restarted, pings went on")
    # It keeps no in-flight state: rings whose position nobody knows are left alone, and a new driver gets new ones.
    wait("the packed rings are refused to it", lambda: a.nics()["eth2"]["refused"] and b.nics()["eth2"]["refused"])
    assert not a.carrier("eth2") and "in-flight state" in a.process.log.read_text()
    for guest in (a, b):
        guest.sh("d=$(basename $(readlink -f /sys/class/net/eth2/device)); cd /sys/bus/virtio/drivers/virtio_net; "
                 "echo $d >unbind; echo $d >bind")
    wait("new drivers get carrier", lambda: all("1" in guest.sh("ip link set eth2 up; cat /sys/class/net/eth2/carrier", check=False)
                                                for guest in (a, b)), 120)
    step("packed rings came back with a new driver")
    assert a.power_off() == 0 and b.power_off() == 0
    step("both powered off")
