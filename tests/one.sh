#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# one.sh NAME - run one test for prove and pass its TAP on: a program of the tree, or user:SCRIPT or root:SCRIPT
# for a script that runs in the bed build/bed-user or build/bed-root. When the emulated host itself dies (under nested emulation its
# kernel panics now and then: an interrupt comes between #VMEXIT and VMLOAD) the script starts over in a fresh one, and says so.
set -u
name=$1
user=${name%%:*}
[ "$user" != "$name" ] && user=$user- || user=
log=${CORACLE_LOGS:-build/logs}/$user$(basename "$name").log   # of the two that run side by side, each its own
bed=${CORACLE_BED:-tests/bed/bed}
mkdir -p "$(dirname "$log")"

in_bed() {
	$bed run -u "${name%%:*}" -t "${CORACLE_TEST_LIMIT:-1500}" \
		"cd /; MANY=${MANY:-} exec bash /opt/coracle/${name#*:}"
}

case $name in
user:* | root:*)
	export BED_RUN=${CORACLE_BEDS:-$PWD/build/bed}-${name%%:*}
	# scripts count processes and look for what is left behind: two in one host would see each other's
	exec 9>"$BED_RUN.script"
	flock -n 9 || { echo "Bail out! another script runs in $BED_RUN"; exit 1; }
	in_bed >"$log" 2>&1
	status=$?
	for try in 1 2 3; do
		! $bed run true >/dev/null 2>&1 || break
		mv "$log" "$log.host-died-$try"
		$bed console >"$log.console-$try" 2>/dev/null
		echo "# the emulated host died; starting over in a fresh one" >&2
		$bed down
		: >"$log" # it may die again before anything runs in it
		$bed up --fresh >&2 && tests/put-in-bed.sh >&2 && in_bed >"$log" 2>&1
		status=$?
	done
	cat "$log"
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
# what prove doesn't repeat: why
[ "$status" = 0 ] || grep -A 12 '^not ok' "$log" | grep '^#' | cut -c1-300 | head -n 60 >&2
exit "$status"
