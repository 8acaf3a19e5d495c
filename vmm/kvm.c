/* SPDX-License-Identifier: Apache-2.0 */
/* kvm - the virtual machine as the host kernel sees it. */
#include "vmm/kvm.h"

#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include "vmm/x86/layout.h"

/* KVM_PRE_FAULT_MEMORY, Linux 6.11 (KVM api.rst 4.143); Debian 12's headers lack it. */
#define PRE_FAULT_MEMORY _IOWR(KVMIO, 0xd5, uint64_t[8])
#define PREFAULT_PIECE (512u << 10)

static int check_extensions(const struct kvm *k, struct err *e)
{
	static const struct {
		int cap;
		const char *name;
	} need[] = {
		{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
		{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP" },
		{ KVM_CAP_IRQFD, "KVM_CAP_IRQFD" },
		{ KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD" },
		{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
	};

	for (size_t i = 0; i < sizeof(need) / sizeof(need[0]); i++)
		if (ioctl(k->dev_fd, KVM_CHECK_EXTENSION, need[i].cap) <= 0)
			return err_set(e, ENOTSUP, "/dev/kvm: the host's KVM lacks %s",
				       need[i].name);
	return 0;
}

static int add_slot(const struct kvm *k, uint32_t slot, gpa_t gpa, uint64_t bytes, void *host,
		    struct err *e)
{
	struct kvm_userspace_memory_region r = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = bytes,
		.userspace_addr = (uintptr_t)host,
	};

	if (ioctl(k->vm_fd, KVM_SET_USER_MEMORY_REGION, &r) < 0)
		return err_sys(e, "KVM_SET_USER_MEMORY_REGION of %llu bytes",
			       (unsigned long long)bytes);
	return 0;
}

/* What CPUID does not show, an AMD processor's guest could use all the same. Before Linux 5.18 it can. */
static void take_counters_away(const struct kvm *k)
{
	struct kvm_enable_cap c = { .cap = KVM_CAP_PMU_CAPABILITY, .args = { KVM_PMU_CAP_DISABLE } };

	(void)ioctl(k->vm_fd, KVM_ENABLE_CAP, &c);
}

int kvm_init(struct kvm *k, int dev_fd, const struct memory *mem, struct err *e)
{
	uint64_t identity = LAYOUT_IDENTITY_MAP;
	int r;

	k->dev_fd = dev_fd;
	k->vm_fd = -1;
	if (ioctl(dev_fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return err_set(e, ENOTSUP, "/dev/kvm: not KVM of API version %d", KVM_API_VERSION);
	r = check_extensions(k, e);
	if (r < 0)
		return r;
	k->run_bytes = ioctl(dev_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (k->run_bytes <= 0)
		return err_sys(e, "KVM_GET_VCPU_MMAP_SIZE");
	k->vm_fd = ioctl(dev_fd, KVM_CREATE_VM, 0);
	if (k->vm_fd < 0)
		return err_sys(e, "KVM_CREATE_VM");
	take_counters_away(k);
	r = add_slot(k, 0, 0, mem->low_bytes, mem->base, e);
	if (r == 0 && mem->high_bytes > 0)
		r = add_slot(k, 1, LAYOUT_HIGH_RAM, mem->high_bytes, mem->base + mem->low_bytes, e);
	if (r < 0)
		return r;
	/* Intel without unrestricted guest wants these two pages (KVM api.rst 4.27, 4.41) */
	if (ioctl(k->vm_fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0)
		return err_sys(e, "KVM_SET_IDENTITY_MAP_ADDR");
	if (ioctl(k->vm_fd, KVM_SET_TSS_ADDR, LAYOUT_TSS) < 0)
		return err_sys(e, "KVM_SET_TSS_ADDR");
	if (ioctl(k->vm_fd, KVM_CREATE_IRQCHIP, 0) < 0)
		return err_sys(e, "KVM_CREATE_IRQCHIP");
	return 0;
}

int kvm_add_irqfd(struct kvm *k, int fd, uint32_t irq, struct err *e)
{
	struct kvm_irqfd i = { .fd = (uint32_t)fd, .gsi = irq };

	if (ioctl(k->vm_fd, KVM_IRQFD, &i) < 0)
		return err_sys(e, "KVM_IRQFD for line %u", irq);
	return 0;
}

int kvm_add_ioeventfd(struct kvm *k, int fd, gpa_t gpa, uint32_t value, struct err *e)
{
	struct kvm_ioeventfd i = {
		.datamatch = value,
		.addr = gpa,
		.len = 4,
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	if (ioctl(k->vm_fd, KVM_IOEVENTFD, &i) < 0)
		return err_sys(e, "KVM_IOEVENTFD");
	return 0;
}

void kvm_prefault(int vcpu_fd, gpa_t gpa, uint64_t bytes)
{
	/* in pieces: whoever adds an ioeventfd waits for the end of the call */
	for (uint64_t at = 0; at < bytes; at += PREFAULT_PIECE) {
		struct {
			uint64_t gpa;
			uint64_t size;
			uint64_t flags;
			uint64_t padding[5];
		} range = { .gpa = gpa + at, .size = bytes - at < PREFAULT_PIECE ? bytes - at : PREFAULT_PIECE };

		/* the kernel moves gpa and size on when it is interrupted */
		while (range.size > 0 && ioctl(vcpu_fd, PRE_FAULT_MEMORY, &range) < 0)
			if (errno != EINTR)
				return;
	}
}

int kvm_add_vcpu(struct kvm *k, uint32_t id, struct err *e)
{
	int fd = ioctl(k->vm_fd, KVM_CREATE_VCPU, id);

	return fd < 0 ? err_sys(e, "KVM_CREATE_VCPU %u", id) : fd;
}
