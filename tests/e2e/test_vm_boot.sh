#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
#   vm-runner ── Debian's vmlinuz as packaged ── /init (one static program): says how many CPUs there are, then
#                 do=off     powers off         status 0
#                 do=reset   restarts           status 4
#                 do=crash   panics, reboot=t   status 5 (triple fault)
#                 do=wait    waits: ended by the control socket (status 6), by SIGTERM (status 6)
#
# Each with the sandbox on, seen from outside in /proc/PID/status. Runs in the nested machine where KVM cannot run a kernel.
# shares: the machine
# limit: 900
set -u

top=$(cd "$(dirname "$0")/../.." && pwd)
export BUILD=${BUILD:-$top/build}
runner=$BUILD/vm-runner

if [ "${1:-}" != inside ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	kernel=$("$top/control/lab/image/netloom-image" kernel | sed -n 's/^kernel //p')
	[ -n "$kernel" ] || { echo "SKIP: no kernel to boot"; exit 77; }
	mkdir "$dir/root"
	cat > "$dir/init.c" <<'C'
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
static char cmdline[4096];
int main(void)
{
	int fd;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mknod("/ttyS0", S_IFCHR | 0600, makedev(4, 64));
	dup2(open("/ttyS0", O_RDWR), 1);
	fd = open("/proc/cmdline", O_RDONLY);
	if (read(fd, cmdline, sizeof(cmdline) - 1) < 0)
		return 1;
	printf("INIT-REACHED cpus=%ld pci=%d\n", sysconf(_SC_NPROCESSORS_ONLN),
	       access("/sys/bus/pci/devices/0000:00:02.0/config", F_OK) == 0);
	fflush(stdout);
	if (strstr(cmdline, "do=off"))
		reboot(RB_POWER_OFF);
	if (strstr(cmdline, "do=reset"))
		reboot(RB_AUTOBOOT);
	if (strstr(cmdline, "do=crash"))
		return 1; /* init may not end: the kernel panics */
	for (;;)
		pause();
}
C
	gcc -Os -static -o "$dir/root/init" "$dir/init.c" || exit 1
	(cd "$dir/root" && echo init | cpio -o -H newc --quiet) > "$dir/initrd"
	if "$runner" --check > /dev/null; then
		bash "$0" inside "$kernel" "$dir/initrd"
	else
		# Unpacked here, where that is quick, and found in the cache inside.
		timeout --preserve-status 5 "$runner" --kernel "$kernel" > /dev/null 2>&1
		"$top/tests/nested/run" --timeout 850 bash "$0" inside "$kernel" "$dir/initrd"
	fi
	exit $?
fi

kernel=$2 initrd=$3
dir=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -9 $pid 2> /dev/null; rm -rf "$dir"' EXIT

fail()
{
	echo "FAIL: $1"
	tail -n 40 "$dir"/serial.log "$dir/out"
	exit 1
}

# In the nested machine a boot now and then never ends ("A guest that never boots" in tests/README.md): two of these boots get
# a second try, and the log says so.
tries=2

# start CPUS WORDS...: boots, and waits until init has spoken
start()
{
	local cpus=$1 end
	shift
	while :; do
		rm -f "$dir/serial.log"
		"$runner" --kernel "$kernel" --initrd "$initrd" --append "console=ttyS0 quiet panic=-1 $*" --cpus "$cpus" \
			--serial "log=$dir/serial.log" --control "$dir/control.sock" --pidfile "$dir/pid" --name "test $*" \
			> "$dir/out" 2>&1 &
		pid=$!
		end=$((SECONDS + 100))
		until grep -q INIT-REACHED "$dir/serial.log" 2> /dev/null || [ $SECONDS -ge $end ]; do
			kill -0 $pid 2> /dev/null || break
			sleep 0.1
		done
		grep -q "INIT-REACHED cpus=$cpus pci=1" "$dir/serial.log" && return
		[ $tries -gt 0 ] || fail "$*: init was not reached with $cpus CPUs"
		tries=$((tries - 1))
		echo "note: $*: init was not reached with $cpus CPUs, $tries more tries"
		tail -n 20 "$dir/serial.log" "$dir/out"
		kill -9 $pid 2> /dev/null
		wait $pid
		rm -f "$dir/control.sock" "$dir/pid"
	done
}

# ends STATUS SENTENCE: the process is gone soon
ends()
{
	local got
	for _ in $(seq 600); do
		kill -0 $pid 2> /dev/null || break
		sleep 0.1
	done
	kill -0 $pid 2> /dev/null && fail "it does not end"
	wait $pid
	got=$?
	pid=
	[ $got = "$1" ] || fail "exit status $got, wanted $1"
	grep -q "$2" "$dir/out" || fail "it does not say \"$2\""
	[ ! -e "$dir/control.sock" ] && [ ! -e "$dir/pid" ] || fail "socket or pidfile left behind"
	echo "ok: $2 (status $got)"
}

start 1 do=off
ends 0 "the guest powered off"
start 2 do=reset
ends 4 "the guest asked for a reset"
start 1 do=crash reboot=t
ends 5 "triple fault"

start 2 do=wait
[ "$(cat "$dir/pid")" = $pid ] || fail "the pidfile is wrong"
for line in 'CapEff:.*0000000000000000' 'CapBnd:.*0000000000000000' 'NoNewPrivs:.*1' 'Seccomp:.*2'; do
	grep -qE "^$line" /proc/$pid/status || fail "the sandbox is not on: $line"
done
python3 - "$dir/control.sock" <<'PY' || fail "the control socket"
import json, socket, sys

def ask(stream, text):
    stream.sendall(text.encode() + b"\n")
    return json.loads(stream.makefile("rb").readline())

def connect():
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(60)
    stream.connect(sys.argv[1])
    return stream

one = connect()
status = ask(one, '{"jsonrpc": "2.0", "id": 7, "method": "status"}')
assert status["id"] == 7 and status["result"]["state"] == "running" and status["result"]["cpus"] == 2, status
assert ask(one, "rubbish")["error"]["code"] == -32700
assert ask(one, "[]")["error"]["code"] == -32600
assert ask(one, '{"method": "dance"}')["error"]["code"] == -32601
assert ask(one, '{"method": "stop", "params": {"force": 1}}')["error"]["code"] == -32602
assert ask(one, '{"method": "nic.link", "params": {"id": "x", "up": true}}')["error"]["code"] == 1

two = connect()  # a line without an end
try:
    for _ in range(64):
        two.sendall(b"x" * 65536)
    raise SystemExit("an endless line is read for ever")
except OSError:
    pass
three = connect()  # a client that asks and never reads
try:
    for _ in range(20000):
        three.sendall(b'{"method": "status"}\n' * 64)
    raise SystemExit("answers pile up for ever")
except OSError:
    pass
assert ask(one, '{"method": "status"}')["result"]["pid"] > 0
assert ask(one, '{"method": "stop"}')["result"] == {}
assert ask(one, '{"method": "status"}')["result"]["state"] == "stopping"
assert ask(one, '{"method": "stop", "params": {"force": true}}')["result"] == {}
PY
ends 6 "stopped by force through the control socket"

start 1 do=wait
kill $pid
ends 6 "stopped by signal 15"
echo "PASS: every way a guest can end"
