# SPDX-License-Identifier: BSD-3-Clause
"""The switches that are measured: netloomd, and its peers. Each gets one CPU and a list of sockets to connect to.

A port is a dict: name, socket, and vlan: None (untagged access), or "trunk". All of a subject's ports are in VLAN 10 of one
learning switch, except with testpmd, which only carries frames from each even port to the odd one behind it and back.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import time

from netbench.machine import WITH_US, Thread, read, tsc_hz
from netbench.windows import KEPT, Witness

VLAN = 10


class Unavailable(Exception):
    """This machine, or this subject, cannot do what is asked; the text says why."""


def wait_for(what, condition, limit=60):
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise Unavailable(f"{what}: not within {limit} s")
        time.sleep(0.02)


def huge_pages_free():
    return int(read("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0") or 0)


class Subject:
    """Started by start(); stop() ends it. While others are measured it stands still."""

    name = ""
    threads = ()
    switches = True
    never = ""  # why it cannot be measured, on no machine

    def __init__(self, build, directory, cpu):
        self.build, self.directory, self.cpu = build, directory, cpu
        self.processes = []
        self.witnessed = None

    def spawn(self, command, **kwargs):
        log = open(os.path.join(self.directory, self.name + ".log"), "ab")
        process = subprocess.Popen([*WITH_US, *command], stdout=log, stderr=log, cwd=self.directory,
                                   **{"stdin": subprocess.DEVNULL, **kwargs})
        log.close()
        self.processes.append(process)
        return process

    def witness(self, tools):
        """Before start(): have it noted when the thread that polls was away."""
        self.witnessed = Witness(tools, tsc_hz())

    def absences_n(self):
        """How often it was, so far."""
        return self.witnessed.n()

    def absences_newest(self, n):
        return self.witnessed.newest(n)

    def absences_frame_ns(self, ns):
        """What a frame takes before the thread counts as away."""
        self.witnessed.frame_ns(ns)

    def absences_since(self, n):
        """[(TSC, cycles)] of those after the first @n; None when there were more than are kept."""
        new = self.absences_n() - n
        return None if new >= KEPT else self.absences_newest(new)

    def poller_environment(self, environment):
        """@environment, for the process that polls."""
        return {**environment, **(self.witnessed.environment if self.witnessed else {})}

    def dpdk_prefix(self):
        """Of the folder that DPDK makes in /run/dpdk; cli.py removes it."""
        return f"netbench-{os.getpid()}-{os.path.basename(self.directory)}"

    def alive(self):
        for process in self.processes:
            if process.poll() is not None:
                tail = read(os.path.join(self.directory, self.name + ".log"))[-500:]
                raise Unavailable(f"{self.name} ended with status {process.returncode}: {tail}")
        return True

    def thread(self):
        return Thread(self.processes[-1].pid, self.threads)

    def pause(self):
        for process in self.processes:
            process.send_signal(signal.SIGSTOP)

    def resume(self):
        for process in self.processes:
            process.send_signal(signal.SIGCONT)

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.processes = []
        if self.witnessed:
            self.witnessed.close()
            self.witnessed = None


class Netloomd(Subject):
    name = "netloomd"
    threads = ("worker",)

    def __init__(self, build, directory, cpu, poll="busy", fdb_entries=131072):
        super().__init__(build, directory, cpu)
        self.poll, self.fdb_entries = poll, fdb_entries
        self.rpc_file = None

    def start(self, ports):
        path = os.path.join(self.directory, "netloomd.sock")
        self.spawn([os.path.join(self.build, "netloomd"), "--socket", path, "--state",
                    os.path.join(self.directory, "state.json"), "--no-huge", "--poll", self.poll, "--cpus", str(self.cpu),
                    "--fdb-entries", str(self.fdb_entries)], env={**os.environ, "NETLOOM_RUNDIR": self.directory})
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)

        def connected():
            self.alive()
            try:
                connection.connect(path)
            except OSError:
                return False
            return True

        wait_for("netloomd answers", connected)
        self.rpc_file = connection.makefile("rw")
        connection.close()  # the file keeps it
        self.call("apply", owner="bench", switches=[{"name": "sw"}], ports=[self.port(p) for p in ports])
        wait_for("netloomd's ports run", lambda: all(p["running"] for p in self.call("port.list")["ports"]))

    @staticmethod
    def port(port):
        vlan = {"trunk": [VLAN]} if port["vlan"] == "trunk" else {"access": VLAN}
        return {"name": port["name"], "type": "vhost-user", "socket": port["socket"], "switch": "sw", "vlan": vlan}

    def call(self, method, **params):
        self.rpc_file.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n")
        self.rpc_file.flush()
        answer = json.loads(self.rpc_file.readline())
        if "result" not in answer:
            raise Unavailable(f"netloomd refuses {method}: {answer['error']['message']}")
        return answer["result"]

    def flush(self):
        self.call("fdb.flush")

    def witness(self, tools):
        """It is its own."""

    def absences_n(self):
        return self.call("absences")["n"]

    def absences_newest(self, n):
        return self.call("absences", newest=n)["newest"][-n:] if n else []

    def absences_frame_ns(self, ns):
        self.call("absences", frame_ns=int(ns))

    def control_on(self, cpu):
        """Have all threads that are not the datapath's run on @cpu."""
        folder = f"/proc/{self.processes[0].pid}/task"
        for task in os.listdir(folder):
            if not read(f"{folder}/{task}/comm").startswith(self.threads):
                os.sched_setaffinity(int(task), {cpu})

    def stop(self):
        if self.rpc_file:
            self.resume()
            self.rpc_file.close()
            self.rpc_file = None
        super().stop()


