#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What podman shows and changes of a container that runs, with the runtime under test and with the reference.
. "$(dirname "$0")/podman.sh"

LOOP='trap "echo term; exit 3" TERM; trap "echo hup" HUP; echo started; while :; do sleep 0.1; done'

looks() {
	local who=$1 name=$PREFIX-$1
	stays $who --network none --memory 64m --health-cmd 'test -e /tmp/well' --health-interval disable --health-retries 1 --health-timeout 120s \
		$IMAGE sh -c "$LOOP"
	until_says started with $who logs "$name"
	echo "top: $(with $who top "$name" | head -n 1 | xargs)"
	# with options top shows the host's side (coracle(1), Podman): the container's are seen from inside
	echo "ps inside: $(with $who exec "$name" ps -o pid,args | grep 'while :' | xargs -n 1 2>/dev/null | head -n 1)"
	echo "stats: $(with $who stats --no-stream --format '{{.Name}} {{.PIDs}} {{.MemLimit}}' "$name" | sed 's/-r[te][f]* [1-9][0-9]* [1-9][0-9]*$/ some/')"
	echo "stats of memory: $(with $who stats --no-stream --format '{{.MemUsageBytes}}' "$name" | grep -c '[1-9].*iB.*/')"
	echo "ps: $(podman ps --filter name="$name" --format '{{.State}} {{.Status}} {{.Command}}' | cut -c1-3)"
	echo "unwell: $(quiet with $who healthcheck run "$name") $(field $who '{{.State.Health.Status}}')"
	with $who exec "$name" touch /tmp/well
	echo "well: $(quiet with $who healthcheck run "$name") $(field $who '{{.State.Health.Status}}')"
	echo "update: $(quiet with $who update --memory 48m --cpus 0.5 --pids-limit 77 "$name") $(with $who exec "$name" sh -c 'cd /sys/fs/cgroup; cat memory.max cpu.max pids.max' | xargs)"
	echo "pause: $(quiet with $who pause "$name") $(status $who) $(quiet with $who exec "$name" true) $(quiet with $who unpause "$name") $(status $who)"
	echo "rename: $(quiet with $who rename "$name" "$name-x") $(podman inspect --format '{{.Name}}' "$name-x" | grep -c -e '-x$') $(quiet with $who rename "$name-x" "$name")"
	alive $who "in the end"
	gone $who
}
each "looks" looks

done_testing
