#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What podman run can ask for, with the runtime under test and with the reference.
. "$(dirname "$0")/podman.sh"

# ---- streams

printf 'one\ntwo\n' >"$T/in"
STDIN=$T/in both_run "standard input" -i $IMAGE wc -l
terminal() {
	local runtime=$RT
	[ "$1" = rt ] || runtime=$REF
	typed word "podman --runtime $runtime run --rm --network none -it $IMAGE sh -c 'test -t 0 && test -t 1 && echo tty; read x; echo got \$x; exit 4'"
}
each "a terminal" terminal
both_run "two streams" $IMAGE sh -c 'echo a; echo b >&2; exit 3'
is "$(cat "$T/rt.err")" "$(cat "$T/ref.err")" "two streams: errors"
both_run "no such program" $IMAGE nonesuch
both_run "not a program" $IMAGE /etc
both_run "no such folder" -w /nonesuch/x $IMAGE pwd
both_run "an end by a signal" $IMAGE sh -c 'kill -9 $$'
both_run "a time limit" --timeout 10 $IMAGE sleep 100

# ---- the process

echo FROM=file >"$T/env"
both_run "entry point, groups, umask, time zone" --entrypoint '["sh", "-c"]' --group-add 2000 --group-add 3000 --umask 027 \
	--hostname box --env-file "$T/env" -e B= --unsetenv HOME --tz local -u 5:6 $IMAGE 'id; umask; echo $FROM ${B-none} ${HOME-none}; env | sort'
both_run "names" --hostname box --add-host friend:192.0.2.7 --dns 192.0.2.1 --dns-search example.org --dns-option ndots:3 $IMAGE \
	sh -c 'grep -v 127 /etc/hosts | sort; cat /etc/resolv.conf; hostname; cat /etc/hostname'
both_run "capabilities" --cap-add sys_time,net_admin --cap-drop chown,kill $IMAGE grep -e Cap -e Seccomp: -e NoNew /proc/self/status
both_run "privileged" --privileged $IMAGE sh -c 'grep -e Cap -e Seccomp: -e NoNew /proc/self/status; mount -t tmpfs none /mnt && echo mounted
	test -w /sys/kernel && echo sys; ls -d /dev/null /dev/zero /dev/tty /dev/pts/ptmx'
both_run "security options" --security-opt no-new-privileges --security-opt seccomp=unconfined --security-opt label=disable \
	--security-opt mask=/etc/passwd:/usr/share --security-opt unmask=/proc/kcore $IMAGE \
	sh -c 'grep -e Seccomp: -e NoNew /proc/self/status; wc -c </etc/passwd; ls /usr/share | wc -l; test -c /proc/kcore || echo unmasked'
both_run "what is masked" $IMAGE sh -c 'for f in /proc/keys /proc/timer_list /proc/sched_debug /proc/scsi /sys/firmware; do
	test ! -e $f || echo $f $(cat $f 2>/dev/null | wc -c); done; touch /proc/sys/kernel/x 2>&1; mount -t tmpfs none /mnt 2>/dev/null || echo no'
both_run "limits" --memory 96m --memory-reservation 64m --memory-swap 96m --cpus 1.5 --cpu-shares 512 --pids-limit 50 --shm-size 1m \
	--ulimit nofile=100:200 --ulimit core=0 --oom-score-adj 500 $IMAGE sh -c 'cd /sys/fs/cgroup
	for f in memory.max memory.low memory.swap.max cpu.max pids.max; do echo $f $(cat $f); done; stat -f -c "%b %S" /dev/shm
	ulimit -n; ulimit -Hn; ulimit -c; cat /proc/self/oom_score_adj'
both_run "sysctls" --sysctl net.ipv4.ip_forward=1 --sysctl kernel.msgmax=4096 --sysctl net.ipv4.ping_group_range="0 5" $IMAGE \
	cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ping_group_range
both_run "devices" --device /dev/null:/dev/nothing --device /dev/zero:/dev/empty:r $IMAGE \
	sh -c 'echo x >/dev/nothing; head -c 3 /dev/empty | wc -c; ls -l /dev/nothing | cut -c1'
both_run "no pid 1 of its own: init" --init $IMAGE sh -c 'cat /proc/1/comm; echo $$'
BY_NAME=1 both_run "no control group" --cgroups=disabled $IMAGE cat /proc/self/cgroup

done_testing
