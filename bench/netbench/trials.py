# SPDX-License-Identifier: BSD-3-Clause
"""Alternating trials of several subjects, and their paired ratios."""

import statistics
import sys

from netbench.stats import summary

SHARE_MIN = 0.9
DISTANCE_RATIO_MAX = 1.8  # of a cache line's round trips between the CPUs; near and far differ by a factor of 3 to 6
NOTHING_CAME = "in a trial no frame came"
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
    if any(t.get("frames") == 0 for t in trials):
        return NOTHING_CAME
    if min(t["share"] for t in trials) < SHARE_MIN:
        return "a subject had less than 90 % of its CPU"
    if min(t["vcpu_share"] for t in trials) < SHARE_MIN:
        return "the generator had less than 90 % of its CPU"
    distances = [t["distance_ns"] for t in trials if "distance_ns" in t]
    if distances and max(distances) > DISTANCE_RATIO_MAX * min(distances):
        return "the CPUs moved nearer or further"
    return None


class Counted:
    """Which rounds are used, and why others are not."""

    def __init__(self, options):
        self.options = options
        self.rounds, self.excluded = 0, {}

    def use(self, trials):
        """Is a round of these @trials to be used?"""
        reason = why_not(trials)
        self.rounds += 1
        if reason:
            self.excluded[reason] = self.excluded.get(reason, 0) + 1
        return reason is None or (self.options.count_all and reason != NOTHING_CAME)

    def result(self):
        return {"rounds": self.rounds, "excluded": self.excluded}


def paired(cases, options, title, progress, pairs=None, ratio_title=None):
    """Rounds of trials of all @cases: {name: (Rig, order)}, where order(rig) says what is to be sent. Return: (trials, result)

    A round's ratio is the mean of one case's two trials over that of another's. @pairs: {name: (over, under)}, under the name of
    whose row a ratio is shown; if not given, the first case over each of the others. The A/A ratio is the first case's first
    trial over its second: the noise of this machine in this run.
    """
    names, trials, rounds = list(cases), [], Counted(options)
    pairs = {peer: (names[0], peer) for peer in names[1:]} if pairs is None else pairs
    ratios = {name: {figure: [] for figure in FIGURES} for name in pairs}
    floor = {figure: [] for figure in FIGURES}
    counted = {name: {figure: [] for figure in FIGURES} for name in names}
    busy = {name: [] for name in names}
    for rig, _ in cases.values():
        rig.pause()
    for number in range(options.rounds):
        got = {name: [] for name in names}
        for name in orders(names, number):
            progress.say(f"{title}: round {number + 1} of {options.rounds}, {name}")
            rig, order = cases[name]
            rig.resume()
            order(rig)
            trial = {**rig.trial(options.seconds), "subject": name}
            rig.pause()
            got[name].append(trial)
            trials.append({"bench": title, "round": number, **trial})
        if not rounds.use([t for of_name in got.values() for t in of_name]):
            continue
        for figure in FIGURES:
            mean = {name: sum(t[figure] for t in got[name]) / 2 for name in names}
            floor[figure].append(got[names[0]][0][figure] / got[names[0]][1][figure])
            for name in names:
                counted[name][figure].append(mean[name])
            for name, (over, under) in pairs.items():
                ratios[name][figure].append(mean[over] / mean[under])
        for name in names:
            busy[name] += [t["generator_busy"] for t in got[name] if t["generator_busy"] is not None]
    for rig, _ in cases.values():
        rig.resume()
    progress.done()
    return trials, {
        "title": title, **rounds.result(), "ratio_title": ratio_title or f"{names[0]} over each",
        "figures": {name: {figure: summary(counted[name][figure]) for figure in FIGURES} for name in names},
        "generator_busy": {name: statistics.median(busy[name]) if busy[name] else None for name in names},
        "generator_limited": [name for name in names if busy[name] and statistics.median(busy[name]) > GENERATOR_LIMIT],
        "ratios": {name: {figure: summary(ratios[name][figure]) for figure in FIGURES} for name in pairs},
        "floor": {figure: [min(floor[figure]), max(floor[figure])] if floor[figure] else None for figure in FIGURES},
    }
