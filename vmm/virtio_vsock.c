/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_vsock - byte streams between the guest and descriptors of the host (virtio 1.2 section 5.10).
 *
 * DOC: what is served
 *
 * The guest may connect to CID 2 on the ports it was given, once each; everything else is answered with
 * RST. Each port is a pair of host descriptors (struct vm_stream). There are no listeners in the guest,
 * no vsock datagrams, no sequenced packets, and no way to name a host path or port. Where the host's descriptor is
 * a socket for datagrams (VM_FD_DATAGRAMS), the stream carries them as frames (proto.h), each sent when it is whole.
 *
 * DOC: flow control
 *
 * Guest to host: we grant VSOCK_BUFFER bytes. What the host descriptor does not take at once waits in a
 * ring of that size, and the grant is renewed only as bytes leave it: a slow reader on the host stops
 * the writer in the guest. Host to guest: we read from the host only while the guest has granted room
 * and has a receive buffer, so nothing is ever held here. Host descriptors are watched edge-triggered:
 * every pump moves data until a descriptor, the grant or the buffers give out, and each of these has an
 * event that pumps again.
 *
 * DOC: the end
 *
 * Guest shuts down sending: the ring is drained into the descriptor, which is closed, and RST tells the
 * guest that every byte has been delivered. Host descriptor at its end: SHUTDOWN(send). Host reader
 * gone: SHUTDOWN(receive), later bytes are dropped.
 *
 * DOC: further processes
 *
 * virtio_vsock_exec() opens a group of ports for one more process: its channel to the proxy on the host and
 * its streams. What the guest says on the channel is delivered after everything it had sent on the streams
 * before. Each is called from a port that the monitor has chosen at random: other processes of the guest could
 * be there before its init. When the proxy is gone while the channel is open the whole group ends at once. A
 * group's place is free again when all of its connections are over.
 */
#include "vmm/virtio_vsock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest-init/proto.h"
#include "vmm/stream.h"

#define VSOCK_RX 0u
#define VSOCK_TX 1u
#define VSOCK_QUEUE_SIZE 32u /* Linux fills the whole receive queue with pages at boot */
#define VSOCK_BUFFER (128u << 10) /* cap: bytes from the guest held per connection */
#define MAX_READ (64u << 10)	  /* cap: bytes read for the guest at once, however large its buffers are */
_Static_assert(PROTO_DATAGRAM_HEAD + PROTO_MAX_DATAGRAM - 1 <= VSOCK_BUFFER / 2,
	       "a datagram but for its last byte, and as much as drained() keeps to itself, leave the guest room for that byte");
#define VSOCK_MAX_RST 16u	  /* cap: refusals waiting for a receive buffer */
#define CID_HOST 2u
#define CID_GUEST 3u
#define TYPE_STREAM 1u
#define MAX_CONNS (VM_MAX_STREAMS + VM_MAX_EXECS * VM_EXEC_PORTS)

enum vsock_op {
	OP_REQUEST = 1,
	OP_RESPONSE = 2,
	OP_RST = 3,
	OP_SHUTDOWN = 4,
	OP_RW = 5,
	OP_CREDIT_UPDATE = 6,
	OP_CREDIT_REQUEST = 7,
};

#define SHUT_F_RECEIVE 1u
#define SHUT_F_SEND 2u

/* virtio 1.2 5.10.6; 44 bytes on the wire, all fields aligned but the struct's tail */
struct vsock_hdr {
	uint64_t src_cid;
	uint64_t dst_cid;
	uint32_t src_port;
	uint32_t dst_port;
	uint32_t len;
	uint16_t type;
	uint16_t op;
	uint32_t flags;
	uint32_t buf_alloc;
	uint32_t fwd_cnt;
};
#define HDR_BYTES 44u

enum conn_state { CONN_WAITING, CONN_OPEN, CONN_CLOSED, CONN_FREE };

#define TELL_RESPONSE 1u
#define TELL_CREDIT 2u
#define TELL_SHUTDOWN 4u
#define TELL_RST 8u

