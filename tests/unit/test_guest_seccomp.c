/* SPDX-License-Identifier: Apache-2.0 */
/* test_guest_seccomp - compiled filters, run through an interpreter of the kernel's rules and by the kernel itself. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "oci/spec_check.h"
#include "oci/spec_parse.h"
#include "runtime/base/own.h"
#include "runtime/guest_seccomp.h"
#include "tests/unit/tap.h"

/* Documentation/networking/filter.rst, as far as seccomp(2) allows it. Return: the verdict. */
static uint32_t interpret(const struct guest_filter *f, const struct seccomp_data *d)
{
	const struct sock_filter *p = f->insns;
	uint32_t mem[BPF_MEMWORDS] = { 0 };
	uint32_t a = 0;

	for (uint32_t pc = 0; pc < f->n; pc++) {
		const struct sock_filter *i = &p[pc];
		bool yes = false;

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)d + i->k, sizeof(a));
			continue;
		case BPF_LD | BPF_MEM:
			a = mem[i->k];
			continue;
		case BPF_ST:
			mem[i->k] = a;
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_JMP | BPF_JA:
			pc += i->k;
			continue;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == i->k;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			yes = a > i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= i->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = a & i->k;
			break;
		default:
			return 0xbad;
		}
		pc += yes ? i->jt : i->jf;
	}
	return 0xbad;
}

static int compile(const char *seccomp, struct guest_filter *f, struct err *e)
{
	OWN(oci_spec_cleanup) struct oci_spec *spec = NULL;
	size_t n = strlen(seccomp) + 512;
	char *text = malloc(n);
	int r;

	(void)snprintf(text, n,
		       "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"r\"},\"process\":{\"args\":[\"a\"],"
		       "\"cwd\":\"/\"},\"linux\":{\"seccomp\":%s}}",
		       seccomp);
	memset(e, 0, sizeof(*e));
	r = spec_parse(text, strlen(text), &spec, e);
	free(text);
	if (r == 0)
		r = spec_check(spec, NULL, e);
	if (r == 0)
		r = guest_seccomp_compile(spec->lnx.seccomp, f, e);
	return r;
}

static uint32_t verdict(const struct guest_filter *f, uint32_t arch, int nr, uint64_t a0, uint64_t a1)
{
	struct seccomp_data d = { .nr = nr, .arch = arch, .args = { a0, a1 } };

	return interpret(f, &d);
}

#define X64(f, nr, a0, a1) verdict(f, AUDIT_ARCH_X86_64, nr, a0, a1)
#define RET_ERRNO(n) (SECCOMP_RET_ERRNO | (n))

