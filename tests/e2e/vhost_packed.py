# SPDX-License-Identifier: BSD-3-Clause
"""Front-ends as in vhost_script.py whose rings outlive the switch: with in-flight memory, split and packed.

Packed, the three parts of a ring are descriptors, the driver's event area, and the device's; the buffers are the same.
"""

import ctypes
import os
import socket
import struct

from vhost_script import BUFFER, F_RING_PACKED, RX, SIZE, TX, VNET, FrontEnd

AVAIL, USED, WRITE = 1 << 7, 1 << 15, 2


class LastingFrontEnd(FrontEnd):
    """Connects again when the switch was killed, with the rings as they are."""

    def __init__(self, path, **kwargs):
        super().__init__(path, **kwargs)
        self.path = path
        self.inflight = None  # bytes, offset, fd
        self.acked = 0  # transmit buffers that came back

    def close(self):
        super().close()
        if self.inflight:
            os.close(self.inflight[2])

    def start_lasting(self):
        """Give the rings to a switch that has connected; the first one makes the in-flight memory, the others get it."""
        first = self.inflight is None
        self.negotiate()
        self.set_memory()
        if first:
            self.inflight = self.get_inflight(2, SIZE)
        if self.set_inflight(*self.inflight[:2], 2, SIZE, [self.inflight[2]]) != 0:
            raise OSError("the in-flight memory was refused")
        for ring in (RX, TX):
            if self.set_ring(ring) is None:
                raise OSError(f"ring {ring} was refused")
        if first:
            for _ in range(SIZE):
                self.offer(RX)

    def connect(self):
        self.sock.close()
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(self.path)

    def room(self):
        """How many frames can be transmitted now; looks at what came back."""
        self.collect_sent()
        return SIZE - (self.next[TX] - self.acked)

    def collect_sent(self):
        used = self.load16(0x6000 + 2)
        while self.acked & 0xffff != used:
            index, = struct.unpack_from("<I", self.memory, 0x6000 + 4 + 8 * (self.acked % SIZE))
            if index != self.acked % SIZE:
                raise OSError(f"transmit buffer {index} came back instead of {self.acked % SIZE}")
            self.acked += 1


class PackedFrontEnd(LastingFrontEnd):
    F_RING = 1 << F_RING_PACKED

    def base(self, ring):
        return 0x8000  # only right at the first start: the in-flight memory says the rest

    def offer(self, ring, frame=None, address=None):
        index, lap = self.next[ring] % SIZE, self.next[ring] // SIZE
        at = self.buffer(ring, index)
        length = BUFFER if frame is None else VNET + len(frame)
        if frame is not None:
            self.memory[at:at + length] = bytes(VNET) + frame
        flags = (WRITE if ring == RX else 0) | (AVAIL if lap % 2 == 0 else USED)
        where = 0x4000 * ring + 16 * index
        struct.pack_into("<Q", self.memory, where, at)
        ctypes.c_uint64.from_buffer(self.memory, where + 8).value = length | index << 32 | flags << 48
        self.next[ring] += 1

    def used(self, ring, position):
        """(id, length) of the buffer at @position if it was given back, else None."""
        lap = position // SIZE
        word = ctypes.c_uint64.from_buffer(self.memory, 0x4000 * ring + 16 * (position % SIZE) + 8).value
        if (word >> 48) & (AVAIL | USED) != (AVAIL | USED if lap % 2 == 0 else 0):
            return None
        number = word >> 32 & 0xffff
        if number != position % SIZE:
            raise OSError(f"buffer {number} came back instead of {position % SIZE}")
        return number, word & 0xffffffff

    def received(self):
        frames = []
        while self.seen[RX] < self.next[RX]:
            got = self.used(RX, self.seen[RX])
            if got is None:
                break
            at = self.buffer(RX, got[0])
            frames.append(self.memory[at + VNET:at + got[1]])
            self.seen[RX] += 1
            self.offer(RX)
        return frames

    def collect_sent(self):
        while self.acked < self.next[TX] and self.used(TX, self.acked):
            self.acked += 1
