#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""elf.py FILE HEX [MACHINE] - write the smallest static program for x86-64 that runs the given machine code."""
import os
import struct
import sys

code = bytes.fromhex(sys.argv[2])
machine = int(sys.argv[3]) if len(sys.argv) > 3 else 62
base = 0x400000
header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, machine, 1, base + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, 120 + len(code), 120 + len(code), 4096)
with open(sys.argv[1], "wb") as f:
    f.write(header + segment + code)
os.chmod(sys.argv[1], 0o755)
