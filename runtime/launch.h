/* SPDX-License-Identifier: Apache-2.0 */
/* launch - start coracle-vmm with the machine's record, then tell it what its devices serve. */
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
	const char *vmm_path; /* where that was found; borrowed */
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

/*
 * Fork it, in the user namespace that it stays in: it makes the machine while we go on. @single_id: only
 * one id is mapped there. out->guest_fd comes with launch_devices(). Return: 0 or -errno.
 */
int launch_vmm(const struct launch *l, const struct plan *p, bool single_id, struct launched *out,
	       struct err *e) MUST_CHECK;

/* It has a copy of every descriptor then. Return: 0, also where it has died; or -errno. */
int launch_devices(const struct launch *l, const struct plan *p, const struct sandbox *s,
		   const struct net *net, struct launched *vmm, struct err *e) MUST_CHECK;

/* Close what the VMM has now, all but stdio. */
void launch_close(struct launch *l);

#endif