struct vsock_conn {
	struct virtio_vsock *vsock;
	enum conn_state state;
	struct vsock_conn *group; /* the channel of the process it belongs to, first of its group; or NULL */
	uint32_t port;	    /* ours */
	uint32_t peer_port; /* the guest's; of a group's known before it calls */
	struct stream in;
	struct stream out;
	struct event in_ev;
	struct event out_ev;
	uint32_t tell;	   /* TELL_*: control packets owed to the guest */
	uint32_t shutdown; /* flags for TELL_SHUTDOWN */
	bool in_done;	   /* the host's end was told, or nothing to send */
	bool out_dead;	   /* nobody reads on the host: drop */
	bool guest_done;   /* the guest sends no more */
	bool duplex;	   /* the end of one direction is not that of the other */
	bool datagrams;	   /* out wants them whole */
	uint32_t after[VM_EXEC_PORTS]; /* a channel's: rx_cnt of each stream when its last bytes came */
	uint32_t rx_cnt;   /* bytes received from the guest */
	uint32_t fwd_cnt;  /* of these, gone to the host */
	uint32_t told_fwd; /* as last told to the guest */
	uint32_t tx_cnt;   /* bytes sent to the guest */
	uint32_t peer_alloc;
	uint32_t peer_fwd;
	uint8_t *ring; /* VSOCK_BUFFER bytes once needed */
	uint32_t ring_at;
	uint32_t ring_n;
};

struct virtio_vsock {
	struct virtio_dev dev;
	struct loop *loop;
	size_t n_fixed; /* connections that are there from the beginning */
	size_t n_conns; /* of these and the groups: those from here on are free */
	struct vsock_conn conns[MAX_CONNS];
	bool have_rx; /* rx_chain was popped and is unused */
	unsigned rx_left; /* receive buffers that this turn may still take */
	size_t rx_next;	  /* connection whose turn it is: buffers that run short go round */
	unsigned n_rst;
	struct vsock_hdr rst[VSOCK_MAX_RST];
	struct chain rx_chain;
	struct chain tx_chain;
	struct iovec iov[CHAIN_MAX_IOV];
};

static bool next_rx(struct virtio_vsock *vs)
{
	int r;

	while (!vs->have_rx && vs->rx_left > 0) {
		vs->rx_left--;
		r = virtq_pop(&vs->dev.q[VSOCK_RX], &vs->rx_chain);
		if (r < 0)
			virtio_broken(&vs->dev, "receive queue");
		if (r <= 0)
			return false;
		if (vs->rx_chain.in_left > HDR_BYTES) {
			vs->have_rx = true;
		} else {
			virtq_push(&vs->dev.q[VSOCK_RX], vs->rx_chain.head, 0);
		}
	}
	return vs->have_rx;
}

static void send_hdr(struct virtio_vsock *vs, const struct vsock_hdr *h, size_t data)
{
	if (chain_put(&vs->rx_chain, h, HDR_BYTES) == 0)
		chain_wrote(&vs->rx_chain, data);
	virtq_push(&vs->dev.q[VSOCK_RX], vs->rx_chain.head, (uint32_t)vs->rx_chain.written);
	vs->have_rx = false;
}

static struct vsock_hdr reply(struct vsock_conn *c, uint16_t op, uint32_t flags, uint32_t len)
{
	c->told_fwd = c->fwd_cnt;
	return (struct vsock_hdr){
		.src_cid = CID_HOST,
		.dst_cid = CID_GUEST,
		.src_port = c->port,
		.dst_port = c->peer_port,
		.len = len,
		.type = TYPE_STREAM,
		.op = op,
		.flags = flags,
		.buf_alloc = VSOCK_BUFFER,
		.fwd_cnt = c->fwd_cnt,
	};
}

static void drop_stream(struct vsock_conn *c, struct stream *s, struct event *ev)
{
	if (s->fd >= 0 && s->pollable)
		loop_remove(c->vsock->loop, ev);
	stream_close(s);
}

/* Both descriptors go; a last RST tells the guest. */
static void finish(struct vsock_conn *c)
{
	drop_stream(c, &c->in, &c->in_ev);
	drop_stream(c, &c->out, &c->out_ev);
	free(c->ring);
	c->ring = NULL;
	c->ring_n = 0;
	c->state = CONN_CLOSED;
	c->tell |= TELL_RST;
	/* whose channel is closed does not connect to its streams any more */
	for (size_t i = 1; c->group == c && i < VM_EXEC_PORTS; i++) {
		if (c[i].state != CONN_WAITING)
			continue;
		finish(&c[i]);
		c[i].tell = 0;
	}
}

