/* SPDX-License-Identifier: Apache-2.0 */
/* launch - start coracle-vmm with its record and descriptors. */
#ifndef RUNTIME_LAUNCH_H
#define RUNTIME_LAUNCH_H

#include <sys/types.h>

#include "runtime/base/err.h"
#include "runtime/net.h"
#include "runtime/plan.h"
#include "runtime/sandbox.h"

/* Everything the machine is given, opened before the sandbox was entered. */
struct launch {
	int vmm_exe; /* coracle-vmm itself */
	int kvm_fd;
	int kernel_fd;
	int initrd_fd;
	int lock_fd;   /* vmm.lock, held */
	int stdio[3];  /* the container's; [0] is the terminal when there is one */
	bool terminal;
	bool debug;    /* leave descriptor 2 to the VMM for the guest kernel's log */
};

struct launched {
	pid_t pid;
	int control_fd; /* struct vm_event messages arrive here */
	int guest_fd;	/* guest-init/proto.h */
};

int launch_vmm(const struct launch *l, const struct plan *p, const struct sandbox *s,
	       const struct net *net, struct launched *out, struct err *e) MUST_CHECK;

/* Close what the VMM has now, all but stdio. */
void launch_close(struct launch *l);

#endif
