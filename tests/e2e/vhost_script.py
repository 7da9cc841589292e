# SPDX-License-Identifier: BSD-3-Clause
"""A vhost-user front-end in a few lines, which does what it is told, right or wrong: for tests that misbehave.

Split rings of 16, one pair. Memory layout of the shared file, guest address 0 = front-end address 0:
    0x0000 descriptors, 0x1000 avail, 0x2000 used of the receive ring; 0x4000, 0x5000, 0x6000 of the transmit ring;
    from 0x10000 on a buffer of 2 KiB for each descriptor of the one and then of the other.
"""

import array
import ctypes
import ctypes.util
import fcntl
import mmap
import os
import socket
import struct

GET_FEATURES, SET_FEATURES, SET_OWNER = 1, 2, 3
SET_MEM_TABLE, SET_VRING_NUM, SET_VRING_ADDR, SET_VRING_BASE, GET_VRING_BASE = 5, 8, 9, 10, 11
SET_VRING_KICK, SET_VRING_CALL, SET_VRING_ERR = 12, 13, 14
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, GET_QUEUE_NUM, SET_VRING_ENABLE = 15, 16, 17, 18
POSTCOPY_ADVISE, POSTCOPY_LISTEN, POSTCOPY_END = 28, 29, 30
GET_INFLIGHT_FD, SET_INFLIGHT_FD = 31, 32
NEED_REPLY = 8
F_VERSION_1, F_PROTOCOL, F_RING_PACKED, P_MQ, P_REPLY_ACK, P_INFLIGHT = 32, 30, 34, 0, 3, 12

SIZE = 16
MEMORY = 0x40000
HUGE = 2 << 20  # in one huge page
BUFFER = 2048
VNET = 12
RX, TX = 0, 1

_libc = ctypes.CDLL(ctypes.util.find_library("c"), use_errno=True)


def eventfd():
    fd = _libc.eventfd(0, os.O_NONBLOCK | os.O_CLOEXEC)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "eventfd")
    return fd


def make_blocking(fd):
    """Clear O_NONBLOCK of the open file, for all that share it."""
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) & ~os.O_NONBLOCK)


