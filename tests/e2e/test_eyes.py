#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
What netloomd shows of itself: metrics that Prometheus' own checker accepts, and events as they happen.

    promtool, hostile HTTP clients --- /metrics --+
                                                  |  netloomd --- one.pcap [port one, access 10]
    netloom events -------------------- RPC ------+            --- two.pcap [port two, access 10]

Both pcap files hold a broadcast of the same station; a third port has nobody behind it.
"""
import fcntl
import http.client
import json
import os
import pty
import re
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

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("BUILD", os.path.join(REPO, "build"))
NETLOOM = os.path.join(BUILD, "netloom")
LIMIT_S = 60


def wait_for(what, condition):
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("gave up waiting for " + what)


def frame(source):
    return b"\xff" * 6 + bytes.fromhex(source.replace(":", "")) + b"\x08\x00" + bytes(60)


def pcap(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for one in frames:
            file.write(struct.pack("<IIII", 0, 0, len(one), len(one)) + one)


class Lab:
    def __init__(self, folder):
        self.folder = folder
        self.log = os.path.join(folder, "log")
        self.events = None
        self.prefix = f"netloom-test-{os.getpid()}"
        os.environ.update(NETLOOM_RUNDIR=folder)
        with open(self.log, "w", encoding="utf-8") as log:
            self.daemon = subprocess.Popen([os.path.join(BUILD, "netloomd"), "--no-huge", "--metrics", "0",
                                            "--telemetry", self.prefix],
                                           stderr=log)
        self.port = int(wait_for("the address of the metrics", self.find_port))
        self.rpc = wait_for("netloomd's socket", self.connect)

    def find_port(self):
        assert self.daemon.poll() is None, "netloomd ended"
        with open(self.log, encoding="utf-8") as log:
            found = re.search(r"http://127\.0\.0\.1:(\d+)/metrics", log.read())
        return found and found.group(1)

    def connect(self):
        rpc = socket.socket(socket.AF_UNIX)
        try:
            rpc.connect(os.path.join(self.folder, "netloomd.sock"))
            rpc.settimeout(LIMIT_S)
            return rpc.makefile("rw")
        except OSError:
            rpc.close()
            return None

    def call(self, method, **params):
        self.rpc.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n")
        self.rpc.flush()
        answer = json.loads(self.rpc.readline())
        assert "result" in answer, answer
        return answer["result"]

    def http(self, path, method="GET", body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT_S)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def metrics(self):
        status, text = self.http("/metrics")
        assert status == 200, status
        return text

    def metric(self, name):
        found = re.search("^" + re.escape(name) + r" (\S+)$", self.metrics(), re.M)
        return float(found.group(1)) if found else None

    def end(self):
        for process in (self.events, self.daemon):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(LIMIT_S)
        assert not os.path.exists(os.path.join("/run/dpdk", self.prefix)), "the folder of the telemetry stays behind"


def events_are_told(lab):
    """A station moves, a port drops, a link goes down, and each is one line."""
    folder = lab.folder
    moving = "02:00:00:00:00:01"
    pcap(folder + "/one.pcap", [frame(moving)])
    pcap(folder + "/two.pcap", [frame(moving)])
    lab.call("switch.set", name="sw")
    lab.call("port.set", name="sink", type="pcap", tx=folder + "/sink.pcap", switch="sw", vlan={"access": 10})
    lab.call("port.set", name="absent", type="vhost-user", socket=folder + "/absent.sock", switch="sw",
             vlan={"access": 10})
    lab.events = subprocess.Popen([os.path.join(BUILD, "netloom"), "events"], stdout=subprocess.PIPE, text=True)
    seen = []

    def kinds_until(kind, **wanted):
        while True:
            line = lab.events.stdout.readline()
            assert line, "netloom events ended"
            event = json.loads(line)
            assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", event["time"]), event
            seen.append(event)
            if event["kind"] == kind and all(event.get(k) == v for k, v in wanted.items()):
                return event

    # The subscription is there when a change shows up as an event: made again until it does.
    def change_shows():
        lab.call("port.admin", name="sink", admin="down")
        lab.call("port.admin", name="sink", admin="up")
        return select.select([lab.events.stdout], [], [], 0.5)[0]
    wait_for("the first event", change_shows)
    kinds_until("config")
    lab.call("port.set", name="one", type="pcap", rx=folder + "/one.pcap", switch="sw", vlan={"access": 10})
    wait_for("the station behind the first port",
             lambda: [e for e in lab.call("fdb.list")["entries"] if e["port"] == "one"])
    lab.call("port.set", name="two", type="pcap", rx=folder + "/two.pcap", switch="sw", vlan={"access": 10})
    moved = kinds_until("mac-move")
    assert (moved["mac"], moved["from"], moved["to"], moved["vlan"], moved["switch"]) == \
        (moving, "one", "two", 10, "sw"), moved
    # Both broadcasts went to a port behind which nobody is.
    drops = [e for e in seen if e["kind"] == "drops"] or [kinds_until("drops")]
    assert drops[0]["port"] == "absent" and drops[0]["reason"] == "not-connected", drops
    assert drops[0]["count"] in (1, 2) and "VM" in drops[0]["sentence"], drops
    lab.call("port.admin", name="sink", admin="down")
    kinds_until("link", port="sink", link="down")
    lab.call("port.admin", name="sink", admin="up")
    kinds_until("link", port="sink", link="up")
    # A link that flaps by itself is told as well.
    flapping = dict(name="sink", type="pcap", tx=folder + "/sink.pcap", switch="sw", vlan={"access": 10})
    lab.call("port.set", **flapping, flap={"every_ms": 400, "down_ms": 200})
    kinds_until("link", port="sink", link="down")
    kinds_until("link", port="sink", link="up")
    lab.call("port.set", **flapping)
    lab.events.send_signal(signal.SIGTERM)
    assert lab.events.wait(LIMIT_S) == 0


def metrics_say_what_happened(lab):
    text = lab.metrics()
    assert lab.metric('netloom_port_receive_packets_total{port="one",lab=""}') == 1, text
    assert lab.metric("netloom_fdb_moved_total") >= 1, text
    assert lab.metric('netloom_port_up{port="sink",lab=""}') == 1, text
    lab.call("port.admin", name="sink", admin="down")
    assert lab.metric('netloom_port_up{port="sink",lab=""}') == 0


def impaired_links_and_vnis_are_counted(lab):
    """All of what is lost on a direction was lost on purpose; a VNI nobody can be reached in is down."""
    assert "netloom_impair" not in lab.metrics() and "netloom_vni" not in lab.metrics()
    lab.call("port.impair", ports=[{"name": "sink", "out": {"loss_ppm": 1000000}}])
    lab.call("port.admin", name="sink", admin="up")
    lab.call("port.delete", name="one")
    lab.call("port.set", name="one", type="pcap", rx=lab.folder + "/one.pcap", switch="sw", vlan={"access": 10})
    labels = '{port="sink",lab="",direction="out"}'
    wait_for("the lost frame", lambda: lab.metric("netloom_impair_lost_total" + labels) == 1)
    assert lab.metric("netloom_impair_frames_total" + labels) == 1
    assert lab.metric("netloom_impair_held_frames" + labels) == 0
    lab.call("port.set", name="away", type="uplink", ifname="absent0", local=["192.0.2.1"])
    lab.call("vtep.set", name="other", uplink="away", remote="192.0.2.2")
    lab.call("vni.set", vni=4711, switch="sw", vlan=10, vteps=["other"])
    assert lab.metric('netloom_vni_info{vni="4711",lab="",switch="sw",vlan="10"}') == 1
    assert [lab.metric(f'netloom_vni_state{{vni="4711",lab="",state="{state}"}}') for state in ("up", "degraded", "down")] \
        == [0, 0, 1], lab.metrics()
    lab.call("port.delete", name="one")
    lab.call("port.set", name="one", type="pcap", rx=lab.folder + "/one.pcap", switch="sw", vlan={"access": 10})
    wait_for("a frame that reaches nobody", lambda: re.search(r'netloom_vni_drops_total\{vni="4711",lab="",reason="[a-z-]+"\} [1-9]',
                                                              lab.metrics()))


def top_is_a_screen_of_rates(lab):
    """On a terminal of 30 rows: rates, the reason of the drops, keys; and the terminal is put back."""
    once = subprocess.run([NETLOOM, "top", "--once"], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert "worker 0" in once and "not-connected: nobody is attached" in once and "\033" not in once, once
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen([NETLOOM, "top", "--sort", "name"], stdin=theirs, stdout=theirs, stderr=theirs,
                               env=dict(os.environ, TERM="xterm"))
    seen = b""

    def read_until(text):
        nonlocal seen
        end = time.monotonic() + LIMIT_S
        while text not in seen:
            assert time.monotonic() < end and process.poll() is None, seen[-2000:]
            if select.select([ours], [], [], 1)[0]:
                seen += os.read(ours, 65536)
    try:
        read_until(b"by name")
        assert b"\033[?1049h" in seen and b"UTILISED" in seen and b"absent" in seen, seen
        screen = seen.split(b"\033[H")[1].decode()
        lines = [re.sub(r"\033\[[^A-Za-z]*[A-Za-z]", "", line) for line in screen.splitlines()]
        assert len(lines) <= 30 and max(map(len, lines)) <= 100 and "DROPS" in lines[3], lines
        os.write(ours, b"s")
        read_until(b"by rate")
        os.write(ours, b" ")
        read_until(b"PAUSED")
        os.write(ours, b"q")
        assert process.wait(LIMIT_S) == 0
        seen += os.read(ours, 65536)
        assert seen.rstrip().endswith(b"\033[?1049l"), seen[-100:]
        assert termios.tcgetattr(theirs) == before
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
        os.close(theirs)


def promtool_accepts_them(lab):
    checked = subprocess.run(["promtool", "check", "metrics"], input=lab.metrics(), text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert checked.returncode == 0 and not checked.stdout.strip(), checked.stdout


def telemetry_answers(lab):
    """DPDK's own client, on its socket: what it prints is JSON, a line per answer."""
    asked = "/netloom/ports\n/netloom/port,one\n/netloom/port,cow\n/netloom/worker,0\n/netloom/fdb\nquit\n"
    told = subprocess.run(["dpdk-telemetry.py", "-f", lab.prefix], input=asked, text=True, timeout=LIMIT_S,
                          stdout=subprocess.PIPE, check=True).stdout
    answers, decoder = {}, json.JSONDecoder()
    for found in re.finditer(r'\{\s*"/netloom', told):
        answer = decoder.raw_decode(told[found.start():])[0]
        answers.setdefault(*answer.popitem()) if len(answer) == 1 else None
    assert sorted(answers["/netloom/ports"]) == ["absent", "away", "one", "other:sw", "sink", "two"], told
    ports = re.findall(r'"rx_packets": (\d+)', told)
    assert ports == ["1"], told
    assert answers["/netloom/port"], told
    assert answers["/netloom/worker"]["worker"] == 0 and answers["/netloom/fdb"]["entries"] == 1, told


