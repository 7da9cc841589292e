#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Installs the Debian packages that netloom needs and this machine lacks. The list below is the only one; README.md and
# CI call this script.
set -euo pipefail

# For what, package, why
packages()
{
	sed 's/[[:space:]]*#.*//; /^$/d' <<'LIST'
build gcc                    the compiler
build libc6-dev              its headers
build make                   runs the Makefile
build pkg-config             finds DPDK and libnl
build libdpdk-dev            netloomd: environment layer, vhost protocol, rcu, hash
build libpcap-dev            netloomd: capture files as ports, filters
build libjansson-dev         JSON-RPC, in all programs
build libevent-dev           control loops, in all programs
build libmicrohttpd-dev      netloomd: metrics; netloom: the page
build libyaml-dev            netloom: lab files
build libssl-dev             netloom: digests of images and nodes; vm-runner: of kernels
build libnl-3-dev            netloomd: interfaces of the kernel
build libnl-route-3-dev      netloomd: interfaces of the kernel
build libbsd-dev             what DPDK's static libraries need
build libnuma-dev            what DPDK's static libraries need
build libseccomp-dev         vm-runner: confinement
build libcap-ng-dev          vm-runner: confinement
build liblz4-dev             vm-runner: unpacks kernels
build zlib1g-dev             vm-runner: unpacks kernels
build liblzma-dev            vm-runner: unpacks kernels
build libzstd-dev            vm-runner: unpacks kernels
run   qemu-system-x86        runs nodes where KVM cannot; with it virtiofsd, for tests/nested
run   busybox-static         the guest image
run   dash                   the guest image
run   iproute2               the guest image; interfaces on the host
run   ethtool                the guest image
run   tcpdump                the guest image
run   iperf3                 the guest image
run   libglib2.0-0           the guest image: the guest agent's library
run   libudev1               the guest image: the guest agent's library
run   libnuma1               the guest image: the guest agent's library
run   liburing2              the guest image: the guest agent's library
run   cpio                   packs the guest image
run   kmod                   the guest image's modules
run   xz-utils               compressed modules of newer kernels
run   zstd                   compressed modules of newer kernels
run   iputils-ping           netloom test, for TAPs; make demo-overlay
run   ca-certificates        downloads of the guest's kernel and agent
test  libcmocka-dev          unit tests
test  python3                end-to-end tests
test  python3-matplotlib     plots of netloom bench
test  python3-scapy          frames that are not ours
test  dpdk-dev               dpdk-testpmd: a front-end and a back-end that are not ours
test  openvswitch-switch-dpdk a switch that is not ours, for vm-runner
test  tshark                 a dissector that is not ours
test  chromium               the page, clicked
test  chromium-driver        drives it
test  python3-selenium       drives it
test  prometheus             promtool checks the metrics
test  acpica-tools           iasl checks vm-runner's tables
test  nfdump                 reads what its collector kept
test  nfdump-sflow           an sFlow collector that is not ours
test  lldpd                  a neighbour that is not ours, in guests
test  socat                  sockets in shell tests
test  zsh                    completion, typed
test  fish                   completion, typed
test  util-linux             setpriv, unshare, nsenter, flock
test  procps                 ps
test  git                    version, and CI's clean checkout
package debhelper            make deb
package dpkg-dev             make deb
package fakeroot             make deb
package lintian              looks at the package
package man-db               looks at the manual pages
lint  clang                  the second compiler, and fuzzing
lint  libclang-rt-14-dev     clang's sanitizers and fuzzer
lint  llvm                   readable traces from the sanitizers
lint  clang-format           formatting
lint  clang-tidy             static analysis
lint  cppcheck               static analysis
lint  shellcheck             static analysis of scripts
LIST
}

usage()
{
	cat <<'USAGE'
usage: scripts/deps.sh [--for build|run|test|package|lint]... [--list] [--check]

Installs the Debian packages that are missing; without --for, all of them.
  --for KIND   only what is needed to build, to run labs, to test, to make a package, to check the source; may be repeated
  --list       print each package, what it is needed for, and whether it is installed; install nothing
  --check      install nothing; exit status 1 and the names when packages are missing
USAGE
}

die()
{
	printf 'deps: %s\n' "$*" >&2
	exit 1
}

kinds='' mode=install
while [ $# -gt 0 ]; do
	case $1 in
	--for)
		case ${2:-} in
		build | run | test | package | lint) kinds="$kinds $2" ;;
		*) die "--for wants build, run, test, package or lint" ;;
		esac
		shift 2
		;;
	--list) mode=list; shift ;;
	--check) mode=check; shift ;;
	-h | --help) usage; exit 0 ;;
	*) die "unknown argument \"$1\"; --help lists them" ;;
	esac
done
[ -n "$kinds" ] || kinds='build run test package lint'

command -v apt-get >/dev/null || die "this is no Debian: no apt-get; scripts/deps.sh --list names what is needed"

installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
while read -r kind package why; do
	[[ " $kinds " = *" $kind "* ]] || continue
	state=installed
	if ! installed "$package"; then
		state=missing
		missing+=("$package")
	fi
	[ $mode != list ] || printf '%-7s %-24s %-10s %s\n' "$kind" "$package" "$state" "$why"
done < <(packages)

[ $mode != list ] || exit 0
if [ ${#missing[@]} = 0 ]; then
	[ $mode != check ] || echo "deps: nothing is missing"
	exit 0
fi
[ $mode != check ] || die "missing: ${missing[*]} (make deps installs them)"
[ "$(id -u)" = 0 ] || die "missing: ${missing[*]}
deps: run as root: sudo make deps, or: apt-get install --no-install-recommends ${missing[*]}"

# Open vSwitch is wanted as a program for tests, not as a service of this machine
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
	trap 'rm -f $policy' EXIT
	trap 'exit 143' INT TERM HUP
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod 755 $policy
fi

export DEBIAN_FRONTEND=noninteractive
install=(apt-get -q -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}")
echo "deps: installing ${missing[*]}"
log=$(mktemp)
# Package lists may be absent or too old; only then are they fetched
if ! apt-cache show "${missing[@]}" >/dev/null 2>&1 || ! "${install[@]}" >"$log" 2>&1 </dev/null; then
	apt-get -q -o DPkg::Lock::Timeout=300 update >"$log" 2>&1 </dev/null || { cat "$log" >&2; rm -f "$log"; die "apt-get update failed"; }
	"${install[@]}" >"$log" 2>&1 </dev/null || { cat "$log" >&2; rm -f "$log"; die "apt-get install failed"; }
fi
rm -f "$log"
for package in "${missing[@]}"; do
	installed "$package" || die "$package is still missing"
done
