#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
#
#   testpmd "near"                 netloomd                   testpmd "far"
#   net_virtio_user ====vhost==== near ---wire--- far ====vhost==== net_virtio_user
#   sends N bursts, then          (client: the front-end       sends back all
#   only receives                  listens; and the reverse)   that it gets
#
# A front-end that is not ours, with every ring layout: split and packed, one and two queues, mergeable buffers and
# in-order use on and off. Every frame is accounted for, at both ends and inside. Then: the switch is killed and
# restarted, and a front-end is.
# shares: the machine
# limit: 600

import os
import signal
import time

from vhost_lab import TESTPMD, expect, run, skip, wait_until

QUICK = "QUICK" in os.environ
ROUNDS = 12
BURSTS = 4  # of 32 frames each: half a ring, so that little is lost and the rings go round several times


def vdev(lab, port, front_end_listens, queues, packed, mergeable, in_order):
    return (f"net_virtio_user0,path={lab.path(port + '.sock')},queues={queues},queue_size=256,"
            f"server={int(front_end_listens)},packed_vq={int(packed)},mrg_rxbuf={int(mergeable)},"
            f"in_order={int(in_order)}")


def attach(lab, front_end_listens, layout, names=("near", "far")):
    """Front-ends, which start at the same time."""
    queues = layout[0]
    front_ends = [lab.testpmd(name, ("near", "far").index(name), [vdev(lab, name, front_end_listens, *layout)],
                              [f"--rxq={queues}", f"--txq={queues}"]) for name in names]
    for front_end in front_ends:
        front_end.wait_prompt()
    return front_ends


def wait_running(lab, queues, packed):
    def running():
        ports = [lab.netloomd.port(name) for name in ("near", "far")]
        return all(p["running"] and p["n_queues"] == queues and p["packed"] == packed for p in ports)

    wait_until("both ports run with the layout asked for", running)


def start(near, far):
    far.command("set fwd io")
    far.command("start")
    near.command("set fwd rxonly")


