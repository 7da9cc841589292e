#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
The stages of two builds against each other: cycles per frame of build/bench/pipeline, before a change and after.

    usage: bench/against.py [--rounds N] [--lock FILE] OLD NEW        two programs, such as old/build/bench/pipeline

Rounds of four trials, OLD NEW NEW OLD and the other way round in turn (paired.py). A trial is one run of a program, which takes all scenes in
turn and the best of 15 of each. With --lock, a round runs while it holds that lock, and others may have it in between.
"""
import argparse
import contextlib
import fcntl
import re
import subprocess

from paired import Ratio, order


@contextlib.contextmanager
def held(path):
    if path is None:
        yield
        return
    with open(path, "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def trial(program):
    text = subprocess.run([program], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {scene: float(cycles) for scene, cycles in re.findall(r"^(\S.*?)\s+([\d.]+) cycles/frame$", text, re.M)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--lock")
    parser.add_argument("old")
    parser.add_argument("new")
    options = parser.parse_args()
    ratios = {}
    for number in range(options.rounds):
        told = {options.old: [], options.new: []}
        with held(options.lock):
            for program in order(number, options.new, options.old):
                told[program].append(trial(program))
        for scene in told[options.new][0]:
            if all(scene in one for one in told[options.old]):
                ratios.setdefault(scene, Ratio()).add([t[scene] for t in told[options.new]], [t[scene] for t in told[options.old]])
    print(f"{options.new} over {options.old}, {options.rounds} rounds of ABBA; medians of cycles a frame, 95 % interval of the ratio")
    for scene, ratio in ratios.items():
        r = ratio.result()
        print(f"{scene:50} {r['a']:7.1f} / {r['b']:7.1f} = {r['ratio']:.3f} [{r['interval'][0]:.3f}, {r['interval'][1]:.3f}]"
              f"   A/A {r['a_over_a'][0]:.2f} .. {r['a_over_a'][1]:.2f}")


if __name__ == "__main__":
    main()
