/* SPDX-License-Identifier: Apache-2.0 */
/* own - scoped ownership: what a variable holds is released when it goes out of scope. */
#ifndef RUNTIME_BASE_OWN_H
#define RUNTIME_BASE_OWN_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define OWN(release) __attribute__((cleanup(release)))

/* Release helpers keep errno, so that `return err_sys(...)` may follow any scope exit. */
static inline void own_close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}

static inline void own_free(void *p)
{
	free(*(void **)p);
	*(void **)p = NULL;
}

#define OWN_FD OWN(own_close_fd)
#define OWN_FREE OWN(own_free)

/* Hand a pointer over: the owner keeps NULL. */
#define TAKE(p)                               \
	({                                    \
		__typeof__(*(p)) took_ = *(p); \
		*(p) = NULL;                  \
		took_;                        \
	})

/* Hand a descriptor over: the owner keeps -1. */
static inline int take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
