# SPDX-License-Identifier: BSD-3-Clause
"""Traffic microguests: vm-runner with the guest of traffic.c, and the memory through which it is told what to do.

Layouts are those of traffic.h. A Traffic is one virtual machine; its cards listen on sockets that a switch connects to.
"""

import ctypes
import mmap
import os
import signal
import subprocess
import time

MAGIC = 0x3263666172746C6E
GENERATE, SINK, REFLECT, LATENCY, CONTENT, IMIX, RANDOM, FORWARD = 1, 2, 4, 8, 16, 32, 64, 128
RUN, QUIT, LAZY, GO = 1, 2, 4, 8
BUCKETS = 1024
NICS_MAX = 32
BREAKS = 16384
WINDOW_BUCKETS = 512


class Orders(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint32) for name in
                ("role", "size", "flows", "src_macs", "dst_macs", "vlan", "stream", "burst")] + [
        ("interval", ctypes.c_uint64), ("count", ctypes.c_uint64), ("src", ctypes.c_uint8 * 8), ("dst", ctypes.c_uint8 * 8)]


class Counters(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in
                ("tx", "tx_bytes", "tx_full", "rx", "rx_bytes", "lost", "late", "twice", "corrupt", "foreign", "stray",
                 "first_tsc", "last_tsc", "tx_first_tsc", "tx_last_tsc", "delay_cycles", "delay_squares")]

    def as_dict(self):
        return {name: getattr(self, name) for name, _ in self._fields_}


class Nic(ctypes.Structure):
    _fields_ = [("mac", ctypes.c_uint8 * 8), ("features", ctypes.c_uint64), ("orders", Orders), ("counters", Counters),
                ("histogram", ctypes.c_uint64 * BUCKETS)]


class Break(ctypes.Structure):
    _fields_ = [("until", ctypes.c_uint64), ("cycles", ctypes.c_uint64)]


class Shared(ctypes.Structure):
    _fields_ = [("magic", ctypes.c_uint64), ("n_nics", ctypes.c_uint32), ("bytes", ctypes.c_uint32),
                ("tsc_khz", ctypes.c_uint64), ("wanted", ctypes.c_uint32), ("run", ctypes.c_uint32),
                ("taken", ctypes.c_uint32), ("n_windows", ctypes.c_uint32), ("loops", ctypes.c_uint64),
                ("idle_loops", ctypes.c_uint64), ("busy_cycles", ctypes.c_uint64), ("idle_cycles", ctypes.c_uint64),
                ("stolen_cycles", ctypes.c_uint64), ("break_cycles", ctypes.c_uint64),
                ("frame_cycles", ctypes.c_uint64), ("window_cycles", ctypes.c_uint64), ("windows_from", ctypes.c_uint64), ("n_breaks", ctypes.c_uint64),
                ("breaks", Break * BREAKS), ("nics", Nic * NICS_MAX)]


# Not used by more than one benchmark, which asks for as many as it needs: behind Shared
WINDOW_BYTES = 4 * WINDOW_BUCKETS


def shared_bytes(windows):
    return (ctypes.sizeof(Shared) + windows * WINDOW_BYTES + 4095) // 4096 * 4096


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def bucket_cycles(index):
    """The middle of a bucket of the latency histogram, in TSC cycles."""
    if index < 16:
        return index
    power, part = divmod(index - 16, 16)
    return (16 + part + 0.5) * 2 ** power


