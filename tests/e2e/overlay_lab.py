# SPDX-License-Identifier: BSD-3-Clause
"""
What the overlay's tests have in common: hosts as network namespaces on one underlay, netloomd on some of them, guests behind TAP
ports, and an end that leaves nothing behind. Imported by tests/e2e/test_overlay*.py; overlay_traffic.py has what they send.

Addresses tell where they are: host N is 192.0.2.N and 2001:db8::N, VLAN V is VNI 10000 + V, and station N in it has 10.0.V.N and fd00:V::N.
"""
import contextlib
import ctypes
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
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def inside(netns):
    """Sockets that this thread makes in here are the namespace's, and stay so."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/{netns}", os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"setns {netns}")
        yield
    finally:
        assert libc.setns(home, CLONE_NEWNET) == 0
        os.close(there)
        os.close(home)


def sysctl(netns, name, value):
    with inside(netns), open(os.path.join("/proc/sys/net", name), "w") as file:
        file.write(str(value))


def run(*command, netns=None, check=True, **options):
    if netns:
        command = ("ip", "netns", "exec", netns, *command)
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=LIMIT_S, **options)
    assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout}"
    return done


def ip(netns, *commands):
    """Commands of ip(8) in a namespace, one string each."""
    run("ip", "-netns", netns, "-batch", "-", input="\n".join(commands) + "\n")


def wait_for(what, condition, limit_s=LIMIT_S):
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
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
        ip(self.fabric, "link add br0 type bridge mcast_snooping 0", f"link set br0 mtu {mtu} up")

    def netns(self, name):
        netns = f"{self.tag}{name}"
        run("ip", "netns", "add", netns)
        self.namespaces.append(netns)
        for where in ("all", "default"):
            sysctl(netns, f"ipv6/conf/{where}/accept_dad", 0)
        ip(netns, "link set lo up")
        return netns

    def attach(self, netns, number, name, ifname="u0", mac=None):
        """Plug a namespace into the underlay as 192.0.2.NUMBER and 2001:db8::NUMBER."""
        ip(netns, f"link add {ifname} {'address ' + mac if mac else ''} mtu {self.mtu} type veth peer name {name} "
           f"mtu {self.mtu} netns {self.fabric}",
           f"link set {ifname} up", f"address add 192.0.2.{number}/24 dev {ifname}",
           f"address add 2001:db8::{number}/64 dev {ifname} nodad")
        ip(self.fabric, f"link set {name} master br0 up")

    def underlay_mtu(self, mtu):
        """Change it everywhere, as a network's owner does: small first where it shrinks, large first where it grows."""
        for host in self.hosts.values():
            ip(host.netns, f"link set u0 mtu {mtu}")
            ip(self.fabric, f"link set h{host.number} mtu {mtu}")

    def spawn(self, *command, netns=None, **options):
        if netns:
            command = ("ip", "netns", "exec", netns, *command)
        child = subprocess.Popen(command, **options)
        self.children.append(child)
        return child

    def host(self, number):
        self.hosts[number] = host = Host(self, number)
        return host

    def mesh(self, n):
        """Hosts 1..n, every one reaching every other: VLAN 10 over IPv4, VLAN 20 over IPv6."""
        hosts = [self.host(number) for number in range(1, n + 1)]
        for host in hosts:
            others = [number for number in range(1, n + 1) if number != host.number]
            host.peers(*others)
            host.peers(*others, ipv6=True, vlan=20)
        return hosts

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
        self.guests, self.ports = {}, {}
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
        except (OSError, json.JSONDecodeError):
            return None

    def guest(self, name, vlan, number=None, mtu=1500, **more):
        """A namespace behind a TAP port: eth1 with 10.0.VLAN.NUMBER and fd00:VLAN::NUMBER."""
        number = number or self.number
        netns = self.guests.get(name)
        if netns is None:
            netns = self.guests[name] = self.lab.netns(f"h{self.number}{name}")
        self.ports[name] = dict(name=name, type="tap", ifname="eth1", netns=netns, switch="s", mtu=mtu,
                                vlan={"access": vlan},
                                addresses=[f"10.0.{vlan}.{number}/24", f"fd00:{vlan}::{number}/64"], **more)
        self.call("port.set", **self.ports[name])
        return netns

    def guest_change(self, name, **changed):
        self.ports[name].update(changed)
        self.call("port.set", **self.ports[name])

    def peers(self, *numbers, ipv6=False, vlan=10, **more):
        """Make VLAN `vlan` reach other hosts, as VNI 10000 + vlan."""
        family = "v6" if ipv6 else ""
        self.call("switch.set", name="s")
        self.call("uplink.set", name="up", ifname="u0", local=[f"192.0.2.{self.number}", f"2001:db8::{self.number}"])
        for n in numbers:
            self.call("vtep.set", name=f"h{n}{family}", uplink="up",
                      remote=f"2001:db8::{n}" if ipv6 else f"192.0.2.{n}")
        self.vni_set(vlan, vteps=[f"h{n}{family}" for n in numbers], **more)

    def vni_set(self, vlan, **changed):
        old = [v for v in self.call("vni.list")["vnis"] if v["vni"] == 10000 + vlan]
        keys = ("vteps", "mtu", "flood", "learning", "bum_limit", "too_big_limit", "tag", "learn_vteps", "suppress", "announce",
                "neighbours")
        kept = {k: old[0][k] for k in keys if old and k in old[0]}
        self.call("vni.set", vni=10000 + vlan, switch="s", vlan=vlan, **dict(kept, **changed))

    def vtep(self, name):
        return next(v for v in self.call("vtep.list")["vteps"] if v["name"] == name)

    def vni(self, vlan):
        return next(v for v in self.call("vni.list")["vnis"] if v["vni"] == 10000 + vlan)

    def port(self, name):
        return next(p for p in self.call("port.list")["ports"] if p["name"] == name)

    def drops(self):
        """Of all ports, by reason."""
        drops = {}
        for d in self.call("drops")["drops"]:
            drops[d["reason"]] = drops.get(d["reason"], 0) + d["count"]
        return drops

    def behind(self, mac, vlan=10):
        """The VTEP behind which a station was learned; None: local; False: unknown."""
        for e in self.call("fdb.list", switch="s", vlan=vlan)["entries"]:
            if e["mac"] == mac:
                return e.get("vtep")
        return False


def main(tests, needs=()):
    """Run tests. Those that share a lab are one function that runs its steps by step()."""
    missing = [n for n in needs if shutil.which(n) is None]
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun") or missing:
        print("skipped: needs " + (" ".join(missing) if missing else "root and /dev/net/tun"))
        sys.exit(SKIP)
    for test in tests:
        if len(sys.argv) > 1 and test.__name__ not in sys.argv[1:]:
            continue
        print(f"{test.__name__.replace('_', ' ')}:", flush=True)
        lab = Lab(**getattr(test, "lab", {}))
        try:
            test(lab)
        except BaseException:
            for host in lab.hosts.values():
                print(f"--- host {host.number}\n{host.log()[-4000:]}", file=sys.stderr)
                if host.answers():
                    print(host.call("vtep.list"), host.call("vni.list"), host.call("drops"), file=sys.stderr)
            raise
        finally:
            lab.close()
    print("ok")


def step(check, *args, **more):
    """One check of several on a lab: says its name, and how long it took."""
    begin = time.monotonic()
    said = check(*args, **more)
    name = check.__name__.replace("_", " ")
    print(f"   {name}: {said + '; ' if said else ''}{time.monotonic() - begin:.1f} s", flush=True)
