/* SPDX-License-Identifier: Apache-2.0 */
/* err - one failure, described in one line, on the caller's stack. */
#include "runtime/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A failure is one line wherever its words came from: control characters become '?'. */
static void one_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

int err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	one_line(e->msg);
	e->code = code;
	return -code;
}

int err_sys(struct err *e, const char *fmt, ...)
{
	int code = errno;
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	(void)vsnprintf(e->msg, sizeof(e->msg), fmt, ap);
	va_end(ap);
	n = strlen(e->msg);
	(void)snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", strerror(code));
	one_line(e->msg);
	e->code = code;
	return -code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char head[sizeof(e->msg)];
	char tail[sizeof(e->msg)];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	(void)vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);
	memcpy(tail, e->msg, sizeof(tail));
	n = strlen(head);
	memcpy(e->msg, head, n + 1);
	(void)snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", tail);
	one_line(e->msg);
	return -e->code;
}
