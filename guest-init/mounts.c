/* SPDX-License-Identifier: Apache-2.0 */
/* mounts - the container's root and everything mounted in it. */
#include "guest-init/mounts.h"

#include "guest-init/copyup.h"
#include "guest-init/devices.h"
#include "guest-init/path.h"
#include "guest-init/sockets.h"
#include "guest-init/str.h"
#include "guest-init/sys.h"

#define DATA_BYTES 4096 /* mount(2) takes no more */

/* Flags of mount(2) that belong to a mount, as mount_setattr(2) takes them. */
static const struct {
	uint64_t ms;
	uint64_t attr;
} attributes[] = {
	{MS_RDONLY, MOUNT_ATTR_RDONLY},		{MS_NOSUID, MOUNT_ATTR_NOSUID},
	{MS_NODEV, MOUNT_ATTR_NODEV},		{MS_NOEXEC, MOUNT_ATTR_NOEXEC},
	{MS_NODIRATIME, MOUNT_ATTR_NODIRATIME}, {MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW},
};

static struct mount_attr attr_of(uint64_t ms)
{
	struct mount_attr a = {0};

	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		if ((ms & attributes[i].ms) != 0)
			a.attr_set |= attributes[i].attr;
	if ((ms & (MS_NOATIME | MS_STRICTATIME | MS_RELATIME)) != 0) {
		a.attr_clr = MOUNT_ATTR__ATIME;
		if ((ms & MS_NOATIME) != 0)
			a.attr_set |= MOUNT_ATTR_NOATIME;
		else if ((ms & MS_STRICTATIME) != 0)
			a.attr_set |= MOUNT_ATTR_STRICTATIME;
	}
	return a;
}

static int set_attr(int dir, const char *path, unsigned flags, uint64_t ms)
{
	struct mount_attr a = attr_of(ms);

	if (a.attr_set == 0 && a.attr_clr == 0)
		return 0;
	return sys_mount_setattr(dir, path, flags, &a);
}

/* Put the detached mount @tree on @dest, which is made of its kind when missing. */
static int place(int tree, const char *dest)
{
	int rc = sys_move_mount(tree, AT_FDCWD, dest);
	struct stat st;

	if (rc != -ENOENT)
		return rc;
	rc = sys_fstatat(tree, "", &st, AT_EMPTY_PATH);
	if (rc == 0)
		rc = (st.st_mode & S_IFMT) == S_IFDIR ? path_make_dir(dest) : path_make_file(dest);
	return rc < 0 ? rc : sys_move_mount(tree, AT_FDCWD, dest);
}

static int bind(int from, const char *source, const struct proto_mount *m, const char *dest)
{
	unsigned rec = (m->flags & PROTO_MOUNT_RECURSIVE) != 0 ? AT_RECURSIVE : 0;
	uint64_t ms = m->ms_flags;
	int tree, rc;

	if ((m->flags & PROTO_MOUNT_RO_LAST) != 0)
		ms &= ~(uint64_t)MS_RDONLY;
	tree = sys_open_tree(from, source, OPEN_TREE_CLONE | rec);
	if (tree < 0)
		return tree;
	rc = set_attr(tree, "", AT_EMPTY_PATH | rec, ms);
	if (rc == 0)
		rc = place(tree, dest);
	sys_close(tree);
	return rc;
}

static int bind_share(struct container *c, const struct proto_mount *m, const char *dest)
{
	char name[16];

	str_fmt(name, sizeof(name), "%u", m->share);
	return bind(c->shares, name, m, dest);
}

