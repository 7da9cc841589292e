#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# bench/vmm-boot.sh [ROUNDS]: how long until init, and how much memory beyond the guest's, for vm-runner, QEMU microvm and
# QEMU q35 with the same kernel, initrd, command line, CPU count and memory.
#
#   exec ──> VMM ──> kernel ──> /init writes a line to ttyS0 ──> seen here: that is the time
#                                                             └─> /proc/PID/smaps without the guest's memory: that is the RSS
#
# Runs in the nested machine of tests/nested/run where KVM cannot run a kernel (absolute times are then large; the ratio
# counts), directly where it can. Rounds alternate their order (ABC, CBA, ...) after one that is not counted; medians.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export BUILD=${BUILD:-$top/build}
rounds=${1:-5}
[[ $rounds =~ ^[1-9][0-9]?$ ]] || { echo "usage: bench/vmm-boot.sh [ROUNDS 1-99]" >&2; exit 2; }
[ -x "$BUILD/vm-runner" ] || { echo "vmm-boot: $BUILD/vm-runner is missing; run make" >&2; exit 1; }

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
kernel=$("$top/control/lab/image/netloom-image" kernel | sed -n 's/^kernel //p')

# The smallest initrd there is: one static program that says that it runs.
mkdir "$dir/root"
cat > "$dir/init.c" <<'C'
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
int main(void)
{
	int fd;

	mknod("/ttyS0", S_IFCHR | 0600, makedev(4, 64));
	fd = open("/ttyS0", O_WRONLY);
	if (write(fd, "INIT-REACHED\n", 13) < 0)
		return 1;
	for (;;)
		pause();
}
C
${CC:-gcc} -Os -static -o "$dir/root/init" "$dir/init.c"
strip "$dir/root/init"
(cd "$dir/root" && echo init | cpio -o -H newc --quiet) > "$dir/initrd"

if "$BUILD/vm-runner" --check > /dev/null; then
	python3 "$top/bench/vmm-boot-rounds.py" "$BUILD/vm-runner" "$kernel" "$dir/initrd" "$rounds"
else
	echo "KVM here cannot run a kernel: measuring in a nested machine"
	# Unpacked on the host, so that the clone finds the cache as a second start on a usual host does.
	timeout --preserve-status 5 "$BUILD/vm-runner" --kernel "$kernel" > /dev/null 2>&1 || true
	"$top/tests/nested/run" --timeout 1500 python3 "$top/bench/vmm-boot-rounds.py" "$BUILD/vm-runner" "$kernel" "$dir/initrd" \
		"$rounds"
fi
