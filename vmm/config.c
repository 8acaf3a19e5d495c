/* SPDX-License-Identifier: Apache-2.0 */
/* config - check the record that tells coracle-vmm what to run. */
#include "vmm/config.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* All descriptors of a record, in the order of its fields. */
struct fd_list {
	size_t n;
	int32_t fd[6 + VM_MAX_SHARES + 2 * VM_MAX_STREAMS + VM_MAX_NETS];
};

static int add_fd(struct fd_list *l, int32_t fd, const char *what, uint32_t i, struct err *e)
{
	if (fd <= STDERR_FILENO)
		return err_set(e, EINVAL, "vm config: %s (%u): descriptor %d is missing or stdio's",
			       what, i, fd);
	for (size_t k = 0; k < l->n; k++)
		if (l->fd[k] == fd)
			return err_set(e, EINVAL, "vm config: %s (%u): descriptor %d is named twice",
				       what, i, fd);
	l->fd[l->n++] = fd;
	return 0;
}

static int add_stream_fds(struct fd_list *l, const struct vm_stream *s, uint32_t i, struct err *e)
{
	int r = 0;

	if (s->in_fd != -1)
		r = add_fd(l, s->in_fd, "streams.in_fd", i, e);
	if (r == 0 && s->out_fd != -1 && s->out_fd != s->in_fd)
		r = add_fd(l, s->out_fd, "streams.out_fd", i, e);
	return r;
}

/* Lists have been checked to be within their sizes. */
static int check_descriptors(const struct vm_config *c, struct err *e)
{
	struct fd_list l = { 0 };
	int r = add_fd(&l, c->kvm_fd, "kvm_fd", 0, e);

	if (r == 0)
		r = add_fd(&l, c->kernel_fd, "kernel_fd", 0, e);
	if (r == 0)
		r = add_fd(&l, c->initrd_fd, "initrd_fd", 0, e);
	if (r == 0)
		r = add_fd(&l, c->control_fd, "control_fd", 0, e);
	if (r == 0 && c->lock_fd != -1)
		r = add_fd(&l, c->lock_fd, "lock_fd", 0, e);
	if (r == 0 && c->net_fd != -1)
		r = add_fd(&l, c->net_fd, "net_fd", 0, e);
	for (uint32_t i = 0; r == 0 && i < c->n_shares; i++)
		r = add_fd(&l, c->shares[i].fd, "shares.fd", i, e);
	for (uint32_t i = 0; r == 0 && i < c->n_streams; i++)
		r = add_stream_fds(&l, &c->streams[i], i, e);
	for (uint32_t i = 0; r == 0 && i < c->n_nets; i++)
		if (c->nets[i].fd != -1)
			r = add_fd(&l, c->nets[i].fd, "nets.fd", i, e);
	return r;
}

static int check_lists(const struct vm_config *c, struct err *e)
{
	if (c->n_shares == 0 || c->n_shares > VM_MAX_SHARES)
		return err_set(e, EINVAL, "vm config: n_shares %u is not in 1..%d", c->n_shares,
			       VM_MAX_SHARES);
	for (uint32_t i = 0; i < c->n_shares; i++)
		if (c->shares[i].flags & ~VM_SHARE_READONLY)
			return err_set(e, EINVAL, "vm config: shares[%u].flags: 0x%x is unknown", i,
				       c->shares[i].flags);
	if (c->n_streams > VM_MAX_STREAMS)
		return err_set(e, EINVAL, "vm config: n_streams %u is over %d", c->n_streams,
			       VM_MAX_STREAMS);
	for (uint32_t i = 0; i < c->n_streams; i++)
		if (c->streams[i].port == 0)
			return err_set(e, EINVAL, "vm config: streams[%u].port is 0", i);
	if (c->n_nets > VM_MAX_NETS)
		return err_set(e, EINVAL, "vm config: n_nets %u is over %d", c->n_nets, VM_MAX_NETS);
	for (uint32_t i = 0; i < c->n_nets; i++)
		if (c->nets[i].mtu > 65535)
			return err_set(e, EINVAL, "vm config: nets[%u].mtu %u is over 65535", i,
				       c->nets[i].mtu);
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
	return check_lists(c, e) < 0 ? -e->code : check_descriptors(c, e);
}

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
