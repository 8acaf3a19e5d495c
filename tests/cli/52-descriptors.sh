#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# descriptors: what a caller gives to a process besides 0 to 2, by --preserve-fds and LISTEN_FDS; compared with the reference.
. "$(dirname "$0")/lib.sh"
setup

# both OPTIONS REDIRECTIONS: run $B under each with descriptors of its own, made by the shell.
both() {
	local who
	for who in ref rt; do
		rm -f "$T/$who.three"
		eval "run_one $who $1 ${2//@/$T/$who.three}"
	done
	rc=$(cat "$T/rt.rc") err=$(cat "$T/rt.err")
}

# ---- pipes and files

echo "a line of text" >"$T/text"
head -c 3000000 /dev/urandom >"$T/much"
script in 'cat <&4; echo; echo "closed: $([ -e /proc/self/fd/3 ] || echo 3) $([ -e /proc/self/fd/5 ] || echo 5)"'
both '--preserve-fds 3' '4<"$T/text"'
same "a file to read, behind a hole"
script in 'sha256sum <&3; readlink /proc/self/fd/3 | sed "s/:.*//"; read x <&3 || echo end'
both '--preserve-fds 1' '3< <(cat "$T/much")'
same "a pipe to read, 3 MB and the end"
script out 'cat >&3; echo the last words >&3; exec 3>&-; echo after'
STDIN=$T/much both '--preserve-fds 1' '3>@'
same "a file to write"
cmp -s "$T/ref.three" "$T/rt.three"
ok $? "every byte of it is there" || detail
echo first >"$T/log"
script append 'echo second >&3'
both '--preserve-fds 1' '3>>"$T/log"'
is "$(xargs <"$T/log")" "first second second" "a file to append to"
script pipe 'head -c 3000000 /dev/zero >&4; echo last >&4'
for who in ref rt; do
	{ run_one $who --preserve-fds 2 4>&1; } | { sleep 1; cksum; } >"$T/$who.sum"
done
is "$(cat "$T/rt.sum" "$T/rt.rc")" "$(cat "$T/ref.sum" "$T/ref.rc")" "a pipe to write, to somebody slow" || detail
script gone 'yes >&3; echo "yes: $?"'
for who in ref rt; do
	{ run_one $who --preserve-fds 1 3>&1; } | head -n 1 >"$T/$who.one"
done
is "$(cat "$T/rt.one" "$T/rt.rc")" "$(cat "$T/ref.one" "$T/ref.rc")" "a reader that goes away ends the writer" || detail
script unread 'echo fine'
both '--preserve-fds 1' '3< <(cat "$T/much")'
same "a pipe that nobody reads"
bundle user '.process.user = {uid: 7, gid: 7} | .process.args = ["sh", "-c", "cat /proc/self/fd/3; echo out >/proc/self/fd/4"]'
if rt_only "another user"; then # under the reference they belong to the caller
	both '--preserve-fds 2' '3< <(cat "$T/text") 4>@'
	is "$(cat "$T/rt.out" "$T/rt.three" | xargs)" "a line of text out" "another user opens them anew" || detail
fi
script many 'for i in 3 4 5 6 7 8 9 10 11 12 13 14; do read x <&$i; echo $i $x; done'
redirections=
for i in {3..14}; do redirections+="$i< <(echo $((i * i))) "; done
both '--preserve-fds 12' "$redirections"
same "twelve at once"
script none 'ls /proc/self/fd | xargs; env | grep LISTEN_'
both '--preserve-fds 4' ''
same "numbers that are closed"

# ---- sockets

py() { # WHO HOW...: by fds.py
	local who=$1
	shift
	new_id
	timeout -k 5 $((LIMIT * 2)) python3 "$HERE/fds.py" "$@" "$([ "$who" = rt ] && echo "$RT" || echo "$REF")" run --bundle "$B" ${FDS:-} "$ID" </dev/null >"$T/$who.out" 2>"$T/$who.err"
	echo $? >"$T/$who.rc"
}

script pair 'read x <&3; echo "it says $x"; wc -c <&3; readlink /proc/self/fd/3 | sed "s/:.*//"; head -c 700000 /dev/zero >&3'
FDS="--preserve-fds 1" py ref pair
FDS="--preserve-fds 1" py rt pair
same "one end of a pair of sockets, both ways with half-close"

cp "$HERE/fds.py" "$T/rootfs/fds.py"
host='{destination: "/usr", type: "bind", source: "/usr", options: ["rbind", "ro"]}, {destination: "/lib", type: "bind", source: "/lib", options: ["rbind", "ro"]},
	{destination: "/lib64", type: "bind", source: "/lib64", options: ["rbind", "ro"]}'
bundle serve '.process.args = ["/usr/bin/python3", "/fds.py", "serve"] | .mounts += ['"$host"']'
norm() { sed '/^env: /d'; } # the reference doesn't say how many
for kind in unix inet inet6; do
	where=$kind
	for who in ref rt; do
		[ $kind != unix ] || where=$T/$who.listen
		py $who listen "$where"
	done
	same "a socket that listens, $kind"
	self || like "$(cat "$T/rt.out")" "env: 1 web" "and the program is told of it, $kind"
