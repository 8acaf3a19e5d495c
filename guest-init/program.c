/* SPDX-License-Identifier: Apache-2.0 */
/* program - a PROTO_PROGRAM payload, checked once so that everything after may trust it. */
#include "guest-init/program.h"

#include <asm/errno.h>

#include "guest-init/str.h"

#define MAX_GIDS 65536u	    /* NGROUPS_MAX */
#define MAX_SECCOMP 4096u   /* BPF_MAXINSNS */
#define MAX_RESOURCE 16u    /* RLIM_NLIMITS */
#define MAX_MOUNT_FLAGS (2 * PROTO_MOUNT_DATAGRAMS - 1)
#define MAX_FD 65535u
#define SOCK_FILTER_BYTES 8u
#define FAMILY_IPV4 2u
#define FAMILY_IPV6 10u
#define MODE_CHAR 0020000u  /* S_IFCHR; this file is built for the host too, where headers differ */
#define MODE_BLOCK 0060000u /* S_IFBLK */

#define BAD(e, ...) err_set(e, EPROTO, "program: " __VA_ARGS__)

/* Room for @n elements of @size bytes at @offset. */
static bool array_fits(const struct program *p, uint32_t offset, uint32_t n, size_t size)
{
	uint64_t pool = p->head.pool_bytes;

	return offset <= pool && (uint64_t)n * size <= pool - offset;
}

static bool text_fits(const struct program *p, uint32_t offset)
{
	return offset < p->head.pool_bytes &&
	       str_bounded(p->pool + offset, p->head.pool_bytes - offset) >= 0;
}

static bool list_fits(const struct program *p, uint32_t offset, uint32_t n)
{
	uint64_t at = offset;

	for (uint32_t i = 0; i < n; i++) {
		ptrdiff_t len;

		if (at >= p->head.pool_bytes)
			return false;
		len = str_bounded(p->pool + at, p->head.pool_bytes - at);
		if (len < 0)
			return false;
		at += (uint64_t)len + 1;
	}
	return true;
}

static bool absolute(const struct program *p, uint32_t offset)
{
	return text_fits(p, offset) && p->pool[offset] == '/';
}

static int check_mounts(const struct program *p, struct err *e)
{
	if (!array_fits(p, p->head.mounts, p->head.n_mounts, sizeof(struct proto_mount)))
		return BAD(e, "mounts");
	for (uint32_t i = 0; i < p->head.n_mounts; i++) {
		struct proto_mount m = program_mount(p, i);

		if (m.kind < PROTO_MOUNT_SHARE || m.kind > PROTO_MOUNT_SOCKET)
			return BAD(e, "mounts[%u].kind %u", i, m.kind);
		if (m.flags > MAX_MOUNT_FLAGS)
			return BAD(e, "mounts[%u].flags 0x%x", i, m.flags);
		if (!absolute(p, m.dest))
			return BAD(e, "mounts[%u].dest", i);
		if (!text_fits(p, m.source) || !text_fits(p, m.fstype) || !text_fits(p, m.data))
			return BAD(e, "mounts[%u]: text outside the pool", i);
		if (m.kind == PROTO_MOUNT_FS && p->pool[m.fstype] == '\0')
			return BAD(e, "mounts[%u].fstype", i);
		if (m.kind == PROTO_MOUNT_LINK && p->pool[m.source] == '\0')
			return BAD(e, "mounts[%u].source", i);
		if (m.kind == PROTO_MOUNT_NODE && (m.mode & ~07777u) != MODE_CHAR &&
		    (m.mode & ~07777u) != MODE_BLOCK)
			return BAD(e, "mounts[%u].mode 0x%x", i, m.mode);
		if (m.kind == PROTO_MOUNT_SOCKET && (m.share >= PROTO_MAX_SOCKETS || m.mode > 07777))
			return BAD(e, "mounts[%u].share %u", i, m.share);
		if (m.kind == PROTO_MOUNT_BIND && p->pool[m.source] != '/')
			return BAD(e, "mounts[%u].source", i);
	}
	return 0;
}

static int check_devices(const struct program *p, struct err *e)
{
	if (!array_fits(p, p->head.devices, p->head.n_devices, sizeof(struct proto_device)))
		return BAD(e, "devices");
	for (uint32_t i = 0; i < p->head.n_devices; i++) {
		struct proto_device d = program_device(p, i);

		if (!absolute(p, d.path))
			return BAD(e, "devices[%u].path", i);
		if (d.type != 'c' && d.type != 'b' && d.type != 'p')
			return BAD(e, "devices[%u].type %u", i, d.type);
		if (d.mode > 07777)
			return BAD(e, "devices[%u].mode 0x%x", i, d.mode);
	}
	return 0;
}

