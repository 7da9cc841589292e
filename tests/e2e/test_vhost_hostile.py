#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
#   script "evil"  ====vhost==== evil ---wire--- sink ====vhost==== script "sink"
#   script "left"  ====vhost==== left ---wire--- right ===vhost==== script "right"
#                                     netloomd
#
# A front-end process that does its worst: memory that is missing, eventfds that block, half messages, requests that were
# not offered, descriptors nobody asked for. After each the daemon must live, and frames must pass from left to right: all
# ports share one datapath thread, and one thread of rte_vhost's.

import mmap
import os
import socket
import struct
import time

from vhost_lab import Failed, expect, run, wait_until
from vhost_packed import PackedFrontEnd
from vhost_script import (F_PROTOCOL, F_RING_PACKED, F_VERSION_1, GET_FEATURES, GET_INFLIGHT_FD, GET_QUEUE_NUM, HUGE,
                          MEMORY, POSTCOPY_ADVISE, POSTCOPY_END, POSTCOPY_LISTEN, SET_FEATURES, TX, FrontEnd,
                          make_blocking)

FRAME = bytes.fromhex("02000000000202000000000188b5") + bytes(50)


def open_fds(lab):
    return len(os.listdir(f"/proc/{lab.netloomd.process.pid}/fd"))


class Bench:
    def __init__(self, lab):
        self.lab = lab
        self.serial = 0
        self.left, self.right = self.front_end("left"), self.front_end("right")
        for name, front_end in (("left", self.left), ("right", self.right)):
            front_end.start()
            self.wait_running(name)

    def front_end(self, name, **kwargs):
        front_end = FrontEnd(self.lab.path(name + ".sock"), **kwargs)
        self.lab.ends.append(front_end.close)
        return front_end

    def close(self, front_end):
        self.lab.ends.remove(front_end.close)
        front_end.close()

    def wait_running(self, name):
        wait_until(f"{name} runs", lambda: self.lab.netloomd.port(name)["running"])

    def wait_gone(self, name):
        wait_until(f"{name} is disconnected", lambda: not self.lab.netloomd.port(name)["connected"])

    def alive(self, limit=10):
        """A frame of its own passes from left to right."""
        expect(self.lab.netloomd.process.poll() is None,
               f"netloomd ended with status {self.lab.netloomd.process.returncode}")
        self.serial += 1
        frame = FRAME + struct.pack("<I", self.serial)
        self.left.transmit(frame)
        wait_until("a frame passes between the well-behaved ports",
                   lambda: frame in [got[:len(frame)] for got in self.right.received()], limit)

    def evil_works(self):
        """Another front-end at the evil port gets a frame through: nothing of the last one is left."""
        self.wait_gone("evil")
        sink = self.front_end("sink")
        sink.start()
        evil = self.front_end("evil")
        evil.start()
        self.wait_running("evil")
        self.wait_running("sink")
        evil.transmit(FRAME)
        wait_until("a frame passes from the port that was hostile", sink.received)
        for name, front_end in (("evil", evil), ("sink", sink)):
            self.close(front_end)
            self.wait_gone(name)
        self.alive()


def short_memory(bench):
    """The file of the memory table holds nothing of what it announces."""
    for size in (0, 0x3000):
        evil = bench.front_end("evil")
        os.ftruncate(evil.file, size)
        evil.negotiate()
        evil.set_memory()
        evil.set_ring(0)
        evil.set_ring(1)
        bench.alive()
        port = bench.lab.netloomd.port("evil")
        expect(not port["running"] and "memory" in port["detail"], f"status of the evil port: {port}")
        bench.close(evil)
        bench.evil_works()


def truncated_memory(bench):
    """The file shrinks while the rings are worked: first only buffers are missing, then the rings too."""
    for size in (0x10000, 0):
        sink = bench.front_end("sink")
        sink.start()
        evil = bench.front_end("evil")
        evil.start()
        bench.wait_running("evil")
        evil.transmit(FRAME)
        wait_until("the frame arrives", sink.received)
        os.ftruncate(evil.file, size)
        if size > 0:
            evil.offer(TX, FRAME, address=evil.buffer(TX, 5))
        evil.kick_ring(TX)
        bench.alive()
        port = wait_until("the port says what happened",
                          lambda: (lambda p: p if p["detail"] else None)(bench.lab.netloomd.port("evil")))
        expect("memory" in port["detail"] and port["n_bad_rings"] > 0, f"status of the evil port: {port}")
        bench.close(evil)
        bench.close(sink)
        bench.wait_gone("sink")
        bench.evil_works()


