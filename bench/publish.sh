#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# All figures of `netloom bench` that README.md publishes, in one go: OUT gets the results (JSON, CSV, plots, report.html of each
# bench) and figures.md, a table ready for README.md; DOCS (docs/ unless given) gets bench-*.svg. The machine should do nothing
# else meanwhile. ROUNDS and SECONDS_EACH shorten it: 12 and 0.7 s are for a quarter of an hour.
set -euo pipefail

here=$(dirname "$(realpath "$0")")
if [ $# -lt 1 ] || [ "$1" = --help ]; then
	echo "usage: [ROUNDS=12] [SECONDS_EACH=0.7] [AGAINST=ovs-dpdk,testpmd] $0 OUT [DOCS]"
	exit 2
fi
out=$1
docs=${2:-$here/../docs}
rounds=${ROUNDS:-12}
each=${SECONDS_EACH:-0.7}
against=${AGAINST-ovs-dpdk,testpmd}
mkdir -p "$out"

# bench NAME ARGUMENT...: status 3 means that no round was undisturbed; the table will say so
bench()
{
	local name=$1 status=0
	shift
	echo "== netloom bench $name $*"
	"$here/netloom-bench" "$name" --realtime --rounds "$rounds" --seconds "$each" -o "$out/$name" "$@" || status=$?
	[ $status = 0 ] || [ $status = 3 ] || echo "$name: status $status" >&2
}

bench v2v --against "$against"
bench density
bench latency --against "${against%%,*}"
bench fdb
bench learning
bench reconf
bench idle
bench caching
/usr/bin/python3 "$here/publish.py" "$out" "$docs"
