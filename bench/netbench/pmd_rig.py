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

from netbench.machine import WITH_US
from netbench.rig import RING, WARM_S, Rig, mac
from netbench.subjects import Unavailable, wait_for
from testpmd import TESTPMD, Testpmd

FIRST_BURSTS = 8


class PmdRig(Rig):
    """As Rig, for two cards without tags; orders are the size of frames."""

    GENERATOR_THREADS = ("rte-worker", "lcore-worker")

    def __init__(self, options, subject, vlans=(None, None)):
        if TESTPMD is None:
            raise Unavailable("dpdk-testpmd is not installed (package dpdk-dev)")
        self.options, self.guest, self.pmd = options, None, None
        self.rings = options.rings
        self.directory = tempfile.mkdtemp(prefix="netbench-", dir=options.scratch)
        self.subject = subject(options.build, self.directory, options.cpus[0])
        try:
            sockets = [os.path.join(self.directory, f"g{i}") for i in (0, 1)]
            self.pmd = Testpmd(
                self.directory, "generator", options.cpus[1],
                [f"net_virtio_user{i},path={path},queues=1,queue_size={RING},mac={mac(i)},server=1,mrg_rxbuf=0,in_order=1,"
                 f"packed_vq={int(self.rings == 'packed')}"
                 for i, path in enumerate(sockets)],
                ["--forward-mode=mac", f"--eth-peer=0,{mac(1)}", f"--eth-peer=1,{mac(0)}", f"--txd={RING}", f"--rxd={RING}"],
                memory=256, run_by=WITH_US)
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

    def generator(self):
        return self.pmd.process

    def trial(self, seconds, warm=WARM_S):
        """As Rig.trial(), of what testpmd counts."""
        distance, watch = self.distance(), self.watch()
        self.pmd.command(f"start tx_first {FIRST_BURSTS}")
        time.sleep(warm)
        begin = self.counted()
        watch.begin()
        with self.priority(watch):  # not while it is asked: its main thread has the same CPU
            time.sleep(seconds)
        had, end = watch.end(), self.counted()
        self.subject.alive()
        self.pmd.command("stop")
        return {**self.figures(begin, end, had, distance), "lost": end[2] - begin[2] - (end[1] - begin[1])}

    def counted(self):
        stats = self.pmd.stats()
        return time.monotonic(), stats["rx"], stats["tx"]

    def close(self):
        self.subject.stop()
        if self.pmd:
            self.pmd.quit()
        shutil.rmtree(self.directory, ignore_errors=True)
