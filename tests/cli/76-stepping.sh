#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of the command, the monitor, the VMM and the proxy of exec at each system call of each command
# (tests/step/step.c): then `state` tells the truth within bounded time and `delete --force` leaves the host as it was.
# A sample of the calls, or STEPS=all of them: hours. ONLY=create/cli,25 does one again.
. "$(dirname "$0")/lib.sh"
self && skip_all "only for the runtime under test"
STEP=${RT%/*}/step
[ -x "$STEP" ] || skip_all "no $STEP"
# update needs a cgroup to change
if [ "$UID_NOW" != 0 ] && [ -z "${IN_SCOPE:-}" ] && systemd-run --user --scope -q -p Delegate=yes true 2>/dev/null; then
	rm -rf "$T"
	trap - EXIT
	IN_SCOPE=1 exec systemd-run --user --scope -q -p Delegate=yes -- bash "$0" "$@"
fi
setup
script held 'echo >/tmp/mark; sleep 600' '.linux.resources = {pids: {limit: 100}}'
held=$B
script short 'echo >/tmp/mark'
short=$B
mark=$T/rootfs/tmp/mark
mkdir "$T/pids"

# prepare COMMAND: what has to be before it, and its words in $words.
prepare() {
	new_id
	rm -f "$mark" "$T/pids"/* "$T/attach"
	B=$held
	case $1 in
	create) words=(create --bundle "$B" --pid-file "$T/pids/pid" "$ID"); return ;;
	run) words=(run --bundle "$short" --pid-file "$T/pids/pid" "$ID"); return ;;
	esac
	rt create --bundle "$B" --pid-file "$T/pids/pid" "$ID" </dev/null >/dev/null 2>&1 || return 1
	case $1 in
	kill | delete-force | state | exec | exec-detach | pause | resume | update)
		rt start "$ID" || return 1
		until_true 60 [ -e "$mark" ] || return 1
		;;
	esac
	[ "$1" != resume ] || rt pause "$ID" || return 1
	case $1 in
	exec) words=(exec "$ID" true) ;;
	exec-detach) words=(exec --detach --pid-file "$T/pids/exec" "$ID" sleep 600) ;;
	pause | resume) words=("$1" "$ID") ;;
	update) words=(update --pids-limit 50 "$ID") ;;
	start) words=(start "$ID") ;;
	kill) words=(kill "$ID" KILL) ;;
	state) words=(state "$ID") ;;
	delete) words=(delete "$ID") ;;
	delete-force) words=(delete --force "$ID") ;;
	esac
}

# step COMMAND WHO [N]: kill WHO at the N-th call of COMMAND; $calls and $killed.
step() {
	local more=() who=$2
	[ -z "${3:-}" ] || more=(-n "$3")
	case $1/$who in
	create/* | run/* | */cli) ;;
	*/proxy) who=monitor ;; # what the command forks first
	*) more+=(-a "$(cat "$T/pids/pid")") who=monitor ;;
	esac
	rm -f "$T/step"
	"$STEP" -r "$who" -o "$T/step" "${more[@]}" "$RT" "${words[@]}" </dev/null >/dev/null 2>"$T/err" &&
		read -r calls killed status <"$T/step"
}

# truth: state agrees with what lives and what has been done. $said is what it says.
truth() {
	local i alive
	for i in {1..100}; do
		said=$(timeout 10 "$RT" state "$ID" 2>&1)
		[ $? != 124 ] || { said="state hangs"; return 1; }
		alive=$(leak_processes | wc -l)
		case $said in
		*'"status": "creating"'*) said="creating, with $alive processes" ;;
		*'"status": "created"'*)
			said="created, with $alive processes${mark:+, mark: $(ls "$mark" 2>/dev/null)}"
			[ "$alive" -ge 2 ] && [ ! -e "$mark" ] && return 0
			;;
		*'"status": "running"'*)
			said="running, with $alive processes, mark: $(ls "$mark" 2>/dev/null)"
			[ "$alive" -ge 2 ] && [ -e "$mark" ] && return 0
			;;
		*'"status": "paused"'*)
			said="paused, with $alive processes"
			[ "$alive" -ge 2 ] && [ -e "$mark" ] && return 0
			;;
		*'"status": "stopped"'* | *'does not exist'*)
			said="stopped or gone, with $alive processes"
			[ "$alive" = 0 ] && return 0
			;;
		*) return 1 ;;
		esac
		sleep 0.1
	done
	return 1
}

# clean: delete --force works and leaves nothing. $left says what.
clean() {
	local i
	left=$(timeout 20 "$RT" delete --force "$ID" 2>&1) || { left="delete --force: status $? $left"; return 1; }
	for i in {1..50}; do
		left=$(comm -13 "$T/leaks" <(leaks_now))
		[ -n "$left" ] || break
		sleep 0.1
	done
	[ -z "$left" ]
}

# one COMMAND WHO N
one() {
	prepare "$1" || { ok 1 "$1: what comes before it works"; return; }
	step "$1" "$2" "$3" || { ok 1 "$1/$2,$3: step: $(head -c 300 "$T/err")"; clean; return; }
	truth
	local told=$?
	clean
	local cleaned=$?
	[ $told = 0 ] && [ $cleaned = 0 ]
	ok $? "$1/$2,$3 of $total: kill -9 there ($said)" || diag "state: $said; left: $left"
}

while read -r command who samples; do
	[ -z "${ONLY:-}" ] || [ "${ONLY%,*}" = "$command/$who" ] || continue
	total='?'
	if ! prepare "$command" || ! step "$command" "$who"; then
		ok 1 "$command/$who: counting calls: $(head -c 300 "$T/err")"
		clean
		continue
	fi
	total=$calls
	case $command in
	run | state) ;; # the status of run is the container's; state is asked for below
	*) is "$status" 0 "$command/$who: works" || diag "$(cat "$T/err")" ;;
	esac
	truth
	ok $? "$command/$who: $total calls ($said)" || diag "$said"
	clean
	ok $? "$command/$who: nothing is left" || diag "$left"
	[ "$total" -gt 0 ] || continue
	if [ -n "${ONLY:-}" ]; then
		one "$command" "$who" "${ONLY#*,}"
	elif [ "${STEPS:-}" = all ]; then
		for ((n = 1; n <= total; n++)); do one "$command" "$who" $n; done
	else
		for ((i = 0; i < samples; i++)); do
			one "$command" "$who" $((1 + (total - 1) * (2 * i + 1) / (2 * samples)))
		done
	fi
done <<'EOF_TABLE'
create cli 4
create monitor 3
create vmm 2
run cli 2
run monitor 1
run vmm 1
start cli 2
start monitor 1
kill cli 1
kill monitor 1
delete cli 2
delete-force cli 2
state cli 1
exec cli 2
exec monitor 1
exec-detach cli 1
exec-detach proxy 1
pause cli 1
pause monitor 1
resume cli 1
update cli 1
update monitor 1
EOF_TABLE

done_testing