/* A path of the guest itself: its devices come into being when first asked for. */
static int bind_guest(struct container *c, const struct proto_mount *m, const char *dest)
{
	const char *source = program_text(&c->program, m->source);
	int rc = bind(c->old_root, source + 1, m, dest);

	if (rc != -ENOENT || !str_begins(source, "/dev/"))
		return rc;
	rc = sys_mkdirat(c->old_root, "dev", 0755);
	if (rc < 0 && rc != -EEXIST)
		return rc;
	rc = sys_fchdir(c->old_root);
	if (rc == 0)
		rc = sys_mount("devtmpfs", "dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, NULL);
	sys_chdir("/");
	return rc < 0 ? rc : bind(c->old_root, source + 1, m, dest);
}

/* The host's device nodes don't come through a share; one of the initramfs is as good. */
static int bind_node(struct container *c, const struct proto_mount *m, uint32_t i, const char *dest)
{
	char name[16];
	int rc;

	str_fmt(name, sizeof(name), "mount%u", i);
	rc = sys_mknodat(c->old_root, name, m->mode, devices_number(m->major, m->minor));
	if (rc == 0)
		rc = sys_fchownat(c->old_root, name, m->uid, m->gid, AT_SYMLINK_NOFOLLOW);
	return rc < 0 ? rc : bind(c->old_root, name, m, dest);
}

static int bind_socket(struct container *c, const struct proto_mount *m, const char *dest)
{
	char name[SOCKETS_NAME];

	sockets_name(m->share, name);
	return bind(c->old_root, name, m, dest);
}

static int make_link(struct container *c, const struct proto_mount *m, const char *dest)
{
	const char *target = program_text(&c->program, m->source);
	char there[PATH_BYTES];
	int rc = sys_symlinkat(target, AT_FDCWD, dest);
	long n;

	if (rc == -ENOENT) {
		rc = path_make_parent(dest);
		if (rc == 0)
			rc = sys_symlinkat(target, AT_FDCWD, dest);
	}
	if (rc != -EEXIST)
		return rc;
	n = sys_readlinkat(AT_FDCWD, dest, there, sizeof(there) - 1);
	there[n > 0 ? n : 0] = '\0';
	return str_eq(there, target) ? 0 : -EEXIST;
}

static bool has_mode(const char *data)
{
	for (; data != NULL && *data != '\0'; data = str_find(data, ',')) {
		data += *data == ',';
		if (str_begins(data, "mode="))
			return true;
	}
	return false;
}

/* A tmpfs that isn't told its mode has that of the directory it covers, as with runc and crun. */
static const char *tmpfs_data(const char *type, const char *data, const char *dest)
{
	static char text[DATA_BYTES];
	struct stat st;

	if (!str_eq(type, "tmpfs") || has_mode(data) || str_len(data) + sizeof(",mode=07777") > sizeof(text) ||
	    sys_fstatat(AT_FDCWD, dest, &st, 0) < 0)
		return data;
	str_fmt(text, sizeof(text), "%s%smode=0%u%u%u%u", data, *data != '\0' ? "," : "", st.st_mode >> 9 & 7,
		st.st_mode >> 6 & 7, st.st_mode >> 3 & 7, st.st_mode & 7);
	return text;
}

static int mount_fs(struct container *c, const struct proto_mount *m, const char *dest)
{
	const char *type = program_text(&c->program, m->fstype);
	const char *source = program_text(&c->program, m->source);
	const char *data = tmpfs_data(type, program_text(&c->program, m->data), dest);
	uint64_t ms = m->ms_flags;
	int below = -1, rc;

	if ((m->flags & (PROTO_MOUNT_RO_LAST | PROTO_MOUNT_TMPCOPYUP)) != 0)
		ms &= ~(uint64_t)MS_RDONLY;
	if ((m->flags & PROTO_MOUNT_TMPCOPYUP) != 0)
		below = sys_openat(AT_FDCWD, dest, O_RDONLY | O_DIRECTORY, 0);
	rc = sys_mount(*source != '\0' ? source : type, dest, type, ms, data);
	if (rc == -ENOENT) {
		rc = path_make_dir(dest);
		if (rc == 0)
			rc = sys_mount(*source != '\0' ? source : type, dest, type, ms, data);
	}
	if (below >= 0) {
		if (rc == 0)
			rc = copyup_tree(below, dest);
		sys_close(below);
		if (rc == 0 && ms != m->ms_flags && (m->flags & PROTO_MOUNT_RO_LAST) == 0)
			rc = set_attr(AT_FDCWD, dest, 0, MS_RDONLY);
	}
	return rc;
}

/* The attributes that a mount has only after others have gone on top of it. */
static int propagate(const struct proto_mount *m, const char *dest)
{
	if (m->propagation == 0)
		return 0;
	return sys_mount(NULL, dest, NULL, m->propagation, NULL);
}

int mounts_root(struct container *c, struct err *e)
{
	char name[16];
	int tree, rc;

	str_fmt(name, sizeof(name), "%u", c->program.head.root_share);
	tree = sys_open_tree(c->shares, name, OPEN_TREE_CLONE | AT_RECURSIVE);
	if (tree < 0)
		return err_sys(e, tree, "root: share %s", name);
	rc = sys_move_mount(tree, AT_FDCWD, "/");
	if (rc == 0)
		rc = sys_fchdir(tree);
	if (rc == 0)
		rc = sys_chroot(".");
	sys_close(tree);
	return rc < 0 ? err_sys(e, rc, "root") : 0;
}

static int make_one(struct container *c, const struct proto_mount *m, uint32_t i, const char *dest)
{
	switch (m->kind) {
	case PROTO_MOUNT_SHARE:
		return bind_share(c, m, dest);
	case PROTO_MOUNT_BIND:
		return bind_guest(c, m, dest);
	case PROTO_MOUNT_FS:
		return mount_fs(c, m, dest);
	case PROTO_MOUNT_NODE:
		return bind_node(c, m, i, dest);
	case PROTO_MOUNT_SOCKET:
		return bind_socket(c, m, dest);
	case PROTO_MOUNT_LINK:
		return make_link(c, m, dest);
	default:
		return 0; /* mounts_cover() */
	}
}

int mounts_make(struct container *c, struct err *e)
{
	for (uint32_t i = 0; i < c->program.head.n_mounts; i++) {
		struct proto_mount m = program_mount(&c->program, i);
		const char *dest = program_text(&c->program, m.dest);
		int rc = make_one(c, &m, i, dest);

		if (rc == 0)
			rc = propagate(&m, dest);
		/* the file server's word for a kernel without host-fifos.patch */
		if (rc == -EOPNOTSUPP && m.kind == PROTO_MOUNT_SHARE)
			return err_sys(e, rc, "mount \"%s\": a FIFO of the host takes coracle's own kernel", dest);
		if (rc < 0 && (m.flags & PROTO_MOUNT_OPTIONAL) == 0)
			return err_sys(e, rc, "mount \"%s\"%s%s", dest,
				       m.kind == PROTO_MOUNT_FS ? ": " : "",
				       program_text(&c->program, m.fstype));
	}
	return 0;
}

static int make_readonly(const char *path)
{
	int tree = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | AT_RECURSIVE);
	int rc;

	if (tree < 0)
		return tree;
	rc = set_attr(tree, "", AT_EMPTY_PATH, MS_RDONLY);
	if (rc == 0)
		rc = sys_move_mount(tree, AT_FDCWD, path);
	sys_close(tree);
	return rc;
}

