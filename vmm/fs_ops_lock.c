/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_ops_lock - locks that hold between guest processes and against host processes.
 *
 * DOC: One description per owner
 *
 * A POSIX lock belongs to a process; the guest calls it the lock owner. To the host all of them are
 * one process, so each (inode, owner) gets an open file description of its own and locks by
 * F_OFD_SETLK: owners conflict with each other and with the host as they should. Closing the
 * description is what close() by the owner means (FLUSH). flock() belongs to the open file, which
 * the handle's descriptor is. An OFD lock of the guest's comes with an owner that no FLUSH will name: it goes
 * with the handle that it was set through (RELEASE), by which time FLUSH has dropped those of processes.
 *
 * Nothing ever blocks here: a waiting request is answered FS_LOCKED and comes back.
 *
 * DOC: How many
 *
 * Each range that is locked is memory of the host's kernel that no cgroup pays for. So the ranges of each owner are kept
 * here as well, split and merged as the kernel does it (fcntl_locking(2)), and counted: ENOLCK comes before the call.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "vmm/fs_internal.h"

struct range {
	uint64_t start, end; /* the last byte, included */
	uint32_t type;	     /* F_RDLCK, F_WRLCK; F_UNLCK only as a wish */
};

struct fs_lock {
	struct fs_lock *next; /* of the inode */
	uint64_t owner;
	uint64_t fh;  /* of the last change */
	uint32_t pid; /* who locked last, for GETLK of others */
	uint32_t refs;
	int fd;
	pthread_mutex_t turn; /* covers the ranges: one change of an owner's at a time. Taken before the server's lock */
	struct range *ranges; /* in no order */
	uint32_t n_ranges;
};

static void lock_put(struct fs_server *fs, struct fs_lock *l)
{
	bool last;

	(void)pthread_mutex_lock(&fs->lock);
	last = --l->refs == 0;
	if (last) {
		fs->n_locks--;
		fs->n_fds--;
		fs->n_lock_ranges -= l->n_ranges;
	}
	(void)pthread_mutex_unlock(&fs->lock);
	if (!last)
		return;
	(void)close(l->fd);
	(void)pthread_mutex_destroy(&l->turn);
	free(l->ranges);
	free(l);
}

void fs_lock_free(struct fs_server *fs, struct fs_lock *list)
{
	while (list) {
		struct fs_lock *next = list->next;

		lock_put(fs, list);
		list = next;
	}
}

/* Take an entry out of the list: *@owner's, or without @owner one that was last changed through @fh. Return: it, or NULL. */
static struct fs_lock *take(struct fs_server *fs, struct fs_inode *inode, const uint64_t *owner, uint64_t fh)
{
	struct fs_lock *found = NULL;

	(void)pthread_mutex_lock(&fs->lock);
	for (struct fs_lock **p = &inode->locks; *p; p = &(*p)->next) {
		if (owner ? (*p)->owner != *owner : (*p)->fh != fh)
			continue;
		found = *p;
		*p = found->next;
		found->next = NULL;
		break;
	}
	(void)pthread_mutex_unlock(&fs->lock);
	return found;
}

void fs_lock_drop_owner(struct fs_server *fs, struct fs_inode *inode, uint64_t owner)
{
	fs_lock_free(fs, take(fs, inode, &owner, 0));
}

void fs_lock_drop_handle(struct fs_server *fs, struct fs_inode *inode, uint64_t fh)
{
	struct fs_lock *l;

	while ((l = take(fs, inode, NULL, fh)))
		fs_lock_free(fs, l);
}

/* Return: the held entry of @owner, or NULL. The server's lock is held. */
static struct fs_lock *find(const struct fs_inode *inode, uint64_t owner)
{
	struct fs_lock *l = inode->locks;

	while (l && l->owner != owner)
		l = l->next;
	if (l)
		l->refs++;
	return l;
}

static struct fs_lock *lock_get(struct fs_server *fs, const struct fs_inode *inode, uint64_t owner)
{
	struct fs_lock *l;

	(void)pthread_mutex_lock(&fs->lock);
	l = find(inode, owner);
	(void)pthread_mutex_unlock(&fs->lock);
	return l;
}

/* A description for any lock, or for shared ones where the file can't be written. */
static int open_for_locks(struct fs_server *fs, const struct fs_inode *inode)
{
	int fd = -EROFS;

	if (!fs_readonly(fs, inode))
		fd = fs_reopen(fs, inode->fd, O_RDWR);
	return fd < 0 ? fs_reopen(fs, inode->fd, O_RDONLY) : fd;
}

/* Hold the entry of @owner, making it when there is none. */
static int lock_make(struct fs_server *fs, struct fs_inode *inode, uint64_t owner,
		     struct fs_lock **out_lock)
{
	struct fs_lock *fresh, *l;
	int r;

