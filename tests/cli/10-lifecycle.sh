#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The commands and their output: create, start, state, kill, delete, list, run, spec, features, options.
. "$(dirname "$0")/lib.sh"
setup

# ---- one container through its whole life, as an engine sees it

script life 'echo ready; cat; exit 7'
engine_both create state child start until:ready state eof wait state delete output left
same_lines "life" '\.text$|^delete$|^state'
for want in "create: 0" "pidfile: digits only" "others: []" "child: True" "session: True" "start: 0" "wait: 7" \
	"delete: 0" "left: 0"; do
	is "$(value "${want%%: *}")" "${want#*: }" "life: $want"
done
is "$(sed -n 's/^state\.status: //p' "$T/rt.out" | xargs)" "created running stopped" "life: status in each state"
is "$(sed -n 's/^state\.pid: //p' "$T/rt.out" | xargs)" "the published the published 0" "life: pid in each state"

# ---- signals and refusals, each as steps and what they must say; ! is for what crun can't

while IFS='|' read -r name program steps wants; do
	case $name in '!'*) name=${name#!}; rt_only "$name" || continue ;; esac
	script steps "$program"
	eval "engine rt $steps"
	for want in $wants; do
		is "$(value "${want%%=*}")" "${want#*=}" "$name: $want"
	done || detail
done <<'EOF_TABLE'
kill by name|trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done|create start until:ready kill:SIGTERM wait delete|kill=0 wait=9 delete=0
kill by number|trap 'exit 10' USR1; echo ready; while :; do sleep 0.1; done|create start until:ready kill:10 wait delete|kill=0 wait=10
!kill, short name in lower case|trap 'exit 11' HUP; echo ready; while :; do sleep 0.1; done|create start until:ready kill:hup wait delete|kill=0 wait=11
SIGKILL|echo ready; sleep 60|create start until:ready kill:KILL wait delete|kill=0 wait=137 delete=0
direct SIGKILL|echo ready; sleep 60|create start until:ready direct:KILL wait delete|wait=137 delete=0
!kill --all|echo ready; sleep 60|create start until:ready kill-all:KILL wait delete|kill-all=0 wait=137
kill 0 only asks|echo ready; cat|create start until:ready kill:0 state eof wait delete|kill=0 state.status=running wait=0
kill 0 of a stopped one|true|create start wait kill:0 delete|kill=1
no such signal|echo ready; sleep 60|create start until:ready kill:NONESUCH kill:KILL wait delete|kill=1
pid 1 ignores what it doesn't handle|echo ready; cat|create start until:ready kill:TERM sleep:0.3 state eof wait delete|kill=0 state.status=running wait=0
kill in created|true|create kill:KILL wait state delete|create=0 kill=0 wait=137 state.status=stopped delete=0
delete of a created one|true|create delete left|delete=0
delete refuses a running one|echo ready; sleep 60|create start until:ready delete state kill:KILL wait delete-force|delete=1 state.status=running
delete --force ends a running one|echo ready; sleep 60|create start until:ready delete-force wait state|delete-force=0 wait=137 state=1
delete --force twice|true|create start wait delete-force delete-force|delete-force=0
start twice|echo ready; sleep 60|create start until:ready state start kill:KILL wait delete|state.status=running
start of a stopped one|true|create start wait start delete|wait=0 delete=0
kill of a stopped one|true|create start wait kill:TERM delete|kill=1
EOF_TABLE
for t in "start twice|echo ready; sleep 60|create start until:ready start" "start of a stopped one|true|create start wait start"; do
	IFS='|' read -r name program steps <<<"$t"
	script steps "$program"
	eval "engine rt $steps"
	is "$(sed -n 's/^start: //p' "$T/rt.out" | xargs)" "0 1" "$name: the second is refused"
done
if rt_only "SIGTERM straight to the published pid"; then
	script direct 'trap "exit 12" TERM; echo ready; while :; do sleep 0.1; done'
	engine rt create start until:ready direct:TERM wait delete
	is "$(value wait)" 12 "SIGTERM straight to the published pid reaches the process"
fi
if rt_only "kill --all of a stopped one succeeds"; then
	script all 'true'
	engine rt create start wait kill-all:KILL delete
	is "$(value kill-all)" 0 "kill --all of a stopped one succeeds"
fi

# ---- state and list

script held 'sleep 60' '.annotations = {"org.example.a": "b c", "org.example.utf8": "gr\u00fcn \"q\""}'
new_id
held=$ID
rt create --bundle "$B" --pid-file "$T/pid" "$held" </dev/null >/dev/null 2>"$T/rt.err"
is $? 0 "create with --pid-file" || diag "$(cat "$T/rt.err")"
pid=$(cat "$T/pid")
like "$(od -An -c "$T/pid" | tr -d ' \n')" '^[0-9]+$' "the pid file is digits and nothing else"
rt_only "the pid file's mode" && is "$(stat -c %a "$T/pid")" 644 "the pid file's mode"
state=$(rt state "$held")
while IFS='~' read -r filter want; do
	is "$(jq -r "$filter" <<<"$state" 2>&1)" "$want" "state: $filter"
done <<EOF_TABLE
.id~$held
.status~created
.pid~$pid
.bundle~$B
.rootfs~$T/rootfs
.owner~$(id -un)
.annotations["org.example.a"]~b c
.annotations["org.example.utf8"]~grün "q"
.ociVersion | type~string
.ociVersion | test("^1[.][0-9]+[.][0-9]+")~true
(.created | test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}([.][0-9]{1,9})?Z\$"))~true
[has("started", "finished", "exitCode", "error", "initPid")] | any~false
EOF_TABLE
is "$(rt list -q | grep -cx "$held")" 1 "list -q names it"
is "$(rt list --quiet | grep -cx "$held")" 1 "list --quiet too"
like "$(rt list | head -n 1)" '^(ID|NAME) +PID +STATUS +BUNDLE( PATH)? +CREATED +OWNER' "list has a header"
like "$(rt list | grep "^$held ")" "^$held +$pid +created +$B +.*$(id -un)" "list shows it"
for form in "-f json" "--format json" "--format=json"; do
	# shellcheck disable=SC2086
	is "$(rt list $form | jq -r --arg id "$held" '.[] | select(.id == $id) | .status')" created "list $form"
done
is "$(rt list --format table | grep -c "^$held ")" 1 "list --format table"

# ---- ids

rt create --bundle "$B" "$held" </dev/null >/dev/null 2>"$T/err"
is $? 1 "a second container of the same id is refused"
rt_only "an id in use: text" && like "$(cat "$T/err")" 'already exists' "an id in use: the text says so"
is "$(rt state "$held" | jq -r .status)" created "and the first one is as it was"
rt delete --force "$held"
is $? 0 "delete --force of a created one"
rt delete --force "$held"
is $? 0 "delete --force again"
until_true 30 ended "$pid"   # its parent may have to wait for it first
is $? 0 "its process is gone"
[ ! -e "$STATE/$held" ]
ok $? "its state folder is gone"

bundle quick .
for id in '' . .. a/b ../x /abs "$(printf 'x%.0s' {1..2000})" 'sp ace' $'new\nline' 'a*b'; do
	case $id in *[*\ $'\n']*) rt_only "id $(printf %q "$id")" || continue ;; esac
	rt run --bundle "$B" "$id" </dev/null >"$T/out" 2>"$T/err"
	status=$?
	[ $status != 0 ]
	ok $? "id $(printf %q "${id:0:20}") is refused"
	rt_only "text" && is "$status $(wc -l <"$T/err")" "1 1" "id $(printf %q "${id:0:20}"): status and one line"