static void test_actions(void)
{
	struct guest_filter f;
	struct err e;

	is_int(compile("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,\"syscalls\":["
		       "{\"names\":[\"read\",\"write\",\"no_such_call\"],\"action\":\"SCMP_ACT_ALLOW\"},"
		       "{\"names\":[\"open\"],\"action\":\"SCMP_ACT_KILL\"},"
		       "{\"names\":[\"close\"],\"action\":\"SCMP_ACT_KILL_PROCESS\"},"
		       "{\"names\":[\"stat\"],\"action\":\"SCMP_ACT_KILL_THREAD\"},"
		       "{\"names\":[\"poll\"],\"action\":\"SCMP_ACT_TRAP\"},"
		       "{\"names\":[\"lseek\"],\"action\":\"SCMP_ACT_TRACE\",\"errnoRet\":7},"
		       "{\"names\":[\"mmap\"],\"action\":\"SCMP_ACT_LOG\"},"
		       "{\"names\":[\"brk\"],\"action\":\"SCMP_ACT_ERRNO\"},"
		       "{\"names\":[\"ioctl\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":0},"
		       "{\"names\":[\"pipe\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":38}]}",
		       &f, &e),
	       0, "every action");
	is_str(e.msg, "", "and nothing to say");
	is_int(X64(&f, SYS_read, 0, 0), SECCOMP_RET_ALLOW, "ALLOW");
	is_int(X64(&f, SYS_open, 0, 0), SECCOMP_RET_KILL_THREAD, "KILL");
	is_int(X64(&f, SYS_close, 0, 0), SECCOMP_RET_KILL_PROCESS, "KILL_PROCESS");
	is_int(X64(&f, SYS_stat, 0, 0), SECCOMP_RET_KILL_THREAD, "KILL_THREAD");
	is_int(X64(&f, SYS_poll, 0, 0), SECCOMP_RET_TRAP, "TRAP");
	is_int(X64(&f, SYS_lseek, 0, 0), SECCOMP_RET_TRACE | 7, "TRACE with its number");
	is_int(X64(&f, SYS_mmap, 0, 0), SECCOMP_RET_LOG, "LOG");
	is_int(X64(&f, SYS_brk, 0, 0), RET_ERRNO(EPERM), "ERRNO is EPERM");
	is_int(X64(&f, SYS_ioctl, 0, 0), RET_ERRNO(0), "errnoRet 0");
	is_int(X64(&f, SYS_pipe, 0, 0), RET_ERRNO(ENOSYS), "a rule as the default");
	is_int(X64(&f, SYS_fork, 0, 0), RET_ERRNO(ENOSYS), "defaultErrnoRet");
	is_int(verdict(&f, AUDIT_ARCH_I386, 3, 0, 0), SECCOMP_RET_KILL_THREAD, "another architecture kills");
	is_int(X64(&f, SYS_read | 0x40000000, 0, 0), SECCOMP_RET_KILL_THREAD, "so does x32");
	guest_filter_fini(&f);
	is_int(compile("{\"defaultAction\":\"SCMP_ACT_ERRNO\"}", &f, &e), 0, "a default alone");
	is_int(X64(&f, SYS_read, 0, 0), RET_ERRNO(EPERM), "is EPERM");
	guest_filter_fini(&f);
}

static void test_architectures(void)
{
	struct guest_filter f;
	struct err e;

	is_int(compile("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86_64\","
		       "\"SCMP_ARCH_X86\",\"SCMP_ARCH_X32\",\"SCMP_ARCH_X86\",\"SCMP_ARCH_AARCH64\"],"
		       "\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\"},"
		       "{\"names\":[\"socketcall\"],\"action\":\"SCMP_ACT_LOG\"}]}",
		       &f, &e),
	       0, "several architectures, one twice");
	is_int(X64(&f, SYS_read, 0, 0), SECCOMP_RET_ALLOW, "x86_64");
	is_int(X64(&f, SYS_read | 0x40000000, 0, 0), SECCOMP_RET_ALLOW, "x32");
	is_int(X64(&f, SYS_open, 0, 0), RET_ERRNO(EPERM), "x86_64, default");
	is_int(verdict(&f, AUDIT_ARCH_I386, 3, 0, 0), SECCOMP_RET_ALLOW, "read of x86");
	is_int(verdict(&f, AUDIT_ARCH_I386, 102, 0, 0), SECCOMP_RET_LOG, "a call that only x86 has");
	is_int(verdict(&f, AUDIT_ARCH_I386, 0, 0, 0), RET_ERRNO(EPERM), "x86, default");
	is_int(verdict(&f, AUDIT_ARCH_AARCH64, 63, 0, 0), SECCOMP_RET_ALLOW, "aarch64");
	is_int(verdict(&f, AUDIT_ARCH_ARM, 3, 0, 0), SECCOMP_RET_KILL_THREAD, "none of them");
	guest_filter_fini(&f);
}

