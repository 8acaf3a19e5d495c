/* SPDX-License-Identifier: Apache-2.0 */
/* stream - read and write host descriptors of any kind without ever blocking the loop. */
#include "vmm/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/config.h"

#define BLOCKING_PIECE ((size_t)PIPE_BUF) /* a pipe that polls writable takes this much at once */

static int reopen(int fd, int flags, int proc_self_fd)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%d", fd);
	return openat(proc_self_fd, name,
		      (flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

void stream_init(struct stream *s, int fd, int proc_self_fd)
{
	int flags = fd < 0 ? 0 : fcntl(fd, F_GETFL);
	struct stat st;
	int again;

	*s = (struct stream){ .fd = fd };
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	s->socket = S_ISSOCK(st.st_mode);
	/* only files are always ready; an eventfd or an input device may wait for ever */
	s->pollable = !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode) && !S_ISDIR(st.st_mode);
	if (!s->pollable || s->socket || (!S_ISFIFO(st.st_mode) && (flags & O_NONBLOCK)))
		return;
	/*
	 * To open a device anew may make another one of it: pipes and terminals only. A pipe whose flag is set already may
	 * lose it by another program that shares it.
	 */
	again = S_ISFIFO(st.st_mode) || isatty(fd) ? reopen(fd, flags, proc_self_fd) : -1;
	if (again < 0) {
		s->blocking = !(flags & O_NONBLOCK);
		return;
	}
	(void)close(fd);
	s->fd = again;
}

void stream_adopt(struct stream *s, int fd, uint32_t kind)
{
	*s = (struct stream){
		.fd = kind & VM_FD_PRESENT ? fd : -1,
		.socket = kind & VM_FD_SOCKET,
		.blocking = kind & VM_FD_BLOCKING,
		.pollable = kind & VM_FD_POLLABLE,
	};
}

void stream_close(struct stream *s)
{
	if (s->fd >= 0)
		(void)close(s->fd);
	s->fd = -1;
}

static bool ready(const struct stream *s, short what)
{
	struct pollfd p = { .fd = s->fd, .events = what };

	return poll(&p, 1, 0) > 0;
}

ssize_t stream_readv(struct stream *s, const struct iovec *iov, int n)
{
	ssize_t got;

	if (s->socket) {
		struct msghdr m = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n };

		got = recvmsg(s->fd, &m, MSG_DONTWAIT);
	} else {
		if (s->blocking && !ready(s, POLLIN))
			return -EAGAIN;
		got = readv(s->fd, iov, n);
	}
	if (got < 0 && errno == EINTR)
		return -EAGAIN;
	/* the other side of a pseudo terminal is gone: that is its end */
	if (got < 0 && errno == EIO && !s->socket)
		return 0;
	return got < 0 ? -errno : got;
}

ssize_t stream_writev(struct stream *s, const struct iovec *iov, int n)
{
	ssize_t done;

	if (s->socket) {
		struct msghdr m = { .msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)n };

		done = sendmsg(s->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	} else if (s->blocking) {
		if (!ready(s, POLLOUT))
			return -EAGAIN;
		done = write(s->fd, iov[0].iov_base,
			     iov[0].iov_len < BLOCKING_PIECE ? iov[0].iov_len : BLOCKING_PIECE);
	} else {
		done = writev(s->fd, iov, n);
	}
	if (done < 0 && errno == EINTR)
		return -EAGAIN;
	return done < 0 ? -errno : done;
}
