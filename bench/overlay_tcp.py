# SPDX-License-Identifier: BSD-3-Clause
"""
Part of bench/overlay: TCP through VXLAN, netloom on both ends against the kernel on both ends, over one and the same veth.

         [host A]--tap--------+                          +--------tap--[host B]       "shortcut": netloomd's, forwarded by the kernel

    [guest A]--tap--netloomd--+                          +--netloomd--tap--[guest B]
                              e0 ======== veth ======== e0
         [host A]--vx0--------+                          +--------vx0--[host B]

    [guest A]--tap--bench/relay--e1 ======== veth ======== e1--bench/relay--tap--[guest B]     "relays"
    [guest A]--tap----------------------bench/relay------------------------tap--[guest B]     "relay"

The kernel's vxlan devices carry the addresses themselves: there is no bridge and no guest behind them. The TAP ports of "shortcut" are
the hosts' own, as those devices are; a shortcut does not lead into another network namespace, so "netloom" never takes one. The relays are bounds: they only
read and write. No program with TAP interfaces can do with less than "relay", none on two hosts with less than "relays". With
--all-relays also those that do so in other ways: with a thread to read and one to write ("threads"), without ever sleeping ("awake"), on memory
shared with the kernel on the veth ("rings", "rx-rings"), TAP interfaces with NAPI ("napi").

CPU time per gigabit is that of both iperf3 and of the threads between them, with what the kernel did in their names. Times the kernel's
rate it is how many cores a subject would need to be as fast as the kernel, in however many threads.
"""
import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time

from overlay_subjects import run, wait_for
from netbench.machine import Thread
from paired import Ratio

# what bench/relay is given, and how its sides on the veth are called
RELAYS = {"relays": ([], "packet"), "threads": (["-t"], "packet"), "awake": (["-y"], "packet"), "rings": ([], "ring"),
          "rx-rings": ([], "rxring"), "napi": (["-n"], "packet")}
SUBJECTS = ("shortcut", "kernel", "netloom", "relays", "relay")
SUBJECTS_ALL = SUBJECTS + tuple(name for name in RELAYS if name not in SUBJECTS)
SERVERS = {"shortcut": ("B", "A", "10.0.15.2"), "netloom": ("gB", "gA", "10.0.10.2"), "kernel": ("B", "A", "10.0.20.2"), "relay": ("gB", "gA", "10.0.30.2"),
           **{name: ("gB", "gA", f"10.0.{40 + number}.2") for number, name in enumerate(RELAYS)}}
MTU_GUEST, MTU_UNDERLAY = 1500, 1600
STREAMS = 4


