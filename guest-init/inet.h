/* SPDX-License-Identifier: Apache-2.0 */
/* inet - addresses of internet sockets, and the calls that only those need (the others are in sys.h). */
#ifndef GUEST_INIT_INET_H
#define GUEST_INIT_INET_H

#include "guest-init/sys.h"

/* struct sockaddr_in and sockaddr_in6, whose headers need the C library's struct sockaddr. */
struct inet_addr {
	uint16_t family;
	uint8_t port[2]; /* network order */
	union {
		uint8_t v4[4];
		struct {
			uint32_t flow;
			uint8_t v6[16];
			uint32_t scope;
		};
	};
};

#define INET_V4_BYTES 16u
#define INET_V6_BYTES 28u

_Static_assert(sizeof(struct inet_addr) == INET_V6_BYTES, "sockaddr_in6");

#define SYS_SO_REUSEADDR 2
#define SYS_SO_LINGER 13
#define SYS_IPPROTO_TCP 6
#define SYS_TCP_NODELAY 1
#define SYS_IPPROTO_IPV6 41
#define SYS_IPV6_V6ONLY 26

/* The address that @fd has itself. */
static inline int inet_own_name(int fd, struct inet_addr *a, uint32_t *n)
{
	return (int)sys_call3(__NR_getsockname, fd, (long)a, (long)n);
}

static inline long inet_recv_from(int fd, void *buf, size_t n, struct inet_addr *a, uint32_t *len)
{
	return sys_call(__NR_recvfrom, fd, (long)buf, (long)n, SYS_MSG_DONTWAIT, (long)a, (long)len);
}

static inline long inet_send_to(int fd, const void *buf, size_t n, const struct inet_addr *a, uint32_t len)
{
	return sys_call(__NR_sendto, fd, (long)buf, (long)n, SYS_MSG_DONTWAIT | SYS_MSG_NOSIGNAL, (long)a,
			(long)len);
}

#endif
