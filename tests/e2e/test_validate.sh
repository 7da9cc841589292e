#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
#
# Bad lab files, each with the sentence it must be answered with, and the promise that nothing is touched.
#
#   file --- netloom validate --- FILE:LINE: sentence, exit status 3
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$(dirname "$here")")
build=${BUILD:-$repo/build}
netloom=$build/netloom
[ -x "$netloom" ] || {
	echo "skipped: there is no $netloom; run make first"
	exit 77
}

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM
export NETLOOM_RUNDIR=$dir/run
failures=0

fail()
{
	echo "FAIL: $*"
	failures=$((failures + 1))
}

# bad LINE SENTENCE: the lab file on standard input is refused with exactly this finding on that line
bad()
{
	local line=$1 sentence=$2 status=0 where=$dir/lab.yaml
	cat >"$where"
	"$netloom" validate "$where" >"$dir/out" 2>"$dir/err" || status=$?
	[ "$status" -eq 3 ] || fail "$sentence: exit status $status, not 3"
	grep -qF "$where:$line: " "$dir/err" && grep -qF -- "$sentence" "$dir/err" || {
		fail "line $line: $sentence; found:"
		cat "$dir/err"
	}
	[ ! -e "$NETLOOM_RUNDIR" ] || fail "validate has touched the run directory"
}

nodes='name: lab
topology:
  nodes:
    sw1: { kind: switch }
    h1: { kind: vm }
    h2: { kind: vm }
  links:'

