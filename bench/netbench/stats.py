# SPDX-License-Identifier: BSD-3-Clause
"""Medians of paired ratios, and how far they can be believed."""

import random
import statistics

DRAWS = 2000


def interval(values):
    """95 % bootstrap interval of the median; the same for the same values."""
    if len(values) < 2:
        return (values[0], values[0]) if values else (float("nan"), float("nan"))
    draw = random.Random(1)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(DRAWS))
    return medians[DRAWS // 40], medians[-DRAWS // 40 - 1]


def summary(values):
    """{median, low, high, n} of @values."""
    low, high = interval(values)
    return {"median": statistics.median(values) if values else float("nan"), "low": low, "high": high, "n": len(values)}


def percentile(histogram, share):
    """The value below which @share (0..1) of a histogram [(value, count)] lies; None when it is empty."""
    total = sum(count for _, count in histogram)
    below = 0
    for value, count in histogram:
        below += count
        if total and below >= share * total:
            return value
    return None


def verdict(old, new, higher_is_better):
    """Compare two summaries as `better`, `worse` or `no difference`: intervals that overlap tell nothing."""
    if old["low"] <= new["high"] and new["low"] <= old["high"]:
        return "no difference"
    return "better" if (new["median"] > old["median"]) == higher_is_better else "worse"
