#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# pause, resume, update, events: a container while it runs.
. "$(dirname "$0")/lib.sh"
setup

if [ "$UID_NOW" != 0 ] && [ -z "${IN_SCOPE:-}" ] && IN_SCOPE=1 systemd-run --user --scope -q -p Delegate=yes true 2>/dev/null; then
	rm -rf "$T"
	trap - EXIT
	IN_SCOPE=1 exec systemd-run --user --scope -q -p Delegate=yes -- bash "$0" "$@"
fi

CGROUP_MOUNT='.mounts = [.mounts[] | select(.destination != "/sys/fs/cgroup")]
	+ [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro", "nosuid", "noexec", "nodev"]}]'

# begin NAME SCRIPT [FILTER]: a running container whose output is $T/out, its pid $pid.
begin() {
	script "$1" "$2" "${3:-.}"
	new_id
	: >"$T/out"
	rt create --bundle "$B" --pid-file "$T/pid" "$ID" </dev/null >"$T/out" 2>"$T/rt.err" &&
		rt start "$ID" 2>>"$T/rt.err"
	ok $? "$1: starts" || diag "$(cat "$T/rt.err")"
	pid=$(cat "$T/pid")
	cg=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
	until_true $LIMIT has_text "$T/out" ready
}
status() { rt state "$ID" | jq -r .status; }

# fails NAME REGEX COMMAND...: refused with one line that matches.
fails() {
	local text
	text=$(rt "${@:3}" 2>&1)
	[ $? = 1 ] && [[ $text =~ $2 ]]
	ok $? "$1" || diag "$text"
}

# ---- pause and resume

begin pause 'trap "date +now:%s" USR1; trap "echo term" TERM; echo ready; i=0; while :; do i=$((i + 1)); echo $i >/count; sleep 0.05; done'
count=$T/rootfs/count
fails "resume of a running one" 'not paused' resume "$ID"
rt pause "$ID"
is $? 0 "pause"
is "$(status)" paused "its status is paused"
before=$(mapped cat "$count")
sleep 2
is "$(mapped cat "$count")" "$before" "nothing runs in it"
fails "pause of a paused one" 'not running' pause "$ID"
fails "delete of a paused one" 'paused' delete "$ID"
fails "start of a paused one" 'start' start "$ID"
text=$(rt exec "$ID" true 2>&1)
[ $? != 0 ] && [[ $text =~ paused ]]
ok $? "exec in a paused one" || diag "$text"
rt kill "$ID" TERM
is $? 0 "a signal for a paused one is taken"
sleep 1
is "$(grep -c term "$T/out")" 0 "and waits"
# as many as the way to the guest holds, and more: nobody may wait for a guest that takes nothing
is "$(python3 - "$STATE/$ID/ctl.sock" <<'EOF_PYTHON'
import socket, struct, sys
codes = []
while len(codes) < 20000 and codes[-9:].count(11) < 9:
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(60)
    s.connect(sys.argv[1])
    s.send(struct.pack("=4I", 2, 28, 0, 0))     # CTL_KILL, SIGWINCH
    codes.append(struct.unpack_from("=i", s.recv(2048))[0])
    s.close()
print(codes[0], codes[-1])
EOF_PYTHON
)" "0 11" "too many signals for a paused one are answered"
[ -d "/proc/$pid" ]
ok $? "its published process is there"
t0=$(date +%s)
rt resume "$ID"
is $? 0 "resume"
is "$(status)" running "its status is running"
until_true $LIMIT has_text "$T/out" '^term'
ok $? "the signal arrives"
until_true $LIMIT rt kill "$ID" USR1   # until the guest has taken all that waits
until_true $LIMIT has_text "$T/out" '^now:'
ok $? "it goes on"
now=$(sed -n 's/^now://p' "$T/out" | head -n 1)
[ "${now:-0}" -ge "$t0" ] && [ "${now:-0}" -le "$(date +%s)" ]
ok $? "its clock is right" || diag "from $t0 to $(date +%s), it says $now"
for i in 1 2 3 4 5; do rt pause "$ID" && rt resume "$ID" || break; done
is "$?$(status)" 0running "again and again"
# it says "paused" and is still to ask the machine: its second connection
strace -qq -o /dev/null -e trace=setsockopt -e inject=setsockopt:delay_enter=3000000:when=2 "$RT" pause "$ID" &
until_true $LIMIT is_now paused
rt resume "$ID"
is $? 0 "resume while pause is under way"
wait $!
is "$(status) $(rt exec "$ID" echo goes on </dev/null 2>&1)" "running goes on" "comes after it"
rt pause "$ID"
rt kill "$ID" KILL
is $? 0 "SIGKILL ends a paused one"
until_true $LIMIT is_now stopped
is "$(status)" stopped "it has stopped"
rt delete "$ID"
is $? 0 "and can be deleted"

