# SPDX-License-Identifier: BSD-3-Clause
"""
Part of bench/overlay: TCP through VXLAN, netloom on both ends against the kernel on both ends, over one and the same veth.

    [guest A]--tap--netloomd--+                          +--netloomd--tap--[guest B]
                              e0 ======== veth ======== e0
         [host A]--vx0--------+                          +--------vx0--[host B]

The kernel's vxlan devices carry the addresses themselves: there is no bridge and no guest behind them.
"""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time

from overlay_subjects import run, wait_for
from paired import Ratio, order

MTU_GUEST, MTU_UNDERLAY = 1500, 1600


class Ends:
    """Both hosts, with everything on them."""

    def __init__(self, build, uplink=None):
        self.dir = tempfile.mkdtemp(prefix="netloom-bench-")
        self.build, self.uplink = build, uplink
        self.tag = f"nlbt{os.getpid()}"
        self.namespaces, self.children = [], []
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
        for netns, address in (("A", "10.0.20.2"), ("gA", "10.0.10.2")):
            wait_for(f"{address} from {netns}", lambda: subprocess.run(
                ["ip", "netns", "exec", self.tag + netns, "ping", "-c", "1", "-W", "1", address],
                stdout=subprocess.DEVNULL, check=False).returncode == 0)

    def kernel(self, netns, mine, other):
        """On a UDP port of its own, so that both can be there."""
        self.on(netns, "ip", "link", "add", "vx0", "mtu", str(MTU_GUEST), "type", "vxlan", "id", "10020", "local",
                f"192.0.2.{mine}", "remote", f"192.0.2.{other}", "dstport", "4790")
        self.on(netns, "ip", "address", "add", f"10.0.20.{mine}/24", "dev", "vx0")
        self.on(netns, "ip", "link", "set", "vx0", "up")

    def netloom(self, netns, mine, other):
        folder = os.path.join(self.dir, netns)
        os.mkdir(folder)
        path = os.path.join(folder, "sock")
        log = open(os.path.join(folder, "log"), "w")
        self.spawn(netns, os.path.join(self.build, "netloomd"), "--no-huge", "--threads", "1", "--socket", path, "--state",
                   os.path.join(folder, "state.json"), env=dict(os.environ, NETLOOM_RUNDIR=folder), stdout=log, stderr=log)
        wait_for("netloomd", lambda: os.path.exists(path))
        more = {"mode": self.uplink} if self.uplink else {}
        self.call(path, "switch.set", name="s")
        self.call(path, "uplink.set", name="up", ifname="e0", local=[f"192.0.2.{mine}"], **more)
        self.call(path, "vtep.set", name="other", uplink="up", remote=f"192.0.2.{other}")
        self.call(path, "vni.set", vni=10010, switch="s", vlan=10, vteps=["other"], mtu=MTU_GUEST)
        self.call(path, "port.set", name="guest", type="tap", ifname="eth1", netns=f"{self.tag}g{netns}", switch="s",
                  mtu=MTU_GUEST, vlan={"access": 10}, addresses=[f"10.0.10.{mine}/24"])
        self.said = self.call(path, "uplink.list")["uplinks"][0]

    def call(self, path, method, **params):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(60)
            wait_for("netloomd's socket", lambda: sock.connect_ex(path) == 0)
            sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
            answer = json.loads(sock.makefile().readline())
        if "result" not in answer:
            raise RuntimeError(f"{method}: {answer}")
        return answer["result"]

    def gbits(self, server, client, address, seconds):
        """TCP from client to server, as the server received it."""
        listener = self.spawn(server, "iperf3", "-s", "-1", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("iperf3", lambda: ":5201" in self.on(server, "ss", "-Htln"))
        try:
            out = self.on(client, "iperf3", "-c", address, "-t", str(seconds), "-J")
        finally:
            listener.terminate()
            listener.wait()
            self.children.remove(listener)
        return json.loads(out)["end"]["sum_received"]["bits_per_second"] / 1e9

    def trial(self, subject, seconds):
        if subject == "netloom":
            return self.gbits("gB", "gA", "10.0.10.2", seconds)
        return self.gbits("B", "A", "10.0.20.2", seconds)

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


def tcp(options, _folder):
    ends = Ends(options.build, options.uplink)
    ratio, trials = Ratio(), []
    try:
        print(f"uplink: {ends.said['io']}")
        for number in range(options.rounds):
            got = {"netloom": [], "kernel": []}
            for subject in order(number, "netloom", "kernel"):
                gbits = ends.trial(subject, options.tcp_seconds)
                got[subject].append(gbits)
                trials.append({"round": number, "subject": subject, "gbits": gbits, "at": time.time()})
            ratio.add(got["netloom"], got["kernel"])
    finally:
        ends.close()
    figure = ratio.result()
    print(f"TCP through VXLAN: netloom {figure['a']:.2f} Gb/s, kernel {figure['b']:.2f} Gb/s, netloom/kernel {figure['ratio']:.2f} "
          f"[{figure['interval'][0]:.2f}, {figure['interval'][1]:.2f}], A/A {figure['a_over_a'][0]:.2f}..{figure['a_over_a'][1]:.2f}",
          flush=True)
    return {"uplink": ends.said, "netloom_gbits": figure["a"], "kernel_gbits": figure["b"], **figure, "trials": trials}
