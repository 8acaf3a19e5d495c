/* SPDX-License-Identifier: Apache-2.0 */
/* test_fs_fifo - FIFOs with one end in the guest and one on the host, which is this process. */
#include <poll.h>
#include <signal.h>

#include "tests/unit/fs_guest.h"
#include "tests/unit/tap.h"
#include "vmm/fs_internal.h"

static struct guest g;
static uint64_t node;

/* The last request, served again. Return: error of the answer; 1 = none was given. */
static int again(void)
{
	struct fuse_out_header h;

	chain_rewind(&g.c);
	g.result = fs_serve(g.fs, &g.c);
	if (g.result != FS_REPLY)
		return 1;
	memcpy(&h, g.answer, sizeof(h));
	g.n = h.len - sizeof(h);
	return h.error;
}

/* Give the last request up and serve it again. Return: as again(). */
static int interrupt_last(void)
{
	uint64_t unique = g.unique;
	struct fuse_interrupt_in in = { .unique = unique };
	static struct guest other;

	other = g;
	(void)guest_call(&other, FUSE_INTERRUPT, 0, &in, sizeof(in), NULL, 0);
	g.unique = other.unique;
	return again();
}

static int host_end(int flags)
{
	int fd = openat(g.dirfd, "rw/p", flags | O_NONBLOCK | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static unsigned news(void)
{
	const struct fs_news n = fs_news(g.fs);

	return n.of_data + n.for_all;
}

/* Whether the server has been told of something since @before. */
static bool told(unsigned before)
{
	struct pollfd p = { .fd = fs_news_fd(g.fs), .events = POLLIN };

	if (poll(&p, 1, 0) == 1)
		fs_take_news(g.fs);
	return news() != before;
}

static uint64_t opened_fh(void)
{
	struct fuse_open_out o;

	memcpy(&o, guest_body(&g), sizeof(o));
	return o.fh;
}

static int ask(uint64_t fh, uint32_t events, uint32_t flags, uint32_t *out)
{
	struct fuse_poll_in in = { .fh = fh, .kh = 1, .flags = flags, .events = events };
	int r = guest_call(&g, FUSE_POLL, node, &in, sizeof(in), NULL, 0);

	if (r == 0)
		memcpy(out, guest_body(&g), sizeof(*out));
	return r;
}

static void test_guest_that_does_not_know(void)
{
	uint64_t dir;
	struct fuse_entry_out e;
	struct fuse_open_out o;

	is_int(guest_init(&g), 0, "INIT of another kernel");
	dir = guest_node(&g, FUSE_ROOT_ID, "0");
	is_int(guest_lookup(&g, dir, "p", &e), 0, "it sees a FIFO");
	is_int(e.attr.flags, 0, "of its own");
	is_int(guest_open(&g, FUSE_OPEN, e.nodeid, O_RDONLY, &o), -ENXIO, "which we don't open");
	is_int(guest_lookup(&g, FUSE_ROOT_ID, "1", &e), -EOPNOTSUPP, "one that is mounted is refused");
	fs_end_session(g.fs);
}

static void test_reader(void)
{
	struct fuse_open_out o;
	struct fuse_entry_out e;
	unsigned before;
	uint32_t events;
	uint64_t fh;
	int w;

	is_int(guest_lookup(&g, FUSE_ROOT_ID, "1", &e), 0, "a FIFO that is mounted");
	is_int(e.attr.flags, FUSE_ATTR_HOST_FIFO, "is the host's");
	is_int(guest_open(&g, FUSE_OPEN, node, O_RDONLY | O_NONBLOCK, &o), 0, "OPEN for reading, non-blocking");
	is_int(o.open_flags, FOPEN_STREAM | FOPEN_NOFLUSH, "has no position");
	is_int(guest_read(&g, node, o.fh, 0, 100), 0, "READ without a writer is the end");
	is_int(guest_release(&g, FUSE_RELEASE, node, o.fh), 0, "RELEASE");
	is_int(host_end(O_WRONLY), -ENXIO, "nobody reads any more");

	is_int(guest_open(&g, FUSE_OPEN, node, O_RDONLY, &o), 1, "OPEN for reading");
	is_int(g.result, FS_OPENING, "waits for a writer");
	is_int(again(), 1, "and waits");
	w = host_end(O_WRONLY);
	ok(w >= 0, "who finds a reader");
	is_int(again(), 0, "and ends the wait without a byte");
	fh = opened_fh();
	before = news();
	is_int(guest_read(&g, node, fh, 0, 100), 1, "READ");
	is_int(g.result, FS_WAIT, "waits for data");
	ok(!told(before), "of which there are none");
	is_int(write(w, "hello", 5), 5, "the host writes");
	ok(told(before), "which is told");
	is_int(again(), 0, "and read");
	ok(g.n == 5 && memcmp(guest_body(&g), "hello", 5) == 0, "as it was written");

	is_int(ask(fh, POLLIN, 0, &events), 0, "POLL");
	is_int(events, 0, "nothing");
	before = news();
	is_int(ask(fh, POLLIN, FUSE_POLL_WAIT, &events), 1, "POLL that waits");
	is_int(g.result, FS_WAIT, "waits");
	(void)!write(w, "x", 1);
	ok(told(before), "until there is something");
	is_int(again(), 0, "then it is answered");
	is_int(guest_read(&g, node, fh, 0, 100), 1, "READ of what was polled");
	before = news();
	is_int(guest_read(&g, node, fh, 0, 100), 1, "READ of nothing");
	(void)close(w);
	ok(told(before), "the writer's end is told");
	is_int(again(), 0, "and read");
	is_int((long)g.n, 0, "as such");
	is_int(ask(fh, POLLIN, FUSE_POLL_WAIT, &events), 0, "POLL at the end doesn't wait");
	is_int(events, POLLHUP, "it says so");
	is_int(guest_release(&g, FUSE_RELEASE, node, fh), 0, "RELEASE");

	is_int(guest_open(&g, FUSE_OPEN, node, O_RDONLY, &o), 1, "OPEN for reading");
	w = host_end(O_WRONLY);
	(void)close(w);
	is_int(again(), 0, "a writer who came and went is one");
	fh = opened_fh();
	is_int(guest_read(&g, node, fh, 0, 100), 0, "of whom only the end is left");
	is_int(guest_release(&g, FUSE_RELEASE, node, fh), 0, "RELEASE");
}

static void test_writer(void)
{
	static uint8_t data[65536];
	struct fuse_open_out o;
	unsigned before;
	int r, n;

	is_int(guest_open(&g, FUSE_OPEN, node, O_WRONLY | O_NONBLOCK, &o), -ENXIO, "OPEN for writing, nobody reads");
	is_int(guest_open(&g, FUSE_OPEN, node, O_WRONLY, &o), 1, "OPEN for writing");
	is_int(g.result, FS_OPENING, "waits for a reader");
	r = host_end(O_RDONLY);
	is_int(again(), 0, "who comes");
	o.fh = opened_fh();
	while ((n = guest_write(&g, node, o.fh, 0, O_NONBLOCK, data, sizeof(data))) > 0)
		;
	is_int(n, -EAGAIN, "WRITE of what has no room, non-blocking");
	before = news();
	is_int(guest_write(&g, node, o.fh, 0, 0, data, 4096), 1, "WRITE of it");
	is_int(g.result, FS_WAIT, "waits");
	ok(!told(before), "for room");
	while (read(r, data, sizeof(data)) > 0)
		;
	ok(told(before), "which is told");
	is_int(again(), 0, "and taken");
	is_int(read(r, data, sizeof(data)), 4096, "what was written is there once");
	(void)close(r);
	is_int(guest_write(&g, node, o.fh, 0, 0, data, 1), -EPIPE, "WRITE when nobody reads any more");
	is_int(guest_release(&g, FUSE_RELEASE, node, o.fh), 0, "RELEASE");
}

static void test_giving_up(void)
{
	struct fuse_poll_in poll_in = { .events = POLLIN, .flags = FUSE_POLL_WAIT };
	struct fuse_open_out o;
	unsigned before;
	int fds = guest_count_fds();

	is_int(guest_open(&g, FUSE_OPEN, node, O_RDONLY, &o), 1, "OPEN for reading");
	before = news();
	is_int(interrupt_last(), -EINTR, "is given up");
	ok(news() != before, "at once");
	is_int(host_end(O_WRONLY), -ENXIO, "and reads no more");
	is_int(guest_open(&g, FUSE_OPEN, node, O_WRONLY, &o), 1, "OPEN for writing");
	is_int(interrupt_last(), -EINTR, "is given up");
	is_int(guest_open(&g, FUSE_OPEN, node, O_RDWR, &o), 0, "OPEN of both ends waits for nobody");
	is_int(guest_read(&g, node, o.fh, 0, 10), 1, "READ");
	is_int(interrupt_last(), -EINTR, "is given up");
	poll_in.fh = o.fh;
	is_int(guest_call(&g, FUSE_POLL, node, &poll_in, sizeof(poll_in), NULL, 0), 1, "POLL");
	{
		static struct guest other;

		other = g;
		before = news();
		is_int(guest_release(&other, FUSE_RELEASE, node, o.fh), 0, "RELEASE");
		g.unique = other.unique;
	}
	ok(news() != before, "ends it");
	is_int(again(), -EBADF, "as it should");

	is_int(guest_open(&g, FUSE_OPEN, node, O_RDONLY, &o), 1, "OPEN for reading");
	{
		uint32_t none = 99;

		memcpy(g.msg + offsetof(struct fuse_in_header, nodeid), &none, sizeof(none));
		is_int(again(), -ESTALE, "that becomes another's");
		is_int(host_end(O_WRONLY), -ENXIO, "is given up");
	}
	is_int(guest_open(&g, FUSE_OPEN, node, O_RDONLY, &o), 1, "OPEN for reading");
	chain_rewind(&g.c);
	fs_refuse(g.fs, &g.c, -ENFILE);
	is_int(host_end(O_WRONLY), -ENXIO, "that is refused reads no more");
	for (unsigned i = 0; i < FS_MAX_OPENINGS; i++)
		(void)guest_open(&g, FUSE_OPEN, node, O_RDONLY, &o);
	is_int(guest_open(&g, FUSE_OPEN, node, O_RDONLY, &o), -ENFILE, "as many as we say, and no more");
	fs_end_session(g.fs);
	is_int(host_end(O_WRONLY), -ENXIO, "the session's end ends them");
	is_int(guest_init_with(&g, FUSE_HOST_FIFOS_FLAGS2), 0, "INIT");
	is_int(guest_count_fds(), fds, "no descriptor is left");
}

/* A guest may ask for anything, but never be an end that it hasn't opened. */
static void test_hostile(void)
{
	struct fuse_lk_in lk = { .owner = 1, .lk = { .end = INT64_MAX, .type = F_WRLCK } };
	struct fuse_setattr_in size = { .valid = FATTR_SIZE };
	struct fuse_attr a;
	struct fuse_open_out o;
	uint64_t dir = guest_node(&g, FUSE_ROOT_ID, "0");
	uint64_t file = 0, fh = 0, p = guest_node(&g, dir, "p");
	uint32_t events;

	is_int(guest_open(&g, FUSE_OPEN, p, O_RDWR, &o), 0, "OPEN of both ends");
	lk.fh = o.fh;
	is_int(guest_call(&g, FUSE_SETLK, p, &lk, sizeof(lk), NULL, 0), -EINVAL, "no lock on a FIFO");
	is_int(guest_setattr(&g, p, &size, &a), -EINVAL, "no size");
	is_int(guest_call(&g, FUSE_SYNCFS, FUSE_ROOT_ID, NULL, 0, NULL, 0), 0, "SYNCFS");
	is_int(guest_release(&g, FUSE_RELEASE, p, o.fh), 0, "RELEASE");
	is_int(guest_open(&g, FUSE_OPEN, p, O_ACCMODE, &o), -EINVAL, "access mode 3");
	is_int(guest_create(&g, dir, "f", O_RDWR, 0644, &file, &fh), 0, "a file");
	node = file;
	is_int(ask(fh, POLLIN, FUSE_POLL_WAIT, &events), -ENOSYS, "is always ready");
	is_int(guest_release(&g, FUSE_RELEASE, file, fh), 0, "RELEASE");
	is_int(host_end(O_WRONLY), -ENXIO, "nobody reads");
}

int main(void)
{
	struct fs_config cfg = { .shares = g.share, .n_shares = 2, .max_fds = 200, .attr_ms = 1000 };
	struct err e;

	(void)signal(SIGPIPE, SIG_IGN);
	if (guest_start(&g, 64, false) < 0)
		return 1;
	/* the same folder with its FIFOs, and one of them by itself */
	if (mkfifoat(g.dirfd, "rw/p", 0644) < 0)
		return 1;
	fs_free(g.fs);
	(void)close(g.share[1].fd);
	g.share[1] = (struct fs_share){ .fd = openat(g.dirfd, "rw/p", O_PATH | O_CLOEXEC), .fifos = true };
	cfg.proc_self_fd = g.procfd;
	if (fs_new(&cfg, &g.fs, &e) < 0)
		return 1;
	test_guest_that_does_not_know();
	is_int(guest_init_with(&g, FUSE_HOST_FIFOS_FLAGS2), 0, "INIT of ours");
	node = guest_node(&g, FUSE_ROOT_ID, "1");
	test_reader();
	test_writer();
	test_giving_up();
	test_hostile();
	guest_stop(&g);
	return tap_done();
}
