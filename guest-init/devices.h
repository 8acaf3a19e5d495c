/* SPDX-License-Identifier: Apache-2.0 */
/* devices - the container's /dev: nodes, the customary links, and the terminal's place. */
#ifndef GUEST_INIT_DEVICES_H
#define GUEST_INIT_DEVICES_H

#include "guest-init/container.h"

/* Make the program's nodes, and the links unless /dev is a share. 0, or -errno with @e set. */
int devices_make(struct container *c, struct err *e);

/* A device's number as system calls take it. */
uint64_t devices_number(uint32_t major, uint32_t minor);

/*
 * Allocate a pty in the container's devpts and give the slave to the user. @c->master and @c->slave
 * are set. 0, or -errno with @e set.
 */
int devices_pty(struct container *c, struct err *e);

/* As devices_pty(), and show it as /dev/console. */
int devices_terminal(struct container *c, struct err *e);

#endif
