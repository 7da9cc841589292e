#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Two Linux guests and cables that behave like cables: a card that is plugged while they run, LACP over both, LLDP, carrier.
#
#   [h1] eth1 ---- wire ---- eth1 [h2]        bond0, 802.3ad, over both wires
#   [h1] eth2 ---- wire ---- eth2 [h2]        plugged later
# shellcheck disable=SC2016  # what is in single quotes is expanded in the guests
# shares: the machine
# limit: 600
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$(dirname "$here")")
build=${BUILD:-$repo/build}
netloom=$build/netloom
[ -x "$netloom" ] || {
	echo "skipped: there is no $netloom; run make first"
	exit 77
}
command -v lldpd mkfs.ext4 >/dev/null || {
	echo "skipped: there is no lldpd, or no mkfs.ext4 (e2fsprogs)"
	exit 77
}
[ "$(id -u)" -eq 0 ] || {
	echo "skipped: the guest image is built as root"
	exit 77
}

dir=$(mktemp -d)
export NETLOOM_RUNDIR=$dir/run NETLOOM_LIBDIR=$repo/control/lab/image NETLOOMD_ARGS=--no-huge PATH=$build:$PATH
cleanup()
{
	"$netloom" down --quiet --all >/dev/null 2>&1 || true
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

say()
{
	echo "== $* ($SECONDS s)"
}
fail()
{
	echo "FAIL: $*"
	"$netloom" show ports || true
	for node in h1 h2; do
		"$netloom" log -n 20 bond/$node || true
	done
	exit 1
}
# until_true SECONDS COMMAND...
until_true()
{
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.3
	done
}
guest()
{
	local node=$1
	shift
	"$netloom" exec --timeout 100 "bond/$node" -- sh -c "$*"
}

# lldpd and what it needs, as a disk
mkdir -p "$dir/lldp/usr/sbin" "$dir/lldp/lib"
cp /usr/sbin/lldpd /usr/sbin/lldpcli "$dir/lldp/usr/sbin"
ldd /usr/sbin/lldpd /usr/sbin/lldpcli | awk '$3 ~ /^\// { print $3 }' | sort -u | xargs cp -Lt "$dir/lldp/lib"
truncate -s 100M "$dir/lldp.img"
mkfs.ext4 -q -O ^has_journal -d "$dir/lldp" "$dir/lldp.img"

cat >"$dir/lab.yaml" <<'END'
name: bond
topology:
  defaults: { memory: 160M, vmm: qemu, disk: { file: lldp.img, format: raw, mode: readonly } }
  nodes:
    h1: { kind: vm }
    h2: { kind: vm }
  links:
    - endpoints: ["h1:eth1", "h2:eth1"]
END
"$netloom" up --quiet --timeout 300 "$dir/lab.yaml" || fail "up"

say "a second card, while they run"
pids=$("$netloom" ps --json | python3 -c 'import json,sys; print([v["pid"] for v in json.load(sys.stdin)])')
echo '    - { endpoints: ["h1:eth2", "h2:eth2"], impair: { delay: 2ms } }' >>"$dir/lab.yaml"
"$netloom" up --quiet --timeout 300 "$dir/lab.yaml" || fail "up with a second card"
[ "$("$netloom" ps --json | python3 -c 'import json,sys; print([v["pid"] for v in json.load(sys.stdin)])')" = "$pids" ] ||
	fail "a VM was restarted for a card"
"$netloom" up "$dir/lab.yaml" | grep -q "nothing to do" || fail "up is not idempotent"

say "LACP"
for node in h1 h2; do
	guest $node 'set -e; modprobe bonding max_bonds=0; ip link add bond0 type bond mode 802.3ad miimon 100 lacp_rate fast
		for dev in eth1 eth2; do
			ip address flush dev $dev; ip link set $dev down; ethtool -s $dev speed 1000 duplex full; ip link set $dev master bond0
		done
		ip link set bond0 up' || fail "no bond on $node"
done
guest h1 ip address add 10.0.0.1/24 dev bond0
guest h2 ip address add 10.0.0.2/24 dev bond0
# Both cards in one aggregator, with the other guest as the partner
bonded='[ "$(grep -c "^Slave Interface" /proc/net/bonding/bond0)" = 2 ] &&
	[ "$(grep "Aggregator ID" /proc/net/bonding/bond0 | tr -d "\t" | sort -u | wc -l)" = 1 ] &&
	grep "Number of ports: 2" /proc/net/bonding/bond0 &&
	! grep "Partner Mac Address: 00:00:00:00:00:00" /proc/net/bonding/bond0'
for node in h1 h2; do
	until_true 60 guest $node "$bonded" || fail "no LACP on $node: $(guest $node cat /proc/net/bonding/bond0)"
done
until_true 30 guest h1 ping -c 1 -W 2 10.0.0.2 || fail "no ping over the bond"

say "LLDP"
for node in h1 h2; do
	guest $node 'mkdir -p /lldp && mount -t ext4 -o ro /dev/vda /lldp' || fail "$node has no disk with lldpd"
	# By its file, which lldpd applies before its first frame: lldpd runs a lldpcli of its own at its start, which can undo
	# what another one sets at the same time. The name is what the guest resolves its own to.
	guest $node 'set -e; echo _lldpd:x:990:990::/run/lldpd:/bin/false >>/etc/passwd; echo _lldpd:x:990: >>/etc/group
		echo "configure lldp tx-interval 1" >/etc/lldpd.conf; mkdir -p /run/lldpd; export LD_LIBRARY_PATH=/lldp/lib
		/lldp/usr/sbin/lldpd -I eth1,eth2 -L /lldp/usr/sbin/lldpcli </dev/null >/dev/null 2>&1' ||
		fail "lldpd does not start on $node"
done
for pair in h1:h2 h2:h1; do
	node=${pair%:*} other=${pair#*:}
	for dev in eth1 eth2; do
		until_true 90 guest "$node" "LD_LIBRARY_PATH=/lldp/lib /lldp/usr/sbin/lldpcli -f keyvalue show neighbors ports $dev |
			grep 'chassis.name=$other\$'" || fail "$node does not see its neighbour on $dev: \
$(for node in "$node" "$other"; do
			guest "$node" 'export LD_LIBRARY_PATH=/lldp/lib; for what in neighbors chassis configuration statistics; do
				/lldp/usr/sbin/lldpcli show $what; done'
		done)"
	done
done

say "one cable is pulled: both see it, the bond goes on"
"$netloom" link set bond/h1:eth1 down
for node in h1 h2; do
	[ "$(guest $node cat /sys/class/net/eth1/carrier)" = 0 ] || fail "$node has a carrier on a cut cable"
done
until_true 30 guest h1 ping -c 1 -W 2 10.0.0.2 || fail "no ping over what is left of the bond"
"$netloom" link set bond/h2:eth1 up

say "the other machine stops, and comes back with its links"
"$netloom" stop --force bond/h2
until_true 20 guest h1 '[ "$(cat /sys/class/net/eth1/carrier)" = 0 ]' || fail "h1 has a carrier, and nobody is there"
"$netloom" start bond/h2 || fail "start"
guest h2 ip link show dev eth2 >/dev/null || fail "the card that was plugged has gone with the restart"
until_true 20 guest h1 '[ "$(cat /sys/class/net/eth1/carrier)" = 1 ]' || fail "h1 has no carrier, and h2 is back"
echo "cables are cables ($SECONDS s)"
