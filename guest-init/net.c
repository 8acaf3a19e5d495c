/* SPDX-License-Identifier: Apache-2.0 */
/*
 * net - the guest's interfaces, addresses, neighbours and routes, as the host wants them.
 *
 * DOC: what is changed
 *
 * Two lists are kept: what the host wanted before and what it wants now. Only the difference is carried
 * out, so that what a program in the container has set up itself stays. A link whose record has changed
 * gets all of its records again.
 *
 * DOC: devices that come and go
 *
 * A slot without an interface is a device that the driver passed over. When the host names it, the
 * kernel is asked to look again; when the host names it no longer, the driver lets go of it.
 */
#include "guest-init/net.h"

#include "guest-init/container.h"
#include "guest-init/path.h"
#include "guest-init/rtnl.h"
#include "guest-init/str.h"
#include "guest-init/sys.h"

#define LINKS_SEEN 64
#define MAX_DEVICES 40 /* virtio-mmio devices that may be there */
#define LINK_FLAG_UP 1u
#define SYSFS_PROBE "bus/platform/drivers_probe"
#define SYSCTL_PORTS "sys/" NET_PORTS_SYSCTL
#define SYSCTL_REUSE "sys/net/ipv4/tcp_tw_reuse"
#define DEFAULT_PORTS "32768 60999" /* of Linux */
#define SYSFS_UNBIND "bus/platform/drivers/virtio-mmio/unbind"

struct list {
	uint32_t n;
	struct proto_net r[PROTO_MAX_NET];
};

static struct list now, next;
static int sock = -1;
static struct rtnl_link links[LINKS_SEEN];
static int n_links;
static uint16_t ports; /* the first of those that connections come from; 0: the kernel's choice */
static bool again[PROTO_MAX_SLOTS]; /* the link was made or changed: all of its records are due */

/* ------------------------------------------------------------------ devices */

static struct rtnl_link *find_slot(uint32_t slot)
{
	static const uint8_t mac[] = PROTO_NET_MAC;

	for (int i = 0; i < n_links; i++)
		if (memcmp(links[i].permanent, mac, sizeof(mac)) == 0 &&
		    links[i].permanent[5] == slot)
			return &links[i];
	return NULL;
}

static int look(void)
{
	n_links = rtnl_links(sock, links, LINKS_SEEN);
	return n_links < 0 ? n_links : 0;
}

/*
 * Return: a detached sysfs, or -errno. It is one with the container's, whose read-only /sys has made
 * all of it read-only; the container's own mount stays so by its flag.
 */
static int open_sysfs(void)
{
	int fs = sys_fsopen("sysfs");
	int rc = fs < 0 ? fs : sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL);

	if (rc == 0)
		rc = sys_fsmount(fs);
	if (rc >= 0 && sys_fsconfig(fs, FSCONFIG_SET_FLAG, "rw") == 0)
		sys_fsconfig(fs, FSCONFIG_CMD_RECONFIGURE, NULL);
	if (fs >= 0)
		sys_close(fs);
	return rc;
}

/* Let the driver look at all devices again: those that were nobody may be somebody now. */
static int probe_devices(void)
{
	int sysfs = open_sysfs();
	char name[32];

	if (sysfs < 0)
		return sysfs;
	for (int i = 0; i < MAX_DEVICES; i++) {
		size_t n = str_fmt(name, sizeof(name), "virtio-mmio.%d", i);

		path_write(sysfs, SYSFS_PROBE, name, n); /* one that is bound or not there refuses */
	}
	sys_close(sysfs);
	return look();
}

/* The device of a link: the part of where /sys/class/net points that names it. */
static void release_device(const struct rtnl_link *link)
{
	int sysfs = open_sysfs();
	char path[64], target[256];
	const char *at = target;
	long n;

	if (sysfs < 0)
		return;
	str_fmt(path, sizeof(path), "class/net/%s", link->name);
	n = sys_readlinkat(sysfs, path, target, sizeof(target) - 1);
	target[n > 0 ? n : 0] = '\0';
	while (*at != '\0' && !str_begins(at, "virtio-mmio."))
		at++;
	if (*at != '\0') {
		const char *end = str_find(at, '/');

		path_write(sysfs, SYSFS_UNBIND, at, end ? (size_t)(end - at) : str_len(at));
	}
	sys_close(sysfs);
}

