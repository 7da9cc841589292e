#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
#
#   tests/guests/pci_probe ──> vm-runner --microguest
#                                              ring 3: ECAM ──> virtio-rng's BAR ──> queue, ioeventfd ──> random bytes
#                                              ring 3: NULL ──> page fault ──> "trapped", status 5
#
# Needs /dev/kvm, and no KVM that can run a kernel.
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$top/build}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

[ -w /dev/kvm ] || { echo "SKIP: no /dev/kvm"; exit 77; }
fail()
{
	echo "FAIL: $1"
	cat "$dir"/*.log "$dir/out" 2> /dev/null
	exit 1
}


timeout 140 "$build/vm-runner" --microguest "$build/guests/pci_probe" --memory 8M --serial "log=$dir/serial.log" > "$dir/out" 2>&1
status=$?
[ $status = 0 ] || fail "exit status $status, wanted 0"
grep -q PCI-PROBE-DONE "$dir/serial.log" || fail "the probe did not say that it is done"

timeout 140 "$build/vm-runner" --microguest "$build/guests/pci_probe" --memory 8M --append fault=8 --serial "log=$dir/fault.log" \
	> "$dir/out" 2>&1
status=$?
[ $status = 5 ] || fail "a wild pointer: exit status $status, wanted 5"
grep -q 'the microguest trapped: vector 14, .*cr2 0x8' "$dir/out" || fail "a wild pointer is not reported"

printf 'MZ' > "$dir/bad"
timeout 140 "$build/vm-runner" --microguest "$dir/bad" > "$dir/out" 2>&1
[ $? = 3 ] || fail "a file that is no ELF is run"
echo "PASS: $(grep -c '^ok' "$dir/serial.log") checks inside the microguest"
