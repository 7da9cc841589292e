#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""bench/publish.sh's last step: OUT/BENCH/BENCH.json and plots into OUT/figures.md, for README.md, and DOCS/bench-*.svg."""

import json
import os
import shutil
import sys

BENCHES = ("v2v", "density", "latency", "fdb", "learning", "reconf", "idle", "caching")
PLOTS = ("v2v", "density", "latency")
V2V_GOALS = {("64 B, 2 MACs", "ovs-dpdk"): 4.0, ("64 B, 1,000 MACs", "ovs-dpdk"): 4.0, ("64 B, 2 MACs", "testpmd"): 1.4,
             ("64 B, 1,000 MACs", "testpmd"): 1.4, ("1518 B, 2 MACs", "ovs-dpdk"): 2.5, ("1518 B, 2 MACs", "testpmd"): 1.6}


def figure(summary, digits=2):
    if not summary["n"]:
        return "not measured"
    return f"{summary['median']:.{digits}f} [{summary['low']:.{digits}f}, {summary['high']:.{digits}f}]"


def spread(result, digits=1):
    """Of a value with a spread."""
    return "not measured" if not result["n"] else f"{result['median']:.{digits}f} ({result['low']:.{digits}f} to {result['high']:.{digits}f})"


def verdict(summary, reached):
    """Is the goal met by all of the interval, by its median, or not?"""
    if not summary["n"]:
        return "not measured"
    if not reached(summary["median"]):
        return "missed"
    return "met" if reached(summary["low"]) and reached(summary["high"]) else "met by the median"


def at_least(goal):
    return lambda value: value >= goal


def at_most(goal):
    return lambda value: value <= goal


def below(goal):
    return lambda value: value < goal


def v2v(document):
    for result in document["results"]:
        title = result["title"]
        own = result["figures"].get("netloomd")
        if own:
            yield f"v2v {title}", f"{figure(own['mpps'])} Mpps, {figure(own['cycles'], 0)} cycles", ("<= 120 cycles", verdict(
                own["cycles"], at_most(120))) if title == "64 B, 2 MACs" else ("", "")
        for name, ratio in result["ratios"].items():
            if not own:
                yield f"v2v {title}", f"{figure(ratio['mpps'])} of the Mpps", (">= 0.9", verdict(ratio["mpps"], at_least(0.9)))
                continue
            goal = V2V_GOALS.get((title, name))
            yield f"v2v {title}, over {name}", f"{figure(ratio['mpps'])} x", (
                f">= {goal} x", verdict(ratio["mpps"], at_least(goal))) if goal else ("", "")


def density(document):
    for name, ratio in document["results"][0]["ratios"].items():
        yield f"density, {name} over a single pair", f"{figure(ratio['mpps'])} x", (">= 0.85 x", verdict(ratio["mpps"], at_least(0.85)))


def fdb(document):
    for ratio in document["results"][0]["ratios"].values():
        yield "1M FDB entries over 2, random destinations", f"{figure(ratio['cycles'])} of the cycles", (
            "<= 1.6", verdict(ratio["cycles"], at_most(1.6)))


def latency(document):
    result = document["results"][0]
    for row in result["table"]:
        if " at 50%" in row[0]:
            yield f"latency, {row[0]} of PDR, {row[1]} Mpps", (
                f"50/90/99/99.9 %: {'/'.join(row[2:6])} us; 99.9 over 50 %: {row[6]}; windows left out: {row[10]}; with them "
                f"50/99.9 %: {row[7]}/{row[8]} us"), (
                ("99.9 % <= 3 x 50 %", "missed" if row[6] == "-" or float(row[6]) > 3 else "met") if row[0].startswith("netloomd")
                else ("", ""))
    for what, ratio in (item for compared in document["results"][1:] for item in compared["values"].items()):
        if " at 50% " in what and not what.startswith("all"):
            yield f"latency, {what}", spread(ratio, 3), ("< 1", verdict(ratio, below(1))) if "ovs-dpdk" in what else ("", "")


def learning(document):
    result = document["results"][0]
    best, learned = 0, [(what, value) for what, value in result["values"].items() if what.startswith("M learned")]
    for what, value in learned:  # slower ones first
        if not value["n"] or result["values"][f"known frames lost at {what.split()[5]} M a second"]["high"]:
            break
        best = max(best, value["median"])
    yield "learning", result["note"].split(" (goal")[0], (">= 1 M a second, nothing lost", "met" if round(best, 2) >= 1 else "missed")


def values(document, goals):
    for what, value in document["results"][0]["values"].items():
        goal = goals.get(what, ("", None))
        yield f"{document['bench']}, {what}", spread(value), (goal[0], verdict(value, goal[1]) if goal[1] else "")


def reconf(document):
    changed = next(what for what in document["results"][0]["values"] if "links" in what)
    return values(document, {changed: ("0", at_most(0))})


def idle(document):
    return values(document, {"CPU, %": ("< 1", at_most(1)), "us added to the first frame": ("< 100", at_most(100))})


def caching(document):
    for row in document["results"][0]["table"]:
        yield f"caching, {row[0]}", f"{row[1]} addresses, table of {row[2]}", ("", "")


def main(out, docs):
    lines, environment = ["| what | figure | goal | |", "|---|---|---|---|"], None
    for bench in BENCHES:
        path = os.path.join(out, bench, bench + ".json")
        if not os.path.exists(path):
            lines.append(f"| {bench} | not measured | | |")
            continue
        with open(path) as file:
            document = json.load(file)
        environment = environment or document
        rows = list(globals()[bench](document))
        lines += [f"| {what} | {got} | {goal} | {met} |" for what, got, (goal, met) in rows]
        left_out = sum(sum(result["excluded"].values()) for result in document["results"] if "excluded" in result)
        rounds = sum(result["rounds"] for result in document["results"] if "excluded" in result)
        if left_out:
            lines.append(f"| {bench}: left out as disturbed | {left_out} of {rounds} runs | | |")
        plot = os.path.join(out, bench, f"{bench}-0.svg")
        if bench in PLOTS and os.path.exists(plot):
            os.makedirs(docs, exist_ok=True)
            shutil.copyfile(plot, os.path.join(docs, f"bench-{bench}.svg"))
    if environment is None:
        sys.exit(f"{out}: nothing was measured")
    about = environment["environment"]
    lines += ["", f"{about['cpu']}, {about['cpus']} CPUs, kernel {about['kernel']}, DPDK {about['dpdk']}, {about['ovs']}, "
              f"netloom {about['netloom']}, {about['date'][:10]}; {environment['rounds']} rounds of {environment['seconds']} s; "
              "medians and 95 % intervals, of few values the least and the most. `bench/publish.sh OUT`"]
    with open(os.path.join(out, "figures.md"), "w") as file:
        file.write("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main(*sys.argv[1:])
