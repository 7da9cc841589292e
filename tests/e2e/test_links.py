#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Links that are impaired on purpose: each kind on real frames, the same luck for the same seed, live changes, bad values.

    [namespace a: eth1]--tap a--wire--tap b--[namespace b: eth1]         by RPC
    [namespace a]--switch sw1--patch--switch sw2--[namespace b]          by lab file and `netloom link`

Exit status: 0 passed, 77 skipped, else failed.
"""
import json
import os
import socket
import subprocess
import sys
import threading
import time

from link_lab import BUILD, LIMIT_S, LinkLab, frame, is_ours, ns_of, number_of
from vhost_script import FrontEnd

MS = 10**6
FRAMES = 300


def impair(lab, name="a", **sides):
    return lab.call("port.impair", ports=[dict({"name": name}, **sides)])["changes"]


def counters(lab, name, side):
    return lab.port(name)["impaired"][side]


def received(sock, until):
    """All frames of ours, in the order of arrival, up to the one with the number @until."""
    got = []
    while not got or number_of(got[-1][0]) != until:
        one = sock.receive(LIMIT_S, is_ours)
        assert one, f"frame {until} did not arrive, {len(got)} others did"
        got.append(one)
    return got


def send(sock, n, size=64):
    for number in range(n):
        sock.send(frame(number, size))


def send_last(lab, sock, n, name="a", side="in"):
    """The end of a series of @n passes a good link, when the series has passed."""
    lab.wait_for("all frames", lambda: counters(lab, name, side)["frames"] == n)
    lab.wait_for("an empty link", lambda: counters(lab, name, side)["held_frames"] == 0)
    impair(lab, name, **{side: None})
    sock.send(frame(10**6))
    return 10**6


def test_delay(lab, a, b):
    for name, side in (("a", "in"), ("b", "out")):
        impair(lab, name, **{side: {"delay_us": 30000}})
        sent = time.time_ns()
        send(a, 5)
        for at, (data, arrived) in enumerate(received(b, 4)):
            assert number_of(data) == at, "a delay must keep the order"
            assert arrived - sent >= 30 * MS, f"frame {at} came after {(arrived - sent) / MS} ms"
        b.send(frame(0, to=1, source=2))
        received(a, 0)
        assert counters(lab, name, side)["frames"] == 5, "the other direction is a good one"
        impair(lab, name, **{side: None})


def series(lab, a, b, params):
    impair(lab, **{"in": dict(params, seed=1)})
    impair(lab, **{"in": dict(params, seed=7)})  # begins the numbers of that seed
    send(a, FRAMES)
    last = send_last(lab, a, FRAMES)
    return [number_of(data) for data, _ in received(b, last)][:-1]


def test_luck(lab, a, b):
    params = {"loss_ppm": 100000, "duplicate_ppm": 100000}
    first = series(lab, a, b, params)
    lost = FRAMES - len(set(first))
    assert 5 < lost < 80, f"{lost} of {FRAMES} lost, 30 expected"
    assert 5 < len(first) - len(set(first)) < 80, "duplicates"
    assert series(lab, a, b, params) == first, "the same seed must give the same result"
    assert lab.port("a")["drops"]["impair-loss"] == 2 * lost
    burst = series(lab, a, b, {"burst_enter_ppm": 20000, "burst_leave_ppm": 200000})
    assert burst == sorted(set(burst)) and len(burst) < FRAMES, "bursts lose, and do nothing else"


def test_corrupt(lab, a, b):
    impair(lab, **{"in": {"corrupt_ppm": 1000000}})
    for number in range(50):
        whole = frame(number, 400, to=0xff) + os.urandom(100)
        a.send(whole)
        data = b.receive(LIMIT_S, lambda d: len(d) == len(whole))[0]
        flipped = sum(bin(x ^ y).count("1") for x, y in zip(whole, data))
        assert flipped == 1, f"{flipped} bits were flipped"
    impair(lab, **{"in": None})


def test_reorder(lab, a, b):
    impair(lab, **{"in": {"delay_us": 100000, "reorder_ppm": 300000}})
    send(a, 50)
    order = [number_of(b.receive(LIMIT_S, is_ours)[0]) for _ in range(50)]
    assert sorted(order) == list(range(50)) and order != sorted(order), order
    n = counters(lab, "a", "in")["reordered"]
    assert order[n:] == sorted(order[n:]), "those that did not overtake keep their order"
    impair(lab, **{"in": None})


def test_rate_and_queue(lab, a, b):
    impair(lab, **{"in": {"rate_kbps": 8000, "queue_frames": 20}})
    sent = time.time_ns()
    send(a, 200, 1000)  # 1 ms each
    lab.wait_for("all frames", lambda: counters(lab, "a", "in")["frames"] == 200)
    lab.wait_for("an empty link", lambda: counters(lab, "a", "in")["held_frames"] == 0)
    count = counters(lab, "a", "in")
    passed = count["frames"] - count["queue_full"]
    assert count["frames"] == 200 and count["queue_full"] > 0, count
    got = [b.receive(LIMIT_S, is_ours) for _ in range(passed)]
    assert got[-1][1] - sent >= (passed - 1) * MS, "faster than the rate"
    assert lab.port("a")["drops"]["impair-queue"] == count["queue_full"]
    impair(lab, **{"in": None})


SERVER = """
import socket, sys, hashlib
s = socket.create_server(("10.9.0.2", 5001)); print("ready", flush=True)
c = s.accept()[0]; h = hashlib.sha256()
while data := c.recv(1 << 20): h.update(data)
print(h.hexdigest(), flush=True)
"""
CLIENT = """
import socket, os, hashlib
c = socket.create_connection(("10.9.0.2", 5001), 30); data = os.urandom(1 << 20) * 4
c.sendall(data); c.close(); print(hashlib.sha256(data).hexdigest(), flush=True)
"""


def test_tcp(lab):
    """Segments of 64 KiB are cut before they are lost, flipped and counted."""
    for name, address in (("a", "10.9.0.1/24"), ("b", "10.9.0.2/24")):
        lab.inside(name, "ip", "address", "add", address, "dev", "eth1")
    impair(lab, **{"in": {"loss_ppm": 2000, "corrupt_ppm": 2000, "duplicate_ppm": 2000, "rate_kbps": 100000}})
    impair(lab, "a", out={"delay_us": 1000})
    server = subprocess.Popen(["ip", "netns", "exec", ns_of("b"), sys.executable, "-c", SERVER],
                              stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout.readline() == "ready\n"
        wanted = lab.inside("a", sys.executable, "-c", CLIENT).strip()
        assert server.stdout.readline().strip() == wanted, "the stream was damaged"
    finally:
        server.kill()
        server.wait()
    assert counters(lab, "a", "in")["frames"] > 4 * (1 << 20) // 1460, "segments were not counted one by one"
    impair(lab, **{"in": None, "out": None})


def test_live_change(lab, a, b):
    """What is changed on one link is not felt on the other one, whatever the number of changes."""
    n = 0
    stop = threading.Event()
    changes = [0]

    def change():
        while not stop.is_set():
            impair(lab, "b", **{"in": {"delay_us": 1000 + changes[0] % 5, "loss_ppm": 500000}})
            impair(lab, "b", **{"in": None})
            changes[0] += 1

    before = lab.port("a")["rx"]["pkts"]
    thread = threading.Thread(target=change)
    thread.start()
    try:
        while n < 3000 or (changes[0] <= 5 and thread.is_alive()):
            for number in range(n, n + 200):
                a.send(frame(number))
            n += 200  # the interface's own queue is short, and the machine busy
            lab.wait_for("the switch", lambda sent=n: lab.port("a")["rx"]["pkts"] - before >= sent)
        got = received(b, n - 1)
    finally:
        stop.set()
        thread.join()
    assert [number_of(data) for data, _ in got] == list(range(n)), f"{n - len(got)} lost in {changes[0]} changes"
    assert changes[0] > 5, changes


def carrier(lab, name):
    return "NO-CARRIER" not in lab.inside(name, "ip", "-o", "link", "show", "eth1")


def test_carrier(lab):
    """Shut, alone, told not to care, and going down by itself: what the interfaces at both ends see."""
    def both(a, b):
        lab.wait_for(f"carrier {a} {b}", lambda: (carrier(lab, "a"), carrier(lab, "b")) == (a, b))

    both(True, True)
    lab.call("port.admin", name="a", admin="down")
    both(False, False)
    assert not lab.port("b")["sees_carrier"] and lab.port("b")["carrier_told"]
    lab.call("port.admin", name="a", admin="up")
    both(True, True)
    lab.inside("b", "ip", "link", "del", "eth1")
    lab.wait_for("no carrier without a peer", lambda: not carrier(lab, "a"))
    lab.wire(carrier="always")
    lab.call("port.admin", name="b", admin="down")
    assert lab.port("a")["sees_carrier"] and carrier(lab, "a"), "always is always"
    lab.wire(flap={"every_ms": 400, "down_ms": 150})
    for _ in range(2):
        both(False, False)
        both(True, True)
    lab.wire()
    both(True, True)
    for flap, sentence in (({"every_ms": 100, "down_ms": 100}, "never up"), ({"every_ms": 100}, "down_ms"),
                           ({"every_ms": 100, "down_ms": 1}, "10..86400000")):
        said = lab.refusal("port.set", **lab.tap("a", owner="lab", wire="b", flap=flap))
        assert sentence in said, said


class FakeVmm:
    """A VMM's control socket that speaks QMP: answers, or, told to be `mute` or `half`, does not do that well."""

    def __init__(self, lab, name):
        self.path = os.path.join(lab.dir, f"vmm-{name}.sock")
        self.how, self.links, self.asked = "good", [], 0
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server.bind(self.path)
        self.server.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                conversation = self.server.accept()[0]
            except OSError:
                return
            with conversation:
                try:
                    self.talk(conversation)
                except OSError:
                    pass  # netloomd does not wait for ever

    def talk(self, conversation):
        conversation.sendall(b'{"QMP": {"version": {}, "capabilities": []}}\n{"event": "RESUME"}\n')
        for line in conversation.makefile():
            request = json.loads(line)
            up = request.get("arguments", {}).get("up")
            self.asked += up is not None
            if self.how == "mute":
                continue
            if self.how == "half" and up is not None:
                conversation.sendall(b'{"return": {}, "i')
                return
            if up is not None:
                self.links.append(up)
            conversation.sendall(json.dumps({"return": {}, "id": request["id"]}).encode() + b"\n")

    def close(self):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()


