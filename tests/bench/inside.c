/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inside.c - what the benchmark runs in a container: one static program that measures itself.
 *
 *   inside first              say one byte, then stay until ended
 *   inside stat TREE          stat TREE/dDD/fFF, as in-bed.py makes them: a first pass, then again
 *   inside read FILE FILE     read one file from end to end, then blocks of the other in no order
 *
 * and, outside of it:
 *
 *   inside http PORT SECONDS  ask a server on 127.0.0.1 for /, on several connections at once, each for one answer
 *
 * Rates go to stdout, a "name value" a line. The clock is the container's own, so starting and ending don't count.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	DIRS = 20,	/* in-bed.py makes as many */
	FILES = 100,	/* in each folder */
	AGAIN = 1,	/* folders that are looked at again, while what is known of them is fresh */
	PASSES = 30,
	BLOCK = 128 * 1024,
	PAGE = 4096,
	READS = 2000,
	CONNECTIONS = 4,
	PATIENCE = 20000, /* ms for something to come of one of them */
};

static void fail(const char *what)
{
	fprintf(stderr, "inside: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* stat_dirs() - every file of @count folders from the folder @from on. Return: how many. */
static int stat_dirs(int from, int count)
{
	char path[32];
	struct stat st;

	for (int d = from; d < from + count; d++)
		for (int f = 0; f < FILES; f++) {
			snprintf(path, sizeof(path), "d%02d/f%02d", d, f);
			if (stat(path, &st) < 0)
				fail(path);
		}
	return count * FILES;
}

static void measure_stat(const char *tree)
{
	double begin, took;
	int n = 0;

	if (chdir(tree) < 0)
		fail(tree);
	begin = now();
	n = stat_dirs(0, DIRS);
	took = now() - begin;
	printf("stat_uncached %.0f\n", n / took);

	n = 0;
	stat_dirs(DIRS - AGAIN, AGAIN);
	begin = now();
	for (int i = 0; i < PASSES; i++)
		n += stat_dirs(DIRS - AGAIN, AGAIN);
	took = now() - begin;
	printf("stat_cached %.0f\n", n / took);
}

static int open_file(const char *path, off_t *out_size)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		fail(path);
	*out_size = st.st_size;
	return fd;
}

static void measure_read(const char *whole, const char *parts)
{
	static char buf[BLOCK];
	double begin, took;
	off_t size, done = 0;
	uint64_t x = 88172645463325252u; /* xorshift64: the same places in each run */
	ssize_t n;
	int fd = open_file(whole, &size);

	begin = now();
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		done += n;
	took = now() - begin;
	if (n < 0 || done != size)
		fail(whole);
	close(fd);
	printf("read_sequential %.2f\n", (double)done / took / 1e6);

	fd = open_file(parts, &size);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	begin = now();
	for (int i = 0; i < READS; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (pread(fd, buf, PAGE, (off_t)(x % (uint64_t)(size / PAGE)) * PAGE) != PAGE)
			fail(parts);
	}
	took = now() - begin;
	close(fd);
	printf("read_random %.0f\n", READS / took);
}

/* What has been asked for on one connection, and the beginning of the answer. */
struct request {
	int fd;
	bool asked;
	size_t n;
	char answer[16];
};

static void ask_begin(struct request *r, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	*r = (struct request){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) };
	if (r->fd < 0 || (connect(r->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS))
		fail("connect");
}

/* ask_go_on() - the connection is ready. Return: has all of the answer arrived? */
static bool ask_go_on(struct request *r)
{
	static const char words[] = "GET / HTTP/1.0\r\n\r\n";
	static char buf[BLOCK];
	ssize_t n;

	if (!r->asked) {
		r->asked = true;
		if (send(r->fd, words, sizeof(words) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(words) - 1)
			fail("send");
		return false;
	}
	n = recv(r->fd, buf, sizeof(buf), 0);
	if (n < 0)
		fail("recv");
	for (ssize_t i = 0; i < n && r->n < sizeof(r->answer) - 1; i++)
		r->answer[r->n++] = buf[i];
	if (n > 0)
		return false;
	close(r->fd);
	if (strncmp(r->answer, "HTTP/1.", 7) != 0 || strncmp(r->answer + 8, " 200", 4) != 0) {
		fprintf(stderr, "inside: http: answer '%s'\n", r->answer);
		exit(1);
	}
	return true;
}

static void measure_http(int port, double seconds)
{
	struct request all[CONNECTIONS];
	struct pollfd p[CONNECTIONS];
	double begin = now();
	int answers = 0;

	for (int i = 0; i < CONNECTIONS; i++)
		ask_begin(&all[i], port);
	while (now() < begin + seconds) {
		for (int i = 0; i < CONNECTIONS; i++)
			p[i] = (struct pollfd){ .fd = all[i].fd, .events = all[i].asked ? POLLIN : POLLOUT };
		if (poll(p, CONNECTIONS, PATIENCE) <= 0)
			fail("no answer");
		for (int i = 0; i < CONNECTIONS; i++)
			if (p[i].revents && ask_go_on(&all[i])) {
				answers++;
				ask_begin(&all[i], port);
			}
	}
	printf("http %.2f\n", answers / (now() - begin));
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "first") == 0) {
		if (write(STDOUT_FILENO, "+", 1) != 1)
			fail("stdout");
		for (;;)
			pause();
	}
	if (argc == 3 && strcmp(argv[1], "stat") == 0)
		measure_stat(argv[2]);
	else if (argc == 4 && strcmp(argv[1], "read") == 0)
		measure_read(argv[2], argv[3]);
	else if (argc == 4 && strcmp(argv[1], "http") == 0)
		measure_http(atoi(argv[2]), atof(argv[3]));
	else {
		fprintf(stderr, "usage: inside first | stat TREE | read FILE FILE | http PORT SECONDS\n");
		return 2;
	}
	return 0;
}