	*out_lock = lock_get(fs, inode, owner);
	if (*out_lock)
		return 0;
	r = fs_fd_reserve(fs, 1);
	if (r < 0)
		return -ENOLCK;
	r = open_for_locks(fs, inode);
	fresh = r < 0 ? NULL : malloc(sizeof(*fresh));
	if (!fresh) {
		if (r >= 0)
			(void)close(r);
		fs_fd_release(fs, 1);
		return r < 0 ? r : -ENOLCK;
	}
	*fresh = (struct fs_lock){ .owner = owner, .fd = r, .refs = 1 };
	(void)pthread_mutex_init(&fresh->turn, NULL);

	(void)pthread_mutex_lock(&fs->lock);
	l = find(inode, owner); /* another request of the owner may have been faster */
	fs->n_locks++;
	if (!l && fs->n_locks <= FS_MAX_LOCK_OWNERS) {
		l = fresh;
		l->refs++;
		l->next = inode->locks;
		inode->locks = l;
		fresh = NULL;
	}
	(void)pthread_mutex_unlock(&fs->lock);
	if (fresh)
		lock_put(fs, fresh);
	*out_lock = l;
	return l ? 0 : -ENOLCK;
}

/* The guest's lock as the host's. Return: 0 or -EINVAL. */
static int to_flock(const struct fuse_file_lock *in, struct flock *out)
{
	if (in->start > INT64_MAX || in->end > INT64_MAX || in->end < in->start)
		return -EINVAL;
	if (in->type != F_RDLCK && in->type != F_WRLCK && in->type != F_UNLCK)
		return -EINVAL;
	*out = (struct flock){
		.l_type = (short)in->type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)in->start,
		/* The last byte of all is "to the end" on both sides. */
		.l_len = in->end == INT64_MAX ? 0 : (off_t)(in->end - in->start + 1),
	};
	return 0;
}

/* The process to name to @owner as holding a conflicting lock: known when there is just one other.
 */
static uint32_t other_pid(struct fs_server *fs, const struct fs_inode *inode, uint64_t owner)
{
	uint32_t pid = 0;
	unsigned others = 0;

	(void)pthread_mutex_lock(&fs->lock);
	for (const struct fs_lock *l = inode->locks; l; l = l->next) {
		if (l->owner != owner) {
			pid = l->pid;
			others++;
		}
	}
	(void)pthread_mutex_unlock(&fs->lock);
	return others == 1 ? pid : 0;
}

int fs_op_getlk(struct fs_req *r)
{
	const struct fuse_lk_in *in = &r->in.lk;
	struct fuse_file_lock *out = &r->out.lk.lk;
	struct fs_inode *inode = r->handle->inode;
	struct fs_lock *l;
	struct flock fl;
	int ret;

	ret = to_flock(&in->lk, &fl);
	if (ret < 0)
		return ret;
	/* Without locks of its own the owner sees what any other description sees. */
	l = lock_get(r->fs, inode, in->owner);
	ret = fcntl(l ? l->fd : r->handle->fd, F_OFD_GETLK, &fl) < 0 ? -errno : 0;
	if (l)
		lock_put(r->fs, l);
	if (ret < 0)
		return ret;
	*out = in->lk;
	out->type = (uint32_t)fl.l_type;
	if (fl.l_type == F_UNLCK)
		return 0;
	out->start = (uint64_t)fl.l_start;
	out->end = fl.l_len == 0 ? INT64_MAX : (uint64_t)(fl.l_start + fl.l_len - 1);
	out->pid = fl.l_pid > 0 ? 0 : other_pid(r->fs, inode, in->owner);
	return 0;
}

/* What @old becomes by @wish. @out has room for @n + 2. Return: how many. */
static uint32_t change(const struct range *old, uint32_t n, struct range wish, struct range *out)
{
	struct range whole = wish;
	uint32_t count = 0;

	for (uint32_t i = 0; i < n; i++) {
		struct range o = old[i];

		if (o.type == wish.type && o.end + 1 >= wish.start && o.start <= wish.end + 1) {
			whole.start = o.start < whole.start ? o.start : whole.start;
			whole.end = o.end > whole.end ? o.end : whole.end;
		} else if (o.end < wish.start || o.start > wish.end) {
			out[count++] = o;
		} else {
			if (o.start < wish.start)
				out[count++] = (struct range){ o.start, wish.start - 1, o.type };
			if (o.end > wish.end)
				out[count++] = (struct range){ wish.end + 1, o.end, o.type };
		}
	}
	if (wish.type != F_UNLCK)
		out[count++] = whole;
	return count;
}

