/* SPDX-License-Identifier: Apache-2.0 */
/* fs_ops_name - requests that look names up, take them away or move them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/fs_internal.h"

int fs_lookup(struct fs_server *fs, struct fs_inode *parent, const char *name, bool lazy,
	      struct statx *out_stx, struct fs_inode **out_inode)
{
	int fd = -1;
	int r;

	r = fs_statx(parent->fd, name, out_stx);
	if (r < 0)
		return r;
	*out_inode = fs_inode_find(fs, parent, name, out_stx);
	if (*out_inode)
		return 0;
	if (lazy && !fs->cfg.single_id) /* the kept owner is read through a descriptor */
		return fs_inode_adopt(fs, parent, name, -1, out_stx, out_inode);

	r = fs_fd_reserve(fs, 1);
	if (r < 0)
		return r;
	fd = fs_open_child(parent->fd, name);
	r = fd < 0 ? fd : fs_statx(fd, "", out_stx);
	if (r < 0) {
		if (fd >= 0)
			(void)close(fd);
		fs_fd_release(fs, 1);
		return r;
	}
	return fs_inode_adopt(fs, parent, name, fd, out_stx, out_inode);
}

/* Names of the synthetic root: decimal numbers without leading zeros. */
static int lookup_share(struct fs_req *r, const char *name)
{
	struct fs_inode *root;
	struct statx stx;
	size_t index = 0;
	int ret;

	for (const char *p = name; *p; p++) {
		if (*p < '0' || *p > '9' || (p > name && name[0] == '0'))
			return -ENOENT;
		index = index * 10 + (size_t)(*p - '0');
		if (index >= r->fs->cfg.n_shares)
			return -ENOENT;
	}
	root = r->fs->roots[index];
	/* a FIFO of the guest's own in its place would look like it and join nobody */
	if (root->type == S_IFIFO && !fs_fifo_joins(r->fs, root))
		return -EOPNOTSUPP;
	ret = fs_statx(root->fd, "", &stx);
	if (ret < 0)
		return ret;
	fs_fill_entry(r->fs, root, &stx, &r->out.entry);
	return 0;
}

int fs_op_lookup(struct fs_req *r)
{
	char name[NAME_MAX + 1];
	struct statx stx;
	int ret;

	ret = fs_get_name(r, name);
	if (ret < 0)
		return ret;
	if (!r->node)
		return lookup_share(r, name);
	ret = fs_lookup(r->fs, r->node, name, false, &stx, &r->node2);
	if (ret == -ENOENT) {
		fs_fill_negative(r->fs, &r->out.entry);
		return 0;
	}
	if (ret == 0)
		fs_fill_entry(r->fs, r->node2, &stx, &r->out.entry);
	return ret;
}

int fs_op_readlink(struct fs_req *r)
{
	char target[PATH_MAX];
	ssize_t n;

	if (r->node->type != S_IFLNK)
		return -EINVAL;
	n = readlinkat(r->node->fd, "", target, sizeof(target));
	return n < 0 ? -errno : fs_reply_data(r, target, (size_t)n);
}

static int remove_name(struct fs_req *r, int flags)
{
	char name[NAME_MAX + 1];
	int ret;

	ret = fs_get_name(r, name);
	if (ret < 0)
		return ret;
	r->node2 = fs_inode_hold_name(r->fs, r->node, name);
	if (unlinkat(r->node->fd, name, flags) < 0)
		return -errno;
	fs_inode_unname(r->fs, r->node2, r->node, name);
	return 0;
}

int fs_op_unlink(struct fs_req *r)
{
	return remove_name(r, 0);
}

int fs_op_rmdir(struct fs_req *r)
{
	return remove_name(r, AT_REMOVEDIR);
}

/* Rename on the host and follow with what we remember. */
static int move(struct fs_req *r, struct fs_inode *to, const char *from_name, const char *to_name,
		uint32_t flags)
{
	struct fs_inode *moved = fs_inode_hold_name(r->fs, r->node, from_name);
	struct fs_inode *target = fs_inode_hold_name(r->fs, to, to_name);
	int ret = 0;

	if (renameat2(r->node->fd, from_name, to->fd, to_name, flags) < 0)
		ret = -errno;
	/* Two names of one file: rename() succeeds and does nothing (POSIX). */
	if (ret == 0 && (moved != target || !moved)) {
		fs_inode_unname(r->fs, target, to, to_name);
		fs_inode_rename(r->fs, moved, to, to_name);
		if (flags & RENAME_EXCHANGE)
			fs_inode_rename(r->fs, target, r->node, from_name);
	}
	fs_inode_put(r->fs, target);
	fs_inode_put(r->fs, moved);
	return ret;
}

static int rename_to(struct fs_req *r, uint64_t newdir, uint32_t flags)
{
	char names[2 * (NAME_MAX + 1)];
	const char *to_name;
	int ret;

	ret = fs_get_two(r, names, sizeof(names), &to_name);
	if (ret == 0)
		ret = fs_name_check(to_name, strlen(to_name));
	if (ret < 0)
		return ret;
	if (newdir == FUSE_ROOT_ID)
		return -EXDEV;
	ret = fs_inode_get(r->fs, newdir, &r->node2);
	if (ret < 0)
		return ret;
	if (r->node2->type != S_IFDIR)
		return -ENOTDIR;
	if (r->node2->share != r->node->share)
		return -EXDEV;
	return move(r, r->node2, names, to_name, flags);
}

int fs_op_rename(struct fs_req *r)
{
	return rename_to(r, r->in.rename.newdir, 0);
}

int fs_op_rename2(struct fs_req *r)
{
	uint32_t flags = r->in.rename2.flags;

	/* RENAME_WHITEOUT leaves a 0:0 character device, no device at all: the host decides. */
	if (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	return rename_to(r, r->in.rename2.newdir, flags);
}

int fs_op_link(struct fs_req *r)
{
	char name[NAME_MAX + 1];
	char number[16]; /* a descriptor in decimal */
	struct fs_inode *same;
	struct statx stx;
	int ret;

	ret = fs_get_name(r, name);
	if (ret < 0)
		return ret;
	ret = fs_inode_get(r->fs, r->in.link.oldnodeid, &r->node2);
	if (ret < 0)
		return ret;
	if (r->node2->type == S_IFDIR)
		return -EPERM;
	if (r->node2->share != r->node->share)
		return -EXDEV;
	/* AT_EMPTY_PATH wants CAP_DAC_READ_SEARCH of the host; the magic link wants nothing. */
	(void)snprintf(number, sizeof(number), "%d", r->node2->fd);
	if (linkat(r->fs->cfg.proc_self_fd, number, r->node->fd, name, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	ret = fs_statx(r->node2->fd, "", &stx);
	if (ret < 0)
		return ret;
	same = fs_inode_find(r->fs, r->node, name, &stx);
	if (!same)
		return -ESTALE;
	fs_fill_entry(r->fs, same, &stx, &r->out.entry);
	fs_inode_put(r->fs, same);
	return 0;
}
