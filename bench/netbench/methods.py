# SPDX-License-Identifier: BSD-3-Clause
"""What each `netloom bench NAME` does. Return of each: (trials, results), both lists of dicts; see report.py for their shape."""

import time

from netbench.rig import Rig, mac
from netbench.pmd_rig import PmdRig
from netbench.rfc import back2back, caching, loss, ndr, search, undisturbed
from netbench.rigs import both_ways, rigs_open
from netbench.stats import percentile, summary
from netbench.subjects import Netloomd, Unavailable
from netbench.trials import paired, why_not
from traffic import FORWARD, GENERATE, IMIX, LATENCY, RANDOM, SINK

COUNT_1M = 1 << 20


class LargeNetloomd(Netloomd):
    """With room for a million stations."""

    def __init__(self, build, directory, cpu):
        super().__init__(build, directory, cpu, fdb_entries=2 * COUNT_1M)


class AdaptiveNetloomd(Netloomd):
    """As it runs by default: threads sleep when there is nothing to do."""

    def __init__(self, build, directory, cpu):
        super().__init__(build, directory, cpu, poll="adaptive")


def learn(rig, macs):
    """Let the subject hear all addresses before they are sent to."""
    for card in (0, 1):
        rig.order(card, GENERATE | SINK, src_macs=macs, count=max(macs, 8), pps=500000)
    rig.run(0.1 + macs / 400000)


V2V = (
    ("64 B, 2 MACs", 64, 1, (None, None)),
    ("64 B, 1,000 MACs", 64, 500, (None, None)),
    ("64 B, trunk to access", 64, 1, ("trunk", None)),
    ("IMIX, 2 MACs", 0, 1, (None, None)),
    ("1518 B, 2 MACs", 1518, 1, (None, None)),
)


def v2v(options, progress):
    """Two virtual machines through the switch, as fast as it goes, both ways in sum."""
    if options.generator == "testpmd":
        return v2v_testpmd(options, progress)
    trials, results = [], []
    rows = [row for row in V2V if not options.only or options.only in row[0]]
    if not rows:
        raise Unavailable(f"no row of v2v has \"{options.only}\" in its title: {', '.join(row[0] for row in V2V)}")
    for vlans in sorted({row[3] for row in rows}, key=str, reverse=True):
        skipped = {}
        rigs = rigs_open(options, skipped, vlans=list(vlans))
        try:
            for title, size, macs, of_row in rows:
                if of_row != vlans:
                    continue
                for rig in rigs.values():
                    rig.resume()
                    learn(rig, macs)
                    rig.pause()
                order = both_ways(size, macs) if size else both_ways(64, macs)
                more, result = paired(rigs, imix(order) if not size else order, options, title, progress)
                trials += more
                results.append({**result, "skipped": skipped})
        finally:
            for rig in rigs.values():
                rig.close()
    return trials, results


def v2v_testpmd(options, progress):
    """The rows of v2v that a generator can send that has two stations and no tags."""
    trials, results, skipped = [], [], {}
    rigs = rigs_open(options, skipped, PmdRig)
    try:
        for title, size, macs, vlans in V2V:
            title += ", testpmd generates"
            if not size or macs > 1 or vlans != (None, None) or (options.only and options.only not in title):
                continue
            more, result = paired(rigs, lambda rig, size=size: rig.size(size), options, title, progress)
            trials += more
            results.append({**result, "skipped": skipped})
    finally:
        for rig in rigs.values():
            rig.close()
    return trials, results


def imix(order):
    def order_imix(rig):
        order(rig)
        for card in (0, 1):
            rig.guest.shared.nics[card].orders.role |= IMIX
    return order_imix


