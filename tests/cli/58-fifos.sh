#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fifos: FIFOs of the host mounted, by themselves and in a folder; who waits for one, or for a lock of the host's,
# can be interrupted. The other end is a process of the host; compared with the reference.
. "$(dirname "$0")/lib.sh"
setup

D=$T/fifos
cp "$HERE/fifo.py" "$T/rootfs/fifo.py"
at_host='{destination: "/usr", type: "bind", source: "/usr", options: ["rbind", "ro"]}, {destination: "/lib", type: "bind", source: "/lib", options: ["rbind", "ro"]},
	{destination: "/lib64", type: "bind", source: "/lib64", options: ["rbind", "ro"]}'

make_fifos() {
	[ -z "$host" ] || { kill "$host"; wait "$host"; } 2>/dev/null
	host=
	rm -rf "$D"; mkdir "$D"
	mkfifo "$D/ask" "$D/reply" "$D/data"
	touch "$D/locked"
	head -c 8M /dev/urandom >"$D/big"
}
host=
begin_host() {
	make_fifos
	python3 "$HERE/fifo.py" host "$D" &
	host=$!
}
RESET=begin_host

bundle folder '.process.args = ["/usr/bin/python3", "/fifo.py", "guest", "/fifos"]
	| .mounts += ['"$at_host"', {destination: "/fifos", type: "bind", source: $d, options: ["bind"]}]' --arg d "$D"
run_both
same_lines "FIFOs of a folder"
bundle each '.process.args = ["/usr/bin/python3", "/fifo.py", "guest", "/run/x"]
	| .mounts += ['"$at_host"', ("ask", "reply", "data", "locked" | {destination: "/run/x/\(.)", type: "bind", source: "\($d)/\(.)", options: ["rbind", (if . == "locked" then "rw" else "ro" end)]})]' --arg d "$D"
run_both
same_lines "FIFOs by themselves, which read-only mounts don't keep from being written"
RESET=
make_fifos

# ---- as in a shell

table() {
	local title there filter=$1 here
	while IFS='~' read -r title there here; do
		[ -n "$title" ] || continue
		script shell "$there" "$filter" --arg d "$D"
		for who in ref rt; do
			bash -c "$here" >"$T/$who.host" 2>&1 &
			run_one $who
			wait $!
		done
		same "$title" && is "$(cat "$T/rt.host")" "$(cat "$T/ref.host")" "$title: on the host"
	done
}
export D
table '.mounts += [{destination: "/f", type: "bind", source: "\($d)/data", options: ["bind"]}, {destination: "/g", type: "bind", source: "\($d)/reply", options: ["bind"]}]' <<'EOF_TABLE'
a line from the host~cat /f~echo hello >"$D/data"
a line for the host~echo hello >/f~cat "$D/data"
many writers~for i in 1 2 3; do cat /f; echo >/g; done | sort~for i in 1 2 3; do echo $i >"$D/data"; read x <"$D/reply"; done
a reader who goes~yes >/f; echo $?~head -n 1 "$D/data"
a name of its own~ls -l /f | cut -c1-10; echo x >/f/x; mkdir /f; rm /f; [ -p /f ] && echo still there~:
EOF_TABLE
table '.mounts += [{destination: "/d", type: "bind", source: $d, options: ["bind"]}]' <<'EOF_TABLE'
one that the container makes~mkfifo -m 666 /d/new; cat /d/new; rm /d/new~while ! [ -p "$D/new" ]; do sleep 0.1; done; echo from the host >"$D/new"
one that is renamed, linked and removed while it is open~(cat /d/moved; mv /d/moved /d/other; ln /d/other /d/third; echo x >/d/third; rm /d/other /d/third) ; ls /d~mkfifo -m 666 "$D/moved"; echo one >"$D/moved"; while ! [ -p "$D/third" ]; do sleep 0.1; done; cat "$D/third"
EOF_TABLE

if rt_only "what only a machine does"; then
	# one that is blocked in a FIFO keeps nobody from ending
	script blocked 'cat /f & cat </f & echo x >/g & echo here; exec sleep 1000' \
		'.mounts += [{destination: "/f", type: "bind", source: "\($d)/data", options: ["bind"]}, {destination: "/g", type: "bind", source: "\($d)/reply", options: ["bind"]}]' --arg d "$D"
	new_id
	rt create --bundle "$B" "$ID" </dev/null >"$T/rt.out" 2>"$T/rt.err" && rt start "$ID" && until_true 60 has_text "$T/rt.out" here
	ok $? "a container whose processes wait for FIFOs" || detail
	reader=$(timeout 20 bash -c 'echo hello >"$D/data" && echo yes')
	is "$reader" yes "has an end of one open"
	rt exec "$ID" true </dev/null
	ok $? "and works"
	rt kill "$ID" KILL && until_true 30 is_now stopped
	ok $? "it ends" || detail
	rt delete "$ID"
	ok $? "and is gone"
	is "$(timeout 2 bash -c 'echo hello >"$D/data"'; echo $?)" 124 "with its ends"

	# from one machine to another
	script from 'for i in $(seq 2000); do echo "line $i"; done >/f' '.mounts += [{destination: "/f", type: "bind", source: "\($d)/data", options: ["bind"]}]' --arg d "$D"
	rt run --bundle "$B" "$ID-from" </dev/null >"$T/from" 2>&1 &
	script to 'md5sum </f' '.mounts += [{destination: "/f", type: "bind", source: "\($d)/data", options: ["bind"]}]' --arg d "$D"
	run_rt
	wait $!
	is "$out $(cat "$T/from")" "$(for i in $(seq 2000); do echo "line $i"; done | md5sum) " "one machine writes to another" || detail
fi

done_testing
