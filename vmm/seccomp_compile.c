/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_compile - at build time: allow-lists as BPF in a C header on stdout: those of the VMM's classes of threads, or
 * with the argument `mirror` that of coracle-mirror (runtime/net_mirror.c), which reads what the guest sends, too.
 *
 * Compiling takes libseccomp some ten milliseconds, which no start of a machine should wait for.
 * Everything that has no row kills the process.
 *
 * Each row says why. A new system call is a new row with a reason, or it does not happen.
 * ioctl is allowed for KVM_RUN alone on vCPU threads, for TUNSETOFFLOAD alone on the loop; mmap and mprotect never with PROT_EXEC.
 */
#include "vmm/seccomp.h"

#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define ON_LOOP (1u << SECCOMP_LOOP)
#define ON_VCPU (1u << SECCOMP_VCPU)
#define ON_FILES (1u << SECCOMP_FILES)
#define ON_ALL (ON_LOOP | ON_VCPU | ON_FILES)
#define ON_MIRROR (1u << SECCOMP_MIRROR)
#define SERVES_FILES (ON_VCPU | ON_FILES)
#define KVM_RUN_REQUEST 0xae80u /* _IO(KVMIO, 0x80) */
#define TAP_OFFLOAD_REQUEST 0x400454d0u /* TUNSETOFFLOAD, _IOW('T', 208, unsigned int) */
#define MAX_FILTER 1024	      /* instructions */

struct row {
	int nr;
	unsigned on;
	const char *why;
};

#define SYS(name) SCMP_SYS(name)

static const struct row rows[] = {
	{ SYS(futex), ON_ALL, "locks and condition variables" },
	{ SYS(read), ON_ALL, "streams, eventfds; directory of files" },
	{ SYS(write), ON_ALL, "interrupts by eventfd; console; streams" },
	{ SYS(readv), ON_LOOP, "streams; frames from a tap" },
	{ SYS(writev), ON_LOOP, "streams; frames to a tap" },
	{ SYS(close), ON_ALL | ON_MIRROR, "streams that ended; files" },
	{ SYS(munmap), ON_ALL | ON_MIRROR, "free of large blocks" },
	{ SYS(madvise), ON_ALL, "malloc gives pages back; memory_warm()" },
	{ SYS(mremap), ON_ALL, "realloc of large blocks" },
	{ SYS(brk), ON_ALL, "malloc" },
	{ SYS(rt_sigprocmask), ON_ALL, "abort and thread end" },
	{ SYS(rt_sigreturn), ON_ALL, "return from a signal" },
	{ SYS(getpid), ON_ALL, "abort" },
	{ SYS(gettid), ON_ALL, "abort" },
	{ SYS(exit_group), ON_ALL | ON_MIRROR, "the end" },
	{ SYS(restart_syscall), ON_ALL | ON_MIRROR, "a wait goes on after a stop" },
	{ SYS(sched_getaffinity), ON_ALL, "malloc counts CPUs at its ninth arena" },
	{ SYS(clock_gettime), ON_ALL | ON_MIRROR, "timeouts, where the vDSO has no fast way" },
	{ SYS(epoll_wait), ON_LOOP, "the loop; FIFOs that have moved" },
	{ SYS(epoll_pwait), ON_LOOP, "the loop, as newer libcs call it" },
	{ SYS(epoll_ctl), ON_ALL, "streams that ended; a reset ends them on a vCPU; FIFOs that are waited for" },
	{ SYS(poll), ON_ALL | ON_MIRROR, "streams that can't be made non-blocking; FIFOs; the mirror's loop" },
	{ SYS(ppoll), ON_ALL | ON_MIRROR, "the same, as newer libcs call it" },
	{ SYS(recvmsg), ON_LOOP, "streams that are sockets; control" },
	{ SYS(sendmsg), ON_LOOP, "streams that are sockets; control" },
	{ SYS(recvfrom), ON_LOOP | ON_MIRROR, "control; connections" },
	{ SYS(sendto), ON_LOOP | ON_MIRROR, "control; connections" },
	{ SYS(shutdown), ON_LOOP | ON_MIRROR, "one direction of a mounted socket's connection, or of a mirrored one" },
	{ SYS(socket), ON_MIRROR, "who listens; connections" },
	{ SYS(bind), ON_MIRROR, "to listen" },
	{ SYS(listen), ON_MIRROR, "to listen" },
	{ SYS(accept4), ON_MIRROR, "callers" },
	{ SYS(connect), ON_MIRROR, "servers" },
	{ SYS(setsockopt), ON_MIRROR, "IPV6_V6ONLY, SO_REUSEADDR, SO_LINGER" },
	{ SYS(getsockopt), ON_MIRROR, "SO_ERROR" },
	{ SYS(getsockname), ON_MIRROR, "the address that was called" },
	{ SYS(pause), ON_VCPU, "a stopped CPU waits for the process to end" },
	{ SYS(getrandom), ON_ALL, "entropy device; hash seeds" },
	{ SYS(openat), SERVES_FILES, "inodes and handles, below descriptors" },
	{ SYS(openat2), SERVES_FILES, "the same with RESOLVE_ rules" },
	{ SYS(newfstatat), SERVES_FILES | ON_MIRROR, "attributes; which sockets are our own" },
	{ SYS(fstat), SERVES_FILES, "attributes" },
	{ SYS(statx), SERVES_FILES, "attributes with birth time and mount" },
	{ SYS(readlinkat), SERVES_FILES, "READLINK" },
	{ SYS(symlinkat), SERVES_FILES, "SYMLINK" },
	{ SYS(mknodat), SERVES_FILES, "MKNOD of FIFOs, sockets, files" },
	{ SYS(mkdirat), SERVES_FILES, "MKDIR" },
	{ SYS(unlinkat), SERVES_FILES, "UNLINK, RMDIR" },
	{ SYS(renameat2), SERVES_FILES, "RENAME2" },
	{ SYS(renameat), SERVES_FILES, "RENAME" },
	{ SYS(linkat), SERVES_FILES, "LINK" },
	{ SYS(preadv), SERVES_FILES, "READ" },
	{ SYS(preadv2), SERVES_FILES, "READ" },
	{ SYS(pread64), SERVES_FILES, "READ" },
	{ SYS(pwritev), SERVES_FILES, "WRITE" },
	{ SYS(pwritev2), SERVES_FILES, "WRITE" },
	{ SYS(pwrite64), SERVES_FILES, "WRITE" },
	{ SYS(getdents64), SERVES_FILES, "READDIR" },
	{ SYS(lseek), SERVES_FILES, "LSEEK, READDIR" },
	{ SYS(statfs), SERVES_FILES, "STATFS" },
	{ SYS(fstatfs), SERVES_FILES, "STATFS" },
	{ SYS(fsync), SERVES_FILES, "FSYNC" },
	{ SYS(fdatasync), SERVES_FILES, "FSYNC" },
	{ SYS(syncfs), SERVES_FILES, "SYNCFS" },
	{ SYS(ftruncate), SERVES_FILES, "SETATTR" },
	{ SYS(fchmod), SERVES_FILES, "SETATTR" },
	{ SYS(fchmodat), SERVES_FILES, "SETATTR" },
	{ SYS(fchown), SERVES_FILES, "SETATTR" },
	{ SYS(fchownat), SERVES_FILES, "SETATTR" },
	{ SYS(utimensat), SERVES_FILES, "SETATTR" },
	{ SYS(fallocate), SERVES_FILES, "FALLOCATE" },
	{ SYS(copy_file_range), SERVES_FILES, "COPY_FILE_RANGE" },
	{ SYS(fcntl), SERVES_FILES, "locks; flags" },
	{ SYS(flock), SERVES_FILES, "locks" },
	{ SYS(tee), SERVES_FILES, "whether a FIFO has a writer" },
	{ SYS(fsetxattr), SERVES_FILES, "SETXATTR" },
	{ SYS(fgetxattr), SERVES_FILES, "GETXATTR" },
	{ SYS(flistxattr), SERVES_FILES, "LISTXATTR" },
	{ SYS(fremovexattr), SERVES_FILES, "REMOVEXATTR" },
	{ SYS(dup), SERVES_FILES, "handles" },
	{ SYS(fadvise64), SERVES_FILES, "read-ahead" },
};

