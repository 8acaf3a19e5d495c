#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""spin.py FILE - write a guest kernel whose CPUs, all of them, spin with interrupts off for ever.

An ELF file that is entered through PVH: 32 bits, no paging, on one CPU. It starts the others through its local APIC
at code below 1 MiB that does the same as it does.
"""
import struct
import sys

LOAD = 0x100000  # the lowest address where a kernel may be
AP_CODE = 0x8000  # a start-up interrupt's vector is its page


def store(address, value):
    """movl $value, address"""
    return b"\xc7\x05" + struct.pack("<II", address, value)


SPIN = b"\xfa\xeb\xfe"  # cli; jmp to itself: the same bytes for 16 and 32 bits
CODE = b"".join([
    b"\xfa",
    store(AP_CODE, struct.unpack("<I", SPIN + b"\x90")[0]),
    store(0xfee000f0, 0x1ff),  # the local APIC on
    store(0xfee00300, 0xc4500),  # INIT to all others
    b"\xb9\x00\x00\x01\x00\xe2\xfe",  # mov $0x10000, %ecx; loop to itself: they take it
    store(0xfee00300, 0xc4600 | AP_CODE >> 12),  # start-up
    SPIN,
])
NOTE = struct.pack("<III4sI", 4, 4, 18, b"Xen\0", LOAD)  # XEN_ELFNOTE_PHYS32_ENTRY

at = 64 + 2 * 56
header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, LOAD, 64, 0, 0, 64, 56, 2, 0, 0, 0)
load = struct.pack("<IIQQQQQQ", 1, 5, at, LOAD, LOAD, len(CODE), len(CODE), 4096)
note = struct.pack("<IIQQQQQQ", 4, 4, at + len(CODE), 0, 0, len(NOTE), len(NOTE), 4)
with open(sys.argv[1], "wb") as f:
    f.write(header + load + note + CODE + NOTE)
