#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Manual pages from what the programs say themselves: one source, --help.
set -euo pipefail

usage()
{
	cat <<'USAGE'
usage: scripts/man.sh BUILD FOLDER

Runs the programs in BUILD with --help and writes netloom.1, vm-runner.1 and netloomd.8 into FOLDER.
USAGE
}

# troff: a backslash is \e, a dot or quote at the start of a line is text, and hyphens are those one types
escaped()
{
	sed -e 's/\\/\\e/g' -e 's/-/\\-/g' -e "s/^[.']/\\\\\&&/"
}

# block: text as it is
block()
{
	printf '.nf\n'
	escaped
	printf '.fi\n'
}

# page NAME SECTION SUMMARY: what comes in is the description
page()
{
	printf '.\\" made by scripts/man.sh from --help\n.TH %s %s "" "netloom %s" "netloom"\n' "${1^^}" "$2" "$version"
	printf '.SH NAME\n%s \\- %s\n' "$(escaped <<<"$1")" "$(escaped <<<"$3")"
}

[ $# = 2 ] || { usage >&2; exit 2; }
build=$1 folder=$2
# `netloom bench` is a program of its own, in the source beside this one
NETLOOM_LIBDIR=$(dirname "$(dirname "$(readlink -f "$0")")")
export NETLOOM_LIBDIR
mkdir -p "$folder"
version=$("$build/netloom" --version)
version=$(escaped <<<"${version#* }")

{
	page netloom 1 'labs of virtual machines on poll-mode switches'
	printf '.SH SYNOPSIS\n.B netloom\n.I COMMAND\n.RI [ ARGUMENT ...]\n.SH DESCRIPTION\n'
	"$build/netloom" --help | sed 1,2d | block
	printf '.SH COMMANDS\n'
	"$build/netloom" _complete '' | grep -v '^-' | while read -r command; do
		printf '.SS netloom %s\n' "$command"
		"$build/netloom" "$command" --help | sed "s/^netloom $command - //" | block
	done
	printf '.SH FILES\n.TP\n.I /run/netloom\nwhat runs; NETLOOM_RUNDIR in the environment names another folder\n'
	printf '.SH SEE ALSO\n.BR netloomd (8),\n.BR vm\\-runner (1)\n'
} >"$folder/netloom.1"

{
	page netloomd 8 'a poll-mode switch for virtual machines'
	printf '.SH SYNOPSIS\n.B netloomd\n.RI [ OPTION ...]\n.SH DESCRIPTION\n'
	"$build/netloomd" --help | sed 1,4d | block
	printf '.SH FILES\n.TP\n.I /etc/default/netloomd\noptions for the service\n'
	printf '.SH SEE ALSO\n.BR netloom (1),\n.BR vm\\-runner (1)\n'
} >"$folder/netloomd.8"

{
	page vm-runner 1 'runs a virtual machine under KVM, its network cards served over vhost-user'
	printf '.SH SYNOPSIS\n.B vm\\-runner\n.RI [ OPTION ...]\n.SH DESCRIPTION\n'
	"$build/vm-runner" --help | sed 1,2d | block
	printf '.SH SEE ALSO\n.BR netloom (1),\n.BR netloomd (8)\n'
} >"$folder/vm-runner.1"
