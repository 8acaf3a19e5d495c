/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sys - Linux system calls without a C library. Every result is the kernel's: negative is -errno.
 *
 * Only calls that every 64-bit architecture has are used (openat, not open), so another one needs
 * sys_call() and start.S and nothing else.
 */
#ifndef GUEST_INIT_SYS_H
#define GUEST_INIT_SYS_H

#include <asm/errno.h>
#include <asm/poll.h>
#include <asm/stat.h>
#include <asm/statfs.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <linux/sysinfo.h>
#include <linux/time_types.h>
#include <stddef.h>
#include <stdint.h>

/* What <linux/...> leaves to the C library. */
#define SYS_AF_UNIX 1
#define SYS_AF_INET 2
#define SYS_AF_INET6 10
#define SYS_AF_NETLINK 16
#define SYS_AF_VSOCK 40
#define SYS_SO_VM_SOCKETS_CONNECT_TIMEOUT 6 /* a struct timeval (linux/vm_sockets.h) */
#define SYS_SOCK_STREAM 1
#define SYS_SOCK_DGRAM 2
#define SYS_SOCK_RAW 3
#define SYS_SOCK_CLOEXEC O_CLOEXEC
#define SYS_SOL_SOCKET 1
#define SYS_SO_ERROR 4
#define SYS_MSG_TRUNC 0x20
#define SYS_MSG_DONTWAIT 0x40
#define SYS_MSG_NOSIGNAL 0x4000
#define SYS_SHUT_RD 0
#define SYS_SHUT_WR 1
#define SYS_POLLRDHUP 0x2000
#define SYS_SIG_SETMASK 2
#define SYS_CLOCK_REALTIME 0
#define SYS_CLOCK_MONOTONIC 1
#define SYS_CLOCK_BOOTTIME 7
#define SYS_PROT_RW 3
#define SYS_MAP_PRIVATE_ANON 0x22
#define SYS_MAP_SHARED_ANON 0x21
#define SYS_X_OK 1
#define SYS_SIGKILL 9
#define SYS_SIGCHLD 17

/* <linux/stat.h> leaves these out beside glibc, with which the unit tests build. */
#ifndef S_IFMT
#define S_IFMT 0170000
#define S_IFIFO 0010000
#define S_IFCHR 0020000
#define S_IFDIR 0040000
#define S_IFBLK 0060000
#define S_IFREG 0100000
#define S_IFLNK 0120000
#endif

#define SYS_VMADDR_CID_ANY 0xffffffffu

/* <linux/vm_sockets.h> needs the C library's struct sockaddr. */
struct sys_sockaddr_vm {
	uint16_t family;
	uint16_t reserved;
	uint32_t port;
	uint32_t cid;
	uint8_t zero[4];
};

/* <linux/un.h> needs the C library's, too. */
struct sys_sockaddr_un {
	uint16_t family;
	char path[108];
};

struct sys_dirent {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

static inline long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline long sys_call3(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c)
			 : "rcx", "r11", "memory");
	return ret;
}

static inline long sys_call5(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return ret;
}

/* ------------------------------------------------------------------ files */

static inline long sys_read(int fd, void *buf, size_t n)
{
	return sys_call3(__NR_read, fd, (long)buf, (long)n);
}

static inline long sys_write(int fd, const void *buf, size_t n)
{
	return sys_call3(__NR_write, fd, (long)buf, (long)n);
}

static inline int sys_openat(int dir, const char *path, int flags, unsigned mode)
{
	return (int)sys_call5(__NR_openat, dir, (long)path, flags | O_CLOEXEC, mode, 0);
}

static inline int sys_close(int fd)
{
	return (int)sys_call3(__NR_close, fd, 0, 0);
}

static inline int sys_mkdirat(int dir, const char *path, unsigned mode)
{
	return (int)sys_call3(__NR_mkdirat, dir, (long)path, mode);
}

