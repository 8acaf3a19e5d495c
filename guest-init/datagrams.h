/* SPDX-License-Identifier: Apache-2.0 */
/*
 * datagrams - a mounted socket for datagrams: what is sent to it is carried to the server on the host.
 *
 * DOC: states
 *
 *   IDLE -> ASKED     a datagram has come, and the host is told (SOCKET)
 *        -> OPEN      EXEC has named the ports: frames of PROTO_DATAGRAM_HEAD go out
 *        -> LEAVING   the container has ended and all is sent: the host says when it has delivered that
 *        -> IDLE      or before, when the server has gone
 *
 * Who sends faster than the server takes is made to wait: the socket's queue is full. One datagram is here at a
 * time. What nobody on the host takes is lost, as are answers: the server has nobody to send them to.
 */
#ifndef GUEST_INIT_DATAGRAMS_H
#define GUEST_INIT_DATAGRAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-init/proto.h"

struct pollfd;

enum datagrams_state { DATAGRAMS_IDLE = 0, DATAGRAMS_ASKED, DATAGRAMS_OPEN, DATAGRAMS_LEAVING };

struct datagrams {
	int in; /* the socket; -1: this one is of streams */
	enum datagrams_state state;
	uint32_t token;
	int channel; /* OPEN, LEAVING */
	int sock;
	uint32_t at; /* first byte of the frame that is not on its way */
	uint32_t n;  /* bytes of the frame; 0: none */
	uint8_t frame[PROTO_DATAGRAM_HEAD + PROTO_MAX_DATAGRAM];
};

struct pollfd datagrams_poll(const struct datagrams *d);

/* Do what the poll allows. Return: the host is to be told, whose answer datagrams_open() wants. */
bool datagrams_run(struct datagrams *d);

/* The host's answer, of port 0 when nobody is there: then what waits is lost. */
void datagrams_open(struct datagrams *d, const struct proto_exec *x);

/* Nobody will send more: what is here goes. Return: the host has it all. */
bool datagrams_over(struct datagrams *d);

#endif
