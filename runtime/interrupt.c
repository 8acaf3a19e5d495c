/* SPDX-License-Identifier: Apache-2.0 */
/* interrupt - Ctrl-C while a command waits: it undoes what it has begun, and then ends. */
#include "runtime/interrupt.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>

#include "runtime/base/own.h"

int interrupt_hold(struct interrupt *i, struct err *e)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigprocmask(SIG_BLOCK, &set, &i->before);
	i->fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (i->fd >= 0)
		return 0;
	(void)sigprocmask(SIG_SETMASK, &i->before, NULL);
	return err_sys(e, "signalfd");
}

int interrupt_wait(const struct interrupt *i, int fd, int timeout_ms, struct err *e)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN }, { .fd = i ? i->fd : -1, .events = POLLIN } };
	struct signalfd_siginfo si;
	int r;

	do
		r = poll(p, 2, timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_sys(e, "poll");
	if (r == 0)
		return err_set(e, ETIME, "nothing came in %d ms", timeout_ms);
	if (p[0].revents || read(i->fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return 0;
	return err_set(e, EINTR, "interrupted by SIG%s", sigabbrev_np((int)si.ssi_signo));
}

void interrupt_release(struct interrupt *i)
{
	if (i->fd < 0)
		return;
	own_close_fd(&i->fd);
	(void)sigprocmask(SIG_SETMASK, &i->before, NULL);
}