done
for id in "$PREFIX-a" "$PREFIX-A_b+c.d-9" "$PREFIX-$(printf 'f%.0s' {1..64})"; do
	rt run --bundle "$B" "$id" </dev/null 2>"$T/err"
	is $? 0 "id ${id:0:30} is accepted" || diag "$(cat "$T/err")"
done
for command in state start kill delete; do
	rt "$command" "$PREFIX-none" >"$T/out" 2>"$T/err"
	status=$?
	rt_only "$command of an unknown id" || continue
	is "$status" 1 "$command of an unknown id fails"
	like "$(cat "$T/err")" 'does not exist' "$command of an unknown id says so"
	is "$(cat "$T/out")" '' "$command of an unknown id prints nothing to stdout"
done
rt delete --force "$PREFIX-none" >"$T/out" 2>&1
is "$? $(cat "$T/out")" "0 " "delete --force of an unknown id succeeds silently"

# ---- run

script code 'exit 3'
new_id; rt run --bundle "$B" "$ID" </dev/null; is $? 3 "run: exit status"
new_id; rt run --bundle="$B" "$ID" </dev/null; is $? 3 "run: --bundle=DIR"
new_id; rt run -b "$B" "$ID" </dev/null; is $? 3 "run: -b DIR"
new_id; (cd "$B" && rt run "$ID" </dev/null); is $? 3 "run: the bundle is the current folder"
new_id; (cd "$B/.." && rt run -b code "$ID" </dev/null); is $? 3 "run: a relative bundle"
cp "$B/config.json" "$B/other.json"
jq '.process.args[2] = "exit 4"' "$B/config.json" >"$B/other.json"
new_id; rt run -b "$B" -f "$B/other.json" "$ID" </dev/null; is $? 4 "run: -f another configuration"
new_id; (cd "$B" && rt run --config=other.json "$ID" </dev/null); is $? 4 "run: --config=FILE"
mkdir "$T/elsewhere" && cp "$B/other.json" "$T/elsewhere/here.json"
new_id; (cd "$T/elsewhere" && rt run -b "$B" -f here.json "$ID" </dev/null)
is $? 4 "run: -f is relative to the current folder, as with crun"
new_id; rt run -b "$B" --keep "$ID" </dev/null >/dev/null 2>&1
is $? 3 "run --keep: exit status"
is "$(rt state "$ID" | jq -r '.status, .pid' | xargs)" "stopped 0" "run --keep: it is still there, stopped"
rt delete "$ID"; is $? 0 "run --keep: delete"
script later 'until [ -e /tmp/go ]; do sleep 0.1; done; echo done >/tmp/later'
new_id; rt run -b "$B" --detach --pid-file "$T/pid2" "$ID" </dev/null >/dev/null 2>&1
is "$? $(rt state "$ID" | jq -r .status)" "0 running" "run --detach returns while it runs"
mapped touch "$T/rootfs/tmp/go"
until_true 60 is_now stopped
is "$(rt state "$ID" | jq -r .status) $(cat "$T/rootfs/tmp/later")" "stopped done" "run --detach: it went on and ended"
rt delete "$ID"
script slow 'trap "exit 21" TERM; echo ready; while :; do sleep 0.1; done'
engine_both run until:ready sleep:1 direct:TERM wait left
same_lines "SIGTERM to run is forwarded" '\.text$'
bundle rel '.root.path = "rootfs"'
ln -s "$T/rootfs" "$B/rootfs"
run_rt; is "$rc" 0 "root.path relative to the bundle, through a symlink" || detail

