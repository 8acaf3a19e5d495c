#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# mounts: the default file systems and devices, bind mounts, tmpfs, where destinations end up, read-only and masked paths.
. "$(dirname "$0")/lib.sh"
setup

# ---- the defaults, compared with the reference

# shellcheck disable=SC2016
script devices 'for f in /dev/* /dev/pts/ptmx; do
	if [ -L $f ]; then echo "$f: -> $(readlink $f)"; else echo "$f: $(stat -c "%F %a %u:%g %t,%T" $f)"; fi; done
	for f in null zero full random urandom; do echo "read $f: $(head -c 3 /dev/$f 2>&1 | wc -c)"; done
	echo "write null: $(echo x 2>&1 >/dev/null; echo $?)"; echo "write full: $(sh -c "echo x >/dev/full" 2>&1 | grep -c space)"
	echo "tty: $(sh -c "echo >/dev/tty" 2>&1 | sed "s/.*: //")"
	echo "new file in dev: $(touch /dev/x 2>&1; ls /dev/x)"; echo "shm: $(echo a >/dev/shm/f && cat /dev/shm/f)"
	mkdir /dev/mqueue/x 2>/dev/null; echo "mqueue: $(touch /dev/mqueue/q && cat /dev/mqueue/q | cut -d: -f1)"
	for d in /dev/kvm /dev/vda /dev/mem /dev/fuse /dev/vsock /dev/hvc0; do [ -e $d ] && echo "extra: $d"; done'
run_both
# rootless, crun binds the host's nodes, whose owner is unmapped; the guest has its own
sed -i '/^\/dev/s/ 65534:65534 / 0:0 /' "$T/ref.out"
same_lines "devices" '^/dev/mqueue$'
for n in /dev/mqueue; do
	is "$(sed -n "s|^$n: \([a-z]* [0-9]* [0-9:]*\).*|\1|p" "$T/rt.out")" \
		"$(sed -n "s|^$n: \([a-z]* [0-9]* [0-9:]*\).*|\1|p" "$T/ref.out")" "devices: $n"
done

# options of a mount that programs look at; sizes and ids of file systems may differ between kernels
# shellcheck disable=SC2016
table='while read -r a b c d where options rest; do
	type=${rest#*- }; type=${type%% *}
	o=$(echo "$options" | tr , "\n" | grep -x "ro\|rw\|nosuid\|nodev\|noexec\|noatime\|relatime\|nodiratime" | sort | xargs)
	case " $WHERE " in *" $where "*) echo "$where: $type $o";; esac
done </proc/self/mountinfo'
script mountinfo 'WHERE="/proc /dev /dev/pts /dev/shm /dev/mqueue /sys /sys/fs/cgroup"'"; $table"
run_both
same_lines "default mounts"
# shellcheck disable=SC2016
script kernel 'for f in /proc/self/status /proc/cpuinfo /proc/meminfo /proc/version /sys/kernel /sys/class/net/lo/address; do
	[ -r $f ] && echo "$f: there"; done
	echo "pts: $(ls /dev/pts | xargs)"; echo "root: $(ls / | xargs)"
	df -k /dev/shm | sed -n "2s/.* \([0-9]*\) *[0-9]* *[0-9]* *[0-9]*% .*/shm size: \1/p"
	stat -c "shm mode: %a" /dev/shm; stat -c "pts mode: %a" /dev/pts; stat -f -c "proc type: %T" /proc
	echo "other processes: $(ls -d /proc/[0-9]* | grep -vc "/proc/\(1\|$$\)\$" )"' '.process.args[2] |= sub("echo .other[^\n]*"; "true")'
run_both
same_lines "kernel file systems"
script masked '
for f in /proc/acpi /proc/asound /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/scsi /sys/firmware; do
	if [ -d $f ]; then n=$(ls -A $f 2>/dev/null | wc -l); touch $f/x 2>/dev/null && w=writable || w=read-only; [ $n = 0 ] || echo "leak $f"; [ $w = read-only ] || echo "writable $f"
	elif [ -e $f ]; then [ $(head -c 100 $f 2>/dev/null | wc -c) = 0 ] || echo "leak $f"; fi
