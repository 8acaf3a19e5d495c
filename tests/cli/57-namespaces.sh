#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# linux.namespaces: what is joined by path and what is new, as engines look at it in /proc/PID/ns; what can't be shared.
. "$(dirname "$0")/lib.sh"
setup

TYPES='net uts ipc cgroup mnt user'
declare -A NAME=([net]=network [uts]=uts [ipc]=ipc [cgroup]=cgroup [mnt]=mount [user]=user)

norm() { grep -v 'gets its own loopback and nothing'; }
H=self

# holder OPTIONS...: a process in namespaces of its own; $H
holder() {
	mapped unshare "$@" sh -c 'hostname joined-box 2>/dev/null; echo $$; exec sleep 900' >"$T/up" &
	holder_job=$!
	until_true 60 [ -s "$T/up" ]
	H=$(cat "$T/up")
}
drop() {
	kill "$H" "$holder_job" 2>/dev/null
	wait "$holder_job" 2>/dev/null
	rm -f "$T/up"
	H=self
}

# joined TITLE FILTER: create under both, say for each namespace whose it is, and what the container sees.
joined() {
	local who id
	for who in ref rt; do
		script "join" 'hostname; id -u; echo ran' "$2"
		new_id
		id=$ID
		: >"$T/$who.out"
		$who create --bundle "$B" --pid-file "$T/pid" "$id" </dev/null >"$T/$who.out" 2>"$T/$who.err"
		echo $? >"$T/$who.rc"
		if [ -s "$T/pid" ]; then
			for t in $TYPES; do
				case $(readlink "/proc/$(cat "$T/pid")/ns/$t") in
				'') echo "$t: unreadable" ;;
				"$(readlink "/proc/self/ns/$t")") echo "$t: ours" ;;
				"$(readlink "/proc/$H/ns/$t")") echo "$t: joined" ;;
				*) echo "$t: new" ;;
				esac
			done >"$T/$who.where"
			$who start "$id" 2>>"$T/$who.err"
			until_true 60 has_text "$T/$who.out" ran
			$who delete --force "$id" 2>/dev/null
		fi
		rm -f "$T/pid"
	done
	same "$1"
	# an ordinary user may not look into crun's
	if grep -q unreadable "$T/ref.where"; then
		is "$(xargs <"$T/rt.where")" "$3" "$1: /proc/PID/ns"
	else
		is "$(xargs <"$T/rt.where")" "$(xargs <"$T/ref.where")" "$1: /proc/PID/ns as with the reference"
	fi
}

if [ -z "$ROOTLESS" ]; then
	holder -n -u -i -C -m
	joined "nothing joined" .
	for t in net uts ipc cgroup; do
		joined "join $t" "del(.hostname) | .linux.namespaces |= map(if .type == \"${NAME[$t]}\" then .path = \"/proc/$H/ns/$t\" else . end)"
	done
	joined "join all" "del(.hostname) | .linux.namespaces |= map(if .type == \"network\" then .path = \"/proc/$H/ns/net\"
		elif .type == \"uts\" then .path = \"/proc/$H/ns/uts\" elif .type == \"ipc\" then .path = \"/proc/$H/ns/ipc\" else . end)"
	like "$(cat "$T/rt.out")" joined-box "with its name"
	# crun makes that one the container's own and leaves nothing of it to others
	if rt_only "join mnt"; then
		script join 'hostname; echo ran' ".linux.namespaces |= map(if .type == \"mount\" then .path = \"/proc/$H/ns/mnt\" else . end)"
		run_rt
		is "$rc $(xargs <<<"$out")" "0 box ran" "join mnt: a copy of it"
	fi
	joined "none of its own" 'del(.hostname) | .linux.namespaces |= map(select(.type == "mount" or .type == "pid"))'
	drop
