/* SPDX-License-Identifier: Apache-2.0 */
/* thread - a thread of the VMM's, with a stack of one size. */
#include "vmm/thread.h"

#define STACK_BYTES (256u << 10)

int thread_start(pthread_t *out, void *(*main)(void *), void *arg)
{
	pthread_attr_t attr;
	int r;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = pthread_create(out, &attr, main, arg);
	(void)pthread_attr_destroy(&attr);
	return -r;
}
