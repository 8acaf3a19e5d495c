#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# 65-machine - the `vm` section, annotations and coracle.conf; several CPUs at work on files; the kernel's log.
. "$(dirname "$0")/lib.sh"

LIMIT=240 # several CPUs of a guest share few of a loaded host
setup
self && skip_all "only for the runtime under test"
export CORACLE_CONF=$T/coracle.conf
: >"$CORACLE_CONF"

# ---- CPUs and what they do at once to one tree of files

WORK='n=0; d=/work; mkdir $d; cd $d
job() {
	i=0
	while [ $i -lt 9 ]; do
		i=$((i + 1))
		head -c $((i * 4000 + $1)) /dev/zero | tr "\0" "a" >t$1.$i
		mv t$1.$i f$1.$i
		mkdir d$1.$i; ln f$1.$i d$1.$i/x
		[ $((i % 3)) != 0 ] || rm f$1.$i
		ls >/dev/null
	done
}
for j in 1 2 3 4; do job $j & done; wait
echo "cpus: $(nproc)"
echo "sockets: $(cat /sys/devices/system/cpu/cpu*/topology/physical_package_id | sort -u | wc -l)"
echo "files: $(find . -type f | wc -l)"
echo "names: $(find . | sort | md5sum)"
echo "contents: $(find . -type f | sort | xargs cat | md5sum)"'

