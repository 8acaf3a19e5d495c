#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Bad input and bad luck: each gives one line that names what and where, the right status, and leaves nothing behind.
# Only as user: the input is refused before anything needs a privilege.
. "$(dirname "$0")/lib.sh"
setup

# bad NAME REGEX: run $B, which must be refused; the reference must refuse it, too, unless NAME begins with "!".
bad() {
	local name=${1#!}
	if [ "$name" = "$1" ]; then
		run_one ref
		[ "$(cat "$T/ref.rc")" != 0 ]
		ok $? "$name: the reference refuses it"
	else
		rt_only "$name" || return
	fi
	run_rt
	refuses "$name" "$2"
	is "$out" "" "$name: nothing on stdout"
	[ "$(wc -c <"$T/rt.err")" -lt 1000 ]
	ok $? "$name: not too long"
	self || [[ $err != *[$'\001'-$'\010'$'\013'-$'\037']* ]]
	ok $? "$name: no control characters"
}

# ---- config.json as a file

empty() { B=$T/b/$1; rm -rf "$B"; mkdir -p "$B"; }
empty missing; bad "config.json is missing" 'config\.json.*No such file'
B=$T/nowhere; bad "the bundle is missing" 'nowhere.*No such file'
B=$T/base.json; bad "the bundle is a file" 'base\.json.*Not a directory'
empty folder; mkdir "$B/config.json"; bad "config.json is a folder" 'config\.json'
empty dangling; ln -s nowhere "$B/config.json"; bad "config.json is a dangling symlink" 'config\.json'
empty empty; : >"$B/config.json"; bad "config.json is empty" 'config\.json'
empty text; echo 'this is not JSON' >"$B/config.json"; bad "config.json is not JSON" 'config\.json'
empty cut; head -c 500 "$T/base.json" >"$B/config.json"; bad "config.json is cut off" 'config\.json'
empty array; echo '[]' >"$B/config.json"; bad "config.json is an array" 'config\.json'
empty null; echo 'null' >"$B/config.json"; bad "config.json is null" 'config\.json'
empty binary; head -c 5000 /dev/urandom >"$B/config.json"; bad "config.json is noise" 'config\.json'
empty zero; head -c 5000 /dev/zero >"$B/config.json"; bad "config.json is zeros" 'config\.json'
empty twice; cat "$T/base.json" "$T/base.json" >"$B/config.json"; bad "!config.json twice in one file" 'config\.json'
empty utf8; sed 's/"box"/"b\xff\xfex"/' "$T/base.json" >"$B/config.json"; bad "!config.json is not UTF-8" 'config\.json.*(UTF|utf)'
empty nul; sed 's/"box"/"b\\u0000x"/' "$T/base.json" >"$B/config.json"; bad "!a NUL in a string" 'config\.json.*hostname|NUL|\\u0000'
empty deep; python3 -c 'print("[" * 10000 + "]" * 10000)' >"$B/config.json"; bad "nested 10,000 deep" 'config\.json'
empty deeper
python3 -c 'import json, sys; c = open(sys.argv[1]).read().rstrip()[:-1]; print(c + ",\"x\":" + "{\"a\":" * 10000 + "1" + "}" * 10000 + "}")' "$T/base.json" >"$B/config.json"
bad "!an unknown key nested 10,000 deep" 'config\.json'
if rt_only "config.json of 100 MB"; then
	empty big
	{ head -c -2 "$T/base.json"; printf ',"x":"'; head -c 100000000 /dev/zero | tr '\0' x; echo '"}'; } >"$B/config.json"
	before=$SECONDS
	bad "!config.json of 100 MB" 'config\.json.*([Ll]arge|[Bb]ig|[Ll]ong|MiB|MB|bytes)'
	[ $((SECONDS - before)) -lt 20 ]
	ok $? "config.json of 100 MB: told soon"
	rm -rf "$B"
fi
if [ "$UID_NOW" != 0 ]; then
	empty private; cp "$T/base.json" "$B/config.json"; chmod 0 "$B/config.json"
	bad "config.json may not be read" 'config\.json.*Permission denied'
fi
if rt_only "config.json is a FIFO"; then
	empty fifo; mkfifo "$B/config.json"
	LIMIT=10 bad "!config.json is a FIFO" 'config\.json'
fi

# ---- wrong values: the JSON path is named. The last column is a jq filter

while IFS='~' read -r title path filter; do
	[ -n "$title" ] || continue
	bundle wrong "$filter"
	bad "!$title" "$path"
done <<'EOF_TABLE'
args is a string~process\.args~.process.args = "true"
args is empty~process\.args~.process.args = []
args is missing~process\.args~del(.process.args)
args with a number~process\.args\[1\]~.process.args = ["true", 3]
args with null~process\.args\[0\]~.process.args = [null]
env is an object~process\.env~.process.env = {"A": "b"}
env with a number~process\.env\[1\]~.process.env = ["A=b", 7]
cwd is a number~process\.cwd~.process.cwd = 3
cwd is missing~process\.cwd~del(.process.cwd)
cwd is empty~process\.cwd~.process.cwd = ""
cwd is relative~process\.cwd~.process.cwd = "usr"
uid is a string~process\.user\.uid~.process.user.uid = "root"
uid is negative~process\.user\.uid~.process.user.uid = -1
uid is too large~process\.user\.uid~.process.user.uid = 4294967296
uid is a fraction~process\.user\.uid~.process.user.uid = 1.5
additionalGids with a string~process\.user\.additionalGids\[1\]~.process.user.additionalGids = [1, "x"]
terminal is a string~process\.terminal~.process.terminal = "yes"
capabilities is a list~process\.capabilities~.process.capabilities = ["CAP_KILL"]
an rlimit without type~process\.rlimits\[0\]~.process.rlimits = [{soft: 1, hard: 2}]
an unknown rlimit~process\.rlimits\[0\]~.process.rlimits = [{type: "RLIMIT_NONESUCH", soft: 1, hard: 2}]
an rlimit twice~process\.rlimits~.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 1000, hard: 2000}, {type: "RLIMIT_NOFILE", soft: 1000, hard: 2000}]
a soft limit over the hard one~process\.rlimits\[0\]~.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 2000, hard: 1000}]
oomScoreAdj is too large~process\.oomScoreAdj~.process.oomScoreAdj = 1001
process is a list~process~.process = []
hostname is a number~hostname~.hostname = 3
hostname is too long~hostname~.hostname = "h" * 65
mounts is an object~mounts~.mounts = {}
a mount without destination~mounts\[0\]~.mounts[0] = {type: "proc", source: "proc"}
a mount's options are a string~mounts\[1\]\.options~.mounts[1].options = "ro"
a namespace of an unknown type~linux\.namespaces\[0\]~.linux.namespaces[0].type = "nonesuch"
a namespace twice~linux\.namespaces~.linux.namespaces += [{type: "pid"}]
a namespace path that is missing~linux\.namespaces\[[0-9]\].*No such file~.linux.namespaces |= map(if .type == "network" then .path = "/proc/self/ns/none" else . end)
maskedPaths with a number~linux\.maskedPaths\[0\]~.linux.maskedPaths = [1]
root is missing~root~del(.root)
root.path is missing~root\.path~del(.root.path)
root.path is empty~root\.path~.root.path = ""
root.readonly is a string~root\.readonly~.root.readonly = "true"
ociVersion is missing~ociVersion~del(.ociVersion)
ociVersion is a number~ociVersion~.ociVersion = 1
ociVersion 2~ociVersion~.ociVersion = "2.0.0"
annotations with a number~annotations~.annotations = {"a": 1}
EOF_TABLE
bundle unknown '.unknownTop = {"a": [1, {"b": null}]} | .process.unknown = "x" | .linux.unknown = [] | .root.unknown = 3 | .mounts[0].unknown = true
	| .process.user.unknown = {} | .process.args = ["echo", "fine"]'
