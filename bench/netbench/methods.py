# SPDX-License-Identifier: BSD-3-Clause
"""What each `netloom bench NAME` does. Return of each: (trials, results), both lists of dicts; see report.py for their shape."""

import contextlib

from netbench.changes import COUNT_1M, LargeNetloomd, fill, idle, learning, reconf
from netbench.delay import latency
from netbench.pmd_rig import PmdRig
from netbench.rfc import back2back, caching, loss, ndr
from netbench.rig import Rig, mac
from netbench.rigs import both_ways, rigs_of, same
from netbench.subjects import Unavailable
from netbench.trials import paired
from traffic import FORWARD, GENERATE, IMIX, RANDOM, SINK


def learn(rig, macs):
    """Let the subject hear all addresses before they are sent to."""
    for card in (0, 1):
        rig.order(card, GENERATE | SINK, src_macs=macs, count=max(macs, 8), pps=500000)
    rig.run(0.1 + macs / 400000)


TRUNK = ("trunk", None)
V2V = (
    ("64 B, 2 MACs", 64, 1, (None, None)),
    ("64 B, 1,000 MACs", 64, 500, (None, None)),
    ("64 B, trunk to access", 64, 1, TRUNK),
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
        with rigs_of(options, skipped, vlans=list(vlans)) as rigs:
            for title, size, macs, of_row in rows:
                if of_row != vlans:
                    continue
                for rig in rigs.values():
                    rig.resume()
                    learn(rig, macs)
                    rig.pause()
                order = both_ways(size, macs) if size else imix(both_ways(64, macs))
                more, result = paired(same(rigs, order), options, title, progress)
                trials += more
                results.append({**result, "skipped": skipped})
    if any(row[3] == TRUNK for row in rows):
        more, result = tagging(options, progress)
        trials += more
        results.append(result)
    if options.rings == "packed" and V2V[0] in rows:
        more, result = layouts(options, progress)
        trials += more
        results.append(result)
    return trials, results


def layouts(options, progress):
    """netloomd alone: packed rings over split ones."""
    split, packed = "split", "packed"
    with contextlib.ExitStack() as stack:
        rigs = {rings: stack.enter_context(rigs_of(options, {}, peers=(), rings=rings))["netloomd"] for rings in (split, packed)}
        for rig in rigs.values():
            rig.resume()
            learn(rig, 1)
            rig.pause()
        return paired(same(rigs, both_ways(64)), options, "64 B, netloomd, packed rings over split", progress,
                      {packed: (packed, split)}, f"{packed} over {split}")


def tagging(options, progress):
    """netloomd alone: tags added and removed on the way, over frames that stay as they are."""
    plain, tagged = "untagged", "trunk to access"
    with contextlib.ExitStack() as stack:
        rigs = {what: stack.enter_context(rigs_of(options, {}, peers=(), vlans=list(vlans)))["netloomd"]
                for what, vlans in ((plain, (None, None)), (tagged, TRUNK))}
        trials, result = paired(same(rigs, both_ways(64)), options, "64 B, netloomd, tags over none", progress,
                                {tagged: (tagged, plain)}, f"{tagged} over {plain}")
    return trials, {**result, "note": "the goal for the ratio of Mpps is >= 0.9"}


def v2v_testpmd(options, progress):
    """The rows of v2v that a generator can send that has two stations and no tags."""
    trials, results, skipped = [], [], {}
    with rigs_of(options, skipped, PmdRig) as rigs:
        for title, size, macs, vlans in V2V:
            title += ", testpmd generates"
            if not size or macs > 1 or vlans != (None, None) or (options.only and options.only not in title):
                continue
            more, result = paired(same(rigs, lambda rig, size=size: rig.size(size)), options, title, progress)
            trials += more
            results.append({**result, "skipped": skipped})
    return trials, results


def imix(order):
    def order_imix(rig):
        order(rig)
        for card in (0, 1):
            rig.guest.shared.nics[card].orders.role |= IMIX
    return order_imix


def fdb(options, progress):
    """netloomd alone: random destinations among 2 and among a million stations, alternating in one process."""
    def to(macs):
        def order(rig):
            rig.order(0, GENERATE | RANDOM, dst=mac(1), dst_macs=macs)
            rig.order(1, SINK)
        return order

    rig = Rig(options, LargeNetloomd)
    try:
        fill(rig, progress)
        few, many = "2 stations", f"{COUNT_1M:,} stations"
        trials, result = paired({few: (rig, to(2)), many: (rig, to(COUNT_1M))}, options,
                                f"random destinations among 2 and among {COUNT_1M:,} stations, 64 B", progress,
                                {many: (many, few)}, "a million over two")
    finally:
        rig.close()
    return trials, [{**result, "note": "the goal for the ratio of cycles is <= 1.6"}]


def broadcast(options, progress):
    """One sends, fifteen receive: cycles for each frame delivered."""
    skipped, n = {}, 16

    def order(rig):
        rig.order(0, GENERATE, size=64)
        for card in range(1, n):
            rig.order(card, SINK)

    with rigs_of(options, skipped, switching=True, n_cards=n, ring=256, memory="64M") as rigs:
        trials, result = paired(same(rigs, order), options, "broadcast 64 B to 15 ports", progress)
    return trials, [{**result, "skipped": skipped}]


def mesh(options, progress):
    """RFC 2889 section 5.1: eight ports, each sends to all others in turn."""
    skipped, n = {}, 8

    def station(number):
        return f"02:00:01:00:00:{number:02x}"

    def order(rig):
        # Each card has two stations, numbers c and n + c, so that counting up from c + 1 meets every other card once.
        for card in range(n):
            rig.order(card, GENERATE | SINK, size=64, stream=card, src=station(card), dst=station(card + 1), dst_macs=n - 1)

    with rigs_of(options, skipped, switching=True, n_cards=n, ring=256, memory="64M") as rigs:
        for rig in rigs.values():
            rig.resume()
            for offset in (0, n):
                for card in range(n):
                    rig.order(card, GENERATE | SINK, src=station(card + offset), count=8)
                rig.run(0.1)
            rig.pause()
        trials, result = paired(same(rigs, order), options, "full mesh of 8 ports, 64 B", progress)
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


def chains_of(options, skipped, chains, length):
    return rigs_of(options, skipped, switching=True, n_cards=chains * 2 * (length + 1), ring=256, memory="64M")


def pvvp(options, progress):
    """In at one port, through two guests that forward, out at another."""
    skipped = {}
    with chains_of(options, skipped, 1, 2) as rigs:
        trials, result = paired(same(rigs, chains_order(1, 2)), options, "1 chain of 2 guests, 64 B, each hop counted", progress)
    return trials, [{**result, "skipped": skipped}]


DENSITY = {"single pair": (1, 0), "2 x 4 chains": (2, 4), "4 x 2 chains": (4, 2)}


def density(options, progress):
    """2 chains of 4 guests and 4 of 2 on one switch, each over a single pair of ports, alternating."""
    skipped, cases, pairs = {}, {}, {}
    with contextlib.ExitStack() as stack:
        for what, (chains, length) in DENSITY.items():
            for name, rig in stack.enter_context(chains_of(options, skipped, chains, length)).items():
                case, single = f"{name}, {what}", f"{name}, single pair"
                cases[case] = (rig, chains_order(chains, length))
                if case != single and single in cases:
                    pairs[case] = (case, single)
        trials, result = paired(cases, options, "chains of guests, 64 B, each hop counted", progress, pairs, "over its single pair")
    return trials, [{**result, "skipped": skipped, "note": "the goal for the ratios of Mpps is >= 0.85"}]


BENCHES = {function.__name__: function for function in
           (v2v, ndr, loss, back2back, pvvp, density, mesh, fdb, caching, learning, broadcast, latency, reconf, idle)}