/* The proxy is gone: everything of its process ends. */
static void cut(struct vsock_conn *channel)
{
	bool open = channel->state == CONN_OPEN;

	for (size_t i = 0; i < VM_EXEC_PORTS; i++)
		if (channel[i].state == CONN_OPEN)
			finish(&channel[i]);
	if (open)
		return;
	finish(channel); /* the guest has not connected yet */
	channel->tell = 0;
}

/* Groups that are over make room; the search for packets goes no further than it must. */
static void free_groups(struct virtio_vsock *vs)
{
	for (size_t at = vs->n_fixed; at < vs->n_conns; at += VM_EXEC_PORTS) {
		bool over = true;

		for (size_t i = at; i < at + VM_EXEC_PORTS; i++)
			over &= vs->conns[i].state == CONN_CLOSED && vs->conns[i].tell == 0;
		for (size_t i = at; over && i < at + VM_EXEC_PORTS; i++)
			vs->conns[i].state = CONN_FREE;
	}
	while (vs->n_conns > vs->n_fixed && vs->conns[vs->n_conns - 1].state == CONN_FREE)
		vs->n_conns -= VM_EXEC_PORTS;
}

static uint32_t room_in_guest(const struct vsock_conn *c)
{
	uint32_t flying = c->tx_cnt - c->peer_fwd;

	return flying < c->peer_alloc ? c->peer_alloc - flying : 0;
}

/* The host's reader has gone: the guest's writes shall fail, what is under way is dropped. */
static void reader_gone(struct vsock_conn *c)
{
	c->out_dead = true;
	c->fwd_cnt += c->ring_n;
	c->ring_n = 0;
	drop_stream(c, &c->out, &c->out_ev);
	c->shutdown |= SHUT_F_RECEIVE;
	/* and where nothing comes from us either it is over: a guest that only listens hears of nothing less */
	if (c->in.fd < 0)
		c->shutdown |= SHUT_F_SEND;
	if (c->state == CONN_OPEN)
		c->tell |= TELL_SHUTDOWN; /* else on_request() will */
}

/* What the guest had to say has been said; it still listens. */
static void half_close(struct vsock_conn *c)
{
	if (c->out.fd >= 0)
		(void)shutdown(c->out.fd, SHUT_WR);
	drop_stream(c, &c->out, &c->out_ev);
}

static void drained(struct vsock_conn *c)
{
	if (c->guest_done && c->ring_n == 0 && c->duplex && !c->in_done)
		half_close(c);
	else if (c->guest_done && c->ring_n == 0)
		finish(c);
	else if (c->fwd_cnt - c->told_fwd >= VSOCK_BUFFER / 2)
		c->tell |= TELL_CREDIT;
}

/* A channel speaks only when what came before it on the streams has been delivered. */
static bool must_wait(const struct vsock_conn *c)
{
	if (c->group != c)
		return false;
	for (size_t i = 1; i < VM_EXEC_PORTS; i++)
		if (c[i].ring_n > 0 && (int32_t)(c->after[i] - c[i].fwd_cnt) > 0)
			return true;
	return false;
}

/* What comes on the streams from now on, as long as a child of the process has them, is waited for no more. */
static void note_streams(struct vsock_conn *c)
{
	for (size_t i = 1; c->group == c && i < VM_EXEC_PORTS; i++)
		c->after[i] = c[i].rx_cnt;
}

/* The @n bytes of the ring from @skip on, which wrap once at most. */
static void ring_iov(struct vsock_conn *c, uint32_t skip, uint32_t n, struct iovec out[2])
{
	uint32_t at = (c->ring_at + skip) % VSOCK_BUFFER;
	uint32_t to_end = VSOCK_BUFFER - at;

	out[0] = (struct iovec){ .iov_base = c->ring + at, .iov_len = n < to_end ? n : to_end };
	out[1] = (struct iovec){ .iov_base = c->ring, .iov_len = n - out[0].iov_len };
}

