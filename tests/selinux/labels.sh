#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# process.selinuxLabel on a host with SELinux (boot.sh): the machine's label and nobody else's. As root, then once more
# as an ordinary user.
. "$(dirname "$0")/../cli/lib.sh"
here=$(dirname "$(readlink -f "$0")")
selinux=/sys/fs/selinux
machine=u:r:machine_t:s0:c1,c2
host=u:r:host_t:s0
labelled=".process.selinuxLabel = \"$machine\""
[ -e $selinux/enforce ] || { echo "Bail out! no SELinux in this kernel"; exit 1; }
setup

# ---- without a policy there are no labels; then with ours

if [ ! -e $selinux/class/process ]; then
	script before 'echo ran' "$labelled"
	run_rt
	is "$rc$err$out" 0ran "without a policy a label is ignored"
	cat "$here/selinux.policy" >$selinux/load && echo 1 >$selinux/enforce &&
		setfattr -n security.selinux -v u:r:kvm_t:s0 /dev/kvm || { echo "Bail out! no policy"; exit 1; }
fi

# label PID; under TYPE: the processes of a type
label() { tr -d '\0' <"/proc/$1/attr/current"; }
under() { grep -lse ":$1:" /proc/[0-9]*/attr/current | cut -d/ -f3 | sort -n | xargs; }
blocked() { grep SigBlk "/proc/$1/status"; }

# up NAME FILTER: a container that stays; its processes are $monitor and $vmm.
up() {
	script "$1" 'echo up; exec sleep 1000' "$2"
	new_id
	rt run --detach --bundle "$B" "$ID" </dev/null >"$T/up.out" 2>"$T/up.err"
	is "$? $(cat "$T/up.err")" "0 " "$1: runs"
	until_true 20 has_text "$T/up.out" up
	ok $? "$1: and its program"
	read -r monitor vmm <<<"$(rt ps --format json "$ID" | jq -r '"\(.[0]) \(.[1])"')"
}

# ---- whose label it is

up unlabelled .
is "$(label "$vmm")" $host "unlabelled: the machine has the caller's"
is "$(under machine_t)" "" "unlabelled: and nobody has another"
signals=$(blocked "$vmm")
rt delete --force "$ID"

up labelled "$labelled"
is "$(label "$vmm")" $machine "labelled: the machine has it"
is "$(label "$monitor")" $host "labelled: its monitor has the caller's"
is "$(tr -d '\0' <"/proc/$monitor/attr/exec")" "" "labelled: and what that runs next, too"
is "$(under machine_t)" "$vmm" "labelled: as everybody else"
is "$(blocked "$vmm")" "$signals" "labelled: the same signals are blocked"
is "$(rt exec "$ID" echo inside 2>&1)" inside "labelled: exec"
rt delete --force "$ID"

# a machine that comes after the hooks is started in another mount namespace, and with helpers for the network
hook='{path: "/bin/sh", args: ["sh", "-c", "tr -d \"\\0\" </proc/self/attr/current >>'$T'/hooks"]}'
up hooks "$labelled | .hooks = {prestart: [$hook], createContainer: [$hook], poststop: [$hook]}"
is "$(under machine_t)" "$vmm" "hooks: the machine has the label, and nobody else has"
like "$(pgrep -c -P "$monitor")" "[2-9]" "hooks: though there are other processes"
rt delete --force "$ID"
is "$(cat "$T/hooks")" "$host$host$host" "hooks: nor have the hooks"

# ---- it binds

echo hidden >"$T/rootfs/secret"
setfattr -n security.selinux -v u:r:secret_t:s0 "$T/rootfs/secret"
open='.process.noNewPrivileges = false'   # with it the reference changes no label
script secret 'cat /secret' "$open"
run_both
same "a file that only the host may read: without a label"
is "$out" hidden "it is read"
script secret 'cat /secret' "$open | $labelled"
run_both
same "a file that only the host may read: under a label"
like "$err" "Permission denied" "it is not read"

mkdir -p "$T/sockets"
python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
print("up", flush=True)
while True: s.accept()[0].sendall(b"hello")' "$T/sockets/s" >"$T/server" &
server=$!
until_true 60 [ -s "$T/server" ]
client='.process.args = ["/usr/bin/python3", "-c", "import socket; s = socket.socket(socket.AF_UNIX); s.connect(\"/tmp/s\"); print(s.recv(9))"]
	| .mounts += [{destination: "/usr", type: "bind", source: "/usr", options: ["rbind", "ro"]}, {destination: "/lib", type: "bind", source: "/lib", options: ["rbind", "ro"]},
	{destination: "/lib64", type: "bind", source: "/lib64", options: ["rbind", "ro"]}, {destination: "/tmp/s", type: "bind", source: "\($t)/sockets/s", options: ["bind"]}]'
bundle client "$client" --arg t "$T"
run_rt
is "$out" "b'hello'" "a server of the host: without a label"
bundle client "$client | $labelled" --arg t "$T"
run_rt
like "$out$err" "^b''$|Errno" "a server of the host: not under one that may not connect to it"
kill $server

# ---- what can't be had

refuses_each <<EOF_TABLE
no label~config.json: process.selinuxLabel: "foo": Invalid argument~.process.selinuxLabel = "foo"
an unknown type~process.selinuxLabel: "u:r:no_t:s0": Invalid argument~.process.selinuxLabel = "u:r:no_t:s0"
an unknown category~process.selinuxLabel: .*: Invalid argument~.process.selinuxLabel = "$machine,c9"
two lines~process.selinuxLabel: .*: Invalid argument~.process.selinuxLabel = "a\nb"
more than a page~process.selinuxLabel: "u:r:~.process.selinuxLabel = "$machine" + ("c" * 5000)
a type that may not be entered~process.selinuxLabel: "u:r:closed_t:s0": coracle-vmm: .*: Permission denied; .*ausearch~.process.selinuxLabel = "u:r:closed_t:s0"
a type that may not use KVM~process.selinuxLabel: "u:r:plain_t:s0": .*; .*ausearch~.process.selinuxLabel = "u:r:plain_t:s0"
EOF_TABLE
is "$(under machine_t)$(under plain_t)$(under closed_t)" "" "none of them runs"

# ---- the same as an ordinary user

if [ "$UID_NOW" = 0 ]; then
	uid=$(id -u user) || { echo "Bail out! nobody is called user"; exit 1; }
	runuser -u user -- env HOME=/home/user XDG_RUNTIME_DIR="/run/user/$uid" bash "$0" >"$T/user" 2>&1
	status=$?
	sed 's/^/    /' "$T/user"
	ok $status "as an ordinary user" || diag "$(grep -A 4 '^not ok' "$T/user")"
fi

done_testing
