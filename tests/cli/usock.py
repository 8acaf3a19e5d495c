# SPDX-License-Identifier: Apache-2.0
"""usock.py - both ends of the tests of mounted UNIX sockets: `server PATH` on the host, `client PATH` in the container.

The server answers each connection, once its client has half-closed it, with the sha256 of what came and as many
bytes as the first line of it asks for. For datagrams: `sink PATH` prints how many came before one that says "end",
and a sum of them with their borders; `send PATH` sends them.
"""
import hashlib
import os
import socket
import sys
import threading


def serve(conn):
    with conn:
        data = b""
        while piece := conn.recv(65536):
            data += piece
        want = int(data.split(b"\n", 1)[0] or 0)
        try:
            conn.sendall(hashlib.sha256(data).hexdigest().encode() + b"\n" + b"y" * want)
        except OSError:
            pass


def server(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o660)
    listener.listen(200)
    print("listening", flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def ask(path, size, want):
    data = f"{want}\n".encode() + b"x" * size
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)
        sender = threading.Thread(target=s.sendall, args=(data,))
        sender.start()
        sender.join()
        s.shutdown(socket.SHUT_WR)
        got = b""
        while piece := s.recv(65536):
            got += piece
    head, _, body = got.partition(b"\n")
    good = head.decode() == hashlib.sha256(data).hexdigest() and body == b"y" * want
    return "good" if good else f"bad: {len(got)} bytes, {got[:80]!r}"


def client(path):
    st = os.stat(path)
    print(f"stat: {st.st_mode:o} {st.st_uid}:{st.st_gid}")
    print("small:", ask(path, 10, 10))
    print("nothing back:", ask(path, 100, 0))
    print("up:", ask(path, 1000000, 1))
    print("down:", ask(path, 1, 1000000))
    print("a hundred in a row:", {ask(path, i, i) for i in range(100)})
    out = []
    threads = [threading.Thread(target=lambda: out.append(ask(path, 70000, 70000))) for _ in range(30)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print("thirty at once:", len(out), set(out))
    for _ in range(100):  # connect and go away at once, then see that there is still room
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
    print("after many that went away:", ask(path, 10, 10))
    try:
        os.setgroups([])
        os.setgid(77)
        os.setuid(77)
        ask(path, 1, 1)
        print("another user: may")
    except OSError as e:
        print("another user:", e.strerror)


def sink(path):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(path)
    os.chmod(path, 0o660)
    print("bound", flush=True)
    n, total = 0, hashlib.sha256()
    while True:
        data = s.recv(1 << 20)
        if data == b"end":
            print(n, total.hexdigest(), flush=True)
            n, total = 0, hashlib.sha256()
            continue
        n += 1
        total.update(b"%d:" % len(data) + data)


def send(path):
    st = os.stat(path)
    print(f"stat: {st.st_mode:o} {st.st_uid}:{st.st_gid}")
    try:
        socket.socket(socket.AF_UNIX).connect(path)
        print("a stream: may")
    except OSError as e:
        print("a stream:", e.strerror)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.connect(path)
    for size in [0, 1, 65535, 8192, 0, 3]:
        s.send(b"x" * size)
    for i in range(2000):
        s.send(b"%d" % i * (i % 50))
    s.send(b"end")


commands = {"server": server, "client": client, "sink": sink, "send": send}
commands[sys.argv[1]](sys.argv[2])
