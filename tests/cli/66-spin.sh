#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 66-spin - `state`, `list`, `kill` and `delete --force` answer whatever the guest does: its CPUs spin with interrupts
# off, its kernel has panicked and stays there.
# Only as root: it is about the machine.
. "$(dirname "$0")/lib.sh"
self && skip_all "only for the runtime under test"
ANSWER=120 # seconds for a command: 5 are meant, on a machine that does nothing else
CPUS=4
setup

# answers NAME STATUS COMMAND...: in bounded time, with this status; its output is $said.
answers() {
	local name=$1 want=$2 start=$SECONDS rc
	shift 2
	said=$(timeout "$ANSWER" "$RT" "$@" 2>&1)
	rc=$?
	is "$rc" "$want" "$name ($((SECONDS - start)) s)" || diag "$said"
}
status() { jq -r .status <<<"$said" 2>/dev/null; }

# spun VMM: wait until each of its CPUs has had half a second.
spun() { until_true 120 busy "$1"; }
busy() {
	local n
	n=$(awk '{ sub(/.*\) /, ""); if ($12 + $13 >= 50) n++ } END { print n + 0 }' /proc/"$1"/task/*/stat)
	[ "${n:-0}" -ge "$CPUS" ]
}
# new_vmm CREATOR OLD...: the VMM that this create starts, which is none of the old ones: an earlier script's may still be ending.
new_vmm() {
	local i pid
	for ((i = 0; i < 600; i++)); do
		for pid in $(pgrep -x -u "$UID_NOW" coracle-vmm); do
			[[ " ${*:2} " = *" $pid "* ]] || { echo "$pid"; return; }
		done
		kill -0 "$1" 2>/dev/null || return 1
		sleep 0.2
	done
	return 1
}

# ---- a kernel that spins: create waits for it until somebody ends that

python3 "$HERE/spin.py" "$T/spin"
for end in delete interrupt; do
	bundle "spin-$end" '.vm = {hwConfig: {vcpus: $n}, kernel: {path: $k}}' --argjson n "$CPUS" --arg k "$T/spin"
	new_id
	old=$(pgrep -x -u "$UID_NOW" coracle-vmm | xargs)
	"$RT" create --bundle "$B" "$ID" </dev/null >"$T/out" 2>"$T/err" &
	creator=$!
	# shellcheck disable=SC2086
	vmm=$(new_vmm "$creator" $old) && spun "$vmm"
	ok $? "spin, $end: $CPUS CPUs with interrupts off" || diag "VMM ${vmm:-none}: $(cat "$T/err")"
	answers "spin, $end: state answers" 0 state "$ID"
	is "$(status)" creating "spin, $end: it is being created"
	answers "spin, $end: list answers" 0 list
	answers "spin, $end: kill says that it is being created" 1 kill "$ID" KILL
	like "$said" 'still being created' "spin, $end: in these words"
	answers "spin, $end: delete refuses" 1 delete "$ID"
	answers "spin, $end: start refuses" 1 start "$ID"
	answers "spin, $end: exec refuses" 1 exec "$ID" true
	if [ $end = delete ]; then
		answers "spin, $end: delete --force works" 0 delete --force "$ID"
	else
		kill -TERM "$creator"
	fi
	until_true $ANSWER ended "$creator"
	ok $? "spin, $end: create has ended" || kill -9 "$creator"
	wait "$creator" 2>/dev/null
	[ $? != 0 ]
	ok $? "spin, $end: create has failed"
	answers "spin, $end: it is gone" 1 state "$ID"
	until_true $ANSWER ended "$vmm"
	ok $? "spin, $end: the machine has ended"
	leaks "spin, $end: nothing is left"
done

# ---- a command that stalls between connecting and asking, as on a busy host

script busy 'sleep 1000'
new_id
rt create --bundle "$B" "$ID" </dev/null >"$T/out" 2>"$T/err" && rt start "$ID"
is $? 0 "stalled callers: the container starts" || diag "$(cat "$T/err")"
is "$(python3 - "$(rt state "$ID" | jq -r .pid)" "$RT" "$ID" "$STATE" <<'EOF_PYTHON'
import socket, struct, subprocess, sys, time
pid, rt, id, root = sys.argv[1:]
def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(f"{root}/{id}/ctl.sock")
    return s
first = connect()
others = [connect() for _ in range(20)]
time.sleep(1)
print(subprocess.run([rt, "exec", id, "echo", "others", "are", "served"], stdin=subprocess.DEVNULL, capture_output=True, timeout=120).stdout)
first.send(struct.pack("=4I", 17, 0, 0, 0))     # CTL_PIDS: the monitor's own comes first
print(struct.unpack_from("=Ii", first.recv(65536))[1] == int(pid))
EOF_PYTHON
)" "b'others are served\\n'
True" "stalled callers: others are served, and they when they ask"
rt delete --force "$ID"

# ---- a monitor that stands still, and more callers than its socket takes

new_id
rt create --bundle "$B" "$ID" </dev/null >"$T/out" 2>"$T/err" && rt start "$ID"
is $? 0 "stopped monitor: the container starts" || diag "$(cat "$T/err")"
pid=$(rt state "$ID" | jq -r .pid)
kill -STOP "$pid"
is "$(timeout $ANSWER python3 - "$RT" "$ID" "$STATE" <<'EOF_PYTHON'
import socket, subprocess, sys
rt, id, root = sys.argv[1:]
callers = []
for _ in range(40):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    try:
        s.connect(f"{root}/{id}/ctl.sock")
    except BlockingIOError:
        break
    callers.append(s)
print(subprocess.run([rt, "kill", id, "TERM"], stdin=subprocess.DEVNULL, capture_output=True).stderr.decode().strip().endswith("does not answer"))
print(subprocess.run([rt, "delete", "--force", id], stdin=subprocess.DEVNULL).returncode)
EOF_PYTHON
)" "True
0" "stopped monitor: kill says that it does not answer, delete --force ends it" || kill -KILL "$pid"
answers "stopped monitor: it is gone" 1 state "$ID"

# ---- a container that runs, whose kernel then stands still: a panic that doesn't reset the machine

script panic 'echo >/tmp/mark; cat /dev/zero >/big/file' '.vm = {
	hwConfig: {vcpus: 2, memory: 134217728}, kernel: {path: $k, parameters: ["panic=0", "sysctl.vm.panic_on_oom=2"]}}
	| .mounts += [{destination: "/big", type: "tmpfs", source: "tmpfs", options: ["size=1g"]}]' \
	--arg k "${RT%/*}/vmlinux"
for signal in TERM KILL; do
	rm -f "$T/rootfs/tmp/mark"
	new_id
	rt --debug create --bundle "$B" "$ID" </dev/null >"$T/out" 2>"$T/err" && rt start "$ID"
	is $? 0 "panic, $signal: the container starts" || diag "$(tail -n 3 "$T/err")"
	until_true 120 has_text "$T/err" 'Kernel panic'
	ok $? "panic, $signal: the kernel has panicked" || diag "$(tail -n 3 "$T/err")"
	answers "panic, $signal: state answers" 0 state "$ID"
	is "$(status)" running "panic, $signal: it counts as running"
	answers "panic, $signal: kill answers" 0 kill "$ID" $signal
	if [ $signal = KILL ]; then
		until_true $ANSWER is_now stopped
		answers "panic, $signal: state answers" 0 state "$ID"
		is "$(status)" stopped "panic, $signal: it ends"
	fi
	answers "panic, $signal: delete --force works" 0 delete --force "$ID"
	answers "panic, $signal: it is gone" 1 state "$ID"
done

done_testing