for cpus in 1 2 4; do
	script "cpus$cpus" "$WORK" '.vm.hwConfig.vcpus = $n' --argjson n "$cpus"
	run_rt
	is "$rc" 0 "$cpus CPUs: the container ends well" || detail
	like "$out" "cpus: $cpus"$'\n' "$cpus CPUs: are there"
	rest=${out#*$'\n'}
	[ "$cpus" = 1 ] && first=$rest
	is "$rest" "$first" "$cpus CPUs: work on files together as one does"
	like "$rest" "sockets: 1"$'\n' "$cpus CPUs: in one socket"
	like "$rest" "files: 60" "$cpus CPUs: every file is there"
	is "$(mapped sh -c "cd '$T/rootfs/work' && find . -type f | sort | xargs cat | md5sum")" \
		"$(sed -n 's/^contents: //p' <<<"$rest")" "$cpus CPUs: the host sees the same contents"
	mapped rm -rf "$T/rootfs/work"
done

bundle spin '.vm.hwConfig.vcpus = 4 | .process.args = ["sh", "-c", "for i in 1 2 3 4; do (while :; do :; done) & done; wait"]'
new_id
rt create --bundle "$B" "$ID" </dev/null >/dev/null 2>"$T/rt.err"
rt start "$ID"
rt kill "$ID" KILL
is $? 0 "4 CPUs that spin: killed"
rt delete --force "$ID"
is $? 0 "4 CPUs that spin: deleted"

new_id
rt create --bundle "$B" "$ID" </dev/null >/dev/null 2>&1 &
creator=$!
while [ ! -e "$STATE/$ID" ] && kill -0 $creator 2>/dev/null; do :; done
rt delete --force "$ID" >/dev/null 2>&1
wait $creator
rt delete --force "$ID" >/dev/null 2>&1
[ ! -e "$STATE/$ID" ]
ok $? "4 CPUs: killed while they boot"

script term 'trap "exit 7" TERM; touch /up; while :; do sleep 0.1; done'
new_id
rt run --bundle "$B" "$ID" </dev/null >"$T/rt.out" 2>"$T/rt.err" &
runner=$!
until_true 120 [ -e "$T/rootfs/up" ]
pid=$(rt state "$ID" | jq .pid)
kill -TERM "$(pgrep -x coracle-vmm -P "$pid")" "$pid"   # as a service manager that stops the scope
wait $runner
is $? 7 "TERM to the machine and to its monitor: the program has it" || detail
mapped rm -f "$T/rootfs/up"

# ---- memory and parameters

script memory 'grep MemTotal /proc/meminfo; cat /proc/cmdline' \
	'.vm = {hwConfig: {memory: 314572800}, kernel: {path: $k, parameters: ["coracle.test=1", "psi=1"]}}' \
	--arg k "$(dirname "$RT")/vmlinux"
run_rt
kib=$(awk '/MemTotal/ { print $2 }' <<<"$out")
[ "${kib:-0}" -gt 240000 ] && [ "$kib" -le 307200 ]
ok $? "memory: 300 MiB, less what the kernel takes ($kib KiB)" || detail
like "$out" "quiet.* coracle.test=1 psi=1" "parameters: come after ours"

# ---- memory that is freed goes back

script balloon '{ head -c 209715200 /dev/zero; touch /full; while [ ! -e /go ]; do sleep 0.2; done; } |
	tail -c 209715200 | wc -c; touch /freed; sleep 600'
new_id
rt create --bundle "$B" "$ID" </dev/null >"$T/rt.out" 2>"$T/rt.err"
rt start "$ID"
vmm=$(pgrep -x coracle-vmm -P "$(rt state "$ID" | jq .pid)")
is "$(sed -n 's/^Cap[PE].*:.//p; s/^CapBnd:.//p; s/^NoNewPrivs:.//p' "/proc/$vmm/status" | xargs)" \
	"000000008000001b 000000008000001b 000000008000001b 1" "the machine's capabilities: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, SETFCAP"
is "$(sort -u /proc/"$vmm"/task/*/status | sed -n 's/^Seccomp:.//p' | xargs)" 2 "the machine's threads have system calls filtered, all of them"
is "$(awk '/^Max core file size|^Max msgqueue size/ { print $5 }' "/proc/$vmm/limits" | xargs)" "0 0" "and limits"
is "$(ls -A "/proc/$vmm/root")" "" "the machine's root is empty"
touch "/proc/$vmm/root/x" 2>"$T/err"
like "$(cat "$T/err")" 'Read-only file system|Permission denied' "and can't be written"
for ns in mnt net ipc uts cgroup; do
	[ "$(readlink "/proc/$vmm/ns/$ns")" != "$(readlink "/proc/$$/ns/$ns")" ]
	ok $? "the machine has its own $ns namespace"
done
rss() { awk '/RssAnon/ { print int($2 / 1024) }' "/proc/$vmm/status"; }
until_true 180 [ -e "$T/rootfs/full" ]
ok $? "balloon: 200 MB are in use" || detail
peak=$(rss)
[ "${peak:-0}" -ge 200 ]
ok $? "balloon: they are the machine's ($peak MiB)"
mapped touch "$T/rootfs/go"
until_true 180 [ -e "$T/rootfs/freed" ]
ok $? "balloon: they are freed" || detail
given_back() { now=$(rss) && [ "${now:-999}" -le $((peak - 150)) ]; }
until_true 180 given_back
ok $? "balloon: the host has them back ($peak, then $now MiB)"
rt delete --force "$ID"
mapped rm -f "$T/rootfs/full" "$T/rootfs/go" "$T/rootfs/freed"

# ---- who may say what

bundle plain '.process.args = ["true"]'
refuse_with() { # NAME REGEX
	run_rt
	refuses "$1" "$2"
}
bundle a1 '.annotations["run.coracle.vcpus"] = "2" | .process.args = ["nproc"]'
refuse_with "annotation by default" 'annotations\["run.coracle.vcpus"\]: not allowed on this host'
echo 'annotations = vcpus' >"$CORACLE_CONF"
run_rt
is "$out" 2 "annotation that coracle.conf allows" || detail
bundle a2 '.annotations["run.coracle.kernel"] = "/etc/passwd"'
refuse_with "annotation of another kind" 'annotations\["run.coracle.kernel"\]: not allowed'
bundle a3 '.annotations["run.coracle.vcpuz"] = "2"'
refuse_with "unknown annotation" 'annotations\["run.coracle.vcpuz"\]: unknown'
printf 'vcpus = 2\nmax_vcpus = 3\n' >"$CORACLE_CONF"
bundle conf '.process.args = ["nproc"]'
run_rt
is "$out" 2 "coracle.conf: the host's number of CPUs" || detail
bundle max '.vm.hwConfig.vcpus = 4'
refuse_with "coracle.conf: its limit" '4 CPUs are over max_vcpus'
printf '# ours\n\nvcpsu = 2\n' >"$CORACLE_CONF"
bundle plain '.process.args = ["true"]'
refuse_with "coracle.conf: an unknown key" "coracle.conf:3: vcpsu: unknown key"
: >"$CORACLE_CONF"
bundle k1 '.vm.kernel.path = "/nonesuch/vmlinux"'
refuse_with "kernel that is not there" 'kernel image: open "/nonesuch/vmlinux": No such file'
bundle k2 '.vm.kernel.path = "/etc/passwd"'
refuse_with "kernel that is none" 'kernel image: '
bundle k3 '.vm.hwConfig.vcpus = 0'
refuse_with "no CPUs" 'vm.hwConfig.vcpus'

# ---- what the guest's kernel initializes when it is first used; the tools are the host's

NO_NET_ADMIN='.process.capabilities |= map_values(map(select(. != "CAP_NET_ADMIN")))'
first_use() { # NAME OUTPUT SCRIPT: in a network namespace of the container's own making
	script "first-$1" "exec unshare -Urn sh -c \"\$0\"" "$NO_NET_ADMIN"' | .root = {path: "/", readonly: true} | .process.user = {uid: 1, gid: 1}
		| .process.args += [$use]' --arg use "set -e; $3; dmesg | grep -E 'WARNING: CPU|BUG:' || :"
	run_rt
	is "$rc:$out" "0:$2" "first use: $1" || detail
}
if command -v nft iptables-nft tc ip python3 >/dev/null; then
	first_use "packet filters" $'ct state established\ncounter' 'nft add table inet t
		nft "add chain inet t c { type filter hook input priority 0; }"
		nft add rule inet t c ct state established counter
		nft list ruleset | grep -o "ct state established\|counter"'
	first_use "address translation" MASQUERADE \
		'iptables-nft -t nat -A POSTROUTING -j MASQUERADE; iptables-nft -t nat -S | grep -o MASQUERADE'
	first_use "x_tables' options" "filter" 'python3 -c "
import ctypes, socket
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
info = ctypes.create_string_buffer(b\"filter\", 84)
size = ctypes.c_uint32(84)
if ctypes.CDLL(None, use_errno=True).getsockopt(s.fileno(), socket.SOL_IP, 64, info, ctypes.byref(size)) != 0:
    raise SystemExit(\"errno %d\" % ctypes.get_errno())
print(info.value.decode())"'
	first_use "a bridge" "br0 v0" 'ip link add br0 type bridge; ip link add v0 type veth peer name v1
		ip link set v0 master br0; echo $(ip -o link show br0 | grep -o br0) $(bridge link | grep -o v0)'
	first_use "a VLAN, a macvlan, a VXLAN" $'v0.5\nm0\nx0' 'ip link add v0 type veth peer name v1
		ip link add link v0 name v0.5 type vlan id 5; ip link add link v0 name m0 type macvlan
		ip link add x0 type vxlan id 1 dstport 4789
		for i in v0.5 m0 x0; do ip link show $i >/dev/null && echo $i; done'
	first_use "a queueing discipline" "tbf" 'tc qdisc add dev lo root tbf rate 1mbit burst 10k latency 50ms
		tc qdisc show dev lo | grep -o tbf'
	first_use "a classifier and an action" "matchall gact" 'tc qdisc add dev lo clsact
		tc filter add dev lo ingress matchall action gact drop
		echo $(tc filter show dev lo ingress | grep -o "matchall\|gact" | sort -u -r)'
else
	skip "first use" "no tools here"
fi
script first-sysctl 'cat /proc/sys/net/netfilter/nf_conntrack_tcp_loose' \
	"$NO_NET_ADMIN"' | .linux.sysctl = {"net.netfilter.nf_conntrack_tcp_loose": "0"}'
run_rt
is "$rc:$out" 0:0 "first use: a sysctl of the configuration" || detail
script first-admin '[ -e /proc/sys/net/netfilter/nf_conntrack_max ]' \
	'.process.capabilities |= map_values(. + ["CAP_NET_ADMIN"])'
run_rt
is "$rc" 0 "first use: who may administer finds the files" || detail
bundle first-exec '.process.args = ["sleep", "600"] | '"$NO_NET_ADMIN"
new_id
rt create --bundle "$B" "$ID" </dev/null >"$T/rt.out" 2>"$T/rt.err"
rt start "$ID"
rt exec "$ID" sh -c '[ -e /proc/sys/net/netfilter/nf_conntrack_max ]' >"$T/rt.out" 2>"$T/rt.err"
is $? 1 "first use: an exec does not have them" || detail
rt exec --cap CAP_NET_ADMIN "$ID" sh -c '[ -e /proc/sys/net/netfilter/nf_conntrack_max ]' >"$T/rt.out" 2>"$T/rt.err"
is $? 0 "first use: one that may administer has" || detail
rt delete --force "$ID"

# ---- the distribution's own kernel

version=$(uname -r)
if [ -r "/boot/vmlinuz-$version" ] && [ -r "/lib/modules/$version/modules.dep" ]; then
	rt initramfs "$version" "$T/initrd"
	is $? 0 "distribution's kernel: an initramfs is made"
	script distribution 'uname -r; nproc; echo hi >/made; cat /made; sleep 0.1; exit 7' \
		'.vm = {hwConfig: {vcpus: 2}, kernel: {path: $k, initrd: $i}}' \
		--arg k "/boot/vmlinuz-$version" --arg i "$T/initrd"
	run_rt
	is "$out" "$version"$'\n2\nhi' "distribution's kernel: runs a container" || detail
	is "$rc" 7 "distribution's kernel: its status"
	is "$(cat "$T/rootfs/made")" hi "distribution's kernel: files are the host's"
	mkfifo "$T/fifo"
	bundle fifo '.vm = {kernel: {path: $k, initrd: $i}} | .mounts += [{destination: "/fifo", type: "bind", source: $f, options: ["bind"]}]' \
		--arg k "/boot/vmlinuz-$version" --arg i "$T/initrd" --arg f "$T/fifo"
	run_rt
	refuses "distribution's kernel: a FIFO of the host" 'mount "/fifo": a FIFO of the host takes coracle.s own kernel'
	bundle alone '.vm.kernel.path = $k' --arg k "/boot/vmlinuz-$version"
	run_rt
	[ "$rc" != 0 ] && [ -n "$err" ]
	ok $? "distribution's kernel: without its drivers it is an error"
else
	skip "distribution's kernel" "not readable here"
fi
rt initramfs 1.2.3-none "$T/none" 2>"$T/rt.err"
is $? 1 "initramfs: of a kernel that is not there"
like "$(cat "$T/rt.err")" 'open "/lib/modules/1.2.3-none": No such file' "initramfs: says so"

# ---- the kernel's log

bundle plain '.process.args = ["true"]'
run_rt
unlike "$err" '\[ +[0-9]+\.[0-9]+\] ' "log: none by default"
new_id
rt --debug run --bundle "$B" "$ID" </dev/null >"$T/rt.out" 2>"$T/rt.err"
like "$(tr -d '\0' <"$T/rt.err")" '\[ +[0-9]+\.[0-9]+\] ' "log: shown with --debug"

done_testing
