/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_rng - entropy (virtio 1.2 section 5.4). The exemplar: copy it to start a device.
 *
 * Bytes come from the host's getrandom(2), at most RNG_MAX_BYTES per request; a driver that asks for
 * more gets less, as the specification allows. No features, no configuration space.
 */
#include "vmm/virtio_rng.h"

#include <stdlib.h>
#include <sys/random.h>

#define RNG_MAX_BYTES 256u /* cap per request: getrandom() gives this much in one uninterrupted go */

struct virtio_rng {
	struct virtio_dev dev;
	struct chain chain;
};

static void serve(struct chain *c)
{
	uint8_t bytes[RNG_MAX_BYTES];
	size_t n = c->in_left < sizeof(bytes) ? c->in_left : sizeof(bytes);
	ssize_t got = getrandom(bytes, n, GRND_NONBLOCK);

	if (got > 0 && chain_put(c, bytes, (size_t)got) < 0)
		return; /* can't be: n fits */
}

static void rng_notify(struct virtio_dev *dev, unsigned queue)
{
	struct virtio_rng *rng = (struct virtio_rng *)dev;
	unsigned left = VIRTIO_BUDGET;
	int r = 0;

	while (left > 0 && (r = virtq_pop(&dev->q[queue], &rng->chain)) > 0) {
		left--;
		serve(&rng->chain);
		virtq_push(&dev->q[queue], rng->chain.head, (uint32_t)rng->chain.written);
	}
	if (r < 0)
		virtio_broken(dev, "queue");
	virtio_signal(dev, queue);
	if (left == 0)
		virtio_again(dev, queue);
}

static const struct virtio_ops rng_ops = {
	.name = "virtio-rng",
	.id = VIRTIO_ID_RNG,
	.nqueues = 1,
	.queue_size = 8,
	.inline_notify = true,
	.notify = rng_notify,
};

struct virtio_dev *virtio_rng_new(const struct memory *mem)
{
	struct virtio_rng *rng = calloc(1, sizeof(*rng));

	if (!rng)
		return NULL;
	virtio_init(&rng->dev, &rng_ops, mem);
	return &rng->dev;
}