begin force 'echo ready; sleep 600'
rt pause "$ID"
rt delete --force "$ID"
is $? 0 "delete --force of a paused one"
fails "pause of one that isn't" 'does not exist' pause "$ID"
script created 'sleep 600'
new_id
rt create --bundle "$B" "$ID" </dev/null >/dev/null 2>&1
fails "pause of a created one" 'not running' pause "$ID"
rt delete --force "$ID"

# ---- update

inside() { rt exec "$ID" cat "/sys/fs/cgroup/$1"; }
host() { cat "/sys/fs/cgroup$cg/$1"; }
begin update 'echo ready; sleep 600' "$CGROUP_MOUNT | .linux.resources = {memory: {limit: 134217728}, cpu: {quota: 50000, period: 100000}}"
own=
jq -e .cgroup.path "$STATE/$ID/state.json" >/dev/null && own=1
max=$([ -z "$own" ] || host memory.max)
is "$(inside memory.max)" 134217728 "before: memory.max"
rt update --memory 100m --pids-limit 55 --cpu-share 2048 "$ID"
is $? 0 "update with options"
is "$(inside memory.max)" 104857600 "update: memory.max inside"
is "$(inside pids.max)" 55 "update: pids.max inside"
like "$(inside cpu.weight)" '^1[0-9][0-9]$' "update: cpu.weight inside"
is "$(inside cpu.max)" "50000 100000" "update: what isn't named stays"
if [ -n "$own" ]; then
	[ "$(host memory.max)" -lt "$max" ] && [ "$(host memory.max)" -gt 104857600 ]
	ok $? "update: memory.max on the host" || diag "$max $(host memory.max)"
fi
echo '{"cpu": {"quota": 80000}, "pids": {"limit": -1}, "unified": {"memory.high": "90000000"}}' >"$T/res.json"
rt update --resources "$T/res.json" "$ID"
is $? 0 "update from a file"
is "$(inside cpu.max)" "80000 100000" "update: a quota alone leaves the period"
is "$(inside pids.max)" max "update: no limit of pids"
is "$(inside memory.high)" 89997312 "update: unified"
echo '{"unified": {"memory.high": "80M"}}' | rt update --resources - "$ID"
is "$(inside memory.high)" 83886080 "update: unified, with a unit"
[ -z "$own" ] || is "$(host cpu.max)" "80000 100000" "update: cpu.max on the host"
echo '{"cpu": {"period": 200000}}' | rt update --resources - "$ID"
is $? 0 "update from stdin"
[ -z "$own" ] || is "$(host cpu.max)" "80000 200000" "update: a period alone leaves the quota"
rt update --cpu-quota 90000 "$ID"
is "$?$(inside cpu.max)" "090000 200000" "update: a quota alone, by an option"
echo '{"cpu": {"quota": 80000, "burst": 70000}}' | rt update --resources - "$ID" &&
	echo '{"cpu": {"quota": 50000, "burst": 20000}}' | rt update --resources - "$ID"
is "$?$(inside cpu.max.burst)" 020000 "update: a burst below the quota to come"
echo '{"cpu": {"idle": 1}}' | rt update --resources - "$ID" &&
	echo '{"cpu": {"idle": 0, "shares": 1024}}' | rt update --resources - "$ID"
is "$?$(inside cpu.idle)$(inside cpu.weight)" 00100 "update: from idle to a weight"
fails "update: shares below zero" 'cpu-share' update --cpu-share -1 "$ID"
fails "update beyond the machine" "memory.limit.*can't grow" update --memory 4g "$ID"
is "$(inside memory.max)" 104857600 "and nothing is changed"
rt update --memory 120m "$ID"
is "$?$(inside memory.max)" 0125829120 "update: a limit grows within the machine"
fails "update with nonsense" 'cpu.cpus' update --cpuset-cpus 4000x "$ID"
fails "update with a broken file" 'resources' update --resources /dev/null "$ID"
rt update --memory-swap 200m "$ID"
is "$?$(inside memory.max)" 0125829120 "update: swap alone, beside the limit that there is"
fails "update: less swap than memory" 'memory.swap: less than' update --memory-swap 100m "$ID"
fails "update: no number" 'memory' update --memory lots "$ID"
echo '{"memory": {"limit": 4096, "checkBeforeUpdate": true}}' >"$T/res.json"
fails "update below what is in use" 'in use' update --resources "$T/res.json" "$ID"
rt pause "$ID"
fails "update of a paused one" 'paused' update --memory 100m "$ID"
rt resume "$ID"

# ---- events

stats=$(rt events --stats "$ID")
is $? 0 "events --stats"
is "$(wc -l <<<"$stats")" 1 "events: one line"
while IFS='|' read -r filter want; do
	is "$(jq -r "$filter" <<<"$stats" 2>&1)" "$want" "events: $filter"
