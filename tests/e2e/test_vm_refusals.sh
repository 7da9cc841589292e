#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
#
#   bad input ──> vm-runner ──> one sentence on stderr, exit status 2 (usage) or 3 (could not start), nothing left behind
#
# Needs /dev/kvm only for the last part, and no KVM that can run a kernel.
set -u

build=${BUILD:-$(cd "$(dirname "$0")/../.." && pwd)/build}
runner=$build/vm-runner
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0

# refuses STATUS SENTENCE ARGUMENT...
refuses()
{
	local status=$1 sentence=$2 got
	shift 2
	timeout 20 "$runner" "$@" > "$dir/out" 2>&1
	got=$?
	if [ $got -ne "$status" ] || ! grep -qF -- "$sentence" "$dir/out"; then
		echo "FAIL: vm-runner $*: exit status $got, wanted $status and \"$sentence\"; it said:"
		cat "$dir/out"
		failed=1
	fi
}

refuses 2 "--kernel is missing"
refuses 2 "unknown option --karnel" --karnel x
refuses 2 "is not a size" --kernel x --memory lots

[ -e /dev/kvm ] || { echo "SKIP: no /dev/kvm"; exit 77; }

head -c 100000 /dev/urandom > "$dir/noise"
echo 'not a kernel' > "$dir/text"
truncate -s 1G "$dir/large"
long=$dir/$(printf 'x%.0s' {1..120}).sock
mac=52:54:00:00:00:01

refuses 3 "kernel $dir/missing: No such file or directory" --kernel "$dir/missing"
refuses 3 "not a Linux kernel" --kernel "$dir/noise"
refuses 3 "not a Linux kernel" --kernel "$dir/text"
refuses 3 "not a regular file" --kernel "$dir"
refuses 3 "does not fit: this machine has" --kernel "$dir/noise" --memory 4096G
refuses 3 "$long" --kernel "$dir/noise" --net "socket=$long,mac=$mac"
refuses 3 "$dir/no/dir.sock" --kernel "$dir/noise" --net "socket=$dir/no/dir.sock,mac=$mac"
refuses 3 "$dir/missing" --kernel "$dir/noise" --disk "file=$dir/missing"
refuses 3 "serial log $dir/no/log" --kernel "$dir/noise" --serial "log=$dir/no/log"

# A kernel that loads, so that what comes after it is reached: the smallest ELF file with a PVH entry.
python3 - "$dir/kernel" <<'PY'
import struct, sys
note = struct.pack("<III4sQ", 4, 8, 18, b"Xen\0", 0x200000)
head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x200000, 64, 0, 0, 64, 56, 2, 0, 0, 0)
load = struct.pack("<IIQQQQQQ", 1, 5, 176 + len(note), 0, 0x200000, 2, 2, 16)
notes = struct.pack("<IIQQQQQQ", 4, 4, 176, 0, 0, len(note), len(note), 4)
open(sys.argv[1], "wb").write(head + load + notes + note + b"\xf4\xf4")
PY
refuses 3 "does not fit in guest memory behind the kernel" --kernel "$dir/kernel" --initrd "$dir/large" --memory 64M
refuses 3 "command line is longer than 2047" --kernel "$dir/kernel" --append "$(printf 'x%.0s' {1..3000})"
refuses 3 "initrd $dir/missing" --kernel "$dir/kernel" --initrd "$dir/missing"
refuses 3 "pidfile $dir/no/pid" --kernel "$dir/kernel" --pidfile "$dir/no/pid"
refuses 3 "$long" --kernel "$dir/kernel" --control "$long"
if [ "$(awk '/HugePages_Free/ {print $2}' /proc/meminfo)" -lt 4096 ]; then
	refuses 3 "not enough free 2 MiB hugepages" --kernel "$dir/kernel" --hugepages --memory 8G
fi

# Without /dev/kvm: in a mount namespace of its own, where /dev is empty.
if unshare -m true 2> /dev/null; then
	unshare -m sh -c 'mount -t tmpfs none /dev && exec "$0" --kernel "$1"' "$runner" "$dir/kernel" 2> "$dir/out"
	if [ $? -ne 3 ] || ! grep -q 'there is no KVM on this machine' "$dir/out"; then
		echo "FAIL: without /dev/kvm:"
		cat "$dir/out"
		failed=1
	fi
fi

# A socket that somebody serves is not taken away from him.
python3 - "$dir/used.sock" <<'PY' &
import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); time.sleep(60)
PY
server=$!
for _ in $(seq 100); do [ -S "$dir/used.sock" ] && break; sleep 0.05; done
refuses 3 "$dir/used.sock" --kernel "$dir/kernel" --control "$dir/used.sock"
kill $server; wait $server 2> /dev/null

left=$(find "$dir" -name '*.sock' ! -name used.sock)
[ -z "$left" ] || { echo "FAIL: left behind: $left"; failed=1; }
[ $failed = 0 ] && echo "PASS: every refusal has its sentence and status"
exit $failed
