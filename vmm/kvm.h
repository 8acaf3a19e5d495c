/* SPDX-License-Identifier: Apache-2.0 */
/* kvm - the virtual machine as the host kernel sees it: memory slots, interrupt lines, notifications. */
#ifndef VMM_KVM_H
#define VMM_KVM_H

#include <stdint.h>

#include "runtime/base/err.h"
#include "vmm/memory.h"

struct kvm {
	int dev_fd; /* /dev/kvm; closed by kvm_seal() */
	int vm_fd;
	int run_bytes; /* size of a vCPU's shared page area */
};

/*
 * Make the VM: memory slots first, then the interrupt controllers (the other order waits for a grace
 * period of the host kernel). @dev_fd is owned from now on.
 */
int kvm_init(struct kvm *k, int dev_fd, const struct memory *mem, struct err *e) MUST_CHECK;

/* Interrupt line @irq fires at each write to the eventfd. */
int kvm_add_irqfd(struct kvm *k, int fd, uint32_t irq, struct err *e) MUST_CHECK;

/* A 32-bit write of @value at @gpa becomes a write to the eventfd. */
int kvm_add_ioeventfd(struct kvm *k, int fd, gpa_t gpa, uint32_t value, struct err *e) MUST_CHECK;

/*
 * Let the machine read @bytes at @gpa without a fault for each page; a call is cheaper than the faults. Host
 * kernels older than 6.11 can't, and the guest faults as it goes. Any thread, while nobody runs the vCPU.
 */
void kvm_prefault(int vcpu_fd, gpa_t gpa, uint64_t bytes);

/* Return: a vCPU's descriptor or -errno with @e. */
int kvm_add_vcpu(struct kvm *k, uint32_t id, struct err *e) MUST_CHECK;

#endif
