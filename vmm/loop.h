/* SPDX-License-Identifier: Apache-2.0 */
/* loop - epoll: one callback per descriptor, on the thread that runs the loop. */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <stdint.h>

#include "runtime/base/err.h"

/* Belongs to whoever embeds it; must outlive its registration. */
struct event {
	int fd;
	uint32_t ready; /* EPOLLIN ..., as told to the callback */
	void (*on_ready)(struct event *ev);
};

struct loop {
	int epoll_fd;
};

int loop_init(struct loop *l, struct err *e) MUST_CHECK;

/* Register @ev for EPOLL* @events. Return: 0 or -errno (-EPERM: not pollable). */
int loop_add(struct loop *l, struct event *ev, uint32_t events) MUST_CHECK;
void loop_remove(struct loop *l, struct event *ev);

/* Serve events for ever. */
_Noreturn void loop_run(struct loop *l);

#endif
