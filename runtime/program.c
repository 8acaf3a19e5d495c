/* SPDX-License-Identifier: Apache-2.0 */
/* program - a plan as the program of the guest's init (guest-init/proto.h). Pure. */
#include <errno.h>
#include <linux/ioprio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>

#include "runtime/base/own.h"
#include "runtime/caps.h"
#include "runtime/plan.h"

/* The pool under construction; sticky on failure. */
struct pool {
	char *data;
	size_t n;
	size_t cap;
	bool failed;
};

static uint32_t pool_add(struct pool *p, const void *data, size_t n, size_t align)
{
	size_t at = (p->n + align - 1) & ~(align - 1);

	if (p->failed || at + n > PROTO_MAX_PROGRAM) {
		p->failed = true;
		return 0;
	}
	if (at + n > p->cap) {
		size_t cap = (at + n) * 2 + 4096;
		char *more = realloc(p->data, cap);

		if (!more) {
			p->failed = true;
			return 0;
		}
		p->data = more;
		p->cap = cap;
	}
	memset(p->data + p->n, 0, at - p->n);
	if (n > 0)
		memcpy(p->data + at, data, n);
	p->n = at + n;
	return (uint32_t)at;
}

static uint32_t pool_str(struct pool *p, const char *s)
{
	return s && *s ? pool_add(p, s, strlen(s) + 1, 1) : 0;
}

/* A run of consecutive strings. */
static uint32_t pool_list(struct pool *p, char *const *v, size_t n)
{
	uint32_t at = 0;

	for (size_t i = 0; i < n; i++) {
		uint32_t here = pool_add(p, v[i], strlen(v[i]) + 1, 1);

		if (i == 0)
			at = here;
	}
	return at;
}

struct mounts {
	struct proto_mount *v;
	uint32_t n;
};

static struct proto_mount *next_mount(struct mounts *m, uint32_t kind, uint32_t dest)
{
	struct proto_mount *pm = &m->v[m->n++];

	*pm = (struct proto_mount){ .kind = kind, .dest = dest };
	return pm;
}

/* A file system that the guest makes; options of cgroup v1 mean nothing to the unified hierarchy. */
static void fill_fs(struct pool *pool, struct proto_mount *pm, const struct plan_mount *m)
{
	bool v1 = strcmp(m->fstype, "cgroup") == 0;

	pm->kind = PROTO_MOUNT_FS;
	pm->flags = PROTO_MOUNT_DIR | (m->options.tmpcopyup ? PROTO_MOUNT_TMPCOPYUP : 0);
	pm->fstype = pool_str(pool, v1 ? "cgroup2" : m->fstype);
	pm->source = pool_str(pool, m->source ? m->source : m->fstype);
	pm->data = v1 ? 0 : pool_str(pool, m->options.data);
	/* a tmpfs must take the mounts below it before it becomes read-only */
	if ((m->options.flags & MS_RDONLY) && strcmp(m->fstype, "tmpfs") == 0)
		pm->flags |= PROTO_MOUNT_RO_LAST;
}

static void add_mount(struct pool *pool, struct mounts *out, const struct plan_mount *m)
{
	struct proto_mount *pm = next_mount(out, PROTO_MOUNT_SHARE, pool_str(pool, m->dest));

	pm->ms_flags = m->options.flags;
	pm->propagation = m->options.propagation;
	switch (m->kind) {
	case PLAN_SHARE:
		pm->share = m->share;
		pm->flags = m->options.recursive ? PROTO_MOUNT_RECURSIVE : 0;
		break;
	case PLAN_NODE:
		pm->kind = PROTO_MOUNT_NODE;
		pm->mode = m->mode;
		pm->major = m->major;
		pm->minor = m->minor;
		pm->uid = m->uid;
		pm->gid = m->gid;
		break;
	case PLAN_SOCKET:
		pm->kind = PROTO_MOUNT_SOCKET;
		pm->flags |= m->datagrams ? PROTO_MOUNT_DATAGRAMS : 0;
		pm->share = m->share;
		pm->mode = m->mode & 07777;
		pm->uid = m->uid;
		pm->gid = m->gid;
		break;
	case PLAN_LINK:
		pm->kind = PROTO_MOUNT_LINK;
		pm->source = pool_str(pool, m->source);
		pm->propagation = 0;
		break;
	case PLAN_FS:
		fill_fs(pool, pm, m);
		break;
	}
}

