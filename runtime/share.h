/* SPDX-License-Identifier: Apache-2.0 */
/* share - pin the source of each mount and make the place where it goes. */
#ifndef RUNTIME_SHARE_H
#define RUNTIME_SHARE_H

#include "runtime/pin.h"
#include "runtime/plan.h"
#include "runtime/sandbox.h"

/*
 * Add one mount to the container's tree and, when it is a share, to those for the VMM. @pin: copies of its
 * source that were made early; they are used up.
 * Return: 0; an error names the JSON path. Context: the monitor, in its own mount namespace.
 */
int share_add(const struct plan *p, const struct plan_mount *m, struct pin *pin, struct sandbox *s,
	      struct err *e) MUST_CHECK;

#endif
