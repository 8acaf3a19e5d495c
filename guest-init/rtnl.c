/* SPDX-License-Identifier: Apache-2.0 */
/* rtnl - rtnetlink messages: make one, have it carried out, list the links. */
#include "guest-init/rtnl.h"

#include "guest-init/str.h"
#include "guest-init/sys.h"

#define ANSWER_BYTES 16384 /* what the kernel puts into one answer at most, to a dump */
#define FLAG_UP 1u	   /* IFF_UP of <linux/if.h>, which needs the C library */

#define ALIGN(n) (((n) + 3u) & ~(size_t)3)

static uint8_t answer[ANSWER_BYTES] __attribute__((aligned(8)));

int rtnl_open(void)
{
	return sys_netlink(NETLINK_ROUTE);
}

void rtnl_begin(struct rtnl_msg *m, unsigned type, unsigned flags, const void *fixed, size_t n)
{
	memset(m, 0, sizeof(*m));
	m->head.nlmsg_type = (uint16_t)type;
	m->head.nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST | NLM_F_ACK);
	m->head.nlmsg_len = (uint32_t)(sizeof(m->head) + ALIGN(n));
	memcpy(m->body, fixed, n);
}

void rtnl_put(struct rtnl_msg *m, unsigned type, const void *data, size_t n)
{
	size_t at = m->head.nlmsg_len - sizeof(m->head);
	struct rtattr a = {.rta_len = (uint16_t)(sizeof(a) + n), .rta_type = (uint16_t)type};

	if (at + sizeof(a) + ALIGN(n) > RTNL_BODY)
		return; /* the kernel will find it missing */
	memcpy(m->body + at, &a, sizeof(a));
	if (n > 0)
		memcpy(m->body + at + sizeof(a), data, n);
	m->head.nlmsg_len += (uint32_t)(sizeof(a) + ALIGN(n));
}

size_t rtnl_nest(struct rtnl_msg *m, unsigned type)
{
	size_t at = m->head.nlmsg_len - sizeof(m->head);

	rtnl_put(m, type, NULL, 0);
	return at;
}

void rtnl_nest_end(struct rtnl_msg *m, size_t at)
{
	uint16_t n = (uint16_t)(m->head.nlmsg_len - sizeof(m->head) - at);

	memcpy(m->body + at, &n, sizeof(n));
}

int rtnl_do(int fd, struct rtnl_msg *m)
{
	long n = sys_send(fd, m, m->head.nlmsg_len, 0);
	struct nlmsghdr head;
	int error;

	if (n < 0)
		return (int)n;
	n = sys_recv(fd, answer, sizeof(answer), 0);
	if (n < (long)(sizeof(head) + sizeof(error)))
		return n < 0 ? (int)n : -EPROTO;
	memcpy(&head, answer, sizeof(head));
	memcpy(&error, answer + sizeof(head), sizeof(error));
	return head.nlmsg_type == NLMSG_ERROR ? error : -EPROTO;
}

/* One RTM_NEWLINK of @n bytes. */
static void read_link(const uint8_t *p, size_t n, struct rtnl_link *out)
{
	struct ifinfomsg info;
	size_t at = sizeof(info);

	memset(out, 0, sizeof(*out));
	if (n < sizeof(info))
		return;
	memcpy(&info, p, sizeof(info));
	out->index = info.ifi_index;
	out->up = (info.ifi_flags & FLAG_UP) != 0;
	while (at + sizeof(struct rtattr) <= n) {
		struct rtattr a;
		const uint8_t *data = p + at + sizeof(a);
		size_t len;

		memcpy(&a, p + at, sizeof(a));
		if (a.rta_len < sizeof(a) || a.rta_len > n - at)
			return;
		len = a.rta_len - sizeof(a);
		if (a.rta_type == IFLA_IFNAME && len <= sizeof(out->name))
			memcpy(out->name, data, len);
		if (a.rta_type == IFLA_PERM_ADDRESS && len == sizeof(out->permanent))
			memcpy(out->permanent, data, len);
		at += ALIGN(a.rta_len);
	}
}

int rtnl_links(int fd, struct rtnl_link *out, int max)
{
	struct ifinfomsg all = {0};
	struct rtnl_msg m;
	int found = 0;
	long n;

	rtnl_begin(&m, RTM_GETLINK, NLM_F_DUMP, &all, sizeof(all));
	m.head.nlmsg_flags &= (uint16_t)~NLM_F_ACK;
	n = sys_send(fd, &m, m.head.nlmsg_len, 0);
	while (n >= 0) {
		size_t at = 0;

		n = sys_recv(fd, answer, sizeof(answer), 0);
		while (n >= 0 && at + sizeof(struct nlmsghdr) <= (size_t)n) {
			struct nlmsghdr head;

			memcpy(&head, answer + at, sizeof(head));
			if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > (size_t)n - at)
				return -EPROTO;
			if (head.nlmsg_type == NLMSG_DONE)
				return found;
			if (head.nlmsg_type == NLMSG_ERROR)
				return -EPROTO;
			if (head.nlmsg_type == RTM_NEWLINK && found < max)
				read_link(answer + at + sizeof(head),
					  head.nlmsg_len - sizeof(head), &out[found++]);
			at += ALIGN(head.nlmsg_len);
		}
	}
	return (int)n;
}
