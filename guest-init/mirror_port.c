/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_port - listen here at the addresses where somebody listens on the other side. */
#include "guest-init/mirror_internal.h"
#include "guest-init/str.h"

#define BACKLOG 128

static const uint8_t v4_in_v6[12] = {[10] = 0xff, [11] = 0xff};

static bool all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static bool is_v4_in_v6(const struct mirror_addr *a)
{
	return a->family == MIRROR_V6 && memcmp(a->addr, v4_in_v6, sizeof(v4_in_v6)) == 0;
}

bool addr_is_any(const struct mirror_addr *a)
{
	return all_zero(a->addr, a->family == MIRROR_V4 ? 4 : 16);
}

bool addr_is_loopback(const struct mirror_addr *a)
{
	if (a->family == MIRROR_V4)
		return a->addr[0] == 127;
	if (is_v4_in_v6(a))
		return a->addr[12] == 127;
	return all_zero(a->addr, 15) && a->addr[15] == 1;
}

/* Of a kind that is mirrored: no multicast, no link-local IPv6 address, which means nothing without a link. */
bool addr_check(const struct mirror_addr *a)
{
	if ((a->protocol != MIRROR_TCP && a->protocol != MIRROR_UDP) || a->port == 0 || a->v6only > 1 ||
	    a->reserved != 0 || a->reserved2 != 0)
		return false;
	if (a->family == MIRROR_V4)
		return a->addr[0] < 224 && a->v6only == 0 && all_zero(a->addr + 4, 12);
	if (a->family != MIRROR_V6)
		return false;
	return a->addr[0] != 0xff && !(a->addr[0] == 0xfe && (a->addr[1] & 0xc0) == 0x80);
}

bool addr_covers(const struct mirror_addr *listener, const struct mirror_addr *to)
{
	if (listener->protocol != to->protocol || listener->port != to->port ||
	    listener->family != to->family)
		return false;
	if (is_v4_in_v6(to) && addr_is_any(listener))
		return listener->v6only == 0;
	return addr_is_any(listener) || memcmp(listener->addr, to->addr, sizeof(to->addr)) == 0;
}

uint32_t addr_to_inet(const struct mirror_addr *a, struct inet_addr *out)
{
	memset(out, 0, sizeof(*out));
	out->family = a->family;
	out->port[0] = (uint8_t)(a->port >> 8);
	out->port[1] = (uint8_t)a->port;
	if (a->family == MIRROR_V4) {
		memcpy(out->v4, a->addr, 4);
		return INET_V4_BYTES;
	}
	memcpy(out->v6, a->addr, 16);
	return INET_V6_BYTES;
}

void addr_from_inet(const struct inet_addr *in, uint8_t protocol, struct mirror_addr *out)
{
	*out = (struct mirror_addr){.protocol = protocol,
				    .family = (uint8_t)in->family,
				    .port = (uint16_t)(in->port[0] << 8 | in->port[1])};
	if (in->family == MIRROR_V4)
		memcpy(out->addr, in->v4, 4);
	else
		memcpy(out->addr, in->v6, 16);
}

/* ------------------------------------------------------------------ sockets */

static int listen_at(const struct mirror_addr *a)
{
	bool tcp = a->protocol == MIRROR_TCP;
	int fd = sys_socket(a->family, (tcp ? SYS_SOCK_STREAM : SYS_SOCK_DGRAM) | O_NONBLOCK);
	struct inet_addr name;
	uint32_t n = addr_to_inet(a, &name);
	int yes = 1, v6only = a->v6only;
	int rc = fd < 0 ? fd : 0;

	/* not for UDP: two sockets would share the address */
	if (rc == 0 && tcp)
		rc = sys_set_option(fd, SYS_SOL_SOCKET, SYS_SO_REUSEADDR, &yes, sizeof(yes));
	if (rc == 0 && a->family == MIRROR_V6)
		rc = sys_set_option(fd, SYS_IPPROTO_IPV6, SYS_IPV6_V6ONLY, &v6only, sizeof(v6only));
	if (rc == 0)
		rc = sys_bind(fd, &name, n);
	if (rc == 0 && tcp)
		rc = sys_listen(fd, BACKLOG);
	if (rc == 0)
		return fd;
	if (fd >= 0)
		sys_close(fd);
	return -1;
}

static void port_open(struct port *p)
{
	struct stat st;

	p->fd = listen_at(&p->addr);
	p->inode = p->fd >= 0 && sys_fstatat(p->fd, "", &st, AT_EMPTY_PATH) == 0 ? st.st_ino : 0;
}

static bool is_listed(const struct mirror_addr *list, uint32_t n, const struct mirror_addr *a)
{
	for (uint32_t i = 0; i < n; i++)
		if (memcmp(&list[i], a, sizeof(*a)) == 0)
			return true;
	return false;
}

static struct port *find_port(struct mirror *m, const struct mirror_addr *a)
{
	for (uint32_t i = 0; i < m->n_ports; i++)
		if (memcmp(&m->ports[i].addr, a, sizeof(*a)) == 0)
			return &m->ports[i];
	return NULL;
}

void ports_apply(struct mirror *m)
{
	for (uint32_t i = 0; i < m->n_ports;) {
		struct port *p = &m->ports[i];

		if (is_listed(m->coming, m->n_coming, &p->addr)) {
			i++;
			continue;
		}
		if (p->fd >= 0)
			sys_close(p->fd);
		*p = m->ports[--m->n_ports];
	}
	for (uint32_t i = 0; i < m->n_coming; i++) {
		if (find_port(m, &m->coming[i]) != NULL || m->n_ports == MIRROR_MAX_LISTENERS)
			continue;
		m->ports[m->n_ports] = (struct port){.addr = m->coming[i]};
		port_open(&m->ports[m->n_ports++]);
	}
}

void ports_retry(struct mirror *m)
{
	for (uint32_t i = 0; i < m->n_ports; i++)
		if (m->ports[i].fd < 0)
			port_open(&m->ports[i]);
}

bool ports_have_inode(const struct mirror *m, uint64_t inode)
{
	for (uint32_t i = 0; i < m->n_ports; i++)
		if (m->ports[i].fd >= 0 && m->ports[i].inode == inode)
			return true;
	return false;
}
