# SPDX-License-Identifier: BSD-3-Clause
"""Benchmarks as the RFCs define them: NDR and PDR (RFC 9971), loss and back-to-back (RFC 2544), caching capacity (RFC 2889)."""

import statistics

from netbench.rig import mac
from netbench.rigs import both_ways, rigs_of
from netbench.search import Search
from netbench.stats import spread, spread_text
from netbench.subjects import Unavailable
from netbench.trials import why_not
from traffic import GENERATE, SINK

SIZES = (64, 1518)
GOALS = (0.0, 0.005)
NAMES = {0.0: "NDR", 0.005: "PDR"}
ATTEMPTS = 5
RESOLUTION = 0.01  # of searches
BURST_MAX_S, BURST_TRIALS = 2.0, 4  # RFC 2544 section 26.4; fewer seconds where trials are short
STATION = "02:cc:00:00:00:00"


class Disturbed(Unavailable):
    """Others had the CPUs."""


def undisturbed(rig, options, trial):
    """trial(), again if somebody else had one of the CPUs."""
    for _ in range(ATTEMPTS):
        got = trial()
        if options.count_all or why_not([got]) is None:
            return got
    raise disturbed(rig)


def disturbed(rig):
    return Disturbed(f"{ATTEMPTS} trials in a row in which {rig.subject.name} or the generator had less than 90 % of its CPU: "
                     "run it on an idle machine, or with --realtime, or with --count-all")


def offer_both(rig, options, size, pps, seconds):
    both_ways(size, pps=pps / 2)(rig)
    return undisturbed(rig, options, lambda: rig.offer(seconds))


def search(rig, size, options, progress, what):
    """See Search.run(); a first list with NDR and PDR, then the trial as fast as it goes, then all trials."""
    found = Search(lambda pps, seconds: offer_both(rig, options, size, pps, seconds), options.seconds,
                   say=lambda text: progress.say(f"{what}, {rig.subject.name}: {text}"))
    results, offered = found.run(GOALS)
    return results, offered, found.log


def sizes_of(options):
    """Those that --only leaves."""
    sizes = [size for size in SIZES if not options.only or options.only in f"{size} B"]
    if not sizes:
        raise Unavailable(f"none of {', '.join(f'{size} B' for size in SIZES)} has \"{options.only}\" in it")
    return sizes


def for_each(options, progress, measure, sizes=None, repeats=1, **shape):
    """measure(rig, size) -> (row, trials) for each size and subject, in turn, all of it @repeats times.

    Return: {size: {subject: [row, ...]}}, trials, skipped
    """
    skipped, trials, found = {}, [], {}
    with rigs_of(options, skipped, **shape) as rigs:
        for size in sizes or sizes_of(options):
            rows = found.setdefault(size, {name: [] for name in rigs})
            for number in range(repeats):
                for name in list(rigs) if number % 2 == 0 else list(rigs)[::-1]:
                    rigs[name].resume()
                    row, more = measure(rigs[name], size)
                    rigs[name].pause()
                    rows[name].append(row)
                    trials += [{"size": size, "repeat": number, **trial} for trial in more]
        progress.done()
    return found, trials, skipped


