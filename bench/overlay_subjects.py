# SPDX-License-Identifier: BSD-3-Clause
"""
What bench/overlay measures: netloom's datapath (bench/vtep) and Open vSwitch with DPDK, each alone on one core. A subject that is not
measured is stopped (SIGSTOP), so that starting one is not part of a trial.
"""
import json
import os
import re
import signal
import subprocess
import time

from overlay_frames import STATION
from netbench.machine import Thread, tsc_hz

LIMIT_S = 60
WARM_S = 0.06
CPU_SHARE_MIN, TRIES = 0.1, 60
PMD_CPU, OTHER_CPU = 0, 1
OVS_HUGE_MB = 256
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
VSWITCHD = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"


def wait_for(what, condition):
    until = time.monotonic() + LIMIT_S
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise RuntimeError(f"gave up waiting for {what}")


def run(*command, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stdout}")
    return done.stdout


def hugepages_free_mb():
    """Of 2 MiB pages; Open vSwitch cannot do without."""
    try:
        with open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") as free:
            return 2 * int(free.read())
    except OSError:
        return 0


class Subject:
    """@process is stopped between trials; sample() returns packets so far, CPU time of the thread that forwards
    them, and packets that were lost."""
    share_min = CPU_SHARE_MIN

    def trial(self, seconds):
        """One trial; again if the subject had less than a tenth of its core, which says more of the machine than of the subject."""
        for _ in range(TRIES):
            figure = self.attempt(seconds)
            if figure is not None and figure["cpu_share"] >= self.share_min:
                return figure
        raise RuntimeError(f"{self.name} does not get its core: the machine is too busy to measure anything")

    def attempt(self, seconds):
        os.kill(self.process.pid, signal.SIGCONT)
        time.sleep(WARM_S)
        packets, cpu_ns, lost = self.sample()
        at = time.monotonic()
        time.sleep(seconds)
        packets_after, cpu_ns_after, lost_after = self.sample()
        elapsed = time.monotonic() - at
        os.kill(self.process.pid, signal.SIGSTOP)
        packets, cpu_ns = packets_after - packets, cpu_ns_after - cpu_ns
        if lost_after > lost:
            raise RuntimeError(f"{self.name}: {lost_after - lost} packets were lost")
        if packets == 0:
            return None
        return {"subject": self.name, "cycles": cpu_ns * tsc_hz() / 1e9 / packets, "packets": packets,
                "mpps": packets / elapsed / 1e6, "cpu_share": cpu_ns / 1e9 / elapsed}


