#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 16-conformance - opencontainers runtime-tools' validation tests: whatever crun meets (conformance/crun.list) is met, but
# for what conformance/known.list names with a reason. One of that list that is met fails: the list can only shrink.
# For root.
#   ONLY="CASE..."   those alone
#   REFERENCE=1      all cases, and crun runs too: crun.list is not believed
#   BUDGET           seconds after which no case is begun any more, 0 for all: a slow machine skips the rest
#   SAVE=DIR         keep the output there, and with REFERENCE=1 what crun.list should be
. "$(dirname "$0")/lib.sh"
DATA=$HERE/../conformance
SUITE=${SUITE:-$(dirname "$(dirname "$RT")")/conformance}
[ "$UID_NOW" = 0 ] || skip_all "the suite is for root"
[ -x "$SUITE/validation" ] || skip_all "no $SUITE/validation: $(cat "$SUITE/why" 2>/dev/null)"
AT_ONCE=${AT_ONCE:-4} BUDGET=${BUDGET:-110}
CASE_LIMIT=${CASE_LIMIT:-600} # one that takes longer hangs
leaks_begin

# The suite looks for these where it is started, and makes its bundles in TMPDIR.
mkdir "$T/suite" "$T/ref" "$T/rt"
cp "$SUITE"/* "$T/suite/"
cd "$T/suite" || exit 1

# one WHO BINARY CASE: its output in $T/WHO/CASE; a line "exit N" at its end. Nothing if the time is over.
one() {
	local tmp start=$SECONDS
	[ "$BUDGET" = 0 ] || [ "$(date +%s)" -lt $((BEGIN + BUDGET)) ] || return 0
	tmp=$(mktemp -d "$T/b.XXXXXX")
	RUNTIME=$2 TMPDIR=$tmp timeout -k 5 "$CASE_LIMIT" ./validation "$3" </dev/null >"$T/$1/$3.part" 2>"$T/$1/$3.err"
	echo "exit $?" >>"$T/$1/$3.part"
	mv "$T/$1/$3.part" "$T/$1/$3"
	# it doesn't clean up after what it didn't expect
	awk -v b="$tmp/" 'index($5, b) == 1 { print $5 }' /proc/self/mountinfo | sort -r | xargs -r umount -l
	rm -rf --one-file-system "$tmp"
	echo "# $1 $3: $((SECONDS - start)) s"
}

# said WHO CASE: "ok" or "not ok", a tab, an assertion; without what differs from run to run.
said() {
	sed -n -E -e '/^(ok|not ok) [0-9]+ *-? *(# TODO )?# SKIP/d' -e 's/^(ok|not ok) [0-9]+ *-? */\1\t/p' \
		-e 's/^exit 0$/ok\tends well/p; s/^exit .*/not ok\tends well/p' "$T/$1/$2" |
		sed -E 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/UUID/g; s/ocitest[0-9]+/BUNDLE/g' | sort -u
}
unmet() { said "$@" | sed -n 's/^not ok\t//p'; }
# met WHO CASE: the assertions that hold each time they are made.
met() { comm -23 <(said "$@" | sed -n 's/^ok\t//p') <(unmet "$@"); }
# crun.list: "CASE NUMBER" of assertions that crun meets, "CASE - ASSERTION" for each that it doesn't
list_number() { sed -n -E "s/^$1 ([0-9]+)\$/\1/p" "$DATA/crun.list"; }
list_unmet() { sed -n "s/^$1 - //p" "$DATA/crun.list" | sort -u; }
known() { sed -n -E "s/^$1: (.*) \| .*/\1/p" "$DATA/known.list" | sort -u; }
without() { comm -23 <(sed '/^$/d' <<<"$1" | sort -u) <(sed '/^$/d' <<<"$2" | sort -u); }

