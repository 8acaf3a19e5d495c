/* SPDX-License-Identifier: Apache-2.0 */
/* loop - epoll: one callback per descriptor, on the thread that runs the loop. */
#include "vmm/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

int loop_init(struct loop *l, struct err *e)
{
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return l->epoll_fd < 0 ? err_sys(e, "epoll_create1") : 0;
}

int loop_add(struct loop *l, struct event *ev, uint32_t events)
{
	struct epoll_event ee = { .events = events, .data.ptr = ev };

	return epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, ev->fd, &ee) < 0 ? -errno : 0;
}

void loop_remove(struct loop *l, struct event *ev)
{
	(void)epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, ev->fd, NULL);
}

/*
 * One event per wait: a callback may remove another event, which a batch would then still deliver.
 */
_Noreturn void loop_run(struct loop *l)
{
	for (;;) {
		struct epoll_event ee;
		int n = epoll_wait(l->epoll_fd, &ee, 1, -1);

		if (n < 0 && errno != EINTR)
			abort();
		if (n > 0) {
			struct event *ev = ee.data.ptr;

			ev->ready = ee.events;
			ev->on_ready(ev);
		}
	}
}
