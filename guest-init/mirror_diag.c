/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_diag - which sockets listen here: sock_diag(7). */
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>

#include "guest-init/mirror_internal.h"
#include "guest-init/proto.h"
#include "guest-init/str.h"

#define ANSWER_BYTES 32768u
#define TCP_STATE_CLOSE 7u /* of <linux/tcp_states.h>, which is not exported: a UDP socket without a peer */
#define TCP_STATE_LISTEN 10u
#define EPHEMERAL_FIRST 32768u /* the kernel's own choice of ports begins here, and ends at 60999 */
#define EPHEMERAL_LAST 60999u
#define DNS_PORT 53u

#define ALIGN(n) (((n) + 3u) & ~(size_t)3)

int diag_open(void)
{
	return sys_netlink(NETLINK_SOCK_DIAG);
}

static void add(struct mirror_addr *out, uint32_t *count, uint32_t max, const struct mirror_addr *a)
{
	for (uint32_t i = 0; i < *count; i++)
		if (memcmp(&out[i], a, sizeof(*a)) == 0)
			return; /* SO_REUSEPORT */
	if (*count < max)
		out[(*count)++] = *a;
}

/* IPv6: whether the socket takes no IPv4. */
static uint8_t find_v6only(const uint8_t *p, size_t n)
{
	size_t at = 0;

	while (at + sizeof(struct nlattr) <= n) {
		struct nlattr a;

		memcpy(&a, p + at, sizeof(a));
		if (a.nla_len < sizeof(a) || a.nla_len > n - at)
			break;
		if (a.nla_type == INET_DIAG_SKV6ONLY && a.nla_len > sizeof(a))
			return p[at + sizeof(a)] != 0;
		at += ALIGN(a.nla_len);
	}
	return 0;
}

/* An engine's resolver listens at some port of an address of its own, to which packet rules lead port 53. */
static bool is_resolver(const struct mirror *m, const struct mirror_addr *a)
{
	static const uint8_t common[4] = {127, 0, 0, 1};

	return m->side == MIRROR_HOST && a->family == MIRROR_V4 && addr_is_loopback(a) &&
	       memcmp(a->addr, common, sizeof(common)) != 0;
}

/* The port of a client that has not connected its UDP socket is no service. */
static bool is_client(const struct mirror *m, const struct mirror_addr *a)
{
	if (a->protocol != MIRROR_UDP)
		return false;
	if (m->clients != 0 && a->port >= m->clients && a->port < m->clients + PROTO_NET_PORTS)
		return true;
	return a->port >= EPHEMERAL_FIRST && a->port <= EPHEMERAL_LAST;
}

static void read_socket(const struct mirror *m, uint8_t protocol, const uint8_t *p, size_t n,
			struct mirror_addr *out, uint32_t *count, uint32_t max)
{
	struct mirror_addr a = {.protocol = protocol};
	struct inet_diag_msg d;
	uint8_t port[2];

	if (n < sizeof(d))
		return;
	memcpy(&d, p, sizeof(d));
	a.family = d.idiag_family;
	memcpy(port, &d.id.idiag_sport, sizeof(port));
	a.port = (uint16_t)(port[0] << 8 | port[1]);
	memcpy(a.addr, d.id.idiag_src, a.family == MIRROR_V4 ? 4 : 16);
	if (a.family == MIRROR_V6)
		a.v6only = find_v6only(p + sizeof(d), n - sizeof(d));
	if (!addr_check(&a) || d.id.idiag_if != 0 || ports_have_inode(m, d.idiag_inode))
		return;
	if (!is_client(m, &a))
		add(out, count, max, &a);
	a.port = DNS_PORT;
	if (is_resolver(m, &a))
		add(out, count, max, &a);
}

int diag_parse(const struct mirror *m, uint8_t protocol, const uint8_t *answer, size_t n,
	       struct mirror_addr *out, uint32_t *count, uint32_t max)
{
	size_t at = 0;

	while (at + sizeof(struct nlmsghdr) <= n) {
		struct nlmsghdr head;

		memcpy(&head, answer + at, sizeof(head));
		if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > n - at)
			return -EPROTO;
		if (head.nlmsg_type == NLMSG_DONE)
			return 1;
		if (head.nlmsg_type == NLMSG_ERROR)
			return -ENOENT; /* of a family that the kernel does not have */
		read_socket(m, protocol, answer + at + sizeof(head), head.nlmsg_len - sizeof(head), out,
			    count, max);
		at += ALIGN(head.nlmsg_len);
	}
	return 0;
}

static int dump(const struct mirror *m, uint8_t family, uint8_t protocol, struct mirror_addr *out,
		uint32_t *count, uint32_t max)
{
	static uint8_t answer[ANSWER_BYTES] __attribute__((aligned(8)));
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 req;
	} ask = {
		.head = {.nlmsg_len = sizeof(ask),
			 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.req = {.sdiag_family = family,
			.sdiag_protocol = protocol,
			.idiag_states =
				1u << (protocol == MIRROR_TCP ? TCP_STATE_LISTEN : TCP_STATE_CLOSE)},
	};
	long n = sys_send(m->diag, &ask, sizeof(ask), 0);
	int rc = 0;

	while (n >= 0 && rc == 0) {
		n = sys_recv(m->diag, answer, sizeof(answer), 0);
		rc = n < 0 ? (int)n
			   : diag_parse(m, protocol, answer, (size_t)n, out, count, max);
		if (n == 0)
			return -EPROTO;
	}
	return n < 0 ? (int)n : rc < 0 ? rc : 0;
}

int diag_listeners(const struct mirror *m, struct mirror_addr *out, uint32_t max)
{
	static const uint8_t families[] = {MIRROR_V4, MIRROR_V6};
	static const uint8_t protocols[] = {MIRROR_TCP, MIRROR_UDP};
	uint32_t count = 0;

	for (int p = 0; p < 2; p++)
		for (int f = 0; f < 2; f++) {
			int rc = dump(m, families[f], protocols[p], out, &count, max);

			if (rc < 0 && rc != -ENOENT)
				return rc;
		}
	return (int)count;
}
