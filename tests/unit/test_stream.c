/* SPDX-License-Identifier: Apache-2.0 */
/* test_stream - descriptors of every kind; none may block (a watchdog makes a blocked call a
 * failure). */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "vmm/stream.h"

static int proc_fd;
static char buf[1 << 20];

static ssize_t get(struct stream *s, size_t n)
{
	struct iovec v[2] = {{buf, n / 2}, {buf + n / 2, n - n / 2}};

	return stream_readv(s, v, 2);
}

static ssize_t put(struct stream *s, size_t n)
{
	struct iovec v[2] = {{buf, n / 2}, {buf + n / 2, n - n / 2}};

	return stream_writev(s, v, 2);
}

/* Write until no more is taken. Return: bytes, or the error that ended it if it is not -EAGAIN. */
static ssize_t stuff(struct stream *s)
{
	ssize_t sum = 0;
	ssize_t r;

	while ((r = put(s, 60000)) > 0 && sum < 64 << 20)
		sum += r;
	return r == -EAGAIN ? sum : r;
}

static void test_none(void)
{
	struct stream s;

	stream_init(&s, -1, proc_fd);
	is_int(s.fd, -1, "none: stays none");
	stream_close(&s);
	is_int(s.fd, -1, "none: closing is nothing");
}

/* @proc: descriptor directory; -1 makes reopening impossible. */
static void test_pipe(int proc, const char *what)
{
	struct stream r, w;
	int p[2], keep[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		abort();
	keep[0] = dup(p[0]);
	keep[1] = dup(p[1]);
	stream_init(&r, p[0], proc);
	stream_init(&w, p[1], proc);
	ok(r.pollable && w.pollable && !r.socket, "%s: kind", what);
	is_int(r.blocking, proc < 0, "blocking only when it can't be reopened");
	ok(!(fcntl(keep[0], F_GETFL) & O_NONBLOCK) && !(fcntl(keep[1], F_GETFL) & O_NONBLOCK),
	   "%s: other users of the pipe notice nothing", what);
	is_int(get(&r, 10), -EAGAIN, "an empty pipe doesn't block");
	ok(put(&w, 10) > 0 && get(&r, 10) > 0, "%s: a few bytes", what);
	while (get(&r, 100) > 0)
		;
	ok(stuff(&w) >= 60000, "%s: a full pipe doesn't block", what);
	while (get(&r, sizeof(buf)) > 0)
		;
	(void)close(keep[1]);
	stream_close(&w);
	is_int(get(&r, 10), 0, "the end");
	stream_close(&r);
	(void)close(keep[0]);
}

static void test_reader_gone(int proc)
{
	struct stream w;
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		abort();
	stream_init(&w, p[1], proc);
	(void)close(p[0]);
	is_int(put(&w, 10), -EPIPE, "reader gone: EPIPE");
	stream_close(&w);
	if (pipe2(p, O_CLOEXEC) < 0)
		abort();
	(void)close(p[0]);
	stream_init(&w, p[1], proc);
	is_int(put(&w, 10), -EPIPE, "reader gone before: EPIPE");
	stream_close(&w);
}

static void test_socket(void)
{
	struct stream s;
	int p[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) < 0)
		abort();
	stream_init(&s, p[0], proc_fd);
	ok(s.socket && s.pollable && s.fd == p[0], "socket: kind");
	is_int(get(&s, 10), -EAGAIN, "socket: empty");
	ok(stuff(&s) > 4096, "socket: full");
	ok(!(fcntl(p[0], F_GETFL) & O_NONBLOCK), "socket: flags untouched");
	is_int(write(p[1], "abc", 3), 3, "socket: write");
	is_int(get(&s, 10), 3, "socket: read");
	(void)shutdown(p[1], SHUT_WR);
	is_int(get(&s, 10), 0, "socket: end");
	(void)close(p[1]);
	is_int(put(&s, 10), -EPIPE, "socket: other side gone");
	stream_close(&s);
}

static void test_file(void)
{
	char name[] = "/tmp/coracle-stream-XXXXXX";
	int fd = mkstemp(name);
	struct stream s;

	if (fd < 0 || unlink(name) < 0 || write(fd, "hello", 5) != 5)
		abort();
	(void)lseek(fd, 1, SEEK_SET);
	stream_init(&s, fd, proc_fd);
	ok(!s.pollable && s.fd == fd, "file: kind");
	is_int(get(&s, 10), 4, "file: from where it stands");
	is_int(get(&s, 10), 0, "file: end");
	is_int(put(&s, 1000), 1000, "file: write");
	stream_close(&s);
	stream_init(&s, open("/dev/null", O_RDWR | O_CLOEXEC), proc_fd);
	is_int(get(&s, 10), 0, "null: end");
	ok(put(&s, 1000) > 0, "null: takes bytes");
	stream_close(&s);
	stream_init(&s, open("/dev/full", O_RDWR | O_CLOEXEC), proc_fd);
	is_int(put(&s, 1000), -ENOSPC, "full: an error, not a wait");
	stream_close(&s);
	stream_init(&s, open("/", O_RDONLY | O_CLOEXEC), proc_fd);
	is_int(get(&s, 10), -EISDIR, "directory: an error");
	is_int(put(&s, 10), -EBADF, "read-only: an error");
	stream_close(&s);
}

static void test_terminal(void)
{
	struct stream s;
	int m = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	int t = -1;

	if (m >= 0 && grantpt(m) == 0 && unlockpt(m) == 0)
		t = open(ptsname(m), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (t < 0) {
		ok(1, "terminal # SKIP no pseudo terminals here");
		return;
	}
	stream_init(&s, t, proc_fd);
	ok(s.pollable && !s.blocking, "terminal: reopened");
	is_int(get(&s, 10), -EAGAIN, "terminal: empty");
	ok(stuff(&s) > 0, "terminal: full");
	is_int(write(m, "ab\n", 3), 3, "terminal: typed");
	is_int(get(&s, 10), 3, "terminal: read");
	(void)close(m);
	is_int(get(&s, 10), 0, "terminal: hang-up is the end");
	ok(put(&s, 10) < 0, "terminal: and takes nothing");
	stream_close(&s);
}

/* Read @fd in a child that is killed when it blocks. Return: -errno as told by it, or -ETIME. */
static int read_in_child(int fd)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct stream s;

		(void)alarm(2);
		stream_init(&s, fd, proc_fd);
		_exit((int)-get(&s, 16));
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ETIME;
}

/* What is neither file, pipe, socket nor terminal, but can wait for ever all the same. */
static void test_others(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	is_int(read_in_child(fd), -EAGAIN, "others: an eventfd doesn't block");
	(void)close(fd);
}

int main(void)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)alarm(60);
	(void)signal(SIGPIPE, SIG_IGN);
	proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd < 0)
		return 1;
	test_none();
	test_pipe(proc_fd, "pipe");
	test_pipe(-1, "pipe, not reopened");
	test_reader_gone(proc_fd);
	test_reader_gone(-1);
	test_socket();
	test_file();
	test_terminal();
	test_others();
	return tap_done();
}
