# SPDX-License-Identifier: BSD-3-Clause
"""
What the overlay's tests have in common: hosts as network namespaces on one underlay, netloomd on some of them, guests behind TAP
ports, and an end that leaves nothing behind. Imported by tests/e2e/test_overlay_*.py.
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
NETLOOMD = os.path.join(BUILD, "netloomd")
LIMIT_S = 60
SKIP = 77


def run(*command, netns=None, check=True, **options):
    if netns:
        command = ("ip", "netns", "exec", netns, *command)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=LIMIT_S, **options)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout}"
    return done


def wait_for(what, condition, limit_s=LIMIT_S):
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"gave up waiting for {what}")


class Lab:
    """An underlay: one bridge namespace, to which every host has a veth named u0."""

    def __init__(self, mtu=1550):
        self.dir = tempfile.mkdtemp(prefix="netloom-overlay-")
        self.tag = f"nlo{os.getpid()}"
        self.mtu = mtu
        self.children, self.namespaces, self.hosts = [], [], {}
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: sys.exit(1))
        self.fabric = self.netns("f")
        run("ip", "link", "add", "br0", "type", "bridge", netns=self.fabric)
        run("ip", "link", "set", "br0", "mtu", str(mtu), "up", netns=self.fabric)

    def netns(self, name):
        netns = f"{self.tag}{name}"
        run("ip", "netns", "add", netns)
        self.namespaces.append(netns)
        run("ip", "link", "set", "lo", "up", netns=netns)
        run("sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
            netns=netns)
        return netns

    def attach(self, netns, number, name):
        """Plug a namespace into the underlay as 192.0.2.NUMBER and 2001:db8::NUMBER."""
        run("ip", "link", "add", "u0", "mtu", str(self.mtu), "netns", netns, "type", "veth", "peer", "name",
            name, "mtu", str(self.mtu), "netns", self.fabric)
        run("ip", "link", "set", name, "master", "br0", "up", netns=self.fabric)
        run("ip", "link", "set", "u0", "up", netns=netns)
        run("ip", "address", "add", f"192.0.2.{number}/24", "dev", "u0", netns=netns)
        run("ip", "address", "add", f"2001:db8::{number}/64", "dev", "u0", "nodad", netns=netns)

    def spawn(self, *command, netns=None, **options):
        if netns:
            command = ("ip", "netns", "exec", netns, *command)
        child = subprocess.Popen(command, **options)
        self.children.append(child)
        return child

    def host(self, number):
        self.hosts[number] = host = Host(self, number)
        return host

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.terminate()
        for child in self.children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for netns in self.namespaces:
            run("ip", "netns", "delete", netns, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


class Host:
    """netloomd in a namespace of its own."""

    def __init__(self, lab, number):
        self.lab, self.number = lab, number
        self.netns = lab.netns(f"h{number}")
        self.guests = {}
        lab.attach(self.netns, number, f"h{number}")
        self.dir = os.path.join(lab.dir, f"h{number}")
        os.mkdir(self.dir)
        self.socket = os.path.join(self.dir, "netloomd.sock")
        self.start()

    def start(self):
        log = open(os.path.join(self.dir, "log"), "a")
        self.daemon = self.lab.spawn(NETLOOMD, "--no-huge", "--threads", "1", "--socket", self.socket, "--state",
                                     os.path.join(self.dir, "state.json"), netns=self.netns,
                                     env=dict(os.environ, NETLOOM_RUNDIR=self.dir), stderr=log)
        wait_for("netloomd", lambda: self.answers() or self.daemon.poll() is not None)
        assert self.daemon.poll() is None, self.log()

    def log(self):
        return open(os.path.join(self.dir, "log")).read()

    def ask(self, method, **params):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(LIMIT_S)
            sock.connect(self.socket)
            sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                     "params": params}).encode() + b"\n")
            return json.loads(sock.makefile().readline())

    def call(self, method, **params):
        answer = self.ask(method, **params)
        assert "result" in answer, f"{method} {params}: {answer}"
        return answer["result"]

    def refused(self, method, **params):
        """The sentence with which a request is refused."""
        answer = self.ask(method, **params)
        assert "error" in answer, f"{method} {params} was not refused: {answer}"
        return answer["error"]["message"]

    def answers(self):
        try:
            return self.call("status")
        except OSError:
            return None

    def guest(self, name, vlan, address, mac=None, mtu=1500):
        """A namespace behind a TAP port: eth1 with 10.ADDRESS/24 and fd00::/64 of the same last number."""
        netns = self.guests[name] = self.lab.netns(f"h{self.number}{name}")
        last = address.rsplit(".", 1)[1]
        more = {"mac": mac} if mac else {}
        self.call("port.set", name=name, type="tap", ifname="eth1", netns=netns, switch="s", mtu=mtu,
                  vlan={"access": vlan}, addresses=[f"{address}/24", f"fd00:{vlan}::{last}/64"], **more)
        return netns

    def peers(self, *numbers, ipv6=False, vni=10010, vlan=10, **more):
        """Make VLAN `vlan` reach other hosts."""
        self.call("switch.set", name="s")
        self.call("uplink.set", name="up", ifname="u0", local=[f"192.0.2.{self.number}", f"2001:db8::{self.number}"])
        for n in numbers:
            self.call("vtep.set", name=f"h{n}", uplink="up", remote=f"2001:db8::{n}" if ipv6 else f"192.0.2.{n}")
        self.call("vni.set", vni=vni, switch="s", vlan=vlan, vteps=[f"h{n}" for n in numbers], **more)

    def vtep(self, name):
        return next(v for v in self.call("vtep.list")["vteps"] if v["name"] == name)

    def vni(self, number):
        return next(v for v in self.call("vni.list")["vnis"] if v["vni"] == number)

    def drops(self):
        return {d["reason"]: d["count"] for d in self.call("drops")["drops"]}


def pings(netns, address, count=1, size=56, *more):
    return run("ping", "-c", str(count), "-W", "2", "-i", "0.05", "-s", str(size), *more, address, netns=netns,
               check=False).returncode == 0


def reachable(netns, address, limit_s=LIMIT_S):
    wait_for(f"{address} from {netns}", lambda: pings(netns, address), limit_s)


def iperf(lab, server, client, address, seconds=1, *more):
    """Gb/s of TCP from client to server."""
    listener = lab.spawn("iperf3", "-s", "-1", netns=server, stdout=subprocess.DEVNULL)
    wait_for("iperf3", lambda: ":5201" in run("ss", "-Htln", netns=server).stdout)
    amount = () if "-n" in more else ("-t", str(seconds))
    done = run("iperf3", "-c", address, *amount, "-J", *more, netns=client, check=False)
    listener.terminate()
    listener.wait(LIMIT_S)
    assert done.returncode == 0, done.stdout
    return json.loads(done.stdout)["end"]["sum_received"]["bits_per_second"] / 1e9


def main(tests, needs=()):
    missing = [n for n in needs if shutil.which(n) is None]
    if os.geteuid() != 0 or missing:
        print("skipped: needs " + (" ".join(missing) if missing else "root"))
        sys.exit(SKIP)
    for test in tests:
        if len(sys.argv) > 1 and test.__name__ not in sys.argv[1:]:
            continue
        print(f"{test.__name__.replace('_', ' ')} ...", flush=True)
        lab = Lab(**getattr(test, "lab", {}))
        try:
            test(lab)
        except BaseException:
            for host in lab.hosts.values():
                print(f"--- host {host.number}\n{host.log()}", file=sys.stderr)
                if host.daemon.poll() is None:
                    print(host.call("vtep.list"), host.call("vni.list"), host.call("drops"), file=sys.stderr)
            raise
        finally:
            lab.close()
    print("ok")
