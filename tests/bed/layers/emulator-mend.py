#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""emulator-mend.py PROGRAM - mend QEMU's emulation of SVM in the bed's own copy of it.

Two mistakes of QEMU 10.0 end a guest, or the emulated host itself, now and then: every few minutes on a busy machine.
Both were seen in a trace of the emulator.

A vector is delivered twice. helper_vmrun() (target/i386/tcg/system/svm_helper.c) leaves the vector that it injects into a
guest in cpu->exception_index. When the thread is then asked to stop before the guest's next exit, cpu_handle_interrupt()
(accel/tcg/cpu-exec.c) takes that for an exception that waits, and the guest gets its interrupt a second time, at the
first instruction of the handler, where interrupts are off: with the registers of a user program still loaded that is
the end of the guest.

    if (cpu->exception_index == -1) {               // the comparison goes; nothing can wait here
        cpu->exception_index = EXCP_INTERRUPT;

CPU 0 loses what it wrote to its hflags2. Every CPU that loads an FPU state (cpu_set_fpus(), target/i386/tcg/fpu_helper.c)
clears HF2_IGNNE_MASK of the first one, without a lock: between the load and the store of that the first CPU clears
HF2_GIF_MASK or HF2_NPT_MASK at a #VMEXIT, and has it again. With GIF an interrupt comes in the middle of KVM's entry
code, with the guest's GS ("stack guard page was hit", a panic); with NPT the host's addresses are taken for a guest's;
without NPT in a guest nothing of it is mapped, and it ends. Nothing here ever sets IGNNE (a write to port F0h does).

    env->hflags2 &= ~HF2_IGNNE_MASK;                // cpu_clear_ignne(), target/i386/tcg/system/fpu_helper.c: it goes

What is not found exactly once in a program is left alone: the bed works, and its guests reset now and then.
"""
import re
import sys

MENDS = {
    # cmp $-1, reg; jne; movl $EXCP_INTERRUPT, exception_index(cpu): without the jne
    "exception_index": (
        re.compile(rb"(\x83[\xf8-\xff]\xff)\x0f\x85...\xff(\xc7[\x80-\x87]..\x00\x00\x00\x00\x01\x00)", re.S),
        lambda m: m[1] + b"\x66\x0f\x1f\x44\x00\x00" + m[2],
    ),
    # andl $~HF2_IGNNE_MASK, hflags2(%rax): no operation, of ten bytes
    "hflags2": (
        re.compile(rb"\x81\xa0..\x00\x00\x7f\xff\xff\xff", re.S),
        lambda m: b"\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00",
    ),
}


def main():
    path = sys.argv[1]
    with open(path, "rb") as f:
        program = f.read()
    for name, (place, mended) in MENDS.items():
        n = len(place.findall(program))
        if n == 1:
            program = place.sub(mended, program)
        else:
            print(f"note: emulator-mend.py: {n} places fit \"{name}\" in this QEMU instead of one: left as it is, and guests"
                  " may reset themselves now and then", file=sys.stderr)
    with open(path, "r+b") as f:
        f.write(program)


if __name__ == "__main__":
    main()
