#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""initlink - the host's end of guest-init/proto.h, to run coracle-init under QEMU without our VMM.

As a module: Program builds a PROGRAM payload, Guest boots a microVM (QEMU, virtiofsd, vhost-vsock;
needs root and /dev/kvm) and speaks the channel. As a script: runs the checks below, as TAP.

    initlink.py KERNEL INIT ROOTFS          # all
    initlink.py KERNEL INIT ROOTFS NAME...  # some
"""
import os, select, shutil, signal, socket, struct, subprocess, sys, tempfile, threading, time

MAGIC, VERSION, MAX_TEXT = 0x43524331, 1, 448
HELLO, READY, STARTED, FAILED, EXITED = 1, 2, 3, 4, 5
PROGRAM, START, SIGNAL, RESIZE, STOP = 16, 17, 18, 19, 20
NAMES = {1: "HELLO", 2: "READY", 3: "STARTED", 4: "FAILED", 5: "EXITED"}
SHARE, FS, BIND, MASK, READONLY = 1, 2, 3, 4, 5
DIR, TMPCOPYUP, RO_LAST, OPTIONAL, RECURSIVE = 1, 2, 4, 8, 16
TERMINAL, NNP, UMASK, CAPS, OOM = 1, 2, 4, 8, 16
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_STRICTATIME = 1, 2, 4, 8, 1 << 24
ALL_CAPS = (1 << 41) - 1
DEFAULT_CAPS = sum(1 << c for c in (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31))


class Program:
    """A payload under construction; defaults are those of an ordinary container."""

    def __init__(self, args, env=("PATH=/usr/bin:/bin:/sbin", "HOME=/root"), cwd="/", **kw):
        self.pool = bytearray(b"\0" * 8)
        self.mounts, self.devices, self.sysctls = [], [], []
        self.kw = dict(flags=0, root_share=0, epoch_ns=0, hostname="box", domainname="", uid=0,
                       gid=0, umask=0o022, oom=0, rows=0, cols=0, gids=(), rlimits=(), pflags=CAPS,
                       caps=(DEFAULT_CAPS, DEFAULT_CAPS, 0, DEFAULT_CAPS, 0), seccomp=b"",
                       seccomp_flags=0)
        self.kw.update(kw)
        self.args, self.env, self.cwd = list(args), list(env), cwd

    def text(self, s):
        if s == "":
            return 0
        at = len(self.pool)
        self.pool += s.encode() + b"\0"
        return at

    def blob(self, b):
        at = len(self.pool)
        self.pool += b
        return at

    def strings(self, items):
        at = len(self.pool)
        for s in items:
            self.pool += s.encode() + b"\0"
        return at if items else 0

    def mount(self, kind, dest, source="", fstype="", data="", ms=0, flags=0, prop=0, share=0):
        self.mounts.append(struct.pack("<6I2Q2I", kind, flags, self.text(dest), self.text(source),
                                       self.text(fstype), self.text(data), ms, prop, share, 0))
        return self

    def device(self, path, major, minor, kind="c", mode=0o666, uid=0, gid=0, optional=0):
        self.devices.append(struct.pack("<8I", self.text(path), ord(kind), major, minor, mode, uid,
                                        gid, optional))
        return self

    def sysctl(self, path, value):
        self.sysctls.append(struct.pack("<2I", self.text(path), self.text(value)))
        return self

    def usual(self, cgroup=True):
        """The mounts and devices every engine asks for."""
        self.mount(FS, "/proc", "proc", "proc", flags=DIR)
        self.mount(FS, "/dev", "tmpfs", "tmpfs", "mode=755,size=65536k", MS_NOSUID | MS_STRICTATIME,
                   DIR)
        self.mount(FS, "/dev/pts", "devpts", "devpts",
                   "newinstance,ptmxmode=0666,mode=0620,gid=5", MS_NOSUID | MS_NOEXEC, DIR)
        self.mount(FS, "/dev/shm", "shm", "tmpfs", "mode=1777,size=65536k",
                   MS_NOSUID | MS_NOEXEC | MS_NODEV, DIR)
        self.mount(FS, "/dev/mqueue", "mqueue", "mqueue", "", MS_NOSUID | MS_NOEXEC | MS_NODEV, DIR)
        self.mount(FS, "/sys", "sysfs", "sysfs", "", MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY,
                   DIR)
        if cgroup:
            self.mount(FS, "/sys/fs/cgroup", "cgroup", "cgroup2", "",
                       MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY, DIR)
        for n, (major, minor) in dict(null=(1, 3), zero=(1, 5), full=(1, 7), random=(1, 8),
                                      urandom=(1, 9), tty=(5, 0)).items():
            self.device("/dev/" + n, major, minor)
        for p in ("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware",
                  "/proc/scsi", "/nonexistent"):
            self.mount(MASK, p)
        for p in ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"):
            self.mount(READONLY, p)
        return self

    def payload(self):
        k = self.kw
        host, dom = self.text(k["hostname"]), self.text(k["domainname"])
        mounts, devices = self.blob(b"".join(self.mounts)), self.blob(b"".join(self.devices))
        sysctls = self.blob(b"".join(self.sysctls))
        args, env, cwd = self.strings(self.args), self.strings(self.env), self.text(self.cwd)
        gids = self.blob(struct.pack("<%dI" % len(k["gids"]), *k["gids"]))
        rlimits = self.blob(b"".join(struct.pack("<2I2Q", r, 0, s, h) for r, s, h in k["rlimits"]))
        seccomp = self.blob(k["seccomp"])
        bnd, eff, inh, perm, amb = k["caps"]
        process = struct.pack("<4Ii11I5Q4I", k["pflags"], k["uid"], k["gid"], k["umask"], k["oom"],
                              k["rows"], k["cols"], len(k["gids"]), gids, len(self.args), args,
                              len(self.env), env, cwd, len(k["rlimits"]), rlimits, bnd, eff, inh,
                              perm, amb, len(k["seccomp"]) // 8, seccomp, k["seccomp_flags"], 0)
        assert len(process) == 120
        tail = struct.pack("<2I", 0, 0)
        head = struct.pack("<4IQ10I", MAGIC, VERSION, k["flags"], k["root_share"], k["epoch_ns"],
                           host, dom, len(self.mounts), mounts, len(self.devices), devices,
                           len(self.sysctls), sysctls, len(self.pool), 0)
        return head + process + tail + bytes(self.pool)


def frame(kind, payload=b""):
    return struct.pack("<2I", kind, len(payload)) + payload


def read_exact(sock, n):
    data = b""
    while len(data) < n:
        got = sock.recv(n - len(data))
        if not got:
            raise EOFError("channel closed")
        data += got
    return data


class Guest:
    """One microVM. `shares` are directories or files of the host; share 0 is the root."""

    def __init__(self, kernel, init, shares, cid=None, memory=256, append=""):
        self.cid = cid or 1000 + os.getpid() % 30000
        self.dir = tempfile.mkdtemp(prefix="initlink.")
        self.procs, self.streams, self.out = [], {}, {i: bytearray() for i in range(3)}
        self.log, self.listeners = [], []
        self.closed = False
        for port in range(1024, 1028):
            s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
            s.bind((socket.VMADDR_CID_ANY, port))
            s.listen(4)
            self.listeners.append(s)
        top = self.dir + "/top"
        os.mkdir(top)
        for i, path in enumerate(shares):
            if os.path.isdir(path):
                os.mkdir("%s/%d" % (top, i))
            else:
                open("%s/%d" % (top, i), "w").close()
            subprocess.check_call(["mount", "--bind", path, "%s/%d" % (top, i)])
        self.n_shares = len(shares)
        self.initrd(init)
        self.spawn(["/usr/libexec/virtiofsd", "--socket-path", self.dir + "/fs", "--shared-dir", top,
                    "--sandbox", "none", "--cache", "auto", "--log-level", "error"])
        while not os.path.exists(self.dir + "/fs"):
            time.sleep(0.01)
        self.t0 = time.monotonic()
        self.spawn(["qemu-system-x86_64", "-M", "microvm,acpi=off,pit=off,pic=off,rtc=off,"
                    "isa-serial=on,auto-kernel-cmdline=on,memory-backend=m", "-cpu", "host", "-accel",
                    "kvm", "-smp", "1", "-m", str(memory), "-object",
                    "memory-backend-memfd,id=m,size=%dM,share=on" % memory, "-nodefaults",
                    "-no-user-config", "-display", "none", "-no-reboot", "-serial",
                    "file:" + self.dir + "/con", "-kernel", kernel, "-initrd", self.dir + "/initrd",
                    "-append", "console=ttyS0 quiet loglevel=4 reboot=t panic=-1 " + append,
                    "-chardev", "socket,id=c,path=" + self.dir + "/fs", "-device",
                    "vhost-user-fs-device,chardev=c,tag=coracle,queue-size=1024", "-device",
                    "vhost-vsock-device,guest-cid=%d" % self.cid])
        self.control = None

    def spawn(self, argv):
        log = open(self.dir + "/log", "ab")
        self.procs.append(subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log))

    def initrd(self, init):
        os.mkdir(self.dir + "/i")
        shutil.copy(init, self.dir + "/i/init")
        os.chmod(self.dir + "/i/init", 0o755)
        with open(self.dir + "/initrd", "wb") as f:
            subprocess.run(["cpio", "-o", "-H", "newc", "-R", "0:0", "--quiet"], input=b"init\n",
                           cwd=self.dir + "/i", stdout=f, check=True)

    def accept(self, index, timeout=30):
        s = self.listeners[index]
        end = time.monotonic() + timeout
        while not select.select([s], [], [], 0.1)[0]:  # an accept() would keep a closed port busy
            if self.closed or time.monotonic() > end:
                raise TimeoutError("no connection to port %d" % (1024 + index))
        c, _ = s.accept()
        c.settimeout(timeout)
        return c

    def hello(self):
        self.control = self.accept(0)
        return self.event(HELLO)

    def event(self, want=None, timeout=40):
        self.control.settimeout(timeout)
        kind, length = struct.unpack("<2I", read_exact(self.control, 8))
        body = read_exact(self.control, length)
        assert length == 32 + MAX_TEXT, length
        _, version, code, sig, ns, execf, _ = struct.unpack("<2IiIQ2I", body[:32])
        e = dict(type=kind, version=version, code=code, signal=sig, ns=ns, exec_failed=execf,
                 text=body[32:].split(b"\0")[0].decode())
        e["at_ms"] = int((time.monotonic() - self.t0) * 1000)
        self.log.append(e)
        if want is not None and kind != want:
            raise AssertionError("wanted %s, got %s %r" % (NAMES[want], NAMES.get(kind), e))
        return e

    def send(self, kind, payload=b""):
        self.control.sendall(frame(kind, payload))

    def reader(self, index):
        """Collect a stream to its end, then close: the acknowledgement."""
        def run():
            s = self.streams[index]
            s.settimeout(None)
            while True:
                try:
                    got = s.recv(65536)
                except OSError:
                    break
                if not got:
                    break
                self.out[index] += got
            s.close()
        t = threading.Thread(target=run, daemon=True)
        t.start()
        return t

    def feed(self, data):
        self.streams[0].settimeout(None)
        try:
            self.streams[0].sendall(data)
            self.streams[0].shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def create(self, program, stdin=b"", read=True):
        """Up to READY. Return the event (READY or FAILED)."""
        self.hello()
        self.send(PROGRAM, program.payload())
        self.tty = program.kw["pflags"] & TERMINAL
        self.threads = []

        def streams():
            try:
                for i in (0,) if self.tty else (0, 1, 2):
                    self.streams[i] = self.accept(1 + i)
            except (OSError, ValueError):
                return
            if read:
                self.threads += [self.reader(i) for i in ((0,) if self.tty else (1, 2))]
            if stdin is not None and not self.tty:
                threading.Thread(target=self.feed, args=(stdin,), daemon=True).start()
        t = threading.Thread(target=streams, daemon=True)
        t.start()
        e = self.event()
        if e["type"] == READY:
            t.join(20)
        return e

    def run(self, program, stdin=b""):
        """To the end. Return (event, stdout, stderr)."""
        e = self.create(program, stdin)
        if e["type"] != READY:
            return e, b"", b""
        self.send(START)
        e = self.event()
        if e["type"] == STARTED:
            e = self.event()
        for t in self.threads:
            t.join(10)
        return e, self.out[0] if self.tty else self.out[1], self.out[2]

    def console(self):
        with open(self.dir + "/con", "rb") as f:
            return f.read().decode(errors="replace")

    def close(self):
        self.closed = True
        time.sleep(0.2)
        for p in reversed(self.procs):
            p.kill()
            p.wait()
        for s in self.listeners + list(self.streams.values()) + ([self.control] if self.control else []):
            s.close()
        for i in range(self.n_shares):
            subprocess.call(["umount", "-l", "%s/top/%d" % (self.dir, i)])
        shutil.rmtree(self.dir, ignore_errors=True)


# ------------------------------------------------------------------ checks

class Checks:
    def __init__(self, kernel, init, rootfs):
        self.kernel, self.init, self.rootfs = kernel, init, rootfs
        self.n = self.bad = 0

    def ok(self, cond, name, got=None):
        self.n += 1
        self.bad += not cond
        print("%sok %d - %s" % ("" if cond else "not ", self.n, name), flush=True)
        if not cond and got is not None:
            for line in str(got).split("\n"):
                print("#   " + line, flush=True)

    def root(self, guest_dir):
        """A copy of the root file system that a check may spoil."""
        d = tempfile.mkdtemp(prefix="initroot.")
        subprocess.check_call(["cp", "-a", self.rootfs + "/.", d])
        os.chmod(d, 0o755)
        return d

    def guest(self, shares=None, **kw):
        return Guest(self.kernel, self.init, shares or [self.rootfs], **kw)

    def sh(self, script, shares=None, stdin=b"", usual=True, edit=None, **kw):
        """Run a shell script in a fresh guest. Return (event, stdout, stderr)."""
        p = Program(["sh", "-c", script], **kw)
        if usual:
            p.usual()
        if edit:
            edit(p)
        g = self.guest(shares)
        try:
            e, out, err = g.run(p, stdin)
            return e, out.decode(errors="replace"), err.decode(errors="replace")
        except Exception as x:
            print("# %r\n# %s" % (x, g.console()[-2000:].replace("\n", "\n# ")))
            return dict(type=0, code=-1, text=repr(x), signal=0, exec_failed=0), "", ""
        finally:
            g.close()

    # each check_* is one guest or a few

    def check_basic(self):
        e, out, err = self.sh("echo out; echo err >&2; hostname; cat /proc/sys/kernel/domainname; "
                              "echo $$; cat /proc/self/cgroup; grep -E '^(Cap|Seccomp|NoNew)' "
                              "/proc/self/status; umask; ls /proc/self/fd; cat /proc/keys | wc -c; "
                              "mount -t tmpfs x /mnt 2>&1; ip link show lo 2>/dev/null || "
                              "cat /sys/class/net/lo/operstate; sh -c 'exit 3'; exit 7",
                              domainname="dom")
        self.ok(e["type"] == EXITED and e["code"] == 7 and e["signal"] == 0, "exit code", e)
        self.ok(out.startswith("out\nbox\ndom\n1\n0::/\n"), "names, pid 1, cgroup root", out)
        self.ok(err == "err\n", "stderr is separate", err)
        self.ok("CapEff:\t00000000a80425fb" in out and "CapInh:\t0000000000000000" in out,
                "capabilities", out)
        self.ok("0022\n0\n1\n2\n3\n0\n" in out, "umask, descriptors, masked file", out)
        self.ok("LOOPBACK,UP" in out or "unknown" in out, "lo is up", out)

    def check_stdin(self):
        data = os.urandom(3 << 20)
        g = self.guest()
        try:
            e, out, err = g.run(Program(["cat"]).usual(), data)
            self.ok(e["code"] == 0 and out == data, "3 MiB through cat, EOF", (e, len(out)))
        finally:
            g.close()

    def check_slow_reader(self):
        g = self.guest()
        try:
            e = g.create(Program(["sh", "-c", "head -c 2000000 /dev/zero; echo end >&2"]).usual(),
                         read=False)
            g.send(START)
            g.event(STARTED)
            time.sleep(1)
            t2, t1 = g.reader(2), None
            time.sleep(2)
            stalled = bytes(g.out[2])
            t1 = g.reader(1)
            e = g.event(EXITED)
            t1.join(5), t2.join(5)
            self.ok(stalled == b"", "the writer waits for its reader", stalled)
            self.ok(len(g.out[1]) == 2000000 and g.out[2] == b"end\n" and e["code"] == 0,
                    "nothing is lost", (e, len(g.out[1]), g.out[2]))
        finally:
            g.close()

    def check_exit_with_full_pipe(self):
        g = self.guest()
        try:
            g.create(Program(["sh", "-c", "sleep 100 & yes | head -c 300000"]).usual(), read=False)
            g.send(START)
            g.event(STARTED)
            time.sleep(4)
            t = [g.reader(1), g.reader(2)]
            e = g.event(EXITED)
            [x.join(5) for x in t]
            self.ok(len(g.out[1]) == 300000 and e["code"] == 0,
                    "output left at exit arrives; background children do not hold it",
                    (e, len(g.out[1])))
        finally:
            g.close()

    def check_reader_gone(self):
        g = self.guest()
        try:
            g.create(Program(["sh", "-c", "sleep 1; yes; echo yes=$? >&2"]).usual(), read=False)
            g.send(START)
            g.event(STARTED)
            g.streams[1].close()
            t = g.reader(2)
            e = g.event(EXITED)
            t.join(5)
            self.ok(b"yes=141" in g.out[2] or b"Broken pipe" in g.out[2], "EPIPE reaches the writer",
                    (e, g.out[2]))
        finally:
            g.close()

    def check_stdin_closed_by_process(self):
        g = self.guest()
        try:
            g.create(Program(["sh", "-c", "exec <&-; sleep 2"]).usual(), stdin=None)
            g.send(START)
            g.event(STARTED)
            t = time.monotonic()
            g.streams[0].settimeout(10)
            got = g.streams[0].recv(1)
            dt = time.monotonic() - t
            e = g.event(EXITED)
            self.ok(got == b"" and e["code"] == 0, "stdin closed inside is seen outside", (got, dt))
        finally:
            g.close()

    def check_terminal(self):
        g = self.guest()
        try:
            p = Program(["sh"], pflags=CAPS | TERMINAL, rows=33, cols=101, uid=0).usual()
            g.create(p)
            g.send(START)
            g.event(STARTED)
            s = g.streams[0]

            def say(text, want, timeout=20):
                s.sendall(text.encode() + b"\n")
                end = time.monotonic() + timeout
                while want not in g.out[0] and time.monotonic() < end:
                    time.sleep(0.05)
                self.ok(want in g.out[0], "terminal: " + text, g.out[0])
            say("tty; echo a$((1+1))b", b"/dev/pts/0\r\na2b")
            say("stty size", b"33 101\r\n")
            say("echo con$((2+2)) >/dev/console", b"con4\r\n")
            say("ls -l /dev/console; grep -c console /proc/mounts", b"\r\n1\r\n")
            g.send(RESIZE, struct.pack("<2I", 50, 150))
            say("sleep 0.2; stty size", b"50 150\r\n")
            s.sendall(b"sleep 100\n")
            time.sleep(1)
            s.sendall(b"\x03")
            say("echo st=$?", b"st=130\r\n")
            s.sendall(b"exec sh -c 'trap \"exit 9\" HUP; while :; do sleep 0.1; done'\n")
            time.sleep(1)
            s.shutdown(socket.SHUT_RDWR)
            s.close()
            e = g.event(EXITED)
            self.ok(e["code"] in (9, 129), "closing the stream hangs the terminal up", e)
        finally:
            g.close()

    def check_signals(self):
        g = self.guest()
        try:
            g.create(Program(["sleep", "1000"]).usual())
            g.send(START)
            g.event(STARTED)
            g.send(SIGNAL, struct.pack("<2I", 15, 0))
            time.sleep(0.5)
            self.ok(not select.select([g.control], [], [], 0)[0], "pid 1 ignores TERM")
            g.send(SIGNAL, struct.pack("<2I", 9, 0))
            e = g.event(EXITED)
            self.ok(e["code"] == 137 and e["signal"] == 9, "KILL ends it", e)
        finally:
            g.close()
        g = self.guest()
        try:
            g.create(Program(["sleep", "1000"]).usual())
            g.send(SIGNAL, struct.pack("<2I", 28, 0))
            g.send(SIGNAL, struct.pack("<2I", 15, 0))
            e = g.event(EXITED)
            self.ok(e["code"] == 143 and e["signal"] == 15, "TERM before start ends it", e)
        finally:
            g.close()
        g = self.guest()
        try:
            g.create(Program(["sh", "-c", "trap 'echo got; exit 5' 37; trap 'exit 6' TERM; "
                              "sh -c 'trap \"echo child; exit\" 40; while :; do sleep 0.1; done' & "
                              "while :; do sleep 0.1; done"]).usual())
            g.send(START)
            g.event(STARTED)
            time.sleep(1.5)
            g.send(SIGNAL, struct.pack("<2I", 40, 1))
            time.sleep(1.5)
            g.send(SIGNAL, struct.pack("<2I", 37, 0))
            e = g.event(EXITED)
            [t.join(5) for t in g.threads]
            self.ok(e["code"] == 5 and g.out[1] == b"child\ngot\n", "realtime signals, and to all",
                    (e, g.out))
        finally:
            g.close()

    def check_user(self):
        root = self.root("u")
        try:
            with open(root + "/etc/passwd", "a") as f:
                f.write("alice:x:1000:1000:A,B:/home/alice:/bin/sh\n")
            # BPF: mkdir and mkdirat -> EPERM, all else allowed
            bpf = b"".join(struct.pack("<HBBI", *i) for i in (
                (0x20, 0, 0, 0), (0x15, 1, 0, 83), (0x15, 0, 1, 258), (6, 0, 0, 0x50000 | 1),
                (6, 0, 0, 0x7fff0000)))
            p = dict(uid=1000, gid=1001, gids=(5, 1001, 2000), env=["PATH=/bin:/sbin:/usr/bin"],
                     cwd="/home/alice/new", umask=0o077, oom=-17, pflags=CAPS | UMASK | OOM | NNP,
                     rlimits=((7, 512, 600), (4, 0, 0)), seccomp=bpf)
            e, out, err = self.sh(
                "id; echo $HOME; pwd; umask; cat /proc/self/oom_score_adj; ulimit -n; ulimit -Hn; "
                "echo re >/dev/stdout; echo re2 >/dev/stderr; grep -E '^(CapEff|CapPrm|CapBnd|NoNew|Seccomp)' "
                "/proc/self/status; mkdir /tmp/x; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; "
                "cat /proc/sys/kernel/msgmax; ls -ld .", shares=[root],
                edit=lambda q: q.sysctl("net/ipv4/ip_unprivileged_port_start", "80")
                .sysctl("kernel/msgmax", "9000"), **p)
            self.ok(out.startswith("uid=1000(alice) gid=1001 groups=5") and ",2000\n" in out,
                    "ids and groups", (e, out, err))
            self.ok("/home/alice\n/home/alice/new\n0077\n-17\n512\n600\nre\n" in out,
                    "HOME, cwd made, umask, oom, rlimits, /dev/stdout", out)
            self.ok("re2\n" in err and "mkdir" in err, "/dev/stderr, seccomp", err)
            self.ok("CapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\n"
                    "NoNewPrivs:\t1\nSeccomp:\t2" in out, "a user has the bounding set only", out)
            self.ok("80\n9000\n" in out, "sysctls", out)
            e, out, err = self.sh("grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status; mkdir /tmp/y",
                                  uid=1000, seccomp=bpf, shares=[root],
                                  caps=(0x400, 0x400, 0x400, 0x400, 0x400))
            self.ok("CapInh:\t0000000000000400\nCapPrm:\t0000000000000400\nCapEff:\t0000000000000400\n"
                    "CapBnd:\t0000000000000400\nCapAmb:\t0000000000000400\nNoNewPrivs:\t0\nSeccomp:\t2"
                    in out and "mkdir" in err, "ambient; seccomp without no_new_privs", (e, out, err))
            e, out, err = self.sh("grep ^Cap /proc/self/status", pflags=0)
            self.ok(out.count("0000000000000000") == 5, "no capabilities section: none", (e, out))
        finally:
            shutil.rmtree(root)

    def check_errors(self):
        root = self.root("e")
        try:
            with open(root + "/plain", "w") as f:
                f.write("not a program\n")
            os.chmod(root + "/plain", 0o755)
            with open(root + "/noexec", "w") as f:
                f.write("x")
            for args, code, text, at in (
                    (["foobar"], 2, "executable file `foobar` not found in $PATH: No such file or directory", 0),
                    ([""], 2, "executable file `` not found in $PATH: No such file or directory", 0),
                    (["/no/such"], 2, 'open executable "/no/such": No such file or directory', 0),
                    (["/noexec"], 13, 'exec "/noexec": Permission denied', 0),
                    (["/etc"], 13, 'exec "/etc": is a directory: Permission denied', 0),
                    (["/plain"], 8, 'exec "/plain": Exec format error', 1)):
                g = self.guest([root])
                try:
                    e = g.create(Program(args).usual(cgroup=False))
                    if at:
                        g.send(START)
                        e = g.event()
                    self.ok(e["type"] == FAILED and e["code"] == code and e["text"] == text and
                            e["exec_failed"] == 1, "args %r" % args, e)
                finally:
                    g.close()
            for name, edit, text in (
                    ("file system", lambda p: p.mount(FS, "/x", "x", "nosuchfs", flags=DIR),
                     'mount "/x": nosuchfs: No such device'),
                    ("sysctl", lambda p: p.sysctl("no/such", "1"),
                     'sysctl "no/such": No such file or directory'),
                    ("share", lambda p: p.mount(SHARE, "/x", share=7, flags=DIR),
                     'mount "/x": No such file or directory'),
                    ("cwd", lambda p: setattr(p, "cwd", "/plain"),
                     'process.cwd "/plain": Not a directory'),
                    ("kind", lambda p: p.mount(9, "/x"), "program: mounts[0].kind 9")):
                e, out, err = self.sh("true", usual=False, edit=edit, shares=[root])
                self.ok(e["type"] == FAILED and e["text"] == text and e["exec_failed"] == 0,
                        "error: " + name, e)
        finally:
            shutil.rmtree(root)

    def check_mounts(self):
        root, vol = self.root("m"), tempfile.mkdtemp()
        single = vol + ".single"
        try:
            with open(single, "w") as f:
                f.write("single\n")
            open(vol + "/inside", "w").write("vol\n")
            os.makedirs(root + "/seed/deep")
            open(root + "/seed/deep/f", "w").write("seed\n")
            os.chmod(root + "/seed/deep/f", 0o640)
            os.chown(root + "/seed/deep/f", 12, 34)
            os.symlink("deep/f", root + "/seed/link")
            os.symlink("/elsewhere", root + "/dangling")
            os.symlink("../../../../../../tmp", root + "/escape")

            def edit(p):
                p.mount(SHARE, "/vol/a/b", share=1, flags=DIR, ms=MS_RDONLY | MS_NOSUID)
                p.mount(SHARE, "/etc/new/single", share=2)
                p.mount(SHARE, "/dangling/sub", share=1, flags=DIR)
                p.mount(SHARE, "/escape/sub", share=1, flags=DIR)
                p.mount(FS, "/seed", "tmpfs", "tmpfs", "mode=755", MS_RDONLY, DIR | TMPCOPYUP)
                p.mount(FS, "/run", "tmpfs", "tmpfs", "mode=755", MS_RDONLY, DIR | RO_LAST)
                p.mount(SHARE, "/run/v", share=1, flags=DIR)
                p.mount(BIND, "/dev/fuse2", "/dev/null")
                p.mount(FS, "/opt", "tmpfs", "tmpfs", "", flags=DIR, prop=1 << 20)
                p.mount(FS, "/optional", "x", "nosuchfs", flags=DIR | OPTIONAL)
                p.device("/dev/net/tun", 10, 200, mode=0o600, uid=3, gid=4)
                p.device("/dev/absent", 77, 7, optional=1)
                p.device("/dev/kmsg2", 1, 11, optional=1)
                p.device("/fifo", 0, 0, kind="p")
                p.device("/etc/zero", 1, 5, mode=0o640, gid=9)
            e, out, err = self.sh(
                "cat /vol/a/b/inside /etc/new/single /elsewhere/sub/inside /tmp/sub/inside; "
                "touch /vol/a/b/x; touch /seed/x; cat /seed/link; ls -ln /seed/deep/f; touch /run/x; "
                "touch /run/v/x && echo ranv; touch /rootx; ls -l /dev/fuse2 /dev/net/tun /dev/absent "
                "/dev/kmsg2 /etc/zero /fifo; head -c 3 /etc/zero | wc -c; touch /dev/shm/ok && echo shm; "
                "cat /proc/self/mountinfo", shares=[root, vol, single], edit=edit, flags=1)
            self.ok(out.startswith("vol\nsingle\nvol\nvol\nseed\n"), "shares, made mount points, links",
                    (e, out, err))
            self.ok(err.count("Read-only file system") == 4, "read-only: bind, copy-up, last, root", err)
            self.ok(" 12       34 " in out.replace("\t", " ") and "rw-r-----" in out, "copy-up", out)
            self.ok("ranv\n" in out and "shm\n" in out and "\n3\n" in out, "what stays writable", out)
            self.ok("/dev/absent: No such file" in err and "10, 200" in out and "1,  11" in out
                    and "crw-r-----" in out, "devices", (out, err))
            self.ok(" /opt rw" in out and "shared:" in out, "propagation", out)
            lines = [l for l in out.split("\n") if " - " in l]
            self.ok(lines and all("/shares" not in l for l in lines),
                    "no other mounts are seen", lines)
        finally:
            shutil.rmtree(root)
            shutil.rmtree(vol)
            os.unlink(single)

    def check_privileged(self):
        e, out, err = self.sh(
            "unshare -U true && echo userns; unshare -m sh -c 'mount -t tmpfs x /tmp && mkdir /tmp/r && "
            "mount --bind / /tmp/r && mkdir -p /tmp/r/tmp && cd /tmp/r && pivot_root . tmp && echo pivot'; "
            "ls /.. | tr '\\n' ' '; mkdir -p /tmp/c; cat /proc/1/mountinfo | wc -l",
            caps=(ALL_CAPS,) * 4 + (0,))
        self.ok("userns\n" in out, "user namespaces can be made inside", (e, out, err))
        self.ok("pivot\n" in out, "so can a new root", (e, out, err))
        self.ok("shares" not in out, "nothing beneath the root", out)

    def check_end(self):
        for name in ("stop", "close"):
            g = self.guest()
            try:
                g.create(Program(["sleep", "1000"]).usual())
                g.send(START)
                g.event(STARTED)
                if name == "stop":
                    g.send(STOP)
                else:
                    g.control.close()
                try:
                    g.procs[1].wait(10)
                    self.ok(True, "the machine ends: " + name)
                except subprocess.TimeoutExpired:
                    self.ok(False, "the machine ends: " + name, g.console())
            finally:
                g.close()

    def check_clock(self):
        e, out, err = self.sh("date +%s", epoch_ns=2000000000 * 10**9)
        self.ok(2000000000 <= int(out or 0) < 2000000060, "the clock is the host's", out)

    def check_idle(self):
        g = self.guest()
        try:
            g.create(Program(["sh", "-c", "exec 2>&-; sleep 1; set -- $(head -1 /proc/stat); a=$5; "
                              "b=$(($2+$4+$5+$6+$8)); sleep 3; set -- $(head -1 /proc/stat); "
                              "echo $((100*($5-a)/($2+$4+$5+$6+$8-b)))"]).usual(), read=False)
            g.streams[1].shutdown(socket.SHUT_WR)
            t = [g.reader(1)]
            g.send(START)
            g.event(STARTED)
            e = g.event(EXITED)
            [x.join(5) for x in t]
            self.ok(g.out[1].strip().isdigit() and int(g.out[1]) > 70,
                    "half-closed and ended streams cost no time (%s%% idle)" % g.out[1].decode().strip(),
                    (e, g.out))
        finally:
            g.close()

    def check_orphans(self):
        e, out, err = self.sh("for i in 1 2 3 4 5; do (sh -c 'sleep 300 & sleep 300 &' &); done; "
                              "sleep 0.5; echo bye")
        self.ok(e["code"] == 0 and out == "bye\n", "orphans end with pid 1", (e, out, err))


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    c = Checks(*sys.argv[1:4])
    names = sys.argv[4:] or [n[6:] for n in dir(Checks) if n.startswith("check_")]
    for n in names:
        print("# " + n, flush=True)
        try:
            getattr(c, "check_" + n)()
        except Exception as x:
            c.ok(False, n + " raised", repr(x))
    print("1..%d" % c.n)
    sys.exit(1 if c.bad else 0)


if __name__ == "__main__":
    main()
