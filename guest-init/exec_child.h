/* SPDX-License-Identifier: Apache-2.0 */
/* exec_child - further processes in the container that runs: the child's side. */
#ifndef GUEST_INIT_EXEC_CHILD_H
#define GUEST_INIT_EXEC_CHILD_H

#include "guest-init/container.h"

struct exec_child {
	struct container container; /* its program comes later, from the channel */
	int channel;		    /* borrowed */
	int pidfd;		    /* of the container's first process */
	uint32_t flags;		    /* PROTO_EXEC_* */
	int cgroup;		    /* borrowed: directory of the container's; -1: none */
	uint32_t n_passed;	    /* descriptors that the program must name */
};

/* Before anything is made and the child is cloned. @into: the running container. */
void exec_child_init(struct exec_child *c, const struct proto_exec *x, const struct container_handle *into);

/* In the parent, after the clone: close the child's ends. */
void exec_child_close(struct exec_child *c);

/* In the child: become the process. */
_Noreturn void exec_child(struct exec_child *c);

#endif
