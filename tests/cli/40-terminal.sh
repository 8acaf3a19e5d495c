#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# process.terminal: the console socket, sizes, keys, and run in the foreground on somebody's terminal.
# Only as user: the terminal is the guest's.
. "$(dirname "$0")/lib.sh"
setup

# steps NAME CONFIG SCRIPT STEPS...: the same under both, compared line by line.
steps() {
	script terminal "$3" ".process.terminal = true | $2"
	engine_both "${@:4}"
	same_lines "$1" '\.text$|^state|\.pid$'
}

steps "a terminal on all three" . '
	for n in 0 1 2; do [ -t $n ] && echo "$n: terminal"; done; tty; stat -L -c "%F %a" /dev/console; echo oops >&2; exit 3' \
	console create child start wait output left
is "$(value descriptors)" 1 "one descriptor comes through the console socket"
is "$(value wait)" 3 "and the exit status is the program's"
steps "consoleSize" '.process.consoleSize = {height: 37, width: 111}' 'stty size' console create start wait output
steps "consoleSize of nothing" 'del(.process.consoleSize)' 'stty size' console create start wait output
steps "a size set before start" '.process.consoleSize = {height: 10, width: 20}' 'sleep 0.5; stty size' \
	console create size:41x99 sleep:0.5 start wait output
steps "a size set while it runs" . 'trap "stty size; exit 0" WINCH; echo ready; while :; do sleep 0.1; done' \
	console create start until:ready size:50x132 wait output
steps "many sizes, the last one counts" . 'echo ready; read x; n=0; until [ "$(stty size)" = "33 77" ] || [ $n = 300 ]; do sleep 0.1; n=$((n+1)); done; stty size' \
	console create start until:ready size:10x10 size:20x20 size:30x31 size:33x77 'send:\n' wait output
steps "Ctrl-C" . 'trap "echo int; exit 5" INT; echo ready; while :; do sleep 0.1; done' \
	console create start until:ready 'send:\x03' wait
steps "Ctrl-backslash" . 'trap "echo quit; exit 6" QUIT; echo ready; while :; do sleep 0.1; done' \
	console create start until:ready 'send:\x1c' wait
steps "Ctrl-C to a child, the shell goes on" . 'trap : INT; sh -c "echo ready; exec sleep 30"; echo "after $?"; exit 7' \
	console create start until:ready 'send:\x03' wait output
steps "Ctrl-D is the end" . 'echo ready; cat; echo end' console create start until:ready 'send:abc\n' until:abc 'send:\x04' wait output
steps "echo and line editing" . 'echo ready; read a; echo "[$a]"' \
	console create start until:ready 'send:hellp\x7fo\n' wait output
steps "no echo" . 'stty -echo; echo ready; read a; echo "[$a]"; stty -a | grep -o " .\?echo "' \
	console create start until:ready 'send:secret\n' wait output
steps "raw mode inside" . 'stty raw -echo; echo ready; dd bs=1 count=4 2>/dev/null | od -An -tx1' \
	console create start until:ready 'send:\x03\x04\x1a\r' wait output
steps "eight-bit clean in raw mode" . 'stty raw -echo; echo ready; dd bs=1 count=256 2>/dev/null | md5sum' \
	console create start until:ready "send:$(python3 -c 'print("".join("\\x%02x" % i for i in range(256)), end="")')" wait output
steps "newlines" . 'printf "a\nb\r\nc"' console create start wait output
steps "a lot of output" . 'i=0; while [ $i -lt 3000 ]; do echo "line $i of many, many lines"; i=$((i+1)); done' \
	console create start wait output
steps "job control" . 'ps -o pid,pgid,tty 2>/dev/null | sed -n 2p; echo $- ; cut -d")" -f2 /proc/self/stat | cut -d" " -f5,6' \
	console create start wait output
steps "another user" '.process.user = {uid: 1000, gid: 1000}' 'stat -L -c "%u %a" /dev/stdin; echo x >/dev/tty; echo y >/dev/stdout' \
	console create start wait output
steps "kill" . 'echo ready; sleep 60' console create start until:ready kill:KILL wait
steps "resized while it is made" . 'sleep 2; stty size' console:restless create start wait output
steps "SIGHUP when the terminal goes away" . 'trap "echo hup >/tmp/hup; exit 4" HUP; echo ready; while :; do sleep 0.1; done' \
	console create start until:ready hangup wait
