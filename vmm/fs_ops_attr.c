/* SPDX-License-Identifier: Apache-2.0 */
/* fs_ops_attr - GETATTR, STATX, SETATTR, STATFS. */
#include <errno.h>
#include <fcntl.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "vmm/fs_internal.h"

/* Inode number of the synthetic root: no file system has it. */
#define ROOT_INO (UINT64_MAX - 1)
#define ROOT_BLKSIZE 4096

static void fill_root(struct fuse_attr *attr)
{
	*attr = (struct fuse_attr){
		.ino = ROOT_INO,
		.mode = S_IFDIR | 0555,
		.nlink = 2,
		.blksize = ROOT_BLKSIZE,
	};
}

static int fill(struct fs_req *r)
{
	struct fuse_entry_out entry;
	struct statx stx;
	int ret = 0;

	fs_fill_negative(r->fs, &entry); /* for the validity */
	if (!r->node) {
		fill_root(&r->out.attr.attr);
	} else {
		ret = fs_statx(r->node->fd, "", &stx);
		if (ret == 0)
			fs_fill_attr(r->fs, r->node, &stx, &r->out.attr.attr);
	}
	r->out.attr.attr_valid = entry.entry_valid;
	r->out.attr.attr_valid_nsec = entry.entry_valid_nsec;
	return ret;
}

int fs_op_getattr(struct fs_req *r)
{
	return fill(r);
}

static struct fuse_sx_time sx_time(const struct statx_timestamp *t)
{
	return (struct fuse_sx_time){ .tv_sec = t->tv_sec, .tv_nsec = t->tv_nsec };
}

/* Sent for what GETATTR hasn't: the birth time. */
int fs_op_statx(struct fs_req *r)
{
	struct fuse_statx *out = &r->out.statx.stat;
	struct fuse_entry_out valid;
	struct fuse_attr attr;
	struct statx stx;
	int ret;

	if (!r->node)
		return -ENOSYS; /* falls back to GETATTR */
	ret = fs_statx(r->node->fd, "", &stx);
	if (ret < 0)
		return ret;
	fs_fill_negative(r->fs, &valid);
	fs_fill_attr(r->fs, r->node, &stx, &attr);
	r->out.statx.attr_valid = valid.entry_valid;
	r->out.statx.attr_valid_nsec = valid.entry_valid_nsec;
	out->mask = stx.stx_mask & (STATX_BASIC_STATS | STATX_BTIME);
	out->blksize = attr.blksize;
	out->nlink = attr.nlink;
	out->uid = attr.uid;
	out->gid = attr.gid;
	out->mode = (uint16_t)attr.mode;
	out->ino = attr.ino;
	out->size = attr.size;
	out->blocks = attr.blocks;
	out->atime = sx_time(&stx.stx_atime);
	out->btime = sx_time(&stx.stx_btime);
	out->ctime = sx_time(&stx.stx_ctime);
	out->mtime = sx_time(&stx.stx_mtime);
	out->rdev_major = stx.stx_rdev_major;
	out->rdev_minor = stx.stx_rdev_minor;
	return 0;
}

/* What the host does when it changes an owner, for one that is kept by us. */
static int drop_privileges_of(struct fs_req *r)
{
	OWN_FD int fd = -1;
	int ret = fs_kill_priv(r->fs, r->node->fd);

	if (ret < 0 || r->node->type != S_IFREG)
		return ret;
	/* nothing of it can be seen or changed in a file whose group isn't mapped: no error where there is nothing */
	fd = fs_reopen(r->fs, r->node->fd, O_RDONLY | O_NONBLOCK);
	if (fd < 0 || fgetxattr(fd, FS_CAPABILITY_XATTR, NULL, 0) < 0)
		return 0;
	return fremovexattr(fd, FS_CAPABILITY_XATTR) < 0 ? -errno : 0;
}

