#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# rootfs.sh DIR - make busybox.tar and debian.tar, the root file systems of the container images.
set -euo pipefail
dir=${1:?which folder}

# busybox: the static binary, its applets, and the users and folders that images usually have
box=$dir/busybox
mmdebstrap --variant=extract --mode=root --include=busybox-static "$BED_SUITE" "$dir/x" ${BED_MIRROR:+"$BED_MIRROR"}
mkdir -p "$box"/{bin,dev,etc,home,proc,root,run,sbin,sys,tmp,usr/bin,usr/sbin,var/tmp,var/www}
cp "$dir/x/usr/bin/busybox" "$box/bin/"
for a in $("$box/bin/busybox" --list); do [ "$a" = busybox ] || ln -s busybox "$box/bin/$a"; done
ln -s ../../bin/env "$box/usr/bin/env"
printf '%s\n' root:x:0:0:root:/root:/bin/sh daemon:x:1:1:daemon:/usr/sbin:/bin/false bin:x:2:2:bin:/bin:/bin/false \
	sys:x:3:3:sys:/dev:/bin/false sync:x:4:100:sync:/bin:/bin/sync mail:x:8:8:mail:/var/spool/mail:/bin/false \
	www-data:x:33:33:www-data:/var/www:/bin/false operator:x:37:37:Operator:/var:/bin/false \
	nobody:x:65534:65534:nobody:/home:/bin/false >"$box/etc/passwd"
printf '%s\n' root:x:0: daemon:x:1: bin:x:2: sys:x:3: adm:x:4: tty:x:5: disk:x:6: mail:x:8: wheel:x:10:root \
	www-data:x:33: operator:x:37: users:x:100: nogroup:x:65534: >"$box/etc/group"
chmod 1777 "$box/tmp" "$box/var/tmp"
chmod 700 "$box/root"
tar -C "$box" --owner=0 --group=0 --numeric-owner --sort=name -cf "$dir/busybox.tar" .
rm -rf "$box" "$dir/x"

# debian: a small system with something to measure by
mmdebstrap --variant=minbase --mode=root --include=procps,iproute2,python3-minimal,fio,iperf3,git \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='force-unsafe-io' \
	--customize-hook='rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/*' \
	"$BED_SUITE" "$dir/debian.tar" ${BED_MIRROR:+"$BED_MIRROR"}