def truncated_huge_page(bench):
    """The same with a huge page, which cannot be replaced in part."""
    try:
        evil = bench.front_end("evil", huge=True)
    except OSError as error:
        print(f"not run: no huge page of 2 MiB is free ({error.strerror})", flush=True)
        return
    evil.start(HUGE)
    bench.wait_running("evil")
    os.ftruncate(evil.file, 0)
    evil.kick_ring(TX)
    port = wait_until("the port says what happened",
                      lambda: (lambda p: p if p["detail"] else None)(bench.lab.netloomd.port("evil")))
    expect("memory" in port["detail"], f"status of the evil port: {port}")
    bench.alive()
    bench.close(evil)
    bench.evil_works()


def truncated_sink(bench):
    """The receiver's memory vanishes while others send to it."""
    sink = bench.front_end("sink")
    sink.start()
    evil = bench.front_end("evil")
    evil.start()
    bench.wait_running("evil")
    bench.wait_running("sink")
    os.ftruncate(sink.file, 0)
    evil.transmit(FRAME)
    port = wait_until("the port says what happened",
                      lambda: (lambda p: p if p["detail"] else None)(bench.lab.netloomd.port("sink")))
    expect("memory" in port["detail"], f"status of the sink: {port}")
    bench.alive()
    bench.close(evil)
    bench.close(sink)
    bench.wait_gone("sink")
    bench.evil_works()


def truncated_between_tables(bench):
    """A ring exists, the file shrinks, and a second table has rte_vhost look at the ring before we know of it."""
    evil = bench.front_end("evil")
    evil.start()
    bench.wait_running("evil")
    os.ftruncate(evil.file, 0x1000)
    evil.set_memory(MEMORY - 0x1000)
    bench.alive()
    bench.close(evil)
    bench.evil_works()


def blocking_kick(bench):
    """The worker must not block reading a kick that never comes."""
    evil = bench.front_end("evil")
    evil.start()
    bench.wait_running("evil")
    make_blocking(evil.kick[TX])
    for _ in range(5):
        time.sleep(0.05)  # longer than a datapath thread stays awake
        bench.alive()
    bench.close(evil)
    bench.evil_works()


def blocking_call(bench):
    """Nor writing to a call eventfd that is full."""
    evil = bench.front_end("evil")
    evil.start()
    bench.wait_running("evil")
    call = evil.call[TX]
    before = bench.lab.netloomd.port("evil")["rx"]["pkts"]
    try:
        os.read(call, 8)
    except BlockingIOError:
        pass
    os.write(call, struct.pack("<Q", 2**64 - 2))
    make_blocking(call)
    evil.transmit(FRAME)
    wait_until("the frame is taken", lambda: bench.lab.netloomd.port("evil")["rx"]["pkts"] > before)
    bench.alive()
    bench.close(evil)
    bench.evil_works()


def half_message(bench):
    """A header without its payload, and half a header: others are served, and the port can be deleted."""
    for part in (struct.pack("<III", 5, 1, 40), struct.pack("<I", 1)):
        evil = bench.front_end("evil")
        bench.lab.netloomd.rpc.call("port.list")
        evil.sock.sendall(part)
        time.sleep(0.1)
        began = time.monotonic()
        other = bench.front_end("sink")
        expect(other.ask(GET_FEATURES), "another front-end is not answered")
        expect(time.monotonic() - began < 8, "another front-end waited too long")
        bench.close(other)
        bench.wait_gone("sink")
        bench.wait_gone("evil")
        bench.close(evil)
    evil = bench.front_end("evil")
    wait_until("evil is connected", lambda: bench.lab.netloomd.port("evil")["connected"])
    evil.sock.sendall(struct.pack("<III", 5, 1, 40))
    make_ports(bench.lab, ("left", "right"))  # deletes the others
    bench.alive()
    bench.close(evil)
    make_ports(bench.lab)
    bench.evil_works()


def unread_answers(bench):
    """A front-end that asks and asks and does not read."""
    evil = bench.front_end("evil", limit=0.5)
    question = struct.pack("<III", GET_FEATURES, 1, 0)
    try:
        for _ in range(5000):
            evil.sock.sendall(question)
    except (TimeoutError, ConnectionError):
        pass
    began = time.monotonic()
    other = bench.front_end("sink")
    expect(other.ask(GET_FEATURES), "another front-end is not answered")
    expect(time.monotonic() - began < 8, "another front-end waited too long")
    bench.close(other)
    bench.wait_gone("sink")
    bench.close(evil)
    bench.evil_works()


