#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# exec and ps: one more process in a container that runs, case by case as crun does it.
. "$(dirname "$0")/lib.sh"
setup

# A container under each runtime, for as long as this script runs.
bundle box '.process.args = ["sleep", "10000"] | .process.env += ["FROM=container"] | .process.cwd = "/tmp"
	| .process.user = {uid: 0, gid: 0, umask: 23} | .process.noNewPrivileges = false
	| .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 700, hard: 800}]'
for who in ref rt; do
	new_id
	declare "${who}_id=$ID"
	"$who" run --detach --bundle "$B" --pid-file "$T/$who.pid" "$ID" </dev/null >"$T/$who.run" 2>&1 ||
		{ echo "Bail out! $who run: $(tail -n 3 "$T/$who.run")"; exit 1; }
done

# each ARGUMENTS...: `exec ARGUMENTS` under both, with @ for the container's id.
each() {
	local who id
	for who in ref rt; do
		id=${who}_id
		rm -f "$T/$who.out" "$T/$who.err"
		{
			"$who" exec "${@/#@/${!id}}" <"${STDIN:-/dev/null}" >"$T/$who.out" 2>"$T/$who.err"
			echo $? >"$T/$who.rc"
		} &
	done
	wait
	out=$(tr -d '\0' <"$T/rt.out") err=$(cat "$T/rt.err") rc=$(cat "$T/rt.rc")
}

# only ARGUMENTS...: the same under the runtime under test.
only() {
	rm -f "$T/rt.out" "$T/rt.err"
	rt exec "${@/#@/$rt_id}" <"${STDIN:-/dev/null}" >"$T/rt.out" 2>"$T/rt.err"
	rc=$? out=$(tr -d '\0' <"$T/rt.out") err=$(cat "$T/rt.err")
}

# fails NAME ARGUMENTS...: both fail for the same reason, ours in one line.
fails() {
	each "${@:2}"
	is "$rc $(error_class "$T/rt.err")" "$(cat "$T/ref.rc") $(error_class "$T/ref.err")" "$1" || diag "$err"
	is "$(wc -l <"$T/rt.err")" 1 "$1: in one line" || diag "$err"
}

# gone MARK: wait until no process of the container has MARK in its command line.
gone() { until_true 60 not_there "$1"; }
not_there() {
	! rt exec "$rt_id" sh -c 'for p in /proc/[0-9]*; do [ "$p" = "/proc/$$" ] || tr "\0" " " <$p/cmdline; done 2>/dev/null' \
		</dev/null 2>&1 | grep -q "$1"
}

# ---- what the process finds