def fdb(options, progress):
    """netloomd alone: random destinations among 2 and among a million stations, alternating in one process."""
    rig = Rig(options, LargeNetloomd)
    try:
        entries = fill(rig, progress)
        trials, rounds, excluded = [], [], {}
        for number in range(options.rounds):
            got = {}
            for macs in ((2, COUNT_1M), (COUNT_1M, 2))[number % 2]:
                progress.say(f"fdb: round {number + 1} of {options.rounds}")
                rig.order(0, GENERATE | RANDOM, dst=mac(1), dst_macs=macs)
                rig.order(1, SINK)
                got[macs] = rig.trial(options.seconds)
                trials.append({"bench": "fdb", "round": number, "macs": macs, **got[macs]})
            reason = why_not(list(got.values()))
            if reason:
                excluded[reason] = excluded.get(reason, 0) + 1
            if not reason or options.count_all:
                rounds.append(got[COUNT_1M]["cycles"] / got[2]["cycles"])
        progress.done()
    finally:
        rig.close()
    return trials, [{"title": "random destinations among 1,048,576 stations, cycles against 2 stations", "entries": entries,
                     "rounds": options.rounds, "excluded": excluded, "ratio": summary(rounds), "goal": "<= 1.6"}]


def fill(rig, progress):
    """Have a million stations learned; all are sent again until none is missing. Return: how many the switch knows."""
    entries, stuck = 0, 0
    rig.order(1, GENERATE, src_macs=COUNT_1M, count=COUNT_1M, pps=500000)
    rig.order(0, SINK)
    while entries < COUNT_1M:
        before = entries
        progress.say(f"fdb: {entries} of {COUNT_1M} stations learned")
        rig.offer(60, lambda: rig.guest.counters(1)["tx"] == COUNT_1M, realtime=False)
        entries = rig.subject.call("status")["fdb"]["entries"]
        stuck = stuck + 1 if entries <= before else 0
        if stuck == 3:
            raise Unavailable(f"netloomd has learned {entries} of {COUNT_1M} stations: no figure for a table that is not full")
    return entries


def latency(options, progress):
    """One way, at shares of the highest rate with less than 0.5 % loss; peers at netloomd's absolute loads."""
    skipped, trials, results = {}, [], []
    rigs = rigs_open(options, skipped)
    try:
        rigs["netloomd"].resume()
        pdr = search(rigs["netloomd"], 64, options, progress, "PDR")[0][-1]["pps"]
        rigs["netloomd"].pause()
        for share in (0.0, 0.1, 0.5, 0.9):
            load = max(pdr * share, 1000)
            for name, rig in rigs.items():
                rig.resume()
                progress.say(f"latency at {share:.0%} of PDR, {name}")
                rig.order(0, GENERATE | SINK, dst=mac(1), pps=load / 2, burst=1)
                rig.order(1, GENERATE | SINK | LATENCY, dst=mac(0), stream=1, pps=load / 2, burst=1)
                trial = undisturbed(rig, options, lambda rig=rig: rig.trial(options.seconds * 4))
                cycles = rig.guest.latencies(1)
                rig.pause()
                us = {f"p{p}": percentile(cycles, p / 100) for p in (50, 90, 99, 99.9)}
                us = {p: round(c * 1e3 / rig.guest.shared.tsc_khz, 2) if c is not None else None for p, c in us.items()}
                trials.append({"bench": "latency", "load": load, **trial, **us})
                results.append({"title": f"{name} at {share:.0%} of netloomd's PDR", "load_mpps": round(load / 1e6, 3),
                                "tx_mpps": round(trial["offered_mpps"], 3), "latency_us": us, "skipped": dict(skipped),
                                "reached": trial["offered_mpps"] * 1e6 > 0.97 * load})
        progress.done()
    finally:
        for rig in rigs.values():
            rig.close()
    return trials, results


