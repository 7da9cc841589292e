# SPDX-License-Identifier: BSD-3-Clause
"""
What the tests of capture, trace, mirrors and sFlow share: a netloomd with TAP ports in namespaces, raw frames, tshark.

    [ns x: eth1]--tap--netloomd: as the test says
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

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("BUILD", os.path.join(REPO, "build"))
NETLOOM = os.path.join(BUILD, "netloom")
LIMIT_S = 60


def wait_for(what, condition, limit=LIMIT_S):
    until = time.monotonic() + limit
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"gave up waiting for {what}")


def mac(n):
    return bytes((2, 0, 0, 0, 0, n))


def frame(to, source, *tags, ethertype=0x88b5, payload=b"", length=60):
    """tags: (TPID, TCI)"""
    head = to + source + b"".join(t.to_bytes(2, "big") + c.to_bytes(2, "big") for t, c in tags)
    return (head + ethertype.to_bytes(2, "big") + payload).ljust(length, b"\0")


class Lab:
    def __init__(self, names, *options):
        self.dir = tempfile.mkdtemp(prefix="netloom-eyes-")
        self.options = options
        self.socket = os.path.join(self.dir, "netloomd.sock")
        self.env = dict(os.environ, NETLOOM_RUNDIR=self.dir)
        self.children = []
        self.raw = {}
        self.ns = {}
        for name in names:
            ns = f"ey{os.getpid()}{name}"
            subprocess.run(["ip", "netns", "add", ns], check=True)
            self.ns[name] = ns
            # Nothing is sent that the test did not send
            self.inside(name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                        "net.ipv6.conf.default.disable_ipv6=1")
        self.start()

    def inside(self, name, *command, check=True):
        return subprocess.run(["ip", "netns", "exec", self.ns[name], *command], check=check, timeout=LIMIT_S,
                              stdout=subprocess.PIPE, text=True).stdout

    def start(self):
        log = open(self.path("log"), "a")
        self.daemon = self.spawn(os.path.join(BUILD, "netloomd"), "--no-huge", *self.options, stderr=log)

        def answers():
            assert self.daemon.poll() is None, self.log()
            try:
                return self.call("status")
            except OSError:
                return None
        wait_for("netloomd", answers)

    def log(self):
        return open(self.path("log")).read()

    def path(self, name):
        return os.path.join(self.dir, name)

    def spawn(self, *command, **more):
        child = subprocess.Popen(command, env=self.env, **more)
        self.children.append(child)
        return child

    def end(self, child, how=signal.SIGTERM):
        if child.poll() is None:
            child.send_signal(how)
        rc = child.wait(LIMIT_S)
        if child in self.children:
            self.children.remove(child)
        return rc

    def connect(self):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(LIMIT_S)
        sock.connect(self.socket)
        return sock

    def ask(self, method, sock=None, **params):
        own = sock or self.connect()
        own.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        line = b""
        while not line.endswith(b"\n"):
            got = own.recv(1 if sock else 65536)
            if not got:
                break
            line += got
        if not sock:
            own.close()
        return json.loads(line)

    def call(self, method, **params):
        answer = self.ask(method, **params)
        assert "result" in answer, answer
        return answer["result"]

    def refused(self, method, **params):
        answer = self.ask(method, **params)
        assert "error" in answer, answer
        return answer["error"]["message"]

    def tap(self, name, **more):
        return dict({"name": name, "type": "tap", "ifname": "eth1", "netns": self.ns[name]}, **more)

    def apply(self, switches, ports, **more):
        self.call("apply", owner="lab", switches=[{"name": s} for s in switches], ports=ports, **more)
        for sock in self.raw.values():
            sock.close()
        self.raw = {}
        for port in ports:
            if port["type"] == "tap":
                self.open(port["name"])

    def attached(self, name):
        port = self.port(name)
        return "switch" in port or "wire" in port

    def open(self, name):
        """A packet socket on a namespace's eth1: threads change namespaces, so a child does, and hands it over."""
        ours, theirs = socket.socketpair()
        code = ("import socket,sys,array;"
                "s=socket.socket(socket.AF_PACKET,socket.SOCK_RAW,socket.htons(3));s.bind(('eth1',0));"
                "p=socket.socket(fileno=int(sys.argv[1]));socket.send_fds(p,[b'x'],[s.fileno()])")

        def up():
            if not self.attached(name):
                return True
            return "LOWER_UP" in self.inside(name, "ip", "-br", "link", "show", "dev", "eth1", check=False)
        wait_for(f"the carrier of {name}", up)
        subprocess.run(["ip", "netns", "exec", self.ns[name], sys.executable, "-c", code, str(theirs.fileno())],
                       pass_fds=[theirs.fileno()], check=True, timeout=LIMIT_S)
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        self.raw[name] = socket.socket(fileno=fds[0])
        self.raw[name].settimeout(LIMIT_S)
        ours.close()
        theirs.close()

    def send(self, name, *frames):
        for one in frames:
            self.raw[name].send(one)

    def port(self, name):
        return next(p for p in self.call("port.list")["ports"] if p["name"] == name)

    def sent_to(self, name, what, count=1):
        """Wait until a namespace has received a frame that holds these bytes; returns it."""
        found = []
        while len(found) < count:
            got = self.raw[name].recvfrom(65536)
            if got[1][2] != socket.PACKET_OUTGOING and what in got[0]:
                found.append(got[0])
        return found[0] if count == 1 else found

    def capture(self, *arguments, out=None, **more):
        """Start a capture and wait until it looks."""
        child = self.spawn(NETLOOM, "capture", *arguments, stdout=out or subprocess.PIPE,
                           stderr=subprocess.PIPE, text=False, **more)
        line = child.stderr.readline()
        assert line == b"capturing; Ctrl-C ends it\n", line
        return child

    def frames(self, count):
        """Wait until the only capture has matched so many frames."""
        wait_for(f"{count} frames", lambda: self.call("capture.list")["captures"][0]["frames"] >= count)

    def close(self):
        for child in list(self.children):
            self.end(child, signal.SIGKILL if child is not self.daemon else signal.SIGTERM)
        for sock in self.raw.values():
            sock.close()
        for ns in self.ns.values():
            subprocess.run(["ip", "netns", "delete", ns], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def tshark(path, *fields, filter=None, options=()):
    """Rows of the given fields, as tshark reads them."""
    command = ["tshark", "-n", *options, "-r", path, "-T", "fields", "-E", "separator=|"]
    for field in fields:
        command += ["-e", field]
    if filter:
        command += ["-Y", filter]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    return [tuple(line.split("|")) for line in done.stdout.splitlines()]


def main(names, options, tests):
    """Run the tests in order on one lab."""
    if os.geteuid() != 0:
        print("needs root, for namespaces")
        return 77
    for tool in ("tshark", "ip"):
        if shutil.which(tool) is None:
            print(f"needs {tool}")
            return 77
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    lab = None
    try:
        lab = Lab(names, *options)
        for test in tests:
            started = time.monotonic()
            test(lab)
            print(f"{test.__name__}: {time.monotonic() - started:.1f} s", flush=True)
        assert "rror:" not in lab.log(), lab.log()
        return 0
    except BaseException:
        if lab is not None:
            print(lab.log())
        raise
    finally:
        if lab is not None:
            lab.close()
