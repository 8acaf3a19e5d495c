#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# state.sh DIR - boot the image, provision it, and save it while it runs: disk.qcow2, memory, devices.
set -euo pipefail
. "$BED_HOME/lib.sh"
. "$BED_HOME/vm.sh"
dir=${1:?which folder} VM=$1/run image=$(layer image)
end() {
	echo "== journal"; (cd "$VM" && timeout 20 "${SSH[@]}" -p "$(cat port)" -o HostName=127.0.0.1 root@bed journalctl -b --no-pager -n 20) || true
	echo "== emulator"; tail -n 5 "$VM/qemu.log"
	echo "== console"; tail -n 15 "$VM/console"
	vm_stop
}
trap end EXIT

mkdir "$VM"
ln -s "$image" "$VM/image"
qemu-img create -q -f qcow2 -F raw -b "$image/disk.raw" "$VM/disk.qcow2"
say "state: booting"
vm_start "memory-backend-file,mem-path=../memory,share=on"
vm_wait 240
vm_settle
say "state: provisioning"
tar -C "$(layer rootfs)" -cf - busybox.tar debian.tar |
	vm_ssh root 'mkdir -p /var/tmp/images && tar -C /var/tmp/images -xf -'
vm_ssh root 'bash -eux -s' <"$BED_HOME/guest/provision.sh"
say "state: saving"
vm_ssh root 'systemctl is-system-running --wait || true; fstrim /; sync; echo 1 >/proc/sys/vm/compact_memory; sleep 1'
vm_qmp save ../devices
while vm_alive; do sleep 0.1; done
trap - EXIT
mv "$VM/disk.qcow2" "$dir/"
qemu-img rebase -u -F raw -b "../${image##*/}/disk.raw" "$dir/disk.qcow2"
vm_stop
rm -r "$VM"
