#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# The campus lab as a whole: seconds per step of `netloom up`, what netloomd costs with six idle virtual machines
# attached, seconds to apply the lab's file again and to take it down.
#
#   bench/lab.sh [LAB-FILE]        (BUILD: directory with the programs)
#
# CPU is utime + stime of netloomd over 30 s, RSS its VmRSS. Runs in a run directory of its own.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "${BUILD:-$top/build}" && pwd)
file=${1:-$top/examples/campus.yaml}
lab=$(sed -n 's/^name: *//p' "$file")
NETLOOM_RUNDIR=$(mktemp -d /run/netloom-bench-XXXXXX)
export NETLOOM_RUNDIR NETLOOM_LIBDIR=${NETLOOM_LIBDIR:-$top/control/lab/image}
netloom=$build/netloom

finish() {
	[ ! -d "$NETLOOM_RUNDIR" ] || "$netloom" down --all >/dev/null 2>&1 || true
	rm -rf "$NETLOOM_RUNDIR"
}
trap finish EXIT
trap 'exit 130' INT TERM

ticks() {
	awk '{ print $14 + $15 }' "/proc/$pid/stat"
}

"$netloom" up "$file"
pid=$(cat "$NETLOOM_RUNDIR/netloomd.pid")
"$netloom" ps
# The guests' own chatter after boot (router solicitations, duplicate address detection) is not idling.
sleep 30
before=$(ticks)
sleep 30
after=$(ticks)
awk -v n=$((after - before)) -v hz="$(getconf CLK_TCK)" \
	'BEGIN { printf "idle netloomd, its VMs attached: %.2f %% of a core\n", 100 * n / hz / 30 }'
awk '/^VmRSS/ { printf "netloomd resident: %.1f MiB\n", $2 / 1024 }' "/proc/$pid/status"
for what in "up --quiet $file" "down $lab"; do
	begin=$(date +%s%N)
	# shellcheck disable=SC2086
	"$netloom" $what >/dev/null
	awk -v ns=$(($(date +%s%N) - begin)) -v what="${what%% *}" \
		'BEGIN { printf "netloom %s: %.2f s\n", what == "up" ? "up, nothing to do" : what, ns / 1e9 }'
done