class FrontEnd:
    F_RING = 0  # feature bits of the rings' layout

    def __init__(self, path, limit=10, huge=False):
        size = HUGE if huge else MEMORY
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(limit)
        self.sock.connect(path)
        self.file = os.memfd_create("guest", os.MFD_CLOEXEC | (os.MFD_HUGETLB | os.MFD_HUGE_2MB if huge else 0))
        os.ftruncate(self.file, size)
        self.memory = mmap.mmap(self.file, size)
        self.kick = [eventfd(), eventfd()]
        self.call = [eventfd(), eventfd()]
        self.next = [0, 0]  # avail->idx
        self.seen = [0, 0]  # used->idx

    def close(self):
        self.sock.close()
        self.memory.close()
        for fd in (self.file, *self.kick, *self.call):
            os.close(fd)

    # The protocol

    def send(self, request, payload=b"", fds=(), flags=1):
        message = struct.pack("<III", request, flags, len(payload)) + payload
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self.sock.sendmsg([message], rights)

    def receive(self):
        """(request, payload) of the answer; None when the connection ended."""
        try:
            head = self.sock.recv(12, socket.MSG_WAITALL)
            if len(head) < 12:
                return None
            request, _, size = struct.unpack("<III", head)
            return request, self.sock.recv(size, socket.MSG_WAITALL)
        except ConnectionError:
            return None

    def get_inflight(self, n_queues, size):
        """(bytes, offset, fd) of the memory that the switch makes; None when it refused."""
        self.send(GET_INFLIGHT_FD, struct.pack("<QQHHI", 0, 0, n_queues, size, 0), (), 1 | NEED_REPLY)
        head, rights, _, _ = self.sock.recvmsg(12, socket.CMSG_SPACE(4))
        payload = self.sock.recv(struct.unpack("<III", head)[2], socket.MSG_WAITALL)
        if len(payload) < 24:
            return None
        length, offset = struct.unpack_from("<QQ", payload)
        return length, offset, struct.unpack("<i", rights[0][2][:4])[0]

    def set_inflight(self, length, offset, n_queues, size, fds):
        return self.ack(SET_INFLIGHT_FD, struct.pack("<QQHHI", length, offset, n_queues, size, 0), fds)

    def ask(self, request, payload=b"", fds=()):
        self.send(request, payload, fds)
        answer = self.receive()
        return struct.unpack("<Q", answer[1])[0] if answer else None

    def ack(self, request, payload=b"", fds=()):
        """0 when it was done, 1 when it was refused, None when the connection ended."""
        try:
            self.send(request, payload, fds, 1 | NEED_REPLY)
        except ConnectionError:
            return None
        answer = self.receive()
        return struct.unpack("<Q", answer[1])[0] if answer else None

    # What a driver does

    def negotiate(self):
        self.send(SET_OWNER)
        self.ask(GET_FEATURES)
        self.send(SET_FEATURES, struct.pack("<Q", 1 << F_VERSION_1 | 1 << F_PROTOCOL | self.F_RING))
        self.ask(GET_PROTOCOL_FEATURES)
        self.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", 1 << P_MQ | 1 << P_REPLY_ACK | 1 << P_INFLIGHT))

    def set_memory(self, size=MEMORY):
        return self.ack(SET_MEM_TABLE, struct.pack("<IIQQQQ", 1, 0, 0, size, 0, 0), [self.file])

    def set_ring(self, ring):
        """Done with answers: None as soon as the connection ended."""
        base = 0x4000 * ring
        steps = [(SET_VRING_NUM, struct.pack("<II", ring, SIZE), ()),
                 (SET_VRING_BASE, struct.pack("<II", ring, self.base(ring)), ()),
                 (SET_VRING_ADDR, struct.pack("<IIQQQQ", ring, 0, base, base + 0x2000, base + 0x1000, 0), ()),
                 (SET_VRING_CALL, struct.pack("<Q", ring), [self.call[ring]]),
                 (SET_VRING_KICK, struct.pack("<Q", ring), [self.kick[ring]]),
                 (SET_VRING_ENABLE, struct.pack("<II", ring, 1), ())]
        for step in steps:
            if self.ack(*step) is None:
                return None
        return 0

    def base(self, ring):
        """Where the switch begins: at what it has not given back; 0 where the file ends before the ring."""
        return int.from_bytes(os.pread(self.file, 2, 0x4000 * ring + 0x2000 + 2), "little")

    def start(self, size=MEMORY):
        self.negotiate()
        self.set_memory(size)
        for ring in (RX, TX):
            if self.set_ring(ring) is None:
                return None
        for _ in range(SIZE):
            self.offer(RX)
        return 0

    # The rings. Indices that the switch reads at any time are one store each: struct.pack_into() writes zeros first, and
    # an index that jumps back to 0 for a moment is a broken ring.

    def load16(self, at):
        return ctypes.c_uint16.from_buffer(self.memory, at).value

    def store16(self, at, value):
        ctypes.c_uint16.from_buffer(self.memory, at).value = value & 0xffff

    def buffer(self, ring, index):
        return 0x10000 + (ring * SIZE + index) * BUFFER

    def offer(self, ring, frame=None, address=None):
        """Make the next buffer available: with a frame in it, or to be filled."""
        index = self.next[ring] % SIZE
        at = self.buffer(ring, index) if address is None else address
        length = BUFFER if frame is None else VNET + len(frame)
        if frame is not None and address is None:
            self.memory[at:at + length] = bytes(VNET) + frame
        base = 0x4000 * ring
        struct.pack_into("<QIHH", self.memory, base + 16 * index, at, length, 2 if ring == RX else 0, 0)
        self.store16(base + 0x1000 + 4 + 2 * index, index)
        self.next[ring] += 1
        self.store16(base + 0x1000 + 2, self.next[ring])

    def kick_ring(self, ring):
        """Tell the switch; must not block even if the eventfd was made to."""
        os.write(self.kick[ring], struct.pack("<Q", 1))

    def transmit(self, frame):
        self.offer(TX, frame)
        self.kick_ring(TX)

    def received(self):
        """Take what has come, giving the buffers back."""
        frames = []
        used = self.load16(0x2000 + 2)
        while self.seen[RX] & 0xffff != used:
            index, length = struct.unpack_from("<II", self.memory, 0x2000 + 4 + 8 * (self.seen[RX] % SIZE))
            at = self.buffer(RX, index)
            frames.append(self.memory[at + VNET:at + length])
            self.seen[RX] += 1
            self.offer(RX)
        return frames
