#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fs.py SECTION DIR [COUNT] - exercise a file system and print one "key: value" line per thing seen.

Run inside a container with two runtimes, the lines must agree. Only what python3-minimal has is used. Sections:
  calls        what system calls do: links, renames, times, holes, xattrs, locks, sharing, special files
  permissions  a table of operations done as several users, in the manner of pjdfstest: the errno of each
  tree         make COUNT files with content, names and modes that follow from their number
  check        read the tree back: one checksum
"""
import ctypes
import errno
import os
import select
import socket
import stat
import struct
import sys
import time
import zlib
try:
    import fcntl
    import mmap
except ImportError as e:
    print("modules:", e)
    sys.exit(0)

libc = ctypes.CDLL(None, use_errno=True) if hasattr(ctypes, "CDLL") else None
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2


def name_of(e):
    return errno.errorcode.get(e.errno, str(e.errno))


def say(key, fn, *args):
    """One line: the value of fn, or the name of its errno."""
    try:
        value = fn(*args)
    except OSError as e:
        value = name_of(e)
    except Exception as e:  # noqa: BLE001 - any other trouble is a finding, too
        value = f"{type(e).__name__} {e}"
    print(f"{key}: {value}", flush=True)


def write(path, data=b"content", mode=0o666, flags=0):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | flags, mode)
    try:
        return os.write(fd, data)
    finally:
        os.close(fd)


def read(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        return b"".join(iter(lambda: os.read(fd, 1 << 20), b""))
    finally:
        os.close(fd)


def child(fn):
    """fn in another process: its small integer."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            code = fn()
        except OSError as e:
            code = 100 + e.errno % 100
        finally:
            os._exit(code or 0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def syscall(name, *args):
    r = getattr(libc, name)(*args)
    if r < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))
    return r


def mode(path):
    return oct(os.lstat(path).st_mode)


# ---- calls


def links():
    write("a")
    os.link("a", "b")
    say("hard link: count", lambda: os.stat("a").st_nlink)
    say("hard link: same inode", lambda: os.stat("a").st_ino == os.stat("b").st_ino)
    os.unlink("a")
    say("hard link: content after unlink", read, "b")
    say("hard link: count after unlink", lambda: os.stat("b").st_nlink)
    say("hard link to a folder", lambda: os.link(".", "dl"))
    say("hard link that exists", lambda: (write("c"), os.link("c", "b")))
    os.symlink("b", "s")
    say("symlink: target", os.readlink, "s")
    say("symlink: size", lambda: os.lstat("s").st_size)
    say("symlink: content", read, "s")
    say("symlink: mode", mode, "s")
    os.symlink("x" * 4000, "long")
    say("symlink: 4,000 bytes", lambda: len(os.readlink("long")))
    say("symlink: too long", lambda: os.symlink("x" * 5000, "toolong"))
    os.symlink("nowhere", "dangling")
    say("symlink: dangling", read, "dangling")
    os.symlink("l1", "l2")
    os.symlink("l2", "l1")
    say("symlink: loop", read, "l1")
    say("symlink: O_NOFOLLOW", lambda: os.open("s", os.O_RDONLY | os.O_NOFOLLOW))
    say("hard link to a symlink", lambda: (os.link("s", "sl", follow_symlinks=False), os.readlink("sl"))[1])


