# SPDX-License-Identifier: BSD-3-Clause
"""Alternating trials of several subjects, and their paired ratios."""

import statistics
import sys

from netbench.stats import summary

SHARE_MIN = 0.9
DISTANCE_RATIO_MAX = 1.8  # of a cache line's round trips between the CPUs; near and far differ by a factor of 3 to 6
FIGURES = ("mpps", "cycles")
GENERATOR_LIMIT = 0.95  # who never has to wait for the subject may be what is measured


class Progress:
    """One line on a terminal, rewritten; nothing when standard error is none."""

    def __init__(self, quiet=False):
        self.on = sys.stderr.isatty() and not quiet

    def say(self, text):
        if self.on:
            sys.stderr.write("\r\033[K" + text[:100])
            sys.stderr.flush()

    def done(self):
        self.say("")


def orders(names, number):
    """Each subject twice, mirrored (A B C C B A), and who begins changes from round to round."""
    turn = number % len(names)
    row = names[turn:] + names[:turn]
    return row + row[::-1]


def why_not(trials):
    """Why a round is not counted; the rule is fixed: CPUs had for themselves, and at one distance of each other."""
    if min(t["share"] for t in trials) < SHARE_MIN:
        return "a subject had less than 90 % of its CPU"
    if min(t["vcpu_share"] for t in trials) < SHARE_MIN:
        return "the generator had less than 90 % of its CPU"
    distances = [t["distance_ns"] for t in trials]
    if max(distances) > DISTANCE_RATIO_MAX * min(distances):
        return "the CPUs moved nearer or further"
    return None


def paired(rigs, order_all, options, title, progress):
    """Rounds of trials of all @rigs ({name: Rig}). Return: (trials, result)

    A round's ratio is the mean of the first subject's trials over that of the peer's; the A/A ratio is the first subject's
    first trial over its second: the noise of this machine in this run.
    """
    names, trials, excluded = list(rigs), [], {}
    ratios = {peer: {figure: [] for figure in FIGURES} for peer in names[1:]}
    floor = {figure: [] for figure in FIGURES}
    counted = {name: {figure: [] for figure in FIGURES} for name in names}
    busy = {name: [] for name in names}
    for rig in rigs.values():
        rig.pause()
    for number in range(options.rounds):
        got = {name: [] for name in names}
        for name in orders(names, number):
            progress.say(f"{title}: round {number + 1} of {options.rounds}, {name}")
            rigs[name].resume()
            order_all(rigs[name])
            trial = rigs[name].trial(options.seconds)
            rigs[name].pause()
            got[name].append(trial)
            trials.append({"bench": title, "round": number, **trial})
        reason = why_not([t for of_name in got.values() for t in of_name])
        if reason:
            excluded[reason] = excluded.get(reason, 0) + 1
            if not options.count_all:
                continue
        for figure in FIGURES:
            mean = {name: sum(t[figure] for t in got[name]) / 2 for name in names}
            floor[figure].append(got[names[0]][0][figure] / got[names[0]][1][figure])
            for name in names:
                counted[name][figure].append(mean[name])
            for peer in names[1:]:
                ratios[peer][figure].append(mean[names[0]] / mean[peer])
        for name in names:
            busy[name] += [t["generator_busy"] for t in got[name] if t["generator_busy"] is not None]
    for rig in rigs.values():
        rig.resume()
    progress.done()
    return trials, {
        "title": title, "rounds": options.rounds, "excluded": excluded,
        "figures": {name: {figure: summary(counted[name][figure]) for figure in FIGURES} for name in names},
        "generator_busy": {name: statistics.median(busy[name]) if busy[name] else None for name in names},
        "generator_limited": [name for name in names if busy[name] and statistics.median(busy[name]) > GENERATOR_LIMIT],
        "ratios": {peer: {figure: summary(ratios[peer][figure]) for figure in FIGURES} for peer in names[1:]},
        "floor": {figure: [min(floor[figure]), max(floor[figure])] if floor[figure] else None for figure in FIGURES},
    }
