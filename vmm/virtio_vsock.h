/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_vsock - byte streams between the guest and descriptors of the host (virtio 1.2 section 5.10). */
#ifndef VMM_VIRTIO_VSOCK_H
#define VMM_VIRTIO_VSOCK_H

#include "vmm/config.h"
#include "vmm/loop.h"
#include "vmm/virtio.h"

/* The descriptors of @streams are owned from now on. */
struct virtio_dev *virtio_vsock_new(const struct memory *mem, struct loop *loop,
				    const struct vm_stream *streams, size_t n_streams,
				    int proc_self_fd);

/*
 * Open the ports of @c, which vm_command_check() has accepted; the descriptors are owned on success.
 * Context: the loop's thread. Return: 0, or -EAGAIN when VM_MAX_EXECS are open.
 */
int virtio_vsock_exec(struct virtio_dev *dev, const struct vm_command *c, const int *fds) MUST_CHECK;

#endif
