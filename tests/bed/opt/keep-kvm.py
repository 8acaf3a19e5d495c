#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""keep-kvm.py - a virtual machine that does nothing, for as long as the bed is up.

With the first machine and after the last one KVM patches the host's code: a static key in __schedule() for preemption
notifiers, others for CPUs whose APIC is off. In QEMU's emulation a CPU that comes by in the middle can keep the
breakpoint that such patching puts there for a moment ("Oops: int3" in __schedule, then a panic): between the
invalidation of translated code and the store that caused it, another thread translates the old bytes again. So one
machine stays, with a CPU that never runs and whose APIC is off.
"""
import fcntl
import os
import signal
import struct

KVM_CREATE_VM = 0xAE01
KVM_CREATE_VCPU = 0xAE41
KVM_CREATE_IRQCHIP = 0xAE60
KVM_GET_SREGS = 0x8138AE83
KVM_SET_SREGS = 0x4138AE84
SREGS_BYTES = 312
APIC_BASE = 272  # offset in struct kvm_sregs
APIC_BASE_ENABLE = 1 << 11


def main():
    kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    vm = fcntl.ioctl(kvm, KVM_CREATE_VM, 0)
    fcntl.ioctl(vm, KVM_CREATE_IRQCHIP, 0)
    vcpu = fcntl.ioctl(vm, KVM_CREATE_VCPU, 0)
    sregs = bytearray(SREGS_BYTES)
    fcntl.ioctl(vcpu, KVM_GET_SREGS, sregs)
    base, = struct.unpack_from("=Q", sregs, APIC_BASE)
    struct.pack_into("=Q", sregs, APIC_BASE, base & ~APIC_BASE_ENABLE)
    fcntl.ioctl(vcpu, KVM_SET_SREGS, sregs)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
