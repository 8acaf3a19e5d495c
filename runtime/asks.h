/* SPDX-License-Identifier: Apache-2.0 */
/*
 * asks - commands that wait for an answer from the guest or the VMM, kept by the monitor.
 *
 * The monitor never waits with them: a guest that answers nothing only keeps a few descriptors, and the
 * oldest of those make room for new ones.
 */
#ifndef RUNTIME_ASKS_H
#define RUNTIME_ASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-init/proto.h"
#include "runtime/ctl.h"

#define ASKS_MAX 16

struct asks {
	uint32_t seq;
	struct {
		int fd; /* a caller; 0: free */
		uint32_t seq;
	} guest[ASKS_MAX];
	int vmm[ASKS_MAX]; /* callers that wait for a pause or its end; 0: free */
	uint32_t next;
};

/* Pass the question of caller @fd on; @fd is taken over. */
void asks_guest(struct asks *a, int fd, const struct proto_ask *q, int guest_fd);
/* An ANSWER has come: its caller hears it. */
void asks_answered(struct asks *a, const struct proto_event *ev);

/* Stop (@on) or wake the VMM's vCPUs for caller @fd, which is taken over. */
void asks_pause(struct asks *a, int fd, bool on, int control_fd);
void asks_paused(struct asks *a);

#endif
