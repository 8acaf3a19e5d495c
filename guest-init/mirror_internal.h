/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_internal - what the parts of mirror share; nobody else includes it. */
#ifndef GUEST_INIT_MIRROR_INTERNAL_H
#define GUEST_INIT_MIRROR_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest-init/inet.h"
#include "guest-init/mirror.h"

#define IN_BYTES (256u << 10)  /* of the channel: a frame and more */
#define OUT_BYTES (256u << 10) /* not taken by the channel yet */
#define CONTROL_ROOM 64u       /* the largest frame without data */
#define DATA_ROOM (sizeof(struct mirror_frame) + MIRROR_PAYLOAD)
#define PIECE 32768u /* read from a connection in one go */

/* What listens on the other side, and our socket for it. */
struct port {
	struct mirror_addr addr;
	int fd;		/* -1: somebody has the address here, or it is none of ours */
	uint64_t inode; /* by which it is known in a dump */
};

enum flow_state {
	FLOW_FREE,
	FLOW_CONNECTING, /* to who listens here */
	FLOW_OPEN,
	FLOW_OVER, /* nothing left but what is owed */
};

#define OWE_OPEN 1u
#define OWE_CREDIT 2u
#define OWE_EOF 4u
#define OWE_RESET 8u

struct flow {
	enum flow_state state;
	uint32_t id;
	uint32_t owe; /* OWE_* to the other side */
	bool ours;    /* opened by this side */
	bool udp;
	bool sent_eof; /* or owe it */
	bool got_eof;
	int fd; /* -1: a UDP flow of ours, whose socket is the port's */
	struct mirror_addr to;
	struct mirror_addr port;  /* UDP of ours: where the client called */
	struct inet_addr client;  /* UDP of ours */
	uint32_t client_bytes;
	uint32_t room;	/* bytes that the other side still takes */
	uint32_t eaten; /* bytes passed on here since the last CREDIT */
	uint8_t *ring;	/* MIRROR_WINDOW bytes once needed: from the other side, not taken here yet */
	uint32_t ring_at;
	uint32_t ring_n;
	uint64_t used_ms; /* UDP: when it last carried something */
	int poll;	  /* index of its entry in this turn; -1: none */
};

struct mirror {
	enum mirror_side side;
	int channel;
	int kick;
	int ready;
	int diag;
	uint16_t clients; /* of mirror_run() */
	bool dead; /* the channel is over */
	uint64_t now_ms;
	uint64_t look_ms;  /* when to look again */
	uint64_t quiet_ms; /* from when on nothing has been new */
	bool list_due;	   /* ours has to be sent */
	uint32_t list_no;  /* of the last that was */
	uint32_t kick_no;  /* whose APPLIED the kick waits for; 0: none */
	uint32_t owe_applied; /* 0: none */
	uint32_t n_own;
	struct mirror_addr own[MIRROR_MAX_LISTENERS];
	uint32_t n_coming;
	struct mirror_addr coming[MIRROR_MAX_LISTENERS];
	uint32_t n_ports;
	struct port ports[MIRROR_MAX_LISTENERS];
	uint32_t generation;
	uint32_t top[2]; /* flows from here on are free */
	struct flow flows[2][MIRROR_FLOWS]; /* [1]: opened by the host */
	uint32_t in_n;
	uint32_t out_at, out_n;
	uint8_t in[IN_BYTES];
	uint8_t out[OUT_BYTES];
};

/* ------------------------------------------------------------------ mirror.c: the channel */

/* Room for a frame with @payload bytes behind it. */
bool out_fits(const struct mirror *m, size_t payload);
/* Where the payload of the next frame goes; out_fits() has said yes. */
uint8_t *out_payload(struct mirror *m, size_t payload);
/* The frame, whose payload is there already. */
void out_frame(struct mirror *m, const struct mirror_frame *f);

/* ------------------------------------------------------------------ mirror_diag.c */

/* The socket to ask. Return: a descriptor, or -errno. */
int diag_open(void);
/*
 * Fill @out with what listens here but @m's own ports. Return: how many, at most @max, or -errno.
 */
int diag_listeners(const struct mirror *m, struct mirror_addr *out, uint32_t max);
/* Add the listeners of one netlink answer. Return: 1 at the end of the dump, 0, or -errno. Pure. */
int diag_parse(const struct mirror *m, uint8_t protocol, const uint8_t *answer, size_t n,
	       struct mirror_addr *out, uint32_t *count, uint32_t max);

/* ------------------------------------------------------------------ mirror_port.c */

bool addr_is_any(const struct mirror_addr *a);
bool addr_is_loopback(const struct mirror_addr *a);
bool addr_check(const struct mirror_addr *a);
/* Whether who listens at @listener takes what calls @to. Pure. */
bool addr_covers(const struct mirror_addr *listener, const struct mirror_addr *to);
uint32_t addr_to_inet(const struct mirror_addr *a, struct inet_addr *out);
void addr_from_inet(const struct inet_addr *in, uint8_t protocol, struct mirror_addr *out);

/* Listen where the other side does. */
void ports_apply(struct mirror *m);
/* Try again what could not be had. */
void ports_retry(struct mirror *m);
bool ports_have_inode(const struct mirror *m, uint64_t inode);

/* ------------------------------------------------------------------ mirror_flow.c */

/* Somebody calls at port @p. */
void flow_accept(struct mirror *m, struct port *p);
void flow_datagrams(struct mirror *m, struct port *p);
/* A frame of the other side. */
void flow_frame(struct mirror *m, const struct mirror_frame *f, const uint8_t *payload);
/* What to wait for at @f's socket; 0: nothing. */
short flow_events(const struct mirror *m, const struct flow *f);
void flow_ready(struct mirror *m, struct flow *f, short revents);
/* Send what is owed, as far as there is room. */
void flows_pay(struct mirror *m);
/* End what has been idle for too long. */
void flows_age(struct mirror *m);
/* Whether one more could be opened here. */
bool flows_room(struct mirror *m);

#endif
