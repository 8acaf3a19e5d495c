#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# sd_notify(3): what a container says to its service manager reaches the socket of the host, and only that.
# Only as user: the socket is reached in the same way.
. "$(dirname "$0")/lib.sh"
setup debian
mkdir "$T/n"

# receive SOCKET FILE: write down what comes on SOCKET, a line for each message, with its sender's pid.
receive() {
	python3 -c '
import socket, struct, sys
path = "\0" + sys.argv[1][1:] if sys.argv[1][0] == "@" else sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
s.bind(path)
if path[0] != "\0":
    import os
    os.chmod(path, 0o777)
print("bound", file=open(sys.argv[2], "w"))
while True:
    data, anc, _, _ = s.recvmsg(8192, 1024)
    pid = [struct.unpack("3i", a[2])[0] for a in anc if a[1] == socket.SCM_CREDENTIALS]
    print(repr(data.decode()), pid[0], file=open(sys.argv[2], "a"), flush=True)
' "$1" "$2" &
	receiver=$!
	until_true 60 [ -s "$2" ]
}
# told FILE TEXT: wait for a message that holds TEXT
told() {
	until_true 60 grep -qF -- "$2" "$1" && return
	diag "only: $(cat "$1")"
	return 1
}

# in the container: say each argument as a message
say='use Socket; my $s; socket($s, AF_UNIX, SOCK_DGRAM, 0); for (@ARGV) { s/\\n/\n/g; send($s, $_, 0, pack_sockaddr_un($ENV{NOTIFY_SOCKET})) or die "send: $!\n"; }'
messages='"READY=1\\nSTATUS=well", "MAINPID=77\\nBARRIER=1\\nSTATUS=still well", "FDSTORE=1", "RELOADING=1\\nMONOTONIC_USEC=7", "STOPPING=1"'

# ---- the engine's socket: a folder mounted, a variable that names it (podman --sdnotify=container)

receive "$T/n/notify.sock" "$T/heard"
mount="[{destination: \"/run/notify\", type: \"bind\", source: \"$T/n\", options: [\"rbind\", \"rw\"]}]"
bundle engine ".process.args = [\"perl\", \"-e\", \$say, $messages] | .process.env += [\"NOTIFY_SOCKET=/run/notify/notify.sock\"] | .mounts += $mount" --arg say "$say"
if rt_only "messages"; then
	run_rt
	is "$rc$err$out" 0 "the container can say it"
	told "$T/heard" "STOPPING=1"
	is "$(sed 's/MONOTONIC_USEC=[0-9]*/MONOTONIC_USEC=n/; s/ [0-9]*$//' "$T/heard")" "bound
'READY=1\\nSTATUS=well\\n'
'STATUS=still well\\n'
'RELOADING=1\\nMONOTONIC_USEC=n\\n'
'STOPPING=1\\n'" "what concerns the host arrives, the rest does not"
	like "$(grep -c 'MONOTONIC_USEC=7\\' "$T/heard")" "^0$" "times are the host's"
fi
kill $receiver; wait $receiver 2>/dev/null

