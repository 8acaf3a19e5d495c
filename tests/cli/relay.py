#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""relay.py - servers and callers for 47-relay.sh, inside the guest and outside.

    relay.py serve SPEC...            listen at all, say "up", serve for ever; a word of "echo" sends back what comes
    relay.py ask PATIENCE SPEC...     call each until it answers, for PATIENCE seconds; a line for each: "PORT: ANSWER"
    relay.py bulk SPEC FILE CALLERS   CALLERS at once send FILE to an echo and compare
    relay.py leave SPEC CALLERS       CALLERS send something and go away

SPEC is PROTOCOL,HOST,PORT[,WORD].
"""
import socket, sys, threading, time


def split(spec):
    protocol, host, port, *word = spec.split(",")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    return family, kind, (host, int(port)), word[0] if word else "hello"


def answer(conn, word):
    if word == "echo":
        while data := conn.recv(65536):
            conn.sendall(data)
    else:
        got = b""
        while data := conn.recv(65536):
            got += data
        conn.sendall(word.encode() + b" " + got)
    conn.close()


def one(conn, word):
    try:
        answer(conn, word)
    except OSError:
        conn.close()


def accept(s, word):
    while True:
        threading.Thread(target=one, args=(s.accept()[0], word), daemon=True).start()


def datagrams(s, word):
    while True:
        data, client = s.recvfrom(65536)
        s.sendto(word.encode() + b" " + data, client)


def serve(specs):
    threads = []
    for spec in specs:
        family, kind, where, word = split(spec)
        s = socket.socket(family, kind)
        if kind == socket.SOCK_STREAM:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(where)
        if kind == socket.SOCK_STREAM:
            s.listen(64)
        threads.append(threading.Thread(target=accept if kind == socket.SOCK_STREAM else datagrams, args=(s, word)))
    for t in threads:
        t.start()
    print("up", flush=True)


def call(family, kind, where, text, wait):
    with socket.socket(family, kind) as s:
        s.settimeout(20 if kind == socket.SOCK_STREAM else wait)
        s.connect(where)
        s.sendall(text.encode())
        if kind == socket.SOCK_DGRAM:
            return s.recv(65536)
        s.shutdown(socket.SHUT_WR)
        got = b""
        while data := s.recv(65536):
            got += data
        return got


def ask(patience, specs):
    for spec in specs:
        end = time.monotonic() + patience
        family, kind, where, text = split(spec)
        while True:
            try:
                got = call(family, kind, where, text, 2 if patience else 20)
            except OSError:
                got = b""
            if got or time.monotonic() > end:
                break
            time.sleep(0.2)
        print(f"{where[0]} {where[1]}: {got.decode() if got else 'nothing'}", flush=True)


def bulk(spec, name, callers):
    family, kind, where, _ = split(spec)
    data = open(name, "rb").read()
    good = []

    def caller():
        with socket.socket(family, kind) as s:
            s.settimeout(100)
            s.connect(where)

            def put():
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
            t = threading.Thread(target=put)
            t.start()
            got = bytearray()
            while piece := s.recv(65536):
                got += piece
            t.join()
            good.append(bytes(got) == data)
    threads = [threading.Thread(target=caller) for _ in range(callers)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    print(callers, len(good) == callers and all(good))


def leave(spec, callers):
    family, kind, where, _ = split(spec)
    for _ in range(callers):
        with socket.socket(family, kind) as s:
            s.settimeout(30)
            s.connect(where)
            s.sendall(b"x" * 100000)


what, args = sys.argv[1], sys.argv[2:]
if what == "serve":
    serve(args)
elif what == "ask":
    ask(float(args[0]), args[1:])
elif what == "bulk":
    bulk(args[0], args[1], int(args[2]))
elif what == "leave":
    leave(args[0], int(args[1]))
else:
    sys.exit(__doc__)
