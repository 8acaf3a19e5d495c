#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# one.sh NAME - run one test for prove and pass its TAP on: a program of the tree, or user:SCRIPT or root:SCRIPT
# for a script that runs in the bed build/bed-user or build/bed-root, or selinux:SCRIPT for one of root in build/bed-selinux,
# which is booted for it. When the emulated host itself dies (under nested emulation its
# kernel panics now and then: an interrupt comes between #VMEXIT and VMLOAD) the script starts over in a fresh one, and says so.
set -u
name=$1
user=${name%%:*}
[ "$user" != "$name" ] && user=$user- || user=
log=${CORACLE_LOGS:-build/logs}/$user$(basename "$name").log   # of the two that run side by side, each its own
bed=${CORACLE_BED:-tests/bed/bed}
mkdir -p "$(dirname "$log")"

in_bed() {
	local who=${name%%:*}
	[ "$who" != selinux ] || who=root
	$bed run -u "$who" -t "${CORACLE_TEST_LIMIT:-900}" \
		"cd /; MANY=${MANY:-} exec bash /opt/coracle/${name#*:}"
}

# fresh_host: it stays, our locks don't
fresh_host() {
	case $name in
	selinux:*) tests/selinux/boot.sh >&2 8>&- 9>&- ;;
	*) $bed up --fresh >&2 8>&- 9>&- && tests/put-in-bed.sh >&2 ;;
	esac
}

# again: in a fresh host
again() {
	$bed down
	: >"$log" # it may die again before anything runs in it
	fresh_host && in_bed >"$log" 2>&1
	status=$?
}

# may_repeat: what is wrong by itself fails twice. Before its mistakes were known (layers/emulator-mend.py) the emulator
# ended a guest or kept it for ever in one of fifty scripts; where it can't be mended it still does. No more than REPEATS
# (2) of a check are forgiven, beside RESETS (4) where a guest has reset itself, as only a triple fault does.
may_repeat() {
	local list=${log%/*}/repeats most=${REPEATS:-2}
	! grep -q 'the guest reset itself (0)' "$log" || list+=-reset most=${RESETS:-4}
	exec 8>>"$list"
	flock 8
	[ "$(wc -l <"$list")" -lt "$most" ] && echo "$name" >&8
}

# why: what prove doesn't repeat
why() { grep -A 12 '^not ok' "$log" | grep '^#' | cut -c1-300 | head -n 60 >&2; }

case $name in
user:* | root:* | selinux:*)
	export BED_RUN=${CORACLE_BEDS:-$PWD/build/bed}-${name%%:*}
	# scripts count processes and look for what is left behind: two in one host would see each other's
	exec 9>"$BED_RUN.script"
	flock -n 9 || { echo "Bail out! another script runs in $BED_RUN"; exit 1; }
	[ "${name%%:*}" != selinux ] || fresh_host || { echo "Bail out! tests/selinux/boot.sh failed"; exit 1; }
	in_bed >"$log" 2>&1
	status=$?
	for try in 1 2 3; do
		! $bed run true >/dev/null 2>&1 || break
		mv "$log" "$log.host-died-$try"
		$bed console >"$log.console-$try" 2>/dev/null
		echo "# the emulated host died; starting over in a fresh one" >&2
		again
	done
	if [ $status != 0 ] && may_repeat; then
		echo "# status $status after \"$(tail -n 1 "$log" | cut -c1-100)\"; once more in a fresh host (the first log: $log.first)" >&2
		why
		mv "$log" "$log.first"
		again
	fi
	cat "$log"
	# the memory of the one that is booted here is wanted; after a failure it is looked at
	[ "$status" != 0 ] || [ "${name%%:*}" != selinux ] || $bed down >/dev/null 2>&1
	;;
*.py)
	python3 "$name" 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	;;
*)
	"./$name" 2>&1 | tee "$log"
	status=${PIPESTATUS[0]}
	;;
esac
[ "$status" = 0 ] || why
exit "$status"
