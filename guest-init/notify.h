/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify - the container's socket for sd_notify(3): what is said there reaches the host as NOTIFY events.
 *
 * The socket is made in the init's own root and put over its place in the container. Descriptors that come
 * with a message are closed, which is what a barrier waits for. What does not fit an event is cut at the
 * end of a line. A container that talks too much is made to wait: its writers block.
 */
#ifndef GUEST_INIT_NOTIFY_H
#define GUEST_INIT_NOTIFY_H

#include "guest-init/container.h"

struct pollfd;

struct notify {
	int sock;	    /* -1: none */
	unsigned sent;	    /* in this second */
	uint64_t second_ns; /* when it began */
};

/* Make the socket if the program wants one. Return: 0, or -errno with @e set. */
int notify_open(struct notify *n, const struct program *p, struct err *e);

/* In the child, when everything is mounted: put it into its place. Return: 0, or -errno with @e set. */
int notify_place(struct container *c, struct err *e);

/* What to wait for, and for how long at most: @timeout_ms is lowered when that is sooner. */
struct pollfd notify_poll(struct notify *n, int *timeout_ms);

/* Pass on what has come. Return: 0, or -errno of the channel. */
int notify_run(struct notify *n, int control);

#endif
