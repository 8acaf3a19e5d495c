/* SPDX-License-Identifier: Apache-2.0 */
/* net_end - the monitor's end of the network helper: lists go on to the guest, answers to a starter. */
#include "runtime/net_end.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "runtime/net.h"

void net_end_init(struct net_end *end, int fd)
{
	memset(end, 0, sizeof(*end));
	end->fd = fd;
}

int net_end_ask(struct net_end *end)
{
	if (send(end->fd, "?", 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
		return -EIO;
	end->asked = true;
	return 0;
}

static void on_record(struct net_end *end, const struct proto_net *r)
{
	if (r->kind == PROTO_NET_BEGIN) {
		end->n = 0;
		end->whole = false;
	}
	if (end->n == sizeof(end->frames) / sizeof(end->frames[0]))
		return; /* can't be: the helper counts too */
	end->frames[end->n++] = (struct net_frame){
		.head = { .type = PROTO_NET, .length = sizeof(*r) },
		.record = *r,
	};
	end->whole = r->kind == PROTO_NET_END;
}

static enum net_news answered(struct net_end *end, enum net_news news)
{
	if (!end->asked)
		return NET_NEWS_NONE;
	end->asked = false;
	return news;
}

enum net_news net_end_read(struct net_end *end, struct err *e)
{
	struct net_note note;
	ssize_t n = recv(end->fd, &note, sizeof(note), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return NET_NEWS_NONE;
	if (n != (ssize_t)sizeof(note)) {
		own_close_fd(&end->fd);
		(void)err_set(e, EIO, "the network helper died");
		return answered(end, NET_NEWS_FAILED);
	}
	if (note.type == NET_NOTE_RECORD)
		on_record(end, &note.record);
	else if (note.type == NET_NOTE_DONE)
		return answered(end, NET_NEWS_DONE);
	else if (note.type == NET_NOTE_FAILED) {
		note.text[sizeof(note.text) - 1] = '\0';
		(void)err_set(e, note.code, "%s", note.text);
		return answered(end, NET_NEWS_FAILED);
	}
	return NET_NEWS_NONE;
}

int net_end_flush(struct net_end *end, int guest_fd, bool wait)
{
	struct pollfd p = { .fd = guest_fd, .events = POLLOUT };

	if (!end->whole)
		return 0;
	/* a stream that polls writable has three quarters of its 208 KB: the largest list has 57 KB */
	if (!wait && poll(&p, 1, 0) != 1)
		return 0;
	end->whole = false;
	return io_write_all(guest_fd, end->frames, end->n * sizeof(end->frames[0]));
}

void net_end_stop(struct net_end *end, int timeout_ms)
{
	struct pollfd p = { .fd = end->fd };

	/* it ends when it has read our end, and its socket with it */
	if (end->fd >= 0 && shutdown(end->fd, SHUT_WR) == 0)
		(void)poll(&p, 1, timeout_ms);
	own_close_fd(&end->fd);
}
