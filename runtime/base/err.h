/* SPDX-License-Identifier: Apache-2.0 */
/*
 * err - one failure, described in one line, on the caller's stack.
 *
 * A function that can fail for the world's reasons takes `struct err *e` last and returns 0 or
 * -errno. The text grows outwards: the innermost call sets it, each caller may prefix its context.
 * Only main(), cmd_*() and thread entries print it.
 */
#ifndef RUNTIME_BASE_ERR_H
#define RUNTIME_BASE_ERR_H

#include <stddef.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

struct err {
	int code;	/* a positive errno value; 0 = nothing happened */
	char msg[1024]; /* one line, outermost context first, without a newline */
};

/* Set @e to @code (a positive errno) and the formatted text. Return: -code. */
int err_set(struct err *e, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* As err_set() with errno, and ": strerror" appended. Call right after the failing call. */
int err_sys(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Put "text: " before what @e already says. Return: -e->code. */
int err_wrap(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