static void add_mounts(struct pool *pool, const struct plan *p, struct proto_program *prog)
{
	const struct oci_linux *l = &p->spec->lnx;
	struct mounts out = { 0 };

	out.v = calloc(p->n_mounts + l->n_masked_paths + l->n_readonly_paths + 1, sizeof(*out.v));
	if (!out.v) {
		pool->failed = true;
		return;
	}
	for (size_t i = 0; i < p->n_mounts; i++)
		add_mount(pool, &out, &p->mounts[i]);
	for (size_t i = 0; i < l->n_readonly_paths; i++)
		next_mount(&out, PROTO_MOUNT_READONLY, pool_str(pool, l->readonly_paths[i]))->flags =
			PROTO_MOUNT_RECURSIVE;
	for (size_t i = 0; i < l->n_masked_paths; i++)
		(void)next_mount(&out, PROTO_MOUNT_MASK, pool_str(pool, l->masked_paths[i]));
	prog->n_mounts = out.n;
	prog->mounts = pool_add(pool, out.v, out.n * sizeof(*out.v), 8);
	free(out.v);
}

/* config-linux.md "Default Devices": made whatever the configuration says. */
static const struct {
	const char *path;
	uint32_t major, minor;
} default_devices[] = {
	{ "/dev/null", 1, 3 },	 { "/dev/zero", 1, 5 },	   { "/dev/full", 1, 7 },
	{ "/dev/random", 1, 8 }, { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 },
};
#define N_DEFAULT_DEVICES (sizeof(default_devices) / sizeof(default_devices[0]))

static bool device_given(const struct oci_linux *l, const char *path)
{
	for (size_t i = 0; i < l->n_devices; i++)
		if (strcmp(l->devices[i].path, path) == 0)
			return true;
	return false;
}

static void add_devices(struct pool *pool, const struct oci_linux *l, struct proto_program *prog)
{
	struct proto_device *v = calloc(N_DEFAULT_DEVICES + l->n_devices, sizeof(*v));
	uint32_t n = 0;

	if (!v) {
		pool->failed = true;
		return;
	}
	for (size_t i = 0; i < N_DEFAULT_DEVICES; i++) {
		if (device_given(l, default_devices[i].path))
			continue;
		v[n++] = (struct proto_device){ .path = pool_str(pool, default_devices[i].path),
						.type = 'c',
						.major = default_devices[i].major,
						.minor = default_devices[i].minor,
						.mode = 0666 };
	}
	for (size_t i = 0; i < l->n_devices; i++) {
		const struct oci_device *d = &l->devices[i];

		v[n++] = (struct proto_device){ .path = pool_str(pool, d->path),
						.type = d->type == 'u' ? 'c' : (uint32_t)d->type,
						.major = (uint32_t)d->major,
						.minor = (uint32_t)d->minor,
						.mode = d->has_file_mode ? d->file_mode & 07777 : 0666,
						.uid = d->uid,
						.gid = d->gid };
	}
	prog->n_devices = n;
	prog->devices = pool_add(pool, v, n * sizeof(*v), 8);
	free(v);
}

static void add_sysctls(struct pool *pool, const struct oci_linux *l, struct proto_program *prog)
{
	struct proto_sysctl *v = calloc(l->n_sysctl + 1, sizeof(*v));

	if (!v) {
		pool->failed = true;
		return;
	}
	for (size_t i = 0; i < l->n_sysctl; i++) {
		char path[256];

		(void)snprintf(path, sizeof(path), "%s", l->sysctl[i].key);
		/* dots separate unless the key is written with slashes already */
		if (!strchr(path, '/'))
			for (char *c = path; *c; c++)
				*c = *c == '.' ? '/' : *c;
		v[i].path = pool_str(pool, path);
		v[i].value = pool_str(pool, l->sysctl[i].value);
	}
	prog->n_sysctls = (uint32_t)l->n_sysctl;
	prog->sysctls = pool_add(pool, v, l->n_sysctl * sizeof(*v), 4);
	free(v);
}

static void add_cgroup(struct pool *pool, const struct cgroup_writes *w, struct proto_program *prog)
{
	struct proto_cgroup *v = calloc(w->n + 1, sizeof(*v));

	if (!v) {
		pool->failed = true;
		return;
	}
	for (size_t i = 0; i < w->n; i++)
		v[i] = (struct proto_cgroup){ .file = pool_str(pool, w->v[i].file),
					      .value = pool_str(pool, w->v[i].value),
					      .optional = w->v[i].optional };
	prog->n_cgroup = (uint32_t)w->n;
	prog->cgroup = pool_add(pool, v, w->n * sizeof(*v), 4);
	free(v);
}

static void add_caps(const struct oci_capabilities *c, struct proto_process *out)
{
	if (!c)
		return;
	out->flags |= PROTO_PROC_HAS_CAPS;
	out->cap_bounding = caps_mask(c->bounding, c->n_bounding);
	out->cap_effective = caps_mask(c->effective, c->n_effective);
	out->cap_inheritable = caps_mask(c->inheritable, c->n_inheritable);
	out->cap_permitted = caps_mask(c->permitted, c->n_permitted);
	out->cap_ambient = caps_mask(c->ambient, c->n_ambient);
}

