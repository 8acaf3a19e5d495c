/* SPDX-License-Identifier: Apache-2.0 */
/* virtio - what all devices share: features, status, queues, interrupts. */
#include "vmm/virtio.h"

#include <string.h>
#include <unistd.h>

#include "runtime/base/log.h"

void virtio_init(struct virtio_dev *dev, const struct virtio_ops *ops, const struct memory *mem)
{
	dev->ops = ops;
	dev->irq_fd = -1;
	(void)pthread_mutex_init(&dev->lock, NULL);
	for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
		dev->kick[i].fd = -1;
		virtq_init(&dev->q[i], mem, ops->queue_size);
	}
}

void virtio_reset(struct virtio_dev *dev)
{
	if (dev->resetting)
		return;
	dev->resetting = true;
	dev->driver_features = 0;
	dev->device_features_sel = 0;
	dev->driver_features_sel = 0;
	dev->queue_sel = 0;
	dev->status = 0;
	__atomic_store_n(&dev->interrupt_status, 0, __ATOMIC_SEQ_CST);
	dev->generation++;
	for (unsigned i = 0; i < dev->ops->nqueues; i++)
		virtq_reset(&dev->q[i]);
	if (dev->ops->reset)
		dev->ops->reset(dev);
	dev->resetting = false;
}

void virtio_again(struct virtio_dev *dev, unsigned queue)
{
	uint64_t one = 1;

	/* fails only when the count would overflow: the loop is about to wake then */
	if (write(dev->kick[queue].fd, &one, sizeof(one)) < 0)
		return;
}

static void raise_irq(struct virtio_dev *dev, uint32_t why)
{
	uint64_t one = 1;

	__atomic_fetch_or(&dev->interrupt_status, why, __ATOMIC_SEQ_CST);
	/* an eventfd write fails only when the count would overflow: the interrupt is pending then */
	if (write(dev->irq_fd, &one, sizeof(one)) < 0)
		return;
}

void virtio_signal(struct virtio_dev *dev, unsigned queue)
{
	if (virtio_live(dev) && virtq_needs_signal(&dev->q[queue]))
		raise_irq(dev, VIRTIO_INT_USED);
}

void virtio_config_changed(struct virtio_dev *dev)
{
	dev->config_generation++;
	if (virtio_live(dev))
		raise_irq(dev, VIRTIO_INT_CONFIG);
}

void virtio_broken(struct virtio_dev *dev, const char *what)
{
	if (!dev->complained)
		log_warn("%s: the guest's driver broke the rules (%s); the device stops", dev->ops->name,
			 what);
	dev->complained = true;
	dev->status |= VIRTIO_STATUS_NEEDS_RESET;
	raise_irq(dev, VIRTIO_INT_CONFIG);
}
