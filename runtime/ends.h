/* SPDX-License-Identifier: Apache-2.0 */
/* ends - descriptors of the caller's as the VMM wants them: one for each direction, and what it is. */
#ifndef RUNTIME_ENDS_H
#define RUNTIME_ENDS_H

#include <stdint.h>

#include "runtime/base/err.h"

/*
 * A copy of @fd for the VMM. A pipe or terminal is opened anew, so that O_NONBLOCK is ours alone: the flag of a
 * shared open file would surprise its other users. The VMM can't do it any more.
 * @out_kind: VM_FD_*. Return: a descriptor or -errno.
 */
int ends_duplicate(int fd, uint32_t *out_kind) MUST_CHECK;

#endif