# shellcheck disable=SC2016
inventory='
echo "args: $#: $*"
env | sed "/^[A-Za-z_]*=/!d; /^\(_\|SHLVL\|OLDPWD\|PWD\)=/d; s/=/: /; s/^/env /" | sort
echo "cwd: $(pwd -P)"
echo "id: $(id -u) $(id -g) $(id -G)"
echo "umask: $(umask)"
echo "first: $(tr "\0" " " </proc/1/cmdline)"
sed -n "s/^\(Uid\|Gid\|Groups\|Cap...\|NoNewPrivs\|Seccomp\|SigIgn\):\t\(.*[^ ]\) *$/status \1: \2/p" /proc/$$/status
# read by the shell itself: for another process it may be in the middle of a fork, where libc blocks all
while read -r key value; do [ "$key" != SigBlk: ] || echo "status SigBlk: $value"; done </proc/$$/status
set -- $(cut -d")" -f2 /proc/$$/stat); echo "parent terminal: $2 $5"; [ "$3 $4" = "$$ $$" ]; echo "leads: $?"
echo "nice: $(cut -d")" -f2 /proc/self/stat | cut -d" " -f18)"
echo "hostname: $(cat /proc/sys/kernel/hostname)"
echo "oom: $(cat /proc/self/oom_score_adj)"
echo "cgroup: $(cat /proc/self/cgroup)"
echo "namespaces: $(for n in mnt pid ipc uts cgroup net user; do [ "$(readlink /proc/self/ns/$n)" = "$(readlink /proc/1/ns/$n)" ] && echo $n; done | xargs)"
echo "descriptors: $(cd /proc/$$/fd && echo *)"
'
each @ sh -c "$inventory" sh one 'two words'
same_lines "as it comes" '^descriptors'
is "$(value 'status SigBlk')" 0000000000000000 "no signal is blocked"
each --user 1000:1001 @ sh -c "$inventory"
same_lines "--user" '^namespaces|^descriptors|^first'
only --user 1000 @ id
is "$(cut -d' ' -f1 <<<"$out")" "uid=1000" "--user without a group"   # crun stays root
each --cwd /usr/bin @ pwd
same "--cwd"
each --cap CAP_CHOWN --cap=cap_kill @ grep ^Cap /proc/self/status
same "--cap"
each -c CAP_NET_RAW -u 1000:1000 @ grep ^Cap /proc/self/status
same "--cap for another user"
each --no-new-privs @ grep NoNewPrivs /proc/self/status
same "--no-new-privs"
each --apparmor unconfined --process-label "" @ true
same "labels are taken"
each @ sh -c 'exit 42'
same "exit status"
each @ sh -c 'kill -KILL $$'
same "killed by a signal"
each @ sh -c 'kill -USR1 $$'
same "killed by another"

only --env ONE=1 -e FROM=me --env 'SPACE=a b' @ sh -c 'echo "$ONE $FROM $SPACE $PATH"'
is "$out" "1 me a b $(jq -r '.process.env[] | select(startswith("PATH=")) | .[5:]' "$B/config.json")" \
	"--env adds to the container's environment"
only -g 5 --additional-gids 6 @ id -G
like "$out" '5 6$' "--additional-gids"
jq -n '{args: ["cat", "/proc/self/oom_score_adj"], cwd: "/", oomScoreAdj: 300}' >"$T/process.json"
only -p "$T/process.json" @
is "$out" 300 "oomScoreAdj"   # which crun leaves alone
jq -n '{args: ["grep", "Cpus_allowed_list", "/proc/self/status"], cwd: "/", execCPUAffinity: {final: "0"}}' >"$T/process.json"
only -p "$T/process.json" @
like "$out" 'list:.0$' "execCPUAffinity"
jq -n '{args: ["true"], cwd: "/", execCPUAffinity: {final: "63"}}' >"$T/process.json"
only -p "$T/process.json" @
if rt_only "limits"; then
	like "$rc $err" '^255 .*execCPUAffinity' "execCPUAffinity with a CPU that is not there"
	only @ sh -c 'ulimit -Sn; ulimit -Hn'
	is "$(xargs <"$T/rt.out")" "700 800" "the container's limits hold"
fi

while IFS='~' read -r title json; do
	[ -n "$title" ] || continue
	jq -n --arg sh "$inventory" '{args: ["sh", "-c", $sh], cwd: "/"} + '"$json" >"$T/process.json" || exit 1
	each --process "$T/process.json" @
	same_lines "process: $title" '^descriptors|^namespaces|^first'
