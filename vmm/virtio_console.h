/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_console - the guest kernel's log, kept in a bounded ring (virtio 1.2 section 5.3). */
#ifndef VMM_VIRTIO_CONSOLE_H
#define VMM_VIRTIO_CONSOLE_H

#include "vmm/virtio.h"

/* @debug_fd: also write what comes to this descriptor; -1: don't. */
struct virtio_dev *virtio_console_new(const struct memory *mem, int debug_fd);

/* Copy the end of the log, at most @n - 1 bytes, NUL-terminated, unprintable bytes as '?'. */
void virtio_console_tail(struct virtio_dev *dev, char *out, size_t n);

#endif