/* Room for @more ranges of an owner who has @n then. Return: 0 or -ENOLCK. */
static int reserve(struct fs_server *fs, uint32_t more, uint32_t n)
{
	bool room;

	(void)pthread_mutex_lock(&fs->lock);
	room = n <= FS_MAX_OWNER_RANGES && fs->n_lock_ranges + more <= FS_MAX_LOCK_RANGES;
	if (room)
		fs->n_lock_ranges += more;
	(void)pthread_mutex_unlock(&fs->lock);
	return room ? 0 : -ENOLCK;
}

/* Give @less of them back, and note who locked last: by @done, or NULL when it came to nothing. */
static void settle(struct fs_server *fs, struct fs_lock *l, uint32_t less, const struct fuse_lk_in *done)
{
	(void)pthread_mutex_lock(&fs->lock);
	fs->n_lock_ranges -= less;
	if (done && done->lk.type != F_UNLCK) {
		l->pid = done->lk.pid;
		l->fh = done->fh;
	}
	(void)pthread_mutex_unlock(&fs->lock);
}

/* Context: l->turn held. */
static int set_range(struct fs_server *fs, struct fs_lock *l, const struct fuse_lk_in *in, struct flock *fl)
{
	const struct range wish = { in->lk.start, in->lk.end, in->lk.type };
	struct range *now = malloc((l->n_ranges + 2) * sizeof(*now));
	uint32_t n, more, less;
	int ret;

	if (!now)
		return -ENOLCK;
	n = change(l->ranges, l->n_ranges, wish, now);
	more = n > l->n_ranges ? n - l->n_ranges : 0;
	less = n < l->n_ranges ? l->n_ranges - n : 0;
	ret = more > 0 ? reserve(fs, more, n) : 0;
	if (ret == 0 && fcntl(l->fd, F_OFD_SETLK, fl) < 0) {
		ret = -errno;
		settle(fs, l, more, NULL);
	}
	if (ret < 0) {
		free(now);
		return ret;
	}
	settle(fs, l, less, in);
	free(l->ranges);
	l->ranges = now;
	l->n_ranges = n;
	return 0;
}

static int set_posix(struct fs_req *r)
{
	const struct fuse_lk_in *in = &r->in.lk;
	struct fs_inode *inode = r->handle->inode;
	struct fs_lock *l = NULL;
	struct flock fl;
	int ret;

	ret = to_flock(&in->lk, &fl);
	if (ret < 0)
		return ret;
	if (inode->type != S_IFREG)
		return -EINVAL; /* a FIFO's locks are the guest's own; another end of it must not be opened */
	if (fl.l_type == F_UNLCK) {
		l = lock_get(r->fs, inode, in->owner);
		if (!l)
			return 0;
	} else {
		ret = lock_make(r->fs, inode, in->owner, &l);
		if (ret < 0)
			return ret;
	}
	(void)pthread_mutex_lock(&l->turn);
	ret = set_range(r->fs, l, in, &fl);
	(void)pthread_mutex_unlock(&l->turn);
	lock_put(r->fs, l);
	return ret == -EACCES ? -EAGAIN : ret;
}

static int set_flock(struct fs_req *r)
{
	int op;

	switch (r->in.lk.lk.type) {
	case F_RDLCK:
		op = LOCK_SH;
		break;
	case F_WRLCK:
		op = LOCK_EX;
		break;
	case F_UNLCK:
		op = LOCK_UN;
		break;
	default:
		return -EINVAL;
	}
	return flock(r->handle->fd, op | LOCK_NB) < 0 ? -errno : 0;
}

int fs_op_setlk(struct fs_req *r)
{
	return r->in.lk.lk_flags & FUSE_LK_FLOCK ? set_flock(r) : set_posix(r);
}

bool fs_interrupted(struct fs_server *fs, uint64_t unique)
{
	bool found = false;

	(void)pthread_mutex_lock(&fs->lock);
	for (unsigned i = 0; i < FS_INTERRUPTS && unique != 0; i++) {
		if (fs->interrupted[i] == unique) {
			fs->interrupted[i] = 0;
			found = true;
		}
	}
	(void)pthread_mutex_unlock(&fs->lock);
	return found;
}

int fs_op_setlkw(struct fs_req *r)
{
	int ret = fs_op_setlk(r);

	if (ret != -EAGAIN)
		return ret;
	return fs_interrupted(r->fs, r->h.unique) ? -EINTR : FS_OP_LOCKED;
}

int fs_op_interrupt(struct fs_req *r)
{
	struct fs_server *fs = r->fs;

	(void)pthread_mutex_lock(&fs->lock);
	fs->interrupted[fs->interrupted_at++ % FS_INTERRUPTS] = r->in.interrupt.unique;
	(void)pthread_mutex_unlock(&fs->lock);
	fs_tell_all(fs);
	return FS_OP_SILENT;
}