static int set_owner(struct fs_req *r)
{
	const struct fuse_setattr_in *in = &r->in.setattr;
	uint32_t uid = in->valid & FATTR_UID ? in->uid : UINT32_MAX;
	uint32_t gid = in->valid & FATTR_GID ? in->gid : UINT32_MAX;
	int ret;

	if ((in->valid & FATTR_UID && uid == UINT32_MAX) ||
	    (in->valid & FATTR_GID && gid == UINT32_MAX))
		return -EINVAL;
	ret = fs_owner_change(r->fs, r->node, uid, gid);
	if (ret == 0 && r->fs->cfg.single_id && (in->valid & FATTR_KILL_SUIDGID))
		ret = drop_privileges_of(r);
	return ret;
}

static int set_mode(struct fs_req *r)
{
	if (r->node->type == S_IFLNK)
		return -EOPNOTSUPP;
	return fs_chmod(r->fs, r->node->fd, r->in.setattr.mode);
}

static int set_size(struct fs_req *r)
{
	const struct fuse_setattr_in *in = &r->in.setattr;
	OWN_FD int own = -1;
	int fd;

	if (r->node->type != S_IFREG)
		return r->node->type == S_IFDIR ? -EISDIR : -EINVAL;
	if (in->size > INT64_MAX)
		return -EINVAL;
	if (in->valid & FATTR_FH) {
		r->handle = fs_handle_get(r->fs, in->fh, r->h.nodeid);
		if (!r->handle || r->handle->kind != FS_HANDLE_FILE)
			return -EBADF;
		fd = r->handle->fd;
	} else {
		own = fs_reopen(r->fs, r->node->fd, O_WRONLY);
		if (own < 0)
			return own;
		fd = own;
	}
	if (ftruncate(fd, (off_t)in->size) < 0)
		return -errno;
	return in->valid & FATTR_KILL_SUIDGID ? fs_kill_priv(r->fs, r->node->fd) : 0;
}

static struct timespec new_time(uint32_t given, uint32_t now, uint64_t sec, uint32_t nsec)
{
	struct timespec t = { .tv_nsec = UTIME_OMIT };

	if (now) {
		t.tv_nsec = UTIME_NOW;
	} else if (given) {
		t.tv_sec = (time_t)sec;
		t.tv_nsec = (long)nsec;
	}
	return t;
}

static int set_times(struct fs_req *r)
{
	const struct fuse_setattr_in *in = &r->in.setattr;
	struct timespec t[2];

	t[0] = new_time(in->valid & FATTR_ATIME, in->valid & FATTR_ATIME_NOW, in->atime,
			in->atimensec);
	t[1] = new_time(in->valid & FATTR_MTIME, in->valid & FATTR_MTIME_NOW, in->mtime,
			in->mtimensec);
	if (utimensat(r->node->fd, "", t, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

int fs_op_setattr(struct fs_req *r)
{
	uint32_t valid = r->in.setattr.valid;
	int ret = 0;

	/* The owner first: changing it clears set-id bits that a mode given along may set. */
	if (valid & (FATTR_UID | FATTR_GID))
		ret = set_owner(r);
	if (ret == 0 && (valid & FATTR_MODE))
		ret = set_mode(r);
	if (ret == 0 && (valid & FATTR_SIZE))
		ret = set_size(r);
	if (ret == 0 && (valid & (FATTR_ATIME | FATTR_MTIME)))
		ret = set_times(r);
	return ret < 0 ? ret : fill(r);
}

int fs_op_statfs(struct fs_req *r)
{
	struct fuse_kstatfs *out = &r->out.statfs.st;
	struct statfs st;

	if (!r->node) {
		*out = (struct fuse_kstatfs){ .bsize = ROOT_BLKSIZE,
					      .frsize = ROOT_BLKSIZE,
					      .namelen = NAME_MAX };
		return 0;
	}
	if (fstatfs(r->node->fd, &st) < 0)
		return -errno;
	*out = (struct fuse_kstatfs){
		.blocks = st.f_blocks,
		.bfree = st.f_bfree,
		.bavail = st.f_bavail,
		.files = st.f_files,
		.ffree = st.f_ffree,
		.bsize = (uint32_t)st.f_bsize,
		.namelen = (uint32_t)st.f_namelen,
		.frsize = (uint32_t)st.f_frsize,
	};
	return 0;
}
