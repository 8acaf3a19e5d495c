/* SPDX-License-Identifier: Apache-2.0 */
/* passed - descriptors that the caller gives to a process besides 0 to 2. */
#ifndef GUEST_INIT_PASSED_H
#define GUEST_INIT_PASSED_H

#include "guest-init/err.h"
#include "guest-init/program.h"
#include "guest-init/sockets.h"

/* The process's ends, not yet at their numbers; -1: none. */
struct passed {
	int fd[PROTO_MAX_FDS];
};

void passed_init(struct passed *p);
void passed_close(struct passed *p);

/* Make what the first process is given. Return: 0, or -errno with @e; what has been made is in @out. */
int passed_first(struct passed *out, const struct program *p, struct sockets *s, struct err *e);

/* The same for a further one, of which only @x is known yet. */
int passed_exec(struct passed *out, const struct proto_exec *x, struct sockets *s, struct err *e);

/* How many @x announces. */
uint32_t passed_count(const struct proto_exec *x);

/* In the child, still with its privileges: let the user open them anew, below /dev/fd. */
void passed_own(const struct passed *p, uint32_t uid, uint32_t gid);

/*
 * In the child, last of all: put each at its number, whatever is there. @keep: a descriptor that gets
 * out of their way. Return: 0, or -errno with @e.
 */
int passed_place(struct passed *p, const struct program *program, int *keep, struct err *e);

/* Somebody has connected on the host to descriptor @x's token: connect to ours. */
void passed_connected(const struct program *p, struct sockets *s, const struct proto_exec *x);

#endif
