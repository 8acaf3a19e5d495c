#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The container's process: what config.json's process, hostname and the like make of it, how it ends, why it can't start.
# Only as user: the process is the guest's.
. "$(dirname "$0")/lib.sh"
setup

# ---- what the process finds, under one configuration after another

# shellcheck disable=SC2016
inventory='
echo "args: $#: $*"
env | sed "/^[A-Za-z_]*=/!d; /^\(_\|SHLVL\|OLDPWD\|PWD\)=/d; s/=/: /; s/^/env /" | sort
echo "cwd: $(pwd -P) $(readlink /proc/self/cwd)"
echo "id: $(id -u) $(id -g) $(id -G)"
echo "umask: $(umask)"
echo "pid: $$ $(tr "\0" " " </proc/1/cmdline | cut -c1-5)"
sed -n "s/^\(Uid\|Gid\|Groups\|Cap...\|NoNewPrivs\|Seccomp\|SigIgn\):\t\(.*[^ ]\) *$/status \1: \2/p" /proc/1/status
# read by the shell itself: for another process it may be in the middle of a fork, where libc blocks all
while read -r key value; do [ "$key" != SigBlk: ] || echo "status SigBlk: $value"; done </proc/1/status
set -- $(cut -d")" -f2 /proc/1/stat); echo "parent group session terminal: $2 $3 $4 $5"
echo "nice: $(cut -d")" -f2 /proc/1/stat | cut -d" " -f18)"
echo "hostname: $(cat /proc/sys/kernel/hostname) $(hostname)"
echo "domainname: $(cat /proc/sys/kernel/domainname)"
echo "interfaces: $(ls /sys/class/net | xargs)"
'
while IFS='~' read -r title filter; do
	case $title in
	'') continue ;;
	'!'*) [ -z "$ROOTLESS" ] || continue; title=${title#!} ;;
	esac
	script inventory "$inventory" ".process.args += [\"sh\", \"one\", \"two words\"] | $filter"
	run_both
	same_lines "$title"
	like "$(value 'status SigBlk')" '^0*$' "$title: no signal is blocked"
done <<'EOF_TABLE'
as spec wrote it~.
another user~.process.user = {uid: 1000, gid: 1001, additionalGids: [5, 100, 1001, 65534]}
an id that only exists as a number~.process.user = {uid: 4321, gid: 8765}
umask 027~.process.user.umask = 23
umask 0~.process.user.umask = 0
environment~.process.env = ["PATH=/bin:/usr/bin", "EMPTY=", "SPACE=a b  c", "EQ=a=b=c", "UTF=gr\u00fcn\u2713", "TWICE=1", "TWICE=2", "HOME=/var"]
a variable twice~.process.env = ["PATH=/nonesuch", "PATH=/bin:/usr/bin", "TWICE=1", "TWICE=2", "HOME=/"]
no environment~.process.env = ["PATH=/bin"]
HOME of another user~.process.user = {uid: 8, gid: 8} | .process.env = ["PATH=/bin"]
HOME of nobody known~.process.user = {uid: 4321, gid: 8} | .process.env = ["PATH=/bin"]
cwd~.process.cwd = "/usr/bin"
cwd through a symlink~.process.cwd = "/proc/self/root/etc"
cwd that is missing~.process.cwd = "/made/for/it"
no capabilities~.process.capabilities = {}
no capabilities key~del(.process.capabilities)
five different sets~.process.capabilities = {bounding: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_NET_RAW"], permitted: ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID"], effective: ["CAP_KILL"], inheritable: ["CAP_CHOWN", "CAP_KILL"], ambient: ["CAP_KILL"]}
ambient for another user~.process.user = {uid: 1000, gid: 1000} | .process.capabilities = {bounding: ["CAP_NET_RAW", "CAP_KILL"], permitted: ["CAP_NET_RAW"], effective: ["CAP_NET_RAW"], inheritable: ["CAP_NET_RAW"], ambient: ["CAP_NET_RAW"]}
no ambient for another user~.process.user = {uid: 1000, gid: 1000} | .process.capabilities |= (.ambient = [] | .inheritable = [])
new privileges allowed~.process.noNewPrivileges = false
no noNewPrivileges key~del(.process.noNewPrivileges)
hostname and domainname~.hostname = "a-long.host-name-0123456789" | .domainname = "example.org"
hostname of 64 characters~.hostname = "h0123456789012345678901234567890123456789012345678901234567890ab"
read-only root~.root.readonly = true
EOF_TABLE

