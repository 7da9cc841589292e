# SPDX-License-Identifier: BSD-3-Clause
"""What a switch does besides forwarding: stations come, ports come and go, nothing happens at all.

As in all benchmarks, runs in which somebody else had one of the CPUs are counted and left out (trials.py).
"""

import statistics
import time

from netbench.machine import never_halted, wakes_us
from netbench.rig import Rig, mac
from netbench.stats import percentile, spread, spread_text
from netbench.subjects import Netloomd, Unavailable, wait_for
from netbench.trials import Counted
from traffic import GENERATE, LATENCY, SINK

COUNT_1M = 1 << 20
OFFERED_M = (0.25, 0.5, 1, 1.25, 1.5, 2, 3, 4)  # million new addresses a second
KNOWN_PPS = 100000


class LargeNetloomd(Netloomd):
    """With room for a million stations."""

    def __init__(self, build, directory, cpu):
        super().__init__(build, directory, cpu, fdb_entries=2 * COUNT_1M)


class AdaptiveNetloomd(Netloomd):
    """As it runs by default: threads sleep when there is nothing to do."""

    def __init__(self, build, directory, cpu):
        super().__init__(build, directory, cpu, poll="adaptive")


def fill(rig, progress):
    """Have a million stations learned; all are sent again until none is missing."""
    entries, stuck = 0, 0
    rig.order(1, GENERATE, src_macs=COUNT_1M, count=COUNT_1M, pps=500000)
    rig.order(0, SINK)
    while entries < COUNT_1M:
        before = entries
        progress.say(f"{rig.subject.name}: {entries} of {COUNT_1M} stations learned")
        rig.offer(60, lambda: rig.guest.counters(1)["tx"] == COUNT_1M)
        entries = entries_of(rig)
        stuck = stuck + 1 if entries <= before else 0
        if stuck == 3:
            raise Unavailable(f"netloomd has learned {entries} of {COUNT_1M} stations: no figure for a table that is not full")


def learning_run(rig, rate):
    """@rate new addresses a second for up to a second, while two known stations talk to each other."""
    rig.subject.flush()
    rig.passes()
    before = entries_of(rig)
    count = int(min(rate, COUNT_1M - 10000))
    rig.order(0, GENERATE, src="02:aa:00:00:00:00", src_macs=count, dst=mac(1), count=count, pps=rate)
    rig.order(1, SINK)
    rig.order(2, GENERATE | SINK, dst=mac(3), stream=2, pps=KNOWN_PPS)
    rig.order(3, GENERATE | SINK, dst=mac(2), stream=3, pps=KNOWN_PPS)
    got = rig.offer(60, lambda: rig.guest.counters(0)["tx"] == count)
    new, known = rig.guest.counters(0), [rig.guest.counters(card) for card in (2, 3)]
    span = (new["tx_last_tsc"] - new["tx_first_tsc"]) / (rig.guest.shared.tsc_khz * 1e3)
    learned = entries_of(rig) - before
    return {**got, "bench": "learning", "offered": rate, "new_sent": new["tx"], "new_pps": new["tx"] / span, "learned": learned,
            "learned_pps": learned / span,
            "known_sent": sum(c["tx"] for c in known), "known_lost": sum(c["tx"] - c["rx"] for c in known)}


def entries_of(rig):
    return rig.subject.call("status")["fdb"]["entries"]


def in_turns(kinds, title, options, progress):
    """Yields every kind once a round, with the round's number; every other round in the opposite order."""
    for number in range(repeats(options)):
        for kind in kinds if number % 2 == 0 else kinds[::-1]:
            progress.say(f"{title} {kind}, round {number + 1} of {repeats(options)}")
            yield number, kind
    progress.done()


