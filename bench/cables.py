#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
What it costs to watch over cables between hosts: CPU time and wakeups of netloomd's threads with 0, 1 and 500 BFD sessions, 300 ms each.

Two netloomd in network namespaces on a bridge; the cables have no machines. A tick of the kernel's CPU time is 10 ms.

usage: bench/cables.py [SECONDS (10)]       BUILD=build
"""
import glob
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "e2e"))
from overlay_lab import main, wait_for  # noqa: E402

SECONDS = int(sys.argv.pop(1)) if len(sys.argv) > 1 else 10
COUNTS = (0, 1, 500)
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def threads(pid):
    """Per thread: its name, CPU ticks, context switches."""
    seen = {}
    for task in glob.glob(f"/proc/{pid}/task/*"):
        with open(f"{task}/stat") as stat, open(f"{task}/status") as status:
            name, rest = stat.read().split("(", 1)[1].rsplit(")", 1)
            switches = sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
        seen[task] = name, sum(map(int, rest.split()[11:13])), switches
    return seen


def cables_set(host, n):
    """Exactly n."""
    host.call("apply", owner="x", ports=[], switches=[{"name": f"x/{i}", "learning": False} for i in range(n)],
              vnis=[{"vni": 20000 + i, "switch": f"x/{i}", "vlan": 1, "vteps": [f"h{3 - host.number}"], "learning": False,
                     "liveness": "on"} for i in range(n)])


def is_up(host, n):
    sessions = [vni["cable"]["session"] for vni in host.call("vni.list")["vnis"] if "cable" in vni]
    return sessions == ["up"] * n


def cables(lab):
    hosts = lab.mesh(2)
    for n in COUNTS:
        for host in hosts:
            cables_set(host, n)
        wait_for(f"{n} sessions", lambda n=n: all(is_up(host, n) for host in hosts))
        before = [threads(host.daemon.pid) for host in hosts]
        time.sleep(SECONDS)
        for host, old in zip(hosts, before):
            for task, (name, ticks, switches) in sorted(threads(host.daemon.pid).items()):
                if task not in old:
                    continue
                cpu = (ticks - old[task][1]) / TICKS_PER_S / SECONDS
                print(f"{n:4} cables   host {host.number}   {name:12} {100 * cpu:6.2f} % of a core "
                      f"{(switches - old[task][2]) / SECONDS:7.0f} switches/s", flush=True)
        assert all(is_up(host, n) for host in hosts), "some were taken for cut meanwhile"


if __name__ == "__main__":
    main([cables], needs=["ip"])
