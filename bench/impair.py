#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
How near impaired links come to what was asked for, and how fast links are made and changed.

Two TAP interfaces on a wire; frames carry their number, the sender notes the time, the kernel stamps the arrival. What a good
link takes is measured first and subtracted. The same again by a microguest at both ends, which fills a gigabit. Then labs
of 100 and 500 links, by lab file and by RPC, and frames on one link while another is changed all the time.

usage: bench/impair.py [--quick] [--only delay|loss|rate|live|labs]       BUILD=build
"""
import math
import os
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests", "e2e"))
from impair_guest import Cable  # noqa: E402
from link_lab import BUILD, LinkLab, frame, is_ours, ns_of, number_of  # noqa: E402

QUICK = "--quick" in sys.argv
MS = 1e6
SEED = 1


def row(what, asked, got):
    print(f"{what:34} {asked:>30}   {got}", flush=True)


def impair(lab, params, name="a"):
    lab.call("port.impair", ports=[{"name": name, "in": None}])
    lab.call("port.impair", ports=[{"name": name, "in": dict(params, seed=SEED) if params else None}])


def delays(lab, a, b, params, n, gap):
    """Of frames sent one by one, in ms."""
    impair(lab, params)
    b.drain()
    sent, found = {}, []

    def collect():
        while len(found) < n:
            got = b.receive(20, is_ours)
            if not got:
                return
            found.append((number_of(got[0]), got[1]))

    thread = threading.Thread(target=collect)
    thread.start()
    for number in range(n):
        sent[number] = time.time_ns()
        a.send(frame(number))
        time.sleep(gap)
    thread.join()
    return [(at - sent[number]) / MS for number, at in found]


def delay_figures(lab, a, b):
    n = 300 if QUICK else 2000
    base = statistics.median(delays(lab, a, b, {}, 300, 0.002))
    row("good link, median", "", f"{base:.3f} ms, subtracted below")
    for asked, params, gap in (
            ("1 ms", {"delay_us": 1000}, 0.002),
            ("20 ms", {"delay_us": 20000}, 0.002),
            ("100 ms", {"delay_us": 100000}, 0.002),
            ("20 ms, uniform +-5 ms", {"delay_us": 20000, "jitter_us": 5000, "order": "free"}, 0.002),
            ("20 ms, normal sd 3 ms", {"delay_us": 20000, "jitter_us": 3000, "distribution": "normal", "order": "free"}, 0.002),
            ("20 ms, pareto sd 3 ms", {"delay_us": 20000, "jitter_us": 3000, "distribution": "pareto", "order": "free"}, 0.002)):
        d = [x - base for x in delays(lab, a, b, params, n, gap)]
        d.sort()
        row("delay", asked, f"mean {statistics.mean(d):.3f} ms, sd {statistics.pstdev(d):.3f} ms, "
                            f"1 % {d[len(d) // 100]:.3f}, median {statistics.median(d):.3f}, 99 % {d[-len(d) // 100]:.3f} ms; n {len(d)}")


def counters(lab, name="a"):
    return lab.port(name)["impaired"]["in"]


def flood(lab, a, n, size, pause_every=0):
    for number in range(n):
        a.send(frame(number, size))
        if pause_every and number % pause_every == 0:
            time.sleep(0.0005)


def received(b):
    n = 0
    while b.receive(0.3, is_ours):
        n += 1
    return n


def loss_figures(lab, a, b):
    n = 5000 if QUICK else 40000
    for asked, params, expected in (
            ("1 %", {"loss_ppm": 10000}, 0.01), ("10 %", {"loss_ppm": 100000}, 0.1),
            ("bursts 0.5 %/25 %: 1.96 %", {"burst_enter_ppm": 5000, "burst_leave_ppm": 250000}, 0.005 / 0.255),
            ("duplicate 5 %", {"duplicate_ppm": 50000}, -0.05)):
        impair(lab, params)
        b.drain()
        got = 0
        for _ in range(n // 1000):
            flood(lab, a, 1000, 64, 50)
            got += received(b)
        share = (n - got) / n
        ci = 1.96 * math.sqrt(abs(share) * (1 - abs(share)) / n)
        row("loss" if expected > 0 else "duplicates", asked,
            f"{abs(share) * 100:.3f} % +-{ci * 100:.3f} (95 %, if independent); off by "
            f"{(abs(share) - abs(expected)) * 100:+.3f} points; n {n}")


def rate_figures(lab, a, b):
    for kbps, size, n in ((1000, 1000, 500), (10000, 1514, 3000), (100000, 1514, 20000)):
        n = n // 4 if QUICK else n
        impair(lab, {"rate_kbps": kbps, "queue_frames": 65536, "queue_bytes": 4000000000})
        b.drain()
        thread = threading.Thread(target=flood, args=(lab, a, n, size))
        thread.start()
        first = b.receive(10, is_ours)
        last, got = first, 1
        while got < n:
            one = b.receive(2, is_ours)
            if not one:
                break
            last, got = one, got + 1
        thread.join()
        rate = (got - 1) * size * 8 / ((last[1] - first[1]) / 1e9) / 1000
        row("rate", f"{kbps} kbit/s, {size} bytes", f"{rate:.0f} kbit/s, {100 * (rate / kbps - 1):+.2f} %; {got} of {n} frames")


def by_guest(lab, only):
    """The same, and a gigabit, by a microguest at both ends of a wire: nothing but the switch is measured."""
    if not os.access("/dev/kvm", os.W_OK):
        row("by a microguest", "", "no /dev/kvm")
        return
    cable = Cable(lab, BUILD)
    try:
        if only in ("", "delay"):
            delay_by_guest(cable)
        if only in ("", "loss"):
            loss_by_guest(cable)
        if only in ("", "rate"):
            rate_by_guest(cable)
    finally:
        cable.close()


def delay_by_guest(cable):
    n = 2000 if QUICK else 20000
    for asked, params in (("nothing", {}), ("1 ms", {"delay_us": 1000}), ("20 ms", {"delay_us": 20000}),
                          ("20 ms, uniform +-5 ms", {"delay_us": 20000, "jitter_us": 5000, "order": "free"}),
                          ("20 ms, normal sd 3 ms", {"delay_us": 20000, "jitter_us": 3000, "distribution": "normal", "order": "free"}),
                          ("20 ms, pareto sd 3 ms", {"delay_us": 20000, "jitter_us": 3000, "distribution": "pareto", "order": "free"})):
        mean, sd, got = cable.delay_ms(params, n, 2000)
        row("delay, microguest", asked, f"mean {mean:.3f} ms, sd {sd:.3f} ms; n {got}")


def loss_by_guest(cable):
    n = 50000 if QUICK else 1000000
    for asked, params, expected in (
            ("1 %", {"loss_ppm": 10000}, 0.01), ("0.1 %", {"loss_ppm": 1000}, 0.001),
            ("bursts 0.5 %/25 %: 1.96 %", {"burst_enter_ppm": 5000, "burst_leave_ppm": 250000}, 0.005 / 0.255)):
        share = 1 - cable.all_of(params, n, 100000)["rx"] / n
        ci = 1.96 * math.sqrt(share * (1 - share) / n)
        row("loss, microguest", asked, f"{share * 100:.4f} % +-{ci * 100:.4f} (95 %, if independent); off by "
            f"{(share - expected) * 100:+.4f} points; n {n}")


def rate_by_guest(cable):
    for kbps in (100000, 500000, 1000000):
        rate, frames, missed = cable.rate_kbps(kbps, 1 if QUICK else 5)
        row("rate, microguest", f"{kbps} kbit/s, 1518 bytes", f"{rate:.0f} kbit/s, {100 * (rate / kbps - 1):+.3f} %; "
            f"{frames} frames, {missed} of them more than the sink could take")


def up_seconds(lab, n):
    """`netloom up` of a lab of so many impaired links between switches; netloomd runs already."""
    path = os.path.join(lab.dir, "links.yaml")
    with open(path, "w", encoding="ascii") as file:
        file.write("name: links\ntopology:\n  nodes:\n" + "".join(f"    s{i}: {{ kind: switch }}\n" for i in range(51)) + "  links:\n")
        for i in range(n):
            file.write(f'    - {{ endpoints: ["s{i % 50}:a{i}", "s{i % 50 + 1}:b{i}"], impair: {{ delay: 1ms, loss: 0.1% }} }}\n')
    environ = dict(os.environ, NETLOOM_RUNDIR=lab.dir)
    begun = time.monotonic()
    subprocess.run([os.path.join(BUILD, "netloom"), "up", "--quiet", path], env=environ, check=True, stdout=subprocess.DEVNULL)
    took = time.monotonic() - begun
    subprocess.run([os.path.join(BUILD, "netloom"), "down", "links"], env=environ, check=True, stdout=subprocess.DEVNULL)
    return took


def apply_seconds(lab, n):
    """The RPC alone: so many wires between 2n machines, both directions impaired."""
    bad = {"in": {"delay_us": 1000, "loss_ppm": 1000}}
    ports = []
    for i in range(n):
        for own, other in (("x", "y"), ("y", "x")):
            ports.append({"name": f"{own}{i}", "type": "vhost-user", "socket": f"{lab.dir}/{own}{i}.sock", "wire": f"{other}{i}", "impair": bad})
    begun = time.monotonic()
    lab.call("apply", owner="many", switches=[], ports=ports)
    took = time.monotonic() - begun
    lab.call("apply", owner="many", switches=[], ports=[])
    return took


def live_figures(lab, a, b):
    """Frames on one link while other links are made, changed and removed."""
    n = 20000
    impair(lab, {})
    b.drain()
    stop, changes = threading.Event(), [0]
    before = lab.port("a")["rx"]["pkts"]

    def change():
        while not stop.is_set():
            for impaired in (None, {"in": {"delay_us": 1000 + changes[0]}}, {"in": {"loss_ppm": 500000}}):
                more = {"impair": impaired} if impaired else {}
                lab.call("apply", owner="other", switches=[], ports=[
                    {"name": x, "type": "vhost-user", "socket": f"{lab.dir}/{x}.sock", "wire": y, **more} for x, y in (("u", "v"), ("v", "u"))])
                changes[0] += 1
            lab.call("apply", owner="other", switches=[], ports=[])
            changes[0] += 1

    thread = threading.Thread(target=change)
    thread.start()
    got = 0
    for _ in range(n // 1000):
        flood(lab, a, 1000, 64, 20)
        got += received(b)
    stop.set()
    thread.join()
    entered = lab.port("a")["rx"]["pkts"] - before  # a sender that outruns a busy machine loses some in its interface
    row("frames lost on a link meanwhile", f"{changes[0]} changes of another", f"{entered - got} of {entered} that entered it")


def lab_figures(lab):
    for n in (100, 500):
        row(f"netloom up, {n} links", "", f"{min(up_seconds(lab, n) for _ in range(3)):.3f} s")
        row(f"apply, {n} wires, {2 * n} ports", "", f"{min(apply_seconds(lab, n) for _ in range(3)):.3f} s")


def main():
    only = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else ""
    lab = LinkLab(arguments=("--threads", "1"))
    try:
        a, b = lab.wire()
        print(f"{'what':34} {'asked for':>30}   measured")
        for what, measure in (("delay", lambda: delay_figures(lab, a, b)), ("loss", lambda: loss_figures(lab, a, b)),
                              ("rate", lambda: rate_figures(lab, a, b)),
                              ("live", lambda: live_figures(lab, a, b)), ("labs", lambda: lab_figures(lab))):
            if only in ("", what):
                measure()
        if only in ("", "delay", "loss", "rate"):
            by_guest(lab, only)
    finally:
        lab.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
