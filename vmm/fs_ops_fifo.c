/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_ops_fifo - FIFOs that processes of the guest and of the host have open (fifo(7), pipe(7)).
 *
 * DOC: Who waits
 *
 * Nothing ever blocks here. The host's FIFO is opened non-blocking for each open of the guest's; what a process of the
 * host would wait for is waited for by the request: FS_WAIT until the other side has moved data, FS_OPENING until it has
 * opened, of which nothing tells and which is looked for again and again. A poll that waits (FUSE_POLL_WAIT) is a
 * request like the others. All three end when the guest gives them up (INTERRUPT).
 *
 * One thing is the host's: who moves data between a FIFO and something slow (splice(2) from a terminal) holds the FIFO in
 * its kernel meanwhile, and whoever opens, reads, writes or closes it waits, non-blocking or not. A guest can't do that.
 *
 * A guest that knows nothing of this has FIFOs of its own there. For that reason no descriptor of a FIFO is ever opened
 * but here: it would be an end that processes of the host see.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/fs_internal.h"

#define DRAIN 32 /* events taken at a time */
#define KNOWN_EVENTS (POLLIN | POLLPRI | POLLOUT | POLLRDNORM | POLLRDBAND | POLLWRNORM | POLLWRBAND | POLLRDHUP)

int fs_fifo_init(struct fs_server *fs)
{
	bool any = false;

	for (size_t i = 0; i < fs->cfg.n_shares; i++)
		any |= fs->cfg.shares[i].fifos;
	if (!any)
		return 0;
	fs->fifo_epoll = epoll_create1(EPOLL_CLOEXEC);
	if (fs->fifo_epoll < 0 || pipe2(fs->fifo_probe, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

void fs_fifo_fini(struct fs_server *fs)
{
	const int fds[] = { fs->fifo_epoll, fs->fifo_probe[0], fs->fifo_probe[1] };

	for (unsigned i = 0; i < 3; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}

bool fs_fifo_joins(const struct fs_server *fs, const struct fs_inode *inode)
{
	return inode->type == S_IFIFO && fs->cfg.shares[inode->share].fifos && atomic_load(&fs->guest_joins_fifos);
}

int fs_news_fd(const struct fs_server *fs)
{
	return fs->fifo_epoll;
}

struct fs_news fs_news(struct fs_server *fs)
{
	return (struct fs_news){ atomic_load(&fs->news_of_data), atomic_load(&fs->news_for_all) };
}

void fs_tell_all(struct fs_server *fs)
{
	(void)atomic_fetch_add(&fs->news_for_all, 1);
}

void fs_take_news(struct fs_server *fs)
{
	struct epoll_event ev[DRAIN];
	int n;

	/* with the lock: between an event and armed = 0 nobody may arm */
	(void)pthread_mutex_lock(&fs->lock);
	n = epoll_wait(fs->fifo_epoll, ev, DRAIN, 0);
	for (int i = 0; i < n; i++) {
		struct fs_handle *h = fs_table_find(&fs->handles, ev[i].data.u64);

		if (h)
			h->armed = 0;
	}
	(void)pthread_mutex_unlock(&fs->lock);
	if (n > 0)
		(void)atomic_fetch_add(&fs->news_of_data, 1);
}

/* Let fs_news_fd() tell when there are @events on @h, once. Return: 0 or -errno. */
static int arm(struct fs_server *fs, struct fs_handle *h, uint32_t events)
{
	struct epoll_event ev = { .data.u64 = h->fh };
	int r = 0;

	events |= POLLERR | POLLHUP;
	(void)pthread_mutex_lock(&fs->lock);
	if (events & ~h->armed) {
		h->armed |= events;
		ev.events = h->armed | EPOLLONESHOT;
		r = epoll_ctl(fs->fifo_epoll, h->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, h->fd, &ev) < 0 ? -errno : 0;
		h->watched |= r == 0;
		if (r < 0)
			h->armed = 0;
	}
	(void)pthread_mutex_unlock(&fs->lock);
	return r;
}

/* What is being asked can't be had yet. The bits of poll(2) are those of epoll(7). */
static int wait_for(struct fs_req *r, uint32_t events)
{
	int ret = fs_interrupted(r->fs, r->h.unique) ? -EINTR : arm(r->fs, r->handle, events);

	return ret < 0 ? ret : FS_OP_WAIT;
}

int fs_fifo_read(struct fs_req *r, const struct iovec *iov, int k)
{
	ssize_t n = preadv2(r->handle->fd, iov, k, -1, 0);

	if (n >= 0)
		return fs_reply_iov(r, (size_t)n);
	if (errno != EAGAIN || r->in.read.flags & O_NONBLOCK)
		return -errno;
	return wait_for(r, POLLIN);
}

int fs_fifo_write(struct fs_req *r, const struct iovec *iov, int k)
{
	ssize_t n = pwritev2(r->handle->fd, iov, k, -1, 0);

	if (n >= 0) {
		r->out.write.size = (uint32_t)n; /* of a part the guest sends the rest */
		return 0;
	}
	if (errno != EAGAIN || r->in.write.flags & O_NONBLOCK)
		return -errno;
	return wait_for(r, POLLOUT);
}

int fs_op_poll(struct fs_req *r)
{
	const struct fuse_poll_in *in = &r->in.poll;
	struct pollfd p = { .fd = r->handle->fd, .events = (short)(in->events & KNOWN_EVENTS) };

	if (r->handle->inode->type != S_IFIFO)
		return -ENOSYS; /* always ready: the guest asks never again */
	while (poll(&p, 1, 0) < 0)
		if (errno != EINTR) /* a kick of the CPU's thread */
			return -errno;
	if (p.revents == 0 && in->flags & FUSE_POLL_WAIT)
		return wait_for(r, (uint32_t)p.events);
	r->out.poll.revents = (uint32_t)p.revents;
	return 0;
}

/* --- opening --- */

/* Return: the handle that the waiting OPEN @unique has for when it is answered, 0: none. */
static uint64_t opening_find(struct fs_server *fs, uint64_t unique)
{
	uint64_t fh = 0;

	(void)pthread_mutex_lock(&fs->lock);
	for (unsigned i = 0; i < FS_MAX_OPENINGS; i++)
		if (fs->openings[i].fh != 0 && fs->openings[i].unique == unique)
			fh = fs->openings[i].fh;
	(void)pthread_mutex_unlock(&fs->lock);
	return fh;
}

/* Return: 0 or -ENFILE. */
static int opening_add(struct fs_server *fs, struct fs_opening new)
{
	int r = -ENFILE;

	(void)pthread_mutex_lock(&fs->lock);
	for (unsigned i = 0; i < FS_MAX_OPENINGS && r < 0; i++) {
		if (fs->openings[i].fh != 0)
			continue;
		fs->openings[i] = new;
		r = 0;
	}
	(void)pthread_mutex_unlock(&fs->lock);
	return r;
}

/* Return: what there was of @unique, which is forgotten; its fh is 0 when there was nothing. */
static struct fs_opening opening_take(struct fs_server *fs, uint64_t unique)
{
	struct fs_opening found = { 0 };

	(void)pthread_mutex_lock(&fs->lock);
	for (unsigned i = 0; i < FS_MAX_OPENINGS; i++) {
		if (fs->openings[i].fh == 0 || fs->openings[i].unique != unique)
			continue;
		found = fs->openings[i];
		fs->openings[i].fh = 0;
	}
	(void)pthread_mutex_unlock(&fs->lock);
	return found;
}

/* Open the host's FIFO and make the handle. Return: 0 or -errno. */
static int open_end(struct fs_req *r, uint32_t guest_flags, uint64_t *out_fh)
{
	int flags = (int)guest_flags & O_ACCMODE;
	int fd, ret;

	if (flags == O_ACCMODE)
		return -EINVAL;
	ret = fs_fd_reserve(r->fs, 1);
	if (ret < 0)
		return ret;
	fd = fs_reopen(r->fs, r->node->fd, flags | O_NONBLOCK);
	if (fd < 0) {
		fs_fd_release(r->fs, 1);
		return fd;
	}
	return fs_handle_new(r->fs, FS_HANDLE_FILE, r->node, fd, out_fh);
}

/* Return: whether somebody writes to the FIFO @fd, or has since it was opened: what open(2) of a reader waits for. */
static bool has_writer(struct fs_server *fs, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	bool yes;
	ssize_t n;

	if (poll(&p, 1, 0) > 0)
		return true; /* data, or the end of it */
	/* empty: with a writer that is EAGAIN, and otherwise the end */
	(void)pthread_mutex_lock(&fs->probing);
	n = tee(fd, fs->fifo_probe[1], 1, SPLICE_F_NONBLOCK);
	yes = n > 0 || (n < 0 && errno == EAGAIN);
	if (n > 0) {
		char byte;

		(void)!read(fs->fifo_probe[0], &byte, 1);
	}
	(void)pthread_mutex_unlock(&fs->probing);
	return yes;
}

/* @fh, open for reading, is the request's @unique until somebody writes. */
static int wait_for_writer(struct fs_req *r, uint64_t fh, bool first)
{
	struct fs_server *fs = r->fs;
	int ret = 0;

	r->handle2 = fs_handle_get(fs, fh, r->h.nodeid);
	if (!r->handle2)
		ret = -EBADF; /* the guest has closed what it was never told of */
	else if (has_writer(fs, r->handle2->fd))
		ret = 1;
	else if (fs_interrupted(fs, r->h.unique))
		ret = -EINTR;
	else if (first)
		ret = opening_add(fs, (struct fs_opening){ r->h.unique, fh, r->h.nodeid });
	if (ret == 0)
		return FS_OP_OPENING;
	(void)opening_take(fs, r->h.unique);
	if (ret > 0)
		return 0;
	if (r->handle2)
		fs_handle_close(fs, r->handle2);
	return ret;
}

int fs_fifo_open(struct fs_req *r)
{
	uint32_t flags = r->in.open.flags;
	struct fuse_open_out *out = &r->out.open;
	bool blocking = !(flags & O_NONBLOCK);
	int ret;

	out->open_flags = FOPEN_STREAM | FOPEN_NOFLUSH;
	out->fh = opening_find(r->fs, r->h.unique);
	if (out->fh != 0)
		return wait_for_writer(r, out->fh, false);
	ret = open_end(r, flags, &out->fh);
	if (ret == -ENXIO && blocking) /* nobody reads */
		return fs_interrupted(r->fs, r->h.unique) ? -EINTR : FS_OP_OPENING;
	if (ret == 0)
		fs_tell_all(r->fs); /* whoever waits for this end */
	if (ret == 0 && blocking && (flags & O_ACCMODE) == O_RDONLY)
		return wait_for_writer(r, out->fh, true);
	return ret;
}

void fs_fifo_give_up(struct fs_server *fs, uint64_t unique)
{
	const struct fs_opening o = opening_take(fs, unique);
	struct fs_handle *h = o.fh != 0 ? fs_handle_get(fs, o.fh, o.nodeid) : NULL;

	if (h)
		fs_handle_close(fs, h);
	fs_handle_put(fs, h);
}