run_both
same "unknown keys are ignored"
empty odd; sed '1s|{|{ "\\u0075nknown\\ud83d\\ude00": "\\"\\\\\\/\\b\\f\\n\\r\\t", |' "$T/base.json" >"$B/config.json"
run_both
same "escapes and odd keys"
bundle caps '.process.capabilities.bounding += ["CAP_NONESUCH"]'
run_rt
[ "$rc" = 0 ] || [ "$(wc -l <"$T/rt.err")" = 1 ]
ok $? "an unknown capability: a warning or one line"

# ---- the root file system

ln -s nowhere "$T/dangling-root"
ln -s loop-root "$T/loop-root"
mkdir "$T/empty-root"
while IFS='~' read -r title path filter; do
	[ -n "$title" ] || continue
	bundle root "$filter" --arg t "$T"
	bad "$title" "$path"
done <<'EOF_TABLE'
root.path doesn't exist~(root.path|/nonesuch).*No such file~.root.path = "\($t)/nonesuch"
root.path is a file~base\.json.*[Nn]ot a directory~.root.path = "\($t)/base.json"
root.path is a dangling symlink~dangling.*No such file~.root.path = "\($t)/dangling-root"
root.path is a symlink to itself~loop.*[Tt]oo many~.root.path = "\($t)/loop-root"
an empty root~No such file|not found~.root.path = "\($t)/empty-root"
EOF_TABLE

