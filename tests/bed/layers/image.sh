#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# image.sh DIR - make the emulated host: vmlinuz, initrd, disk.raw, and the key that opens it.
set -euo pipefail
. "$BED_HOME/lib.sh"
dir=${1:?which folder}

# Recommended packages are not installed, so what rootless containers need is spelled out.
base="systemd systemd-sysv dbus dbus-user-session libpam-systemd udev kmod openssh-server initramfs-tools zstd
	linux-image-amd64 ca-certificates procps psmisc less file iproute2 iputils-ping nftables iptables
	netcat-openbsd socat curl jq python3 acl attr xz-utils cpio rsync gawk bc bsdextrautils xxd openssl
	busybox-static e2fsprogs erofs-utils"
work="gcc libc6-dev make git gdb strace bats parallel hyperfine iperf3 fio stress-ng"
containers="podman crun runc runsc containerd docker.io docker-cli buildah skopeo umoci conmon catatonit netavark
	aardvark-dns passt slirp4netns uidmap fuse-overlayfs containernetworking-plugins"
machines="qemu-system-x86 qemu-utils virtiofsd"
libraries="libyajl2 libseccomp2 libcap-ng0 libnl-3-200 libnl-route-3-200"
include=$(echo $base $work $containers $machines $libraries | tr ' ' ,)

ssh-keygen -q -t ed25519 -N '' -C coracle-bed -f "$dir/key"
say "image: installing Debian $BED_SUITE"
mmdebstrap --variant=minbase --mode=root --include="$include" \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='force-unsafe-io' \
	--essential-hook='mkdir -p "$1/etc/initramfs-tools/conf.d"' \
	--essential-hook='printf "MODULES=list\nCOMPRESS=zstd\nCOMPRESSLEVEL=1\n" >"$1/etc/initramfs-tools/conf.d/bed"' \
	--essential-hook='printf "%s\n" virtio_pci virtio_blk ext4 crc32c >"$1/etc/initramfs-tools/modules"' \
	--customize-hook="upload '$dir/key.pub' /root/key.pub" \
	--customize-hook="upload '$BED_HOME/guest/setup.sh' /root/setup.sh" \
	--customize-hook='chroot "$1" sh -eux /root/setup.sh' \
	"$BED_SUITE" "$dir/root" ${BED_MIRROR:+"$BED_MIRROR"}

say "image: writing the disk"
cp "$dir"/root/boot/vmlinuz-* "$dir/vmlinuz"
cp "$dir"/root/boot/initrd.img-* "$dir/initrd"
truncate -s "$BED_DISK" "$dir/disk.raw"
mke2fs -q -t ext4 -L bed -O ^has_journal -E lazy_itable_init=1 -d "$dir/root" "$dir/disk.raw"
rm -rf --one-file-system "$dir/root"
