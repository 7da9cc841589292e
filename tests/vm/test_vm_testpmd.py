#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# vm-runner on a switch that is not ours: dpdk-testpmd's net_vhost as vhost-user client, which joins its two ports.
# Two queue pairs. Runs inside tests/nested/run, or on a host whose KVM runs kernels.
#
#   guest a ==2 queue pairs== testpmd (io) ==2 queue pairs== guest b
#   10.0.0.1                                                 10.0.0.2
# shares: the machine
# nested: --memory 3000 --cpus 3
# limit: 900
from vm_guests import Bench, Testpmd, step, wait

with Bench() as bench:
    switch = Testpmd(bench, [bench.socket("a"), bench.socket("b")], queues=2)
    a = bench.guest("a", nics=[",queues=2"], cpus=2)
    b = bench.guest("b", nics=[",queues=2"], cpus=2)
    a.up(), b.up()
    a.reaches("10.0.0.2")
    assert a.nics()["eth1"]["active_queues"] == 2
    step("guests reach each other on two queue pairs")

    a.sh("ethtool -L eth1 combined 1")
    wait("one pair is in use", lambda: a.nics()["eth1"]["active_queues"] == 1)
    a.reaches("10.0.0.2")
    a.sh("ethtool -L eth1 combined 2")
    wait("two pairs are in use", lambda: a.nics()["eth1"]["active_queues"] == 2)
    a.reaches("10.0.0.2")
    assert "Invalid" in a.sh("ethtool -L eth1 combined 3 2>&1", check=False)
    step("queue pairs were taken away and given back")

    switch.process.kill()
    wait("the guests lose their carrier", lambda: not a.carrier() and not b.carrier())
    switch.start()
    a.reaches("10.0.0.2", 120)
    step("testpmd was killed and restarted, pings went on")

    b.sh("iperf3 -s -D")
    out = wait("iperf3", lambda: a.sh("iperf3 -c 10.0.0.2 -t 3 -f m", check=False))
    assert "receiver" in out, out
    step("iperf3: " + [line for line in out.splitlines() if "receiver" in line][0].strip())
    assert a.power_off() == 0 and b.power_off() == 0
    step("both powered off")