done <<'EOF_TABLE'
nothing else~{}
cwd and env~{cwd: "/etc", env: ["PATH=/bin:/usr/bin", "A=1", "A=2", "B="]}
HOME of a user~{user: {uid: 8, gid: 8}, env: ["PATH=/bin:/usr/bin"]}
groups and umask~{user: {uid: 1000, gid: 1000, umask: 63, additionalGids: [5, 100]}}
capabilities~{capabilities: {bounding: ["CAP_CHOWN", "CAP_KILL"], permitted: ["CAP_CHOWN", "CAP_KILL"], effective: ["CAP_KILL"]}}
no capabilities~{capabilities: {}}
ambient for a user~{user: {uid: 1000, gid: 1000}, capabilities: {bounding: ["CAP_KILL"], permitted: ["CAP_KILL"], effective: ["CAP_KILL"], inheritable: ["CAP_KILL"], ambient: ["CAP_KILL"]}}
no new privileges~{noNewPrivileges: true}
EOF_TABLE
jq -n '{args: ["sh", "-c", "ulimit -Sn; ulimit -Hc"], cwd: "/", rlimits: [{type: "RLIMIT_NOFILE", soft: 99, hard: 99},
	{type: "RLIMIT_CORE", soft: 0, hard: 512}]}' >"$T/process.json"
each -p "$T/process.json" @
same "process: limits"

# ---- streams

head -c 300000 /dev/urandom >"$T/random"
STDIN=$T/random each @ md5sum
same "300 kB of input, and its end"
STDIN=$T/random each @ sh -c 'head -c 10 | md5sum'
same "input that is not read"
each @ sh -c 'echo to stdout; echo to stderr >&2'
same "stdout and stderr are two streams"
each @ sh -c 'i=0; while [ $i -lt 200 ]; do echo "line $i"; echo "error $i" >&2; i=$((i+1)); done'
same "interleaved"
each @ dd if=/dev/zero bs=1M count=10
is "$(md5sum <"$T/rt.out")" "$(md5sum <"$T/ref.out")" "10 MB of output"
# /dev/null is the container's, whoever has it for his input; and /dev may be read-only
rt exec -u 1000:1000 "$rt_id" true </dev/null
is "$?$(echo | rt exec "$rt_id" stat -c %u:%a /dev/null)" 00:666 "an exec leaves /dev/null its owner"
outside=
for ((fd = 3; fd < 14; fd++)); do
	found=$(rt exec --cwd "/proc/self/fd/$fd" "$rt_id" /bin/ls </dev/null 2>/dev/null) && outside+=" $fd: $found"
done
is "$outside" "" "--cwd: none of the runtime's own descriptors is one"
echo one | { rt exec "$rt_id" cat; echo "$?"; } >"$T/rt.out" 2>&1
is "$(xargs <"$T/rt.out")" "one 0" "a pipe as stdin"
(rt exec "$rt_id" sh -c 'yes; echo $? >/tmp/yes' </dev/null | head -n 2) >"$T/rt.out" 2>&1
is "$(xargs <"$T/rt.out")" "y y" "the reader goes away"
gone yes
ok $? "and the writer ends"
rt exec "$rt_id" sh -c 'exec >&-; sleep 0.2; echo late >&2; exit 3' >"$T/rt.out" 2>"$T/rt.err" </dev/null
is "$? $(cat "$T/rt.err")" "3 late" "a stream that is closed early"
rt exec "$rt_id" sh -c '(sleep 1; echo late) & echo now' >"$T/late" 2>&1 </dev/null
is "$? $(head -n 1 "$T/late")" "0 now" "a child in the background does not keep it"
until_true 60 has_text "$T/late" late
is "$(xargs <"$T/late")" "now late" "and may still write"

script ends 'until [ -s /done ]; do sleep 0.1; done; p=$(cat /done); while [ -d /proc/$p ]; do sleep 0.1; done'
new_id
rt run --detach --bundle "$B" "$ID" </dev/null >/dev/null 2>&1
{ rt exec "$ID" sh -c 'head -c 150000 /dev/zero; echo $$ >/done; exit 3'; echo $? >"$T/last.rc"; } </dev/null 2>/dev/null |
	{ sleep 3; wc -c; } >"$T/last"
is "$(cat "$T/last" "$T/last.rc" | xargs)" "150000 3" "what it wrote last and its status survive the container's end"
rm -f "$T/rootfs/done"
rt delete --force "$ID"

# ---- what fails, and why

