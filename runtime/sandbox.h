/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sandbox - the host side of a container, made in the monitor's process before the guest runs.
 *
 * Order: namespaces -> shares (each source pinned as a detached mount of our own) -> the container's
 * tree, with destinations made -> later, once the VMM has its shares, the tree becomes our root. Everything is in
 * the monitor's own mount namespace and goes with it: there is nothing to undo.
 */
#ifndef RUNTIME_SANDBOX_H
#define RUNTIME_SANDBOX_H

#include "runtime/base/err.h"
#include "runtime/ns.h"
#include "runtime/pin.h"
#include "runtime/plan.h"

struct sandbox {
	int share_fds[VM_MAX_SHARES]; /* for the VMM, n_shares of them */
	uint32_t n_shares;
	int socket_fds[PROTO_MAX_SOCKETS]; /* O_PATH, n_sockets of them */
	bool socket_datagrams[PROTO_MAX_SOCKETS]; /* of which type each is */
	uint32_t n_sockets;
	int label_fd; /* of sockets that connect to them; -1: the caller's label is theirs */
	const char *label; /* borrowed */
	int own_fds; /* O_PATH: /proc/self/fd, when there are sockets; else -1 */
	int root_fd; /* the assembled tree */
};

/* Be root of the user namespace, if it is not the caller's. */
int sandbox_become_root(const struct plan *p, struct err *e) MUST_CHECK;

/*
 * @joins: what is still to be joined. @pins: sources opened early; they are freed.
 * Context: the monitor, in its user namespace.
 */
int sandbox_make(const struct plan *p, struct ns_joins *joins, struct pins *pins, struct sandbox *out,
		 struct err *e) MUST_CHECK;

/* Hooks have worked in the assembled tree: what they mounted there becomes part of share 0. */
int sandbox_look_again(const struct plan *p, struct sandbox *s, struct err *e) MUST_CHECK;

/* Make the assembled tree the root directory of this process, detach the host's. */
int sandbox_enter(struct sandbox *s, struct err *e) MUST_CHECK;

#endif
