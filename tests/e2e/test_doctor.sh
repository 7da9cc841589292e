#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
#
# `netloom doctor`: each thing it looks at, once good and once bad.
#
#   /sys, /dev (empty, ours) --+
#   /proc/meminfo, PATH -------+-- mount namespace -- netloom doctor -- a line per thing
#   netloomd.sock (socat) -----+
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
build=$(readlink -f "${BUILD:-$(dirname "$(dirname "$here")")/build}")
skip()
{
	echo "skipped: $*"
	exit 77
}
[ -x "$build/netloom" ] || skip "there is no $build/netloom; run make first"
[ "$(id -u)" = 0 ] || skip "needs root"
command -v socat >/dev/null || skip "no socat"
if [ "${1:-}" != inside ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	trap 'exit 130' INT TERM
	unshare --mount --pid --fork --kill-child true 2>/dev/null || skip "no namespaces here"
	unshare --mount --pid --fork --kill-child "$0" inside "$dir"
	exit
fi
dir=$2
failures=0

# A machine of our own, on which all is well. Programs are found beside netloom, or in PATH.
export NETLOOM_RUNDIR=$dir/run PATH=$dir/bin:/usr/bin:/bin
mkdir "$dir/run" "$dir/bin" "$dir/alone"
cp "$build/netloom" "$dir/bin/netloom"
cp "$build/netloom" "$dir/alone/netloom"
version=$("$build/netloom" --version)
version=${version##* }
program() # NAME VERSION: a program that has only a version
{
	printf '#!/bin/sh\necho "%s %s"\n' "$1" "$2" >"$dir/bin/$1"
	chmod 755 "$dir/bin/$1"
}
program netloomd "$version"
program vm-runner "$version"
program qemu-system-x86_64 "version 7.2.0"
mount -t tmpfs none /sys
pages=/sys/kernel/mm/hugepages/hugepages-2048kB cpu=/sys/devices/system/cpu
mkdir -p $pages $cpu/cpu0/cpufreq
echo 200 >$pages/nr_hugepages
echo 100 >$pages/free_hugepages
echo 0-7 >$cpu/online
echo 2-3 >$cpu/isolated
echo performance >$cpu/cpu0/cpufreq/scaling_governor
printf 'MemTotal: 8388608 kB\nMemAvailable: 4194304 kB\n' >"$dir/meminfo"
mount --bind "$dir/meminfo" /proc/meminfo
mkdir "$dir/dev"
mount --bind /dev "$dir/dev" # the real one, for /dev/null
mount -t tmpfs none /dev
for name in null zero urandom; do
	: >/dev/$name
	mount --bind "$dir/dev/$name" /dev/$name
done
mkdir /dev/net
: >/dev/kvm
: >/dev/net/tun
echo '{"works": true, "text": "KVM runs kernels"}' >"$dir/run/kvm.json"
ulimit -n 8192

# says STATUS LEVEL WHAT TEXT [COMMAND...]: a line of `netloom doctor`, or of COMMAND
says()
{
	local want=$1 level=$2 what=$3 text=$4 status=0
	shift 4
	[ $# -gt 0 ] || set -- "$dir/bin/netloom" doctor
	"$@" >"$dir/out" 2>&1 </dev/null || status=$?
	if [ $status -ne "$want" ] || ! awk -v level="$level" -v what="$what" '
		$1 == level && substr($0, 10, 12) ~ "^" what " *$" { found = 1; print; getline; print } END { exit !found }' "$dir/out" |
		grep -qF -- "$text"; then
		echo "FAIL: wanted status $want and \"$level $what ... $text\"; status $status, and it said:"
		cat "$dir/out"
		failures=$((failures + 1))
	fi
}

says 0 good rights "root"
says 0 good KVM "KVM runs kernels"
says 0 good hugepages "100 of 200"
says 0 good CPUs "8"
says 0 good isolation "2-3"
says 0 good memory "4096 of 8192"
says 0 good "open files" "8192"
says 0 good tun "/dev/net/tun"
says 0 good netloomd "$dir/bin/netloomd"
says 0 good QEMU "7.2.0"
says 0 good running "no netloomd"
grep -q "Labs run here\.$" "$dir/out" || { echo "FAIL: all is well, and it said:"; cat "$dir/out"; failures=$((failures + 1)); }

says 1 missing rights "sudo netloom" unshare --user "$dir/bin/netloom" doctor
echo '{"works": false, "text": "this KVM runs no kernels"}' >"$dir/run/kvm.json"
says 0 costs KVM "this KVM runs no kernels"
rm /dev/kvm
says 0 costs KVM "firmware"
echo 10 >$pages/free_hugepages
says 0 costs hugepages ">/proc/sys/vm/nr_hugepages"
rm $pages/free_hugepages
says 0 costs hugepages "0 of 200"
echo 0-1 >$cpu/online
says 0 costs CPUs "share them"
: >$cpu/isolated
says 0 costs isolation "isolcpus"
echo powersave >$cpu/cpu0/cpufreq/scaling_governor
says 0 costs frequency "cpupower"
printf 'MemTotal: 8388608 kB\nMemAvailable: 102400 kB\n' >"$dir/meminfo"
says 0 costs memory "256 MiB"
rm /dev/net/tun
says 0 costs tun "modprobe tun"
ulimit -n 1024
says 0 costs "open files" "ulimit -Hn"
program netloomd 0.0.1
says 0 costs netloomd "is version 0.0.1"
rm "$dir/bin/qemu-system-x86_64"
says 0 costs QEMU "apt install qemu-system-x86" /usr/bin/env "PATH=$dir/bin" "$dir/bin/netloom" doctor
says 1 missing vm-runner "next to netloom" /usr/bin/env "PATH=$dir/alone" "$dir/alone/netloom" doctor
grep -q "2 missing: no lab runs here" "$dir/out" || { echo "FAIL: nothing runs here, and it said:"; cat "$dir/out"; failures=$((failures + 1)); }
# A netloomd that runs, of another version
cat >"$dir/answer" <<'ANSWER'
#!/bin/sh
read -r _
echo '{"jsonrpc": "2.0", "id": 1, "result": {"version": "0.0.1", "n_ports": 3, "hugepages": false}}'
ANSWER
chmod 755 "$dir/answer"
socat "UNIX-LISTEN:$dir/run/netloomd.sock,fork" "EXEC:$dir/answer" &
for _ in $(seq 600); do
	[ ! -S "$dir/run/netloomd.sock" ] || break
	sleep 0.1
done
says 0 costs running "the machines stay"

"$dir/bin/netloom" doctor --json | python3 -c '
import json, sys
told = json.load(sys.stdin)
assert {one["level"] for one in told} == {"good", "costs"}, told
assert all(one["cost"] for one in told if one["level"] != "good"), told'
[ $failures = 0 ] || exit 1
echo "ok   each check, good and bad"
