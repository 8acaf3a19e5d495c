/* SPDX-License-Identifier: Apache-2.0 */
/* ps - the processes of a container as a table, for a guest whose image may have no ps. */
#ifndef GUEST_INIT_PS_H
#define GUEST_INIT_PS_H

#include <stdbool.h>

#include "guest-init/container.h"

/* What a line is made of. */
struct ps_stat {
	char comm[64];
	uint64_t ppid;
	uint64_t tty;	/* major 8 bits from bit 8 on, minor the rest, as proc_pid_stat(5) */
	uint64_t ticks; /* user and system time, hundredths of a second */
	uint64_t start; /* hundredths of a second since boot */
};

/* Take a /proc/PID/stat apart; pure. Return: false when it is none. */
bool ps_parse(const char *text, struct ps_stat *out);

/*
 * Print the processes of the pid namespace we are in, but for ourselves, to @c's stdout, in the columns
 * of `ps -ef`; user names are numbers, since the image's may mean anything.
 * Return: 0, or -errno with @e set.
 */
int ps_print(struct container *c, struct err *e);

#endif
