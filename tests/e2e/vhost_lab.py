# SPDX-License-Identifier: BSD-3-Clause
"""A private netloomd, and DPDK's testpmd as virtio front-end, for tests and benchmarks.

Everything lives in one temporary directory; Lab.close() ends what was started and removes it, also after an interrupt.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from testpmd import TESTPMD, Failed, Testpmd  # noqa: F401

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(HERE, "..", "..", "build")))
NETLOOMD = os.path.join(BUILD, "netloomd")


def skip(reason):
    print("SKIP:", reason)
    sys.exit(77)


def wait_until(what, condition, limit=30.0, step=0.05):
    """Poll @condition until it is true; its last value is returned."""
    deadline = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {limit:.0f} s")
        time.sleep(step)


def expect(condition, text):
    if not condition:
        raise Failed(text)


class Rpc:
    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(path)
        self.file = self.sock.makefile("rw")

    def call(self, method, **params):
        self.file.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n")
        self.file.flush()
        answer = json.loads(self.file.readline())
        expect("result" in answer, f"{method}: {answer.get('error')}")
        return answer["result"]

    def close(self):
        self.file.close()
        self.sock.close()


class Netloomd:
    def __init__(self, directory, *args):
        self.directory = directory
        self.args = args
        self.process = None
        self.rpc = None

    def start(self):
        path = os.path.join(self.directory, "netloomd.sock")
        log = open(os.path.join(self.directory, "netloomd.log"), "ab")
        self.process = subprocess.Popen(
            [NETLOOMD, "--socket", path, "--state", os.path.join(self.directory, "state.json"), *self.args],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            env={**os.environ, "NETLOOM_RUNDIR": self.directory})
        log.close()

        def connected():
            expect(self.process.poll() is None, f"netloomd ended with status {self.process.returncode}")
            try:
                self.rpc = Rpc(path)
            except OSError:
                return False
            return True

        wait_until("netloomd answers", connected)

    def kill(self, how=signal.SIGTERM):
        if self.rpc:
            self.rpc.close()
            self.rpc = None
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise Failed("netloomd did not end within 20 s of a signal")

    def port(self, name):
        return next(p for p in self.rpc.call("port.list")["ports"] if p["name"] == name)


class Lab:
    """The temporary directory, netloomd in it, and everything else that must end with the test."""

    def __init__(self, *netloomd_args):
        self.directory = tempfile.mkdtemp(prefix="netloom-e2e-")
        self.netloomd = Netloomd(self.directory, *netloomd_args)
        self.ends = []

    def path(self, name):
        return os.path.join(self.directory, name)

    def testpmd(self, *args, **kwargs):
        front_end = Testpmd(self.directory, *args, **kwargs)
        self.ends.append(front_end.kill)
        return front_end

    def close(self, failed):
        for end in reversed(self.ends):
            end()
        try:
            self.netloomd.kill()
        finally:
            if failed:
                for name in sorted(os.listdir(self.directory)):
                    if name.endswith(".log"):
                        print(f"--- {name} (end)")
                        with open(self.path(name), errors="replace") as log:
                            print("".join(log.readlines()[-25:]))
            shutil.rmtree(self.directory, ignore_errors=True)


def run(main, *netloomd_args):
    """Run @main(lab) and turn its outcome into an exit status."""
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sig, lambda number, frame: sys.exit(128 + number))
    if not os.access(NETLOOMD, os.X_OK):
        skip(f"{NETLOOMD} is not built")
    lab = Lab(*netloomd_args)
    failed = True
    try:
        main(lab)
        failed = False
    except Failed as failure:
        print("FAIL:", failure)
    finally:
        lab.close(failed)
    sys.exit(1 if failed else 0)