def test_vmms(lab):
    """VMMs that answer late or by halves hold up nobody, and are told again until they have understood."""
    vmms = {name: FakeVmm(lab, name) for name in "vw"}
    lab.call("apply", owner="vmms", switches=[], ports=[
        {"name": name, "type": "vhost-user", "socket": f"{lab.dir}/{name}.sock", "server": True, "wire": other,
         "guest": {"qmp": vmms[name].path, "nic": "nic-eth1"}} for name, other in ("vw", "wv")])
    front_ends = [FrontEnd(f"{lab.dir}/{name}.sock") for name in "vw"]
    for front_end in front_ends:
        front_end.start()

    def told(name, up):
        return lab.port(name)["carrier_told"] and vmms[name].links[-1:] == [up]

    for name in "vw":
        lab.wait_for(f"carrier of {name}", lambda name=name: told(name, True))
    up = True
    for how in ("mute", "half"):
        vmms["v"].how, vmms["v"].asked, up = how, 0, not up
        lab.call("port.admin", name="w", admin="up" if up else "down")
        lab.wait_for("the other's VMM", lambda up=up: told("w", up))
        lab.wait_for(f"a {how} VMM", lambda: vmms["v"].asked)
        assert lab.port("v")["sees_carrier"] == up and not lab.port("v")["carrier_told"], how
        vmms["v"].how = "good"
        lab.wait_for(f"one that was {how}", lambda up=up: told("v", up))
    lab.call("apply", owner="vmms", switches=[], ports=[])
    for end in (*vmms.values(), *front_ends):
        end.close()


