/* SPDX-License-Identifier: Apache-2.0 */
/* ctl - what commands say to a container's monitor: fixed records over ROOT/ID/ctl.sock. */
#include "runtime/ctl.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/own.h"

#define CONNECT_S 5 /* for a monitor to let us in: one that is well does at once */
#define NO_ANSWER "the container's monitor does not answer"

int ctl_listen(struct statedir *d, struct err *e)
{
	OWN_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const struct sockaddr_un a = io_unix_address(d->fd, "/ctl.sock");

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 16) < 0)
		return err_sys(e, "listen on \"%s/%s/ctl.sock\"", d->root, d->id);
	return take_fd(&fd);
}

uid_t ctl_maker(int fd)
{
	struct ucred who;
	socklen_t n = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0 ? geteuid() : who.uid;
}

int ctl_accept(int listen_fd, uid_t owner)
{
	OWN_FD int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct ucred who;
	socklen_t n = sizeof(who);

	if (fd < 0)
		return -errno;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0)
		return -errno;
	/* our user namespace shows real root as the overflow id: the directory's mode keeps others out */
	if (who.uid != owner && who.uid != geteuid() && who.uid != 0 && who.uid != 65534)
		return -EPERM;
	return take_fd(&fd);
}

void ctl_answer(int fd, int code, const void *text, size_t n)
{
	struct ctl_reply r = { .code = code };

	memcpy(r.text, text, n < sizeof(r.text) ? n : sizeof(r.text));
	(void)!send(fd, &r, sizeof(r), MSG_NOSIGNAL | MSG_DONTWAIT); /* it may have left */
}

pid_t ctl_peer(struct statedir *d)
{
	OWN_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const struct sockaddr_un a = io_unix_address(d->fd, "/ctl.sock");
	struct ucred who;
	socklen_t n = sizeof(who);

	if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) < 0 || who.pid <= 0)
		return -ESRCH;
	return who.pid;
}

int ctl_connect(struct statedir *d, struct err *e)
{
	const struct timeval limit = { .tv_sec = CONNECT_S };
	OWN_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	const struct sockaddr_un a = io_unix_address(d->fd, "/ctl.sock");

	if (fd < 0)
		return err_sys(e, "socket");
	/* where seventeen wait already, the next would wait for ever */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return err_sys(e, "socket");
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return errno == EAGAIN ? err_set(e, ETIMEDOUT, NO_ANSWER) :
					 err_set(e, ESRCH, "container not running");
	return take_fd(&fd);
}

/* Send @req of @n bytes and receive the answer, of up to @cap. Return: its length, or -errno with @e. */
static ssize_t ask(struct statedir *d, const void *req, size_t n, int timeout_ms, void *answer,
		   size_t cap, struct err *e)
{
	OWN_FD int fd = ctl_connect(d, e);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t got;

	if (fd < 0)
		return fd;
	if (send(fd, req, n, MSG_NOSIGNAL) < 0)
		return err_set(e, ESRCH, "container not running");
	if (poll(&p, 1, timeout_ms) == 0)
		return err_set(e, ETIMEDOUT, NO_ANSWER);
	got = recv(fd, answer, cap, 0);
	return got > 0 ? got : err_set(e, ESRCH, "container not running");
}

int ctl_pids(struct statedir *d, int timeout_ms, struct ctl_pids *out, struct err *e)
{
	struct ctl_request req = { .op = CTL_PIDS };
	ssize_t n = ask(d, &req, sizeof(req), timeout_ms, out, sizeof(*out), e);

	if (n < 0)
		return (int)n;
	if (n != (ssize_t)sizeof(*out) || out->n > CTL_MAX_PIDS)
		return err_set(e, EPROTO, "the container's monitor is of another version");
	return 0;
}

int ctl_ask(struct statedir *d, const struct ctl_request *req, int timeout_ms, struct err *e)
{
	struct ctl_reply reply = { 0 };
	ssize_t n = ask(d, req, sizeof(*req), timeout_ms, &reply, sizeof(reply), e);

	if (n < 0)
		return (int)n;
	if (n != (ssize_t)sizeof(reply))
		return err_set(e, ESRCH, "container not running");
	reply.text[sizeof(reply.text) - 1] = '\0';
	return reply.code ? err_set(e, reply.code, "%s", reply.text) : 0;
}

int ctl_ask_guest(struct statedir *d, const struct proto_ask *q, int timeout_ms,
		  struct ctl_reply *out, struct err *e)
{
	struct ctl_ask req = { .op = CTL_ASK, .ask = *q };
	ssize_t n = ask(d, &req, sizeof(req), timeout_ms, out, sizeof(*out), e);

	if (n < 0)
		return (int)n;
	if (n != (ssize_t)sizeof(*out))
		return err_set(e, ESRCH, "container not running");
	if (out->code == 0)
		return 0;
	out->text[sizeof(out->text) - 1] = '\0';
	for (char *c = out->text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return err_set(e, out->code > 0 && out->code < 4096 ? out->code : EIO, "%s", out->text);
}
