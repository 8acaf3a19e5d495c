/* SPDX-License-Identifier: Apache-2.0 */
/* frames - what goes over a channel to the guest, both ways (guest-init/proto.h). */
#include "runtime/frames.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* A frame is complete when its fixed size is. */
int frames_read(struct frame_in *f, int fd)
{
	struct proto_event *ev = &f->frame.event;
	ssize_t n = recv(fd, (char *)&f->frame + f->have, sizeof(f->frame) - f->have, MSG_DONTWAIT);

	if (n <= 0)
		return n == 0 ? -ENODATA : errno == EAGAIN || errno == EINTR ? 0 : -errno;
	f->have += (size_t)n;
	if (f->have >= sizeof(f->frame.head) && f->frame.head.length != sizeof(*ev))
		return -EPROTO;
	if (f->have < sizeof(f->frame))
		return 0;
	f->have = 0;
	ev->text[sizeof(ev->text) - 1] = '\0';
	/* a guest may say anything: what has failed has a reason */
	if (ev->type == PROTO_FAILED && ev->code <= 0)
		ev->code = EIO;
	return 1;
}

int frames_send(int fd, uint32_t type, const void *payload, size_t n)
{
	struct proto_head h = { .type = type, .length = (uint32_t)n };
	struct iovec v[2] = { { &h, sizeof(h) }, { (void *)(uintptr_t)payload, n } };
	struct msghdr m = { .msg_iov = v, .msg_iovlen = 2 };
	ssize_t sent = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);

	return sent == (ssize_t)(sizeof(h) + n) ? 0 : -EAGAIN;
}
