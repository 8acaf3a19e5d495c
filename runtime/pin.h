/* SPDX-License-Identifier: Apache-2.0 */
/* pin - the sources of mounts, opened before a new user namespace takes away the right to reach them. */
#ifndef RUNTIME_PIN_H
#define RUNTIME_PIN_H

#include <stdbool.h>

#include "runtime/base/err.h"
#include "runtime/plan.h"

/* Detached copies of one source; -1: there is none, open it by its path. */
struct pin {
	int served; /* for the file server */
	int placed; /* for the tree that engines see */
};

struct pins {
	struct pin *v; /* one for each mount of the plan, or NULL: nothing is pinned */
	size_t n;
};

/*
 * Pin the sources of @p that are there already: @all of them, or those whose owners are to be mapped, since a new
 * user namespace may not do that either. Needs CAP_SYS_ADMIN in our user namespace. On failure @out must be freed as
 * well. Context: the command, before the monitor is born.
 */
int pins_make(const struct plan *p, bool all, struct pins *out, struct err *e) MUST_CHECK;

/* Close what is left in them. */
void pins_free(struct pins *p);

#endif
