#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
#   QEMU guest "left"          netloomd               QEMU guest "right"
#    eth1 split,  offloads === left1  -+- sw1 -+- right1 === eth1 split,  offloads
#    eth2 packed, offloads === left2  -+- sw2 -+- right2 === eth2 split,  no offloads, no mergeable buffers
#    eth3 packed, offloads === left3  -+- sw3 -+- right3 === eth3 packed, offloads
#
# Linux' own virtio-net driver against netloomd, in guests that are emulated (TCG) and need no KVM: pings of all sizes, TCP
# with segmentation left to the other side (sw1, sw3) and with one side that takes no offload, so that the switch must
# complete checksums and cut segments (sw2), the received payload compared with the sent one; then the switch is killed
# and comes back under a running ping. (With split rings: QEMU forgets where a packed ring stood when its back-end dies.)
# shares: the machine
# limit: 600

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from vhost_lab import HERE, Failed, expect, run, skip, wait_until

IMAGE = os.path.join(HERE, "..", "..", "control", "lab", "image", "netloom-image")
BOOT_LIMIT_S = 180
PAYLOAD_MIB = 16
NICS = (1, 2, 3)
CSUM, GUEST_CSUM, GUEST_TSO4, HOST_TSO4, MRG_RXBUF, PACKED = 0, 1, 7, 11, 15, 34
NO_OFFLOADS = ("csum=off,gso=off,host_tso4=off,host_tso6=off,host_ecn=off,host_ufo=off,guest_csum=off,guest_tso4=off,"
               "guest_tso6=off,guest_ecn=off,guest_ufo=off,mrg_rxbuf=off")


def cpio_entry(name, content=b"", mode=0o100644):
    """One member of a "newc" archive, which the kernel unpacks over the image."""
    name = name.encode() + b"\0"
    fields = [0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name), 0]
    out = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    out += b"\0" * (-len(out) % 4) + content
    return out + b"\0" * (-len(out) % 4)