static void add_rlimits(struct pool *pool, const struct oci_process *p, struct proto_process *out)
{
	struct proto_rlimit *v = calloc(p->n_rlimits + 1, sizeof(*v));

	if (!v) {
		pool->failed = true;
		return;
	}
	for (size_t i = 0; i < p->n_rlimits; i++)
		v[i] = (struct proto_rlimit){ .resource = (uint32_t)p->rlimits[i].resource,
					      .soft = p->rlimits[i].soft,
					      .hard = p->rlimits[i].hard };
	out->n_rlimits = (uint32_t)p->n_rlimits;
	out->rlimits = pool_add(pool, v, p->n_rlimits * sizeof(*v), 8);
	free(v);
}

static void add_scheduling(const struct oci_process *p, struct proto_process *out)
{
	const struct oci_scheduler *s = p->scheduler;

	if (p->io_priority) {
		out->flags |= PROTO_PROC_HAS_IOPRIO;
		out->ioprio = (uint32_t)p->io_priority->class << IOPRIO_CLASS_SHIFT |
			      (uint32_t)p->io_priority->priority;
	}
	if (!s)
		return;
	out->flags |= PROTO_PROC_HAS_SCHED;
	out->sched_policy = (uint32_t)s->policy;
	out->sched_nice = s->nice;
	out->sched_priority = (uint32_t)s->priority;
	out->sched_flags = s->flags;
	out->sched_runtime = s->runtime;
	out->sched_deadline = s->deadline;
	out->sched_period = s->period;
}

/*
 * A list such as "0-3,7" as the guest's CPUs. What execCPUAffinity calls initial is about the process that
 * starts ours, which has done so by then. CPUs that no machine has are left out, as the kernel does it.
 */
static void add_affinity(const struct oci_process *p, struct proto_process *out)
{
	const char *s = p->cpu_affinity_final;

	while (s && *s) {
		char *end;
		unsigned long first = strtoul(s, &end, 10), last = first;

		if (end == s)
			return;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		for (unsigned long n = first; n <= last && n < 64; n++)
			out->cpus |= UINT64_C(1) << n;
		if (first >= 64 && !out->cpus)
			out->cpus = UINT64_C(1) << 63; /* none that there is: an error in the guest */
		s = *end ? end + 1 : end;
	}
}

/* What linux says about every process of the container. */
static void add_personality(const struct oci_linux *l, struct proto_process *out)
{
	if (!l->personality)
		return;
	out->flags |= PROTO_PROC_HAS_PERSONALITY;
	out->personality = (uint32_t)l->personality->domain;
}

static void add_hooks(struct pool *pool, const struct plan *p, struct proto_program *prog)
{
	const struct oci_hook_list *list = &p->spec->hooks[OCI_HOOK_START_CONTAINER];
	struct proto_hook *v = calloc(list->n + 1, sizeof(*v));

	if (!v) {
		pool->failed = true;
		return;
	}
	for (size_t i = 0; i < list->n; i++) {
		const struct oci_hook *h = &list->v[i];

		v[i] = (struct proto_hook){
			.path = pool_str(pool, h->path),
			.n_args = (uint32_t)h->n_args,
			.args = pool_list(pool, h->args, h->n_args),
			.n_env = (uint32_t)h->n_env,
			.env = pool_list(pool, h->env, h->n_env),
			.flags = h->env ? PROTO_HOOK_HAS_ENV : 0,
			.timeout_s = h->has_timeout ? (uint32_t)h->timeout : 0,
		};
	}
	prog->n_hooks = (uint32_t)list->n;
	prog->hooks = pool_add(pool, v, list->n * sizeof(*v), 4);
	if (list->n > 0)
		prog->hook_state = pool_str(pool, p->hook_state);
	free(v);
}

static void add_fds(struct pool *pool, const struct preserved *from, struct proto_program *prog)
{
	struct proto_fd v[PROTO_MAX_FDS];

	if (!from)
		return;
	for (uint32_t i = 0; i < from->n; i++)
		v[i] = from->v[i].fd;
	prog->n_fds = from->n;
	prog->fds = pool_add(pool, v, from->n * sizeof(*v), 4);
}

static void add_time(const struct oci_spec *s, struct proto_program *prog)
{
	if (!oci_spec_ns(s, OCI_NS_TIME))
		return;
	prog->flags |= PROTO_TIME_NS;
	for (size_t i = 0; i < s->lnx.n_time_offsets; i++) {
		const struct oci_time_offset *t = &s->lnx.time_offsets[i];
		bool mono = strcmp(t->clock, "monotonic") == 0;

		*(mono ? &prog->monotonic : &prog->boottime) =
			(struct proto_time_offset){ .secs = t->secs, .nanosecs = t->nanosecs };
	}
}