static int check_sysctls(const struct program *p, struct err *e)
{
	if (!array_fits(p, p->head.sysctls, p->head.n_sysctls, sizeof(struct proto_sysctl)))
		return BAD(e, "sysctls");
	for (uint32_t i = 0; i < p->head.n_sysctls; i++) {
		struct proto_sysctl s = program_sysctl(p, i);

		if (!text_fits(p, s.path) || !text_fits(p, s.value) || p->pool[s.path] == '\0')
			return BAD(e, "sysctls[%u]", i);
	}
	return 0;
}

bool program_net_ok(const struct proto_net *r)
{
	uint8_t most = r->family == FAMILY_IPV4 ? 32 : 128;

	if (r->kind == PROTO_NET_BEGIN || r->kind == PROTO_NET_END)
		return true;
	if (r->slot >= PROTO_MAX_SLOTS)
		return false;
	if (r->kind == PROTO_NET_LINK)
		return r->name[0] != '\0' && str_bounded(r->name, sizeof(r->name)) > 0;
	return r->kind >= PROTO_NET_ADDR && r->kind <= PROTO_NET_ROUTE &&
	       (r->family == FAMILY_IPV4 || r->family == FAMILY_IPV6) && r->prefix <= most;
}

static int check_net(const struct program *p, struct err *e)
{
	if (p->head.n_net > PROTO_MAX_NET ||
	    !array_fits(p, p->head.net, p->head.n_net, sizeof(struct proto_net)))
		return BAD(e, "net");
	for (uint32_t i = 0; i < p->head.n_net; i++) {
		struct proto_net r = program_net(p, i);

		if (!program_net_ok(&r))
			return BAD(e, "net[%u]", i);
	}
	return 0;
}

static int check_cgroup(const struct program *p, struct err *e)
{
	if (!array_fits(p, p->head.cgroup, p->head.n_cgroup, sizeof(struct proto_cgroup)))
		return BAD(e, "cgroup");
	for (uint32_t i = 0; i < p->head.n_cgroup; i++) {
		struct proto_cgroup c = program_cgroup(p, i);

		if (!text_fits(p, c.file) || !text_fits(p, c.value) || p->pool[c.file] == '\0' ||
		    str_find(p->pool + c.file, '/') != NULL)
			return BAD(e, "cgroup[%u]", i);
	}
	return 0;
}

static int check_hooks(const struct program *p, struct err *e)
{
	if (!array_fits(p, p->head.hooks, p->head.n_hooks, sizeof(struct proto_hook)))
		return BAD(e, "hooks");
	if (!text_fits(p, p->head.hook_state))
		return BAD(e, "hook_state");
	for (uint32_t i = 0; i < p->head.n_hooks; i++) {
		struct proto_hook h = program_hook(p, i);

		if (!absolute(p, h.path) || !list_fits(p, h.args, h.n_args) ||
		    !list_fits(p, h.env, h.n_env))
			return BAD(e, "hooks[%u]", i);
	}
	return 0;
}

static int check_fds(const struct program *p, struct err *e)
{
	uint32_t least = 3;

	if (p->head.n_fds > PROTO_MAX_FDS ||
	    !array_fits(p, p->head.fds, p->head.n_fds, sizeof(struct proto_fd)))
		return BAD(e, "fds");
	for (uint32_t i = 0; i < p->head.n_fds; i++) {
		struct proto_fd f = program_fd(p, i);

		if (f.number < least || f.number > MAX_FD || f.kind < PROTO_FD_IN ||
		    f.kind > PROTO_FD_INET6 || f.port > 65535)
			return BAD(e, "fds[%u]", i);
		least = f.number + 1;
	}
	return 0;
}

static int check_process(const struct program *p, struct err *e)
{
	const struct proto_process *r = &p->head.process;

	if (r->n_gids > MAX_GIDS || !array_fits(p, r->gids, r->n_gids, sizeof(uint32_t)))
		return BAD(e, "process.gids");
	if (r->n_args == 0 || !list_fits(p, r->args, r->n_args))
		return BAD(e, "process.args");
	if (!list_fits(p, r->env, r->n_env))
		return BAD(e, "process.env");
	if (!absolute(p, r->cwd))
		return BAD(e, "process.cwd");
	if (!array_fits(p, r->rlimits, r->n_rlimits, sizeof(struct proto_rlimit)))
		return BAD(e, "process.rlimits");
	for (uint32_t i = 0; i < r->n_rlimits; i++)
		if (program_rlimit(p, i).resource >= MAX_RESOURCE)
			return BAD(e, "process.rlimits[%u].resource", i);
	if (r->n_seccomp > MAX_SECCOMP ||
	    !array_fits(p, r->seccomp, r->n_seccomp, SOCK_FILTER_BYTES))
		return BAD(e, "process.seccomp");
	return 0;
}

