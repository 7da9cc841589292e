#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
#   netloom bench ── generator, CPU 1 ====vhost-user==== netloomd, CPU 0
#                 └─ JSON, CSV, plots, HTML
#
# That each method measures something and writes it down, what it refuses, and what it leaves when it is interrupted or killed. How
# fast the switch is, is not tested here.
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
export BUILD=${BUILD:-$top/build}
bench=$top/bench/netloom-bench
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid" 2>/dev/null; wait; rm -rf "$dir"' EXIT
trap 'exit 130' INT TERM

[ -w /dev/kvm ] || { echo "SKIP: no /dev/kvm"; exit 77; }
[ "$(nproc)" -ge 2 ] || { echo "SKIP: a benchmark needs two CPUs"; exit 77; }
fail()
{
	echo "FAIL: $1"
	tail -n 20 "$dir/out" "$dir/err"
	exit 1
}

# refused STATUS TEXT ARGUMENT...
refused()
{
	local want=$1 text=$2 status=0
	shift 2
	"$bench" "$@" >"$dir/out" 2>"$dir/err" || status=$?
	[ $status = "$want" ] && grep -qF -- "$text" "$dir/err" || fail "$*: $status, wanted $want and \"$text\""
}

# measured BENCH ARGUMENT...: into $dir/results
measured()
{
	"$bench" "$@" --realtime --count-all --rounds 1 --seconds 0.2 -o "$dir/results" >"$dir/out" 2>"$dir/err" ||
		fail "$*: status $?"
	grep -q 'Mpps\|addresses\|frames' "$dir/out" || fail "$*: no table"
}

refused 2 "nosuch is not one of" v2v --against nosuch
refused 2 "two different CPUs" v2v --cpus 0,0
refused 2 "wants 1 to 1000" v2v --rounds 0
refused 2 "invalid choice: 'round'" v2v --rings round
refused 2 "wants OLD and NEW" compare one
echo nonsense >"$dir/nonsense.json"
refused 1 "is not a file that netloom bench -o has written" compare "$dir/nonsense.json" "$dir/nonsense.json"
refused 1 "has no vhost-user ports" v2v --against linux-bridge
echo "ok: mistakes are refused with a sentence"

/usr/bin/python3 "$top/tests/e2e/bench_rules.py" || fail "the rules by which runs are left out and compared"
echo "ok: sleeping is not waiting; better, worse and no difference"

"$bench" v2v --quick --realtime --count-all --only "64 B, 2" --json -o "$dir/results" >"$dir/out" 2>"$dir/err" ||
	fail "the benchmark ended with status $?"
/usr/bin/python3 - "$dir/out" "$dir/results" <<'PYTHON' || fail "the results are not as they should be"
import json, sys
document = json.load(open(sys.argv[1]))
assert document == json.load(open(sys.argv[2] + "/v2v.json")), "standard output and file differ"
row = document["results"][0]
trials = document["trials"]
assert len(trials) == 6 and all(t["frames"] > 0 and t["cycles"] > 0 for t in trials), trials
assert row["figures"]["netloomd"]["mpps"]["n"] == 3 and row["figures"]["netloomd"]["mpps"]["median"] > 0, row
assert document["environment"]["cpu"] and document["command"].startswith("netloom bench v2v")
PYTHON
"$bench" compare "$dir/results/v2v.json" "$dir/results/v2v.json" >"$dir/out" 2>"$dir/err" || fail "compare: status $?"
grep -q "no difference" "$dir/out" || fail "a result differs from itself"
echo "ok: v2v measured, and compared with itself"

cp "$dir/results/v2v.json" "$dir/split.json"
measured v2v --rings packed --only "64 B, 2"
grep -q "packed rings over split" "$dir/out" || fail "v2v with packed rings: no row over split ones"
grep -q "packed" "$dir/results/v2v.csv" || fail "v2v with packed rings: the CSV does not say so"
"$bench" compare "$dir/split.json" "$dir/results/v2v.json" >"$dir/out" 2>"$dir/err" || fail "compare: status $?"
grep -q "different rings: split and packed" "$dir/out" || fail "compare does not tell split rings from packed ones"
echo "ok: v2v with packed rings"

measured idle
grep -q "us of a bare eventfd, CPU never halted" "$dir/out" || fail "idle: no floor"
for method in ndr loss back2back; do
	measured $method --only 1518
done
measured caching --quick
if [ -n "$(command -v dpdk-testpmd)" ]; then
	measured v2v --generator testpmd --only 1518 --against testpmd
	grep -q "testpmd generates" "$dir/out" || fail "v2v by testpmd: another row"
	measured latency --against testpmd
	grep -q "netloomd over testpmd, 50%" "$dir/out" || fail "latency: no ratio"
else
	measured latency
fi
grep -q "of 800 .*/" "$dir/out" || fail "latency: nothing says how many windows were left out"
"$bench" compare "$dir/results/latency.json" "$dir/results/latency.json" >"$dir/out" 2>"$dir/err" || fail "compare: status $?"
grep -q "us, all windows, p99.9, netloomd at 50% of PDR:" "$dir/out" && ! grep -q ": \(better\|worse\)$" "$dir/out" ||
	fail "latency differs from itself"
/usr/bin/python3 "$top/tests/e2e/bench_files.py" "$dir/results" || fail "what was written is not as it should be"
echo "ok: ndr, loss, back2back, caching, latency, idle, v2v by testpmd: table, JSON, CSV, plots, report"

# children PID: what it has started and is still there, one line each
children()
{
	pgrep -P "$1" -f "/netloom-bench-[^ ]*/netbench-"
}

# left_behind SIGNAL STATUS: what a run leaves that is ended so while it measures
left_behind()
{
	local found n=0 status
	TMPDIR=$dir/tmp "$bench" v2v --rounds 100 --only "64 B, 2" >"$dir/out" 2>"$dir/err" &
	pid=$!
	until [ "$(children $pid | wc -l)" -ge 2 ]; do
		kill -0 "$pid" 2>/dev/null || fail "it ended before it was interrupted"
		n=$((n + 1))
		[ $n -lt 600 ] || fail "it starts no microguest and no switch"
		sleep 0.1
	done
	found=$(children $pid)
	kill "-$1" "$pid"
	wait "$pid" 2>/dev/null
	status=$?
	[ $status = "$2" ] || fail "$1: status $status, wanted $2"
	pid=
	n=0
	while kill -0 $found 2>/dev/null || [ -n "$(ls -A "$dir/tmp")" ]; do
		n=$((n + 1))
		[ $n -lt 300 ] || fail "$1: it leaves behind: $(ps -o pid=,args= -p "$(echo $found | tr ' ' ,)") $(ls -A "$dir/tmp")"
		sleep 0.1
	done
}

mkdir "$dir/tmp"
left_behind TERM 130
left_behind KILL 137
echo "ok: interrupted or killed, it leaves nothing behind"
