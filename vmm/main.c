/* SPDX-License-Identifier: Apache-2.0 */
/*
 * coracle-vmm - one microVM: `coracle-vmm FD`, where FD holds a struct vm_config. Its devices come later.
 *
 * DOC: order
 *
 *   read the record, close the rest -> memory, VM, kernel -> jail -> vCPUs -> wait for the record of the
 *   devices, make them, while a thread makes the kernel's text ready -> threads, each sealed by its seccomp
 *   filter -> tell the monitor -> loop until the machine or the monitor ends.
 *
 * Set-up failures are reported on the control socket and end the process.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-init/proto.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "vmm/config.h"
#include "vmm/fs.h"
#include "vmm/jail.h"
#include "vmm/kvm.h"
#include "vmm/loop.h"
#include "vmm/memory.h"
#include "vmm/net_slots.h"
#include "vmm/pause.h"
#include "vmm/prefault.h"
#include "vmm/seccomp.h"
#include "vmm/vcpu.h"
#include "vmm/virtio_balloon.h"
#include "vmm/virtio_console.h"
#include "vmm/virtio_fs.h"
#include "vmm/virtio_mmio.h"
#include "vmm/virtio_rng.h"
#include "vmm/virtio_vsock.h"
#include "vmm/x86/acpi.h"
#include "vmm/x86/boot.h"
#include "vmm/x86/cpu.h"
#include "vmm/x86/layout.h"
#include "vmm/x86/tables.h"

#define FIRST_NET 5u /* devices before it: files, vsock, console, entropy, balloon */
#define MAX_DEVICES (FIRST_NET + VM_MAX_NETS)

/* The machine and everything that belongs to it: one per process. */
struct vm {
	struct vm_config cfg;
	struct vm_devices served; /* by the devices */
	struct memory mem;
	struct kvm kvm;
	struct loop loop;
	struct fs_server *fs;
	struct cpu_model *model;
	struct boot_kernel kernel;
	struct prefault prefault;
	int proc_self_fd;
	int ack_fd; /* where KVM puts acknowledgements of interrupts; never read */
	size_t n_devices;
	struct virtio_dev *devices[MAX_DEVICES];
	struct virtio_dev *console;
	struct virtio_dev *files;
	struct virtio_dev *streams;
	struct machine machine;
	struct pause pause;
	struct vcpu vcpus[VM_MAX_VCPUS];
	struct event ended;
	struct event control;
	struct net_slots nets;
};

static struct vm vm;

static int read_config(const char *arg, struct vm_config *cfg, struct err *e)
{
	char *end;
	long fd = strtol(arg, &end, 10);

	if (*arg == '\0' || *end != '\0' || fd < 3 || fd > 65535)
		return err_set(e, EINVAL, "coracle-vmm is started by coracle, not by hand");
	if (pread((int)fd, cfg, sizeof(*cfg), 0) != (ssize_t)sizeof(*cfg))
		return err_set(e, EINVAL, "vm config: read");
	(void)close((int)fd); /* a descriptor of the record that names it is none now */
	if (vm_config_check(cfg, e) < 0)
		return -e->code;
	return jail_descriptors(cfg, e);
}

/* The monitor may be gone: then nobody cares. */
static void report(uint32_t type, uint32_t code, const char *text)
{
	struct vm_event ev = { .type = type, .code = code };

	(void)snprintf(ev.text, sizeof(ev.text), "%s", text);
	if (vm.console && (type == VM_EVENT_ENDED || type == VM_EVENT_FAILED))
		virtio_console_tail(vm.console, ev.console, sizeof(ev.console));
	if (send(vm.cfg.control_fd, &ev, sizeof(ev), MSG_NOSIGNAL) < 0)
		_exit(1);
}

/* Network interfaces beyond the lines share the last one: drivers of virtio-mmio expect that. */
static uint32_t device_irq(size_t i)
{
	return LAYOUT_IRQ_FIRST + (uint32_t)(i < LAYOUT_MMIO_LINES ? i : LAYOUT_MMIO_LINES - 1);
}

/* Kernel parameters: what the runtime wants, then one entry per device. */
static int write_cmdline(struct vm *v, struct err *e)
{
	char line[VM_MAX_CMDLINE + MAX_DEVICES * 48];
	size_t n = (size_t)snprintf(line, sizeof(line), "%s", v->cfg.cmdline);

	for (size_t i = 0; i < FIRST_NET + v->served.n_nets && n < sizeof(line); i++)
		n += (size_t)snprintf(line + n, sizeof(line) - n, " virtio_mmio.device=4K@0x%llx:%u",
				      LAYOUT_MMIO_BASE + i * LAYOUT_MMIO_STRIDE, device_irq(i));
	if (n >= sizeof(line))
		return err_set(e, E2BIG, "kernel command line: too long");
	return boot_write_info(&v->mem, &v->kernel, v->cfg.initrd_fd, line, e);
}

