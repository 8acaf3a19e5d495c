/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio - what all devices share: features, status, queues, interrupts (virtio 1.2 sections 2 and 3).
 *
 * DOC: threads
 *
 * Registers are touched by vCPU threads, queues by whichever thread serves them. dev->lock covers the
 * struct and its rings. A device's notify() is called with the lock held: on the loop thread (after an
 * ioeventfd, or an exit that wakes it) or, for a device with `inline_notify`, on the vCPU thread inside the exit.
 *
 * A guest with several CPUs can fill a ring as fast as it is emptied. So notify() serves VIRTIO_BUDGET
 * requests at most and asks by virtio_again() to be called once more, on the loop thread, after all
 * others that wait there.
 */
#ifndef VMM_VIRTIO_H
#define VMM_VIRTIO_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/loop.h"
#include "vmm/virtq.h"

#define VIRTIO_MAX_QUEUES 4
#define VIRTIO_MAX_CONFIG 64 /* bytes of device configuration space */
#define VIRTIO_BUDGET 64     /* cap: requests served for one notification, then others get their turn */

#define VIRTIO_ID_NET 1u
#define VIRTIO_ID_CONSOLE 3u
#define VIRTIO_ID_RNG 4u
#define VIRTIO_ID_BALLOON 5u
#define VIRTIO_ID_VSOCK 19u
#define VIRTIO_ID_FS 26u

#define VIRTIO_F_INDIRECT_DESC (1ull << 28)
#define VIRTIO_F_EVENT_IDX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)

#define VIRTIO_STATUS_DRIVER_OK 4u
#define VIRTIO_STATUS_FEATURES_OK 8u
#define VIRTIO_STATUS_NEEDS_RESET 64u

#define VIRTIO_INT_USED 1u
#define VIRTIO_INT_CONFIG 2u

struct virtio_dev;

struct virtio_ops {
	const char *name;     /* for logs */
	uint32_t id;	      /* virtio 1.2 section 5 */
	uint64_t features;    /* offered besides VERSION_1, INDIRECT_DESC and EVENT_IDX */
	uint16_t nqueues;
	uint16_t queue_size;
	size_t config_size;   /* bytes of dev->config in use */
	bool inline_notify;   /* serve notifications on the vCPU thread */
	uint32_t ioeventfds;  /* bit per queue that is notified often: adding an ioeventfd waits for all of KVM's readers */
	/* Requests may wait in @queue. Context: dev->lock held. */
	void (*notify)(struct virtio_dev *dev, unsigned queue);
	/*
	 * Forget the driver. Context: dev->lock held; may wait with it released: registers don't
	 * change meanwhile. May be NULL.
	 */
	void (*reset)(struct virtio_dev *dev);
};

struct virtio_dev {
	const struct virtio_ops *ops;
	pthread_mutex_t lock;
	uint64_t driver_features;
	uint32_t device_features_sel;
	uint32_t driver_features_sel;
	uint32_t queue_sel;
	uint32_t status;
	uint32_t interrupt_status;
	uint32_t generation; /* counts resets: work begun before one is dropped after it */
	uint32_t config_generation; /* counts changes of config */
	bool complained;     /* one line per device about a broken driver */
	int irq_fd;	     /* eventfd bound to the interrupt line */
	bool resetting;	     /* reset() is under way and may have let go of the lock */
	struct event kick[VIRTIO_MAX_QUEUES]; /* wake the loop for a queue */
	struct virtq q[VIRTIO_MAX_QUEUES];
	uint8_t config[VIRTIO_MAX_CONFIG];
};

void virtio_init(struct virtio_dev *dev, const struct virtio_ops *ops, const struct memory *mem);

/* Back to the state after power-on; nothing of before is written by us once it returns. Context: lock held. */
void virtio_reset(struct virtio_dev *dev);

static inline bool virtio_live(const struct virtio_dev *dev)
{
	return (dev->status & VIRTIO_STATUS_DRIVER_OK) &&
	       !(dev->status & VIRTIO_STATUS_NEEDS_RESET);
}

/* Have notify() called for @queue on the loop thread. Context: any thread. */
void virtio_again(struct virtio_dev *dev, unsigned queue);

/* Interrupt the driver if it asked for that. Context: dev->lock held. */
void virtio_signal(struct virtio_dev *dev, unsigned queue);

/* dev->config has changed: tell a driver that is there. Context: dev->lock held. */
void virtio_config_changed(struct virtio_dev *dev);

/* The driver broke the rules: say so once, demand a reset, serve it no more. Context: lock held. */
void virtio_broken(struct virtio_dev *dev, const char *what);

#endif
