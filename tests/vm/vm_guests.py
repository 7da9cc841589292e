# SPDX-License-Identifier: BSD-3-Clause
"""Guests in vm-runner, and the switches they are plugged into, for the tests in this folder.

    with Bench() as bench:
        bench.switch(Netloomd, ports=2)
        a, b = bench.guest("a"), bench.guest("b")
        a.sh("ping -c 1 10.0.0.2")

Everything lives in one temporary folder and ends with the Bench, also when a test is interrupted.
"""
import base64
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD") or TOP / "build").resolve()
IMAGE = TOP / "control/lab/image/netloom-image"
BOOT_LIMIT_S = 240  # a guest inside a guest inside an emulated machine, on a busy host
COMMAND_LIMIT_S = 120
AGENT_PORT = "org.qemu.guest_agent.0"


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(77)


def wait(what, condition, limit_s=60):
    """Poll until condition() is true or returns something; return that."""
    end = time.monotonic() + limit_s
    while True:
        try:
            result = condition()
        except (OSError, EOFError):
            result = None
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(0.1)


def json_lines(path, limit_s):
    """A connection that speaks one JSON object per line. Return: a function that sends one and reads one."""
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(limit_s)
    sock.connect(str(path))
    file = sock.makefile("rwb")

    def ask(question):
        file.write(json.dumps(question).encode() + b"\n")
        file.flush()
        line = file.readline()
        if not line:
            raise EOFError(f"{path} hung up")
        return json.loads(line)

    return sock, ask


def rpc(path, method, **params):
    sock, ask = json_lines(path, 30)
    with sock:
        answer = ask({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    if "error" in answer:
        raise AssertionError(f"{method}: {answer['error']}")
    return answer["result"]


def cpio(files):
    """A newc archive of {name: text}; the guest's kernel unpacks it behind the image."""
    out = b""
    folders = sorted({str(p) for name in files for p in pathlib.PurePath(name).parents if str(p) != "."})
    entries = [(f, b"", 0o40755) for f in folders]
    entries += [(name, text.encode(), 0o100644) for name, text in files.items()]
    for name, data, mode in entries + [("TRAILER!!!", b"", 0)]:
        fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + name.encode() + b"\0"
        out += head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)
    return out


class Process:
    """A program with its log; ended by kill() or by the Bench."""

    def __init__(self, bench, name, argv, env=None):
        self.name, self.log = name, bench.folder / f"{name}.log"
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=subprocess.STDOUT, cwd=bench.folder,
                                          env={**os.environ, **(env or {})})
        bench.processes.append(self)

    def alive(self):
        return self.popen.poll() is None

    def threads(self):
        """Name, state and ticks of CPU time of each thread."""
        found = []
        for task in pathlib.Path(f"/proc/{self.popen.pid}/task").glob("*/stat"):
            name, rest = task.read_text().split("(", 1)[1].rsplit(")", 1)
            fields = rest.split()
            found.append(f"{name} {fields[0]} {fields[11]}+{fields[12]}")
        return ", ".join(found)

    def kill(self, sig=signal.SIGKILL):
        if self.alive():
            self.popen.send_signal(sig)
        return self.popen.wait(60)


