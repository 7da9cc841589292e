#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
netloom trace: what is predicted is what is then observed, in the same words; a prediction leaves nothing behind.

    [ns a: eth1]--tap a, access 10--+                 +--tap c, access 20--[ns c: eth1]
    [ns b: eth1]--tap b, access 10--+-- s ==10,20== u-+--tap d, access 10--[ns d: eth1]
    [ns t: eth1]--tap t, trunk 10,20+

Exit status: 0 passed, 77 skipped, else failed.
"""
import json
import subprocess
import sys

import eyes_lab
from eyes_lab import LIMIT_S, NETLOOM, frame, mac, wait_for

A, B, D, T = mac(1), mac(2), mac(4), mac(5)
MAC = {name: ":".join(f"{x:02x}" for x in m) for name, m in (("a", A), ("b", B), ("d", D), ("t", T))}


def set_up(lab):
    lab.apply(["s", "u"], [
        lab.tap("a", switch="s", vlan={"access": 10}), lab.tap("b", switch="s", vlan={"access": 10}),
        lab.tap("t", switch="s", vlan={"trunk": [10, 20]}), lab.tap("c", switch="u", vlan={"access": 20}),
        lab.tap("d", switch="u", vlan={"access": 10}),
        {"name": "s-u", "type": "patch", "peer": "u-s", "switch": "s", "vlan": {"trunk": [10, 20]}},
        {"name": "u-s", "type": "patch", "peer": "s-u", "switch": "u", "vlan": {"trunk": [10, 20]}}])
    lab.send("b", frame(b"\xff" * 6, B, payload=b"knows-b"))
    lab.send("d", frame(b"\xff" * 6, D, payload=b"knows-d"))
    wait_for("both stations", lambda: len([e for e in lab.call("fdb.list")["entries"] if e["switch"] == "s"]) == 2)


def cli(lab, *arguments, rc=0):
    done = subprocess.run([NETLOOM, "trace", *arguments], env=lab.env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=LIMIT_S)
    assert done.returncode == rc, done
    return done.stdout + done.stderr


def state(lab):
    """All that a frame could change: counters and stations, without their ages."""
    ports = [(p["name"], p["rx"], p["tx"], p["drops"]) for p in lab.call("port.list")["ports"]]
    return ports, sorted((e["switch"], e["vlan"], e["mac"], e["port"]) for e in lab.call("fdb.list")["entries"])


def shape(trace):
    """What a prediction and an observation must have in common: all but the tense, and that somebody took it."""
    steps = [(s["stage"], s["port"], s["text"].replace("would be", "is")) for s in trace["steps"]
             if s["stage"] != "sent"]
    return (trace["port"], trace["length"], trace["frame"], steps, trace["drops"],
            sorted((s["port"], s.get("vlan"), s["length"]) for s in trace["sent"]))


FRAMES = {
    "known, same switch": frame(B, A),
    "known, behind the link": frame(D, A, payload=b"x" * 300),
    "unknown": frame(mac(99), A),
    "broadcast": frame(b"\xff" * 6, A, ethertype=0x0806),
    "a VLAN the port has not": frame(B, A, (0x8100, 20)),
    "its own VLAN, with a tag": frame(B, A, (0x8100, 10)),
    "priority tag": frame(B, A, (0x8100, 5 << 13)),
    "reserved": frame(bytes.fromhex("0180c200000e"), A, ethertype=0x88cc),
    "to itself": frame(A, A),
    "from a group": frame(B, b"\x03" + A[1:]),
    "reserved VLAN": frame(B, A, (0x8100, 4095)),
}


def test_predicted_is_observed(lab):
    """Not a second implementation: each frame is predicted, nothing has changed, it is sent, and the same is seen."""
    lab.send("a", frame(B, A))  # a is known: learning is not what differs
    wait_for("a", lambda: any(e["mac"] == MAC["a"] for e in lab.call("fdb.list")["entries"]))
    lab.sent_to("b", B + A)
    for what, one in FRAMES.items():
        before = state(lab)
        predicted = lab.call("trace", port="a", frame=one.hex())
        assert state(lab) == before, what
        live = lab.connect()
        assert lab.ask("trace.live", sock=live, targets=["a"], filter="greater 14", count=1)["result"]
        lab.send("a", one)
        observed = json.loads(live.makefile().readline())
        live.close()
        assert observed["method"] == "trace", observed
        assert shape(predicted) == shape(observed["params"]), (what, predicted, observed["params"])
        assert predicted["sent"] or predicted["drops"], (what, predicted)


def test_dropped_for_a_vlan(lab):
    """The issue's example: which stage, which reason, what to change, and that the change helps."""
    text = cli(lab, "a", "--from", MAC["a"], "--to", MAC["b"], "--vlan", "20")
    assert "would be dropped at a: vlan-tagged" in text, text
    assert "`netloom port set a --trunk 10,20 --native 10`" in text, text
    text = cli(lab, "t", "--from", MAC["t"], "--to", MAC["d"], "--vlan", "30")
    assert "vlan-not-member" in text and "`netloom port set t --trunk 10,20,30`" in text, text
    text = cli(lab, "t", "--from", MAC["t"], "--to", MAC["d"])
    assert "vlan-untagged" in text and "`netloom port set t --trunk 10,20 --native 10`" in text, text
    subprocess.run([NETLOOM, "port", "set", "t", "--trunk", "10,20", "--native", "10"], env=lab.env, check=True, timeout=LIMIT_S)
    lab.open("t")
    text = cli(lab, "t", "--from", MAC["t"], "--to", MAC["d"])
    assert "would reach d" in text and "tagged 10" in text, text
    subprocess.run([NETLOOM, "port", "set", "t", "--trunk", "10,20"], env=lab.env, check=True, timeout=LIMIT_S)


