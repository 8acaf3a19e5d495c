#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Many containers: MANY (100) one after the other, ten at once, then CHURN (20) of which CHURN_AT_ONCE (10) are created,
# started and deleted at a time; and nothing is left of them.
. "$(dirname "$0")/lib.sh"
setup
AT_ONCE=${AT_ONCE:-10} CHURN=${CHURN:-20} CHURN_AT_ONCE=${CHURN_AT_ONCE:-10}

script one 'read a; echo "container $a"; exit $((a % 100))'
good=0
start=$SECONDS
for ((i = 1; i <= MANY; i++)); do
	new_id
	got=$(echo "$i" | rt run -b "$B" "$ID" 2>"$T/err")
	status=$?
	if [ "$status $got" = "$((i % 100)) container $i" ]; then
		good=$((good + 1))
	else
		diag "container $i: status $status, output '$got', $(head -c 300 "$T/err")"
		[ $((i - good)) -lt 10 ] || break
	fi
done
is "$good" "$MANY" "$MANY containers one after the other ($((SECONDS - start)) s)"
leaks "$MANY containers: nothing is left behind"
is "$(rt list -q | grep -c "^$PREFIX")" 0 "$MANY containers: list is empty"

# the same id again and again, through create, start and delete
script again 'exit 5'
good=0
for ((i = 1; i <= MANY / 16 + 1; i++)); do
	rt create -b "$B" --pid-file "$T/pid" "$PREFIX-same" </dev/null >/dev/null 2>"$T/err" &&
		rt start "$PREFIX-same" && rt delete --force "$PREFIX-same" && good=$((good + 1))
done
is "$good" $((MANY / 16 + 1)) "the same id again and again" || diag "$(cat "$T/err")"

# failures don't leak either
bundle failing '.process.args = ["/nonesuch"]'
for ((i = 1; i <= MANY / 16 + 1; i++)); do
	new_id
	rt run -b "$B" "$ID" </dev/null >/dev/null 2>&1
done
leaks "failures: nothing is left behind"

# at once: all up at the same time, each with its own files and status
script many 'mkdir /tmp/$0 && echo "$0" >/tmp/$0/f; i=0; while [ $i -lt 50 ]; do i=$((i+1)); cat /tmp/$0/f >/dev/null; done; read go; cat /tmp/$0/f; exit 40' \
	'.process.args += ["NAME"]'
mkdir "$T/once"
mapped chmod 1777 "$T/rootfs/tmp"
start=$SECONDS
pids=()
for ((i = 0; i < AT_ONCE; i++)); do
	mkdir "$T/b/many$i"
	jq --arg n "c$i" '.process.args[3] = $n' "$B/config.json" >"$T/b/many$i/config.json"
	mkfifo "$T/once/in$i"
	LIMIT=900 rt run -b "$T/b/many$i" "$PREFIX-once$i" <>"$T/once/in$i" >"$T/once/out$i" 2>"$T/once/err$i" &
	pids[i]=$!
done
up=0
for ((t = 0; t < 600 && up < AT_ONCE; t++)); do
	up=$(rt list | grep "^$PREFIX-once" | grep -c running)
	sleep 0.2
done
is "$up" "$AT_ONCE" "$AT_ONCE at once: all of them run"
for ((i = 0; i < AT_ONCE; i++)); do echo >"$T/once/in$i"; done
good=0
for ((i = 0; i < AT_ONCE; i++)); do
	wait "${pids[i]}"
	status=$?
	if [ "$status $(cat "$T/once/out$i")" = "40 c$i" ]; then
		good=$((good + 1))
	else
		diag "container $i: status $status, $(head -c 200 "$T/once/out$i" "$T/once/err$i" | tr '\n' ' ')"
	fi
done
is "$good" "$AT_ONCE" "$AT_ONCE at once: each with its own output and status ($((SECONDS - start)) s)"
leaks "$AT_ONCE at once: nothing is left behind"

# many, some at a time: create, start, delete, each with its own status
script churn 'echo "$0"; exec sleep 1000' '.process.args += ["NAME"]'
mkdir "$T/churn"
life() {
	local id=$PREFIX-churn$1 dir=$T/churn/$1 step
	mkdir "$dir"
	jq --arg n "c$1" '.process.args[3] = $n' "$B/config.json" >"$dir/config.json"
	{
		step=create && timeout -k 5 300 "$RT" create -b "$dir" "$id" >"$dir/out" &&
			step=start && timeout -k 5 300 "$RT" start "$id" &&
			step=state && [ "$("$RT" state "$id" | jq -r .status)" = running ] &&
			step=delete && timeout -k 5 300 "$RT" delete --force "$id" &&
			step=gone && ! "$RT" state "$id" >/dev/null 2>&1
	} </dev/null 2>"$dir/err" && echo good || echo "container $1: $step: $(head -c 300 "$dir/err")"
	rm -rf "$dir"
}
export -f life
export PREFIX T B RT
start=$SECONDS
seq "$CHURN" | xargs -P "$CHURN_AT_ONCE" -I @ bash -c 'life @' >"$T/churn.log"
is "$(grep -c '^good$' "$T/churn.log")" "$CHURN" \
	"$CHURN created, started and deleted, $CHURN_AT_ONCE at a time ($((SECONDS - start)) s)" ||
	diag "$(grep -v '^good$' "$T/churn.log")"
leaks "$CHURN, $CHURN_AT_ONCE at a time: nothing is left behind"

# the same id by several at once: exactly one gets it
script race 'sleep 1'
pids=()
for i in 1 2 3 4; do
	rt create -b "$B" "$PREFIX-race" </dev/null >/dev/null 2>"$T/race$i" &
	pids[i]=$!
done
won=0
for i in 1 2 3 4; do wait "${pids[i]}" && won=$((won + 1)); done
is "$won" 1 "one id, four creates at once: one wins" || diag "$(cat "$T"/race?)"
rt delete --force "$PREFIX-race"
is $? 0 "and can be deleted"

# kill and delete from several sides at once
script race 'sleep 60'
rt create -b "$B" "$PREFIX-race" </dev/null >/dev/null 2>&1 && rt start "$PREFIX-race"
for i in 1 2 3; do rt kill "$PREFIX-race" KILL 2>/dev/null & rt delete --force "$PREFIX-race" 2>/dev/null & done
wait
[ ! -e "$STATE/$PREFIX-race" ] || rt delete --force "$PREFIX-race"
rt state "$PREFIX-race" >/dev/null 2>&1
is $? 1 "kill and delete from all sides: it is gone"

done_testing