static void write_acpi(struct vm *v)
{
	uint32_t n = FIRST_NET + v->served.n_nets;
	struct acpi_device devices[MAX_DEVICES];

	_Static_assert(MAX_DEVICES <= ACPI_MAX_DEVICES, "room for the tables");
	for (uint32_t i = 0; i < n; i++)
		devices[i] = (struct acpi_device){
			.gpa = (uint32_t)(LAYOUT_MMIO_BASE + i * LAYOUT_MMIO_STRIDE),
			.irq = device_irq(i),
		};
	acpi_write(&v->mem, v->cfg.vcpus, devices, n);
}

static int build_machine(struct vm *v, struct err *e)
{
	int r = memory_init(&v->mem, v->cfg.memory_bytes, e);

	if (r == 0)
		r = kvm_init(&v->kvm, v->cfg.kvm_fd, &v->mem, e);
	if (r == 0)
		r = boot_load_kernel(&v->mem, v->cfg.kernel_fd, &v->kernel, e);
	if (r == 0)
		r = cpu_model_new(v->kvm.dev_fd, v->cfg.flags & VM_NESTED, &v->model, e);
	return r;
}

/* What the kernel is told of the machine. */
static int describe_machine(struct vm *v, struct err *e)
{
	uint32_t n = FIRST_NET + v->served.n_nets;

	if (write_cmdline(v, e) < 0)
		return -e->code;
	tables_write(&v->mem, v->cfg.vcpus, device_irq(n - 1) + 1 - LAYOUT_IRQ_FIRST);
	if (v->kernel.is_bzimage)
		write_acpi(v);
	(void)close(v->cfg.initrd_fd);
	return 0;
}

static int make_files(struct vm *v, struct err *e)
{
	static struct fs_share shares[VM_MAX_SHARES];
	struct fs_config cfg = {
		.shares = shares,
		.n_shares = v->served.n_shares,
		.proc_self_fd = v->proc_self_fd,
		.max_fds = v->cfg.fs_max_fds,
		.single_id = v->cfg.flags & VM_SINGLE_ID,
		.attr_ms = v->cfg.fs_attr_ms,
	};

	for (uint32_t i = 0; i < v->served.n_shares; i++) {
		shares[i].fd = v->served.shares[i].fd;
		shares[i].readonly = v->served.shares[i].flags & VM_SHARE_READONLY;
		shares[i].fifos = v->served.shares[i].flags & VM_SHARE_FIFOS;
	}
	return fs_new(&cfg, &v->fs, e);
}

static void on_kick(struct event *ev)
{
	uint64_t count;

	if (read(ev->fd, &count, sizeof(count)) < 0)
		return;
	for (size_t i = 0; i < vm.n_devices; i++) {
		struct virtio_dev *dev = vm.devices[i];

		for (unsigned q = 0; q < dev->ops->nqueues; q++) {
			if (ev != &dev->kick[q])
				continue;
			(void)pthread_mutex_lock(&dev->lock);
			if (virtio_live(dev))
				dev->ops->notify(dev, q);
			(void)pthread_mutex_unlock(&dev->lock);
			return;
		}
	}
}

static int add_kick(struct vm *v, struct virtio_dev *dev, gpa_t page, unsigned q, struct err *e)
{
	struct event *ev = &dev->kick[q];

	ev->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ev->on_ready = on_kick;
	if (ev->fd < 0)
		return err_sys(e, "eventfd");
	if (loop_add(&v->loop, ev, EPOLLIN) < 0)
		return err_sys(e, "epoll_ctl");
	/* without one the notification is an exit, served there or handed to the loop */
	if (!(dev->ops->ioeventfds & (1u << q)))
		return 0;
	return kvm_add_ioeventfd(&v->kvm, ev->fd, page + VIRTIO_MMIO_QUEUE_NOTIFY, q, e);
}

/* Put a device on the next page and interrupt line. */
static int add_device(struct vm *v, struct virtio_dev *dev, struct err *e)
{
	size_t i = v->n_devices;
	gpa_t page = LAYOUT_MMIO_BASE + i * LAYOUT_MMIO_STRIDE;
	int r;

	if (!dev)
		return err_set(e, ENOMEM, "device %zu: out of memory", i);
	dev->irq_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (dev->irq_fd < 0)
		return err_sys(e, "eventfd");
	v->devices[v->n_devices++] = dev;
	r = kvm_add_irqfd(&v->kvm, dev->irq_fd, device_irq(i), e);
	/* who is notified often interrupts often */
	if (r == 0 && dev->ops->ioeventfds)
		r = kvm_add_ioeventfd(&v->kvm, v->ack_fd, page + VIRTIO_MMIO_INTERRUPT_ACK,
				      VIRTIO_INT_USED, e);
	for (unsigned q = 0; r == 0 && q < dev->ops->nqueues; q++)
		r = add_kick(v, dev, page, q, e);
	return r;
}

