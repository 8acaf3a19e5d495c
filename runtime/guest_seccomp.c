/* SPDX-License-Identifier: Apache-2.0 */
/* guest_seccomp - linux.seccomp of config.json as the BPF program that the guest's kernel loads. */
#include "runtime/guest_seccomp.h"

#include <ctype.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "runtime/base/log.h"
#include "runtime/base/own.h"

#define ARGS 6 /* of a system call, seccomp(2) */

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1ul << 5)
#endif

static void release(scmp_filter_ctx *ctx)
{
	if (*ctx)
		seccomp_release(*ctx);
}

/* @ret: errnoRet; libseccomp takes the low 16 bits. */
static uint32_t action(enum oci_seccomp_action a, uint32_t ret)
{
	switch (a) {
	case OCI_SECCOMP_KILL:
		return SCMP_ACT_KILL_THREAD;
	case OCI_SECCOMP_KILL_PROCESS:
		return SCMP_ACT_KILL_PROCESS;
	case OCI_SECCOMP_TRAP:
		return SCMP_ACT_TRAP;
	case OCI_SECCOMP_TRACE:
		return SCMP_ACT_TRACE(ret);
	case OCI_SECCOMP_ALLOW:
		return SCMP_ACT_ALLOW;
	case OCI_SECCOMP_LOG:
		return SCMP_ACT_LOG;
	default: /* NOTIFY and NONE were refused */
		return SCMP_ACT_ERRNO(ret);
	}
}

