#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
The control socket of netloomd, good and bad clients, and the state across restarts.

    this script --(Unix socket, JSON-RPC)--> netloomd --- in.pcap  [port in,  access 10 ]
                                                      --- out.pcap [port out, trunk 10  ]
                                                      --- none.sock [vhost-user, nobody there]

Exit status: 0 passed, 77 skipped, else failed.
"""
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("BUILD", os.path.join(REPO, "build"))
NETLOOMD = os.path.join(BUILD, "netloomd")
DIR = None  # made by main()
LIMIT_S = 60  # for anything that is waited for
SANITIZER_FACTOR = 4  # of memory, for a netloomd built by `make debug`


def wait_for(what, condition):
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"gave up waiting for {what}")


class Daemon:
    def __init__(self, name, *options, state=None):
        self.dir = os.path.join(DIR, name)
        os.makedirs(self.dir, exist_ok=True)
        self.socket = os.path.join(self.dir, "netloomd.sock")
        self.state = state or os.path.join(self.dir, "state.json")
        self.options = options
        self.log_path = os.path.join(self.dir, "log")
        self.process = None
        self.start()

    def start(self):
        environment = dict(os.environ, NETLOOM_RUNDIR=self.dir)
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen(
                [NETLOOMD, "--no-huge", "--state", self.state, *self.options],
                stderr=log, env=environment)

        def answers():
            assert self.process.poll() is None, "netloomd ended: " + self.log()
            try:
                with Client(self) as client:
                    return client.call("status")
            except OSError:
                return None
        wait_for("netloomd", answers)

    def log(self):
        with open(self.log_path) as log:
            return log.read()

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(LIMIT_S)

    def rss_kib(self):
        """Resident memory; what a sanitizer takes for itself is taken off, roughly."""
        with open(f"/proc/{self.process.pid}/status") as status:
            resident = int(re.search(r"VmRSS:\s+(\d+)", status.read()).group(1))
        with open(NETLOOMD, "rb") as program:
            sanitized = b"__asan_init" in program.read()
        return resident // SANITIZER_FACTOR if sanitized else resident


class Client:
    def __init__(self, daemon):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(LIMIT_S)
        try:
            self.socket.connect(daemon.socket)
        except OSError:
            self.socket.close()
            raise
        self.rest = b""
        self.next_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.socket.close()

    def line(self):
        while b"\n" not in self.rest:
            some = self.socket.recv(1 << 20)
            if not some:
                raise EOFError("the daemon closed the connection")
            self.rest += some
        line, self.rest = self.rest.split(b"\n", 1)
        return json.loads(line)

    def raw(self, data):
        self.socket.sendall(data + b"\n")
        return self.line()

    def ask(self, method, **params):
        self.next_id += 1
        answer = self.raw(json.dumps({"jsonrpc": "2.0", "id": self.next_id, "method": method,
                                      "params": params}).encode())
        assert answer["id"] == self.next_id and answer["jsonrpc"] == "2.0", answer
        return answer

    def call(self, method, **params):
        answer = self.ask(method, **params)
        assert "result" in answer, f"{method}: {answer}"
        return answer["result"]

    def error(self, method, **params):
        answer = self.ask(method, **params)
        assert "error" in answer, f"{method} was expected to fail: {answer}"
        assert answer["error"]["message"], answer
        return answer["error"]["code"], answer["error"]["message"]


def pcap_write(path, frames):
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for frame in frames:
            file.write(struct.pack("<IIII", 0, 0, len(frame), len(frame)) + frame)


def pcap_read(path):
    frames = []
    with open(path, "rb") as file:
        data = file.read()
    magic = struct.unpack_from("<I", data)[0] if len(data) >= 24 else 0
    assert magic in (0, 0xa1b2c3d4, 0xa1b23c4d), hex(magic)
    at = 24
    while at + 16 <= len(data):
        captured = struct.unpack_from("<I", data, at + 8)[0]
        frames.append(data[at + 16:at + 16 + captured])
        at += 16 + captured
    return frames


def ports_wanted(daemon):
    """Ports, without what changes by itself."""
    with Client(daemon) as client:
        ports = client.call("port.list")["ports"]
    keys = ("name", "owner", "type", "socket", "rx_file", "tx_file", "peer", "switch", "vlan", "wire", "mtu",
            "admin", "index", "queues", "server")
    return {port["name"]: {key: port[key] for key in keys if key in port} for port in ports}


def lab(daemon, **more):
    return dict({
        "owner": "lab",
        "switches": [{"name": "s1"}],
        "ports": [
            {"name": "in", "type": "pcap", "rx": os.path.join(daemon.dir, "in.pcap"),
             "switch": "s1", "vlan": {"access": 10}},
            {"name": "out", "type": "pcap", "tx": os.path.join(daemon.dir, "out.pcap"),
             "switch": "s1", "vlan": {"trunk": [10, "20-29"]}},
            {"name": "vm", "type": "vhost-user", "socket": os.path.join(daemon.dir, "none.sock"),
             "switch": "s1", "vlan": {"access": 20}},
        ]}, **more)


FRAME = bytes.fromhex("5254000000ff" "525400000001" "0800") + bytes(range(50))
FRAME_TAGGED = FRAME[:12] + bytes.fromhex("8100000a") + FRAME[12:]


def readme_lists_exactly_the_methods(daemon):
    with open(os.path.join(REPO, "control", "rpc", "README.md")) as readme:
        table = re.search(r"\n## Methods\n(.*?)\n## ", readme.read(), re.S).group(1)
    documented = re.findall(r"^\| `([a-z.]+)` \|", table, re.M)
    with open(os.path.join(REPO, "control", "rpc", "methods.c")) as source:
        coded = re.findall(r"^\s*\{\"([a-z.]+)\", rpc_", source.read(), re.M)
    assert len(documented) >= 16 and sorted(documented) == sorted(coded), (documented, coded)
    with Client(daemon) as client:
        for method in documented:
            if method != "stop":  # see orderly_end
                answer = client.ask(method)
                assert answer.get("error", {}).get("code") != -32601, answer
                assert client.error(method, no_such_key=1)[0] == -32602
        assert client.error("port.lists")[0] == -32601


def every_method_answers_as_documented(daemon):
    with open(os.path.join(REPO, "control", "rpc", "README.md")) as readme:
        text = readme.read()
    with Client(daemon) as client:
        client.call("apply", **lab(daemon))
        status = client.call("status")
        listed = re.search(r"\| `status` \|[^|]*\| `\{(.*?)\}` \|", text).group(1)
        for key in re.findall(r"\b([a-z_]+)\b", re.sub(r"\[\{.*?\}\]|\{.*?\}", "", listed)):
            assert key in status, key
        switch = client.call("switch.list")["switches"][0]
        assert switch["name"] == "s1" and switch["n_ports"] == 3 and "fdb_entries" in switch, switch
        port = {p["name"]: p for p in client.call("port.list")["ports"]}["vm"]
        for key in ("index connected running link n_queues features packed ring_size n_connects "
                    "n_bad_rings detail rx tx rxq txq drops").split():
            assert key in port, key
        assert port["connected"] is False and port["link"] == "down", port
        assert client.call("switch.set", name="s2", ageing_s=10)["changes"][0]["op"] == "add"
        assert client.call("switch.delete", name="s2")["changes"][0]["op"] == "remove"
        assert client.call("port.set", name="x", type="pcap", rx=os.path.join(daemon.dir, "in.pcap"))
        assert client.call("port.admin", name="x", admin="down")["changes"][0]["op"] == "change"
        assert client.call("port.delete", name="x")["changes"][0]["op"] == "remove"
        mac = "52:54:00:00:00:77"
        assert client.call("fdb.set", switch="s1", vlan=20, mac=mac, port="vm") == {}
        entries = client.call("fdb.list", switch="s1", vlan=20)
        assert entries["truncated"] is False and len(entries["entries"]) == 1, entries
        entry = entries["entries"][0]
        assert (entry["mac"], entry["port"], entry["flags"]) == (mac, "vm", ["static"]), entry
        assert client.call("fdb.flush", switch="s1")["removed"] >= 0
        assert client.call("fdb.delete", switch="s1", vlan=20, mac=mac) == {}
        assert client.error("fdb.delete", switch="s1", vlan=20, mac=mac)[0] == 1
        assert "drops" in client.call("drops")
        cycles = client.call("cycles")
        assert set(cycles["counted"][0]["cycles"]) == {stage["name"] for stage in cycles["stages"]}, cycles
        assert len(cycles["counted"]) == len(status["workers"]) and cycles["tsc_hz"] > 10**8, cycles
        assert client.error("cycles", for_ms=60001)[0] == -32602
        away = client.call("absences", newest=5, frame_ns=1000)
        assert away["over_ns"] > 0 and len(away["newest"]) <= min(5, away["n"]), away
        assert client.error("absences", worker=64)[0] == client.error("absences", newest=16385)[0] == -32602
        assert client.error("absences", frame_ns=0)[0] == -32602
        assert client.error("switch.delete", name="s1")[0] == 1
        changes = client.call("apply", **lab(daemon, switches=[], ports=[]))["changes"]
        assert len(changes) == 4 and all(c["op"] == "remove" for c in changes), changes


def bad_requests_get_their_code(daemon):
    with Client(daemon) as client:
        for data, code in ((b"{", -32700), (b"\x00\xff", -32700), (b'{"a":1,"a":2}', -32700),
                           (b"[" * 5000, -32700), (b"[]", -32600), (b"3", -32600),
                           (b'{"jsonrpc":"2.0","id":1}', -32600),
                           (b'{"jsonrpc":"2.0","id":[],"method":"status"}', -32600),
                           (b'{"jsonrpc":"2.0","id":1,"method":"status","params":[1]}', -32602)):
            answer = client.raw(data)
            assert answer["error"]["code"] == code, (data[:40], answer)
        for name in ("é" * 40, "x" * 63 + "é", "x" * 62 + "€", "\u0001" * 80):
            code, message = client.error(name)
            assert code == -32601 and "unknown method" in message, message
        for wrong in (dict(owner=1), dict(switches={}), dict(ports="x"), dict(dry_run=1),
                      dict(ports=[1]), dict(ports=[[]]), dict(switches=[{"name": None}])):
            code, message = client.error("apply", **lab(daemon, **wrong))
            assert code == -32602, (wrong, code, message)
        for vlan in (0, 4095, 4096):
            code, message = client.error("port.set", name="p", type="pcap", rx="/x", switch="s1",
                                         vlan={"access": vlan})
            assert code == -32602 and f"VLAN {vlan}" in message and '"p"' in message, message
        answer = client.ask("apply", **lab(daemon, ports=[{"name": "p", "mtu": 1}, {"name": "p"}]))
        assert len(answer["error"]["data"]["errors"]) >= 4, answer
        # a notification is done and not answered; an empty line is nothing
        client.socket.sendall(b'\n{"jsonrpc":"2.0","method":"switch.set","params":{"name":"n"}}\n')
        assert [s["name"] for s in client.call("switch.list")["switches"]] == ["n"]
        client.call("switch.delete", name="n")


def transactions_are_whole(daemon):
    with Client(daemon) as client:
        client.call("apply", **lab(daemon))
        before, state = ports_wanted(daemon), open(daemon.state).read()
        wanted = lab(daemon)
        wanted["ports"][0]["mtu"] = 9000
        wanted["ports"][2]["socket"] += "2"
        wanted["ports"].append({"name": "broken", "type": "pcap", "rx": "/no/such/file"})
        code, message = client.error("apply", **wanted)
        assert code == 2 and "broken" in message, message
        after = ports_wanted(daemon)
        assert after == before, (before, after)
        assert open(daemon.state).read() == state
        assert os.listdir(daemon.dir).count("state.json.new") == 0
        client.call("apply", **lab(daemon, switches=[], ports=[]))


def a_gigabyte_without_newline_is_cut_short(daemon):
    before, sent = daemon.rss_kib(), 0
    with Client(daemon) as client:
        block = b"x" * (1 << 20)
        try:
            while sent < 1 << 30:
                client.socket.sendall(block)
                sent += len(block)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent <= 64 << 20, f"{sent} bytes were taken"
        try:
            assert client.line()["error"]["code"] == -32600
        except (ConnectionResetError, EOFError):
            raise AssertionError("dropped without a word")
    with Client(daemon) as client:
        client.call("status")
    grown = daemon.rss_kib() - before
    assert grown < 64 << 10, f"{grown} KiB more"


def lines_of_all_clients_are_bounded(daemon):
    """Twenty clients with 15 MiB each and no newline: some are dropped, memory stays bounded."""
    clients = [Client(daemon) for _ in range(20)]
    dropped = 0
    for client in clients:
        try:
            client.socket.sendall(b" " * (15 << 20))
        except OSError:
            dropped += 1
    with Client(daemon) as other:
        other.call("status")
    assert daemon.rss_kib() < 300 << 10, daemon.rss_kib()
    for client in clients:
        client.socket.close()


def client_that_never_reads_is_dropped(daemon):
    with Client(daemon) as greedy, Client(daemon) as other:
        request = b'{"jsonrpc":"2.0","id":1,"method":"status"}\n'
        greedy.socket.settimeout(1)
        try:
            while True:
                greedy.socket.sendall(request * 1000)
        except (socket.timeout, BrokenPipeError, ConnectionResetError):
            pass
        start = time.monotonic()
        other.call("status")
        assert time.monotonic() - start < 5
        assert daemon.rss_kib() < 200 << 10
        wait_for("the client to be dropped",
                 lambda: "it does not read its answers" in daemon.log())
        other.call("status")


def connections_are_bounded(daemon):
    def admitted():
        client = Client(daemon)
        try:
            client.call("status")
            return client
        except (AssertionError, EOFError, OSError):  # places of clients that have just gone are free in a moment
            client.socket.close()
            return None
    clients = [wait_for("a place", admitted) for _ in range(64)]
    with Client(daemon) as late:
        answer = late.line()
        assert answer["error"]["code"] == 2 and "connections" in answer["error"]["message"]
    clients[0].socket.close()
    clients[0] = wait_for("a free place", admitted)
    for client in clients:
        client.socket.close()


def requests_in_flight_are_answered_in_order(daemon):
    with Client(daemon) as client:
        n = 5000
        client.socket.sendall(b"".join(
            b'{"jsonrpc":"2.0","id":%d,"method":"switch.list"}\n' % i for i in range(n)))
        client.socket.shutdown(socket.SHUT_WR)
        for i in range(n):
            assert client.line()["id"] == i
        try:
            client.line()
            raise AssertionError("more than was asked for")
        except EOFError:
            pass


def subscribers_hear_of_changes(daemon):
    with Client(daemon) as listener, Client(daemon) as client:
        assert listener.call("events") == {}
        client.call("switch.set", name="e")
        event = listener.line()
        assert event["method"] == "event" and event["params"]["kind"] == "config", event
        assert event["params"]["generation"] == client.call("status")["generation"]
        client.call("switch.delete", name="e")


def second_daemon_is_refused(daemon):
    second = subprocess.run([NETLOOMD, "--no-huge", "--socket", daemon.socket], timeout=LIMIT_S,
                            capture_output=True, text=True)
    assert second.returncode == 1, second
    assert "already" in second.stderr and str(daemon.process.pid) in second.stderr, second.stderr
    with Client(daemon) as client:
        client.call("status")
    assert os.stat(daemon.socket).st_mode & 0o777 == 0o660


def state_survives_every_kind_of_end(daemon):
    pcap_write(os.path.join(daemon.dir, "in.pcap"), [FRAME])
    out = os.path.join(daemon.dir, "out.pcap")
    with Client(daemon) as client:
        client.call("apply", **lab(daemon))
        client.call("port.admin", name="vm", admin="down")
        client.call("fdb.set", switch="s1", vlan=10, mac="52:54:00:00:00:99", port="out")
    before = ports_wanted(daemon)
    for how in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        wait_for("the frame", lambda: os.path.exists(out) and FRAME_TAGGED in pcap_read(out))
        status = daemon.end(how)
        assert status == (-9 if how == signal.SIGKILL else 0), status
        if how != signal.SIGKILL:
            assert not os.path.exists(daemon.socket) and not os.path.exists(daemon.socket + ".lock")
        assert os.path.exists(daemon.state)
        os.unlink(out)
        daemon.start()
        after = ports_wanted(daemon)
        assert after == before, (before, after)
        with Client(daemon) as client:
            entries = client.call("fdb.list", vlan=10)["entries"]
            assert ["static"] in [e["flags"] for e in entries if e["mac"].endswith(":99")], entries
    wait_for("the frame after the restarts", lambda: FRAME_TAGGED in pcap_read(out))
    assert FRAME not in pcap_read(out)


def damaged_state_is_moved_aside(daemon):
    daemon.end()
    with open(daemon.state, "w") as state:
        state.write('{"netloomd": 1, "switches": [')
    daemon.start()
    assert "DAMAGED" in daemon.log()
    assert os.path.exists(daemon.state + ".bad")
    with Client(daemon) as client:
        assert client.call("status")["n_ports"] == 0
        client.call("apply", **lab(daemon))


def missing_file_does_not_stop_the_other_ports(daemon):
    daemon.end()
    os.rename(os.path.join(daemon.dir, "in.pcap"), os.path.join(daemon.dir, "away.pcap"))
    daemon.start()
    with Client(daemon) as client:
        ports = {p["name"]: p for p in client.call("port.list")["ports"]}
        assert sorted(ports) == ["in", "out", "vm"]
        assert "in.pcap" in ports["in"]["detail"] and ports["out"]["running"], ports
        os.rename(os.path.join(daemon.dir, "away.pcap"), os.path.join(daemon.dir, "in.pcap"))
        changes = client.call("apply", **lab(daemon))["changes"]
        assert [(c["op"], c["name"]) for c in changes] == [("replace", "in")], changes


def stations_are_forgotten_after_the_ageing_time(daemon):
    pcap_write(os.path.join(daemon.dir, "in.pcap"), [FRAME])
    with Client(daemon) as client:
        wanted = lab(daemon, switches=[{"name": "s1", "ageing_s": 2}])
        client.call("apply", **lab(daemon, switches=[], ports=[]))
        client.call("apply", **wanted)
        wait_for("the station", lambda: client.call("fdb.list")["entries"])
        entry = client.call("fdb.list")["entries"][0]
        assert (entry["mac"], entry["vlan"], entry["port"]) == ("52:54:00:00:00:01", 10, "in"), entry
        wait_for("its end", lambda: not client.call("fdb.list")["entries"])
        assert client.call("status")["fdb"]["aged"] >= 1


def orderly_end(daemon):
    with Client(daemon) as client:
        assert client.call("stop") == {}
    assert daemon.process.wait(LIMIT_S) == 0
    assert not os.path.exists(daemon.socket)


def stop_needs_no_id():
    """A notification is not answered: the daemon ends all the same, and so it does if the client has gone."""
    for stay in (True, False):
        daemon = Daemon("stop")
        try:
            with Client(daemon) as client:
                client.socket.sendall(b'{"jsonrpc":"2.0","method":"stop"}\n')
                if stay:
                    assert daemon.process.wait(LIMIT_S) == 0
            assert daemon.process.wait(LIMIT_S) == 0
            assert not os.path.exists(daemon.socket)
        finally:
            daemon.end(signal.SIGKILL)


def queues_change_hands():
    """Two workers: a queue goes to the other one when asked, both say so, and `netloom show workers` draws it."""
    daemon = Daemon("threads", "--threads", "2")
    try:
        pcap_write(os.path.join(daemon.dir, "in.pcap"), [FRAME])
        with Client(daemon) as listener, Client(daemon) as client:
            client.call("apply", **lab(daemon))
            pollers = {port["name"]: port["rxq"][0]["worker"] for port in client.call("port.list")["ports"]}
            assert set(pollers.values()) == {0, 1}, pollers
            listener.call("events")
            to = 1 - pollers["vm"]
            assert client.call("queue.pin", port="vm", worker=to) == {"worker": to}
            event = listener.line()["params"]
            assert [event[key] for key in ("kind", "port", "queue", "from", "to")] == ["queue", "vm", 0, 1 - to, to], event
            vm = [port for port in client.call("port.list")["ports"] if port["name"] == "vm"][0]
            assert vm["rxq"][0]["worker"] == to and vm["rxq"][0]["pinned"] is True, vm
            workers = client.call("status")["workers"]
            assert [worker["queues_taken"] for worker in workers] == [1 - to, to], workers
            assert all(0 <= worker["busy_percent"] <= 100 for worker in workers), workers
            client.call("port.impair", ports=[{"name": "vm", "out": {"delay_us": 1000}}])
            assert client.call("queue.pin", port="vm", worker=1 - to, impaired="out") == {"worker": 1 - to}
            vm = [port for port in client.call("port.list")["ports"] if port["name"] == "vm"][0]
            assert [vm["impaired"]["out"][key] for key in ("worker", "pinned", "left_frames")] == [1 - to, True, 0], vm
            assert client.error("queue.pin", port="vm", worker=2)[0] == -32602
            assert client.error("queue.pin", port="nobody", worker=0)[0] == 1

            def netloom(*arguments):
                return subprocess.run([os.path.join(BUILD, "netloom"), *arguments], timeout=LIMIT_S, check=True, text=True,
                                      stdout=subprocess.PIPE, env=dict(os.environ, NETLOOM_RUNDIR=daemon.dir)).stdout

            assert "vm (pinned)" in netloom("show", "workers").splitlines()[1 + to]
            assert "vm impaired out (pinned)" in netloom("show", "workers").splitlines()[2 - to]
            shown = [line for line in netloom("show", "ports").splitlines() if line.startswith("vm ")]
            assert shown[0].endswith(f" {to} out {1 - to}"), shown
            netloom("queue", "release", "vm", "--impaired", "out")
            netloom("queue", "release", "vm")
            netloom("queue", "pin", "in", str(to))
            polls = {one["port"]: (worker["worker"], one["pinned"])
                     for worker in json.loads(netloom("show", "workers", "--json")) for one in worker["polls"] if "queue" in one}
            assert polls["vm"] == (to, False) and polls["in"] == (to, True), polls
            wait_for("the frames of the capture file", lambda: [
                port for port in client.call("port.list")["ports"] if port["name"] == "in"][0]["rx"]["pkts"])
    finally:
        daemon.end(signal.SIGKILL)


def full_disk_refuses_the_change():
    """The state on a tmpfs of 64 KiB that is filled up. Needs root, for a mount namespace of its own."""
    point = os.path.join(DIR, "tiny")
    os.makedirs(point, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tiny", point], check=True)
    daemon = Daemon("full", state=os.path.join(point, "state.json"))
    try:
        with Client(daemon) as client:
            client.call("apply", **lab(daemon, ports=[]))
            before = open(daemon.state).read()
            with open(os.path.join(point, "ballast"), "wb", buffering=0) as ballast:
                try:
                    while True:
                        ballast.write(b"x" * 1024)
                except OSError:
                    pass
            pcap_write(os.path.join(daemon.dir, "in.pcap"), [FRAME])
            many = [{"name": f"s{i}"} for i in range(500)]
            assert client.error("apply", **lab(daemon, switches=many, ports=[]))[0] == 2
            code, message = client.error("apply", **lab(daemon))
            assert code == 2 and "No space" in message and "nothing was changed" in message, message
            assert client.call("port.list")["ports"] == []
            assert open(daemon.state).read() == before
            os.unlink(os.path.join(point, "ballast"))
            assert len(client.call("apply", **lab(daemon))["changes"]) == 3
    finally:
        daemon.end()
        subprocess.run(["umount", point], check=True)


def main():
    if not os.access(NETLOOMD, os.X_OK):
        print(f"skipped: there is no {NETLOOMD}; run make first")
        return 77
    global DIR
    DIR = tempfile.mkdtemp(prefix="netloom-rpc-")
    signal.signal(signal.SIGTERM, lambda *unused: sys.exit(1))
    daemon = None
    try:
        daemon = Daemon("main")
        pcap_write(os.path.join(daemon.dir, "in.pcap"), [FRAME])
        for test in (readme_lists_exactly_the_methods, every_method_answers_as_documented,
                     bad_requests_get_their_code, transactions_are_whole,
                     a_gigabyte_without_newline_is_cut_short, lines_of_all_clients_are_bounded,
                     client_that_never_reads_is_dropped, connections_are_bounded,
                     requests_in_flight_are_answered_in_order, subscribers_hear_of_changes,
                     second_daemon_is_refused, state_survives_every_kind_of_end,
                     damaged_state_is_moved_aside, missing_file_does_not_stop_the_other_ports,
                     stations_are_forgotten_after_the_ageing_time, orderly_end):
            start = time.monotonic()
            test(daemon)
            print(f"ok {test.__name__} ({time.monotonic() - start:.1f} s)", flush=True)
        stop_needs_no_id()
        print("ok stop_needs_no_id")
        queues_change_hands()
        print("ok queues_change_hands")
        if os.geteuid() == 0:
            full_disk_refuses_the_change()
            print("ok full_disk_refuses_the_change")
        else:
            print("not run, needs root: full_disk_refuses_the_change")
    finally:
        if daemon is not None and daemon.process.poll() is None:
            daemon.end(signal.SIGKILL)
        if sys.exc_info()[0] is not None and daemon is not None:
            print("--- log of netloomd ---\n" + daemon.log()[-4000:])
        shutil.rmtree(DIR, ignore_errors=True)
    return 0


if __name__ == "__main__":
    # Mounts of the test stay in a mount namespace of its own, and end with it.
    if os.geteuid() == 0 and os.environ.get("NETLOOM_TEST_UNSHARED") is None:
        os.environ["NETLOOM_TEST_UNSHARED"] = "1"
        os.execvp("unshare", ["unshare", "-m", sys.executable, os.path.abspath(__file__)])
    sys.exit(main())
