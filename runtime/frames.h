/* SPDX-License-Identifier: Apache-2.0 */
/* frames - what goes over a channel to the guest, both ways (guest-init/proto.h). */
#ifndef RUNTIME_FRAMES_H
#define RUNTIME_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "guest-init/proto.h"
#include "runtime/base/err.h"

/* An event that is on its way. Zeroed: none yet. */
struct frame_in {
	size_t have; /* bytes of it */
	struct {
		struct proto_head head;
		struct proto_event event;
	} frame;
};

/*
 * Read what is there, without waiting.
 * Return: 1 when f->frame.event is whole, its text terminated; 0 when it is not yet; -EPROTO when it can't be one;
 * -ENODATA at the channel's end; -errno.
 */
int frames_read(struct frame_in *f, int fd) MUST_CHECK;

/* Send a small frame, without waiting. Return: 0, or -EAGAIN: a guest that reads nothing does not get it. */
int frames_send(int fd, uint32_t type, const void *payload, size_t n) MUST_CHECK;

#endif