/* @io_empty: the first directory masked; the others show the same empty file system. */
static int mask(struct container *c, const char *path, const char **io_empty)
{
	struct stat st;
	int tree, rc;

	rc = sys_fstatat(AT_FDCWD, path, &st, 0);
	if (rc < 0)
		return rc;
	if ((st.st_mode & S_IFMT) == S_IFDIR && *io_empty == NULL) {
		rc = sys_mount("tmpfs", path, "tmpfs", MS_RDONLY, "size=0k");
		if (rc == 0)
			*io_empty = path;
		return rc;
	}
	if ((st.st_mode & S_IFMT) == S_IFDIR)
		tree = sys_open_tree(AT_FDCWD, *io_empty, OPEN_TREE_CLONE);
	else
		tree = sys_open_tree(AT_FDCWD, "/dev/null", OPEN_TREE_CLONE);
	if (tree == -ENOENT) {
		/* a container without /dev/null: the initramfs takes one */
		sys_mknodat(c->old_root, "null", S_IFCHR | 0666, NULL_DEVICE);
		tree = sys_open_tree(c->old_root, "null", OPEN_TREE_CLONE);
	}
	if (tree < 0)
		return tree;
	rc = sys_move_mount(tree, AT_FDCWD, path);
	sys_close(tree);
	return rc;
}

static int cover(struct container *c, const struct proto_mount *m, const char *dest,
		 const char **io_empty)
{
	int rc = 0;

	if (m->kind == PROTO_MOUNT_MASK)
		rc = mask(c, dest, io_empty);
	else if (m->kind == PROTO_MOUNT_READONLY)
		rc = make_readonly(dest);
	else
		return 0;
	return rc == -ENOENT || rc == -ENOTDIR ? 0 : rc; /* what is not there needs no cover */
}

int mounts_cover(struct container *c, struct err *e)
{
	const char *empty = NULL;
	int rc;

	for (uint32_t i = 0; i < c->program.head.n_mounts; i++) {
		struct proto_mount m = program_mount(&c->program, i);
		const char *dest = program_text(&c->program, m.dest);

		rc = cover(c, &m, dest, &empty);
		if (rc < 0 && (m.flags & PROTO_MOUNT_OPTIONAL) == 0)
			return err_sys(e, rc, "%s \"%s\"",
				       m.kind == PROTO_MOUNT_MASK ? "mask" : "readonly", dest);
	}
	for (uint32_t i = 0; i < c->program.head.n_mounts; i++) {
		struct proto_mount m = program_mount(&c->program, i);
		const char *dest = program_text(&c->program, m.dest);

		if ((m.flags & PROTO_MOUNT_RO_LAST) == 0)
			continue;
		rc = set_attr(AT_FDCWD, dest, 0, MS_RDONLY);
		if (rc < 0 && (m.flags & PROTO_MOUNT_OPTIONAL) == 0)
			return err_sys(e, rc, "mount \"%s\": read-only", dest);
	}
	rc = 0;
	if (c->program.head.root_propagation != 0)
		rc = sys_mount(NULL, "/", NULL, c->program.head.root_propagation, NULL);
	if (rc < 0)
		return err_sys(e, rc, "root: propagation");
	if ((c->program.head.flags & PROTO_ROOT_READONLY) != 0)
		rc = set_attr(AT_FDCWD, "/", 0, MS_RDONLY);
	return rc < 0 ? err_sys(e, rc, "root: read-only") : 0;
}

void mounts_refresh(struct container *c)
{
	static char st[256];

	for (uint32_t i = 0; i < c->program.head.n_mounts; i++) {
		struct proto_mount m = program_mount(&c->program, i);

		if (m.kind == PROTO_MOUNT_SHARE && (m.flags & PROTO_MOUNT_DIR) == 0)
			sys_statx(AT_FDCWD, program_text(&c->program, m.dest), AT_STATX_FORCE_SYNC,
				  STATX_SIZE | STATX_MTIME, st);
	}
}