def learning(options, progress):
    """Frames from new addresses at a rate, while known stations talk to each other: all learned, nothing known lost."""
    trials, results = [], []
    rig = Rig(options, LargeNetloomd, n_cards=4)
    try:
        for rate in (250000, 500000, 1000000, 2000000):
            progress.say(f"learning {rate} addresses a second")
            rig.subject.call("fdb.flush")
            rig.passes()
            before = rig.subject.call("status")["fdb"]["entries"]
            count = min(rate, COUNT_1M - 10000)
            rig.order(0, GENERATE, src="02:aa:00:00:00:00", src_macs=count, dst=mac(1), count=count, pps=rate)
            rig.order(1, SINK)
            rig.order(2, GENERATE | SINK, dst=mac(3), stream=2, pps=100000)
            rig.order(3, GENERATE | SINK, dst=mac(2), stream=3, pps=100000)
            rig.offer(60, lambda: rig.guest.counters(0)["tx"] == count, realtime=False)
            known = [rig.guest.counters(card) for card in (2, 3)]
            sent = rig.guest.counters(0)
            span = (sent["tx_last_tsc"] - sent["tx_first_tsc"]) / (rig.guest.shared.tsc_khz * 1e3)
            learned = rig.subject.call("status")["fdb"]["entries"] - before
            lost = sum(c["tx"] for c in known) - sum(c["rx"] for c in known)
            row = {"bench": "learning", "rate": sent["tx"] / span, "learned": learned, "sent": sent["tx"], "known_lost": lost}
            trials.append(row)
            results.append({"title": f"{row['rate'] / 1e6:.2f} M new addresses a second",
                            "learned_share": learned / max(sent["tx"], 1), "known_lost": lost,
                            "goal": ">= 1 M a second, nothing known lost"})
        progress.done()
    finally:
        rig.close()
    return trials, results


def reconf(options, progress):
    """A load between two ports, while 100 links come and go: the time for which frames were blocked."""
    trials, results = [], []
    rig = Rig(options, Netloomd)
    try:
        rate = 1e6
        for what in ("nothing", "100 links added and removed"):
            progress.say(f"reconf: {what}")
            for card in (0, 1):
                rig.order(card, GENERATE | SINK, dst=mac(1 - card), stream=card, pps=rate / 2, burst=4)
            rig.epoch += 1
            rig.guest.begin(rig.epoch)
            rig.guest.go()
            began, changes = time.monotonic(), 0
            while time.monotonic() - began < max(3, 4 * options.seconds):
                if what == "nothing":
                    time.sleep(0.1)
                    continue
                for number in range(100):
                    link(rig, number)
                    changes += 1
                for number in range(100):
                    rig.subject.call("apply", owner=f"l{number}", switches=[], ports=[])
                    changes += 1
                break
            span = time.monotonic() - began
            rig.guest.hush()
            rig.drain()
            rig.epoch += 1
            rig.guest.stop(rig.epoch)
            counters = [rig.guest.counters(card) for card in (0, 1)]
            sent = sum(c["tx"] for c in counters)
            lost = sent - sum(c["rx"] - c["foreign"] for c in counters)
            offered = sent / span
            row = {"bench": "reconf", "what": what, "changes": changes, "seconds": span, "lost": lost,
                   "offered_mpps": offered / 1e6, "blocked_us": lost / offered * 1e6}
            trials.append(row)
            results.append({"title": what, "lost": lost, "changes": changes, "seconds": round(span, 2),
                            "blocked_us": round(row["blocked_us"], 1), "goal": "0"})
        progress.done()
    finally:
        rig.close()
    return trials, results


def link(rig, number):
    """A wire between two ports that nobody is connected to, with an owner of its own."""
    ports = [{"name": f"l{number}{end}", "type": "vhost-user", "socket": f"{rig.directory}/l{number}{end}.sock", "server": True,
              "wire": f"l{number}{other}"} for end, other in ("ab", "ba")]
    rig.subject.call("apply", owner=f"l{number}", switches=[], ports=ports)


def idle(options, progress):
    """Sixteen connected ports without a frame: CPU time; and what the first frame after a pause waits longer."""
    trials, results = [], []
    rig = Rig(options, AdaptiveNetloomd, n_cards=16, ring=256, memory="64M")
    try:
        thread = rig.subject.thread()
        progress.say("idle: sixteen ports, nothing to do")
        time.sleep(1)
        before = thread.sample()[0]
        time.sleep(max(5, 4 * options.seconds))
        share = (thread.sample()[0] - before) / 1e9 / max(5, 4 * options.seconds)
        results.append({"title": "CPU of the datapath thread, 16 ports, idle", "percent": round(100 * share, 3), "goal": "< 1 %"})
        medians = {}
        for name, pps in (("one in 20 ms", 50), ("10,000 a second", 10000)):
            progress.say(f"idle: {name}")
            rig.order(0, GENERATE, dst=mac(1), pps=pps, burst=1)
            rig.order(1, SINK | LATENCY)
            rig.run(4)
            cycles = rig.guest.latencies(1)
            medians[name] = {f"p{p}": round((percentile(cycles, p / 100) or 0) * 1e3 / rig.guest.shared.tsc_khz, 1)
                             for p in (50, 99)}
            trials.append({"bench": "idle", "what": name, **medians[name]})
            results.append({"title": f"latency of frames, {name}", "latency_us": medians[name],
                            "goal": "< 100 us added" if pps == 50 else ""})
        progress.done()
    finally:
        rig.close()
    return trials, results


