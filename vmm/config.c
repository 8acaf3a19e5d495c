/* SPDX-License-Identifier: Apache-2.0 */
/* config - check and receive what tells coracle-vmm what to run. */
#include "vmm/config.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/io.h"

/* ------------------------------------------------------------------ the machine */

static int check_descriptors(const struct vm_config *c, struct err *e)
{
	const struct {
		int32_t fd;
		const char *name;
	} v[] = { { c->kvm_fd, "kvm_fd" },	   { c->kernel_fd, "kernel_fd" },
		  { c->initrd_fd, "initrd_fd" }, { c->control_fd, "control_fd" },
		  { c->lock_fd, "lock_fd" } };
	size_t n = sizeof(v) / sizeof(v[0]) - (c->lock_fd == -1);

	for (size_t i = 0; i < n; i++) {
		if (v[i].fd <= STDERR_FILENO)
			return err_set(e, EINVAL, "vm config: %s: descriptor %d is missing or stdio's",
				       v[i].name, v[i].fd);
		for (size_t k = 0; k < i; k++)
			if (v[k].fd == v[i].fd)
				return err_set(e, EINVAL, "vm config: %s: descriptor %d is named twice",
					       v[i].name, v[i].fd);
	}
	return 0;
}

int vm_config_check(const struct vm_config *c, struct err *e)
{
	if (c->magic != VM_CONFIG_MAGIC || c->version != VM_CONFIG_VERSION)
		return err_set(e, EINVAL, "vm config: not a record of version %d",
			       VM_CONFIG_VERSION);
	if (c->vcpus == 0 || c->vcpus > VM_MAX_VCPUS)
		return err_set(e, EINVAL, "vm config: vcpus %u is not in 1..%d", c->vcpus,
			       VM_MAX_VCPUS);
	if (c->memory_bytes < VM_MIN_MEMORY || c->memory_bytes > VM_MAX_MEMORY ||
	    c->memory_bytes % 4096)
		return err_set(e, EINVAL, "vm config: memory of %llu bytes is not possible",
			       (unsigned long long)c->memory_bytes);
	if (c->flags & ~VM_ALL_FLAGS)
		return err_set(e, EINVAL, "vm config: flags: 0x%x is unknown", c->flags);
	if (memchr(c->cmdline, '\0', sizeof(c->cmdline)) == NULL)
		return err_set(e, EINVAL, "vm config: cmdline is not terminated");
	return check_descriptors(c, e);
}

/* ------------------------------------------------------------------ its devices */

static int check_lists(const struct vm_devices *d, struct err *e)
{
	if (d->n_shares == 0 || d->n_shares > VM_MAX_SHARES)
		return err_set(e, EINVAL, "vm devices: n_shares %u is not in 1..%d", d->n_shares,
			       VM_MAX_SHARES);
	for (uint32_t i = 0; i < d->n_shares; i++)
		if (d->shares[i].flags & ~(VM_SHARE_READONLY | VM_SHARE_FIFOS))
			return err_set(e, EINVAL, "vm devices: shares[%u].flags: 0x%x is unknown", i,
				       d->shares[i].flags);
	if (d->n_streams > VM_MAX_STREAMS)
		return err_set(e, EINVAL, "vm devices: n_streams %u is over %d", d->n_streams,
			       VM_MAX_STREAMS);
	for (uint32_t i = 0; i < d->n_streams; i++)
		if (d->streams[i].port == 0)
			return err_set(e, EINVAL, "vm devices: streams[%u].port is 0", i);
	if (d->n_nets > VM_MAX_NETS)
		return err_set(e, EINVAL, "vm devices: n_nets %u is over %d", d->n_nets, VM_MAX_NETS);
	for (uint32_t i = 0; i < d->n_nets; i++)
		if (d->nets[i].mtu > 65535)
			return err_set(e, EINVAL, "vm devices: nets[%u].mtu %u is over 65535", i,
				       d->nets[i].mtu);
	return 0;
}

/* A way through all descriptors of a record: each is named once. With @fds it takes the place of its position. */
struct walk {
	const int *fds;
	uint32_t n_fds;
	uint32_t n_seen;
	bool seen[VM_MAX_DEVICE_FDS];
};

static int visit(struct walk *w, int32_t *fd, const char *what, uint32_t i, struct err *e)
{
	if (*fd < 0 || (uint32_t)*fd >= w->n_fds)
		return err_set(e, EINVAL, "vm devices: %s (%u): descriptor %d is not one of %u", what, i,
			       *fd, w->n_fds);
	if (w->seen[*fd])
		return err_set(e, EINVAL, "vm devices: %s (%u): descriptor %d is named twice", what, i, *fd);
	w->seen[*fd] = true;
	w->n_seen++;
	if (w->fds)
		*fd = w->fds[*fd];
	return 0;
}