/* One datagram: PROTO_DATAGRAM_HEAD bytes of length, little-endian, and its own. Return: as drain_some(). */
static ssize_t drain_datagram(struct vsock_conn *c)
{
	uint32_t n;
	struct iovec v[2];
	ssize_t done;

	if (c->ring_n < PROTO_DATAGRAM_HEAD)
		return 0;
	n = c->ring[c->ring_at] | (uint32_t)c->ring[(c->ring_at + 1) % VSOCK_BUFFER] << 8;
	if (c->ring_n < PROTO_DATAGRAM_HEAD + n)
		return 0;
	ring_iov(c, PROTO_DATAGRAM_HEAD, n, v);
	done = stream_writev(&c->out, v, 2);
	/* one that is too long for the host is nobody's loss but its sender's */
	return done < 0 && done != -EMSGSIZE ? done : PROTO_DATAGRAM_HEAD + n;
}

/* Return: bytes that have left the ring; 0: those that wait are no whole datagram; -errno of the host. */
static ssize_t drain_some(struct vsock_conn *c)
{
	struct iovec v[2];

	if (c->datagrams)
		return drain_datagram(c);
	ring_iov(c, 0, c->ring_n, v);
	return stream_writev(&c->out, v, 2);
}

static void leave_ring(struct vsock_conn *c, uint32_t n)
{
	c->ring_at = (c->ring_at + n) % VSOCK_BUFFER;
	c->ring_n -= n;
	c->fwd_cnt += n;
}

/* Write what waits in the ring to the host. */
static void drain_ring(struct vsock_conn *c)
{
	while (c->ring_n > 0 && !c->out_dead && !must_wait(c)) {
		ssize_t done = drain_some(c);

		if (done == -EAGAIN || (done == 0 && !(c->datagrams && c->guest_done)))
			break;
		if (done < 0) {
			reader_gone(c);
			break;
		}
		leave_ring(c, done > 0 ? (uint32_t)done : c->ring_n); /* the rest of a datagram won't come */
	}
	drained(c);
}

/* @c has moved: what its channel held back may go on. */
static void let_channel_go(struct vsock_conn *c)
{
	if (c->group && c->group != c && c->group->ring_n > 0)
		drain_ring(c->group);
}

static int to_ring(struct vsock_conn *c, struct chain *chain, uint32_t n)
{
	if (!c->ring) {
		c->ring = malloc(VSOCK_BUFFER);
		c->ring_at = 0;
	}
	if (!c->ring)
		return -ENOMEM;
	while (n > 0) {
		uint32_t at = (c->ring_at + c->ring_n) % VSOCK_BUFFER;
		uint32_t piece = n < VSOCK_BUFFER - at ? n : VSOCK_BUFFER - at;

		if (chain_get(chain, c->ring + at, piece) < 0)
			return -EBADMSG;
		c->ring_n += piece;
		n -= piece;
	}
	return 0;
}

/* Payload from the guest: straight to the host if nothing waits, the rest, and datagrams, into the ring. */
static int on_data(struct vsock_conn *c, struct chain *chain, uint32_t n)
{
	if (n > VSOCK_BUFFER - (c->rx_cnt - c->fwd_cnt) || c->guest_done)
		return -EBADMSG; /* more than was granted */
	c->rx_cnt += n;
	note_streams(c);
	if (c->out_dead || c->out.fd < 0) {
		c->fwd_cnt += n;
		drained(c);
		return 0;
	}
	if (c->ring_n == 0 && n > 0 && !c->datagrams && !must_wait(c)) {
		int k = chain_out_iov(chain, n, c->vsock->iov);
		ssize_t done = k < 0 ? -EBADMSG : stream_writev(&c->out, c->vsock->iov, k);

		if (done == -EAGAIN)
			done = 0;
		if (done < 0) {
			c->fwd_cnt += n;
			reader_gone(c);
			return 0;
		}
		if (chain_skip(chain, (size_t)done) < 0)
			return -EBADMSG;
		c->fwd_cnt += (uint32_t)done;
		n -= (uint32_t)done;
	}
	if (n > 0 && to_ring(c, chain, n) < 0)
		return -EBADMSG;
	drain_ring(c);
	return 0;
}

static void on_shutdown(struct vsock_conn *c, uint32_t flags)
{
	if (flags & SHUT_F_RECEIVE) {
		drop_stream(c, &c->in, &c->in_ev);
		c->in_done = true;
	}
	if (flags & SHUT_F_SEND) {
		c->guest_done = true;
		drain_ring(c);
	}
}