static inline int sys_mknodat(int dir, const char *path, unsigned mode, uint64_t dev)
{
	return (int)sys_call5(__NR_mknodat, dir, (long)path, mode, (long)dev, 0);
}

static inline int sys_symlinkat(const char *target, int dir, const char *path)
{
	return (int)sys_call3(__NR_symlinkat, (long)target, dir, (long)path);
}

static inline long sys_readlinkat(int dir, const char *path, char *buf, size_t n)
{
	return sys_call5(__NR_readlinkat, dir, (long)path, (long)buf, (long)n, 0);
}

static inline int sys_fstatat(int dir, const char *path, struct stat *st, int flags)
{
	return (int)sys_call5(__NR_newfstatat, dir, (long)path, (long)st, flags, 0);
}

/* @st: 256 bytes, a struct statx, which <linux/stat.h> has not got beside glibc */
static inline int sys_statx(int dir, const char *path, int flags, unsigned mask, void *st)
{
	return (int)sys_call5(__NR_statx, dir, (long)path, flags, (long)mask, (long)st);
}

static inline int sys_statfs(const char *path, struct statfs *st)
{
	return (int)sys_call3(__NR_statfs, (long)path, (long)st, 0);
}

static inline int sys_faccessat(int dir, const char *path, int mode)
{
	return (int)sys_call3(__NR_faccessat, dir, (long)path, mode);
}

static inline int sys_fchmod(int fd, unsigned mode)
{
	return (int)sys_call3(__NR_fchmod, fd, mode, 0);
}

static inline int sys_fchmodat(int dir, const char *path, unsigned mode)
{
	return (int)sys_call3(__NR_fchmodat, dir, (long)path, mode);
}

static inline int sys_fchown(int fd, uint32_t uid, uint32_t gid)
{
	return (int)sys_call3(__NR_fchown, fd, uid, gid);
}

static inline int sys_fchownat(int dir, const char *path, uint32_t uid, uint32_t gid, int flags)
{
	return (int)sys_call5(__NR_fchownat, dir, (long)path, uid, gid, flags);
}

static inline long sys_getdents(int fd, void *buf, size_t n)
{
	return sys_call3(__NR_getdents64, fd, (long)buf, (long)n);
}

static inline int sys_fcntl(int fd, int cmd, long arg)
{
	return (int)sys_call3(__NR_fcntl, fd, cmd, arg);
}

static inline int sys_ioctl(int fd, unsigned cmd, long arg)
{
	return (int)sys_call3(__NR_ioctl, fd, cmd, arg);
}

static inline int sys_dup(int fd)
{
	return (int)sys_call3(__NR_dup, fd, 0, 0);
}

static inline int sys_dup3(int from, int to, int flags)
{
	return (int)sys_call3(__NR_dup3, from, to, flags);
}

static inline int sys_pipe(int out_fds[2])
{
	return (int)sys_call3(__NR_pipe2, (long)out_fds, O_CLOEXEC, 0);
}

static inline int sys_sysinfo(struct sysinfo *info)
{
	return (int)sys_call3(__NR_sysinfo, (long)info, 0, 0);
}

static inline void sys_sync(void)
{
	sys_call3(__NR_sync, 0, 0, 0);
}

static inline unsigned sys_umask(unsigned mask)
{
	return (unsigned)sys_call3(__NR_umask, mask, 0, 0);
}

static inline int sys_chdir(const char *path)
{
	return (int)sys_call3(__NR_chdir, (long)path, 0, 0);
}

static inline long sys_getcwd(char *buf, size_t n)
{
	return sys_call3(__NR_getcwd, (long)buf, (long)n, 0);
}

static inline int sys_fchdir(int fd)
{
	return (int)sys_call3(__NR_fchdir, fd, 0, 0);
}

static inline int sys_chroot(const char *path)
{
	return (int)sys_call3(__NR_chroot, (long)path, 0, 0);
}