/* One row per operator: the argument's values that match and that don't. */
static void test_operators(void)
{
	static const struct {
		const char *op;
		uint64_t value, two;
		uint64_t yes[2], no[2];
	} rows[] = {
		{ "NE", 5, 0, { 4, 1ull << 32 | 5 }, { 5, 5 } },
		{ "LT", 0x100000000, 0, { 0, 0xffffffff }, { 0x100000000, UINT64_MAX } },
		{ "LE", 7, 0, { 7, 0 }, { 8, 1ull << 32 } },
		{ "EQ", 1ull << 40 | 3, 0, { 1ull << 40 | 3, 1ull << 40 | 3 }, { 3, 1ull << 40 } },
		{ "GE", 1ull << 33, 0, { 1ull << 33, UINT64_MAX }, { 0xffffffff, 1ull << 32 } },
		{ "GT", 9, 0, { 10, 1ull << 63 }, { 9, 0 } },
		{ "MASKED_EQ", 0x7e020000, 0, { 0, 0xf }, { 0x20000, 0x10000000 } },
		{ "MASKED_EQ", 0xff00000000, 0x1200000000, { 0x1200000000, 0x12000000ff },
		  { 0x1300000000, 0x12 } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest_filter f;
		char text[512];
		struct err e;

		(void)snprintf(text, sizeof(text),
			       "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"clone\"],"
			       "\"action\":\"SCMP_ACT_ALLOW\",\"args\":[{\"index\":1,\"value\":%llu,"
			       "\"valueTwo\":%llu,\"op\":\"SCMP_CMP_%s\"}]}]}",
			       (unsigned long long)rows[i].value, (unsigned long long)rows[i].two,
			       rows[i].op);
		is_int(compile(text, &f, &e), 0, rows[i].op);
		for (int k = 0; k < 2; k++) {
			ok(X64(&f, SYS_clone, 0, rows[i].yes[k]) == SECCOMP_RET_ALLOW, "%s: match %d",
			   rows[i].op, k);
			ok(X64(&f, SYS_clone, 0, rows[i].no[k]) == RET_ERRNO(EPERM), "%s: no match %d",
			   rows[i].op, k);
		}
		guest_filter_fini(&f);
	}
}

static void test_conditions(void)
{
	struct guest_filter f;
	struct err e;

	is_int(compile("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[\"socket\"],"
		       "\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
		       "{\"index\":0,\"value\":1,\"op\":\"SCMP_CMP_EQ\"},"
		       "{\"index\":1,\"value\":2,\"op\":\"SCMP_CMP_EQ\"}]},"
		       "{\"names\":[\"personality\"],\"action\":\"SCMP_ACT_ALLOW\",\"args\":["
		       "{\"index\":0,\"value\":0,\"op\":\"SCMP_CMP_EQ\"},"
		       "{\"index\":0,\"value\":8,\"op\":\"SCMP_CMP_EQ\"},"
		       "{\"index\":0,\"value\":131072,\"op\":\"SCMP_CMP_EQ\"}]}]}",
		       &f, &e),
	       0, "several conditions");
	is_int(X64(&f, SYS_socket, 1, 2), SECCOMP_RET_ALLOW, "two arguments: both hold");
	is_int(X64(&f, SYS_socket, 1, 3), RET_ERRNO(EPERM), "two arguments: one does not");
	is_int(X64(&f, SYS_personality, 8, 0), SECCOMP_RET_ALLOW, "one argument: any of its values");
	is_int(X64(&f, SYS_personality, 131072, 0), SECCOMP_RET_ALLOW, "one argument: the last");
	is_int(X64(&f, SYS_personality, 1, 0), RET_ERRNO(EPERM), "one argument: none of them");
	guest_filter_fini(&f);
}

static void test_flags(void)
{
	struct guest_filter f;
	struct err e;

	is_int(compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\","
		       "\"SECCOMP_FILTER_FLAG_SPEC_ALLOW\",\"SECCOMP_FILTER_FLAG_TSYNC\","
		       "\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]}",
		       &f, &e),
	       0, "all flags");
	is_int(f.flags,
	       SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW | SECCOMP_FILTER_FLAG_TSYNC,
	       "as the kernel's, without the one for listeners");
	guest_filter_fini(&f);
	is_int(guest_seccomp_compile(NULL, &f, &e), 0, "no section");
	is_int(f.n, 0, "no filter");
}