# ---- ids (more in 10-lifecycle.sh), and files that can't be written

bundle plain .
new_id; used=$ID
rt create -b "$B" "$used" </dev/null >/dev/null 2>&1
rt create -b "$B" "$used" </dev/null >"$T/out" 2>"$T/err"
is "$?" 1 "an id that is in use"
is "$(rt state "$used" | jq -r .status)" created "an id that is in use: the first is untouched"
rt delete -f "$used"
rt_only "a pid file that can't be written" && {
	new_id
	rt create -b "$B" --pid-file "$T/none/pid" "$ID" </dev/null >"$T/out" 2>"$T/err"
	is "$? $(wc -l <"$T/err")" "1 1" "a pid file that can't be written: status and one line"
	like "$(cat "$T/err")" 'none/pid.*No such file' "a pid file that can't be written: named"
	[ ! -e "$STATE/$ID" ]
	ok $? "a pid file that can't be written: nothing is left" || rt delete -f "$ID"
	new_id
	rt --root "$T/base.json/x" run -b "$B" "$ID" </dev/null >"$T/out" 2>"$T/err"
	is "$? $(wc -l <"$T/err")" "1 1" "a --root below a file"
	rt --log "$T/none/log" run -b "$B" "$ID" </dev/null >"$T/out" 2>"$T/err"
	like "$(cat "$T/err")" 'none/log' "a log that can't be opened is named"
	rt --root / list >"$T/out" 2>"$T/err"
	is $? 1 "--root / is refused"
}
leaks "refusals leave nothing behind"

# ---- the machine's own parts

rt_only "the machine's parts" || done_testing
echo "not a kernel" >"$T/text"
head -c 3000000 /dev/urandom >"$T/noise"
python3 "$HERE/elf.py" "$T/tiny" f4
python3 "$HERE/elf.py" "$T/arm" f4 183
: >"$T/nil"
bundle plain .
for t in CORACLE_KERNEL CORACLE_INITRD CORACLE_VMM; do
	export $t=$T/nonesuch
	run_rt; refuses "$t is missing" 'nonesuch.*No such file'
	export $t=$T
	run_rt; refuses "$t is a folder" '.'
	unset $t
done
for f in text noise nil tiny arm; do
	export CORACLE_KERNEL=$T/$f
	start=$SECONDS
	run_rt
	refuses "a kernel image that is none: $f" 'kernel|vmlinux|'"$f"
	[ $((SECONDS - start)) -lt 20 ]
	ok $? "a kernel image that is none: $f: told soon"
done
unset CORACLE_KERNEL
export CORACLE_INITRD=$T/noise
run_rt
refuses "an initrd that is none" '.'
unset CORACLE_INITRD
export CORACLE_VMM=$T/tiny
run_rt
refuses "a VMM that dies at once" '.'
unset CORACLE_VMM
leaks "broken parts leave nothing behind"

