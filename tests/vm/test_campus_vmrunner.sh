#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The campus lab on vm-runner, with a KVM that boots kernels: who reaches whom, cards plugged and pulled while the machines
# run, netloomd killed and started again under ping, a VM killed under ping.
#
#    h1 (VLAN 10) --p1 +-----+          +-----+ p1-- h2 (VLAN 10)
#                      | sw1 |--trunk---| sw2 |
#    h3 (VLAN 20) --p2 +-----+  10, 20  +-----+ p2-- h4 (VLAN 20)
#
#    h5 ------------------- wire ------------------- h6
#    h2:eth2 ------- wire, plugged later -------- eth2:h4
#
# nested: --memory 4096 --cpus 3
# limit: 1500
set -euo pipefail
top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
export NETLOOM_LIBDIR=${NETLOOM_LIBDIR:-$top/control/lab/image}
netloom=$BUILD/netloom

if ! why=$("$BUILD/vm-runner" --check 2>&1); then
	printf 'KVM here cannot run a kernel (%s); tests/nested/run has one that can\n' "$(tail -n 1 <<<"$why")"
	exit 77
fi

work=$(mktemp -d)
export NETLOOM_RUNDIR=$work/run
cleanup()
{
	local status=$?
	trap '' INT TERM HUP
	if [ $status != 0 ]; then
		"$netloom" ps || true
		tail -n 20 "$NETLOOM_RUNDIR"/netloomd.log 2>/dev/null || true
	fi
	"$netloom" down --all >/dev/null 2>&1 || true
	rm -rf "$work"
	exit $status
}
trap cleanup EXIT
trap 'exit 143' INT TERM HUP

begin=$SECONDS
say()
{
	printf '%4d s  %s\n' $((SECONDS - begin)) "$*"
}

fail()
{
	say "FAIL: $*"
	exit 1
}

# nodes KEY: "NODE VALUE" of each VM, from netloom ps --json
nodes()
{
	"$netloom" ps --json | python3 -c '
import json, sys
for row in json.load(sys.stdin):
    if row["kind"] == "vm":
        print(row["node"], row[sys.argv[1]])' "$1"
}

# node KEY NODE: one of them
node()
{
	nodes "$1" | sed -n "s/^$2 //p"
}

guest()
{
	local name=$1
	shift
	"$netloom" exec "campus/$name" -- "$@"
}

# ping_start NODE ADDRESS: five pings a second, until ping_stop NODE
ping_start()
{
	guest "$1" sh -c "ping -i 0.2 $2 </dev/null >/tmp/ping 2>&1 & echo \$! >/tmp/ping.pid"
}

# ping_last NODE: the number of the last answer
ping_last()
{
	guest "$1" sh -c 'sed -n "s/.*seq=\([0-9]*\).*/\1/p" /tmp/ping | tail -n 1'
}

# ping_stop NODE: each answer's number and its milliseconds, into $work/NODE
ping_stop()
{
	guest "$1" sh -c 'kill -INT $(cat /tmp/ping.pid); cat /tmp/ping' |
		sed -n 's/.*seq=\([0-9]*\).*time=\([0-9.]*\).*/\1 \2/p' >"$work/$1"
	[ -s "$work/$1" ] || fail "$1: no ping was answered"
}

# lost NODE: the longest run of pings without an answer between two with one
lost()
{
	awk 'NR > 1 && $1 - last - 1 > most { most = $1 - last - 1 } { last = $1 } END { print most + 0 }' "$work/$1"
}

# slowest NODE: the longest way of an answered ping, in whole milliseconds
slowest()
{
	awk '$2 > most { most = $2 } END { printf "%d\n", most }' "$work/$1"
}

# until_true SECONDS WHAT COMMAND...
until_true()
{
	local end=$((SECONDS + $1)) what=$2
	shift 2
	until "$@"; do
		[ $SECONDS -lt $end ] || fail "$what"
		sleep 0.2
	done
}

answered_beyond()
{
	local last
	last=$(ping_last "$1")
	[ "${last:-0}" -gt "$2" ]
}

say "netloom up"
if ! "$netloom" up --timeout 400 "$top/examples/campus.yaml"; then
	say "note: once more: the emulated SVM may spoil a guest (tests/README.md)"
	"$netloom" ps || true
	"$netloom" down --all
	"$netloom" up --timeout 400 "$top/examples/campus.yaml"
fi
"$netloom" ps
[ "$(nodes vmm | grep -c ' vm-runner$')" = 6 ] || fail "not all six VMs run on vm-runner"
"$netloom" test campus || fail "the matrix is not as the lab file says"

# carrier NODE WANTED: does the guest's card see it?
carrier()
{
	[ "$(guest "$1" cat /sys/class/net/eth1/carrier)" = "$2" ]
}

say "a cable is pulled and plugged"
"$netloom" link set campus/h1:eth1 down
until_true 60 "h1 still has carrier" carrier h1 0
"$netloom" link set campus/h1:eth1 up
until_true 60 "h1 gets no carrier" carrier h1 1
until_true 60 "h1 is not reached again" guest h2 ping -c 1 -W 1 10.0.10.1

