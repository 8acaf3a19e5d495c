#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# linux.seccomp: every action, errno, argument, flag and architecture does what it does under the reference; what can't
# be had is refused by its place.
# Only as root: filters are made without privileges and applied in the guest.
. "$(dirname "$0")/lib.sh"
setup

# filtered TITLE SCRIPT FILTER: the container runs SCRIPT under linux.seccomp = FILTER, in both runtimes.
filtered() {
	# crun keeps compiled profiles by a sum that leaves errnoRet out: no two may be alike
	unique=$((${unique:-0} + 1))
	script seccomp "$2" ".linux.seccomp = ($3) | ${4:-.} | .linux.seccomp.syscalls += [{names: [\"unique_$unique\"], action: \"SCMP_ACT_LOG\"}]"
	run_both
	same "$1"
}

allow='{defaultAction: "SCMP_ACT_ALLOW"} + '
chmods='["chmod", "fchmod", "fchmodat", "fchmodat2"]'
hosts='["sethostname", "setdomainname"]'

# the busybox of the bed makes messages of libc's: the errno is in them
try='cd /tmp 2>/dev/null || cd /; : >f; chmod 600 f; echo "chmod: $?"; mkdir d; echo "mkdir: $?"; rmdir d
sed -n "s/^\(Seccomp\|NoNewPrivs\|Cap...\):\t*/\1: /p" /proc/self/status; rm -f f'

for nnp in true false; do
	with=".process.noNewPrivileges = $nnp"
	filtered "no rule, noNewPrivileges $nnp" "$try" "$allow {}" "$with"
	filtered "ERRNO is EPERM, noNewPrivileges $nnp" "$try" \
		"$allow {syscalls: [{names: $chmods, action: \"SCMP_ACT_ERRNO\"}]}" "$with"
	filtered "another user, noNewPrivileges $nnp" 'chmod 600 /etc; sed -n "s/^\(Seccomp\|Cap...\|Uid\):/\1/p" /proc/self/status' \
		"$allow {syscalls: [{names: $chmods, action: \"SCMP_ACT_ERRNO\", errnoRet: 5}]}" \
		"$with | .process.user = {uid: 1000, gid: 1000} | .process.capabilities = {bounding: [\"CAP_KILL\"], permitted: [\"CAP_KILL\"], effective: [\"CAP_KILL\"]}"
done
filtered "errnoRet" "$try" "$allow {syscalls: [{names: $chmods, action: \"SCMP_ACT_ERRNO\", errnoRet: 28}]}"
filtered "errnoRet 0: nothing happens, and it looks well" 'chmod 4711 /bin/busybox; echo $?; sethostname 2>/dev/null; hostname other; echo $?; hostname' \
	"$allow {syscalls: [{names: $hosts, action: \"SCMP_ACT_ERRNO\", errnoRet: 0}]}"
filtered "unknown names are skipped" "$try" \
	"$allow {syscalls: [{names: [\"no_such_call\", \"chmod\", \"fchmodat\", \"another_one\"], action: \"SCMP_ACT_ERRNO\"}]}"
filtered "two rules" "$try" "$allow {syscalls: [{names: $chmods, action: \"SCMP_ACT_ERRNO\", errnoRet: 13}, {names: [\"mkdir\", \"mkdirat\"], action: \"SCMP_ACT_ERRNO\", errnoRet: 17}]}"
filtered "LOG lets it pass" "$try" "$allow {syscalls: [{names: $chmods, action: \"SCMP_ACT_LOG\"}]}"
filtered "TRACE without a tracer" "$try" "$allow {syscalls: [{names: $chmods, action: \"SCMP_ACT_TRACE\", errnoRet: 3}]}"
for act in KILL KILL_THREAD KILL_PROCESS TRAP; do
	filtered "SCMP_ACT_$act, a child" 'sh -c "chmod 600 /etc/passwd; echo alive"; echo "child: $?"' \
		"$allow {syscalls: [{names: $chmods, action: \"SCMP_ACT_$act\"}]}"
done
bundle seccomp ".process.args = [\"chmod\", \"600\", \"/etc/passwd\"] | .linux.seccomp = ($allow {syscalls: [{names: $chmods, action: \"SCMP_ACT_KILL_PROCESS\"}]})"
run_both
same "SCMP_ACT_KILL_PROCESS, the container's own process"
is "$rc" 159 "which dies of SIGSYS"

