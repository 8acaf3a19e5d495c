/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_print - a plan and the guest's program as text, for --dry-run and the golden tests.
 *
 * One fact a line, nothing that differs from call to call, and what is absent prints no line: whoever adds
 * a field to the plan or to the program adds a line here, and sees in tests/golden/plan/ what it changes.
 */
#include "runtime/plan.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mount.h>

#include "oci/cap_names.h"

struct bit {
	uint64_t bit;
	const char *name;
};

static const struct bit mount_bits[] = {
	{ MS_RDONLY, "ro" },
	{ MS_NOSUID, "nosuid" },
	{ MS_NODEV, "nodev" },
	{ MS_NOEXEC, "noexec" },
	{ MS_SYNCHRONOUS, "sync" },
	{ MS_DIRSYNC, "dirsync" },
	{ MS_NOATIME, "noatime" },
	{ MS_NODIRATIME, "nodiratime" },
	{ MS_RELATIME, "relatime" },
	{ MS_STRICTATIME, "strictatime" },
	{ MS_LAZYTIME, "lazytime" },
	{ MS_MANDLOCK, "mand" },
	{ 256, "nosymfollow" }, /* MS_NOSYMFOLLOW, newer than the C library's headers */
	{ MS_SILENT, "silent" },
	{ MS_PRIVATE, "private" },
	{ MS_SLAVE, "slave" },
	{ MS_SHARED, "shared" },
	{ MS_UNBINDABLE, "unbindable" },
	{ MS_REC, "recursive" },
	{ 0, NULL },
};

static const struct bit program_mount_bits[] = {
	{ PROTO_MOUNT_DIR, "directory" },     { PROTO_MOUNT_TMPCOPYUP, "tmpcopyup" },
	{ PROTO_MOUNT_RO_LAST, "ro-last" },   { PROTO_MOUNT_OPTIONAL, "optional" },
	{ PROTO_MOUNT_RECURSIVE, "recursive" }, { 0, NULL },
};

static const struct bit process_bits[] = {
	{ PROTO_PROC_TERMINAL, "terminal" },
	{ PROTO_PROC_NO_NEW_PRIVS, "no-new-privileges" },
	{ PROTO_PROC_HAS_UMASK, "umask" },
	{ PROTO_PROC_HAS_CAPS, "capabilities" },
	{ PROTO_PROC_HAS_OOM, "oom-score" },
	{ PROTO_PROC_STDIN_NULL, "stdin-null" },
	{ PROTO_PROC_HAS_PERSONALITY, "personality" },
	{ PROTO_PROC_HAS_IOPRIO, "io-priority" },
	{ PROTO_PROC_HAS_SCHED, "scheduler" },
	{ 0, NULL },
};

static const char *const mount_kinds[] = {
	[PROTO_MOUNT_SHARE] = "share",	   [PROTO_MOUNT_FS] = "fs",
	[PROTO_MOUNT_BIND] = "bind",	   [PROTO_MOUNT_MASK] = "mask",
	[PROTO_MOUNT_READONLY] = "readonly", [PROTO_MOUNT_NODE] = "node",
	[PROTO_MOUNT_LINK] = "link",	   [PROTO_MOUNT_SOCKET] = "socket",
};

/* Names of the bits set in @v, comma separated, what has no name as a number. Nothing at all for 0. */
static void print_bits(FILE *to, const char *label, const struct bit *names, uint64_t v)
{
	const char *comma = "";

	if (!v)
		return;
	(void)fprintf(to, "%s", label);
	for (; names->name; names++) {
		if (!(v & names->bit))
			continue;
		(void)fprintf(to, "%s%s", comma, names->name);
		v &= ~names->bit;
		comma = ",";
	}
	if (v)
		(void)fprintf(to, "%s0x%" PRIx64, comma, v);
}

/* ------------------------------------------------------------------ the plan */

static void print_ids(FILE *to, const char *what, const struct oci_id_map *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)fprintf(to, "  %s %u is %u of the host, %u of them\n", what, v[i].container_id,
			      v[i].host_id, v[i].size);
}

