#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
Mirrors to a port and, as ERSPAN, to another host; sFlow to a collector that is not ours.

    [ns a: eth1]--tap a, access 10--+
    [ns b: eth1]--tap b, access 10--+-- s ==10,20== u --tap d, access 20--[ns d: eth1]
    [ns c: eth1]--tap c, access 20--+
                                     netloomd ~~ERSPAN~~> 10.8.0.2 [ns e: eth1 of tap e, by which netloomd's host reaches it]
    [ns p: eth1]--tap p, on no switch: where copies go

Exit status: 0 passed, 77 skipped, else failed.
"""
import json
import os
import shutil
import subprocess
import sys
import time

import eyes_lab
from eyes_lab import LIMIT_S, NETLOOM, frame, mac, tshark, wait_for

A, B, C = mac(1), mac(2), mac(3)
MARK = iter(range(10**6))


def set_up(lab):
    lab.apply(["s", "u"], [
        lab.tap("a", switch="s", vlan={"access": 10}), lab.tap("b", switch="s", vlan={"access": 10}),
        lab.tap("c", switch="s", vlan={"access": 20}), lab.tap("d", switch="u", vlan={"access": 20}), lab.tap("p"),
        {"name": "s-u", "type": "patch", "peer": "u-s", "switch": "s", "vlan": {"trunk": [10, 20]}},
        {"name": "u-s", "type": "patch", "peer": "s-u", "switch": "u", "vlan": {"trunk": [10, 20]}}])
    for name, own in (("a", A), ("b", B)):
        lab.send(name, frame(b"\xff" * 6, own))
    wait_for("stations", lambda: len([e for e in lab.call("fdb.list")["entries"] if e["switch"] == "s"]) == 2)


def mark():
    return b"<%06d>" % next(MARK)


def cli(lab, *arguments, rc=0):
    done = subprocess.run([NETLOOM, *arguments], env=lab.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=LIMIT_S)
    assert done.returncode == rc, done
    return done.stdout


def copies(lab, name):
    return next(m for m in lab.call("mirror.list")["mirrors"] if m["name"] == name)["copies"]


def seen_at_p(lab, last):
    """Every frame of ours that came out at p, up to the one with this mark."""
    got = []
    while not got or last not in got[-1]:
        one = lab.raw["p"].recv(65536)
        if b"<" in one:
            got.append(one)
    return got


def test_a_link(lab):
    """Both directions of a port, as they are there; the original goes on unharmed."""
    cli(lab, "mirror", "add", "m", "--of", "a", "--to", "p")
    one, two, other = mark(), mark(), mark()
    lab.send("a", frame(B, A, payload=one))
    lab.sent_to("b", one)
    lab.send("c", frame(b"\xff" * 6, C, payload=other))
    lab.send("b", frame(A, B, payload=two))
    lab.sent_to("a", two)
    assert seen_at_p(lab, two) == [frame(B, A, payload=one), frame(A, B, payload=two)]
    assert copies(lab, "m") == 2
    assert "both" in cli(lab, "show", "mirrors")
    cli(lab, "mirror", "set", "m", "--direction", "out")
    one, two = mark(), mark()
    lab.send("a", frame(B, A, payload=one))
    lab.sent_to("b", one)
    lab.send("b", frame(A, B, payload=two))
    assert seen_at_p(lab, two) == [frame(A, B, payload=two)]
    cli(lab, "mirror", "delete", "m")


def test_a_vlan(lab):
    """Each frame once, whatever port of the VLAN it came in by; frames of the other VLAN never."""
    cli(lab, "mirror", "add", "m", "--of", "s", "--vlan", "20", "--to", "p")
    one, two, three = mark(), mark(), mark()
    path = lab.path("vlan.pcapng")
    capture = lab.capture("p", "--count", "2", "-w", path)
    lab.send("a", frame(B, A, payload=one))
    lab.send("c", frame(b"\xff" * 6, C, payload=two))
    lab.sent_to("d", two)
    lab.send("d", frame(b"\xff" * 6, mac(4), payload=three))  # comes in over the link, tagged
    # A packet socket is given frames without their tag; a capture has it
    got = seen_at_p(lab, three)
    assert got == [frame(b"\xff" * 6, C, payload=two), frame(b"\xff" * 6, mac(4), payload=three)], got
    assert capture.wait(LIMIT_S) == 0
    lab.children.remove(capture)
    assert tshark(path, "eth.src", "vlan.id") == [("02:00:00:00:00:03", ""), ("02:00:00:00:00:04", "20")]
    cli(lab, "mirror", "delete", "m")


def test_filter_and_snaplen(lab):
    cli(lab, "mirror", "add", "m", "--of", "a", "--to", "p", "--filter", "greater 200", "--snaplen", "150")
    one, two = mark(), mark()
    lab.send("a", frame(B, A, payload=one), frame(B, A, payload=two, length=1200))
    lab.sent_to("b", two)
    assert seen_at_p(lab, two) == [frame(B, A, payload=two, length=1200)[:150]]
    # Cut inside the head that the switch keeps, and far behind it
    for length in (60, 700):
        cli(lab, "mirror", "set", "m", "--snaplen", str(length))
        two = mark()
        lab.send("a", frame(B, A, payload=two, length=1200))
        assert seen_at_p(lab, two) == [frame(B, A, payload=two, length=1200)[:length]]
    cli(lab, "mirror", "delete", "m")


def test_refused_and_lasting(lab):
    for more, sentence in ((dict(to="x"), "no port"), (dict(to="s-u"), "takes no copies"), (dict(to="a"), "what is mirrored"),
                           (dict(to="p", of=["x"]), "no port, switch or lab"), (dict(to="p", filter="tcp and"), "does not compile"),
                           (dict(to="p", vlan=5000), "within"), (dict(to="p", of=[]), "1 to 16"), (dict(), "missing")):
        answer = lab.refused("mirror.set", **dict({"name": "m", "of": ["a"]}, **more))
        assert sentence in answer, (more, answer)
    for i in range(32):
        lab.call("mirror.set", name=f"m{i}", of=["c"], to="p")
    assert "32 are possible" in lab.refused("mirror.set", name="m32", of=["c"], to="p").replace("at most ", "")
    for i in range(32):
        lab.call("mirror.delete", name=f"m{i}")
    # A mirror survives a kill, and its port's absence
    lab.call("mirror.set", name="m", of=["a"], to="p", direction="in")
    lab.end(lab.daemon, 9)
    lab.start()
    lab.raw = {}
    for name in "abcdp":
        lab.open(name)
    lab.call("port.delete", name="p")
    one = mark()
    lab.send("a", frame(B, A, payload=one))
    lab.sent_to("b", one)
    assert "is gone" in lab.call("mirror.list")["mirrors"][0]["detail"]
    lab.call("port.set", **lab.tap("p"))
    lab.open("p")
    one = mark()
    lab.send("a", frame(B, A, payload=one))
    assert seen_at_p(lab, one) == [frame(B, A, payload=one)]
    lab.call("mirror.delete", name="m")


def test_erspan(lab):
    """Type II and III, over IPv4 and IPv6, as tshark understands them: session, VLAN, and the frame inside."""
    for version, remote in ((2, "127.0.0.2"), (3, "127.0.0.2"), (2, "::1")):
        name = f"far{version}"
        cli(lab, "port", "add", name, "--erspan", remote, "--session", "77", "--erspan-type", str(version))
        cli(lab, "mirror", "add", "m", "--of", "a,b", "--to", name, "--direction", "in")
        path = lab.path(f"erspan{version}.pcap")
        sniffer = lab.spawn("tcpdump", "-U", "-i", "lo", "-w", path, "-c", "2", "proto gre", stderr=subprocess.PIPE)
        while b"listening" not in sniffer.stderr.readline():
            pass
        one = mark()
        lab.send("a", frame(B, A, payload=one))
        lab.sent_to("b", one)
        cli(lab, "mirror", "set", "m", "--snaplen", "100")
        lab.send("b", frame(A, B, payload=one, length=1400))
        assert sniffer.wait(LIMIT_S) == 0
        lab.children.remove(sniffer)
        rows = tshark(path, "erspan.version", "erspan.spanid", "erspan.vlan", "erspan.truncated", "gre.sequence_number",
                      "eth.src", "data.data")
        assert [r[:5] for r in rows] == [(str(version - 1), "77", "10", "0", "0"), (str(version - 1), "77", "10", "1", "1")], rows
        assert [r[5].split(",")[-1] for r in rows] == ["02:00:00:00:00:01", "02:00:00:00:00:02"], rows
        assert all(one.hex() in r[6] for r in rows), rows
        assert len(rows[1][6].split(",")[-1]) == 2 * 86, rows
        cli(lab, "mirror", "delete", "m")
        cli(lab, "port", "delete", name)


LAB_FILE = """
name: mm
topology:
  nodes:
    sw: {{ kind: switch }}
    side: {{ kind: switch }}
    a: {{ kind: tap, netns: {a} }}
    b: {{ kind: tap, netns: {b} }}
    p: {{ kind: tap, netns: {p} }}
  links:
    - {{ endpoints: ["a:lab1", "sw:p1"], vlan: {{ access: 10 }} }}
    - {{ endpoints: ["b:lab1", "sw:p2"], vlan: {{ access: 10 }} }}
    - {{ endpoints: ["p:lab1", "side:p1"] }}
  mirrors:
    - {{ of: [a:lab1], to: p:lab1, filter: "not ip6" }}
    - {{ of: sw, vlan: 10, erspan: 127.0.0.9, session: 7, erspan-type: 3, snaplen: 100 }}
"""


def test_cycles(lab):
    """`show cycles` while frames flow: their stages, on the worker whose they are."""
    with subprocess.Popen([NETLOOM, "show", "cycles", "--json"], env=lab.env, stdout=subprocess.PIPE, text=True) as show:
        end = time.monotonic() + LIMIT_S
        while show.poll() is None and time.monotonic() < end:
            lab.send("a", frame(B, A, payload=mark()))
            time.sleep(0.01)
        workers = json.loads(show.stdout.read())
    assert show.returncode == 0 and [w["worker"] for w in workers] == [0, 1], workers
    busy = [w for w in workers if w["frames"]]
    assert busy and all(w["busy_per_frame"] > 0 and w["bursts"] <= w["frames"] for w in busy), workers
    for worker in busy:
        spent = {stage["stage"]: stage["cycles"] for stage in worker["stages"]}
        assert all(spent[stage] > 0 for stage in ("receive", "parse", "learn", "output", "send")), spent
        assert sum(spent.values()) == worker["cycles"], worker
    table = cli(lab, "show", "cycles")
    assert "worker 0: awake for" in table and "CYCLES/FRAME" in table, table


def test_lab_file(lab):
    path = lab.path("mm.yaml")
    with open(path, "w") as file:
        file.write(LAB_FILE.format(**lab.ns))
    cli(lab, "up", "--quiet", path)
    mirrors = {m["name"]: m for m in lab.call("mirror.list")["mirrors"]}
    assert sorted(mirrors) == ["mm/mirror-1", "mm/mirror-2"], mirrors
    assert mirrors["mm/mirror-1"]["of"] == ["mm/a:lab1"] and mirrors["mm/mirror-1"]["to"] == "mm/p:lab1", mirrors
    assert mirrors["mm/mirror-2"] == dict(mirrors["mm/mirror-2"], of=["mm/sw"], vlan=10, direction="in", snaplen=100,
                                          to="mm/erspan-2", detail=""), mirrors
    generation = lab.call("status")["generation"]
    cli(lab, "up", "--quiet", path)
    assert lab.call("status")["generation"] == generation, "the same file again changed something"
    cli(lab, "down", "mm")
    assert not lab.call("mirror.list")["mirrors"]
    with open(path, "w") as file:
        file.write(LAB_FILE.format(**lab.ns).replace("of: [a:lab1]", "of: [x:lab1]").replace("session: 7,", "vlam: 7,"))
    text = cli(lab, "validate", path, rc=3)
    assert '15: mirror 1: "x:lab1" is no end of a link' in text and "did you mean `vlan`?" in text, text


def test_sflow(lab):
    """nfdump's collector gets samples and counters; tshark reads every field."""
    flows = lab.path("flows")
    os.mkdir(flows)
    collector = lab.spawn("sfcapd", "-p", "16343", "-b", "127.0.0.1", "-l", flows, "-S", "0",
                          stdout=open(lab.path("sfcapd.log"), "w"), stderr=subprocess.STDOUT)
    wait_for("sfcapd", lambda: ":3FD7 " in open("/proc/net/udp").read())
    path = lab.path("sflow.pcap")
    sniffer = lab.spawn("tcpdump", "-U", "-i", "lo", "-w", path, "udp port 16343", stderr=subprocess.PIPE)
    while b"listening" not in sniffer.stderr.readline():
        pass
    cli(lab, "sflow", "add", "x", "--of", "s", "--collector", "127.0.0.1", "--udp-port", "16343", "--rate", "1",
        "--interval", "1")
    ip = bytes.fromhex("45000054000040004001") + b"\0\0" + bytes((10, 0, 0, 1)) + bytes((10, 0, 0, 2)) + bytes(64)
    for _ in range(20):
        lab.send("a", frame(B, A, ethertype=0x0800, payload=ip, length=98))

    def sampled():
        return next(x for x in lab.call("sflow.list")["sflows"])["samples"] >= 20
    wait_for("samples", sampled)

    def read(*fields, filter):
        return tshark(path, *fields, filter=filter, options=("-d", "udp.port==16343,sflow"))

    def rows():
        out = read("sflow_245.version", "sflow_245.agent", "sflow.flow_sample.sampling_rate", "ip.dst", filter="sflow")
        return out if sum(r[3].count("10.0.0.2") for r in out) >= 20 else None
    got = wait_for("samples on the wire", rows)
    assert all(r[0] == "5" and r[1] == "127.0.0.1" and set(r[2].split(",")) <= {"1", ""} for r in got), got
    wait_for("counters", lambda: read("sflow_245.ifindex", filter="sflow_245.ifindex"))
    assert not read("frame.number", filter="_ws.malformed"), "malformed datagrams"
    cli(lab, "sflow", "set", "x", "--rate", "10", "--interval", "0")
    for _ in range(40):
        lab.send("a", *[frame(B, A, payload=b"s")] * 50)
        time.sleep(0.005)  # the tap's queue

    def some():
        x = lab.call("sflow.list")["sflows"][0]
        return x if x["seen"] >= 1900 else None
    x = wait_for("two thousand frames", some)
    # One of ten: 5 standard deviations of the skips around the mean
    assert 0.1 * x["seen"] * 0.6 < x["samples"] < 0.1 * x["seen"] * 1.4, x
    lab.end(sniffer)
    lab.end(collector)
    done = subprocess.run(["nfdump", "-q", "-R", flows, "-o", "fmt:%sa %da %pr %pkt %in"], stdout=subprocess.PIPE, text=True,
                          timeout=LIMIT_S)
    assert "10.0.0.1" in done.stdout and "10.0.0.2" in done.stdout and "ICMP" in done.stdout, (done, os.listdir(flows))
    cli(lab, "sflow", "delete", "x")
    assert "no sFlow agent" in lab.refused("sflow.delete", name="x")
    assert "no address" in lab.refused("sflow.set", name="x", of=["s"], collector="here")


def test_sflow_waits_for_the_network(lab):
    """A netloomd in a namespace whose loopback is down, as at the start of a machine: the collector is reached once it is up."""
    rundir = lab.path("early")
    os.mkdir(rundir)
    env = dict(lab.env, NETLOOM_RUNDIR=rundir)
    daemon = subprocess.Popen(["ip", "netns", "exec", lab.ns["d"], os.path.join(eyes_lab.BUILD, "netloomd"), "--no-huge"],
                              env=env, stderr=open(lab.path("early.log"), "w"))
    lab.children.append(daemon)

    def run(*arguments):
        return subprocess.run([NETLOOM, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=LIMIT_S)
    wait_for("netloomd", lambda: run("show", "switches").returncode == 0)  # `switch add` would start another one
    assert run("switch", "add", "s").returncode == 0
    assert run("port", "add", "p", "--tap", "early0", "--switch", "s").returncode == 0
    assert run("sflow", "add", "x", "--of", "s", "--collector", "127.0.0.1", "--interval", "1").returncode == 0

    def shown():
        fields = run("show", "sflows").stdout.splitlines()[-1].split(None, 8)
        return int(fields[7]), " ".join(fields[8:])
    wait_for("an unreachable collector", lambda: "cannot be reached" in shown()[1])
    lab.inside("d", "ip", "link", "set", "lo", "up")
    wait_for("datagrams", lambda: shown()[0] > 1)
    assert lab.end(daemon) == 0


if __name__ == "__main__":
    for tool in ("sfcapd", "nfdump", "tcpdump"):
        if shutil.which(tool) is None:
            print(f"needs {tool}")
            sys.exit(77)
    sys.exit(eyes_lab.main("abcdp", ("--threads", "2"), [
        set_up, test_a_link, test_a_vlan, test_cycles, test_filter_and_snaplen, test_refused_and_lasting, test_erspan, test_lab_file, test_sflow,
        test_sflow_waits_for_the_network]))