def folders():
    os.mkdir("d")
    os.mkdir("d/e")
    say("folder: links", lambda: os.stat("d").st_nlink)
    say("folder: rmdir full", lambda: os.rmdir("d"))
    say("folder: unlink", lambda: os.unlink("d/e"))
    say("folder: rmdir of a file", lambda: (write("f"), os.rmdir("f")))
    say("folder: exists", lambda: os.mkdir("d"))
    say("folder: below a file", lambda: os.mkdir("f/x"))
    for i in range(1000):
        os.mkdir(f"d/{i}")
    say("folder: 1,000 entries", lambda: len(os.listdir("d")))
    for i in range(0, 1000, 2):
        os.rmdir(f"d/{i}")
    say("folder: 500 entries", lambda: len(os.listdir("d")))
    seen = 0
    with os.scandir("d") as it:
        for entry in it:
            seen += 1
            if entry.name.isdigit():
                os.rmdir(entry.path)
    say("folder: removed while read", lambda: (seen, os.listdir("d")))
    say("folder: deep", lambda: deep(60))
    say("name: 255 bytes", lambda: write("n" * 255))
    say("name: 256 bytes", lambda: write("n" * 256))
    for n in (b"sp ace", b"new\nline", b"\xff\xfe\x80", b"back\\slash", b"quote'\"", "grün✓".encode(), b"-dash", b"\x01\x7f"):
        say(f"name: {n!r}", lambda n=n: (write(b"d/" + n, n), read(b"d/" + n) == n, n in os.listdir(b"d"), os.unlink(b"d/" + n))[1:3])


def deep(n):
    here = os.getcwd()
    try:
        for i in range(n):
            os.mkdir("deep")
            os.chdir("deep")
        write("f")
        return len(os.getcwd()) - len(here)
    finally:
        os.chdir(here)


def renames():
    write("r1", b"one")
    write("r2", b"two")
    os.rename("r1", "r2")
    say("rename: over a file", read, "r2")
    os.mkdir("rd")
    os.mkdir("rd2")
    say("rename: file over folder", lambda: os.rename("r2", "rd"))
    say("rename: folder over file", lambda: os.rename("rd", "r2"))
    say("rename: folder over empty folder", lambda: os.rename("rd", "rd2"))
    say("rename: into itself", lambda: os.rename("rd2", "rd2/x"))
    write("rd2/f")
    os.mkdir("rd3")
    say("rename: over a full folder", lambda: os.rename("rd3", "rd2"))
    say("rename: missing", lambda: os.rename("nonesuch", "x"))
    fd = os.open("r2", os.O_RDONLY)
    os.rename("r2", "rd2/moved")
    say("rename: open file", lambda: os.read(fd, 10))
    os.unlink("rd2/moved")
    say("unlinked, open: content", lambda: os.pread(fd, 10, 0))
    say("unlinked, open: links", lambda: os.fstat(fd).st_nlink)
    os.close(fd)
    if not libc:
        return
    write("x1", b"1")
    write("x2", b"2")
    say("rename: noreplace", lambda: syscall("renameat2", -100, b"x1", -100, b"x2", RENAME_NOREPLACE))
    say("rename: noreplace, new", lambda: syscall("renameat2", -100, b"x1", -100, b"x3", RENAME_NOREPLACE))
    say("rename: exchange", lambda: (syscall("renameat2", -100, b"x2", -100, b"x3", RENAME_EXCHANGE), read("x2"), read("x3"))[1:])