def test_refusals(lab):
    for side, sentence in (
            ({"delay_us": -1}, '"delay_us" is -1'), ({"delay_us": 3600000000}, "60000000"),
            ({"loss_ppm": 1010000}, "0..1000000"), ({"rate_kbps": 0}, '"rate_kbps" is 0'),
            ({"delay_us": 10, "jitter_us": 20}, "cannot arrive before it was sent"), ({"dealy": 1}, "dealy"),
            ({"reorder_ppm": 10}, "overtake"), ({"queue_frames": 5}, "nothing queues"), (7, "must be an object"),
            ({"burst_enter_ppm": 5}, "never ends")):
        said = lab.refusal("port.impair", ports=[{"name": "a", "in": side}])
        assert sentence in said, said
    said = lab.refusal("port.impair", ports=[{"name": "a", "in": {"delay_us": 5}}, {"name": "nobody"}])
    assert 'no port "nobody"' in said and "impair" not in lab.port("a"), "half of it was done"
    said = lab.refusal("port.impair", ports=[{"name": "a", "admin": "down"}, {"name": "b", "admin": "sideways"}])
    assert '"admin"' in said and lab.port("a")["admin"] == "up", said


def test_restart(lab):
    impair(lab, **{"in": {"delay_us": 7000, "loss_ppm": 5}})
    before = lab.port("a")["impair"]
    lab.daemon.kill()
    lab.daemon.wait()
    lab.start()
    assert lab.port("a")["impair"] == before, "a restart must not repair the link"


