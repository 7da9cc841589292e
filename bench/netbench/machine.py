# SPDX-License-Identifier: BSD-3-Clause
"""What a trial ran on: CPU times, involuntary switches, steal, how far the two CPUs are from each other, versions."""

import contextlib
import os
import platform
import re
import shutil
import subprocess
import time
from typing import NamedTuple

WITH_US = ("setpriv", "--pdeathsig", "KILL")  # runs a command that ends when we do, however we end


def read(path, otherwise=""):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return otherwise


def first_line(*command):
    if not shutil.which(command[0]):
        return None
    answer = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return answer.splitlines()[0].strip() if answer else None


def tsc_hz():
    """Cycles of the counter that cycles per frame are given in."""
    match = re.search(r"cpu MHz\s*:\s*([0-9.]+)", read("/proc/cpuinfo"))
    return float(match.group(1)) * 1e6 if match else float("nan")


def environment(build):
    cpuinfo = read("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.*)", cpuinfo)
    return {
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "netloom": first_line(os.path.join(build, "netloomd"), "--version"),
        "cpu": model.group(1) if model else platform.machine(),
        "cpus": os.cpu_count(),
        "tsc_mhz": round(tsc_hz() / 1e6),
        "kernel": platform.release(),
        "cmdline": read("/proc/cmdline").strip(),
        "isolated_cpus": read("/sys/devices/system/cpu/isolated").strip() or "none",
        "hugepages_2m": read("/proc/sys/vm/nr_hugepages").strip(),
        "virtualized": "hypervisor" in cpuinfo,
        "dpdk": first_line("pkg-config", "--modversion", "libdpdk"),
        "ovs": first_line("ovs-vswitchd", "--version"),
    }


def distance_ns(tools, cpus, realtime):
    answer = subprocess.run([*(["chrt", "-f", "1"] if realtime else []), os.path.join(tools, "bench", "distance"),
                             *map(str, cpus)], capture_output=True, text=True, check=True)
    return int(answer.stdout)


def wakes_us(tools, cpus, realtime, times):
    """What a thread that sleeps in epoll on the first CPU takes to see that one on the second wrote into an eventfd, so many times."""
    answer = subprocess.run([*(["chrt", "-f", "1"] if realtime else []), os.path.join(tools, "bench", "wake"), *map(str, cpus), str(times)],
                            capture_output=True, text=True, check=True)
    return [int(line) / 1e3 for line in answer.stdout.split()]


def bare_absences(tools, cpu, realtime, ms, break_us):
    """A thread that only looks at the time, on @cpu: (how often a second it was away for longer than @break_us, for what share of it)"""
    answer = subprocess.run([*(["chrt", "-f", "1"] if realtime else []), os.path.join(tools, "bench", "spin"), str(cpu), str(ms), str(break_us)],
                            capture_output=True, text=True, check=True)
    n, us = map(int, answer.stdout.split())
    return n * 1e3 / ms, us / 1e3 / ms


@contextlib.contextmanager
def never_halted(tools, cpu):
    """@cpu has something to do that gives way to everything else, so that the kernel does not halt it."""
    spin = subprocess.Popen([*WITH_US, "chrt", "-i", "0", os.path.join(tools, "bench", "spin"), str(cpu), "3600000", "1000"], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        spin.kill()
        spin.wait()


def steal_ticks(cpus):
    ticks = 0
    for line in read("/proc/stat").splitlines():
        fields = line.split()
        if fields and fields[0] in [f"cpu{cpu}" for cpu in cpus]:
            ticks += int(fields[8])
    return ticks


class Sample(NamedTuple):
    """CPU time used, time waited for a CPU until it came, how often it left by itself and was made to, and does it want one now?"""
    cpu_ns: int
    delay_ns: int
    voluntary: int
    involuntary: int
    ready: bool


class Thread:
    """The busiest of a process's threads whose names match."""

    def __init__(self, pid, names):
        self.pid = pid
        self.names = names

    def tasks(self):
        for task in os.listdir(f"/proc/{self.pid}/task"):
            folder = f"/proc/{self.pid}/task/{task}"
            if read(folder + "/comm").startswith(self.names):
                yield folder

    def priority(self, level):
        """@level of real-time priority: ahead of all ordinary threads of this machine; 0: one of them again."""
        for folder in self.tasks():
            with contextlib.suppress(ProcessLookupError):  # it has ended meanwhile
                os.sched_setscheduler(int(os.path.basename(folder)), os.SCHED_FIFO if level else os.SCHED_OTHER,
                                      os.sched_param(level))

    def sample(self):
        best = Sample(0, 0, 0, 0, False)
        for folder in self.tasks():
            cpu, delay, _ = (read(folder + "/schedstat") or "0 0 0").split()
            status = dict(re.findall(r"^(State|\w*voluntary)\w*:\s*(\w+)", read(folder + "/status"), re.M))
            best = max(best, Sample(int(cpu), int(delay), int(status.get("voluntary", 0)), int(status.get("nonvoluntary", 0)),
                                    status.get("State") == "R"))
        return best

    def all_ns(self):
        """CPU time of all whose names match, not only of the busiest."""
        return sum(int((read(folder + "/schedstat") or "0").split()[0]) for folder in self.tasks())
