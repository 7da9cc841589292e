#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# Two hosts, one VLAN: namespaces stand for the hosts, a veth for what is between them. Each host runs its own netloomd; a guest
# behind a TAP port of one pings and talks TCP to a guest of the other. Takes everything away again, also when interrupted.
#
# Usage: BUILD=<build directory> scripts/demo-overlay.sh

set -eu
build=${BUILD:-$(dirname "$0")/../build}
netloom=$build/netloom
tag=nldemo$$
dir=$(mktemp -d "${TMPDIR:-/tmp}/netloom-demo-XXXXXX")
PATH=$(cd "$build" && pwd):$PATH

if [ "$(id -u)" != 0 ]; then
	echo "needs root: it makes network namespaces" >&2
	exit 1
fi

on() { # HOST COMMAND...: run a command on one of the hosts
	host=$1
	shift
	ip netns exec "$tag$host" env NETLOOM_RUNDIR="$dir/$host" "$@"
}

clean() {
	trap - EXIT INT TERM
	for h in A B; do
		for what in "port delete guest" "vni delete 10010" "vtep delete other" "uplink delete up" "switch delete lan"; do
			on $h "$netloom" $what >/dev/null 2>&1 || true # the last one ends netloomd
		done
	done
	for n in A B gA gB; do
		ip netns delete "$tag$n" 2>/dev/null || true
	done
	rm -rf "$dir"
}
trap clean EXIT
trap 'clean; exit 130' INT TERM

cat <<'PICTURE'

      host A (a namespace)                                    host B (a namespace)
  +---------------------------------+                     +---------------------------------+
  | guest 10.0.10.1                 |                     |                 guest 10.0.10.2 |
  |   | TAP, access 10              |                     |              TAP, access 10 |   |
  | [ switch lan ]  VLAN 10         |                     |         VLAN 10  [ switch lan ] |
  |   | VNI 10010                   |                     |                   VNI 10010 |   |
  | netloomd, VTEP 192.0.2.1 -- eth0 ===== VXLAN/UDP ===== eth0 -- VTEP 192.0.2.2, netloomd |
  +---------------------------------+                     +---------------------------------+

PICTURE

for n in A B gA gB; do
	ip netns add "$tag$n"
done
ip link add eth0 mtu 1600 netns "${tag}A" type veth peer name eth0 mtu 1600 netns "${tag}B"

host() { # HOST OWN-NUMBER OTHER-NUMBER
	mkdir "$dir/$1"
	on "$1" ip address add "192.0.2.$2/24" dev eth0
	on "$1" ip link set eth0 up
	on "$1" "$netloom" switch add lan
	on "$1" "$netloom" uplink add up --interface eth0 --local "192.0.2.$2"
	on "$1" "$netloom" vtep add other --uplink up --remote "192.0.2.$3"
	on "$1" "$netloom" vni add 10010 --switch lan --vlan 10 --vteps other --mtu 1500
	on "$1" "$netloom" port add guest --tap eth1 --netns "${tag}g$1" --address "10.0.10.$2/24" --switch lan --access 10
}
host A 1 2
host B 2 1

echo "--- host A: netloom show vteps"
on A "$netloom" show vteps
echo
echo "--- guest A pings guest B"
ip netns exec "${tag}gA" ping -c 5 -i 0.2 -W 5 10.0.10.2
echo
echo "--- TCP from guest A to guest B (iperf3)"
ip netns exec "${tag}gB" iperf3 -s -1 >/dev/null &
tries=50
until ip netns exec "${tag}gB" ss -Htln | grep -q :5201 || [ $((tries -= 1)) = 0 ]; do
	sleep 0.1
done
ip netns exec "${tag}gA" iperf3 -c 10.0.10.2 -t 2 | grep -E 'sender|receiver'
wait
echo
echo "--- host A: netloom show fdb, netloom show vnis"
on A "$netloom" show fdb
echo
on A "$netloom" show vnis
echo
echo "all is taken away again"