filtered "arguments: the mode decides" 'for m in 600 700 755; do chmod $m /etc/passwd; echo "$m: $?"; done' \
	"$allow {syscalls: [{names: [\"chmod\"], action: \"SCMP_ACT_ERRNO\", args: [{index: 1, value: 448, op: \"SCMP_CMP_EQ\"}]},
		{names: [\"fchmodat\", \"fchmodat2\"], action: \"SCMP_ACT_ERRNO\", args: [{index: 2, value: 448, op: \"SCMP_CMP_EQ\"}]}]}"
filtered "arguments: masked" 'for m in 600 700 4755; do chmod $m /etc/passwd; echo "$m: $?"; done' \
	"$allow {syscalls: [{names: [\"chmod\"], action: \"SCMP_ACT_ERRNO\", args: [{index: 1, value: 2048, valueTwo: 2048, op: \"SCMP_CMP_MASKED_EQ\"}]},
		{names: [\"fchmodat\", \"fchmodat2\"], action: \"SCMP_ACT_ERRNO\", args: [{index: 2, value: 2048, valueTwo: 2048, op: \"SCMP_CMP_MASKED_EQ\"}]}]}"
filtered "arguments: alternatives" 'for m in 600 700 755; do chmod $m /etc/passwd; echo "$m: $?"; done' \
	"$allow {syscalls: [{names: [\"chmod\"], action: \"SCMP_ACT_ERRNO\", args: [{index: 1, value: 448, op: \"SCMP_CMP_EQ\"}, {index: 1, value: 384, op: \"SCMP_CMP_EQ\"}]}]}"

for flags in '[]' '["SECCOMP_FILTER_FLAG_LOG"]' '["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]' '["SECCOMP_FILTER_FLAG_TSYNC"]' \
	'["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]'; do
	filtered "flags $flags" "$try" "$allow {flags: $flags, syscalls: [{names: $chmods, action: \"SCMP_ACT_ERRNO\"}]}"
done
for archs in '["SCMP_ARCH_X86_64"]' '["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]' '["SCMP_ARCH_X86"]' '["SCMP_ARCH_AARCH64"]'; do
	filtered "architectures $archs" "$try" "$allow {architectures: $archs, syscalls: [{names: $chmods, action: \"SCMP_ACT_ERRNO\"}]}"
done
bundle seccomp ".linux.seccomp = ($allow {listenerPath: \"/nonesuch\"})"
run_rt
is "$rc$err" 0 "a listener's path and no rule for it"

# a profile of an engine: everything that is there, and what it forbids
profile=
for p in /usr/share/containers/seccomp.json /etc/containers/seccomp.json; do [ ! -e $p ] || profile=$p; done
if [ -n "$profile" ]; then
	jq '{defaultAction, defaultErrnoRet, architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
		syscalls: [.syscalls[] | select((.includes.caps // []) == [] and (.includes.arches // ["amd64"] | index("amd64")))
			| {names, action, errnoRet, args} | with_entries(select(.value != null))]} | with_entries(select(.value != null))' \
		"$profile" >"$T/profile.json"
	script profile "$try"'; unshare -m true; echo "unshare: $?"; mount -t tmpfs none /tmp; echo "mount: $?"; reboot -f; echo "alive"' \
		'.linux.seccomp = $profile[0] | .process.noNewPrivileges = false' --slurpfile profile "$T/profile.json"
	run_both
	same "the profile of podman"
else
	skip "the profile of podman" "podman is not installed"
fi

# ---- refused, by its place

refuses_each '.linux.seccomp = ' <<'EOF_TABLE'
no default~linux.seccomp.defaultAction: must be present~{}
an unknown action~linux.seccomp.syscalls\[1\].action.*SCMP_ACT_MAYBE~{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["chmod"], action: "SCMP_ACT_LOG"}, {names: ["chmod"], action: "SCMP_ACT_MAYBE"}]}
an unknown default~linux.seccomp.defaultAction.*SCMP_ACT_MAYBE~{defaultAction: "SCMP_ACT_MAYBE"}
an unknown architecture~linux.seccomp.architectures\[1\]: .*SCMP_ARCH_VAX~{defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86", "SCMP_ARCH_VAX"]}
an architecture of the other byte order~linux.seccomp.architectures\[0\]: .*SCMP_ARCH_S390X~{defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_S390X"]}
an unknown operator~linux.seccomp.syscalls\[0\].args\[0\].op.*SCMP_CMP_ALMOST~{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["chmod"], action: "SCMP_ACT_LOG", args: [{index: 0, value: 1, op: "SCMP_CMP_ALMOST"}]}]}
an unknown flag~linux.seccomp.flags\[0\]: .*SECCOMP_FILTER_FLAG_X~{defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_X"]}
an argument that no call has~linux.seccomp.syscalls\[0\].args\[0\].index: 6~{defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["chmod"], action: "SCMP_ACT_LOG", args: [{index: 6, value: 1, op: "SCMP_CMP_EQ"}]}]}
a listener~linux.seccomp.syscalls\[0\].action: SCMP_ACT_NOTIFY is not possible: .*listenerPath~{defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/run/listener", syscalls: [{names: ["chmod"], action: "SCMP_ACT_NOTIFY"}]}
EOF_TABLE

bundle nothing ".process.args = [\"true\"] | .linux.seccomp = {defaultAction: \"SCMP_ACT_ERRNO\"}"
engine rt create start wait left delete
like "$(value start)" "^1" "a filter that forbids everything fails start"
run_rt
like "$rc $err" "^1 .*exec .*Operation not permitted" "and says so"

done_testing
