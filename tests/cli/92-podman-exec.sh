#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# podman exec and cp, with the runtime under test and with the reference.
. "$(dirname "$0")/podman.sh"

LOOP='trap "echo term; exit 3" TERM; trap "echo hup" HUP; echo started; while :; do sleep 0.1; done'

copies() {
	local who=$1 name=$2
	mkdir "$T/$who.d" && echo in >"$T/$who.d/f" && ln -s f "$T/$who.d/l"
	echo "cp in: $(quiet with $who cp "$T/$who.d" "$name:/tmp/") $(until_says in with $who exec "$name" cat /tmp/@.d/l; echo $?)"
	echo "cp out: $(quiet with $who cp "$name:/tmp/out" "$T/$who.out.f") $(cat "$T/$who.out.f")"
	echo "cp through tar: $(with $who cp "$name:/etc/passwd" - | tar -tf -)"
	echo "cp of nothing: $(quiet with $who cp "$name:/nonesuch" "$T/x")"
}

execs() {
	local who=$1 name=$PREFIX-$1
	stays $who --network none $IMAGE sh -c "$LOOP"
	until_says started with $who logs "$name" && echo "logs: $(with $who logs --tail 1 "$name")"
	echo "exec: $(with $who exec -u 1000:50 -w /tmp -e A=b "$name" sh -c 'id -u; id -g; pwd; echo $A; exit 5' 2>&1 | xargs)"
	echo "exec status: $(quiet with $who exec "$name" sh -c 'exit 9') $(quiet with $who exec "$name" nonesuch) $(quiet with $who exec "$name" /etc)"
	alive $who "after exec of nothing"
	echo "exec input: $(printf 'a\nb\n' | with $who exec -i "$name" wc -l | xargs)"
	echo "exec input again: $(printf 'a\nb\n' | with $who exec -i "$name" wc -l | xargs)"
	alive $who "after exec with input"
	echo "exec privileged: $(with $who exec --privileged "$name" grep CapEff /proc/self/status)"
	echo "exec detached: $(quiet with $who exec -d "$name" sh -c 'echo x >/tmp/detached')"
	until_says x with $who exec "$name" cat /tmp/detached && echo "exec detached: done"
	echo "exec with a terminal: $(typed word "podman exec -it $name sh -c 'test -t 0 && echo tty; read x; echo got \$x; exit 4'" | sort | xargs)"
	with $who exec "$name" sh -c 'echo out >/tmp/out'
	copies $who "$name"
	echo "diff: $(with $who diff "$name" | grep -e out | sort | xargs)"
	echo "hup: $(quiet with $who kill -s HUP "$name") $(until_says hup with $who logs "$name"; echo $?)"
	alive $who "in the end"
	gone $who
}
each "exec" execs

done_testing