static void test_refused(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "{}", "linux.seccomp.defaultAction: must be present" },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86\",\"SCMP_ARCH_VAX\"]}",
		  "linux.seccomp.architectures[1]: unknown value \"SCMP_ARCH_VAX\"" },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"x86\"]}",
		  "linux.seccomp.architectures[0]: unknown value \"x86\"" },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_NONE\"]}",
		  "linux.seccomp.flags[0]: unknown value \"SECCOMP_FILTER_FLAG_NONE\"" },
		{ "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/a\",\"syscalls\":[{\"names\":"
		  "[\"mount\"],\"action\":\"SCMP_ACT_NOTIFY\"}]}",
		  "linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY is not possible" },
		{ "{\"defaultAction\":\"SCMP_ACT_NOTIFY\",\"listenerPath\":\"/a\"}",
		  "linux.seccomp.defaultAction: must not be SCMP_ACT_NOTIFY" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct guest_filter f = { 0 };
		struct err e;

		ok(compile(rows[i].text, &f, &e) < 0, "refused: %s", rows[i].want);
		ok(strstr(e.msg, rows[i].want) != NULL, "and says so");
		if (!strstr(e.msg, rows[i].want))
			printf("# got \"%s\"\n", e.msg);
		guest_filter_fini(&f);
	}
}

/* What the kernel makes of it, in a child. */
static void test_loaded(void)
{
	struct guest_filter f;
	struct err e;
	int status = 0;
	pid_t pid;

	is_int(compile("{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"uname\"],"
		       "\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":77}]}",
		       &f, &e),
	       0, "a filter for this process");
	pid = fork();
	if (pid == 0) {
		struct sock_fprog prog = { .len = (unsigned short)f.n, .filter = f.insns };
		struct utsname u;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, f.flags, &prog) < 0)
			_exit(1);
		_exit(syscall(SYS_uname, &u) < 0 ? errno : 2);
	}
	ok(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status), "loaded in a child");
	is_int(WEXITSTATUS(status), 77, "the kernel agrees");
	guest_filter_fini(&f);
}

/* The size of the profiles of engines: every call that there is, three architectures. */
static void test_large(void)
{
	char *text = malloc(1 << 16);
	struct timespec from, to;
	struct guest_filter f;
	unsigned wrong = 0;
	struct err e;
	int n = sprintf(text, "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":38,"
			      "\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\","
			      "\"SCMP_ARCH_X32\"],\"syscalls\":[{\"action\":\"SCMP_ACT_ALLOW\","
			      "\"names\":[\"read\"");

	for (int nr = 1; nr < 450; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, nr);

		if (name && nr % 10 != 0)
			n += sprintf(text + n, ",\"%s\"", name);
		free(name);
	}
	n += sprintf(text + n, "]},{\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":1,\"names\":[\"none\"");
	for (int nr = 0; nr < 450; nr += 10) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, nr);

		if (name && nr > 0)
			n += sprintf(text + n, ",\"%s\"", name);
		free(name);
	}
	(void)sprintf(text + n, "]}]}");
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	is_int(compile(text, &f, &e), 0, "a large profile");
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	printf("# %u instructions in %ld us\n", f.n,
	       (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000);
	for (int nr = 0; nr < 450; nr++) {
		char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, nr);
		uint32_t want = !name ? RET_ERRNO(ENOSYS) :
				nr % 10 || nr == 0 ? SECCOMP_RET_ALLOW : RET_ERRNO(EPERM);

		wrong += X64(&f, nr, 0, 0) != want;
		free(name);
	}
	is_int(wrong, 0, "every call's verdict");
	ok(f.n > 0 && f.n <= BPF_MAXINSNS, "fits the kernel");
	guest_filter_fini(&f);
	free(text);
}

int main(void)
{
	test_actions();
	test_architectures();
	test_operators();
	test_conditions();
	test_flags();
	test_refused();
	test_loaded();
	test_large();
	return tap_done();
}
