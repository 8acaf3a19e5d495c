/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sockets - UNIX sockets whose server is on the host: listen in their place, carry each connection over.
 *
 * DOC: one connection
 *
 *   accepted -> ASKED    the host is told (SOCKET) and connects to the real one
 *            -> OPEN     EXEC has named the ports: bytes both ways, each direction ends by itself
 *            -> LEAVING  we have sent all: the host says when it has delivered that
 *            -> FREE     both have ended, or the host's server takes nobody
 *
 * A descriptor of the caller's is one from the beginning: ASKED, with one end in the process's hands. Where it
 * is a pipe, it has one direction only.
 *
 * Nothing here waits: who reads slowly stops the other side, and only on its own connection.
 */
#ifndef GUEST_INIT_SOCKETS_H
#define GUEST_INIT_SOCKETS_H

#include <stdbool.h>

#include "guest-init/datagrams.h"
#include "guest-init/err.h"
#include "guest-init/program.h"

#define SOCKETS_POLLS (PROTO_MAX_SOCKETS + 2 * PROTO_MAX_SOCKET_CONNS)
#define SOCKETS_BUFFER 16384
#define SOCKETS_NAME 16

struct pollfd;

struct sockets_flow {
	bool open;   /* the source is not at its end */
	bool shut;   /* the target has been told so */
	uint32_t at; /* first byte not yet passed on */
	uint32_t len;
	uint8_t buf[SOCKETS_BUFFER];
};

enum sockets_state { SOCKETS_FREE = 0, SOCKETS_ASKED, SOCKETS_OPEN, SOCKETS_LEAVING };

struct sockets_conn {
	enum sockets_state state;
	uint32_t token;
	uint32_t kind; /* enum proto_fd_kind of a descriptor that was passed; 0: somebody connected */
	int local;   /* who connected; our end of a pipe or pair; -1: closed */
	int channel; /* its end tells the host that all is over */
	int sock;
	bool gone; /* local has closed for good */
	uint64_t sent; /* bytes to the host */
	struct sockets_flow up;
	struct sockets_flow down;
};

struct sockets {
	uint32_t n;
	uint32_t made; /* tokens given out */
	uint32_t used; /* conn[] from here on has never been used */
	uint64_t moved; /* grows with every byte sent to the host and every end: progress */
	int listen[PROTO_MAX_SOCKETS];
	struct datagrams datagrams[PROTO_MAX_SOCKETS]; /* those of that type */
	struct sockets_conn conn[PROTO_MAX_SOCKET_CONNS];
};

/* Where the socket of number @i is, below the root of the initramfs. @out: SOCKETS_NAME bytes. */
void sockets_name(uint32_t i, char *out);

/* Listen for every socket of @p, before the container is cloned. Return: 0, or -errno with @e set. */
int sockets_listen(struct sockets *s, const struct program *p, struct err *e);

/* The host's answer. */
void sockets_open(struct sockets *s, const struct proto_exec *x);

/* Carry @local, which is owned from now on, over ports that the host has opened unasked. */
void sockets_carry(struct sockets *s, int local, const struct proto_exec *x);

/* Ports that nobody wants: the host shall close them. */
void sockets_refuse(const struct proto_exec *x);

/*
 * Make a pipe or a pair of sockets (PROTO_FD_IN, OUT or BOTH) whose other end is to be carried over when
 * sockets_open() gets @token. Return: the process's end, or -errno.
 */
int sockets_pass(struct sockets *s, uint32_t kind, uint32_t token);

/* Give up what sockets_pass() has made for the process at @port, which won't be. */
void sockets_drop(struct sockets *s, uint32_t port);

/*
 * Has the host all that was written? Of passed descriptors (@passed) or connections. Of these ask when nobody is left
 * to write: sockets for datagrams, which have no end of their own, are ended by it.
 */
bool sockets_over(struct sockets *s, bool passed);

/* Whether bytes of passed descriptors are still on this side. */
bool sockets_unsent(const struct sockets *s);

/*
 * What the descriptors passed to the process at @port have sent to the host so far. Return: bytes.
 * @out_quiet: nothing more of theirs waits on this side.
 */
uint64_t sockets_sent(const struct sockets *s, uint32_t port, bool *out_quiet);

/* Fill @out with what to wait for. Return: how many entries, at most SOCKETS_POLLS. */
unsigned sockets_polls(const struct sockets *s, struct pollfd *out);

/* Do what @polls allows; new connections are told on @control. */
void sockets_run(struct sockets *s, const struct pollfd *polls, int control);

#endif
