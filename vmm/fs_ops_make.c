/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_ops_make - requests that make something: MKNOD, MKDIR, SYMLINK, CREATE, TMPFILE.
 *
 * DOC: Order
 *
 * Reserve descriptors first, so that nothing has to be undone for want of one; make it with the
 * server's ids; open it O_PATH; give it to the caller (fs_owner_new); enter it into the table. If
 * it can't be given it is removed again.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "vmm/fs_internal.h"

#define MODE_BITS 07777u

/*
 * Finish the new object @fd (O_PATH, with its reservation; owned from now on) called @name, or
 * nameless. Leaves it pinned in r->node2 and described in @out_entry.
 */
static int settle(struct fs_req *r, const char *name, int fd, uint32_t mode,
		  struct fuse_entry_out *out_entry)
{
	struct statx stx;
	int ret;

	ret = fs_statx(fd, "", &stx);
	if (ret == 0)
		ret = fs_owner_new(r, fd, mode, &stx);
	if (ret < 0) {
		(void)close(fd);
		fs_fd_release(r->fs, 1);
		return ret;
	}
	ret = fs_inode_adopt(r->fs, r->node, name, fd, &stx, &r->node2);
	if (ret == 0)
		fs_fill_entry(r->fs, r->node2, &stx, out_entry);
	return ret;
}

/* As settle(), for what was made under @name without giving a descriptor. */
static int settle_named(struct fs_req *r, const char *name, uint32_t mode)
{
	int fd = fs_open_child(r->node->fd, name);
	struct statx stx;
	int ret;

	ret = fd < 0 ? fd : fs_statx(fd, "", &stx);
	/* Somebody on the host put another thing there: don't touch it. */
	if (ret == 0 && (stx.stx_mode & S_IFMT) != (mode & S_IFMT))
		ret = -ESTALE;
	if (ret < 0) {
		if (fd >= 0)
			(void)close(fd);
		fs_fd_release(r->fs, 1);
		return ret;
	}
	ret = settle(r, name, fd, mode, &r->out.entry);
	if (ret < 0)
		(void)unlinkat(r->node->fd, name, S_ISDIR(mode) ? AT_REMOVEDIR : 0);
	return ret;
}

/* Finish @made, the result of the system call that made @name with one descriptor reserved. */
static int finish(struct fs_req *r, const char *name, uint32_t mode, int made)
{
	int ret = made < 0 ? -errno : 0;

	if (ret == 0)
		return settle_named(r, name, mode);
	fs_fd_release(r->fs, 1);
	return ret;
}

int fs_op_symlink(struct fs_req *r)
{
	char buf[NAME_MAX + 1 + PATH_MAX];
	const char *target;
	int ret;

	ret = fs_get_two(r, buf, sizeof(buf), &target);
	if (ret == 0)
		ret = fs_fd_reserve(r->fs, 1);
	if (ret < 0)
		return ret;
	return finish(r, buf, S_IFLNK | 0777, symlinkat(target, r->node->fd, buf));
}

/* Real devices are never made on the host; 0:0 (an overlay's whiteout) is none. */
static int check_node(uint32_t mode, uint32_t rdev)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		return 0;
	case S_IFCHR:
		return rdev == 0 ? 0 : -EPERM;
	case S_IFBLK:
		return -EPERM;
	default:
		return -EINVAL;
	}
}

int fs_op_mknod(struct fs_req *r)
{
	uint32_t mode = r->in.mknod.mode & (S_IFMT | MODE_BITS) & ~(r->in.mknod.umask & 0777);
	char name[NAME_MAX + 1];
	int ret;

	ret = fs_get_name(r, name);
	if (ret == 0)
		ret = check_node(mode, r->in.mknod.rdev);
	if (ret == 0)
		ret = fs_fd_reserve(r->fs, 1);
	if (ret < 0)
		return ret;
	return finish(r, name, mode, mknodat(r->node->fd, name, mode, makedev(0, 0)));
}

int fs_op_mkdir(struct fs_req *r)
{
	uint32_t mode = r->in.mkdir.mode & MODE_BITS & ~(r->in.mkdir.umask & 0777);
	char name[NAME_MAX + 1];
	int ret;

	ret = fs_get_name(r, name);
	if (ret == 0)
		ret = fs_fd_reserve(r->fs, 1);
	if (ret < 0)
		return ret;
	return finish(r, name, S_IFDIR | mode, mkdirat(r->node->fd, name, mode));
}