# ---- where state is kept

bundle root .
new_id; mkdir "$T/state"
rt --root "$T/state" create -b "$B" "$ID" </dev/null >/dev/null 2>&1
is "$? $(ls "$T/state")" "0 $ID" "--root DIR keeps the container there"
rt state "$ID" >/dev/null 2>&1; [ $? != 0 ]; ok $? "and nowhere else"
is "$(rt --root="$T/state" list -q)" "$ID" "--root=DIR list"
rt --root "$T/state" delete -f "$ID"
is "$? $(ls "$T/state")" "0 " "--root DIR delete"
if rt_only "state folder"; then
	new_id; rt create -b "$B" "$ID" </dev/null >/dev/null 2>&1
	is "$(stat -c %a "$STATE/$ID")" 700 "a container's state folder is private"
	rt delete -f "$ID"
	mkdir "$T/empty"
	is "$(rt --root "$T/empty" list -f json | jq -c .)" "[]" "list -f json of nothing is []"
	is "$(rt --root "$T/empty" list -q)" "" "list -q of nothing"
fi

# ---- spec, features, version, help, check

mkdir "$T/new"
(cd "$T/new" && rt spec $ROOTLESS) >"$T/out" 2>&1
is "$? $(cat "$T/out")" "0 " "spec writes config.json"
jq -e '.ociVersion and (.process.args | length > 0) and .root.path == "rootfs" and (.linux.namespaces | length > 3)' \
	"$T/new/config.json" >/dev/null
ok $? "spec: with what a configuration needs"
sum=$(sha256sum <"$T/new/config.json")
(cd "$T/new" && rt spec) >"$T/out" 2>&1
if rt_only "spec twice"; then
	(cd "$T/new" && rt spec) >"$T/out" 2>&1
	is $? 1 "spec doesn't overwrite"
	like "$(cat "$T/out")" 'config.json.* exists' "spec: says why"
	is "$(sha256sum <"$T/new/config.json")" "$sum" "spec: the file is as it was"
	mkdir "$T/new2"
	rt spec --bundle "$T/new2" --rootless
	is $? 0 "spec --bundle DIR --rootless"
	is "$(jq -r '.linux.namespaces[] | select(.type == "user") | .type' "$T/new2/config.json")" user \
		"spec --rootless has a user namespace"
	jq --arg r "$T/rootfs" '.process.terminal = false | .process.args = ["echo", "hello"] | .root.path = $r' \
		"$T/new/config.json" >"$T/new/c"
	mv "$T/new/c" "$T/new/config.json"
	B=$T/new run_rt
	is "$rc $out" "0 hello" "what spec wrote can be run"