static const enum scmp_compare operators[] = {
	[OCI_SECCOMP_NE] = SCMP_CMP_NE, [OCI_SECCOMP_LT] = SCMP_CMP_LT,
	[OCI_SECCOMP_LE] = SCMP_CMP_LE, [OCI_SECCOMP_EQ] = SCMP_CMP_EQ,
	[OCI_SECCOMP_GE] = SCMP_CMP_GE, [OCI_SECCOMP_GT] = SCMP_CMP_GT,
	[OCI_SECCOMP_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
};

/* WAIT_KILLABLE_RECV concerns listeners, which there are none of; the kernel refuses it without. */
static const struct {
	const char *name;
	uint32_t flag;
} filter_flags[] = {
	{ "SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC },
	{ "SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG },
	{ "SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW },
	{ "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 0 },
};

static int add_flags(const struct oci_seccomp *s, uint32_t *out, struct err *e)
{
	uint32_t flags = 0;

	for (size_t i = 0; i < s->n_flags; i++) {
		size_t k = 0;

		while (k < sizeof(filter_flags) / sizeof(filter_flags[0]) &&
		       strcmp(filter_flags[k].name, s->flags[i]) != 0)
			k++;
		if (k == sizeof(filter_flags) / sizeof(filter_flags[0]))
			return err_set(e, EINVAL, "linux.seccomp.flags[%zu]: unknown value \"%s\"",
				       i, s->flags[i]);
		flags |= filter_flags[k].flag;
	}
	*out = flags;
	return 0;
}

/* libseccomp's names are those of the document in lower case, without the prefix. */
static uint32_t arch_token(const char *name)
{
	const size_t prefix = strlen("SCMP_ARCH_");
	char lower[32] = "";

	if (strncmp(name, "SCMP_ARCH_", prefix) != 0 || strlen(name + prefix) >= sizeof(lower))
		return 0;
	for (size_t i = 0; name[prefix + i]; i++)
		lower[i] = (char)tolower((unsigned char)name[prefix + i]);
	return strcmp(lower, "native") == 0 ? 0 : seccomp_arch_resolve_name(lower);
}

static int add_architectures(scmp_filter_ctx ctx, const struct oci_seccomp *s, struct err *e)
{
	for (size_t i = 0; i < s->n_architectures; i++) {
		uint32_t token = arch_token(s->architectures[i]);
		int r = token ? seccomp_arch_add(ctx, token) : 0;

		if (!token)
			return err_set(e, EINVAL,
				       "linux.seccomp.architectures[%zu]: unknown value \"%s\"", i,
				       s->architectures[i]);
		/* ours is there from the beginning, and others may be named twice */
		if (r < 0 && r != -EEXIST)
			return err_set(e, EINVAL,
				       "linux.seccomp.architectures[%zu]: \"%s\" can't be combined "
				       "with this machine's: %s",
				       i, s->architectures[i], strerror(-r));
	}
	return 0;
}

/* Conditions on different arguments all hold; on the same one any may, so each is a rule of its own. */
static int add_call(scmp_filter_ctx ctx, uint32_t act, int nr, const struct oci_seccomp_rule *rule)
{
	struct scmp_arg_cmp cmp[ARGS];
	uint32_t seen = 0;
	bool alternatives = rule->n_args > ARGS;
	int r = 0;

	for (size_t k = 0; k < rule->n_args; k++) {
		alternatives |= seen >> rule->args[k].index & 1;
		seen |= 1u << rule->args[k].index;
	}
	for (size_t k = 0; k < rule->n_args && r == 0; k++) {
		const struct oci_seccomp_arg *a = &rule->args[k];
		struct scmp_arg_cmp *c = &cmp[alternatives ? 0 : k];

		*c = (struct scmp_arg_cmp){ .arg = a->index,
					    .op = operators[a->op],
					    .datum_a = a->value,
					    .datum_b = a->value_two };
		if (alternatives)
			r = seccomp_rule_add_array(ctx, act, nr, 1, c);
	}
	if (alternatives)
		return r;
	return seccomp_rule_add_array(ctx, act, nr, (unsigned)rule->n_args, cmp);
}

static int add_rule(scmp_filter_ctx ctx, uint32_t by_default, const struct oci_seccomp *s, size_t i,
		    struct err *e)
{
	const struct oci_seccomp_rule *rule = &s->syscalls[i];
	uint32_t act = action(rule->action, rule->has_errno_ret ? rule->errno_ret : EPERM);

	if (rule->action == OCI_SECCOMP_NOTIFY)
		return err_set(e, ENOTSUP,
			       "linux.seccomp.syscalls[%zu].action: SCMP_ACT_NOTIFY is not possible: "
			       "the agent at listenerPath is a process of the host and can't look "
			       "into a virtual machine",
			       i);
	if (act == by_default)
		return 0; /* libseccomp refuses it, and nothing would change */
	for (size_t k = 0; k < rule->n_names; k++) {
		int nr = seccomp_syscall_resolve_name(rule->names[k]);
		int r;

		if (nr == __NR_SCMP_ERROR) {
			log_debug("linux.seccomp.syscalls[%zu].names[%zu]: unknown system call "
				  "\"%s\" skipped",
				  i, k, rule->names[k]);
			continue;
		}
		r = add_call(ctx, act, nr, rule);
		if (r < 0)
			return err_set(e, -r, "linux.seccomp.syscalls[%zu]: \"%s\": %s", i,
				       rule->names[k], strerror(-r));
	}
	return 0;
}

/* libseccomp writes the program to a descriptor. */
static int export(scmp_filter_ctx ctx, struct guest_filter *out, struct err *e)
{
	const size_t most = BPF_MAXINSNS * sizeof(struct sock_filter);
	OWN_FD int fd = memfd_create("seccomp", MFD_CLOEXEC);
	OWN_FREE void *insns = malloc(most + 1);
	ssize_t n;
	int r;

	if (fd < 0 || !insns)
		return err_set(e, ENOMEM, "linux.seccomp: out of memory");
	r = seccomp_export_bpf(ctx, fd);
	if (r < 0)
		return err_set(e, -r, "linux.seccomp: compile: %s", strerror(-r));
	n = pread(fd, insns, most + 1, 0);
	if (n < 0)
		return err_sys(e, "linux.seccomp: read the compiled filter");
	if ((size_t)n > most)
		return err_set(e, E2BIG, "linux.seccomp: over %d instructions once compiled",
			       BPF_MAXINSNS);
	out->n = (uint32_t)((size_t)n / sizeof(struct sock_filter));
	out->insns = TAKE(&insns);
	return 0;
}

int guest_seccomp_compile(const struct oci_seccomp *s, struct guest_filter *out, struct err *e)
{
	OWN(release) scmp_filter_ctx ctx = NULL;
	struct guest_filter f = { 0 };
	uint32_t by_default;

	*out = f;
	if (!s)
		return 0;
	by_default = action(s->default_action,
			    s->has_default_errno_ret ? s->default_errno_ret : EPERM);
	ctx = seccomp_init(by_default);
	if (!ctx)
		return err_set(e, EINVAL, "linux.seccomp.defaultAction: libseccomp refuses it");
	/* not as a binary tree: that takes longer here, and Linux asks no filter about plain ALLOWs */
	if (add_flags(s, &f.flags, e) < 0 || add_architectures(ctx, s, e) < 0)
		return -e->code;
	for (size_t i = 0; i < s->n_syscalls; i++)
		if (add_rule(ctx, by_default, s, i, e) < 0)
			return -e->code;
	if (export(ctx, &f, e) < 0)
		return -e->code;
	*out = f;
	return 0;
}

void guest_filter_fini(struct guest_filter *f)
{
	free(f->insns);
	*f = (struct guest_filter){ 0 };
}
