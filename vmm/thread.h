/* SPDX-License-Identifier: Apache-2.0 */
/* thread - a thread of the VMM's, with a stack of one size: who ends early leaves his to a later one. */
#ifndef VMM_THREAD_H
#define VMM_THREAD_H

#include <pthread.h>

#include "runtime/base/err.h"

/* Return: 0, with @out set, or -errno. */
int thread_start(pthread_t *out, void *(*main)(void *), void *arg) MUST_CHECK;

#endif
