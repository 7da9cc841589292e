# SPDX-License-Identifier: BSD-3-Clause
"""What several benchmarks begin with: a Rig for each subject, and orders for two cards."""

from netbench.rig import Rig, mac
from netbench.subjects import PEERS, Netloomd, Unavailable
from traffic import GENERATE, SINK


def rigs_open(options, skipped, kind=Rig, **shape):
    """A Rig, or one of @kind, for each subject; a peer that cannot do it is said, and left out."""
    rigs = {}
    for name, subject in {"netloomd": Netloomd, **{name: PEERS[name] for name in options.against}}.items():
        try:
            rigs[name] = kind(options, subject, **shape)
            rigs[name].pause()
        except Unavailable as reason:
            if name == "netloomd":
                raise
            skipped[name] = str(reason)
    return rigs


def both_ways(size, macs=1, **more):
    """Card 0 sends to the addresses of card 1 and the other way round."""
    def order(rig):
        for card in (0, 1):
            rig.order(card, GENERATE | SINK, size=size, stream=card, dst=mac(1 - card), src_macs=macs, dst_macs=macs, **more)
    return order
