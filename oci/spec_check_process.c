/* SPDX-License-Identifier: Apache-2.0 */
/* spec_check_process - config.md "Process". */
#include <errno.h>
#include <limits.h>

#include "oci/cap_names.h"
#include "oci/spec_check_internal.h"

/* NGROUPS_MAX of linux/limits.h */
#define GROUPS_MAX 65536
/* linux/sched.h */
#define POLICY_OTHER 0
#define POLICY_FIFO 1
#define POLICY_RR 2
#define POLICY_BATCH 3
#define POLICY_DEADLINE 6

static int check_user(const struct oci_user *user, struct err *e)
{
	if (user->has_umask && user->umask > 0777)
		return err_set(e, EINVAL, "process.user.umask: 0%o is not in 0 to 0777",
			       user->umask);
	if (user->n_additional_gids > GROUPS_MAX)
		return err_set(e, EINVAL, "process.user.additionalGids: more than %d groups",
			       GROUPS_MAX);
	/* (uid_t)-1 means "leave as it is" to setresuid(2). */
	if (user->uid == UINT32_MAX)
		return err_set(e, EINVAL, "process.user.uid: %u is no id", user->uid);
	if (user->gid == UINT32_MAX)
		return err_set(e, EINVAL, "process.user.gid: %u is no id", user->gid);
	for (size_t i = 0; i < user->n_additional_gids; i++)
		if (user->additional_gids[i] == UINT32_MAX)
			return err_set(e, EINVAL, "process.user.additionalGids[%zu]: %u is no id",
				       i, UINT32_MAX);
	return 0;
}

/* "the runtime MUST generate an error for any values which cannot be mapped" and duplicates */
static int check_rlimits(const struct oci_process *p, struct err *e)
{
	uint32_t seen = 0;

	for (size_t i = 0; i < p->n_rlimits; i++) {
		const struct oci_rlimit *l = &p->rlimits[i];
		uint32_t bit = UINT32_C(1) << l->resource;

		if (!l->has_resource)
			return err_set(e, EINVAL, "process.rlimits[%zu].type: must be present", i);
		if (seen & bit)
			return err_set(e, EINVAL, "process.rlimits[%zu].type: given twice", i);
		if (l->soft > l->hard)
			return err_set(e, EINVAL,
				       "process.rlimits[%zu]: soft is greater than hard", i);
		seen |= bit;
	}
	return 0;
}

static void warn_capabilities(const char *set, char *const *names, size_t n,
			      struct spec_warnings *w)
{
	for (size_t i = 0; i < n; i++)
		if (cap_number(names[i]) < 0)
			spec_warn(w, "process.capabilities.%s[%zu]: unknown capability \"%s\"", set,
				  i, names[i]);
}

/* "Any value which cannot be mapped to a relevant kernel interface [...] MUST be logged" */
static void check_capabilities(const struct oci_capabilities *c, struct spec_warnings *w)
{
	warn_capabilities("bounding", c->bounding, c->n_bounding, w);
	warn_capabilities("effective", c->effective, c->n_effective, w);
	warn_capabilities("inheritable", c->inheritable, c->n_inheritable, w);
	warn_capabilities("permitted", c->permitted, c->n_permitted, w);
	warn_capabilities("ambient", c->ambient, c->n_ambient, w);
}

/* config.md "Linux Process": scheduler; the ranges are those of sched_setattr(2) */
static int check_scheduler(const struct oci_scheduler *s, struct err *e)
{
	bool fair = s->policy == POLICY_OTHER || s->policy == POLICY_BATCH;
	bool fixed = s->policy == POLICY_FIFO || s->policy == POLICY_RR;

	if (!s->has_policy)
		return err_set(e, EINVAL, "process.scheduler.policy: must be present");
	if (fair && (s->nice < -20 || s->nice > 19))
		return err_set(e, EINVAL, "process.scheduler.nice: %d is not in -20 to 19",
			       s->nice);
	if (fixed && (s->priority < 1 || s->priority > 99))
		return err_set(e, EINVAL, "process.scheduler.priority: %d is not in 1 to 99",
			       s->priority);
	if (!fixed && s->priority != 0)
		return err_set(e, EINVAL,
			       "process.scheduler.priority: only for SCHED_FIFO and SCHED_RR");
	if (s->policy != POLICY_DEADLINE && (s->runtime || s->deadline || s->period))
		return err_set(e, EINVAL, "process.scheduler: runtime, deadline and period are "
					  "only for SCHED_DEADLINE");
	return 0;
}

static int check_io_priority(const struct oci_io_priority *io, struct err *e)
{
	if (!io->class)
		return err_set(e, EINVAL, "process.ioPriority.class: must be present");
	if (io->priority < 0 || io->priority > 7)
		return err_set(e, EINVAL, "process.ioPriority.priority: %d is not in 0 to 7",
			       io->priority);
	return 0;
}

static int check_scheduling(const struct oci_process *p, struct err *e)
{
	int r = 0;

	if (p->scheduler)
		r = check_scheduler(p->scheduler, e);
	if (r == 0 && p->io_priority)
		r = check_io_priority(p->io_priority, e);
	if (r == 0)
		r = check_list("process.execCPUAffinity.initial", p->cpu_affinity_initial, e);
	if (r == 0)
		r = check_list("process.execCPUAffinity.final", p->cpu_affinity_final, e);
	/* proc_pid_oom_score_adj(5) */
	if (r == 0 && (p->oom_score_adj < -1000 || p->oom_score_adj > 1000))
		r = err_set(e, EINVAL, "process.oomScoreAdj: %d is not in -1000 to 1000",
			    p->oom_score_adj);
	return r;
}

/* Entries of env without "=" pass, as in runc and crun: execve(2) does not mind. */
int check_process(const struct oci_process *p, bool need_cwd, struct spec_warnings *w,
		  struct err *e)
{
	int r = 0;

	/* "args [...] at least one entry" (config.md "Process") */
	if (p->n_args == 0)
		return err_set(e, EINVAL, "process.args: must not be empty");
	if (need_cwd || p->cwd)
		r = check_absolute("process.cwd", p->cwd, e);
	if (r == 0)
		r = check_user(&p->user, e);
	/* struct winsize holds 16 bits. */
	if (r == 0 && (p->console_height > USHRT_MAX || p->console_width > USHRT_MAX))
		r = err_set(e, EINVAL, "process.consoleSize: more than %d cells", USHRT_MAX);
	if (r == 0)
		r = check_rlimits(p, e);
	if (r == 0)
		r = check_scheduling(p, e);
	if (r == 0 && p->capabilities)
		check_capabilities(p->capabilities, w);
	return r;
}
