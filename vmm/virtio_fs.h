/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_fs - the file server's device (virtio 1.2 section 5.11). */
#ifndef VMM_VIRTIO_FS_H
#define VMM_VIRTIO_FS_H

#include "vmm/fs.h"
#include "vmm/loop.h"
#include "vmm/virtio.h"

/* @tag: name that the guest mounts. @fs stays the caller's and outlives the device. */
struct virtio_dev *virtio_fs_new(const struct memory *mem, struct loop *loop, struct fs_server *fs, const char *tag);

/* Start the threads that serve what may take long and what waits. @seal is run first on each. */
int virtio_fs_start(struct virtio_dev *dev, void (*seal)(void), struct err *e) MUST_CHECK;

#endif