# limits: all of them set, so that nothing of the host shows through
limits='{"type": "RLIMIT_AS", "soft": 1073741824, "hard": 2147483648}, {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
	{"type": "RLIMIT_CPU", "soft": 100, "hard": 200}, {"type": "RLIMIT_DATA", "soft": 536870912, "hard": 1073741824},
	{"type": "RLIMIT_FSIZE", "soft": 1048576, "hard": 2097152}, {"type": "RLIMIT_LOCKS", "soft": 7, "hard": 9},
	{"type": "RLIMIT_MEMLOCK", "soft": 65536, "hard": 65536}, {"type": "RLIMIT_MSGQUEUE", "soft": 4096, "hard": 8192},
	{"type": "RLIMIT_NICE", "soft": 0, "hard": 0}, {"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200},
	{"type": "RLIMIT_NPROC", "soft": 500, "hard": 600}, {"type": "RLIMIT_RSS", "soft": 1048576, "hard": 2097152},
	{"type": "RLIMIT_RTPRIO", "soft": 0, "hard": 0}, {"type": "RLIMIT_RTTIME", "soft": 1000, "hard": 2000},
	{"type": "RLIMIT_SIGPENDING", "soft": 50, "hard": 60}, {"type": "RLIMIT_STACK", "soft": 8388608, "hard": 8388608}'
script limits 'sed -E "1d; s/^(Max [a-z ]*[a-z])  +/\1: /; s/ +/ /g" /proc/self/limits' ".process.rlimits = [$limits]"
run_both
same_lines "rlimits"
is "$(grep -c . "$T/rt.out")" 16 "rlimits: all 16 of them"

# more files than a kernel allows by itself: systemd raises the host's fs.nr_open
if [ "$UID_NOW" = 0 ] && [ "$(cat /proc/sys/fs/nr_open)" -ge 3000000 ]; then
	script files 'ulimit -Sn; ulimit -Hn' '.process.rlimits = [{type: "RLIMIT_NOFILE", soft: 2000001, hard: 3000000}]'
	run_both
	same "three million open files"
fi

# a limit of open files that is not given is the caller's
script files 'echo "soft: $(ulimit -Sn)"; echo "hard: $(ulimit -Hn)"' 'del(.process.rlimits)'
soft=$(ulimit -Sn) hard=$(ulimit -Hn)
ulimit -Sn 777
run_both
same_lines "open files"
is "$(value soft)" 777 "open files: as many as the caller may have"
is "$(value hard)" "$((hard > 1048576 ? 1048576 : hard))" "open files: and their most"
ulimit -Sn "$soft"

# the home of the last of many
cp "$T/rootfs/etc/passwd" "$T/passwd"
for ((i = 1; i < 600; i++)); do
	echo "user$i:x:$((3000 + i)):100:somebody with a rather long name:/home/user$i:/bin/sh"
done >>"$T/rootfs/etc/passwd"
script home 'echo "home: $HOME"' '.process.user = {uid: 3599, gid: 8} | .process.env = ["PATH=/bin"]'
run_both
same_lines "HOME of the last of many"
cat "$T/passwd" >"$T/rootfs/etc/passwd"

# ---- cwd: what is laid over it counts, and nothing outside the root

script covered 'echo "files: $(ls | wc -l)"; echo x 2>/dev/null >new && echo "written: yes" || echo "written: no"' \
	'.process.cwd = "/etc" | .linux.maskedPaths = ["/etc"]'
run_both
same_lines "cwd below a masked path"
script covered 'echo x 2>/dev/null >new && echo "written: yes" || echo "written: no"' \
	'.process.cwd = "/tmp" | .linux.readonlyPaths = ["/tmp"]'
run_both
same_lines "cwd in a read-only path"
outside=
for ((fd = 3; fd < 14; fd++)); do
	bundle outside '.process.cwd = $cwd | .process.args = ["/bin/ls"]' --arg cwd "/proc/self/fd/$fd"
	run_rt
	[ "$rc" != 0 ] || outside+=" $fd: $(head -n 3 "$T/rt.out" | xargs)"
done
is "$outside" "" "cwd: none of the runtime's own descriptors is one"

# a /proc that shows processes alone, or can't be written: what is set before is set
script proc 'cat /proc/sys/net/ipv4/ping_group_range 2>/dev/null || echo hidden; cat /proc/self/oom_score_adj' \
	'.linux.sysctl = {"net.ipv4.ping_group_range": "0 7"} | .process.oomScoreAdj = 300
	| .mounts |= map(if .destination == "/proc" then .options = ["ro"] else . end)'
run_both
same "sysctl and oomScoreAdj where /proc is read-only"

for adj in 500 1000; do
	script oom 'cat /proc/1/oom_score_adj /proc/self/oom_score_adj' ".process.oomScoreAdj = $adj"
	run_both
	same "oomScoreAdj $adj"
done

bundle descriptors '.process.args = ["ls", "/proc/self/fd"]'
exec 7</etc/passwd 8>/dev/null
run_both
exec 7<&- 8>&-
same "descriptors: stdin, stdout, stderr and nothing else"

# what capabilities and noNewPrivileges do, not only what they are called
# shellcheck disable=SC2016
script powers 'cd /tmp; touch f; chown 5:5 f 2>&1 && echo "chown: yes" || echo "chown: no"; rm -f f
	hostname x 2>/dev/null && echo "sethostname: yes" || echo "sethostname: no"
	mount -t tmpfs none /mnt 2>/dev/null && echo "mount: yes" || echo "mount: no"
	mknod /tmp/n c 1 3 2>/dev/null && echo "mknod: yes" || echo "mknod: no"; rm -f /tmp/n
	chroot / true 2>/dev/null && echo "chroot: yes" || echo "chroot: no"
	ip link set lo down 2>/dev/null && echo "net admin: yes" || echo "net admin: no"
	nice -n -5 true 2>/dev/null; echo "nice: $?"'
run_both
same_lines "powers"

# ---- how it ends

for code in 0 1 2 42 125 126 127 128 200 255; do
	script "exit" "exit $code"
	run_rt
	is "$rc$err" "$code" "exit $code"
done
bundle end '.process.args = ["/end"]'
while read -r code hex what; do
	python3 "$HERE/elf.py" "$T/rootfs/end" "$hex"
	run_both
	is "$(cat "$T/rt.rc")" "$code" "death by $what is $code"
	is "$(cat "$T/rt.rc")" "$(cat "$T/ref.rc")" "death by $what: as with the reference"
done <<'EOF_TABLE'
132 0f0b SIGILL
133 cc SIGTRAP
136 31c9f7f1 SIGFPE
139 f4 SIGSEGV
EOF_TABLE
script child 'sh -c "kill -TERM \$\$"; echo $?; sh -c "kill -9 \$\$"; echo $?; kill -9 $$; echo alive; exit 6'
run_both
same "children die by signals, pid 1 doesn't kill itself"
script orphans 'sleep 600 & (sleep 600 &) ; (trap "" TERM HUP; sleep 600) & exit 5'
start=$SECONDS
run_both
same "what is left running ends with pid 1"
[ $((SECONDS - start)) -lt 60 ]
ok $? "and nobody waits for it"
script reap 'for i in 1 2 3 4 5 6 7 8 9; do (sleep 0.1 & ) ; done; sleep 1; ps -o stat | grep -c Z; exit 0'
run_both
is "$(cat "$T/rt.rc")" "$(cat "$T/ref.rc")" "orphans of the container"

# ---- which program

mkdir -p "$T/rootfs/p1" "$T/rootfs/p2"
printf '#!/bin/sh\necho first ${0##*/} "$@"\n' >"$T/rootfs/p1/both"
printf '#!/bin/sh\necho second ${0##*/} "$@"\n' >"$T/rootfs/p2/both"
cp "$T/rootfs/p2/both" "$T/rootfs/p2/hidden"
printf '#!/bin/sh\necho no' >"$T/rootfs/p1/hidden"
chmod 755 "$T"/rootfs/p?/both "$T/rootfs/p2/hidden"
chmod 644 "$T/rootfs/p1/hidden"
printf 'echo no shebang\n' >"$T/rootfs/p1/plain"
printf '#!/nonesuch/sh\n' >"$T/rootfs/p1/nointerp"
: >"$T/rootfs/p1/empty"
chmod 755 "$T"/rootfs/p1/{plain,nointerp,empty}
ln -s nowhere "$T/rootfs/p1/dangling"
ln -s ../../../../../../p2/both "$T/rootfs/p1/upwards"
ln -s loop "$T/rootfs/p1/loop"
python3 "$HERE/elf.py" "$T/rootfs/p1/foreign" f4 183
while IFS='~' read -r title filter; do
	[ -n "$title" ] || continue
	bundle program ".process.env = [\"PATH=/p1:/p2:/bin:/usr/bin\"] | $filter"
	run_both
	same "$title"
done <<'EOF_TABLE'
a script with #!~.process.args = ["/p1/both", "a", "b c", ""]
the first in PATH~.process.args = ["both", "x"]
PATH order~.process.env = ["PATH=/p2:/p1:/bin"] | .process.args = ["both"]
not executable in the first folder of PATH, but in the second~.process.args = ["hidden"]
a relative path is relative to cwd~.process.cwd = "/p2" | .process.args = ["./both"]
a relative path with a slash~.process.cwd = "/" | .process.args = ["p2/both"]
an absolute symlink upwards stays inside~.process.args = ["/p1/upwards"]
a program in /proc/self/root~.process.args = ["/proc/self/root/p1/both"]
an odd argv~.process.args = ["echo", "-n", "$HOME", "\\n", "*", "'", "\"", "\u0001\u007f", "\ud83d\ude00"]
EOF_TABLE
bundle many ".process.args = [\"sh\", \"-c\", \"echo \$#; echo \$* | md5sum\", \"sh\"] + [range(2000) | \"argument number \(.)\"]"
run_both
same "2,000 arguments"
bundle much '.process.env = [range(1000) | "VAR_\(.)=\("v" * 60)"] + ["PATH=/bin"] | .process.args = ["sh", "-c", "env | grep ^VAR | sort | md5sum"]'
run_both
same "1,000 variables"
bundle long '.process.args = ["sh", "-c", "echo ${#1}", "sh", "x" * 100000]'
run_both
same "an argument of 100,000 bytes"

# ---- and why it can't be run: at create, with the words that engines look for

while IFS='~' read -r title class regex filter; do
	[ -n "$title" ] || continue
	bundle failing ".process.env = [\"PATH=/p1:/p2:/bin:/usr/bin\"] | $filter"
	run_both
	refuses "$title" "$regex"
	is "$(error_class "$T/rt.err")" "$class" "$title: kind of error"
	is "$out" "" "$title: nothing on stdout"
done <<'EOF_TABLE'
not in PATH~enoent~executable file .nonesuch. not found in .PATH: No such file or directory~.process.args = ["nonesuch"]
an absolute path that is missing~enoent~/nonesuch.*[Nn]o such file or directory~.process.args = ["/nonesuch"]
a missing folder~enoent~/no/such.*[Nn]o such file or directory~.process.args = ["/no/such"]
an empty name~enoent~not found in .PATH~.process.args = [""]
not executable~eperm~/etc/passwd.*([Pp]ermission denied|Operation not permitted)~.process.args = ["/etc/passwd"]
a folder~eperm~/etc.*([Ii]s a directory|[Pp]ermission denied|Operation not permitted)~.process.args = ["/etc"]
a text without #!~enoexec~Exec format error~.process.args = ["/p1/plain"]
another machine's program~enoexec~Exec format error~.process.args = ["/p1/foreign"]
an empty file~enoexec~Exec format error~.process.args = ["/p1/empty"]
the interpreter is missing~enoent~No such file or directory~.process.args = ["/p1/nointerp"]
a dangling symlink~enoent~/p1/dangling.*No such file or directory~.process.args = ["/p1/dangling"]
a symlink to itself~other~[Tt]oo many levels~.process.args = ["/p1/loop"]
cwd is a file~enotdir~/etc/passwd.*[Nn]ot a directory~.process.cwd = "/etc/passwd"
EOF_TABLE
bundle failing '.process.args = ["nonesuch"]'
engine rt create left
is "$(value create) $(value pidfile)" "1 none" "a missing program fails create, and there is no pid file"
bundle failing '.process.args = ["/bin/true"] | .process.cwd = "/private" | .process.user = {uid: 1000, gid: 1000} | .process.capabilities = {}'
mapped sh -c "mkdir '$T/rootfs/private'; chmod 700 '$T/rootfs/private'"
run_both
is "$rc $(error_class "$T/rt.err")" "$(cat "$T/ref.rc") $(error_class "$T/ref.err")" "cwd that this user may not enter"

done_testing
