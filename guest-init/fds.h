/* SPDX-License-Identifier: Apache-2.0 */
/* fds - descriptors that a new process must not hold. */
#ifndef GUEST_INIT_FDS_H
#define GUEST_INIT_FDS_H

#include <stddef.h>

/* Close all from 3 on but the @n of @keep, in any order; negative ones mean nothing. */
void fds_close_others(const int *keep, size_t n);

#endif