done <<EOF_TABLE
.type|stats
.id|$ID
.data.cpu.usage.total > 0|true
.data.cpu.usage.kernel + .data.cpu.usage.user > 0|true
.data.memory.usage.limit|125829120
.data.memory.usage.usage > 0|true
.data.memory.raw.anon > 0|true
.data.pids.current > 0|true
.data.cpu.throttling.throttledTime >= 0|true
.data.blkio == null|false
.data.hugetlb == null|false
.data.network_interfaces == null|false
EOF_TABLE
rt events --interval 100ms "$ID" >"$T/events" &
events=$!
three_events() { [ "$(wc -l <"$T/events")" -ge 3 ]; }
until_true $LIMIT three_events
ok $? "events: again and again"
rt kill "$ID" KILL
wait "$events"
is $? 0 "events: ends with the container"
is "$(jq -r .type "$T/events" | sort -u)" stats "events: each line is one"
fails "events of a stopped one" 'not running' events --stats "$ID"
fails "update of a stopped one" 'not running' update --memory 100m "$ID"
fails "events: no interval" 'interval' events --interval 5x "$ID"
rt delete "$ID"

# ---- a limit below what the machine holds of files: its kernel drops them, the host's would kill it

begin shrink 'head -c 180000000 /dev/zero >/big; cat /big >/dev/null; echo ready; sleep 600' \
	"$CGROUP_MOUNT | .linux.resources = {memory: {limit: 268435456}}"
rt update --memory 64m "$ID" 2>"$T/rt.err"
is "$?$(cat "$T/rt.err")" 0 "update below what is cached"
is_now running
ok $? "update below what is cached: the machine lives"
is "$(inside memory.max)" 67108864 "update below what is cached: memory.max inside"
rt delete --force "$ID"
mapped rm -f "$T/rootfs/big"

# ---- out of memory

# a line without end: tail keeps it all
hungry='head -c 3000m /dev/zero | tail >/dev/null; echo "status $?"'
oom() { # NAME FILTER
	script oom "$hungry; exit 7" "$2"
	new_id
	rm -f "$B/oom"
	rt create --bundle "$B" --pid-file "$T/pid" "$ID" </dev/null >"$T/out" 2>"$T/rt.err"
	is $? 0 "$1: create" || diag "$(cat "$T/rt.err")"
	cg=$(sed -n 's/^0:://p' "/proc/$(cat "$T/pid")/cgroup")
	own=
	jq -e .cgroup.path "$STATE/$ID/state.json" >/dev/null && own=1
	LIMIT=$((LIMIT * 3)) rt events --interval 100ms "$ID" >"$T/events" &
	events=$!
	rt start "$ID"
	until_true $((LIMIT * 2)) is_now stopped
	is "$(status)" stopped "$1: ends"
	is "$(cat "$T/out")" "status 137" "$1: the hungry process is killed, the others are not"
	is "$(jq -r .exitCode "$STATE/$ID/exit.json")" 7 "$1: the exit status is the program's"
	[ -e "$B/oom" ]
	ok $? "$1: the file oom is in the bundle"
	if [ -n "$own" ]; then
		like "$(host memory.events)" 'oom_kill [1-9]' "$1: memory.events on the host tells it"
	fi
	wait "$events"
	is "$(jq -r .type "$T/events" | grep -c '^oom$')" 1 "$1: events tells it, once"
	rt delete "$ID"
	is $? 0 "$1: delete"
}
oom "out of memory, with a limit" "$CGROUP_MOUNT | .linux.resources = {memory: {limit: 100000000}}"
[ "$UID_NOW" != 0 ] ||
	oom "out of memory, spared by the host" "$CGROUP_MOUNT | .linux.resources = {memory: {limit: 100000000}} | .process.oomScoreAdj = -900"
oom "out of memory, without one" .
script oom 'exec tail /dev/zero' '.linux.resources = {memory: {limit: 60000000}}'
run_rt
is "$rc" 137 "out of memory: the only process"
new_id
rt create --bundle "$B" "$ID" </dev/null >"$T/out" 2>"$T/rt.err"
LIMIT=$((LIMIT * 3)) rt events --interval 100ms "$ID" >"$T/events" &
events=$!
until_true $LIMIT has_text "$T/events" stats && rt start "$ID"
wait "$events"
is "$(jq -r .type "$T/events" | grep -c '^oom$')" 1 "out of memory: events tells of the kill that was the end"
rt delete "$ID"
script fine 'exit 3' '.linux.resources = {memory: {limit: 60000000}}'
run_rt --keep
is "$rc" 3 "a limit that suffices"
[ ! -e "$B/oom" ]
ok $? "no file oom"
rt delete "$ID"

done_testing
