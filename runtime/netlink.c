/* SPDX-License-Identifier: Apache-2.0 */
/* netlink - interfaces, addresses and routes of a network namespace. */
#include "runtime/netlink.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* libnl declares a struct of its own for what <net/if.h> and <linux/if.h> both define */
#include <netlink/cache.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>

#define ADDR_DADFAILED 0x08u	   /* IFA_F_DADFAILED of <linux/if_addr.h> */
#define ADDR_NO_PREFIX_ROUTE 0x200u /* IFA_F_NOPREFIXROUTE */
#define LOOKS 10		   /* at a namespace that keeps changing */
#define GEN_MODE_NONE 1u	   /* IN6_ADDR_GEN_MODE_NONE of <linux/if_link.h> */

/* libnl's own numbers as errno, as far as callers tell them apart. */
static int to_errno(int r)
{
	switch (r < 0 ? -r : r) {
	case NLE_EXIST:
		return EEXIST;
	case NLE_PERM:
	case NLE_NOACCESS:
		return EPERM;
	case NLE_OBJ_NOTFOUND:
		return ENOENT;
	case NLE_NODEV:
		return ENODEV;
	case NLE_NOMEM:
		return ENOMEM;
	case NLE_OPNOTSUPP:
		return EOPNOTSUPP;
	case NLE_RANGE:
		return ERANGE;
	default:
		return EIO;
	}
}

int netlink_fail(struct err *e, int r, const char *what, const char *name)
{
	return err_set(e, to_errno(r), "network: %s%s%s: %s", name, *name ? ": " : "", what,
		       nl_geterror(r));
}

int netlink_open(struct netlink *nl, struct err *e)
{
	int r;

	memset(nl, 0, sizeof(*nl));
	nl->sock = nl_socket_alloc();
	if (!nl->sock)
		return err_set(e, ENOMEM, "network: out of memory");
	r = nl_connect(nl->sock, NETLINK_ROUTE);
	if (r == 0)
		(void)nl_socket_set_buffer_size(nl->sock, 1 << 20, 0);
	return r < 0 ? netlink_fail(e, r, "open rtnetlink", "") : 0;
}

int netlink_fd(const struct netlink *nl)
{
	return nl_socket_get_fd(nl->sock);
}

static void forget(struct netlink *nl)
{
	struct nl_cache **all[] = { &nl->links, &nl->addrs, &nl->neighs };

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		nl_cache_free(*all[i]);
		*all[i] = NULL;
	}
	while (nl->n_routes > 0)
		rtnl_route_put(nl->routes[--nl->n_routes]);
	free(nl->routes);
	nl->routes = NULL;
}

void netlink_close(struct netlink *nl)
{
	forget(nl);
	nl_socket_free(nl->sock);
	nl->sock = NULL;
}

/* Unicast routes of the main table, but for what the kernel has derived from them. */
static int take_route(struct nl_msg *m, void *arg)
{
	struct netlink *nl = arg;
	struct rtnl_route *t = NULL, **more;
	int r = rtnl_route_parse(nlmsg_hdr(m), &t);

	/* what libnl does not know (an encapsulation) the guest can't have either; the others are still to come */
	if (r < 0)
		return r == -NLE_NOMEM ? r : NL_SKIP;
	if (rtnl_route_get_table(t) != RT_TABLE_MAIN || rtnl_route_get_type(t) != RTN_UNICAST ||
	    (rtnl_route_get_flags(t) & RTM_F_CLONED)) {
		rtnl_route_put(t);
		return NL_OK;
	}
	more = reallocarray(nl->routes, nl->n_routes + 1, sizeof(*more));
	if (!more) {
		rtnl_route_put(t);
		return -NLE_NOMEM;
	}
	nl->routes = more;
	nl->routes[nl->n_routes++] = t;
	return NL_OK;
}