class Guest:
    def __init__(self, bench, name, number, nics, memory="192M", cpus=1, extra=()):
        self.bench, self.name, self.number, self.folder = bench, name, number, bench.folder
        self.cpus = cpus
        self.control = self.folder / f"{name}.control"
        self.agent = self.folder / f"{name}.agent"
        conf = [f"hostname {name}"]
        argv = [BUILD / "vm-runner", "--name", name, "--kernel", bench.kernel, "--initrd", bench.initrd,
                "--initrd", f"{name}.cpio", "--memory", memory, "--cpus", cpus,
                "--append", "console=ttyS0 quiet panic=-1", "--serial", f"log={name}.serial",
                "--console", f"socket={name}.console,log={name}.screen",
                "--port", f"name={AGENT_PORT},socket={name}.agent", "--control", f"{name}.control"]
        for index, options in enumerate(nics, 1):
            mac = f"02:00:00:00:{number:02x}:{index:02x}"
            conf += [f"mac eth{index} {mac}", f"address eth{index} 10.{index - 1}.0.{number}/24"]
            argv += ["--net", f"socket={name}-eth{index}.sock,mac={mac},id=eth{index}{options}"]
        (self.folder / f"{name}.cpio").write_bytes(cpio({"etc/netloom/node.conf": "\n".join(conf) + "\n"}))
        self.argv = argv + list(extra)
        self.start()

    def start(self):
        for left in (self.control, self.agent):  # by a guest of that name that was killed
            left.unlink(missing_ok=True)
        self.process = Process(self.bench, self.name, self.argv)
        wait(f"{self.name}: its sockets", lambda: self.control.exists() or not self.process.alive())
        assert self.process.alive(), self.process.log.read_text()

    def sh(self, command, limit_s=COMMAND_LIMIT_S, check=True):
        """Run a shell command in the guest. Return: its output; it has to succeed unless check is false."""
        sock, ask = json_lines(self.agent, max(limit_s, 30))
        with sock:
            answer = ask({"execute": "guest-exec",
                          "arguments": {"path": "/bin/sh", "arg": ["-c", command], "capture-output": True}})
            pid = answer["return"]["pid"]

            def exited():
                now = ask({"execute": "guest-exec-status", "arguments": {"pid": pid}})["return"]
                return now if now["exited"] else None

            done = wait(f'{self.name}: "{command}"', exited, limit_s)
        out = "".join(base64.b64decode(done.get(key, "")).decode(errors="replace") for key in ("out-data", "err-data"))
        if check and done.get("exitcode") != 0:
            raise AssertionError(f'{self.name}: "{command}" exits with {done.get("exitcode")}: {out}')
        return out

    def up(self):
        """Wait until the guest has booted: its agent is started last.

        The emulated SVM spoils a guest now and then ("A guest that never boots" in tests/README.md). So one guest of a test
        gets a second try; the log says so, and what its threads did.
        """
        try:
            self.answer(BOOT_LIMIT_S / 2)
        except (AssertionError, EOFError, OSError, ValueError) as failure:
            print(f"note: {self.name}, {self.cpus} CPUs, did not boot: {failure}; its threads: {self.process.threads()}", flush=True)
            if self.bench.tried_again:
                raise
            self.bench.tried_again = True
            self.process.kill()
            self.start()
            self.answer(BOOT_LIMIT_S)
        return self

    def answer(self, limit_s):
        wait(f"{self.name}: its agent's socket", self.agent.exists)
        assert self.sh("true", limit_s) == ""

    def carrier(self, nic="eth1"):
        return self.sh(f"cat /sys/class/net/{nic}/carrier").strip() == "1"

    def reaches(self, address, limit_s=60):
        """Wait for an answer to a ping. Return: seconds it took."""
        start = time.monotonic()
        wait(f"{self.name} reaches {address}",
             lambda: "1 packets received" in self.sh(f"ping -c 1 -W 1 {address}", check=False), limit_s)
        return time.monotonic() - start

    def packed(self, nic="eth1"):
        """Does the driver work packed rings? VIRTIO_F_RING_PACKED, as the guest's kernel shows it."""
        return self.sh(f"cut -c35 /sys/class/net/{nic}/device/features").strip() == "1"

    def nics(self):
        return {nic["id"]: nic for nic in rpc(self.control, "status")["nics"]}

    def power_off(self):
        rpc(self.control, "stop")
        return self.process.popen.wait(BOOT_LIMIT_S)


class Netloomd:
    """One switch, all ports in VLAN 1."""

    def __init__(self, bench, sockets, queues=1):
        self.bench, self.socket = bench, bench.folder / "netloomd.sock"
        self.sockets, self.queues = sockets, queues
        self.start()
        ports = [{"name": f"p{i}", "type": "vhost-user", "socket": str(path), "queues": queues, "switch": "s",
                  "vlan": {"access": 1}} for i, path in enumerate(sockets)]
        rpc(self.socket, "apply", owner="test", switches=[{"name": "s"}], ports=ports)

    def start(self):
        self.process = Process(self.bench, "netloomd",
                               [BUILD / "netloomd", "--no-huge", "--socket", self.socket,
                                "--state", self.bench.folder / "netloomd.json"])
        wait("netloomd answers", lambda: rpc(self.socket, "status"))

    def restart(self):
        self.process.kill()
        self.start()


