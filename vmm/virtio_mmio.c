/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_mmio - the register page of a device (virtio 1.2 section 4.2).
 *
 * Queue registers are accepted only between FEATURES_OK and DRIVER_OK and only while that queue is
 * disabled; what arrives at another time is ignored, so that nothing checked can change afterwards.
 *
 * DOC: interrupts
 *
 * A driver reads why it was interrupted, then writes the same bits back. Here the reading clears them, so
 * that the writing has nothing to do and KVM can take it without an exit to us (vmm/main.c). What
 * is raised between the two brings an interrupt of its own.
 */
#include "vmm/virtio_mmio.h"

#include <string.h>

#define REG_MAGIC 0x00u
#define REG_VERSION 0x04u
#define REG_DEVICE_ID 0x08u
#define REG_VENDOR_ID 0x0cu
#define REG_DEVICE_FEATURES 0x10u
#define REG_DEVICE_FEATURES_SEL 0x14u
#define REG_DRIVER_FEATURES 0x20u
#define REG_DRIVER_FEATURES_SEL 0x24u
#define REG_QUEUE_SEL 0x30u
#define REG_QUEUE_NUM_MAX 0x34u
#define REG_QUEUE_NUM 0x38u
#define REG_QUEUE_READY 0x44u
#define REG_INTERRUPT_STATUS 0x60u
#define REG_STATUS 0x70u
#define REG_QUEUE_DESC_LOW 0x80u
#define REG_QUEUE_DESC_HIGH 0x84u
#define REG_QUEUE_DRIVER_LOW 0x90u
#define REG_QUEUE_DRIVER_HIGH 0x94u
#define REG_QUEUE_DEVICE_LOW 0xa0u
#define REG_QUEUE_DEVICE_HIGH 0xa4u
#define REG_SHM_FIRST 0xb0u /* length and base of a shared memory region, four registers */
#define REG_SHM_LAST 0xbcu
#define REG_CONFIG_GENERATION 0xfcu
#define REG_CONFIG 0x100u

#define MMIO_MAGIC 0x74726976u /* "virt" */
#define MMIO_VENDOR 0x4c524f43u /* "CORL" */

static uint64_t offered(const struct virtio_dev *dev)
{
	return dev->ops->features | VIRTIO_F_VERSION_1 | VIRTIO_F_INDIRECT_DESC |
	       VIRTIO_F_EVENT_IDX;
}

static struct virtq *selected(struct virtio_dev *dev)
{
	return dev->queue_sel < dev->ops->nqueues ? &dev->q[dev->queue_sel] : NULL;
}

static uint32_t read_reg(struct virtio_dev *dev, uint32_t offset)
{
	struct virtq *q = selected(dev);

	switch (offset) {
	case REG_MAGIC:
		return MMIO_MAGIC;
	case REG_VERSION:
		return 2;
	case REG_DEVICE_ID:
		return dev->ops->id;
	case REG_VENDOR_ID:
		return MMIO_VENDOR;
	case REG_DEVICE_FEATURES:
		return dev->device_features_sel < 2 ?
			       (uint32_t)(offered(dev) >> (32 * dev->device_features_sel)) :
			       0;
	case REG_QUEUE_NUM_MAX:
		return q ? q->max_size : 0;
	case REG_QUEUE_READY:
		return q && q->enabled;
	case REG_INTERRUPT_STATUS:
		return __atomic_exchange_n(&dev->interrupt_status, 0, __ATOMIC_SEQ_CST);
	case REG_STATUS:
		return dev->status;
	case REG_CONFIG_GENERATION:
		return dev->config_generation;
	default:
		/* 4.2.2: a region that does not exist has a length of -1 */
		return offset >= REG_SHM_FIRST && offset <= REG_SHM_LAST ? ~0u : 0;
	}
}

static void read_config(const struct virtio_dev *dev, uint32_t at, void *data, uint32_t len)
{
	size_t size = dev->ops->config_size;

	if (at < size && len <= size - at)
		memcpy(data, dev->config + at, len);
}

void virtio_mmio_read(struct virtio_dev *dev, uint32_t offset, void *data, uint32_t len)
{
	uint32_t v;

	memset(data, 0, len);
	if (offset >= REG_CONFIG) {
		read_config(dev, offset - REG_CONFIG, data, len);
		return;
	}
	/* 4.2.2.2: registers are accessed 32 bits wide and aligned */
	if (len != 4 || offset % 4)
		return;
	if (offset == REG_INTERRUPT_STATUS) {
		v = read_reg(dev, offset); /* no lock: each interrupt reads it */
	} else {
		(void)pthread_mutex_lock(&dev->lock);
		v = read_reg(dev, offset);
		(void)pthread_mutex_unlock(&dev->lock);
	}
	memcpy(data, &v, sizeof(v));
}