static int visit_stream(struct walk *w, struct vm_stream *s, uint32_t i, struct err *e)
{
	bool one = s->in_fd == s->out_fd;

	if (s->in_fd != -1 && visit(w, &s->in_fd, "streams.in_fd", i, e) < 0)
		return -e->code;
	if (one)
		s->out_fd = s->in_fd;
	return one || s->out_fd == -1 ? 0 : visit(w, &s->out_fd, "streams.out_fd", i, e);
}

/* Lists have been checked to be within their sizes. */
static int walk(struct walk *w, struct vm_devices *d, struct err *e)
{
	int r = d->net_fd == -1 ? 0 : visit(w, &d->net_fd, "net_fd", 0, e);

	for (uint32_t i = 0; r == 0 && i < d->n_shares; i++)
		r = visit(w, &d->shares[i].fd, "shares.fd", i, e);
	for (uint32_t i = 0; r == 0 && i < d->n_streams; i++)
		r = visit_stream(w, &d->streams[i], i, e);
	for (uint32_t i = 0; r == 0 && i < d->n_nets; i++)
		if (d->nets[i].fd != -1)
			r = visit(w, &d->nets[i].fd, "nets.fd", i, e);
	return r;
}

int vm_devices_check(const struct vm_devices *d, struct err *e)
{
	struct walk w = { .n_fds = d->n_fds };
	struct vm_devices copy = *d;

	if (d->n_fds > VM_MAX_DEVICE_FDS)
		return err_set(e, EINVAL, "vm devices: n_fds %u is over %d", d->n_fds, VM_MAX_DEVICE_FDS);
	if (check_lists(d, e) < 0 || walk(&w, &copy, e) < 0)
		return -e->code;
	return w.n_seen == d->n_fds ? 0 : err_set(e, EINVAL, "vm devices: %u of %u descriptors are nobody's",
						  d->n_fds - w.n_seen, d->n_fds);
}

static int receive_failed(ssize_t n, struct err *e)
{
	if (n == 0)
		return err_set(e, EPIPE, "vm devices: the monitor has gone");
	return err_set(e, n < 0 ? (int)-n : EINVAL, "vm devices: receive: %s", strerror(n < 0 ? (int)-n : EINVAL));
}

int vm_devices_receive(int control_fd, struct vm_devices *out, struct err *e)
{
	int fds[VM_MAX_DEVICE_FDS];
	struct walk w = { .fds = fds };
	size_t have = 0;
	size_t want, more;
	ssize_t n;
	char byte;

	n = io_recv_fds(control_fd, out, sizeof(*out), fds, 0, &more);
	if (n != (ssize_t)sizeof(*out))
		return receive_failed(n, e);
	if (vm_devices_check(out, e) < 0)
		return -e->code;
	for (; have < out->n_fds; have += more) {
		want = out->n_fds - have < IO_MAX_FDS ? out->n_fds - have : IO_MAX_FDS;
		n = io_recv_fds(control_fd, &byte, 1, fds + have, want, &more);
		/* fewer than were sent: no room for them, or a security module keeps one back */
		if (n != 1 || more != want)
			return receive_failed(n == 1 ? -EMFILE : n, e);
	}
	w.n_fds = out->n_fds;
	return walk(&w, out, e);
}

/* ------------------------------------------------------------------ commands */

int vm_command_check(const struct vm_command *c, size_t n_fds)
{
	const struct vm_ends *channel = &c->ends[0];
	size_t n = 0;

	if (c->type != VM_COMMAND_EXEC || c->port == 0 || c->port > UINT32_MAX - VM_EXEC_PORTS)
		return -EINVAL;
	for (uint32_t i = 0; i < VM_EXEC_PORTS; i++) {
		if (c->ends[i].in > VM_FD_KINDS || c->ends[i].out > VM_FD_KINDS || c->from[i] == 0)
			return -EINVAL;
		n += (c->ends[i].in & VM_FD_PRESENT) + (c->ends[i].out & VM_FD_PRESENT);
	}
	if (!(channel->in & channel->out & VM_FD_PRESENT) ||
	    !(channel->in & channel->out & VM_FD_SOCKET))
		return -EINVAL;
	return n == n_fds ? 0 : -EINVAL;
}