class Ends:
    """Both hosts, with everything on them."""

    def __init__(self, build, uplink=None, subjects=SUBJECTS):
        self.dir = tempfile.mkdtemp(prefix="netloom-bench-")
        self.build, self.uplink, self.subjects = build, uplink, subjects
        self.tag = f"nlbt{os.getpid()}"
        self.namespaces, self.children = [], []
        self.shortcuts = {}  # by namespace: asks what took them
        self.between = {subject: [] for subject in subjects}  # (process, name of its threads that carry frames)
        try:
            self.make()
        except BaseException:
            self.close()
            raise

    def on(self, netns, *command):
        return run("ip", "netns", "exec", self.tag + netns, *command)

    def spawn(self, netns, *command, **options):
        child = subprocess.Popen(["ip", "netns", "exec", self.tag + netns, *command], **options)
        self.children.append(child)
        return child

    def make(self):
        for netns in ("A", "B", "gA", "gB"):
            run("ip", "netns", "add", self.tag + netns)
            self.namespaces.append(self.tag + netns)
            self.on(netns, "ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "e0", "mtu", str(MTU_UNDERLAY), "netns", self.tag + "A", "type", "veth", "peer", "name", "e0",
            "mtu", str(MTU_UNDERLAY), "netns", self.tag + "B")
        for netns, mine, other in (("A", 1, 2), ("B", 2, 1)):
            self.on(netns, "ip", "address", "add", f"192.0.2.{mine}/24", "dev", "e0")
            self.on(netns, "ip", "link", "set", "e0", "up")
            self.kernel(netns, mine, other)
        for netns, mine, other in (("A", 1, 2), ("B", 2, 1)):
            self.netloom(netns, mine, other)
            self.shortcut(netns, mine, other)
        for number, subject in enumerate(subject for subject in self.subjects if subject == "relay" or subject in RELAYS):
            self.relays(subject, number)
        for netns, address in (SERVERS[subject][1:] for subject in self.subjects):
            wait_for(f"{address} from {netns}", lambda: subprocess.run(
                ["ip", "netns", "exec", self.tag + netns, "ping", "-c", "1", "-W", "1", address],
                stdout=subprocess.DEVNULL, check=False).returncode == 0)
        for ask in self.shortcuts.values():
            told = wait_for("shortcuts", lambda: next((t for t in [ask()] if t["detail"] or t["far_stations"] > 0), None))
            if told["detail"]:
                print(f"shortcut is left out: {told['detail']}")
                self.subjects = tuple(subject for subject in self.subjects if subject != "shortcut")

    def kernel(self, netns, mine, other):
        """On a UDP port of its own, so that both can be there."""
        self.on(netns, "ip", "link", "add", "vx0", "mtu", str(MTU_GUEST), "type", "vxlan", "id", "10020", "local",
                f"192.0.2.{mine}", "remote", f"192.0.2.{other}", "dstport", "4790")
        self.on(netns, "ip", "address", "add", f"10.0.20.{mine}/24", "dev", "vx0")
        self.on(netns, "ip", "link", "set", "vx0", "up")

    def daemon(self, netns, subject):
        folder = os.path.join(self.dir, netns + subject)
        os.mkdir(folder)
        path = os.path.join(folder, "sock")
        log = open(os.path.join(folder, "log"), "w")
        daemon = self.spawn(netns, os.path.join(self.build, "netloomd"), "--no-huge", "--threads", "1", "--socket", path, "--state",
                            os.path.join(folder, "state.json"), env=dict(os.environ, NETLOOM_RUNDIR=folder), stdout=log,
                            stderr=log)
        self.between[subject].append((daemon.pid, "worker-"))
        wait_for("netloomd", lambda: os.path.exists(path))
        return path

    def netloom(self, netns, mine, other):
        path = self.daemon(netns, "netloom")
        more = {"mode": self.uplink} if self.uplink else {}
        self.call(path, "switch.set", name="s")
        self.call(path, "uplink.set", name="up", ifname="e0", local=[f"192.0.2.{mine}"], **more)
        self.call(path, "vtep.set", name="other", uplink="up", remote=f"192.0.2.{other}")
        self.call(path, "vni.set", vni=10010, switch="s", vlan=10, vteps=["other"], mtu=MTU_GUEST)
        self.call(path, "port.set", name="guest", type="tap", ifname="eth1", netns=f"{self.tag}g{netns}", switch="s",
                  mtu=MTU_GUEST, vlan={"access": 10}, addresses=[f"10.0.10.{mine}/24"])
        self.said = self.call(path, "uplink.list")["uplinks"][0]

    def shortcut(self, netns, mine, other):
        """A netloomd of its own, on a third UDP port. The TAP interface is where the uplink is, as the kernel's vxlan device is."""
        path = self.daemon(netns, "shortcut")
        self.call(path, "switch.set", name="s")
        self.call(path, "uplink.set", name="up", ifname="e0", local=[f"192.0.2.{mine}"], udp_port=4791, shortcut=True)
        self.call(path, "vtep.set", name="other", uplink="up", remote=f"192.0.2.{other}")
        self.call(path, "vni.set", vni=10015, switch="s", vlan=10, vteps=["other"], mtu=MTU_GUEST)
        self.call(path, "port.set", name="host", type="tap", ifname="host", switch="s", mtu=MTU_GUEST, vlan={"access": 10},
                  addresses=[f"10.0.15.{mine}/24"])
        self.shortcuts[netns] = lambda: self.call(path, "uplink.list")["uplinks"][0]["shortcuts"]

    def relays(self, subject, number):
        """One between both TAP interfaces, or one on each host. An interface is made where its relay runs, and moves to its guest."""
        taps, at = [f"r{number}A", f"r{number}B"], ["A", "B"]
        if subject == "relay":
            self.relay(subject, "A", *taps)
            at = ["A", "A"]
        else:
            (options, kind), veth = RELAYS[subject], f"e1{number}"
            run("ip", "link", "add", veth, "netns", self.tag + "A", "type", "veth", "peer", "name", veth, "netns", self.tag + "B")
            for netns in at:
                self.on(netns, "ip", "link", "set", veth, "up")
            for netns, tap in zip(at, taps):
                self.relay(subject, netns, *options, tap, f"{kind}:{veth}")
        network = SERVERS[subject][2].rpartition(".")[0]
        for mine, (netns, tap) in enumerate(zip(at, taps), 1):
            guest = "gA" if mine == 1 else "gB"
            self.on(netns, "ip", "link", "set", tap, "netns", self.tag + guest)
            self.on(guest, "ip", "address", "add", f"{network}.{mine}/24", "dev", tap)
            self.on(guest, "ip", "link", "set", tap, "mtu", str(MTU_GUEST), "up")

    def relay(self, subject, netns, *args):
        child = self.spawn(netns, os.path.join(self.build, "bench", "relay"), *args, stdout=subprocess.PIPE, text=True)
        if child.stdout.readline() != "ready\n":
            raise RuntimeError("bench/relay did not start")
        self.between[subject].append((child.pid, "relay"))

    def call(self, path, method, **params):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(60)
            wait_for("netloomd's socket", lambda: sock.connect_ex(path) == 0)
            sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
            answer = json.loads(sock.makefile().readline())
        if "result" not in answer:
            raise RuntimeError(f"{method}: {answer}")
        return answer["result"]

    def between_cpu_ns(self, subject):
        return sum(Thread(pid, name).sample().cpu_ns for pid, name in self.between[subject])

    def taken(self):
        return [ask()["bytes"] for _, ask in sorted(self.shortcuts.items())]

    def check_taken(self, before, n):
        """Not that netloomd is measured instead; the counters follow within a fifth of a second."""
        try:
            wait_for("", lambda: all(now - then > 0.9 * n for now, then in zip(self.taken(), before)))
        except RuntimeError:
            took = [now - then for now, then in zip(self.taken(), before)]
            raise RuntimeError(f"of {n} bytes not all took the shortcut: {took}, on either host") from None

    def trial(self, subject, seconds, *more):
        """TCP from client to server, as the server received it."""
        server, client, address = SERVERS[subject]
        listener = self.spawn(server, "iperf3", "-s", "-1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("iperf3", lambda: ":5201" in self.on(server, "ss", "-Htln"))
        before = self.between_cpu_ns(subject)
        before_taken = self.taken()
        try:
            out = self.on(client, "iperf3", "-c", address, "-t", str(seconds), "-J", *more)
        finally:
            listener.terminate()
            listener.wait()
            self.children.remove(listener)
        between_ms = (self.between_cpu_ns(subject) - before) / 1e6
        end = json.loads(out)["end"]
        gbit = end["sum_received"]["bytes"] * 8 / 1e9
        if subject == "shortcut":
            self.check_taken(before_taken, end["sum_received"]["bytes"])
        share = end["cpu_utilization_percent"]["host_total"] + end["cpu_utilization_percent"]["remote_total"]
        return {"subject": subject, "gbits": end["sum_received"]["bits_per_second"] / 1e9, "between_ms_per_gbit": between_ms / gbit,
                "retransmits": end["sum_sent"].get("retransmits", 0),
                "cpu_ms_per_gbit": (between_ms + share * 10 * end["sum_sent"]["seconds"]) / gbit, "at": time.time()}

    def close(self):
        for child in self.children:
            child.terminate()
        for child in self.children:
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for netns in self.namespaces:
            subprocess.run(["ip", "netns", "delete", netns], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def said(figure):
    return f"{figure['ratio']:.2f} [{figure['interval'][0]:.2f}, {figure['interval'][1]:.2f}]"


def rounds(ends, options, subjects, *more):
    """Every subject twice a round, there and back again; who begins changes."""
    trials = []
    for number in range(options.rounds):
        first = number % len(subjects)
        turn = subjects[first:] + subjects[:first]
        for subject in turn + turn[::-1]:
            trials.append({"round": number, **ends.trial(subject, options.tcp_seconds, *more)})
    return trials


def compare(trials, a, b):
    ratio = Ratio()
    for number in range(trials[-1]["round"] + 1):
        ratio.add(*([trial["gbits"] for trial in trials if (trial["round"], trial["subject"]) == (number, subject)]
                    for subject in (a, b)))
    return ratio.result()


def middle(trials, subject, key):
    return statistics.median(trial[key] for trial in trials if trial["subject"] == subject)


def tcp(options, _folder):
    subjects = SUBJECTS_ALL if options.all_relays else SUBJECTS
    ends = Ends(options.build, options.uplink, subjects)
    try:
        print(f"uplink: {ends.said['io']}")
        subjects = ends.subjects
        best = "shortcut" if "shortcut" in subjects else "netloom"
        trials = rounds(ends, options, subjects)
        unpaced = [] if options.quick else rounds(ends, options, (best, "kernel"), "-C", "cubic")
        streams = {subject: ends.trial(subject, options.tcp_seconds, "-P", str(STREAMS))
                   for subject in subjects if not options.quick}
    finally:
        ends.close()
    figure = compare(trials, best, "kernel")
    pairs = [(subject, "kernel") for subject in subjects if subject not in (best, "kernel")] + [("netloom", "relays")]
    bounds = {f"{a}_over_{b}": compare(trials, a, b) for a, b in pairs}
    rate = middle(trials, "kernel", "gbits")
    print(f"TCP, {'':12}Gb/s  CPU ms per Gbit, of it between the iperf3   {STREAMS} streams, Gb/s   cores for the kernel's rate")
    for subject in subjects:
        print(f"  {subject:8}{middle(trials, subject, 'gbits'):13.2f}{middle(trials, subject, 'cpu_ms_per_gbit'):17.0f}"
              f"{middle(trials, subject, 'between_ms_per_gbit'):27.0f}"
              + (f"{streams[subject]['gbits']:20.2f}" if subject in streams else " " * 20)
              + f"{middle(trials, subject, 'cpu_ms_per_gbit') * rate / 1000:29.1f}")
    cubic = compare(unpaced, best, "kernel") if unpaced else None
    print(f"{best}/kernel {said(figure)}, A/A {figure['a_over_a'][0]:.2f}..{figure['a_over_a'][1]:.2f}")
    if cubic:
        print(f"{best}/kernel with TCP cubic {said(cubic)}, A/A {cubic['a_over_a'][0]:.2f}..{cubic['a_over_a'][1]:.2f}: "
              f"{cubic['a']:.1f} and {cubic['b']:.1f} Gb/s")
    print(", ".join(f"{name.replace('_over_', '/')} {said(bound)}" for name, bound in bounds.items()), flush=True)
    return {"uplink": ends.said, "compared": best, "gbits": figure["a"], "kernel_gbits": figure["b"], **figure, "bounds": bounds, "cubic": cubic,
            "streams": streams, "trials": trials}
