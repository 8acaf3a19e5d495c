/* SPDX-License-Identifier: Apache-2.0 */
/* io - whole reads and writes, atomic files, descriptors over sockets. */
#include "runtime/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "runtime/base/own.h"

int io_write_all(int fd, const void *data, size_t n)
{
	const uint8_t *p = data;

	while (n > 0) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

int io_read_exact(int fd, void *data, size_t n)
{
	uint8_t *p = data;

	while (n > 0) {
		ssize_t done = read(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		if (done == 0)
			return -ENODATA;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

int io_read_all(int fd, size_t max, char **out_data, size_t *out_n)
{
	OWN_FREE char *buf = NULL;
	size_t cap = 4096;
	size_t n = 0;

	buf = malloc(cap + 1);
	if (!buf)
		return -ENOMEM;
	for (;;) {
		ssize_t got;

		if (n == cap) {
			char *more = realloc(buf, cap * 2 + 1);

			if (!more)
				return -ENOMEM;
			buf = more;
			cap *= 2;
		}
		got = read(fd, buf + n, cap - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		n += (size_t)got;
		if (n > max)
			return -EFBIG;
	}
	buf[n] = '\0';
	*out_data = TAKE(&buf);
	if (out_n)
		*out_n = n;
	return 0;
}

int io_read_file(int dirfd, const char *path, size_t max, char **out_data, size_t *out_n)
{
	OWN_FD int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return io_read_all(fd, max, out_data, out_n);
}

int io_write_file(int dirfd, const char *path, const void *data, size_t n)
{
	OWN_FD int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t done;

	if (fd < 0)
		return -errno;
	/* one write: these files take a value whole or not at all */
	done = write(fd, data, n);
	if (done < 0)
		return -errno;
	return (size_t)done == n ? 0 : -EIO;
}

int io_replace_file(int dirfd, const char *path, mode_t mode, const void *data, size_t n)
{
	OWN_FD int fd = -1;
	const char *base = strrchr(path, '/');
	int dirlen = base ? (int)(base - path) + 1 : 0;
	char tmp[4096];
	int r;

	base = base ? base + 1 : path;
	r = snprintf(tmp, sizeof(tmp), "%.*s.%s.%ld", dirlen, path, base, (long)getpid());
	if (r < 0 || (size_t)r >= sizeof(tmp))
		return -ENAMETOOLONG;
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -errno;
	r = io_write_all(fd, data, n);
	if (r == 0 && fchmod(fd, mode) < 0)
		r = -errno;
	if (r == 0 && renameat(dirfd, tmp, dirfd, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(dirfd, tmp, 0);
	return r;
}

struct sockaddr_un io_unix_address(int fd, const char *below)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d%s", fd, below);
	return a;
}

int io_send_fds(int sock, const void *data, size_t n, const int *fds, size_t nfds)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * IO_MAX_FDS)];
		struct cmsghdr align;
	} ctl = { 0 };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)data, .iov_len = n };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t done;

	if (nfds > IO_MAX_FDS)
		return -E2BIG;
	if (nfds > 0) {
		struct cmsghdr *c;

		msg.msg_control = ctl.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	do {
		done = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} while (done < 0 && errno == EINTR);
	if (done < 0)
		return -errno;
	return (size_t)done == n ? 0 : -EIO;
}

static size_t take_cmsg_fds(struct cmsghdr *c, int *out_fds, size_t max_fds, size_t have)
{
	size_t nfds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	int fds[IO_MAX_FDS];

	if (nfds > IO_MAX_FDS)
		nfds = IO_MAX_FDS;
	memcpy(fds, CMSG_DATA(c), nfds * sizeof(int));
	for (size_t i = 0; i < nfds; i++) {
		if (have < max_fds)
			out_fds[have++] = fds[i];
		else
			(void)close(fds[i]);
	}
	return have;
}

ssize_t io_recv_fds(int sock, void *data, size_t n, int *out_fds, size_t max_fds, size_t *out_nfds)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * IO_MAX_FDS)];
		struct cmsghdr align;
	} ctl;
	struct iovec iov = { .iov_base = data, .iov_len = n };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = ctl.buf,
		.msg_controllen = sizeof(ctl.buf),
	};
	ssize_t done;
	size_t have = 0;

	do {
		done = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	} while (done < 0 && errno == EINTR);
	if (done < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			have = take_cmsg_fds(c, out_fds, max_fds, have);
	*out_nfds = have;
	return done;
}
