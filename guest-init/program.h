/* SPDX-License-Identifier: Apache-2.0 */
/*
 * program - a PROTO_PROGRAM payload, checked once so that everything after may trust it.
 *
 * Elements of arrays are copied out, since the pool promises no alignment.
 */
#ifndef GUEST_INIT_PROGRAM_H
#define GUEST_INIT_PROGRAM_H

#include <stdbool.h>

#include "guest-init/err.h"
#include "guest-init/proto.h"

struct program {
	struct proto_program head;
	const char *pool;
};

/*
 * program_check - accept a payload or say what is wrong with it
 * @payload: n bytes; must outlive @out_program
 *
 * Afterwards every offset and count in @out_program->head is within the pool, every string ends
 * inside it, kinds and flags are known, destinations are absolute, there is an args[0].
 *
 * Return: 0, or -EPROTO with @e naming the field.
 */
int program_check(const void *payload, size_t n, struct program *out_program, struct err *e);

/* The string at @offset, "" for none. */
const char *program_text(const struct program *p, uint32_t offset);

/* Element @i of an array. */
struct proto_mount program_mount(const struct program *p, uint32_t i);
struct proto_device program_device(const struct program *p, uint32_t i);
struct proto_sysctl program_sysctl(const struct program *p, uint32_t i);
struct proto_cgroup program_cgroup(const struct program *p, uint32_t i);
struct proto_rlimit program_rlimit(const struct program *p, uint32_t i);
struct proto_hook program_hook(const struct program *p, uint32_t i);
struct proto_net program_net(const struct program *p, uint32_t i);
struct proto_fd program_fd(const struct program *p, uint32_t i);

/* Whether a record of the network, from the program or a frame, makes sense by itself. */
bool program_net_ok(const struct proto_net *r);

/* Fill @out with @n pointers to the strings of a list; nothing is put behind them. */
void program_list(const struct program *p, uint32_t offset, uint32_t n, const char **out);

/* Value of the first environment entry called @name, or NULL. */
const char *program_env(const struct program *p, const char *name);

/* Whether a file system of type @fstype is mounted anywhere (@dest NULL) or at @dest. */
bool program_has_fs(const struct program *p, const char *fstype, const char *dest);

#endif