static void print_namespaces(const struct plan *p, FILE *to)
{
	(void)fprintf(to, "user namespace: %s%s\n", p->new_userns  ? "new" :
		      p->join_userns ? "joined" :
				       "the caller's",
		      p->single_id ? ", one id" : "");
	print_ids(to, "uid", p->uid_map, p->n_uid_map);
	print_ids(to, "gid", p->gid_map, p->n_gid_map);
	if (p->holder)
		(void)fprintf(to, "holder of a pod's namespaces: no machine\n");
	if (p->new_pidns)
		(void)fprintf(to, "pid namespace: new, for the monitor\n");
	(void)fprintf(to, "network namespace: %s\n",
		      p->join_netns ? p->join_netns : p->new_netns ? "new" : "the caller's");
}

static void print_mount(const struct plan_mount *m, FILE *to)
{
	(void)fprintf(to, "mount %s: ", m->dest);
	if (m->kind == PLAN_SHARE && m->mount_first)
		(void)fprintf(to, "share %u, of type %s from %s", m->share, m->fstype,
			      m->source ? m->source : "nothing");
	else if (m->kind == PLAN_SHARE)
		(void)fprintf(to, "share %u, %s", m->share, m->source);
	else if (m->kind == PLAN_NODE)
		(void)fprintf(to, "the guest's device %u:%u", m->major, m->minor);
	else if (m->kind == PLAN_SOCKET)
		(void)fprintf(to, "socket %u%s, %s", m->share, m->datagrams ? " for datagrams" : "",
			      m->source);
	else if (m->kind == PLAN_LINK)
		(void)fprintf(to, "a link to %s", m->source);
	else
		(void)fprintf(to, "%s made in the guest", m->fstype);
	print_bits(to, ", ", mount_bits, m->options.flags);
	print_bits(to, ", propagation ", mount_bits, m->options.propagation);
	if (m->options.data[0])
		(void)fprintf(to, ", data \"%s\"", m->options.data);
	(void)fprintf(to, "%s\n", m->make_on_host ? ", destination made on the host" : "");
}

void plan_print(const struct plan *p, FILE *to)
{
	(void)fprintf(to, "machine: %u vcpus, %llu MiB, %u descriptors for files\n", p->vcpus,
		      (unsigned long long)(p->memory_bytes >> 20), p->fs_max_fds);
	if (p->machine.kernel[0])
		(void)fprintf(to, "kernel: %s\n", p->kernel);
	if (p->machine.initrd[0])
		(void)fprintf(to, "initrd: %s\n", p->initrd);
	if (p->vmm_label)
		(void)fprintf(to, "SELinux label: %s\n", p->vmm_label);
	if (p->machine.nested)
		(void)fprintf(to, "nested virtualisation: visible\n");
	(void)fprintf(to, "kernel parameters: %s\n", p->cmdline);
	print_namespaces(p, to);
	(void)fprintf(to, "share 0: %s%s\n", p->rootfs, p->root_readonly ? " (read-only)" : "");
	if (p->notify_path)
		(void)fprintf(to, "notify socket %s: leads to %s\n", p->notify_path, p->notify_host);
	for (size_t i = 0; i < p->n_mounts; i++)
		print_mount(&p->mounts[i], to);
	for (size_t i = 0; i < p->host_cgroup.n; i++)
		(void)fprintf(to, "cgroup on the host: %s = %s\n", p->host_cgroup.v[i].file,
			      p->host_cgroup.v[i].value);
}

/* ------------------------------------------------------------------ the guest's program */

/* A payload of plan_encode(): our own, so that its offsets hold. */
struct payload {
	const struct proto_program *head;
	const char *pool;
};

/* The arrays are aligned in the pool, and the head is a multiple of 8 bytes. */
static const void *at(const struct payload *p, uint32_t offset)
{
	return p->pool + offset;
}

static void print_text(FILE *to, const char *label, const struct payload *p, uint32_t offset)
{
	if (offset)
		(void)fprintf(to, "%s%s", label, p->pool + offset);
}

