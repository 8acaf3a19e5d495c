#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# idmap: bind mounts whose owners are mapped; compared with the reference. An ordinary user may not have them under either.
. "$(dirname "$0")/lib.sh"
setup

src=$T/src
make_source() {
	[ "$UID_NOW" != 0 ] || umount "$src/dir/sub" 2>/dev/null
	mapped rm -rf "$src"
	mkdir -p "$src/dir/sub"
	[ "$UID_NOW" != 0 ] || mount -t tmpfs -o mode=755 tmpfs "$src/dir/sub"
	for id in 0 1 5 9 10 77; do
		echo $id >"$src/dir/$id"
		[ "$UID_NOW" != 0 ] || chown "$id:$((id + 1))" "$src/dir/$id"
	done
	echo sub >"$src/dir/sub/f"
	[ "$UID_NOW" != 0 ] || chown 3:3 "$src/dir/sub/f"
	chmod 0666 "$src/dir/5"
	chmod 1777 "$src/dir"
}
RESET=make_source

# each of them is made under both, seen from inside, written to by several users, and seen from outside again
# shellcheck disable=SC2016
look='cd /m; stat -c "%n %u:%g %a" . 0 1 5 9 10 77 sub/f 2>&1; touch made; mkdir made.dir; ln -s x made.link; echo x >5; chown 3:4 made 2>&1; stat -c "%n %u:%g" made* 2>&1
	chown 0:0 77 2>&1; echo "chown 77: $?"; cat sub/f; rm 9; echo "rm: $?"'
owners() { (cd "$src/dir" && stat -c '%n %u:%g' * | sort); }
each() { # NAME FILTER
	script "idmap" "$look" "$2" --arg src "$src"
	local who
	for who in ref rt; do
		run_one $who
		owners >>"$T/$who.out"
	done
	rc=$(cat "$T/rt.rc") err=$(cat "$T/rt.err")
	if [ "$UID_NOW" = 0 ]; then
		[ "$(cat "$T/ref.rc")" = 0 ] || diag "the reference says: $(cat "$T/ref.err")"
		same "$1"
	else
		[ "$(cat "$T/ref.rc")" != 0 ] || diag "the reference accepts: $1"
		refuses "$1" 'mounts\[[0-9]*\].*[Oo]peration not permitted'
	fi
}
norm() { sed "s/^[a-z]*: \(.*: \)/\1/"; }

all='.process.capabilities |= with_entries(.value += ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID"])'
userns='.linux.namespaces |= (map(select(.type != "user")) + [{type: "user"}]) | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
ten='uidMappings: [{containerID: 0, hostID: 0, size: 10}], gidMappings: [{containerID: 0, hostID: 20, size: 100}]'
[ "$UID_NOW" = 0 ] || userns=.
chmod 755 "$T"

each "mappings of a mount" "$all | .mounts += [{destination: \"/m\", type: \"bind\", source: \"\\(\$src)/dir\", options: [\"bind\"], $ten}]"
each "mappings of a mount, recursively" "$all | .mounts += [{destination: \"/m\", type: \"bind\", source: \"\\(\$src)/dir\", options: [\"rbind\", \"ridmap\"], $ten}]"
each "mappings in the option" "$all"' | .mounts += [{destination: "/m", type: "bind", source: "\($src)/dir", options: ["rbind", "idmap=uids=0-0-1#5-30-1;gids=0-0-100"]}]'
if [ "$UID_NOW" = 0 ]; then
	each "mappings of the container" "$all | $userns"' | .mounts += [{destination: "/m", type: "bind", source: "\($src)/dir", options: ["bind", "idmap"]}]'
	each "of the container, relative" "$all | $userns"' | .mounts += [{destination: "/m", type: "bind", source: "\($src)/dir", options: ["bind", "idmap=uids=@0-10-100;gids=@0-0-100"]}]'
	each "in a container that maps, read-only" "$all | $userns"' | .mounts += [{destination: "/m", type: "bind", source: "\($src)/dir", options: ["bind", "ro"], uidMappings: [{containerID: 0, hostID: 100000, size: 65536}], gidMappings: [{containerID: 0, hostID: 100000, size: 65536}]}]'
fi

if rt_only "what can't be mapped"; then
	while IFS='~' read -r title regex mount; do
		bundle bad ".mounts += [{destination: \"/m\"} + $mount]" --arg src "$src"
		run_rt
		refuses "$title" "$regex"
	done <<-'EOF_BAD'
		users only~mounts.*gidMappings~{type: "bind", source: "\($src)/dir", options: ["bind"], uidMappings: [{containerID: 0, hostID: 1, size: 1}]}
		a text without sense~mounts.*idmap=uids=0-x~{type: "bind", source: "\($src)/dir", options: ["bind", "idmap=uids=0-x;gids=0-0-1"]}
		a tmpfs~mounts.*bind mounts~{type: "tmpfs", source: "tmpfs", uidMappings: [{containerID: 0, hostID: 1, size: 1}], gidMappings: [{containerID: 0, hostID: 1, size: 1}]}
	EOF_BAD
fi

[ "$UID_NOW" != 0 ] || umount "$src/dir/sub"
leaks "nothing is left"
done_testing