static void write_status(struct virtio_dev *dev, uint32_t v)
{
	if (v == 0) {
		virtio_reset(dev);
		return;
	}
	/* 3.1.1: bits are only added; the device alone sets NEEDS_RESET */
	v |= dev->status;
	v &= ~VIRTIO_STATUS_NEEDS_RESET;
	v |= dev->status & VIRTIO_STATUS_NEEDS_RESET;
	if ((v & VIRTIO_STATUS_FEATURES_OK) && !(dev->status & VIRTIO_STATUS_FEATURES_OK) &&
	    (!(dev->driver_features & VIRTIO_F_VERSION_1) ||
	     (dev->driver_features & ~offered(dev))))
		v &= ~VIRTIO_STATUS_FEATURES_OK;
	if ((v & VIRTIO_STATUS_DRIVER_OK) && !(v & VIRTIO_STATUS_FEATURES_OK))
		v &= ~VIRTIO_STATUS_DRIVER_OK;
	dev->status = v;
}

static void write_driver_features(struct virtio_dev *dev, uint32_t v)
{
	unsigned shift = 32 * dev->driver_features_sel;

	if (dev->driver_features_sel > 1 || (dev->status & VIRTIO_STATUS_FEATURES_OK))
		return;
	dev->driver_features &= ~(0xffffffffull << shift);
	dev->driver_features |= (uint64_t)v << shift;
}

static void set_half(gpa_t *addr, bool high, uint32_t v)
{
	if (high)
		*addr = (*addr & 0xffffffffull) | ((gpa_t)v << 32);
	else
		*addr = (*addr & ~0xffffffffull) | v;
}

static void write_queue(struct virtio_dev *dev, uint32_t offset, uint32_t v)
{
	struct virtq *q = selected(dev);

	if (!q || q->enabled || !(dev->status & VIRTIO_STATUS_FEATURES_OK) ||
	    (dev->status & VIRTIO_STATUS_DRIVER_OK))
		return;
	switch (offset) {
	case REG_QUEUE_NUM:
		q->size = v <= q->max_size ? (uint16_t)v : 0;
		break;
	case REG_QUEUE_READY:
		q->event_idx = dev->driver_features & VIRTIO_F_EVENT_IDX;
		if (v == 1 && virtq_enable(q) < 0)
			virtio_broken(dev, "queue address or size");
		break;
	case REG_QUEUE_DESC_LOW:
	case REG_QUEUE_DESC_HIGH:
		set_half(&q->desc_gpa, offset == REG_QUEUE_DESC_HIGH, v);
		break;
	case REG_QUEUE_DRIVER_LOW:
	case REG_QUEUE_DRIVER_HIGH:
		set_half(&q->avail_gpa, offset == REG_QUEUE_DRIVER_HIGH, v);
		break;
	case REG_QUEUE_DEVICE_LOW:
	case REG_QUEUE_DEVICE_HIGH:
		set_half(&q->used_gpa, offset == REG_QUEUE_DEVICE_HIGH, v);
		break;
	default:
		break;
	}
}

/*
 * An ioeventfd takes the frequent notifications of a device that the loop serves. What gets here goes to the
 * loop as well: this is a vCPU thread, whose filter has none of that device's system calls.
 */
static void notify(struct virtio_dev *dev, uint32_t queue)
{
	if (queue >= dev->ops->nqueues || !virtio_live(dev))
		return;
	if (dev->ops->inline_notify)
		dev->ops->notify(dev, queue);
	else
		virtio_again(dev, queue);
}

static void write_reg(struct virtio_dev *dev, uint32_t offset, uint32_t v)
{
	switch (offset) {
	case REG_DEVICE_FEATURES_SEL:
		dev->device_features_sel = v;
		break;
	case REG_DRIVER_FEATURES:
		write_driver_features(dev, v);
		break;
	case REG_DRIVER_FEATURES_SEL:
		dev->driver_features_sel = v;
		break;
	case REG_QUEUE_SEL:
		dev->queue_sel = v;
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		notify(dev, v);
		break;
	case REG_STATUS:
		write_status(dev, v);
		break;
	default:
		write_queue(dev, offset, v);
	}
}

void virtio_mmio_write(struct virtio_dev *dev, uint32_t offset, const void *data, uint32_t len)
{
	uint32_t v;

	if (len != 4 || offset % 4 || offset >= REG_CONFIG)
		return;
	memcpy(&v, data, sizeof(v));
	if (offset == VIRTIO_MMIO_INTERRUPT_ACK)
		return; /* cleared when it was read */
	(void)pthread_mutex_lock(&dev->lock);
	if (!dev->resetting)
		write_reg(dev, offset, v);
	(void)pthread_mutex_unlock(&dev->lock);
}