LAB = """
name: imp
topology:
  nodes:
    sw1: {{ kind: switch }}
    sw2: {{ kind: switch }}
    a: {{ kind: tap, netns: {a}, ipv4: {{ eth1: 10.9.0.1/24 }} }}
    b: {{ kind: tap, netns: {b}, ipv4: {{ eth1: 10.9.0.2/24 }} }}
  links:
    - endpoints: ["a:eth1", "sw1:p1"]
      impair: {access}
    - endpoints: ["b:eth1", "sw2:p1"]
    - endpoints: ["sw1:up", "sw2:up"]
      impair: [ {{ delay: 20ms }}, {{ delay: 10ms }} ]
"""


def netloom(lab, *arguments, status=0):
    done = subprocess.run([os.path.join(BUILD, "netloom"), *arguments], env=dict(os.environ, NETLOOM_RUNDIR=lab.dir),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT_S)
    assert done.returncode == status, f"netloom {' '.join(arguments)}: {done.returncode}: {done.stdout}"
    return done.stdout


def rtt_ms(lab):
    out = lab.inside("a", "ping", "-c", "3", "-i", "0.2", "-W", "5", "10.9.0.2", check=False)
    assert "3 received" in out, out
    return float(out.split("min/avg/max/mdev = ")[1].split("/")[0])


