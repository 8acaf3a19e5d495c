/* SPDX-License-Identifier: Apache-2.0 */
/* link - the guest's end of the channel: vsock streams to the host, frames on one of them. */
#ifndef GUEST_INIT_LINK_H
#define GUEST_INIT_LINK_H

#include "guest-init/err.h"
#include "guest-init/proto.h"

/* A frame after PROGRAM: none has more than this many bytes. */
#define LINK_PAYLOAD sizeof(struct proto_ask)

/* Bytes of a frame that has not fully arrived. */
struct link_in {
	uint8_t bytes[sizeof(struct proto_head) + LINK_PAYLOAD];
	size_t have;
};

struct link_frame {
	uint32_t type;
	union {
		struct proto_signal signal;
		struct proto_resize resize;
		struct proto_net net;
		struct proto_exec exec;
		struct proto_ask ask;
		uint8_t bytes[LINK_PAYLOAD];
	};
};

/*
 * link_dial - begin to connect to @port of the host, without waiting for its answer
 * @from: the port that we call from, or 0 for any
 * Return: a non-blocking socket for link_answer(), or -errno.
 */
int link_dial(uint32_t port, uint32_t from);

/* Wait for the host's answer to link_dial(). Return: 0, or -errno; @fd stays open. */
int link_answer(int fd);

/* Connect to port number @i of @x: the host has opened it, so that the answer is on its way. Return: socket or -errno. */
int link_port(const struct proto_exec *x, uint32_t i);

/* Send one event; the frame's head is made here. Return: 0 or -errno. */
int link_send(int fd, const struct proto_event *event);

/*
 * Wait for the PROGRAM frame and put its payload into fresh pages.
 * Return: 0, or -errno with @e set.
 */
int link_program(int fd, void **out_payload, size_t *out_n, struct err *e);

/*
 * Take the next small frame if it has come; never waits.
 * Return: 1 with @out_frame filled, 0 when there is none yet, -errno when the channel is gone or
 * spoke nonsense.
 */
int link_next(int fd, struct link_in *in, struct link_frame *out_frame);

#endif