fi
env -i "$RT" features >"$T/out" 2>"$T/err"
is "$? $(cat "$T/err")" "0 " "features, with an empty environment, not a byte on stderr"
for filter in '.ociVersionMin | test("^1\\.")' '.ociVersionMax | test("^1\\.")' '.hooks | type == "array"' \
	'.mountOptions | index("ro") != null' '.linux.namespaces | index("pid") != null' \
	'.linux.capabilities | index("CAP_CHOWN") != null'; do
	jq -e "$filter" "$T/out" >/dev/null
	ok $? "features: $filter"
done
rt_only "features: as the specification has it" &&
	is "$(python3 "$HERE/features.py" "$T/out")" "" "features: as the specification has it"
for option in --version -v -V; do
	self && [ $option = -v ] && continue
	rt $option >"$T/out" 2>"$T/err"
	is "$? $(cat "$T/err")" "0 " "$option"
	like "$(head -n 1 "$T/out")" "^$RT_NAME version [0-9]" "$option: first line"
	like "$(cat "$T/out")" $'\ncommit: [^\n]+\n(rundir.*\n)?spec: 1\\.[0-9]+\\.[0-9]+' "$option: commit and spec lines"
done
for words in "--help" "-h" "create --help" "run --help" "start --help" "state --help" "kill --help" "delete --help" \
	"list --help" "spec --help" "features --help"; do
	self && [ "$words" = -h ] && continue
	# shellcheck disable=SC2086
	rt $words >"$T/out" 2>"$T/err"
	is "$?" 0 "$words"
	like "$(tr 'A-Z' 'a-z' <"$T/out")" 'usage' "$words: shows the usage"
done
if rt_only check; then
	rt check >"$T/out" 2>&1
	is $? 0 "check on a good host" || diag "$(cat "$T/out")"
	like "$(cat "$T/out")" '/dev/kvm' "check speaks of /dev/kvm"
	like "$(rt --help)" 'check' "--help lists check"
fi

# ---- logs and options

bundle logged '.process.args = ["/nonesuch"]'
for how in "--log $T/l.text --log-format text" "--log=$T/l.text2 --log-format=text"; do
	# shellcheck disable=SC2086
	rt $how run -b "$B" "$PREFIX-log" 2>"$T/err" </dev/null
	file=$(tr ' =' '\n\n' <<<"$how" | grep l.text)
	like "$(cat "$file" 2>&1)" "/nonesuch" "$how: the reason is in the log"
	rt_only "$how" && is "$(wc -l <"$T/err")" 1 "$how: and on stderr, in one line"
done
rt --log "$T/l.json" --log-format json run -b "$B" "$PREFIX-log" 2>"$T/err" </dev/null
is "$(wc -l <"$T/l.json")" 1 "--log-format json: one line"
is "$(jq -r '.level' "$T/l.json")" error "--log-format json: level"
like "$(jq -r .msg "$T/l.json")" /nonesuch "--log-format json: msg"
like "$(jq -r .time "$T/l.json")" '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$' \
	"--log-format json: time is RFC 3339"
if rt_only "logs"; then
	is "$(grep -c /nonesuch "$T/err")" 1 "--log-format json: stderr has it too"
	B=$T/b/quick
	rt --log "$T/l.quiet" --log-format json run -b "$B" "$PREFIX-q" </dev/null 2>"$T/err"
	is "$? $(cat "$T/err")$(cat "$T/l.quiet" 2>/dev/null)" "0 " "nothing is logged where nothing is wrong"
fi
while read -r words; do
	# shellcheck disable=SC2086
	rt $words </dev/null >"$T/out" 2>"$T/err"
	[ $? != 0 ]
	ok $? "'$words' fails"
	[ -s "$T/err" ]
	ok $? "'$words' says so on stderr"
	self && continue
	flag=$(tr ' ' '\n' <<<"$words" | grep nonesuch | head -n 1)
	like "$(cat "$T/err")" "${flag:-.}" "'$words' names the culprit"
done <<'EOF_TABLE'
--nonesuch list
nonesuch
create --nonesuch x
run --nonesuch x
start --nonesuch x
state --nonesuch x
delete --nonesuch x
kill --nonesuch x
list --nonesuch
--log-format nonesuch list
create
start
state
kill
delete
EOF_TABLE
rt_only "list -f nonesuch" && { rt list -f nonesuch >/dev/null 2>&1; [ $? != 0 ]; ok $? "list -f nonesuch fails"; }

done_testing