static void refuse(struct virtio_vsock *vs, const struct vsock_hdr *h)
{
	if (vs->n_rst == VSOCK_MAX_RST || h->op == OP_RST)
		return;
	vs->rst[vs->n_rst++] = (struct vsock_hdr){
		.src_cid = CID_HOST,
		.dst_cid = CID_GUEST,
		.src_port = h->dst_port,
		.dst_port = h->src_port,
		.type = h->type,
		.op = OP_RST,
	};
}

static struct vsock_conn *find(struct virtio_vsock *vs, const struct vsock_hdr *h)
{
	for (size_t i = 0; i < vs->n_conns; i++) {
		struct vsock_conn *c = &vs->conns[i];

		if (c->port == h->dst_port && c->state == CONN_OPEN &&
		    c->peer_port == h->src_port)
			return c;
	}
	return NULL;
}

static void on_request(struct virtio_vsock *vs, const struct vsock_hdr *h)
{
	for (size_t i = 0; i < vs->n_conns; i++) {
		struct vsock_conn *c = &vs->conns[i];

		if (c->port != h->dst_port || c->state != CONN_WAITING)
			continue;
		if (c->group && c->peer_port != h->src_port)
			break; /* not the init */
		c->state = CONN_OPEN;
		c->peer_port = h->src_port;
		c->peer_alloc = h->buf_alloc;
		c->peer_fwd = h->fwd_cnt;
		c->tell |= TELL_RESPONSE;
		if (c->out_dead)
			c->tell |= TELL_SHUTDOWN;
		return;
	}
	refuse(vs, h);
}

static void on_packet(struct virtio_vsock *vs, const struct vsock_hdr *h, struct chain *chain)
{
	struct vsock_conn *c;

	if (h->src_cid != CID_GUEST || h->dst_cid != CID_HOST || h->type != TYPE_STREAM) {
		refuse(vs, h);
		return;
	}
	if (h->op == OP_REQUEST) {
		on_request(vs, h);
		return;
	}
	c = find(vs, h);
	if (!c) {
		refuse(vs, h);
		return;
	}
	c->peer_alloc = h->buf_alloc;
	c->peer_fwd = h->fwd_cnt;
	if (h->op == OP_RST) {
		/* who closes waits for our end, but not for ever (8 s in Linux): what it has said still goes to the host */
		if (c->guest_done && c->ring_n > 0)
			on_shutdown(c, SHUT_F_RECEIVE);
		else
			finish(c);
		c->tell = 0;
	} else if (h->op == OP_SHUTDOWN) {
		on_shutdown(c, h->flags);
	} else if (h->op == OP_CREDIT_REQUEST) {
		c->tell |= TELL_CREDIT;
	} else if (h->op == OP_RW && on_data(c, chain, h->len) < 0) {
		finish(c);
	}
	let_channel_go(c);
}

static void pump_tx(struct virtio_vsock *vs)
{
	struct virtq *q = &vs->dev.q[VSOCK_TX];
	struct chain *chain = &vs->tx_chain;
	unsigned left = VIRTIO_BUDGET;
	int r = 0;

	while (left > 0 && (r = virtq_pop(q, chain)) > 0) {
		struct vsock_hdr h = { 0 };

		left--;
		if (chain_get(chain, &h, HDR_BYTES) == 0 &&
		    (h.op != OP_RW || h.len == chain->out_left))
			on_packet(vs, &h, chain);
		virtq_push(q, chain->head, 0);
	}
	if (r < 0)
		virtio_broken(&vs->dev, "transmit queue");
	virtio_signal(&vs->dev, VSOCK_TX);
	if (left == 0)
		virtio_again(&vs->dev, VSOCK_TX);
}

/* Send one owed control packet. Return: true when one went out. */
static bool tell(struct virtio_vsock *vs, struct vsock_conn *c)
{
	static const struct {
		uint32_t flag;
		uint16_t op;
	} order[] = {
		{ TELL_RESPONSE, OP_RESPONSE },
		{ TELL_CREDIT, OP_CREDIT_UPDATE },
		{ TELL_SHUTDOWN, OP_SHUTDOWN },
		{ TELL_RST, OP_RST },
	};

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		struct vsock_hdr h;

		if (!(c->tell & order[i].flag))
			continue;
		c->tell &= ~order[i].flag;
		h = reply(c, order[i].op, order[i].op == OP_SHUTDOWN ? c->shutdown : 0, 0);
		send_hdr(vs, &h, 0);
		return true;
	}
	return false;
}

