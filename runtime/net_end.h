/* SPDX-License-Identifier: Apache-2.0 */
/* net_end - the monitor's end of the network helper: lists go on to the guest, answers to a starter. */
#ifndef RUNTIME_NET_END_H
#define RUNTIME_NET_END_H

#include <stdbool.h>
#include <stddef.h>

#include "guest-init/proto.h"
#include "runtime/base/err.h"

struct net_frame {
	struct proto_head head;
	struct proto_net record;
};

struct net_end {
	int fd; /* the helper's socket; -1: there is none */
	bool asked; /* a look was asked for and not answered */
	bool whole; /* frames[] holds a list that is due to the guest */
	size_t n;
	struct net_frame frames[PROTO_MAX_NET + 2];
};

enum net_news { NET_NEWS_NONE, NET_NEWS_DONE, NET_NEWS_FAILED };

void net_end_init(struct net_end *end, int fd);

/* Ask for a look. Return: 0 or -errno. */
int net_end_ask(struct net_end *end) MUST_CHECK;

/*
 * Read one note. Return: DONE or FAILED (@e says why) when it answers net_end_ask(); a helper that died
 * has failed.
 */
enum net_news net_end_read(struct net_end *end, struct err *e);

/*
 * Send the list that is due, if there is one. @wait: the guest is still ours and reads; else it is only
 * sent when the stream has room for all of it, and stays due.
 * Return: 0 or -errno.
 */
int net_end_flush(struct net_end *end, int guest_fd, bool wait) MUST_CHECK;

/* Let the helper end what it made, and wait until it has, at most @timeout_ms. */
void net_end_stop(struct net_end *end, int timeout_ms);

#endif
