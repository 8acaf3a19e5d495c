#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""emulator-mend.py PROGRAM - mend QEMU's emulation of SVM in the bed's own copy of it.

helper_vmrun() (target/i386/tcg/system/svm_helper.c, QEMU 10.0) leaves the vector that it injects into a guest in
cpu->exception_index. When the thread is then asked to stop before the guest's next exit, cpu_handle_interrupt()
(accel/tcg/cpu-exec.c) takes that for an exception that waits, and the guest gets its interrupt a second time, at the
first instruction of the handler, where interrupts are off: with the registers of a user program still loaded that is
the end of the guest. A trace of the emulator showed it some four times an hour on a busy machine.

    if (cpu->exception_index == -1) {               // the comparison goes; nothing can wait here
        cpu->exception_index = EXCP_INTERRUPT;

A program in which this is not found exactly once is left alone: the bed works, and its guests reset now and then.
"""
import re
import sys

# cmp $-1, reg; jne; movl $EXCP_INTERRUPT, exception_index(cpu)
PLACE = re.compile(rb"(\x83[\xf8-\xff]\xff)\x0f\x85...\xff(\xc7[\x80-\x87]..\x00\x00\x00\x00\x01\x00)", re.S)
NOP = b"\x66\x0f\x1f\x44\x00\x00"


def main():
    path = sys.argv[1]
    with open(path, "rb") as f:
        mended, n = PLACE.subn(lambda m: m[1] + NOP + m[2], f.read())
    if n != 1:
        print(f"note: emulator-mend.py: {n} places fit in this QEMU instead of one: left as it is, and guests may reset"
              " themselves now and then", file=sys.stderr)
        return
    with open(path, "r+b") as f:
        f.write(mended)


if __name__ == "__main__":
    main()
