/* SPDX-License-Identifier: Apache-2.0 */
/* net - the guest's interfaces, addresses, neighbours and routes, as the host wants them. */
#ifndef GUEST_INIT_NET_H
#define GUEST_INIT_NET_H

#include "guest-init/err.h"
#include "guest-init/program.h"

/* Below /proc/sys; not the container's to choose while net_first_port() is not 0. */
#define NET_PORTS_SYSCTL "net/ipv4/ip_local_port_range"

/* The first of the PROTO_NET_PORTS that connections come from, since an interface is shared; 0: any. */
uint16_t net_first_port(void);

/* Set up what the program lists. Return: 0, or -errno with @e set. */
int net_program(const struct program *p, struct err *e);

/*
 * Take a NET frame; at END the list becomes true as far as possible.
 * Return: 0, or -errno with @e saying what failed first.
 */
int net_record(const struct proto_net *r, struct err *e);

#endif
