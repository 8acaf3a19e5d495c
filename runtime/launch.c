/* SPDX-License-Identifier: Apache-2.0 */
/* launch - start coracle-vmm with the machine's record, then tell it what its devices serve. */
#include "runtime/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest-init/proto.h"
#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "runtime/base/proc.h"
#include "runtime/label.h"

#define SEND_MS 10000
#define ATTR_MS 1000u /* how long the guest may believe what the host can change */

static void fill_streams(struct vm_devices *d, const struct launch *l, const struct plan *p,
			 int guest_fd)
{
	d->streams[d->n_streams++] = (struct vm_stream){ .port = PROTO_PORT_CONTROL,
							 .in_fd = guest_fd,
							 .out_fd = guest_fd };
	if (l->terminal) {
		d->streams[d->n_streams++] = (struct vm_stream){ .port = PROTO_PORT_STDIO,
								 .in_fd = l->stdio[0],
								 .out_fd = l->stdio[0] };
		return;
	}
	if (!p->stdin_null)
		d->streams[d->n_streams++] = (struct vm_stream){ .port = PROTO_PORT_STDIO,
								 .in_fd = l->stdio[0],
								 .out_fd = -1 };
	for (uint32_t i = 1; i <= 2; i++)
		d->streams[d->n_streams++] = (struct vm_stream){ .port = PROTO_PORT_STDIO + i,
								 .in_fd = -1,
								 .out_fd = l->stdio[i] };
}

static void fill_config(struct vm_config *c, const struct launch *l, const struct plan *p, bool single_id,
			int control_fd)
{
	*c = (struct vm_config){
		.magic = VM_CONFIG_MAGIC,
		.version = VM_CONFIG_VERSION,
		.memory_bytes = p->memory_bytes,
		.vcpus = p->vcpus,
		.flags = (single_id ? VM_SINGLE_ID : 0) | (l->debug ? VM_DEBUG : 0) |
			 (p->machine.nested ? VM_NESTED : 0),
		.kvm_fd = l->kvm_fd,
		.kernel_fd = l->kernel_fd,
		.initrd_fd = l->initrd_fd,
		.control_fd = control_fd,
		.lock_fd = l->lock_fd,
		.fs_max_fds = p->fs_max_fds,
		.fs_attr_ms = ATTR_MS,
	};
	(void)snprintf(c->cmdline, sizeof(c->cmdline), "%s", p->cmdline);
}

static void fill_devices(struct vm_devices *d, const struct launch *l, const struct plan *p,
			 const struct sandbox *s, const struct net *net, int guest_fd)
{
	*d = (struct vm_devices){ .net_fd = -1, .n_shares = s->n_shares };
	for (uint32_t i = 0; i < s->n_shares; i++)
		d->shares[i] = (struct vm_share){ .fd = s->share_fds[i], .flags = VM_SHARE_FIFOS };
	/* nobody of the host looks for the FIFOs of a root, and its own are faster */
	d->shares[0].flags = p->root_readonly ? VM_SHARE_READONLY : 0;
	for (size_t i = 0; i < p->n_mounts; i++)
		if (p->mounts[i].kind == PLAN_SHARE && (p->mounts[i].options.flags & MS_RDONLY))
			d->shares[p->mounts[i].share].flags |= VM_SHARE_READONLY;
	fill_streams(d, l, p, guest_fd);
	net_fill_devices(net, d);
}

static void keep_open(int fd)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, 0);
}

/* What we and our children run next has SELinux's @label; "": the policy's choice again. */
static int label_next_exec(const char *label, struct err *e)
{
	OWN_FD int fd = label_open("exec", e);

	return fd < 0 ? fd : label_set(fd, label, e);
}

/* A file of another mount namespace is to SELinux one of a nosuid mount, with which no label changes: ours of it. */
static int vmm_in_our_mounts(const struct launch *l)
{
	OWN_FD int fd = open(l->vmm_path, O_PATH | O_CLOEXEC);
	struct stat here, given;

	if (fd < 0 || fstat(fd, &here) < 0 || fstat(l->vmm_exe, &given) < 0 ||
	    here.st_dev != given.st_dev || here.st_ino != given.st_ino)
		return l->vmm_exe;
	return take_fd(&fd);
}

/* The monitor hears it where it waits for the VMM's own words. */
_Noreturn static void not_run(const struct vm_config *c)
{
	struct vm_event ev = { .type = VM_EVENT_FAILED, .code = (uint32_t)errno };

	(void)snprintf(ev.text, sizeof(ev.text), "coracle-vmm: execute it: %s", strerror(errno));
	(void)send(c->control_fd, &ev, sizeof(ev), MSG_NOSIGNAL);
	_exit(127);
}

