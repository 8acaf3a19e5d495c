/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netlink_tc - what arrives on a link goes to a container's tap, or to several containers' by what it is for.
 *
 * DOC: our redirects
 *
 * An ingress queueing discipline whose filters have priorities of ours, one for each container. The one that
 * came first has the last priority, with a matchall filter: a mirred redirect of whatever comes that far. Each
 * of the others (at most PROTO_NET_PLACES) has a priority before it, with u32 filters for TCP and UDP to its
 * own block of ports, which is where its connections come from, and for copies of what concerns everybody:
 * ARP, neighbour discovery, echo replies and errors.
 *
 * When a target goes the kernel leaves filter and discipline in place without a target: that is how a
 * container that was killed can be told from one that lives.
 *
 * DOC: names that are held
 *
 * Abstract names of UNIX sockets belong to a network namespace, one process has one at a time, and a kill frees
 * them. A container holds one for its place, and one while it looks at filters and changes them.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <netlink/cache.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/act/gact.h>
#include <netlink/route/act/mirred.h>
#include <netlink/route/action.h>
#include <netlink/route/classifier.h>
#include <netlink/route/cls/matchall.h>
#include <netlink/route/cls/u32.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/tc.h>

#include "runtime/base/own.h"
#include "runtime/netlink.h"

#define LAST_PRIORITY 0xc0acu /* place 0: who came first; place N has the Nth before it */
#define PLACES (1 + PROTO_NET_PLACES)
#define INGRESS_HANDLE 0xffff0000u
#define LOCK_TRIES 200 /* then without: nobody who lives holds it so long */
#define LOCK_WAIT_MS 10

/* Where a place's filters lead: a link, or */
#define GONE 0
#define NONE (-1)

struct filters {
	int target[PLACES];
	bool any;
	bool foreign; /* there are some that are not ours */
};

/* ------------------------------------------------------------------ the discipline */

static struct rtnl_qdisc *ingress(int index)
{
	struct rtnl_qdisc *q = rtnl_qdisc_alloc();

	if (!q)
		return NULL;
	rtnl_tc_set_ifindex(TC_CAST(q), index);
	rtnl_tc_set_parent(TC_CAST(q), TC_H_INGRESS);
	rtnl_tc_set_handle(TC_CAST(q), INGRESS_HANDLE);
	(void)rtnl_tc_set_kind(TC_CAST(q), "ingress");
	return q;
}

static int add_ingress(struct netlink *nl, int index)
{
	struct rtnl_qdisc *q = ingress(index);
	int r = q ? rtnl_qdisc_add(nl->sock, q, NLM_F_CREATE | NLM_F_EXCL) : -NLE_NOMEM;

	rtnl_qdisc_put(q);
	return r;
}

static void remove_ingress(struct netlink *nl, int index)
{
	struct rtnl_qdisc *q = ingress(index);

	if (q)
		(void)rtnl_qdisc_delete(nl->sock, q);
	rtnl_qdisc_put(q);
}

/* ------------------------------------------------------------------ what is there */

static const char *kind_of(uint32_t place)
{
	return place == 0 ? "matchall" : "u32";
}

static void look_at(struct filters *f, struct rtnl_cls *c)
{
	uint32_t place = LAST_PRIORITY - rtnl_cls_get_prio(c);
	struct rtnl_act *a;

	f->any = true;
	if (place >= PLACES || strcmp(rtnl_tc_get_kind(TC_CAST(c)), kind_of(place)) != 0) {
		f->foreign = true;
		return;
	}
	/* libnl gives a reference to the one and lends the other */
	a = place == 0 ? rtnl_mall_get_first_action(c) : rtnl_u32_get_action(c);
	if (a) /* what comes without one is the head of a list */
		f->target[place] = (int)rtnl_mirred_get_ifindex(a);
	if (a && place == 0)
		rtnl_act_put(a);
}

static int find_filters(struct netlink *nl, int index, struct filters *out)
{
	struct nl_cache *filters;
	int r;

	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < PLACES; i++)
		out->target[i] = NONE;
	r = rtnl_cls_alloc_cache(nl->sock, index, INGRESS_HANDLE, &filters);
	if (r < 0)
		return r;
	for (struct nl_object *o = nl_cache_get_first(filters); o; o = nl_cache_get_next(o))
		look_at(out, (struct rtnl_cls *)o);
	nl_cache_free(filters);
	return 0;
}

/* ------------------------------------------------------------------ names that are held */

/* Return: a descriptor that holds @name, or -errno. */
static int hold(const char *name)
{
	OWN_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = strlen(name);

	if (fd < 0)
		return -errno;
	memcpy(a.sun_path + 1, name, n);
	if (bind(fd, (struct sockaddr *)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) < 0)
		return -errno;
	return take_fd(&fd);
}

int netlink_hold_place(uint32_t place)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "coracle-net-%u", place);
	return hold(name);
}

/* Return: a descriptor to close afterwards, or -errno. */
static int lock_filters(void)
{
	int fd = hold("coracle-net");

	for (int i = 0; fd == -EADDRINUSE && i < LOCK_TRIES; i++) {
		(void)poll(NULL, 0, LOCK_WAIT_MS);
		fd = hold("coracle-net");
	}
	return fd;
}

