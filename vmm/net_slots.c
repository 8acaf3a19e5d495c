/* SPDX-License-Identifier: Apache-2.0 */
/* net_slots - the machine's network interfaces, and the socket that plugs and unplugs them. */
#include "vmm/net_slots.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "vmm/virtio_net.h"

/* Receive one request with its descriptor. Return: bytes, 0 at the end, or -errno. */
static ssize_t receive(int fd, struct vm_net_request *req, int *out_fd)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { .iov_base = req, .iov_len = sizeof(*req) };
	struct msghdr m = { .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes) };
	ssize_t n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	if (n < 0)
		return -errno;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(out_fd, CMSG_DATA(c), sizeof(int));
	return n;
}

static int32_t carry_out(struct net_slots *s, const struct vm_net_request *req, int *fd)
{
	struct vm_net net = req->net;

	if (req->slot >= s->n || net.mtu > 65535)
		return -EINVAL;
	switch (req->op) {
	case VM_NET_PLUG:
		if (*fd < 0)
			return -EBADF;
		net.fd = take_fd(fd);
		return virtio_net_plug(s->slots[req->slot], &net);
	case VM_NET_UNPLUG:
		virtio_net_unplug(s->slots[req->slot]);
		return 0;
	case VM_NET_MTU:
		net.fd = -1;
		return virtio_net_plug(s->slots[req->slot], &net);
	default:
		return -EINVAL;
	}
}

static void on_request(struct event *ev)
{
	struct net_slots *s =
		(struct net_slots *)((char *)ev - offsetof(struct net_slots, requests));
	struct vm_net_request req;
	OWN_FD int fd = -1;
	int32_t answer;
	ssize_t n = receive(ev->fd, &req, &fd);

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n <= 0) {
		loop_remove(s->loop, ev); /* nobody will change the network any more */
		return;
	}
	answer = n == (ssize_t)sizeof(req) ? carry_out(s, &req, &fd) : -EINVAL;
	if (send(ev->fd, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		loop_remove(s->loop, ev);
}

int net_slots_init(struct net_slots *s, const struct memory *mem, struct loop *loop,
		   const struct vm_devices *d, struct err *e)
{
	*s = (struct net_slots){ .loop = loop, .requests = { d->net_fd, 0, on_request } };
	for (s->n = 0; s->n < d->n_nets; s->n++) {
		s->slots[s->n] = virtio_net_new(mem, loop, &d->nets[s->n]);
		if (!s->slots[s->n])
			return err_set(e, ENOMEM, "network interface %u: tap or memory", s->n);
	}
	if (d->net_fd >= 0 && loop_add(loop, &s->requests, EPOLLIN) < 0)
		return err_sys(e, "epoll_ctl");
	return 0;
}