fails "a program that is not there" @ nonesuch
fails "a path that is not there" @ /no/such/thing
fails "a directory" @ /etc
fails "a file without the right" @ /etc/passwd
fails "an empty name" @ ''
fails "a directory that is not there" --cwd /no/such/place @ pwd
fails "a directory that is none" --cwd /etc/passwd @ pwd
fails "a user that is no number" --user nobody @ id
fails "a process file that is not there" --process /no/such/file @
echo '{"args": ["true"' >"$T/process.json"
fails "a process file that is no JSON" --process "$T/process.json" @
fails "no command" @
for who in ref rt; do
	"$who" exec nonesuch-container true </dev/null >"$T/$who.out" 2>"$T/$who.err"
	echo $? >"$T/$who.rc"
done
is "$(cat "$T/rt.rc")" "$(cat "$T/ref.rc")" "a container that is not there"
if rt_only "texts"; then
	like "$(cat "$T/rt.err")" 'does not exist' "and says so"
	only @ nonesuch
	like "$err" 'executable file `nonesuch` not found in \$PATH: No such file or directory' "engines know this text"
	only --cap CAP_NONESUCH @ true
	is "$rc" 1 "an unknown capability is refused"
	like "$err" 'CAP_NONESUCH' "and named"
	only --nonesuch @ true
	like "$rc $err" '^1 .*--nonesuch' "an unknown option is named"
	only --env NOVALUE @ true
	like "$rc $err" '^1 .*NOVALUE' "an env without a value"
	echo '{"args": ["true"], "cwd": 7}' >"$T/process.json"
	only --process "$T/process.json" @
	like "$rc $err" '^1 .*process.json.*cwd' "a wrong type is named with its place"
	echo '{"args": [], "cwd": "/"}' >"$T/process.json"
	only --process "$T/process.json" @
	like "$rc $err" '^1 .*process.args' "an empty command"
	rt exec --preserve-fds 1 "$rt_id" true 3</ </dev/null >"$T/rt.out" 2>"$T/rt.err"
	like "$? $(cat "$T/rt.err")" '^1 .*--preserve-fds.*3' "--preserve-fds of a folder is an error"
	rt exec --preserve-fds 3 "$rt_id" true 3<&- 4<&- 5<&- </dev/null >"$T/rt.out" 2>"$T/rt.err"
	is "$? $(cat "$T/rt.err")" "0 " "--preserve-fds of closed ones is none"
fi

# ---- a cgroup below the container's, which the guest has

script cgroup 'mkdir -p /sys/fs/cgroup/a/b && touch /ready; exec sleep 1000' '.mounts |= map(if .destination == "/sys/fs/cgroup" then .options -= ["ro"] else . end)'
if rt_only "--cgroup"; then
	rm -f "$T/rootfs/ready"
	new_id
	rt run -d --bundle "$B" "$ID" </dev/null >/dev/null 2>&1
	until_true 60 [ -e "$T/rootfs/ready" ]
	for where in a /a/b / ""; do
		is "$(rt exec --cgroup "$where" "$ID" cat /proc/self/cgroup </dev/null 2>&1)" "0::/${where#/}" "--cgroup \"$where\""
	done
	rt exec --cgroup nonesuch "$ID" true </dev/null >"$T/rt.out" 2>"$T/rt.err"
	like "$? $(cat "$T/rt.err")" '^255 .*cgroup .nonesuch.: No such file' "--cgroup that is not there"
	rt exec --cgroup a/../.. "$ID" true </dev/null >"$T/rt.out" 2>"$T/rt.err"
	like "$? $(cat "$T/rt.err")" '^[12] .*--cgroup: .*not below' "--cgroup that leads up"
	rt delete --force "$ID"
fi

# ---- detached, signals, pid file

