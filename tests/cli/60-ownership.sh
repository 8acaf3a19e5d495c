#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files: who owns what is made inside, seen from the host; and what system calls on the shared file system do.
. "$(dirname "$0")/lib.sh"
setup

caps='["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_SETFCAP", "CAP_AUDIT_WRITE"]'
all="(.process.capabilities |= (.bounding = $caps | .effective = $caps | .permitted = $caps | .inheritable = [] | .ambient = [])) | .process.noNewPrivileges = false"

# ---- the same commands under both, each in an empty folder; then what the host sees

# owners NAME SCRIPT [FILTER]
owners() {
	local who
	script owners "cd /w && $2" "$all | ${3:-.}"
	for who in ref rt; do
		mapped rm -rf "$T/rootfs/w"
		mapped mkdir -m 1777 "$T/rootfs/w"
		run_one $who
		# as the host has it: ids through this user's whole map, so that none is lost
		mapped find "$T/rootfs/w" -printf 'host %P: %y %#m %U:%G %n %l\n' | sort | cat "$T/$who.out" - >"$T/seen"
		mv -f "$T/seen" "$T/$who.out"
	done
	rc=$(cat "$T/rt.rc")
	same_lines "$1"
}

many='
	touch f; mkdir d; ln -s f l; ln f h; mkfifo p; echo "#!/bin/sh" >x; chmod 755 x
	for u in daemon bin mail www-data nobody; do su $u -s /bin/sh -c "touch f.$u; mkdir d.$u; ln -s x l.$u; chmod 2770 d.$u" || echo "su $u: failed"; done
	touch c1 c2 c3; chown 5:6 c1; chown 1000:1000 c2; chown 65534:65534 c3; mkdir deep; touch deep/1 deep/2; chown -R 33:33 deep
	chown -h 8:8 l; mkdir sg; chgrp 37 sg; chmod 2775 sg; touch sg/f; mkdir sg/d; mkdir st; chmod 1777 st; touch sid; chmod 6755 sid
	umask 077; touch um; mkdir umd; stat -c "inside %n: %F %a %u:%g" *'
owners "root inside makes files" "$many"
owners "a user inside makes files" 'id -u; touch f; mkdir d; ln -s f l; ln f h; chmod 700 d; chown 5 f 2>/dev/null || echo refused: yes; stat -c "inside %n: %F %a %u:%g" *' \
	'.process.user = {uid: 1000, gid: 1001, additionalGids: [44], umask: 7}'
owners "another group" 'touch f; chgrp 44 f; echo "chgrp: $?"; chgrp 45 f 2>/dev/null; echo "chgrp: $?"; stat -c "inside %n: %a %u:%g" *' \
	'.process.user = {uid: 8, gid: 9, additionalGids: [44]} | .process.capabilities = {}'
owners "archive as root" 'mkdir s; cd s; touch a b c; chown 1:1 a; chown 2:2 b; chmod 4711 c; ln -s a l; mkfifo p; cd ..; tar cf t.tar s; mkdir o; tar xpf t.tar -C o; rm t.tar; stat -c "inside %n: %a %u:%g" o/s/*'

if [ -n "$ROOTLESS" ]; then
	# one id only: what the host can't express is refused or kept aside, the same to the program inside
	jq '.linux.uidMappings |= .[0:1] | .linux.gidMappings |= .[0:1]' "$T/base.json" >"$T/single.json"
	cp "$T/base.json" "$T/range.json"
	cp "$T/single.json" "$T/base.json"
	owners "a single id: root inside" 'touch f; mkdir d; ln -s f l; ln f h; chmod 640 f; chmod 2755 d; mkfifo p; stat -c "inside %n: %F %a %u:%g" *'
	is "$(stat -c %u "$T/rootfs/w/f" "$T/rootfs/w/d" 2>/dev/null | sort -u)" "$UID_NOW" "a single id: on the host it's us"
	script single 'cd /w; touch c; chown 5:6 c; echo $? $(stat -c %u:%g c); cat c; rm c; echo $?' "$all"
	run_rt
	like "$out" $'^(0 5:6|1 0:0)\n0$' "a single id: chown is kept or refused, not half of it"
	script single 'cat /proc/self/uid_map; id -u; cat /etc/passwd | head -n 1' "$all"
	run_rt
	is "$rc $(tail -n 1 <<<"$out" | cut -d: -f1)" "0 root" "a single id: no newuidmap needed"
	cp "$T/range.json" "$T/base.json"
