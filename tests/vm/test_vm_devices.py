#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# One guest with everything vm-runner can plug in. Runs inside tests/nested/run, or on a host whose KVM runs kernels.
#
#   guest: 32 network cards, no switch at first      disk0 (raw, writable), disk1 (raw, read-only)
#          random numbers, a port by name            console (two clients), agent
#
# It boots without a carrier and gets one when a switch comes; a driver is taken off and put on again; disks keep what
# is written and refuse what must not be; console and ports carry bytes.
# shares: the machine
# nested: --memory 2500 --cpus 3
# limit: 600
import hashlib
import os
import socket

from vm_guests import Bench, Netloomd, step, wait

N_NICS = 32


def client(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(60)
    sock.connect(str(path))
    return sock


def read_until(sock, text):
    got = b""
    while text not in got:
        piece = sock.recv(4096)
        assert piece, f"hung up after {got!r}"
        got += piece
    return got


with Bench() as bench:
    disk0, disk1 = bench.folder / "disk0.raw", bench.folder / "disk1.raw"
    disk0.write_bytes(bytes(8 << 20))
    disk1.write_bytes(os.urandom(1 << 20))
    before = disk1.read_bytes()
    a = bench.guest("a", nics=[""] * N_NICS, memory="384M", cpus=2, extra=[
        "--disk", f"file={disk0},id=first", "--disk", f"file={disk1},readonly=on,id=second",
        "--port", "name=test.port,socket=a.port"])
    a.up()
    cards = a.sh("ls /sys/class/net").split()
    assert all(f"eth{i}" in cards for i in range(1, N_NICS + 1)), cards
    assert not a.carrier() and not a.carrier(f"eth{N_NICS}")
    step(f"the guest has {N_NICS} cards and no carrier")

    switch = Netloomd(bench, [bench.socket("a", 1), bench.socket("a", N_NICS)])
    wait("the carriers come", lambda: a.carrier() and a.carrier(f"eth{N_NICS}"))
    assert not a.carrier("eth2")
    step("a switch brings the carrier of the cards it serves")

    arp = ("ip netns add far; ip link set eth32 netns far; ip netns exec far ip addr add 10.0.0.99/24 dev eth32; "
           "ip netns exec far ip link set eth32 up")
    a.sh(arp)
    a.reaches("10.0.0.99")
    device = a.sh("basename $(readlink -f /sys/class/net/eth1/device)").strip()
    a.sh(f"echo {device} >/sys/bus/virtio/drivers/virtio_net/unbind")
    wait("the rings are back", lambda: not a.nics()["eth1"]["running"])
    a.sh(f"echo {device} >/sys/bus/virtio/drivers/virtio_net/bind; n=$(ls /sys/bus/virtio/devices/{device}/net); "
         "ip link set $n name eth1; ip addr add 10.0.0.1/24 dev eth1; ip link set eth1 up")
    a.reaches("10.0.0.99")
    step("a driver was taken off its card and put on again under a running switch")

    names = a.sh("for d in vda vdb; do cat /sys/block/$d/serial; echo; done").split()
    assert names == ["first", "second"], names
    sums = a.sh("dd if=/dev/urandom of=/dev/vda bs=64k count=128 conv=fsync 2>/dev/null; "
                "echo 3 >/proc/sys/vm/drop_caches; md5sum </dev/vda; md5sum </dev/vdb").split()
    assert sums[0] == hashlib.md5(disk0.read_bytes()).hexdigest(), "disk0 is not what the guest wrote"
    assert sums[2] == hashlib.md5(before).hexdigest(), "the guest reads something else from disk1"
    refused = a.sh("cat /sys/block/vdb/ro; dd if=/dev/zero of=/dev/vdb bs=512 count=1 conv=fsync 2>&1", check=False)
    assert refused.startswith("1") and "not permitted" in refused, refused
    assert disk1.read_bytes() == before
    step("disks keep what is written, the read-only one is")

    assert len(set(a.sh("for i in 1 2 3; do head -c 16 /dev/hwrng | md5sum; done").split())) == 4
    step("random numbers come")

    port = client(bench.folder / "a.port")
    name = a.sh("grep -l test.port /sys/class/virtio-ports/*/name | cut -d/ -f5").strip()
    a.sh(f"(read line; echo \"got $line\") </dev/{name} >/tmp/port.out 2>&1 & echo started")
    port.sendall(b"hello port\n")
    wait("the guest has read its port", lambda: "got hello port" in a.sh("cat /tmp/port.out", check=False))
    a.sh(f"echo answer >/dev/{name}")
    assert read_until(port, b"answer")
    step("a named port carries bytes both ways")

    first = client(bench.folder / "a.console")
    first.sendall(b"\necho con$((40+2))sole\n")
    read_until(first, b"con42sole")
    second = client(bench.folder / "a.console")
    read_until(first, b"taken this console over")
    second.sendall(b"\necho con$((40+3))sole\n")
    read_until(second, b"con43sole")
    assert "con43sole" in (bench.folder / "a.screen").read_text(errors="replace")
    step("the console answers, a newer client takes it over, and all is in the log")

    slow = client(bench.folder / "a.console")  # never reads from now on
    a.sh("timeout 20 dd if=/dev/zero bs=64k count=8 2>/dev/null | tr '\\0' x >/dev/hvc0")
    step("a console client that does not read stops nobody")

    assert a.power_off() == 0
    step("powered off")
