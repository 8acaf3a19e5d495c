/* SPDX-License-Identifier: Apache-2.0 */
/* rtnl - rtnetlink messages: make one, have it carried out, list the links (rtnetlink(7)). */
#ifndef GUEST_INIT_RTNL_H
#define GUEST_INIT_RTNL_H

#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RTNL_BODY 480 /* the largest of ours has about 150 bytes */

struct rtnl_msg {
	struct nlmsghdr head;
	uint8_t body[RTNL_BODY];
};

struct rtnl_link {
	int index;
	bool up;
	uint8_t permanent[6]; /* the MAC that the device was made with */
	char name[16];
};

/* Return: a socket, or -errno. */
int rtnl_open(void);

/* Begin a request with its fixed part; NLM_F_REQUEST and NLM_F_ACK are added to @flags. */
void rtnl_begin(struct rtnl_msg *m, unsigned type, unsigned flags, const void *fixed, size_t n);

/* Append an attribute. */
void rtnl_put(struct rtnl_msg *m, unsigned type, const void *data, size_t n);

/* Attributes put between the two are nested. @at: what rtnl_nest() returned. */
size_t rtnl_nest(struct rtnl_msg *m, unsigned type);
void rtnl_nest_end(struct rtnl_msg *m, size_t at);

/* Send it and wait for the kernel's answer. Return: 0 or -errno. */
int rtnl_do(int fd, struct rtnl_msg *m);

/* List the links. Return: how many there are, at most @max, or -errno. */
int rtnl_links(int fd, struct rtnl_link *out, int max);

#endif
