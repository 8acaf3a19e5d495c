/* SPDX-License-Identifier: Apache-2.0 */
/* virtio_net - an Ethernet interface on a tap (virtio 1.2 section 5.1). */
#ifndef VMM_VIRTIO_NET_H
#define VMM_VIRTIO_NET_H

#include "vmm/config.h"
#include "vmm/virtio.h"

/*
 * @net: its fd is owned from here on; -1: a slot that the guest does not see until it is plugged.
 * Return: the device, or NULL without memory.
 */
struct virtio_dev *virtio_net_new(const struct memory *mem, struct loop *loop,
				  const struct vm_net *net);

/*
 * Give a slot its tap, or another one (@net->fd is taken); with fd -1 only MTU changes.
 * Return: 0 or -errno. Context: the loop thread.
 */
int virtio_net_plug(struct virtio_dev *dev, const struct vm_net *net) MUST_CHECK;

/* Take the tap away: the link is down and the next driver finds nothing. Context: the loop thread. */
void virtio_net_unplug(struct virtio_dev *dev);

#endif
