#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# podman commit, export, stop, start, restart and kill, with the runtime under test and with the reference.
. "$(dirname "$0")/podman.sh"

LOOP='trap "echo term; exit 3" TERM; trap "echo hup" HUP; echo started; while :; do sleep 0.1; done'

stops() {
	local who=$1 name=$PREFIX-$1
	stays $who --network none $IMAGE sh -c "$LOOP"
	until_says started with $who logs "$name" && echo "logs: $(with $who logs --tail 1 "$name")"
	with $who exec "$name" sh -c 'echo out >/tmp/out'
	echo "commit: $(quiet with $who commit -q "$name" "$name") $(with $who run --rm --network none "$name" cat /tmp/out) $(quiet podman rmi -f "$name")"
	echo "export: $(with $who export "$name" | tar -tf - | grep -c '^tmp/out$')"
	echo "stop: $(quiet with $who stop -t 60 "$name") $(status $who) $(with $who logs --tail 1 "$name")"
	echo "after: $(quiet with $who exec "$name" true) $(quiet with $who kill "$name") $(quiet with $who top "$name")"
	echo "cp of a stopped one: $(with $who cp "$name:/tmp/out" - | tar -xOf -)"
	echo "again: $(quiet with $who start "$name") $(status $who) $(with $who exec "$name" cat /tmp/out)"
	echo "restart: $(quiet with $who restart -t 60 "$name") $(status $who)"
	echo "kill: $(quiet with $who kill "$name") $(with $who wait "$name") $(status $who)"
	echo "rm: $(quiet with $who rm "$name")"
	# stop and cleanup: who comes first, the command or the cleanup of conmon, leaves the other nothing to tell
	echo "events: $(podman events --stream=false --since 10m --filter container="$name" --format '{{.Status}}' 2>/dev/null | grep -v -e health -e exec -e stop -e cleanup | sort | uniq -c | xargs)"
}
each "stop" stops

done_testing
