/* SPDX-License-Identifier: Apache-2.0 */
/* cpu - what a vCPU is at power-on: CPUID and registers. */
#include "vmm/x86/cpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "runtime/base/own.h"
#include "vmm/x86/layout.h"

#define MAX_LEAVES 256u
#define LEVELS 3u /* of leaves 0xb and 0x1f: threads, cores, and the end */
#define LEAF1_ECX_VMX (1u << 5)
#define LEAF1_ECX_X2APIC (1u << 21)
#define LEAF1_ECX_TSC_DEADLINE (1u << 24)
#define LEAF1_ECX_HYPERVISOR (1u << 31)
#define LEAF1_EDX_HTT (1u << 28)
#define LEAF80000001_ECX_SVM (1u << 2)
#define LEAF80000001_ECX_PERFCTR ((1u << 23) | (1u << 24) | (1u << 28))

struct cpu_model {
	bool nested;
	struct kvm_cpuid2 *cpuid; /* with room for MAX_LEAVES entries */
};

/*
 * Since Linux 6.2 KVM shows of these leaves the first entry alone, and has nothing to say in it. A guest that finds
 * one level, of threads, takes each of its CPUs for a socket.
 */
static void add_levels(struct kvm_cpuid2 *m, uint32_t function)
{
	uint32_t have = 0;

	for (uint32_t i = 0; i < m->nent; i++)
		have += m->entries[i].function == function;
	for (; have > 0 && have < LEVELS && m->nent < MAX_LEAVES; have++)
		m->entries[m->nent++] = (struct kvm_cpuid_entry2){
			.function = function,
			.index = have,
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		};
}

int cpu_model_new(int dev_fd, bool nested, struct cpu_model **out, struct err *e)
{
	OWN_FREE struct cpu_model *m = calloc(1, sizeof(*m));
	OWN_FREE struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + MAX_LEAVES * sizeof(cpuid->entries[0]));

	if (!m || !cpuid)
		return err_set(e, ENOMEM, "CPU model: out of memory");
	cpuid->nent = MAX_LEAVES;
	if (ioctl(dev_fd, KVM_GET_SUPPORTED_CPUID, cpuid) < 0)
		return err_sys(e, "KVM_GET_SUPPORTED_CPUID");
	add_levels(cpuid, 0xb);
	add_levels(cpuid, 0x1f);
	m->nested = nested;
	m->cpuid = TAKE(&cpuid);
	*out = TAKE(&m);
	return 0;
}

void cpu_model_free(struct cpu_model *model)
{
	if (model)
		free(model->cpuid);
	free(model);
}

/* Number of bits needed to number @n things. */
static uint32_t bits_for(uint32_t n)
{
	uint32_t bits = 0;

	while ((1u << bits) < n)
		bits++;
	return bits;
}

/* One socket, one thread a core. */
static void set_topology(struct kvm_cpuid_entry2 *c, uint32_t id, uint32_t count)
{
	c->edx = id;
	if (c->index == 0) { /* SMT level */
		c->eax = 0;
		c->ebx = 1;
		c->ecx = 1u << 8;
	} else if (c->index == 1) { /* core level */
		c->eax = bits_for(count);
		c->ebx = count;
		c->ecx = (2u << 8) | 1;
	} else {
		c->eax = c->ebx = 0;
		c->ecx = c->index;
	}
}

/* Who shares a cache (Intel leaf 4, AMD 0x8000001d): each CPU its own of levels 1 and 2, all the third. */
static void set_cache(struct kvm_cpuid_entry2 *c, uint32_t count)
{
	uint32_t level = (c->eax >> 5) & 7;
	uint32_t sharing = level >= 3 ? count - 1 : 0;

	if ((c->eax & 0x1f) == 0)
		return; /* after the last cache */
	c->eax = (c->eax & ~(0xfffu << 14)) | (sharing << 14);
	if (c->function == 4)
		c->eax = (c->eax & ~(0x3fu << 26)) | ((count - 1) << 26);
}

static void adapt(struct kvm_cpuid_entry2 *c, bool nested, uint32_t id, uint32_t count)
{
	switch (c->function) {
	case 0x1:
		c->ebx = (c->ebx & 0x0000ffffu) | (id << 24) | (count << 16);
		c->ecx |= LEAF1_ECX_HYPERVISOR | LEAF1_ECX_TSC_DEADLINE | LEAF1_ECX_X2APIC;
		c->edx = count > 1 ? c->edx | LEAF1_EDX_HTT : c->edx & ~LEAF1_EDX_HTT;
		if (!nested)
			c->ecx &= ~LEAF1_ECX_VMX;
		break;
	case 0x4:
	case 0x8000001d:
		set_cache(c, count);
		break;
	case 0xa: /* no performance counters: they tell one guest about another */
		c->eax = c->ebx = c->ecx = c->edx = 0;
		break;
	case 0xb:
	case 0x1f:
		set_topology(c, id, count);
		break;
	case 0x80000001:
		c->ecx &= ~LEAF80000001_ECX_PERFCTR;
		if (!nested)
			c->ecx &= ~LEAF80000001_ECX_SVM;
		break;
	case 0x80000008:
		c->ecx = (bits_for(count) << 12) | (count - 1);
		break;
	case 0x8000000a:
		if (!nested)
			c->eax = c->ebx = c->ecx = c->edx = 0;
		break;
	case 0x8000001e:
		c->eax = id;
		c->ebx = id;
		c->ecx = 0;
		break;
	case 0x80000022:
		c->eax = c->ebx = c->ecx = c->edx = 0;
		break;
	default:
		break;
	}
}

int cpu_set_cpuid(int vcpu_fd, struct cpu_model *model, uint32_t id, uint32_t count, struct err *e)
{
	for (uint32_t i = 0; i < model->cpuid->nent && i < MAX_LEAVES; i++)
		adapt(&model->cpuid->entries[i], model->nested, id, count);
	if (ioctl(vcpu_fd, KVM_SET_CPUID2, model->cpuid) < 0)
		return err_sys(e, "KVM_SET_CPUID2");
	return 0;
}

static struct kvm_segment flat(uint8_t type, uint16_t selector)
{
	return (struct kvm_segment){
		.limit = 0xffffffffu,
		.selector = selector,
		.type = type,
		.present = 1,
		.db = 1,
		.s = 1,
		.g = 1,
	};
}

int cpu_set_boot_state(int vcpu_fd, uint32_t entry, bool zero_page, struct err *e)
{
	struct kvm_regs regs = { .rip = entry, .rflags = 2 };
	struct kvm_sregs s;

	if (zero_page)
		regs.rsi = LAYOUT_ZERO_PAGE;
	else
		regs.rbx = LAYOUT_START_INFO;
	if (ioctl(vcpu_fd, KVM_GET_SREGS, &s) < 0)
		return err_sys(e, "KVM_GET_SREGS");
	s.cs = flat(0xb, 0x8); /* code: execute, read, accessed */
	s.ds = s.es = s.fs = s.gs = s.ss = flat(0x3, 0x10);
	s.tr = (struct kvm_segment){ .limit = 0x67, .type = 0xb, .present = 1, .selector = 0x18 };
	s.cr0 = 0x11; /* PE, ET */
	s.cr3 = 0;
	s.cr4 = 0;
	s.efer = 0;
	if (ioctl(vcpu_fd, KVM_SET_SREGS, &s) < 0)
		return err_sys(e, "KVM_SET_SREGS");
	if (ioctl(vcpu_fd, KVM_SET_REGS, &regs) < 0)
		return err_sys(e, "KVM_SET_REGS");
	return 0;
}
