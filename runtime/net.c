/* SPDX-License-Identifier: Apache-2.0 */
/* net - the container's network on the host: a tap beside each interface of its namespace, tied both ways. */
#include "runtime/net.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "runtime/host.h"

#define TAP_NAME "coracle%d"
#define TAP_PREFIX "coracle"
#define TAP_MTU_MOST 65521u /* the kernel counts the Ethernet header; nothing but a name to frames that pass */
#define VNET_HEADER_BYTES 12 /* virtio 1.2 5.1.6 with num_buffers */
#define VMM_ANSWER_MS 5000
#define LOOPBACK_INDEX 1 /* of every namespace */

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* ------------------------------------------------------------------ taps */

static int configure_tap(int fd, struct net_slot *s, struct err *e)
{
	unsigned all = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_USO4 | TUN_F_USO6;
	int header = VNET_HEADER_BYTES;

	if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0)
		return err_sys(e, "network: TUNSETVNETHDRSZ");
	/* the VMM turns on what the guest's driver has negotiated */
	s->uso = ioctl(fd, TUNSETOFFLOAD, all) == 0;
	if (ioctl(fd, TUNSETOFFLOAD, 0) < 0)
		return err_sys(e, "network: TUNSETOFFLOAD");
	return 0;
}

static uint32_t tap_mtu(uint32_t mtu)
{
	return mtu < TAP_MTU_MOST ? mtu : TAP_MTU_MOST;
}