def not_offered(bench):
    """Requests whose protocol feature was not offered are refused, not handled."""
    evil = bench.front_end("evil")
    evil.negotiate()
    for request in (POSTCOPY_ADVISE, POSTCOPY_LISTEN, POSTCOPY_END):
        expect(evil.ack(request) == 1, f"request {request} was not refused")
    expect(evil.ack(8, b"\0") == 1, "a payload that is cut off was not refused")
    expect(evil.set_memory() == 0, "the connection is of no use after a refusal")
    bench.close(evil)
    bench.evil_works()


def inflight(bench):
    """In-flight memory that cannot be: each is refused with a sentence and counted, none half used; a good one works."""
    for packed in (False, True):
        evil = bench.front_end("evil")
        evil.negotiate()
        if packed:
            evil.ack(SET_FEATURES, struct.pack("<Q", 1 << F_VERSION_1 | 1 << F_PROTOCOL | 1 << F_RING_PACKED))
        before = bench.lab.netloomd.port("evil")["n_bad_rings"]
        for n_queues, size in ((0, 16), (3, 16), (2, 0), (2, 32769), (65535, 65535)):
            expect(evil.get_inflight(n_queues, size) is None, f"memory for {n_queues} rings of {size} was not refused")
        expect(evil.ack(GET_INFLIGHT_FD, bytes(19)) == 1, "a question that is cut off was not refused")
        length, offset, fd = evil.get_inflight(2, 16)
        expect(offset == 0 and os.fstat(fd).st_size == length < 65536, f"{length} bytes at {offset}")
        try:
            os.ftruncate(fd, 0)
            raise Failed("the switch's memory can be cut off")
        except PermissionError:
            pass
        disk = os.open(bench.lab.path("disk"), os.O_RDWR | os.O_CREAT)
        os.ftruncate(disk, length)
        small = os.memfd_create("small")
        os.ftruncate(small, length - 1)
        bad = {"1 to as many": ((length, 0, 3, 16, [fd]), (length, 0, 256, 16, [fd])),
               "1..32768": ((length, 0, 2, 0, [fd]),),
               "one file descriptor": ((length, 0, 2, 16, []), (length, 0, 2, 16, [fd, fd])),
               "what such rings need": ((64, 0, 2, 16, [fd]), (length, 0, 2, 32768, [fd]), (1 << 40, 0, 2, 16, [fd])),
               "offset": ((length, 1, 2, 16, [fd]), (length, 1 << 63, 2, 16, [fd])),
               "shorter": ((length, 4096, 2, 16, [fd]), (length, 0, 2, 16, [small])),
               "shared memory": ((length, 0, 2, 16, [disk]), (length, 0, 2, 16, [evil.kick[0]]))}
        n_bad = 5
        for sentence, messages in bad.items():
            for message in messages:
                answer = evil.set_inflight(*message)
                expect(answer == 1, f"{message} was not refused but answered with {answer}")
                n_bad += 1
                port = bench.lab.netloomd.port("evil")
                expect(sentence in port["detail"], f"{message}: the port says \"{port['detail']}\"")
                expect(port["n_bad_rings"] == before + n_bad, f"{port['n_bad_rings']} counted, {before} before + {n_bad}")
        expect(evil.set_inflight(length, 0, 2, 16, [fd]) == 0, "its own memory was refused")
        for each in (disk, small, fd):
            os.close(each)
        bench.alive()
        bench.close(evil)
        bench.wait_gone("evil")
    bench.evil_works()


