#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
How long after a link was cut a guest sees NO-CARRIER, and sees it again.

Two guests on a wire; in one a loop looks at /sys/class/net/eth1/carrier and prints what changes on its console; the time is that
from asking netloomd to the line in the console's log, which is looked at every millisecond. Then the other guest is killed.

usage: bench/carrier.py [ROUNDS]        BUILD=build
"""
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(TOP, "build")))
NETLOOM = os.path.join(BUILD, "netloom")
LOOP = ('(while :; do read -r c </sys/class/net/eth1/carrier; [ "$c" = "$o" ] || { echo "CARRIER $c" >/dev/hvc0; o=$c; }; usleep 1000; done '
        '</dev/null >/dev/null 2>&1 &)')
LAB = """name: carrier
topology:
  defaults: { memory: 144M }
  nodes:
    a: { kind: vm }
    b: { kind: vm }
  links:
    - endpoints: ["a:eth1", "b:eth1"]
"""


def main():
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as folder:
        run_dir = os.path.join(folder, "run")
        environ = dict(os.environ, NETLOOM_RUNDIR=run_dir, NETLOOM_LIBDIR=os.path.join(TOP, "control/lab/image"),
                       NETLOOMD_ARGS="--no-huge", PATH=BUILD + ":" + os.environ["PATH"])
        lab = os.path.join(folder, "lab.yaml")
        with open(lab, "w", encoding="ascii") as file:
            file.write(LAB)

        def netloom(*words):
            return subprocess.run([NETLOOM, *words], env=environ, check=True, stdout=subprocess.PIPE, text=True).stdout

        def admin(state):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(os.path.join(run_dir, "netloomd.sock"))
                sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "port.admin",
                                         "params": {"name": "carrier/b:eth1", "admin": state}}).encode() + b"\n")
                assert b"result" in sock.recv(4096)

        def seen(state, begun):
            until = begun + 30
            while time.monotonic() < until:
                with open(os.path.join(run_dir, "labs/carrier/a/console.log"), "rb") as log:
                    lines = re.findall(rb"CARRIER (.)", log.read())
                if lines and lines[-1] == state:
                    return (time.monotonic() - begun) * 1000
                time.sleep(0.001)
            raise SystemExit("the guest did not see it")

        try:
            netloom("up", "--quiet", "--timeout", "300", lab)
            netloom("exec", "carrier/a", "--", "sh", "-c", LOOP)
            seen(b"1", time.monotonic())
            took = {"down": [], "up": []}
            for _ in range(rounds):
                for state, mark in (("down", b"0"), ("up", b"1")):
                    begun = time.monotonic()
                    admin(state)
                    took[state].append(seen(mark, begun))
                    time.sleep(0.2)
            for state, times in took.items():
                print(f"other end of the wire {state}: median {statistics.median(times):.0f} ms, most {max(times):.0f} ms of {rounds}")
            pid = next(v["pid"] for v in json.loads(netloom("ps", "--json")) if v["node"] == "b")
            begun = time.monotonic()
            os.kill(pid, 9)
            print(f"other machine killed: {seen(b'0', begun):.0f} ms")
        finally:
            subprocess.run([NETLOOM, "down", "--quiet", "--all"], env=environ, check=False)


if __name__ == "__main__":
    main()
