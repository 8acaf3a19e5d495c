#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the commands answer when what is remembered of a container is not as it should be: processes killed,
# files damaged, missing or foreign, an earlier boot, a full disk, a read-only one. The table is in
# runtime/statedir.h.
. "$(dirname "$0")/lib.sh"
self && skip_all "only for the runtime under test"
setup
script held 'echo ready; sleep 600'

# living [created]: a container in $ID with its folder in $D, the monitor in $pid and the VMM in $vmm.
living() {
	new_id
	D=$STATE/$ID
	rt create -b "$B" --pid-file "$T/pid" "$ID" </dev/null >/dev/null 2>"$T/err" || diag "$(cat "$T/err")"
	pid=$(cat "$T/pid")
	vmm=$(pgrep -x coracle-vmm -P "$pid")
	[ "${1:-}" = created ] || rt start "$ID"
}

# say COMMAND...: its status in $rc, what it says in $err, its output in $out (not a pipe: a container keeps it).
say() {
	rt "$@" </dev/null >"$T/out" 2>"$T/err"
	rc=$?
	out=$(cat "$T/out")
	err=$(cat "$T/err")
	lines=$(wc -l <"$T/err")
}

# fails REGEX NAME: the last command failed, in one line that matches.
fails() { is "$rc $lines" "1 1" "$2: fails in one line" && like "$err" "$1" "$2: says so"; }

status() { rt state "$ID" 2>/dev/null | jq -r .status; }

# gone NAME: nothing is left of the container.
gone() {
	until_true 20 both_ended && [ ! -e "$D" ]
	ok $? "$1: nothing is left"
}

both_ended() { ended "$pid" && ended "$vmm"; }

# until_dead PID
until_dead() { until_true 10 ended "$1"; }

# ---- somebody kills one of the processes

for who in monitor VMM; do
	for phase in created running; do
		living $phase
		is "$(status)" $phase "a $who of a $phase container: it was $phase"
		if [ $who = monitor ]; then kill -9 "$pid"; else kill -9 "$vmm"; fi
		until_dead "$vmm" && until_dead "$pid"
		ok $? "$who killed in $phase: the other goes as well"
		is "$(status)" stopped "$who killed in $phase: stopped"
		say kill "$ID" TERM
		fails 'container not running' "$who killed in $phase: kill"
		say start "$ID"
		fails 'stopped' "$who killed in $phase: start"
		say delete "$ID"
		is "$rc$err" 0 "$who killed in $phase: delete"
		gone "$who killed in $phase"
	done
done

# a monitor that does not answer
living
kill -STOP "$pid"
say delete --force "$ID"
is "$rc$err" 0 "a monitor that is stopped: delete --force"
gone "a monitor that is stopped"

# ---- the record is damaged

living
other=$ID
good=$(cat "$D/state.json")
while IFS='|' read -r name make; do
	living
	eval "$make"
	say state "$ID"
	fails "state.json.*(damaged|can't be read)" "$name: state"
	say list
	is "$rc" 0 "$name: list goes on"
	like "$out" "$other" "$name: list shows the others"
	like "$err" "$ID/state.json" "$name: list names the file"
	say delete "$ID"
	fails "state.json.*--force" "$name: delete"
	say create -b "$B" "$ID"
	fails 'already exists' "$name: create"
	say kill "$ID" WINCH
	is "$rc$err" 0 "$name: kill still reaches it"
	say delete --force "$ID"
	is "$rc" 0 "$name: delete --force"
	gone "$name"
done <<'EOF_TABLE'
empty record|: >"$D/state.json"
half a record|head -c 40 "$D/state.json" >"$T/half"; cat "$T/half" >"$D/state.json"
record of zeros|head -c 4096 /dev/zero >"$D/state.json"
record with a wrong type|echo '{"pid":"x"}' >"$D/state.json"
record that is a list|echo '[1]' >"$D/state.json"
record that is a folder|rm "$D/state.json"; mkdir "$D/state.json"
record that is a FIFO|rm "$D/state.json"; mkfifo "$D/state.json"
record that is a link|rm "$D/state.json"; ln -s /etc/passwd "$D/state.json"
EOF_TABLE
ID=$other
rt delete --force "$ID"

# the same when nobody lives any more, and a monitor that doesn't answer
living
kill -9 "$pid"; until_dead "$pid"; until_dead "$vmm"
echo '{' >"$D/state.json"
say state "$ID"; fails 'damaged' "damaged and dead: state"
say kill "$ID" KILL; fails 'damaged' "damaged and dead: kill"
say delete "$ID"; fails 'damaged' "damaged and dead: delete"
say delete --force "$ID"; is "$rc" 0 "damaged and dead: delete --force"
gone "damaged and dead"
living
echo '{' >"$D/state.json"
kill -STOP "$pid"
say delete --force "$ID"
is "$rc" 0 "damaged, and the monitor is stopped: delete --force"
gone "damaged, and the monitor is stopped"

