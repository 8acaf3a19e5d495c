/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_mounts - where each mount of config.json is made, and of what. Pure.
 *
 * DOC: the kinds
 *
 *   SHARE    a directory or file of the host, through the file server. So are file systems with data
 *            of the host in them (overlay, a disk's, a network's): mounted here, then shared.
 *   FS       a file system of the guest's own kernel: proc, tmpfs ... A bind mount of the host's /sys,
 *            /proc or /sys/fs/cgroup, or of its whole /dev, means the machine's, which is the guest.
 *   NODE     a device of the host that has its like in the guest: the guest's own, with the owner and
 *            mode of the host's. One that has none is an error; in a privileged container, to which
 *            engines pass whatever the host has, it is a node with nothing behind it.
 *   SOCKET   a UNIX socket whose server is on the host: the guest listens in its place, and each
 *            connection is carried over. Sockets inside a shared directory can't be reached (connection
 *            refused): the guest's kernel looks for their server among its own.
 *   LINK     a symbolic link made anew (option copy-symlink).
 */
#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "oci/cap_names.h"
#include "runtime/guest_device.h"
#include "runtime/plan.h"

#define MAX_EXTRA 4 /* mounts that one of config.json may bring with it */
#define FOLD_FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY)
#define ATIMES (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)

/* Is @path @dir or below it, by name? */
static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	return n == 1 || (strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0'));
}

/* File systems without data of the host: the guest's kernel makes its own. */
static bool guest_makes(const char *type)
{
	static const char *const known[] = {
		"proc",	   "sysfs",   "tmpfs",	 "ramfs",      "devpts",      "devtmpfs",  "mqueue",
		"cgroup",  "cgroup2", "bpf",	 "hugetlbfs",  "securityfs",  "debugfs",   "tracefs",
		"configfs", "fusectl", "binfmt_misc",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(type, known[i]) == 0)
			return true;
	return false;
}