class Traffic:
    """One microguest. @directory holds its sockets and files; @cards is a list of MAC addresses.

    @build is where vm-runner is, @tools where guests/ is, if elsewhere. @run_by: a command that runs commands. @packed: its rings are.
    @windows: room for so many histograms, see note_breaks().
    """

    def __init__(self, build, directory, name, cards, ring=256, buffer=2048, memory="16M", cpu=None, options=(),
                 tools=None, run_by=(), packed=False, windows=0):
        self.name = name
        self.directory = directory
        self.macs = list(cards)
        # In memory, not in a file: the kernel writes those to their disk now and then, and has the guest wait meanwhile.
        self.memory = os.memfd_create(name)
        self.file = f"/proc/{os.getpid()}/fd/{self.memory}"
        os.ftruncate(self.memory, shared_bytes(windows))
        self.map = mmap.mmap(self.memory, shared_bytes(windows))
        self.shared = Shared.from_buffer(self.map)
        self.log = os.path.join(directory, name + ".log")
        command = [os.path.join(build, "vm-runner"), "--microguest", os.path.join(tools or build, "guests", "traffic"),
                   "--name", name, "--memory", memory, "--append", f"ring={ring} buffer={buffer}", "--shared", self.file,
                   "--serial", "log=" + self.log, "--control", self.socket("control"), *options]
        for number, mac in enumerate(cards):
            command += ["--net", f"socket={self.socket(number)},mac={mac},offloads=off,queue_size={ring},"
                        f"packed={'on' if packed else 'off'}"]
        if cpu is not None:
            command = ["taskset", "-c", str(cpu), *command]
        with open(self.log + ".vm", "ab") as log:
            self.process = subprocess.Popen([*run_by, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def socket(self, which):
        return os.path.join(self.directory, f"{self.name}.{which}")

    def said(self):
        """What the guest and its VMM have printed."""
        text = ""
        for path in (self.log, self.log + ".vm"):
            if os.path.exists(path):
                with open(path, errors="replace") as file:
                    text += file.read()
        return text

    def ready(self):
        """Have its cards been started? They need no switch for that."""
        if self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with status {self.process.returncode}: {self.said()}")
        return self.shared.magic == MAGIC

    def order(self, card, role, size=64, flows=1, src=None, dst="ff:ff:ff:ff:ff:ff", src_macs=1, dst_macs=1, vlan=0, stream=0,
              burst=0, pps=0, count=0):
        """What card number @card is to do from the next begin() on. @pps 0: as fast as it goes."""
        orders = self.shared.nics[card].orders
        orders.role, orders.size, orders.flows, orders.vlan, orders.stream = role, size, flows, vlan, stream
        orders.src_macs, orders.dst_macs, orders.burst, orders.count = src_macs, dst_macs, burst, count
        orders.interval = int(self.shared.tsc_khz * 1000 * 256 / pps) if pps else 0
        orders.src[:6] = mac_bytes(src or self.macs[card])
        orders.dst[:6] = mac_bytes(dst)

    def begin(self, epoch, run=RUN, limit=30):
        """Have all cards take their orders, and receive; the same @epoch, not the last one's, for all guests of a trial."""
        self.shared.run = run
        self.shared.wanted = epoch
        deadline = time.monotonic() + limit
        while self.shared.taken != epoch:
            self.ready()
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not answer within {limit} s")
            time.sleep(0.001)

    def go(self):
        """Generators send from now on: once all guests of the trial have begun."""
        self.shared.run |= GO

    def hush(self):
        """Generators send no more; what is on its way is still received, until stop()."""
        self.shared.run &= ~GO

    def stop(self, epoch, limit=30):
        self.begin(epoch, run=0, limit=limit)

    def counters(self, card=0):
        return self.shared.nics[card].counters.as_dict()

    def effort(self):
        """(busy, idle, stolen) TSC cycles since begin(): of rounds with something to do, without, and taken by somebody else."""
        return self.shared.busy_cycles, self.shared.idle_cycles, self.shared.stolen_cycles

    def latencies(self, card=0):
        """[(cycles, frames)] of the buckets that are not empty."""
        return [(bucket_cycles(i), n) for i, n in enumerate(self.shared.nics[card].histogram) if n]

    def note_breaks(self, break_ns, frame_ns, window_ns):
        """From the next begin() on: rounds longer than @break_ns, and @frame_ns for each frame, and latencies in windows of @window_ns."""
        for what, ns in (("break", break_ns), ("frame", frame_ns), ("window", window_ns)):
            setattr(self.shared, what + "_cycles", int(ns * self.shared.tsc_khz / 1e6))

    def breaks(self):
        """[(TSC at the end, cycles)] since begin(); None when there were more than it can tell."""
        n = self.shared.n_breaks
        return None if n > BREAKS else [(b.until, b.cycles) for b in self.shared.breaks[:n]]

    def window(self, number):
        """[(cycles, frames)] of the frames that came in a window, by ascending latency."""
        at = ctypes.sizeof(Shared) + number * WINDOW_BYTES
        counts = memoryview(self.map)[at:at + WINDOW_BYTES].cast("I")
        return [(bucket_cycles(i), n) for i, n in enumerate(counts) if n]

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        del self.shared
        self.map.close()
        os.close(self.memory)
