#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The campus lab on QEMU, through everything that the command line promises.
#
#    h1 (VLAN 10) --+-----+          +-----+-- h2 (VLAN 10)
#                   | sw1 |--trunk---| sw2 |                  h5 ---- wire ---- h6     (h5: packed rings)
#    h3 (VLAN 20) --+-----+  10, 20  +-----+-- h4 (VLAN 20)
# shares: the machine
# limit: 600
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$(dirname "$here")")
build=${BUILD:-$repo/build}
netloom=$build/netloom
image=$repo/control/lab/image/netloom-image

skip()
{
	echo "skipped: $*"
	exit 77
}
[ -x "$netloom" ] && [ -x "$build/netloomd" ] || skip "there is no $netloom and $build/netloomd; run make first"
command -v qemu-system-x86_64 >/dev/null || skip "qemu-system-x86_64 is not installed"
[ "$(id -u)" -eq 0 ] || skip "needs root"
"$image" path >/dev/null || skip "no guest image can be built here"

dir=$(mktemp -d /tmp/nl-XXXXXX)
export NETLOOM_RUNDIR=$dir/run NETLOOM_LIBDIR=$repo/control/lab/image NETLOOMD_ARGS=--no-huge
background=

finish()
{
	local status=$?
	trap - EXIT
	trap '' INT TERM
	if [ "$status" -ne 0 ]; then
		"$netloom" ps || true
		tail -n 20 "$NETLOOM_RUNDIR/netloomd.log" 2>/dev/null || true
	fi
	[ -z "$background" ] || kill "$background" 2>/dev/null || true
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

say()
{
	echo "-- $*"
}

# until_true SECONDS COMMAND...: poll
until_true()
{
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.2
	done
}

# field NODE KEY: of `ps --json`
field()
{
	"$netloom" ps --json campus | python3 -c '
import json, sys
print([v.get(sys.argv[2]) for v in json.load(sys.stdin) if v["node"] == sys.argv[1]][0])' "$1" "$2"
}

carrier()
{
	"$netloom" exec campus/h1 -- cat /sys/class/net/eth1/carrier
}

sed 's/^  defaults: {/  defaults: { vmm: qemu,/; s/h5: { kind: vm,/h5: { kind: vm, rings: packed,/' "$repo/examples/campus.yaml" >"$dir/campus.yaml"

# rings_are KIND: does h5's driver work such rings? VIRTIO_F_RING_PACKED, as the guest's kernel shows it
rings_are()
{
	[ "$("$netloom" exec campus/h5 -- cut -c35 /sys/class/net/eth1/device/features)" = "$1" ]
}

say "up, twice"
"$netloom" up --timeout 300 "$dir/campus.yaml" || fail "up"
"$netloom" up "$dir/campus.yaml" >"$dir/out"
grep -q "nothing to do" "$dir/out" || fail "the second up is not idle: $(cat "$dir/out")"

say "reachability"
"$netloom" test campus || fail "the matrix is not as expected"

say "one machine has packed rings"
rings_are 1 || fail "h5 has split rings"

say "exec: output, status, input, errors"
[ "$("$netloom" exec campus/h2 -- hostname)" = h2 ] || fail "hostname"
status=0
"$netloom" exec campus/h1 -- sh -c 'echo to-out; echo to-err >&2; exit 7' >"$dir/out" 2>"$dir/err" || status=$?
[ "$status" -eq 7 ] && [ "$(cat "$dir/out")" = to-out ] && [ "$(cat "$dir/err")" = to-err ] || fail "exec: $status"
[ "$(printf 'a b\nc' | "$netloom" exec -i campus/h1 -- md5sum)" = "$(printf 'a b\nc' | md5sum)" ] || fail "exec -i"
status=0
"$netloom" exec campus/h1 -- /no/such/program 2>"$dir/err" || status=$?
[ "$status" -eq 255 ] && grep -q "the guest says" "$dir/err" || fail "exec of nothing: $status $(cat "$dir/err")"
"$netloom" exec campus/h1 -- sh -c 'head -c 3000000 /dev/urandom | od -An -tx1 | head -c 3000000' | wc -c | grep -qx 3000000 ||
	fail "large output"

say "two execs at the same time take turns"
"$netloom" exec campus/h1 -- sleep 1 &
background=$!
"$netloom" exec campus/h1 -- true || fail "the second exec"
wait "$background" || fail "the first exec"
background=

say "link down and up: carrier in the guest"
"$netloom" link set campus/sw1:p1 down
[ "$(carrier)" = 0 ] || fail "carrier is still there"
"$netloom" exec campus/h1 -- ping -c 1 -W 1 10.0.10.2 >/dev/null && fail "a ping went through a cut link"
"$netloom" link set campus/h1:eth1 up
until_true 10 sh -c "[ \"\$('$netloom' exec campus/h1 -- cat /sys/class/net/eth1/carrier)\" = 1 ]" || fail "no carrier"
"$netloom" exec campus/h1 -- ping -c 3 -W 2 10.0.10.2 >/dev/null || fail "no ping after link up"

say "console"
{
	sleep 1
	printf '\necho con"sole"-works\n'
	sleep 3
	printf '\035'
} | "$netloom" console campus/h3 >"$dir/out" 2>/dev/null || fail "console"
grep -q console-works "$dir/out" || fail "the console said: $(cat "$dir/out")"
"$netloom" log campus/h3 | grep -q console-works || fail "the console is not in the log"

say "an edit changes only what differs"
before=$(field h2 pid)
before_h4=$(field h4 pid)
sed 's,10.0.10.1/16,10.0.10.11/16,; s,h4: { kind: vm,h4: { kind: vm\, memory: 144M,; s/trunk: \[10, 20\]/trunk: [20]/' \
	"$dir/campus.yaml" >"$dir/edited.yaml"
"$netloom" up --dry-run "$dir/edited.yaml" >"$dir/out"
grep -q "restart  VM h4" "$dir/out" && grep -q "change   VM h1: addresses" "$dir/out" || fail "plan: $(cat "$dir/out")"
[ "$(field h4 pid)" = "$before_h4" ] || fail "--dry-run did something"
"$netloom" up --quiet --timeout 300 "$dir/edited.yaml" || fail "up of the edited file"
[ "$(field h2 pid)" = "$before" ] || fail "an untouched VM was restarted"
[ "$(field h4 pid)" != "$before_h4" ] || fail "h4 has not been restarted"
"$netloom" exec campus/h1 -- ip -o -4 address show dev eth1 | grep -q 10.0.10.11/16 || fail "h1's address"
# VLAN 10 no longer crosses the trunk, and the expectation knows.
"$netloom" test campus || fail "the matrix after the edit"
"$netloom" up --quiet --timeout 300 "$dir/campus.yaml" || fail "up of the first file again"

say "netloomd is killed and comes back: no guest is touched, pings go on"
before=$(field h1 pid)
kill -KILL "$(cat "$NETLOOM_RUNDIR/netloomd.pid")"
"$netloom" up --quiet "$dir/campus.yaml" || fail "up after netloomd was killed"
[ "$(field h1 pid)" = "$before" ] || fail "a guest was restarted"
until_true 20 "$netloom" exec campus/h1 -- ping -c 1 -W 1 10.0.10.2 >/dev/null || fail "no ping after the restart"

# QEMU's network cards keep no in-flight state: what the last switch knew of packed rings is gone. Nothing of it may be left either.
say "packed rings in QEMU: after a restart of their driver they work with the new switch"
"$netloom" exec campus/h5 -- sh -e -c 'card=$(basename "$(readlink -f /sys/class/net/eth1/device)"); cd /sys/bus/virtio/drivers/virtio_net
	echo "$card" >unbind; echo "$card" >bind; while ! [ -e "/sys/bus/virtio/devices/$card/net" ]; do sleep 0.1; done
	ip link set "$(ls "/sys/bus/virtio/devices/$card/net")" name eth1; ip link set eth1 up; ip addr add 10.0.30.1/16 dev eth1' ||
	fail "h5's driver cannot be restarted"
until_true 20 "$netloom" exec campus/h5 -- ping -c 1 -W 1 10.0.30.2 >/dev/null || fail "h5 has no traffic"
rings_are 1 || fail "h5 has split rings now"

say "a VM that dies is reported, the others go on"
kill -SEGV "$(field h3 pid)"
until_true 10 sh -c "'$netloom' ps campus | grep -q 'h3 .*dead'" || fail "nobody noticed"
"$netloom" ps campus >"$dir/out"
grep -q "killed by signal 11" "$dir/out" && grep -q "its last words" "$dir/out" || fail "ps: $(cat "$dir/out")"
status=0
"$netloom" exec campus/h3 -- true 2>"$dir/err" || status=$?
[ "$status" -eq 255 ] && grep -q "does not run" "$dir/err" || fail "exec on a dead VM: $status"
"$netloom" exec campus/h1 -- ping -c 1 -W 2 10.0.10.2 >/dev/null || fail "the others do not go on"
"$netloom" start campus/h3 || fail "start"
"$netloom" exec campus/h3 -- ping -c 3 -W 2 10.0.20.2 >/dev/null || fail "no ping after start"

say "stop and restart"
"$netloom" stop campus/h6 || fail "stop"
[ "$(field h6 state)" = stopped ] || fail "h6 is $(field h6 state)"
until_true 10 sh -c "[ \"\$('$netloom' exec campus/h5 -- cat /sys/class/net/eth1/carrier)\" = 0 ]" ||
	fail "the other end of the wire has a carrier still"

say "down: nothing is left"
pids=$("$netloom" ps --json | python3 -c 'import json,sys; print(*[v["pid"] for v in json.load(sys.stdin) if v.get("pid")])')
pids="$pids $(cat "$NETLOOM_RUNDIR/netloomd.pid")"
"$netloom" down campus || fail "down"
for pid in $pids; do
	[ ! -e "/proc/$pid/exe" ] || fail "process $pid is left"
done
[ ! -e "$NETLOOM_RUNDIR" ] || fail "files are left: $(find "$NETLOOM_RUNDIR")"

say "Ctrl-C during up takes everything back"
"$netloom" up --quiet "$dir/campus.yaml" 2>"$dir/up.err" &
background=$!
until_true 60 test -e "$NETLOOM_RUNDIR/labs/campus/h1/pid" || fail "h1 does not start: $(cat "$dir/up.err")"
kill -INT "$background" 2>/dev/null || true
# A background job of a shell without job control ignores SIGINT; SIGTERM means the same to netloom.
kill -TERM "$background"
status=0
wait "$background" || status=$?
background=
[ "$status" -eq 130 ] || fail "an interrupted up has status $status"
[ ! -e "$NETLOOM_RUNDIR" ] || fail "files are left: $(find "$NETLOOM_RUNDIR")"

say "an up that is killed leaves nothing that down does not find"
"$netloom" up --quiet "$dir/campus.yaml" 2>"$dir/up.err" &
background=$!
until_true 60 test -e "$NETLOOM_RUNDIR/labs/campus/h1/pid" || fail "h1 does not start: $(cat "$dir/up.err")"
kill -KILL "$background"
wait "$background" 2>/dev/null || true
background=
pids=$("$netloom" ps --json | python3 -c 'import json,sys; print(*[v["pid"] for v in json.load(sys.stdin) if v.get("pid")])')
"$netloom" down campus || fail "down after a killed up"
for pid in $pids; do
	[ ! -e "/proc/$pid/exe" ] || fail "process $pid is left"
done
[ ! -e "$NETLOOM_RUNDIR" ] || fail "files are left: $(find "$NETLOOM_RUNDIR")"
echo "the campus lab keeps its promises ($SECONDS s)"