say "a cable is added between two machines that run"
pids=$(nodes pid)
cp "$top/examples/campus.yaml" "$work/campus.yaml"
sed -i 's|\(h\([24]\): .*eth1: [0-9./]*\)|\1, eth2: 192.168.7.\2/24|' "$work/campus.yaml"
echo '    - endpoints: ["h2:eth2", "h4:eth2"]' >>"$work/campus.yaml"
"$netloom" up "$work/campus.yaml"
[ "$(nodes pid)" = "$pids" ] || fail "a VM was started anew for a card"
until_true 60 "no ping over the new cable" guest h2 ping -c 1 -W 1 192.168.7.4

say "netloomd is killed and started again, under ping"
boot_id=$(guest h1 cat /proc/sys/kernel/random/boot_id)
ports=$("$netloom" show ports campus | awk '{ print $1, $2, $3 }')
ping_start h1 10.0.10.2
ping_start h5 10.0.30.2
until_true 60 "no ping of h1 is answered" answered_beyond h1 5
until_true 60 "no ping of h5 is answered" answered_beyond h5 5
daemon=$(cat "$NETLOOM_RUNDIR/netloomd.pid")
kill -KILL "$daemon"
until_true 10 "netloomd does not die" test ! -e "/proc/$daemon/exe"
"$netloom" up "$work/campus.yaml" | tee "$work/up"
grep -q "nothing to do" "$work/up" || fail "up after the card is not idempotent"
[ "$(cat "$NETLOOM_RUNDIR/netloomd.pid")" != "$daemon" ] || fail "no new netloomd"
before=$(ping_last h1)
until_true 30 "no ping of h1 is answered after the restart" answered_beyond h1 $((before + 10))
until_true 30 "no ping of h5 is answered after the restart" answered_beyond h5 $((before + 10))
ping_stop h1
ping_stop h5
for name in h1 h5; do
	# A ping that waited in the guest's ring is answered late and not lost.
	say "$name: $(lost $name) pings in a row, five a second, had no answer; the slowest took $(slowest $name) ms"
	[ "$(lost $name)" -le 25 ] || fail "$name: pings did not resume within 5 s"
	[ "$(slowest $name)" -le 5000 ] || fail "$name: a ping waited for more than 5 s"
done
[ "$(nodes pid)" = "$pids" ] || fail "a VM was started anew"
[ "$(guest h1 cat /proc/sys/kernel/random/boot_id)" = "$boot_id" ] || fail "h1 booted again"
[ "$("$netloom" show ports campus | awk '{ print $1, $2, $3 }')" = "$ports" ] || fail "the ports are not the same"
"$netloom" test campus || fail "the matrix is not as the lab file says after the restart"

say "a VM is killed, under ping"
ping_start h1 10.0.10.2
ping_start h3 10.0.20.2
ping_start h5 10.0.30.2
for name in h1 h3 h5; do
	until_true 60 "no ping of $name is answered" answered_beyond $name 5
done
kill -KILL "$(node pid h2)"
dead()
{
	[ "$(node state h2)" != running ]
}
until_true 20 "netloom ps does not notice that h2 died" dead
"$netloom" ps
last=$(ping_last h3)
until_true 60 "h3 is not answered after h2's death" answered_beyond h3 $((last + 15))
for name in h1 h3 h5; do
	ping_stop $name
done
for name in h3 h5; do
	[ "$(lost $name)" = 0 ] || fail "$name lost $(lost $name) pings because h2 died"
done
"$netloom" log campus/h2 >"$work/log" || fail "no log of the dead VM"
[ -s "$work/log" ] || fail "the dead VM's log is empty"

say "and started again; another reboots by itself"
boot_id=$(guest h4 cat /proc/sys/kernel/random/boot_id)
guest h4 reboot -f >/dev/null 2>&1 || true
"$netloom" start campus/h2
[ "$(node state h2)" = running ] || fail "h2 does not run again"
rebooted()
{
	local now
	now=$(guest h4 cat /proc/sys/kernel/random/boot_id 2>/dev/null)
	[ -n "$now" ] && [ "$now" != "$boot_id" ]
}
until_true 240 "h4 does not come back from its reboot" rebooted
"$netloom" test campus || fail "the matrix is not as the lab file says after h2 came back"
until_true 30 "h2 or h4 came back without the cable that was plugged while they ran" guest h2 ping -c 1 -W 1 192.168.7.4

say "the cable is taken away again, while they run"
pids=$(nodes pid)
"$netloom" up "$top/examples/campus.yaml"
[ "$(nodes pid)" = "$pids" ] || fail "a VM was started anew to pull a card"
for name in h2 h4; do
	! guest $name ls -d /sys/class/net/eth2 2>/dev/null || fail "$name still has the card"
done

say "netloom down"
"$netloom" down campus
[ ! -e "$NETLOOM_RUNDIR" ] || fail "left behind: $(find "$NETLOOM_RUNDIR")"
! pgrep -l vm-runner || fail "processes are left"
! pgrep -l netloomd || fail "processes are left"
say "all as it should be"