def test_lab_file(lab):
    path = os.path.join(lab.dir, "lab.yaml")

    def up(access):
        with open(path, "w", encoding="ascii") as file:
            file.write(LAB.format(a=ns_of("a"), b=ns_of("b"), access=access))
        return netloom(lab, "up", path)

    up("{ delay: 5ms }")
    assert rtt_ms(lab) >= 40, "20 and 10 over the trunk, 5 and 5 on the access link"
    netloom(lab, "link", "set", "imp/a:eth1", "loss", "0.5%")
    shown = netloom(lab, "link", "show", "imp")
    assert shown.count("delay 5ms loss 0.5%") == 2 and "delay 20ms" in shown, shown
    netloom(lab, "link", "set", "imp/sw2:up", "clear", "--direction", "in")
    shown = netloom(lab, "link", "show", "imp/sw1:up")
    assert "delay 10ms" in shown and "delay 20ms" not in shown, shown
    done = up("{ delay: 5ms }")
    assert "impair" in done and "imp/a:eth1" in done and "imp/b:eth1" not in done, done
    assert "delay 5ms loss" not in netloom(lab, "link", "show", "imp")
    assert "nothing to do" in up("{ delay: 5ms }") or "no change" in up("{ delay: 5ms }")
    netloom(lab, "link", "set", "imp/a:eth1", "clear")
    netloom(lab, "link", "set", "imp/sw1:up", "clear")
    for words, sentence in ((["delay", "-20ms"], "is negative"), (["loss", "101%"], "more than all"),
                            (["rate", "0"], "let nothing pass"), (["delay", "1h"], "longer than 60s"),
                            (["dealy", "1ms"], 'did you mean "delay"'), (["delay"], "needs a value"),
                            (["up", "down"], "exclude each other")):
        assert sentence in netloom(lab, "link", "set", "imp/a:eth1", *words, status=2)
    # What only the whole can tell is said in the same words, with what the link has already; taking away always works.
    for words, sentence in ((["jitter", "5ms"], "`jitter` is larger than `delay`"), (["queue", "10"], "`queue` needs a `rate`"),
                            (["reorder", "5%"], "`reorder` needs a `delay`"), (["seed", "7"], "make nothing bad"),
                            (["order", "free"], "make nothing bad")):
        assert sentence in netloom(lab, "link", "set", "imp/a:eth1", *words, status=1)
    for words in (["delay", "5ms", "jitter", "1ms", "order", "free"], ["jitter", "off"], ["delay", "off"],
                  ["loss", "1%", "seed", "7"], ["loss", "off"]):
        netloom(lab, "link", "set", "imp/a:eth1", *words)
    assert "impair" not in lab.port("imp/a:eth1")
    # One request for both ends: with one of them gone behind the lab's back, nothing is done at the other either.
    lab.call("apply", owner="imp", switches=[{"name": "imp/sw1"}, {"name": "imp/sw2"}], ports=[
        {"name": "imp/sw1:up", "type": "vhost-user", "socket": f"{lab.dir}/up.sock", "switch": "imp/sw1"}])
    for words in (["down"], ["down", "delay", "5ms"], ["delay", "5ms"]):
        assert 'no port "imp/sw2:up"' in netloom(lab, "link", "set", "imp/sw1:up", *words, status=1)
        assert lab.port("imp/sw1:up")["admin"] == "up" and "impair" not in lab.port("imp/sw1:up"), words
    done = up("{ delay: 5ms }")
    assert "imp/sw2:up" in done, done
    netloom(lab, "link", "set", "imp/sw1:up", "down", "loss", "2%", "--direction", "out")
    assert [lab.port(f"imp/sw{i}:up")["admin"] for i in (1, 2)] == ["down", "down"]
    assert lab.port("imp/sw1:up")["impair"]["out"]["loss_ppm"] == 20000
    netloom(lab, "down", "imp")


def main():
    if os.geteuid() != 0 or not os.path.exists("/dev/net/tun"):
        print("skipped: TAP interfaces and namespaces need root and /dev/net/tun")
        return 77
    lab = LinkLab(arguments=("--threads", "2"))
    try:
        a, b = lab.wire()
        for test in (test_delay, test_luck, test_corrupt, test_reorder, test_rate_and_queue, test_live_change):
            print(test.__name__, flush=True)
            a.drain()
            b.drain()
            test(lab, a, b)
        for test in (test_tcp, test_carrier, test_vmms, test_refusals, test_restart):
            print(test.__name__, flush=True)
            test(lab)
        lab.call("apply", owner="lab", switches=[], ports=[])
        print("test_lab_file", flush=True)
        test_lab_file(lab)
    finally:
        lab.close()
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
