#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One table of configurations, each run with the reference and with the runtime under test; what a program finds
# is compared field by field: namespaces and ids, mounts and their options, device nodes, masked and read-only
# paths, sysctls, exit status, kind of error. 20-process.sh does the same for the process alone.
. "$(dirname "$0")/lib.sh"
setup

# mounts: what a program can see of each; whose file system a share is doesn't matter, nor sizes nobody gave
# shellcheck disable=SC2016
inventory='
while read -r id parent dev root point opts rest; do
	set -- ${rest#* - }
	rest="${rest%% - *}"
	case $1 in
	proc | sysfs | tmpfs | devpts | mqueue | cgroup2) type=$1 ;;
	*) type=shared ;;
	esac
	echo "mount $point: $type $(echo "$opts" | sed "s/,relatime//; s/,noatime//")"
	case $rest in *shared:* | *master:* | *unbindable*) echo "propagation $point: $rest" | sed "s/:[0-9]*/:N/g" ;; esac
done </proc/self/mountinfo
for d in /dev/* /dev/pts/ptmx /dev/shm /dev/mqueue; do
	if [ -h $d ]; then echo "link $d: $(readlink $d)"
	elif [ -e $d ]; then echo "node $d: $(stat -c "%F %t:%T %a" $d)"; fi
done
for ns in pid mnt ipc uts net cgroup; do
	[ -n "$(readlink /proc/self/ns/$ns)" ] && echo "namespace $ns: there"
done
for f in /proc/kcore /proc/keys /proc/timer_list /proc/sys/kernel/hostname /proc/sysrq-trigger /proc/acpi /proc/scsi \
	/sys/firmware /proc/irq /proc/bus /proc/fs; do
	[ -e $f ] || continue
	if [ -d $f ]; then
		touch $f/x 2>/dev/null && echo "folder $f: writable" || echo "folder $f: not writable"
	else
		(: >>$f) 2>/dev/null && echo "file $f: writable" || echo "file $f: not writable"
	fi
done
for f in net/ipv4/ip_forward net/ipv4/ping_group_range kernel/shmmax kernel/msgmax fs/mqueue/msg_max; do
	echo "sysctl $f: $(cat /proc/sys/$f)"
done
sed -n "s/^\(Uid\|Gid\|Cap...\|NoNewPrivs\|Seccomp\|NStgid\|NSpid\):\t/status \1: /p" /proc/1/status
echo "cgroup: $(cat /proc/self/cgroup)"
for p in / /etc /tmp /dev /dev/shm /proc /proc/sys /sys /sys/fs/cgroup /run /srv /data /mnt; do
	[ -d $p ] || continue
	touch $p/probe 2>/dev/null && rm -f $p/probe && echo "writing $p: yes" || echo "writing $p: no"
done
'

# Not compared: what a kernel has of its own, which flags the file over a masked path has (it is /dev/null), how
# nodes come into a /dev that is no tmpfs, and the line of /proc/self/cgroup where no hierarchy was asked for.
masked='acpi|asound|kcore|keys|latency_stats|sched_debug|scsi|sysrq-trigger|timer_list|timer_stats|interrupts'
OTHER="^(node /dev/(kvm|net|fuse|console)|sysctl kernel/(shmmax|msgmax)|mount /proc/($masked)|mount /etc/passwd\\+?|\
mount /dev/(null|zero|full|random|urandom|tty)|(file|folder) /proc/(kcore|keys|timer_list|sysrq-trigger|acpi|scsi)|cgroup)\$"
# a user's crun has a user namespace, in which sysctls belong to nobody; our guest has a kernel of its own
[ -z "$ROOTLESS" ] || OTHER+='|^(file /proc/sys/kernel/hostname|sysctl net/ipv4/ping_group_range)$'

mkdir -p "$T/rootfs/srv" "$T/rootfs/data" "$T/data/sub" "$T/rootfs/run"
echo hello >"$T/data/file"
chmod 777 "$T/data"
while IFS='~' read -r title filter; do
	case $title in
	'' | '#'*) continue ;;
	'!'*) [ -z "$ROOTLESS" ] || continue; title=${title#!} ;;
	esac
	script differential "$inventory" "$filter" --arg data "$T/data"
	run_both
	[ "$(cat "$T/ref.rc")" = 0 ]
	ok $? "$title: the reference runs it" || detail ref
	same_lines "$title" "$OTHER"
done <<'EOF_TABLE'
as spec wrote it~.
the least~.mounts = [{destination: "/proc", type: "proc", source: "proc"}] | .linux.maskedPaths = [] | .linux.readonlyPaths = []
masked: a file, a folder, and what is not there~.linux.maskedPaths = ["/etc/passwd", "/srv", "/nonesuch/path"] | .linux.readonlyPaths = ["/etc", "/nonesuch"]
read-only root, tmpfs below~.root.readonly = true | .mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"]}, {destination: "/run", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "noexec", "size=64k", "mode=755"]}, {destination: "/srv", type: "tmpfs", source: "tmpfs", options: ["ro", "nosuid"]}]
binds~.mounts += [{destination: "/data", type: "bind", source: $data, options: ["rbind", "rprivate"]}, {destination: "/mnt", type: "bind", source: $data, options: ["bind", "ro", "nosuid", "nodev", "noexec"]}, {destination: "/srv/file", type: "bind", source: ($data + "/file"), options: ["bind", "ro"]}, {destination: "/data/sub", type: "tmpfs", source: "tmpfs", options: ["size=64k"]}]
no /sys/fs/cgroup; sysctls~.mounts |= map(select(.destination != "/sys/fs/cgroup")) | .linux.sysctl = {"net.ipv4.ip_forward": "1", "net.ipv4.ping_group_range": "0 0", "fs.mqueue.msg_max": "20"}
EOF_TABLE

# ---- errors: the same status and kind

while IFS='~' read -r title filter; do
	[ -n "$title" ] || continue
	script failing 'true' "$filter" --arg data "$T/data"
	run_both
	is "$rc $(error_class "$T/rt.err")" "$(cat "$T/ref.rc") $(error_class "$T/ref.err")" "$title: status and kind of error" ||
		diag "$(head -n 1 "$T/ref.err") / $err"
	rt_only "$title: text" && is "$(wc -l <"$T/rt.err")" 1 "$title: one line"
done <<'EOF_TABLE'
a bind whose source is missing~.mounts += [{destination: "/data", type: "bind", source: ($data + "/none"), options: ["bind"]}]
a root that is missing~.root.path = ($data + "/none")
a network namespace that is missing~.linux.namespaces |= map(if .type == "network" then .path = "/nonesuch/ns" else . end)
a namespace twice~.linux.namespaces += [{type: "pid"}]
a mount without a destination~.mounts += [{type: "tmpfs", source: "tmpfs"}]
EOF_TABLE

done_testing
