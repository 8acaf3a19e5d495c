# SPDX-License-Identifier: Apache-2.0
"""fds.py - what the tests of passed descriptors need on either side.

pair COMMAND...          run it with one end of a pair of sockets as descriptor 3; talk to the other end, print what it says
listen KIND COMMAND...   run it with a socket that listens (unix PATH, inet, inet6) as descriptor 3, connect to it
dgram COMMAND...         run it with a socket for messages as descriptor 3
serve                    in the container: answer what comes to descriptor 3
"""
import hashlib
import os
import socket
import sys
import threading

CONNECTIONS = 20


def run(sock, command, env=None):
    """Start COMMAND with SOCK as descriptor 3 and nothing else of ours. LISTEN_PID must be its own pid."""
    pid = os.fork()
    if pid:
        sock.close()
        return pid
    if sock.fileno() != 3:
        os.dup2(sock.fileno(), 3)
    os.set_inheritable(3, True)
    os.closerange(4, 64)
    os.environ.update({k: v or str(os.getpid()) for k, v in (env or {}).items()})
    os.execvp(command[0], command)


def end(pid):
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print("status:", status)


def ask(address, family, size):
    data = os.urandom(size)
    with socket.socket(family) as s:
        s.connect(address)
        threading.Thread(target=lambda: (s.sendall(data), s.shutdown(socket.SHUT_WR)), daemon=True).start()
        got = b""
        while piece := s.recv(65536):
            got += piece
    return got == hashlib.sha256(data).hexdigest().encode() * 1000


def pair(command):
    ours, theirs = socket.socketpair()
    pid = run(theirs, command)
    ours.sendall(b"hello\n" + b"x" * 500000)
    ours.shutdown(socket.SHUT_WR)
    got = b""
    while piece := ours.recv(65536):
        got += piece
    print("said:", len(got), got[:40])
    end(pid)


def listen(kind, command):
    family = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}.get(kind, socket.AF_UNIX)
    s = socket.socket(family)
    s.bind(kind if family == socket.AF_UNIX else ("127.0.0.1" if kind == "inet" else "::1", 0))
    s.listen(64)
    address = s.getsockname()
    env = {"LISTEN_FDS": "1", "LISTEN_PID": "", "LISTEN_FDNAMES": "web"}
    pid = run(s, command, env)
    good = []
    threads = [threading.Thread(target=lambda i=i: good.append(ask(address, family, i * 10000)))
               for i in range(CONNECTIONS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print("answers:", len(good), set(good))
    end(pid)


def serve():
    s = socket.socket(fileno=3)
    print("family:", s.family.name, "listens:", s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    print("pid:", os.getpid(), os.environ.get("LISTEN_PID"))
    print("env:", os.environ.get("LISTEN_FDS"), os.environ.get("LISTEN_FDNAMES"), flush=True)
    for _ in range(CONNECTIONS):
        with s.accept()[0] as conn:
            data = b""
            while piece := conn.recv(65536):
                data += piece
            conn.sendall(hashlib.sha256(data).hexdigest().encode() * 1000)


def dgram(command):
    pid = run(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), command)
    end(pid)


what, *rest = sys.argv[1:]
sys.stdout.reconfigure(line_buffering=True)
if what == "pair":
    pair(rest)
elif what == "listen":
    listen(rest[0], rest[1:])
elif what == "dgram":
    dgram(rest)
else:
    serve()
