#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Debian's own tools on a container's root: dpkg, apt, git, tar, fio; and permissions compared with the reference.
. "$(dirname "$0")/lib.sh"
setup debian
FILES=${FILES:-2000}
LIMIT=${TORTURE_LIMIT:-600}
all='(.process.capabilities |= (.bounding = $caps | .effective = $caps | .permitted = $caps | .inheritable = [] | .ambient = [])) | .process.noNewPrivileges = false
	| .process.env += ["DEBIAN_FRONTEND=noninteractive", "HOME=/root"] | .process.rlimits = []
	| .mounts += [{destination: "/fs.py", type: "bind", source: $fs, options: ["bind", "ro"]}]'
caps='["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP", "CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_SETFCAP", "CAP_AUDIT_WRITE"]'

debian() { # NAME SCRIPT [FILTER [JQ ARGUMENTS]]
	script "$1" "set -e; $2" "$all | ${3:-.}" --argjson caps "$caps" --arg fs "$HERE/fs.py" "${@:4}"
}
has() { [ -e "$T/rootfs/usr/bin/$1" ] || { skip "$2" "$1 is not in the root file system"; return 1; }; }

debian id 'cat /etc/debian_version; . /etc/os-release; echo $ID; id; ls / | xargs; bash -c "echo \$BASH_VERSION"'
run_both
same "Debian's tools run"

# folders get their times from the host, the program from its own kernel
debian clock 'mkdir /srv/before; sleep 0.1; date +%s%N; sleep 0.1; mkdir /srv/after'
run_rt
made() { stat -c %.9Y "$T/rootfs/srv/$1" | tr -d .; }
[ "$(made before)" -le "$out" ] && [ "$out" -le "$(made after)" ]
ok $? "the machine's clock is the host's" || diag "$(made before) $out $(made after)"
rmdir "$T"/rootfs/srv/{before,after}

# ---- dpkg: a package with files, folders, links, odd modes, owners and scripts, made and installed inside

debian dpkg '
	mkdir -p /tmp/p/DEBIAN /tmp/p/opt/pkg/sub /tmp/p/usr/bin; cd /tmp/p
	printf "Package: torture\nVersion: 1.0\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: a test\n" >DEBIAN/control
	printf "#!/bin/sh\nset -e\nchown daemon:daemon /opt/pkg/owned\necho configured >/opt/pkg/postinst\n" >DEBIAN/postinst; chmod 755 DEBIAN/postinst
	echo /opt/pkg/conf >DEBIAN/conffiles; echo conf >opt/pkg/conf
	i=0; while [ $i -lt 200 ]; do echo "file $i" >opt/pkg/sub/$i; i=$((i+1)); done
	printf "#!/bin/sh\necho from the package\n" >usr/bin/torture; chmod 755 usr/bin/torture; echo x >opt/pkg/owned; chmod 4755 opt/pkg/owned
	ln -s sub opt/pkg/link; ln opt/pkg/owned opt/pkg/hard
	cd /; dpkg-deb --root-owner-group -b /tmp/p /tmp/t.deb >/dev/null
	dpkg -i /tmp/t.deb >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }
	echo "status: $(dpkg -s torture | grep ^Status)"; echo "run: $(torture)"; echo "script: $(cat /opt/pkg/postinst)"
	echo "files: $(ls /opt/pkg/sub | wc -l)"; echo "owner: $(stat -c "%U %a %h" /opt/pkg/owned)"
	echo "verify: $(dpkg --verify torture | wc -l)"
	dpkg -i /tmp/t.deb >/dev/null 2>&1; echo "again: $?"
	dpkg -r torture >/dev/null 2>&1; echo "removed: $? $(ls -A /opt/pkg | xargs)"
	dpkg -P torture >/dev/null 2>&1; echo "purged: $? $(ls /opt | xargs)"; rm -rf /tmp/p /tmp/t.deb /tmp/log'
run_both
like "$out" 'purged: 0' "dpkg: to the end" || detail
same_lines dpkg
debian apt 'mkdir -p /tmp/repo; cd /tmp/repo; mkdir -p p/DEBIAN p/opt/apt; echo x >p/opt/apt/f
	printf "Package: viaapt\nVersion: 2.0\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: a test\n" >p/DEBIAN/control
	dpkg-deb --root-owner-group -b p viaapt.deb >/dev/null
	apt-get -o APT::Sandbox::User=root -y install ./viaapt.deb >log 2>&1 || { tail -n 5 log; exit 1; }
	echo "installed: $(cat /opt/apt/f)"; apt-get -o APT::Sandbox::User=root -y purge viaapt >log 2>&1 || { tail -n 5 log; exit 1; }
	echo "purged: $(ls -d /opt/apt 2>/dev/null)"; cd /; rm -rf /tmp/repo'
