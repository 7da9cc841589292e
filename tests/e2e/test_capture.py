#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
netloom capture: what tshark reads is what went by, with interface, direction, reason of drops and losses; and bad readers.

    [ns a: eth1]--tap a, access 10--+
    [ns b: eth1]--tap b, access 10--+-- switch s
    [ns t: eth1]--tap t, trunk 10---+

Exit status: 0 passed, 77 skipped, else failed.
"""
import fcntl
import glob
import os
import signal
import socket
import struct
import subprocess
import sys
import termios
import time

import eyes_lab
from eyes_lab import LIMIT_S, NETLOOM, frame, mac, tshark, wait_for

A, B, T = mac(1), mac(2), mac(3)
INBOUND, OUTBOUND = "0x00000001", "0x00000002"
FIELDS = ("frame.interface_name", "frame.packet_flags_direction", "eth.src", "eth.dst", "vlan.id")
IN, OUT = "in", "out"


def ports(lab, queues=1):
    return [lab.tap("a", switch="s", vlan={"access": 10}, queues=queues), lab.tap("b", switch="s", vlan={"access": 10}),
            lab.tap("t", switch="s", vlan={"trunk": [10]})]


def set_up(lab):
    lab.apply(["s"], ports(lab))
    # Everybody is known, so that frames go where they belong and nowhere else
    for name, own, to in (("a", A, b"knows-a"), ("b", B, b"knows-b")):
        lab.send(name, frame(b"\xff" * 6, own, payload=to))
        lab.sent_to("t", to)
    lab.send("t", frame(b"\xff" * 6, T, (0x8100, 10), payload=b"knows-t"))
    lab.sent_to("a", b"knows-t")
    wait_for("three stations", lambda: len(lab.call("fdb.list")["entries"]) == 3)


def finish(lab, child, how=signal.SIGINT):
    child.send_signal(how)
    out, err = child.communicate(timeout=LIMIT_S)
    lab.children.remove(child)
    return child.returncode, out, err.decode()


def captured(lab, n, *arguments, act):
    path = lab.path("x.pcapng")
    child = lab.capture(*arguments, "-w", path)
    act()
    lab.frames(n)
    rc, _, err = finish(lab, child)
    assert rc == 0, err
    assert f"{n} frames captured, 0 lost" in err, err
    return path


def cross(lab):
    """One frame a -> b, one b -> t."""
    lab.send("a", frame(B, A, payload=b"one"))
    lab.sent_to("b", b"one")
    lab.send("b", frame(T, B, payload=b"two"))
    lab.sent_to("t", b"two")


def test_names_and_directions(lab):
    """A whole switch: every port is an interface; out is tagged where the port tags."""
    path = captured(lab, 4, "s", act=lambda: cross(lab))
    rows = tshark(path, *FIELDS)
    a, b, t = ("02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03")
    assert sorted(rows) == sorted([("a", INBOUND, a, b, ""), ("b", OUTBOUND, a, b, ""),
                                   ("b", INBOUND, b, t, ""), ("t", OUTBOUND, b, t, "10")]), rows
    times = [float(r[0]) for r in tshark(path, "frame.time_epoch")]
    assert times == sorted(times) and abs(times[0] - time.time()) < 600, times
    info = subprocess.run(["capinfos", path], stdout=subprocess.PIPE, text=True, timeout=LIMIT_S).stdout
    assert "netloomd" in info and "netloom capture of s" in info, info
    assert "of switch s, access 10" in info and "nanoseconds" in info, info
    assert info.count("Number of stat entries = 1") == 3, info


def test_one_direction(lab):
    for direction, flag, who in (("in", INBOUND, "b"), ("out", OUTBOUND, "b")):
        path = captured(lab, 1, "b", "--direction", direction, act=lambda: cross(lab))
        assert [r[:2] for r in tshark(path, *FIELDS)] == [(who, flag)]


def test_drops(lab):
    """A tagged frame on an access port ends there, and its comment says why and what to change."""
    def act():
        lab.send("a", frame(B, A, (0x8100, 20), payload=b"lost"))
        cross(lab)
    path = captured(lab, 1, "lab", "--drops", act=act)
    rows = tshark(path, "frame.interface_name", "frame.packet_flags_direction", "vlan.id", "frame.comment")
    assert len(rows) == 1 and rows[0][:3] == ("a", INBOUND, "20"), rows
    assert rows[0][3].startswith("dropped: vlan-tagged: ") and "make the port a trunk" in rows[0][3], rows
    # Both: the frame that came in, and where it ended
    path = captured(lab, 2, "a", "--drops", "--direction", "in",
                    act=lambda: lab.send("a", frame(B, A, (0x8100, 20), payload=b"lost")))
    assert [r[0] != "" for r in tshark(path, "frame.comment")] == [False, True]


def test_filters(lab):
    """Tags that are put on, bytes far behind the headers, programs with too many ways for the code generator."""
    path = captured(lab, 1, "s", "--filter", "vlan 10 and ether proto 0x88b5", act=lambda: cross(lab))
    assert [r[0] for r in tshark(path, "frame.interface_name")] == ["t"]

    def far():
        for mark in (b"x", b"y"):
            lab.send("a", frame(B, A, payload=bytes(700) + mark, length=900))
        lab.sent_to("b", bytes(700) + b"y")
    path = captured(lab, 1, "a", "--filter", "ether[714] = 0x79", act=far)
    assert tshark(path, "frame.len") == [("900",)]
    many = " or ".join(f"host 2001:db8::{i}" for i in range(1, 40)) + " or ether[714] = 0x79"
    path = captured(lab, 1, "a", "--filter", many, act=far)
    assert tshark(path, "frame.len") == [("900",)]


def test_snaplen(lab):
    path = captured(lab, 1, "a", "--snaplen", "20", act=lambda: cross(lab))
    assert tshark(path, "frame.len", "frame.cap_len") == [("60", "20")]


def test_bad_filters(lab):
    for text, sentence in (("host web1", "names of hosts are not looked up"), ("tcp and", "does not compile"),
                           ("ip6 protochain 6", "may loop"), ("a" * 5000, "characters"), ("tcp\nudp", "printable")):
        done = subprocess.run([NETLOOM, "capture", "a", "--filter", text, "-w", lab.path("y")], env=lab.env,
                              stderr=subprocess.PIPE, text=True, timeout=LIMIT_S)
        assert done.returncode == 1 and sentence in done.stderr, (text, done)
    assert "there is no port" in lab.refused("capture", targets=["nobody"])
    # Asked for and ended in one breath, by a subscriber: pcapng and nothing else, with its statistics, and no leftovers
    sock = lab.connect()
    sock.sendall(b'{"jsonrpc":"2.0","id":1,"method":"events"}\n'
                 b'{"jsonrpc":"2.0","id":2,"method":"capture","params":{"targets":["a"]}}\n')
    sock.shutdown(socket.SHUT_WR)
    lines = sock.makefile("rb").read().split(b"\n", 2)
    assert b'"id":2' in lines[1] and lines[2][:4] == b"\n\r\r\n", lines
    sock.close()
    wait_for("the end of it", lambda: not lab.call("capture.list")["captures"])
    assert "captures nothing" in lab.refused("capture", targets=["a"], direction="none")
    assert not os.path.exists(lab.path("y"))


def test_count_and_rotation(lab):
    path = lab.path("count.pcapng")
    child = lab.capture("a", "--count", "3", "-w", path)
    for _ in range(5):
        cross(lab)
    rc, _, err = child.wait(LIMIT_S), *child.communicate()
    lab.children.remove(child)
    assert rc == 0 and b"3 frames captured" in err, err
    assert len(tshark(path, "frame.number")) == 3

    ring = lab.path("ring.pcapng")
    child = lab.capture("a", "-w", ring, "--rotate", "10KB:3")
    for i in range(40):
        lab.send("a", frame(B, A, payload=b"%03d" % i, length=1000))
    lab.frames(40)
    rc, _, err = finish(lab, child)
    assert rc == 0 and "40 frames captured" in err, err
    files = sorted(glob.glob(ring + ".*"))
    assert [os.path.basename(f) for f in files] == [f"ring.pcapng.{i}" for i in range(3)], files
    marks = set()
    for file in files:
        assert os.path.getsize(file) < 12000, file
        marks |= {bytes.fromhex(r[0])[:3] for r in tshark(file, "data.data")}
    assert b"039" in marks and b"000" not in marks, marks


def test_pipes_and_disks(lab):
    """A reader that goes away, a disk that is full, a client that is killed: said, and nothing stays behind."""
    child = lab.spawn("sh", "-c", f"'{NETLOOM}' capture a 2>'{lab.path('err')}' | tshark -n -c 1 -r - >'{lab.path('out')}'",
                      stderr=subprocess.DEVNULL)
    wait_for("the capture", lambda: lab.call("capture.list")["captures"])
    until = time.monotonic() + LIMIT_S
    while child.poll() is None and time.monotonic() < until:
        cross(lab)
        time.sleep(0.05)
    assert lab.end(child) == 0 and "0x88b5" in open(lab.path("out")).read()
    wait_for("the end of it", lambda: not lab.call("capture.list")["captures"])
    assert "closed the pipe" in open(lab.path("err")).read()

    child = lab.capture("a")  # of which no frame comes: that nobody reads is seen all the same
    child.stdout.close()
    child.stdout = None
    assert child.wait(LIMIT_S) == 0 and b"closed the pipe" in child.stderr.read()
    lab.children.remove(child)

    child = lab.capture("a")  # whose pipe is full and not read: Ctrl-C ends it all the same
    wait_for("the capture", lambda: lab.call("capture.list")["captures"])
    for _ in range(150):
        lab.send("a", frame(A, A, payload=b"x" * 1400))
    wait_for("a full pipe", lambda: struct.unpack("i", fcntl.ioctl(child.stdout, termios.FIONREAD, b"...."))[0] > 40000)
    child.send_signal(signal.SIGINT)
    assert child.wait(LIMIT_S) == 1 and b"takes nothing" in child.stderr.read()
    child.stdout.close()
    lab.children.remove(child)

    done = subprocess.run([NETLOOM, "capture", "a", "-w", "/dev/full"], env=lab.env, stderr=subprocess.PIPE,
                          text=True, timeout=LIMIT_S)
    assert done.returncode == 1 and "No space left" in done.stderr, done

    child = lab.capture("a", "-w", lab.path("killed.pcapng"))
    lab.end(child, signal.SIGKILL)
    wait_for("the end of it", lambda: not lab.call("capture.list")["captures"])


def test_slow_reader(lab):
    """Who does not read loses frames, is told how many, and the switch goes on."""
    sock = lab.connect()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    assert lab.ask("capture", sock=sock, targets=["a"], direction="in", buffer_kb=64)["result"]["stream"] == "pcapng"
    sent = 0

    def lost():
        return lab.call("capture.list")["captures"][0]["lost"]
    while lost() < 100:
        for _ in range(200):
            lab.send("a", frame(A, A, payload=b"x" * 1400))  # goes nowhere, but comes in
        sent += 200
        assert sent < 100000, "nothing is ever lost"
    cross(lab)
    stream = b""
    while True:
        lab.send("a", frame(A, A, payload=b"last"))
        got = sock.recv(1 << 16)
        stream += got
        if b"last" in stream:
            break
    n_lost = lost()
    sock.shutdown(socket.SHUT_WR)
    while got:
        got = sock.recv(1 << 16)
        stream += got
    sock.close()
    path = lab.path("slow.pcapng")
    with open(path, "wb") as file:
        file.write(stream)
    comments = [r[0] for r in tshark(path, "frame.comment") if r[0]]
    assert any("frames were lost before this one: the reader was too slow" in c for c in comments), comments
    assert sum(int(c.split()[0]) for c in comments) == n_lost, (comments, n_lost)
    # Interface Statistics Block: type 5, isb_ifdrop (5) of 8 bytes
    assert struct.pack("<HHQ", 5, 8, n_lost) in stream
    wait_for("the end of it", lambda: not lab.call("capture.list")["captures"])


def test_a_thousand(lab):
    """Bounded in number and memory; whoever is refused is told, requests are still answered, frames go on."""
    socks, refusals = [], set()
    for _ in range(60):
        sock = lab.connect()
        answer = lab.ask("capture", sock=sock, targets=["s"])
        if "error" in answer:
            refusals.add(answer["error"]["message"])
            sock.close()
        else:
            socks.append(sock)
    assert len(socks) == 32 and len(refusals) == 1 and "32 captures run already" in refusals.pop()
    cross(lab)
    for sock in socks:
        sock.close()
    wait_for("the end of all", lambda: not lab.call("capture.list")["captures"])
    assert "choose a smaller buffer" in "".join(
        lab.ask("capture", sock=s, targets=["a"], buffer_kb=65536).get("error", {}).get("message", "")
        for s in [socks.append(lab.connect()) or socks[-1] for _ in range(6)])
    for sock in socks:
        sock.close()
    wait_for("the end of all", lambda: not lab.call("capture.list")["captures"])


def test_survives(lab):
    """The port is made anew (as a restarted node's may be), then netloomd is killed and started again."""
    path = lab.path("long.pcapng")
    child = lab.capture("a", "--direction", "in", "-w", path)
    cross(lab)
    lab.frames(1)
    lab.apply(["s"], ports(lab, queues=2))
    cross(lab)
    lab.frames(2)
    wait_for("both frames", lambda: os.path.getsize(path) > 0 and len(tshark(path, "frame.number")) == 2)
    lab.end(lab.daemon, signal.SIGKILL)
    lab.start()
    lab.apply(["s"], ports(lab, queues=2))
    wait_for("the capture to come back", lambda: lab.call("capture.list")["captures"])
    cross(lab)
    lab.frames(1)
    rc, _, err = finish(lab, child)
    assert rc == 0 and "3 frames captured" in err and "waiting" in err, err
    assert [r[0] for r in tshark(path, "frame.interface_name")] == ["a"] * 3


if __name__ == "__main__":
    sys.exit(eyes_lab.main("abt", ("--threads", "2"), [
        set_up, test_names_and_directions, test_one_direction, test_drops, test_filters, test_snaplen, test_bad_filters,
        test_count_and_rotation, test_pipes_and_disks, test_slow_reader, test_a_thousand, test_survives]))
