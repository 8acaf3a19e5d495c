/* SPDX-License-Identifier: Apache-2.0 */
/* err - what went wrong, as the one line the host will show. */
#ifndef GUEST_INIT_ERR_H
#define GUEST_INIT_ERR_H

#include "guest-init/proto.h"

/* Lives on the caller's stack; outermost context first. */
struct err {
	int code; /* positive errno */
	char text[PROTO_TEXT];
};

/* Set the text as given. Return: -@code. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/*
 * Set the text followed by the words for @rc, a system call's negative result.
 * Return: @rc.
 */
int err_sys(struct err *e, long rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The C library's words for an errno: engines look for them in our messages. */
const char *err_words(int code);

#endif
