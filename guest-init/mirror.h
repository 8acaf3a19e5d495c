/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirror - what listens on one side of a machine's border can be reached on the other: TCP and UDP.
 *
 * DOC: why
 *
 * The container's interfaces are tied to taps, so what comes from outside reaches the guest. What begins
 * inside the network namespace on the host does not: a forwarder's connection to 127.0.0.1, a pod mate, or
 * the guest's own question to a resolver that an engine has put there. The namespace and the guest have the
 * same addresses but two network stacks, and each thinks that these are its own.
 *
 * DOC: how
 *
 * The same program runs on both sides: a process of the host in the container's network namespace, and one
 * in the guest. Each looks for the sockets that listen on its side (sock_diag(7), twice a second or so) and
 * tells the other, which listens at the same address and port if nobody does so yet. A connection made there
 * is carried over one vsock stream and made again on the side where somebody listens. So it is as if there
 * were one stack: a port is taken on both sides, whoever took it.
 *
 * DOC: frames
 *
 * Each is a struct mirror_frame and `length` bytes. A side lists what listens: LISTENER for each, then
 * LISTED, which the other answers by APPLIED with the same number. OPEN begins a flow, its payload is the
 * address that was called. DATA is bytes of a TCP connection, at most MIRROR_WINDOW that have not been
 * acknowledged by CREDIT, or one datagram. EOF: no more DATA. RESET: the flow is over at once.
 *
 * A flow's id names who opened it (MIRROR_BY_HOST), a slot and a generation: what is under way for an
 * earlier flow of a slot is recognized and dropped. No frame makes its receiver owe more than a flag, so
 * reading never waits for writing.
 *
 * DOC: trust
 *
 * The host's side believes nothing: counts are capped, lengths checked, a flow may only be opened to what
 * the host has listed. A guest can listen in the namespace and connect there like any container that is in
 * it. No C library and nothing of the init's is used, so that both sides can be built from this.
 */
#ifndef GUEST_INIT_MIRROR_H
#define GUEST_INIT_MIRROR_H

#include <stdint.h>

#define MIRROR_WINDOW 65536u	   /* bytes of a connection on their way, each direction */
#define MIRROR_PAYLOAD 65536u	   /* of a frame, at most: room for every datagram */
#define MIRROR_MAX_LISTENERS 256u  /* listed by one side; what is beyond is not mirrored */
#define MIRROR_FLOWS 256u	   /* opened by one side, at a time */
#define MIRROR_BY_HOST 0x80000000u /* in an id */

enum mirror_type {
	MIRROR_LISTENER = 1, /* payload: struct mirror_addr */
	MIRROR_LISTED = 2,   /* number */
	MIRROR_APPLIED = 3,  /* number */
	MIRROR_OPEN = 4,     /* id; payload: struct mirror_addr */
	MIRROR_DATA = 5,     /* id; payload: bytes */
	MIRROR_CREDIT = 6,   /* id; number: bytes */
	MIRROR_EOF = 7,	     /* id */
	MIRROR_RESET = 8,    /* id */
};

struct mirror_frame {
	uint32_t type; /* enum mirror_type */
	uint32_t id;
	uint32_t number;
	uint32_t length; /* bytes of payload that follow */
};

#define MIRROR_TCP 6u
#define MIRROR_UDP 17u
#define MIRROR_V4 2u
#define MIRROR_V6 10u

struct mirror_addr {
	uint8_t protocol; /* MIRROR_TCP, MIRROR_UDP */
	uint8_t family;	  /* MIRROR_V4, MIRROR_V6 */
	uint8_t v6only;	  /* V6: takes no IPv4 */
	uint8_t reserved;
	uint16_t port; /* host order, not 0 */
	uint16_t reserved2;
	uint8_t addr[16]; /* network order; IPv4: the first four */
};

_Static_assert(sizeof(struct mirror_frame) == 16, "wire");
_Static_assert(sizeof(struct mirror_addr) == 24, "wire");

enum mirror_side { MIRROR_GUEST, MIRROR_HOST };

/*
 * Serve until the stream @channel ends. All descriptors are owned; -1: none.
 * @kick: a byte that arrives asks for a look at once, and is answered by a byte when the other side has it.
 * @clients: the first of PROTO_NET_PORTS (proto.h) whose UDP sockets are clients', 0: of none but those that Linux chooses.
 * @ready: a pipe that gets a byte, and is closed, when the other side's first list has been applied.
 */
void mirror_run(enum mirror_side side, int channel, int kick, int ready, uint16_t clients);

#endif
