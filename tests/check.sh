#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check.sh - run every test as one list for prove: unit tests here, container tests in two beds side by side, in
# one as an unprivileged user, in the other as root; in a third, which boots for it, what needs SELinux. Logs stay in
# build/logs. Called by `make check`.
# What a script looks at may be the same for both, inside the guest or in words: it says "Only as USER" at its head, and
# BOTH=1 (as well as `make soak`) runs it as the other one, too.
# TESTS=REGEX runs those whose names match: TESTS='user:.*10-' make check
set -euo pipefail
cd "$(dirname "$0")/.."

sudo=()
[ "$(id -u)" = 0 ] || sudo=(sudo -E)
export CORACLE_BED="${sudo[*]} tests/bed/bed"
export CORACLE_LOGS=$PWD/build/logs

rm -rf "$CORACLE_LOGS"
mkdir -p "$CORACLE_LOGS"

names=()
for t in build-san/unit/test_*; do
	[ -x "$t" ] && [ "${t%.d}" = "$t" ] && names+=("$t")
done
for t in tests/man.sh tests/bench/test_report.py; do
	[ -e "$t" ] && names+=("$t")
done
for t in tests/cli/[0-9]*.sh; do
	users=$(sed -n 's/^# Only as \(user\|root\): .*/\1/p' "$t")
	[ -z "${BOTH:-}" ] || users=
	for w in ${users:-user root}; do names+=("$w:$t"); done
done
names+=(selinux:tests/selinux/labels.sh)
chosen=()
for t in "${names[@]}"; do
	[[ $t =~ ${TESTS:-.} ]] && chosen+=("$t")
done
[ ${#chosen[@]} -gt 0 ] || { echo "check: no test matches TESTS=$TESTS" >&2; exit 2; }

# without it, and with its reason, the conformance test is skipped
rm -rf build/conformance
if [[ " ${chosen[*]} " = *conformance* ]]; then
	mkdir -p build/conformance
	tests/conformance/build.sh build/conformance 2>build/conformance/why ||
		echo "check: no conformance suite: $(tail -n 1 build/conformance/why)" >&2
fi

echo "check: starting the emulated hosts; logs go to build/logs"
for w in user root; do
	export BED_RUN=$PWD/build/bed-$w
	"${sudo[@]}" tests/bed/bed up --fresh
	tests/put-in-bed.sh
done
trap 'for w in user root selinux; do BED_RUN=$PWD/build/bed-$w "${sudo[@]}" tests/bed/bed down; done >/dev/null 2>&1' EXIT

# one after the other in each bed (to prove, * ends at a slash)
status=0
prove --timer --failures --jobs 2 --rules 'seq=user:**' --rules 'seq=root:**' --rules 'par=**' --exec tests/one.sh \
	"${chosen[@]}" || status=$?
# what the runner said last stays the last word
[ $status = 0 ] || for w in user root selinux; do
	BED_RUN=$PWD/build/bed-$w "${sudo[@]}" tests/bed/bed console >"$CORACLE_LOGS/bed-$w-console.log" 2>/dev/null || true
done
exit $status