def broadcast(options, progress):
    """One sends, fifteen receive: cycles for each frame delivered."""
    skipped, n = {}, 16
    rigs = rigs_open(options, skipped, n_cards=n, ring=256, memory="64M")

    def order(rig):
        rig.order(0, GENERATE, size=64)
        for card in range(1, n):
            rig.order(card, SINK)

    try:
        trials, result = paired(rigs, order, options, "broadcast 64 B to 15 ports", progress)
    finally:
        for rig in rigs.values():
            rig.close()
    return trials, [{**result, "skipped": skipped}]


def mesh(options, progress):
    """RFC 2889 section 5.1: eight ports, each sends to all others in turn."""
    skipped, n = {}, 8
    rigs = rigs_open(options, skipped, n_cards=n, ring=256, memory="64M")

    def station(number):
        return f"02:00:01:00:00:{number:02x}"

    def order(rig):
        # Each card has two stations, numbers c and n + c, so that counting up from c + 1 meets every other card once.
        for card in range(n):
            rig.order(card, GENERATE | SINK, size=64, stream=card, src=station(card), dst=station(card + 1), dst_macs=n - 1)

    try:
        for rig in rigs.values():
            rig.resume()
            for offset in (0, n):
                for card in range(n):
                    rig.order(card, GENERATE | SINK, src=station(card + offset), count=8)
                rig.run(0.1)
            rig.pause()
        trials, result = paired(rigs, order, options, "full mesh of 8 ports, 64 B", progress)
    finally:
        for rig in rigs.values():
            rig.close()
    return trials, [{**result, "skipped": skipped}]


def chains_order(chains, length):
    """Orders for @chains rows of @length forwarding guests, each between a sender and a receiver; one guest plays all.

    A chain's first card sends and its second receives; each pair behind them is a guest that forwards from one to the other.
    """
    def order(rig):
        for number in range(chains):
            first = number * 2 * (length + 1)
            row = [first, *range(first + 2, first + 2 * (length + 1)), first + 1]
            rig.order(row[0], GENERATE, size=64, stream=number, dst=mac(row[1]))
            for i in range(1, len(row) - 1, 2):
                rig.order(row[i], FORWARD, src=mac(row[i + 1]), dst=mac(row[i + 2]))
                rig.order(row[i + 1], 0)
            rig.order(row[-1], SINK)
    return order


def chain_bench(options, progress, shapes):
    trials, results, skipped = [], [], {}
    for chains, length in shapes:
        rigs = rigs_open(options, skipped, n_cards=chains * 2 * (length + 1), ring=256, memory="64M")
        try:
            what = f"{chains} chain{'s' * (chains > 1)} of {length} guest{'s' * (length > 1)}, 64 B, each hop counted"
            more, result = paired(rigs, chains_order(chains, length), options, what, progress)
            trials += more
            results.append({**result, "skipped": dict(skipped)})
        finally:
            for rig in rigs.values():
                rig.close()
    return trials, results


def pvvp(options, progress):
    """In at one port, through two guests that forward, out at another."""
    return chain_bench(options, progress, [(1, 2)])


def density(options, progress):
    """4 x 2 and 2 x 4 chains of guests on one switch, against no guest in between."""
    return chain_bench(options, progress, [(1, 0), (4, 2), (2, 4)])


BENCHES = {function.__name__: function for function in
           (v2v, ndr, loss, back2back, pvvp, density, mesh, fdb, caching, learning, broadcast, latency, reconf, idle)}
