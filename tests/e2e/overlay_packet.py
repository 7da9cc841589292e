# SPDX-License-Identifier: BSD-3-Clause
"""
Packets made and taken apart by hand, a VTEP that follows a script instead of RFC 7348, and what wireshark's dissector says of packets.
Imported by tests/e2e/test_overlay_wire.py.
"""
import socket
import struct
import time
import xml.etree.ElementTree as ElementTree

from overlay_lab import inside, run

ETH_P_ALL, SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING, SO_RCVBUFFORCE = 3, 263, 8, 23, 33
AUXDATA, TP_STATUS_VLAN_VALID = "IIIHHHH", 0x10
IP4, IP6, ARP, TAG = 0x0800, 0x86dd, 0x0806, 0x8100
UDP, TCP, ICMP6 = 17, 6, 58
OTHER_PORT = 8472  # that a VTEP may listen on


def checksum(data, start=0):
    total = start + sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def address(text):
    return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)


def eth(dst, src, ethertype, payload, tags=()):
    tagged = b"".join(struct.pack("!HH", TAG, tci) for tci in tags)
    return mac(dst) + mac(src) + tagged + struct.pack("!H", ethertype) + payload


def l3(src, dst, protocol, payload, tos=0, flags=0x4000, ttl=64, wrong_checksum=0):
    """An IPv4 or IPv6 packet, as the addresses say."""
    if ":" in src:
        return struct.pack("!IHBB", 6 << 28 | tos << 20, len(payload), protocol, ttl) + address(src) + address(dst) + payload
    header = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(payload), 0, flags, ttl, protocol, 0) + address(src) + address(dst)
    return header[:10] + struct.pack("!H", checksum(header) ^ wrong_checksum) + header[12:] + payload


def pseudo(src, dst, protocol, length):
    return sum(struct.unpack(f"!{len(address(src))}H", address(src) + address(dst))) + protocol + length


def udp(src, dst, sport, dport, payload, zero=False, wrong_checksum=0, length=None):
    length = 8 + len(payload) if length is None else length
    header = struct.pack("!HHHH", sport, dport, length, 0)
    total = checksum(header + payload, pseudo(src, dst, UDP, length)) or 0xffff
    return header[:6] + struct.pack("!H", 0 if zero else total ^ wrong_checksum) + payload


def tcp_syn(src, dst, sport, dport):
    header = struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 5 << 4, 2, 1000, 0, 0)
    return header[:16] + struct.pack("!H", checksum(header, pseudo(src, dst, TCP, 20))) + header[18:]


def arp(op, src_mac, src, dst_mac, dst):
    """What ARP says, without Ethernet around it."""
    return struct.pack("!HHBBH", 1, IP4, 6, 4, op) + mac(src_mac) + address(src) + mac(dst_mac) + address(dst)


def arp_request(src_mac, src, dst, to="ff:ff:ff:ff:ff:ff"):
    return eth(to, src_mac, ARP, arp(1, src_mac, src, "00:00:00:00:00:00", dst))


def arp_reply(src_mac, src, dst_mac, dst):
    return eth(dst_mac, src_mac, ARP, arp(2, src_mac, src, dst_mac, dst))


def nd(kind, flags, target, option, src, dst):
    """A neighbour solicitation or advertisement in IPv6."""
    body = struct.pack("!BBHI", kind, 0, 0, flags << 24) + address(target) + option
    body = body[:2] + struct.pack("!H", checksum(body, pseudo(src, dst, ICMP6, len(body)))) + body[4:]
    return l3(src, dst, ICMP6, body, ttl=255)


def solicitation(src_mac, src, dst):
    last = address(dst)[-3:]
    group = socket.inet_ntop(socket.AF_INET6, address("ff02::1:ff00:0")[:13] + last)
    return eth("33:33:ff:" + last.hex(":"), src_mac, IP6, nd(135, 0, dst, b"\1\1" + mac(src_mac), src, group))


def advertisement(src_mac, src, dst_mac, dst, flags=0x60):
    return eth(dst_mac, src_mac, IP6, nd(136, flags, src, b"\2\1" + mac(src_mac), src, dst))