/* What a recursive bind of one of the host's kernel file systems brings along. */
static const struct machine_fs {
	uint64_t magic;	     /* 0: known by its path */
	const char *path;
	const char *fstype;
	struct {
		const char *below;
		const char *fstype;
		uint64_t flags;
		const char *data;
	} extra[MAX_EXTRA];
} machine_table[] = {
	{ SYSFS_MAGIC, NULL, "sysfs",
	  { { "/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, "" } } },
	{ PROC_SUPER_MAGIC, NULL, "proc", { { 0 } } },
	{ CGROUP2_SUPER_MAGIC, NULL, "cgroup2", { { 0 } } },
	{ 0, "/dev", "devtmpfs",
	  { { "/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620" },
	    { "/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777" },
	    { "/mqueue", "mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, "" } } },
};

static const struct machine_fs *find_machine_fs(const struct mount_source *s)
{
	if (!s || !s->known || !s->mount_root)
		return NULL;
	for (size_t i = 0; i < sizeof(machine_table) / sizeof(machine_table[0]); i++) {
		const struct machine_fs *m = &machine_table[i];

		if (m->magic ? s->fs_type == m->magic : strcmp(s->path, m->path) == 0)
			return m;
	}
	return NULL;
}

static struct plan_mount *next_mount(struct plan *p, enum plan_mount_kind kind, const char *dest,
				     size_t index)
{
	struct plan_mount *pm = &p->mounts[p->n_mounts];

	pm->kind = kind;
	pm->dest = dest;
	pm->index = index;
	pm->make_on_host = true;
	for (size_t k = 0; k < p->n_mounts; k++)
		if (below(dest, p->mounts[k].dest) && strcmp(p->mounts[k].dest, "/") != 0)
			pm->make_on_host = p->mounts[k].kind == PLAN_SHARE &&
					   p->mounts[k].make_on_host;
	p->n_mounts++;
	return pm;
}

static int plan_machine_fs(struct plan *p, struct plan_mount *pm, const struct machine_fs *fs,
			   struct err *e)
{
	pm->kind = PLAN_FS;
	pm->fstype = pm->source = fs->fstype;
	pm->options.data[0] = '\0';
	pm->options.flags &= ~(uint64_t)ATIMES;
	for (size_t i = 0; i < MAX_EXTRA && pm->options.recursive && fs->extra[i].below; i++) {
		struct plan_mount *more;
		char *dest;

		if (asprintf(&dest, "%s%s", pm->dest, fs->extra[i].below) < 0)
			return err_set(e, ENOMEM, "plan: out of memory");
		more = next_mount(p, PLAN_FS, dest, pm->index);
		more->own_dest = dest;
		more->fstype = more->source = fs->extra[i].fstype;
		more->options.flags = fs->extra[i].flags;
		(void)snprintf(more->options.data, sizeof(more->options.data), "%s",
			       fs->extra[i].data);
	}
	return 0;
}

/* Has the engine lifted every restriction, as for --privileged? Then it passes all devices of the host, wanted or not. */
static bool privileged(const struct oci_spec *s)
{
	const struct oci_capabilities *c = s->process->capabilities;

	return !s->lnx.seccomp && s->lnx.n_masked_paths == 0 && s->lnx.n_readonly_paths == 0 && c &&
	       c->n_bounding >= CAP_NAMES_COUNT - 1;
}

/* An id of the host as the container sees it. */
static uint32_t mapped_id(uint32_t id, const struct oci_id_map *map, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (id >= map[i].host_id && id - map[i].host_id < map[i].size)
			return map[i].container_id + (id - map[i].host_id);
	return PLAN_OVERFLOW_ID;
}

/* Mode and owner of the source as the container shall see them. */
static void own(const struct plan *p, struct plan_mount *pm, const struct mount_source *s)
{
	pm->mode = s->mode;
	pm->uid = p->new_userns ? mapped_id(s->uid, p->uid_map, p->n_uid_map) : s->uid;
	pm->gid = p->new_userns ? mapped_id(s->gid, p->gid_map, p->n_gid_map) : s->gid;
}

static int plan_node(struct plan *p, struct plan_mount *pm, const struct mount_source *s,
		     struct err *e)
{
	if (!guest_device_exists(S_ISBLK(s->mode) ? 'b' : 'c', s->major, s->minor) &&
	    !privileged(p->spec))
		return err_set(e, ENOTSUP,
			       "config.json: mounts[%zu].source: \"%s\": a device of the host that the "
			       "container's machine has not got",
			       pm->index, pm->source);
	pm->kind = PLAN_NODE;
	pm->major = s->major;
	pm->minor = s->minor;
	own(p, pm, s);
	return 0;
}

static int plan_socket(struct plan *p, struct plan_mount *pm, const struct mount_source *s,
		       struct err *e)
{
	if (p->n_sockets == PROTO_MAX_SOCKETS)
		return err_set(e, E2BIG, "config.json: mounts: over %d sockets", PROTO_MAX_SOCKETS);
	pm->kind = PLAN_SOCKET;
	pm->share = p->n_sockets++;
	pm->datagrams = s->datagrams;
	own(p, pm, s);
	return 0;
}

static int plan_share(struct plan *p, struct plan_mount *pm, struct err *e)
{
	if (p->n_shares == VM_MAX_SHARES)
		return err_set(e, E2BIG, "config.json: mounts: over %d bind mounts",
			       VM_MAX_SHARES - 1);
	pm->kind = PLAN_SHARE;
	pm->share = p->n_shares++;
	return 0;
}

/* What the mount of the source forbids holds for the new one, where nothing else is said. */
static void inherit(struct mount_options *o, uint64_t from)
{
	o->flags |= from & FOLD_FLAGS & ~o->cleared;
	if (!((o->flags | o->cleared) & ATIMES))
		o->flags |= from & ATIMES;
}

static int plan_bind(struct plan *p, struct plan_mount *pm, const struct mount_source *s,
		     struct err *e)
{
	const struct machine_fs *fs = find_machine_fs(s);

	if (!pm->source)
		return err_set(e, EINVAL, "config.json: mounts[%zu].source: missing", pm->index);
	if (s && s->path)
		pm->source = s->path;
	if (s && s->link) {
		pm->kind = PLAN_LINK;
		pm->source = s->link;
		return 0;
	}
	if (fs)
		return plan_machine_fs(p, pm, fs, e);
	if (s && s->known && (S_ISCHR(s->mode) || S_ISBLK(s->mode)))
		return plan_node(p, pm, s, e);
	if (s && s->known && S_ISSOCK(s->mode))
		return plan_socket(p, pm, s, e);
	if (s && s->known) {
		pm->mode = s->mode;
		inherit(&pm->options, s->inherited);
	}
	return plan_share(p, pm, e);
}

static int plan_fs(struct plan *p, struct plan_mount *pm, struct err *e)
{
	if (pm->options.tmpcopyup && strcmp(pm->fstype, "tmpfs") != 0)
		return err_set(e, EINVAL,
			       "config.json: mounts[%zu].options: tmpcopyup can be used only with tmpfs",
			       pm->index);
	if (guest_makes(pm->fstype))
		return 0;
	pm->mount_first = true;
	return plan_share(p, pm, e);
}

/* Option "remount": new flags for the mount that is at @dest already. */
static int plan_remount(struct plan *p, const struct oci_mount *m, size_t index,
			const struct mount_options *o, struct err *e)
{
	if (strcmp(m->destination, "/") == 0) {
		p->root_readonly |= (o->flags & MS_RDONLY) != 0;
		return 0;
	}
	for (size_t k = p->n_mounts; k-- > 0;) {
		struct mount_options *old = &p->mounts[k].options;

		if (strcmp(p->mounts[k].dest, m->destination) != 0)
			continue;
		old->flags = (o->flags & (FOLD_FLAGS | ATIMES | MS_NODIRATIME)) |
			     (old->flags & ~(uint64_t)(FOLD_FLAGS | ATIMES | MS_NODIRATIME));
		return 0;
	}
	return err_set(e, EINVAL, "config.json: mounts[%zu].destination: \"%s\": nothing to remount",
		       index, m->destination);
}

/* Whose maps: the mount's, the option's, or those of the container. */
static int plan_idmap(const struct plan *p, const struct oci_mount *m, struct plan_mount *pm, struct err *e)
{
	const struct mount_options *o = &pm->options;
	struct idmount *out = &pm->idmount;
	int r = 0;

	if (!o->idmap && !o->idmap_rec && !m->n_uid_mappings && !m->n_gid_mappings)
		return 0;
	if (o->idmap_text)
		r = idmount_parse(o->idmap_text, p->uid_map, p->n_uid_map, p->gid_map, p->n_gid_map, out, e);
	else if (m->n_uid_mappings || m->n_gid_mappings)
		*out = (struct idmount){ m->uid_mappings, m->gid_mappings, m->n_uid_mappings,
					 m->n_gid_mappings, NULL, false };
	else if (p->new_userns)
		*out = (struct idmount){ p->uid_map, p->gid_map, p->n_uid_map, p->n_gid_map, NULL, false };
	if (r < 0)
		return err_wrap(e, "config.json: mounts[%zu]", pm->index);
	if (out->n_uids == 0 || out->n_gids == 0)
		return err_set(e, EINVAL, "config.json: mounts[%zu].%s: missing, as owners are to be mapped",
			       pm->index, out->n_uids ? "gidMappings" : "uidMappings");
	out->recursive = o->idmap_rec;
	return 0;
}

static int plan_one(struct plan *p, size_t i, const struct mount_source *s, struct err *e)
{
	const struct oci_mount *m = &p->spec->mounts[i];
	struct mount_options o;
	struct plan_mount *pm;
	int r = mount_options_parse(m->options, m->n_options, &o, e);
	bool bind;

	if (r < 0)
		return err_wrap(e, "config.json: mounts[%zu]", i);
	bind = o.bind || (m->type && strcmp(m->type, "bind") == 0);
	if (m->n_options == 0 && !bind)
		mount_options_default(m->destination, &o);
	if (o.remount)
		return plan_remount(p, m, i, &o, e);
	if (!bind && !m->type)
		return err_set(e, EINVAL, "config.json: mounts[%zu].type: missing", i);
	pm = next_mount(p, PLAN_FS, m->destination, i);
	pm->options = o;
	pm->source = m->source;
	pm->fstype = m->type;
	if (plan_idmap(p, m, pm, e) < 0)
		return -e->code;
	r = bind ? plan_bind(p, pm, s, e) : plan_fs(p, pm, e);
	if (r == 0 && pm->idmount.uids && (pm->kind != PLAN_SHARE || pm->mount_first))
		return err_set(e, ENOTSUP,
			       "config.json: mounts[%zu]: owners can be mapped in bind mounts of files and "
			       "directories only",
			       i);
	return r;
}

static int plan_propagation(struct plan *p, struct err *e)
{
	char *word = p->spec->lnx.rootfs_propagation;
	struct mount_options o = { 0 };

	if (word && mount_options_parse(&word, 1, &o, e) < 0)
		return -e->code;
	p->root_propagation = o.propagation;
	return 0;
}

int plan_mounts(struct plan *p, const struct mount_source *sources, struct err *e)
{
	size_t n = p->spec->n_mounts;
	bool any = false;

	p->n_shares = 1;
	p->mounts = calloc(n * (1 + MAX_EXTRA) + 1, sizeof(*p->mounts));
	if (!p->mounts)
		return err_set(e, ENOMEM, "plan: out of memory");
	if (plan_propagation(p, e) < 0)
		return err_wrap(e, "config.json: linux.rootfsPropagation");
	for (size_t i = 0; i < n; i++) {
		int r = plan_one(p, i, sources ? &sources[i] : NULL, e);

		if (r < 0)
			return r;
		any |= p->spec->mounts[i].n_options && p->mounts[p->n_mounts - 1].options.propagation;
	}
	/* as crun, whose default for the whole tree comes after what each mount asked for */
	if (any && !p->root_propagation)
		p->root_propagation = MS_PRIVATE | MS_REC;
	return 0;
}
