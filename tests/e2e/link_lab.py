# SPDX-License-Identifier: BSD-3-Clause
"""A netloomd of its own whose ports are TAP interfaces in namespaces, and raw sockets on them: for tests and figures of links.

    [namespace a: eth1]--tap a--+  a wire, or  +--tap b--[namespace b: eth1]
                                +---- switch --+
"""
import ctypes
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(REPO, "build"))
LIMIT_S = 60
ETH_P_ALL = 3
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33
CLONE_NEWNET = 0x40000000
PACKET_OUTGOING = 4
SOL_PACKET, PACKET_AUXDATA = 263, 8
TP_STATUS_VLAN_VALID = 0x10
TEST_TYPE = b"\x88\xb5"  # IEEE 802 local experimental

_libc = ctypes.CDLL(None, use_errno=True)


def ns_of(name):
    return f"nl{os.getpid()}{name}"


def mac(n):
    return bytes([2, 0, 0, 0, 0, n])


class RawSocket:
    """Frames of one interface in a namespace, byte for byte."""

    def __init__(self, netns, ifname="eth1"):
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        there = os.open(f"/run/netns/{netns}", os.O_RDONLY)
        try:
            if _libc.setns(there, CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        finally:
            _libc.setns(home, CLONE_NEWNET)
            os.close(home)
            os.close(there)
        self.sock.bind((ifname, ETH_P_ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        self.sock.setblocking(False)

    def send(self, frame):
        while True:
            try:
                return self.sock.send(frame)
            except BlockingIOError:
                select.select([], [self.sock], [], 1)

    def receive(self, limit=LIMIT_S, wanted=None):
        """One frame that came in and its time in ns (CLOCK_REALTIME); None when there is none within the limit."""
        until = time.monotonic() + limit
        while True:
            left = until - time.monotonic()
            if not select.select([self.sock], [], [], max(left, 0))[0]:
                return None
            frame, extra, _, address = self.sock.recvmsg(70000, 256)
            if address[2] == PACKET_OUTGOING or (wanted and not wanted(self.with_tag(frame, extra))):
                if left < 0:
                    return None
                continue
            seconds, ns = struct.unpack("qq", next(d for _, t, d in extra if t == SO_TIMESTAMPNS))
            return self.with_tag(frame, extra), seconds * 10**9 + ns

    @staticmethod
    def with_tag(frame, extra):
        """The kernel takes the outer tag out of the frame and tells it besides."""
        aux = next(d for level, t, d in extra if level == SOL_PACKET and t == PACKET_AUXDATA)
        status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", aux)
        if not status & TP_STATUS_VLAN_VALID:
            return frame
        return frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]

    def drain(self):
        while self.receive(0):
            pass


class LinkLab:
    def __init__(self, names="ab", arguments=()):
        self.dir = tempfile.mkdtemp(prefix="netloom-link-")
        self.socket = os.path.join(self.dir, "netloomd.sock")
        self.names = names
        self.made = []
        self.daemon = None
        self.arguments = arguments
        for how in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(how, lambda *_: sys.exit(1))
        for name in names:
            subprocess.run(["ip", "netns", "add", ns_of(name)], check=True)
            self.made.append(name)
            self.inside(name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                        "net.ipv6.conf.default.disable_ipv6=1")
        self.start()

    def inside(self, name, *command, check=True):
        return subprocess.run(["ip", "netns", "exec", ns_of(name), *command], check=check, text=True, timeout=LIMIT_S,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout

    def start(self):
        self.log = open(os.path.join(self.dir, "log"), "a")
        self.daemon = subprocess.Popen([os.path.join(BUILD, "netloomd"), "--no-huge", *self.arguments],
                                       env=dict(os.environ, NETLOOM_RUNDIR=self.dir), stderr=self.log)
        self.wait_for("netloomd", self.answers)

    def answers(self):
        assert self.daemon.poll() is None, open(os.path.join(self.dir, "log")).read()
        try:
            return self.call("status")
        except OSError:
            return None

    @staticmethod
    def wait_for(what, condition, limit=LIMIT_S, pause=0.01):
        until = time.monotonic() + limit
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < until, f"gave up waiting for {what}"
            time.sleep(pause)

    def ask(self, method, **params):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(LIMIT_S)
            sock.connect(self.socket)
            sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
            return json.loads(sock.makefile().readline())

    def call(self, method, **params):
        answer = self.ask(method, **params)
        assert "result" in answer, answer
        return answer["result"]

    def refusal(self, method, **params):
        answer = self.ask(method, **params)
        assert "error" in answer, answer
        return answer["error"]["message"]

    def tap(self, name, **more):
        return dict({"name": name, "type": "tap", "ifname": "eth1", "netns": ns_of(name)}, **more)

    def port(self, name):
        return next(p for p in self.call("port.list")["ports"] if p["name"] == name)

    def wire(self, a="a", b="b", **more):
        self.call("apply", owner="lab", switches=[], ports=[self.tap(a, wire=b, **more), self.tap(b, wire=a, **more)])
        return RawSocket(ns_of(a)), RawSocket(ns_of(b))

    def close(self):
        if self.daemon is not None:
            self.daemon.terminate()
            self.daemon.wait(LIMIT_S)
        for name in self.made:
            subprocess.run(["ip", "netns", "del", ns_of(name)], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def frame(number, size=64, to=2, source=1):
    """A frame that says which it is."""
    head = mac(to) + mac(source) + TEST_TYPE + struct.pack("!I", number)
    return head + bytes(max(0, size - len(head)))


def is_ours(data):
    return data[12:14] == TEST_TYPE


def number_of(data):
    return struct.unpack("!I", data[14:18])[0]
