#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
#
# Several netloom at once, each with a lab of its own, on one netloomd that the first starts and the last ends;
# then a netloomd that is killed. Switches only: no guest, no KVM.
#
#    netloom up/down a --+
#    netloom up/down b --+-- daemon.lock -- one netloomd      a: s1 -- s2   b: s1 -- s2   c: s1 -- s2
#    netloom up/down c --+
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$(dirname "$here")")
build=${BUILD:-$repo/build}
netloom=$build/netloom
rounds=8

skip()
{
	echo "skipped: $*"
	exit 77
}
[ -x "$netloom" ] && [ -x "$build/netloomd" ] || skip "there is no $netloom and $build/netloomd; run make first"
[ "$(id -u)" -eq 0 ] || skip "needs root"

dir=$(mktemp -d /tmp/nl-XXXXXX)
export NETLOOM_RUNDIR=$dir/run NETLOOM_LIBDIR=$repo/control/lab/image NETLOOMD_ARGS=--no-huge

finish()
{
	local status=$?
	trap - EXIT
	trap '' INT TERM
	wait
	"$netloom" down --all --quiet 2>/dev/null || true
	rm -rf "$dir"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

fail()
{
	echo "FAIL: $*"
	exit 1
}

# Process ids of the netloomd of this run directory.
daemons()
{
	local file

	for file in $(grep -lszxF "NETLOOM_RUNDIR=$NETLOOM_RUNDIR" /proc/[0-9]*/environ 2>/dev/null || true); do
		file=${file%/environ}
		[ "$(cat "$file/comm" 2>/dev/null)" != netloomd ] || echo "${file#/proc/}"
	done
}

for lab in a b c; do
	cat >"$dir/$lab.yaml" <<-EOF
		name: $lab
		topology:
		  nodes:
		    s1: { kind: switch }
		    s2: { kind: switch }
		  links:
		    - { endpoints: ['s1:up', 's2:up'] }
	EOF
done

one_lab()
{
	local lab=$1

	for ((i = 0; i < rounds; i++)); do
		timeout 120 "$netloom" up --quiet "$dir/$lab.yaml" || return 1
		timeout 60 "$netloom" show switches "$lab" | grep '^s2 ' >/dev/null || { echo "$lab has no s2"; return 1; }
		timeout 120 "$netloom" down --quiet "$lab" || return 1
	done
}

echo "-- three labs go up and down $rounds times each, at the same time"
jobs=()
for lab in a b c; do
	one_lab "$lab" >"$dir/$lab.out" 2>&1 &
	jobs+=($!)
done
failed=0
for job in "${jobs[@]}"; do
	wait "$job" || failed=1
done
if [ "$failed" -ne 0 ]; then
	cat "$dir"/?.out
	fail "labs got into each other's way"
fi
[ ! -e "$NETLOOM_RUNDIR" ] || fail "left over: $(find "$NETLOOM_RUNDIR")"
[ -z "$(daemons)" ] || fail "a netloomd was left behind"

echo "-- a netloomd that was killed: up says what is left to do"
"$netloom" up --quiet "$dir/a.yaml"
kill -KILL "$(cat "$NETLOOM_RUNDIR/netloomd.pid")"
for ((i = 0; i < 100; i++)); do
	[ -n "$(daemons)" ] || break
	sleep 0.05
done
"$netloom" up --dry-run "$dir/a.yaml" | grep 'netloomd has ended; what it had comes back' >/dev/null ||
	fail "--dry-run does not say that netloomd has ended"
"$netloom" up "$dir/a.yaml" >"$dir/again"
grep -q 'it runs again, with what it had' "$dir/again" || fail "up: $(cat "$dir/again")"
grep -q 'nothing to do' "$dir/again" || fail "up: $(cat "$dir/again")"
"$netloom" down --quiet a
[ ! -e "$NETLOOM_RUNDIR" ] || fail "left over: $(find "$NETLOOM_RUNDIR")"
[ -z "$(daemons)" ] || fail "a netloomd was left behind"
echo "passed"