is "$(cat "$T/rootfs/tmp/hup" 2>&1)" hup "SIGHUP when the terminal goes away: it arrived"

# ---- what must not be asked for

script terminal true '.process.terminal = true'
new_id
rt create -b "$B" "$ID" </dev/null >"$T/out" 2>"$T/rt.err"
is $? 1 "create with a terminal and no console socket fails"
[ -e "$STATE/$ID" ] && rt delete --force "$ID"
if rt_only "its text"; then like "$(cat "$T/rt.err")" 'console-socket|terminal' "and says what is missing"; fi
if rt_only "a console socket without a terminal"; then
	script terminal true
	engine rt console create
	is "$(value create) $(value pidfile)" "1 none" "a console socket without a terminal is refused"
	script terminal true '.process.terminal = true'
	new_id
	rt create -b "$B" --console-socket "$T/nowhere" "$ID" </dev/null >"$T/out" 2>"$T/rt.err"
	is "$? $(wc -l <"$T/rt.err")" "1 1" "a console socket that is missing is refused in one line"
	like "$(cat "$T/rt.err")" 'nowhere.*No such file' "and named"
	long=$T/$(printf '%0120d' 0)
	mkdir "$long"
	(cd "$long" && exec python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.bind("s"); s.listen(); print(len(socket.recv_fds(s.accept()[0], 99, 9)[1]), flush=True)') >"$T/fds" &
	until_true 60 [ -S "$long/s" ]
	rt create -b "$B" --console-socket "$long/s" "$ID" </dev/null >"$T/out" 2>"$T/rt.err"
	is $? 0 "a console socket whose path is longer than an address" || diag "$(cat "$T/rt.err")"
	wait $!
	is "$(cat "$T/fds")" 1 "and gets the terminal"
	rt delete --force "$ID"
fi

# ---- exec on a terminal, more input than the way holds, from a program that answers with as much

if rt_only "much input"; then
	script sleeper 'sleep 1000'
	new_id
	rt create -b "$B" "$ID" </dev/null >/dev/null 2>"$T/rt.err" && rt start "$ID"
	{ yes 'line after line after line after line' | head -c 1500000; printf '\n\004'; } |
		timeout 250 "$RT" exec -t "$ID" cat >"$T/much"
	is "${PIPESTATUS[1]}" 0 "much input: its end is reached"
	[ "$(grep -c 'line after line' "$T/much")" -gt 39000 ]
	ok $? "much input: and what was said is shown" || diag "$(wc "$T/much")"
	rt delete --force "$ID"
fi

# ---- run in the foreground on a terminal

steps "run on a terminal" . 'tty; [ -t 0 ] && echo yes; exit 3' pty size:33x99 termios run wait restored output
is "$(value restored)" True "run on a terminal: its mode is as before"
if rt_only "run: the size of our terminal"; then
	# the reference sets none
	script terminal 'echo ready; read a; stty size; exit 0' '.process.terminal = true'
	engine rt pty size:33x99 run until:ready sleep:0.5 'send:\r' wait output
	like "$(value output)" "33 99" "run: the size of our terminal"
fi
steps "run: the size is there from the start" . 'trap "echo changed" WINCH; echo ready; for i in 1 2 3 4 5 6; do sleep 0.1; done; exit 0' \
	pty size:20x60 run until:ready wait output
steps "run: a new size" . 'trap "stty size; exit 0" WINCH; echo ready; while :; do sleep 0.1; done' \
	pty size:20x60 run until:ready sleep:0.5 size:44x88 wait output
steps "run: keys are bytes" . 'trap "exit 5" INT; echo ready; while :; do sleep 0.1; done' \
	pty termios run until:ready sleep:0.3 raw 'send:\x03' wait restored
steps "run: typed lines" . 'echo ready; read a; echo "[$a]"' pty run until:ready sleep:0.3 'send:word\r' wait output
script terminal 'echo ready; sleep 60' '.process.terminal = true'
engine rt pty termios run until:ready sleep:0.3 direct:TERM sleep:1 kill:KILL wait restored
is "$(value restored)" True "run, killed: the terminal's mode is as before"
script terminal 'exit 0' '.process.terminal = true | .process.args = ["nonesuch"]'
engine rt pty termios run wait restored
is "$(value wait) $(value restored)" "1 True" "run, failing: the terminal's mode is as before"

done_testing