static int make_tap(struct net *n, struct net_slot *s, uint32_t mtu, struct err *e)
{
	OWN_FD int fd = openat(n->dev_net_fd, "tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	struct ifreq r = { .ifr_name = TAP_NAME };

	if (fd < 0)
		return host_no_tun(errno, e);
	r.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (ioctl(fd, TUNSETIFF, &r) < 0)
		return err_sys(e, "network: make a tap");
	if (configure_tap(fd, s, e) < 0)
		return -e->code;
	s->tap_index = (int)if_nametoindex(r.ifr_name);
	if (s->tap_index == 0)
		return err_sys(e, "network: %s", r.ifr_name);
	if (netlink_set(&n->nl, s->tap_index, tap_mtu(mtu), true, e) < 0)
		return err_wrap(e, "%s", r.ifr_name);
	s->tap_fd = take_fd(&fd);
	return 0;
}

/* ------------------------------------------------------------------ the VMM */

static struct vm_net describe_slot(const struct net_slot *s, uint32_t slot)
{
	static const uint8_t mac[] = PROTO_NET_MAC;
	struct vm_net v = { .fd = s->tap_fd, .mtu = s->mtu, .flags = s->uso ? VM_NET_USO : 0 };

	memcpy(v.mac, mac, sizeof(mac));
	v.mac[5] = (uint8_t)slot;
	return v;
}

/* Ask the VMM and wait: its loop always comes around. */
static int ask_vmm(struct net *n, uint32_t op, uint32_t slot, struct err *e)
{
	struct vm_net_request req = { .op = op,
				      .slot = slot,
				      .net = describe_slot(&n->slots[slot], slot) };
	struct pollfd p = { .fd = n->vmm_fd, .events = POLLIN };
	int32_t answer;
	int r;

	while (recv(n->vmm_fd, &answer, sizeof(answer), MSG_DONTWAIT) > 0)
		; /* to a request that was given up */
	r = io_send_fds(n->vmm_fd, &req, sizeof(req), &n->slots[slot].tap_fd, op == VM_NET_PLUG);
	if (r < 0)
		return err_set(e, -r, "network: tell the VMM: %s", strerror(-r));
	if (poll(&p, 1, VMM_ANSWER_MS) != 1 ||
	    recv(n->vmm_fd, &answer, sizeof(answer), MSG_DONTWAIT) != (ssize_t)sizeof(answer))
		return err_set(e, ETIMEDOUT, "network: the VMM does not answer");
	return answer < 0 ? err_set(e, -answer, "network: the VMM: %s", strerror(-answer)) : 0;
}

/* ------------------------------------------------------------------ slots */

static bool is_tap_of_ours(const struct net_link *l)
{
	return strncmp(l->name, TAP_PREFIX, strlen(TAP_PREFIX)) == 0;
}

/* A link that is down and has no address is left over from a module, or not ready yet. */
static bool wanted(const struct net_link *l)
{
	return !l->enslaved && !is_tap_of_ours(l) && (l->up || l->addressed);
}

/* It stays the other's: who had it first would come back, started anew, to find it taken. */
static bool is_anothers(const struct net *n, int index)
{
	for (uint32_t i = 0; i < n->n_others; i++)
		if (n->others[i] == index)
			return true;
	return false;
}

static struct net_slot *slot_of(struct net *n, int index)
{
	for (uint32_t i = 0; i < PROTO_MAX_SLOTS; i++)
		if (n->slots[i].index == index)
			return &n->slots[i];
	return NULL;
}

static const struct net_link *link_of(const struct net_link *links, size_t n, int index)
{
	for (size_t i = 0; i < n; i++)
		if (links[i].index == index)
			return &links[i];
	return NULL;
}

static void empty_slot(struct net *n, struct net_slot *s)
{
	struct err ignored = { 0 };

	/* the VMM's copy is the last: with it goes the tap */
	if (n->running && ask_vmm(n, VM_NET_UNPLUG, (uint32_t)(s - n->slots), &ignored) < 0)
		ignored.code = 0;
	own_close_fd(&s->tap_fd);
	*s = (struct net_slot){ .tap_fd = -1 };
}

/*
 * What arrives on a link comes to the slot's tap: all of it, or our part of it when another was first.
 * Return: 0 or -errno: -EADDRINUSE when no place is left.
 */
static int redirect(struct net *n, struct net_slot *s, const struct net_link *l, struct err *e)
{
	int r = netlink_redirect(&n->nl, l, s->tap_index, 0, e);

	s->shared = r == -EADDRINUSE;
	if (s->shared && n->place_fd >= 0)
		return netlink_redirect(&n->nl, l, s->tap_index, n->place, e);
	for (uint32_t place = 1; r == -EADDRINUSE && place <= PROTO_NET_PLACES; place++) {
		OWN_FD int fd = netlink_hold_place(place);

		if (fd < 0)
			continue;
		r = netlink_redirect(&n->nl, l, s->tap_index, place, e);
		if (r < 0)
			continue;
		n->place = place;
		n->place_fd = take_fd(&fd);
	}
	return r;
}

static int fill_slot(struct net *n, struct net_slot *s, const struct net_link *l, struct err *e)
{
	const struct net_link tap = { .name = "tap" };
	struct net_link back = tap;
	int r;

	if (make_tap(n, s, l->mtu, e) < 0)
		return -e->code;
	back.index = s->tap_index;
	s->mtu = l->mtu;
	r = redirect(n, s, l, e);
	if (r < 0)
		return r;
	s->index = l->index; /* from here on there is something to undo */
	r = netlink_redirect(&n->nl, &back, l->index, 0, e);
	if (r == 0 && n->running) {
		r = ask_vmm(n, VM_NET_PLUG, (uint32_t)(s - n->slots), e);
		own_close_fd(&s->tap_fd);
	}
	if (r < 0)
		netlink_end_redirect(&n->nl, l->index, s->tap_index);
	else if (l->filters)
		s->all_multicast = netlink_all_multicast(&n->nl, l->index, true) == 0;
	return r;
}

static void untie(struct net *n, const struct net_slot *s)
{
	if (s->all_multicast)
		(void)netlink_all_multicast(&n->nl, s->index, false); /* it may have gone */
	netlink_end_redirect(&n->nl, s->index, s->tap_index);
}

static int take_link(struct net *n, const struct net_link *l, struct err *e)
{
	uint32_t most = n->running ? n->n_slots : PROTO_MAX_SLOTS;
	int r;

	if (!l->ethernet)
		return err_set(e, ENOTSUP,
			       "network: %s: only Ethernet interfaces are supported yet", l->name);
	for (uint32_t i = 0; i < most; i++) {
		if (n->slots[i].index != 0)
			continue;
		r = fill_slot(n, &n->slots[i], l, e);
		if (r == 0)
			return 0;
		own_close_fd(&n->slots[i].tap_fd);
		n->slots[i] = (struct net_slot){ .tap_fd = -1 };
		if (r != -EADDRINUSE)
			return r;
		memcpy(n->taken, l->name, sizeof(n->taken));
		if (n->n_others < NET_MAX_LINKS)
			n->others[n->n_others++] = l->index;
		return 0;
	}
	return err_set(e, E2BIG, "network: %s: the machine has room for %u interfaces", l->name, most);
}

static int change_mtu(struct net *n, struct net_slot *s, const struct net_link *l, struct err *e)
{
	const uint32_t before = s->mtu;

	if (s->mtu == l->mtu)
		return 0;
	s->mtu = l->mtu; /* ask_vmm() tells it */
	if (netlink_set(&n->nl, s->tap_index, tap_mtu(l->mtu), false, e) == 0 &&
	    (!n->running || ask_vmm(n, VM_NET_MTU, (uint32_t)(s - n->slots), e) == 0))
		return 0;
	s->mtu = before; /* to be tried again with the next change */
	return -e->code;
}

/* Slots follow links. An error does not keep the other links from being served. */
static int match_slots(struct net *n, const struct net_link *links, size_t n_links, struct err *e)
{
	struct err more = { 0 };
	int first = 0;

	for (uint32_t i = 0; i < PROTO_MAX_SLOTS; i++) {
		struct net_slot *s = &n->slots[i];
		const struct net_link *l = link_of(links, n_links, s->index);

		if (s->index == 0 || (l && !l->enslaved))
			continue;
		if (l)
			untie(n, s);
		empty_slot(n, s);
	}
	for (size_t i = 0; i < n_links; i++) {
		const struct net_link *l = &links[i];
		struct net_slot *s = slot_of(n, l->index);
		int r = 0;

		if (s)
			r = change_mtu(n, s, l, first ? &more : e);
		else if (wanted(l) && !is_anothers(n, l->index))
			r = take_link(n, l, first ? &more : e);
		if (first == 0)
			first = r;
	}
	return first;
}

/* ------------------------------------------------------------------ the list */

static void sort_by_kind(struct proto_net *list, uint32_t n, struct proto_net *out)
{
	uint32_t at = 0;

	for (uint32_t kind = PROTO_NET_LINK; kind <= PROTO_NET_ROUTE; kind++)
		for (uint32_t i = 0; i < n; i++)
			if (list[i].kind == kind)
				out[at++] = list[i];
}

/* Return: 1 when the list is another one now, 0, or -errno. */
static int make_list(struct net *n, const struct net_link *links, size_t n_links, struct err *e)
{
	static struct proto_net raw[PROTO_MAX_NET];
	static struct proto_net sorted[PROTO_MAX_NET];
	uint32_t count = 0;

	for (uint32_t i = 0; i < PROTO_MAX_SLOTS; i++) {
		const struct net_slot *s = &n->slots[i];
		const struct net_link *l = s->index ? link_of(links, n_links, s->index) : NULL;
		struct proto_net *r = &raw[count];
		int more;

		if (!l)
			continue;
		if (count == PROTO_MAX_NET)
			return err_set(e, E2BIG, "network: over %d records", PROTO_MAX_NET);
		*r = (struct proto_net){ .kind = PROTO_NET_LINK,
					 .slot = i,
					 .flags = l->up ? PROTO_NET_UP : 0,
					 .mtu = l->mtu };
		if (s->shared)
			r->first_port = (uint16_t)PROTO_NET_FIRST_PORT(n->place);
		memcpy(r->name, l->name, sizeof(r->name));
		memcpy(r->mac, l->mac, sizeof(l->mac));
		more = netlink_records(&n->nl, l, i, raw, count + 1, PROTO_MAX_NET, e);
		if (more < 0)
			return more;
		count = (uint32_t)more;
	}
	sort_by_kind(raw, count, sorted);
	if (count == n->n && memcmp(sorted, n->list, count * sizeof(sorted[0])) == 0)
		return 0;
	memcpy(n->list, sorted, count * sizeof(sorted[0]));
	n->n = count;
	return 1;
}

int net_refresh(struct net *n, bool *out_changed, struct err *e)
{
	struct net_link links[NET_MAX_LINKS];
	struct err later = { 0 };
	size_t n_links;
	int matched;
	int changed;

	*out_changed = false;
	if (netlink_look(&n->nl, e) < 0)
		return -e->code;
	n_links = netlink_links(&n->nl, links, NET_MAX_LINKS);
	matched = match_slots(n, links, n_links, e);
	changed = make_list(n, links, n_links, matched < 0 ? &later : e);
	*out_changed = changed > 0;
	return matched < 0 ? matched : changed < 0 ? changed : 0;
}

/* ------------------------------------------------------------------ life */

static int open_all(struct net *n, bool fresh, int lock_fd, struct err *e)
{
	bool changed;
	int pair[2];
	int r;

	if (netlink_open(&n->nl, e) < 0)
		return -e->code;
	n->on = true;
	if (fresh && netlink_set(&n->nl, LOOPBACK_INDEX, 0, false, e) < 0)
		return err_wrap(e, "lo");
	n->dev_net_fd = open("/dev/net", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (lock_fd >= 0)
		n->lock_fd = fcntl(lock_fd, F_DUPFD_CLOEXEC, 3);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "network: socketpair");
	n->vmm_fd = pair[0];
	n->vmm_side = pair[1];
	if (n->mirrored) {
		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return err_sys(e, "network: socketpair");
		n->mirror_fd = pair[0];
		n->mirror_vmm = pair[1];
	}
	r = net_refresh(n, &changed, e);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < PROTO_MAX_SLOTS; i++)
		if (n->slots[i].index != 0)
			n->n_slots = i + 1;
	n->n_slots += NET_SPARE_SLOTS;
	if (n->n_slots > PROTO_MAX_SLOTS)
		n->n_slots = PROTO_MAX_SLOTS;
	return 0;
}