# Links that are bad in ways that cannot be
impaired()
{
	bad 8 "$1" <<<"$nodes
    - { endpoints: [\"h1:eth1\", \"sw1:p1\"], $2 }"
}
impaired 'is negative; frames cannot arrive before they are sent' 'impair: { delay: -20ms }'
impaired '`loss: 101%` is more than all frames (100%)' 'impair: { loss: 101% }'
impaired '`rate: 0` would let nothing pass' 'impair: { rate: 0 }'
impaired '`delay: 1h` is longer than 60s' 'impair: { delay: 1h }'
impaired '`delay: fast` is no time; write 20ms' 'impair: { delay: fast }'
impaired '`jitter` is larger than `delay`' 'impair: { delay: 1ms, jitter: 2ms }'
impaired '`reorder` needs a `delay`' 'impair: { reorder: 1% }'
impaired '`queue` needs a `rate`' 'impair: { queue: 10 }'
impaired 'did you mean "delay"?' 'impair: { dealy: 1ms }'
impaired '`preset: isdn` is unknown; it is lan, wan, dsl, lte or satellite' 'impair: { preset: isdn }'
impaired '`impair` as a list has two items' 'impair: [ { delay: 1ms } ]'
impaired '`burst-loss: 1%` is not ENTER/LEAVE' 'impair: { burst-loss: 1% }'
impaired '`impair` must be a map, not a single value' 'impair: 20ms'
impaired '`carrier: never` is unknown; it is follow or always' 'carrier: never'
impaired '`flap: often` is not `every TIME for TIME`' 'flap: often'
impaired 'the link is down for 10ms or more' 'flap: every 1s for 2s'

bad 2 'unknown key `topologie`; did you mean `topology`?' <<<"name: lab
topologie: {}"
bad 4 'unknown key `memroy`; did you mean `memory`?' <<<"name: lab
topology:
  nodes:
    h1: { kind: vm, memroy: 1G }"
bad 5 'duplicate name: "h1" is already on line 4' <<<"name: lab
topology:
  nodes:
    h1: { kind: vm }
    h1: { kind: vm }"
bad 9 'endpoint "h1:eth1" is used twice; it is already in the link on line 8' <<<"$nodes
    - endpoints: [\"h1:eth1\", \"sw1:p1\"]
    - endpoints: [\"h1:eth1\", \"h2:eth1\"]"
bad 9 'VLAN 0 means' <<<"$nodes
    - endpoints: [\"h1:eth1\", \"sw1:p1\"]
      vlan: { access: 0 }"
bad 9 'VLAN 4095 is reserved' <<<"$nodes
    - endpoints: [\"h1:eth1\", \"sw1:p1\"]
      vlan: { access: 4095 }"
bad 9 'VLAN 4096 does not fit' <<<"$nodes
    - endpoints: [\"h1:eth1\", \"sw1:p1\"]
      vlan: { trunk: [4096] }"
bad 8 'port "h1:eth1" has no peer' <<<"$nodes
    - endpoints: [\"h1:eth1\"]"
bad 8 'node "sw2" is not defined' <<<"$nodes
    - endpoints: [\"h1:eth1\", \"sw2:p1\"]"
bad 3 'YAML syntax' <<<"name: lab
topology:
  nodes: ]"
bad 4 'do not fit, this machine has' <<<"name: lab
topology:
  nodes:
    h1: { kind: vm, memory: 8000G }"

# Every error at once.
cat >"$dir/many.yaml" <<EOF
name: lab
topology:
  nodes:
    h1: { kind: vm, memroy: 1G }
    h2: { kind: vm, vcpus: lots }
  links:
    - endpoints: ["h1:eth1", "sw9:p1"]
      vlan: { access: 4095 }
EOF
"$netloom" validate "$dir/many.yaml" 2>"$dir/err" && fail "four errors are valid"
[ "$(grep -c "many.yaml:[4578]: " "$dir/err")" -eq 4 ] || {
	fail "not every error at once:"
	cat "$dir/err"
}
"$netloom" validate --json "$dir/many.yaml" >"$dir/json" || true
python3 - "$dir/json" <<'EOF' || fail "--json is not what it should be"
import json, sys
one = json.load(open(sys.argv[1]))[0]
assert one["valid"] is False and one["errors"] == 4, one
assert [f["line"] for f in one["findings"]] == [4, 5, 7, 8], one
EOF

# 10 MB of nonsense, three kinds: bounded time and memory (256 MB of address space, 10 s).
head -c 10000000 /dev/urandom >"$dir/random.yaml"
head -c 10000000 /dev/zero | tr '\0' '[' >"$dir/brackets.yaml"
head -c 3900000 /dev/zero | tr '\0' '{' >"$dir/braces.yaml"
{ yes 'a: &a [*a, *a]' || true; } | head -c 3900000 >"$dir/aliases.yaml"
for nonsense in random brackets braces aliases; do
	status=0
	(ulimit -v 262144 && timeout 10 "$netloom" validate "$dir/$nonsense.yaml") >"$dir/out" 2>"$dir/err" ||
		status=$?
	[ "$status" -eq 3 ] || {
		fail "$nonsense: exit status $status"
		head -c 500 "$dir/err"
	}
	[ "$(wc -l <"$dir/err")" -le 102 ] || fail "$nonsense: $(wc -l <"$dir/err") lines of errors"
done

# What follows a comma in a name would be more options of vm-runner.
bad 4 'vm-runner takes no disk with a comma in its path, d.raw,readonly=off' <<<"name: lab
topology:
  nodes:
    h1: { kind: vm, vmm: vm-runner, disk: { file: 'd.raw,readonly=off', mode: readonly } }"

# Several hosts: each finding of one file, on its line.
cat >"$dir/hosts.yaml" <<'LAB'
name: lab
topology:
  hosts:
    hostA: { vtep: 239.1.1.1, uplink: eth0 }
    hostB: { vtep: 192.0.2.2, uplink: eth0 }
    hostC: { vtep: 192.0.2.2, uplink: eth0 }
  nodes:
    sw1: { kind: switch, vxlan: { 10: 0 } }
    sw2: { kind: switch, vxlan: { 10: 16777216 } }
    sw3: { kind: switch, vxlan: { 10: 10010, 20: 10010 } }
    h1: { kind: vm, host: hostD }
    h2: { kind: vm }
    h3: { kind: vm, host: hostB }
  links:
    - { endpoints: ["h3:eth1", "sw3:p1"], host: { eth: lab0 } }
LAB
bad 4 '`vtep: 239.1.1.1` is a multicast address' <"$dir/hosts.yaml"
for finding in "6: host \"hostC\": the VTEP address 192.0.2.2 is host \"hostB\"'s already" '8: node "sw1": VNI 0 names no network' \
	'9: node "sw2": VNI 16777216 does not fit' '10: VNI 10010 is given twice' \
	'11: node "h1": host "hostD" is not defined in `hosts`; did you mean "hostA"?' \
	'12: node "h2" has no `host`; write on which it is: hostA, hostB, hostC' \
	'15: link: with `host`, which is one end'; do
	grep -qF "lab.yaml:$finding" "$dir/err" || fail "not found: $finding"
done
[ "$(wc -l <"$dir/err")" -eq 8 ] || fail "several hosts: $(cat "$dir/err")"

# Not a file at all.
"$netloom" validate "$dir/absent.yaml" 2>"$dir/err" && fail "an absent file is valid"
grep -q 'No such file' "$dir/err" || fail "an absent file: $(cat "$dir/err")"
"$netloom" validate "$dir" 2>/dev/null && fail "a folder is valid"

# `up` refuses the same files before it does anything.
status=0
"$netloom" up "$dir/many.yaml" 2>/dev/null || status=$?
[ "$status" -eq 3 ] || fail "up of a bad file: exit status $status"
[ ! -e "$NETLOOM_RUNDIR" ] || fail "up of a bad file has touched the run directory"

# What is shipped is valid.
"$netloom" validate "$repo"/examples/*.yaml >/dev/null || fail "an example is not valid"

[ "$failures" -eq 0 ] && echo "every bad file got its sentence"
exit "$((failures > 0))"