# steps NAME STEPS...: by an engine, under both.
steps() {
	local who bin id
	for who in ref rt; do
		bin=$RT id=${who}_id
		[ "$who" = rt ] || bin=$REF
		rm -f "$T/$who.out" "$T/$who.err"
		{
			timeout -k 5 $((LIMIT * 2)) python3 "$HERE/engine.py" "$bin" none "${!id}" "${@:2}" </dev/null >"$T/$who.out" 2>"$T/$who.err"
			echo $? >"$T/$who.rc"
		} &
	done
	wait
	same_lines "$1" '\.text$'
}

steps "detached" "exec:-- sh -c 'echo hello; echo oops >&2; exit 9'" child wait output
is "$(value pidfile) $(value wait)" "digits only 9" "its pid file and status"
steps "stdin" "exec:-- sh -c 'echo ready; cat; echo end'" until:ready 'send:abc\n' until:abc eof wait output
steps "SIGTERM to the pid" "exec:-- sh -c 'trap \"echo term; exit 7\" TERM; echo ready; while :; do sleep 0.1; done'" \
	until:ready direct:TERM wait output
steps "SIGTERM without a handler" "exec:-- sh -c 'echo ready; exec sleep 100'" until:ready direct:TERM wait
steps "a realtime signal" "exec:-- sh -c 'trap \"echo rt; exit 8\" 40; echo ready; while :; do sleep 0.1; done'" \
	until:ready direct:40 wait output
steps "SIGKILL to the pid" "exec:-- sh -c 'echo ready; exec sleep 100'" until:ready direct:KILL wait
steps "a program that is not there" "exec:-- nonesuch"
is "$(value pidfile)" none "a program that is not there: no pid file"
bundle steps '.process.args = ["sleep", "10000"]'
engine_both create start "exec:-- sh -c 'echo ready; exec sleep 100'" until:ready kill:KILL wait delete-force
same_lines "the container is killed" '\.text$'
is "$(value wait)" 137 "the container is killed: and the process with it"
bundle steps '.process.args = ["sleep", "10000"]'
engine rt create "exec:-- sh -c 'echo in; exit 4'" wait output delete-force
is "$(value wait) $(value output)" "4 'in\\n'" "a container that was not started yet"

rt exec -d --pid-file "$T/kill.pid" "$rt_id" sleep 4321 </dev/null >/dev/null 2>&1
like "$(rt ps --format json "$rt_id" 2>&1)" "[^0-9]$(cat "$T/kill.pid")[^0-9]" "ps: json has the proxy"
kill -KILL "$(cat "$T/kill.pid")"
gone 'sleep 4321'
ok $? "kill -9 of the proxy ends the process"
rt exec -d --pid-file "$T/kill.pid" "$rt_id" sh -c 'sleep 5432; :' </dev/null >/dev/null 2>&1
kill -KILL "$(cat "$T/kill.pid")"
gone 'sleep 5432'
ok $? "and its children"

# ---- terminals

steps "a terminal" console "exec:-t -- sh -c 'for n in 0 1 2; do [ -t \$n ] && echo \$n; done; tty; exit 3'" child wait output
is "$(value descriptors)" 1 "one descriptor comes through the console socket"
steps "a size while it runs" console \
	"exec:-t -- sh -c 'trap \"stty size; exit 0\" WINCH; echo ready; while :; do sleep 0.1; done'" until:ready size:50x132 wait output
steps "a size right after it came" console \
	"exec:-t -- sh -c 'n=0; until [ \"\$(stty size 2>/dev/null)\" = \"41 99\" ] || [ \$n = 300 ]; do sleep 0.1; n=\$((n+1)); done; stty size'" size:41x99 wait output
steps "Ctrl-C" console "exec:--tty -- sh -c 'trap \"echo int; exit 5\" INT; echo ready; while :; do sleep 0.1; done'" \
	until:ready 'send:\x03' wait
