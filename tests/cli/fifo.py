#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# fifo.py host|guest DIR: both ends of the FIFOs ask, reply and data in DIR, and who waits for a lock of DIR/locked.
# The guest says what to do by `ask`, and prints "key: value" lines of what it sees; the host does it, and ends with it.
import errno, fcntl, hashlib, os, select, signal, sys, time

SIZE = 3 << 20
pattern = bytes(i * 7 & 255 for i in range(4099)) * (SIZE // 4099 + 1)


def tell(key, value):
    print(f"{key}: {value}", flush=True)


def host(at):
    lock = os.open(at + "/locked", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    fcntl.lockf(lock, fcntl.LOCK_EX)
    ends = {}
    with open(at + "/ask") as ask, open(at + "/reply", "w") as reply:
        for line in ask:
            word, *args = line.split()
            answer = "done"
            if word == "hello":
                answer = "hello"
            elif word == "sleep":
                time.sleep(float(args[0]))
                continue
            elif word in ("reader", "writer"):
                ends[word] = os.open(at + "/data", os.O_RDONLY if word == "reader" else os.O_WRONLY)
                if args:
                    continue
            elif word == "close":
                os.close(ends.pop(args[0]))
            elif word == "write":
                os.write(ends["writer"], args[0].encode())
                continue
            elif word == "drain":
                os.set_blocking(ends["reader"], False)
                n = 0
                try:
                    while True:
                        n += len(os.read(ends["reader"], 65536))
                except BlockingIOError:
                    answer = str(n)
                os.set_blocking(ends["reader"], True)
            elif word == "send":
                with open(at + "/data", "wb") as f:
                    f.write(pattern[:SIZE])
                continue
            elif word == "take":
                with open(at + "/data", "rb") as f:
                    answer = hashlib.sha256(f.read()).hexdigest()
            reply.write(answer + "\n")
            reply.flush()


def outcome(f, *args):
    try:
        return f(*args)
    except OSError as e:
        return errno.errorcode[e.errno]


class Alarm(Exception):
    pass


def on_alarm(*_):
    raise Alarm


def restarted(f, *args):
    """A signal comes while f waits, which goes on waiting."""
    came = []
    signal.signal(signal.SIGALRM, lambda *_: came.append(1))
    signal.siginterrupt(signal.SIGALRM, False)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    return f(*args), came


def interrupted(f, *args):
    signal.signal(signal.SIGALRM, on_alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        return f(*args)
    except Alarm:
        return "interrupted"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def killed(f, *args):
    """What becomes of a child that waits in f, by SIGKILL."""
    child = os.fork()
    if child == 0:
        f(*args)
        os._exit(0)
    time.sleep(0.5)
    os.kill(child, signal.SIGKILL)
    return os.WTERMSIG(os.waitpid(child, 0)[1])


def guest(at):
    data = at + "/data"
    ask = open(at + "/ask", "w")

    def say(text):
        ask.write(text + "\n")
        ask.flush()

    say("hello")
    reply = open(at + "/reply")

    def want(text):
        say(text)
        return reply.readline().strip()

    tell("hello", reply.readline().strip())
    st = os.stat(data)
    tell("stat", f"{st.st_mode:o} {st.st_nlink} {st.st_size}")

    # whoever waits for the other end
    for name, how in ("reading", os.O_RDONLY), ("writing", os.O_WRONLY):
        tell(f"open for {name}, interrupted", interrupted(os.open, data, how))
        tell(f"open for {name}, killed", killed(os.open, data, how))
    tell("open for writing at once", outcome(os.open, data, os.O_WRONLY | os.O_NONBLOCK))
    say("writer quiet")
    fd = os.open(data, os.O_RDONLY)
    tell("open for reading", "before there are data")
    say("write early")
    tell("then", os.read(fd, 100))
    tell("read, interrupted", interrupted(os.read, fd, 100))
    tell("read, killed", killed(os.read, fd, 100))
    say("sleep 0.3")
    say("write late")
    tell("read later", os.read(fd, 100))
    say("sleep 0.6")
    say("write restarted")
    tell("read, restarted", restarted(os.read, fd, 100))
    tell("lseek", outcome(os.lseek, fd, 0, os.SEEK_SET))
    tell("pread", outcome(os.pread, fd, 1, 0))
    tell("write", outcome(os.write, fd, b"x"))
    want("close writer")
    tell("end", os.read(fd, 100))
    os.close(fd)

    # poll
    fd = os.open(data, os.O_RDONLY | os.O_NONBLOCK)
    p = select.poll()
    p.register(fd, select.POLLIN)
    tell("poll, no writer", p.poll(0))
    tell("read, no writer", os.read(fd, 1))
    want("writer")
    tell("poll, a writer", p.poll(200))
    tell("read, a writer", outcome(os.read, fd, 1))
    say("sleep 0.3")
    say("write ready")
    tell("poll, data", [e for _, e in p.poll(60000)])
    tell("read, data", os.read(fd, 100))
    e = select.epoll()
    e.register(fd, select.EPOLLIN)
    tell("epoll, nothing", e.poll(0.2))
    say("sleep 0.3")
    say("write again")
    tell("epoll, data", [e for _, e in e.poll(60)])
    tell("select", [len(x) for x in select.select([fd], [], [], 60)])
    tell("read it", os.read(fd, 100))
    child = os.fork()
    if child == 0:  # another who waits for the same
        os._exit(0 if p.poll(60000) else 1)
    say("sleep 0.5")
    say("write both")
    tell("epoll, two of them", [e for _, e in e.poll(60)])
    tell("the other", os.waitpid(child, 0)[1])
    os.read(fd, 100)
    want("close writer")
    tell("poll, the end", [e for _, e in p.poll(60000)])
    tell("epoll, the end", [e for _, e in e.poll(60)])
    e.close()
    os.close(fd)

    # edges
    fd = os.open(data, os.O_RDONLY | os.O_NONBLOCK)
    e = select.epoll()
    e.register(fd, select.EPOLLIN | select.EPOLLET)
    want("writer")
    for text in "one", "two", "three":
        say("sleep 0.2")
        say("write " + text)
        tell("edge", ([x for _, x in e.poll(60)], os.read(fd, 100), outcome(os.read, fd, 100)))
    tell("no edge", e.poll(0.2))
    e.close()
    os.close(fd)

    # many who wait
    fds = [os.open(data, os.O_RDONLY | os.O_NONBLOCK) for _ in range(300)]
    e = select.epoll()
    for fd in fds:
        e.register(fd, select.EPOLLIN)
    tell("many, nothing", e.poll(0.1))
    with open(at + "/big", "rb") as f:
        tell("a file meanwhile", len(f.read()))
    say("write many")
    tell("many, data", len(e.poll(60, 1000)) > 0)
    tell("read by one", os.read(fds[7], 100))
    want("close writer")
    e.close()
    for fd in fds:
        os.close(fd)

    # writing
    say("reader quiet")
    fd = os.open(data, os.O_WRONLY)
    os.set_blocking(fd, False)
    n = 0
    while isinstance(one := outcome(os.write, fd, bytes(5000)), int):
        n += one
    tell("full", f"{n} {one}")
    p = select.poll()
    p.register(fd, select.POLLOUT)
    tell("poll, full", p.poll(100))
    e = select.epoll()
    e.register(fd, select.EPOLLOUT | select.EPOLLET)
    tell("full, no edge", (e.poll(0.1), outcome(os.write, fd, bytes(4096))))
    want("drain")
    tell("drained, edge", [x for _, x in e.poll(60)])
    while isinstance(one := outcome(os.write, fd, bytes(4096)), int):
        pass
    want("drain")
    tell("drained again, edge", [x for _, x in e.poll(60)])
    e.close()
    while isinstance(one := outcome(os.write, fd, bytes(4096)), int):
        pass
    os.set_blocking(fd, True)
    tell("write, interrupted", interrupted(os.write, fd, b"x"))
    tell("write, killed", killed(os.write, fd, b"x"))
    tell("drain", want("drain"))
    tell("poll, empty", [e for _, e in p.poll(60000)])
    want("close reader")
    tell("write, nobody reads", outcome(os.write, fd, b"x"))
    tell("poll, nobody reads", [e for _, e in p.poll(60000)])
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        os.write(fd, b"x")
        os._exit(0)
    tell("signal", os.WTERMSIG(os.waitpid(child, 0)[1]))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    os.close(fd)

    # much
    say("send")
    with open(data, "rb") as f:
        got = f.read()
    tell("received", (len(got), hashlib.sha256(got).hexdigest()))
    say("take")
    with open(data, "wb") as f:
        f.write(pattern[:SIZE])
    tell("sent", reply.readline().strip())

    # both ends here
    fd = os.open(data, os.O_RDWR)
    tell("own ends", (os.write(fd, b"own"), os.read(fd, 100)))
    os.close(fd)

    # a lock of the host's
    lock = os.open(at + "/locked", os.O_RDWR)
    for name, f in ("flock", fcntl.flock), ("fcntl", fcntl.lockf):
        tell(f"{name}, at once", outcome(f, lock, fcntl.LOCK_EX | fcntl.LOCK_NB))
        tell(f"{name}, interrupted", interrupted(f, lock, fcntl.LOCK_EX))
        tell(f"{name}, killed", killed(f, lock, fcntl.LOCK_EX))


{"host": host, "guest": guest}[sys.argv[1]](sys.argv[2])