static void add_process(struct pool *pool, const struct oci_process *p, struct proto_process *out)
{
	out->flags = (p->terminal ? PROTO_PROC_TERMINAL : 0) |
		     (p->no_new_privileges ? PROTO_PROC_NO_NEW_PRIVS : 0) |
		     (p->user.has_umask ? PROTO_PROC_HAS_UMASK : 0) |
		     (p->has_oom_score_adj ? PROTO_PROC_HAS_OOM : 0);
	out->uid = p->user.uid;
	out->gid = p->user.gid;
	out->umask = p->user.umask;
	out->oom_score_adj = p->oom_score_adj;
	out->rows = p->console_height;
	out->cols = p->console_width;
	out->n_gids = (uint32_t)p->user.n_additional_gids;
	out->gids = pool_add(pool, p->user.additional_gids, out->n_gids * sizeof(uint32_t), 4);
	out->n_args = (uint32_t)p->n_args;
	out->args = pool_list(pool, p->args, p->n_args);
	out->n_env = (uint32_t)p->n_env;
	out->env = pool_list(pool, p->env, p->n_env);
	out->cwd = pool_str(pool, p->cwd);
	add_caps(p->capabilities, out);
	add_rlimits(pool, p, out);
	add_scheduling(p, out);
}

static void add_filter(struct pool *pool, const struct guest_filter *f, struct proto_process *out)
{
	out->n_seccomp = f->n;
	out->seccomp = pool_add(pool, f->insns, f->n * 8, 8);
	out->seccomp_flags = f->flags;
}

/* Head and pool in one piece; the pool's memory is given back. */
static int join(struct proto_program *prog, struct pool *pool, void **out_payload, size_t *out_bytes,
		struct err *e)
{
	OWN_FREE char *data = pool->data;
	char *payload = pool->failed ? NULL : malloc(sizeof(*prog) + pool->n);

	if (!payload)
		return err_set(e, E2BIG, "config.json: over %u bytes once encoded for the guest",
			       PROTO_MAX_PROGRAM);
	prog->pool_bytes = (uint32_t)pool->n;
	memcpy(payload, prog, sizeof(*prog));
	memcpy(payload + sizeof(*prog), data, pool->n);
	*out_payload = payload;
	*out_bytes = sizeof(*prog) + pool->n;
	return 0;
}

int program_encode_exec(const struct oci_spec *spec, const struct oci_process *process,
			const struct guest_filter *filter, const struct preserved *preserved,
			const char *cgroup, bool stdin_null,
			void **out_payload, size_t *out_bytes, struct err *e)
{
	struct proto_program prog = { .magic = PROTO_MAGIC, .version = PROTO_VERSION };
	struct pool pool = { 0 };

	(void)pool_add(&pool, "", 1, 1); /* offset 0: none */
	add_process(&pool, process, &prog.process);
	add_affinity(process, &prog.process);
	add_personality(&spec->lnx, &prog.process);
	add_filter(&pool, filter, &prog.process);
	add_fds(&pool, preserved, &prog);
	prog.sub_cgroup = pool_str(&pool, cgroup ? cgroup + strspn(cgroup, "/") : NULL);
	prog.process.flags |= stdin_null ? PROTO_PROC_STDIN_NULL : 0;
	return join(&prog, &pool, out_payload, out_bytes, e);
}

void program_stamp(void *payload)
{
	struct proto_program *prog = payload;
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	prog->epoch_ns = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

int plan_encode(const struct plan *p, void **out_payload, size_t *out_bytes, struct err *e)
{
	struct proto_program prog = { .magic = PROTO_MAGIC, .version = PROTO_VERSION };
	struct pool pool = { 0 };

	(void)pool_add(&pool, "", 1, 1); /* offset 0: none */
	prog.flags = p->root_readonly ? PROTO_ROOT_READONLY : 0;
	prog.hostname = pool_str(&pool, p->hostname);
	prog.domainname = pool_str(&pool, p->domainname);
	prog.notify = pool_str(&pool, p->notify_path);
	prog.root_propagation = (uint32_t)p->root_propagation;
	add_mounts(&pool, p, &prog);
	add_devices(&pool, &p->spec->lnx, &prog);
	add_sysctls(&pool, &p->spec->lnx, &prog);
	add_cgroup(&pool, &p->guest_cgroup, &prog);
	add_process(&pool, p->spec->process, &prog.process);
	add_hooks(&pool, p, &prog);
	add_personality(&p->spec->lnx, &prog.process);
	add_time(p->spec, &prog);
	add_filter(&pool, &p->filter, &prog.process);
	add_fds(&pool, p->preserved, &prog);
	prog.process.flags |= p->stdin_null ? PROTO_PROC_STDIN_NULL : 0;
	return join(&prog, &pool, out_payload, out_bytes, e);
}
