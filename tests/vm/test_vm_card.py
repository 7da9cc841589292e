#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
# Uplinks on network cards that netloomd drives itself, by PCI address, with the kernel's VXLAN on the other side.
# Runs inside tests/nested/run, whose cards are on one hub; the first two are given to vfio-pci, behind an IOMMU.
#
#   [guest 10.0.10.1]--tap--switch s, VLAN 10 = VNI 10010--netloomd--card (e1000e, then virtio)--+
#                                                             |                                  hub
#           192.0.2.1, 2001:db8::1 on nicBB-DD.F, the card's shadow in the kernel                |
#                                                 [10.0.10.9]--kernel vxlan--192.0.2.9--card-----+
# shares: the machine
# nested: --memory 2500 --hugepages 64 --nic e1000e --nic virtio-net-pci --nic virtio-net-pci
# limit: 300
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from overlay_lab import NETLOOMD, run, wait_for  # noqa: E402
from overlay_traffic import pings  # noqa: E402

LIMIT_S = 100
PCI = pathlib.Path("/sys/bus/pci/devices")


def step(text):
    print(f"{time.monotonic() - begun:6.1f} s  {text}", flush=True)


def cards():
    return sorted(d.name for d in PCI.iterdir() if (d / "class").read_text().startswith("0x0200"))


def give_to_dpdk(pci):
    device = PCI / pci
    if (device / "driver").exists():
        (device / "driver" / "unbind").write_text(pci)
    (device / "driver_override").write_text("vfio-pci")
    pathlib.Path("/sys/bus/pci/drivers_probe").write_text(pci)
    assert (device / "driver").resolve().name == "vfio-pci", pci


def take_from_dpdk(pci):
    (PCI / pci / "driver_override").write_text("\n")
    (PCI / pci / "driver" / "unbind").write_text(pci)


def far_side(device):
    run("ip", "netns", "add", "far")
    run("ip", "link", "set", device, "netns", "far")
    for words in ("link set lo up", f"link set {device} mtu 1600 up", f"address add 192.0.2.9/24 dev {device}",
                  f"address add 2001:db8::9/64 dev {device} nodad",
                  "link add vx4 type vxlan id 10010 local 192.0.2.9 remote 192.0.2.1 dstport 4789",
                  "link add vx6 type vxlan id 10020 local 2001:db8::9 remote 2001:db8::1 dstport 4789",
                  "address add 10.0.10.9/24 dev vx4", "address add 10.0.20.9/24 dev vx6",
                  "link set vx4 mtu 1450 up", "link set vx6 mtu 1450 up"):
        run("ip", "-n", "far", *words.split())


class Daemon:
    def __init__(self, folder):
        self.folder = folder
        self.socket = os.path.join(folder, "netloomd.sock")
        self.start()

    def start(self):
        log = open(os.path.join(self.folder, "log"), "a")
        self.process = subprocess.Popen([NETLOOMD, "--threads", "1", "--socket", self.socket, "--state",
                                         os.path.join(self.folder, "state.json")],
                                        env=dict(os.environ, NETLOOM_RUNDIR=self.folder), stderr=log)
        wait_for("netloomd", self.answers, LIMIT_S)

    def answers(self):
        assert self.process.poll() is None, self.log()
        try:
            return self.ask("status")
        except OSError:
            return None

    def log(self):
        return open(os.path.join(self.folder, "log")).read()

    def ask(self, method, **params):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(LIMIT_S)
            sock.connect(self.socket)
            sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
            return json.loads(sock.makefile().readline())

    def call(self, method, **params):
        answer = self.ask(method, **params)
        assert "result" in answer, f"{method} {params}: {answer}\n{self.log()}"
        return answer["result"]

    def refused(self, method, **params):
        answer = self.ask(method, **params)
        assert "error" in answer, f"{method} {params} was not refused: {answer}"
        return answer["error"]["message"]

    def uplink(self):
        return self.call("uplink.list")["uplinks"][0]

    def overlay(self, pci):
        self.call("uplink.set", name="up", pci=pci, local=["192.0.2.1", "2001:db8::1"], mtu=1600,
                  addresses=["192.0.2.1/24", "2001:db8::1/64"])
        self.call("vtep.set", name="far4", uplink="up", remote="192.0.2.9")
        self.call("vtep.set", name="far6", uplink="up", remote="2001:db8::9")
        self.call("vni.set", vni=10010, switch="s", vlan=10, vteps=["far4"])
        self.call("vni.set", vni=10020, switch="s", vlan=20, vteps=["far6"])

    def bare(self):
        self.call("vni.delete", vni=10010)
        self.call("vni.delete", vni=10020)
        self.call("vtep.delete", name="far4")
        self.call("vtep.delete", name="far6")
        self.call("uplink.delete", name="up")

    def reaches(self):
        run("ip", "-n", "far", "neighbour", "flush", "all")  # another card has another MAC address
        for netns, address in ((None, "192.0.2.9"), (None, "2001:db8::9"), ("g4", "10.0.10.9"), ("g6", "10.0.20.9")):
            wait_for(f"{address} from {netns}", lambda: pings(netns, address), LIMIT_S)


