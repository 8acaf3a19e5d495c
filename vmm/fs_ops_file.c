/* SPDX-License-Identifier: Apache-2.0 */
/* fs_ops_file - requests on open files. Data moves between the host's file and the guest's memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/fs_internal.h"

/*
 * Dropped: O_APPEND (decided at each write, as fcntl() may change it), O_DIRECT (the guest's
 * buffers are aligned for the guest), O_NOATIME, and all that only concerns finding the file.
 */
int fs_open_flags(uint32_t guest_flags)
{
	int flags = (int)guest_flags & (O_ACCMODE | O_TRUNC | O_SYNC | O_DSYNC);

	return (flags & O_ACCMODE) == O_ACCMODE ? -EINVAL : flags;
}

static bool same_time(const struct statx_timestamp *a, const struct statx_timestamp *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Return: whether the content is still what it was when the guest last opened @inode. */
static bool unchanged(struct fs_server *fs, struct fs_inode *inode)
{
	struct fs_stamp now;
	struct statx stx;
	bool same;

	if (fs_statx(inode->fd, "", &stx) < 0)
		return false;
	memset(&now, 0, sizeof(now));
	now.size = stx.stx_size;
	now.mtime = stx.stx_mtime;
	now.ctime = stx.stx_ctime;
	(void)pthread_mutex_lock(&fs->lock);
	same = inode->opened && inode->stamp.size == now.size &&
	       same_time(&inode->stamp.mtime, &now.mtime) &&
	       same_time(&inode->stamp.ctime, &now.ctime);
	inode->stamp = now;
	inode->opened = true;
	(void)pthread_mutex_unlock(&fs->lock);
	return same;
}

static int open_host(struct fs_req *r, const struct fs_inode *inode, uint32_t guest_flags,
		     int flags)
{
	int fd = fs_reopen(r->fs, inode->fd, flags);

	/* A file with the append-only attribute opens in no other way. */
	if (fd == -EPERM && (guest_flags & O_APPEND))
		fd = fs_reopen(r->fs, inode->fd, flags | O_APPEND);
	return fd;
}

int fs_open_inode(struct fs_req *r, struct fs_inode *inode, uint32_t guest_flags,
		  uint32_t open_flags, struct fuse_open_out *out_open)
{
	int flags = fs_open_flags(guest_flags);
	int fd, ret;

	/* Never devices or sockets: the guest's kernel serves those without us. */
	if (inode->type != S_IFREG)
		return inode->type == S_IFDIR ? -EISDIR : -ENXIO;
	if (flags < 0)
		return flags;
	if (flags & (O_ACCMODE | O_TRUNC) && fs_readonly(r->fs, inode))
		return -EROFS;
	ret = fs_fd_reserve(r->fs, 1);
	if (ret < 0)
		return ret;
	fd = open_host(r, inode, guest_flags, flags);
	ret = fd;
	if (fd >= 0 && flags & O_TRUNC && open_flags & FUSE_OPEN_KILL_SUIDGID)
		ret = fs_kill_priv(r->fs, inode->fd);
	if (ret < 0) {
		if (fd >= 0)
			(void)close(fd);
		fs_fd_release(r->fs, 1);
		return ret;
	}
	ret = fs_handle_new(r->fs, FS_HANDLE_FILE, inode, fd, &out_open->fh);
	if (ret < 0)
		return ret;
	if (unchanged(r->fs, inode) && !(flags & O_TRUNC))
		out_open->open_flags |= FOPEN_KEEP_CACHE;
	if (r->fs->cfg.guest_locks)
		out_open->open_flags |= FOPEN_NOFLUSH; /* FLUSH is for the locks only */
	return 0;
}

int fs_op_open(struct fs_req *r)
{
	if (fs_fifo_joins(r->fs, r->node))
		return fs_fifo_open(r);
	return fs_open_inode(r, r->node, r->in.open.flags, r->in.open.open_flags, &r->out.open);
}

int fs_op_release(struct fs_req *r)
{
	struct fs_inode *inode = r->handle->inode;

	if (inode && r->in.release.release_flags & FUSE_RELEASE_FLUSH)
		fs_lock_drop_owner(r->fs, inode, r->in.release.lock_owner);
	if (inode)
		fs_lock_drop_handle(r->fs, inode, r->in.fh);
	fs_handle_close(r->fs, r->handle); /* drops flock() with its descriptor */
	if (inode && inode->type == S_IFIFO)
		fs_tell_all(r->fs); /* a poll of it may wait */
	return 0;
}

int fs_op_flush(struct fs_req *r)
{
	fs_lock_drop_owner(r->fs, r->handle->inode, r->in.flush.lock_owner);
	return 0;
}

int fs_op_read(struct fs_req *r)
{
	struct iovec iov[CHAIN_MAX_IOV];
	size_t size = r->in.read.size;
	ssize_t n;
	int k;

	if (r->in.read.offset > INT64_MAX)
		return -EINVAL;
	if (size > fs_reply_room(r))
		size = fs_reply_room(r);
	if (size > FS_MAX_IO)
		size = FS_MAX_IO;
	k = chain_in_iov(r->c, sizeof(struct fuse_out_header), size, iov);
	if (k < 0)
		return -EINVAL;
	if (r->handle->inode->type == S_IFIFO)
		return fs_fifo_read(r, iov, k);
	n = preadv2(r->handle->fd, iov, k, (off_t)r->in.read.offset, 0);
	return n < 0 ? -errno : fs_reply_iov(r, (size_t)n);
}

static int write_flags(const struct fuse_write_in *in)
{
	int flags = 0;

	/* A page written back has its place already, whatever the file's flags. */
	if (in->flags & O_APPEND && !(in->write_flags & FUSE_WRITE_CACHE))
		flags |= RWF_APPEND;
	if (in->flags & O_DSYNC)
		flags |= (in->flags & O_SYNC) == O_SYNC ? RWF_SYNC : RWF_DSYNC;
	return flags;
}

/*
 * Of pages that it writes back the guest looks at the error alone (fuse_writepage_end() of Linux): a part that fits before the
 * disk is full would be a success, and the rest lost. Return: @in->size, or -errno.
 */
static ssize_t write_whole(int fd, struct iovec *iov, int k, const struct fuse_write_in *in)
{
	size_t done = 0;

	for (;;) {
		ssize_t n = pwritev2(fd, iov, k, (off_t)(in->offset + done), write_flags(in));

		if (n < 0)
			return -errno;
		done += (size_t)n;
		if (done >= in->size)
			return (ssize_t)done;
		if (n == 0)
			return -EIO;
		for (; (size_t)n >= iov->iov_len; iov++, k--)
			n -= (ssize_t)iov->iov_len;
		iov->iov_base = (uint8_t *)iov->iov_base + n;
		iov->iov_len -= (size_t)n;
	}
}

int fs_op_write(struct fs_req *r)
{
	const struct fuse_write_in *in = &r->in.write;
	struct iovec iov[CHAIN_MAX_IOV];
	ssize_t n;
	int k, ret;

	if (in->size > r->left || in->size > FS_MAX_IO || in->offset > INT64_MAX)
		return -EINVAL;
	k = chain_out_iov(r->c, in->size, iov);
	if (k < 0)
		return -EINVAL;
	if (r->handle->inode->type == S_IFIFO)
		return fs_fifo_write(r, iov, k);
	if (in->write_flags & FUSE_WRITE_KILL_SUIDGID) {
		ret = fs_kill_priv(r->fs, r->handle->inode->fd);
		if (ret < 0)
			return ret;
	}
	if (in->write_flags & FUSE_WRITE_CACHE) {
		n = write_whole(r->handle->fd, iov, k, in);
	} else {
		n = pwritev2(r->handle->fd, iov, k, (off_t)in->offset, write_flags(in));
		n = n < 0 ? -errno : n;
	}
	if (n < 0)
		return (int)n;
	r->out.write.size = (uint32_t)n;
	return 0;
}

/* Also FSYNCDIR. */
int fs_op_fsync(struct fs_req *r)
{
	int fd = r->handle->fd;
	int ret;

	if (fd < 0)
		return 0; /* the synthetic root */
	ret = r->in.fsync.fsync_flags & FUSE_FSYNC_FDATASYNC ? fdatasync(fd) : fsync(fd);
	return ret < 0 ? -errno : 0;
}

int fs_op_lseek(struct fs_req *r)
{
	const struct fuse_lseek_in *in = &r->in.lseek;
	off_t at;

	/* The rest is the guest's own business. The position of the descriptor means nothing to us.
	 */
	if ((in->whence != SEEK_DATA && in->whence != SEEK_HOLE) || in->offset > INT64_MAX)
		return -EINVAL;
	at = lseek(r->handle->fd, (off_t)in->offset, (int)in->whence);
	if (at < 0)
		return -errno;
	r->out.lseek.offset = (uint64_t)at;
	return 0;
}

/*
 * With FUSE_HANDLE_KILLPRIV_V2 set-id bits are the server's, and neither of these two requests says whether
 * its caller may keep them: nobody does.
 */
int fs_op_fallocate(struct fs_req *r)
{
	const struct fuse_fallocate_in *in = &r->in.fallocate;
	int ret;

	if (in->mode &
	    ~(uint32_t)(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (in->offset > INT64_MAX || in->length > INT64_MAX)
		return -EINVAL;
	ret = fs_kill_priv(r->fs, r->handle->inode->fd);
	if (ret < 0)
		return ret;
	if (fallocate(r->handle->fd, (int)in->mode, (off_t)in->offset, (off_t)in->length) < 0)
		return -errno;
	return 0;
}

int fs_op_copy_file_range(struct fs_req *r)
{
	const struct fuse_copy_file_range_in *in = &r->in.copy;
	size_t len = in->len < FS_MAX_COPY ? in->len : FS_MAX_COPY;
	off_t from, to;
	ssize_t n;
	int ret;

	if (in->off_in > INT64_MAX || in->off_out > INT64_MAX || in->flags != 0)
		return -EINVAL;
	r->handle2 = fs_handle_get(r->fs, in->fh_out, in->nodeid_out);
	if (!r->handle2 || r->handle2->kind != FS_HANDLE_FILE)
		return -EBADF;
	ret = fs_kill_priv(r->fs, r->handle2->inode->fd);
	if (ret < 0)
		return ret;
	from = (off_t)in->off_in;
	to = (off_t)in->off_out;
	n = copy_file_range(r->handle->fd, &from, r->handle2->fd, &to, len, 0);
	if (n < 0)
		return -errno;
	r->out.write.size = (uint32_t)n;
	return 0;
}
