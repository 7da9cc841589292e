#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# vm-runner on Open vSwitch with DPDK, ports of type dpdkvhostuserclient. OVS does not offer checksum offload as it
# comes, so this is also the test that a guest is offered what its switch has.
# Runs inside tests/nested/run, or on a host whose KVM runs kernels.
#
#   guest a --vhost-user-- OVS br0 --vhost-user-- guest b
# shares: the machine
# nested: --memory 2600 --cpus 3 --hugepages 200
# limit: 900
from vm_guests import Bench, OpenVswitch, step, wait

with Bench() as bench:
    switch = OpenVswitch(bench, [bench.socket("a"), bench.socket("b")])
    a, b = bench.guest("a"), bench.guest("b")
    a.up(), b.up()
    a.reaches("10.0.0.2")
    step("guests reach each other through OVS")
    assert "tx-checksum-ip-generic: off [fixed]" in a.sh("ethtool -k eth1")
    assert a.nics()["eth1"]["refused"] == 0
    step("the guest was offered what OVS has")

    switch.process.kill()
    wait("the guests lose their carrier", lambda: not a.carrier() and not b.carrier())
    switch.start()
    a.reaches("10.0.0.2", 120)
    step("OVS was killed and restarted, pings went on")
    assert a.power_off() == 0 and b.power_off() == 0
    step("both powered off")