/* ------------------------------------------------------------------ errors */

/* Of several failures the first is told; none keeps what comes after it from being tried. */
struct outcome {
	int rc;
	struct err *first;
	struct err more;
};

static struct err *room_for(struct outcome *o)
{
	return o->rc == 0 ? o->first : &o->more;
}

static void failed(struct outcome *o, int rc)
{
	if (o->rc == 0)
		o->rc = rc;
}

/* ------------------------------------------------------------------ links */

static int rename_link(struct rtnl_link *link, const char *name)
{
	struct ifinfomsg info = {.ifi_index = link->index, .ifi_change = LINK_FLAG_UP};
	struct rtnl_msg m;
	int rc;

	/* an interface that is up keeps its name */
	rtnl_begin(&m, RTM_NEWLINK, 0, &info, sizeof(info));
	rtnl_put(&m, IFLA_IFNAME, name, str_len(name) + 1);
	rc = rtnl_do(sock, &m);
	if (rc == 0)
		memcpy(link->name, name, str_len(name) + 1);
	return rc;
}

/* Give every link its name; first odd ones, since two may have changed places. One that is missing: set_link(). */
static void rename_links(struct outcome *o)
{
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < next.n; i++) {
			const struct proto_net *r = &next.r[i];
			struct rtnl_link *link;
			char name[16];
			int rc;

			if (r->kind != PROTO_NET_LINK)
				continue;
			link = find_slot(r->slot);
			again[r->slot] |= link == NULL;
			if (link == NULL || str_eq(link->name, r->name))
				continue;
			str_fmt(name, sizeof(name), "slot%u", r->slot);
			rc = rename_link(link, pass == 0 ? name : r->name);
			if (rc < 0)
				failed(o, err_sys(room_for(o), rc, "network: %s: rename", r->name));
			again[r->slot] = true;
		}
	}
}

/* Addresses of its own making would be in the way of the host's. */
static void put_no_autoconf(struct rtnl_msg *m)
{
	uint8_t none = 1; /* IN6_ADDR_GEN_MODE_NONE */
	size_t spec = rtnl_nest(m, IFLA_AF_SPEC);
	size_t v6 = rtnl_nest(m, 10);

	rtnl_put(m, IFLA_INET6_ADDR_GEN_MODE, &none, sizeof(none));
	rtnl_nest_end(m, v6);
	rtnl_nest_end(m, spec);
}

static int set_mac_and_mtu(const struct proto_net *r, const struct ifinfomsg *info, bool autoconf)
{
	struct rtnl_msg m;

	rtnl_begin(&m, RTM_NEWLINK, 0, info, sizeof(*info));
	rtnl_put(&m, IFLA_ADDRESS, r->mac, 6);
	rtnl_put(&m, IFLA_MTU, &r->mtu, sizeof(r->mtu));
	if (!autoconf)
		put_no_autoconf(&m);
	return rtnl_do(sock, &m);
}

static int set_link(const struct proto_net *r, struct err *e)
{
	struct rtnl_link *link = find_slot(r->slot);
	struct ifinfomsg info = {.ifi_change = LINK_FLAG_UP};
	struct rtnl_msg m;
	int rc;

	if (link == NULL)
		return err_set(e, ENODEV, "network: %s: the device is not there", r->name);
	info.ifi_index = link->index;
	rc = set_mac_and_mtu(r, &info, link->up);
	if (rc == -EAFNOSUPPORT || rc == -EOPNOTSUPP) /* a kernel without IPv6 */
		rc = set_mac_and_mtu(r, &info, true);
	if (rc < 0)
		return err_sys(e, rc, "network: %s: MAC and MTU %u", r->name, r->mtu);
	info.ifi_flags = r->flags & PROTO_NET_UP ? LINK_FLAG_UP : 0;
	rtnl_begin(&m, RTM_NEWLINK, 0, &info, sizeof(info));
	rc = rtnl_do(sock, &m);
	return rc < 0 ? err_sys(e, rc, "network: %s: up", r->name) : 0;
}