/* Not by a cache of libnl's, which keeps one route of those with equal destination and metric. */
static int look_at_routes(struct netlink *nl)
{
	struct nl_cb *cb = nl_cb_clone(nl_socket_get_cb(nl->sock));
	int r = cb ? nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, take_route, nl) : -NLE_NOMEM;

	if (r >= 0)
		r = nl_rtgen_request(nl->sock, RTM_GETROUTE, AF_UNSPEC, NLM_F_DUMP);
	if (r >= 0)
		r = nl_recvmsgs(nl->sock, cb);
	nl_cb_put(cb);
	return r < 0 ? r : 0;
}

int netlink_look(struct netlink *nl, struct err *e)
{
	int r, tries = 0;

	do { /* again, if somebody has changed the routes meanwhile */
		forget(nl);
		r = rtnl_link_alloc_cache(nl->sock, AF_UNSPEC, &nl->links);
		if (r == 0)
			r = rtnl_addr_alloc_cache(nl->sock, &nl->addrs);
		if (r == 0)
			r = look_at_routes(nl);
		if (r == 0)
			r = rtnl_neigh_alloc_cache(nl->sock, &nl->neighs);
	} while (r == -NLE_DUMP_INTR && ++tries < LOOKS);
	return r < 0 ? netlink_fail(e, r, "look at the namespace", "") : 0;
}

static bool has_address(const struct netlink *nl, int index)
{
	for (struct nl_object *o = nl_cache_get_first(nl->addrs); o; o = nl_cache_get_next(o))
		if (rtnl_addr_get_ifindex((struct rtnl_addr *)o) == index)
			return true;
	return false;
}

size_t netlink_links(const struct netlink *nl, struct net_link *out, size_t max)
{
	size_t n = 0;

	for (struct nl_object *o = nl_cache_get_first(nl->links); o && n < max;
	     o = nl_cache_get_next(o)) {
		struct rtnl_link *l = (struct rtnl_link *)o;
		struct nl_addr *mac = rtnl_link_get_addr(l);
		const char *name = rtnl_link_get_name(l);
		struct net_link *to = &out[n];

		if (!name || (rtnl_link_get_flags(l) & IFF_LOOPBACK))
			continue;
		memset(to, 0, sizeof(*to));
		to->index = rtnl_link_get_ifindex(l);
		(void)strncpy(to->name, name, sizeof(to->name) - 1);
		to->mtu = rtnl_link_get_mtu(l);
		to->up = rtnl_link_get_flags(l) & IFF_UP;
		to->ethernet = rtnl_link_get_arptype(l) == ARPHRD_ETHER && mac &&
			       nl_addr_get_len(mac) == sizeof(to->mac);
		if (to->ethernet)
			memcpy(to->mac, nl_addr_get_binary_addr(mac), sizeof(to->mac));
		to->enslaved = rtnl_link_get_master(l) > 0;
		to->addressed = has_address(nl, to->index);
		to->filters = !(rtnl_link_get_flags(l) & IFF_ALLMULTI) &&
			      (!rtnl_link_get_type(l) || strcmp(rtnl_link_get_type(l), "macvlan") == 0);
		n++;
	}
	return n;
}

int netlink_set(struct netlink *nl, int index, uint32_t mtu, bool bare, struct err *e)
{
	struct rtnl_link *l = rtnl_link_alloc();
	int r = 0;

	if (!l)
		return err_set(e, ENOMEM, "network: out of memory");
	rtnl_link_set_ifindex(l, index);
	if (mtu)
		rtnl_link_set_mtu(l, mtu);
	if (bare)
		r = rtnl_link_inet6_set_addr_gen_mode(l, GEN_MODE_NONE);
	if (r == 0)
		r = rtnl_link_change(nl->sock, l, l, 0);
	/* a host without IPv6 has nothing to keep it from */
	if (r < 0 && bare) {
		rtnl_link_put(l);
		return netlink_set(nl, index, mtu, false, e);
	}
	rtnl_link_set_flags(l, IFF_UP);
	if (r == 0)
		r = rtnl_link_change(nl->sock, l, l, 0);
	rtnl_link_put(l);
	return r < 0 ? netlink_fail(e, r, "raise the link", "") : 0;
}

