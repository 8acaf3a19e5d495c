/* SPDX-License-Identifier: Apache-2.0 */
/* vcpu - one thread that runs one virtual CPU and carries out its exits. */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/err.h"

struct pause;
struct virtio_dev;
struct kvm_run;

/* What the CPUs of one machine share. */
struct machine {
	struct virtio_dev *const *devices; /* page i of the MMIO window; NULL-free */
	size_t n_devices;
	void (*seal_thread)(void); /* run first on each vCPU thread: its seccomp filter */
	struct pause *pause;	   /* asked before each entry into the guest */
	int ended_fd;		   /* eventfd: written once the machine has stopped */
	const char *ended_why;	   /* static text; set before ended_fd is written */
	uint32_t ended_detail;
};

struct vcpu {
	struct machine *machine;
	int fd;
	uint32_t id;
	struct kvm_run *run;
	pthread_t thread;
};

/* Map the shared page of a prepared vCPU. */
int vcpu_init(struct vcpu *v, struct machine *m, int fd, uint32_t id, int run_bytes,
	      struct err *e) MUST_CHECK;

/* Start its thread, which runs until the machine ends. */
int vcpu_start(struct vcpu *v, struct err *e) MUST_CHECK;

/* Whether the next KVM_RUN returns at once with EINTR. Context: any thread. */
void vcpu_exit_soon(struct vcpu *v, bool yes);
bool vcpu_exits_soon(const struct vcpu *v);

#endif