class Guest:
    def __init__(self, lab, name, number, image, nics):
        self.name = name
        self.agent_path = lab.path(f"{name}-agent")
        self.agent = None
        self.buffer = b""
        macs = [f"02:00:00:00:{number:02x}:{i + 1:02x}" for i in range(len(nics))]
        conf = [f"hostname {name}"]
        for i, mac in enumerate(macs, 1):
            conf += [f"mac eth{i} {mac}", f"address eth{i} 10.0.{i}.{number}/24"]
        archive = b"".join([cpio_entry("etc", mode=0o040755), cpio_entry("etc/netloom", mode=0o040755),
                            cpio_entry("etc/netloom/node.conf", "\n".join(conf + [""]).encode()),
                            cpio_entry("TRAILER!!!")])
        initrd = lab.path(f"{name}.initrd")
        with open(image["initrd"], "rb") as base, open(initrd, "wb") as out:
            shutil.copyfileobj(base, out)
            out.write(archive + b"\0" * (-len(archive) % 512))
        command = [
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-machine", "q35,memory-backend=ram",
            "-accel", "tcg,thread=multi,tb-size=32", "-cpu", "max", "-m", "256",
            "-object", "memory-backend-memfd,id=ram,size=256M,share=on",
            "-kernel", image["kernel"], "-initrd", initrd, "-append", "console=ttyS0 quiet mitigations=off no_timer_check panic=-1",
            "-serial", f"file:{lab.path(name + '-serial.log')}", "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={self.agent_path},server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]
        for i, (mac, options) in enumerate(zip(macs, nics), 1):
            command += ["-chardev", f"socket,id=c{i},path={lab.path(f'{name}{i}.sock')},server=on,wait=off",
                        "-netdev", f"vhost-user,id=n{i},chardev=c{i}",
                        # without KVM, QEMU 7.2.22 crashes when a vhost-user card starts with MSI-X
                        "-device", f"virtio-net-pci,netdev=n{i},mac={mac},romfile=,vectors=0,{options}"]
        with open(lab.path(f"{name}-qemu.log"), "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        lab.ends.append(self.kill)

    def kill(self):
        if self.agent:
            self.agent.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def call(self, method, limit=60, **arguments):
        self.agent.settimeout(limit)
        self.agent.sendall(json.dumps({"execute": method, "arguments": arguments}).encode() + b"\n")
        while b"\n" not in self.buffer:
            try:
                data = self.agent.recv(65536)
            except TimeoutError:
                raise Failed(f"guest {self.name}: {method}: no answer within {limit} s") from None
            except ConnectionResetError:
                data = b""
            if not data:
                raise Failed(f"guest {self.name} ended: {self.process.wait()}")
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        answer = json.loads(line)
        expect("return" in answer, f"guest {self.name}: {method}: {answer}")
        return answer["return"]

    def wait_boot(self):
        def connected():
            expect(self.process.poll() is None, f"guest {self.name}: QEMU ended with {self.process.returncode}")
            self.agent = socket.socket(socket.AF_UNIX)
            try:
                self.agent.connect(self.agent_path)
            except OSError:
                self.agent.close()
                return False
            return True

        wait_until(f"guest {self.name} has an agent socket", connected)
        self.call("guest-ping", BOOT_LIMIT_S)

    def start(self, script):
        return self.call("guest-exec", path="/bin/sh", arg=["-c", script], **{"capture-output": True})["pid"]

    def finish(self, pid, limit=120):
        """(exit status, output) of what start() began."""
        done = wait_until(f"guest {self.name}: a command ends",
                          lambda: (lambda s: s if s["exited"] else None)(self.call("guest-exec-status", pid=pid)),
                          limit)
        return done.get("exitcode"), base64.b64decode(done.get("out-data", "")).decode(errors="replace")

    def run(self, script, limit=120):
        code, out = self.finish(self.start(script + " 2>&1"), limit)
        expect(code == 0, f"guest {self.name}: `{script}` gave {code}: {out[-400:]}")
        return out


def image_paths():
    out = subprocess.run([IMAGE, "path"], check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(line.split(" ", 1) for line in out.splitlines())


def make_switches(lab):
    ports = [{"name": f"{side}{i}", "type": "vhost-user", "socket": lab.path(f"{side}{i}.sock"), "switch": f"sw{i}",
              "vlan": {"access": 10}} for side in ("left", "right") for i in NICS]
    lab.netloomd.rpc.call("apply", owner="test", switches=[{"name": f"sw{i}"} for i in NICS], ports=ports)


def check_features(lab):
    offloads = (CSUM, GUEST_CSUM, GUEST_TSO4, HOST_TSO4, MRG_RXBUF)
    for name, wanted, unwanted in (("left1", offloads, (PACKED,)), ("right1", offloads, (PACKED,)),
                                   ("left2", (*offloads, PACKED), ()), ("right2", (), (*offloads, PACKED)),
                                   ("left3", (*offloads, PACKED), ()), ("right3", (*offloads, PACKED), ())):
        port = lab.netloomd.port(name)
        expect(port["running"], f"{name} does not run")
        for bit in wanted:
            expect(port["features"] >> bit & 1, f"{name}: feature {bit} was not negotiated")
        for bit in unwanted:
            expect(not port["features"] >> bit & 1, f"{name}: feature {bit} was negotiated")
    print("ok: the features meant were negotiated", flush=True)


def check_pings(left, right):
    for guest, peer in ((left, 2), (right, 1)):
        for i in NICS:
            for size in (0, 56, 1472, 1473, 20000):
                guest.run(f"ping -q -c 2 -W 5 -s {size} 10.0.{i}.{peer}")
    print("ok: pings of 0 to 20000 bytes, both ways, on all switches", flush=True)


def check_transfer(lab, title, sender, receiver, address, port_in, port_out, segments_in, segments_out):
    """TCP from @sender to @receiver: a file must arrive as it was, iperf3 must get through, in frames as long as expected."""
    before_in, before_out = lab.netloomd.port(port_in), lab.netloomd.port(port_out)
    sender.run(f"dd if=/dev/urandom of=/tmp/sent bs=1M count={PAYLOAD_MIB} 2>/dev/null")
    digest = sender.run("wc -c </tmp/sent; md5sum </tmp/sent").split()
    # an end of its input would make nc hang up: the fifo stays open until the sender is done
    sink = receiver.start("rm -f /tmp/open; mkfifo /tmp/open; sleep 600 >/tmp/open & "
                          "nc -l -p 5001 </tmp/open >/tmp/got; kill $!")
    wait_until("nc listens", lambda: ":5001" in receiver.run("netstat -ltn"), step=0.3)
    sender.run(f"nc {address} 5001 </tmp/sent", 300)
    receiver.finish(sink)
    got = receiver.run("wc -c </tmp/got; md5sum </tmp/got").split()
    expect(got == digest, f"{title}: what arrived differs from what was sent: {got}, {digest}")

    server = receiver.start("iperf3 -s -1 2>&1")
    wait_until("iperf3 listens", lambda: ":5201" in receiver.run("netstat -ltn"), step=0.3)
    report = json.loads(sender.run(f"iperf3 -J -c {address} -n {PAYLOAD_MIB}M", 300))
    expect("error" not in report, f"{title}: iperf3: {report.get('error')}")
    receiver.finish(server)

    after_in, after_out = lab.netloomd.port(port_in), lab.netloomd.port(port_out)
    mean = []
    for way, before, after in (("rx", before_in, after_in), ("tx", before_out, after_out)):
        pkts = after[way]["pkts"] - before[way]["pkts"]
        mean.append((after[way]["bytes"] - before[way]["bytes"]) / max(pkts, 1))
    # Segmentation left to others shows as frames beyond the MTU; the few small ones pull the mean down.
    for what, size, wanted in (("in", mean[0], segments_in), ("out", mean[1], segments_out)):
        expect(size > 2000 if wanted else size <= 1514,
               f"{title}: mean frame {what} {size:.0f} bytes: segmentation was {'not ' if wanted else ''}left to the switch")
    print(f"ok: {title}: {PAYLOAD_MIB} MiB arrived whole, {report['end']['sum_received']['bits_per_second'] / 1e6:.0f} "
          f"Mbit/s, mean frame {mean[0]:.0f} bytes in, {mean[1]:.0f} out", flush=True)


def check_restart(lab, left):
    ping = left.start("ping -i 0.2 -c 60 10.0.1.2 2>&1")
    wait_until("the ping runs", lambda: lab.netloomd.port("right1")["tx"]["pkts"] > 0)
    time.sleep(2)
    killed = time.monotonic()
    lab.netloomd.kill(signal.SIGKILL)
    lab.netloomd.start()
    wait_until("ports run again", lambda: all(lab.netloomd.port(n)["running"] for n in ("left1", "right1")))
    away = time.monotonic() - killed
    _, out = left.finish(ping)
    got = [int(n) for n in re.findall(r"seq=(\d+)", out)]
    expect(got and got[-1] >= 58, f"pings did not resume after the switch came back: {out[-300:]}")
    gap = max(b - a for a, b in zip(got, got[1:])) * 0.2
    expect(gap < 5, f"{gap:.1f} s without an answer")
    print(f"ok: switch killed: ports ran after {away:.1f} s, {gap:.1f} s without an answer, no guest touched", flush=True)


def main(lab):
    image = image_paths()
    lab.netloomd.start()
    make_switches(lab)
    started = time.monotonic()
    left = Guest(lab, "left", 1, image, ["packed=off", "packed=on", "packed=on"])
    right = Guest(lab, "right", 2, image, ["packed=off", NO_OFFLOADS, "packed=on"])
    left.wait_boot()
    right.wait_boot()
    print(f"ok: both guests booted in {time.monotonic() - started:.1f} s", flush=True)
    check_features(lab)
    check_pings(left, right)
    check_transfer(lab, "TSO on both sides", left, right, "10.0.1.2", "left1", "right1", True, True)
    check_transfer(lab, "TSO on both sides, packed rings", right, left, "10.0.3.1", "right3", "left3", True, True)
    check_transfer(lab, "receiver without offloads", left, right, "10.0.2.2", "left2", "right2", True, False)
    check_transfer(lab, "sender without offloads", right, left, "10.0.2.1", "right2", "left2", False, False)
    left.run("ethtool -K eth1 tx off tso off gso off")
    check_transfer(lab, "TSO off by ethtool", left, right, "10.0.1.2", "left1", "right1", False, False)
    for name in [f"{side}{i}" for side in ("left", "right") for i in NICS]:
        port = lab.netloomd.port(name)
        expect(port["n_bad_rings"] == 0, f"{name}: {port['detail']}")
        bad = {reason: n for reason, n in port["drops"].items() if reason not in ("no-room", "not-connected")}
        expect(not bad, f"{name} dropped: {bad}")
    check_restart(lab, left)


if shutil.which("qemu-system-x86_64") is None:
    skip("qemu-system-x86_64 is not installed")
run(main, "--no-huge")
