/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_fs - the file server's device (virtio 1.2 section 5.11).
 *
 * DOC: who serves
 *
 * Most requests take a microsecond of a system call, a wake-up of another thread many times that: they
 * are served on the vCPU thread, inside the exit of the notification. What may sleep long (flushing,
 * large transfers) goes to one worker thread. dev->lock covers the rings and the lists, never a file
 * system call.
 *
 * At most FS_POOL requests are in hand; more wait in the ring. No DAX window, no notification queue.
 * What is over a turn's budget goes on on the worker, never on the loop: only these threads may touch files.
 *
 * DOC: who waits
 *
 * A request that can't be answered yet is kept, and served again by a second thread, which flushing doesn't stop: for a lock
 * every FS_LOCK_MS, for the other end of a FIFO ever less often, for a FIFO's data when the server's descriptor in the loop
 * says so (fs_news()), and whenever the guest may have given it up.
 *
 * DOC: reset
 *
 * A request that is in a file system call has the guest's buffers. A reset waits until no thread is in
 * one, since afterwards the memory may be anything; what only waits is dropped by its generation. The
 * server's session ends too, as the next driver begins with INIT.
 */
#include "vmm/virtio_fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "vmm/thread.h"

#define FS_POOL 48u	    /* cap: requests in hand; more than vCPUs, so that the worker has one of them */
#define FS_MAX_WAITING 448u /* cap: requests waiting for a lock or a FIFO; the ring's other entries are for those that end it */
#define FS_LOCK_MS 5	    /* how often a lock is tried */
#define FS_OPENING_MS 50    /* and in the end the opening of a FIFO */
#define FS_LARGE (256u << 10) /* bytes of a transfer that the worker takes */

struct fs_job {
	struct fs_job *next;
	unsigned queue;
	uint32_t generation; /* of the device when popped */
	struct fs_news news; /* of the server's before it was served last */
	int pause_ms;	     /* between two tries; 0: only when there is news of data */
	int64_t due_ms;	     /* the next one, by the monotonic clock */
	struct chain chain;
};

struct virtio_fs {
	struct virtio_dev dev;
	struct fs_server *fs;
	void (*seal)(void);
	pthread_cond_t work;	 /* for the worker */
	pthread_cond_t due;	 /* a request that waits may be due; by the monotonic clock */
	pthread_cond_t served;	 /* in_service may have become 0 */
	unsigned in_service;	 /* requests that a thread is serving without the lock */
	bool more;		 /* a turn ended before its queue did: somebody else goes on */
	bool starved;		 /* and one because all of FS_POOL are in hand */
	unsigned n_made;	 /* jobs allocated so far */
	struct fs_job *idle;
	struct fs_job *todo;	 /* for the worker, oldest first */
	struct fs_job **todo_end;
	struct fs_job *waiting;	 /* for locks and FIFOs */
	unsigned n_waiting;
	struct event news;	 /* of the server's */
};

static struct fs_job *take_idle(struct virtio_fs *vf)
{
	struct fs_job *job = vf->idle;

	if (job) {
		vf->idle = job->next;
	} else if (vf->n_made < FS_POOL + vf->n_waiting) {
		job = malloc(sizeof(*job));
		vf->n_made += job != NULL;
	}
	return job;
}

/* Somebody else goes on with the rings: the worker, or the other one where that is busy. */
static void pass_on(struct virtio_fs *vf)
{
	vf->more = true;
	(void)pthread_cond_signal(&vf->work);
	(void)pthread_cond_signal(&vf->due);
}

/* There is room for another request in hand. */
static void made_room(struct virtio_fs *vf)
{
	if (!vf->starved)
		return;
	vf->starved = false;
	pass_on(vf);
}

static void give_back(struct virtio_fs *vf, struct fs_job *job)
{
	job->next = vf->idle;
	vf->idle = job;
	made_room(vf);
}

/*
 * Linux sends the parts of a direct write all at once. To the end of a file they must get there in their order, so the
 * worker takes all of them: what is served on a vCPU would overtake. (Linux has the argument in a buffer of its own.)
 */
static bool appends_in_parts(const struct chain *c)
{
	struct fuse_write_in in;

	if (c->n_out < 2 || c->iov[0].iov_len != sizeof(struct fuse_in_header) || c->iov[1].iov_len < sizeof(in))
		return false;
	memcpy(&in, c->iov[1].iov_base, sizeof(in));
	return (in.flags & O_APPEND) != 0 && (in.flags & O_DIRECT) != 0;
}

/* Only for the choice of thread: the server reads the header again for itself. */
static bool may_take_long(const struct chain *c)
{
	uint32_t opcode;

	if (c->n_out == 0 || c->iov[0].iov_len < 8)
		return false;
	memcpy(&opcode, (const uint8_t *)c->iov[0].iov_base + 4, sizeof(opcode));
	switch (opcode) {
	case FUSE_FSYNC:
	case FUSE_FSYNCDIR:
	case FUSE_FALLOCATE:
	case FUSE_COPY_FILE_RANGE:
	case 50: /* FUSE_SYNCFS */
		return true;
	case FUSE_WRITE:
		if (appends_in_parts(c))
			return true;
		__attribute__((fallthrough));
	case FUSE_READ:
		return c->out_left + c->in_left >= FS_LARGE;
	default:
		return false;
	}
}

