/* SPDX-License-Identifier: Apache-2.0 */
/* idmap - write the id maps of a child's new user namespace. */
#ifndef RUNTIME_IDMAP_H
#define RUNTIME_IDMAP_H

#include <sys/types.h>

#include "runtime/base/err.h"
#include "runtime/plan.h"

/*
 * Map the plan's ids for @pid, which waits. Directly where the
 * kernel lets us (root, or our own single id), else through newuidmap and newgidmap.
 */
int idmap_write(pid_t pid, const struct plan *p, struct err *e) MUST_CHECK;

#endif
