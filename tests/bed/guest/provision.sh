# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# provision.sh - run in the emulated host before its state is saved: container images for root and the user.
export HOME=/root
images=/var/tmp/images bed=/opt/bed
mkdir -p $bed
cp $images/busybox.tar $bed/
touch /etc/default/locale
cd /
as_user() {
	runuser -u user -- env HOME=/home/user XDG_RUNTIME_DIR=/run/user/1000 \
		DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus "$@"
}
import() { # [PREFIX]
	$1 podman import -q -c 'CMD=/bin/sh' -c 'ENV=PATH=/bin:/usr/bin' $images/busybox.tar localhost/busybox:latest
	$1 podman import -q -c 'CMD=/bin/bash' $images/debian.tar localhost/debian:latest
}
import as_user & user=$!
import ''
podman save -q -o $bed/busybox-image.tar localhost/busybox
podman save -q -o $bed/debian-image.tar localhost/debian
wait $user
rm -r $images

# a plain OCI bundle's root, for runtimes driven by hand
mkdir -p $bed/bundle/rootfs
tar -C $bed/bundle/rootfs -xf $bed/busybox.tar

# gVisor as rootless podman wants it: no cgroups of its own
for p in systrap ptrace; do
	printf '#!/bin/sh\nexec /usr/bin/runsc --ignore-cgroups --network=host --platform=%s "$@"\n' $p >/usr/local/bin/runsc-$p
done
chmod 755 $bed /usr/local/bin/runsc-*