static int add_rows(scmp_filter_ctx ctx, unsigned on)
{
	int r = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && r == 0; i++)
		if (rows[i].on & on)
			r = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, rows[i].nr, 0);
	if (r == 0)
		r = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, SYS(mmap), 1,
					   SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, SYS(mprotect), 1,
					   SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, SYS(tgkill), 1,
					   SCMP_A0(SCMP_CMP_EQ, SECCOMP_OWN_PID, 0));
	if (r == 0 && on == ON_VCPU)
		r = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, SYS(ioctl), 1,
					   SCMP_A1(SCMP_CMP_EQ, KVM_RUN_REQUEST, 0));
	/* a number, no pointer: what a driver has negotiated is told to its tap */
	if (r == 0 && on == ON_LOOP)
		r = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, SYS(ioctl), 1,
					   SCMP_A1(SCMP_CMP_EQ, TAP_OFFLOAD_REQUEST, 0));
	return r;
}

static int compile(unsigned class, struct sock_filter *out, size_t *out_n)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	FILE *f = tmpfile();
	int r = ctx && f ? 0 : -ENOMEM;

	/* a binary tree: the number of rows costs little per system call */
	if (r == 0)
		(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (r == 0)
		r = add_rows(ctx, 1u << class);
	if (r == 0)
		r = seccomp_export_bpf(ctx, fileno(f));
	if (r == 0 && fseek(f, 0, SEEK_SET) < 0)
		r = -errno;
	if (r == 0) {
		*out_n = fread(out, sizeof(*out), MAX_FILTER, f);
		r = *out_n == 0 || *out_n == MAX_FILTER ? -E2BIG : 0;
	}
	if (ctx)
		seccomp_release(ctx);
	if (f)
		(void)fclose(f);
	return r;
}

static int print(unsigned class, const char *name)
{
	static struct sock_filter f[MAX_FILTER];
	size_t n = 0;
	int r = compile(class, f, &n);

	if (r < 0) {
		(void)fprintf(stderr, "seccomp_compile: %s: %s\n", name, strerror(-r));
		return r;
	}
	(void)printf("static const struct sock_filter %s[] = {\n", name);
	for (size_t i = 0; i < n; i++)
		(void)printf("\t{ 0x%02x, %u, %u, 0x%08x },\n", f[i].code, f[i].jt, f[i].jf, f[i].k);
	puts("};");
	return 0;
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
		[SECCOMP_LOOP] = "loop_filter",
		[SECCOMP_VCPU] = "vcpu_filter",
		[SECCOMP_FILES] = "files_filter",
		[SECCOMP_MIRROR] = "mirror_filter",
	};
	bool mirror = argc == 2 && strcmp(argv[1], "mirror") == 0;
	unsigned class = mirror ? SECCOMP_MIRROR : 0;
	unsigned end = mirror ? SECCOMP_MIRROR + 1 : SECCOMP_CLASSES;

	puts("/* Made by vmm/seccomp_compile.c from its table. */");
	for (; class < end; class ++)
		if (print(class, names[class]) < 0)
			return 1;
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