# ---- what dies while it runs

# victim SCRIPT: a running container; $pid its published pid, $vmm the machine's
victim() {
	script victim "$1"
	new_id
	rm -f "$T/out"
	: >"$T/out"
	rt create -b "$B" --pid-file "$T/pid" "$ID" </dev/null >"$T/out" 2>"$T/err" || return
	pid=$(cat "$T/pid")
	rt start "$ID"
	until_true 60 has_text "$T/out" ready
	vmm=$(pgrep -x coracle-vmm -P "$pid")
}
# dead PID: it has ended, or does within 20 s; who is init reaps it
dead() { until_true 20 dead_now "$1"; }
dead_now() { case $(ps -o stat= -p "$1") in '' | Z*) ;; *) return 1 ;; esac; }
gone() { # NAME: stopped soon, and deleted without trace
	until_true 60 is_now stopped
	is "$(rt state "$ID" 2>&1 | jq -r '.status, .pid' 2>&1 | xargs)" "stopped 0" "$1: the container is stopped"
	dead "$pid" && dead "$vmm"
	ok $? "$1: monitor and VMM are gone"
	rt kill "$ID" KILL >/dev/null 2>"$T/err"
	is "$?" 1 "$1: kill says it isn't running"
	like "$(cat "$T/err")" 'not running' "$1: kill's words"
	rt delete "$ID" >"$T/out2" 2>"$T/err"
	is "$?$(cat "$T/out2" "$T/err")" "0" "$1: delete, silently"
	[ ! -e "$STATE/$ID" ]
	ok $? "$1: nothing is left"
}
busy='echo ready; while :; do :; done'
idle='echo ready; sleep 600'
for load in "$idle" "$busy" "echo ready; yes"; do
	what=${load##*; }
	victim "$load" && kill -9 "$vmm"; gone "VMM killed ($what)"
	victim "$load" && kill -9 "$pid"; gone "monitor killed ($what)"
done
victim "$idle" && kill -9 "$pid" "$vmm"; gone "both killed"
victim "$idle" && kill -STOP "$vmm"
timeout 30 "$RT" state "$ID" >"$T/out" 2>&1
is "$(jq -r .status "$T/out")" running "a stopped VMM: state answers"
start=$SECONDS
timeout 40 "$RT" delete --force "$ID" 2>"$T/err"
is "$? $(dead "$vmm"; echo $?)" "0 0" "a stopped VMM: delete --force ends it"
[ $((SECONDS - start)) -lt 15 ]
ok $? "a stopped VMM: in bounded time ($((SECONDS - start)) s)"
victim "$idle" && kill -STOP "$pid"
timeout 40 "$RT" delete --force "$ID" 2>"$T/err"
is "$? $(dead "$pid"; echo $?)" "0 0" "a stopped monitor: delete --force ends it"
script victim "$idle"
engine rt create start until:ready direct:KILL wait delete left
is "$(value wait) $(value left)" "137 0" "the published pid killed: the engine sees 137 and no strays"
bundle created .
new_id
rt create -b "$B" --pid-file "$T/pid" "$ID" </dev/null >"$T/out" 2>"$T/err"
pid=$(cat "$T/pid") vmm=$(pgrep -x coracle-vmm -P "$pid")
kill -9 "$vmm"
gone "VMM killed before start"
# a VMM that dies is told by run
script told "$idle"
new_id
rm -f "$T/rt.out"
rt run -b "$B" --pid-file "$T/pid3" "$ID" </dev/null >"$T/rt.out" 2>"$T/rt.err" &
run=$!
until_true 60 has_text "$T/rt.out" ready
vmm=$(pgrep -x coracle-vmm -P "$(cat "$T/pid3")")
kill -9 "$vmm"
wait $run
like "$?" '^(137|255)$' "VMM killed under run: status"
is "$(wc -l <"$T/rt.err")" 1 "VMM killed under run: one line" || diag "$(cat "$T/rt.err")"
[ ! -e "$STATE/$ID" ]
ok $? "VMM killed under run: nothing is left"

# run itself is killed: its container can be removed
new_id
rm -f "$T/rt.out"
"$RT" run -b "$B" --pid-file "$T/pid4" "$ID" </dev/null >"$T/rt.out" 2>"$T/rt.err" &
run=$!
until_true 60 has_text "$T/rt.out" ready
kill -9 $run
wait $run 2>/dev/null
timeout 30 "$RT" delete --force "$ID"
is "$? $(dead "$(cat "$T/pid4")"; echo $?)" "0 0" "run killed: delete --force cleans up"

# the guest's kernel panics
script panic 'cat /dev/zero >/big/file; echo survived' '.vm = {hwConfig: {memory: 134217728}, kernel: {path: $k, parameters: ["sysctl.vm.panic_on_oom=2"]}}
	| .mounts += [{destination: "/big", type: "tmpfs", source: "tmpfs", options: ["size=1g"]}]' --arg k "${RT%/*}/vmlinux"
run_rt
is "$rc $out" "255 " "guest panic: status" || detail
refuses "guest panic" 'Kernel panic - not syncing: Out of memory' 255

# a container may do what it likes: these end it or do nothing, in bounded time
while IFS='~' read -r title program; do
	script nasty "$program" '.process.capabilities |= map_values(["CAP_SYS_BOOT", "CAP_SYS_ADMIN", "CAP_KILL"]) | .process.rlimits = [{type: "RLIMIT_NPROC", soft: 200, hard: 200}]'
	run_rt
	[ "$rc" != 124 ] && [ "$rc" != 137 ]
	ok $? "$title: ends by itself" || { detail; timeout 20 "$RT" delete -f "$ID"; }
	[ ! -e "$STATE/$ID" ]
	ok $? "$title: nothing is left"
done <<'EOF_TABLE'
reboot~reboot -f; poweroff -f; halt -f; true
many processes~i=0; while [ $i -lt 300 ]; do sleep 1 & i=$((i+1)); done 2>/dev/null; true
kill -1~kill -9 -1; true
EOF_TABLE
leaks "deaths leave nothing behind"

# a host that lacks something: check and create say it in the same words
lacking() { # NAME WHAT COMMAND
	local words
	bundle plain "${4:-.}"
	words=$(unshare -Urmn sh -c "$3; exec \"\$0\" check" "$RT" 2>&1 | sed -n "s|^missing  [^:]*$2[^:]*: ||p")
	[ -n "$words" ]
	ok $? "$1: check says so"
	unshare -Urmn sh -c "$3; exec \"\$0\" run -b \"\$1\" \"\$2\"" "$RT" "$B" "$PREFIX-lacking" </dev/null >"$T/rt.out" 2>"$T/rt.err"
	is $? 1 "$1: run fails"
	[[ $(cat "$T/rt.err") == *"$words" ]]
	ok $? "$1: with the same words" || diag "$words; $(cat "$T/rt.err")"
}
lacking "no KVM" dev/kvm 'mount --bind /dev/null /dev/kvm'
lacking "no user namespaces" "user namespaces" 'echo 0 >/proc/sys/user/max_user_namespaces'
lacking "no taps" dev/net/tun 'mount -t tmpfs none /dev/net; ip link add v0 type veth peer name v1; ip link set v0 up' \
	'.linux.uidMappings = [{containerID: 0, hostID: 0, size: 1}] | .linux.gidMappings = .linux.uidMappings
	| .linux.namespaces |= map(if .type == "network" then {type: "network", path: "/proc/self/ns/net"} else . end)'

# broken state folders: list goes on, delete --force mends
bundle plain .
new_id; mkdir -p -m 700 "$STATE/$ID"; echo '{' >"$STATE/$ID/state.json"; : >"$STATE/$ID/lock"
rt list >"$T/out" 2>"$T/err"
is $? 0 "a broken state folder: list goes on"
timeout 20 "$RT" delete --force "$ID" 2>"$T/err"
[ ! -e "$STATE/$ID" ]
ok $? "a broken state folder: delete --force removes it" || rm -rf "${STATE:?}/$ID"

done_testing