def attributes():
    write("m", mode=0o640)
    say("mode: 0640", mode, "m")
    for m in (0, 0o777, 0o4755, 0o2755, 0o1777, 0o6711):
        say(f"chmod {m:o}", lambda m=m: (os.chmod("m", m), mode("m"))[1])
    os.chmod("m", 0o6755)
    write("m", b"x")
    say("set-id bits after root writes", mode, "m")
    os.chmod("m", 0o644)
    for u, g in ((5, 6), (1000, 1000), (65534, 65534), (-1, 7), (8, -1)):
        say(f"chown {u} {g}", lambda u=u, g=g: (os.chown("m", u, g), os.stat("m").st_uid, os.stat("m").st_gid)[1:])
    say("chown beyond the map", lambda: os.chown("m", 3000000000, -1) if os.environ.get("RANGE") else "not here")
    os.chmod("m", 0o6755)
    os.chown("m", 9, 9)
    say("set-id bits after chown", mode, "m")
    os.symlink("m", "ms")
    say("lchown", lambda: (os.lchown("ms", 3, 3), os.lstat("ms").st_uid, os.stat("ms").st_uid)[1:])
    os.utime("m", ns=(1234567890123456789, 987654321987654321))
    say("utime", lambda: (os.stat("m").st_atime_ns, os.stat("m").st_mtime_ns))
    os.utime("ms", ns=(10 ** 9, 2 * 10 ** 9), follow_symlinks=False)
    say("utime of a symlink", lambda: (os.lstat("ms").st_mtime_ns, os.stat("m").st_mtime_ns))
    say("utime 1969 and 2100", lambda: (os.utime("m", (-5, 4102444800)), os.stat("m").st_mtime)[1])
    before = os.stat("m").st_ctime_ns
    os.chmod("m", 0o600)
    say("ctime moves", lambda: os.stat("m").st_ctime_ns >= before)
    os.mkdir("sg")
    os.chown("sg", 0, 44)
    os.chmod("sg", 0o2775)
    write("sg/f")
    os.mkdir("sg/d")
    say("setgid folder: file", lambda: os.stat("sg/f").st_gid)
    say("setgid folder: folder", lambda: (os.stat("sg/d").st_gid, mode("sg/d")))
    for mask in (0, 0o22, 0o77, 0o777):
        old = os.umask(mask)
        write(f"u{mask:o}")
        os.mkdir(f"ud{mask:o}")
        os.umask(old)
        say(f"umask {mask:o}", lambda mask=mask: (mode(f"u{mask:o}"), mode(f"ud{mask:o}")))
    say("access: root and mode 0", lambda: (os.chmod("m", 0), os.access("m", os.R_OK), os.access("m", os.X_OK))[1:])


def xattrs():
    write("xa")
    say("xattr: set, get", lambda: (os.setxattr("xa", "user.a", b"val\0ue"), os.getxattr("xa", "user.a"))[1])
    say("xattr: empty", lambda: (os.setxattr("xa", "user.e", b""), os.getxattr("xa", "user.e"))[1])
    say("xattr: list", lambda: sorted(a for a in os.listxattr("xa") if a.startswith("user.") and a[5:] in ("a", "e")))
    say("xattr: create", lambda: os.setxattr("xa", "user.a", b"", os.XATTR_CREATE))
    say("xattr: replace", lambda: os.setxattr("xa", "user.none", b"", os.XATTR_REPLACE))
    say("xattr: remove", lambda: (os.removexattr("xa", "user.a"), os.getxattr("xa", "user.a")))
    say("xattr: 1,000 bytes", lambda: (os.setxattr("xa", "user.big", b"b" * 1000), len(os.getxattr("xa", "user.big")))[1])
    say("xattr: too big", lambda: os.setxattr("xa", "user.huge", b"b" * 100000))
    say("xattr: of a folder", lambda: (os.mkdir("xd"), os.setxattr("xd", "user.a", b"1"), os.getxattr("xd", "user.a"))[2])
    os.symlink("xa", "xs")
    say("xattr: of a symlink", lambda: os.setxattr("xs", "user.a", b"1", follow_symlinks=False))
    say("xattr: unknown name space", lambda: os.setxattr("xa", "nonesuch.a", b"1"))
    say("xattr: after rename", lambda: (os.rename("xa", "xb"), os.getxattr("xb", "user.e"))[1])