/* Context: dev->lock held. */
static void complete(struct virtio_fs *vf, struct fs_job *job)
{
	if (job->generation == vf->dev.generation) {
		virtq_push(&vf->dev.q[job->queue], job->chain.head, (uint32_t)job->chain.written);
		virtio_signal(&vf->dev, job->queue);
	}
	give_back(vf, job);
}

static int64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool waits(enum fs_result r)
{
	return r == FS_LOCKED || r == FS_OPENING || r == FS_WAIT;
}

/* Keep @job, which the server answered with @r, for another try. Return: whether there was room. Context: dev->lock held. */
static bool keep(struct virtio_fs *vf, struct fs_job *job, enum fs_result r)
{
	if (vf->n_waiting >= FS_MAX_WAITING)
		return false;
	if (r == FS_LOCKED)
		job->pause_ms = FS_LOCK_MS;
	else if (r == FS_OPENING)
		job->pause_ms = job->pause_ms < FS_OPENING_MS ? job->pause_ms + 1 : FS_OPENING_MS;
	else
		job->pause_ms = 0;
	/* those that pause as long wake up together */
	if (job->pause_ms > 0)
		job->due_ms = (now_ms() / job->pause_ms + 1) * job->pause_ms;
	job->next = vf->waiting;
	vf->waiting = job;
	vf->n_waiting++;
	(void)pthread_cond_signal(&vf->due);
	made_room(vf);
	return true;
}

/* Serve without the lock, then answer. Context: dev->lock held on entry and return. */
static void serve(struct virtio_fs *vf, struct fs_job *job)
{
	enum fs_result r;

	if (job->generation != vf->dev.generation) {
		give_back(vf, job); /* its buffers belong to somebody else since the reset */
		return;
	}
	vf->in_service++;
	job->news = fs_news(vf->fs);
	(void)pthread_mutex_unlock(&vf->dev.lock);
	r = fs_serve(vf->fs, &job->chain);
	(void)pthread_mutex_lock(&vf->dev.lock);
	if (--vf->in_service == 0 && vf->dev.resetting)
		(void)pthread_cond_broadcast(&vf->served);
	/* what it did, or gave up, may be what others wait for */
	if (vf->waiting && fs_news(vf->fs).for_all != job->news.for_all)
		(void)pthread_cond_signal(&vf->due);
	if (waits(r) && job->generation == vf->dev.generation) {
		chain_rewind(&job->chain);
		if (keep(vf, job, r))
			return;
		fs_refuse(vf->fs, &job->chain, r == FS_LOCKED ? -ENOLCK : -ENFILE);
	}
	complete(vf, job);
}

static void hand_over(struct virtio_fs *vf, struct fs_job *job)
{
	job->next = NULL;
	*vf->todo_end = job;
	vf->todo_end = &job->next;
	(void)pthread_cond_signal(&vf->work);
}

static void fs_notify(struct virtio_dev *dev, unsigned queue)
{
	struct virtio_fs *vf = (struct virtio_fs *)dev;

	/* a job may be served while another thread resets the device: look anew each time */
	for (unsigned left = VIRTIO_BUDGET; virtio_live(dev); left--) {
		struct fs_job *job;
		int r;

		if (left == 0) {
			pass_on(vf);
			return;
		}
		job = take_idle(vf);
		if (!job) {
			vf->starved = true;
			return;
		}
		r = virtq_pop(&dev->q[queue], &job->chain);
		if (r <= 0) {
			give_back(vf, job);
			if (r < 0)
				virtio_broken(dev, "queue");
			return;
		}
		job->queue = queue;
		job->generation = dev->generation;
		job->pause_ms = 0;
		if (may_take_long(&job->chain))
			hand_over(vf, job);
		else
			serve(vf, job);
	}
}

static void fs_reset(struct virtio_dev *dev)
{
	struct virtio_fs *vf = (struct virtio_fs *)dev;

	while (vf->in_service > 0)
		(void)pthread_cond_wait(&vf->served, &dev->lock);
	fs_end_session(vf->fs);
	(void)pthread_cond_signal(&vf->due); /* what waited is nobody's any more */
}

/* Return: milliseconds until @job is to be served again, at most 0 for now, INT64_MAX: nobody knows. */
static int64_t until_due(struct virtio_fs *vf, const struct fs_job *job, int64_t now)
{
	const struct fs_news news = fs_news(vf->fs);

	if (news.for_all != job->news.for_all || job->generation != vf->dev.generation)
		return 0;
	if (job->pause_ms > 0)
		return job->due_ms - now;
	return news.of_data != job->news.of_data ? 0 : INT64_MAX;
}