def ndr(options, progress):
    """The highest loads that lose nothing (NDR) and less than 0.5 % (PDR), by MLRsearch; 64 and 1518 B."""
    def measure(rig, size):
        results, offered, log = search(rig, size, options, progress, f"{size} B")
        row = {"MRR": offered["pps"] * (1 - offered["lost_share"]) / 1e6, "mrr_lost": offered["lost_share"],
               "generator_busy": offered["generator_busy"], "trials": len(log)}
        for result in results:
            row[NAMES[result["goal"]]] = result["pps"] / 1e6
            row[NAMES[result["goal"]] + "_open"] = result["upper_pps"] is None
        return row, [{"bench": "ndr", **trial} for trial in log]

    found, trials, skipped = for_each(options, progress, measure, repeats=max(1, options.rounds // 6))
    results = []
    for size, rows in found.items():
        table, bars = [], {}
        for name, of_name in rows.items():
            bars[name] = {what: statistics.median(row[what] for row in of_name) for what in ("MRR", "PDR", "NDR")}
            table.append([name, *(spread_text([row[what] for row in of_name]) for what in ("MRR", "PDR", "NDR")),
                          f"{statistics.median(row['mrr_lost'] for row in of_name):.2%}",
                          f"{statistics.median(row['generator_busy'] for row in of_name):.0%}"])
        results.append({
            "title": f"{size} B, Mpps both ways in sum, loss ratios 0 (NDR) and 0.5 % (PDR), bounds within 1 %",
            "columns": ["", "MRR", "PDR", "NDR", "lost at MRR", "generator busy"], "table": table,
            "values": {f"{name}, {what}, Mpps": {**spread([row[what] for row in of_name], RESOLUTION), "higher_is_better": True}
                       for name, of_name in rows.items() for what in ("MRR", "PDR", "NDR")},
            "bars": bars, "unit": "Mpps", "searches": {name: of_name for name, of_name in rows.items()},
            "note": "rings that are full hold the generator back: where nothing is lost at MRR, that is NDR and PDR, too",
            "skipped": skipped})
    return trials, results


def loss(options, progress):
    """RFC 2544 section 26.3: the loss at 100 %, 90 % ... of the highest load, until two in a row lose nothing."""
    def measure(rig, size):
        points, log, clean = [], [], 0
        first = offer_both(rig, options, size, 0, options.seconds)
        for percent in range(100, 0, -10):
            progress.say(f"{size} B, {rig.subject.name}: {percent} %")
            got = first if percent == 100 else offer_both(rig, options, size, first["pps"] * percent / 100, options.seconds)
            log.append({"bench": "loss", "percent": percent, **got})
            points.append((got["pps"] / 1e6, 100 * got["lost_share"]))
            clean = clean + 1 if got["sent"] == got["came"] else 0
            if clean == 2:
                break
        return points, log

    found, trials, skipped = for_each(options, progress, measure)
    results = []
    for size, rows in found.items():
        longest = max(len(of_name[0]) for of_name in rows.values())
        results.append({
            "title": f"{size} B, % lost at Mpps really sent, both ways in sum",
            "columns": ["", *(f"{100 - 10 * i} %" for i in range(longest))],
            "table": [[name, *(f"{y:.3f} at {x:.2f}" for x, y in of_name[0]), *[""] * (longest - len(of_name[0]))]
                      for name, of_name in rows.items()],
            "values": {f"{name}, % lost as fast as it goes": {**spread([of_name[0][0][1]]), "higher_is_better": False}
                       for name, of_name in rows.items()},
            "curves": {name: of_name[0] for name, of_name in rows.items()}, "x": "Mpps sent", "y": "% lost",
            "note": "100 % is as fast as it goes, back pressure of full rings included; ends after two loads without loss",
            "skipped": skipped})
    return trials, results


def back2back(options, progress):
    """RFC 2544 section 26.4: the longest burst at the highest rate without loss, up to 2 s."""
    longest = min(BURST_MAX_S, BURST_TRIALS * options.seconds)

    def burst(rig, size, count, pps):
        rig.order(0, GENERATE, size=size, dst=mac(1), count=count)
        rig.order(1, SINK)
        return undisturbed(rig, options,
                           lambda: rig.offer(2 * count / pps + 1, lambda: rig.guest.counters(0)["tx"] == count))

    def measure(rig, size):
        rig.order(0, GENERATE, size=size, dst=mac(1))
        rig.order(1, SINK)
        pps, log = undisturbed(rig, options, lambda: rig.offer(options.seconds))["pps"], []

        def whole(count):
            progress.say(f"{size} B, {rig.subject.name}: {count} frames")
            got = burst(rig, size, count, pps)
            log.append({"bench": "back2back", "count": count, **got})
            return got["sent"] == count and got["came"] == count

        low, high = 0, int(longest * pps)
        open_end = whole(high)
        while not open_end and high - low > max(0.01 * high, 1):
            middle = (low + high) // 2
            low, high = (middle, high) if whole(middle) else (low, middle)
        frames = high if open_end else low
        return {"frames": frames, "open": open_end, "pps": pps}, log

    found, trials, skipped = for_each(options, progress, measure, repeats=max(1, options.rounds // 4))
    results = []
    for size, rows in found.items():
        table = [[name, spread_text([row["frames"] for row in of_name], 0), f"{statistics.mean(r['frames'] for r in of_name):.0f}",
                  f"{sum(row['open'] for row in of_name)} of {len(of_name)}",
                  spread_text([row["pps"] / 1e6 for row in of_name])] for name, of_name in rows.items()]
        results.append({"title": f"{size} B, one way, longest burst without loss, frames", "table": table,
                        "columns": ["", "median", "mean", f"whole {longest:g} s without loss", "Mpps in the burst"],
                        "bars": {name: {"frames": statistics.median(r["frames"] for r in of_name)}
                                 for name, of_name in rows.items()},
                        "values": {f"{name}, frames": {**spread([r["frames"] for r in of_name], RESOLUTION), "higher_is_better": True}
                                   for name, of_name in rows.items()},
                        "unit": "frames", "bursts": rows, "skipped": skipped})
    return trials, results


def caching(options, progress):
    """RFC 2889 section 5.7: the most addresses behind one port with no frame lost, nor seen by a third port."""
    limit, pps, width = (1 << 18, 200000, 0.1) if options.quick else (1 << 20, 100000, RESOLUTION)

    def fits(rig, count, log):
        """Learn @count addresses behind port 1, then send a frame to each from port 0; port 2 listens.

        What passes, passes; what fails while somebody else had a CPU does not count.
        """
        for _ in range(ATTEMPTS):
            progress.say(f"caching, {rig.subject.name}: {count} addresses")
            rig.subject.flush()
            rig.order(0, GENERATE | SINK, count=1)
            rig.order(1, SINK)
            rig.order(2, SINK)
            rig.offer(1, lambda: rig.guest.counters(1)["rx"] > 0)
            rig.order(0, SINK)
            rig.order(1, GENERATE, src=STATION, src_macs=count, dst=mac(0), count=count, pps=pps)
            phases = [rig.offer(2 * count / pps + 5, lambda: rig.guest.counters(1)["tx"] == count)]
            rig.order(0, GENERATE, dst=STATION, dst_macs=count, count=count, pps=pps)
            rig.order(1, SINK)
            phases.append(rig.offer(2 * count / pps + 5, lambda: rig.guest.counters(0)["tx"] == count))
            came, flooded = rig.guest.counters(1)["rx"], rig.guest.counters(2)["rx"]
            log.append({"bench": "caching", "subject": rig.subject.name, "addresses": count, "came": came, "flooded": flooded,
                        **{who: min(phase[who] for phase in phases) for who in ("share", "vcpu_share")}})
            if came == count and flooded == 0:
                return True
            if why_not(phases) is None or options.count_all:
                return False
        raise disturbed(rig)

    def measure(rig, size):
        log, low, high = [], 0, 8192 if options.quick else 1024
        if not hasattr(rig.subject, "flush"):
            return None, []
        while high <= limit and fits(rig, high, log):
            low, high = high, 2 * high
        if high > limit:
            return {"addresses": low, "open": True}, log
        while high - low > max(width * high, 1):
            middle = (low + high) // 2
            low, high = (middle, high) if fits(rig, middle, log) else (low, middle)
        return {"addresses": low, "open": False}, log

    found, trials, skipped = for_each(options, progress, measure, sizes=(64,), n_cards=3)
    rows = {name: of_name[0] for name, of_name in found[64].items()}
    return trials, [{
        "title": f"address caching capacity, within {width:.0%}, learned and asked for at {pps} a second",
        "columns": ["", "addresses", "table of"],
        "table": [[name, f"{row['addresses']}{' or more' if row['open'] else ''}", TABLES.get(name, "")]
                  for name, row in rows.items() if row],
        "values": {f"{name}, addresses": {**spread([row["addresses"]], width), "higher_is_better": True}
                   for name, row in rows.items() if row},
        "bars": {name: {"addresses": row["addresses"]} for name, row in rows.items() if row}, "unit": "addresses",
        "skipped": skipped}]


TABLES = {"netloomd": "131,072 entries (--fdb-entries)", "ovs-dpdk": "1,048,576 entries (mac-table-size)"}