int net_open(struct net *n, bool fresh, bool mirrored, int lock_fd, struct err *e)
{
	memset(n, 0, sizeof(*n));
	n->mirrored = mirrored;
	n->dev_net_fd = -1;
	n->vmm_fd = -1;
	n->vmm_side = -1;
	n->lock_fd = -1;
	n->mirror_fd = -1;
	n->mirror_vmm = -1;
	n->kick_fd = -1;
	n->place_fd = -1;
	for (uint32_t i = 0; i < PROTO_MAX_SLOTS; i++)
		n->slots[i].tap_fd = -1;
	if (open_all(n, fresh, lock_fd, e) < 0) {
		net_close(n);
		return -e->code;
	}
	return 0;
}

void net_close(struct net *n)
{
	if (!n->on)
		return;
	for (uint32_t i = 0; i < PROTO_MAX_SLOTS; i++) {
		if (n->slots[i].index != 0)
			untie(n, &n->slots[i]);
		own_close_fd(&n->slots[i].tap_fd);
	}
	netlink_close(&n->nl);
	own_close_fd(&n->dev_net_fd);
	own_close_fd(&n->vmm_fd);
	own_close_fd(&n->vmm_side);
	own_close_fd(&n->lock_fd);
	own_close_fd(&n->place_fd);
	own_close_fd(&n->mirror_fd);
	own_close_fd(&n->mirror_vmm);
	n->on = false;
}

