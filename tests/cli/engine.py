#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""engine.py RUNTIME BUNDLE ID STEP... - drive a container the way an engine does, and say what was seen.

It makes itself the subreaper, so the container's published pid becomes its child and can be waited for. Each STEP
prints "key: value" lines; the container's output goes to a pipe (or a terminal) that is read here. Steps:

  create[:OPTIONS]  run[:OPTIONS]     create with a pid file; run in the foreground
  exec:OPTIONS -- COMMAND             one more process, detached, with a pid file: what follows is about it
  execrun:OPTIONS -- COMMAND          the same in the foreground
  console  pty                        before create, exec: a console socket; before run: a terminal as our stdio
  start  state  delete  delete-force  the commands; state prints the status and whether the pid is ours
  kill:SIG  kill-all:SIG              by the runtime;   direct:SIG  straight to the published pid
  until:TEXT                          wait until the output contains TEXT
  send:TEXT  eof                      to the container's stdin or terminal (escapes as in Python); close stdin
  size:ROWSxCOLS                      of the terminal
  wait                                for the published pid (or run): its status as a shell says it
  output                              everything printed so far, as one Python string
  ended                               has the output ended (its last writer is gone)?
  raw                                 is the terminal in raw mode?
  hangup                              close our end of the terminal or of the output
  termios  restored                   remember the terminal's mode; has it come back?
  left                                children that we have still got
  sleep:SECONDS
