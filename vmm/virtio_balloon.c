/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_balloon - memory that the guest has freed goes back to the host (virtio 1.2 section 5.5).
 *
 * DOC: what is served
 *
 * Free page reporting (5.5.6.7): the driver lends blocks of free pages as writable buffers, we drop what is
 * behind them and give them back; what the guest touches again is fresh. Nothing of a report is believed
 * but its addresses, which virtq_pop() has checked to be RAM: a guest that reports memory in use loses its
 * own data. A report may be cut at BALLOON_MAX_RANGES, which is what Linux sends at most.
 *
 * The balloon itself stays empty: we never ask for pages (num_pages is 0), so there is nothing to deflate
 * when memory is short, and neither VIRTIO_BALLOON_F_DEFLATE_ON_OOM nor statistics are offered. Requests on
 * these two queues are given back unread. Without VIRTIO_BALLOON_F_PAGE_POISON a driver whose kernel
 * relies on the contents of free pages does not report.
 */
#include "vmm/virtio_balloon.h"

#include <stdlib.h>

#define BALLOON_F_REPORTING (1ull << 5)
#define BALLOON_REPORTING 2u  /* queues that are not offered have no number: inflate, deflate, reporting */
#define BALLOON_BUDGET 8u     /* cap: reports of a turn; each may be some milliseconds of work */
#define BALLOON_MAX_RANGES 32u /* Linux PAGE_REPORTING_CAPACITY */

struct virtio_balloon {
	struct virtio_dev dev;
	struct chain chain;
};

static void serve(struct virtio_balloon *b)
{
	const struct chain *c = &b->chain;
	unsigned n = c->n_in < BALLOON_MAX_RANGES ? c->n_in : BALLOON_MAX_RANGES;

	for (unsigned i = c->n_out; i < c->n_out + n; i++)
		memory_discard(c->iov[i].iov_base, c->iov[i].iov_len);
}

static void balloon_notify(struct virtio_dev *dev, unsigned queue)
{
	struct virtio_balloon *b = (struct virtio_balloon *)dev;
	unsigned left = BALLOON_BUDGET;
	int r = 0;

	while (left > 0 && (r = virtq_pop(&dev->q[queue], &b->chain)) > 0) {
		left--;
		if (queue == BALLOON_REPORTING)
			serve(b);
		virtq_push(&dev->q[queue], b->chain.head, 0);
	}
	if (r < 0)
		virtio_broken(dev, "queue");
	virtio_signal(dev, queue);
	if (left == 0)
		virtio_again(dev, queue);
}

static const struct virtio_ops balloon_ops = {
	.name = "virtio-balloon",
	.id = VIRTIO_ID_BALLOON,
	.features = BALLOON_F_REPORTING,
	.nqueues = 3,
	.queue_size = 32,
	.config_size = 8, /* num_pages, actual: both 0 */
	.notify = balloon_notify,
};

struct virtio_dev *virtio_balloon_new(const struct memory *mem)
{
	struct virtio_balloon *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	virtio_init(&b->dev, &balloon_ops, mem);
	return &b->dev;
}
