/* SPDX-License-Identifier: Apache-2.0 */
/* netlink - interfaces, addresses, routes and redirects of a network namespace: with netlink_tc.c all that knows libnl. */
#ifndef RUNTIME_NETLINK_H
#define RUNTIME_NETLINK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest-init/proto.h"
#include "runtime/base/err.h"

struct nl_sock;
struct nl_cache;
struct rtnl_route;

/* A view of the namespace that the process was in when it was opened. */
struct netlink {
	struct nl_sock *sock;
	struct nl_cache *links;
	struct nl_cache *addrs;
	struct nl_cache *neighs;
	struct rtnl_route **routes;
	size_t n_routes;
};

#define NET_MAX_LINKS 128 /* cap: interfaces looked at in a namespace */

struct net_link {
	int index;
	char name[IF_NAMESIZE];
	uint32_t mtu;
	uint8_t mac[6];
	bool up;
	bool ethernet;
	bool enslaved;	/* belongs to a bridge or bond */
	bool addressed; /* has an address */
	bool filters;	/* drops multicast that nobody on the host has joined: a macvlan, a real device */
};

int netlink_open(struct netlink *nl, struct err *e) MUST_CHECK;
void netlink_close(struct netlink *nl);

/* The socket's descriptor. */
int netlink_fd(const struct netlink *nl);

/* Look at everything anew; what follows speaks of the last look. */
int netlink_look(struct netlink *nl, struct err *e) MUST_CHECK;

/* All links but lo. Return: how many, at most @max. */
size_t netlink_links(const struct netlink *nl, struct net_link *out, size_t max);

/* Set @up, and MTU unless 0, and keep IPv6 from giving the link an address (@bare). */
int netlink_set(struct netlink *nl, int index, uint32_t mtu, bool bare, struct err *e) MUST_CHECK;

/* Have a link take all multicast, for what the guest joins, or no longer. Return: 0 or -EIO. */
int netlink_all_multicast(struct netlink *nl, int index, bool on);

/*
 * Addresses, permanent neighbours and routes of one link, in the order in which a guest can take them.
 * Return: the new number of records in @out, or -E2BIG, or -ENOTSUP for a route that has no record.
 */
int netlink_records(const struct netlink *nl, const struct net_link *link, uint32_t slot,
		    struct proto_net *out, uint32_t n, uint32_t max, struct err *e) MUST_CHECK;

/*
 * Hold a place for netlink_redirect() in the namespace that the caller is in, as long as the descriptor is open.
 * Return: it, or -errno: -EADDRINUSE when another process holds the place.
 */
int netlink_hold_place(uint32_t place) MUST_CHECK;

/*
 * Send what arrives on link @from out through link @to. An earlier redirect of ours whose target has gone is replaced.
 * @place: 0: all that no other place takes; 1 to PROTO_NET_PLACES, held by the caller: what is for one block of ports
 * (proto.h, PROTO_NET_FIRST_PORT), and a copy of what finds or tells of neighbours and errors.
 * Return: 0; -EADDRINUSE when a living container has the place, held or not, -EBUSY with somebody else's ingress
 * discipline.
 */
int netlink_redirect(struct netlink *nl, const struct net_link *from, int to, uint32_t place,
		     struct err *e) MUST_CHECK;

/* Undo it, but for what is another's by now. A link that has gone is no error. */
void netlink_end_redirect(struct netlink *nl, int from, int to);

/* End every redirect of ours in the namespace whose target has gone. Return: how many links had one. */
int netlink_sweep(struct netlink *nl);

/* An error of libnl's in our words. Return: -errno. */
int netlink_fail(struct err *e, int r, const char *what, const char *name);

/* A socket that becomes readable when anything of the above changes. Return: it, or -errno. */
int netlink_watch(struct nl_sock **out, struct err *e) MUST_CHECK;

/* Read what has arrived on it. */
void netlink_drain(struct nl_sock *watch);

#endif