def test_ways(lab):
    """Hex, a capture file, a description; what is no frame is refused."""
    text = cli(lab, "a", "--hex", "02:00:00:00:00:02 020000000001 88b5")
    assert "14 bytes at a: would reach b" in text, text
    one = lab.path("frames.pcap")
    with open(one, "wb") as file:
        file.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000001000000"))
        for f in (FRAMES["known, same switch"], FRAMES["unknown"]):
            file.write(bytes(8) + len(f).to_bytes(4, "little") * 2 + f)
    lines = [json.loads(x) for x in cli(lab, "a", "--pcap", one, "--json").splitlines()]
    assert [sorted(s["port"] for s in x["sent"]) for x in lines] == [["b"], ["b", "d", "t"]], lines
    assert [s.get("vlan") for s in sorted(lines[1]["sent"], key=lambda s: s["port"])] == [None, None, 10], lines
    text = cli(lab, "a", "--from", MAC["a"], "--to", MAC["b"], "--ip", "10.0.0.1,10.0.0.2", "--type", "udp",
               "--size", "1000")
    assert "1000 bytes at a" in text and "(IPv4)" in text, text
    text = cli(lab, "a", "--from", MAC["a"], "--size", "1600")
    assert "oversize" in text and "--mtu N` with an N above 1500" in text, text
    with open(one, "ab") as file:
        file.write(b"\xff" * 20)
    assert "broken behind frame 2" in cli(lab, "a", "--pcap", one, rc=1)
    for arguments, sentence in ((("--hex", "0"), "hexadecimal"), (("--hex", ""), "no frame"),
                                (("--pcap", "/dev/null"), "cannot read"), (("--pcap", lab.path("log")), "cannot read"),
                                ((), "from whom?"), (("--from", MAC["a"], "--type", "udp"), "needs addresses")):
        assert sentence in cli(lab, "a", *arguments, rc=1), arguments
    for arguments, sentence in ((("--from", "me"), "no address"), (("--vlan", "5000"), "no VLAN tag"),
                                (("--vlan", "1", "--vlan", "2", "--vlan", "3"), "2 tags"),
                                (("--ip", "10.0.0.1"), "two addresses"), (("--count", "3"), "--live")):
        assert sentence in cli(lab, "a", *arguments, rc=2), arguments
    assert "hexadecimal" in lab.refused("trace", port="a", frame="zz")
    assert "hexadecimal" in lab.refused("trace", port="a", frame="")
    assert "hexadecimal" in lab.refused("trace", port="a", frame="00" * 70000)
    assert "no port" in lab.refused("trace", port="x", frame="00")


def test_live(lab):
    """The next N that match; the trace ends by itself and nothing stays behind."""
    child = lab.spawn(NETLOOM, "trace", "a", "--live", "--filter", "ether proto 0x88b6", "--count", "2",
                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "waiting for frames" in child.stderr.readline()
    for i in range(4):
        lab.send("a", frame(B, A), frame(B, A, (0x8100, 20)), frame(B, A, ethertype=0x88b6))
    out, _ = child.communicate(timeout=LIMIT_S)
    lab.children.remove(child)
    assert child.returncode == 0 and out.count("bytes at a: reached b") == 2, out
    assert out.count("its peer has taken 60 bytes") == 2, out
    socks = [lab.connect() for _ in range(10)]
    answers = [lab.ask("trace.live", sock=s, targets=["a"]) for s in socks]
    assert sum("result" in x for x in answers) == 8 and "8 live traces run already" in str(answers[-1]), answers
    for sock in socks:
        sock.close()
    wait_for("room for another", lambda: "result" in lab.ask("trace.live", targets=["a"]))


if __name__ == "__main__":
    sys.exit(eyes_lab.main("abcdt", ("--threads", "2"), [
        set_up, test_predicted_is_observed, test_dropped_for_a_vlan, test_ways, test_live]))