/* ------------------------------------------------------------------ mounts */

static inline int sys_mount(const char *source, const char *target, const char *type,
			    uint64_t flags, const char *data)
{
	return (int)sys_call5(__NR_mount, (long)source, (long)target, (long)type, (long)flags,
			      (long)data);
}

static inline int sys_open_tree(int dir, const char *path, unsigned flags)
{
	return (int)sys_call3(__NR_open_tree, dir, (long)path, (long)(flags | OPEN_TREE_CLOEXEC));
}

static inline int sys_move_mount(int from, int dir, const char *path)
{
	return (int)sys_call5(__NR_move_mount, from, (long)"", dir, (long)path,
			      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS |
				      MOVE_MOUNT_T_AUTOMOUNTS);
}

static inline int sys_mount_setattr(int dir, const char *path, unsigned flags,
				    const struct mount_attr *attr)
{
	return (int)sys_call5(__NR_mount_setattr, dir, (long)path, (long)flags, (long)attr,
			      sizeof(*attr));
}

static inline int sys_fsopen(const char *type)
{
	return (int)sys_call3(__NR_fsopen, (long)type, FSOPEN_CLOEXEC, 0);
}

static inline int sys_fsconfig(int fs, unsigned cmd, const char *key)
{
	return (int)sys_call5(__NR_fsconfig, fs, cmd, (long)key, 0, 0);
}

static inline int sys_fsmount(int fs)
{
	return (int)sys_call3(__NR_fsmount, fs, FSMOUNT_CLOEXEC, 0);
}

/* ------------------------------------------------------------------ sockets and waiting */

static inline int sys_socket(int domain, int type)
{
	return (int)sys_call3(__NR_socket, domain, type | SYS_SOCK_CLOEXEC, 0);
}

static inline int sys_netlink(int protocol)
{
	return (int)sys_call3(__NR_socket, SYS_AF_NETLINK, SYS_SOCK_RAW | SYS_SOCK_CLOEXEC, protocol);
}

static inline int sys_set_option(int fd, int level, int option, const void *value, uint32_t n)
{
	return (int)sys_call5(__NR_setsockopt, fd, level, option, (long)value, (long)n);
}

static inline int sys_connect(int fd, const struct sys_sockaddr_vm *to)
{
	return (int)sys_call3(__NR_connect, fd, (long)to, sizeof(*to));
}

static inline int sys_connect_to(int fd, const void *address, size_t n)
{
	return (int)sys_call3(__NR_connect, fd, (long)address, (long)n);
}

static inline int sys_socketpair(int out_fds[2])
{
	return (int)sys_call5(__NR_socketpair, SYS_AF_UNIX, SYS_SOCK_STREAM | SYS_SOCK_CLOEXEC, 0,
			      (long)out_fds, 0);
}

static inline int sys_bind_unix(int fd, const struct sys_sockaddr_un *to)
{
	return (int)sys_call3(__NR_bind, fd, (long)to, sizeof(*to));
}

/* sockaddr_un of <linux/un.h>: family, then the path. */
static inline int sys_bind(int fd, const void *address, size_t n)
{
	return (int)sys_call3(__NR_bind, fd, (long)address, (long)n);
}

static inline int sys_listen(int fd, int backlog)
{
	return (int)sys_call3(__NR_listen, fd, backlog, 0);
}

/* The new socket is non-blocking and close-on-exec. */
static inline int sys_accept(int fd)
{
	return (int)sys_call5(__NR_accept4, fd, 0, 0, SYS_SOCK_CLOEXEC | O_NONBLOCK, 0);
}

static inline int sys_socket_error(int fd, int *out_error)
{
	uint32_t n = sizeof(*out_error);

	return (int)sys_call5(__NR_getsockopt, fd, SYS_SOL_SOCKET, SYS_SO_ERROR, (long)out_error,
			      (long)&n);
}

