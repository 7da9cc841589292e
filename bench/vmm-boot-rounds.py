#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The measuring half of vmm-boot.sh: vmm-boot-rounds.py VM-RUNNER KERNEL INITRD ROUNDS, where KVM works."""
import os
import statistics
import subprocess
import sys
import tempfile
import time

RUNNER, KERNEL, INITRD, ROUNDS = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
APPEND = "console=ttyS0 quiet panic=-1"
LIMIT_S = 180
LOOK_S = 0.005  # between two looks at the serial log: what a time may be too long by
QEMU = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", "host", "-smp", "1", "-m", "256", "-nodefaults", "-no-user-config",
        "-display", "none", "-object", "memory-backend-memfd,id=ram,size=256M,share=on",
        "-kernel", KERNEL, "-initrd", INITRD, "-append", APPEND]


def commands(log):
    serial = ["-chardev", f"file,id=s,path={log}", "-serial", "chardev:s"]
    return {
        "vm-runner": [RUNNER, "--kernel", KERNEL, "--initrd", INITRD, "--append", APPEND, "--memory", "256M", "--serial",
                      f"log={log}"],
        "microvm": QEMU + ["-M", "microvm,memory-backend=ram"] + serial,
        # what QEMU's documentation recommends for speed, but for the serial port, which we need
        "microvm tuned": QEMU + ["-M", "microvm,x-option-roms=off,pit=off,pic=off,rtc=off,isa-serial=on,memory-backend=ram"]
        + serial,
        "q35": QEMU + ["-M", "q35,memory-backend=ram"] + serial,
    }


def memory_beyond_guest(pid):
    """RSS and PSS in KiB of all mappings but the guest's memory (a memfd in each VMM)."""
    rss = pss = 0
    guest = False
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as smaps:
        for line in smaps:
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                guest = "memfd:" in line
            elif not guest and words[0] == "Rss:":
                rss += int(words[1])
            elif not guest and words[0] == "Pss:":
                pss += int(words[1])
    return rss, pss


def boot(command, log):
    """Seconds from exec to init's line, RSS, PSS."""
    with open(log, "wb"):
        pass
    start = time.monotonic()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said)
        try:
            while True:
                with open(log, "rb") as file:
                    text = file.read()
                if b"INIT-REACHED" in text:
                    break
                if process.poll() is not None or time.monotonic() - start > LIMIT_S:
                    said.seek(0)
                    sys.exit(f"{command[0]} did not reach init: {text[-500:]!r} {said.read()[-2000:]!r}")
                time.sleep(LOOK_S)
            seconds = time.monotonic() - start
            return (seconds, *memory_beyond_guest(process.pid))
        finally:
            process.kill()
            process.wait()


def main():
    with tempfile.TemporaryDirectory() as directory:
        log = os.path.join(directory, "serial")
        todo = commands(log)
        results = {name: [] for name in todo}
        for number in range(ROUNDS + 1):
            names = list(todo) if number % 2 else list(reversed(todo))
            for name in names:
                result = boot(todo[name], log)
                print(f"round {number} {name:13} {result[0]:7.3f} s {result[1]:7} KiB", file=sys.stderr, flush=True)
                if number:  # the first one fills page caches
                    results[name].append(result)
    median = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in results.items()}
    base = min(median["microvm"][0], median["microvm tuned"][0])
    print(f"{'':14}{'to init':>10}{'min..max':>18}{'of best microvm':>17}{'RSS beyond guest':>18}{'PSS':>12}")
    for name, (seconds, rss, pss) in median.items():
        times = [row[0] for row in results[name]]
        print(f"{name:14}{seconds:8.3f} s{min(times):9.3f}..{max(times):.3f}{seconds / base:17.2f}{rss / 1024:14.1f} MiB"
              f"{pss / 1024:8.1f} MiB")
    print(f"{ROUNDS} rounds, medians; 1 CPU, 256 MiB, {os.path.basename(KERNEL)}")


main()
