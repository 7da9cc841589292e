#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# TCP between two guests through the switch: segmentation offload on both sides, off on the sender, off on the receiver; the
# payload's checksum is compared each time.
#
#    a:eth1 --- access 10 --- sw --- access 10 --- b:eth1
# shares: the machine
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$(dirname "$here")")
build=${BUILD:-$repo/build}
netloom=$build/netloom

skip()
{
	echo "skipped: $*"
	exit 77
}
[ -x "$netloom" ] && [ -x "$build/netloomd" ] || skip "there is no $netloom and $build/netloomd; run make first"
command -v qemu-system-x86_64 >/dev/null || skip "qemu-system-x86_64 is not installed"
[ "$(id -u)" -eq 0 ] || skip "needs root"
"$repo/control/lab/image/netloom-image" path >/dev/null || skip "no guest image can be built here"

dir=$(mktemp -d /tmp/nl-XXXXXX)
export NETLOOM_RUNDIR=$dir/run NETLOOM_LIBDIR=$repo/control/lab/image NETLOOMD_ARGS=--no-huge

finish()
{
	local status=$?
	trap - EXIT
	trap '' INT TERM
	if [ "$status" -ne 0 ]; then
		"$netloom" show ports || true
		"$netloom" show drops || true
	fi
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

in_guest()
{
	"$netloom" exec --timeout 120 "tcp/$1" -- sh -c "$2"
}

# listens PORT: what a guest says to wait until someone listens there
listens()
{
	echo "until netstat -ltn | grep -q ':$1 '; do sleep 0.2; done"
}

# transfer WHAT: 4 MB of noise from a to b; the checksum must arrive. b's nc keeps its input open: it ends at end of file.
transfer()
{
	local sent received=
	in_guest b "killall -q nc; rm -f /tmp/in; (sleep 600 | nc -l -p 5001 >/tmp/in 2>/dev/null &) </dev/null >/dev/null 2>&1
		$(listens 5001)"
	sent=$(in_guest a "head -c 4000000 /dev/urandom >/tmp/out; timeout 60 nc 10.0.0.2 5001 </tmp/out; md5sum </tmp/out")
	for _ in $(seq 60); do
		received=$(in_guest b "md5sum </tmp/in")
		[ "$sent" != "$received" ] || break
		sleep 0.5
	done
	[ "$sent" = "$received" ] || fail "$1: sent $sent, received $received, $(in_guest b 'wc -c </tmp/in') bytes"
	echo "-- $1: the payload arrived ($SECONDS s)"
}

cat >"$dir/tcp.yaml" <<'EOF'
name: tcp
topology:
  nodes:
    sw: { kind: switch }
    a: { kind: vm, memory: 192M, ipv4: { eth1: 10.0.0.1/24 } }
    b: { kind: vm, memory: 192M, ipv4: { eth1: 10.0.0.2/24 } }
  links:
    - { endpoints: ["a:eth1", "sw:a"], vlan: { access: 10 } }
    - { endpoints: ["b:eth1", "sw:b"], vlan: { access: 10 } }
EOF
"$netloom" up --quiet --timeout 300 "$dir/tcp.yaml" || fail "up"
in_guest a "ethtool -k eth1" >"$dir/features"
grep -q 'tcp-segmentation-offload: on' "$dir/features" || fail "TSO was not negotiated: $(grep tcp-seg "$dir/features")"

transfer "TSO and checksum offload on both sides"
in_guest a "ethtool -K eth1 tso off gso off tx off"
transfer "no offload at the sender"
in_guest a "ethtool -K eth1 tx on; ethtool -K eth1 tso on gso on"
in_guest b "ethtool -K eth1 gro off lro off 2>/dev/null || ethtool -K eth1 gro off"
transfer "no large receive at the receiver"

in_guest b "(iperf3 -s -1 >/dev/null 2>&1 &) </dev/null; $(listens 5201)"
in_guest a "iperf3 -c 10.0.0.2 -n 4M -f m" >"$dir/iperf" || fail "iperf3: $(cat "$dir/iperf")"
grep -E 'sender|receiver' "$dir/iperf"
"$netloom" show drops tcp