# another user, a read-only root, a socket mounted alone
rm -f "$T/n/notify.sock" "$T/heard"
receive "$T/n/notify.sock" "$T/heard"
bundle alone ".process.args = [\"perl\", \"-e\", \$say, \"READY=1\"] | .process.user = {uid: 1000, gid: 1000} | .root.readonly = true
	| .process.env += [\"NOTIFY_SOCKET=/run/notify.sock\"] | .mounts += [{destination: \"/run\", type: \"tmpfs\", source: \"tmpfs\"}, {destination: \"/run/n\", type: \"bind\", source: \"$T/n\", options: [\"rbind\"]}]
	| .process.env += [\"NOTIFY_SOCKET=/run/n/notify.sock\"] | .process.env |= map(select(. != \"NOTIFY_SOCKET=/run/notify.sock\"))" --arg say "$say"
run_rt
is "$rc$err$out" 0 "another user, a read-only root"
told "$T/heard" "READY=1"
ok $? "is heard"
kill $receiver; wait $receiver 2>/dev/null

# nobody there: as under the reference
rm -f "$T/n/notify.sock" "$T/heard"
bundle nobody ".process.args = [\"sh\", \"-c\", \"echo \$NOTIFY_SOCKET\"] | .process.env += [\"NOTIFY_SOCKET=/run/notify/notify.sock\"] | .mounts += $mount"
run_both
same "no socket there"

# ---- a link, in the image or in what the container may write to, is no way to another socket of the host

if rt_only "links"; then
	rm -f "$T/n/notify.sock" "$T/heard"
	receive "$T/n/notify.sock" "$T/heard"
	mkdir -p "$T/m" "$T/rootfs/$T/n"
	ln -s "$T/n" "$T/m/way"
	ln -s "$T/n" "$T/rootfs/way"
	writable="[{destination: \"/m\", type: \"bind\", source: \"$T/m\", options: [\"rbind\", \"rw\"]}]"
	for way in /way /m/way; do
		bundle link ".process.args = [\"perl\", \"-e\", \$say, \"READY=1\"] | .process.env += [\"NOTIFY_SOCKET=$way/notify.sock\"] | .mounts += $writable" --arg say "$say"
		run_rt
	done
	sleep 0.5
	is "$(cat "$T/heard")" bound "nothing is heard"
	rm -f "$T/rootfs/way"
	kill $receiver; wait $receiver 2>/dev/null
fi

# ---- our own service manager's

if rt_only "our own NOTIFY_SOCKET"; then
	for address in "$T/n/own.sock" "@coracle-test-$$"; do
		rm -f "$T/heard"
		receive "$address" "$T/heard"
		bundle own '.process.args = ["perl", "-e", $say, "STATUS=starting", "READY=1"]' --arg say "$say"
		NOTIFY_SOCKET=$address run_one rt
		is "$(cat "$T/rt.rc" "$T/rt.err" "$T/rt.out")" 0 "a socket of ours, ${address:0:1}"
		told "$T/heard" "READY=1"
		like "$(grep READY "$T/heard")" "^'MAINPID=([0-9]+)\\\\nREADY=1\\\\n' ([0-9]+)$" "is told the pid, ${address:0:1}"
		pids=$(sed -n "s/^'MAINPID=\([0-9]*\).* \([0-9]*\)$/\1 \2/p" "$T/heard")
		is "${pids% *}" "${pids#* }" "which is the sender's, ${address:0:1}"
		kill $receiver; wait $receiver 2>/dev/null
	done
	bundle stale '.process.args = ["sh", "-c", "echo $NOTIFY_SOCKET"]'
	NOTIFY_SOCKET=/nonesuch run_one rt
	is "$(cat "$T/rt.rc" "$T/rt.err" "$T/rt.out" | xargs)" "0 /run/notify/notify.sock" "a stale NOTIFY_SOCKET of ours does no harm"
fi

# ---- a container that talks too much, to somebody who doesn't listen

if rt_only "a flood"; then
	rm -f "$T/heard" "$T/n/notify.sock"
	receive "$T/n/notify.sock" "$T/heard"
	flood='use Socket; my $s; socket($s, AF_UNIX, SOCK_DGRAM, 0); my $a = pack_sockaddr_un($ENV{NOTIFY_SOCKET}); for (1..200) { send($s, "STATUS=" . ("x" x 5000), 0, $a); send($s, "STATUS=$_\nSTATUS=" . ("y" x 5000), 0, $a); } send($s, "READY=1", 0, $a); print "done\n"'
	bundle flood ".process.args = [\"perl\", \"-e\", \$say] | .process.env += [\"NOTIFY_SOCKET=/run/notify/notify.sock\"] | .mounts += $mount" --arg say "$flood"
	run_rt
	is "$rc$err$out" 0done "a flood ends well"
	told "$T/heard" "READY=1"
	ok $? "its last word is heard"
	kill -STOP $receiver
	bundle flood ".process.args = [\"perl\", \"-e\", \$say] | .process.env += [\"NOTIFY_SOCKET=/run/notify/notify.sock\"] | .mounts += $mount" --arg say "$flood"
	run_rt
	is "$rc$err$out" 0done "a receiver that has stopped stops nobody"
	kill -CONT $receiver
	kill $receiver; wait $receiver 2>/dev/null
fi

done_testing
