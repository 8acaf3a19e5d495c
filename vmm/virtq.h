/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtq - the device side of a split virtqueue (virtio 1.2 section 2.7); the only code that touches one.
 *
 * Devices see chains: never a descriptor, an index or a guest address. A queue that breaks the rules is
 * dead until the device is reset: virtq_pop() answers -EBADMSG from then on.
 */
#ifndef VMM_VIRTQ_H
#define VMM_VIRTQ_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/chain.h"
#include "vmm/memory.h"

/* A queue's state, complete: addresses are the guest's, pointers are made from them by virtq_enable(). */
struct virtq {
	const struct memory *mem;
	uint16_t max_size; /* offered; a power of two, at most CHAIN_MAX_IOV */
	uint16_t size;	   /* chosen by the driver */
	bool enabled;
	bool broken;
	bool event_idx; /* VIRTIO_F_EVENT_IDX negotiated */
	gpa_t desc_gpa;
	gpa_t avail_gpa;
	gpa_t used_gpa;
	uint16_t last_avail; /* next entry of the available ring to look at */
	uint16_t used_idx;
	uint16_t signalled_used; /* used index when the driver was last asked for a signal */
	bool signalled_valid;
	uint8_t *desc;
	uint8_t *avail;
	uint8_t *used;
};

void virtq_init(struct virtq *q, const struct memory *mem, uint16_t max_size);
void virtq_reset(struct virtq *q);

/* Check size and addresses and make the queue live. Return: 0 or -EINVAL (left disabled). */
int virtq_enable(struct virtq *q) MUST_CHECK;

/*
 * Take the next request. Return: 1; 0 when there is none (the driver has been asked to notify again);
 * -EBADMSG when the queue is broken. All memory of the chain has been checked to be guest RAM.
 * Context: one thread at a time per queue.
 */
int virtq_pop(struct virtq *q, struct chain *c) MUST_CHECK;

/* Give a request back; @written bytes were put into its writable part. */
void virtq_push(struct virtq *q, uint16_t head, uint32_t written);

/* The same in two steps, for requests that the driver must see all at once. */
void virtq_add_used(struct virtq *q, uint16_t head, uint32_t written);
void virtq_publish(struct virtq *q);

/* After a batch of pushes: does the driver want an interrupt? */
bool virtq_needs_signal(struct virtq *q);

#endif