done
norm() { cat; }

# ---- what can't be passed

if rt_only "what can't be passed"; then
	bundle bad '.'
	while IFS='~' read -r title redirection what; do
		eval "run_rt --preserve-fds 3 $redirection"
		refuses "$title" "--preserve-fds: descriptor [345], $what, can't be passed into a virtual machine"
	done <<-'EOF_FDS'
		a folder~5</etc~a directory
		a file, both ways~4<>"$T/text"~a file open for reading and writing
		a device, both ways~3<>/dev/zero~a device open for reading and writing
	EOF_FDS
	FDS="--preserve-fds 1" py rt dgram
	like "$(cat "$T/rt.out" "$T/rt.err")" 'status: 1.*descriptor 3, a socket for messages, can.t be passed' "a socket for datagrams"
	eval "run_rt --preserve-fds 13 $redirections 15<\"\$T/text\""
	refuses "thirteen" 'over 12 descriptors'
	LISTEN_PID=1 LISTEN_FDS=1 run_rt 3</etc
	is "$rc$err" 0 "LISTEN_FDS for another"
fi

# ---- exec

script sleep 'sleep 1000'
if rt_only "exec"; then
	for who in ref rt; do
		new_id
		eval "${who}_id=$ID"
		$who run -d --bundle "$B" "$ID" </dev/null >/dev/null 2>"$T/$who.err"
	done
	each() { # NAME OPTIONS COMMAND REDIRECTIONS
		local who id
		for who in ref rt; do
			eval "id=\$${who}_id"
			rm -f "$T/$who.three"
			eval "$who exec $2 $id sh -c '$3' ${4//@/$T/$who.three}" </dev/null >"$T/$who.out" 2>"$T/$who.err"
			echo $? >"$T/$who.rc"
		done
		same "exec: $1"
	}
	each "a file to read, behind a hole" '--preserve-fds 3' 'cat <&5' '5<"$T/text"'
	each "a pipe to read" '--preserve-fds 1' 'sha256sum <&3' '3< <(cat "$T/much")'
	each "a file to write" '--preserve-fds 2' 'head -c 1000000 /dev/zero >&4; echo last >&4; exit 3' '4>@'
	cmp -s "$T/ref.three" "$T/rt.three"
	ok $? "exec: every byte of it is there"
	each "in and out" '--preserve-fds 2' 'cat <&3 >&4' '3<"$T/much" 4>@'
	cmp -s "$T/much" "$T/rt.three"
	ok $? "exec: through the machine and back"
	# a reader that takes its time: what the host's pipe and we can't hold is still the machine's
	mkfifo "$T/slow"
	{ until [ -e "$T/go" ]; do sleep 0.1; done; wc -c; } <"$T/slow" >"$T/slow.bytes" & reader=$!
	rt exec --preserve-fds 1 "$rt_id" sh -c 'head -c 205000 /dev/zero >&3; exit 3' 3>"$T/slow" </dev/null >/dev/null 2>&1 & writer=$!
	sleep 3
	kill -0 $writer
	ok $? "exec: it is not over before all has left the machine"
	touch "$T/go"
	wait $writer
	rc=$?
	wait $reader
	is "$rc $(cat "$T/slow.bytes")" "3 205000" "exec: and then it is"
	pids=
	for i in {1..20}; do
		LIMIT=600 rt exec --preserve-fds 2 "$rt_id" sh -c 'cat <&3 >&4' 3< <(cat "$T/much") 4>"$T/par.$i" </dev/null >/dev/null 2>&1 &
		pids+=" $!"
	done
	wait $pids
	is "$(cat "$T"/par.* | cksum)" "$(for i in {1..20}; do cat "$T/much"; done | cksum)" "exec: twenty at once"
	python3 - "$T/unix" "$RT" exec --preserve-fds 1 "$rt_id" true >"$T/rt.out" 2>&1 <<-'EOF_PY'
		import os, socket, sys
		s = socket.socket(socket.AF_UNIX)
		s.bind(sys.argv[1])
		s.listen()
		if s.fileno() != 3:
		    os.dup2(s.fileno(), 3)
		os.set_inheritable(3, True)
		os.execvp(sys.argv[2], sys.argv[2:])
	EOF_PY
	like "$? $(cat "$T/rt.out")" "^1 .*descriptor 3, a socket that listens on the host, can't be passed" "exec: a socket that listens"
	ref delete -f "$ref_id"
	rt delete --force "$rt_id"
fi

bundle held '.process.args = ["sleep", "600"]'
new_id
exec 9>"$T/lock"
flock 9
rt create --bundle "$B" "$ID" </dev/null >/dev/null 2>"$T/rt.err"
exec 9>&-
flock -n "$T/lock" true
ok $? "create: what else its caller has open is not held" || detail
rt delete --force "$ID"

leaks "nothing is left"
done_testing
