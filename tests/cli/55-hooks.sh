#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Hooks: all six kinds, in the right order and place, with the right state; and what a hook that fails does.
. "$(dirname "$0")/lib.sh"
setup

# One program, on the host and in the image: it writes down what it sees, then does as it is told.
cat >"$T/hook" <<'EOF_HOOK'
#!/bin/sh
log=$LOG
[ -n "$log" ] || log=/log
state=$(cat)
{
	echo "$1 status: $(echo "$state" | sed 's/.*"status":"\([a-z]*\)".*/\1/')"
	echo "$1 args: $*"
	echo "$1 id: $(echo "$state" | grep -c '"id":"'"$ID"'"')"
	echo "$1 note: $(echo "$state" | sed -n 's/.*"run.note":"\([a-z ]*\)".*/\1/p')"
	echo "$1 env: $(env | grep -e ^ONLY= -e ^OURS= -e ^CONTAINER= | sort | tr '\n' ' ')"
	echo "$1 user: $(id -u) $(sed -n 's/^CapEff:\t//p' /proc/self/status)"
	echo "$1 host: $([ "$(readlink /proc/self/ns/mnt)" = "$HOST_MNT" ] && echo yes || echo no)"
	echo "$1 directory: $(pwd | sed 's,.*/,,')"
	pid=$(echo "$state" | sed 's/.*"pid":\([0-9]*\).*/\1/')
	case $1 in
	prestart | createRuntime | poststart)
		[ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ] && echo "$1 pid: of the container" ;;
	poststop) echo "$1 pid: $pid; $([ -e "$STATE_DIR" ] && echo there || echo gone)" ;;
	esac
} >>"$log"
case $2 in
fail) echo "these words" >&2; exit 3 ;;
hang) case $log in */ref.log) exec sleep 501 ;; *) sleep 500 ;; esac ;; # crun kills the hook alone
touch) echo made >"$3" ;;
mount) mount -t tmpfs none "$3" && echo mounted >"$3/file" ;;
esac
exit 0
EOF_HOOK
chmod 755 "$T/hook"
cp "$T/hook" "$T/rootfs/hook"
chmod 777 "$T/rootfs"

ENVS='["PATH=/usr/bin:/bin:/usr/sbin:/sbin", "ONLY=its own", "LOG=\($log)", "HOST_MNT=\($mnt)", "ID=\($id)", "STATE_DIR=\($state)"]'
DEFS='def hook($name; $more): {path: "\($t)/hook", args: (["hook", $name] + $more), env: '$ENVS'};
	def inside($name; $more): {path: "/hook", args: (["hook", $name] + $more)};'

# hooked TITLE FILTER: run it under both with these hooks; $T/WHO.log is what they wrote.
hooked() {
	local who state=$STATE
	for who in ref rt; do
		: >"$T/$who.log"
		rm -f "$T/rootfs/log"
		[ $who = rt ] || state=$T/nowhere
		bundle "hooks" "$DEFS .annotations = {\"run.note\": \"a note\"} | .process.env += [\"CONTAINER=1\", \"ID=\(\$id)\"] | $2" --arg t "$T" \
			--arg log "$T/$who.log" --arg mnt "$(readlink /proc/self/ns/mnt)" --arg id "$PREFIX-$((next_id + 1))" \
			--arg state "$state/$PREFIX-$((next_id + 1))"
		OURS=1 run_one $who
		[ ! -e "$T/rootfs/log" ] || cat "$T/rootfs/log" >>"$T/$who.log"
	done
	out=$(cat "$T/rt.out") err=$(cat "$T/rt.err") rc=$(cat "$T/rt.rc")
}

# logged KEY: a line of the log under RT
logged() { sed -n "s/^$1: //p" "$T/rt.log"; }
order() { sed -n 's/^\([a-zA-Z0-9]*\) status.*/\1/p' "$1" | xargs; }

kinds='prestart createRuntime createContainer startContainer poststart poststop'
all='.hooks = {prestart: [hook("prestart"; [])], createRuntime: [hook("createRuntime"; [])], createContainer: [hook("createContainer"; [])],
	startContainer: [inside("startContainer"; [])], poststart: [hook("poststart"; [])], poststop: [hook("poststop"; [])]}'