int netlink_all_multicast(struct netlink *nl, int index, bool on)
{
	struct rtnl_link *l = rtnl_link_alloc();
	int r = -NLE_NOMEM;

	if (l) {
		rtnl_link_set_ifindex(l, index);
		if (on)
			rtnl_link_set_flags(l, IFF_ALLMULTI);
		else
			rtnl_link_unset_flags(l, IFF_ALLMULTI);
		r = rtnl_link_change(nl->sock, l, l, 0);
		rtnl_link_put(l);
	}
	return r < 0 ? -EIO : 0;
}

/* ------------------------------------------------------------------ records */

/* Where records are put; @n goes negative for good at the first that fails. */
struct sink {
	struct proto_net *out;
	int n;
	uint32_t max;
};

static void put(struct sink *s, const struct proto_net *r)
{
	if (s->n < 0)
		return;
	if ((uint32_t)s->n == s->max)
		s->n = -E2BIG;
	else
		s->out[s->n++] = *r;
}

static bool copy_address(uint8_t to[16], struct nl_addr *from)
{
	unsigned n = from ? nl_addr_get_len(from) : 0;

	if (n != 4 && n != 16)
		return false;
	memcpy(to, nl_addr_get_binary_addr(from), n);
	return true;
}

static void put_addresses(const struct netlink *nl, int index, uint32_t slot, struct sink *s)
{
	for (struct nl_object *o = nl_cache_get_first(nl->addrs); o; o = nl_cache_get_next(o)) {
		struct rtnl_addr *a = (struct rtnl_addr *)o;
		struct proto_net r = { .kind = PROTO_NET_ADDR, .slot = slot };
		unsigned flags = rtnl_addr_get_flags(a);

		if (rtnl_addr_get_ifindex(a) != index || (flags & ADDR_DADFAILED) ||
		    !copy_address(r.dst, rtnl_addr_get_local(a)))
			continue;
		r.family = (uint8_t)rtnl_addr_get_family(a);
		r.prefix = (uint8_t)rtnl_addr_get_prefixlen(a);
		r.scope = (uint8_t)rtnl_addr_get_scope(a);
		if (copy_address(r.via, rtnl_addr_get_peer(a)))
			r.flags |= PROTO_NET_HAS_VIA;
		if (copy_address(r.src, rtnl_addr_get_broadcast(a)))
			r.flags |= PROTO_NET_HAS_SRC;
		if (flags & ADDR_NO_PREFIX_ROUTE)
			r.flags |= PROTO_NET_NO_PREFIX_ROUTE;
		put(s, &r);
	}
}

static void put_neighbours(const struct netlink *nl, int index, uint32_t slot, struct sink *s)
{
	for (struct nl_object *o = nl_cache_get_first(nl->neighs); o; o = nl_cache_get_next(o)) {
		struct rtnl_neigh *g = (struct rtnl_neigh *)o;
		struct nl_addr *mac = rtnl_neigh_get_lladdr(g);
		struct proto_net r = { .kind = PROTO_NET_NEIGH, .slot = slot };

		if (rtnl_neigh_get_ifindex(g) != index ||
		    !(rtnl_neigh_get_state(g) & NUD_PERMANENT) || !mac ||
		    nl_addr_get_len(mac) != 6 || !copy_address(r.dst, rtnl_neigh_get_dst(g)))
			continue;
		r.family = (uint8_t)rtnl_neigh_get_family(g);
		memcpy(r.mac, nl_addr_get_binary_addr(mac), 6);
		put(s, &r);
	}
}

static void route_record(struct rtnl_route *t, struct rtnl_nexthop *hop, uint32_t slot,
			 struct proto_net *r)
{
	struct nl_addr *dst = rtnl_route_get_dst(t);
	uint32_t mtu = 0;

