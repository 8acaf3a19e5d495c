/* SPDX-License-Identifier: Apache-2.0 */
/* link - the guest's end of the channel: vsock streams to the host, frames on one of them. */
#include "guest-init/link.h"

#include "guest-init/str.h"
#include "guest-init/sys.h"

/*
 * The host's side answers when it has time, and stands still now and then: a slow disk, a frozen cgroup. By default a
 * connection is given up after 2 s, and then nobody on the host may hear of it (net/vmw_vsock/af_vsock.c).
 */
static int wait_long(int fd)
{
	static const int64_t limit[2] = {600, 0}; /* a timeval */

	return sys_set_option(fd, SYS_AF_VSOCK, SYS_SO_VM_SOCKETS_CONNECT_TIMEOUT, limit, sizeof(limit));
}

int link_dial(uint32_t port, uint32_t from)
{
	struct sys_sockaddr_vm to = {
		.family = SYS_AF_VSOCK,
		.port = port,
		.cid = PROTO_CID_HOST,
	};
	const struct sys_sockaddr_vm self = {
		.family = SYS_AF_VSOCK,
		.port = from,
		.cid = SYS_VMADDR_CID_ANY,
	};
	int fd = sys_socket(SYS_AF_VSOCK, SYS_SOCK_STREAM | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return fd;
	rc = wait_long(fd);
	if (rc == 0 && from != 0)
		rc = sys_bind(fd, &self, sizeof(self));
	if (rc == 0)
		rc = sys_connect(fd, &to);
	if (rc < 0 && rc != -EINPROGRESS) {
		sys_close(fd);
		return rc;
	}
	return fd;
}

int link_answer(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	int error = 0, rc;

	do
		rc = sys_poll(&p, 1, -1);
	while (rc == -EINTR);
	if (rc >= 0)
		rc = sys_socket_error(fd, &error);
	return rc < 0 ? rc : -error;
}

int link_port(const struct proto_exec *x, uint32_t i)
{
	int fd = link_dial(x->port + i, x->from[i]);
	int rc = fd < 0 ? fd : link_answer(fd);

	if (rc < 0 && fd >= 0)
		sys_close(fd);
	return rc < 0 ? rc : fd;
}

int link_send(int fd, const struct proto_event *event)
{
	struct {
		struct proto_head head;
		struct proto_event event;
	} frame = {
		.head = {.type = event->type, .length = sizeof(*event)},
		.event = *event,
	};
	const uint8_t *at = (const uint8_t *)&frame;
	size_t left = sizeof(frame);

	while (left > 0) {
		long n = sys_send(fd, at, left, 0);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		at += n;
		left -= (size_t)n;
	}
	return 0;
}

static int receive(int fd, void *buf, size_t n)
{
	uint8_t *at = buf;

	while (n > 0) {
		long got = sys_recv(fd, at, n, 0);

		if (got == -EINTR)
			continue;
		if (got <= 0)
			return got == 0 ? -EPIPE : (int)got;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

int link_program(int fd, void **out_payload, size_t *out_n, struct err *e)
{
	struct proto_head head;
	void *payload;
	int rc;

	rc = receive(fd, &head, sizeof(head));
	if (rc < 0)
		return err_sys(e, rc, "program: receive");
	if (head.type != PROTO_PROGRAM || head.length > PROTO_MAX_PROGRAM)
		return err_set(e, EPROTO, "program: frame of type %u and %u bytes came first",
			       head.type, head.length);
	payload = sys_pages(head.length + 1);
	if (payload == NULL)
		return err_sys(e, -ENOMEM, "program: %u bytes", head.length);
	rc = receive(fd, payload, head.length);
	if (rc < 0)
		return err_sys(e, rc, "program: receive");
	*out_payload = payload;
	*out_n = head.length;
	return 0;
}

int link_next(int fd, struct link_in *in, struct link_frame *out_frame)
{
	struct proto_head head;
	size_t want = sizeof(head);

	for (;;) {
		long n;

		if (in->have >= sizeof(head)) {
			memcpy(&head, in->bytes, sizeof(head));
			if (head.length > LINK_PAYLOAD)
				return -EPROTO;
			want = sizeof(head) + head.length;
		}
		if (in->have >= sizeof(head) && in->have == want)
			break;
		n = sys_recv(fd, in->bytes + in->have, want - in->have, SYS_MSG_DONTWAIT);
		if (n == -EAGAIN || n == -EINTR)
			return 0;
		if (n <= 0)
			return n == 0 ? -EPIPE : (int)n;
		in->have += (size_t)n;
	}
	in->have = 0;
	out_frame->type = head.type;
	memset(out_frame->bytes, 0, sizeof(out_frame->bytes));
	memcpy(out_frame->bytes, in->bytes + sizeof(head), head.length);
	return 1;
}
