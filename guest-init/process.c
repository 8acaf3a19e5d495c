/* SPDX-License-Identifier: Apache-2.0 */
/* process - turn the child into the user's process: limits, cwd, ids, capabilities, filter. */
#include "guest-init/process.h"

#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched/types.h>
#include <linux/seccomp.h>

#include "guest-init/path.h"
#include "guest-init/str.h"
#include "guest-init/sys.h"

#define CAPS 64		    /* bits of a mask */
#define ADMIN (1ull << CAP_SYS_ADMIN)
#define DEFAULT_UMASK 0022u /* runtime-spec config.md, process.user.umask */

/* A host's fs.nr_open, which bounds everybody's limit of open files, is higher than a kernel's own: systemd raises it. */
static int set_limit(const struct proto_rlimit *r)
{
	uint64_t limit[2] = {r->soft, r->hard};
	char text[24];
	int rc = sys_setrlimit(r->resource, limit);

	if (rc != -EPERM || r->resource != RLIMIT_NOFILE ||
	    container_write_own_proc("sys/fs/nr_open", text, str_fmt(text, sizeof(text), "%lu", r->hard)) < 0)
		return rc;
	return sys_setrlimit(r->resource, limit);
}

int process_limits(struct container *c, struct err *e)
{
	const struct proto_process *p = &c->program.head.process;
	int rc;

	if ((p->flags & PROTO_PROC_HAS_OOM) != 0) {
		char text[16];
		size_t n = str_fmt(text, sizeof(text), "%d", p->oom_score_adj);

		rc = container_write_proc(c, "self/oom_score_adj", text, n);
		if (rc < 0)
			return err_sys(e, rc, "process.oomScoreAdj %d", p->oom_score_adj);
	}
	for (uint32_t i = 0; i < p->n_rlimits; i++) {
		struct proto_rlimit r = program_rlimit(&c->program, i);

		rc = set_limit(&r);
		if (rc < 0)
			return err_sys(e, rc, "process.rlimits: resource %u to %lu", r.resource,
				       r.hard);
	}
	return 0;
}

/* chdir, but never out of the container's root. Return: 0 or -errno; -ENOENT outside. */
static int enter(const char *dir)
{
	char there[PATH_BYTES];
	int rc = sys_chdir(dir);

	if (rc < 0)
		return rc;
	/* one of our descriptors, by /proc/self/fd: the kernel says "(unreachable)" of what "/" does not lead to */
	rc = (int)sys_getcwd(there, sizeof(there));
	if (rc > 0 && there[0] == '/')
		return 0;
	sys_chdir("/");
	return rc < 0 ? rc : -ENOENT;
}

int process_cwd(struct container *c)
{
	int rc = enter(program_text(&c->program, c->program.head.process.cwd));

	c->cwd_pending = rc == -EACCES; /* a share may refuse root and let the user in */
	return c->cwd_pending ? 0 : rc;
}

int process_make_cwd(struct container *c)
{
	int rc = process_cwd(c);

	if (rc != -ENOENT)
		return rc;
	rc = path_make_dir(program_text(&c->program, c->program.head.process.cwd));
	return rc < 0 ? rc : process_cwd(c);
}

/* Loading a filter takes privilege that the process may not have, unless no_new_privs is set. */
static bool needs_admin(const struct proto_process *p)
{
	return p->n_seccomp > 0 && (p->flags & PROTO_PROC_NO_NEW_PRIVS) == 0;
}

static int drop_bounding(uint64_t keep)
{
	for (uint64_t cap = 0; cap < CAPS; cap++) {
		int rc;

		if ((keep >> cap & 1) != 0)
			continue;
		rc = sys_prctl(PR_CAPBSET_DROP, cap, 0);
		if (rc == -EINVAL)
			return 0; /* beyond the kernel's last capability */
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int set_ids(struct container *c, struct err *e)
{
	const struct proto_process *p = &c->program.head.process;
	int rc;

	rc = sys_prctl(PR_SET_KEEPCAPS, 1, 0); /* execve clears it */
	if (rc < 0)
		return err_sys(e, rc, "process: keep capabilities");
	rc = sys_setgroups(p->n_gids, c->program.pool + p->gids);
	if (rc < 0)
		return err_sys(e, rc, "process.user.additionalGids");
	rc = sys_setresgid(p->gid);
	if (rc < 0)
		return err_sys(e, rc, "process.user.gid %u", p->gid);
	rc = sys_setresuid(p->uid);
	return rc < 0 ? err_sys(e, rc, "process.user.uid %u", p->uid) : 0;
}

/* The process's sets, and for a moment what @more_permitted and @more_effective add to them. */
static int set_caps(const struct proto_process *p, uint64_t more_permitted, uint64_t more_effective,
		    struct err *e)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	bool has = (p->flags & PROTO_PROC_HAS_CAPS) != 0;
	uint64_t eff = (has ? p->cap_effective : 0) | more_effective;
	uint64_t perm = (has ? p->cap_permitted : 0) | more_permitted;
	uint64_t inh = has ? p->cap_inheritable : 0;
	struct __user_cap_data_struct data[2] = {
		{(uint32_t)eff, (uint32_t)perm, (uint32_t)inh},
		{(uint32_t)(eff >> 32), (uint32_t)(perm >> 32), (uint32_t)(inh >> 32)},
	};
	int rc = sys_capset(&head, data);

	return rc < 0 ? err_sys(e, rc, "process.capabilities") : 0;
}

static int raise_ambient(const struct proto_process *p, struct err *e)
{
	bool has = (p->flags & PROTO_PROC_HAS_CAPS) != 0;
	/* capabilities(7): ambient is within both; the rest cannot be had and runc leaves it too */
	uint64_t amb = has ? p->cap_ambient & p->cap_permitted & p->cap_inheritable : 0;

	for (uint64_t cap = 0; cap < CAPS; cap++) {
		int rc;

		if ((amb >> cap & 1) == 0)
			continue;
		rc = sys_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap);
		/* one that is not inheritable can't be ambient: engines ask all the same, and
		   the other runtimes let it pass */
		if (rc < 0 && rc != -EPERM)
			return err_sys(e, rc, "process.capabilities.ambient: capability %u",
				       (unsigned)cap);
	}
	return 0;
}

