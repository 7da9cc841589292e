#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
A wire passes every frame, byte for byte, both ways, good and delayed: control protocols that switches eat, frames that are
too short, too long, tagged twice, or simply wrong.

    [front-end a, scripted]--a.sock--wire--b.sock--[front-end b, scripted]      up to 2 KiB, from one byte on
    [namespace a: eth1]-----tap a----wire--tap b----[namespace b: eth1]         jumbo frames

Exit status: 0 passed, 77 skipped, else failed.
"""
import os
import random
import sys

from link_lab import LIMIT_S, LinkLab, mac
from vhost_script import FrontEnd

RESERVED = bytes.fromhex("0180c20000")
A = mac(1)


def llc(payload):
    return len(payload).to_bytes(2, "big") + payload


def reserved(last, rest):
    return RESERVED + bytes([last]) + A + rest


def ip4(total_length, proto=17, version=0x45, checksum=0):
    return bytes([version, 0]) + total_length.to_bytes(2, "big") + bytes([0, 1, 0, 0, 64, proto]) + \
        checksum.to_bytes(2, "big") + bytes([10, 0, 0, 1, 10, 0, 0, 2])


def pad(frame, size=60):
    return frame + bytes(max(0, size - len(frame)))


CONTROL = {
    "STP": pad(reserved(0, llc(b"\x42\x42\x03" + bytes(35)))),
    "RSTP": pad(reserved(0, llc(b"\x42\x42\x03\x00\x00\x02\x02\x7c" + bytes(31)))),
    "MSTP": reserved(0, llc(b"\x42\x42\x03\x00\x00\x03\x02\x7c" + bytes(113))),
    "PAUSE": pad(reserved(1, b"\x88\x08\x00\x01\xff\xff")),
    "PFC": pad(reserved(1, b"\x88\x08\x01\x01\x00\xff" + bytes(16))),
    "LACP": pad(reserved(2, b"\x88\x09\x01\x01\x01\x14" + bytes(104)), 124),
    "OAM": pad(reserved(2, b"\x88\x09\x03\x00\x50\x00")),
    "802.1X": pad(reserved(3, b"\x88\x8e\x02\x01\x00\x00")),
    "MACsec key agreement": pad(reserved(3, b"\x88\x8e\x03\x05\x00\x20" + bytes(32))),
    "provider bridge STP": pad(reserved(8, llc(b"\x42\x42\x03" + bytes(35)))),
    "MVRP": pad(RESERVED + b"\x21" + A + b"\x88\xf5" + bytes(20)),
    "LLDP": pad(reserved(14, b"\x88\xcc\x02\x07\x04" + A + b"\x04\x03\x07p1\x06\x02\x00x\x00\x00")),
    "CDP": pad(bytes.fromhex("01000ccccccc") + A + llc(bytes.fromhex("aaaa0300000c2000") + bytes(30))),
    "PVST+": pad(bytes.fromhex("01000ccccccd") + A + b"\x81\x00\x00\x0a" + llc(bytes.fromhex("aaaa0300000c010b") + bytes(36))),
    "UDLD": pad(bytes.fromhex("01000ccccccc") + A + llc(bytes.fromhex("aaaa0300000c0111") + bytes(20))),
    **{f"reserved {x:x}": pad(reserved(x, b"\x88\xb5")) for x in range(16)},
}
TAGGED = {
    "VLAN": pad(mac(2) + A + b"\x81\x00\xe0\x0a\x88\xb5"),
    "VLAN 0": pad(mac(2) + A + b"\x81\x00\xe0\x00\x88\xb5"),
    "VLAN 4095": pad(mac(2) + A + b"\x81\x00\xff\xff\x88\xb5"),
    "QinQ": pad(mac(2) + A + b"\x88\xa8\x00\x64\x81\x00\x00\x0a\x88\xb5"),
    "QinQ, old": pad(mac(2) + A + b"\x91\x00\x00\x64\x81\x00\x00\x0a\x88\xb5"),
    "three tags": pad(mac(2) + A + b"\x88\xa8\x00\x01\x81\x00\x00\x02\x81\x00\x00\x03\x88\xb5"),
    "MPLS": pad(mac(2) + A + b"\x88\x47\x00\x01\x01\x40"),
    "PTP": pad(bytes.fromhex("011b19000000") + A + b"\x88\xf7\x00\x02"),
}
MALFORMED = {
    "no address at all": bytes(60),
    "from everybody": pad(b"\xff" * 12 + b"\x88\xb5"),
    "from a group": pad(mac(2) + b"\x01\x00\x5e\x00\x00\x01" + b"\x08\x00"),
    "to itself": pad(A + A + b"\x88\xb5"),
    "length that lies": pad(mac(2) + A + b"\x05\xdc"),
    "type between": pad(mac(2) + A + b"\x05\xf0"),
    "tag cut short": mac(2) + A + b"\x81\x00",
    "tag cut in the middle": mac(2) + A + b"\x81\x00\x00",
    "second tag cut short": mac(2) + A + b"\x88\xa8\x00\x01\x81\x00",
    "IP longer than the frame": pad(mac(2) + A + b"\x08\x00" + ip4(9000)),
    "IP shorter than its header": pad(mac(2) + A + b"\x08\x00" + ip4(3)),
    "IP of version 9": pad(mac(2) + A + b"\x08\x00" + ip4(46, version=0x95)),
    "IP header of 60 in 46": pad(mac(2) + A + b"\x08\x00" + ip4(46, version=0x4f)),
    "IP with a wrong checksum": pad(mac(2) + A + b"\x08\x00" + ip4(46, checksum=0xdead)),
    "IPv6 of nothing": pad(mac(2) + A + b"\x86\xdd\x60"),
    "IPv6 with headers without end": mac(2) + A + b"\x86\xdd" + b"\x60" + bytes(5) + b"\x00\x40" + bytes(32) +
                                     b"\x00\x00" * 100,
    "TCP of three bytes": pad(mac(2) + A + b"\x08\x00" + ip4(23, proto=6) + b"abc"),
    "ARP with long addresses": pad(mac(2) + A + b"\x08\x06\x00\x01\x08\x00\xff\xff\x00\x01"),
}


def runts(least):
    return {f"{n} bytes": os.urandom(n) for n in (*range(least, 20), 59, 61)}


def noise():
    dice = random.Random(7)
    return {f"noise {n}": dice.randbytes(dice.randrange(14, 1514)) for n in range(100)}


def exchange(lab, a, b, frames, wanted):
    """Each frame one way and the other."""
    for sender, receiver in ((a, b), (b, a)):
        for name, whole in frames.items():
            sender.transmit(whole)
            got = lab.wait_for(f"{name}, {len(whole)} bytes", lambda r=receiver: r.take(wanted), pause=0.0005)
            assert got == whole, f"{name}: sent {whole.hex()}, got {got.hex()}"


class ScriptedEnd(FrontEnd):
    def take(self, _):
        frames = self.received()
        assert len(frames) <= 1, frames
        return frames[0] if frames else None


class TapEnd:
    def __init__(self, sock):
        self.sock = sock

    def transmit(self, frame):
        self.sock.send(frame)

    def take(self, wanted):
        got = self.sock.receive(0, wanted)
        return got[0] if got else None


def test_scripted(lab):
    ports = [{"name": n, "type": "vhost-user", "socket": os.path.join(lab.dir, n + ".sock"), "server": True, "wire": p,
              "mtu": 9000} for n, p in (("a", "b"), ("b", "a"))]
    lab.call("apply", owner="lab", switches=[], ports=ports)
    ends = [ScriptedEnd(os.path.join(lab.dir, n + ".sock"), limit=LIMIT_S) for n in "ab"]
    try:
        for end, name in zip(ends, "ab"):
            assert end.start() == 0
            lab.wait_for(f"{name} running", lambda n=name: lab.port(n)["running"])
        for impair in (None, {"delay_us": 1000}, {"rate_kbps": 100000}):
            lab.call("port.impair", ports=[{"name": "a", "in": impair}, {"name": "b", "in": impair}])
            for frames in (CONTROL, TAGGED, MALFORMED, runts(1), noise()):
                exchange(lab, *ends, frames, None)
            for name in "ab":
                assert lab.port(name)["drops"] == {}, lab.port(name)["drops"]
    finally:
        for end in ends:
            end.close()


def test_taps(lab):
    a, b = (TapEnd(sock) for sock in lab.wire(mtu=9000))
    jumbo = {f"jumbo of {n}": mac(2) + A + b"\x88\xb5" + os.urandom(n - 14) for n in (1515, 2000, 4096, 9014)}
    jumbo["jumbo with two tags"] = mac(2) + A + b"\x81\x00\x00\x01\x81\x00\x00\x02\x88\xb5" + os.urandom(8996)
    for impair in (None, {"delay_us": 1000}):
        lab.call("port.impair", ports=[{"name": "a", "in": impair}, {"name": "b", "in": impair}])
        sent = set()

        def wanted(frame):
            return frame in sent

        for frames in (CONTROL, TAGGED, runts(14), jumbo):
            sent.update(frames.values())
            exchange(lab, a, b, frames, wanted)


def main():
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        print("skipped: TAP interfaces and namespaces need root and /dev/net/tun")
        return 77
    lab = LinkLab()
    try:
        for test in (test_scripted, test_taps):
            print(test.__name__, flush=True)
            test(lab)
    finally:
        lab.close()
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
