# SPDX-License-Identifier: BSD-3-Clause
"""Medians of paired ratios, and how far they can be believed."""

import random
import statistics

DRAWS = 2000
ALONE = 0.2  # what a figure that was measured once may be off by, for want of a second one


def interval(values):
    """95 % bootstrap interval of the median; the same for the same values."""
    if len(values) < 2:
        return (values[0], values[0]) if values else (None, None)
    draw = random.Random(1)
    medians = sorted(statistics.median(draw.choices(values, k=len(values))) for _ in range(DRAWS))
    return medians[DRAWS // 40], medians[-DRAWS // 40 - 1]


def summary(values):
    """{median, low, high, n} of @values; None for all but n when there are none."""
    low, high = interval(values)
    return {"median": statistics.median(values) if values else None, "low": low, "high": high, "n": len(values)}


def spread(values, resolution=0.0):
    """As summary(), of a few: from the least to the most, each within @resolution of the truth, a share of it."""
    low, high = (min(values) * (1 - resolution), max(values) * (1 + resolution)) if values else (None, None)
    return {"median": statistics.median(values) if values else None, "low": low, "high": high, "n": len(values)}


def spread_text(values, digits=2):
    """The median, and the least and the most if there are several."""
    if not values:
        return "-"
    text = f"{statistics.median(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def percentile(histogram, share):
    """The value below which @share (0..1) of a histogram [(value, count)] lies; None when it is empty."""
    total = sum(count for _, count in histogram)
    below = 0
    for value, count in histogram:
        below += count
        if total and below >= share * total:
            return value
    return None


def believed(figure):
    """(low, high) of a summary; of a single value not the value itself."""
    if figure["n"] == 1:
        return figure["low"] - ALONE * abs(figure["median"]), figure["high"] + ALONE * abs(figure["median"])
    return figure["low"], figure["high"]


def verdict(old, new, higher_is_better):
    """Compare two summaries as `better`, `worse` or `no difference`: intervals that overlap tell nothing."""
    if old["n"] == 0 or new["n"] == 0:
        return "not comparable, nothing undisturbed was measured"
    (old_low, old_high), (new_low, new_high) = believed(old), believed(new)
    if old_low <= new_high and new_low <= old_high:
        return "no difference"
    return "better" if (new["median"] > old["median"]) == higher_is_better else "worse"
