/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monitor - the process whose pid stands for the container.
 *
 * It makes the sandbox, starts the VMM, speaks with the guest's init in fixed-size records, carries out
 * what commands ask for, and leaves with the container's exit status. It takes the VMM with it and ends
 * when the VMM does.
 */
#ifndef RUNTIME_MONITOR_H
#define RUNTIME_MONITOR_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/err.h"
#include "runtime/launch.h"
#include "runtime/notify.h"
#include "runtime/pin.h"
#include "runtime/plan.h"
#include "runtime/preserve.h"
#include "runtime/statedir.h"

enum monitor_stage {
	MONITOR_MADE,	/* or failed: code and text */
	MONITOR_USERNS, /* our user namespace is there: write its maps */
	MONITOR_HOOKS,	/* everything is mounted: run the runtime's hooks */
};

/* Monitor -> command: has the container been made, and before that what the command has to do for it. */
struct monitor_report {
	int32_t code; /* 0, or a positive errno */
	uint32_t stage; /* enum monitor_stage; all but the last are answered by a byte */
	char text[1024];
};

struct monitor_args {
	const struct plan *plan;
	struct launch launch;
	struct statedir *state;
	const char *bundle;  /* absolute */
	void *program; /* for the guest */
	size_t program_bytes;
	bool start;    /* let the program go as soon as it is ready, and report then */
	struct notify notify;
	struct preserved *preserved; /* descriptors from 3 on */
	int sync_fd;   /* stream socket to the command: one byte to go on, then our report */
	int listen_fd; /* ctl.sock */
	int lock_fd;   /* liveness: held until we are gone */
	struct pins pins; /* the plan's sources, where they had to be opened early */
	bool own_cgroup; /* the cgroup that we are born in, or moved to, is the container's */
};

/* Never returns. Context: a fresh child process. */
_Noreturn void monitor_main(struct monitor_args *a);

#endif
