# SPDX-License-Identifier: BSD-3-Clause
"""One-way latency. One frame in a thousand is looked at, so that a CPU that was away for a thousandth of a trial matters: see windows.py."""

import statistics

from netbench.changes import repeats
from netbench.machine import bare_absences, tsc_hz
from netbench.rfc import search
from netbench.rig import WARM_S, mac
from netbench.rigs import both_ways, rigs_of
from netbench.stats import percentile, spread, spread_text
from netbench.trials import Counted
from netbench.windows import BREAK_NS, BREAKS_NS, FRAME_MARGIN, GENERATOR_FRAME_NS, RECOVERY, WINDOW_US, WINDOWS_MAX, Cut, add
from traffic import GENERATE, LATENCY, SINK

SHARES = (0.0, 0.1, 0.5, 0.9)  # of the PDR
PERCENTILES = (50, 90, 99, 99.9)
LOAD_MIN = 10000
FRAMES_MIN = 2000  # below, 99.9 % is the worst of all, or of nothing
BURST = 8  # at most, if so many are due
BARE_MS = 300
CALIBRATION_S = 0.1


def windows_for(seconds):
    """(seconds, windows) of a trial: as long as asked for, if there is room for so many windows."""
    wanted = int((seconds + WARM_S) * 1e6 / WINDOW_US)
    count = min(wanted, WINDOWS_MAX)
    return count * WINDOW_US / 1e6 - WARM_S, count


def frame_ns(rig, seconds):
    """What a frame takes the subject as fast as it goes, and some more: for so long it is not away."""
    rig.guest.note_breaks(0, 0, 0)
    both_ways(64)(rig)
    ns = FRAME_MARGIN * rig.trial(seconds)["cycles"] / tsc_hz() * 1e9
    rig.subject.absences_frame_ns(ns)
    return ns


def one_way(rig, load, seconds):
    """A trial at @load, half of it each way. Return: its row, and a Cut of the latencies of one way"""
    seconds, count = windows_for(seconds)
    rig.guest.note_breaks(BREAK_NS, GENERATOR_FRAME_NS, WINDOW_US * 1000)
    rig.order(0, GENERATE | SINK, dst=mac(1), pps=load / 2, burst=BURST)
    rig.order(1, GENERATE | SINK | LATENCY, dst=mac(0), stream=1, pps=load / 2, burst=BURST)
    before = rig.subject.absences_n()
    trial = rig.trial(seconds)
    shared = rig.guest.shared
    cut = Cut(shared.windows_from, shared.window_cycles, int(WARM_S * 1e6 / WINDOW_US), count,
              {"subject": rig.subject.absences_since(before), "generator": rig.guest.breaks()}, rig.guest.window, shared.tsc_khz * 1e3)
    return {**trial, **cut.summary()}, cut


def percentiles_us(rig, histograms):
    """Of all @histograms, {cycles: frames}, together."""
    pooled = {}
    for histogram in histograms:
        add(pooled, histogram.items())
    found = {f"p{p}": percentile(sorted(pooled.items()), p / 100) for p in PERCENTILES}
    if sum(pooled.values()) < FRAMES_MIN:
        found["p99.9"] = None
    return {p: c if c is None else c * 1e3 / rig.guest.shared.tsc_khz for p, c in found.items()}


def histogram_of(cut, break_ns):
    """Of the windows without breaks longer than @break_ns; 0: of all."""
    return cut.unstolen[break_ns] if break_ns else cut.everything


class Point:
    """All trials of one subject at one load: [(row, Cut)]."""

    def __init__(self, rig):
        self.rig, self.trials = rig, []

    def us(self, break_ns=BREAK_NS):
        """Percentiles of all trials together; see histogram_of()."""
        return percentiles_us(self.rig, [histogram_of(cut, break_ns) for _, cut in self.trials])

    def each(self, p, break_ns=BREAK_NS):
        """Of each trial; None of one that has too few frames."""
        return [percentiles_us(self.rig, [histogram_of(cut, break_ns)])[p] for _, cut in self.trials]

    def sum(self, field):
        return sum(row[field] for row, _ in self.trials)

    def rate(self, who):
        found = [row[f"{who}_absences_s"] for row, _ in self.trials]
        return "-" if not found else "too many" if None in found else f"{statistics.median(found):.0f}"


def us_text(us, percentiles=PERCENTILES):
    return ["-" if us[f"p{p}"] is None else f"{us[f'p{p}']:.1f}" for p in percentiles]


def over_text(us):
    return "-" if not us["p50"] or us["p99.9"] is None else f"{us['p99.9'] / us['p50']:.1f}"


def over_each(point, break_ns):
    return [tail / middle for tail, middle in zip(point.each("p99.9", break_ns), point.each("p50", break_ns)) if tail and middle]


WHICH = ((BREAK_NS, ""), (0, "all windows, "))


