/* SPDX-License-Identifier: Apache-2.0 */
/* net_slots - the machine's network interfaces, and the socket that plugs and unplugs them. */
#ifndef VMM_NET_SLOTS_H
#define VMM_NET_SLOTS_H

#include "vmm/config.h"
#include "vmm/loop.h"
#include "vmm/virtio.h"

struct net_slots {
	struct event requests; /* vm_devices.net_fd */
	struct loop *loop;
	uint32_t n;
	struct virtio_dev *slots[VM_MAX_NETS];
};

/* Make a device for each of d->nets and listen on d->net_fd. @s must not move. */
int net_slots_init(struct net_slots *s, const struct memory *mem, struct loop *loop,
		   const struct vm_devices *d, struct err *e) MUST_CHECK;

#endif
