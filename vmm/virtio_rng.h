/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_rng - entropy (virtio 1.2 section 5.4). */
#ifndef VMM_VIRTIO_RNG_H
#define VMM_VIRTIO_RNG_H

#include "vmm/virtio.h"

struct virtio_dev *virtio_rng_new(const struct memory *mem);

#endif
