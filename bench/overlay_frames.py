# SPDX-License-Identifier: BSD-3-Clause
"""
The frames of bench/overlay as capture files: UDP over IPv4, and the same inside VXLAN. A flow has its own source address and port inside, and
the UDP source port outside that a VTEP would have given it. Sizes count the FCS, which is not in the file. Several VNIs: their
VLAN's tag is on the frames that are to be encapsulated, and none is inside VXLAN. See bench/vtep/world.h for who is where.
"""
import random
import struct

VNI, VNIS_PER_SWITCH = 10010, 2048
STATION = 0x0200000B0000
SENDER = bytes.fromhex("02000000000a")
FRAMES_MIN = 64  # a burst and more, also of one flow


def ipv4(source, destination, payload):
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + 8 + len(payload[8:]), 0, 0x4000, 64, 17, 0, source, destination)
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack(">H", ~total & 0xFFFF) + head[12:] + payload


def udp(source, destination, payload):
    return struct.pack(">HHHH", source, destination, 8 + len(payload), 0) + payload


def inner(station, flow, size, vlan=None):
    tag = b"" if vlan is None else struct.pack(">HH", 0x8100, vlan)
    source = bytes((10, 0, flow // 250 % 250, 1 + flow % 250))
    packet = ipv4(source, bytes((10, 1, 0, 1)), udp(1024 + flow % 50000, 9, bytes(size - 4 - 14 - 20 - 8)))
    return (STATION + station).to_bytes(6, "big") + SENDER + tag + b"\x08\x00" + packet


def outer(frame, flow, vni):
    head = struct.pack(">II", 0x08000000, vni << 8)
    packet = ipv4(bytes((192, 0, 2, 2)), bytes((192, 0, 2, 1)), udp(49152 + flow % 16384, 4789, head + frame))
    return bytes.fromhex("020000000101" "020000000202" "0800") + packet


def write(path, frames):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            out.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def write_flows(path, kind, size, n_flows):
    """One station in one VNI; @kind encap or plain: frames, decap: packets."""
    flows = [i % n_flows for i in range(max(n_flows, FRAMES_MIN))]
    frames = [inner(0, flow, size) for flow in flows]
    if kind == "decap":
        frames = [outer(frame, flow, VNI) for frame, flow in zip(frames, flows)]
    write(path, frames)


def write_many(path, kind, size, n_vnis, n_macs, n_frames):
    """Stations of many VNIs, at random. Return: the files, one for each switch with encap, else one."""
    draw = random.Random(1)
    stations = [draw.randrange(n_macs) for _ in range(n_frames)]
    if kind == "decap":
        write(path, [outer(inner(m, m, size), m, VNI + m % n_vnis) for m in stations])
        return [path]
    n_switches = (n_vnis + VNIS_PER_SWITCH - 1) // VNIS_PER_SWITCH
    paths = [f"{path}.{sw}" for sw in range(n_switches)]
    for sw, name in enumerate(paths):
        mine = [m for m in stations if m % n_vnis // VNIS_PER_SWITCH == sw]
        write(name, [inner(m, m, size, 1 + m % n_vnis % VNIS_PER_SWITCH if n_vnis > 1 else None) for m in mine])
    return paths