def inflight_content(bench):
    """In-flight memory whose content cannot be: that ring is not worked, said and counted; the next front-end finds nothing of it."""
    state, journal = 576, 2 * 576 + 2624  # of the transmit ring, of two of 16
    head = struct.pack("<QHHHHHHBBHQ", 0, 1, 16, 0, 0, 3, 3, 1, 1, 0, 0)
    batch = struct.pack("<QI", 0x31306c6e72756f6a, 0x8003 | 2 << 16)
    slots = struct.pack("<HHIHHI", 3, 9, 0, 4, 9, 0)
    contents = {"another program or version": ((state, head[:8] + b"\x02"), (journal, bytes(8))),
                "contradicts the ring": ((state, head[:10] + b"\xff\x7f"), (state + 16, b"\x10\x00\x10\x00"),
                                         (state + 16, b"\x05\x00\x06\x00"), (journal + 64, slots))}
    for sentence, writes in contents.items():
        for at, what in writes:
            evil = PackedFrontEnd(bench.lab.path("evil.sock"))
            bench.lab.ends.append(evil.close)
            evil.negotiate()
            evil.set_memory()
            evil.inflight = evil.get_inflight(2, 16)
            with mmap.mmap(evil.inflight[2], evil.inflight[0]) as region:
                region[state:state + len(head)] = head
                region[journal:journal + len(batch)] = batch
                region[at:at + len(what)] = what
            expect(evil.set_inflight(*evil.inflight[:2], 2, 16, [evil.inflight[2]]) == 0, "the memory was refused")
            before = bench.lab.netloomd.port("evil")
            evil.set_ring(0)
            evil.set_ring(1)
            port = wait_until(f"{sentence} ({at}) is said",
                              lambda: (lambda p: p if sentence in p["detail"] else None)(bench.lab.netloomd.port("evil")))
            expect(port["n_bad_rings"] == before["n_bad_rings"] + 1, f"status of the evil port: {port}")
            evil.transmit(FRAME)
            bench.alive()
            expect(bench.lab.netloomd.port("evil")["rx"] == before["rx"], "a ring is worked that was refused")
            bench.close(evil)
            bench.wait_gone("evil")
    bench.evil_works()


def inflight_cut_off(bench):
    """In-flight memory that vanishes when the switch has mapped it."""
    evil = bench.front_end("evil")
    evil.negotiate()
    own = os.memfd_create("own")
    os.ftruncate(own, 65536)
    expect(evil.set_inflight(65536, 0, 2, 16, [own]) == 0, "memory of the front-end's was refused")
    os.ftruncate(own, 0)
    evil.set_memory()
    evil.set_ring(0)
    evil.set_ring(1)
    port = wait_until("the port says what happened",
                      lambda: (lambda p: p if "memory" in p["detail"] else None)(bench.lab.netloomd.port("evil")))
    expect(not port["running"], f"status of the evil port: {port}")
    os.close(own)
    bench.alive()
    bench.close(evil)
    bench.evil_works()


def descriptors(bench):
    """Descriptors that come with messages that take none do not stay open."""
    evil = bench.front_end("evil")
    evil.negotiate()
    before = open_fds(bench.lab)
    for request in (GET_QUEUE_NUM, GET_FEATURES, POSTCOPY_ADVISE, 99):
        for _ in range(20):
            answer = evil.ack(request, fds=[evil.file] * 8)
            if answer is None:  # rte_vhost hangs up on some
                bench.wait_gone("evil")
                bench.close(evil)
                evil = bench.front_end("evil")
                evil.negotiate()
        wait_until(f"request {request} leaves no descriptors behind ({before} before)",
                   lambda: open_fds(bench.lab) <= before, 5)
    expect(evil.ask(GET_QUEUE_NUM) == 1, "the number of queues is not told")
    bench.close(evil)
    bench.evil_works()


def rests(bench):
    """Without traffic the datapath thread sleeps, though nobody drains the kick eventfds."""
    for _ in range(20):
        bench.alive()
    pid = bench.lab.netloomd.process.pid

    def ticks():
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = ticks()
    time.sleep(2)
    used = (ticks() - before) / os.sysconf("SC_CLK_TCK")
    expect(used < 0.5, f"netloomd used {used:.2f} s of CPU in 2 s without traffic")
    bench.alive()


CASES = (rests, descriptors, not_offered, inflight, inflight_content, inflight_cut_off, half_message, unread_answers, blocking_kick, blocking_call, short_memory,
         truncated_memory, truncated_huge_page, truncated_sink, truncated_between_tables, rests)


def make_ports(lab, names=("evil", "sink", "left", "right")):
    other = {"evil": "sink", "sink": "evil", "left": "right", "right": "left"}
    ports = [{"name": name, "type": "vhost-user", "socket": lab.path(name + ".sock"), "wire": other[name],
              "server": True} for name in names]
    lab.netloomd.rpc.call("apply", owner="test", switches=[], ports=ports)


def main(lab):
    lab.netloomd.start()
    make_ports(lab)
    bench = Bench(lab)
    bench.alive()
    only = os.environ.get("CASE")
    for case in CASES:
        if only and case.__name__ != only:
            continue
        try:
            case(bench)
            expect(lab.netloomd.process.poll() is None, "netloomd ended")
        except (Failed, OSError) as failure:
            raise Failed(f"{case.__name__}: {failure}; netloomd: {lab.netloomd.process.poll()}") from None
        print(f"ok: {case.__name__}: {case.__doc__.splitlines()[0]}", flush=True)


run(main, "--no-huge", "--threads", "1")