steps "the terminal goes away" console "exec:-t -- sh -c 'echo ready; exec sleep 100'" until:ready hangup wait
steps "many lines" console "exec:-t -- sh -c 'i=0; while [ \$i -lt 2000 ]; do echo \"line \$i\"; i=\$((i+1)); done'" wait output
jq -n '{args: ["sh", "-c", "stty size; exit 6"], cwd: "/", terminal: true, consoleSize: {height: 37, width: 111}}' >"$T/process.json"
steps "consoleSize" console "exec:--process $T/process.json --" wait output
steps "in the foreground on a terminal" pty size:33x99 termios "execrun:-t -- sh -c 'tty; sleep 1; exit 3'" wait restored output
is "$(value restored)" True "in the foreground: the terminal's mode is as before"
if rt_only "a terminal that others hold, its size"; then   # crun takes the first for an error, now and then
	is "$(timeout 60 python3 "$HERE/engine.py" "$RT" none "$rt_id" pty "execrun:-t -- sh -c 'echo word; sleep 100 & exit 2'" \
		wait output | xargs)" "wait: 2 output: word\r\n" "in the foreground: a child stays"
	like "$(timeout 60 python3 "$HERE/engine.py" "$RT" none "$rt_id" pty size:33x99 "execrun:-t -- stty size" wait output)" \
		"output: '33 99" "in the foreground: its size"
fi
if rt_only "a terminal without a place"; then
	only -d -t @ true
	like "$rc $err" '^1 .*console-socket' "a terminal, detached, needs a console socket"
fi

# ---- many, and what is looked at from outside

if rt_only "many"; then
	pids=()
	for i in $(seq 50); do
		rt exec "$rt_id" sh -c "echo $i; exit $i" </dev/null >"$T/many.$i" 2>&1 &
		pids+=($!)
	done
	bad=
	for i in $(seq 50); do
		wait "${pids[i - 1]}"
		[ "$? $(cat "$T/many.$i")" = "$i $i" ] || bad+=" $i: $(head -n 1 "$T/many.$i")"
	done
	is "$bad" "" "fifty at once"
	rt exec -d "$rt_id" sleep 6543 </dev/null >/dev/null 2>&1
	rt ps "$rt_id" </dev/null >"$T/rt.out" 2>"$T/rt.err"
	is "$? $(head -n 1 "$T/rt.out" | xargs)" "0 UID PID PPID C STIME TTY TIME CMD" "ps: the table's head"
	like "$(cat "$T/rt.out")" ' 1 +0 .*sleep 10000.* 0 .*sleep 6543' "ps: the processes inside, by their pids there"
	is "$(grep -vc ' \[.*\]$' "$T/rt.out")" 3 "ps: and no other that lives" || diag "$(cat "$T/rt.out")"
	json=$(rt ps --format=json "$rt_id")
	like "$json" "^\[$(cat "$T/rt.pid"),[0-9]+,[0-9]+\]$" "ps: json begins with the published pid"
	rt ps "$rt_id" aux >"$T/rt.out" 2>"$T/rt.err"
	is $? 1 "ps: options that can't be had are an error"
	mv "$T/b/box" "$T/b/box.gone"
	only @ echo here
	is "$rc $out" "0 here" "the bundle has gone: exec needs nothing of it"
fi

# ---- the end

for who in ref rt; do
	id=${who}_id
	"$who" kill "${!id}" KILL
	ID=${!id} until_true 60 is_now stopped "$who"
	"$who" exec "${!id}" true </dev/null >"$T/$who.out" 2>"$T/$who.err"
	echo $? >"$T/$who.rc"
done
is "$(cat "$T/rt.rc")" "$(cat "$T/ref.rc")" "exec in a stopped container fails"
if rt_only "its text"; then like "$(cat "$T/rt.err")" 'cannot exec in a stopped container' "and says so"; fi
for who in ref rt; do
	id=${who}_id
	"$who" delete "${!id}" >"$T/out" 2>&1
	is "$? $(cat "$T/out")" "0 " "$who delete"
done
done_testing