class Netloom(Subject):
    name = "netloom"

    def __init__(self, build, kind, pcaps, n_vnis=1, n_macs=1):
        self.process = subprocess.Popen([os.path.join(build, "bench", "vtep"), kind, str(PMD_CPU), str(n_vnis), str(n_macs),
                                         *pcaps], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for("frames to go through netloom", lambda: self.ask()["sent"] > 0)
        os.kill(self.process.pid, signal.SIGSTOP)

    def ask(self):
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (OSError, ValueError):
            raise RuntimeError(f"bench/vtep ended: {self.process.stderr.read()}") from None

    def sample(self):
        counters = self.ask()
        # A frame that was received has been sent, but for the burst that is on its way.
        return counters["sent"], counters["cpu_ns"], max(counters["frames"] - counters["sent"] - 64, 0)

    def close(self):
        self.process.kill()
        self.process.wait()


class Ovs(Subject):
    """
    Open vSwitch in a namespace, with a folder of its own: a capture file replayed for ever by net_pcap on one side, net_null on the
    other, its own tunnel port between two bridges (encap, decap), or one flow from the first to the second (plain).
    """
    name = "ovs"

    def __init__(self, folder, kind, pcap):
        self.folder, self.netns = folder, f"nlbo{os.getpid()}"
        self.children = []
        self.env = dict(os.environ, OVS_RUNDIR=folder, OVS_LOGDIR=folder, OVS_DBDIR=folder, OVS_SYSCONFDIR=folder)
        self.log = open(os.path.join(folder, "log"), "w")
        run("ip", "netns", "add", self.netns)
        try:
            self.start()
            self.configure(kind, pcap)
            wait_for("frames to go through Open vSwitch", lambda: self.sample()[0] > 100000)
        except BaseException:
            self.close()
            raise
        os.kill(self.process.pid, signal.SIGSTOP)

    def spawn(self, *command):
        child = subprocess.Popen(["ip", "netns", "exec", self.netns, *command], env=self.env, stdout=self.log, stderr=self.log)
        self.children.append(child)
        return child

    def on(self, *command):
        return run("ip", "netns", "exec", self.netns, *command, env=self.env)

    def vsctl(self, *words):
        return self.on("ovs-vsctl", f"--db=unix:{self.folder}/db.sock", "--timeout=30", *words)

    def appctl(self, *words):
        return self.on("ovs-appctl", "-t", f"{self.folder}/ctl", *words)

    def start(self):
        self.on("ip", "link", "set", "lo", "up")
        self.on("ovsdb-tool", "create", f"{self.folder}/conf.db", SCHEMA)
        self.spawn("ovsdb-server", f"{self.folder}/conf.db", f"--remote=punix:{self.folder}/db.sock")
        wait_for("ovsdb-server", lambda: os.path.exists(f"{self.folder}/db.sock"))
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                   f"other_config:dpdk-socket-mem={OVS_HUGE_MB}", f"other_config:pmd-cpu-mask={1 << PMD_CPU:#x}",
                   f"other_config:dpdk-lcore-mask={1 << OTHER_CPU:#x}",
                   f"other_config:dpdk-extra=--no-pci --no-telemetry --file-prefix={self.netns}")
        self.process = self.spawn(VSWITCHD, f"unix:{self.folder}/db.sock", f"--unixctl={self.folder}/ctl")
        wait_for("ovs-vswitchd", lambda: os.path.exists(f"{self.folder}/ctl") or self.process.poll() is not None)
        if self.process.poll() is not None:
            raise RuntimeError(f"ovs-vswitchd did not start: {open(self.log.name).read()[-1000:]}")

    def configure(self, kind, pcap):
        for bridge in ("br-phy", "br-int"):
            self.vsctl("add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev")
        self.vsctl("set", "bridge", "br-phy", "other-config:hwaddr=02:00:00:00:01:01")
        enter, leave = {"plain": ("br-int", "br-int"), "encap": ("br-int", "br-phy"), "decap": ("br-phy", "br-int")}[kind]
        self.vsctl("add-port", leave, "null0", "--", "set", "interface", "null0", "type=dpdk",
                   "options:dpdk-devargs=net_null0,no-rx=1")
        # configuring br-phy's address may take a moment to be seen; a route that is not known floods nothing
        self.on("ip", "address", "add", "192.0.2.1/24", "dev", "br-phy")
        self.on("ip", "link", "set", "br-phy", "up")
        self.vsctl("add-port", "br-int", "vx0", "--", "set", "interface", "vx0", "type=vxlan",
                   "options:remote_ip=192.0.2.2", "options:key=10010")
        station = ":".join(f"{byte:02x}" for byte in STATION.to_bytes(6, "big"))
        wait_for("the route", lambda: "192.0.2.0/24" in self.appctl("ovs/route/show"))
        self.appctl("tnl/neigh/set", "br-phy", "192.0.2.2", "02:00:00:00:02:02")
        if kind == "plain":
            self.on("ovs-ofctl", "add-flow", f"unix:{self.folder}/br-int.mgmt", "priority=9,eth_type=0x800,actions=output:null0")
        elif kind == "encap":
            self.appctl("fdb/add", "br-phy", "null0", "0", "02:00:00:00:02:02")
            self.appctl("fdb/add", "br-int", "vx0", "0", station)
        else:
            self.appctl("fdb/add", "br-int", "null0", "0", station)
        self.vsctl("add-port", enter, "in0", "--", "set", "interface", "in0", "type=dpdk",
                   f"options:dpdk-devargs=net_pcap0,rx_pcap={pcap},infinite_rx=1")

    def sample(self):
        before = Thread(self.process.pid, "pmd-").sample().cpu_ns
        text = self.appctl("dpif-netdev/pmd-stats-show", "-pmd", str(PMD_CPU))
        after = Thread(self.process.pid, "pmd-").sample().cpu_ns
        packets, lost = (int(re.search(rf"{what}: (\d+)", text)[1]) for what in ("packets received", "miss with failed upcall"))
        return packets, (before + after) / 2, lost

    def actions(self):
        """What its datapath did with most packets: shows that headers were put in front, or taken off."""
        flows = [(int(packets), actions) for packets, actions in
                 re.findall(r"packets:(\d+),.*?actions:(\S+)", self.appctl("dpctl/dump-flows"))]
        most = max(packets for packets, _ in flows)
        return sorted({re.match(r"[a-z_0-9]+", actions)[0] for packets, actions in flows if packets > most / 2})

    def close(self):
        for child in reversed(self.children):
            if child.poll() is None:
                child.send_signal(signal.SIGCONT)
                child.terminate()
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        subprocess.run(["ip", "netns", "delete", self.netns], check=False)
        self.log.close()