def contents():
    fd = os.open("s", os.O_RDWR | os.O_CREAT)
    os.pwrite(fd, b"end", 5 * 2 ** 30)
    say("sparse: size over 4 GiB", lambda: os.fstat(fd).st_size)
    say("sparse: few blocks", lambda: os.fstat(fd).st_blocks < 100)
    say("sparse: data at the end", lambda: os.pread(fd, 10, 5 * 2 ** 30))
    say("sparse: zeros before", lambda: os.pread(fd, 4, 4 * 2 ** 30) == b"\0" * 4)
    say("sparse: SEEK_DATA", lambda: os.lseek(fd, 0, os.SEEK_DATA) // 2 ** 20)
    say("sparse: SEEK_HOLE", lambda: os.lseek(fd, 0, os.SEEK_HOLE))
    os.ftruncate(fd, 10)
    say("truncate: shorter", lambda: os.fstat(fd).st_size)
    os.ftruncate(fd, 20)
    say("truncate: longer, zeros", lambda: os.pread(fd, 20, 0) == b"\0" * 20)
    say("truncate: negative", lambda: os.truncate("s", -1))
    say("fallocate", lambda: (os.posix_fallocate(fd, 0, 100000), os.fstat(fd).st_size)[1])
    os.close(fd)
    a = os.open("app", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    b = os.open("app", os.O_WRONLY | os.O_APPEND)
    for i in range(50):
        os.write(a, b"a")
        os.write(b, b"b")
    say("append: two writers", lambda: read("app") == b"ab" * 50)
    say("append: in turn by two processes", appenders)
    say("excl", lambda: os.open("app", os.O_CREAT | os.O_EXCL))
    say("O_TRUNC", lambda: (os.close(os.open("app", os.O_WRONLY | os.O_TRUNC)), os.stat("app").st_size)[1])
    say("O_DIRECTORY on a file", lambda: os.open("app", os.O_DIRECTORY))
    say("write to a folder", lambda: os.open(".", os.O_WRONLY))
    say("O_TMPFILE", tmpfile)
    say("read past the end", lambda: os.pread(os.open("app", os.O_RDONLY), 10, 1000))
    write("src", bytes(range(256)) * 1000)
    say("copy_file_range", copy)
    say("sendfile", lambda: os.sendfile(os.open("sf", os.O_WRONLY | os.O_CREAT), os.open("src", os.O_RDONLY), 0, 256000))
    say("fsync", lambda: os.fsync(os.open("src", os.O_RDWR)))
    say("fsync of a folder", lambda: os.fsync(os.open(".", os.O_RDONLY)))
    say("fdatasync", lambda: os.fdatasync(os.open("src", os.O_RDWR)))
    many = [os.open("src", os.O_RDONLY) for _ in range(500)]
    say("500 descriptors", lambda: len(many))
    for fd in many:
        os.close(fd)


def appenders():
    fd = os.open("app2", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    pids = []
    for c in b"xy":
        pid = os.fork()
        if pid == 0:
            f = os.open("app2", os.O_WRONLY | os.O_APPEND)
            for _ in range(300):
                os.write(f, bytes([c]) * 10)
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    os.close(fd)
    data = read("app2")
    return len(data), all(len(set(data[i:i + 10])) == 1 for i in range(0, len(data), 10))


def tmpfile():
    fd = os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(fd, b"hidden")
    os.link(f"/proc/self/fd/{fd}", "linked", follow_symlinks=True)
    return read("linked")


def copy():
    s, d = os.open("src", os.O_RDONLY), os.open("dst", os.O_WRONLY | os.O_CREAT)
    left = 256000
    while left:
        n = os.copy_file_range(s, d, left)
        if not n:
            break
        left -= n
    return left, zlib.crc32(read("dst")) == zlib.crc32(read("src"))


def sharing():
    write("mm", b"\0" * 8192)
    fd = os.open("mm", os.O_RDWR)
    m = mmap.mmap(fd, 8192)
    m[4096:4100] = b"page"
    say("mmap shared: seen by read", lambda: os.pread(fd, 4, 4096))
    os.pwrite(fd, b"back", 100)
    say("mmap shared: sees a write", lambda: m[100:104])
    say("mmap shared: between processes", lambda: (child(lambda: m.__setitem__(slice(0, 3), b"kid")), m[0:3]))
    m.flush()
    m.close()
    say("mmap shared: after unmapping", lambda: read("mm")[0:3])
    p = mmap.mmap(fd, 8192, access=mmap.ACCESS_COPY)
    p[0:3] = b"own"
    say("mmap private: not written", lambda: os.pread(fd, 3, 0))
    p.close()
    os.close(fd)


def lock_in_child(kind, path, how):
    def attempt():
        f = os.open(path, os.O_RDWR)
        if kind == "flock":
            fcntl.flock(f, how | fcntl.LOCK_NB)
        else:
            fcntl.lockf(f, how | fcntl.LOCK_NB, 10, 0)
        return 1
    return {1: "granted", 100 + errno.EAGAIN: "refused", 100 + errno.EACCES: "refused"}.get(child(attempt), "odd")


def locks():
    write("lk", b"\0" * 100)
    fd = os.open("lk", os.O_RDWR)
    say("flock: exclusive", lambda: (fcntl.flock(fd, fcntl.LOCK_EX), lock_in_child("flock", "lk", fcntl.LOCK_EX))[1])
    say("flock: shared over exclusive", lambda: lock_in_child("flock", "lk", fcntl.LOCK_SH))
    say("flock: two shared", lambda: (fcntl.flock(fd, fcntl.LOCK_SH), lock_in_child("flock", "lk", fcntl.LOCK_SH))[1])
    say("flock: unlocked", lambda: (fcntl.flock(fd, fcntl.LOCK_UN), lock_in_child("flock", "lk", fcntl.LOCK_EX))[1])
    say("flock: inherited", lambda: (fcntl.flock(fd, fcntl.LOCK_EX), child(lambda: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)))[1])
    fcntl.flock(fd, fcntl.LOCK_UN)
    say("fcntl: exclusive", lambda: (fcntl.lockf(fd, fcntl.LOCK_EX, 10, 0), lock_in_child("fcntl", "lk", fcntl.LOCK_EX))[1])
    say("fcntl: another range", lambda: (fcntl.lockf(fd, fcntl.LOCK_UN), fcntl.lockf(fd, fcntl.LOCK_EX, 10, 50),
                                         lock_in_child("fcntl", "lk", fcntl.LOCK_EX))[2])
    say("fcntl: gone when any descriptor closes", lambda: (os.close(os.open("lk", os.O_RDWR)),
                                                           fcntl.lockf(fd, fcntl.LOCK_UN), lock_in_child("fcntl", "lk", fcntl.LOCK_EX))[2])
    r, w = os.pipe()
    fcntl.flock(fd, fcntl.LOCK_EX)
    pid = os.fork()
    if pid == 0:
        f = os.open("lk", os.O_RDWR)
        os.write(w, b"1")
        fcntl.flock(f, fcntl.LOCK_EX)
        os.write(w, b"2")
        os._exit(0)
    os.read(r, 1)
    say("flock: waits", lambda: select.select([r], [], [], 0.3)[0] == [])
    fcntl.flock(fd, fcntl.LOCK_UN)
    say("flock: wakes", lambda: select.select([r], [], [], 5)[0] == [r])
    os.waitpid(pid, 0)
    if hasattr(fcntl, "F_OFD_SETLK"):
        def ofd(f, kind):
            fcntl.fcntl(f, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", kind, 0, 0, 0, 0))
            return "granted"
        say("OFD lock: exclusive", lambda: (ofd(fd, fcntl.F_WRLCK), ofd(os.open("lk", os.O_RDWR), fcntl.F_WRLCK))[1])
        other = os.open("lk", os.O_RDWR)
        os.close(fd)

        def in_time():
            for _ in range(100):
                try:
                    return ofd(other, fcntl.F_WRLCK)
                except OSError:
                    time.sleep(0.05)
            return "never"
        say("OFD lock: gone with its file", in_time)


def special():
    os.mkfifo("ff")
    say("fifo: mode", mode, "ff")
    pid = os.fork()
    if pid == 0:
        f = os.open("ff", os.O_WRONLY)
        os.write(f, b"through")
        os._exit(0)
    say("fifo: data", lambda: read("ff"))
    os.waitpid(pid, 0)
    s = socket.socket(socket.AF_UNIX)
    s.bind("sock")
    s.listen(1)
    say("socket: mode", lambda: oct(stat.S_IFMT(os.lstat("sock").st_mode)))
    c = socket.socket(socket.AF_UNIX)
    say("socket: connect", lambda: c.connect("sock"))
    say("socket: data", lambda: (c.send(b"hi"), s.accept()[0].recv(2))[1])
    say("socket: bind again", lambda: socket.socket(socket.AF_UNIX).bind("sock"))
    s.close()
    say("socket: nobody listens", lambda: socket.socket(socket.AF_UNIX).connect("sock"))
    say("mknod: regular", lambda: (os.mknod("reg", 0o644 | stat.S_IFREG), mode("reg"))[1])
    say("statvfs", lambda: os.statvfs(".").f_namemax)
    say("O_PATH", lambda: os.fstat(os.open("reg", os.O_PATH)).st_size)
    say("exec from here", lambda: (write("prog", b"#!/bin/sh\nexit 42\n"), os.chmod("prog", 0o755),
                                   child(lambda: os.execv("prog", ["prog"])))[2])
    fd = os.open("prog", os.O_WRONLY)
    say("text busy or not", lambda: child(lambda: os.execv("prog", ["prog"])))
    os.close(fd)


def calls():
    for fn in (links, folders, renames, attributes, xattrs, contents, sharing, locks, special):
        os.mkdir(fn.__name__)
        os.chdir(fn.__name__)
        try:
            fn()
        except Exception as e:  # noqa: BLE001
            print(f"{fn.__name__} stopped: {type(e).__name__} {e}", flush=True)
        os.chdir("..")


# ---- permissions


def as_user(uid, gid, groups, fn):
    def run():
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        try:
            fn()
        except OSError as e:
            return e.errno
        return 0
    code = child(run)
    return "ok" if code == 0 else errno.errorcode.get(code, str(code))


def build(d, modes, owner):
    os.mkdir(d)
    os.chmod(d, 0o777)
    for m in modes:
        f = f"{d}/f{m:o}"
        write(f)
        os.chown(f, *owner)
        os.chmod(f, m)
        g = f"{d}/d{m:o}"
        os.mkdir(g)
        write(g + "/x")
        os.chown(g, *owner)
        os.chmod(g, m)


def permissions():
    users = {"root": (0, 0, []), "owner": (1000, 1000, []), "group": (1001, 1000, []), "member": (1002, 1002, [5, 1000]),
             "other": (1003, 1003, [5])}
    modes = (0o0, 0o400, 0o200, 0o100, 0o640, 0o604, 0o060, 0o006, 0o111, 0o777, 0o1777, 0o2770, 0o4755)
    operations = {
        "read": lambda f, d: read(f),
        "write": lambda f, d: write(f, b"y"),
        "truncate": lambda f, d: os.truncate(f, 0),
        "chmod": lambda f, d: os.chmod(f, os.stat(f).st_mode & 0o7777),
        "utime now": lambda f, d: os.utime(f),
        "utime set": lambda f, d: os.utime(f, (1, 1)),
        "chown to me": lambda f, d: os.chown(f, os.getuid(), -1),
        "chgrp to mine": lambda f, d: os.chown(f, -1, os.getgid()),
        "xattr": lambda f, d: os.setxattr(f, "user.p", b"1"),
        "list": lambda f, d: os.listdir(d),
        "enter": lambda f, d: os.stat(d + "/x"),
        "create": lambda f, d: write(f"{d}/new{os.getuid()}"),
        "mkdir": lambda f, d: os.mkdir(f"{d}/dir{os.getuid()}"),
        "link": lambda f, d: os.link(f, f"{f}.link{os.getuid()}"),
        "remove": lambda f, d: (os.unlink(d + "/x")),
    }
    for m in modes:
        for who, (uid, gid, groups) in users.items():
            top = f"p{m:o}{who}"
            build(top, [m], (1000, 1000))
            f, d = f"{top}/f{m:o}", f"{top}/d{m:o}"
            result = [f"{name}={as_user(uid, gid, groups, lambda op=op: op(f, d))}" for name, op in operations.items()]
            print(f"mode {m:04o} as {who}:", ", ".join(result), flush=True)
            print(f"mode {m:04o} as {who} afterwards:", mode(f), os.stat(f).st_uid, os.stat(f).st_gid, flush=True)
    os.mkdir("sticky")
    os.chmod("sticky", 0o1777)
    for owner in (1000, 1003):
        for kind in ("unlink", "rename"):
            p = f"sticky/{owner}{kind}"
            write(p)
            os.chown(p, owner, owner)
            fn = (lambda p=p: os.unlink(p)) if kind == "unlink" else (lambda p=p: os.rename(p, p + ".new"))
            print(f"sticky {kind} of {owner}'s by 1003:", as_user(1003, 1003, [], fn), flush=True)
    write("suid", b"x")
    for who, (uid, gid, groups) in users.items():
        os.chown("suid", uid, gid)
        os.chmod("suid", 0o6777)
        print(f"set-id bits after {who} writes:", as_user(1003, 1003, [], lambda: write("suid", b"y")), mode("suid"), flush=True)
    os.mkdir("sgd")
    os.chown("sgd", 1000, 1000)
    os.chmod("sgd", 0o2777)
    for who, (uid, gid, groups) in users.items():
        as_user(uid, gid, groups, lambda: (write(f"sgd/{who}", mode=0o2777), os.mkdir(f"sgd/{who}.d")))
        s, t = os.stat(f"sgd/{who}"), os.stat(f"sgd/{who}.d")
        print(f"made by {who} in a setgid folder:", s.st_uid, s.st_gid, oct(s.st_mode), t.st_gid, oct(t.st_mode), flush=True)
    for who, (uid, gid, groups) in users.items():
        write("g")
        os.chown("g", uid, 7)
        os.chmod("g", 0o777)
        print(f"setgid bit by {who} of a foreign group:", as_user(uid, gid, groups, lambda: os.chmod("g", 0o2777)), mode("g"), flush=True)
        print(f"chgrp by {who} to group 5:", as_user(uid, gid, groups, lambda: os.chown("g", -1, 5)), flush=True)
        os.unlink("g")


# ---- trees


def content(i):
    return (b"%d " % i) * (1 if i % 50 else 3000) + b"\n" * (i % 7)


def path_of(i):
    return f"{i % 23}/{i % 7}/file {i}"


def tree(count):
    for i in range(count):
        p = path_of(i)
        os.makedirs(os.path.dirname(p), exist_ok=True)
        if i % 40 == 7:
            os.symlink(f"file {i - 1}", p)
            continue
        write(p, content(i))
        os.chmod(p, (0o644, 0o600, 0o755, 0o444)[i % 4])
    print("made:", count)


def check(count):
    total = 0
    good = 0
    for i in range(count):
        p = path_of(i)
        if i % 40 == 7:
            good += os.readlink(p) == f"file {i - 1}"
            continue
        data = read(p)
        good += data == content(i) and os.stat(p).st_mode & 0o777 == (0o644, 0o600, 0o755, 0o444)[i % 4]
        total = zlib.crc32(data, total)
    print("checked:", good, "of", count)
    print("checksum:", total)


def main():
    os.umask(0o22)
    os.makedirs(sys.argv[2], exist_ok=True)
    os.chdir(sys.argv[2])
    section = {"calls": calls, "permissions": permissions, "tree": tree, "check": check}[sys.argv[1]]
    section(*map(int, sys.argv[3:]))


main()
