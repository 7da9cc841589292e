# SPDX-License-Identifier: BSD-3-Clause
"""What several benchmarks begin with: a Rig for each subject, and orders for two cards."""

import contextlib

from netbench.rig import Rig, mac
from netbench.subjects import PEERS, Netloomd, Unavailable
from traffic import GENERATE, SINK


@contextlib.contextmanager
def rigs_of(options, skipped, kind=Rig, switching=False, peers=None, **shape):
    """{name: Rig, or one of @kind} for each subject, for as long as the with block lasts; a peer that cannot do it is said, and left out.

    @switching: frames do not only go between even ports and the odd ones behind them. @peers: none but these, not --against.
    """
    rigs = {}
    try:
        for name, subject in {"netloomd": Netloomd, **{name: PEERS[name] for name in (options.against if peers is None else peers)}}.items():
            try:
                if switching and not subject.switches:
                    raise Unavailable(f"{name} is no switch: it cannot bring frames to where their addresses are")
                rigs[name] = kind(options, subject, **shape)
                rigs[name].pause()
            except Unavailable as reason:
                if name == "netloomd":
                    raise
                skipped[name] = str(reason)
        yield rigs
    finally:
        for rig in rigs.values():
            rig.close()


def same(rigs, order):
    """Cases of trials.paired(): the same order for all."""
    return {name: (rig, order) for name, rig in rigs.items()}


def both_ways(size, macs=1, **more):
    """Card 0 sends to the addresses of card 1 and the other way round."""
    def order(rig):
        for card in (0, 1):
            rig.order(card, GENERATE | SINK, size=size, stream=card, dst=mac(1 - card), src_macs=macs, dst_macs=macs, **more)
    return order