/* ------------------------------------------------------------------ what links carry */

static size_t address_bytes(const struct proto_net *r)
{
	return r->family == 2 ? 4 : 16;
}

static void make_address(struct rtnl_msg *m, bool add, const struct proto_net *r, int index)
{
	struct ifaddrmsg a = {.ifa_family = r->family,
			      .ifa_prefixlen = r->prefix,
			      .ifa_scope = r->scope,
			      .ifa_index = (uint32_t)index};
	size_t n = address_bytes(r);
	/* the host has found out that nobody else has it */
	uint32_t flags = r->family == 2 ? 0 : IFA_F_NODAD;

	if (r->flags & PROTO_NET_NO_PREFIX_ROUTE)
		flags |= IFA_F_NOPREFIXROUTE;
	rtnl_begin(m, add ? RTM_NEWADDR : RTM_DELADDR, add ? NLM_F_CREATE | NLM_F_REPLACE : 0, &a,
		   sizeof(a));
	rtnl_put(m, IFA_LOCAL, r->dst, n);
	rtnl_put(m, IFA_ADDRESS, r->flags & PROTO_NET_HAS_VIA ? r->via : r->dst, n);
	if (r->flags & PROTO_NET_HAS_SRC)
		rtnl_put(m, IFA_BROADCAST, r->src, n);
	rtnl_put(m, IFA_FLAGS, &flags, sizeof(flags));
}

static void make_neighbour(struct rtnl_msg *m, bool add, const struct proto_net *r, int index)
{
	struct ndmsg nd = {.ndm_family = r->family, .ndm_ifindex = index, .ndm_state = NUD_PERMANENT};

	rtnl_begin(m, add ? RTM_NEWNEIGH : RTM_DELNEIGH, add ? NLM_F_CREATE | NLM_F_REPLACE : 0, &nd,
		   sizeof(nd));
	rtnl_put(m, NDA_DST, r->dst, address_bytes(r));
	rtnl_put(m, NDA_LLADDR, r->mac, 6);
}

static void make_route(struct rtnl_msg *m, bool add, const struct proto_net *r, int index)
{
	struct rtmsg rt = {.rtm_family = r->family,
			   .rtm_dst_len = r->prefix,
			   .rtm_table = RT_TABLE_MAIN,
			   .rtm_protocol = r->protocol,
			   .rtm_scope = r->scope,
			   .rtm_type = r->type,
			   .rtm_flags = r->flags & PROTO_NET_ONLINK ? RTNH_F_ONLINK : 0};
	size_t n = address_bytes(r);

	/* to append: routes with equal destination and metric are several */
	rtnl_begin(m, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_APPEND : 0, &rt,
		   sizeof(rt));
	if (r->prefix > 0)
		rtnl_put(m, RTA_DST, r->dst, n);
	if (r->flags & PROTO_NET_HAS_VIA)
		rtnl_put(m, RTA_GATEWAY, r->via, n);
	if (r->flags & PROTO_NET_HAS_SRC)
		rtnl_put(m, RTA_PREFSRC, r->src, n);
	if (r->metric > 0)
		rtnl_put(m, RTA_PRIORITY, &r->metric, sizeof(r->metric));
	rtnl_put(m, RTA_OIF, &index, sizeof(index));
	if (r->mtu > 0) {
		size_t metrics = rtnl_nest(m, RTA_METRICS);

		rtnl_put(m, RTAX_MTU, &r->mtu, sizeof(r->mtu));
		rtnl_nest_end(m, metrics);
	}
}

static const struct {
	const char *name;
	void (*make)(struct rtnl_msg *m, bool add, const struct proto_net *r, int index);
} kinds[] = {
	[PROTO_NET_ADDR] = {"address", make_address},
	[PROTO_NET_NEIGH] = {"neighbour", make_neighbour},
	[PROTO_NET_ROUTE] = {"route", make_route},
};