export -f one
export T CASE_LIMIT BUDGET
export BEGIN=$EPOCHSECONDS
# all of them, or those where crun does more than end
some() { awk '$2 == "-" { bad[$1] } $2 != "-" { n[$1] = $2; all[++k] = $1 }
	END { while (i++ < k) if (n[all[i]] > 1 || !(all[i] in bad)) print all[i] }' "$DATA/crun.list"; }
if [ -n "${ONLY:-}" ]; then cases=$ONLY; elif [ -n "${REFERENCE:-}" ]; then cases=$(cat cases); else cases=$(some); fi
ref list -q >"$T/ref.before"
rt list -q >"$T/rt.before"
# one runtime after the other: some cases have a cgroup of the same name
for who in ${REFERENCE:+ref} rt; do
	bin=$RT
	[ $who = rt ] || bin=$(type -P "$REF")
	# shellcheck disable=SC2086
	printf "$who $bin %s\\0" $cases | xargs -0 -P "$AT_ONCE" -I @ bash -c 'one @'
done
diag "$(wc -w <<<"$cases") cases: $((EPOCHSECONDS - BEGIN)) s"
for who in rt ref; do # what it left
	self && [ $who = rt ] || for id in $(without "$($who list -q)" "$(cat "$T/$who.before")"); do
		[[ $id =~ ^[0-9a-f]{8}- ]] && $who delete --force "$id"
	done
done
[ -z "${SAVE:-}" ] || { mkdir -p "$SAVE" && cp -r "$T/ref" "$T/rt" "$SAVE/"; }

# lacks CASE: which assertions are not there, by their numbers; what was said last
lacks() {
	local said=$T/rt/$1
	diag "$(met rt "$1" | wc -l) met, ${number:-0} with crun; $(grep -cE '^(not )?ok ' "$said") said, of $(grep '^1\.\.' "$said" || echo "no plan")"
	diag "not said: $(sed -nE 's/^(not )?ok ([0-9]+).*/\2/p' "$said" | sort -n | awk '{ for (n++; n < $1; n++) print n }' | xargs)"
	diag "the end: $(tail -n 4 "$said" "$said.err" | tr '\n' '|')"
}

passed=0 theirs_passed=0
for c in $cases; do
	[ -e "$T/rt/$c" ] || { skip "$c" "$BUDGET s are over"; continue; }
	ours=$(unmet rt "$c")
	theirs=$(list_unmet "$c") number=$(list_number "$c")
	if [ -n "${REFERENCE:-}" ]; then
		is "$(without "$theirs" "$(without "$theirs" "$(met ref "$c")")")" "" "$c: crun.list is not out of date"
		theirs=$(unmet ref "$c") number=$(met ref "$c" | wc -l)
		printf '%s\n' "$c $number" ${theirs:+"$(sed "s/^/$c - /" <<<"$theirs")"} >>"${SAVE:-$T}/crun.list"
	fi
	[ -z "$theirs" ] || [ "${number:-0}" -gt 1 ] || { skip "$c" "crun meets nothing of it"; continue; }
	known=$(known "$c")
	[ -n "$ours" ] || passed=$((passed + 1))
	[ -n "$theirs" ] || theirs_passed=$((theirs_passed + 1))
	is "$(without "$ours" "$theirs"$'\n'"$known")" "" "$c: what crun meets is met" || diag "$(tail -n 2 "$T/rt/$c" "$T/rt/$c.err")"
	[ $(($(met rt "$c" | wc -l) + $(grep -c . <<<"$known"))) -ge "${number:-0}" ]
	ok $? "$c: nothing less is looked at" || lacks "$c"
	[ -z "$known" ] || is "$(without "$known" "$(without "$known" "$(met rt "$c")")")" "" "$c: strike what is met from known.list"
done
diag "$passed of the cases that ran pass, $theirs_passed with $(basename "$REF")"
is "$(sed -E '/^#/d; /^$/d; s/[: ].*//' "$DATA"/{crun,known}.list | sort -u | comm -23 - <(sort cases))" "" \
	"the lists name cases that exist"
done_testing
