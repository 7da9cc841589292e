#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
bench/overlay runs and says plausible things: a benchmark that nobody runs rots. How fast anything is, is not looked at.

    capture file --> bench/vtep --> memory          capture file --> Open vSwitch --> net_null
    [guest]--tap--netloomd--e0 ==== veth ==== e0--netloomd--tap--[guest], and the kernel's VXLAN on the same veth

Exit status: 0 passed, 77 skipped, else failed.
"""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BENCH = os.path.join(HERE, "..", "..", "bench", "overlay")
LIMIT_S = 300


def is_cycles(value):
    return 5 < value < 1e6


def check_cycles(cases):
    assert [case["kind"] for case in cases] == ["encap", "decap"], cases
    for case in cases:
        assert is_cycles(case["netloom_cycles"]) and is_cycles(case["ovs_cycles"]) and case["ratio"] > 0, case
        assert len(case["trials"]) == 4 and all(trial["packets"] > 0 for trial in case["trials"]), case
    # What was measured is what was meant.
    assert "tnl_push" in str(cases[0]["ovs_actions"]) and "tnl_pop" in str(cases[1]["ovs_actions"]), cases


def main():
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        done = subprocess.run([BENCH, "--quick", "--kinds", "encap,decap", "--json", out.name], timeout=LIMIT_S,
                              check=False)
        if done.returncode != 0:
            return done.returncode
        result = json.load(out)
    if "cycles" in result:  # needs hugepages
        check_cycles(result["cycles"]["cases"])
    for trial in result["tcp"]["trials"]:
        assert trial["gbits"] > 0 and trial["cpu_ms_per_gbit"] > 0, trial
    subjects = {trial["subject"] for trial in result["tcp"]["trials"]}
    assert subjects - {"shortcut"} == {"netloom", "kernel", "relays", "relay"}, subjects  # that takes Linux 6.6
    for case in result["scale"]["cycles"]:
        assert is_cycles(case["many_cycles"]) and is_cycles(case["small_cycles"]), case
    memory = result["scale"]["memory"]
    assert memory["vnis"] == 4096 and memory["macs"] >= 5000 and memory["bytes_per_vni"] > 0, memory
    return 0


if __name__ == "__main__":
    sys.exit(main())
