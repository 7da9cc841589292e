#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
#   64 microguests ===vhost-user=== one switch: the even ones in VLAN 10, the odd ones in VLAN 20
#                                   of each VLAN, every other one has packed rings
#   hostile        ===vhost-user=== VLAN 10; split rings, then packed ones
#
# Each of the 64 sends to the next in its VLAN, from split rings to packed ones and back, and judges what comes: nothing lost, twice,
# late, spoiled, or meant for another. Then the same while a guest misuses its rings, and while it rewrites headers that are being read.
# limit: 600

import os
import subprocess
import sys

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guests"))

from traffic import CONTENT, GENERATE, LAZY, RUN, SINK, Traffic
from vhost_lab import BUILD, expect, run, skip, wait_until

N = 64
FRAMES = 200  # to a round: fewer than a ring holds, so that a guest that has to wait for its CPU loses none
STATIONS = {0: "02:a1:b2:c3:d4:01", 2: "02:a1:b2:c3:d4:02"}  # those that the hostile guest sends to


class Guests:
    def __init__(self, lab):
        self.lab = lab
        self.epoch = 0
        self.all = []
        for number in range(N):
            guest = Traffic(BUILD, lab.directory, f"g{number}", [STATIONS.get(number, f"02:e5:f6:07:18:{number:02x}")],
                            memory="8M", packed=is_packed(number))
            self.all.append(guest)
            lab.ends.append(guest.close)
        wait_until("all guests run", lambda: all(guest.ready() for guest in self.all), 90)

    def ports(self):
        return [port(guest.name, guest.socket(0), 10 + 10 * (number % 2)) for number, guest in enumerate(self.all)]

    def begin(self, role, count, to_next=True):
        """All send @count frames, to the next of their VLAN or to all of it, and judge what they get."""
        self.epoch += 1
        for number, guest in enumerate(self.all):
            dst = self.all[(number + 2) % N].macs[0] if to_next else "ff:ff:ff:ff:ff:ff"
            guest.order(0, role, size=64 + 20 * number, dst=dst, stream=number, count=count)
        for guest in self.all:
            guest.begin(self.epoch, RUN | LAZY)
        for guest in self.all:
            guest.go()

    def sum(self, name):
        return sum(guest.counters()[name] for guest in self.all)

    def round(self):
        """One in which everything arrives, and nothing else."""
        self.begin(GENERATE | SINK | CONTENT, FRAMES)
        wait_until("every frame arrives", lambda: all(self.arrived(guest) >= FRAMES for guest in self.all), 60)
        for what in ("lost", "late", "twice", "corrupt"):
            expect(self.sum(what) == 0, f"{what}: {self.sum(what)}")

    @staticmethod
    def arrived(guest):
        counters = guest.counters()
        return counters["rx"] - counters["foreign"]


def is_packed(number):
    return number // 2 % 2 == 1


def port(name, socket, vlan):
    return {"name": name, "type": "vhost-user", "socket": socket, "switch": "sw", "vlan": {"access": vlan}}


def hostile(lab, append, packed):
    socket, log = os.path.join(lab.directory, "hostile.0"), os.path.join(lab.directory, "hostile.log")
    process = subprocess.Popen(
        [os.path.join(BUILD, "vm-runner"), "--microguest", os.path.join(BUILD, "guests", "hostile"), "--name", "hostile",
         "--memory", "8M", "--append", append, "--serial", "log=" + log,
         "--net", f"socket={socket},mac=02:00:00:00:00:09,offloads=off,packed={'on' if packed else 'off'}"], stdin=subprocess.DEVNULL)

    def end():
        if process.poll() is None:
            process.kill()
            process.wait()

    lab.ends.append(end)
    return process


def misuse(lab, guests, append, packed):
    """Rounds among the others for as long as the hostile guest is at it. Return: how many."""
    process, rounds = hostile(lab, append, packed), 0
    while process.poll() is None or rounds == 0:
        guests.round()
        rounds += 1
        expect(lab.netloomd.process.poll() is None, f"netloomd ended with status {lab.netloomd.process.returncode}")
    expect(process.returncode == 0, f"the hostile guest ended with status {process.returncode}")
    with open(lab.path("hostile.log")) as log:
        print(log.read().splitlines()[-2], end="; ")
    return rounds


def main(lab):
    if not os.access("/dev/kvm", os.W_OK):
        skip("no /dev/kvm")
    guests = Guests(lab)
    lab.netloomd.start()
    ports = guests.ports() + [port("hostile", os.path.join(lab.directory, "hostile.0"), 10)]
    lab.netloomd.rpc.call("apply", owner="test", switches=[{"name": "sw"}], ports=ports)
    wait_until("all ports run",
               lambda: sum(p["running"] for p in lab.netloomd.rpc.call("port.list")["ports"]) == N, 60)
    guests.begin(GENERATE | SINK, 1, to_next=False)
    wait_until("all have heard all of their VLAN", lambda: guests.sum("rx") == N * (N // 2 - 1), 60)
    for _ in range(3):
        guests.round()
    for number in range(N):
        expect(lab.netloomd.port(f"g{number}")["packed"] == is_packed(number), f"g{number} has the other kind of rings")
    bad = 0
    expect(guests.sum("foreign") == 0 and guests.sum("stray") == 0, "frames came that were not sent, or to others")
    print(f"ok: {N} microguests, {N * FRAMES} frames a round", flush=True)

    for layout in ("split", "packed"):
        rounds = misuse(lab, guests, "seed=1 rounds=150 steps=600", layout == "packed")
        status = lab.netloomd.port("hostile")
        print(f"ok: {layout} rings misused during {rounds} rounds; the port: {status['n_bad_rings']} bad rings, "
              f"drops {status['drops']}", flush=True)
        expect(status["n_bad_rings"] > bad, f"no {layout} ring was found to be bad: the hostile guest does nothing")
        bad = status["n_bad_rings"]
        odd = sum(guests.all[i].counters()["foreign"] for i in range(1, N, 2))
        expect(odd == 0, f"{odd} frames of the hostile guest came into the other VLAN")

    for layout in ("split", "packed"):
        flip(lab, guests, layout)


def flip(lab, guests, layout):
    """Headers rewritten while they are read: what was classified is what is delivered."""
    before = lab.netloomd.port("hostile")["rx"]["pkts"]
    process = hostile(lab, "flip=1 rounds=1 steps=20000", layout == "packed")
    guests.begin(SINK, 1)
    process.wait(120)
    expect(process.returncode == 0, f"the hostile guest ended with status {process.returncode}")
    sent = lab.netloomd.port("hostile")["rx"]["pkts"] - before
    got = [guests.all[i].counters() for i in STATIONS]
    print(f"ok: {sent} frames of {layout} rings whose destination kept changing: {got[0]['rx']} and {got[1]['rx']} arrived", flush=True)
    expect(sent >= 20000 and got[0]["rx"] + got[1]["rx"] > 0, "the frames did not pass")
    expect(guests.sum("stray") == 0, f"{guests.sum('stray')} frames were delivered to another than they are addressed to")


run(main, "--no-huge", "--threads", "1")