has apt-get apt && { run_rt; is "$rc $(xargs <<<"$out")" "0 installed: x purged:" "apt-get installs and purges a local package" || detail; }

# ---- git: a repository made here, cloned inside

if has git "a git clone"; then
	mkdir "$T/repo"
	(
		cd "$T/repo" && git init -q . && git config user.email t@example.org && git config user.name T
		for i in {1..300}; do mkdir -p d$((i % 10)); echo "file $i" >"d$((i % 10))/f$i"; done
		git add . && git commit -q -m first
		for i in {1..300..7}; do echo more >>"d$((i % 10))/f$i"; done
		git commit -q -a -m second && git gc -q
	) >/dev/null 2>&1
	debian git 'export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="*"
		git clone -q --no-hardlinks /src /srv/clone 2>&1; cd /srv/clone; git fsck --full 2>&1 | grep -v "^Checking\|^$" || true; git status --short
		git log --format=%s | xargs; git rev-parse HEAD; git config user.email t@example.org; git config user.name T
		echo new >d1/new; git add .; git commit -q -m third; git checkout -q HEAD~1; git checkout -q -; git gc -q 2>&1; git fsck 2>&1 | grep -i error || true
		ls d1 | wc -l; cd /; rm -rf /srv/clone; echo done' \
		'.mounts += [{destination: "/src", type: "bind", source: $repo, options: ["bind", "ro"]}]' --arg repo "$T/repo"
	run_both
	same "git clone, fsck, commit, checkout, gc"
fi

# ---- tar of what Debian has, there and back

debian tar 'cd /usr/share; find . -type f | sort | head -n 500 >/tmp/list; tar -cf /tmp/u.tar -T /tmp/list; mkdir /tmp/u; tar -C /tmp/u -xf /tmp/u.tar
	a=$(xargs -d "\n" sha256sum </tmp/list | sha256sum); cd /tmp/u; b=$(xargs -d "\n" sha256sum </tmp/list | sha256sum); [ "$a" = "$b" ] && echo same
	cp -a /tmp/u /tmp/v; diff -r /tmp/u /tmp/v && echo same; find /tmp/u -type f | wc -l; du -sk --apparent-size /tmp/u | cut -f1 >/dev/null; rm -rf /tmp/u /tmp/v /tmp/u.tar /tmp/list; ls /tmp | wc -l'
run_both
same "tar, cp -a and diff of 500 files of /usr/share"

# ---- fio: data written is data read

if has fio "fio verify"; then
	debian fio 'mkdir -p /srv/fio; cd /srv/fio; fio --output=/tmp/fio.log --thread --size=4m --verify=crc32c --do_verify=1 --verify_fatal=1 --ioengine=psync --fallocate=none \
		--name=seq --rw=write --bs=64k --name=rand --stonewall --rw=randwrite --bs=4k --name=mix --stonewall --rw=randrw --bs=8k --name=mm --stonewall --ioengine=mmap --rw=randwrite --bs=4k \
		|| { tail -n 5 /tmp/fio.log; exit 1; }; grep -c "err= 0" /tmp/fio.log; rm -rf /srv/fio /tmp/fio.log'
	run_rt
	is "$rc $out" "0 4" "fio: four jobs with verification" || detail
fi

# ---- permissions, compared line by line

if has python3 "permissions"; then
	debian perms 'rm -rf /srv/perms; mkdir /srv/perms; python3 /fs.py permissions /srv/perms; rm -rf /srv/perms'
	run_both
	[ "$(wc -l <"$T/rt.out")" -ge 130 ]
	ok $? "permissions: the table was run to its end" || detail
	same_lines permissions
	# at the same time: many processes in one folder
	debian busy "cd /srv; for p in 1 2 3 4; do python3 /fs.py tree /srv/t\$p $((FILES / 20)) >/dev/null & done; wait; for p in 1 2 3 4; do python3 /fs.py check /srv/t\$p $((FILES / 20)); done; rm -rf /srv/t?; ls -A /srv"
	run_rt
	is "$rc $(grep -c "checked: $((FILES / 20)) of $((FILES / 20))" <<<"$out") $(tail -n 1 <<<"$out" | grep -c checksum)" "0 4 1" \
		"four processes make trees at once" || detail
fi

done_testing
