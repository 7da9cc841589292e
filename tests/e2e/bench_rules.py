#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The rules of netloom bench that need no switch: what is a disturbance, and what is a difference. For test_bench.sh."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from types import SimpleNamespace

TOP = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")
sys.path[:0] = [os.path.join(TOP, part) for part in ("bench", "tests/guests", "tests/e2e")]

from netbench import cli, compare, report  # noqa: E402
from netbench.machine import Sample, Thread  # noqa: E402
from netbench.stats import spread, summary  # noqa: E402
from netbench.trials import Counted, why_not  # noqa: E402
from netbench.watch import Watch, shares_of, waited_ns  # noqa: E402
from netbench.windows import BREAK_NS, KEPT, RECOVERY, Cut, Witness, overlapped, recovering  # noqa: E402

BUSY, ASLEEP = "while :; do :; done", "read line"
OPTIONS = SimpleNamespace(count_all=False)


@contextlib.contextmanager
def running(cpu, *scripts):
    """Shells pinned to @cpu."""
    processes = [subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "taskset", "-c", str(cpu), "sh", "-c", script],
                                  stdin=subprocess.PIPE)
                 for script in scripts]
    try:
        for process in processes:
            while not open(f"/proc/{process.pid}/comm").read().startswith("sh"):
                time.sleep(0.01)
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def watched(pids, of_it, seconds=0.5):
    """A Watch of the first two of @pids, where all in @of_it belong to the measurement."""
    cpus = sorted(os.sched_getaffinity(0))[:2]
    watch = Watch(Thread(pids[0], ("sh",)), Thread(pids[1], ("sh",)), of_it, cpus)
    watch.crowded = True
    watch.begin()
    time.sleep(seconds)
    return watch.end()


def who_sleeps_is_not_disturbed():
    first, second = sorted(os.sched_getaffinity(0))[:2]
    with running(first, ASLEEP) as one, running(second, ASLEEP) as other:
        got = watched(one + other, one + other)
        assert got["cpu_ns"] < 0.1e9 and not why_not([{**got, "share": got["share"]}]), got


def who_waits_for_others_is_disturbed():
    first, second = sorted(os.sched_getaffinity(0))[:2]
    with running(first, BUSY, BUSY, BUSY) as three, running(second, ASLEEP) as other:
        got = watched(three[:1] + other, three[:1] + other)
        assert got["share"] < 0.9 and why_not([got]) == "a subject had less than 90 % of its CPU", got


def who_still_waits_is_disturbed():
    """What a thread waits is only counted when it gets the CPU."""
    at_first = Sample(5000, 70, 3, 2, True)
    assert waited_ns(at_first, at_first._replace(cpu_ns=5000 + 10**8), 1.0) == 9 * 10**8
    assert waited_ns(at_first, at_first._replace(delay_ns=170, ready=False), 1.0) == 100
    assert waited_ns(at_first, at_first._replace(voluntary=4), 1.0) == 0


def own_threads_are_no_disturbance():
    second = 1e9
    assert shares_of([0.3 * second, 0], 0.3 * second, [0, 0], 1) == [1, 1]
    assert shares_of([0.3 * second, 0.2 * second], 0.3 * second, [0, 0], 1) == [0.8, 0.8]
    assert shares_of([0.3 * second, 0], 0, [0, 0], 1) == [0.7, 1]
    assert shares_of([0, 0], 0, [0, 20], 1)[1] == 1 - 20 / os.sysconf("SC_CLK_TCK")


def what_is_left_out_is_counted():
    counted = Counted(OPTIONS)
    good, bad = {"share": 0.95, "vcpu_share": 1.0, "frames": 7}, {"share": 1.0, "vcpu_share": 0.5, "frames": 7}
    assert counted.use([good]) and not counted.use([good, bad]) and not counted.use([{**good, "frames": 0}])
    assert not counted.use([{**good, "distance_ns": 100}, {**good, "distance_ns": 400}])
    assert counted.result()["rounds"] == 4 and sum(counted.result()["excluded"].values()) == 3, counted.result()
    everything = Counted(SimpleNamespace(count_all=True))
    assert everything.use([bad]) and not everything.use([{**good, "frames": 0}])


