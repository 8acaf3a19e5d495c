/* SPDX-License-Identifier: Apache-2.0 */
/*
 * prefault - what would cost the guest a fault for each page of its kernel's text, done beside the making of
 * the devices, by a thread that is gone before the guest runs.
 */
#ifndef VMM_PREFAULT_H
#define VMM_PREFAULT_H

#include <pthread.h>
#include <stdbool.h>

#include "vmm/memory.h"
#include "vmm/x86/boot.h"

struct prefault {
	const struct memory *mem;
	const struct boot_kernel *kernel;
	int kernel_fd;
	int vcpu_fd;
	bool on;
	pthread_t thread;
};

/*
 * Begin with the mapped text of @kernel. Everything must stay until prefault_end(). It only saves time: where
 * no thread can be made nothing is done. Context: jailed.
 */
void prefault_begin(struct prefault *p, const struct memory *mem, const struct boot_kernel *kernel, int kernel_fd,
		    int vcpu_fd);

/* Wait until it is done. */
void prefault_end(struct prefault *p);

#endif