static void print_list(FILE *to, const char *label, const struct payload *p, uint32_t offset,
		       uint32_t n)
{
	const char *s = p->pool + offset;

	for (uint32_t i = 0; i < n; i++, s += strlen(s) + 1)
		(void)fprintf(to, "  %s %u: %s\n", label, i, s);
}

static void print_program_mounts(const struct payload *p, FILE *to)
{
	const struct proto_mount *m = at(p, p->head->mounts);

	for (uint32_t i = 0; i < p->head->n_mounts; i++, m++) {
		const char *kind = m->kind < sizeof(mount_kinds) / sizeof(mount_kinds[0]) ?
					   mount_kinds[m->kind] :
					   NULL;

		(void)fprintf(to, "  %s %s", kind ? kind : "?", p->pool + m->dest);
		if (m->kind == PROTO_MOUNT_SHARE)
			(void)fprintf(to, " number %u", m->share);
		if (m->kind == PROTO_MOUNT_NODE)
			(void)fprintf(to, " device %u:%u mode %o owner %u:%u", m->major, m->minor, m->mode,
				      m->uid, m->gid);
		print_text(to, " type ", p, m->fstype);
		print_text(to, " source ", p, m->source);
		print_text(to, " data ", p, m->data);
		print_bits(to, " how ", program_mount_bits, m->flags);
		print_bits(to, " flags ", mount_bits, m->ms_flags);
		print_bits(to, " propagation ", mount_bits, m->propagation);
		(void)fprintf(to, "\n");
	}
}

static void print_devices(const struct payload *p, FILE *to)
{
	const struct proto_device *d = at(p, p->head->devices);

	for (uint32_t i = 0; i < p->head->n_devices; i++, d++)
		(void)fprintf(to, "  device %s %c %u:%u mode %04o owner %u:%u%s\n",
			      p->pool + d->path, (int)d->type, d->major, d->minor, d->mode, d->uid,
			      d->gid, d->optional ? " optional" : "");
}

static void print_sysctls(const struct payload *p, FILE *to)
{
	const struct proto_sysctl *s = at(p, p->head->sysctls);

	for (uint32_t i = 0; i < p->head->n_sysctls; i++, s++)
		(void)fprintf(to, "  sysctl %s = %s\n", p->pool + s->path, p->pool + s->value);
}

static void print_cgroup(const struct payload *p, FILE *to)
{
	const struct proto_cgroup *c = at(p, p->head->cgroup);

	for (uint32_t i = 0; i < p->head->n_cgroup; i++, c++)
		(void)fprintf(to, "  cgroup %s = %s%s\n", p->pool + c->file, p->pool + c->value,
			      c->optional ? " (optional)" : "");
}

/* Every capability up to the last one known prints as "all". */
static void print_caps(FILE *to, const char *which, uint64_t mask)
{
	(void)fprintf(to, "  %s capabilities:", which);
	if (mask == (1ull << CAP_NAMES_COUNT) - 1)
		(void)fprintf(to, " all");
	else
		for (unsigned i = 0; i < CAP_NAMES_COUNT; i++)
			if (mask & (1ull << i))
				(void)fprintf(to, " %s", cap_name(i) + strlen("CAP_"));
	(void)fprintf(to, "\n");
}

static void print_ids_and_limits(const struct payload *p, const struct proto_process *c, FILE *to)
{
	const struct proto_rlimit *r = at(p, c->rlimits);
	const uint32_t *gids = at(p, c->gids);

	(void)fprintf(to, "  user %u:%u", c->uid, c->gid);
	for (uint32_t i = 0; i < c->n_gids; i++)
		(void)fprintf(to, "%s%u", i ? "," : " also in ", gids[i]);
	(void)fprintf(to, "\n");
	if (c->flags & PROTO_PROC_HAS_UMASK)
		(void)fprintf(to, "  umask %04o\n", c->umask);
	if (c->flags & PROTO_PROC_HAS_OOM)
		(void)fprintf(to, "  oom score %d\n", c->oom_score_adj);
	if (c->rows || c->cols)
		(void)fprintf(to, "  terminal of %u rows, %u columns\n", c->rows, c->cols);
	for (uint32_t i = 0; i < c->n_rlimits; i++)
		(void)fprintf(to, "  limit of resource %u: %" PRIu64 ", at most %" PRIu64 "\n",
			      r[i].resource, r[i].soft, r[i].hard);
}

