#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# mounts-more: every option, odd sources and destinations, propagation, what covers what; compared with the reference.
. "$(dirname "$0")/lib.sh"
setup

src=$T/src
make_source() {
	mapped rm -rf "$src"
	mkdir -p "$src/dir/sub"
	echo content >"$src/dir/f"; echo single >"$src/file"; echo deep >"$src/dir/sub/f"
	cp "$T/rootfs/bin/busybox" "$src/dir/echo"
	ln -s dir "$src/link"
	ln -s nowhere "$src/dangling"
	mkfifo "$src/fifo"
}
RESET=make_source

# ---- options as mountinfo shows them. virtiofs is what a share is; ids of groups of peers count differently.

# shellcheck disable=SC2016
table='while read -r a b c d where options rest; do
	case " $WHERE " in *" $where "*) t=${rest#*- }; p=${rest%%- *}
		echo "$where: $(echo "$options" | tr , "\n" | sort | xargs) |$(echo " $p" | sed "s/:[0-9]*//g; s/propagate_from//; s/  */ /g")|${t%% *}";; esac
done </proc/self/mountinfo'
tidy() { sed -i 's/|\(virtiofs\|ext4\|overlay\|btrfs\|xfs\)$/|share/' "$T/ref.out" "$T/rt.out"; }

i=0 where='' mounts='[]'
while read -r options; do
	i=$((i + 1)) where+=" /m$i"
	mounts=$(jq -c --arg d "/m$i" --arg o "$options" '. + [{destination: $d, type: "bind", source: "SRC/dir", options: ($o | split(","))}]' <<<"$mounts")
done <<'EOF_TABLE'
bind
rbind,ro
rbind,rro
bind,nosuid,nodev,noexec
rbind,rnosuid,rnodev,rnoexec
bind,dirsync,async,nomand
bind,noatime
rbind,sync,dirsync,mand
bind,defaults
bind,private
rbind,rprivate
bind,shared
rbind,rshared
rbind,slave
rbind,rslave
bind,unbindable
rbind,runbindable
bind,ro,z,unheard-of
EOF_TABLE
script options "WHERE='$where'; $table" '.mounts += $m' --argjson m "${mounts//SRC/$src}"
run_both
tidy
same_lines "options of binds"

i=0 where='' mounts='[]'
while read -r type options; do
	i=$((i + 1)) where+=" /m$i"
	mounts=$(jq -c --arg t "$type" --arg d "/m$i" --arg o "$options" '. + [{destination: $d, type: $t, source: $t, options: ($o | split(","))}]' <<<"$mounts")
done <<'EOF_TABLE'
tmpfs nosuid
tmpfs ro,nosuid,nodev,noexec,noatime
tmpfs rro,rnosuid
tmpfs sync,dirsync,strictatime
tmpfs rw,nodiratime,size=64k,mode=1777
tmpfs rprivate,nodev
tmpfs rshared
proc ro,nosuid,nodev,noexec
proc nosuid,nodev,noexec,hidepid=2
mqueue nosuid,nodev,noexec
devpts nosuid,noexec,newinstance,ptmxmode=0666,mode=0620
cgroup ro,nosuid,nodev,noexec,relatime
cgroup2 nosuid,nodev,noexec
sysfs ro,nosuid,nodev,noexec
EOF_TABLE
script options "WHERE='$where'; $table" '.mounts += $m' --argjson m "$mounts"
run_both
same_lines "options of file systems"

# shellcheck disable=SC2016
script rootless-sys 'ls -d /sys/kernel /sys/class/net/lo; touch /sys/x; echo 1 >/sys/kernel/x; WHERE=/sys; '"$table"'
	ls -d /sys/fs/cgroup/cgroup.procs' \
	'.mounts |= map(if .destination == "/sys" then {destination: "/sys", type: "none", source: "/sys", options: ["rbind", "nosuid", "noexec", "nodev", "ro"]}
		elif .destination == "/sys/fs/cgroup" then empty else . end)'
run_both
sed -i 's/ | slave|/ | |/' "$T/ref.out"
same "/sys of the machine, bound"
script machine 'ls /c/cgroup.procs; ls -d /p/1/comm; ls /p/self >/dev/null && echo self' '.mounts += [
	{destination: "/c", type: "bind", source: "/sys/fs/cgroup", options: ["rbind", "ro"]}, {destination: "/p", type: "bind", source: "/proc", options: ["rbind"]}]'