static inline long sys_send(int fd, const void *buf, size_t n, int flags)
{
	return sys_call(__NR_sendto, fd, (long)buf, (long)n, flags | SYS_MSG_NOSIGNAL, 0, 0);
}

static inline long sys_recv(int fd, void *buf, size_t n, int flags)
{
	return sys_call(__NR_recvfrom, fd, (long)buf, (long)n, flags, 0, 0);
}

static inline int sys_shutdown(int fd, int how)
{
	return (int)sys_call3(__NR_shutdown, fd, how, 0);
}

/* @timeout_ms below 0 waits for ever. */
static inline int sys_poll(struct pollfd *fds, unsigned n, int timeout_ms)
{
	struct __kernel_timespec t = {.tv_sec = timeout_ms / 1000,
				      .tv_nsec = timeout_ms % 1000 * 1000000L};

	return (int)sys_call5(__NR_ppoll, (long)fds, n, timeout_ms < 0 ? 0 : (long)&t, 0, 0);
}

static inline int sys_signalfd(uint64_t mask)
{
	return (int)sys_call5(__NR_signalfd4, -1, (long)&mask, sizeof(mask), O_CLOEXEC | O_NONBLOCK,
			      0);
}

static inline int sys_sigmask(uint64_t mask)
{
	return (int)sys_call5(__NR_rt_sigprocmask, SYS_SIG_SETMASK, (long)&mask, 0, sizeof(mask),
			      0);
}

static inline int sys_clock_gettime(int clock, struct __kernel_timespec *t)
{
	return (int)sys_call3(__NR_clock_gettime, clock, (long)t, 0);
}

static inline int sys_clock_settime(int clock, const struct __kernel_timespec *t)
{
	return (int)sys_call3(__NR_clock_settime, clock, (long)t, 0);
}

/* ------------------------------------------------------------------ processes */

static inline int sys_clone3(const struct clone_args *args)
{
	return (int)sys_call3(__NR_clone3, (long)args, sizeof(*args), 0);
}

static inline int sys_unshare(uint64_t flags)
{
	return (int)sys_call3(__NR_unshare, (long)flags, 0, 0);
}

static inline int sys_wait(int pid, int *out_status, int options)
{
	return (int)sys_call5(__NR_wait4, pid, (long)out_status, options, 0, 0);
}

static inline int sys_kill(int pid, int sig)
{
	return (int)sys_call3(__NR_kill, pid, sig, 0);
}

static inline int sys_memfd(const char *name)
{
	return (int)sys_call3(__NR_memfd_create, (long)name, 1 /* MFD_CLOEXEC */, 0);
}

static inline long sys_pread(int fd, void *buf, size_t n, uint64_t at)
{
	return sys_call5(__NR_pread64, fd, (long)buf, (long)n, (long)at, 0);
}

static inline long sys_rewind(int fd)
{
	return sys_call3(__NR_lseek, fd, 0, 0 /* SEEK_SET */);
}

static inline int sys_pidfd_open(int pid)
{
	return (int)sys_call3(__NR_pidfd_open, pid, 0, 0);
}

static inline int sys_pidfd_getfd(int pidfd, int fd)
{
	return (int)sys_call3(__NR_pidfd_getfd, pidfd, fd, 0);
}

static inline int sys_finit_module(int fd)
{
	return (int)sys_call3(__NR_finit_module, fd, (long)"", 0);
}

static inline int sys_setsid(void)
{
	return (int)sys_call3(__NR_setsid, 0, 0, 0);
}

static inline int sys_sethostname(const char *name, size_t n)
{
	return (int)sys_call3(__NR_sethostname, (long)name, (long)n, 0);
}

static inline int sys_setdomainname(const char *name, size_t n)
{
	return (int)sys_call3(__NR_setdomainname, (long)name, (long)n, 0);
}

