#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""`netloom console` on a terminal, against a guest that does not read and a reader that goes away.

    this test == pseudo terminal == netloom console --- console.sock --- this test, in the place of a VM

The lab has one switch and is really up; the "VM" is a folder with a lock that is held and a socket.
"""
import fcntl
import os
import pty
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

here = os.path.dirname(os.path.abspath(__file__))
build = os.environ.get("BUILD", os.path.join(here, "../../build"))
netloom = os.path.join(build, "netloom")
LAB = "name: con\ntopology:\n  nodes:\n    s1: { kind: switch }\n"
VM = "    h1: { kind: vm }\n"  # for the stored file: the test plays its console
LEAVE = b"\x1d"


def skip(why):
    print("skipped: " + why)
    sys.exit(77)


def wait_for(what, condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("not within %d s: %s" % (seconds, what))
        time.sleep(0.02)


def is_raw(fd):
    return not termios.tcgetattr(fd)[3] & termios.ICANON


class Console:
    """netloom console on a terminal of its own."""

    def __init__(self, listener, stdout=None):
        self.ours, self.theirs = pty.openpty()
        self.process = subprocess.Popen(
            [netloom, "console", "con/h1"], stdin=self.theirs,
            stdout=self.theirs if stdout is None else stdout, stderr=subprocess.DEVNULL)
        self.guest = listener.accept()[0]
        wait_for("the terminal is raw", lambda: is_raw(self.theirs))

    def ended(self):
        self.process.wait(20)
        assert not is_raw(self.theirs), "the terminal was left raw"
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.guest.close()
        os.close(self.ours)
        os.close(self.theirs)


def type_all(fd, data):
    """Types for as long as the terminal takes it; it may take less than all."""
    end = time.monotonic() + 20
    while data and time.monotonic() < end:
        if not select.select([], [fd], [], 0.5)[1]:
            return len(data)
        data = data[os.write(fd, data[:512]):]
    return len(data)


def both_directions_and_leaving(listener):
    console = Console(listener)
    try:
        os.write(console.ours, b"hello\r")
        assert console.guest.recv(100).startswith(b"h")
        console.guest.sendall(b"login: ")
        got = b""
        while b"login: " not in got:
            assert select.select([console.ours], [], [], 20)[0], "nothing is shown"
            got += os.read(console.ours, 1000)
        os.write(console.ours, LEAVE)
        assert console.ended() == 0
    finally:
        console.close()


def leave_key_works_when_the_guest_reads_nothing(listener):
    console = Console(listener)
    try:
        left = type_all(console.ours, b"x" * (2 << 20))
        assert left == 0, "netloom has stopped to read its terminal, %d bytes left" % left
        os.write(console.ours, LEAVE)
        assert console.ended() == 0
    finally:
        console.close()


def terminal_is_put_back_when_the_reader_goes(listener):
    reader, writer = os.pipe()
    console = Console(listener, stdout=writer)
    os.close(writer)
    os.close(reader)
    try:
        console.guest.sendall(b"a guest that says something\r\n")
        assert console.ended() >= 0, "ended by signal %d" % -console.process.returncode
    finally:
        console.close()


def main():
    if not os.access(netloom, os.X_OK) or not os.access(os.path.join(build, "netloomd"), os.X_OK):
        skip("no netloom and netloomd in %s; run make first" % build)
    if os.geteuid() != 0:
        skip("needs root")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    folder = tempfile.mkdtemp(prefix="nl-", dir="/tmp")
    os.environ.update(NETLOOM_RUNDIR=os.path.join(folder, "run"), NETLOOMD_ARGS="--no-huge")
    try:
        with open(os.path.join(folder, "con.yaml"), "w", encoding="utf-8") as file:
            file.write(LAB)
        subprocess.run([netloom, "up", "--quiet", file.name], check=True)
        node = os.path.join(folder, "run/labs/con/h1")
        os.mkdir(node, 0o700)
        with open(os.path.join(folder, "run/labs/con/lab.yaml"), "a", encoding="utf-8") as file:
            file.write(VM)
        with open(os.path.join(node, "lock"), "w", encoding="utf-8") as lock:
            fcntl.fcntl(lock, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0))
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(os.path.join(node, "console.sock"))
            listener.listen(4)
            listener.settimeout(20)
            for test in (both_directions_and_leaving, leave_key_works_when_the_guest_reads_nothing,
                         terminal_is_put_back_when_the_reader_goes):
                test(listener)
                print("ok   " + test.__name__)
            listener.close()
    finally:
        subprocess.run([netloom, "down", "--all", "--quiet"], check=False)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
