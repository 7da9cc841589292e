# SPDX-License-Identifier: BSD-3-Clause
"""Which parts of a trial the CPUs were there for: whoever polls on a frame's way notes itself when it was away.

A trial is cut into short windows. The generator, which is the sink, too, and the subject's thread note each time that they went from
one look at their queues to the next in more than BREAK_NS and what the frames found there take: no frame's latency is looked at for it.
A window is left out when one of them was away in it, or in the RECOVERY before it, whose frames may still be under way.
"""

import ctypes
import mmap
import os

BREAK_NS = 3000  # ABSENCE_MIN_NS of datapath/absence.h
FRAME_MARGIN = 1.25  # of what a frame takes the subject on average as fast as it goes
GENERATOR_FRAME_NS = 30
BREAKS_NS = (BREAK_NS, 5000, 10000, 20000)  # what the result would be with other limits is shown, too
WINDOW_US = 500
RECOVERY = 2  # windows
WINDOWS_MAX = 7000  # what fits into a microguest's shared memory
KEPT = 16384


class Absences(ctypes.Structure):
    """struct absences of datapath/absence.h"""
    _fields_ = [("n", ctypes.c_uint64), ("min_cycles", ctypes.c_uint64), ("frame_cycles", ctypes.c_uint64), ("kept", ctypes.c_uint64 * 2 * KEPT)]


class Witness:
    """What bench/witness.c notes in a subject that is not ours."""

    def __init__(self, tools, tsc_hz):
        size = (ctypes.sizeof(Absences) + 4095) // 4096 * 4096
        self.memory = os.memfd_create("absences")
        os.ftruncate(self.memory, size)
        self.map = mmap.mmap(self.memory, size)
        self.absences = Absences.from_buffer(self.map)
        self.absences.min_cycles = int(tsc_hz * BREAK_NS / 1e9)
        self.tsc_hz = tsc_hz
        self.environment = {"LD_PRELOAD": os.path.join(tools, "bench", "witness.so"),
                            "NETLOOM_BENCH_ABSENCES": f"/proc/{os.getpid()}/fd/{self.memory}"}

    def frame_ns(self, ns):
        self.absences.frame_cycles = int(self.tsc_hz * ns / 1e9)

    def n(self):
        return self.absences.n

    def newest(self, n):
        """The newest @n as [(TSC at the end, cycles)], oldest first."""
        last = self.absences.n
        return [tuple(self.absences.kept[i % KEPT]) for i in range(last - n, last)]

    def close(self):
        del self.absences
        self.map.close()
        os.close(self.memory)


def overlapped(absences, begin, length, count):
    """Numbers of those of @count windows of @length cycles from @begin on that an absence of [(until, cycles)] reaches into."""
    hit = set()
    for until, cycles in absences:
        first, last = (until - cycles - begin) // length, (until - begin) // length
        hit.update(range(max(first, 0), min(last, count - 1) + 1))
    return hit


def recovering(hit, count):
    """@hit, and RECOVERY windows behind each."""
    return {later for number in hit for later in range(number, min(number + RECOVERY + 1, count))}


def add(histogram, more):
    for value, n in more:
        histogram[value] = histogram.get(value, 0) + n


class Cut:
    """A trial's windows, from number @first to before @count, and what of them is to be believed.

    @absences: {who: [(until, cycles)], or None when there were too many to remember}; @window(number): [(latency, frames)];
    @tsc_hz: of all these cycles. everything, unstolen[break_ns]: {latency: frames}
    """

    def __init__(self, begin, length, first, count, absences, window, tsc_hz):
        self.length, self.tsc_hz, self.absences = length, tsc_hz, absences
        self.numbers, self.begin, self.end = range(first, count), begin + first * length, begin + count * length
        self.hits = {break_ns: {who: self.hit(of_it, break_ns, begin, count) for who, of_it in absences.items()} for break_ns in BREAKS_NS}
        out = {break_ns: set().union(*hits.values()) for break_ns, hits in self.hits.items()}
        self.n_unstolen = {break_ns: sum(number not in of_it for number in self.numbers) for break_ns, of_it in out.items()}
        self.everything, self.unstolen = {}, {break_ns: {} for break_ns in BREAKS_NS}
        for number in self.numbers:
            seen = window(number)
            add(self.everything, seen)
            for break_ns, of_it in out.items():
                if number not in of_it:
                    add(self.unstolen[break_ns], seen)

    def hit(self, absences, break_ns, begin, count):
        if absences is None:
            return set(range(count))
        long = [(until, cycles) for until, cycles in absences if cycles > break_ns * self.tsc_hz / 1e9]
        return recovering(overlapped(long, begin, self.length, count), count)

    def away(self, who):
        """(absences longer than BREAK_NS a second, their share of the time); None when there were too many to remember."""
        if self.absences[who] is None:
            return None, None
        long = [cycles for until, cycles in self.absences[who] if self.begin <= until < self.end and cycles > BREAK_NS * self.tsc_hz / 1e9]
        time = len(self.numbers) * self.length
        return len(long) * self.tsc_hz / time, sum(long) / time

    def summary(self):
        """For a trial's row: how many windows, how many are left out and because of whom, absences a second and their share."""
        row = {"windows": len(self.numbers), **{f"windows_unstolen_{ns // 1000}us": n for ns, n in self.n_unstolen.items()}}
        for who, hit in self.hits[BREAK_NS].items():
            row[f"windows_without_{who}"] = sum(number in hit for number in self.numbers)
            row[f"{who}_absences_s"], row[f"{who}_away_share"] = self.away(who)
        return row