# ---- files are missing

for f in lock vmm.lock exit.json ctl.sock; do
	living
	rm "$D/$f"
	[ $f = lock ] || is "$(status)" running "$f is missing: still running"
	[ $f != lock ] || like "$(status)" 'created|running' "$f is missing: still alive"
	[ $f = lock ] || { say delete "$ID"; fails 'not stopped' "$f is missing: delete"; }
	say delete --force "$ID"
	is "$rc$err" 0 "$f is missing: delete --force"
	gone "$f is missing"
done
living
kill -9 "$pid"; until_dead "$pid"; until_dead "$vmm"
rm "$D"/*
say delete --force "$ID"; is "$rc$err" 0 "all files are missing: delete --force"
gone "all files are missing"

# ---- what another runtime keeps in the same folder, as engines tell them all to

for files in "status exec.fifo" "state.json notify.sock"; do
	new_id
	D=$STATE/$ID
	mkdir -m 700 "$D"
	for f in $files; do echo '{"id": "x"}' >"$D/$f"; done
	say state "$ID"; fails 'does not exist' "another runtime's: state"
	say kill "$ID" KILL; fails 'does not exist' "another runtime's: kill"
	say delete "$ID"; fails 'does not exist' "another runtime's: delete"
	say delete --force "$ID"
	say create -b "$B" "$ID"; fails 'already exists' "another runtime's: create"
	say list
	like "$err" "^$" "another runtime's: list says nothing"
	is "$(cd "$D" && echo *)" "$(xargs -n 1 <<<"$files" | sort | xargs)" "another runtime's: it has all of its files"
	rm -r "$D"
done

# ---- an interrupted create: no record at all, or one that was never completed

lost() {
	new_id
	D=$STATE/$ID pid=999999999 vmm=999999999
	mkdir -m 700 "$D"
}
lost
say state "$ID"; fails 'does not exist.*interrupted' "an empty folder: state"
say kill "$ID" KILL; fails 'does not exist' "an empty folder: kill"
say start "$ID"; [ "$rc" = 1 ]; ok $? "an empty folder: start"
say create -b "$B" "$ID"; fails 'already exists.*interrupted' "an empty folder: create"
say list; like "$err" "$ID.*interrupted" "an empty folder: list speaks of it"
say delete "$ID"; fails 'does not exist' "an empty folder: delete"
gone "an empty folder, after delete"
lost
say delete --force "$ID"; is "$rc$err" 0 "an empty folder: delete --force"
gone "an empty folder, after delete --force"
lost
jq '.phase = "creating"' <<<"$good" >"$D/state.json"
touch "$D/lock" "$D/.state.json.1234" "$D/.state.json.99"
mkdir "$D/sub"
is "$(status)" stopped "a record of a create that died: stopped"
say kill "$ID" KILL; fails 'not running' "a record of a create that died: kill"
say create -b "$B" "$ID"; fails 'already exists.*interrupted' "a record of a create that died: create"
say delete "$ID"; is "$rc$err" 0 "a record of a create that died: delete"
gone "a record of a create that died"

# a create under way: its lock is held, by a process that the record names
lost
cat >"$T/hold.py" <<'HOLD'
import fcntl, os, struct, sys, time
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 0, 0, 0))
open(sys.argv[1] + 'ed', 'w').write(str(os.getpid()))
time.sleep(600)
HOLD
(python3 "$T/hold.py" "$D/lock" >/dev/null 2>&1 &)
for i in {1..100}; do [ ! -s "$D/locked" ] || break; sleep 0.1; done
holder=$(cat "$D/locked")
say state "$ID"; is "$rc $(jq -r .status <<<"$out")" "0 creating" "a create that holds only the lock: state"
say delete "$ID"; fails 'not stopped: creating' "a create that holds only the lock: delete"
jq --argjson p $holder --argjson s "$(sed 's/.*) //' /proc/$holder/stat | cut -d' ' -f20)" \
	'.phase = "creating" | .pid = $p | .pidStart = $s' <<<"$good" >"$D/state.json"
is "$(status)" creating "a create under way: state"
say kill "$ID" KILL; fails 'being created' "a create under way: kill"
say start "$ID"; fails 'being created' "a create under way: start"
say delete "$ID"; fails 'not stopped: creating' "a create under way: delete"
say create -b "$B" "$ID"; fails 'already exists$' "a create under way: create"
say delete --force "$ID"; is "$rc$err" 0 "a create under way: delete --force"
until_dead "$holder"
ok $? "a create under way: delete --force killed it"
gone "a create under way"

# ---- an earlier boot: what the record names is another's by now

sleep 600 &
innocent=$!
lost
jq --argjson p $innocent --argjson s "$(sed 's/.*) //' /proc/$innocent/stat | cut -d' ' -f20)" \
	'.phase = "created" | .bootId = "00000000-0000-0000-0000-000000000000" | .pid = $p | .pidStart = $s' \
	<<<"$good" >"$D/state.json"
touch "$D/lock"
is "$(status)" stopped "an earlier boot: stopped"
is "$(rt state "$ID" | jq .pid)" 0 "an earlier boot: no pid"
say kill "$ID" KILL; fails 'not running' "an earlier boot: kill"
say kill --all "$ID" KILL; is "$rc$err" 0 "an earlier boot: kill --all"
say delete --force "$ID"; is "$rc$err" 0 "an earlier boot: delete --force"
kill -0 $innocent; ok $? "an earlier boot: the process that has the number now lives"
kill $innocent
like "$(jq -r .bootId <<<"$good")" '^[0-9a-f-]{36}$' "the record says which boot"

# ---- whose folder it is

mkdir -p "$T/open" "$T/run/coracle"
chmod 777 "$T/open"
say --root "$T/open" list; fails 'open.*--root.*writable for nobody else' "a folder that all may write to"
if [ "$UID_NOW" = 0 ]; then
	chown 1000 "$T/run/coracle"
	XDG_RUNTIME_DIR=$T/run say list
	fails 'run/coracle.*XDG_RUNTIME_DIR.*belong to uid 0' "another's XDG_RUNTIME_DIR"
else
	XDG_RUNTIME_DIR=/run/user/0 say create -b "$B" "$PREFIX-x"
	fails '(/run/user.*XDG_RUNTIME_DIR).*ermission denied' "another's XDG_RUNTIME_DIR"
fi
touch "$T/file"
say --root "$T/file" list; fails 'file.*not a directory' "a file"
say --root "$T/file/below" create -b "$B" x; fails 'Not a directory' "below a file"
say --root / list; fails '"/"' "the root directory"

# ---- a full disk, a read-only one

if [ "$UID_NOW" = 0 ]; then
	mkdir "$T/small"
	made=0 refused=0
	for k in 4 8 12 16 20 24 32; do
		mount -t tmpfs -o size=${k}k,mode=700 small "$T/small"
		say --root "$T/small" create -b "$B" --pid-file "$T/pid" c
		if [ $rc = 0 ]; then
			made=$((made + 1))
			head -c 1M /dev/zero >"$T/small/fill" 2>/dev/null
			is "$(rt --root "$T/small" state c | jq -r .status)" created "$k KiB, then full: created"
			say --root "$T/small" start c; is "$rc$err" 0 "$k KiB, then full: start"
			is "$(rt --root "$T/small" state c | jq -r .status)" running "$k KiB, then full: running"
			say --root "$T/small" kill c KILL; is "$rc$err" 0 "$k KiB, then full: kill"
			until_dead "$(cat "$T/pid")"
			is "$(jq .exitCode "$T/small/c/exit.json")" 137 "$k KiB, then full: how it ended is there"
			say --root "$T/small" delete c; is "$rc$err" 0 "$k KiB, then full: delete"
		else
			refused=$((refused + 1))
			like "$lines $err" '^1 .*small/c.*No space left' "$k KiB: create says what and where"
		fi
		is "$(ls -A "$T/small" | grep -v fill)" "" "$k KiB: nothing is left"
		umount "$T/small" || umount -l "$T/small"
	done
	[ $made -gt 0 ] && [ $refused -gt 0 ]
	ok $? "both happened: $made made, $refused refused"
	mount -t tmpfs -o size=1m,mode=700 small "$T/small"
	say --root "$T/small" create -b "$B" --pid-file "$T/pid" c
	say --root "$T/small" kill c KILL
	until_dead "$(cat "$T/pid")"
	until_true 30 mount -o remount,ro "$T/small"
	ok $? "a file system becomes read-only" || diag "$(ls -l /proc/*/fd 2>/dev/null | grep "$T/small")"
	is "$(rt --root "$T/small" state c | jq -r .status)" stopped "read-only: state"
	is "$(rt --root "$T/small" list -q)" c "read-only: list"
	say --root "$T/small" create -b "$B" d; fails 'small/d.*Read-only' "read-only: create"
	say --root "$T/small" delete c; fails 'small/c.*Read-only' "read-only: delete"
	mount -o remount,rw "$T/small"
	say --root "$T/small" delete --force c; is "$rc$err" 0 "writable again: delete"
	umount "$T/small"
else
	skip "a full disk" "only root can make one"
fi

done_testing