void net_fill_devices(const struct net *n, struct vm_devices *d)
{
	if (!n->on)
		return;
	d->net_fd = n->vmm_side;
	d->n_nets = n->n_slots;
	for (uint32_t i = 0; i < n->n_slots; i++)
		d->nets[i] = describe_slot(&n->slots[i], i);
	if (n->mirrored)
		d->streams[d->n_streams++] = (struct vm_stream){ .port = PROTO_PORT_MIRROR,
								 .in_fd = n->mirror_vmm,
								 .out_fd = n->mirror_vmm };
}

void net_handed_over(struct net *n)
{
	if (!n->on)
		return;
	own_close_fd(&n->vmm_side);
	own_close_fd(&n->mirror_vmm);
	for (uint32_t i = 0; i < PROTO_MAX_SLOTS; i++)
		own_close_fd(&n->slots[i].tap_fd);
	n->running = true;
}

int net_add_to_program(const struct net *n, void **payload, size_t *bytes, struct err *e)
{
	size_t list = n->on ? n->n * sizeof(n->list[0]) : 0;
	size_t at = (*bytes + 7) & ~(size_t)7;
	struct proto_program *p;

	if (list == 0 && !n->mirrored)
		return 0;
	if (at + list > PROTO_MAX_PROGRAM)
		return err_set(e, E2BIG, "network: the program for the guest grows over %u bytes",
			       PROTO_MAX_PROGRAM);
	p = calloc(1, at + list);
	if (!p)
		return err_set(e, ENOMEM, "network: out of memory");
	memcpy(p, *payload, *bytes);
	memcpy((char *)p + at, n->list, list);
	p->flags |= n->mirrored ? PROTO_MIRROR : 0;
	p->pool_bytes = (uint32_t)(at + list - sizeof(*p));
	p->n_net = n->n;
	p->net = (uint32_t)(at - sizeof(*p));
	*payload = p;
	*bytes = at + list;
	return 0;
}