static inline int sys_prctl(int op, uint64_t a, uint64_t b)
{
	return (int)sys_call5(__NR_prctl, op, (long)a, (long)b, 0, 0);
}

static inline int sys_setgroups(size_t n, const void *gids)
{
	return (int)sys_call3(__NR_setgroups, (long)n, (long)gids, 0);
}

static inline int sys_setresuid(uint32_t uid)
{
	return (int)sys_call3(__NR_setresuid, uid, uid, uid);
}

static inline int sys_setresgid(uint32_t gid)
{
	return (int)sys_call3(__NR_setresgid, gid, gid, gid);
}

static inline int sys_capset(const void *header, const void *data)
{
	return (int)sys_call3(__NR_capset, (long)header, (long)data, 0);
}

static inline int sys_setrlimit(unsigned resource, const void *limit)
{
	return (int)sys_call5(__NR_prlimit64, 0, resource, (long)limit, 0, 0);
}

static inline int sys_personality(uint32_t persona)
{
	return (int)sys_call3(__NR_personality, persona, 0, 0);
}

/* Of this process, to the CPUs of @mask. */
static inline int sys_sched_setaffinity(uint64_t mask)
{
	return (int)sys_call3(__NR_sched_setaffinity, 0, sizeof(mask), (long)&mask);
}

/* Of this process. @prio as ioprio_set(2) takes it. */
static inline int sys_ioprio_set(uint32_t prio)
{
	return (int)sys_call3(__NR_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, prio);
}

/* Of this process. @attr: struct sched_attr. */
static inline int sys_sched_setattr(const void *attr)
{
	return (int)sys_call3(__NR_sched_setattr, 0, (long)attr, 0);
}

/* @set and @old: two of uint64_t, soft and hard; either may be NULL. */
static inline int sys_prlimit(unsigned resource, const uint64_t *set, uint64_t *old)
{
	return (int)sys_call5(__NR_prlimit64, 0, resource, (long)set, (long)old, 0);
}

static inline int sys_seccomp(unsigned op, unsigned flags, const void *args)
{
	return (int)sys_call3(__NR_seccomp, op, flags, (long)args);
}

static inline int sys_execve(const char *path, const char *const *argv, const char *const *envp)
{
	return (int)sys_call3(__NR_execve, (long)path, (long)argv, (long)envp);
}

static inline _Noreturn void sys_exit(int code)
{
	for (;;) {
		sys_call3(__NR_exit_group, code, 0, 0);
		__builtin_trap(); /* a seccomp filter may refuse even that */
	}
}

static inline int sys_reboot(unsigned cmd)
{
	/* LINUX_REBOOT_MAGIC1 and 2 of <linux/reboot.h> */
	return (int)sys_call5(__NR_reboot, 0xfee1deadL, 0x28121969, cmd, 0, 0);
}

static inline int sys_setns(int fd, uint64_t flags)
{
	return (int)sys_call3(__NR_setns, fd, (long)flags, 0);
}

static inline int sys_close_range(unsigned first, unsigned last)
{
	return (int)sys_call3(__NR_close_range, first, last, 0);
}

/* Give pages of sys_pages() back. */
static inline void sys_unmap(void *pages, size_t bytes)
{
	sys_call3(__NR_munmap, (long)pages, (long)bytes, 0);
}

static inline void *sys_map(size_t bytes, int flags)
{
	long p = sys_call(__NR_mmap, 0, (long)bytes, SYS_PROT_RW, flags, -1, 0);

	return p < 0 && p > -4096 ? NULL : (void *)p;
}

/* Zeroed pages, never given back. Return: NULL when there are none. */
static inline void *sys_pages(size_t bytes)
{
	return sys_map(bytes, SYS_MAP_PRIVATE_ANON);
}

/* The same, common to us and the children that come after. */
static inline void *sys_shared_pages(size_t bytes)
{
	return sys_map(bytes, SYS_MAP_SHARED_ANON);
}

#endif