/* The name is there already: what the guest gets is a lookup and an open. */
static int create_existing(struct fs_req *r, const char *name)
{
	const struct fuse_create_in *in = &r->in.create;
	struct statx stx;
	int ret;

	ret = fs_lookup(r->fs, r->node, name, false, &stx, &r->node2);
	if (ret < 0)
		return ret;
	ret = r->node2->type == S_IFREG ? 0 : -ESTALE; /* -ESTALE: look it up again */
	if (ret == 0 && r->node2->fd < 0) {
		struct fs_inode *opened;

		ret = fs_inode_get(r->fs, r->node2->nodeid, &opened);
		if (ret == 0)
			fs_inode_put(r->fs, opened); /* the pin of node2 keeps it open */
	}
	if (ret == 0)
		ret = fs_open_inode(r, r->node2, in->flags, in->open_flags, &r->out.create.open);
	if (ret == 0 && (in->flags & O_TRUNC))
		ret = fs_statx(r->node2->fd, "", &stx);
	if (ret < 0)
		fs_inode_forget(r->fs, r->node2->nodeid, 1);
	else
		fs_fill_entry(r->fs, r->node2, &stx, &r->out.create.entry);
	return ret;
}

/* Turn the new file @fd (two reservations; owned from now on) into an entry and a handle. */
static int settle_open(struct fs_req *r, const char *name, int fd, uint32_t mode)
{
	struct fs_create_out *out = &r->out.create;
	int path_fd = fs_reopen(r->fs, fd, O_PATH);
	int ret;

	if (path_fd < 0) {
		ret = path_fd;
		fs_fd_release(r->fs, 1);
	} else {
		ret = settle(r, name, path_fd, mode, &out->entry);
	}
	if (ret < 0) {
		(void)close(fd);
		fs_fd_release(r->fs, 1);
		return ret;
	}
	ret = fs_handle_new(r->fs, FS_HANDLE_FILE, r->node2, fd, &out->open.fh);
	if (ret < 0)
		fs_inode_forget(r->fs, r->node2->nodeid, 1);
	if (r->fs->cfg.guest_locks)
		out->open.open_flags |= FOPEN_NOFLUSH;
	return ret;
}

int fs_op_create(struct fs_req *r)
{
	const struct fuse_create_in *in = &r->in.create;
	uint32_t mode = in->mode & MODE_BITS & ~(in->umask & 0777);
	int flags = fs_open_flags(in->flags);
	char name[NAME_MAX + 1];
	int fd, ret;

	ret = fs_get_name(r, name);
	if (ret == 0)
		ret = flags < 0 ? flags : fs_fd_reserve(r->fs, 2);
	if (ret < 0)
		return ret;
	fd = openat(r->node->fd, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0) {
		ret = -errno;
		fs_fd_release(r->fs, 2);
		if (ret == -EEXIST && !(in->flags & O_EXCL))
			ret = create_existing(r, name);
		return ret;
	}
	ret = settle_open(r, name, fd, S_IFREG | mode);
	if (ret < 0)
		(void)unlinkat(r->node->fd, name, 0);
	return ret;
}

int fs_op_tmpfile(struct fs_req *r)
{
	const struct fuse_create_in *in = &r->in.create;
	uint32_t mode = in->mode & MODE_BITS & ~(in->umask & 0777);
	int flags = fs_open_flags(in->flags);
	int fd, ret;

	/* The message has a name, "/" in Linux 6.x, which means nothing. */
	if (flags < 0)
		return flags;
	ret = fs_fd_reserve(r->fs, 2);
	if (ret < 0)
		return ret;
	flags |= O_TMPFILE | O_CLOEXEC | (int)(in->flags & O_EXCL); /* O_EXCL: never to be linked */
	fd = openat(r->node->fd, ".", flags & ~O_TRUNC, mode);
	if (fd < 0) {
		ret = -errno;
		fs_fd_release(r->fs, 2);
		return ret;
	}
	return settle_open(r, NULL, fd, S_IFREG | mode);
}
