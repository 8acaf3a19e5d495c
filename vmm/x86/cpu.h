/* SPDX-License-Identifier: Apache-2.0 */
/* cpu - what a vCPU is at power-on: CPUID and registers. */
#ifndef VMM_X86_CPU_H
#define VMM_X86_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/err.h"

struct cpu_model;

/* Ask /dev/kvm once what it can show to guests. @nested: keep VMX/SVM visible. */
int cpu_model_new(int dev_fd, bool nested, struct cpu_model **out, struct err *e) MUST_CHECK;
void cpu_model_free(struct cpu_model *model);

/* CPUID for vCPU @id of @count. */
int cpu_set_cpuid(int vcpu_fd, struct cpu_model *model, uint32_t id, uint32_t count,
		  struct err *e) MUST_CHECK;

/*
 * Boot CPU: 32-bit protected mode at @entry, with ebx pointing to the start information (PVH) or, if @zero_page,
 * esi to the zero page (Linux boot.rst).
 */
int cpu_set_boot_state(int vcpu_fd, uint32_t entry, bool zero_page, struct err *e) MUST_CHECK;

#endif