def let_reflect(lab, before):
    """Give the far end, which may have to wait for a CPU, a second to send back what it got: rings are short."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:
        port = lab.netloomd.port("far")
        if port["rx"]["pkts"] - before["far"]["rx"]["pkts"] == port["tx"]["pkts"] - before["far"]["tx"]["pkts"]:
            break
        time.sleep(0.01)


def exchange(lab, near, far):
    """One round of frames there and back, and the books must balance."""
    before = {name: lab.netloomd.port(name) for name in ("near", "far")}
    near_before, far_before = near.stats(), far.stats()
    for _ in range(ROUNDS):
        near.command("start tx_first %d" % BURSTS)
        near.command("stop")
        let_reflect(lab, before)

    def settled():
        state = [lab.netloomd.port("near"), lab.netloomd.port("far"), near.stats(), far.stats()]
        counts = [(p["rx"]["pkts"], p["tx"]["pkts"]) for p in state[:2]] + state[2:]
        still, settled.last = counts == settled.last, counts
        return state if still and state[2]["tx"] > near_before["tx"] else None

    settled.last = None
    near.command("start")  # takes in what is still on its way
    near_port, far_port, near_after, far_after = wait_until("counters come to rest", settled, step=0.3)
    near.command("stop")

    sent = near_after["tx"] - near_before["tx"]
    reflected = far_after["tx"] - far_before["tx"]
    received_far = far_after["rx"] - far_before["rx"]
    received_near = near_after["rx"] - near_before["rx"]

    def delta(port, way):
        return port[way]["pkts"] - before[port["name"]][way]["pkts"]

    def dropped(port):
        return sum(port["drops"].values()) - sum(before[port["name"]]["drops"].values())

    expect(sent > 0, "the near front-end sent nothing")
    expect(delta(near_port, "rx") == sent, f"near sent {sent}, the port counted {delta(near_port, 'rx')}")
    expect(delta(far_port, "tx") + dropped(far_port) == sent,
           f"{sent} came in; {delta(far_port, 'tx')} went out, {dropped(far_port)} are counted as dropped")
    expect(delta(far_port, "tx") == received_far,
           f"the far port sent {delta(far_port, 'tx')}, its front-end got {received_far}")
    expect(delta(far_port, "rx") == reflected, f"far sent {reflected}, the port counted {delta(far_port, 'rx')}")
    expect(delta(near_port, "tx") + dropped(near_port) == reflected,
           f"{reflected} came back; {delta(near_port, 'tx')} went out, {dropped(near_port)} are counted as dropped")
    expect(delta(near_port, "tx") == received_near,
           f"the near port sent {delta(near_port, 'tx')}, its front-end got {received_near}")
    expect(received_near >= sent // 4, f"of {sent} frames only {received_near} came back")
    for port in (near_port, far_port):
        expect(port["n_bad_rings"] == 0, f"{port['name']}: {port['detail']}")
        expect(set(port["drops"]) <= {"no-room", "not-connected"}, f"{port['name']} dropped: {port['drops']}")
    return sent, received_near


def make_ports(lab, switch_listens, queues):
    ports = [{"name": name, "type": "vhost-user", "socket": lab.path(name + ".sock"), "wire": other,
              "queues": queues, "server": switch_listens}
             for name, other in (("near", "far"), ("far", "near"))]
    lab.netloomd.rpc.call("apply", owner="test", switches=[], ports=ports)


def layouts(lab):
    # With sanitizers in netloomd QUICK is set: each code path of ours once
    for front_end_listens in (True,) if QUICK else (True, False):
        for queues in (1, 2):
            make_ports(lab, not front_end_listens, queues)
            for packed in (False, True):
                for mergeable in (True, False):
                    for in_order in (mergeable,) if QUICK else (False, True):
                        layout = (queues, packed, mergeable, in_order)
                        if not front_end_listens and mergeable:
                            continue  # who listens changes nothing about the rings: half of them will do
                        near, far = attach(lab, front_end_listens, layout)
                        wait_running(lab, queues, packed)
                        start(near, far)
                        sent, back = exchange(lab, near, far)
                        print("ok: %s, %d queue%s, mergeable %s, in-order %s, %s: %d sent, %d back" % (
                            "packed" if packed else "split", queues, "s"[:queues - 1], "on" if mergeable else "off",
                            "on" if in_order else "off",
                            "the front-end listens" if front_end_listens else "the switch listens", sent, back),
                            flush=True)
                        far.quit()
                        near.quit()


def restarts(lab):
    for packed in (False, True):
        layout = (1, packed, True, False)
        make_ports(lab, False, 1)
        near, far = attach(lab, True, layout)
        wait_running(lab, 1, packed)
        start(near, far)
        exchange(lab, near, far)

        killed = time.monotonic()
        lab.netloomd.kill(signal.SIGKILL)
        lab.netloomd.start()
        wait_running(lab, 1, packed)
        seconds = time.monotonic() - killed
        exchange(lab, near, far)
        expect(seconds < 5, f"the switch was away for {seconds:.1f} s")
        print(f"ok: {'packed' if packed else 'split'}: switch killed and restarted, frames flow after {seconds:.1f} s",
              flush=True)

        far.kill()
        wait_until("the far port notices", lambda: not lab.netloomd.port("far")["connected"])
        os.unlink(lab.path("far.sock"))  # testpmd does not replace what a killed one left
        far, = attach(lab, True, layout, ["far"])
        wait_running(lab, 1, packed)
        far.command("set fwd io")
        far.command("start")
        exchange(lab, near, far)
        print(f"ok: {'packed' if packed else 'split'}: front-end killed and restarted", flush=True)
        far.quit()
        near.quit()


def main(lab):
    lab.netloomd.start()
    layouts(lab)
    restarts(lab)


if TESTPMD is None:
    skip("dpdk-testpmd is not installed")
run(main, "--no-huge")