def figures(points, bare, title, counted, pdr, skipped):
    """The result with one row for each subject and load."""
    table, values, curves = [], {}, {}
    for (share, name), point in points.items():
        at = f"{name} at {share:.0%}"
        everything, unstolen = point.us(0), point.us()
        n, left = point.sum("windows"), point.sum(f"windows_unstolen_{BREAK_NS // 1000}us")
        table.append([at, spread_text([row["offered_mpps"] for row, _ in point.trials]), *us_text(unstolen), over_text(unstolen),
                      *us_text(everything, (50, 99.9)), over_text(everything), f"{n - left} of {n}" if n else "-",
                      f"{point.rate('subject')}/{point.rate('generator')}"])
        for break_ns, says in WHICH:
            for p in ("p50", "p99.9"):
                values[f"us, {says}{p}, {at} of PDR"] = {**spread([us for us in point.each(p, break_ns) if us is not None]),
                                                        "higher_is_better": False}
            values[f"{says}99.9 over 50 %, {at} of PDR"] = {**spread(over_each(point, break_ns)), "higher_is_better": False}
        shown = unstolen if unstolen["p50"] is not None else everything
        if shown["p50"] is not None:
            curves.setdefault(name, []).append((statistics.median(row["offered_mpps"] for row, _ in point.trials), shown))
    return {"title": title, **counted.result(), "table": table, "values": values, "latency": curves, "pdr_mpps": pdr / 1e6,
            "columns": ["", "Mpps sent", *(f"{p} %" for p in PERCENTILES), "99.9 over 50", "all: 50 %", "99.9 %", "99.9 over 50",
                        "windows left out", "away/s"],
            "break_ns": BREAK_NS, "window_us": WINDOW_US, "skipped": skipped,
            "note": f"of {WINDOW_US} us each; left out: the subject's or the generator's thread was away for more than {BREAK_NS / 1000:g} us, in it "
                    f"or in the {RECOVERY} before it. \"all\": nothing left out. away/s: how often that was, subject/generator; a bare loop on "
                    f"the subject's CPU: {spread_text([n for n, _ in bare], 0)}"}


def by_limit(points):
    """99.9 over 50 % by what counts as away: does the result hang on where the line is drawn?"""
    table = []
    for (share, name), point in points.items():
        left = [point.sum(f"windows_unstolen_{ns // 1000}us") / max(point.sum("windows"), 1) for ns in BREAKS_NS]
        table.append([f"{name} at {share:.0%}", *(cell for ns, windows in zip((*BREAKS_NS, 0), (*left, 1))
                                                  for cell in ("/".join(us_text(point.us(ns), (50, 99.9))), f"{windows:.0%}"))])
    return {"title": "us, 50 % / 99.9 %, by how long away is away, and the share of windows that are left then", "table": table,
            "columns": ["", *(column for ns in BREAKS_NS for column in (f"{ns / 1000:g} us", "windows")), "nothing left out", "windows"],
            "values": {}}


def ratios(points):
    """netloomd's latencies over each peer's at the same absolute load, rounds paired; None without peers."""
    table, values = [], {}
    for (share, name), point in points.items():
        own = points[share, "netloomd"]
        if name == "netloomd":
            continue
        row = [f"netloomd over {name}, {share:.0%}", *(spread_text([r["offered_mpps"] for r, _ in of.trials]) for of in (own, point))]
        for break_ns, says in WHICH:
            for p in ("p50", "p99.9"):
                paired = [mine / theirs for mine, theirs in zip(own.each(p, break_ns), point.each(p, break_ns)) if mine and theirs]
                row.append(spread_text(paired))
                values[f"{says}{p}, netloomd over {name} at {share:.0%} of PDR"] = {**spread(paired), "higher_is_better": False}
        table.append(row)
    if not table:
        return None
    return {"title": "us one way, netloomd over each peer, at the same absolute load", "table": table, "values": values,
            "columns": ["", "Mpps sent", "by the peer's", "50 %", "99.9 %", "all: 50 %", "99.9 %"],
            "note": "paired by round, median (least to most). A peer that cannot take the load has full rings: its row says what its generator got rid of"}


def latency(options, progress):
    """One way, at shares of the highest rate with less than 0.5 % loss; peers at netloomd's absolute loads."""
    skipped, trials, bare, counted = {}, [], [], Counted(options)
    seconds = 2 * options.seconds
    with rigs_of(options, skipped, windows=windows_for(seconds)[1]) as rigs:
        rigs["netloomd"].resume()
        pdr = search(rigs["netloomd"], 64, options, progress, "PDR")[0][-1]["pps"]
        rigs["netloomd"].pause()
        points = {(share, name): Point(rigs[name]) for share in SHARES for name in rigs}
        for number in range(repeats(options)):
            bare.append(bare_absences(options.tools, options.cpus[0], options.realtime, BARE_MS, BREAK_NS / 1e3))
            allowed_ns = {}
            for name, rig in rigs.items():
                rig.resume()
                allowed_ns[name] = frame_ns(rig, CALIBRATION_S)
                rig.pause()
            for share in SHARES:
                round_of = {}
                for name in list(rigs)[::1 if number % 2 == 0 else -1]:
                    progress.say(f"latency at {share:.0%} of PDR, {name}, round {number + 1} of {repeats(options)}")
                    load = max(pdr * share, LOAD_MIN)
                    rigs[name].resume()
                    round_of[name] = row, cut = one_way(rigs[name], load, seconds)
                    rigs[name].pause()
                    trials.append({"bench": "latency", "round": number, "load": load, **row,
                                   **{f"{p}_unstolen": us for p, us in percentiles_us(rigs[name], [cut.unstolen[BREAK_NS]]).items()},
                                   **{f"{p}_all": us for p, us in percentiles_us(rigs[name], [cut.everything]).items()},
                                   "frame_ns": allowed_ns[name], "bare_absences_s": bare[-1][0], "bare_away_share": bare[-1][1]})
                if counted.use([row for row, _ in round_of.values()]):
                    for name, trial in round_of.items():
                        points[share, name].trials.append(trial)
        progress.done()
        title = f"us one way, 64 B, at shares of netloomd's PDR of {pdr / 1e6:.2f} Mpps (0 %: {LOAD_MIN} frames a second)"
        compared = ratios(points)
        return trials, [figures(points, bare, title, counted, pdr, skipped), by_limit(points), *([compared] if compared else [])]