static int make_devices(struct vm *v, struct err *e)
{
	int r = make_files(v, e);

	if (r < 0)
		return r;
	v->ack_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (v->ack_fd < 0)
		return err_sys(e, "eventfd");
	v->files = virtio_fs_new(&v->mem, &v->loop, v->fs, PROTO_FS_TAG);
	r = add_device(v, v->files, e);
	if (r == 0) {
		v->streams = virtio_vsock_new(&v->mem, &v->loop, v->served.streams, v->served.n_streams,
					      v->proc_self_fd);
		r = add_device(v, v->streams, e);
	}
	if (r == 0) {
		v->console = virtio_console_new(&v->mem, v->cfg.flags & VM_DEBUG ? STDERR_FILENO : -1);
		r = add_device(v, v->console, e);
	}
	if (r == 0)
		r = add_device(v, virtio_rng_new(&v->mem), e);
	if (r == 0)
		r = add_device(v, virtio_balloon_new(&v->mem), e);
	if (r == 0)
		r = net_slots_init(&v->nets, &v->mem, &v->loop, &v->served, e);
	for (uint32_t i = 0; r == 0 && i < v->served.n_nets; i++)
		r = add_device(v, v->nets.slots[i], e);
	return r;
}

static void seal_vcpu(void)
{
	seccomp_seal(SECCOMP_VCPU);
}

static void seal_files(void)
{
	seccomp_seal(SECCOMP_FILES);
}

static int make_vcpus(struct vm *v, struct err *e)
{
	for (uint32_t i = 0; i < v->cfg.vcpus; i++) {
		int fd = kvm_add_vcpu(&v->kvm, i, e);
		int r = fd;

		if (r >= 0)
			r = cpu_set_cpuid(fd, v->model, i, v->cfg.vcpus, e);
		if (r >= 0 && i == 0)
			r = cpu_set_boot_state(fd, v->kernel.entry, v->kernel.is_bzimage, e);
		if (r >= 0 && i == 0)
			prefault_begin(&v->prefault, &v->mem, &v->kernel, v->cfg.kernel_fd, fd);
		if (r >= 0)
			r = vcpu_init(&v->vcpus[i], &v->machine, fd, i, v->kvm.run_bytes, e);
		if (r < 0)
			return r;
	}
	cpu_model_free(v->model);
	(void)close(v->kvm.dev_fd);
	return 0;
}

static void on_ended(struct event *ev)
{
	char text[256];

	(void)ev;
	(void)snprintf(text, sizeof(text), "%s (%u)", vm.machine.ended_why,
		       vm.machine.ended_detail);
	report(VM_EVENT_ENDED, 0, text);
	_exit(0);
}

