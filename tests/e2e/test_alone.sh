#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# netloomd without the rest: does what control/README.md, "two QEMUs, three calls", tells a reader to do, with the very commands
# that stand there, and then has the two guests ping each other; also after netloomd was killed and started again.
#
#   QEMU a (10.9.9.1) --- a.sock --- netloomd: switch sw, VLAN 10 --- b.sock --- QEMU b (10.9.9.2)
# shares: the machine
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$(dirname "$here")")
build=${BUILD:-$repo/build}
PATH=$build:$PATH
pids=()

skip() {
	echo "skipped: $*"
	exit 77
}
[ -x "$build/netloomd" ] || skip "there is no $build/netloomd; run make first"
for tool in qemu-system-x86_64 socat busybox cpio gzip; do
	command -v "$tool" >/dev/null || skip "$tool is not installed"
done
image=$("$repo/control/lab/image/netloom-image" kernel) || skip "no guest kernel can be had"
kernel=$(awk '$1 == "kernel" {print $2}' <<<"$image")
tree=$(awk '$1 == "tree" {print $2}' <<<"$image")

D=$(mktemp -d /tmp/netloom-alone-XXXXXX)
finish() {
	status=$?
	trap - EXIT INT TERM
	for pid in "${pids[@]}"; do
		kill -9 "$pid" 2>/dev/null || true
	done
	wait 2>/dev/null || true
	if [ $status -ne 0 ]; then
		for log in "$D"/*.log; do
			echo "--- $log"
			head -n 15 "$log"
			tail -n 15 "$log"
		done
	fi
	rm -rf "$D"
	exit $status
}
trap finish EXIT
trap 'exit 1' INT TERM

# wait_for SECONDS COMMAND...
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		if [ $SECONDS -ge $end ]; then
			echo "gave up waiting for: $*"
			return 1
		fi
		sleep 0.2
	done
}

# A guest that pings 10.9.9.OTHER for ever and says when it has an answer.
root=$D/root
mkdir -p "$root"/{bin,proc,sys,dev}
cp "$(command -v busybox)" "$root/bin/busybox"
modules="virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci failover net_failover virtio_net"
for module in $modules; do
	file=$(find "$tree" -name "$module.ko*" | head -n 1)
	case $file in
	*.xz) xz -dc "$file" >"$root/$module.ko" ;;
	*.ko) cp "$file" "$root/$module.ko" ;;
	esac
done
cat >"$root/init" <<END
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
for module in $modules; do
	[ -f /\$module.ko ] && insmod /\$module.ko
done
me=\$(sed 's/.*me=\\([0-9]\\).*/\\1/' /proc/cmdline)
ip addr add 10.9.9.\$me/24 dev eth0
ip link set eth0 up
n=0
while :; do
	n=\$((n + 1))
	if ping -c 1 -W 1 10.9.9.\$((3 - me)) >/dev/null; then echo "reached \$n"; else echo "silence \$n"; fi
	sleep 0.5
done
END
chmod +x "$root/init"
(cd "$root" && find . | cpio -o -H newc 2>/dev/null | gzip -1) >"$D/initrd"

# The commands of the page, in order: start and calls, QEMU, wire.
awk -v dir="$D" '/^## netloomd alone/ {on = 1; next} /^## / {on = 0}
	on && /^```sh/ {n++; inside = 1; next} /^```/ {inside = 0}
	on && inside {print > (dir "/page" n ".sh")}' "$repo/control/README.md"
[ -s "$D/page1.sh" ] && [ -s "$D/page2.sh" ] && [ -s "$D/page3.sh" ]

run_page() {
	# A daemon that a page starts is the last background job of this shell.
	# shellcheck disable=SC1090
	. "$D/page$1.sh"
}
run_page 1 >"$D/calls.log"
pids+=($!)
daemon=$!
[ "$(grep -c '"op":"add"' "$D/calls.log")" = 3 ] || { echo "not three additions"; exit 1; }
run_page 2

# In the background, so that $! is QEMU itself and not a shell around it.
qemu-system-x86_64() { exec "$(type -P qemu-system-x86_64)" "$@"; }
# guest NAME NUMBER
guest() {
	vm "$1" -accel tcg -global virtio-net-pci.vectors=0 -no-reboot -kernel "$kernel" \
		-initrd "$D/initrd" -append "console=ttyS0 quiet no_timer_check me=$2" \
		</dev/null >"$D/$1.log" 2>&1
}
guest a 1 &
pids+=($!)
guest b 2 &
pids+=($!)

wait_for 180 grep -q '^reached' "$D/a.log"
wait_for 60 grep -q '^reached' "$D/b.log"
echo "the guests reach each other"

rpc port.list '{}' >"$D/ports.log"
[ "$(grep -o '"running":true' "$D/ports.log" | wc -l)" = 2 ]
rpc fdb.list '{}' | grep -q '"mac":"52:54:00:00:00:0a"'

run_page 3 >"$D/wire.log"
[ "$(grep -o '"op":"add"' "$D/wire.log" | wc -l)" = 2 ] || { echo "no wire"; exit 1; }

kill -9 "$daemon"
wait "$daemon" 2>/dev/null || true
wait_for 60 grep -q '^silence' "$D/a.log"
before=$(grep -c '^reached' "$D/a.log")
netloomd --socket "$D/netloomd.sock" --state "$D/state.json" 2>>"$D/netloomd.log" &
pids+=($!)
more() { [ "$(grep -c '^reached' "$D/a.log")" -gt "$before" ]; }
wait_for 30 more
echo "and again after netloomd was killed and started again"

rpc stop '{}' | grep -q '"result":{}'
wait "${pids[-1]}"
[ ! -e "$D/netloomd.sock" ]
echo "passed"