/* Read once from the host into the waiting receive buffer. Return: true when a packet went out. */
static bool forward(struct virtio_vsock *vs, struct vsock_conn *c)
{
	size_t n = vs->rx_chain.in_left - HDR_BYTES;
	struct vsock_hdr h;
	ssize_t got;
	int k;

	if (c->state != CONN_OPEN || c->in_done || c->in.fd < 0 || room_in_guest(c) == 0)
		return false;
	if (n > room_in_guest(c))
		n = room_in_guest(c);
	if (n > MAX_READ)
		n = MAX_READ;
	k = chain_in_iov(&vs->rx_chain, HDR_BYTES, n, vs->iov);
	got = k < 0 ? -EINVAL : stream_readv(&c->in, vs->iov, k);
	if (got == -EAGAIN)
		return false;
	if (got <= 0 && c->group == c) {
		cut(c);
		return tell(vs, c);
	}
	if (got <= 0) {
		drop_stream(c, &c->in, &c->in_ev);
		c->in_done = true;
		c->tell |= TELL_SHUTDOWN;
		c->shutdown |= SHUT_F_SEND;
		if (c->duplex)
			drained(c);
		return tell(vs, c);
	}
	c->tx_cnt += (uint32_t)got;
	h = reply(c, OP_RW, 0, (uint32_t)got);
	send_hdr(vs, &h, (size_t)got);
	return true;
}

/* Fill receive buffers as long as there is something to say. */
static void pump_rx(struct virtio_vsock *vs)
{
	bool busy = true;

	vs->rx_left = VIRTIO_BUDGET;
	while (busy && virtio_live(&vs->dev) && next_rx(vs)) {
		busy = false;
		if (vs->n_rst > 0) {
			send_hdr(vs, &vs->rst[--vs->n_rst], 0);
			busy = true;
			continue;
		}
		for (size_t i = 0; i < vs->n_conns && next_rx(vs); i++) {
			struct vsock_conn *c = &vs->conns[vs->rx_next++ % vs->n_conns];

			busy |= tell(vs, c) || (vs->have_rx && forward(vs, c));
		}
	}
	virtio_signal(&vs->dev, VSOCK_RX);
	if (vs->rx_left == 0)
		virtio_again(&vs->dev, VSOCK_RX);
	free_groups(vs);
}

static void vsock_notify(struct virtio_dev *dev, unsigned queue)
{
	struct virtio_vsock *vs = (struct virtio_vsock *)dev;

	if (queue == VSOCK_TX)
		pump_tx(vs);
	pump_rx(vs);
}

static void vsock_reset(struct virtio_dev *dev)
{
	struct virtio_vsock *vs = (struct virtio_vsock *)dev;

	vs->have_rx = false;
	vs->n_rst = 0;
	for (size_t i = 0; i < vs->n_conns; i++) {
		struct vsock_conn *c = &vs->conns[i];

		/* a process of the guest that was is not to be found in the next */
		if (c->state == CONN_OPEN || (c->state == CONN_WAITING && c->group))
			finish(c);
		c->tell = 0;
	}
	free_groups(vs);
}

static void on_readable(struct event *ev)
{
	struct vsock_conn *c = (struct vsock_conn *)((char *)ev - offsetof(struct vsock_conn, in_ev));
	struct virtio_vsock *vs = c->vsock;

	(void)pthread_mutex_lock(&vs->dev.lock);
	if (c->group == c && (ev->ready & (EPOLLHUP | EPOLLERR)))
		cut(c);
	pump_rx(vs);
	(void)pthread_mutex_unlock(&vs->dev.lock);
}

static void on_writable(struct event *ev)
{
	struct vsock_conn *c =
		(struct vsock_conn *)((char *)ev - offsetof(struct vsock_conn, out_ev));
	struct virtio_vsock *vs = c->vsock;

	(void)pthread_mutex_lock(&vs->dev.lock);
	if (c->group == c && (ev->ready & (EPOLLHUP | EPOLLERR)))
		cut(c);
	else if (c->ring_n > 0)
		drain_ring(c);
	else if (c->out.fd >= 0 && (ev->ready & (EPOLLERR | EPOLLHUP)))
		reader_gone(c);
	let_channel_go(c);
	pump_rx(vs);
	(void)pthread_mutex_unlock(&vs->dev.lock);
}

