#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Control groups: where a container is, what its limits are on the host and as it sees them itself, what is
# refused, what is left afterwards.
. "$(dirname "$0")/lib.sh"
setup
HIERARCHY=/sys/fs/cgroup
[ "$(stat -f -c %T $HIERARCHY)" = cgroup2fs ] || skip_all "no cgroup v2 here"

# As an unprivileged user: a scope of our own is where cgroups can be made.
if [ "$UID_NOW" != 0 ] && [ -z "${IN_SCOPE:-}" ] && IN_SCOPE=1 systemd-run --user --scope -q -p Delegate=yes true 2>/dev/null; then
	rm -rf "$T"
	trap - EXIT
	IN_SCOPE=1 exec systemd-run --user --scope -q -p Delegate=yes -- bash "$0" "$@"
fi
OWN=$(sed -n 's/^0:://p' /proc/self/cgroup)
PARENT=
[ "$UID_NOW" = 0 ] || PARENT=${OWN%/*}

# The root file system has no /sys/fs/cgroup of its own: the container's is mounted there.
CGROUP_MOUNT='.mounts = [.mounts[] | select(.destination != "/sys/fs/cgroup")]
	+ [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["ro", "nosuid", "noexec", "nodev"]}]'

# cgroup_of PID, host FILE: of the container that runs as $ID.
cgroup_of() { sed -n 's/^0:://p' "/proc/$1/cgroup"; }
host() { cat "$HIERARCHY$cg/$1" 2>/dev/null; }

# begin NAME FILTER: create one that waits; $pid and $cg are its.
begin() {
	script "$1" 'sleep 600' "$2"
	new_id
	rt create --bundle "$B" --pid-file "$T/pid" "$ID" </dev/null >/dev/null 2>"$T/rt.err"
	rc=$? pid=$(cat "$T/pid" 2>/dev/null)
	[ $rc = 0 ] || { diag "$(cat "$T/rt.err")"; return 1; }
	cg=$(cgroup_of "$pid")
}
end() {
	rt delete --force "$ID"
	is $? 0 "$1: delete"
	[ ! -e "$HIERARCHY$cg" ] || [ "$cg" = "$OWN" ]
	ok $? "$1: its cgroup is gone" || diag "$cg"
}

# ---- where it is

if begin nowhere .; then
	if [ -n "${IN_SCOPE:-}" ]; then
		is "$cg" "$PARENT/$ID" "no path, unprivileged: a sibling of the caller's"
	elif [ "$UID_NOW" = 0 ]; then
		is "$cg" "/$ID" "no path: /ID"
	else
		is "$cg" "$OWN" "no path and no permission: the caller's"
	fi
	if [ "$cg" != "$OWN" ]; then
		procs=$(host cgroup.procs | wc -l)
		is "$procs" 3 "the monitor, the VMM and the helper for the network are in it"
	fi
	is "$(jq -r .cgroup.path "$STATE/$ID/state.json")" "$([ "$cg" = "$OWN" ] && echo null || echo "$cg")" "the state names it"
	end "no path"
fi

script disabled 'sleep 600'
new_id
rt --cgroup-manager disabled create --bundle "$B" --pid-file "$T/pid" "$ID" </dev/null >/dev/null 2>"$T/rt.err"
is $? 0 "--cgroup-manager disabled"
is "$(cgroup_of "$(cat "$T/pid")")" "$OWN" "disabled: it stays where the caller is"
rt delete --force "$ID"
err=$(rt --cgroup-manager nonesuch list 2>&1)
like "$err" 'nonesuch' "an unknown manager is named"

can_make=
if [ "$UID_NOW" = 0 ] || [ -n "${IN_SCOPE:-}" ]; then
	can_make=1
fi
begin_at() { # NAME PATH FILTER
	begin "$1" ".linux.cgroupsPath = \"$2\" | ${3:-.}"
}
if [ -n "$can_make" ]; then
	begin_at path "$PARENT/$PREFIX-a/b" && {
		is "$cg" "$PARENT/$PREFIX-a/b" "linux.cgroupsPath"
		# the same again while somebody is in it
		script twice true ".linux.cgroupsPath = \"$cg\""
		held=$ID
		run_rt
		refuses "a cgroup that is in use" 'cgroupsPath.*in use'
		ID=$held
		is "$(rt state "$ID" | jq -r .status)" created "the other one is not hurt"
		end "linux.cgroupsPath"
	}
	begin_at relative "${PARENT#/}${PARENT:+/}$PREFIX-r" && {
		is "$cg" "$PARENT/$PREFIX-r" "a path without a slash is below the root"
		end "relative path"
	}
	mkdir "$HIERARCHY$PARENT/$PREFIX-left" 2>/dev/null
	begin_at left "$PARENT/$PREFIX-left" && {
		is "$cg" "$PARENT/$PREFIX-left" "one that is there and empty is taken"
		kill -9 "$pid"
		for p in $(host cgroup.procs); do kill -9 "$p"; done
		end "after kill -9 of everything"
	}
	rmdir "$HIERARCHY$PARENT/$PREFIX-a" 2>/dev/null
else
	script denied true '.linux.cgroupsPath = "/coracle-test-denied"'
	run_rt
	refuses "a path without permission" 'linux.cgroupsPath.*[Pp]ermission denied'
fi
while IFS='|' read -r name path; do
	script bad true ".linux.cgroupsPath = \"$path\""
	run_rt
	refuses "cgroupsPath: $name" 'linux.cgroupsPath'
	[ ! -e "$STATE/$ID" ]
	ok $? "cgroupsPath: $name: nothing is left" || rm -rf "${STATE:?}/$ID"
done <<'EOF_TABLE'
dots|/../../etc
dots inside|/a/../../b
the root itself|/
below a file|/cgroup.procs/x
newline|/coracle\nx
EOF_TABLE

# ---- systemd

sdshow='systemctl --user show'
[ "$UID_NOW" != 0 ] || sdshow='systemctl show'
if $sdshow -p Version >/dev/null 2>&1; then
	slice=user.slice
	[ "$UID_NOW" != 0 ] || slice=system.slice
	# scope NAME FILTER: as begin, by --systemd-cgroup
	scope() {
		script "$1" 'sleep 600' "$2"
		new_id
		rt --systemd-cgroup create --bundle "$B" --pid-file "$T/pid" "$ID" </dev/null >/dev/null 2>"$T/rt.err"
		is $? 0 "systemd: $1" || { diag "$(cat "$T/rt.err")"; return 1; }
		pid=$(cat "$T/pid")
		cg=$(cgroup_of "$pid")
	}
	collected() { $sdshow "$1" -p LoadState | grep -q not-found; }
	gone() {
		rt delete --force "$ID"
		is $? 0 "systemd: $1: delete"
		until_true 30 collected "$2"
		like "$($sdshow "$2" -p LoadState)" not-found "systemd: $1: the scope is gone"
		[ ! -e "$HIERARCHY$cg" ]
		ok $? "systemd: $1: so is its cgroup"
	}
	if scope "no path" .; then
		like "$cg" "/$slice/coracle-$ID.scope/container\$" "systemd: no path: where it is"
		is "$(host cgroup.procs | wc -l)" 3 "systemd: monitor, VMM and helper are in it"
		is "$(rt state "$ID" | jq -r '."systemd-scope"')" "coracle-$ID.scope" "systemd: state names the scope"
		gone "no path" "coracle-$ID.scope"
	fi
	if scope "limits" ".linux.cgroupsPath = \"user.slice:pre:$PREFIX-s\" | .annotations = {\"org.systemd.property.TimeoutStopSec\": \"uint64 7\",
		\"org.systemd.property.CollectMode\": \"'inactive-or-failed'\"}
		| .linux.resources = {memory: {limit: 134217728}, pids: {limit: 50}, cpu: {quota: 50000, period: 100000, shares: 1024}}"; then
		like "$cg" "user.slice/pre-$PREFIX-s.scope/container\$" "systemd: slice:prefix:name"
		is "$(host cpu.max)" "50000 100000" "systemd: cpu.max"
		[ "$(host memory.max)" -gt 134217728 ]
		ok $? "systemd: memory.max" || diag "$(host memory.max)"
		props=$($sdshow "pre-$PREFIX-s.scope" -p CPUQuotaPerSecUSec -p CPUWeight -p TimeoutStopUSec -p CollectMode -p Delegate -p MemoryMax)
		for want in CPUQuotaPerSecUSec=500ms CPUWeight=100 TimeoutStopUSec=7s CollectMode=inactive-or-failed Delegate=yes "MemoryMax=$(host memory.max)"; do
			like "$props" "$want" "systemd: $want"
		done
		rt start "$ID"
		$sdshow "pre-$PREFIX-s.scope" >/dev/null
		# kill and delete come without --systemd-cgroup
		gone limits "pre-$PREFIX-s.scope"
	fi
	if scope "no subgroup" '.annotations = {"run.oci.systemd.subgroup": ""}'; then
		like "$cg" "/coracle-$ID.scope\$" "systemd: no subgroup: the scope itself"
		for p in $(host cgroup.procs); do kill -9 "$p"; done
		gone "after kill -9 of everything" "coracle-$ID.scope"
	fi
	script bad true '.linux.cgroupsPath = "/a/b"'
	run_systemd() {
		new_id
		rt --systemd-cgroup run --bundle "$B" "$ID" </dev/null >"$T/rt.out" 2>"$T/rt.err"
		rc=$? err=$(cat "$T/rt.err")
		echo $rc >"$T/rt.rc"
	}
	run_systemd
	refuses "systemd: a path" 'linux.cgroupsPath.*slice:prefix:name'
	script bad true '.annotations = {"org.systemd.property.TasksMax": "uint64 lots"}'
	run_systemd
	refuses "systemd: a bad property" 'org.systemd.property.TasksMax'
	script bad true '.annotations = {"org.systemd.property.NoSuchThing": "true"}'
	run_systemd
	refuses "systemd: an unknown property" 'NoSuchThing'
else
	skip "systemd" "no manager answers"
fi

# ---- limits as the container sees them

show='cd /sys/fs/cgroup; cat /proc/self/cgroup; for f in FILES; do printf "%s: " $f; cat $f | tr "\n" " "; echo; done'
FILES="memory.max memory.low memory.swap.max pids.max cpu.max cpu.weight cpu.idle cpu.max.burst cpuset.cpus"
inside() { # NAME FILTER: under both
	script "$1" "${show/FILES/$FILES}" "$CGROUP_MOUNT | $2"
	run_both
}
while IFS='|' read -r name resources; do
	filter=".linux.resources = $resources"
	# crun drops limits where it has no permission; a path of its own makes it try
	[ -z "$can_make" ] || filter+=" | .linux.cgroupsPath = \"$PARENT/$PREFIX-see\""
	inside see "$filter"
	if [ -n "$can_make" ]; then
		same_lines "$name" "^0::"
	else
		is "$rc" 0 "$name: without a cgroup on the host" || detail
	fi
done <<'EOF_TABLE'
no limits|{}
memory|{"memory": {"limit": 134217728}}
memory, uneven|{"memory": {"limit": 100000001}}
memory and swap|{"memory": {"limit": 134217728, "swap": 268435456, "reservation": 67108864}}
memory, unlimited|{"memory": {"limit": -1, "swap": -1}}
quota|{"cpu": {"quota": 50000}}
quota and period|{"cpu": {"quota": 50000, "period": 200000}}
period|{"cpu": {"period": 50000}}
burst|{"cpu": {"quota": 50000, "burst": 20000}}
idle|{"cpu": {"idle": 1}}
one cpu|{"cpu": {"cpus": "0"}}
pids|{"pids": {"limit": 77}}
pids, unlimited|{"pids": {"limit": -1}}
unified|{"unified": {"memory.high": "150000000", "memory.max": "200003584", "cpu.weight": "77", "pids.max": "33"}}
EOF_TABLE
is "$(sed -n 's/^memory.max: //p' "$T/rt.out")" "200003584 " "the container sees its memory.max"
inside shares '.linux.resources = {cpu: {shares: 1024}}'
is "$(sed -n 's/^cpu.weight: //p' "$T/rt.out")" "100 " "1024 shares are the default weight"
inside root .
like "$(head -n 1 "$T/rt.out")" '^0::/$' "its own cgroup is the root that it sees"

# pids.max holds: no more processes than allowed
script forks 'i=0; while [ $i -lt 30 ]; do sleep 60 & i=$((i + 1)); done 2>/dev/null; exit 0' '.linux.resources = {pids: {limit: 10}}'
run_rt
like "$rc:$err" '^[1-9]' "pids.limit holds"

# ---- limits on the host: what was asked for, and the machine's overhead where it counts

if [ -n "$can_make" ] && begin host ".linux.resources = {memory: {limit: 134217728}, pids: {limit: 50},
	cpu: {quota: 150000, period: 100000, shares: 1024, cpus: \"0\"}}"; then
	max=$(host memory.max)
	[ "$max" -gt 134217728 ] && [ "$max" -lt $((134217728 + 160 * 1048576)) ]
	ok $? "host: memory.max is the limit and a machine" || diag "$max"
	[ "$(host pids.max)" -gt 50 ]
	ok $? "host: pids.max leaves room for the machine's threads"
	is "$(host cpu.max)" "150000 100000" "host: cpu.max"
	is "$(host cpu.weight)" 100 "host: cpu.weight"
	is "$(host cpuset.cpus)" 0 "host: cpuset.cpus"
	end "host limits"
fi

# ---- what can't be had is refused by name

while IFS='|' read -r name resources want; do
	script bad true ".linux.resources = $resources"
	run_rt
	refuses "$name" "$want"
done <<'EOF_TABLE'
swap without limit|{"memory": {"swap": 1000000000}}|linux.resources.memory.swap
swap below limit|{"memory": {"limit": 2000000, "swap": 1000000}}|linux.resources.memory.swap
kernel memory|{"memory": {"kernel": 1000000}}|linux.resources.memory.kernel
swappiness|{"memory": {"swappiness": 10}}|linux.resources.memory.swappiness
oom killer|{"memory": {"disableOOMKiller": true}}|linux.resources.memory.disableOOMKiller
realtime|{"cpu": {"realtimeRuntime": 1000}}|linux.resources.cpu.realtimeRuntime
network|{"network": {"classID": 1}}|linux.resources.network
unified, no such file|{"unified": {"nonesuch.max": "1"}}|linux.resources.unified
unified, a path|{"unified": {"a/../b.c": "1"}}|linux.resources.unified
EOF_TABLE
if [ -n "$can_make" ]; then
	script bad true '.linux.resources = {cpu: {cpus: "4000"}}'
	run_rt
	refuses "no such cpu" 'linux.resources.cpu.cpus'
	script bad true '.linux.resources = {unified: {"memory.max": "lots"}}'
	run_rt
	refuses "unified, a bad value" 'linux.resources.unified'
fi

done_testing
