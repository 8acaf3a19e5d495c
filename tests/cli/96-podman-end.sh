#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# podman attach, wait, restart policies and the ways in which a container ends, with both runtimes.
. "$(dirname "$0")/podman.sh"

ends() {
	local who=$1 name=$PREFIX-$1
	stays $who -i --network none $IMAGE sh -c 'while read x; do echo "got $x"; done; exit 6'
	echo "attach: $(echo word | with $who attach "$name") $? $(with $who wait "$name")"
	gone $who
	stays $who --network none --restart on-failure:2 $IMAGE sh -c 'echo run; exit 1'
	until_says "2 exited" podman inspect --format '{{.RestartCount}} {{.State.Status}}' "$name"
	echo "restart policy: $(with $who logs "$name" | xargs) $(field $who '{{.RestartCount}} {{.State.ExitCode}}')"
	gone $who
	stays $who --network none --stop-signal USR1 $IMAGE sh -c 'trap "exit 8" USR1; echo started; while :; do sleep 0.1; done'
	until_says started with $who logs "$name"
	echo "stop signal: $(quiet with $who stop -t 60 "$name") $(status $who)"
	gone $who
	stays $who --network none $IMAGE sh -c 'trap "" TERM; echo started; while :; do sleep 0.1; done'
	until_says started with $who logs "$name"
	echo "a stop that is not heard: $(quiet with $who stop -t 1 "$name") $(status $who)"
	gone $who
	echo "removed by itself: $(quiet with $who run -d --rm --name "$name" --network none $IMAGE true) $(quiet with $who wait --ignore "$name")"
	until_says "no such" podman inspect "$name" && echo "removed by itself: gone"
	echo "created, then started: $(quiet with $who create --name "$name" --network none $IMAGE sh -c 'echo hi; exit 2') $(status $who) $(with $who start -a "$name") $(status $who)"
	gone $who
	echo "too little memory: $(with $who run --name "$name" --network none --memory 24m $IMAGE sh -c "$HUNGRY"; echo $?)"
	field $who '{{.State.OOMKilled}}' >"$T/$who.oom"
	gone $who
}
HUNGRY='x=$(head -c 90000000 /dev/zero | tr "\0" x); echo lived'
each "ends" ends

# conmon looks into a cgroup that systemd may have removed: it misses some, the reference's too
for _ in 1 2 3; do
	[ "$(cat "$T/rt.oom")" != true ] || break
	with rt run --name "$PREFIX-rt" --network none --memory 24m $IMAGE sh -c "$HUNGRY"
	field rt '{{.State.OOMKilled}}' >"$T/rt.oom"
	gone rt
done
is "$(cat "$T/rt.oom")" true "too little memory: podman knows"

# a machine that dies: podman shows a status, the system's log says why
if [ "$UID_NOW" != 0 ]; then
	skip "a machine that dies" "a user may not read the journal here"
elif rt_only "a machine that dies"; then
	stays rt --network none $IMAGE sleep 1000
	id=$(field rt '{{.Id}}')
	pkill -KILL -P "$(field rt '{{.State.Pid}}')"
	is "$(with rt wait "$PREFIX-rt")" 137 "a machine that dies: status"
	until_says "container \`$id\`: the VMM was killed by signal 9" journalctl -q -b -t coracle -o cat
	ok $? "a machine that dies: the journal says why"
	gone rt
fi

done_testing