/* ------------------------------------------------------------------ filters */

static struct rtnl_cls *new_filter(int index, uint32_t place)
{
	struct rtnl_cls *c = rtnl_cls_alloc();

	if (!c)
		return NULL;
	rtnl_tc_set_ifindex(TC_CAST(c), index);
	rtnl_tc_set_parent(TC_CAST(c), INGRESS_HANDLE);
	rtnl_cls_set_prio(c, (uint16_t)(LAST_PRIORITY - place));
	rtnl_cls_set_protocol(c, ETH_P_ALL);
	if (rtnl_tc_set_kind(TC_CAST(c), kind_of(place)) < 0) {
		rtnl_cls_put(c);
		return NULL;
	}
	return c;
}

/* All filters of a place. */
static void remove_filters(struct netlink *nl, int index, uint32_t place)
{
	struct rtnl_cls *c = new_filter(index, place);

	if (c)
		(void)rtnl_cls_delete(nl->sock, c, 0);
	rtnl_cls_put(c);
}

/* @action: TCA_EGRESS_REDIR or TCA_EGRESS_MIRROR */
static struct rtnl_act *lead_to(int index, int action)
{
	struct rtnl_act *a = rtnl_act_alloc();

	if (a && (rtnl_tc_set_kind(TC_CAST(a), "mirred") < 0 || rtnl_mirred_set_action(a, action) < 0 ||
		  rtnl_mirred_set_policy(a, action == TCA_EGRESS_REDIR ? TC_ACT_STOLEN : TC_ACT_PIPE) < 0 ||
		  rtnl_mirred_set_ifindex(a, (uint32_t)index) < 0)) {
		rtnl_act_put(a);
		return NULL;
	}
	return a;
}

/* With the filters after it. */
static struct rtnl_act *go_on(void)
{
	struct rtnl_act *a = rtnl_act_alloc();

	if (a && (rtnl_tc_set_kind(TC_CAST(a), "gact") < 0 || rtnl_gact_set_action(a, TC_ACT_UNSPEC) < 0)) {
		rtnl_act_put(a);
		return NULL;
	}
	return a;
}

static int add_matchall(struct netlink *nl, int from, int to)
{
	struct rtnl_cls *c = new_filter(from, 0);
	struct rtnl_act *a = lead_to(to, TCA_EGRESS_REDIR);
	int r = c && a ? rtnl_mall_append_action(c, a) : -NLE_NOMEM;

	if (r == 0)
		r = rtnl_cls_add(nl->sock, c, NLM_F_CREATE | NLM_F_EXCL);
	if (a)
		rtnl_act_put(a);
	rtnl_cls_put(c);
	return r;
}

/* Bytes of a frame, from its network header on. */
struct match {
	uint8_t at, bytes; /* 1, 2 or 4 */
	uint32_t mask, value;
};

#define MOST_MATCHES 4
#define BLOCK_MASK (0xffffu & ~(PROTO_NET_PORTS - 1))
_Static_assert((PROTO_NET_PORTS & (PROTO_NET_PORTS - 1)) == 0, "one mask tells a block");
_Static_assert(PROTO_NET_FIRST_PORT(1) % PROTO_NET_PORTS == 0, "one mask tells a block");
_Static_assert(PROTO_NET_FIRST_PORT(PROTO_NET_PLACES) + PROTO_NET_PORTS <= 65536, "ports");

#define V4(protocol) { 0, 1, 0xff, 0x45 }, { 6, 2, 0x3fff, 0 }, { 9, 1, 0xff, protocol } /* RFC 791: no options, no fragment */
#define V6(next) { 0, 1, 0xf0, 0x60 }, { 6, 1, 0xff, next }				  /* RFC 8200: no extension headers */
#define PORT(at) { at, 2, BLOCK_MASK, 0 }						  /* the value is the place's */

/* What a place has redirected: TCP and UDP of both families, by destination port. */
static const struct match to_ports[][MOST_MATCHES] = {
	{ V4(6), PORT(22) },
	{ V4(17), PORT(22) },
	{ V6(6), PORT(42) },
	{ V6(17), PORT(42) },
};

/* What it has copied. RFC 826, 792, 4443 and 4861; echo requests are for who came first alone. */
static const struct match to_all[][MOST_MATCHES] = {
	{ { 0, 4, 0xffffffff, 0x00010800 } }, /* ARP */
	{ V4(1), { 20, 1, 0xff, 0 } },	      /* echo reply */
	{ V4(1), { 20, 1, 0xf7, 3 } },	      /* unreachable, time exceeded */
	{ V6(58), { 40, 1, 0xf8, 0 } },	      /* errors */
	{ V6(58), { 40, 1, 0xff, 129 } },     /* echo reply */
	{ V6(58), { 40, 1, 0xfe, 134 } },     /* router advertisement, neighbour solicitation */
	{ V6(58), { 40, 1, 0xff, 136 } },     /* neighbour advertisement */
};

