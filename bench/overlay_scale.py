# SPDX-License-Identifier: BSD-3-Clause
"""
Part of bench/overlay: what many VNIs and many remote stations cost.

Cycles: bench/vtep with 4,096 VNIs and 100,000 stations over bench/vtep with 16 VNIs and 100 stations, every frame for a random one, as
many different frames in both: what larger tables cost. And over one VNI with one station, where the datapath decides
once for a burst: what mixed traffic costs as well. Memory: resident size of netloomd, before and after it was given the VNIs, and after it has
learned the stations from packets that another host sent.

    netloomd, 192.0.2.1--e0 ===== veth ===== e0--192.0.2.2, sends VXLAN
"""
import ctypes
import json
import os
import shutil
import socket
import subprocess
import tempfile

from overlay_frames import STATION, VNI, VNIS_PER_SWITCH, outer, write_many
from overlay_subjects import Netloom, run, wait_for
from paired import Ratio, order

N_VNIS, N_MACS, N_FRAMES, SIZE = 4096, 100_000, 100_000, 64
SMALL = ((16, 100), (1, 1))
CLONE_NEWNET = 0x40000000
MACS_AT_ONCE = 2000  # what netloomd has learned before more is sent


def cycles_case(options, folder, kind, small_vnis, small_macs):
    subjects, ratio, trials = [], Ratio(), []
    try:
        for name, n_vnis, n_macs in (("many", N_VNIS, N_MACS), ("small", small_vnis, small_macs)):
            pcaps = write_many(os.path.join(folder, f"{kind}-{name}.pcap"), kind, SIZE, n_vnis, n_macs, N_FRAMES)
            subjects.append(Netloom(options.build, kind, pcaps, n_vnis, n_macs))
            for pcap in pcaps:
                os.remove(pcap)
        for number in range(options.rounds):
            got = [[], []]
            for which in order(number, 0, 1):
                trials.append({"round": number, "many": which == 0, **subjects[which].trial(options.seconds)})
                got[which].append(trials[-1]["cycles"])
            ratio.add(*got)
    finally:
        for subject in subjects:
            subject.close()
    figure = ratio.result()
    print(f"{kind}: {figure['a']:.0f} cycles per packet with {N_VNIS} VNIs and {N_MACS} stations, {figure['b']:.0f} with {small_vnis} and {small_macs}: "
          f"{figure['ratio']:.2f} [{figure['interval'][0]:.2f}, {figure['interval'][1]:.2f}], "
          f"A/A {figure['a_over_a'][0]:.2f}..{figure['a_over_a'][1]:.2f}", flush=True)
    return {"kind": kind, "bytes": SIZE, "small": [small_vnis, small_macs], "many_cycles": figure["a"], "small_cycles": figure["b"],
            **figure, "trials": trials}


