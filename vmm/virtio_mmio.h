/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_mmio - the register page of a device (virtio 1.2 section 4.2). */
#ifndef VMM_VIRTIO_MMIO_H
#define VMM_VIRTIO_MMIO_H

#include <stdint.h>

#include "vmm/virtio.h"

#define VIRTIO_MMIO_QUEUE_NOTIFY 0x50u
#define VIRTIO_MMIO_INTERRUPT_ACK 0x64u /* of no effect, so it need not get here */

/* Context: any vCPU thread; takes dev->lock. @offset is below the page size, @len in {1, 2, 4, 8}. */
void virtio_mmio_read(struct virtio_dev *dev, uint32_t offset, void *data, uint32_t len);
void virtio_mmio_write(struct virtio_dev *dev, uint32_t offset, const void *data, uint32_t len);

#endif
