# SPDX-License-Identifier: BSD-3-Clause
"""DPDK's testpmd, worked by its own commands; for vhost_lab.py and `netloom bench --generator testpmd`."""

import fcntl
import os
import pty
import re
import select
import shutil
import subprocess
import time

TESTPMD = shutil.which("dpdk-testpmd")


class Failed(RuntimeError):
    """An expectation does not hold; the text says which."""


class Testpmd:
    """One testpmd, interactive on a terminal of its own."""

    serial = 0

    def __init__(self, directory, name, cpu, vdevs, options=(), memory=64, run_by=()):
        Testpmd.serial += 1
        self.name = name
        self.text = ""
        self.prefix = f"e2e-{os.getpid()}-{Testpmd.serial}"
        command = [
            *run_by, TESTPMD, "--lcores", f"0@{cpu},1@{cpu}", "--no-huge", "-m", str(memory), "--no-pci", "--no-telemetry",
            "--file-prefix", self.prefix, "--log-level", "lib.eal:error"]
        for vdev in vdevs:
            command += ["--vdev", vdev]
        command += ["--", "--interactive", "--nb-cores=1", "--total-num-mbufs=8192", *options]
        self.fd, slave = pty.openpty()
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, close_fds=True,
                                        start_new_session=True)
        os.close(slave)
        fcntl.fcntl(self.fd, fcntl.F_SETFL, os.O_NONBLOCK)
        self.log = open(os.path.join(directory, f"testpmd-{name}.log"), "ab")

    def read(self):
        """Collect what is there. Return False when the program has ended."""
        if not select.select([self.fd], [], [], 0.05)[0]:
            return self.process.poll() is None
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.log.write(data)
        self.log.flush()
        self.text += data.decode(errors="replace")
        return True

    def wait_prompt(self, limit=60):
        deadline = time.monotonic() + limit
        while "testpmd> " not in self.text:
            if not self.read():
                raise Failed(f"testpmd {self.name} ended: {self.text[-400:]}")
            if time.monotonic() > deadline:
                raise Failed(f"testpmd {self.name}: no prompt within {limit} s: {self.text[-400:]}")
        text, self.text = self.text, ""
        return text

    def command(self, line):
        self.text = ""
        os.write(self.fd, line.encode() + b"\n")
        return self.wait_prompt()

    def stats(self):
        """RX and TX packets, summed over ports."""
        text = self.command("show port stats all")
        count = lambda key: sum(int(n) for n in re.findall(key + r":\s*(\d+)", text))
        return {"rx": count("RX-packets"), "tx": count("TX-packets"), "tx_errors": count("TX-errors")}

    def quit(self):
        if self.process.poll() is None:
            try:
                os.write(self.fd, b"quit\n")
            except OSError:
                pass
            deadline = time.monotonic() + 10
            while self.process.poll() is None and time.monotonic() < deadline:
                self.read()
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        shutil.rmtree(f"/run/dpdk/{self.prefix}", ignore_errors=True)  # DPDK leaves it behind
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
            self.log.close()