class Testpmd(Subject):
    """DPDK's testpmd in io mode: frames go from one vhost port to the other, unread. It is no switch."""

    name = "testpmd"
    threads = ("rte-worker", "lcore-worker")
    switches = False

    def start(self, ports):
        if not shutil.which("dpdk-testpmd"):
            raise Unavailable("dpdk-testpmd is not installed (package dpdk-dev)")
        if len(ports) % 2 or any(p["vlan"] for p in ports):
            raise Unavailable("testpmd has no switch, only pairs of ports without VLANs")
        vdevs = []
        for number, port in enumerate(ports):
            vdevs += ["--vdev", f"net_vhost{number},iface={port['socket']},queues=1,client=1"]
        process = self.spawn(
            ["dpdk-testpmd", "--lcores", f"0@{self.cpu},1@{self.cpu}", "--no-huge", "-m", "512", "--no-pci", "--no-telemetry",
             "--file-prefix", self.dpdk_prefix(), "--log-level", "lib.eal:error", *vdevs, "--", "--nb-cores=1",
             "--forward-mode=io", "--txd=1024", "--rxd=1024", "--auto-start",
             f"--total-num-mbufs={8192 * len(ports)}"], stdin=subprocess.PIPE, env=self.poller_environment(os.environ))
        wait_for("testpmd forwards", lambda: self.alive() and any(Thread(process.pid, self.threads).tasks()))


class Ovs(Subject):
    """Open vSwitch with DPDK: a netdev bridge, action NORMAL, all ports in one VLAN."""

    name = "ovs-dpdk"
    threads = ("pmd-c",)

    def vsctl(self, *arguments):
        answer = subprocess.run(["ovs-vsctl", f"--db=unix:{self.directory}/db.sock", "--timeout=60", *arguments],
                                capture_output=True, text=True, check=False, env=self.environment())
        if answer.returncode:
            raise Unavailable(f"ovs-vsctl {' '.join(arguments)}: {answer.stderr.strip()}")

    def environment(self):
        return {**os.environ, "OVS_RUNDIR": self.directory, "OVS_LOGDIR": self.directory, "OVS_DBDIR": self.directory,
                "OVS_SYSCONFDIR": self.directory}

    def start(self, ports):
        if not shutil.which("ovs-vswitchd"):
            raise Unavailable("Open vSwitch is not installed (package openvswitch-switch-dpdk)")
        vswitchd = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
        if not os.path.exists(vswitchd):
            raise Unavailable("Open vSwitch here is built without DPDK (package openvswitch-switch-dpdk)")
        database = os.path.join(self.directory, "conf.db")
        subprocess.run(["ovsdb-tool", "create", database, "/usr/share/openvswitch/vswitch.ovsschema"], check=True)
        self.spawn(["ovsdb-server", database, f"--remote=punix:{self.directory}/db.sock", "--no-chdir",
                    f"--unixctl={self.directory}/ovsdb.ctl"], env=self.environment())
        wait_for("OVS's database", lambda: self.alive() and os.path.exists(f"{self.directory}/db.sock"))
        huge = huge_pages_free() >= 300
        memory = "--in-memory" if huge else "--no-huge -m 768"
        mask = hex(1 << self.cpu)
        self.vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                   f"other_config:pmd-cpu-mask={mask}", f"other_config:dpdk-lcore-mask={mask}",
                   f'other_config:dpdk-extra="--no-pci --no-telemetry --file-prefix {self.dpdk_prefix()} {memory}"',
                   *([] if not huge else ["other_config:dpdk-socket-mem=512"]), "other_config:vhost-sock-dir=.")
        self.spawn([vswitchd, f"unix:{self.directory}/db.sock", "--no-chdir", f"--unixctl={self.directory}/vswitchd.ctl",
                    f"--pidfile={self.directory}/vswitchd.pid"], env=self.poller_environment(self.environment()))
        self.vsctl("add-br", "sw", "--", "set", "bridge", "sw", "datapath_type=netdev", "other_config:mac-table-size=1048576")
        for port in ports:
            vlan = f"trunks={VLAN}" if port["vlan"] == "trunk" else f"tag={VLAN}"
            self.vsctl("add-port", "sw", port["name"], vlan, "--", "set", "Interface", port["name"],
                       "type=dpdkvhostuserclient", f"options:vhost-server-path={port['socket']}")
        self.control = os.path.join(self.directory, "vswitchd.ctl")
        wait_for("OVS polls", lambda: self.alive() and any(self.thread().tasks()))


    def flush(self):
        subprocess.run(["ovs-appctl", "-t", self.control, "fdb/flush", "sw"], check=True, stdout=subprocess.DEVNULL,
                       env=self.environment())


class LinuxBridge(Subject):
    name = "linux-bridge"
    never = ("the kernel's bridge has no vhost-user ports, so that it cannot be given the same rings. Virtual machines reach it through "
             "TAP interfaces and vhost-net: threads of the kernel, of which there is one more for each port")


PEERS = {"ovs-dpdk": Ovs, "testpmd": Testpmd, "linux-bridge": LinuxBridge}
