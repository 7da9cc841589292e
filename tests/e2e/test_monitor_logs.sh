#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
#
# A VM's monitor bounds the logs of a guest that prints for ever. A shell stands in the VMM's place.
#
#    monitor -- shell --> boot.log (40 MB at once), console.log (without end)
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=${BUILD:-$(dirname "$(dirname "$here")")/build}
netloom=$build/netloom
monitor=

[ -x "$netloom" ] || {
	echo "skipped: there is no $netloom; run make first"
	exit 77
}
dir=$(mktemp -d /tmp/nl-XXXXXX)

finish()
{
	local status=$?
	trap - EXIT
	[ -z "$monitor" ] || kill "$monitor" 2>/dev/null || true
	wait
	rm -rf "$dir"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

cat >"$dir/guest" <<'EOF'
cd "$1" || exit 1
yes 'a line of the kernel' | head -c 40000000 >>boot.log
while head -c 2000000 /dev/zero >>console.log; do
	sleep 0.05
done
EOF
echo "{\"vmm\": \"qemu\", \"argv\": [\"sh\", \"$dir/guest\", \"$dir\"]}" >"$dir/vmm.json"
"$netloom" _monitor "$dir" 3>"$dir/report" &
monitor=$!

for log in boot console; do
	for ((i = 0; i < 300; i++)); do
		! grep -aqs '^\[netloom: the log had more than 8388608 bytes; .* in '"$log.log.1" "$dir/$log.log" || continue 2
		sleep 0.1
	done
	echo "FAIL: $log.log is not cut: $(ls -l "$dir")"
	exit 1
done
grep -qx ok "$dir/report"
[ "$(stat -c %s "$dir/boot.log.1")" -eq 4194304 ] || exit 1
[ "$(stat -c %s "$dir/console.log.1")" -eq 4194304 ] || exit 1
kill -TERM "$monitor"
wait "$monitor"
monitor=
grep -q '"asked": true' "$dir/exit.json"
echo "passed"
