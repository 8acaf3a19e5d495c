/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sockets - streams of the host that are the container's: connections to mounted sockets, passed descriptors.
 *
 * DOC: who may connect
 *
 * The server sees the monitor as its peer, and the VMM as who sends datagrams: our user, no capabilities. Inside
 * the container the mode and owner of the socket decide, as they do on the host. Descriptors can't be passed.
 * Datagrams go to the server only.
 */
#include "runtime/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "runtime/frames.h"
#include "runtime/label.h"

#define SOCKET (VM_FD_PRESENT | VM_FD_SOCKET | VM_FD_POLLABLE) /* as vm_ends say it */

static void refuse(int guest_fd, uint32_t token)
{
	struct proto_exec x = { .flags = PROTO_EXEC_SOCKET | token << PROTO_EXEC_TOKEN_SHIFT };

	/* never waits for the guest: one that reads nothing waits for its own answer in vain */
	if (frames_send(guest_fd, PROTO_EXEC, &x, sizeof(x)) < 0)
		return;
}

/* It is the container that connects: a policy sees its label. */
static int labelled_socket(const struct sandbox *s, int type)
{
	struct err ignored = { 0 };
	OWN_FD int fd = -1;

	if (s->label_fd >= 0 && label_set(s->label_fd, s->label, &ignored) < 0)
		return -1;
	fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->label_fd >= 0 && label_set(s->label_fd, "", &ignored) < 0)
		return -1;
	return take_fd(&fd);
}

/* Our root is the container's by now: the pinned socket is reached below our own descriptors. */
static int connect_to(const struct sandbox *s, int pinned, int type)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	OWN_FD int fd = labelled_socket(s, type);
	int r = 0;

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%d", pinned);
	if (fd < 0 || fchdir(s->own_fds) < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		r = -errno; /* also when its queue is full */
	if (chdir("/") < 0 || r < 0)
		return r < 0 ? r : -errno;
	return take_fd(&fd);
}

/* @channel: the first port's end at the VMM. */
static int hand_over(int control_fd, struct vm_command *c, int channel, int in, int out)
{
	/* a descriptor for each direction, as epoll wants them */
	OWN_FD int channel_out = fcntl(channel, F_DUPFD_CLOEXEC, 3);
	int fds[4] = { channel, channel_out };
	size_t n = 2;

	if (channel_out < 0)
		return -errno;
	c->type = VM_COMMAND_EXEC;
	c->ends[0] = (struct vm_ends){ SOCKET, SOCKET };
	if (in >= 0)
		fds[n++] = in;
	if (out >= 0)
		fds[n++] = out;
	return io_send_fds(control_fd, c, sizeof(*c), fds, n);
}

void sockets_give(struct sockets *s, struct execs *x, const struct vm_ends *ends, int in, int out,
		  uint32_t token, uint32_t more, int control_fd, int guest_fd)
{
	struct vm_command c = {
		.flags = PROTO_EXEC_SOCKET | more | token << PROTO_EXEC_TOKEN_SHIFT,
		.ends = { { 0 }, *ends },
	};
	int r = s->n == SOCKETS_MOST ? -EAGAIN : 0;
	int pair[2] = { -1, -1 };

	if (r == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		r = -errno;
	if (r == 0)
		r = execs_new_ports(x, &c);
	if (r == 0)
		r = hand_over(control_fd, &c, pair[1], in, out);
	if (r == 0) {
		s->v[s->n].fd = take_fd(&pair[0]);
		s->v[s->n].asked = !more;
		s->v[s->n++].token = token;
	} else if (!more) {
		refuse(guest_fd, token);
	}
	own_close_fd(&pair[0]);
	own_close_fd(&pair[1]);
}

/* Both directions of the socket @fd. */
static void give_socket(struct sockets *s, struct execs *x, int fd, uint32_t token, uint32_t more,
			int control_fd, int guest_fd)
{
	const struct vm_ends ends = { SOCKET, SOCKET | VM_FD_DUPLEX };
	OWN_FD int out = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (out >= 0)
		sockets_give(s, x, &ends, fd, out, token, more, control_fd, guest_fd);
	else if (!more)
		refuse(guest_fd, token);
}

void sockets_connect(struct sockets *s, const struct sandbox *sandbox, struct execs *x,
		     const struct proto_event *ev, int control_fd, int guest_fd)
{
	static const struct vm_ends one_way = { 0, SOCKET | VM_FD_DATAGRAMS };
	const uint32_t token = ev->signal % PROTO_TOKENS;
	bool datagrams = false;
	OWN_FD int fd = -1;

	if (ev->code >= 0 && (uint32_t)ev->code < sandbox->n_sockets) {
		datagrams = sandbox->socket_datagrams[ev->code];
		fd = connect_to(sandbox, sandbox->socket_fds[ev->code],
				datagrams ? SOCK_DGRAM : SOCK_STREAM);
	}
	if (fd < 0)
		refuse(guest_fd, token);
	else if (datagrams)
		sockets_give(s, x, &one_way, -1, fd, token, 0, control_fd, guest_fd);
	else
		give_socket(s, x, fd, token, 0, control_fd, guest_fd);
}

void sockets_accept(struct sockets *s, struct execs *x, int listen_fd, uint32_t i, int control_fd,
		    int guest_fd)
{
	OWN_FD int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd >= 0)
		give_socket(s, x, fd, i, PROTO_EXEC_LISTEN, control_fd, guest_fd);
}

unsigned sockets_polls(const struct sockets *s, struct pollfd *out)
{
	for (uint32_t i = 0; i < s->n; i++)
		out[i] = (struct pollfd){ .fd = s->v[i].fd, .events = POLLIN };
	return s->n;
}

void sockets_run(struct sockets *s, const struct pollfd *polls, int guest_fd)
{
	char words[2];

	/* backwards: the last takes the place of one that goes */
	for (uint32_t i = s->n; i-- > 0;) {
		if (polls[i].revents == 0)
			continue;
		/* the VMM explains why it can't; the guest says by one byte that it has sent all */
		if (recv(s->v[i].fd, words, sizeof(words), MSG_DONTWAIT) > 1 && s->v[i].asked)
			refuse(guest_fd, s->v[i].token);
		(void)close(s->v[i].fd);
		s->v[i] = s->v[--s->n];
	}
}
