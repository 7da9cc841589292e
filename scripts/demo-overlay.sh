#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# make demo-overlay: one lab file, two hosts. Network namespaces stand for the hosts, a veth pair for what is between them; each
# brings up its part of examples/overlay.yaml with a netloomd of its own, and what is behind TAPs of the one pings and talks TCP to
# the other's, through the switch's VLAN and through the cable.
#
# Exit status 0 only if all of it worked. All is in a mount namespace with a /run/netns of its own: no name that is in use outside is in
# the way, and what is made here is gone when this ends, also when it is interrupted.
#
# Usage: BUILD=<build directory> scripts/demo-overlay.sh
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$here")
build=$(cd "${BUILD:-$repo/build}" && pwd)
lab=$repo/examples/overlay.yaml

[ "$(id -u)" -eq 0 ] || {
	echo "demo-overlay: needs root, for network namespaces; try: sudo make demo-overlay" >&2
	exit 1
}
if [ "${1:-}" != inside ]; then
	exec unshare --mount --propagation private -- "$0" inside
fi

dir=$(mktemp -d /run/netloom-demo-XXXXXX)
export PATH=$build:$PATH
server=

# on HOST COMMAND...: on one of the hosts
on()
{
	local host=$1
	shift
	ip netns exec "$host" env NETLOOM_RUNDIR="$dir/$host" "$@"
}

finish()
{
	local status=$? host
	trap - EXIT
	trap '' INT TERM HUP
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	for host in hostA hostB; do
		[ -d "$dir/$host" ] || continue
		if [ "$status" -ne 0 ] && [ -f "$dir/$host/netloomd.log" ]; then
			echo "--- the last lines of the netloomd of $host"
			tail -n 5 "$dir/$host/netloomd.log"
		fi
		on "$host" netloom down --all || status=1
	done
	for host in hostA hostB a b; do
		ip netns delete "$host" 2>/dev/null || true
	done
	rm -rf "$dir"
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

step()
{
	printf '\n== %s\n' "$*"
}

cat <<'PICTURE'

   hostA (a network namespace)                          hostB (a network namespace)
  +-------------------------------+                    +-------------------------------+
  | a:eth1 10.0.10.1              |                    |              b:eth1 10.0.10.2 |
  |   | VLAN 10                   |                    |                   VLAN 10 |   |
  | [ switch lan ]                |                    |                [ switch lan ] |
  |   | VNI 10010                 |                    |                 VNI 10010 |   |
  | netloomd, VTEP 192.0.2.1 -- eth0 == VXLAN / UDP == eth0 -- VTEP 192.0.2.2, netloomd |
  |   | a VNI of its own          |                    |          a VNI of its own |   |
  | a:eth2 10.0.20.1 . . . . . . . . . . a cable . . . . . . . . . . b:eth2 10.0.20.2   |
  +-------------------------------+                    +-------------------------------+
PICTURE

mkdir -p /run/netns
mount -t tmpfs netloom-demo /run/netns
for name in hostA hostB a b; do
	ip netns add "$name"
	ip -n "$name" link set lo up
done
# The underlay has 54 bytes more than the guests: 50 for VXLAN, and a VLAN tag on the cable.
ip link add eth0 mtu 1554 netns hostA type veth peer name eth0 mtu 1554 netns hostB
ip -n hostA address add 192.0.2.1/24 dev eth0
ip -n hostB address add 192.0.2.2/24 dev eth0
ip -n hostA link set eth0 up
ip -n hostB link set eth0 up

for host in hostA hostB; do
	step "$host: netloom up examples/overlay.yaml --host $host"
	mkdir "$dir/$host"
	on "$host" netloom up "$lab" --host "$host"
done

step "hostA: netloom test overlay (who reaches whom: expected against measured)"
on hostA netloom test overlay
step "hostB: netloom test overlay"
on hostB netloom test overlay

# tcp WHAT ADDRESS: TCP from a to b
tcp()
{
	local tries=100
	step "$1: ping and TCP (iperf3) from a to b"
	ip netns exec a ping -c 3 -i 0.2 -W 5 "$2"
	ip netns exec b iperf3 -s -1 >/dev/null &
	server=$!
	until [ -n "$(ip netns exec b ss -Htln sport = :5201)" ]; do
		[ $((tries -= 1)) -gt 0 ] || return 1
		sleep 0.1
	done
	ip netns exec a iperf3 -c "$2" -t 2 | grep -E 'sender|receiver'
	wait "$server"
	server=
}
tcp "VLAN 10 of the switch, VNI 10010" 10.0.10.2
tcp "the cable" 10.0.20.2

for what in vteps vnis fdb links; do
	step "hostA: netloom show $what"
	on hostA netloom show $what
done

for host in hostA hostB; do
	step "$host: netloom down overlay"
	on "$host" netloom down overlay
	if [ -e "$dir/$host" ]; then
		echo "demo-overlay: the run directory of $host is not empty after \`down\`:" >&2
		find "$dir/$host" >&2
		exit 1
	fi
done
step "all of it worked, and is taken away"
