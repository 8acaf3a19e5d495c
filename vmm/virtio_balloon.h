/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_balloon - memory that the guest has freed goes back to the host (virtio 1.2 section 5.5). */
#ifndef VMM_VIRTIO_BALLOON_H
#define VMM_VIRTIO_BALLOON_H

#include "vmm/virtio.h"

struct virtio_dev *virtio_balloon_new(const struct memory *mem);

#endif
