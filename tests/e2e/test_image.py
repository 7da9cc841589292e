#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
# limit: 600
"""The default guest image, booted by plain QEMU: does it become the node that node.conf describes?

    +---------------- guest -----------------+
    |  east (02:..:0b, eth0 at first)        |---+
    |  west (02:..:0a, eth1 at first)        |---+- hub
    |  west.10  VLAN 10 on west              |
    |  hvc0     shell                        |--- socket: console
    |  agent    org.qemu.guest_agent.0       |--- socket: agent
    |  power button                          |--- QMP: system_powerdown
    +----------------------------------------+

Also: the image is the same to the byte when it is built again, and by two at once.
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
IMAGE = TOP / "control/lab/image/netloom-image"
MAC_EAST, MAC_WEST = "02:00:00:00:00:0b", "02:00:00:00:00:0a"
NODE_CONF = f"""hostname crossroads
mac east {MAC_EAST}
mac west {MAC_WEST.upper()}
mac north 02:00:00:00:00:99
mtu east 1400
address east 192.0.2.1/24
address west 2001:db8::1/64
address west.10 198.51.100.1/24
gateway east 192.0.2.254
nonsense
"""
BOOT_LIMIT_S = 120
failures = []


def check(what, ok, detail=""):
    print(("ok    " if ok else "FAIL  ") + what + (f": {detail}" if detail and not ok else ""), flush=True)
    if not ok:
        failures.append(what)


def image_paths(cache=None):
    env = dict(os.environ)
    if cache:
        env["NETLOOM_CACHE"] = str(cache)
    out = subprocess.run([IMAGE, "path"], check=True, stdout=subprocess.PIPE, env=env, text=True).stdout
    return dict(line.split(" ", 1) for line in out.splitlines())


def check_build(initrd, work):
    """Two builders at once in a new cache that has the downloads already."""
    cache = work / "cache"
    cache.mkdir()
    for folder in pathlib.Path(initrd).parent.iterdir():
        if folder.name.startswith(("kernel-", "agent-")):
            subprocess.run(["cp", "-al", folder, cache], check=True)
    env = dict(os.environ, NETLOOM_CACHE=str(cache))
    builders = [subprocess.Popen([IMAGE, "path"], stdout=subprocess.PIPE, env=env, text=True) for _ in range(2)]
    outputs = [b.communicate(timeout=120)[0] for b in builders]
    check("two builders at once succeed", all(b.returncode == 0 for b in builders))
    check("two builders at once get one image", outputs[0] == outputs[1], str(outputs))
    built = [f for f in cache.iterdir() if f.name.startswith("initrd-")]
    check("nothing else is left in the cache", len(built) == 1 and not list(cache.glob(".new-*")))
    check("the image is reproducible", len(built) == 1 and built[0].read_bytes() == pathlib.Path(initrd).read_bytes())


def cpio_entry(name, content=b"", mode=0o100644):
    name = name.encode() + b"\0"
    fields = [0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0]
    out = b"070701" + b"".join(b"%08X" % f for f in fields) + name
    out += b"\0" * (-len(out) % 4) + content
    return out + b"\0" * (-len(out) % 4)


class Lines:
    """A Unix socket that QEMU listens on, read by lines or by what is awaited."""

    def __init__(self, path, limit_s=10):
        end = time.monotonic() + limit_s
        while True:
            self.sock = socket.socket(socket.AF_UNIX)
            try:
                self.sock.connect(str(path))
                break
            except OSError:
                self.sock.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)
        self.seen = b""

    def send(self, data):
        self.sock.sendall(data)

    def until(self, what, limit_s):
        """Everything up to and with `what`, or None after limit_s."""
        end = time.monotonic() + limit_s
        while what not in self.seen:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.sock.settimeout(left)
            try:
                data = self.sock.recv(65536)
            except TimeoutError:
                return None
            if not data:
                return None
            self.seen += data
        at = self.seen.index(what) + len(what)
        found, self.seen = self.seen[:at], self.seen[at:]
        return found

    def call(self, name, limit_s=30, **arguments):
        self.send(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        line = self.until(b"\n", limit_s)
        return json.loads(line) if line else {}


def guest_run(agent, script):
    """A shell script in the guest: (exit status, output)."""
    pid = agent.call("guest-exec", path="/bin/sh", arg=["-c", script], **{"capture-output": True})["return"]["pid"]
    end = time.monotonic() + 60
    while time.monotonic() < end:
        done = agent.call("guest-exec-status", pid=pid)["return"]
        if done["exited"]:
            return done.get("exitcode"), base64.b64decode(done.get("out-data", "")).decode()
        time.sleep(0.05)
    return None, "no end after 60 s"


def check_guest(work, agent):
    def run(script):
        return guest_run(agent, script)

    check("the host name is set", run("hostname") == (0, "crossroads\n"))
    links = {link["ifname"]: link for link in json.loads(run("ip -j -d addr")[1])}
    check("interfaces swapped their names",
          links.get("east", {}).get("address") == MAC_EAST and links.get("west", {}).get("address") == MAC_WEST,
          str(sorted(links)))
    check("the MTU is set", links.get("east", {}).get("mtu") == 1400)
    check("all interfaces are up", all("UP" in link["flags"] for link in links.values()))
    addresses = {(n, a["local"], a["prefixlen"]) for n, link in links.items() for a in link["addr_info"]}
    for wanted in [("east", "192.0.2.1", 24), ("west", "2001:db8::1", 64), ("west.10", "198.51.100.1", 24)]:
        check(f"{wanted[0]} has {wanted[1]}/{wanted[2]}", wanted in addresses, str(addresses))
    check("west.10 is VLAN 10",
          links.get("west.10", {}).get("linkinfo", {}).get("info_data", {}).get("id") == 10)
    check("no address waits for duplicate detection", run("ip -6 addr show tentative") == (0, ""))
    check("the default route is set", "via 192.0.2.254" in run("ip route show default")[1])

    check("a pipe of programs gives its exit status", run("echo out; exit 7") == (7, "out\n"))
    check("ping, IPv4 and IPv6", run("ping -c 1 192.0.2.1 >/dev/null && ping -c 1 2001:db8::1 >/dev/null")[0] == 0)
    code, out = run("iperf3 -s -1 -D && sleep 1; iperf3 -c 127.0.0.1 -n 1M -J")
    # What the receiver counts may end before the last of it has been read
    check("iperf3 transfers", code == 0 and json.loads(out)["end"]["sum_sent"]["bytes"] >= 1 << 20 and
          json.loads(out)["end"]["sum_received"]["bytes"] > 1 << 19, out)
    code, out = run("(sleep 1; ping -c 2 127.0.0.1 >/dev/null) & tcpdump -n -c 2 -i lo -w /tmp/x.pcap icmp 2>&1;"
                    "tcpdump -n -r /tmp/x.pcap 2>/dev/null")
    check("tcpdump captures and reads", code == 0 and "ICMP echo request" in out, out[-300:])
    check("ethtool speaks to the driver", "driver: virtio_net" in run("ethtool -i east")[1])
    for kind, script in [("bridge", "ip link add name made0 type bridge vlan_filtering 1; ip link set east master made0;"
                          "bridge vlan show dev east | grep -q PVID; ip link set east nomaster"),
                         ("veth", "ip link add name made0 type veth"), ("dummy", "ip link add name made0 type dummy"),
                         ("VXLAN", "ip link add name made0 type vxlan id 7 dstport 4789 dev west"),
                         ("bond", "ip link add name made0 type bond mode 802.3ad"),
                         ("VRF", "ip link add name made0 type vrf table 9"),
                         ("macvlan", "ip link add name made0 link west type macvlan"),
                         ("TAP", "ip tuntap add made0 mode tap")]:
        code, out = run(f"exec 2>&1; set -e; {script}; ip link del made0")
        check(f"{kind} interfaces can be made", code == 0, out)
    run("for i in 1 2 3; do (sleep 0.1 &); done; sleep 0.2")
    zombies = [None]
    end = time.monotonic() + 20
    while zombies and time.monotonic() < end:
        zombies = [p for p in run("ps -o stat,comm")[1].splitlines() if p.startswith("Z")]
    check("PID 1 reaps orphans", not zombies, str(zombies))
    check("lines of node.conf that cannot be followed are reported", all(
        text in (work / "serial").read_text(errors="replace")
        for text in ("no interface has the address 02:00:00:00:00:99", 'unknown word "nonsense"')))
    check("a shell on ttyS0, because it was asked for",
          "/dev/ttyS0" in run("for p in /proc/[0-9]*; do readlink $p/fd/0; done")[1])


def check_console(console):
    console.send(b"\n")
    check("the console has a prompt", console.until(b"crossroads:~# ", 20) is not None)
    console.send(b"tty; echo $((6*7)).; ip -V\n")
    out = console.until(b"iproute2", 20)
    check("the console runs commands, with the full ip", out is not None and b"/dev/hvc0" in out and b"42." in out, str(out))
    console.send(b"echo begin''ning; sleep 100; echo over''slept\n")
    console.until(b"beginning", 20)
    console.seen = b""
    console.send(b"\x03")
    prompt = console.until(b"crossroads:~# ", 20)
    check("Ctrl-C ends a command: job control", prompt is not None and b"overslept" not in prompt)
    console.send(b"exit\n")
    console.seen = b""
    check("the shell comes back after exit", console.until(b"crossroads:~# ", 20) is not None)


def main():
    work = pathlib.Path(tempfile.mkdtemp(prefix="netloom-image-"))
    qemu = None
    try:
        paths = image_paths()
        check("path names both files", set(paths) == {"kernel", "initrd"}, str(paths))
        check("path gives the same answer again", image_paths() == paths)
        check_build(paths["initrd"], work)

        archive = cpio_entry("etc", mode=0o040755) + cpio_entry("etc/netloom", mode=0o040755)
        archive += cpio_entry("etc/netloom/node.conf", NODE_CONF.encode()) + cpio_entry("TRAILER!!!")
        initrd = work / "initrd"
        initrd.write_bytes(pathlib.Path(paths["initrd"]).read_bytes() + archive + b"\0" * (-len(archive) % 512))

        start = time.monotonic()
        qemu = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-cpu", "max", "-m", "256", "-nodefaults",
             "-no-user-config", "-display", "none", "-no-reboot", "-kernel", paths["kernel"], "-initrd", initrd,
             "-append", "console=ttyS0 quiet mitigations=off cryptomgr.notests no_timer_check netloom.shell=ttyS0",
             "-serial", f"file:{work}/serial", "-qmp", f"unix:{work}/qmp,server=on,wait=off",
             "-netdev", "hubport,id=a,hubid=1", "-netdev", "hubport,id=b,hubid=1",
             "-device", f"virtio-net-pci,netdev=a,mac={MAC_EAST}", "-device", f"virtio-net-pci,netdev=b,mac={MAC_WEST}",
             "-device", "virtio-serial-pci", "-chardev", f"socket,id=agent,path={work}/agent,server=on,wait=off",
             "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
             "-chardev", f"socket,id=console,path={work}/console,server=on,wait=off",
             "-device", "virtconsole,chardev=console"],
            stdin=subprocess.DEVNULL)
        agent, console = Lines(work / "agent"), Lines(work / "console")
        qmp = Lines(work / "qmp")
        answer = agent.call("guest-ping", BOOT_LIMIT_S)
        cpu_s = sum(int(t) for t in pathlib.Path(f"/proc/{qemu.pid}/stat").read_text().split()[13:15]) / 100
        print(f"      agent answered after {time.monotonic() - start:.2f} s ({cpu_s:.2f} s of CPU)")
        check("the agent answers", answer == {"return": {}}, str(answer))
        if not failures:
            check_guest(work, agent)
            check_console(console)
        qmp.until(b"\n", 5)
        qmp.call("qmp_capabilities")
        qmp.call("system_powerdown")
        try:
            check("the power button ends the machine", qemu.wait(30) == 0)
        except subprocess.TimeoutExpired:
            check("the power button ends the machine", False)
        if failures:
            print((work / "serial").read_text(errors="replace")[-3000:])
    finally:
        if qemu and qemu.poll() is None:
            qemu.kill()
            qemu.wait()
        shutil.rmtree(work)
    if failures:
        print(f"{len(failures)} checks failed: {'; '.join(failures)}")
    return 1 if failures else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