def document(results, **more):
    return {**more, "bench": "b", "environment": {"cpu": "one"}, "cpus": [0, 1], "rounds": 1, "seconds": 1, "took_s": 1, "command": "",
            "count_all": False, "results": results, "trials": []}


def compared(old, new):
    """{what: verdict} of two lists of results."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, name) for name in ("old", "new")]
        for path, results in zip(paths, (old, new)):
            with open(path, "w") as file:
                json.dump(document(results), file)
        return {line.split(", ", 1)[1].split(": ")[0]: line.rsplit(": ", 1)[1] for line in compare.text(*paths).splitlines()}


def differences_are_what_does_not_overlap():
    def table(mpps, lost, once, none=()):
        values = {"Mpps": (spread(mpps, 0.01), True), "lost": (spread(lost), False), "once": (spread([once]), True),
                  "none": (spread(list(none)), True)}
        return [{"title": "t", "values": {what: {**value, "higher_is_better": higher} for what, (value, higher) in values.items()}}]

    assert compared(table([5, 5.1], [0, 0], 100), table([5.15, 5.2], [3, 4], 110)) == {
        "Mpps": "no difference", "lost": "worse", "once": "no difference", "none": "not comparable, nothing undisturbed was measured"}
    assert compared(table([5, 5.1], [3, 4], 100), table([6, 6.1], [0, 1], 200, [1])) == {
        "Mpps": "better", "lost": "better", "once": "better", "none": "not comparable, nothing undisturbed was measured"}

    def paired(mpps, cycles):
        figures = {"mpps": summary(mpps), "cycles": summary(cycles)}
        return [{"title": "t", "figures": {"netloomd": figures}, "ratios": {"peer": figures}},
                {"title": "u", "figures": {"netloomd": figures}, "ratios": {}}]

    assert compared(paired([2, 2.1, 2.2], [3, 3.1]), paired([1, 1.1, 1.2], [3, 3.1])) == {
        "peer, ratio of Mpps": "worse", "peer, ratio of cycles": "no difference", "netloomd, Mpps": "worse",
        "netloomd, cycles per frame": "no difference"}


def absences_are_in_every_window_they_reach_into():
    assert overlapped([(1250, 100)], 1000, 100, 10) == {1, 2}
    assert overlapped([(1250, 40)], 1000, 100, 10) == {2}
    assert overlapped([(1050, 5000)], 1000, 100, 10) == {0}  # began before
    assert overlapped([(9000, 7500)], 1000, 100, 10) == {5, 6, 7, 8, 9}  # ended after
    assert overlapped([(900, 50), (2100, 50)], 1000, 100, 10) == set()
    assert overlapped([(1500, 0)], 1000, 100, 10) == {5}
    assert recovering({2, 9}, 10) == {*range(2, 3 + RECOVERY), 9}


GHZ = 1e9  # a cycle is a nanosecond


def cut(absences, slow=()):
    """100 windows of 1000 cycles from 10^6 on, the first 10 of them warming up; 10 frames of 5 cycles in each, in those of @slow of 900."""
    return Cut(10**6, 1000, 10, 100, absences, lambda number: [(900 if number in slow else 5, 10)], GHZ)


def windows_without_absences_are_believed():
    quiet = cut({"subject": [], "generator": []}, slow={50})
    assert quiet.n_unstolen[BREAK_NS] == 90 and quiet.unstolen[BREAK_NS] == quiet.everything == {5: 890, 900: 10}, quiet.unstolen
    # slow frames alone leave nothing out; an absence does, with those who come after it
    end = 10**6 + 50 * 1000 + 10
    disturbed = cut({"subject": [(end, BREAK_NS + 1)], "generator": []}, slow={50})
    touched = 1 + (BREAK_NS + 1 + 989) // 1000 + RECOVERY
    assert disturbed.n_unstolen[BREAK_NS] == 90 - touched, disturbed.n_unstolen
    assert disturbed.unstolen[BREAK_NS] == {5: 10 * (90 - touched)} and disturbed.everything == {5: 890, 900: 10}
    row = disturbed.summary()
    assert row["windows"] == 90 and row["windows_without_subject"] == touched and row["windows_without_generator"] == 0, row
    assert row["generator_absences_s"] == 0 and abs(row["subject_absences_s"] - GHZ / 90000) < 1, row


def the_limit_decides_what_an_absence_is():
    at = 10**6 + 50 * 1000
    short = cut({"subject": [(at, 4000)], "generator": [(at, 12000)]})
    assert short.n_unstolen[3000] == short.n_unstolen[5000] == short.n_unstolen[10000] < short.n_unstolen[20000] == 90, short.n_unstolen
    only = cut({"subject": [(at, 4000)], "generator": []})
    assert only.n_unstolen[3000] < only.n_unstolen[5000] == 90, only.n_unstolen


def too_many_to_remember_is_not_none():
    flooded = cut({"subject": None, "generator": []})
    assert not any(flooded.n_unstolen.values()) and flooded.everything == {5: 900} and flooded.summary()["subject_absences_s"] is None


def warming_up_is_not_measured():
    early = cut({"subject": [(10**6 + 5000, 4000)], "generator": []}, slow=set(range(10)))
    assert early.n_unstolen[BREAK_NS] == 90 and early.everything == {5: 900} and early.summary()["subject_absences_s"] == 0


def a_witness_tells_the_newest_in_order():
    witness = Witness(".", 1e9)
    assert witness.absences.min_cycles == BREAK_NS
    witness.frame_ns(60.4)
    assert witness.absences.frame_cycles == 60
    for number in range(KEPT + 3):
        witness.absences.kept[number % KEPT][:] = number, 2 * number
    witness.absences.n = KEPT + 3
    assert witness.newest(4) == [(number, 2 * number) for number in range(KEPT - 1, KEPT + 3)] and witness.newest(0) == []
    witness.close()


def other_rings_are_told():
    """A comparison of split with packed rings says so, and a file that is older than packed rings is one of split ones."""
    results = [{"title": "t", "values": {"Mpps": {**spread([5]), "higher_is_better": True}}}]
    with tempfile.TemporaryDirectory() as folder:
        said = {}
        for new in ("split", "packed"):
            paths = [os.path.join(folder, name) for name in ("old", new)]
            for path, more in zip(paths, ({}, {"rings": new})):
                with open(path, "w") as file:
                    json.dump(document(results, **more), file)
            said[new] = compare.text(*paths)
    assert "different rings: split and packed" in said["packed"] and "rings" not in said["split"], said
    assert "packed rings" in report.text(document([], rings="packed")) and "split rings" in report.text(document([]))


def nothing_to_show_is_shown():
    """A run of which nothing is left has a table, too."""
    empty = {figure: summary([]) for figure in ("mpps", "cycles")}
    result = {"title": "t", "rounds": 2, "excluded": {"why": 2}, "figures": {"netloomd": empty}, "ratios": {"netloomd": empty},
              "ratio_title": "over", "generator_busy": {"netloomd": None}, "generator_limited": [], "floor": {"mpps": None}}
    shown = io.StringIO(report.text(document([result]))).read()
    assert "left out, 2 of 2 runs: why" in shown, shown
    assert not cli.undisturbed(document([result]))


if __name__ == "__main__":
    for test in (who_sleeps_is_not_disturbed, who_waits_for_others_is_disturbed, who_still_waits_is_disturbed, own_threads_are_no_disturbance,
                 what_is_left_out_is_counted, differences_are_what_does_not_overlap, other_rings_are_told, nothing_to_show_is_shown,
                 absences_are_in_every_window_they_reach_into, windows_without_absences_are_believed, the_limit_decides_what_an_absence_is,
                 too_many_to_remember_is_not_none, warming_up_is_not_measured, a_witness_tells_the_newest_in_order):
        test()