fi
if [ -n "$ROOTLESS" ]; then
	holder -n -u -i
	joined "a pod: user, network, uts and ipc of another container" "del(.hostname, .linux.uidMappings, .linux.gidMappings)
		| .linux.namespaces |= (map(select(.type != \"user\")) + [{type: \"user\"}] | map(
			if .type == \"user\" then .path = \"/proc/$H/ns/user\" elif .type == \"network\" then .path = \"/proc/$H/ns/net\"
			elif .type == \"uts\" then .path = \"/proc/$H/ns/uts\" elif .type == \"ipc\" then .path = \"/proc/$H/ns/ipc\" else . end))" \
		"net: joined uts: joined ipc: joined cgroup: new mnt: new user: joined"
	like "$(cat "$T/rt.out")" joined-box "with its name"
	drop
fi
joined "the host's names" 'del(.hostname)' "net: new uts: new ipc: new cgroup: new mnt: new user: new"
if [ -n "$ROOTLESS" ]; then
	joined "no uts namespace" 'del(.hostname) | .linux.namespaces |= map(select(.type != "uts"))' \
		"net: new uts: ours ipc: new cgroup: new mnt: new user: new"
fi

# ---- podman's way: we are called in a user namespace with several ranges; another one inside that; its network outside of it

# mapped_both TITLE COMMAND...: with each program and a new id as its last arguments, as root of a user namespace
mapped_both() {
	local who bin
	for who in ref rt; do
		new_id
		bin=$REF
		[ $who = ref ] || bin=$RT
		mapped "${@:2}" "$bin" "$ID" </dev/null >"$T/$who.out" 2>"$T/$who.err"
		echo $? >"$T/$who.rc"
	done
	same "$1"
}
runs() { timeout 60 "$1" run --bundle "$B" "$2"; }
export -f runs
export T B
inside() { # TITLE FILTER
	script inside 'id -u; cat /proc/self/status | grep ^Cap; touch /made; chown 5:6 /made; ls -n /made | cut -c1-30; rm /made; echo ran' \
		"del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != \"user\")) | $2"
	mapped_both "$1" unshare -n bash -c 'runs "$@"' -
}
if [ -n "$ROOTLESS" ]; then
	inside "in a user namespace" .
	inside "in a user namespace, the network by path" '.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/net" else . end)'
	maps='[{containerID: 0, hostID: 0, size: 1}, {containerID: 1, hostID: 10, size: 100}, {containerID: 101, hostID: 1000, size: 1000}]'
	inside "a user namespace inside, with several ranges" ".linux.namespaces += [{type: \"user\"}] | .linux.uidMappings = $maps | .linux.gidMappings = $maps"
	inside "the same, the network from outside by path" ".linux.namespaces |= map(if .type == \"network\" then .path = \"/proc/self/ns/net\" else . end)
		| .linux.namespaces += [{type: \"user\"}] | .linux.uidMappings = $maps | .linux.gidMappings = $maps"
fi

# An engine there enters the published pid's namespaces (podman cp), the one of pids as well, which must not be the host's.
enters() { # PROGRAM ID
	local bin=$1 ID=$2 pid
	"$bin" create --bundle "$B" --pid-file "$T/pid" "$ID" </dev/null >"$T/started" || return
	pid=$(cat "$T/pid")
	echo "state: $(("$("$bin" state "$ID" | jq .pid)" == pid))"
	echo "hook: $(("$(jq .pid "$T/hook")" == pid))"
	"$bin" start "$ID"
	until_true 60 has_text "$T/started" running
	nsenter -t "$pid" -m -p true
	echo "entered: $?"
	kill -9 "$pid"
	until_true 60 ended "$pid" 2>/dev/null
	until_true 60 is_now stopped "$bin"
	echo "killed: $?"
	"$bin" delete "$ID"
	echo "deleted: $?"
}
if [ -n "$ROOTLESS" ]; then
	script enters 'echo running; exec sleep 900' "del(.linux.uidMappings, .linux.gidMappings) | .linux.namespaces |= map(select(.type != \"user\"))
		| .hooks.createContainer = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"cat >$T/hook\"]}]"
	export -f enters is_now until_true has_text ended
	mapped_both "the published pid, for an engine in a user namespace" timeout 100 bash -c 'enters "$@"' -
	like "$(cat "$T/rt.out")" 'entered: 0' "its pid namespace can be entered"
	if rt_only "ps"; then
		mapped timeout 100 bash -c '"$1" create --bundle "$B" --pid-file "$T/pid" "$2" </dev/null >"$T/out" &&
			for p in $("$1" ps --format json "$2" | jq ".[]"); do cat "/proc/$p/comm"; done | xargs; "$1" delete --force "$2"' - "$RT" "$ID" >"$T/ps" 2>&1
		is "$(cat "$T/ps")" "coracle coracle-vmm" "ps shows the pids that are known there"
	fi
fi

# ---- a pod's first container: it holds the namespaces and has no machine

if rt_only "a holder"; then
	bundle holder '.process.args = ["nonesuch"] | .annotations["io.kubernetes.cri.container-type"] = "sandbox"'
	new_id
	rt create -b "$B" --pid-file "$T/pid" "$ID" </dev/null >/dev/null 2>"$T/err"
	is "$? $(cat "$T/err")" "0 " "a holder: create"
	pid=$(cat "$T/pid")
	is "$(pgrep -P "$pid" -x coracle-vmm)" "" "a holder: no machine"
	is "$(nsenter -t "$pid" ${ROOTLESS:+-U --preserve-credentials} -u hostname)" box "a holder: its namespace has the host name"
	rt start "$ID"
	is "$? $(rt state "$ID" | jq -r .status)" "0 running" "a holder: start"
	is "$(nsenter -t "$pid" ${ROOTLESS:+-U --preserve-credentials} -n cat /sys/class/net/lo/flags 2>&1)" 0x9 "a holder: the loopback of its namespace is up"
	like "$(rt exec "$ID" true 2>&1)" 'holds the namespaces of a pod and has no machine' "a holder: exec"
	rt pause "$ID" && rt resume "$ID"
	is "$?" 0 "a holder: pause, resume"
	rt kill "$ID" HUP
	rt kill "$ID" TERM
	until_true 30 is_now stopped
	is "$? $(jq .exitCode "$STATE/$ID/exit.json")" "0 0" "a holder: SIGTERM, and nothing less, ends it"
	rt delete "$ID"
	is "$?" 0 "a holder: delete"
fi

# ---- what can't be

refuses_each '.linux.namespaces |= map(if .type == "uts" then .path = "/proc/self/ns/uts" else . end) | ' <<'EOF_TABLE'
another container's processes~linux.namespaces\[[0-9]\].path: the processes of another container can't be shared~.linux.namespaces |= map(if .type == "pid" then .path = "/proc/1/ns/pid" else . end)
another container's clocks~linux.namespaces\[[0-9]\].path: the clocks of another container can't be shared~.linux.namespaces += [{type: "time", path: "/proc/self/ns/time"}]
a missing path~linux.namespaces\[[0-9]\].path: open ./proc/self/ns/nonesuch.: No such file or directory~.linux.namespaces |= map(if .type == "ipc" then .path = "/proc/self/ns/nonesuch" else . end)
a namespace of another kind~linux.namespaces\[[0-9]\].path: ./proc/self/ns/uts.: not a ipc namespace~.linux.namespaces |= map(if .type == "ipc" then .path = "/proc/self/ns/uts" else . end)
no namespace at all~linux.namespaces\[[0-9]\].path: ./etc/passwd.: not a network namespace~.linux.namespaces |= map(if .type == "network" then .path = "/etc/passwd" else . end)
a relative path~linux.namespaces\[[0-9]\].path: must be an absolute path~.linux.namespaces |= map(if .type == "network" then .path = "netns" else . end)
twice the same~linux.namespaces\[[0-9]\]: a second network namespace~.linux.namespaces += [{type: "network"}]
EOF_TABLE
if [ -n "$ROOTLESS" ]; then
	bundle bad '.linux.namespaces |= map(if .type == "network" then .path = "/proc/1/ns/net" else . end)'
	run_rt
	refuses "a namespace of root's" "linux.namespaces\[[0-9]\].path: (open|join) ./proc/1/ns/net.: (Permission denied|Operation not permitted)"
fi

done_testing