/* Serve those that wait and are due, once each. */
static void try_again(struct virtio_fs *vf)
{
	struct fs_job *list = vf->waiting;
	int64_t now = list ? now_ms() : 0;

	vf->waiting = NULL;
	while (list) {
		struct fs_job *job = list;

		list = job->next;
		if (until_due(vf, job, now) <= 0) {
			vf->n_waiting--;
			serve(vf, job);
		} else {
			job->next = vf->waiting;
			vf->waiting = job;
		}
	}
}

static void wait_until_due(struct virtio_fs *vf)
{
	int64_t now = vf->waiting ? now_ms() : 0;
	int64_t due_ms = INT64_MAX;
	struct timespec until;

	for (struct fs_job *job = vf->waiting; job; job = job->next) {
		int64_t ms = until_due(vf, job, now);

		due_ms = ms < due_ms ? ms : due_ms;
	}
	if (vf->more || due_ms <= 0)
		return;
	if (due_ms == INT64_MAX) {
		(void)pthread_cond_wait(&vf->due, &vf->dev.lock);
		return;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)due_ms * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	(void)pthread_cond_timedwait(&vf->due, &vf->dev.lock, &until);
}

static void serve_rings(struct virtio_fs *vf)
{
	vf->more = false;
	for (unsigned q = 0; q < vf->dev.ops->nqueues; q++)
		fs_notify(&vf->dev, q);
}

static void *waits_main(void *arg)
{
	struct virtio_fs *vf = arg;

	(void)pthread_setname_np(pthread_self(), "waits");
	vf->seal();
	(void)pthread_mutex_lock(&vf->dev.lock);
	for (;;) {
		wait_until_due(vf);
		try_again(vf);
		if (vf->more)
			serve_rings(vf);
	}
	return NULL;
}

static void *files_main(void *arg)
{
	struct virtio_fs *vf = arg;

	(void)pthread_setname_np(pthread_self(), "files");
	vf->seal();
	(void)pthread_mutex_lock(&vf->dev.lock);
	for (;;) {
		struct fs_job *job = vf->todo;

		if (job) {
			vf->todo = job->next;
			if (!vf->todo)
				vf->todo_end = &vf->todo;
			serve(vf, job);
		} else if (!vf->more) {
			(void)pthread_cond_wait(&vf->work, &vf->dev.lock);
		}
		/* requests that found no idle job wait in the ring */
		serve_rings(vf);
	}
	return NULL;
}

static const struct virtio_ops fs_ops = {
	.name = "virtio-fs",
	.id = VIRTIO_ID_FS,
	.nqueues = 2, /* high priority, requests */
	.queue_size = CHAIN_MAX_IOV,
	.config_size = 40,
	.inline_notify = true,
	.notify = fs_notify,
	.reset = fs_reset,
};

/* Context: the loop, which takes no requests up itself. */
static void on_news(struct event *ev)
{
	struct virtio_fs *vf = (struct virtio_fs *)((char *)ev - offsetof(struct virtio_fs, news));

	fs_take_news(vf->fs);
	(void)pthread_mutex_lock(&vf->dev.lock);
	(void)pthread_cond_signal(&vf->due);
	(void)pthread_mutex_unlock(&vf->dev.lock);
}

struct virtio_dev *virtio_fs_new(const struct memory *mem, struct loop *loop, struct fs_server *fs, const char *tag)
{
	struct virtio_fs *vf = calloc(1, sizeof(*vf));
	uint32_t queues = 1;
	pthread_condattr_t clock;

	if (!vf)
		return NULL;
	virtio_init(&vf->dev, &fs_ops, mem);
	memcpy(vf->dev.config, tag, strnlen(tag, 36));
	memcpy(vf->dev.config + 36, &queues, sizeof(queues));
	vf->fs = fs;
	vf->todo_end = &vf->todo;
	(void)pthread_cond_init(&vf->work, NULL);
	(void)pthread_cond_init(&vf->served, NULL);
	(void)pthread_condattr_init(&clock);
	(void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&vf->due, &clock);
	(void)pthread_condattr_destroy(&clock);
	vf->news.fd = fs_news_fd(fs);
	vf->news.on_ready = on_news;
	if (vf->news.fd >= 0 && loop_add(loop, &vf->news, EPOLLIN) < 0) {
		free(vf);
		return NULL;
	}
	return &vf->dev;
}

int virtio_fs_start(struct virtio_dev *dev, void (*seal)(void), struct err *e)
{
	struct virtio_fs *vf = (struct virtio_fs *)dev;
	pthread_t thread;
	int r;

	vf->seal = seal;
	r = thread_start(&thread, files_main, vf);
	if (r == 0)
		r = thread_start(&thread, waits_main, vf);
	return r < 0 ? err_set(e, -r, "start the file server's threads: %s", strerror(-r)) : 0;
}