	*r = (struct proto_net){ .kind = PROTO_NET_ROUTE,
				 .slot = slot,
				 .family = rtnl_route_get_family(t),
				 .scope = rtnl_route_get_scope(t),
				 .protocol = rtnl_route_get_protocol(t),
				 .type = rtnl_route_get_type(t),
				 .metric = rtnl_route_get_priority(t) };
	if (copy_address(r->dst, dst))
		r->prefix = (uint8_t)nl_addr_get_prefixlen(dst);
	if (copy_address(r->via, rtnl_route_nh_get_gateway(hop)))
		r->flags |= PROTO_NET_HAS_VIA;
	if (copy_address(r->src, rtnl_route_get_pref_src(t)))
		r->flags |= PROTO_NET_HAS_SRC;
	if (rtnl_route_nh_get_flags(hop) & RTNH_F_ONLINK)
		r->flags |= PROTO_NET_ONLINK;
	if (rtnl_route_get_metric(t, RTAX_MTU, &mtu) == 0)
		r->mtu = mtu;
}

/* Next hops of IPv6 are routes of their own, which the kernel shows as one. */
static int put_hops(struct rtnl_route *t, const struct net_link *link, uint32_t slot,
		    uint32_t via, struct sink *s, struct err *e)
{
	int n = rtnl_route_get_nnexthops(t);

	for (int i = 0; i < n; i++) {
		struct rtnl_nexthop *hop = rtnl_route_nexthop_n(t, i);
		struct proto_net r;

		if (rtnl_route_nh_get_ifindex(hop) != link->index)
			continue;
		if ((n > 1 && rtnl_route_get_family(t) != AF_INET6) || rtnl_route_nh_get_via(hop))
			return err_set(e, ENOTSUP,
				       "network: %s: an IPv4 route with several next hops, or one "
				       "of another family, is not supported yet",
				       link->name);
		route_record(t, hop, slot, &r);
		if ((r.flags & PROTO_NET_HAS_VIA) == via)
			put(s, &r);
	}
	return 0;
}

/* Gateways last: the routes that lead to them come first. */
static int put_routes(const struct netlink *nl, const struct net_link *link, uint32_t slot,
		      struct sink *s, struct err *e)
{
	for (uint32_t via = 0; via <= PROTO_NET_HAS_VIA; via += PROTO_NET_HAS_VIA) {
		for (size_t i = 0; i < nl->n_routes; i++)
			if (put_hops(nl->routes[i], link, slot, via, s, e) < 0)
				return -e->code;
	}
	return 0;
}

int netlink_records(const struct netlink *nl, const struct net_link *link, uint32_t slot,
		    struct proto_net *out, uint32_t n, uint32_t max, struct err *e)
{
	struct sink s = { .out = out, .n = (int)n, .max = max };

	put_addresses(nl, link->index, slot, &s);
	put_neighbours(nl, link->index, slot, &s);
	if (put_routes(nl, link, slot, &s, e) < 0)
		return -e->code;
	if (s.n < 0)
		return err_set(e, E2BIG, "network: over %u addresses, neighbours and routes", max);
	return s.n;
}

/* ------------------------------------------------------------------ watching */

static int ignore(struct nl_msg *msg, void *arg)
{
	(void)msg;
	(void)arg;
	return NL_OK;
}

int netlink_watch(struct nl_sock **out, struct err *e)
{
	struct nl_sock *s = nl_socket_alloc();
	int r = s ? 0 : -NLE_NOMEM;

	if (r == 0) {
		nl_socket_disable_seq_check(s);
		r = nl_socket_modify_cb(s, NL_CB_VALID, NL_CB_CUSTOM, ignore, NULL);
	}
	if (r == 0)
		r = nl_connect(s, NETLINK_ROUTE);
	if (r == 0)
		r = nl_socket_set_nonblocking(s);
	if (r == 0)
		r = nl_socket_add_memberships(s, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
					      RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
					      RTNLGRP_IPV6_ROUTE, RTNLGRP_NEIGH, 0);
	if (r < 0) {
		nl_socket_free(s);
		return netlink_fail(e, r, "watch", "");
	}
	*out = s;
	return nl_socket_get_fd(s);
}

void netlink_drain(struct nl_sock *watch)
{
	/* lost messages (NLE_NOMEM) are as good as read ones: everything is looked at anew */
	for (int i = 0; i < 1000 && nl_recvmsgs_default(watch) == 0; i++)
		;
}