static void print_process(const struct payload *p, const struct proto_process *c, FILE *to)
{
	(void)fprintf(to, "process:");
	print_bits(to, " ", process_bits, c->flags);
	(void)fprintf(to, "\n");
	print_list(to, "argument", p, c->args, c->n_args);
	print_list(to, "environment", p, c->env, c->n_env);
	print_text(to, "  directory ", p, c->cwd);
	(void)fprintf(to, "\n");
	print_ids_and_limits(p, c, to);
	if (c->flags & PROTO_PROC_HAS_CAPS) {
		print_caps(to, "bounding", c->cap_bounding);
		print_caps(to, "effective", c->cap_effective);
		print_caps(to, "inheritable", c->cap_inheritable);
		print_caps(to, "permitted", c->cap_permitted);
		print_caps(to, "ambient", c->cap_ambient);
	}
	if (c->flags & PROTO_PROC_HAS_PERSONALITY)
		(void)fprintf(to, "  personality 0x%x\n", c->personality);
	if (c->flags & PROTO_PROC_HAS_IOPRIO)
		(void)fprintf(to, "  io priority 0x%x\n", c->ioprio);
	if (c->flags & PROTO_PROC_HAS_SCHED)
		(void)fprintf(to, "  scheduler: policy %u, nice %d, priority %u, flags 0x%" PRIx64
				  ", runtime %" PRIu64 ", deadline %" PRIu64 ", period %" PRIu64 "\n",
			      c->sched_policy, c->sched_nice, c->sched_priority, c->sched_flags,
			      c->sched_runtime, c->sched_deadline, c->sched_period);
	if (c->n_seccomp)
		(void)fprintf(to, "  seccomp: %u instructions, flags 0x%x\n", c->n_seccomp,
			      c->seccomp_flags);
}

static void print_hooks(const struct payload *p, FILE *to)
{
	const struct proto_hook *h = at(p, p->head->hooks);

	for (uint32_t i = 0; i < p->head->n_hooks; i++) {
		(void)fprintf(to, "  startContainer hook %s", p->pool + h[i].path);
		if (h[i].timeout_s)
			(void)fprintf(to, ", at most %u s", h[i].timeout_s);
		(void)fprintf(to, "%s\n",
			      h[i].flags & PROTO_HOOK_HAS_ENV ? ", environment of its own" : "");
		print_list(to, "  argument", p, h[i].args, h[i].n_args);
		print_list(to, "  environment", p, h[i].env, h[i].n_env);
	}
}

void plan_print_program(const void *payload, FILE *to)
{
	const struct payload p = { .head = payload,
				   .pool = (const char *)payload + sizeof(struct proto_program) };

	(void)fprintf(to, "in the guest: root is share %u%s\n", p.head->root_share,
		      p.head->flags & PROTO_ROOT_READONLY ? ", read-only" : "");
	if (p.head->hostname)
		(void)fprintf(to, "  hostname %s\n", p.pool + p.head->hostname);
	if (p.head->domainname)
		(void)fprintf(to, "  domainname %s\n", p.pool + p.head->domainname);
	if (p.head->flags & PROTO_TIME_NS)
		(void)fprintf(to, "  time namespace: monotonic %" PRId64 " s %u ns, boottime %" PRId64
				  " s %u ns\n",
			      p.head->monotonic.secs, p.head->monotonic.nanosecs,
			      p.head->boottime.secs, p.head->boottime.nanosecs);
	print_text(to, "  notify socket ", &p, p.head->notify);
	if (p.head->notify)
		(void)fprintf(to, "\n");
	print_program_mounts(&p, to);
	print_bits(to, "  propagation of the root ", mount_bits, p.head->root_propagation);
	if (p.head->root_propagation)
		(void)fprintf(to, "\n");
	print_devices(&p, to);
	print_sysctls(&p, to);
	print_cgroup(&p, to);
	print_hooks(&p, to);
	print_process(&p, &p.head->process, to);
}