/* In the child: the record's descriptors survive, 0 to 2 are nobody's, then exec. */
static void become_vmm(const struct launch *l, const struct plan *p, const struct vm_config *c, int config_fd,
		       pid_t parent)
{
	static char *no_env[] = { NULL };
	char number[12];
	char *argv[] = { (char[]){ "coracle-vmm" }, number, NULL };
	struct rlimit files;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (proc_die_with(parent) < 0)
		_exit(127);
	(void)snprintf(number, sizeof(number), "%d", config_fd);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	keep_open(config_fd);
	keep_open(c->kvm_fd);
	keep_open(c->kernel_fd);
	keep_open(c->initrd_fd);
	keep_open(c->control_fd);
	keep_open(c->lock_fd);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || (!l->debug && dup2(null, 2) < 0))
		_exit(127);
	(void)syscall(SYS_execveat, p->vmm_label ? vmm_in_our_mounts(l) : l->vmm_exe, "", argv, no_env,
		      AT_EMPTY_PATH);
	not_run(c);
}

static int write_config(const struct vm_config *c, struct err *e)
{
	OWN_FD int fd = memfd_create("vm-config", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return err_sys(e, "memfd_create");
	r = io_write_all(fd, c, sizeof(*c));
	if (r < 0)
		return err_set(e, -r, "write the VMM's record: %s", strerror(-r));
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return err_sys(e, "seal the VMM's record");
	return take_fd(&fd);
}

int launch_vmm(const struct launch *l, const struct plan *p, bool single_id, struct launched *out,
	       struct err *e)
{
	OWN_FD int control = -1;
	OWN_FD int control_vmm = -1;
	OWN_FD int config = -1;
	struct vm_config c;
	pid_t self = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	control = pair[0];
	control_vmm = pair[1];
	fill_config(&c, l, p, single_id, control_vmm);
	config = write_config(&c, e);
	if (config < 0)
		return config;
	if (p->vmm_label && label_next_exec(p->vmm_label, e) < 0)
		return -e->code;
	out->pid = fork();
	if (out->pid < 0)
		return err_sys(e, "fork");
	if (out->pid == 0)
		become_vmm(l, p, &c, config, self);
	if (p->vmm_label && label_next_exec("", e) < 0)
		return -e->code;
	out->control_fd = take_fd(&control);
	return 0;
}

/* ------------------------------------------------------------------ its devices */

struct parcel {
	size_t n;
	int fds[VM_MAX_DEVICE_FDS];
};

/* Descriptors travel beside the record: their fields say which. */
static void put(struct parcel *p, int32_t *fd)
{
	if (*fd < 0)
		return;
	p->fds[p->n] = *fd;
	*fd = (int32_t)p->n++;
}

static void pack(struct vm_devices *d, struct parcel *p)
{
	put(p, &d->net_fd);
	for (uint32_t i = 0; i < d->n_shares; i++)
		put(p, &d->shares[i].fd);
	for (uint32_t i = 0; i < d->n_streams; i++) {
		struct vm_stream *s = &d->streams[i];
		bool one = s->in_fd == s->out_fd;

		put(p, &s->in_fd);
		if (one)
			s->out_fd = s->in_fd;
		else
			put(p, &s->out_fd);
	}
	for (uint32_t i = 0; i < d->n_nets; i++)
		put(p, &d->nets[i].fd);
	d->n_fds = (uint32_t)p->n;
}

/* As many descriptors as RLIMIT_NOFILE may be under way, of all processes of a user: others arrive. */
static int send_patiently(int control_fd, const int *fds, size_t n)
{
	int r;

	for (int waited = 0; (r = io_send_fds(control_fd, "", 1, fds, n)) == -ETOOMANYREFS && waited < SEND_MS;
	     waited += 10)
		(void)poll(NULL, 0, 10);
	return r;
}

/* A VMM that has died says itself why. */
static int send_devices(int control_fd, const struct vm_devices *d, const struct parcel *p)
{
	int r = io_send_fds(control_fd, d, sizeof(*d), NULL, 0);

	for (size_t i = 0; i < p->n && r == 0; i += IO_MAX_FDS)
		r = send_patiently(control_fd, p->fds + i,
				   p->n - i < IO_MAX_FDS ? p->n - i : IO_MAX_FDS);
	return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

int launch_devices(const struct launch *l, const struct plan *p, const struct sandbox *s,
		   const struct net *net, struct launched *vmm, struct err *e)
{
	OWN_FD int guest = -1;
	OWN_FD int guest_vmm = -1;
	struct parcel parcel = { 0 };
	struct vm_devices d;
	int pair[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	guest = pair[0];
	guest_vmm = pair[1];
	fill_devices(&d, l, p, s, net, guest_vmm);
	pack(&d, &parcel);
	r = send_devices(vmm->control_fd, &d, &parcel);
	if (r < 0)
		return err_set(e, -r, "coracle-vmm: tell it its devices: %s", strerror(-r));
	vmm->guest_fd = take_fd(&guest);
	return 0;
}

void launch_close(struct launch *l)
{
	own_close_fd(&l->vmm_exe);
	own_close_fd(&l->kvm_fd);
	own_close_fd(&l->kernel_fd);
	own_close_fd(&l->initrd_fd);
	own_close_fd(&l->lock_fd);
}
