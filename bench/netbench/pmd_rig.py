# SPDX-License-Identifier: BSD-3-Clause
"""A subject between two ports of a generator that is not ours: DPDK's testpmd with net_virtio_user.

    testpmd, CPU G: sends on what it gets              subject, CPU S
    net_virtio_user0 ====vhost-user, 1024 descriptors==== p0 -+
    net_virtio_user1 ====vhost-user, 1024 descriptors==== p1 -+  a switch

Its mode is "mac": each frame that comes is sent out of the other port, from that port's address to its peer's. 256 frames
a port are in circulation at first; it judges nothing, and does not say how busy it is: those that get lost are missing.
"""

import os
import shutil
import tempfile
import time

from netbench.machine import Thread, distance_ns, steal_ticks, tsc_hz
from netbench.rig import RING, WARM_S, Rig, mac
from netbench.subjects import Unavailable, wait_for
from testpmd import TESTPMD, Testpmd

FIRST_BURSTS = 8


class PmdRig(Rig):
    """As Rig, for two cards without tags; orders are the size of frames."""

    def __init__(self, options, subject, vlans=(None, None)):
        if TESTPMD is None:
            raise Unavailable("dpdk-testpmd is not installed (package dpdk-dev)")
        self.options, self.guest, self.pmd = options, None, None
        self.directory = tempfile.mkdtemp(prefix="netbench-", dir=options.scratch)
        self.subject = subject(options.build, self.directory, options.cpus[0])
        try:
            sockets = [os.path.join(self.directory, f"g{i}") for i in (0, 1)]
            self.pmd = Testpmd(
                self.directory, "generator", options.cpus[1],
                [f"net_virtio_user{i},path={path},queues=1,queue_size={RING},mac={mac(i)},server=1,mrg_rxbuf=0,in_order=1"
                 for i, path in enumerate(sockets)],
                ["--forward-mode=mac", f"--eth-peer=0,{mac(1)}", f"--eth-peer=1,{mac(0)}", f"--txd={RING}", f"--rxd={RING}"],
                memory=256)
            # It waits for the subject at each of its sockets, and the subject for it: reconnecting is what both can do.
            self.subject.start([{"name": f"p{i}", "socket": path, "vlan": vlans[i]} for i, path in enumerate(sockets)])
            self.pmd.wait_prompt()
            wait_for(f"frames pass through {self.subject.name}", self.passes)
        except BaseException:
            self.close()
            raise

    def size(self, frame_bytes):
        self.pmd.command(f"set txpkts {frame_bytes - 4}")

    def passes(self):
        self.subject.alive()
        before = self.pmd.stats()["rx"]
        self.pmd.command(f"start tx_first {FIRST_BURSTS}")
        time.sleep(0.1)
        self.pmd.command("stop")
        return self.pmd.stats()["rx"] > before + FIRST_BURSTS * 64

    def trial(self, seconds, warm=WARM_S):
        """As Rig.trial(), of what testpmd counts."""
        distance = distance_ns(self.options.tools, self.options.cpus, self.options.realtime)
        thread, vcpu = self.subject.thread(), Thread(self.pmd.process.pid, ("rte-worker", "lcore-worker"))
        self.pmd.command(f"start tx_first {FIRST_BURSTS}")
        time.sleep(warm)
        begin, steal = self.sample(thread, vcpu), steal_ticks(self.options.cpus)
        with self.priority(thread, vcpu):  # not while it is asked: its main thread has the same CPU
            time.sleep(seconds)
        end = self.sample(thread, vcpu)
        steal = steal_ticks(self.options.cpus) - steal
        self.subject.alive()
        self.pmd.command("stop")
        wall = end["at"] - begin["at"]
        frames, cpu = end["rx"] - begin["rx"], end["cpu"][0] - begin["cpu"][0]
        return {
            "subject": self.subject.name, "seconds": wall, "frames": frames, "mpps": frames / wall / 1e6,
            "offered_mpps": (end["tx"] - begin["tx"]) / wall / 1e6, "cycles": cpu * tsc_hz() / 1e9 / max(frames, 1),
            "share": cpu / 1e9 / wall, "generator_busy": None,
            "vcpu_share": (end["vcpu"][0] - begin["vcpu"][0]) / 1e9 / wall,
            "involuntary": end["cpu"][1] - begin["cpu"][1] + end["vcpu"][1] - begin["vcpu"][1], "steal_ticks": steal,
            "distance_ns": distance, "lost": end["tx"] - begin["tx"] - frames,
        }

    def sample(self, thread, vcpu):
        stats = self.pmd.stats()
        return {"at": time.monotonic(), "rx": stats["rx"], "tx": stats["tx"], "cpu": thread.sample(), "vcpu": vcpu.sample()}

    def close(self):
        self.subject.stop()
        if self.pmd:
            self.pmd.quit()
        shutil.rmtree(self.directory, ignore_errors=True)
