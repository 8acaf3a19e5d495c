/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause - stop all vCPUs between two instructions of the guest, and let them go on.
 *
 * The loop asks; each vCPU thread parks at its next pause_point(); the last one to park says so through
 * an event of the loop. Devices go on, but nobody in the guest sees it.
 */
#ifndef VMM_PAUSE_H
#define VMM_PAUSE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/err.h"
#include "vmm/loop.h"

struct vcpu;

struct pause {
	struct vcpu *vcpus;
	uint32_t n;
	pthread_mutex_t lock;
	pthread_cond_t go;
	bool wanted;	     /* read by vCPU threads without the lock */
	uint32_t parked;     /* under the lock */
	bool told;	     /* under the lock: that all are, for the last pause_ask() */
	struct event parked_all; /* its on_ready is the caller's: call pause_done() there */
};

/* Before the threads start. @on_paused: on the loop, once after each pause_ask(). */
int pause_init(struct pause *p, struct vcpu *vcpus, uint32_t n, struct loop *l,
	       void (*on_paused)(struct event *ev), struct err *e) MUST_CHECK;

/* Context: the loop. Asked twice they are harmless. */
void pause_ask(struct pause *p);
void pause_end(struct pause *p);
/* Take the event. Return: are all vCPUs parked? */
bool pause_done(struct pause *p);

/* Context: a vCPU's thread, before it enters the guest. Comes back when it may. */
void pause_point(struct pause *p, struct vcpu *v);

#endif
