/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy - the process whose pid stands for a further process of a container (exec).
 *
 * It hands the process's streams and one end of a channel to the VMM through the monitor, sends the
 * program on the channel, forwards the signals it gets and leaves with the process's exit status. When it
 * dies the guest kills the process; when the machine dies it leaves with 137.
 */
#ifndef RUNTIME_PROXY_H
#define RUNTIME_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/preserve.h"
#include "runtime/statedir.h"

struct proxy {
	struct statedir *state;
	int stdio[3];	 /* the process's; [0] is the terminal when there is one */
	struct preserved preserved; /* and those from 3 on */
	uint32_t flags;	 /* PROTO_EXEC_* */
	const void *program; /* for the guest; NULL with PROTO_EXEC_PS */
	size_t program_bytes;
	int cgroup_fd; /* the container's on the host; -1: none */
	bool detached; /* outlives the command once the process runs */
	int report_fd; /* struct proxy_report goes here, once */
};

struct proxy_report {
	int32_t code;	 /* 0: it runs; else a positive errno */
	uint32_t inside; /* it was the guest that failed: program, directory, user */
	char text[512];
};

/* Never returns. Context: a fresh child process of @parent. */
_Noreturn void proxy_main(struct proxy *p, pid_t parent);

#endif