done
for f in /proc/bus /proc/fs /proc/irq /proc/sys; do [ ! -d $f ] || touch $f/x 2>/dev/null && echo "writable $f"; done
echo 1 >/proc/sys/kernel/domainname && echo writable; echo h >/proc/sysrq-trigger && echo writable; echo done'
run_both
is "$(cat "$T/ref.out")" "done" "masked and read-only paths of the default configuration, reference"
is "$out" "done" "masked and read-only paths of the default configuration" || detail
mkdir -p "$T/rootfs/srv/secret" "$T/rootfs/srv/ro"
echo hidden >"$T/rootfs/srv/secret/f"; echo hidden >"$T/rootfs/srv/file"; echo seen >"$T/rootfs/srv/ro/f"
# shellcheck disable=SC2016
script own 'echo "dir: $(ls -A /srv/secret | wc -l)"; echo "dir write: $(touch /srv/secret/x 2>&1 | sed "s/.*: //")"
	echo "file: $(cat /srv/file | wc -c)"; echo "ro read: $(cat /srv/ro/f)"
	echo "ro write: $(sh -c "echo x >/srv/ro/f" 2>&1 | sed "s/.*: //")"; echo "ro create: $(touch /srv/ro/x 2>&1 | sed "s/.*: //")"' \
	'.linux.maskedPaths += ["/srv/secret", "/srv/file", "/srv/missing"] | .linux.readonlyPaths += ["/srv/ro", "/srv/missing2"]'
run_both
same_lines "masked and read-only paths of our own"
is "$(ls "$T/rootfs/srv")" "$(printf '%s\n' file ro secret)" "paths that are missing are not made"

# ---- binds. Each case: what is mounted, and what a script sees of it

src=$T/src
make_source() {
	mapped rm -rf "$src"
	mkdir -p "$src/dir/sub" "$src/odd name"
	echo content >"$src/dir/f"; echo deep >"$src/dir/sub/f"; echo single >"$src/file"; echo odd >"$src/odd name/f"
	cp "$T/rootfs/bin/busybox" "$src/dir/echo"
	chmod 755 "$src/dir/echo"
	ln -s dir "$src/link"
	ln -s file "$src/flink"
}
RESET=make_source
while IFS='~' read -r title mounts sh; do
	[ -n "$title" ] || continue
	script bind "$sh" ".mounts += ($mounts)" --arg src "$src"
	run_both
	same "$title"