def in_netns(name, make):
    """What @make makes, in a network namespace. Python has had setns() since 3.12; Debian 12 has 3.11."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net") as here, open(f"/run/netns/{name}") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {name}")
        try:
            return make()
        finally:
            libc.setns(here.fileno(), CLONE_NEWNET)


class Daemon:
    """netloomd with an uplink, and a neighbour that can send anything."""

    def __init__(self, build):
        self.dir = tempfile.mkdtemp(prefix="netloom-bench-")
        self.tag = f"nlbs{os.getpid()}"
        self.process = self.sender = None
        for netns in ("A", "B"):
            run("ip", "netns", "add", self.tag + netns)
        run("ip", "link", "add", "e0", "netns", self.tag + "A", "type", "veth", "peer", "name", "e0", "netns", self.tag + "B")
        for netns, number in (("A", 1), ("B", 2)):
            run("ip", "-n", self.tag + netns, "address", "add", f"192.0.2.{number}/24", "dev", "e0")
            run("ip", "-n", self.tag + netns, "link", "set", "e0", "address", f"02:00:00:00:0{number}:0{number}", "up")
        self.path = os.path.join(self.dir, "sock")
        with open(os.path.join(self.dir, "log"), "w") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.tag + "A", os.path.join(build, "netloomd"), "--no-huge", "--threads", "1",
                 "--socket", self.path, "--state", os.path.join(self.dir, "state.json")],
                env=dict(os.environ, NETLOOM_RUNDIR=self.dir), stdout=log, stderr=log)
        wait_for("netloomd", lambda: os.path.exists(self.path))
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        wait_for("netloomd's socket", lambda: self.sock.connect_ex(self.path) == 0)
        self.answers = self.sock.makefile()

    def call(self, method, **params):
        self.sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        answer = json.loads(self.answers.readline())
        if "result" not in answer:
            raise RuntimeError(f"{method}: {answer}")
        return answer["result"]

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def entries(self):
        return self.call("status")["fdb"]["entries"]

    def teach(self, packets):
        """Send packets until as many stations more are known; the learn ring may be full for a moment."""
        if self.sender is None:
            self.sender = in_netns(self.tag + "B", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
            self.sender.bind(("e0", 0))
        want = self.entries() + len(packets)

        def taught():
            for packet in packets:
                self.sender.send(packet)
            return self.entries() >= want or None

        wait_for(f"{want} stations", taught)

    def close(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
        for netns in ("A", "B"):
            subprocess.run(["ip", "netns", "delete", self.tag + netns], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


def station_frame(station):
    return b"\xff" * 6 + (STATION + station).to_bytes(6, "big") + b"\x88\xb5" + bytes(46)


def memory():
    n_switches = (N_VNIS + VNIS_PER_SWITCH - 1) // VNIS_PER_SWITCH
    return {
        "switches": [{"name": f"s{sw}"} for sw in range(n_switches)],
        "ports": [{"name": "up", "type": "uplink", "ifname": "e0", "local": ["192.0.2.1"]}],
        "vteps": [{"name": "other", "uplink": "up", "remote": "192.0.2.2"}]}, [
            {"vni": VNI + v, "switch": f"s{v // VNIS_PER_SWITCH}", "vlan": 1 + v % VNIS_PER_SWITCH, "vteps": ["other"]}
            for v in range(N_VNIS)]


def memory_case(options):
    base, vnis = memory()
    n_macs = 5000 if options.quick else N_MACS
    daemon = Daemon(options.build)
    try:
        # The first VNI brings what there is once: tables, tunnel ports.
        daemon.call("apply", owner="bench", **base, vnis=[vnis[0], vnis[VNIS_PER_SWITCH]])
        before = daemon.rss_bytes()
        daemon.call("apply", owner="bench", **base, vnis=vnis)
        with_vnis = daemon.rss_bytes()
        macs = range(n_macs)
        for first in range(0, n_macs, MACS_AT_ONCE):
            daemon.teach([outer(station_frame(m), m, VNI + m % N_VNIS) for m in macs[first:first + MACS_AT_ONCE]])
        with_macs = daemon.rss_bytes()
        entries = daemon.entries()
    finally:
        daemon.close()
    result = {"rss_bytes": {"one_vni": before, "vnis": with_vnis, "vnis_and_macs": with_macs}, "vnis": N_VNIS, "macs": entries,
              "bytes_per_vni": (with_vnis - before) / (N_VNIS - 2), "bytes_per_mac": (with_macs - with_vnis) / entries}
    print(f"memory of netloomd: {before / 1e6:.1f} MB with a VNI on each of two switches, {with_vnis / 1e6:.1f} MB with {N_VNIS} "
          f"({result['bytes_per_vni']:.0f} bytes each), {with_macs / 1e6:.1f} MB with {entries} stations learned "
          f"({result['bytes_per_mac']:.0f} bytes each)", flush=True)
    return result


def scale(options, folder):
    return {"cycles": [cycles_case(options, folder, kind, *small) for small in SMALL for kind in ("encap", "decap")],
            "memory": memory_case(options)}
