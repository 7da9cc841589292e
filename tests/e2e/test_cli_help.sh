#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
#
# The command line as a stranger meets it: help, mistakes, exit statuses; no lab is up, nothing is started.
#
#   wrong words --- netloom --- a sentence, and the exit status that --help promises
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

# expect STATUS TEXT COMMAND...: the exit status, and TEXT somewhere in what is printed
expect()
{
	local want=$1 text=$2 status=0
	shift 2
	"$@" >"$dir/out" 2>&1 </dev/null || status=$?
	if [ "$status" -ne "$want" ] || ! grep -qF -- "$text" "$dir/out"; then
		echo "FAIL: $* -> $status, wanted $want and \"$text\"; it said:"
		head -n 5 "$dir/out"
		failures=$((failures + 1))
	fi
}

commands="validate graph up down ps show events top web doctor completion console exec link log start stop restart test wire switch port"
expect 0 "Usage: netloom COMMAND" "$netloom" --help
for command in $commands; do
	# In the list, and with a help of its own that shows an example.
	grep -qE "^  $command " <("$netloom" --help) || {
		echo "FAIL: $command is not in netloom --help"
		failures=$((failures + 1))
	}
	expect 0 "  netloom $command" "$netloom" "$command" --help
	expect 2 "--help" "$netloom" "$command" --no-such-option
done
expect 2 "Usage" "$netloom"
expect 2 'did you mean "validate"?' "$netloom" valdate
expect 0 "netloom " "$netloom" --version
expect 2 "which file?" "$netloom" validate
expect 2 "one lab file" "$netloom" up
expect 2 "with --host and one of hostA, hostB" "$netloom" up "$repo/examples/overlay.yaml"
expect 2 'has no host "hostC"' "$netloom" up --host hostC "$repo/examples/overlay.yaml"
expect 2 'leave out `--host hostA`' "$netloom" up --host hostA "$repo/examples/campus.yaml"
expect 2 "no number of seconds" "$netloom" up --timeout soon x.yaml
expect 2 "none of svg" "$netloom" graph --format png x.yaml
expect 3 "no/such.yaml" "$netloom" graph no/such.yaml
expect 1 "No such file" "$netloom" graph --output "$dir/no/where.svg" "$repo/examples/campus.yaml"
expect 0 "trunk 10,20" "$netloom" graph "$repo/examples/campus.yaml"
expect 0 'taillabel="p1"' "$netloom" graph --format dot "$repo/examples/campus.yaml"
expect 0 "flowchart TB" "$netloom" graph --format mermaid "$repo/examples/campus.yaml"
expect 2 "no speed like" "$netloom" top --speed fast
expect 2 "none of rate" "$netloom" top --sort size
expect 2 "no terminal" "$netloom" top
expect 4 "no netloomd answers" "$netloom" top --once
expect 0 "@hostA, hostB" "$netloom" graph "$repo/examples/overlay.yaml"
expect 0 "VNI 14184767" "$netloom" graph --format dot "$repo/examples/overlay.yaml"
expect 2 "which lab?" "$netloom" down
expect 2 'did you mean "ports"?' "$netloom" show prots
expect 2 "is not LAB/NODE" "$netloom" exec campus -- true
expect 2 "which command?" "$netloom" exec campus/h1
expect 2 "is neither up nor down, nor a WORD with a VALUE" "$netloom" link set campus/h1:eth1 sideways
expect 2 "is not LAB/NODE:INTERFACE" "$netloom" link set campus/h1 up
expect 2 "add, set or delete" "$netloom" switch frobnicate x
expect 2 "is no good value" "$netloom" port add x --mtu big
expect 2 "two sockets" "$netloom" wire one

# Nothing is up.
expect 4 'no lab "campus" is up' "$netloom" down campus
expect 4 'no lab "campus" is up' "$netloom" ps campus
expect 4 'no lab "campus" is up' "$netloom" console campus/h1
expect 4 'no lab "campus" is up' "$netloom" test campus
expect 4 'no lab "campus" is up' "$netloom" restart campus/h1
expect 255 'no lab "campus" is up' "$netloom" exec campus/h1 -- true
expect 4 "no netloomd answers" "$netloom" show ports
expect 0 "no lab is up" "$netloom" ps
expect 0 "[]" "$netloom" ps --json
expect 4 "no netloomd answers" "$netloom" switch delete lan

# A run directory whose sockets would not fit a Unix address.
long=$dir/$(printf 'x%.0s' $(seq 100))
expect 1 "Unix sockets allow" env NETLOOM_RUNDIR="$long" "$netloom" up --dry-run "$repo/examples/two-vms.yaml"

# No escape sequences where no terminal is.
"$netloom" --help | grep -q $'\033' && {
	echo "FAIL: colour without a terminal"
	failures=$((failures + 1))
}
[ ! -e "$dir/run/netloomd.sock" ] || {
	echo "FAIL: something was started"
	failures=$((failures + 1))
}
[ "$failures" -eq 0 ] && echo "every mistake got its sentence"
exit "$((failures > 0))"