static int add_match(struct rtnl_cls *c, const struct match *m, uint32_t place)
{
	uint32_t value = m->mask == BLOCK_MASK ? PROTO_NET_FIRST_PORT(place) : m->value;

	if (m->bytes == 1)
		return rtnl_u32_add_key_uint8(c, (uint8_t)value, (uint8_t)m->mask, m->at, 0);
	if (m->bytes == 2)
		return rtnl_u32_add_key_uint16(c, (uint16_t)value, (uint16_t)m->mask, m->at, 0);
	return rtnl_u32_add_key_uint32(c, value, m->mask, m->at, 0);
}

static int add_u32(struct netlink *nl, int from, int to, uint32_t place, const struct match *m, bool copy)
{
	struct rtnl_cls *c = new_filter(from, place);
	struct rtnl_act *lead = lead_to(to, copy ? TCA_EGRESS_MIRROR : TCA_EGRESS_REDIR);
	struct rtnl_act *more = copy ? go_on() : NULL;
	int r = c && lead && (more || !copy) ? rtnl_u32_set_cls_terminal(c) : -NLE_NOMEM;

	for (size_t i = 0; r == 0 && i < MOST_MATCHES && m[i].bytes > 0; i++)
		r = add_match(c, &m[i], place);
	if (r == 0)
		r = rtnl_u32_add_action(c, lead);
	if (r == 0 && more)
		r = rtnl_u32_add_action(c, more);
	if (r == 0)
		r = rtnl_cls_add(nl->sock, c, NLM_F_CREATE | NLM_F_EXCL);
	if (more)
		rtnl_act_put(more);
	if (lead)
		rtnl_act_put(lead);
	rtnl_cls_put(c);
	return r;
}

static int add_place(struct netlink *nl, int from, int to, uint32_t place)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(to_ports) / sizeof(to_ports[0]); i++)
		r = add_u32(nl, from, to, place, to_ports[i], false);
	for (size_t i = 0; r == 0 && i < sizeof(to_all) / sizeof(to_all[0]); i++)
		r = add_u32(nl, from, to, place, to_all[i], true);
	return r;
}

/* ------------------------------------------------------------------ redirects */

/* Filters of places that lead to @to, or nowhere; and the discipline, when that was all. Return: how many. */
static int end_places(struct netlink *nl, int from, int to)
{
	struct filters f;
	int ended = 0;

	if (find_filters(nl, from, &f) < 0)
		return 0;
	for (uint32_t i = 0; i < PLACES; i++) {
		if (f.target[i] != GONE && f.target[i] != to)
			continue;
		remove_filters(nl, from, i);
		ended++;
	}
	if (ended > 0 && find_filters(nl, from, &f) == 0 && !f.any)
		remove_ingress(nl, from);
	return ended;
}

/* Have the discipline, and nobody at the place. Return: 0, 1 when it has been made now, or -errno. */
static int open_place(struct netlink *nl, const struct net_link *from, uint32_t place, struct err *e)
{
	struct filters f;
	int r = add_ingress(nl, from->index);

	if (r == 0)
		return 1;
	if (r != -NLE_EXIST)
		return netlink_fail(e, r, "add an ingress queueing discipline (kernel module sch_ingress)",
				    from->name);
	if (find_filters(nl, from->index, &f) < 0 || !f.any || f.foreign)
		return err_set(e, EBUSY,
			       "network: %s: has an ingress queueing discipline that is not ours (see `tc "
			       "qdisc show dev %s`)",
			       from->name, from->name);
	if (f.target[place] > 0)
		return err_set(e, EADDRINUSE, "network: %s: another container has it", from->name);
	if (f.target[place] == GONE)
		remove_filters(nl, from->index, place);
	return 0;
}

static int add_filters(struct netlink *nl, const struct net_link *from, int to, uint32_t place, struct err *e)
{
	int made = open_place(nl, from, place, e);
	int r;

	if (made < 0)
		return made;
	r = place == 0 ? add_matchall(nl, from->index, to) : add_place(nl, from->index, to, place);
	if (r == 0)
		return 0;
	if (made)
		remove_ingress(nl, from->index);
	else
		remove_filters(nl, from->index, place);
	return netlink_fail(e, r, "redirect (kernel modules cls_matchall, cls_u32, act_mirred and act_gact)",
			    from->name);
}

int netlink_redirect(struct netlink *nl, const struct net_link *from, int to, uint32_t place, struct err *e)
{
	int lock = lock_filters();
	int r = add_filters(nl, from, to, place, e);

	own_close_fd(&lock);
	return r;
}

void netlink_end_redirect(struct netlink *nl, int from, int to)
{
	int lock = lock_filters();

	(void)end_places(nl, from, to);
	own_close_fd(&lock);
}

int netlink_sweep(struct netlink *nl)
{
	int lock = lock_filters();
	struct net_link links[NET_MAX_LINKS];
	size_t n = netlink_links(nl, links, NET_MAX_LINKS);
	int ended = 0;

	for (size_t i = 0; i < n; i++)
		ended += end_places(nl, links[i].index, GONE) > 0;
	own_close_fd(&lock);
	return ended;
}
