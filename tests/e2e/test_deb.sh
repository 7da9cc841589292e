#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
# limit: 600
#
# The Debian package: lintian, manual pages, completion; installed, used, upgraded, removed and purged.
#
#    this machine's files (read-only, below) --+
#    an empty folder in memory (above) --------+-- overlay -- chroot: dpkg -i, -r, -P
#
# What the package leaves is what is in the upper folder afterwards.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repo=$(dirname "$(dirname "$here")")
build=$(readlink -f "${BUILD:-$repo/build}")
skip()
{
	echo "skipped: $*"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root"
for program in dh lintian man dpkg-buildpackage; do
	command -v $program >/dev/null || skip "no $program (scripts/deps.sh --for package)"
done
[ -x "$build/netloom" ] || skip "there is no $build/netloom; run make first"
if [ "${1:-}" != inside ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	trap 'exit 130' INT TERM
	# Mounts of its own; the processes of a chroot end with it
	unshare --mount --pid --fork --kill-child "$0" inside "$dir" "$build"
	exit
fi
dir=$2 build=$3

fail()
{
	echo "FAIL: $*"
	exit 1
}

# The objects of this build, but for what has the installed path in it; a clean source, as git has it
cp -a "$build" "$dir/b"
mkdir "$dir/source" "$dir/deb"
(cd "$repo" && git ls-files -z | while IFS= read -r -d '' f; do [ ! -e "$f" ] || printf '%s\0' "$f"; done |
	tar --null -T - -c) | tar -C "$dir/source" -x
(cd "$dir/source" && DEB_BUILD_OPTIONS=noautodbgsym debian/rules binary B="$dir/b" DEB_DEST="$dir/deb") >"$dir/log" 2>&1 ||
	{ tail -n 40 "$dir/log"; fail "no package"; }
old=$(dpkg-parsechangelog -l "$repo/debian/changelog" -S Version)
TMPDIR=$dir lintian --no-cfg --allow-root --fail-on error,warning "$dir/deb/netloom_${old}_amd64.deb" || fail "lintian"
# The next version: the same files
new=$old+1
dpkg-deb -R "$dir/deb/netloom_${old}_amd64.deb" "$dir/next"
sed -i "s/^Version: .*/Version: $new/" "$dir/next/DEBIAN/control"
echo new >"$dir/next/usr/share/netloom/new"
dpkg-deb --root-owner-group -b "$dir/next" "$dir/deb/netloom_${new}_amd64.deb" >/dev/null
echo "ok   built, lintian finds nothing"

mkdir "$dir/up" "$dir/root"
mount -t tmpfs up "$dir/up" || skip "no tmpfs here"
mkdir "$dir/up/upper" "$dir/up/work"
mount -t overlay over -o "lowerdir=/,upperdir=$dir/up/upper,workdir=$dir/up/work" "$dir/root" 2>/dev/null ||
	skip "no overlay here"
mount -t proc proc "$dir/root/proc"
mount --rbind /dev "$dir/root/dev"
mkdir -p "$dir/root/deb"
cp "$dir/deb"/netloom_*.deb "$dir/root/deb"
in_root()
{
	chroot "$dir/root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
}
# ours: the files that are new or changed above this machine's, but for dpkg's and the caches of what runs after it
ours()
{
	(cd "$dir/up/upper" && find . \( -type f -o -type l \) | grep -vE '^\./(deb|dev|proc|tmp|run)/|^\./var/(lib/(dpkg|systemd)|log|cache)/' |
		sort) || true
}
ours >"$dir/before"

# What the package depends on may be absent on a machine that only builds
in_root dpkg --force-depends -i "/deb/netloom_${old}_amd64.deb" >"$dir/log" 2>&1 || { cat "$dir/log"; fail "install"; }
[ "$(in_root netloom --version)" = "netloom $old" ] || fail "the version: $(in_root netloom --version)"
in_root netloom validate /usr/share/netloom/examples/campus.yaml >/dev/null || fail "validate"
in_root netloomd --version >/dev/null && in_root vm-runner --version >/dev/null || fail "programs"
for page in man1/netloom.1 man1/vm-runner.1 man8/netloomd.8; do
	words=$(LC_ALL=C.UTF-8 man --warnings -l "$dir/root/usr/share/man/$page.gz" 2>"$dir/warnings" | wc -w)
	[ ! -s "$dir/warnings" ] && [ "$words" -gt 100 ] || { cat "$dir/warnings"; fail "$page: $words words"; }
done
if command -v systemd-analyze >/dev/null; then
	in_root systemd-analyze verify /lib/systemd/system/netloomd.service 2>&1 | grep netloomd.service && fail "the service"
fi
# What keeps machines and labs when the switch is restarted, or dies: not seen to work here, where systemd does not run
for line in KillMode=process OOMPolicy=continue RuntimeDirectory=netloom RuntimeDirectoryPreserve=yes Restart=on-failure; do
	grep -qx "$line" "$dir/root/lib/systemd/system/netloomd.service" || fail "the service lacks $line"
done
[ ! -e "$dir/root/etc/systemd/system/multi-user.target.wants/netloomd.service" ] || fail "the service was enabled"
echo "ok   installed: programs, manual pages, service"

# Completion, as bash does it
completed()
{
	# shellcheck disable=SC2016 # for the inner shell
	in_root bash -c 'source /usr/share/bash-completion/completions/netloom
		COMP_LINE=$1 COMP_POINT=${#1}; _netloom; printf "%s " "${COMPREPLY[@]}"' bash "$1"
}
[ "$(completed 'netloom gra')" = "graph " ] || fail "completion of a command: $(completed 'netloom gra')"
[ "$(completed 'netloom show sw')" = "switches " ] || fail "completion of a word: $(completed 'netloom show sw')"
[ "$(completed 'netloom graph --format ')" = "svg dot mermaid " ] || fail "completion of a value"
[ "$(completed 'netloom web --li')" = "--listen " ] || fail "completion of an option"
echo "ok   completion"

echo 'NETLOOMD_OPTIONS="--threads 2"' >"$dir/root/etc/default/netloomd"
in_root dpkg --force-depends --force-confdef -i "/deb/netloom_${new}_amd64.deb" >"$dir/log" 2>&1 || { cat "$dir/log"; fail "upgrade"; }
[ -e "$dir/root/usr/share/netloom/new" ] || fail "not upgraded"
grep -q 'threads 2' "$dir/root/etc/default/netloomd" || fail "the upgrade has taken the user's options"
in_root dpkg -r netloom >"$dir/log" 2>&1 || { cat "$dir/log"; fail "remove"; }
[ ! -e "$dir/root/usr/bin/netloom" ] && grep -q 'threads 2' "$dir/root/etc/default/netloomd" || fail "remove"
in_root dpkg -P netloom >"$dir/log" 2>&1 || { cat "$dir/log"; fail "purge"; }
ours | diff "$dir/before" - || fail "the package leaves something behind"
echo "ok   upgraded, removed, purged; nothing is left"
