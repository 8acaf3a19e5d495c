#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# man.sh - do the man pages name every command, option, setting and variable of the sources, and are they well
# formed? TAP; run from the top of a built tree.
set -u
export LC_ALL=C
cd "$(dirname "$0")/.." || exit 1
n=0 failed=0

ok() { # STATUS NAME
	n=$((n + 1))
	[ "$1" = 0 ] || { failed=1; printf 'not '; }
	echo "ok $n - $2"
}

# named PAGE PATTERN WHAT
named() {
	grep -qE -- "$2" "packaging/$1"
	ok $? "$1: $3"
}

for c in $(build/coracle --help | sed -n '/^commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
	named coracle.1 "^\.It Cm $c( |\$)" "command $c"
done
for o in $(sed -n 's/^.*{ "\([a-z-]*\)", [a-z]*_argument,.*/\1/p' runtime/*.c | sort -u); do
	named coracle.1 "Fl Fl $o( |\$)" "option --$o"
done
for k in $(sed -n 's/.*\[SET_[A-Z]*\] = "\([a-z]*\)".*/\1/p; s/.*strcmp(key, "\([a-z_]*\)").*/\1/p' runtime/machine.c |
	sort -u) $(grep -o '\[SET_[A-Z]*\] = "[a-z]*"' runtime/machine.c | cut -d'"' -f2); do
	# an annotation and no key of the file
	if [ "$k" = net ]; then named coracle.1 "run\.coracle\..*net" "annotation $k"; continue; fi
	named coracle.conf.5 "^\.It .*Li $k =" "key $k"
done
for v in $(grep -oh 'getenv("[A-Z_]*")\|"CORACLE_[A-Z]*"' runtime/*.c | cut -d'"' -f2 | sort -u); do
	named coracle.1 "Ev .*$v" "variable $v"
done
for page in coracle.1 coracle.conf.5; do
	said=$(mandoc -T lint -W warning "packaging/$page" 2>&1)
	[ -z "$said" ]
	ok $? "$page is well formed"
	[ -z "$said" ] || head -n 5 <<<"$said" | sed 's/^/# /'
done
echo "1..$n"
exit $failed