int program_check(const void *payload, size_t n, struct program *out_program, struct err *e)
{
	struct program p;
	int rc;

	if (n < sizeof(p.head) || n > PROTO_MAX_PROGRAM)
		return BAD(e, "%lu bytes", (unsigned long)n);
	memcpy(&p.head, payload, sizeof(p.head));
	p.pool = (const char *)payload + sizeof(p.head);
	if (p.head.magic != PROTO_MAGIC)
		return BAD(e, "magic 0x%x", p.head.magic);
	if (p.head.version != PROTO_VERSION)
		return BAD(e, "version %u, this init speaks %u", p.head.version, PROTO_VERSION);
	if (p.head.pool_bytes != n - sizeof(p.head) || p.head.pool_bytes == 0 || p.pool[0] != '\0')
		return BAD(e, "pool of %u bytes", p.head.pool_bytes);
	if (!text_fits(&p, p.head.sub_cgroup))
		return BAD(e, "sub_cgroup");
	if (!text_fits(&p, p.head.hostname) || !text_fits(&p, p.head.domainname))
		return BAD(e, "hostname");
	rc = check_mounts(&p, e);
	if (rc == 0)
		rc = check_devices(&p, e);
	if (rc == 0)
		rc = check_sysctls(&p, e);
	if (rc == 0)
		rc = check_net(&p, e);
	if (rc == 0)
		rc = check_cgroup(&p, e);
	if (!text_fits(&p, p.head.notify) || (p.head.notify != 0 && !absolute(&p, p.head.notify)))
		rc = BAD(e, "notify");
	if (rc == 0)
		rc = check_hooks(&p, e);
	if (rc == 0)
		rc = check_fds(&p, e);
	if (rc == 0)
		rc = check_process(&p, e);
	if (rc == 0)
		*out_program = p;
	return rc;
}

const char *program_text(const struct program *p, uint32_t offset)
{
	return p->pool + offset;
}

#define ELEMENT(p, array, i, type)                                                                 \
	({                                                                                         \
		struct type out_;                                                                  \
		memcpy(&out_, (p)->pool + (array) + (size_t)(i) * sizeof(out_), sizeof(out_));     \
		out_;                                                                              \
	})

struct proto_mount program_mount(const struct program *p, uint32_t i)
{
	return ELEMENT(p, p->head.mounts, i, proto_mount);
}

struct proto_device program_device(const struct program *p, uint32_t i)
{
	return ELEMENT(p, p->head.devices, i, proto_device);
}

struct proto_sysctl program_sysctl(const struct program *p, uint32_t i)
{
	return ELEMENT(p, p->head.sysctls, i, proto_sysctl);
}

struct proto_cgroup program_cgroup(const struct program *p, uint32_t i)
{
	return ELEMENT(p, p->head.cgroup, i, proto_cgroup);
}

struct proto_hook program_hook(const struct program *p, uint32_t i)
{
	return ELEMENT(p, p->head.hooks, i, proto_hook);
}

struct proto_fd program_fd(const struct program *p, uint32_t i)
{
	return ELEMENT(p, p->head.fds, i, proto_fd);
}

struct proto_rlimit program_rlimit(const struct program *p, uint32_t i)
{
	return ELEMENT(p, p->head.process.rlimits, i, proto_rlimit);
}

struct proto_net program_net(const struct program *p, uint32_t i)
{
	return ELEMENT(p, p->head.net, i, proto_net);
}

void program_list(const struct program *p, uint32_t offset, uint32_t n, const char **out)
{
	const char *s = p->pool + offset;

	for (uint32_t i = 0; i < n; i++) {
		out[i] = s;
		s += str_len(s) + 1;
	}
}

const char *program_env(const struct program *p, const char *name)
{
	const char *s = p->pool + p->head.process.env;
	size_t n = str_len(name);

	for (uint32_t i = 0; i < p->head.process.n_env; i++) {
		if (str_begins(s, name) && s[n] == '=')
			return s + n + 1;
		s += str_len(s) + 1;
	}
	return NULL;
}

bool program_has_fs(const struct program *p, const char *fstype, const char *dest)
{
	for (uint32_t i = 0; i < p->head.n_mounts; i++) {
		struct proto_mount m = program_mount(p, i);

		if (m.kind == PROTO_MOUNT_FS && str_eq(p->pool + m.fstype, fstype) &&
		    (dest == NULL || str_eq(p->pool + m.dest, dest)))
			return true;
	}
	return false;
}