def datagram(dst_mac, src_mac, src, dst, payload=b"netloom", sport=4000, dport=9, tos=0, tags=()):
    return eth(dst_mac, src_mac, IP6 if ":" in src else IP4, l3(src, dst, UDP, udp(src, dst, sport, dport, payload), tos), tags)


class Wire:
    """All frames of one interface of a namespace, to see and to send."""

    def __init__(self, netns, ifname):
        with inside(netns):
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.sock.bind((ifname, 0))
        self.mac = self.sock.getsockname()[4].hex(":")

    def send(self, frame):
        self.sock.send(frame)

    def receive(self):
        """A frame, with the tag that the kernel takes out on the way."""
        frame, more, _, _ = self.sock.recvmsg(1 << 17, socket.CMSG_SPACE(struct.calcsize(AUXDATA)))
        for level, kind, data in more:
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                status, _, _, _, _, tci, tpid = struct.unpack(AUXDATA, data)
                if status & TP_STATUS_VLAN_VALID:
                    return frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
        return frame

    def seen(self, wanted, n=1, limit_s=10):
        """The first n frames for which wanted(frame) is true; fewer when the time is up."""
        found, end = [], time.monotonic() + limit_s
        while len(found) < n and time.monotonic() < end:
            self.sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                frame = self.receive()
            except (TimeoutError, BlockingIOError):
                break
            if wanted(frame):
                found.append(frame)
        return found

    def drain(self):
        """All that waits to be read."""
        frames = []
        self.sock.settimeout(0)
        while True:
            try:
                frames.append(self.receive())
            except BlockingIOError:
                return frames

    def close(self):
        self.sock.close()


class Outer:
    """The outer headers of a received packet and what is inside; None from parse() if it is not VXLAN."""

    @staticmethod
    def parse(frame):
        self = Outer()
        ethertype = struct.unpack("!H", frame[12:14])[0]
        self.dst_mac, self.src_mac = frame[:6].hex(":"), frame[6:12].hex(":")
        if ethertype == IP4 and frame[14] == 0x45 and frame[23] == UDP:
            off, self.tos, self.ttl = 34, frame[15], frame[22]
            self.df = bool(frame[20] & 0x40)
            self.src, self.dst = (socket.inet_ntop(socket.AF_INET, frame[a:a + 4]) for a in (26, 30))
        elif ethertype == IP6 and frame[20] == UDP:
            off, self.tos, self.ttl, self.df = 54, (struct.unpack("!H", frame[14:16])[0] >> 4) & 0xff, frame[21], True
            self.src, self.dst = (socket.inet_ntop(socket.AF_INET6, frame[a:a + 16]) for a in (22, 38))
        else:
            return None
        self.sport, dport, self.udp_len, self.udp_sum = struct.unpack("!HHHH", frame[off:off + 8])
        if dport not in (4789, OTHER_PORT) or len(frame) < off + 16:
            return None
        self.dport = dport
        self.flags, self.vni = struct.unpack("!II", frame[off + 8:off + 16])
        self.vni, self.reserved = self.vni >> 8, (self.vni & 0xff) | (self.flags & 0xf7ffffff)
        self.inner, self.frame = frame[off + 16:], frame
        return self


