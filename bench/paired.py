# SPDX-License-Identifier: BSD-3-Clause
"""
Comparing two subjects on a machine that is not quiet: short trials in alternation, ratios within a round, and how far two trials of the
same subject lie apart. Used by bench/overlay and bench/uplink.py.

A round is four trials, A B B A and B A A B in turn, so that what changes slowly hits both alike. Its ratio is the mean of its A
trials over that of its B trials. Published are the median of the rounds' ratios, a 95 % bootstrap interval of it, and A/A: the
ratios of the two A trials of each round, inside of which nothing may be claimed.
"""
import statistics

from netbench.stats import interval


def order(number, a, b):
    """The subjects of round @number's four trials."""
    return [a, b, b, a] if number % 2 == 0 else [b, a, a, b]


class Ratio:
    """The rounds of one comparison: A over B."""

    def __init__(self):
        self.ratios, self.floor, self.a, self.b = [], [], [], []

    def add(self, a, b):
        """@a, @b: the two values of each subject in a round"""
        self.ratios.append(sum(a) / sum(b))
        self.floor.append(a[0] / a[1])
        self.a += a
        self.b += b

    def result(self):
        low, high = interval(self.ratios)
        return {"a": statistics.median(self.a), "b": statistics.median(self.b), "ratio": statistics.median(self.ratios),
                "interval": [low, high], "a_over_a": [min(self.floor), max(self.floor)], "rounds": len(self.ratios)}