/* Tell the proxy in the words of the guest why its process can't be. */
static void refuse_exec(int channel, int r)
{
	struct {
		struct proto_head head;
		struct proto_event event;
	} frame = {
		.head = { .type = PROTO_FAILED, .length = sizeof(frame.event) },
		.event = { .type = PROTO_FAILED, .code = -r },
	};

	(void)snprintf(frame.event.text, sizeof(frame.event.text),
		       r == -EAGAIN ? "over %u processes at once: Resource temporarily unavailable" :
				      "coracle-vmm: the request (of %u at most) is broken",
		       VM_MAX_EXECS);
	if (send(channel, &frame, sizeof(frame), MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return; /* it is gone, and with it the question */
}

static void on_exec(const struct vm_command *c, const int *fds, size_t n_fds)
{
	struct vm_event answer = { .type = VM_EVENT_EXEC, .port = c->port, .flags = c->flags };
	int r = vm_command_check(c, n_fds);

	memcpy(answer.from, c->from, sizeof(answer.from));
	if (r == 0)
		r = virtio_vsock_exec(vm.streams, c, fds);
	if (r == 0) {
		if (send(vm.cfg.control_fd, &answer, sizeof(answer), MSG_NOSIGNAL) < 0)
			_exit(1);
		return;
	}
	if (n_fds > 0)
		refuse_exec(fds[0], r);
	for (size_t i = 0; i < n_fds; i++)
		(void)close(fds[i]);
}

static void on_paused(struct event *ev)
{
	(void)ev;
	if (pause_done(&vm.pause))
		report(VM_EVENT_PAUSED, 0, "");
}

static void on_pause(const struct vm_pause *q)
{
	if (q->on) {
		pause_ask(&vm.pause);
		return;
	}
	pause_end(&vm.pause);
	report(VM_EVENT_RESUMED, 0, "");
}

/* A command of the monitor, or its end, which is ours. */
static void on_control(struct event *ev)
{
	union {
		struct vm_command command;
		struct vm_pause pause;
	} in = { 0 };
	int fds[VM_EXEC_FDS];
	size_t n_fds = 0;
	ssize_t n = io_recv_fds(ev->fd, &in, sizeof(in), fds, VM_EXEC_FDS, &n_fds);

	if (n == -EMFILE || n == -EAGAIN)
		return;
	if (n <= 0)
		_exit(0);
	if (n == (ssize_t)sizeof(in.pause) && n_fds == 0)
		on_pause(&in.pause);
	else
		on_exec(&in.command, fds, n_fds);
}

static int watch(struct vm *v, struct err *e)
{
	v->ended.fd = v->machine.ended_fd;
	v->ended.on_ready = on_ended;
	v->control.fd = v->cfg.control_fd;
	v->control.on_ready = on_control;
	if (loop_add(&v->loop, &v->ended, EPOLLIN) < 0 ||
	    loop_add(&v->loop, &v->control, EPOLLIN) < 0)
		return err_sys(e, "epoll_ctl");
	return pause_init(&v->pause, v->vcpus, v->cfg.vcpus, &v->loop, on_paused, e);
}

static int start(struct vm *v, struct err *e)
{
	int r;

	prefault_end(&v->prefault);
	(void)close(v->cfg.kernel_fd);
	r = virtio_fs_start(v->files, seal_files, e);
	if (r < 0)
		return r;
	report(VM_EVENT_RUNNING, 0, "");
	for (uint32_t i = 0; r == 0 && i < v->cfg.vcpus; i++)
		r = vcpu_start(&v->vcpus[i], e);
	return r;
}

static int run(struct vm *v, const char *arg, struct err *e)
{
	int r = read_config(arg, &v->cfg, e);

	if (r == 0)
		r = build_machine(v, e);
	if (r == 0)
		r = jail_enter(&v->proc_self_fd, e);
	if (r == 0)
		r = loop_init(&v->loop, e);
	if (r < 0)
		return r;
	v->machine.ended_fd = eventfd(0, EFD_CLOEXEC);
	v->machine.devices = v->devices;
	v->machine.seal_thread = seal_vcpu;
	v->machine.pause = &v->pause;
	if (v->machine.ended_fd < 0)
		return err_sys(e, "eventfd");
	r = make_vcpus(v, e);
	if (r == 0)
		r = boot_load_rest(&v->mem, v->cfg.kernel_fd, &v->kernel, e);
	if (r == 0)
		r = vm_devices_receive(v->cfg.control_fd, &v->served, e);
	if (r == 0)
		r = describe_machine(v, e);
	if (r == 0)
		r = make_devices(v, e);
	v->machine.n_devices = v->n_devices;
	if (r == 0)
		r = watch(v, e);
	return r == 0 ? start(v, e) : r;
}

/*
 * A service manager that stops the scope signals everybody in it: the monitor alone answers. Its children begin with
 * every signal blocked, but what a change of SELinux's label has left of that is none.
 */
static void hold_signals(void)
{
	static const int own[] = { SIGUSR1 /* pause.c */, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGABRT };
	sigset_t held;

	(void)sigfillset(&held);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		(void)sigdelset(&held, own[i]);
	(void)sigprocmask(SIG_SETMASK, &held, NULL);
}

int main(int argc, char **argv)
{
	struct err e = { 0 };

	log_set_name("coracle-vmm");
	vm.cfg.control_fd = -1;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGUSR1, SIG_IGN); /* until pause_init(): whoever signals the whole scope means others */
	(void)signal(SIGXFSZ, SIG_IGN); /* the caller's file size limit is an error for the guest */
	hold_signals(); /* what is pending and ignored by now is gone */
	(void)umask(0);
	if (argc != 2)
		(void)err_set(&e, EINVAL, "coracle-vmm is started by coracle, not by hand");
	else if (run(&vm, argv[1], &e) == 0) {
		seccomp_seal(SECCOMP_LOOP);
		memory_warm(&vm.mem);
		loop_run(&vm.loop);
	}
	if (vm.cfg.control_fd >= 0)
		report(VM_EVENT_FAILED, (uint32_t)e.code, e.msg);
	else
		log_err("%s", e.msg);
	return 1;
}