class Script:
    """A VTEP at 192.0.2.NUMBER and 2001:db8::NUMBER that sends and takes whatever the test says."""

    def __init__(self, lab, number, host):
        self.number, self.host = number, host
        netns = lab.netns(f"w{number}")
        lab.attach(netns, number, f"w{number}")
        self.wire = Wire(netns, "u0")
        self.ports = []
        for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            with inside(netns):  # so that its kernel complains about nothing
                sock = socket.socket(family, socket.SOCK_DGRAM)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((any_address, 4789))
            self.ports.append(sock)
        # The bridge does not pass everything that a script may want to send: straight into the host's cable
        self.cable = Wire(lab.fabric, f"h{host.number}")
        self.host_mac = Wire(host.netns, "u0").mac

    def outer(self, inner, vni=10010, v6=False, tos=0, flags=0x4000, word=0x08000000, low=0, dst=None, src=None, cut=None,
              zero=None, wrong_ip=0, wrong_udp=0, udp_more=0, ip_more=0, port=4789):
        """One packet to the host; the rest says what is wrong with it."""
        mine = src or (f"2001:db8::{self.number}" if v6 else f"192.0.2.{self.number}")
        theirs = dst or (f"2001:db8::{self.host.number}" if v6 else f"192.0.2.{self.host.number}")
        payload = struct.pack("!II", word, vni << 8 | low) + inner
        if cut is not None:
            payload = payload[:cut]
        body = udp(mine, theirs, 50000, port, payload, zero=not v6 if zero is None else zero, wrong_checksum=wrong_udp,
                   length=8 + len(payload) + udp_more)
        packet = l3(mine, theirs, UDP, body, tos=tos, flags=flags, wrong_checksum=wrong_ip)
        if ip_more and v6:
            packet = packet[:4] + struct.pack("!H", len(body) + ip_more) + packet[6:]
        elif ip_more:
            header = packet[:2] + struct.pack("!H", len(packet) + ip_more) + packet[4:10] + bytes(2) + packet[12:20]
            packet = header[:10] + struct.pack("!H", checksum(header)) + header[12:] + packet[20:]
        return eth(self.host_mac, self.wire.mac, IP6 if v6 else IP4, packet)

    def send(self, inner, **how):
        self.cable.send(self.outer(inner, **how))

    def got(self, wanted=lambda outer: True, n=1, limit_s=10):
        """Of what the host sent us."""
        found = self.wire.seen(lambda f: (lambda o: o is not None and wanted(o))(Outer.parse(f)), n, limit_s)
        return [Outer.parse(frame) for frame in found]


    def all(self, wanted):
        """What the host has sent us until now."""
        outers = [Outer.parse(frame) for frame in self.wire.drain()]
        return [o for o in outers if o is not None and wanted(o)]


def pcap_write(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("!IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 1 << 17, 1))
        for i, frame in enumerate(frames):
            file.write(struct.pack("!IIII", i, 0, len(frame), len(frame)) + frame)


# What stations say above UDP and TCP is theirs; dissectors must not guess at it
RAW = ("-d", "udp.port==9,data", "-d", "tcp.port==5201,data", "-d", "tcp.port==80,data")
CHECKS = [x for p in ("ip", "udp", "tcp") for x in ("-o", f"{p}.check_checksum:TRUE")]


def dissect(path):
    """What tshark makes of a file: per packet its layers, as (protocol, first byte, length, {field: [values as shown]})."""
    out = run("tshark", "-r", path, "-T", "pdml", *RAW, *CHECKS, "-o", "tcp.analyze_sequence_numbers:FALSE",
              "-o", "tcp.desegment_tcp_streams:FALSE").stdout
    packets = []
    for packet in ElementTree.fromstring(out[out.index("<?xml"):]):
        layers = []
        for proto in packet:
            fields = {}
            for field in proto.iter("field"):
                fields.setdefault(field.get("name"), []).append(field.get("show"))
            # What no dissector claims is a field without a layer
            where = proto if proto.get("pos") else next(f for f in proto.iter("field") if f.get("name") == "data.data")
            layers.append((proto.get("name"), int(where.get("pos")), int(where.get("size")), fields))
        packets.append(layers)
    return packets


def dissect_wrong(path):
    """The packets of a file that tshark finds something wrong with, one line each: quicker than to look at all that it says."""
    wrong = " || ".join(["_ws.malformed", *[f"{p}.checksum.status == 0" for p in ("ip", "udp", "tcp")], "!(vxlan.vni == 10010)"])
    out = run("tshark", "-r", path, *RAW, *CHECKS, "-Y", wrong).stdout
    return [line for line in out.splitlines() if not line.startswith("Running as")]


def assert_whole(layers, length):
    """The layers lie next to each other and cover every byte, and no checksum is wrong."""
    at = 0
    for name, pos, size, fields in layers:
        assert name != "_ws.malformed", layers
        for key, values in fields.items():
            assert not (key.endswith(".checksum.status") and "0" in values), f"{name}: {key} is bad: {layers}"
        if name in ("geninfo", "frame") or size == 0:
            continue
        assert pos == at, f"{name} begins at byte {pos}, not {at}: {[x[:3] for x in layers]}"
        at += size
    assert at == length, f"{length - at} bytes are nobody's: {[x[:3] for x in layers]}"
