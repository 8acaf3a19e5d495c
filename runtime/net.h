/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net - the container's network on the host: a tap beside each interface of its namespace, tied both ways.
 *
 * DOC: who does what
 *
 *   net_open()    the monitor, in the namespace: look, make taps, redirect; the VMM gets the taps with its
 *                 record, the guest the addresses with its program
 *   net_helper_start()   forks a process that keeps CAP_NET_ADMIN and nothing else: it looks again when the
 *                 container is started, follows changes from then on, and removes the redirects at the end,
 *                 which is when the monitor's end of its socket closes, for whatever reason
 *   net_sweep()   `delete`, in case that both were killed
 *
 * Who comes second to an interface shares it: see netlink_redirect().
 *
 * The interfaces keep their addresses, since engines look at them there. The host's own stack does not
 * answer in the guest's place: everything that arrives is redirected before that stack sees it, but when the first
 * of several containers has ended.
 */
#ifndef RUNTIME_NET_H
#define RUNTIME_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-init/proto.h"
#include "runtime/base/err.h"
#include "runtime/netlink.h"
#include "runtime/statedir.h"
#include "vmm/config.h"

/* Devices that the guest does not see until an interface comes: an engine may connect networks later. */
#define NET_SPARE_SLOTS 2

struct net_slot {
	int index; /* of the interface; 0: empty */
	int tap_index;
	int tap_fd; /* until the VMM has it */
	uint32_t mtu;
	bool uso;
	bool shared; /* by place: another container had the interface first */
	bool all_multicast; /* we have set it, and take it back */
};

struct net {
	bool on; /* the container has a namespace that we look after */
	bool mirrored; /* there is a process of net_mirror_start() */
	bool running; /* the machine exists: taps go to vmm_fd */
	struct netlink nl;
	int dev_net_fd; /* the host's /dev/net */
	int vmm_fd;	/* struct vm_net_request go here */
	int vmm_side;	/* the other end, for the VMM */
	int lock_fd;	/* held until the redirects are gone; -1: none */
	int mirror_fd;	/* the stream of mirror.h */
	int mirror_vmm; /* the other end, for the VMM */
	int kick_fd;	/* in the helper: what net_mirror_start() gave it */
	uint32_t place;	/* among those that share interfaces (proto.h), when place_fd is there */
	int place_fd;	/* of netlink_hold_place() */
	char taken[IF_NAMESIZE]; /* an interface that another container has, and no place is left; "": none */
	uint32_t n_others;
	int others[NET_MAX_LINKS]; /* such interfaces, by index */
	uint32_t n_slots;
	struct net_slot slots[PROTO_MAX_SLOTS];
	uint32_t n; /* records in list */
	struct proto_net list[PROTO_MAX_NET];
};

/*
 * Make taps for what is there. @fresh: the namespace is ours, its loopback is raised. @mirrored: what listens in
 * it is to be reached from the guest, and the other way round (net_mirror.h).
 * @lock_fd: duplicated. Context: the monitor, in the namespace, with CAP_NET_ADMIN over it.
 */
int net_open(struct net *n, bool fresh, bool mirrored, int lock_fd, struct err *e) MUST_CHECK;

/* Tell the VMM's record about slots and sockets. */
void net_fill_devices(const struct net *n, struct vm_devices *d);

/* Add the list to a PROGRAM payload; *@payload is replaced by a malloced one. */
int net_add_to_program(const struct net *n, void **payload, size_t *bytes,
		       struct err *e) MUST_CHECK;

/* The VMM has been started: our copies of its descriptors go. */
void net_handed_over(struct net *n);

/*
 * Look again: new interfaces get slots, gone ones lose them, the list is made anew.
 * @out_changed: the list is another one now; set on failure too, when what could be done has been done.
 */
int net_refresh(struct net *n, bool *out_changed, struct err *e) MUST_CHECK;

/* Undo everything. */
void net_close(struct net *n);

/* What the helper says to the monitor, one SOCK_SEQPACKET message each. */
enum net_note_type {
	NET_NOTE_RECORD = 1, /* part of a list, BEGIN and END included: for the guest */
	NET_NOTE_DONE = 2,   /* the answer to a request: the list is up to date */
	NET_NOTE_FAILED = 3, /* the answer to a request: code and text */
};

struct net_note {
	uint32_t type; /* enum net_note_type */
	int32_t code;
	union {
		struct proto_net record;
		char text[256];
	};
};

/*
 * Fork the helper. Each byte sent to it asks for a look. Everything of @n but the socket is its own from
 * here on. Return: the monitor's socket, or -errno.
 */
int net_helper_start(struct net *n, struct err *e) MUST_CHECK;

/* Remember the joined namespace for net_sweep(). */
int net_remember(struct statedir *d, const char *netns, struct err *e) MUST_CHECK;

/* Remove what killed processes left in the remembered namespace, if that is still there. */
void net_sweep(struct statedir *d);

#endif
