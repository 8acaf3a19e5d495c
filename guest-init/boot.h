/* SPDX-License-Identifier: Apache-2.0 */
/* boot - what the guest needs before there is a container. */
#ifndef GUEST_INIT_BOOT_H
#define GUEST_INIT_BOOT_H

#include "guest-init/err.h"

/* @clock, SYS_CLOCK_*, in nanoseconds. */
uint64_t boot_now(int clock);

/* Occupy descriptors 0 to 2: a kernel without a console opens none. */
void boot_stdio(void);

/*
 * Load /modules/00, 01, ... of the initramfs, in this order: a distribution's kernel has its drivers there
 * (`coracle initramfs`). One that can't be loaded shows as the device that is missing.
 */
void boot_modules(void);

/* Raise lo: it is the container's from the start. 0, or -errno with @e set. */
int boot_loopback(struct err *e);

/* Mount the virtio-fs at CONTAINER_SHARES. 0, or -errno with @e set. */
int boot_shares(struct err *e);

/* Set the clock to the host's, unless it is right already. */
void boot_clock(uint64_t epoch_ns);

#endif
