#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
#
# All static checks; each runs even if one before it failed. scripts/lint.sh NAME... runs only those.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
jobs=$(nproc)

# tracked PATTERN...: files git knows that are there
tracked()
{
	git ls-files -z -- "$@" | while IFS= read -r -d '' f; do
		[ ! -f "$f" ] || printf '%s\n' "$f"
	done
}

# Those that start with a shebang of the given interpreters
scripts_of()
{
	tracked | while read -r f; do
		case $f in *.c | *.h | *.js | *.css | *.md | *.pcap | tests/fuzz/corpus/*) continue ;; esac
		if read -r first <"$f" 2>/dev/null && [[ $first =~ ^\#!.*($1)( |$) ]]; then
			printf '%s\n' "$f"
		fi
	done
}

lint_format()
{
	tracked '*.c' '*.h' | xargs -r clang-format --dry-run -Werror
}

lint_licence()
{
	local f bad=0
	while read -r f; do
		head -n 5 "$f" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' && continue
		printf '%s: no SPDX-License-Identifier in the first lines\n' "$f"
		bad=1
	done < <(tracked '*.c' '*.h' '*.js' '*.css' '*.mk' Makefile .clang-format .clang-tidy; scripts_of 'sh|bash|python3')
	return $bad
}

lint_readme()
{
	local folder bad=0
	while read -r folder; do
		[ -f "$folder/README.md" ] && continue
		printf '%s/: no README.md that says what is in it\n' "$folder"
		bad=1
	done < <(git ls-files | grep / | cut -d/ -f1 | grep -v '^\.' | sort -u)
	return $bad
}

lint_includes()
{
	scripts/check-includes
}

lint_shell()
{
	scripts_of '/sh|bash' | xargs -r shellcheck -x -S warning || return 1
	# busybox's shell is ash, and dash is its nearest relative that shellcheck knows
	scripts_of 'busybox sh' | xargs -r shellcheck -s dash -S warning -e SC2187
}

lint_python()
{
	scripts_of python3 | while read -r f; do
		python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$f" || exit 1
	done
}

lint_clang()
{
	mkdir -p build-clang
	make -s -j "$jobs" B=build-clang CC=clang OPT=-O0 all unit >build-clang/make.log 2>&1 || {
		grep -E 'error|warning|Error' build-clang/make.log
		return 1
	}
}

lint_cppcheck()
{
	cppcheck --quiet -j "$jobs" --std=c11 --language=c --enable=warning,performance,portability --inline-suppr \
		--suppressions-list=scripts/cppcheck.suppress --error-exitcode=1 --include=scripts/cppcheck.h -D__x86_64__ -D_GNU_SOURCE \
		-Idatapath -Icontrol -Ivm-runner -I. datapath tap vxlan control vm-runner bench
}

# The commands that make would run, as clang-tidy wants them
compile_commands()
{
	make -nB V=1 CC=clang B=build-clang all | python3 -c '
import json, os, shlex, sys
out = []
for line in sys.stdin:
    try:
        words = shlex.split(line)
    except ValueError:
        continue
    if "-c" in words and words[0] == "clang":
        out.append({"directory": os.getcwd(), "file": words[words.index("-c") + 1], "arguments": words})
json.dump(out, sys.stdout)'
}

lint_tidy()
{
	mkdir -p build-clang
	compile_commands >build-clang/compile_commands.json || return 1
	tracked 'datapath/*.c' 'tap/*.c' 'vxlan/*.c' 'control/*.c' 'vm-runner/*.c' |
		xargs -r -n 8 -P "$jobs" clang-tidy -p build-clang --quiet --warnings-as-errors='*' 2>/dev/null
}

checks='format licence readme includes shell python clang cppcheck tidy'
for name in "$@"; do
	[[ " $checks " = *" $name "* ]] || { printf 'lint: no check "%s"; there are: %s\n' "$name" "$checks" >&2; exit 2; }
done
failed=
# shellcheck disable=SC2086 # a list
[ $# -gt 0 ] || set -- $checks
for name in "$@"; do
	SECONDS=0
	if output=$("lint_$name" 2>&1); then
		printf 'ok    %-9s %3d s\n' "$name" $SECONDS
	else
		printf 'FAIL  %-9s %3d s\n%s\n' "$name" $SECONDS "$output"
		failed="$failed $name"
	fi
done
[ -z "$failed" ] || { printf 'lint: failed:%s\n' "$failed"; exit 1; }
echo "lint: all is well"