static int load_seccomp(struct container *c, struct err *e)
{
	const struct proto_process *p = &c->program.head.process;
	struct sock_fprog prog = {
		.len = (unsigned short)p->n_seccomp,
		/* the kernel copies it, whatever its alignment; and it does not write */
		.filter = (void *)(uintptr_t)(c->program.pool + p->seccomp),
	};
	int rc;

	if (p->n_seccomp == 0)
		return 0;
	rc = needs_admin(p) ? set_caps(p, ADMIN, ADMIN, e) : 0;
	if (rc < 0)
		return rc;
	rc = sys_seccomp(SECCOMP_SET_MODE_FILTER, p->seccomp_flags, &prog);
	return rc < 0 ? err_sys(e, rc, "linux.seccomp: load %u instructions", p->n_seccomp) : 0;
}

/* How it is scheduled, and what it takes the machine for: inherited by what it starts. */
static int set_scheduling(const struct proto_process *p, struct err *e)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = p->sched_policy,
		.sched_flags = p->sched_flags,
		.sched_nice = p->sched_nice,
		.sched_priority = p->sched_priority,
		.sched_runtime = p->sched_runtime,
		.sched_deadline = p->sched_deadline,
		.sched_period = p->sched_period,
	};
	int rc = 0;

	if ((p->flags & PROTO_PROC_HAS_IOPRIO) != 0)
		rc = sys_ioprio_set(p->ioprio);
	if (rc < 0)
		return err_sys(e, rc, "process.ioPriority");
	if ((p->flags & PROTO_PROC_HAS_SCHED) != 0)
		rc = sys_sched_setattr(&attr);
	if (rc < 0)
		return err_sys(e, rc, "process.scheduler");
	if (p->cpus != 0)
		rc = sys_sched_setaffinity(p->cpus);
	if (rc < 0)
		return err_sys(e, rc, "process.execCPUAffinity.final: CPUs 0x%lx", p->cpus);
	if ((p->flags & PROTO_PROC_HAS_PERSONALITY) != 0)
		rc = sys_personality(p->personality);
	return rc < 0 ? err_sys(e, rc, "linux.personality 0x%x", p->personality) : 0;
}

int process_become(struct container *c, struct err *e)
{
	const struct proto_process *p = &c->program.head.process;
	const char *cwd = program_text(&c->program, p->cwd);
	bool nnp = (p->flags & PROTO_PROC_NO_NEW_PRIVS) != 0;
	int rc;

	rc = set_scheduling(p, e);
	if (rc < 0)
		return rc;
	rc = drop_bounding((p->flags & PROTO_PROC_HAS_CAPS) != 0 ? p->cap_bounding : 0);
	if (rc < 0)
		return err_sys(e, rc, "process.capabilities.bounding");
	rc = set_ids(c, e);
	if (rc == 0)
		rc = set_caps(p, needs_admin(p) ? ADMIN : 0, 0, e);
	if (rc == 0)
		rc = raise_ambient(p, e);
	if (rc < 0)
		return rc;
	if (nnp) {
		rc = sys_prctl(PR_SET_NO_NEW_PRIVS, 1, 0);
		if (rc < 0)
			return err_sys(e, rc, "process.noNewPrivileges");
	}
	sys_umask((p->flags & PROTO_PROC_HAS_UMASK) != 0 ? p->umask : DEFAULT_UMASK);
	if (!c->cwd_pending)
		return 0;
	rc = enter(cwd);
	return rc < 0 ? err_sys(e, rc, "process.cwd \"%s\"", cwd) : 0;
}

int process_exec(struct container *c, const char *path, const char *home, struct err *e)
{
	const struct proto_process *p = &c->program.head.process;
	const char **argv, **envp;
	int rc;

	argv = sys_pages(((size_t)p->n_args + p->n_env + 3) * sizeof(*argv));
	if (argv == NULL)
		return err_sys(e, -ENOMEM, "process.args");
	envp = argv + p->n_args + 1;
	program_list(&c->program, p->args, p->n_args, argv);
	program_list(&c->program, p->env, p->n_env, envp);
	envp[p->n_env] = home;
	rc = passed_place(&c->passed, &c->program, &c->report, e);
	if (rc == 0)
		rc = load_seccomp(c, e);
	if (rc < 0)
		return rc;
	rc = sys_execve(path, argv, envp);
	return err_sys(e, rc, "exec \"%s\"", path);
}
