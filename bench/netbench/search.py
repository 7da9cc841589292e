# SPDX-License-Identifier: BSD-3-Clause
"""MLRsearch (RFC 9971): the highest loads that lose no more than given ratios, found together, with the same trials.

A goal is a loss ratio. Short trials find the neighbourhood, full ones narrow it: each phase begins with the interval of the
phase before, checks its ends with its own length of trial, widens it where an end does not hold, and halves it until it is
narrow enough. In full trials most of several decide (goal exceed ratio 0.5): a stolen CPU spoils one trial, not the search.
The base of loss is what was really sent.
"""

SHORT = 0.25  # of a full trial
WIDTHS = (0.05, 0.02, 0.01)  # (upper - lower) / upper at the end of each phase
LOWEST = 0.001  # of the highest load: below it the subject cannot do it at all
REPEATS = 3  # full trials of a load, of which most decide


class Search:
    """@trial(pps, seconds) gives a Rig.offer(); pps 0 is as fast as it goes."""

    def __init__(self, trial, seconds, widths=WIDTHS, say=lambda text: None):
        self.trial, self.seconds, self.widths, self.say = trial, seconds, widths, say
        self.log = []
        self.top = None

    def offer(self, pps, seconds):
        got = {"intended_pps": pps, "trial_s": seconds, **self.trial(pps, seconds)}
        self.log.append(got)
        return got

    def holds(self, pps, goal, seconds, repeats):
        """Do most of @repeats trials at @pps lose no more than @goal? Those that were made for another goal count."""
        known = [t["lost_share"] for t in self.log if t["intended_pps"] == pps and t["trial_s"] == seconds][:repeats]
        while True:
            good, bad = sum(lost <= goal for lost in known), sum(lost > goal for lost in known)
            if 2 * good > repeats:
                return True
            if 2 * bad >= repeats:
                return False
            self.say(f"{pps / 1e6:.2f} Mpps, {seconds:.2g} s, goal {goal:.1%}")
            known.append(self.offer(pps, seconds)["lost_share"])

    def narrow(self, goal, low, high, seconds, repeats, width):
        """(lower, upper) bound of @goal, not further apart than @width; upper is None when even the highest load holds."""
        step = max(high - low, width * high)
        while low > 0 and not self.holds(low, goal, seconds, repeats):
            high, low, step = low, max(low - step, 0), 2 * step
            if low < 0.01 * self.top:
                low = 0
        step = max(high - low, width * high)
        while self.holds(high, goal, seconds, repeats):
            if high >= self.top:
                return high, None
            low, high, step = high, min(high + step, self.top), 2 * step
        while high - low > width * high and high > LOWEST * self.top:
            middle = (low + high) / 2
            if self.holds(middle, goal, seconds, repeats):
                low = middle
            else:
                high = middle
        return low, high

    def run(self, goals):
        """[{goal, pps, upper_pps, ...}] for each of @goals, loss ratios in ascending order.

        The first trials are as fast as it goes: what is then sent, back pressure of the rings included, is the highest load.
        """
        offered = self.offer(0, self.seconds)
        self.top = offered["pps"]
        came = self.top * (1 - offered["lost_share"])
        bounds = {goal: (0.9 * came, came) for goal in goals}
        if came >= 0.99 * self.top:
            bounds = {goal: (0.9 * self.top, self.top) for goal in goals}
        short, full = SHORT * self.seconds, self.seconds
        for seconds, repeats, width in ((short, 1, self.widths[0]), (full, 1, self.widths[1]), (full, REPEATS, self.widths[2])):
            for goal in goals:
                low, high = bounds[goal]
                bounds[goal] = self.narrow(goal, low, high or self.top, seconds, repeats, width)
        return [self.result(goal, *bounds[goal], full) for goal in goals], offered

    def result(self, goal, low, high, seconds):
        """Rates are those really sent in the trials that decided."""
        sent = sorted(t["pps"] for t in self.log
                      if t["intended_pps"] == low and t["trial_s"] == seconds and t["lost_share"] <= goal)
        pps = sent[len(sent) // 2] if sent else 0.0
        return {"goal": goal, "pps": pps, "upper_pps": high, "reached": low == 0 or pps > 0.97 * low}