def learning(options, progress):
    """Frames from new addresses at growing rates, while known stations talk: how many are learned, and what known ones lose."""
    trials, rows, counted = [], {rate: [] for rate in OFFERED_M}, Counted(options)
    rig = Rig(options, LargeNetloomd, n_cards=4)
    try:
        rig.subject.control_on(options.cpus[1])  # the generator waits most of the time, the datapath never does
        for number, rate in in_turns(OFFERED_M, "learning, M addresses a second:", options, progress):
            run = {"round": number, **learning_run(rig, rate * 1e6)}
            trials.append(run)
            if counted.use([run]):
                rows[rate].append(run)
    finally:
        rig.close()
    table, values, clean, is_clean = [], {}, [], True
    for rate, runs in rows.items():
        sent, learned = ([run[what] / 1e6 for run in runs] for what in ("new_pps", "learned_pps"))
        lost = [run["known_lost"] for run in runs]
        table.append([f"{rate:g}", spread_text(sent), spread_text(learned),
                      f"{min(r['learned'] / r['new_sent'] for r in runs):.1%}" if runs else "-",
                      f"{sum(lost)} of {sum(run['known_sent'] for run in runs)}", f"{len(runs)} of {repeats(options)}"])
        values[f"M learned a second of {rate:g} offered"] = {**spread(learned), "higher_is_better": True}
        values[f"known frames lost at {rate:g} M a second"] = {**spread(lost), "higher_is_better": False}
        is_clean = is_clean and bool(runs) and not any(lost)
        if is_clean:  # and so were all slower ones
            clean += zip(sent, learned)
    note = "nothing known was lost in no row" if not clean else (
        f"nothing known was lost up to {max(sent for sent, _ in clean):.2f} M new addresses a second, of which "
        f"{max(clean)[1]:.2f} M were learned")
    return trials, [{
        "title": f"new addresses a second, M, while known stations send {2 * KNOWN_PPS} frames a second", **counted.result(),
        "columns": ["offered", "sent", "learned", "least of it", "known frames lost", "runs"], "table": table, "values": values,
        "note": f"{note} (goal: >= 1 M, nothing lost)", "x": "M new addresses sent a second", "y": "M learned a second",
        "curves": {"learned": [(statistics.median(run["new_pps"] for run in runs) / 1e6,
                                statistics.median(run["learned_pps"] for run in runs) / 1e6) for runs in rows.values() if runs]}}]


RECONF_PPS = 1e6
LINKS = 100


def reconf(options, progress):
    """A load between two ports, while 100 links come and go: the time for which frames were blocked."""
    trials, kinds = [], ("nothing", f"{LINKS} links added and removed")
    rows, counted = {what: [] for what in kinds}, Counted(options)
    rig = Rig(options, Netloomd)
    try:
        rig.subject.control_on(options.cpus[0])  # when the receiver's CPU is taken away, its rings overflow
        for number, what in in_turns(kinds, "reconf:", options, progress):
            run = {"bench": "reconf", "round": number, "what": what, **reconf_run(rig, what != kinds[0], options)}
            trials.append(run)
            if counted.use([run]):
                rows[what].append(run)
    finally:
        rig.close()
    table, values = [], {}
    for what, runs in rows.items():
        blocked = [run["blocked_us"] for run in runs]
        table.append([what, spread_text([run["seconds"] for run in runs]), str(sum(run["changes"] for run in runs)),
                      f"{sum(run['sent'] - run['came'] for run in runs)} of {sum(run['sent'] for run in runs)}",
                      spread_text(blocked, 1), f"{len(runs)} of {repeats(options)}"])
        values[f"us blocked, {what}"] = {**spread(blocked), "higher_is_better": False}
    return trials, [{"title": f"{RECONF_PPS / 1e6:g} Mpps between two ports that nothing is changed at", **counted.result(),
                     "columns": ["meanwhile", "seconds each", "changes", "frames lost", "blocked us", "runs"],
                     "table": table, "values": values, "note": "the goal is 0: lost frames over the rate at which they were sent"}]


def reconf_run(rig, changing, options):
    for card in (0, 1):
        rig.order(card, GENERATE | SINK, dst=mac(1 - card), stream=card, pps=RECONF_PPS / 2, burst=4)
    changes = 0
    with rig.load(realtime=False) as got:
        if changing:
            for number in range(LINKS):
                link(rig, number)
            for number in range(LINKS):
                rig.subject.call("apply", owner=f"l{number}", switches=[], ports=[])
            changes = 2 * LINKS
        else:
            time.sleep(max(1.0, options.seconds))
    return {**got, "changes": changes, "blocked_us": max(got["sent"] - got["came"], 0) / got["pps"] * 1e6}


def link(rig, number):
    """A wire between two ports that nobody is connected to, with an owner of its own."""
    ports = [{"name": f"l{number}{end}", "type": "vhost-user", "socket": f"{rig.directory}/l{number}{end}.sock", "server": True,
              "wire": f"l{number}{other}"} for end, other in ("ab", "ba")]
    rig.subject.call("apply", owner=f"l{number}", switches=[], ports=ports)


IDLE_PORTS = 16
FLOWS = {"one in 20 ms": 50, "10,000 a second": 10000}
FIRST, STEADY = FLOWS


