#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# Two guests in vm-runner on one netloomd. Runs inside tests/nested/run, or on a host whose KVM runs kernels.
#
#   guest a --vhost-user-- netloomd --vhost-user-- guest b
#   10.0.0.1, split rings   (VLAN 1)                10.0.0.2, packed rings
#
# A switch killed under ping comes back within 5 s without a guest touched, whatever the layout of its rings; a cable pulled is seen; TCP with
# segmentation offload on, and off on one side, carries its bytes unharmed; a guest killed under traffic leaves the
# switch and a newcomer on its socket alone.
# nested: --memory 3000 --cpus 3
# limit: 900
import time

from vm_guests import Bench, Netloomd, rpc, step, wait

MEGABYTES = 16


def transfer(a, b):
    """Bytes from a to b over TCP; both sides hash them."""
    sent = a.sh(f"mkdir -p /tmp/www; dd if=/dev/urandom of=/tmp/www/data bs=64k count={MEGABYTES * 16} 2>/dev/null; "
                "md5sum </tmp/www/data; netstat -tln | grep -q :80 || httpd -p 80 -h /tmp/www")
    got = b.sh("wget -q -O - http://10.0.0.1/data | md5sum")
    assert got == sent, "the payload was changed on its way"


def frame_bytes(switch, before=None):
    """Average length of what port p0 sent into the switch since before."""
    rx = rpc(switch.socket, "port.list")["ports"][0]["rx"]
    if before:
        return (rx["bytes"] - before["bytes"]) / (rx["pkts"] - before["pkts"])
    return rx


with Bench() as bench:
    switch = Netloomd(bench, [bench.socket("a"), bench.socket("b")])
    a, b = bench.guest("a", memory="256M"), bench.guest("b", nics=[",packed=on"], memory="256M")
    a.up(), b.up()
    a.reaches("10.0.0.2")
    assert b.packed() and not a.packed()
    assert [port["packed"] for port in rpc(switch.socket, "port.list")["ports"]] == [False, True]
    step("guests reach each other, one with packed rings")

    before = frame_bytes(switch)
    transfer(a, b)
    large = frame_bytes(switch, before)
    assert large > 3000, f"frames of {large:.0f} bytes on average: segmentation offload is not at work"
    b.sh("ethtool -K eth1 gro off rx-gro-hw off rx off")
    a.sh("ethtool -K eth1 tso off gso off")
    a.reaches("10.0.0.2")
    before = frame_bytes(switch)
    transfer(a, b)
    small = frame_bytes(switch, before)
    assert small < 1600, f"frames of {small:.0f} bytes on average with segmentation offload off"
    a.sh("ethtool -K eth1 tso on gso on")
    transfer(a, b)
    step(f"TCP is carried unharmed, in frames of {large:.0f} and {small:.0f} bytes on average")

    a.sh("ping -i 0.2 10.0.0.2 >/tmp/ping 2>&1 &")
    for _ in range(2):
        switch.process.kill()
        wait("the guest loses its carrier", lambda: not a.carrier())
        start = time.monotonic()
        switch.start()
        took = a.reaches("10.0.0.2")
        assert time.monotonic() - start < 15, "no ping after the switch came back"
        step(f"the switch was killed and restarted, pings went on {took:.1f} s after it answered")
    assert a.nics()["eth1"]["connects"] == b.nics()["eth1"]["connects"] == 3
    transfer(a, b)
    a.sh("killall ping")

    rpc(a.control, "nic.link", id="eth1", up=False)
    wait("a sees its cable pulled", lambda: not a.carrier())
    assert b.carrier()
    rpc(a.control, "nic.link", id="eth1", up=True)
    wait("a sees its cable back", a.carrier)
    a.reaches("10.0.0.2")
    step("a pulled cable is seen by its guest only")

    b.sh("ping -i 0.01 10.0.0.1 >/dev/null 2>&1 &")
    b.process.kill()
    wait("the switch notices", lambda: not rpc(switch.socket, "port.list")["ports"][1]["connected"])
    assert switch.process.alive() and a.carrier()
    b = bench.guest("b", memory="256M")  # a third address on the same socket
    b.up()
    a.reaches(f"10.0.0.{b.number}")
    step("a guest killed under traffic was replaced on its socket")

    assert a.power_off() == 0 and b.power_off() == 0
    step("both powered off")
