/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interrupt - Ctrl-C while a command waits: it undoes what it has begun, and then ends.
 *
 * SIGINT, SIGTERM, SIGHUP and SIGQUIT are held back between interrupt_hold() and interrupt_release(), and
 * noticed by interrupt_wait() alone. Not for threads.
 */
#ifndef RUNTIME_INTERRUPT_H
#define RUNTIME_INTERRUPT_H

#include <signal.h>

#include "runtime/base/err.h"

struct interrupt {
	int fd;
	sigset_t before;
};

int interrupt_hold(struct interrupt *i, struct err *e) MUST_CHECK;

/*
 * Wait until @fd can be read, at most @timeout_ms (-1: for ever). Return: 0, -EINTR when one of the signals came
 * first, or -ETIME. @i of NULL: no signal ends it.
 */
int interrupt_wait(const struct interrupt *i, int fd, int timeout_ms, struct err *e) MUST_CHECK;

/* What came and was not noticed has its effect now. Tolerates one that is not held. */
void interrupt_release(struct interrupt *i);

#endif
