#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
#   netloom bench ── microguest, CPU 1 ====vhost-user==== netloomd, CPU 0
#                 └─ JSON, CSV, plots, HTML
#
# That the benchmark measures something and writes it down; how fast the switch is, is not tested here.
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

refused 2 "nosuch is not one of" v2v --against nosuch
refused 2 "two different CPUs" v2v --cpus 0,0
refused 2 "wants 1 to 1000" v2v --rounds 0
refused 2 "wants OLD and NEW" compare one
echo nonsense >"$dir/nonsense.json"
refused 1 "is not a file that netloom bench -o has written" compare "$dir/nonsense.json" "$dir/nonsense.json"
echo "ok: mistakes are refused with a sentence"

"$bench" v2v --quick --realtime --count-all --only "64 B, 2" --against linux-bridge --json -o "$dir/results" >"$dir/out" 2>"$dir/err" ||
	fail "the benchmark ended with status $?"
/usr/bin/python3 - "$dir/out" "$dir/results" <<'PYTHON' || fail "the results are not as they should be"
import csv, json, sys
document = json.load(open(sys.argv[1]))
assert document == json.load(open(sys.argv[2] + "/v2v.json")), "standard output and file differ"
row = document["results"][0]
trials = document["trials"]
assert len(trials) == 6 and all(t["frames"] > 0 and t["cycles"] > 0 for t in trials), trials
assert row["figures"]["netloomd"]["mpps"]["n"] == 3 and row["figures"]["netloomd"]["mpps"]["median"] > 0, row
assert "vhost-user" in row["skipped"]["linux-bridge"], row["skipped"]
assert document["environment"]["cpu"] and document["command"].startswith("netloom bench v2v")
assert len(list(csv.DictReader(open(sys.argv[2] + "/v2v.csv")))) == len(trials)
page = open(sys.argv[2] + "/report.html").read()
assert "<svg" in page and "A/A" in page and "src=" not in page and "href=\"http" not in page
PYTHON
[ -s "$dir/results/v2v-0.png" ] || fail "no plot"
"$bench" compare "$dir/results/v2v.json" "$dir/results/v2v.json" >"$dir/out" 2>"$dir/err" || fail "compare: status $?"
grep -q "no difference" "$dir/out" || fail "a result differs from itself"
echo "ok: table, JSON, CSV, plots, report; compared with itself"

"$bench" v2v --rounds 100 --only "64 B, 2" >"$dir/out" 2>"$dir/err" &
pid=$!
for _ in $(seq 300); do
	found=$(pgrep -P "$pid" -f microguest) && break
	kill -0 "$pid" 2>/dev/null || fail "it ended before it was interrupted"
	sleep 0.1
done
[ -n "$found" ] || fail "it starts no microguest"
kill -TERM "$pid"
wait "$pid"
status=$?
pid=
[ $status = 130 ] || fail "interrupted: status $status, wanted 130"
! kill -0 $found 2>/dev/null || fail "interrupted, it leaves its microguest behind"
echo "ok: interrupted, it leaves nothing behind"
