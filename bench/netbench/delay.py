# SPDX-License-Identifier: BSD-3-Clause
"""One-way latency. One frame in a thousand is looked at, so that a CPU that was away for a thousandth of a trial matters, too."""

import statistics

from netbench.changes import repeats
from netbench.rfc import search
from netbench.rig import mac
from netbench.rigs import rigs_of
from netbench.stats import percentile, spread, spread_text
from netbench.trials import Counted
from traffic import GENERATE, LATENCY, SINK

SHARES = (0.0, 0.1, 0.5, 0.9)  # of the PDR
PERCENTILES = (50, 90, 99, 99.9)
LOAD_MIN = 1000
STOLEN_MAX = 0.0005  # of a trial


def one_way(rig, load, seconds):
    """A trial at @load, half of it each way; latencies of one way, as [(cycles, frames)]."""
    rig.order(0, GENERATE | SINK, dst=mac(1), pps=load / 2, burst=1)
    rig.order(1, GENERATE | SINK | LATENCY, dst=mac(0), stream=1, pps=load / 2, burst=1)
    return {**rig.trial(seconds), "cycles_seen": rig.guest.latencies(1)}


def unstolen(trial):
    """Did both threads have their CPUs all of the time, as far as can be told?"""
    away = max(trial["waited_us"] / 1e6 / trial["seconds"], trial["generator_stolen"])
    return away <= STOLEN_MAX and not trial["steal_ticks"]


def percentiles_us(rig, trials):
    """Of all frames of @trials together."""
    pooled = {}
    for trial in trials:
        for cycles, n in trial["cycles_seen"]:
            pooled[cycles] = pooled.get(cycles, 0) + n
    found = {f"p{p}": percentile(sorted(pooled.items()), p / 100) for p in PERCENTILES}
    return {p: c if c is None else c * 1e3 / rig.guest.shared.tsc_khz for p, c in found.items()}


def latency(options, progress):
    """One way, at shares of the highest rate with less than 0.5 % loss; peers at netloomd's absolute loads."""
    skipped, trials, table, values, curves = {}, [], [], {}, {}
    counted, seconds = Counted(options), 2 * options.seconds
    with rigs_of(options, skipped) as rigs:
        rigs["netloomd"].resume()
        pdr = search(rigs["netloomd"], 64, options, progress, "PDR")[0][-1]["pps"]
        rigs["netloomd"].pause()
        got = {(share, name): [] for share in SHARES for name in rigs}
        for number in range(repeats(options)):
            for share, name in list(got)[::1 if number % 2 == 0 else -1]:
                progress.say(f"latency at {share:.0%} of PDR, {name}, round {number + 1} of {repeats(options)}")
                load = max(pdr * share, LOAD_MIN)
                rigs[name].resume()
                trial = one_way(rigs[name], load, seconds)
                rigs[name].pause()
                row = {key: value for key, value in trial.items() if key != "cycles_seen"}
                trials.append({"bench": "latency", "round": number, "load": load, **row, **percentiles_us(rigs[name], [trial])})
                if counted.use([trial]):
                    got[share, name].append(trial)
        progress.done()
        for (share, name), of_it in got.items():
            rig, quiet = rigs[name], [trial for trial in of_it if unstolen(trial)]
            all_of_it, of_quiet = percentiles_us(rig, of_it), percentiles_us(rig, quiet)
            us = {**all_of_it, "p99.9": (of_quiet if quiet else all_of_it)["p99.9"]}
            each = {p: [percentiles_us(rig, [t])[p] for t in of_it] for p in ("p50", "p99.9")}
            title = f"{name} at {share:.0%}"
            table.append([title, spread_text([t["offered_mpps"] for t in of_it]),
                          *("-" if us[f"p{p}"] is None else f"{us[f'p{p}']:.1f}" for p in PERCENTILES),
                          "-" if None in us.values() else f"{us['p99.9'] / us['p50']:.1f}",
                          f"{len(quiet)} of {len(of_it)}" + ("" if quiet or not of_it else " *")])
            for p, seen in each.items():
                values[f"us, {p}, {title} of PDR"] = {**spread([us for us in seen if us is not None]), "higher_is_better": False}
            if us["p50"] is not None:
                curves.setdefault(name, []).append((statistics.median(t["offered_mpps"] for t in of_it), us))
    return trials, [{
        "title": f"us one way, 64 B, at shares of netloomd's PDR of {pdr / 1e6:.2f} Mpps", **counted.result(), "table": table,
        "columns": ["", "Mpps sent", *(f"{p} %" for p in PERCENTILES), "99.9 over 50 %", "unstolen"], "values": values,
        "note": "99.9 % is of trials in which both threads had their CPUs all the time; * none was, and it is of all",
        "latency": curves, "pdr_mpps": pdr / 1e6, "skipped": skipped}]
