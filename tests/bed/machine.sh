# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# machine.sh - the emulated machine: all that must be the same when its state is saved and when it is resumed.
# Names are relative to the folder the emulator runs in (vm.sh).

MACHINE=(-nodefaults -no-user-config -display none -no-reboot -name coracle-bed
	-machine q35,memory-backend=ram0,vmport=off,usb=off,smm=off -cpu EPYC-v3,+svm,+npt
	-smp "$BED_CPUS" -m "$BED_MEM" -kernel image/vmlinuz -initrd image/initrd
	-append "console=ttyS0 root=/dev/vda rw quiet mitigations=off nokaslr audit=0 nowatchdog tsc=reliable clocksource=tsc random.trust_cpu=on fsck.mode=skip"
	-drive file=disk.qcow2,if=none,id=d0,format=qcow2,cache=unsafe,discard=unmap -device virtio-blk-pci,drive=d0
	-device virtio-net-pci,netdev=n0,romfile= -device virtio-rng-pci
	-serial file:console)