fi

# files of the host with other owners, seen inside
mapped sh -c "rm -rf '$T/rootfs/w'; mkdir -m 755 '$T/rootfs/w'; cd '$T/rootfs/w'; for i in 0 1 5 1000 65534; do touch \$i; chown \$i:\$i \$i; done; chmod 600 5; echo secret >5; mkdir -m 700 priv; chown 8:8 priv; touch priv/x"
script seen 'stat -c "%n: %a %u:%g" /w/*; cat /w/5; ls /w/priv; echo "dac: $?"' "$all"
run_both
same_lines "files of several owners, seen inside"
script seen 'cat /w/5 2>&1; ls /w/priv 2>&1; echo "dac: $?"' "$all | .process.user = {uid: 1000, gid: 1000} | .process.capabilities = {}"
run_both
same_lines "and by a user without rights"

# ---- system calls, from a Debian root

mapped rm -rf "$T/rootfs"
if rootfs_make debian "$T/rootfs" && [ -e "$T/rootfs/usr/bin/python3" ]; then
	for where in root bind; do
		bundle calls "$all | .process.args = [\"python3\", \"/fs.py\", \"calls\", \"/w/calls\"] | .process.env += [\"RANGE=$ROOTLESS\"] | .mounts += [
			{destination: \"/fs.py\", type: \"bind\", source: \$fs, options: [\"bind\", \"ro\"]}]
			+ (if \$where == \"bind\" then [{destination: \"/w\", type: \"bind\", source: \$w, options: [\"bind\"]}] else [] end)" \
			--arg fs "$HERE/fs.py" --arg w "$T/w" --arg where $where
		for who in ref rt; do
			mapped rm -rf "$T/rootfs/w" "$T/w"
			mapped mkdir "$T/rootfs/w" "$T/w"
			run_one $who
		done
		rc=$(cat "$T/rt.rc")
		like "$(cat "$T/rt.out")" 'fifo: data' "system calls in a $where: the table was run to its end" || detail
		same_lines "system calls in a $where"
	done
	# 5,000 files there and back: made inside, read outside; packed outside, unpacked and read inside
	FILES=${FILES:-5000}
	run_fs() { # WHO SECTION DIR
		bundle files "$all | .process.args = [\"sh\", \"-c\", \$sh] | .mounts += [{destination: \"/fs.py\", type: \"bind\", source: \$fs, options: [\"bind\", \"ro\"]}]" \
			--arg fs "$HERE/fs.py" --arg sh "$1"
		LIMIT=600 run_rt
	}
	mapped rm -rf "$T/rootfs/w"
	run_fs "python3 /fs.py tree /w/t $FILES && python3 /fs.py check /w/t $FILES && tar -C /w/t -cf /w/t.tar . && cd /w/t && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum"
	is "$rc" 0 "$FILES files made inside" || detail
	inside=$(tail -n 1 <<<"$out")
	like "$out" "checked: $FILES of $FILES" "$FILES files read back inside"
	is "$(cd "$T/rootfs/w/t" && mapped find . -type f -print0 | sort -z | mapped xargs -0 sha256sum | sha256sum)" "$inside" "the same hashes outside"
	mkdir "$T/back"
	tar -C "$T/back" -xf "$T/rootfs/w/t.tar" 2>/dev/null
	is "$(python3 "$HERE/fs.py" check "$T/back" "$FILES" | head -n 1)" "checked: $FILES of $FILES" "the archive made inside, unpacked outside"
	mapped rm -rf "$T/rootfs/w/t" "$T/rootfs/w/t.tar"
	tar -C "$T/back" -cf "$T/rootfs/w/u.tar" .
	run_fs "mkdir /w/u && tar -C /w/u -xf /w/u.tar && python3 /fs.py check /w/u $FILES && cd /w/u && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum; rm -rf /w/u; ls -A /w"
	like "$out" "checked: $FILES of $FILES" "an archive made outside, unpacked inside" || detail
	like "$out" "$inside" "the same hashes again"
	is "$(mapped ls -A "$T/rootfs/w")" "u.tar" "rm -rf of $FILES files inside"
else
	skip "system calls" "no Debian root file system with python3 in $BED"
fi

done_testing