def names_are_documented(lab):
    """control/README.md lists every name with its labels, and no other."""
    with open(os.path.join(REPO, "control", "README.md"), encoding="utf-8") as readme:
        documented = dict(re.findall(r"^\| `(netloom_\w+)` \| ([^|]*) \|", readme.read(), re.M))
    told = {}
    for line in lab.metrics().splitlines():
        found = re.match(r"# TYPE (\S+) ", line)
        if found:
            told.setdefault(found.group(1), set())
        found = re.match(r"(netloom_\w+)(?:\{(.*)\})? ", line)
        if found:
            told[found.group(1)] = set(re.findall(r'(\w+)="', found.group(2) or ""))
    assert set(documented) == set(told), set(documented) ^ set(told)
    for name, labels in told.items():
        if labels:
            assert set(re.findall(r"\w+", documented[name])) == labels, (name, documented[name], labels)


def hostile_requests_are_refused(lab):
    for status, method, path, headers, body in (
            (421, "GET", "/metrics", {"Host": "evil.example"}, None),
            (421, "GET", "/metrics", {"Host": "localhost:1"}, None),
            (403, "GET", "/metrics", {"Origin": "http://evil.example"}, None),
            (403, "GET", "/metrics", {"Sec-Fetch-Site": "cross-site"}, None),
            (405, "POST", "/metrics", {}, "x=1"),
            (405, "DELETE", "/metrics", {}, None),
            (413, "POST", "/metrics", {}, "x" * (1 << 20)),
            (404, "GET", "/../../../../etc/passwd", {}, None),
            (404, "GET", "/%2e%2e/%2e%2e/etc/passwd", {}, None),
            (414, "GET", "/" + "a" * 5000, {}, None)):
        try:
            got, text = lab.http(path, method, body, headers)
        except (BrokenPipeError, ConnectionResetError):
            got, text = status, "refused while it was still being sent"
            assert status == 413
        assert got == status, (got, status, method, path[:40], headers, text)
        assert "root:" not in text
    # Clients that say nothing, or do not read, beyond what there is room for: the switch answers its RPC on.
    clients = [socket.create_connection(("127.0.0.1", lab.port)) for _ in range(100)]
    for client in clients[:30]:
        try:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % lab.port * 50)
        except OSError:
            pass
    assert lab.call("status")["n_ports"] >= 1
    for client in clients:
        client.close()
    wait_for("the metrics again", lambda: lab.http("/metrics")[0] == 200)


def main():
    for program in ("netloomd", "netloom"):
        if not os.access(os.path.join(BUILD, program), os.X_OK):
            print(f"skipped: no {program} in {BUILD}; run make first")
            sys.exit(77)
    if os.geteuid() != 0:
        print("skipped: needs root")
        sys.exit(77)
    if shutil.which("promtool") is None:
        print("skipped: no promtool (Debian: prometheus)")
        sys.exit(77)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
    folder = tempfile.mkdtemp(prefix="nl-", dir="/tmp")
    lab = None
    try:
        lab = Lab(folder)
        for test in (events_are_told, metrics_say_what_happened, impaired_links_and_vnis_are_counted, top_is_a_screen_of_rates, promtool_accepts_them, telemetry_answers,
                     names_are_documented, hostile_requests_are_refused):
            test(lab)
            print("ok   " + test.__name__)
    finally:
        if lab is not None:
            lab.end()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