static const struct virtio_ops vsock_ops = {
	.name = "virtio-vsock",
	.id = VIRTIO_ID_VSOCK,
	.nqueues = 3,
	.queue_size = VSOCK_QUEUE_SIZE,
	.config_size = 8,
	.ioeventfds = 1u << VSOCK_RX | 1u << VSOCK_TX,
	.notify = vsock_notify,
	.reset = vsock_reset,
};

/* Both streams are set. */
static void watch(struct vsock_conn *c)
{
	struct virtio_vsock *vs = c->vsock;

	c->in_done = c->in.fd < 0;
	c->in_ev = (struct event){ .fd = c->in.fd, .on_ready = on_readable };
	c->out_ev = (struct event){ .fd = c->out.fd, .on_ready = on_writable };
	if (c->in.fd >= 0 && c->in.pollable && loop_add(vs->loop, &c->in_ev, EPOLLIN | EPOLLET) < 0)
		c->in.pollable = false;
	if (c->out.fd >= 0 && c->out.pollable && loop_add(vs->loop, &c->out_ev, EPOLLOUT | EPOLLET) < 0)
		c->out.pollable = false;
}

static void add_conn(struct virtio_vsock *vs, const struct vm_stream *s, int proc_self_fd)
{
	struct vsock_conn *c = &vs->conns[vs->n_conns++];
	int out_fd = s->out_fd;

	/* one descriptor for both directions: two numbers, as epoll wants them */
	if (out_fd >= 0 && out_fd == s->in_fd)
		out_fd = dup(out_fd);
	c->vsock = vs;
	c->port = s->port;
	stream_init(&c->in, s->in_fd, proc_self_fd);
	stream_init(&c->out, out_fd, proc_self_fd);
	watch(c);
}

static void add_group(struct virtio_vsock *vs, struct vsock_conn *group, const struct vm_command *cmd,
		      const int *fds)
{
	for (uint32_t i = 0; i < VM_EXEC_PORTS; i++) {
		const struct vm_ends *ends = &cmd->ends[i];
		bool used = (ends->in | ends->out) & VM_FD_PRESENT;
		struct vsock_conn *c = &group[i];

		*c = (struct vsock_conn){
			.vsock = vs,
			.group = group,
			.port = cmd->port + i,
			.peer_port = cmd->from[i],
			.state = used ? CONN_WAITING : CONN_CLOSED,
		};
		stream_adopt(&c->in, ends->in & VM_FD_PRESENT ? *fds++ : -1, ends->in);
		stream_adopt(&c->out, ends->out & VM_FD_PRESENT ? *fds++ : -1, ends->out);
		c->duplex = ends->out & VM_FD_DUPLEX;
		c->datagrams = ends->out & VM_FD_DATAGRAMS;
		watch(c);
	}
}

int virtio_vsock_exec(struct virtio_dev *dev, const struct vm_command *c, const int *fds)
{
	struct virtio_vsock *vs = (struct virtio_vsock *)dev;
	size_t at = vs->n_fixed;
	const size_t end = vs->n_fixed + (size_t)VM_MAX_EXECS * VM_EXEC_PORTS;

	(void)pthread_mutex_lock(&dev->lock);
	while (at < vs->n_conns && vs->conns[at].state != CONN_FREE)
		at += VM_EXEC_PORTS;
	if (at < end) {
		if (at == vs->n_conns)
			vs->n_conns += VM_EXEC_PORTS;
		add_group(vs, &vs->conns[at], c, fds);
	}
	(void)pthread_mutex_unlock(&dev->lock);
	return at < end ? 0 : -EAGAIN;
}

struct virtio_dev *virtio_vsock_new(const struct memory *mem, struct loop *loop,
				    const struct vm_stream *streams, size_t n_streams,
				    int proc_self_fd)
{
	struct virtio_vsock *vs = calloc(1, sizeof(*vs));
	uint64_t cid = CID_GUEST;

	if (!vs)
		return NULL;
	virtio_init(&vs->dev, &vsock_ops, mem);
	memcpy(vs->dev.config, &cid, sizeof(cid));
	vs->loop = loop;
	for (size_t i = 0; i < n_streams; i++)
		add_conn(vs, &streams[i], proc_self_fd);
	vs->n_fixed = vs->n_conns;
	return &vs->dev;
}
