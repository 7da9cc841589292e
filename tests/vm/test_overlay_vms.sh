#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# One lab file, two hosts, a virtual machine on each: VXLAN between two network namespaces, each with a netloomd and a vm-runner.
#
#     hostA (netns)                                              hostB (netns)
#   h1:eth1 --- [ lan ] --- VLAN 10 = VNI 10010 --- VXLAN --- [ lan ] --- h2:eth1      10.0.10.1, .2
#   h1:eth2 ------------------- a cable, VXLAN --------------------- h2:eth2           10.0.20.1, .2
#                  192.0.2.1 eth0 ============== eth0 192.0.2.2
#
# shares: the machine
# nested: --memory 3072 --cpus 3
# limit: 600
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
tag=nlv$$

# on HOST COMMAND...: on one of the hosts
on()
{
	local host=$1
	shift
	ip netns exec "$tag$host" env NETLOOM_RUNDIR="$work/$host" "$@"
}

cleanup()
{
	local status=$? host
	trap '' INT TERM HUP
	for host in hostA hostB; do
		if [ $status != 0 ]; then
			on $host "$netloom" ps || true
			on $host "$netloom" show vnis || true
			on $host "$netloom" show drops || true
			tail -n 20 "$work/$host/netloomd.log" 2>/dev/null || true
		fi
		on $host "$netloom" down --all >/dev/null 2>&1 || true
	done
	ip netns delete "${tag}hostA" || true
	ip netns delete "${tag}hostB" || true
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

cat >"$work/vms.yaml" <<'LAB'
name: vms
topology:
  hosts:
    hostA: { vtep: 192.0.2.1, uplink: eth0 }
    hostB: { vtep: 192.0.2.2, uplink: eth0 }
  defaults: { memory: 128M, vmm: vm-runner }
  nodes:
    lan: { kind: switch, vxlan: { vlan 10: vni 10010 } }
    h1: { kind: vm, host: hostA, ipv4: { eth1: 10.0.10.1/24, eth2: 10.0.20.1/24 } }
    h2: { kind: vm, host: hostB, ipv4: { eth1: 10.0.10.2/24, eth2: 10.0.20.2/24 } }
  links:
    - { endpoints: ["h1:eth1", "lan:p1"], vlan: { access: 10 } }
    - { endpoints: ["h2:eth1", "lan:p2"], vlan: { access: 10 } }
    - { endpoints: ["h1:eth2", "h2:eth2"] }
LAB

say "two namespaces and a veth pair between them"
for host in hostA hostB; do
	ip netns add "$tag$host"
	ip -n "$tag$host" link set lo up
done
ip link add eth0 mtu 1554 netns "${tag}hostA" type veth peer name eth0 mtu 1554 netns "${tag}hostB"
ip -n "${tag}hostA" address add 192.0.2.1/24 dev eth0
ip -n "${tag}hostB" address add 192.0.2.2/24 dev eth0
ip -n "${tag}hostA" link set eth0 up
ip -n "${tag}hostB" link set eth0 up

say "netloom up on both hosts"
# up HOST: its part; a second time where the emulated SVM spoiled the guest (tests/README.md)
up()
{
	if ! on "$1" "$netloom" up --timeout 200 "$work/vms.yaml" --host "$1"; then
		say "note: $1 once more"
		on "$1" "$netloom" down vms || true
		on "$1" "$netloom" up --timeout 300 "$work/vms.yaml" --host "$1"
	fi
}
up hostA >"$work/up.A" 2>&1 &
first=$!
up hostB || fail "hostB's part does not come up"
wait $first || { cat "$work/up.A"; fail "hostA's part does not come up"; }
on hostA "$netloom" ps
until_true 30 "h1 does not reach h2" on hostA "$netloom" exec vms/h1 -- ping -c 1 -W 2 10.0.10.2

say "who reaches whom"
on hostA "$netloom" test vms || fail "hostA's half of the matrix is not as the lab file says"
on hostB "$netloom" test vms || fail "hostB's half of the matrix is not as the lab file says"

# frames PORT: number and bytes of frames that hostA's netloomd has had from a guest
frames()
{
	on hostA "$netloom" show ports --json | python3 -c '
import json, sys
port = next(p for p in json.load(sys.stdin) if p["name"] == sys.argv[1])
print(port["rx"]["pkts"], port["rx"]["bytes"])' "$1"
}

say "TCP from h1 to h2"
before=$(frames vms/h1:eth1)
on hostB "$netloom" exec vms/h2 -- iperf3 -s -1 -D
until_true 60 "iperf3 does not listen" on hostB "$netloom" exec vms/h2 -- sh -c "cat /proc/net/tcp* | grep -q :1451"
say "iperf3 listens in h2"
on hostA "$netloom" exec vms/h1 -- iperf3 -c 10.0.10.2 -n 2M -J >"$work/iperf" || {
	cat "$work/iperf"
	fail "no TCP"
}
after=$(frames vms/h1:eth1)
# The guest's segments must have been large, and have arrived.
# shellcheck disable=SC2086 # two words each
python3 - "$work/iperf" $before $after <<'LOOK' || fail "the guest's segments were not large"
import json, sys
end = json.load(open(sys.argv[1]))["end"]
pkts, size = int(sys.argv[4]) - int(sys.argv[2]), int(sys.argv[5]) - int(sys.argv[3])
print(f"        {end['sum_received']['bits_per_second'] / 1e6:.0f} Mb/s, "
      f"{end['sum_sent']['retransmits']} retransmissions, {size / max(pkts, 1):.0f} bytes a frame from the guest")
sys.exit(not (end["sum_received"]["bytes"] > 1 << 20 and size > 1600 * pkts))
LOOK

# sees INTERFACE 0|1: whether h1 sees a carrier there
sees()
{
	[ "$(on hostA "$netloom" exec vms/h1 -- cat "/sys/class/net/$1/carrier")" = "$2" ]
}

say "hostB's netloomd is killed: h1 sees its cable cut, and its port on the switch as ever"
sees eth2 1 || fail "h1's cable has no carrier while all is well"
kill -9 "$(cat "$work/hostB/netloomd.pid")"
until_true 60 "h1 still sees a carrier on its cable" sees eth2 0
sees eth1 1 || fail "h1 sees no carrier on its port on the switch"
say "hostB is up again: h1 sees its cable whole"
up hostB || fail "hostB's part does not come up again"
until_true 60 "h1's cable has no carrier, or nobody there answers" sees eth2 1
until_true 30 "h1 does not reach h2 over the cable" on hostA "$netloom" exec vms/h1 -- ping -c 1 -W 2 10.0.20.2

say "netloom down on both"
on hostA "$netloom" down vms
on hostB "$netloom" down vms
[ ! -e "$work/hostA" ] && [ ! -e "$work/hostB" ] || fail "something is left of the run directories"
say "ok"