static void show(const struct proto_net *r, char *out, size_t n)
{
	size_t at = 0;

	if (r->family == 2) {
		str_fmt(out, n, "%u.%u.%u.%u/%u", r->dst[0], r->dst[1], r->dst[2], r->dst[3],
			r->prefix);
		return;
	}
	for (int i = 0; i < 16; i += 2)
		at += str_fmt(out + at, n - at, i == 0 ? "%x" : ":%x",
			      (unsigned)r->dst[i] << 8 | r->dst[i + 1]);
	str_fmt(out + at, n - at, "/%u", r->prefix);
}

static int carry_out(bool add, const struct proto_net *r, struct err *e)
{
	struct rtnl_link *link = find_slot(r->slot);
	struct rtnl_msg m;
	char text[64];
	int rc;

	if (link == NULL)
		return add ? err_set(e, ENODEV, "network: slot %u is not there", r->slot) : 0;
	kinds[r->kind].make(&m, add, r, link->index);
	rc = rtnl_do(sock, &m);
	if (rc == 0 || !add || (rc == -EEXIST && r->kind == PROTO_NET_ROUTE))
		return 0; /* what was to go may have gone with its link, what was to come with its address */
	if (rc == -EACCES && r->family == 10)
		return 0; /* disable_ipv6, a sysctl of the container's */
	show(r, text, sizeof(text));
	return err_sys(e, rc, "network: %s: %s %s", link->name, kinds[r->kind].name, text);
}

/* ------------------------------------------------------------------ the difference */

static bool has(const struct list *l, const struct proto_net *r)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (memcmp(&l->r[i], r, sizeof(*r)) == 0)
			return true;
	return false;
}

static bool has_slot(const struct list *l, uint32_t slot)
{
	for (uint32_t i = 0; i < l->n; i++)
		if (l->r[i].kind == PROTO_NET_LINK && l->r[i].slot == slot)
			return true;
	return false;
}

/* Slots that are named no longer; and those named for the first time, which may need a probe. */
static int match_devices(void)
{
	bool missing = false;
	int rc = look();

	for (uint32_t slot = 0; rc == 0 && slot < PROTO_MAX_SLOTS; slot++) {
		struct rtnl_link *link = find_slot(slot);

		if (has_slot(&now, slot) && !has_slot(&next, slot) && link != NULL)
			release_device(link);
		if (has_slot(&next, slot) && link == NULL)
			missing = true;
	}
	return rc == 0 && missing ? probe_devices() : rc;
}

static void remove_old(void)
{
	struct err ignored;

	for (uint32_t i = now.n; i-- > 0;) {
		const struct proto_net *r = &now.r[i];

		if (r->kind == PROTO_NET_LINK || has(&next, r) || !has_slot(&next, r->slot))
			continue;
		carry_out(false, r, &ignored);
		/* secondary addresses go with the first one, routes with addresses */
		again[r->slot] |= r->kind == PROTO_NET_ADDR;
	}
}

static bool same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	unsigned rest = 8 - bits % 8;

	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || a[bits / 8] >> rest == b[bits / 8] >> rest;
}

/* The kernel makes a route to an address's neighbours. The host's may have been taken away (CNI's ptp does that). */
static void drop_prefix_route(const struct proto_net *a)
{
	const uint8_t *dst = a->flags & PROTO_NET_HAS_VIA ? a->via : a->dst;
	struct proto_net route = {.kind = PROTO_NET_ROUTE,
				  .slot = a->slot,
				  .family = a->family,
				  .prefix = a->prefix,
				  .scope = a->family == 2 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
				  .protocol = RTPROT_KERNEL,
				  .type = RTN_UNICAST};
	struct err ignored;

	if (a->prefix == 8 * address_bytes(a) || (a->flags & PROTO_NET_NO_PREFIX_ROUTE) != 0)
		return;
	for (uint32_t i = 0; i < next.n; i++) {
		const struct proto_net *r = &next.r[i];

		if (r->kind == PROTO_NET_ROUTE && r->slot == a->slot && r->family == a->family &&
		    r->prefix == a->prefix && r->protocol == RTPROT_KERNEL &&
		    same_prefix(r->dst, dst, r->prefix))
			return;
	}
	for (unsigned bit = 0; bit < a->prefix; bit++)
		route.dst[bit / 8] |= (uint8_t)(dst[bit / 8] & 0x80u >> bit % 8);
	carry_out(false, &route, &ignored);
}