class Woken:
    """What the first frame after a pause takes, beside a bare eventfd on the same two CPUs in the same round: us."""

    def __init__(self):
        self.first, self.added, self.floor = [], [], []

    def use(self, first, steady, wakes):
        if None not in (first["p50"], steady["p50"]):
            self.first.append(first)
            self.added.append(first["p50"] - steady["p50"])
            self.floor.append(statistics.median(wakes))

    def rest(self):
        return [added - floor for added, floor in zip(self.added, self.floor)]


def wakes_of(options):
    return wakes_us(options.tools, options.cpus, options.realtime, max(20, int(100 * options.seconds)))


def idle(options, progress):
    """Sixteen connected ports without a frame: CPU time; and what the first frame after a pause waits longer.

    Whoever sleeps is woken by the kernel, and where the CPU was halted on a virtual machine by the hypervisor: bench/wake measures that
    floor in the same round, on the same CPUs; both again with a CPU that is not halted, as it has work that gives way to all else.
    """
    trials, shares, counted = [], [], Counted(options)
    steadily, halted, awake = [], Woken(), Woken()
    rig = Rig(options, AdaptiveNetloomd, n_cards=IDLE_PORTS, ring=256, memory="64M")
    try:
        wait_for("netloomd's thread sleeps", lambda: rig.subject.call("status")["workers"][0]["asleep"])
        for number in range(repeats(options)):
            progress.say(f"idle: round {number + 1} of {repeats(options)}")
            runs = {"nothing": idle_run(rig, options, 0)}
            for what in list(FLOWS)[::1 if number % 2 == 0 else -1]:
                runs[what] = idle_run(rig, options, FLOWS[what])
            wakes = wakes_of(options)
            with never_halted(options.tools, options.cpus[0]):
                of_awake = idle_run(rig, options, FLOWS[FIRST])
                wakes_awake = wakes_of(options)
            trials += [{"bench": "idle", "round": number, "what": what, **run}
                       for what, run in {**runs, f"{FIRST}, never halted": of_awake}.items()]
            trials += [{"bench": "idle", "round": number, "what": what, "p50": statistics.median(of_it), "p99": percentile([(us, 1) for us in sorted(of_it)], 0.99)}
                       for what, of_it in (("eventfd", wakes), ("eventfd, never halted", wakes_awake))]
            if not counted.use(list(runs.values())):
                continue
            shares.append(100 * runs["nothing"]["cpu_ns"] / 1e9 / runs["nothing"]["seconds"])
            steadily.append(runs[STEADY])
            halted.use(runs[FIRST], runs[STEADY], wakes)
            awake.use(of_awake, runs[STEADY], wakes_awake)
        progress.done()
    finally:
        rig.close()
    table = [["CPU of the datapath thread, %", spread_text(shares, 3), "-", "< 1"]]
    for what, of_it in ((FIRST, halted.first), (STEADY, steadily)):
        table.append([f"latency of frames, {what}, us", *(spread_text([run[p] for run in of_it if run[p] is not None], 1)
                                                         for p in ("p50", "p99")), ""])
    values = {"CPU, %": {**spread(shares), "higher_is_better": False}}
    for which, of_it, goal in (("", halted, "< 100"), (", CPU never halted", awake, "")):
        for what, found, aim in (("added to the first frame", of_it.added, goal), ("of a bare eventfd", of_it.floor, ""),
                                 ("the one less the other", of_it.rest(), "")):
            table.append([f"us {what}{which}", spread_text(found, 1), "-", aim])
            values[f"us {what}{which}"] = {**spread(found), "higher_is_better": False}
    return trials, [{"title": f"{IDLE_PORTS} connected ports with nothing to do", **counted.result(), "table": table,
                     "columns": ["", "median", "99 %", "goal"], "values": values,
                     "note": "bare eventfd: until a thread that sleeps as netloomd's does has left epoll_pwait2(), nothing else; what is left is the guest's doorbell, "
                             "and netloomd. Never halted: the CPU has other work, which gives way"}]


def idle_run(rig, options, pps):
    """Frames from port 0 to port 1, or none. Return: Rig.load()'s, and p50 and p99 in us."""
    rig.order(0, GENERATE if pps else 0, dst=mac(1), pps=pps, burst=1)
    rig.order(1, SINK | LATENCY)
    got = rig.offer(2 * options.seconds)
    cycles = rig.guest.latencies(1)
    us = {f"p{p}": percentile(cycles, p / 100) for p in (50, 99)}
    return {**got, **{p: c if c is None else c * 1e3 / rig.guest.shared.tsc_khz for p, c in us.items()}}


def repeats(options):
    return max(1, options.rounds // 4)
