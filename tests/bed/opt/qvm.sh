#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# qvm.sh KERNEL ROOTFS COMMAND - run COMMAND in a QEMU microvm on a root served by virtiofsd, exit as it did.
# Environment: APPEND (more kernel command line), QEMU_MORE (more arguments), VFS_CACHE, VFS_SANDBOX, V (show the logs).
kernel=$1 root=$2
shift 2
d=$(mktemp -d)
cat >"$root/.bed-init" <<INIT
#!/bin/sh
mount -t proc proc /proc 2>/dev/null
( $* )
echo \$? >/.bed-status
exec reboot -f
INIT
chmod +x "$root/.bed-init"
/usr/libexec/virtiofsd --socket-path="$d/fs" --shared-dir "$root" --sandbox "${VFS_SANDBOX:-none}" \
	--cache "${VFS_CACHE:-auto}" --log-level error >"$d/fs.log" 2>&1 &
fs=$!
while [ ! -S "$d/fs" ] && kill -0 $fs 2>/dev/null; do sleep 0.01; done
read -ra more <<<"${QEMU_MORE:-}"
qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -cpu host -accel kvm -smp 1 -m 256 \
	-M microvm,acpi=off,pit=off,pic=off,rtc=off,isa-serial=on,auto-kernel-cmdline=on,memory-backend=m \
	-object memory-backend-memfd,id=m,size=256M,share=on -serial "file:$d/console" -kernel "$kernel" \
	-append "console=ttyS0 quiet loglevel=1 rootfstype=virtiofs root=root rw init=/.bed-init reboot=t panic=-1 ${APPEND:-}" \
	-chardev "socket,id=c,path=$d/fs" -device vhost-user-fs-device,chardev=c,tag=root,queue-size=1024 "${more[@]}" >"$d/qemu.log" 2>&1
kill $fs 2>/dev/null
wait $fs 2>/dev/null
[ -z "${V:-}" ] || cat "$d/console" "$d/qemu.log" "$d/fs.log"
status=$(cat "$root/.bed-status" 2>/dev/null)
rm -rf "$d" "$root/.bed-init" "$root/.bed-status"
exit "${status:-99}"