static void add_new(struct outcome *o)
{
	for (uint32_t i = 0; i < next.n; i++) {
		const struct proto_net *r = &next.r[i];
		int rc;

		if (r->kind == PROTO_NET_LINK || (has(&now, r) && !again[r->slot]))
			continue;
		rc = carry_out(true, r, room_for(o));
		failed(o, rc);
		if (rc == 0 && r->kind == PROTO_NET_ADDR)
			drop_prefix_route(r);
	}
}

static void set_links(struct outcome *o)
{
	for (uint32_t i = 0; i < next.n; i++) {
		const struct proto_net *r = &next.r[i];

		if (r->kind != PROTO_NET_LINK || (has(&now, r) && !again[r->slot]))
			continue;
		failed(o, set_link(r, room_for(o)));
		again[r->slot] = true;
	}
}

/*
 * On an interface that is shared, what comes to other ports is another container's. They are few: a port may be
 * used again while an old connection of it is in TIME_WAIT.
 */
static int set_ports(struct err *e)
{
	uint16_t first = 0;
	char text[32];
	size_t n;
	int rc;

	for (uint32_t i = 0; i < next.n; i++)
		if (next.r[i].kind == PROTO_NET_LINK && next.r[i].first_port != 0)
			first = next.r[i].first_port;
	if (first == ports)
		return 0;
	n = first == 0 ? str_fmt(text, sizeof(text), "%s", DEFAULT_PORTS) :
			 str_fmt(text, sizeof(text), "%u %u", (unsigned)first, first + PROTO_NET_PORTS - 1);
	rc = container_write_own_proc(SYSCTL_PORTS, text, n);
	if (rc >= 0 && first != 0)
		container_write_own_proc(SYSCTL_REUSE, "1", 1);
	if (rc < 0)
		return err_sys(e, rc, "network: ports %s", text);
	ports = first;
	return 0;
}

uint16_t net_first_port(void)
{
	return ports;
}

/* Make `next` true, then it is `now`. What fails keeps nothing else from being done, and is due again next time. */
static int apply(struct err *e)
{
	static bool unfinished;
	struct outcome o = {.first = e};
	int rc;

	if (next.n == 0 && now.n == 0)
		return 0;
	if (sock < 0)
		sock = rtnl_open();
	if (sock < 0)
		return err_sys(e, sock, "network: rtnetlink");
	memset(again, unfinished, sizeof(again));
	rc = match_devices();
	if (rc < 0)
		return err_sys(e, rc, "network: list the links");
	failed(&o, set_ports(e));
	rename_links(&o);
	set_links(&o);
	remove_old();
	add_new(&o);
	unfinished = o.rc != 0;
	now.n = next.n;
	memcpy(now.r, next.r, next.n * sizeof(next.r[0]));
	return o.rc;
}

int net_program(const struct program *p, struct err *e)
{
	next.n = 0;
	for (uint32_t i = 0; i < p->head.n_net; i++)
		next.r[next.n++] = program_net(p, i);
	return apply(e);
}

int net_record(const struct proto_net *r, struct err *e)
{
	if (!program_net_ok(r))
		return err_set(e, EPROTO, "network: record of kind %u", r->kind);
	if (r->kind == PROTO_NET_BEGIN)
		next.n = 0;
	else if (r->kind == PROTO_NET_END)
		return apply(e);
	else if (next.n < PROTO_MAX_NET)
		next.r[next.n++] = *r;
	else
		return err_set(e, EPROTO, "network: over %d records", PROTO_MAX_NET);
	return 0;
}
