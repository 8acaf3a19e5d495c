/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vcpu - one thread that runs one virtual CPU and carries out its exits.
 *
 * Port I/O has nobody behind it: reads are all ones, writes vanish. A guest resets or stops itself by
 * a triple fault; every way of stopping ends the machine.
 */
#include "vmm/vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/pause.h"
#include "vmm/thread.h"
#include "vmm/virtio_mmio.h"
#include "vmm/x86/layout.h"

int vcpu_init(struct vcpu *v, struct machine *m, int fd, uint32_t id, int run_bytes, struct err *e)
{
	v->machine = m;
	v->fd = fd;
	v->id = id;
	v->run = mmap(NULL, (size_t)run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return v->run == MAP_FAILED ? err_sys(e, "map the state of vCPU %u", id) : 0;
}

static void end_machine(struct machine *m, const char *why, uint32_t detail)
{
	const char *none = NULL;
	uint64_t one = 1;

	/* the first reason counts; others wait for the end */
	if (!__atomic_compare_exchange_n(&m->ended_why, &none, why, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return;
	m->ended_detail = detail;
	while (write(m->ended_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void on_mmio(struct machine *m, struct kvm_run *run)
{
	uint64_t at = run->mmio.phys_addr - LAYOUT_MMIO_BASE;
	uint32_t len = run->mmio.len;
	uint32_t offset = (uint32_t)(at % LAYOUT_MMIO_STRIDE);

	if (run->mmio.phys_addr < LAYOUT_MMIO_BASE || at / LAYOUT_MMIO_STRIDE >= m->n_devices ||
	    len > sizeof(run->mmio.data)) {
		memset(run->mmio.data, 0xff, sizeof(run->mmio.data));
		return;
	}
	if (run->mmio.is_write)
		virtio_mmio_write(m->devices[at / LAYOUT_MMIO_STRIDE], offset, run->mmio.data, len);
	else
		virtio_mmio_read(m->devices[at / LAYOUT_MMIO_STRIDE], offset, run->mmio.data, len);
}

static void on_io(struct kvm_run *run)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;

	if (run->io.direction == KVM_EXIT_IO_IN)
		memset(data, 0xff, (size_t)run->io.size * run->io.count);
}

/* Return: 0 to go on, or -1 when the machine has ended. */
static int on_exit_reason(struct vcpu *v)
{
	struct kvm_run *run = v->run;

	switch (run->exit_reason) {
	case KVM_EXIT_MMIO:
		on_mmio(v->machine, run);
		return 0;
	case KVM_EXIT_IO:
		on_io(run);
		return 0;
	case KVM_EXIT_INTR:
		return 0;
	case KVM_EXIT_SHUTDOWN:
		end_machine(v->machine, "the guest reset itself", 0);
		return -1;
	case KVM_EXIT_SYSTEM_EVENT:
		end_machine(v->machine, "the guest asked for power-off or reset",
			    run->system_event.type);
		return -1;
	case KVM_EXIT_FAIL_ENTRY:
		end_machine(v->machine, "the CPU refused to enter the guest",
			    (uint32_t)run->fail_entry.hardware_entry_failure_reason);
		return -1;
	case KVM_EXIT_INTERNAL_ERROR:
		end_machine(v->machine, "KVM could not go on (internal error)",
			    run->internal.suberror);
		return -1;
	default:
		end_machine(v->machine, "KVM stopped for an unknown reason", run->exit_reason);
		return -1;
	}
}

void vcpu_exit_soon(struct vcpu *v, bool yes)
{
	__atomic_store_n(&v->run->immediate_exit, yes, __ATOMIC_SEQ_CST);
}

bool vcpu_exits_soon(const struct vcpu *v)
{
	return __atomic_load_n(&v->run->immediate_exit, __ATOMIC_SEQ_CST) != 0;
}

static void *vcpu_main(void *arg)
{
	struct vcpu *v = arg;
	char name[16];

	(void)snprintf(name, sizeof(name), "vcpu%u", v->id);
	(void)pthread_setname_np(pthread_self(), name);
	v->machine->seal_thread();
	for (;;) {
		int r;

		pause_point(v->machine->pause, v);
		r = ioctl(v->fd, KVM_RUN, 0);

		if (r < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (r < 0) {
			end_machine(v->machine, "KVM_RUN failed", (uint32_t)errno);
			break;
		}
		if (on_exit_reason(v) < 0)
			break;
	}
	/* the loop thread ends the process */
	for (;;)
		(void)pause();
	return NULL;
}

int vcpu_start(struct vcpu *v, struct err *e)
{
	int r = thread_start(&v->thread, vcpu_main, v);

	return r < 0 ? err_set(e, -r, "start the thread of vCPU %u: %s", v->id, strerror(-r)) : 0;
}