class Testpmd:
    """Not ours: dpdk-testpmd's net_vhost, each pair of ports joined."""

    def __init__(self, bench, sockets, queues=1):
        self.bench, self.sockets, self.queues = bench, sockets, queues
        self.start()

    def start(self):
        argv = ["dpdk-testpmd", "--lcores", "0@0,1@1", "--no-pci", "--no-huge", "-m", "256", "--no-telemetry"]
        for i, path in enumerate(self.sockets):
            argv += ["--vdev", f"net_vhost{i},iface={path},client=1,queues={self.queues}"]
        argv += ["--", "--nb-cores=1", "--forward-mode=io", "--auto-start", "--stats-period=600",
                 "--total-num-mbufs=16384", f"--rxq={self.queues}", f"--txq={self.queues}"]
        self.process = Process(self.bench, "testpmd", argv)

    def restart(self):
        self.process.kill()
        self.start()


class OpenVswitch:
    """Not ours: OVS with DPDK, dpdkvhostuserclient ports on a netdev bridge."""
    DAEMON = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"

    def __init__(self, bench, sockets, queues=1):
        if not pathlib.Path(self.DAEMON).exists():
            skip("openvswitch-switch-dpdk is not installed")
        free = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
        if not free.exists() or int(free.read_text()) < 150:
            skip("OVS needs 150 free hugepages: it cannot be told to do without")
        run = bench.folder / "ovs"
        run.mkdir()
        self.bench, self.db = bench, f"unix:{run}/db.sock"
        self.env = {f"OVS_{d}DIR": str(run) for d in ("RUN", "LOG", "DB", "SYSCONF", "PKGDATA")}
        self.env["OVS_PKGDATADIR"] = "/usr/share/openvswitch"
        subprocess.run(["ovsdb-tool", "create", run / "conf.db", "/usr/share/openvswitch/vswitch.ovsschema"], check=True)
        Process(bench, "ovsdb", ["ovsdb-server", run / "conf.db", f"--remote=p{self.db}", f"--unixctl={run}/db.ctl",
                                 "--no-chdir"], self.env)
        wait("ovsdb", (run / "db.sock").exists)
        self.vsctl("init")
        self.vsctl("set", "Open_vSwitch", ".", "other_config:dpdk-init=true", "other_config:pmd-cpu-mask=0x2",
                   "other_config:dpdk-lcore-mask=0x1", 'other_config:dpdk-extra="-m 256 --no-pci --no-telemetry"')
        self.start()
        self.vsctl("add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev")
        for i, path in enumerate(sockets):
            self.vsctl("add-port", "br0", f"p{i}", "--", "set", "Interface", f"p{i}", "type=dpdkvhostuserclient",
                       f"options:vhost-server-path={path}")

    def vsctl(self, *words):
        return subprocess.run(["ovs-vsctl", "--no-wait", f"--db={self.db}", *words], env={**os.environ, **self.env},
                              check=True, capture_output=True, text=True).stdout

    def start(self):
        run = self.bench.folder / "ovs"
        self.process = Process(self.bench, "ovs", [self.DAEMON, self.db, f"--unixctl={run}/ovs.ctl", "--no-chdir"],
                               self.env)

    def restart(self):
        self.process.kill()
        self.start()


class Bench:
    tried_again = False  # a guest that did not boot

    def __enter__(self):
        runs = subprocess.run([BUILD / "vm-runner", "--check"], capture_output=True, text=True)
        if runs.returncode == 7:
            skip(f"KVM here cannot run a kernel ({runs.stdout.strip() or runs.stderr.strip()}): use tests/nested/run")
        found = dict(line.split(None, 1) for line in subprocess.check_output([IMAGE, "path"], text=True).splitlines())
        self.kernel, self.initrd = found["kernel"], found["initrd"]
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="netloom-vm-"))
        self.processes, self.guests = [], {}
        for sig in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(sig, lambda *_: sys.exit(143))
        return self

    def guest(self, name, nics=("",), **options):
        self.guests[name] = Guest(self, name, len(self.guests) + 1, nics, **options)
        return self.guests[name]

    def socket(self, guest, nic=1):
        """Where a guest's card listens; known before the guest is started."""
        return self.folder / f"{guest}-eth{nic}.sock"

    def __exit__(self, kind, error, trace):
        if kind not in (None, SystemExit):
            for log in sorted(p for p in self.folder.iterdir() if p.suffix in (".log", ".serial", ".screen")):
                print(f"---- {log.name}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-25:]))
        for process in reversed(self.processes):
            process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def step(text):
    print(f"ok    {text}", flush=True)
