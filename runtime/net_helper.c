/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_helper - the process that follows a container's network namespace while it lives.
 *
 * It has CAP_NET_ADMIN over that namespace and nothing else, reads nothing but rtnetlink and bytes of the
 * monitor, and ends when the monitor does, having removed the redirects; unless the monitor is killed in a pid namespace
 * of its own, when `delete` sweeps. It holds vmm.lock as long, so
 * that `delete` waits for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/base/proc.h"
#include "runtime/caps.h"
#include "runtime/net.h"
#include "runtime/net_mirror.h"

#define SETTLE_MS 30   /* changes come in groups */
#define SETTLE_MOST 20 /* times SETTLE_MS: an endless group is looked at all the same */
#define DEAF_MS 1000   /* after a failure: what is heard then may be our own tap that came and went */
#define RETRY_MOST_MS 8000
#define NETNS_FILE "netns"

struct helper {
	struct net *net;
	struct nl_sock *watch;
	int watch_fd;
	int fd;	      /* to the monitor */
	bool started; /* changes are followed from the first request on */
	int64_t deaf_until; /* in milliseconds */
	int64_t retry_at;   /* 0: nothing has failed */
	int64_t retry_ms;
};

/* ------------------------------------------------------------------ words to the monitor */

static void note(struct helper *h, const struct net_note *n)
{
	if (send(h->fd, n, sizeof(*n), MSG_NOSIGNAL) < 0)
		return; /* its end is seen by poll */
}

static void note_record(struct helper *h, const struct proto_net *r)
{
	struct net_note n = { .type = NET_NOTE_RECORD, .record = *r };

	note(h, &n);
}

static void note_list(struct helper *h)
{
	struct proto_net mark = { .kind = PROTO_NET_BEGIN };

	note_record(h, &mark);
	for (uint32_t i = 0; i < h->net->n; i++)
		note_record(h, &h->net->list[i]);
	mark.kind = PROTO_NET_END;
	note_record(h, &mark);
}

/* ------------------------------------------------------------------ the loop */

/*
 * An interface that can't be had is tried again with the next change, and after a while: what changed in the second
 * after the failure was not listened to.
 * Return: 0 or -errno with @e. What could be done has been, and is told, in both cases.
 */
static int refresh(struct helper *h, struct err *e)
{
	bool changed;
	int r = net_refresh(h->net, &changed, e);
	int64_t now = clock_ms();

	if (changed)
		note_list(h);
	h->retry_ms = r == 0 ? 0 : h->retry_ms == 0 ? DEAF_MS : 2 * h->retry_ms;
	if (h->retry_ms > RETRY_MOST_MS)
		h->retry_ms = RETRY_MOST_MS;
	h->retry_at = r == 0 ? 0 : now + h->retry_ms;
	h->deaf_until = r == 0 ? 0 : now + DEAF_MS;
	return r;
}

static void on_request(struct helper *h)
{
	struct net_note answer = { .type = NET_NOTE_DONE };
	struct err e = { 0 };

	h->started = true;
	if (refresh(h, &e) < 0) {
		answer.type = NET_NOTE_FAILED;
		answer.code = e.code;
		(void)snprintf(answer.text, sizeof(answer.text), "%.255s", e.msg);
	}
	net_mirror_look(h->net);
	note(h, &answer);
}

static void on_change(struct helper *h)
{
	struct pollfd p = { .fd = h->watch_fd, .events = POLLIN };
	struct err ignored = { 0 };

	netlink_drain(h->watch);
	if (clock_ms() < h->deaf_until)
		return;
	for (int i = 0; i < SETTLE_MOST && poll(&p, 1, SETTLE_MS) > 0; i++)
		netlink_drain(h->watch);
	if (h->started && refresh(h, &ignored) < 0)
		return;
}

_Noreturn static void serve(struct helper *h)
{
	struct pollfd p[2] = { { .fd = h->fd, .events = POLLIN },
			       { .fd = h->watch_fd, .events = POLLIN } };

	for (;;) {
		int64_t left = h->retry_at ? h->retry_at - clock_ms() : -1;
		char byte;

		if (poll(p, 2, h->retry_at && left < 0 ? 0 : (int)left) < 0)
			continue;
		if (p[0].revents) {
			if (recv(h->fd, &byte, 1, MSG_DONTWAIT) != 1)
				break;
			on_request(h);
		}
		if (p[1].revents || (h->retry_at && clock_ms() >= h->retry_at))
			on_change(h);
	}
	net_close(h->net);
	_exit(0);
}

/* ------------------------------------------------------------------ birth */

/* Nothing of the monitor's may stay open here: its lock says that it lives, its sockets that it listens. */
static void close_others(const struct helper *h)
{
	const struct net *n = h->net;
	int keep[] = { h->fd,	      h->watch_fd, netlink_fd(&n->nl), n->vmm_fd,
		       n->dev_net_fd, n->lock_fd,  n->kick_fd, n->place_fd };

	(void)proc_close_others(keep, sizeof(keep) / sizeof(keep[0]));
}

_Noreturn static void helper_main(struct helper *h)
{
	struct err e = { 0 };

	(void)prctl(PR_SET_NAME, "coracle-net");
	h->watch_fd = netlink_watch(&h->watch, &e);
	if (h->watch_fd < 0)
		_exit(1);
	close_others(h);
	if (caps_confine(CAP_NET_ADMIN) < 0)
		_exit(1);
	serve(h);
}

int net_helper_start(struct net *n, struct err *e)
{
	struct helper h = { .net = n };
	int pair[2];
	pid_t pid;

	if (n->mirrored && net_mirror_start(n, e) < 0)
		return -e->code;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "network: socketpair");
	pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		h.fd = pair[1];
		helper_main(&h);
	}
	(void)close(pair[1]);
	if (pid < 0) {
		(void)close(pair[0]);
		return err_sys(e, "network: fork");
	}
	netlink_close(&n->nl);
	own_close_fd(&n->dev_net_fd);
	own_close_fd(&n->vmm_fd);
	own_close_fd(&n->lock_fd);
	own_close_fd(&n->kick_fd);
	own_close_fd(&n->place_fd);
	n->on = false;
	return pair[0];
}

/* ------------------------------------------------------------------ after the fact */

int net_remember(struct statedir *d, const char *netns, struct err *e)
{
	int r = io_replace_file(d->fd, NETNS_FILE, 0600, netns, strlen(netns));

	return r < 0 ? err_set(e, -r, "\"%s/%s/" NETNS_FILE "\": %s", d->root, d->id, strerror(-r)) : 0;
}

static int sweep(const char *netns)
{
	OWN_FD int fd = open(netns, O_RDONLY | O_CLOEXEC);
	struct netlink nl;
	struct err e = { 0 };

	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		return 0; /* gone, and all in it */
	if (netlink_open(&nl, &e) < 0 || netlink_look(&nl, &e) < 0)
		return 0;
	return netlink_sweep(&nl);
}

void net_sweep(struct statedir *d)
{
	OWN_FREE char *netns = NULL;
	int status = 0;
	pid_t pid;

	if (io_read_file(d->fd, NETNS_FILE, 4096, &netns, NULL) < 0)
		return;
	pid = fork(); /* a namespace is left by ending */
	if (pid == 0)
		_exit(sweep(netns) > 0);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status != 0)
		log_debug("delete `%s`: ended redirects that were left in %s", d->id, netns);
}
