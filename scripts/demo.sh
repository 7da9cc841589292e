#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# make demo: the campus lab from one command, measured, and away again.
#
#    h1 (VLAN 10) --+-----+          +-----+-- h2 (VLAN 10)
#                   | sw1 |--trunk---| sw2 |                  h5 ---- wire ---- h6
#    h3 (VLAN 20) --+-----+  10, 20  +-----+-- h4 (VLAN 20)
#
# Exit status 0 only if every pair of guests reaches each other, or does not, exactly as the lab file says.
# Runs in a run directory of its own, so that it disturbs no lab that is up. Ctrl-C takes everything down.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$here")
build=$(cd "${BUILD:-$repo/build}" && pwd)
lab=$repo/examples/campus.yaml
netloom=$build/netloom
begin=$SECONDS

[ "$(id -u)" -eq 0 ] || {
	echo "demo: needs root, for KVM, hugepages and /run; try: sudo make demo" >&2
	exit 1
}
NETLOOM_RUNDIR=$(mktemp -d /run/netloom-demo-XXXXXX)
export NETLOOM_RUNDIR
export NETLOOM_LIBDIR=${NETLOOM_LIBDIR:-$repo/control/lab/image}

finish()
{
	local status=$?
	trap - EXIT
	trap '' INT TERM
	if [ -d "$NETLOOM_RUNDIR" ]; then
		# Also after a failure: whatever is up goes down, and what it said last is shown.
		if [ "$status" -ne 0 ] && [ -f "$NETLOOM_RUNDIR/netloomd.log" ]; then
			echo "--- the last lines of netloomd's log"
			tail -n 5 "$NETLOOM_RUNDIR/netloomd.log"
		fi
		"$netloom" down --all || status=1
		rm -rf "$NETLOOM_RUNDIR"
	fi
	exit "$status"
}
trap finish EXIT
trap 'exit 130' INT TERM

step()
{
	printf '\n== %s\n' "$*"
}

step "the guest image (built once, then cached)"
"$NETLOOM_LIBDIR/netloom-image" path

step "netloom up examples/campus.yaml"
"$netloom" up "$lab"

step "netloom ps"
"$netloom" ps

step "who reaches whom: real pings inside the guests"
result=0
"$netloom" test campus || result=$?

step "netloom show ports campus"
"$netloom" show ports campus
step "netloom show links campus"
"$netloom" show links campus

step "netloom down campus"
"$netloom" down campus
if [ -e "$NETLOOM_RUNDIR" ]; then
	echo "demo: the run directory is not empty after \`down\`:" >&2
	find "$NETLOOM_RUNDIR" >&2
	result=1
fi

step "$((SECONDS - begin)) s in all; $([ "$result" -eq 0 ] && echo "every pair as expected" || echo "NOT as expected")"
exit "$result"