"""
import array
import ctypes
import fcntl
import json
import os
import pty
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

LIMIT = 40
PR_SET_CHILD_SUBREAPER = 36


def say(key, value):
    print(f"{key}: {value}", flush=True)


def shell_status(status):
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


class Engine:
    def __init__(self, runtime, bundle, ident):
        self.runtime, self.bundle, self.ident = runtime, bundle, ident
        self.dir = tempfile.mkdtemp(prefix="engine.")
        self.pid = None
        self.master = None
        self.slave = None
        self.listener = None
        self.restless = False
        self.stdin = None
        self.output = bytearray()
        self.reader = None
        self.modes = None
        self.waited = None
        self.out_fd = None
        self.stop = False
        self.created = False
        self.ours = False  # whether the container ends with us

    # -- output

    def read_from(self, fd):
        self.out_fd = fd
        self.output = output = bytearray()

        def loop():
            while not self.stop:
                if not select.select([fd], [], [], 0.05)[0]:
                    continue
                try:
                    data = os.read(fd, 65536)
                except OSError:
                    break
                if not data:
                    break
                output.extend(data)

        self.reader = threading.Thread(target=loop, daemon=True)
        self.reader.start()

    def accept(self):
        conn, _ = self.listener.accept()
        fds = array.array("i")
        _, anc, _, _ = conn.recvmsg(4096, socket.CMSG_LEN(4 * fds.itemsize))
        for level, kind, data in anc:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
        say("descriptors", len(fds))
        self.master = fds[0]
        conn.close()
        for i in range(150 if self.restless else 0):
            fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("4H", 20 + i, 90, 0, 0))
            time.sleep(0.01)

    # -- commands

    def call(self, key, *args):
        """A command whose output goes to pipes that we read to their end, as engines do."""
        p = subprocess.Popen([self.runtime, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
        try:
            out, err = p.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            p.kill()
            say(key, "timeout")
            return 1, b""
        say(key, p.returncode)
        if err:
            say(key + ".text", err.decode(errors="replace").strip().replace("\n", " | "))
        return p.returncode, out

    def create(self, options=""):
        self.created = self.detached("create", ["create", "--bundle", self.bundle], [*shlex.split(options), self.ident])

    def exec_words(self, words):
        words = shlex.split(words)
        at = words.index("--") if "--" in words else len(words)
        return [*words[:at], self.ident, *words[at + 1:]]

    def exec(self, words):
        self.detached("exec", ["exec", "--detach"], self.exec_words(words))

    def execrun(self, words):
        self.foreground([self.runtime, "exec", *self.exec_words(words)])

    def detached(self, key, head, tail):
        pid_file = os.path.join(self.dir, "pid")
        if os.path.exists(pid_file):
            os.unlink(pid_file)
        args = [self.runtime, *head, "--pid-file", pid_file]
        if self.listener:
            args += ["--console-socket", os.path.join(self.dir, "console")]
        args += tail
        acceptor = None
        if self.listener:
            acceptor = threading.Thread(target=self.accept, daemon=True)
            acceptor.start()
            p = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            text = p.stdout.read()
        else:
            r, w = os.pipe()
            in_r, self.stdin = os.pipe()
            p = subprocess.Popen(args, stdin=in_r, stdout=w, stderr=w)
            os.close(w)
            os.close(in_r)
            self.read_from(r)
            text = b""
        try:
            p.wait(LIMIT)
        except subprocess.TimeoutExpired:
            p.kill()
            say(key, "timeout")
            return False
        say(key, p.returncode)
        if p.returncode:
            if self.reader:
                self.reader.join(5)
            say(key + ".text", (text or self.output).decode(errors="replace").strip().replace("\n", " | "))
        if acceptor and p.returncode == 0:
            acceptor.join(LIMIT)
            self.read_from(self.master)
        if not os.path.exists(pid_file):
            say("pidfile", "none")
            return p.returncode == 0
        with open(pid_file, "rb") as f:
            raw = f.read()
        self.pid = int(raw)
        say("pidfile", "digits only" if raw == b"%d" % self.pid else repr(raw))
        say("others", [f for f in os.listdir(self.dir) if f not in ("pid", "console")])
        return p.returncode == 0

    def run(self, options=""):
        self.ours = True
        self.foreground([self.runtime, "run", "--bundle", self.bundle, *shlex.split(options), self.ident])

    def foreground(self, args):
        if self.slave is not None:
            self.pid = os.fork()
            if self.pid == 0:
                os.setsid()
                fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)
                for fd in range(3):
                    os.dup2(self.slave, fd)
                os.closerange(3, 100)
                os.execvp(args[0], args)
            self.read_from(self.master)
            return
        r, w = os.pipe()
        in_r, self.stdin = os.pipe()
        self.pid = subprocess.Popen(args, stdin=in_r, stdout=w, stderr=w).pid
        os.close(w)
        os.close(in_r)
        self.read_from(r)

    def console(self, restless=""):
        self.restless = bool(restless)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        if os.path.exists(os.path.join(self.dir, "console")):
            os.unlink(os.path.join(self.dir, "console"))
        self.listener.bind(os.path.join(self.dir, "console"))
        self.listener.listen(1)

    def pty(self):
        self.master, self.slave = pty.openpty()

    def start(self):
        self.call("start", "start", self.ident)

    def state(self):
        code, out = self.call("state", "state", self.ident)
        if code:
            return
        s = json.loads(out)
        say("state.status", s.get("status"))
        say("state.pid", {self.pid: "the published", 0: 0}.get(s.get("pid"), s.get("pid")))

    def child(self):
        with open(f"/proc/{self.pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        say("child", int(fields[1]) == os.getpid())
        say("session", int(fields[3]) == self.pid)

    def delete(self):
        self.call("delete", "delete", self.ident)

    def delete_force(self):
        self.call("delete-force", "delete", "--force", self.ident)

    def kill(self, sig):
        self.call("kill", "kill", self.ident, sig)

    def kill_all(self, sig):
        self.call("kill-all", "kill", "--all", self.ident, sig)

    def direct(self, sig):
        os.kill(self.pid, getattr(signal, "SIG" + sig) if not sig.isdigit() else int(sig))

    # -- the container

    def until(self, text):
        text = text.encode().decode("unicode_escape").encode("latin-1")
        end = time.monotonic() + LIMIT
        while text not in self.output:
            if time.monotonic() > end:
                say("until", f"never saw {text!r}, only {self.output[-300:]!r}")
                return
            time.sleep(0.02)

    def send(self, text):
        data = text.encode().decode("unicode_escape").encode("latin-1")
        os.write(self.master if self.master is not None else self.stdin, data)

    def eof(self):
        os.close(self.stdin)
        self.stdin = None

    def size(self, text):
        rows, cols = map(int, text.split("x"))
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def wait(self):
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                say("wait", "not our child")
                return
            if pid:
                say("wait", shell_status(status))
                self.waited = True
                if self.slave is not None:
                    self.read_up()
                elif self.reader:
                    self.reader.join(LIMIT)
                    if self.reader.is_alive():
                        say("eof", "the output is still held open")
                return
            time.sleep(0.01)
        say("wait", "timeout")

    def read_up(self):
        """What was printed on our terminal until now has been read: a mark of ours comes through behind it."""
        mark = b"\0mark\0"
        if not self.reader.is_alive():
            return
        os.write(self.slave, mark)
        end = time.monotonic() + LIMIT
        while mark not in self.output:
            if time.monotonic() > end:
                say("eof", "the terminal shows nothing any more")
                return
            time.sleep(0.01)
        at = self.output.index(mark)
        del self.output[at:at + len(mark)]

    def show_output(self):
        say("output", repr(self.output.decode(errors="replace")))

    def hangup(self):
        self.stop = True
        self.reader.join()
        os.close(self.out_fd)

    def ended(self):
        self.reader.join(LIMIT)
        say("ended", not self.reader.is_alive())

    def remember(self):
        self.modes = termios.tcgetattr(self.slave)

    def restored(self):
        say("restored", termios.tcgetattr(self.slave) == self.modes)

    def raw(self):
        say("raw", not termios.tcgetattr(self.slave)[3] & (termios.ICANON | termios.ECHO | termios.ISIG))

    def left(self):
        n = 0
        end = time.monotonic() + LIMIT
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                if time.monotonic() > end:
                    n += 1
                    break
                time.sleep(0.05)
        say("left", n)

    def sleep(self, seconds):
        time.sleep(float(seconds))


NAMES = {"delete-force": "delete_force", "kill-all": "kill_all", "output": "show_output", "termios": "remember"}


def main():
    engine = Engine(*sys.argv[1:4])
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        for step in sys.argv[4:]:
            name, colon, arg = step.partition(":")
            method = getattr(engine, NAMES.get(name, name))
            if colon:
                method(arg)
            else:
                method()
    finally:
        subprocess.run(["rm", "-rf", engine.dir], check=False)
        if engine.created or engine.ours and engine.pid and not engine.waited:
            subprocess.run([engine.runtime, "delete", "--force", engine.ident], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=LIMIT)


main()
