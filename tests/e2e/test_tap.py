#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Network interfaces of the host on a switch: names and addresses, TCP with segmentation left to others, VLANs, deletion.

    [namespace A: eth1 10.9.0.1]--tap a, access 10--+
    [namespace B: eth1 10.9.0.2]--tap b, access 10--+-- switch s
    [namespace C: eth1 10.9.0.3]--tap c, access 20--+

Exit status: 0 passed, 77 skipped, else failed.
"""
import hashlib
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
NETLOOMD = os.path.join(BUILD, "netloomd")
DIR = tempfile.mkdtemp(prefix="netloom-tap-")
SOCKET = os.path.join(DIR, "netloomd.sock")
LIMIT_S = 60
NAMESPACES = {x: f"nl{os.getpid()}{x}" for x in "abc"}
children = []


def run(*command, netns=None, check=True, **options):
    if netns:
        command = ("ip", "netns", "exec", NAMESPACES[netns], *command)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=LIMIT_S, **options)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout}"
    return done


def spawn(*command, netns=None, **options):
    if netns:
        command = ("ip", "netns", "exec", NAMESPACES[netns], *command)
    child = subprocess.Popen(command, **options)
    children.append(child)
    return child


def end(child, how=signal.SIGTERM):
    if child.poll() is None:
        child.send_signal(how)
    child.wait(LIMIT_S)
    children.remove(child)


def wait_for(what, condition):
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"gave up waiting for {what}")


def ask(method, **params):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(LIMIT_S)
        sock.connect(SOCKET)
        sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                 "params": params}).encode() + b"\n")
        return json.loads(sock.makefile().readline())


def call(method, **params):
    answer = ask(method, **params)
    assert "result" in answer, answer
    return answer["result"]


def answers():
    try:
        return call("status")
    except OSError:
        return None


def start():
    log = open(os.path.join(DIR, "log"), "a")
    daemon = spawn(NETLOOMD, "--no-huge", "--threads", "1",
                   env=dict(os.environ, NETLOOM_RUNDIR=DIR), stderr=log)
    wait_for("netloomd", lambda: answers() or daemon.poll() is not None)
    assert daemon.poll() is None, open(os.path.join(DIR, "log")).read()
    return daemon


def port(name):
    return next(p for p in call("port.list")["ports"] if p["name"] == name)


def tap(name, vlan, host, **more):
    return dict({"name": name, "type": "tap", "ifname": "eth1", "netns": NAMESPACES[name], "switch": "s",
                 "vlan": {"access": vlan}, "addresses": [f"10.9.0.{host}/24", f"2001:db8:9::{host}/64"]}, **more)


PORTS = [tap("a", 10, 1, mac="02:00:00:00:09:01"), tap("b", 10, 2, queues=2), tap("c", 20, 3)]


def apply(ports):
    return call("apply", owner="lab", switches=[{"name": "s"}], ports=ports)["changes"]


def pings(netns, address, count=1, **options):
    return run("ping", "-c", str(count), "-W", "1", "-i", "0.02", address, netns=netns, check=False,
               **options).returncode == 0


def reachable(netns, address):
    wait_for(f"ping from {netns} to {address}", lambda: pings(netns, address))


def test_reach():
    apply(PORTS)
    link = run("ip", "address", "show", "dev", "eth1", netns="a").stdout
    assert "02:00:00:00:09:01" in link and "mtu 1500" in link, link
    assert "10.9.0.1/24" in link and "2001:db8:9::1/64" in link, link
    reachable("a", "10.9.0.2")
    reachable("a", "2001:db8:9::2")
    assert pings("a", "10.9.0.2", count=20), "lost pings"
    assert not pings("a", "10.9.0.3"), "VLAN 20 must not be reached from VLAN 10"
    shown = port("a")
    assert shown["ifname"] == "eth1" and shown["netns"] == NAMESPACES["a"], shown
    assert shown["connected"] and shown["running"] and shown["detail"] == "", shown
    assert apply(PORTS) == [], "a second apply of the same must change nothing"


def test_tcp_payload():
    """Bytes of a TCP stream arrive unharmed, cut in 64 KiB frames that nobody has summed."""
    sizes = {}
    for sender_tso in ("on", "off"):
        run("ethtool", "-K", "eth1", "tso", sender_tso, netns="a")
        path = os.path.join(DIR, "payload")
        with open(path, "wb") as file:
            file.write(os.urandom(1 << 20) * 32)
        got = os.path.join(DIR, "got")
        receiver = spawn("socat", "-u", "TCP-LISTEN:5000,reuseaddr", f"OPEN:{got},creat,trunc", netns="b")
        wait_for("listener", lambda: ":5000" in run("ss", "-ltn", netns="b").stdout)
        before = port("a")["rx"]
        run("socat", "-u", f"OPEN:{path}", "TCP:10.9.0.2:5000", netns="a")
        receiver.wait(LIMIT_S)
        children.remove(receiver)
        with open(path, "rb") as sent, open(got, "rb") as received:
            assert hashlib.sha256(sent.read()).digest() == hashlib.sha256(received.read()).digest()
        after = port("a")["rx"]
        sizes[sender_tso] = (after["bytes"] - before["bytes"]) / (after["pkts"] - before["pkts"])
    run("ethtool", "-K", "eth1", "tso", "on", netns="a")
    print(f"    mean frame: {sizes['on']:.0f} bytes with TSO, {sizes['off']:.0f} without")
    assert sizes["on"] > 5000 > 1600 > sizes["off"], sizes


def test_iperf():
    server = spawn("iperf3", "-s", "-1", "-J", netns="b", stdout=subprocess.DEVNULL)
    wait_for("iperf3", lambda: ":5201" in run("ss", "-ltn", netns="b").stdout)
    result = json.loads(run("iperf3", "-c", "10.9.0.2", "-t", "1", "-J", netns="a").stdout)
    server.wait(LIMIT_S)
    children.remove(server)
    print(f"    TCP: {result['end']['sum_received']['bits_per_second'] / 1e9:.2f} Gb/s")
    assert result["end"]["sum_received"]["bytes"] > 1 << 20


def test_queues_share_the_flows():
    """Interface b has two queues; what it sends and what it gets is spread over both, flow by flow."""
    before = port("b")
    assert len(before["rxq"]) == len(before["txq"]) == 2, before
    assert run("ls", "/sys/class/net/eth1/queues", netns="b").stdout.split() == ["rx-0", "rx-1", "tx-0", "tx-1"]
    flows = ("import socket, sys\nfor i in range(200):\n s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
             " s.sendto(b'x', (sys.argv[1], 9000 + i))")
    run(sys.executable, "-c", flows, "10.9.0.1", netns="b")
    run(sys.executable, "-c", flows, "10.9.0.2", netns="a")

    def shares(kind):
        now = port("b")[kind]
        return [n["pkts"] - b["pkts"] for n, b in zip(now, before[kind])]

    for kind in ("rxq", "txq"):
        wait_for(f"all flows in {kind}", lambda: sum(shares(kind)) >= 200)
        assert min(shares(kind)) >= 40, (kind, shares(kind))
    print(f"    sent {shares('rxq')}, got {shares('txq')}")


def test_mtu_and_carrier_follow():
    ports = [dict(PORTS[0], mtu=9000), dict(PORTS[1], mtu=9000), PORTS[2]]
    changes = apply(ports)
    assert [c["op"] for c in changes] == ["change", "change"], changes
    assert "mtu 9000" in run("ip", "link", "show", "eth1", netns="a").stdout
    assert pings("a", "10.9.0.2", count=3), "a change of MTU must not cut the link"
    assert run("ping", "-c", "2", "-M", "do", "-s", "8972", "-W", "2", "10.9.0.2", netns="a").returncode == 0
    apply(PORTS)
    call("port.admin", name="a", admin="down")
    wait_for("carrier to go", lambda: "NO-CARRIER" in run("ip", "link", "show", "eth1", netns="a").stdout)
    call("port.admin", name="a", admin="up")
    wait_for("carrier to come", lambda: "NO-CARRIER" not in run("ip", "link", "show", "eth1", netns="a").stdout)
    reachable("a", "10.9.0.2")


def test_down_is_said():
    run("ip", "link", "set", "eth1", "down", netns="a")
    shown = port("a")
    assert shown["connected"] and not shown["running"] and "down" in shown["detail"], shown
    run("ip", "link", "set", "eth1", "up", netns="a")
    assert port("a")["running"]
    reachable("a", "10.9.0.2")


def test_deleted_interface():
    run("ip", "link", "delete", "eth1", netns="a")
    shown = wait_for("loss to be noticed", lambda: not port("a")["connected"] and port("a"))
    assert "eth1 was deleted" in shown["detail"], shown
    cpu = call("status")["workers"][0]["cpu_ns"]
    begin = time.monotonic_ns()
    time.sleep(1)
    busy = (call("status")["workers"][0]["cpu_ns"] - cpu) / (time.monotonic_ns() - begin)
    print(f"    worker with a lost interface: {busy * 100:.1f} % of a core")
    assert busy < 0.2, "a lost interface must not keep the worker busy"
    assert not pings("b", "10.9.0.1")
    changes = apply(PORTS)
    assert [(c["op"], c["name"]) for c in changes] == [("replace", "a")], changes
    reachable("a", "10.9.0.2")


def test_restart(daemon):
    macs = {x: port(x)["mac"] for x in "abc"}
    end(daemon, signal.SIGKILL)
    wait_for("interface to go with its daemon",
             lambda: run("ip", "link", "show", "eth1", netns="a", check=False).returncode != 0)
    daemon = start()
    assert {x: port(x)["mac"] for x in "abc"} == macs, "an interface that comes back is the station it was"
    assert macs["c"] in run("ip", "link", "show", "eth1", netns="c").stdout
    reachable("a", "10.9.0.2")
    return daemon


def test_bad_input():
    def refused(words, **changed):
        wanted = dict(tap("a", 10, 1), name="x", **changed)
        del wanted["switch"], wanted["vlan"]
        answer = ask("port.set", **wanted)
        assert "error" in answer and words in answer["error"]["message"], answer

    refused("cannot put it into the namespace")  # eth1 is taken there
    refused("ip netns add", netns="no-such-namespace-at-all", ifname="x1")
    refused("15", ifname="a-name-that-is-too-long")
    refused("slash", ifname="a/b")
    refused("neither IPv4 nor IPv6", ifname="x1", addresses=["10.0.0"])
    refused("unicast", ifname="x1", mac="01:00:00:00:00:00")
    assert len(call("port.list")["ports"]) == 3
    assert "x1" not in run("ip", "-o", "link").stdout
    reachable("a", "10.9.0.2")


def main():
    if os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        print("skipped: needs root and /dev/net/tun")
        return 77
    missing = [t for t in ("ip", "ping", "socat", "iperf3", "ethtool", "ss") if not shutil.which(t)]
    if missing:
        print("skipped: not installed: " + ", ".join(missing))
        return 77
    for name in NAMESPACES.values():
        run("ip", "netns", "add", name)
        run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0")
    daemon = start()
    for test in (test_reach, test_tcp_payload, test_iperf, test_queues_share_the_flows, test_mtu_and_carrier_follow, test_down_is_said,
                 test_deleted_interface, lambda: test_restart(daemon), test_bad_input):
        begin = time.monotonic()
        test()
        name = test.__name__ if test.__name__ != "<lambda>" else "test_restart"
        print(f"ok {name} ({time.monotonic() - begin:.1f} s)", flush=True)
    return 0


def interrupted(*unused):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    status = 1
    try:
        status = main()
    finally:
        for child in list(children):
            child.kill()
            child.wait()
        for name in NAMESPACES.values():
            subprocess.run(["ip", "netns", "delete", name], stderr=subprocess.DEVNULL, check=False)
        if status not in (0, 77) and os.path.exists(os.path.join(DIR, "log")):
            print(open(os.path.join(DIR, "log")).read())
        shutil.rmtree(DIR, ignore_errors=True)
    sys.exit(status)
