#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""VM to VM through the switch, against testpmd's io mode over two vhost ports, which switches nothing.

    testpmd (core 1)                  subject (core 0)
    net_virtio_user0 ====vhost==== a -+
      sends on what the other got     |  netloomd: two ports of a switch, learning
    net_virtio_user1 ====vhost==== b -+  testpmd:  net_vhost, io mode

Rounds of four short trials, netloomd testpmd testpmd netloomd, the first slot rotated (ABBA, BAAB). A round's ratio is the
mean of its A trials over that of its B trials; printed are the median ratio with a 95 % bootstrap interval, and the
spread of the two A trials of each round against each other (A/A): nothing inside it may be claimed. A round in which a
subject had less than 90 % of its core is printed and not counted.
"""

import argparse
import json
import os
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "e2e"))
sys.path.insert(0, HERE)
from paired import interval, order, thread_cpu_ns, tsc_hz  # noqa: E402
from vhost_lab import TESTPMD, Failed, Lab, run, skip, wait_until  # noqa: E402

MACS = ("02:00:00:00:00:0a", "02:00:00:00:00:0b")
WARM_S = 1.0
CPU_SHARE_MIN = 0.9


def generator(lab, options, front_end_listens):
    vdevs = [f"net_virtio_user{i},path={lab.path(name + '.sock')},queues=1,queue_size=1024,mac={mac},"
             f"server={int(front_end_listens)},mrg_rxbuf={int(options.mergeable)},in_order=1,"
             f"packed_vq={int(options.packed)}" for i, (name, mac) in enumerate(zip("ab", MACS))]
    pmd = lab.testpmd("generator", 1, vdevs,
                      ["--forward-mode=mac", f"--eth-peer=0,{MACS[1]}", f"--eth-peer=1,{MACS[0]}",
                       f"--txpkts={options.size - 4}", "--txd=1024", "--rxd=1024"], memory=256)
    pmd.wait_prompt()
    return pmd


def measure(pmd, pid, thread, seconds):
    pmd.command("start tx_first 8")
    time.sleep(WARM_S)
    frames, cpu, at = pmd.stats()["rx"], thread_cpu_ns(pid, thread), time.monotonic()
    time.sleep(seconds)
    cpu = thread_cpu_ns(pid, thread) - cpu
    frames = pmd.stats()["rx"] - frames
    elapsed = time.monotonic() - at
    return {"mpps": frames / elapsed / 1e6, "cycles": cpu * tsc_hz() / 1e9 / max(frames, 1), "frames": frames,
            "cpu_share": cpu / 1e9 / elapsed}


def trial_netloomd(options):
    lab = Lab("--no-huge", "--poll", "busy", "--cpus", "0")
    try:
        lab.netloomd.start()
        lab.netloomd.rpc.call("apply", owner="bench", switches=[{"name": "sw"}],
                              ports=[{"name": name, "type": "vhost-user", "socket": lab.path(name + ".sock"),
                                      "switch": "sw", "vlan": {"access": 1}} for name in "ab"])
        pmd = generator(lab, options, True)
        wait_until("ports run", lambda: all(lab.netloomd.port(name)["running"] for name in "ab"))
        result = measure(pmd, lab.netloomd.process.pid, "worker", options.seconds)
        result["drops"] = {p["name"]: p["drops"] for p in lab.netloomd.rpc.call("port.list")["ports"]}
        result["fdb"] = lab.netloomd.rpc.call("status")["fdb"]["entries"]
        return result
    finally:
        lab.close(False)


def trial_testpmd(options):
    lab = Lab()
    try:
        subject = lab.testpmd("subject", 0, [f"net_vhost{i},iface={lab.path(name + '.sock')},queues=1,client=0"
                                             for i, name in enumerate("ab")], ["--txd=1024", "--rxd=1024"], memory=256)
        subject.wait_prompt()
        subject.command("set fwd io")
        subject.command("start")
        pmd = generator(lab, options, False)
        return measure(pmd, subject.process.pid, ("rte-worker", "lcore-worker"), options.seconds)
    finally:
        lab.close(False)


def main(options):
    trials = {"netloomd": trial_netloomd, "testpmd": trial_testpmd}
    log, ratios, floor = [], {"mpps": [], "cycles": []}, {"mpps": [], "cycles": []}
    for number in range(options.rounds):
        got = {"netloomd": [], "testpmd": []}
        for subject in order(number, "netloomd", "testpmd"):
            result = trials[subject](options)
            got[subject].append(result)
            log.append({"round": number, "subject": subject, **result})
            print(f"round {number + 1}: {subject:9}{result['mpps']:7.2f} Mpps {result['cycles']:7.0f} cycles/frame, "
                  f"{100 * result['cpu_share']:.0f} % of a core", flush=True)
        if min(t["cpu_share"] for trials_of in got.values() for t in trials_of) < CPU_SHARE_MIN:
            print(f"round {number + 1}: not counted, the machine was busy", flush=True)
            continue
        for figure, of_ratio in ratios.items():
            of_ratio.append(sum(t[figure] for t in got["netloomd"]) / sum(t[figure] for t in got["testpmd"]))
            floor[figure].append(got["netloomd"][0][figure] / got["netloomd"][1][figure])
    if not ratios["mpps"]:
        raise Failed("no round had the cores to itself: run it on an idle machine")
    for figure, of_ratio in ratios.items():
        low, high = interval(of_ratio)
        print(f"{figure}: netloomd / testpmd io, median of {len(of_ratio)} rounds: {statistics.median(of_ratio):.2f} "
              f"[{low:.2f}, {high:.2f}]; A/A {min(floor[figure]):.2f}..{max(floor[figure]):.2f}")
    if options.json:
        with open(options.json, "w") as out:
            json.dump({"options": vars(options), "tsc_hz": tsc_hz(), "load": os.getloadavg(), "trials": log}, out, indent=1)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--rounds", type=int, default=20)
parser.add_argument("--seconds", type=float, default=2, help="of each trial (2)")
parser.add_argument("--size", type=int, default=64, help="frame size with FCS (64)")
parser.add_argument("--packed", action="store_true")
parser.add_argument("--mergeable", action="store_true")
parser.add_argument("--json", help="write every trial there")
arguments = parser.parse_args()
if TESTPMD is None:
    skip("dpdk-testpmd is not installed")
run(lambda lab: main(arguments))
