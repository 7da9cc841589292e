# SPDX-License-Identifier: BSD-3-Clause
"""Whether the two threads of a trial had their CPUs for themselves."""

import os
import time

from netbench.machine import Thread, steal_ticks

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


class Watch:
    """The subject's thread and the generator's, from begin() to end().

    A thread that sleeps leaves its CPU by itself. One that is ready to run and waits for it was disturbed, and so was one whose
    CPU the hypervisor took. What the other threads of the subject and of the generator used meanwhile is no disturbance where
    they have no third CPU to run on: a switch that learns does so on one of these two.
    """

    def __init__(self, subject, generator, processes, cpus):
        """@subject, @generator: Thread, in this order on the two @cpus; @processes: numbers of all that both are made of."""
        self.threads, self.cpus = (subject, generator), cpus
        self.everything = [Thread(pid, ("",)) for pid in processes]
        self.crowded = os.sched_getaffinity(0) <= set(cpus)
        self.began, self.before = 0.0, None

    def sample(self):
        """([Sample, ...], CPU time of the other threads, [what the hypervisor took of each CPU])"""
        all_ns, had = sum(thread.all_ns() for thread in self.everything), [thread.sample() for thread in self.threads]
        return had, all_ns - sum(of_thread.cpu_ns for of_thread in had), [steal_ticks([cpu]) for cpu in self.cpus]

    def begin(self):
        self.before, self.began = self.sample(), time.monotonic()

    def end(self):
        """share, vcpu_share: how much of the time each thread had its CPU, or did not want it; cpu_ns: what the subject's used."""
        seconds, after = time.monotonic() - self.began, self.sample()
        own_ns = max(after[1] - self.before[1], 0) if self.crowded else 0
        ticks = [now - then for now, then in zip(after[2], self.before[2])]
        both = list(zip(self.before[0], after[0]))
        shares = shares_of([waited_ns(*samples, seconds) for samples in both], own_ns, ticks, seconds)
        delays_ns = sum(now.delay_ns - then.delay_ns for then, now in both)
        return {"seconds": seconds, "share": shares[0], "vcpu_share": shares[1], "waited_us": max(delays_ns - own_ns, 0) / 1e3,
                "cpu_ns": both[0][1].cpu_ns - both[0][0].cpu_ns, "steal_ticks": sum(ticks),
                "involuntary": sum(now.involuntary - then.involuntary for then, now in both)}


def waited_ns(before, after, seconds):
    """For its CPU, of @seconds between two samples. Who never slept did nothing else when it did not run, even if it waits still."""
    if before.ready and after.ready and before.voluntary == after.voluntary:
        return max(seconds * 1e9 - (after.cpu_ns - before.cpu_ns), 0)
    return after.delay_ns - before.delay_ns


def shares_of(waited, own_ns, ticks, seconds):
    """What is left of @seconds for each thread: what it @waited, but all together at most what was not our @own_ns; or @ticks of
    steal, where those are more: a kernel may count them twice."""
    foreign_ns = max(sum(waited) - own_ns, 0)
    return [1 - min(max(min(of_thread, foreign_ns) / 1e9, n * TICK_S) / seconds, 1) for of_thread, n in zip(waited, ticks)]