run_both
same "/proc and cgroups of the machine, bound"

# ---- without options

script no-options "WHERE='/proc /dev /dev/shm /dev/mqueue /dev/pts /sys'; $table; "'stat -c "%n %a" /dev /dev/shm' '.mounts |= map(del(.options))
	| .mounts |= map(select(.destination != "/sys/fs/cgroup"))'
run_both
same "mounts without options"

# crun 1.21 can't set these by mount_setattr(2)
script options "WHERE='/m1 /m2 /m3'; $table" '.mounts += [["rbind,rnoatime", "rbind,rrelatime,rnodiratime", "rbind,rsync,rdirsync,rmand,rnosymfollow"]
	| to_entries[] | {destination: "/m\(.key + 1)", type: "bind", source: "\($src)/dir", options: (.value | split(","))}]' --arg src "$src"
if rt_only "options of binds that crun can't set"; then
	run_rt
	is "$rc" 0 "options of binds that crun can't set" || detail
	like "$out" '/m1: noatime rw .*/m2: nodiratime relatime rw ' "they are there"
	like "$out" '/m3: [a-z ]*nosymfollow' "rnosymfollow as well"
fi

# ---- cases: what is mounted, and what a script sees of it; all of them in one container, each in a folder @ of its own

sh='' mounts='' n=0
RESET=
make_source
mkdir -p "$T/rootfs/at"
while IFS='~' read -r title more run filter; do
	[ -n "$title" ] || continue
	n=$((n + 1)) at=/at/$n
	mkdir -p "$T/rootfs$at/dir"
	ln -s "$at/made/by/link" "$T/rootfs$at/dangling"
	ln -s dir "$T/rootfs$at/link"
	echo image >"$T/rootfs$at/file"
	mkfifo "$T/rootfs$at/fifo"
	(cd "$T/rootfs$at" && python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")')
	sh+="{ ${run//@/$at}; } 2>&1 </dev/null | sed 's|^|$title: |'"$'\n'
	mounts+=" | .mounts += (${more//@/$at}) | ${filter:-.}"
	mounts=${mounts//@/$at}
done <<'EOF_TABLE'
a link to nowhere as the place of a file~[{destination: "@/dangling", type: "bind", source: "\($src)/file", options: ["bind"]}]~cat @/dangling @/made/by/link; readlink @/dangling
a place below a link~[{destination: "@/link/new", type: "bind", source: "\($src)/dir", options: ["bind"]}]~cat @/dir/new/f; stat -c %a @/dir/new
a file over a FIFO~[{destination: "@/fifo", type: "bind", source: "\($src)/file", options: ["bind"]}]~cat @/fifo
a file over a socket~[{destination: "@/socket", type: "bind", source: "\($src)/file", options: ["bind"]}]~cat @/socket
a device over a file~[{destination: "@/file", type: "bind", source: "/dev/null", options: ["bind"]}]~cat @/file; echo x >@/file; stat -c "%F %t,%T %a" @/file
a device at a new place~[{destination: "@/new/zero", type: "bind", source: "/dev/zero", options: ["bind"]}]~head -c 3 @/new/zero | wc -c; stat -c "%F %t,%T %a %u:%g" @/new/zero
a device in /dev~[{destination: "/dev/mine", type: "bind", source: "/dev/full", options: ["rbind", "nosuid", "noexec"]}]~stat -c "%F %t,%T %a" /dev/mine; echo x >/dev/mine
a device, nodev~[{destination: "@/null", type: "bind", source: "/dev/null", options: ["bind", "nodev"]}]~cat @/null
a source relative to the bundle~[{destination: "@/dir", type: "bind", source: "../../src/dir", options: ["bind"]}]~cat @/dir/f
copy-symlink of a link~[{destination: "@/new/link", type: "bind", source: "\($src)/link", options: ["bind", "copy-symlink"]}]~readlink @/new/link
copy-symlink of a link to nowhere~[{destination: "@/new", type: "bind", source: "\($src)/dangling", options: ["bind", "copy-symlink"]}]~readlink @/new
copy-symlink of a folder~[{destination: "@/new", type: "bind", source: "\($src)/dir", options: ["bind", "copy-symlink"]}]~cat @/new/f
copy-symlink into a tmpfs~[{destination: "@/dir", type: "tmpfs", source: "tmpfs"}, {destination: "@/dir/a/b", type: "bind", source: "\($src)/link", options: ["bind", "copy-symlink"]}]~readlink @/dir/a/b
a tmpfs with an owner and few inodes~[{destination: "@/dir", type: "tmpfs", source: "tmpfs", options: ["mode=0711", "uid=3", "gid=4", "nr_inodes=10", "size=1m"]}]~stat -c "%a %u:%g" @/dir; stat -f -c "%c" @/dir
a tmpfs of a share of the memory~[{destination: "@/dir", type: "tmpfs", source: "tmpfs", options: ["size=50%"]}]~touch @/dir/x && echo fine
a tmpfs over a folder with a bind in it~[{destination: "@/dir", type: "bind", source: "\($src)/dir", options: ["bind"]}, {destination: "@/dir/sub", type: "tmpfs", source: "tmpfs"}, {destination: "@/dir/sub/file", type: "bind", source: "\($src)/file", options: ["bind", "ro"]}]~cat @/dir/f @/dir/sub/file; ls @/dir/sub; echo x >@/dir/sub/file
three deep, each over the last~[{destination: "@", type: "tmpfs", source: "tmpfs"}, {destination: "@/b", type: "bind", source: "\($src)/dir", options: ["rbind"]}, {destination: "@/b/sub", type: "bind", source: "\($src)/dir", options: ["rbind", "ro"]}, {destination: "@/b/sub/sub", type: "tmpfs", source: "tmpfs", options: ["ro"]}]~ls @ @/b @/b/sub @/b/sub/sub; touch @/x @/b/sub/x @/b/sub/sub/x
a tmpfs that is covered by a later mount of its parent~[{destination: "@/dir", type: "tmpfs", source: "tmpfs"}, {destination: "@", type: "bind", source: "\($src)/dir", options: ["bind"]}]~ls @
proc, a part of it~[{destination: "@/dir", type: "proc", source: "proc", options: ["subset=pid"]}]~ls @/dir/1/comm; ls @/dir/cpuinfo
masked: a FIFO, a socket, a link, what is missing~[]~for f in fifo socket link file; do echo "$f: $(stat -L -c %F @/$f)"; done; cat @/file; ls -A @/dir; ls @/none~.linux.maskedPaths += ["@/fifo", "@/socket", "@/link", "@/file", "@/none", "@/dangling"]
read-only: a FIFO, a socket, a link, what is missing~[]~touch @/fifo; touch @/socket; touch @/dir/x; touch @/file; ls @/none~.linux.readonlyPaths += ["@/fifo", "@/socket", "@/link", "@/file", "@/none", "@/dangling"]
masked in a mount~[{destination: "@/dir", type: "bind", source: "\($src)/dir", options: ["bind"]}]~cat @/dir/f; ls @/dir/sub; cat @/dir/echo | wc -c~.linux.maskedPaths += ["@/dir/f", "@/dir/sub"]
read-only in a mount, with one below it~[{destination: "@/dir", type: "bind", source: "\($src)/dir", options: ["bind"]}, {destination: "@/dir/sub", type: "tmpfs", source: "tmpfs"}]~touch @/dir/x; touch @/dir/sub/x; ls @/dir/sub~.linux.readonlyPaths += ["@/dir"]
masked and read-only at once~[]~cat @/file; touch @/dir/x; ls @/dir~.linux.readonlyPaths += ["@/file", "@/dir"] | .linux.maskedPaths += ["@/file", "@/dir"]
another size of /dev/shm~[{destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777", "size=128k"]}]~df -k /dev/shm | awk "END { print \$2 }"; stat -c %a /dev/shm
EOF_TABLE
script cases "$sh" ".${mounts# | .}" --arg src "$src"
run_both
[ "$(cat "$T/ref.rc")" = 0 ] || diag "the reference says: $(cat "$T/ref.err")"
same_lines "case"

# the reference makes the place of a file there, and fails for a folder
script dangling 'cat /at/1/link/x/f; ls -d /at/2/made/by/link /at/2/dangling/.; touch /at/2/dangling/x' '.mounts += [{destination: "/at/1/link/x", type: "bind", source: "\($src)/dir", options: ["bind"]},
	{destination: "/at/2/dangling", type: "tmpfs", source: "tmpfs"}, {destination: "/at/1/made/x", type: "bind", source: "\($src)/dir", options: ["bind"]}]' --arg src "$src"
if rt_only "a link to nowhere as the place of a folder"; then
	run_rt
	is "$rc $out" "0 content
/at/2/dangling/.
/at/2/made/by/link" "a link to nowhere as the place of a folder" || detail
fi
script dev-bind 'ls /dev/f /dev/sub/f; echo x >/dev/null; ls -d /dev/pts /dev/shm' '.mounts |= map(select(.destination | test("^/dev/") | not)) | .mounts += [{destination: "/dev", type: "bind", source: "\($src)/dir", options: ["bind"]}]' --arg src "$src"
if rt_only "/dev as a folder of the host"; then # the reference needs a null in it
	run_rt
	like "$out" $'/dev/f\n/dev/sub/f' "/dev as a folder of the host"
fi
script shm-bind 'cat /dev/shm/f' '.mounts |= map(select(.destination != "/dev/shm")) | .mounts += [{destination: "/dev/shm", type: "bind", source: "\($src)/dir", options: ["bind"]}]' --arg src "$src"
run_both
same "/dev/shm as a folder of the host"

for word in private rslave shared rshared; do
	script propagation "WHERE='/ /at/1/dir'; $table" ".linux.rootfsPropagation = \"$word\" | .mounts += [{destination: \"/at/1/dir\", type: \"bind\", source: \"\\(\$src)/dir\", options: [\"bind\"]}]" --arg src "$src"
	run_both
	tidy
	sed -i '/^\/: /s/ \(noatime\|relatime\)//' "$T/ref.out" "$T/rt.out" # when access times of the root are kept is the host's business
	same "rootfsPropagation $word"
done

# ---- what can't be mounted

while IFS='~' read -r title regex mounts; do
	[ -n "$title" ] || continue
	make_source
	bundle bad ".mounts += ($mounts)" --arg src "$src"
	run_both
	[ "$(cat "$T/ref.rc")" != 0 ] || diag "the reference accepts: $title"
	refuses "$title" "$regex"
done <<'EOF_TABLE'
a folder onto a FIFO~mounts.*fifo.*[Nn]ot a directory~[{destination: "/at/1/fifo", type: "bind", source: "\($src)/dir", options: ["bind"]}]
a file onto a folder~mounts.*at/1/dir.*[Ii]s a directory~[{destination: "/at/1/dir", type: "bind", source: "\($src)/file", options: ["bind"]}]
a tmpfs onto a file~at/1/file~[{destination: "/at/1/file", type: "tmpfs", source: "tmpfs"}]
no source~mounts.*source~[{destination: "/at/1/dir", type: "bind", options: ["bind"]}]
no type~mounts.*type~[{destination: "/at/1/dir", source: "tmpfs"}]
tmpcopyup of a proc~mounts.*tmpcopyup~[{destination: "/at/1/dir", type: "proc", source: "proc", options: ["tmpcopyup"]}]
nothing to remount~mounts.*remount~[{destination: "/at/1/dir", type: "tmpfs", source: "tmpfs", options: ["remount", "ro"]}]
overlay without folders~mounts.*overlay~[{destination: "/at/1/dir", type: "overlay", source: "overlay", options: ["lowerdir=/none:/nowhere"]}]
an unknown type~mounts.*nonesuch~[{destination: "/at/1/dir", type: "nonesuch", source: "x"}]
copy-symlink onto a folder~mounts.*at/1/dir~[{destination: "/at/1/dir", type: "bind", source: "\($src)/link", options: ["bind", "copy-symlink"]}]
EOF_TABLE
if rt_only "what crun would mount"; then
	bundle bad '.mounts += [{destination: "/at/kvm", type: "bind", source: "/dev/kvm", options: ["bind"]}]'
	run_rt
	refuses "a device that no guest has" 'mounts\[[0-9]*\].source: "/dev/kvm": a device'
fi

# ---- a UNIX socket whose server is on the host; the client is the host's own python

mkdir -p "$T/sock"
python3 "$HERE/usock.py" server "$T/sock/s" >"$T/sock/log" &
server=$!
until_true 60 [ -s "$T/sock/log" ]
cp "$HERE/usock.py" "$T/rootfs/usock.py"
host='{destination: "/usr", type: "bind", source: "/usr", options: ["rbind", "ro"]}, {destination: "/lib", type: "bind", source: "/lib", options: ["rbind", "ro"]},
	{destination: "/lib64", type: "bind", source: "/lib64", options: ["rbind", "ro"]}'
bundle socket '.process.args = ["/usr/bin/python3", "/usock.py", "client", "/run/host.sock"] | .process.capabilities |= with_entries(.value += ["CAP_SETUID", "CAP_SETGID"])
	| .mounts += ['"$host"', {destination: "/run", type: "tmpfs", source: "tmpfs"}, {destination: "/run/host.sock", type: "bind", source: "\($t)/sock/s", options: ["bind"]}]' --arg t "$T"
run_both
same_lines "a socket of the host"
bundle socket '.process.args = ["/usr/bin/python3", "/usock.py", "client", "/at/1/socket"] | .mounts += ['"$host"', {destination: "/at/1/socket", type: "bind", source: "\($t)/sock/s", options: ["bind", "ro"]}]' --arg t "$T"
run_rt
like "$out" 'small: good' "a socket of the host, mounted read-only over another" || detail
kill "$server"
wait "$server" 2>/dev/null
if rt_only "a socket whose server is gone"; then # the reference says that the connection is refused
	run_rt
	[ "$rc" != 0 ] && [ -n "$err" ]
	ok $? "a socket whose server is gone: nobody answers" || detail
fi

# ---- a socket for datagrams, as /dev/log is

python3 "$HERE/usock.py" sink "$T/sock/d" >"$T/sock/sink" &
server=$!
until_true 60 [ -s "$T/sock/sink" ]
bundle datagrams '.process.args = ["/usr/bin/python3", "/usock.py", "send", "/at/1/socket"]
	| .mounts += ['"$host"', {destination: "/at/1/socket", type: "bind", source: "\($t)/sock/d", options: ["bind"]}]' --arg t "$T"
run_both
same_lines "datagrams for a socket of the host"
both_ended() { [ "$(wc -l <"$T/sock/sink")" -ge 3 ]; }
until_true 30 both_ended
is "$(sed 1d "$T/sock/sink" | uniq -c | awk '{print $1, $2}')" "2 2006" "all of them, in order, with their borders" || diag "$(cat "$T/sock/sink")"
bundle many '.process.args = ["/usr/bin/python3", "-c", "import socket\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\nwhile True: s.sendto(bytes(1000), \"/at/1/socket\")"]
	| .mounts += ['"$host"', {destination: "/at/1/socket", type: "bind", source: "\($t)/sock/d", options: ["bind"]}]' --arg t "$T"
if rt_only "datagrams whose server goes, or stops"; then
	new_id
	rt create --bundle "$B" "$ID" </dev/null >/dev/null 2>"$T/rt.err" && rt start "$ID"
	ok $? "a flood of datagrams: starts" || diag "$(cat "$T/rt.err")"
	kill -STOP "$server"
	sleep 1
	is "$(rt exec "$ID" echo here </dev/null 2>&1)" here "a flood of datagrams that nobody takes"
	kill -KILL "$server"
	wait "$server" 2>/dev/null
	sleep 1
	is "$(rt exec "$ID" echo here </dev/null 2>&1)" here "a flood of datagrams to nobody"
	rt delete --force "$ID"
	is $? 0 "and its end"
else
	kill "$server"
fi

# ---- overlay, made on the host and shared

make_source
mkdir -p "$T/ov/low1" "$T/ov/low2" "$T/ov/up" "$T/ov/work"
echo one >"$T/ov/low1/one"; echo two >"$T/ov/low2/two"; echo both1 >"$T/ov/low1/both"; echo both2 >"$T/ov/low2/both"
ln -s one "$T/ov/low1/link"
script overlay 'cat /at/1/dir/one /at/1/dir/two /at/1/dir/both /at/1/dir/link; echo new >/at/1/dir/new; rm /at/1/dir/two; echo changed >/at/1/dir/one; ls /at/1/dir; cat /at/1/dir/one' \
	'.mounts += [{destination: "/at/1/dir", type: "overlay", source: "overlay", options: (["lowerdir=\($ov)/low1:\($ov)/low2", "upperdir=\($ov)/up", "workdir=\($ov)/work"] + $more)}]' \
	--arg ov "$T/ov" --argjson more "$([ "$UID_NOW" = 0 ] && echo '[]' || echo '["userxattr"]')"
RESET='mapped rm -rf "$T/ov/up" "$T/ov/work"; mkdir "$T/ov/up" "$T/ov/work"' run_both
same "an overlay"
is "$(cat "$T/ov/up/one" "$T/ov/up/new" "$T/ov/low1/one" "$T/ov/low2/two" | xargs)" "changed new one two" "an overlay: written to its upper folder"
script overlay-ro 'cat /at/1/dir/one; touch /at/1/dir/x; ls /run/ov' '.mounts += [{destination: "/at/1/dir", type: "overlay", source: "overlay", options: ["lowerdir=\($ov)/low1:\($ov)/low2", "ro"]},
	{destination: "/run", type: "tmpfs", source: "tmpfs"}, {destination: "/run/ov", type: "overlay", source: "overlay", options: ["lowerdir=\($ov)/low1:\($ov)/low2"]}]' --arg ov "$T/ov"
run_both
same "an overlay without an upper folder, and one in a tmpfs"

# What is copied up is still the same file: for who stands in it, for a mount below it, for its links.
mkdir -p "$T/ov/low3/var/log" "$T/ov/low3/var/data" "$T/ov/low3/here" "$T/ov/low3/low"
echo low >"$T/ov/low3/low/f"; echo twin >"$T/ov/low3/low/a"; ln "$T/ov/low3/low/a" "$T/ov/low3/low/b"
script copied-up 'cd /at/1/dir/here; cat ../low/a ../low/b; echo x >../var/log/x; echo y >y; ln ../low/f ../low/g; echo "linked $?"
	echo changed >../low/a; sleep 1.3; ls /at/1/dir /at/1/dir/var /at/1/dir/here; cat /at/1/dir/var/data/f; busybox pwd; cat ../low/a ../low/b ../low/g
	[ ../low/f -ef ../low/g ]; echo "the same $?"; grep -c " /at/1/dir/var/data " /proc/mounts' \
	'.mounts += [{destination: "/at/1/dir", type: "overlay", source: "overlay", options: (["lowerdir=\($ov)/low3", "upperdir=\($ov)/up", "workdir=\($ov)/work"] + $more)},
	{destination: "/at/1/dir/var/data", type: "bind", source: "\($src)/dir", options: ["bind"]}]' \
	--arg ov "$T/ov" --arg src "$src" --argjson more "$([ "$UID_NOW" = 0 ] && echo '[]' || echo '["userxattr"]')"
RESET='mapped rm -rf "$T/ov/up" "$T/ov/work"; mkdir "$T/ov/up" "$T/ov/work"' run_both
same "an overlay: what is copied up stays the same file"

done_testing