def iperf(address):
    listener = subprocess.Popen(["ip", "netns", "exec", "far", "iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
    try:
        wait_for("iperf3", lambda: ":5201" in run("ss", "-Htln", netns="far").stdout, LIMIT_S)
        done = json.loads(run("iperf3", "-c", address, "-n", "2M", "-J", netns="g4").stdout)
        return done["end"]["sum_received"]["bits_per_second"] / 1e6
    finally:
        listener.terminate()
        listener.wait()


def resident(pid):
    return int(next(line for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS")).split()[1]) / 1024


begun = time.monotonic()
run("modprobe", "-a", "vfio-pci", "virtio_net", "vxlan", "tun")
all_cards = cards()
if len(all_cards) < 3:
    print("skipped: needs three network cards on one hub (tests/nested/run --nic)")
    sys.exit(77)
for card in all_cards[:2]:
    give_to_dpdk(card)
far_side(next(d.name for d in pathlib.Path("/sys/class/net").iterdir() if (d / "device").exists()))
step("cards " + ", ".join(all_cards[:2]) + " are DPDK's, " + all_cards[2] + " is the kernel's")

with tempfile.TemporaryDirectory() as folder:
    daemon = Daemon(folder)
    try:
        daemon.call("switch.set", name="s")
        for vlan, name in ((10, "g4"), (20, "g6")):
            run("ip", "netns", "add", name)
            daemon.call("port.set", name=name, type="tap", ifname="eth1", netns=name, switch="s", mtu=1450,
                        vlan={"access": vlan}, addresses=[f"10.0.{vlan}.1/24"])
        said = daemon.refused("uplink.set", name="up", pci="0000:7f:00.0", local=["192.0.2.1"])
        assert "lspci" in said, said
        said = daemon.refused("uplink.set", name="up", pci=all_cards[2], local=["192.0.2.1"])
        assert "virtio" in said and "dpdk-devbind" in said, said
        step("cards that are not there or not ours are refused: " + said)

        for card in all_cards[:2]:
            daemon.overlay(card)
            daemon.reaches()
            uplink = daemon.uplink()
            assert uplink["io"] == "dpdk" and uplink["rx"]["pkts"] > 0 and uplink["tx"]["pkts"] > 0, uplink
            step(f"{uplink['io_detail']}: underlay and VLANs over IPv4 and IPv6; TCP {iperf('10.0.10.9'):.1f} Mb/s; "
                 f"{resident(daemon.process.pid):.1f} MiB resident")
            assert "vxlan-bad-checksum" not in [d["reason"] for d in daemon.call("drops")["drops"]]
            daemon.bare()
        daemon.overlay(all_cards[0])
        daemon.reaches()
        step("a card is taken again")

        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        daemon.start()
        wait_for("the uplink", lambda: daemon.uplink()["running"], LIMIT_S)
        daemon.reaches()
        step("netloomd was killed and started: the card, its shadow and its addresses are back")
        daemon.process.terminate()
        assert daemon.process.wait(LIMIT_S) == 0

        take_from_dpdk(all_cards[0])
        daemon.start()
        wait_for("what to do", lambda: "dpdk-devbind" in daemon.uplink()["detail"], LIMIT_S)
        assert not daemon.uplink()["running"]
        give_to_dpdk(all_cards[0])
        wait_for("the uplink", lambda: daemon.uplink()["running"], LIMIT_S)
        daemon.reaches()
        step("a card that was not there when netloomd started comes by itself")
        daemon.process.terminate()
        assert daemon.process.wait(LIMIT_S) == 0
    except BaseException:
        print(daemon.log(), daemon.ask("uplink.list") if daemon.process.poll() is None else "", file=sys.stderr)
        raise
    finally:
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()
print("ok")
