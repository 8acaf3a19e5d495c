/* SPDX-License-Identifier: Apache-2.0 */
/* sockets - streams of the host that are the container's: connections to mounted sockets, passed descriptors. */
#ifndef RUNTIME_SOCKETS_H
#define RUNTIME_SOCKETS_H

#include <poll.h>

#include "guest-init/proto.h"
#include "runtime/execs.h"
#include "runtime/sandbox.h"

/* Each socket for datagrams has one connection, besides those of streams. */
#define SOCKETS_MOST (PROTO_MAX_SOCKET_CONNS + PROTO_MAX_SOCKETS)

struct sockets {
	uint32_t n;
	struct {
		int fd; /* the other end of the connection's first port: lives as long as it does */
		uint32_t token;
		bool asked; /* the guest waits for it */
	} v[SOCKETS_MOST];
};

/*
 * Answer the guest's SOCKET @ev: connect to the socket that was pinned at create, and give the connection to
 * the VMM, which never connects itself. The guest hears of a failure.
 */
void sockets_connect(struct sockets *s, const struct sandbox *sandbox, struct execs *x,
		     const struct proto_event *ev, int control_fd, int guest_fd);

/*
 * Give the guest a connection that it knows by @token: @in and @out are read and written here, -1 where there is
 * no such direction, and stay the caller's. @more: PROTO_EXEC_LISTEN or 0. When it can't be the guest hears of it.
 */
void sockets_give(struct sockets *s, struct execs *x, const struct vm_ends *ends, int in, int out,
		  uint32_t token, uint32_t more, int control_fd, int guest_fd);

/* Somebody has connected to @listen_fd, descriptor @i of the container's process. */
void sockets_accept(struct sockets *s, struct execs *x, int listen_fd, uint32_t i, int control_fd,
		    int guest_fd);

/* Fill @out with what to wait for. Return: how many entries, at most SOCKETS_MOST. */
unsigned sockets_polls(const struct sockets *s, struct pollfd *out);

/* Forget the connections that are over. */
void sockets_run(struct sockets *s, const struct pollfd *polls, int guest_fd);

#endif
