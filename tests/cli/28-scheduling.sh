#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What config.json says of a process's place in the kernel: personality, scheduler, ioPriority, clocks, sysctls, labels.
. "$(dirname "$0")/lib.sh"
setup

# shellcheck disable=SC2016
facts='cd /proc/self
echo "machine: $(uname -m)"
echo "personality: $(cat personality 2>/dev/null)"
set -- $(cut -d")" -f2 stat); echo "priority nice rt policy: ${16} ${17} ${38} ${39}"
echo "io: $(ionice -p $$ 2>&1)"
sh -c "set -- \$(cut -d\")\" -f2 /proc/self/stat); echo \"child: \${16} \${17} \${38} \${39}\""'

while IFS='~' read -r title filter; do
	case $title in
	'') continue ;;
	'!'*) [ -z "$ROOTLESS" ] || continue; title=${title#!} ;;
	esac
	script scheduling "$facts" "$filter"
	run_both
	same_lines "$title"
done <<'EOF_TABLE'
nothing said~.
LINUX32~.linux.personality = {domain: "LINUX32"}
LINUX~.linux.personality = {domain: "LINUX"}
idle io~.process.ioPriority = {class: "IOPRIO_CLASS_IDLE", priority: 0}
best effort io~.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6}
!real time io~.process.ioPriority = {class: "IOPRIO_CLASS_RT", priority: 2}
batch~.process.scheduler = {policy: "SCHED_BATCH", nice: 7}
nice~.process.scheduler = {policy: "SCHED_OTHER", nice: 11}
idle~.process.scheduler = {policy: "SCHED_IDLE"}
!nicer~.process.scheduler = {policy: "SCHED_OTHER", nice: -11}
!fifo~.process.scheduler = {policy: "SCHED_FIFO", priority: 10}
!round robin that ends with a fork~.process.scheduler = {policy: "SCHED_RR", priority: 50, flags: ["SCHED_FLAG_RESET_ON_FORK"]}
EOF_TABLE

# what an ordinary user can't have on the host can be had in a machine of one's own
if rt_only "real time as a user"; then
	script own "$facts" '.process.scheduler = {policy: "SCHED_FIFO", priority: 10} | .process.ioPriority = {class: "IOPRIO_CLASS_RT", priority: 2}'
	run_rt
	like "$out" "priority nice rt policy: -11 0 10 1" "real time, whoever asks"
fi
script deadline "$facts" '.process.scheduler = {policy: "SCHED_DEADLINE", runtime: 5000000, deadline: 50000000, period: 50000000, flags: ["SCHED_FLAG_RESET_ON_FORK"]}'
run_rt
like "$out" "priority nice rt policy: -101 0 0 6" "deadline"

# ---- clocks

clocks='cat /proc/self/timens_offsets; up=$(cut -d. -f1 /proc/uptime); [ $up -ge 864000 ] && echo ten days up; readlink /proc/self/ns/time | cut -d: -f1
[ "$(readlink /proc/1/ns/time)" = "$(readlink /proc/1/ns/time_for_children)" ] && echo the same for children'
script clocks "$clocks" '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {monotonic: {secs: 864000, nanosecs: 7}, boottime: {secs: 950400}}'
run_both
same "a time namespace"
like "$out" "ten days up" "whose clocks are off"
script clocks "$clocks" '.linux.namespaces += [{type: "time"}]'
run_both
same "a time namespace without offsets"
script clocks "$clocks" '.linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {boottime: {secs: -864000000}}'
run_rt
refuses "a clock before its beginning" "linux.timeOffsets: .*"

# ---- sysctls: those that runc and crun allow, and what a machine of one's own allows more

while IFS='~' read -r keys filter; do
	[ -n "$keys" ] || continue
	script sysctl "for k in $keys; do echo \"\$k: \$(cat /proc/sys/\$k)\"; done" ".linux.sysctl = $filter"
	run_both
	same "sysctl $keys"