hooked "all six" "$all | .process.args = [\"sh\", \"-c\", \"echo container ran; cat /log | head -n 1\"]"
is "$rc$err" 0 "all six"
is "$(order "$T/rt.log")" "prestart createRuntime createContainer poststart poststop startContainer" "all six ran" # the last from its own log
is "$(order "$T/rt.log")" "$(order "$T/ref.log")" "the same as with the reference"
is "$out" "container ran
startContainer status: created" "startContainer before the container's process"
for kind in $kinds; do
	case $kind in
	startContainer) want=created host=no dir=. ;;
	createContainer) want=creating host=no dir=hooks ;;
	poststart) want=running host=yes dir=hooks ;;
	poststop) want=stopped host=yes dir=hooks ;;
	*) want=creating host=yes dir=hooks ;;
	esac
	is "$(logged "$kind status")" $want "$kind: status"
	is "$(logged "$kind host")" $host "$kind: on the host's side of the mounts"
	is "$(logged "$kind id")" 1 "$kind: id"
	is "$(logged "$kind note")" "a note" "$kind: annotations"
	is "$(logged "$kind args")" "$kind" "$kind: args"
	for key in args env user directory; do
		is "$(logged "$kind $key")" "$(sed -n "s/^$kind $key: //p" "$T/ref.log")" "$kind: $key as with the reference"
	done
done
for kind in prestart createRuntime poststart; do
	is "$(logged "$kind pid")" "of the container" "$kind: the pid's namespaces"
done
is "$(logged "poststop pid")" "0; gone" "poststop: when everything is gone"
hooked "another user" "$all | .process.user = {uid: 1000, gid: 1000}"
is "$(logged "startContainer user")" "$(sed -n "s/^startContainer user: //p" "$T/ref.log")" "startContainer: the container's user"
hooked "inherited" '.hooks = {createRuntime: [hook("createRuntime"; []) | del(.env) | .args = ["hook", "createRuntime"]]}'
is "$rc" "$(cat "$T/ref.rc")" "a hook without env"

# several of a kind, and what they do
hooked "several" '.hooks = {createRuntime: [hook("one"; []), hook("two"; []), hook("three"; [])], poststop: [hook("four"; []), hook("five"; [])]}'
is "$(order "$T/rt.log")" "one two three four five" "several, in their order"
hooked "files" '.process.args = ["cat", "/from-runtime", "/from-container", "/from-start"] | .hooks = {
	createRuntime: [hook("createRuntime"; ["touch", "\($t)/rootfs/from-runtime"])],
	createContainer: [hook("createContainer"; ["touch", "\($t)/rootfs/from-container"])],
	startContainer: [inside("startContainer"; ["touch", "/from-start"])]}'
same "what hooks write is there"
mkdir "$T/rootfs/mnt2"
hooked "mount" '.process.args = ["cat", "/mnt2/file"] | .hooks = {createContainer: [hook("createContainer"; ["mount", "\($t)/rootfs/mnt2"])]}'
same "what createContainer mounts is there"

# ---- hooks that fail

for kind in prestart createRuntime createContainer; do
	hooked "fail" ".process.args = [\"echo\", \"ran\"] | .hooks = {$kind: [hook(\"one\"; []), hook(\"two\"; [\"fail\"]), hook(\"three\"; [])], poststop: [hook(\"poststop\"; [])]}"
	refuses "$kind fails" "config.json: hooks.$kind\[1\]: .*/hook.: exited with status 3: these words"
	is "$(order "$T/rt.log")" "one two poststop" "$kind fails: no further one, then poststop"
	is "$out" "" "$kind fails: the container did not run"
done
hooked "fail" '.process.args = ["echo", "ran"] | .hooks = {startContainer: [inside("one"; []), inside("two"; ["fail"]), inside("three"; [])], poststop: [hook("poststop"; [])]}'
refuses "startContainer fails" "config.json: hooks.startContainer\[1\]: ./hook.: exited with status 3: these words"
is "$(order "$T/rt.log")" "poststop one two" "startContainer fails: no further one, then poststop"
is "$out" "" "startContainer fails: the container did not run"
bundle later "$DEFS .hooks = {startContainer: [inside(\"one\"; [\"fail\"])]}" --arg t "$T" --arg log "$T/x.log" --arg mnt x --arg id x --arg state x
engine rt create start state delete left
is "$(value create) $(value start) $(value state.status) $(value delete)" "0 1 stopped 0" "startContainer fails: create works, start fails, the container has stopped"
for kind in poststart poststop; do
	hooked "fail" ".process.args = [\"echo\", \"ran\"] | .hooks = {$kind: [hook(\"one\"; [\"fail\"]), hook(\"two\"; [])]}"
	is "$rc $out" "0 ran" "$kind fails: the container ran"
	like "$err" "config.json: hooks.$kind\[0\]: .*these words" "$kind fails: a warning"
	is "$(order "$T/rt.log")" "one two" "$kind fails: the next one runs"
	is "$(cat "$T/rt.rc")" "$(cat "$T/ref.rc")" "$kind fails: status as with the reference"