done <<'EOF_TABLE'
a folder~[{destination: "/mnt", type: "bind", source: "\($src)/dir", options: ["bind"]}]~cat /mnt/f /mnt/sub/f; echo new >/mnt/n; cat /mnt/n; ls /mnt
a folder, rbind, no type~[{destination: "/mnt", source: "\($src)/dir", options: ["rbind", "rw"]}]~cat /mnt/f; echo new >/mnt/n; ls /mnt
a folder, read-only~[{destination: "/mnt", type: "bind", source: "\($src)/dir", options: ["bind", "ro"]}]~cat /mnt/f; echo x >/mnt/f; touch /mnt/n; mkdir /mnt/d; rm /mnt/f; mv /mnt/f /mnt/g; chmod 777 /mnt/f; ln /mnt/f /mnt/l; chown 1 /mnt/f; ls /mnt
a folder, rbind, read-only~[{destination: "/mnt", type: "bind", source: "\($src)/dir", options: ["rbind", "ro"]}]~touch /mnt/n; cat /mnt/f
a folder, rro~[{destination: "/mnt", type: "bind", source: "\($src)/dir", options: ["rbind", "rro"]}]~touch /mnt/n; touch /mnt/sub/n; cat /mnt/f
a file~[{destination: "/etc/file", type: "bind", source: "\($src)/file", options: ["bind"]}]~cat /etc/file; echo new >/etc/file; cat /etc/file; rm /etc/file; echo $?
a file, read-only~[{destination: "/etc/file", type: "bind", source: "\($src)/file", options: ["bind", "ro"]}]~cat /etc/file; echo new >/etc/file; chmod 0 /etc/file; cat /etc/file
a file over a file~[{destination: "/etc/passwd", type: "bind", source: "\($src)/file", options: ["bind", "ro"]}]~cat /etc/passwd
noexec~[{destination: "/mnt", type: "bind", source: "\($src)/dir", options: ["bind", "noexec"]}]~/mnt/echo hi; echo $?; cat /mnt/f
exec~[{destination: "/mnt", type: "bind", source: "\($src)/dir", options: ["bind", "exec"]}]~/mnt/echo hi
a folder whose name has a space~[{destination: "/mnt/with space", type: "bind", source: "\($src)/odd name", options: ["bind"]}]~cat "/mnt/with space/f"
a source that is a symlink~[{destination: "/mnt", type: "bind", source: "\($src)/link", options: ["bind"]}]~cat /mnt/f
a source file that is a symlink~[{destination: "/etc/file", type: "bind", source: "\($src)/flink", options: ["bind"]}]~cat /etc/file
a bind inside a bind~[{destination: "/mnt", type: "bind", source: "\($src)/dir", options: ["bind"]}, {destination: "/mnt/sub", type: "bind", source: "\($src)/odd name", options: ["bind"]}]~ls /mnt /mnt/sub; cat /mnt/sub/f
a file inside a bind~[{destination: "/mnt", type: "bind", source: "\($src)/dir", options: ["bind"]}, {destination: "/mnt/f", type: "bind", source: "\($src)/file", options: ["bind"]}]~cat /mnt/f; cat /mnt/sub/f
later over earlier~[{destination: "/mnt", type: "bind", source: "\($src)/dir", options: ["bind"]}, {destination: "/mnt", type: "bind", source: "\($src)/odd name", options: ["bind"]}]~ls /mnt
the same source twice~[{destination: "/a", type: "bind", source: "\($src)/dir", options: ["bind"]}, {destination: "/b", type: "bind", source: "\($src)/dir", options: ["bind", "ro"]}]~echo new >/a/n; cat /b/n; echo x >/b/n; cat /a/n; rm /a/n; ls /b
a new destination, several deep~[{destination: "/made/for/this", type: "bind", source: "\($src)/dir", options: ["bind"]}]~cat /made/for/this/f; stat -c %a /made /made/for
a new file, several deep~[{destination: "/made2/for/file", type: "bind", source: "\($src)/file", options: ["bind"]}]~cat /made2/for/file
a destination with .. and slashes~[{destination: "//mnt/./x/../y//", type: "bind", source: "\($src)/dir", options: ["bind"]}]~ls /mnt; cat /mnt/y/f
a relative destination~[{destination: "mnt/rel", type: "bind", source: "\($src)/dir", options: ["bind"]}]~cat /mnt/rel/f
a bind into /dev~[{destination: "/dev/mine", type: "bind", source: "\($src)/file", options: ["bind"]}]~cat /dev/mine
a tmpfs~[{destination: "/mnt", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "size=2m", "mode=1750"]}]~stat -c "%a %u:%g" /mnt; df -k /mnt | awk 'END { print $2 }'; head -c 3000000 /dev/zero >/mnt/f; echo $?; wc -c </mnt/f
a tmpfs over a folder: its mode~[{destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev"]}, {destination: "/root", type: "tmpfs", source: "tmpfs", options: ["ro", "size=1m"]}, {destination: "/tmp", type: "tmpfs", source: "tmpfs"}]~stat -c "%n %a" /etc /root /tmp
a tmpfs, read-only~[{destination: "/mnt", type: "tmpfs", source: "tmpfs", options: ["ro"]}]~touch /mnt/x
a tmpfs, noexec~[{destination: "/mnt", type: "tmpfs", source: "tmpfs", options: ["noexec"]}]~cp /bin/busybox /mnt/echo; /mnt/echo hi; echo $?
a tmpfs of an own user~[{destination: "/mnt", type: "tmpfs", source: "tmpfs", options: ["uid=8", "gid=33", "mode=0700"]}]~stat -c "%a %u:%g" /mnt
a tmpfs with few inodes~[{destination: "/mnt", type: "tmpfs", source: "tmpfs", options: ["nr_inodes=5"]}]~for i in 1 2 3 4 5 6; do touch /mnt/$i; done; ls /mnt
a bind in a tmpfs~[{destination: "/run", type: "tmpfs", source: "tmpfs"}, {destination: "/run/a/b", type: "bind", source: "\($src)/dir", options: ["bind"]}]~cat /run/a/b/f; ls /run
a tmpfs in a bind~[{destination: "/mnt", type: "bind", source: "\($src)/dir", options: ["bind"]}, {destination: "/mnt/sub", type: "tmpfs", source: "tmpfs"}]~ls /mnt/sub; touch /mnt/sub/x; ls /mnt/sub
another proc~[{destination: "/mnt", type: "proc", source: "proc", options: ["nosuid", "nodev", "noexec", "ro"]}]~cat /mnt/1/comm; touch /mnt/x
tmpcopyup~[{destination: "/etc", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"]}]~cat /etc/passwd | md5sum; touch /etc/new; ls /etc
EOF_TABLE
RESET=
[ ! -e "$T/rootfs/etc/new" ]
ok $? "tmpcopyup: the original is as it was"
ls -d "$T/rootfs/made/for/this" "$T/rootfs/made2/for/file" >/dev/null 2>&1
ok $? "destinations that were made stay in the root file system"

script flags 'WHERE="/a /b /c /d /e"'"; $table" '.mounts += [
	{destination: "/a", type: "bind", source: $src, options: ["bind", "nosuid", "nodev", "noexec", "ro"]},
	{destination: "/b", type: "bind", source: $src, options: ["rbind", "nosuid"]},
	{destination: "/c", type: "tmpfs", source: "tmpfs", options: ["nodev", "noatime"]},
	{destination: "/d", type: "bind", source: $src, options: ["bind", "noexec", "nosuid"]},
	{destination: "/e", type: "tmpfs", source: "tmpfs", options: ["ro", "noexec", "nosuid", "nodev"]}]' --arg src "$src/dir"
run_both
# the kind of file system and when access times are kept are the host's business
sed -i 's/ virtiofs / ext4 /; s/ \(noatime\|relatime\)//' "$T/ref.out" "$T/rt.out"
same_lines "flags in mountinfo" '^$'

# ---- both sides see what the other writes

make_source
script through 'echo from inside >/mnt/in; mkdir /mnt/indir; sync; echo ready; while [ ! -e /mnt/go ]; do sleep 0.1; done; cat /mnt/f; cat /mnt/sub/later; ls /mnt' \
	'.mounts += [{destination: "/mnt", type: "bind", source: $src, options: ["bind"]}]' --arg src "$src/dir"
new_id
rt run -b "$B" "$ID" </dev/null >"$T/rt.out" 2>"$T/rt.err" &
until_true 60 has_text "$T/rt.out" ready
is "$(cat "$src/dir/in") $(stat -c %F "$src/dir/indir")" "from inside directory" "written inside, seen outside at once"
echo "changed outside" >"$src/dir/f"
echo "made outside" >"$src/dir/sub/later"
sleep 1.2 # attributes may be a second old
: >"$src/dir/go"
wait $!
is "$(sed -n 2,3p "$T/rt.out" | xargs)" "changed outside made outside" "written outside, seen inside" || diag "$(cat "$T/rt.out" "$T/rt.err")"
make_source
script replaced 'echo ready; while [ ! -e /go/x ]; do sleep 0.1; done; cat /etc/file; echo more >>/etc/file' \
	'.mounts += [{destination: "/etc/file", type: "bind", source: "\($src)/file", options: ["bind"]}, {destination: "/go", type: "bind", source: "\($src)/dir", options: ["bind"]}]' --arg src "$src"
for who in ref rt; do
	make_source
	new_id
	rm -f "$T/$who".{out,err}
	$who run -b "$B" "$ID" </dev/null >"$T/$who.out" 2>"$T/$who.err" &
	until_true 60 has_text "$T/$who.out" ready
	cp "$src/file" "$src/old.link" && ln -f "$src/file" "$src/old"
	echo other >"$src/file.new" && mv "$src/file.new" "$src/file"
	sleep 1.2
	: >"$src/dir/x"
	wait $!
	echo "old: $(xargs <"$src/old")" >>"$T/$who.out"
	echo 0 >"$T/$who.rc"
done
same "a file replaced outside stays the old one inside"
make_source
new_id
script gone 'cat /mnt/f' '.mounts += [{destination: "/mnt", type: "bind", source: $src, options: ["bind"]}]' --arg src "$src/dir"
rt create -b "$B" "$ID" </dev/null >"$T/out" 2>"$T/err"
mv "$src/dir" "$src/moved"
rt start "$ID"
until_true 60 [ -s "$T/out" ]
is "$(cat "$T/out")" content "a source that moves away between create and start" || diag "$(cat "$T/err")"
until_true 60 is_now stopped
rt delete --force "$ID"

# ---- destinations that want out

# The place outside has a namesake inside, where such a link leads; without it crun gives up, and so it would only on
# the first run, before ours has made it.
outside=$T/outside
mkdir -p "$outside"
mapped mkdir -p "$T/rootfs$outside"
while IFS='~' read -r title link to destination; do
	[ -n "$title" ] || continue
	make_source
	mapped rm -rf "$T/rootfs/hostile"
	mkdir "$T/rootfs/hostile"
	ln -s "${to//OUT/$outside}" "$T/rootfs/hostile/$link"
	script hostile 'cat "$1/f" 2>/dev/null || cat "$1" 2>/dev/null; true' \
		'.process.args += ["sh", $at] | .mounts += [{destination: $at, type: "bind", source: $src, options: ["bind"]}]' \
		--arg src "$src/dir" --arg at "$destination"
	run_both
	is "$(find "$outside" "$T" -maxdepth 1 -newer "$T/base.json" -name 'escaped*' | wc -l) $(ls -A "$outside")" "0 " \
		"$title: nothing appears outside"
	is "$rc $out" "$(cat "$T/ref.rc") $(cat "$T/ref.out")" "$title: as with the reference" || detail
done <<'EOF_TABLE'
a symlink upwards~up~../../../../../../../../../..OUT~/hostile/up/escaped
an absolute symlink~abs~OUT~/hostile/abs/escaped
an absolute symlink as the destination~abs~OUT/escaped~/hostile/abs
a symlink to the root~root~/~/hostile/root/mnt
a symlink to a folder inside~in~/mnt~/hostile/in
a symlink to .~self~.~/hostile/self/mnt
.. above the root~x~.~/../../../../../../../escaped
a symlink to itself~loop~loop~/hostile/loop/x
EOF_TABLE
mkdir -p "$T/rootfs/hostile"
for what in etc proc dev; do
	mapped rm -rf "$T/evil"
	mkdir -p "$T/evil/bin"
	cp -a "$T/rootfs/bin/." "$T/evil/bin/"
	ln -s "$outside" "$T/evil/$what"
	script evil 'echo in' '.root.path = $root | .mounts += [{destination: "/etc/x", type: "bind", source: $src, options: ["bind"]}]' \
		--arg root "$T/evil" --arg src "$src/file"
	run_rt
	is "$(ls -A "$outside")" "" "a root whose /$what points outside: nothing appears there"
	rt_only "evil" && { [ "$rc" = 0 ] || [ "$(wc -l <"$T/rt.err")" = 1 ]; ok $? "a root whose /$what points outside: runs, or one line" || detail; }
done

# ---- a read-only root

# shellcheck disable=SC2016
script readonly 'for d in / /etc /bin; do echo "$d: $(touch $d/x 2>&1 | sed "s/.*: //")"; done
	echo "dev: $(touch /dev/x && echo yes)"; echo "shm: $(touch /dev/shm/x && echo yes)"; echo "bind: $(touch /mnt/x && echo yes)"
	echo "overwrite: $(sh -c "echo >/etc/passwd" 2>&1 | sed "s/.*: //")"; echo "remove: $(rm -f /etc/passwd 2>&1 | sed "s/.*: //")"
	echo "remount: $(mount -o remount,rw / 2>&1 | sed "s/.*: //" | cut -c1-9)"
	echo "root: $(while read -r a b c d e f g; do [ $e = / ] && echo ${f%%,*}; done </proc/self/mountinfo)"' \
	'.root.readonly = true | .mounts += [{destination: "/mnt", type: "bind", source: $src, options: ["bind"]},
	 {destination: "/new/place", type: "bind", source: $src, options: ["bind"]}]' --arg src "$src/dir"
make_source
run_both
same_lines "read-only root"
[ ! -e "$T/rootfs/etc/x" ] && [ -s "$T/rootfs/etc/passwd" ]
ok $? "read-only root: unharmed"

# ---- what can't be mounted

make_source
while IFS='~' read -r title class regex mounts; do
	[ -n "$title" ] || continue
	bundle bad ".mounts += ($mounts)" --arg src "$src"
	run_both
	refuses "$title" "$regex"
	[ "$class" = - ] || is "$(error_class "$T/rt.err")" "$class" "$title: kind of error"
done <<'EOF_TABLE'
the source is missing~enoent~/src/none.*No such file or directory~[{destination: "/mnt", type: "bind", source: "\($src)/none", options: ["bind"]}]
a folder onto a file~-~(passwd|/mounts).*[Nn]ot a directory~[{destination: "/etc/passwd", type: "bind", source: "\($src)/dir", options: ["bind"]}]
an unknown type~-~mounts.*nonesuch~[{destination: "/mnt", type: "nonesuch", source: "x"}]
a destination below a file~-~etc/passwd~[{destination: "/etc/passwd/x", type: "bind", source: "\($src)/dir", options: ["bind"]}]
a bad option of tmpfs~-~mnt~[{destination: "/mnt", type: "tmpfs", source: "tmpfs", options: ["nonesuch=1"]}]
EOF_TABLE

# ---- an engine's usual list of mounts, and many of them

make_source
for f in resolv.conf hosts hostname; do echo "$f of the engine" >"$src/$f"; done
script engine 'cat /etc/resolv.conf /etc/hosts /etc/hostname; echo "hosts of the engine" >/etc/hosts; echo x >/etc/hostname; ls /run; stat -f -c %T /dev/shm' '.mounts += [
	{destination: "/etc/resolv.conf", type: "bind", source: "\($src)/resolv.conf", options: ["bind", "rprivate"]},
	{destination: "/etc/hosts", type: "bind", source: "\($src)/hosts", options: ["bind", "rprivate"]},
	{destination: "/etc/hostname", type: "bind", source: "\($src)/hostname", options: ["bind", "rprivate", "ro"]},
	{destination: "/run/secrets", type: "bind", source: "\($src)/dir", options: ["bind", "rprivate", "ro"]}]' --arg src "$src"
run_both
same "what an engine mounts"
for i in {1..40}; do mkdir "$src/many$i"; echo "$i" >"$src/many$i/f"; done
script many 'cat /m/*/f | sort -n | md5sum; ls /m | wc -l' \
	'.mounts += [range(1; 41) | {destination: "/m/\(.)", type: "bind", source: "\($src)/many\(.)", options: ["bind", "ro"]}]' --arg src "$src"
run_both
same "40 bind mounts"

done_testing