done <<'EOF_TABLE'
kernel/msgmax kernel/msgmnb kernel/msgmni~{"kernel.msgmax": "65000", "kernel.msgmnb": "66000", "kernel.msgmni": "1234"}
kernel/sem kernel/shmall kernel/shmmax kernel/shmmni~{"kernel.sem": "250 32000 100 128", "kernel.shmall": "100000", "kernel.shmmax": "200000", "kernel.shmmni": "300"}
kernel/shm_rmid_forced~{"kernel.shm_rmid_forced": "1"}
fs/mqueue/msg_max fs/mqueue/queues_max~{"fs.mqueue.msg_max": "20", "fs.mqueue.queues_max": "30"}
net/ipv4/ip_unprivileged_port_start net/ipv4/ping_group_range~{"net.ipv4.ip_unprivileged_port_start": "80", "net.ipv4.ping_group_range": "0 0"}
net/ipv4/ip_forward net/core/somaxconn~{"net/ipv4/ip_forward": "1", "net.core.somaxconn": "777"}
EOF_TABLE
if rt_only "sysctls of the machine"; then
	script sysctl 'cat /proc/sys/vm/max_map_count /proc/sys/fs/file-max' '.linux.sysctl = {"vm.max_map_count": "262144", "fs.file-max": "54321"}'
	run_rt
	is "$rc$err $(xargs <<<"$out")" "0 262144 54321" "sysctls of the machine"
fi
refuses_each <<'EOF_TABLE'
a sysctl that is not there~sysctl .*no/such/thing~.linux.sysctl = {"no.such.thing": "1"}
a value that the kernel refuses~sysctl .*ip_forward~.linux.sysctl = {"net.ipv4.ip_forward": "maybe"}
a way out of /proc/sys~linux.sysctl: not a key~.linux.sysctl = {"../../etc/passwd": "x"}
flags of a personality~linux.personality.flags: .*ADDR_NO_RANDOMIZE~.linux.personality = {domain: "LINUX", flags: ["ADDR_NO_RANDOMIZE"]}
an unknown personality~linux.personality.domain.*LINUX64~.linux.personality = {domain: "LINUX64"}
an unknown scheduler~process.scheduler.policy.*SCHED_MAYBE~.process.scheduler = {policy: "SCHED_MAYBE"}
an impossible nice~process.scheduler.nice~.process.scheduler = {policy: "SCHED_OTHER", nice: 40}
a deadline that can't be met~process.scheduler~.process.scheduler = {policy: "SCHED_DEADLINE", runtime: 50000000, deadline: 5000000, period: 5000000}
an unknown io class~process.ioPriority.class.*IOPRIO_CLASS_X~.process.ioPriority = {class: "IOPRIO_CLASS_X", priority: 1}
an impossible io priority~process.ioPriority.priority~.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 9}
offsets without a namespace~linux.timeOffsets: needs a time namespace~.linux.timeOffsets = {monotonic: {secs: 1}}
resource director~linux.intelRdt~.linux.intelRdt = {closID: "a"}
memory policy~linux.memoryPolicy~.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0"}
EOF_TABLE

# ---- labels and profiles of the host, which do not reach into the guest

labels='.process.selinuxLabel = "system_u:system_r:container_t:s0:c1,c2" | .linux.mountLabel = "system_u:object_r:container_file_t:s0:c1,c2"'
if [ ! -e /sys/fs/selinux/enforce ] && rt_only "SELinux labels"; then
	script labels 'echo ran' "$labels"
	run_rt
	is "$rc$err$out" 0ran "SELinux labels where nobody reads them"
fi
if rt_only "oomScoreAdj on the host"; then
	script adj 'sleep 60' '.process.oomScoreAdj = 321'
	new_id
	rt create --bundle "$B" "$ID" </dev/null >/dev/null 2>&1
	is "$(for pid in $(rt ps --format json "$ID" | jq '.[]'); do cat "/proc/$pid/oom_score_adj"; done | xargs)" "321 321" \
		"oomScoreAdj: the machine's place in the host's line"
	rt delete --force "$ID"
fi
script adj 'cat /proc/self/oom_score_adj' 'del(.process.oomScoreAdj)'
old=$(cat /proc/self/oom_score_adj)
echo $((old + 77)) >"/proc/$$/oom_score_adj"
run_both
same "no oomScoreAdj: the caller's"
[ "$UID_NOW" != 0 ] || echo "$old" >"/proc/$$/oom_score_adj"
if rt_only "an AppArmor profile"; then
	script labels 'echo ran' '.process.apparmorProfile = "docker-default"'
	run_rt
	is "$rc$err$out" 0ran "an AppArmor profile"
fi
script affinity 'nproc' '.process.execCPUAffinity = {initial: "0", final: "0"}'
run_rt
is "$rc$err" 0 "execCPUAffinity is for exec"

# a specification may lack one as long as nobody starts it: there is no machine for it here
if rt_only "no process"; then
	bundle none 'del(.process)'
	run_rt
	refuses "no process" 'config\.json: process: must be present'
fi

done_testing
