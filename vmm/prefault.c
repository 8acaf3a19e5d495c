/* SPDX-License-Identifier: Apache-2.0 */
/* prefault - the kernel's text, copied where it is patched and mapped into the machine, by a thread. */
#include "vmm/prefault.h"

#include "vmm/kvm.h"
#include "vmm/thread.h"

static void *prefault_main(void *arg)
{
	const struct prefault *p = arg;

	/* first: a copy takes the place of the page that the machine would have got */
	boot_copy_patched(p->mem, p->kernel_fd, p->kernel);
	kvm_prefault(p->vcpu_fd, p->kernel->shared, p->kernel->shared_bytes);
	return NULL;
}

void prefault_begin(struct prefault *p, const struct memory *mem, const struct boot_kernel *kernel, int kernel_fd,
		    int vcpu_fd)
{
	*p = (struct prefault){ .mem = mem, .kernel = kernel, .kernel_fd = kernel_fd, .vcpu_fd = vcpu_fd };
	p->on = kernel->shared_bytes > 0 && thread_start(&p->thread, prefault_main, p) == 0;
}

void prefault_end(struct prefault *p)
{
	if (p->on)
		(void)pthread_join(p->thread, NULL);
	p->on = false;
}
