#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Small packets through an uplink: AF_XDP against AF_PACKET on one veth.

    generator, sendmmsg -- nlfar ==veth== nlnear -- the uplink's rx, as a worker calls it: polls, and sleeps when nothing comes
    the uplink's send, 32 at a time -- nlnear ==veth== nlfar -- nobody

VXLAN packets of 114 bytes with a frame of 64 inside. Packets a second, and CPU time of the receiving or sending thread per packet (what the
kernel does on its behalf included); of veth and interrupts only what falls into that thread. Method: bench/paired.py. `bench/overlay tcp --uplink MODE` has TCP.

usage: bench/uplink.py [ROUNDS] [SECONDS]
"""
import os
import subprocess
import sys

from paired import Ratio, order

BUILD = os.environ.get("BUILD", os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "build"))


def trial(mode, way, seconds):
    out = subprocess.run([os.path.join(BUILD, "bench", "uplink"), mode, way, str(seconds)], check=True, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, text=True).stdout.split()
    return int(out[0]) / float(out[1]) / 1e6, float(out[2])


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 0.4
    for way in ("rx", "tx"):
        rates, costs = Ratio(), Ratio()
        for number in range(rounds):
            values = {"af_xdp": [], "af_packet": []}
            for mode in order(number, "af_xdp", "af_packet"):
                values[mode].append(trial(mode, way, seconds))
            rates.add(*([v[0] for v in values[m]] for m in ("af_xdp", "af_packet")))
            costs.add(*([v[1] for v in values[m]] for m in ("af_xdp", "af_packet")))
        for what, unit, ratio in (("rate", "Mpps", rates), ("CPU", "ns a packet", costs)):
            r = ratio.result()
            print(f"{way} {what}: AF_XDP {r['a']:.2f}, AF_PACKET {r['b']:.2f} {unit}; ratio {r['ratio']:.2f}, "
                  + ", ".join(f"{k} {v}" for k, v in r.items() if k not in ("a", "b", "ratio")))


if __name__ == "__main__":
    main()