done
hooked "timeout" '.hooks = {createRuntime: [hook("one"; ["hang"]) | .timeout = 1]}'
refuses "a hook that hangs" "config.json: hooks.createRuntime\[0\]: .*/hook.: killed after its timeout of 1 s"
bundle stopped "$DEFS .hooks = {prestart: [hook(\"one\"; [\"hang\"])], poststop: [hook(\"two\"; [])]}" \
	--arg t "$T" --arg log "$T/stopped.log" --arg mnt x --arg id x --arg state x
new_id
"$RT" create --bundle "$B" "$ID" </dev/null >/dev/null 2>"$T/err" &
creator=$!
until_true 60 has_text "$T/stopped.log" 'one directory'
kill "$creator"
wait "$creator"
is "$(cat "$T/err"; order "$T/stopped.log"; ls "$STATE")" "coracle: create \`$ID\`: config.json: hooks.prestart[0]: \"$T/hook\": killed: interrupted by SIGTERM
one two" "a hook that hangs, and a signal to create"
hooked "timeout" '.hooks = {startContainer: [inside("one"; ["hang"]) | .timeout = 1]}'
refuses "a hook that hangs inside" "config.json: hooks.startContainer\[0\]: ./hook.: killed after its timeout of 1 s"
ps -eo args | grep -c '[s]leep 500' >"$T/sleeps"
is "$(cat "$T/sleeps")" 0 "and is gone"

refuses_each <<'EOF_TABLE'
a missing program~config.json: hooks.createRuntime\[0\]: ./nonesuch.: .*No such file or directory~.hooks = {createRuntime: [{path: "/nonesuch"}]}
a missing program inside~config.json: hooks.startContainer\[0\]: ./nonesuch.: .*No such file or directory~.hooks = {startContainer: [{path: "/nonesuch"}]}
no program~config.json: hooks.createContainer\[0\]: ./etc/passwd.: .*Permission denied~.hooks = {createContainer: [{path: "/etc/passwd"}]}
a relative path~hooks.prestart\[0\].path: must be an absolute path~.hooks = {prestart: [{path: "bin/true"}]}
no path~hooks.poststop\[1\].path: must be present~.hooks = {poststop: [{path: "/bin/true"}, {args: ["x"]}]}
no time~hooks.poststop\[0\].timeout: must be greater than zero~.hooks = {poststop: [{path: "/bin/true", timeout: 0}]}
EOF_TABLE

# config.json is read once: what is in it later has no effect
bundle once "$DEFS .hooks = {poststart: [hook(\"first\"; [])], poststop: [hook(\"second\"; [])]} | .process.args = [\"sleep\", \"60\"]" \
	--arg t "$T" --arg log "$T/once.log" --arg mnt x --arg id x --arg state x
new_id
rt create --bundle "$B" "$ID" </dev/null >/dev/null 2>&1
echo '{}' >"$B/config.json"
rt start "$ID" && rt kill "$ID" KILL && rt delete --force "$ID"
is "$(order "$T/once.log")" "first second" "later changes of config.json have no effect"

# two that delete, an engine and its cleanup say: one does it, and the hook runs once
bundle twice "$DEFS .hooks = {poststop: [hook(\"poststop\"; [])]} | .process.args = [\"sleep\", \"60\"]" \
	--arg t "$T" --arg log "$T/twice.log" --arg mnt x --arg id x --arg state x
new_id
rt create --bundle "$B" "$ID" </dev/null >/dev/null 2>&1
rt delete --force "$ID" &
first=$!
rt delete --force "$ID"
is $? 0 "deleted twice at once: the second"
wait $first
is $? 0 "deleted twice at once: the first"
is "$(order "$T/twice.log")" poststop "deleted twice at once: one poststop"

# what a hook does to the published process holds for the machine, which is its child: a limit, a cgroup, a place in line
if rt_only "a hook's effect on the machine"; then
	bundle effect '.hooks = {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "echo 555 >/proc/$(jq .pid)/oom_score_adj"]}]}
		| .process.args = ["sleep", "60"]'
	new_id
	rt create --bundle "$B" "$ID" </dev/null >/dev/null 2>&1
	is "$(for pid in $(rt ps --format json "$ID" | jq '.[]'); do cat "/proc/$pid/comm" "/proc/$pid/oom_score_adj"; done | xargs)" \
		"coracle 555 coracle-vmm 555" "a hook's effect on the machine"
	rt delete --force "$ID"
fi

done_testing
