/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net_mirror - the process that makes connections inside a container's network namespace reach the guest, and
 * the guest's reach the namespace: the host's side of guest-init/mirror.h.
 */
#ifndef RUNTIME_NET_MIRROR_H
#define RUNTIME_NET_MIRROR_H

#include "runtime/base/err.h"
#include "runtime/net.h"

/*
 * Fork the process. It has CAP_NET_BIND_SERVICE over the namespace and nothing else, holds @n's lock, and ends
 * with the VMM. @n->mirror_fd is closed here, @n->kick_fd made.
 * Context: the monitor, in the namespace. Return: 0 or -errno.
 */
int net_mirror_start(struct net *n, struct err *e) MUST_CHECK;

/*
 * Wait until the guest has what listens in the namespace now: bounded, since the guest may be of another mind.
 * Context: the network helper.
 */
void net_mirror_look(struct net *n);

#endif
