/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_net - an Ethernet interface on a tap (virtio 1.2 section 5.1).
 *
 * DOC: what is offered
 *
 * Checksums and segmentation both ways, mergeable receive buffers, MAC, MTU, link status; one pair of
 * queues and no control queue, so there are no filters and no MAC table to be overrun. The tap is told
 * of what the driver has negotiated, no earlier.
 *
 * DOC: from the guest
 *
 * The header and the first NET_HEAD_BYTES are copied once, checked there, and written from the copy;
 * the rest goes from the guest's memory to the tap. A frame that breaks a rule, or that the tap does not
 * take at once, is dropped, as on a wire.
 *
 * DOC: to the guest
 *
 * Buffers are taken from the driver ahead of frames until the largest frame fits into them, and one
 * readv() spreads a frame over as many as it needs. What doesn't fit lands in `spill` and waits there
 * for more buffers: one frame at most, all others wait in the tap's own bounded queue.
 *
 * DOC: fairness
 *
 * A wake of the loop moves NET_BUDGET frames per direction. What is left re-arms itself behind the
 * other events, through the queue's own notification descriptor.
 */
#include "vmm/virtio_net.h"

#include <errno.h>
#include <linux/if_tun.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vmm/net_frame.h"

#define NET_RX 0u
#define NET_TX 1u
#define NET_QUEUE_SIZE 256u
#define NET_BUDGET 64u /* cap: frames, or buffers given back, per wake and direction */
#define NET_IOVS 1000u /* cap: pieces of memory held for receiving; with ours below IOV_MAX */
#define LINK_UP 1u     /* VIRTIO_NET_S_LINK_UP */

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

/* virtio 1.2 5.1.4, as far as we offer it */
struct net_config {
	uint8_t mac[6];
	uint16_t status;
	uint16_t max_pairs;
	uint16_t mtu;
};
_Static_assert(sizeof(struct net_config) == 12, "virtio 1.2 5.1.4");

/* A buffer of the driver's that waits for a frame. */
struct rx_buf {
	uint16_t head;
	uint16_t n_iov;
	uint32_t bytes;
};

struct virtio_net {
	struct virtio_dev dev;
	struct virtio_ops ops; /* ours: id and features differ from slot to slot */
	struct loop *loop;
	struct event tap;
	uint32_t mtu;
	bool offloads_told; /* the tap knows what the driver takes */
	struct chain chain;
	/* receiving: buffers in the driver's order, their memory in one list */
	unsigned n_bufs;
	unsigned n_iov;
	size_t room; /* bytes of all buffers */
	size_t pending; /* bytes of a frame that waits for buffers; 0: none */
	size_t placed;	/* of these, already in the buffers */
	struct net_hdr rx_hdr;
	struct rx_buf bufs[NET_QUEUE_SIZE];
	struct iovec iov[NET_IOVS];
	struct iovec io[NET_IOVS + 2]; /* of one readv or writev */
	uint8_t head[NET_HEAD_BYTES];
	uint8_t spill[NET_MAX_FRAME];
};

static const uint64_t base_features = NET_F_CSUM | NET_F_GUEST_CSUM | NET_F_MAC | NET_F_GUEST_TSO4 |
				      NET_F_GUEST_TSO6 | NET_F_GUEST_ECN | NET_F_HOST_TSO4 |
				      NET_F_HOST_TSO6 | NET_F_HOST_ECN | NET_F_MRG_RXBUF |
				      NET_F_STATUS;

static void set_link(struct virtio_net *net, bool up)
{
	struct net_config c;

	memcpy(&c, net->dev.config, sizeof(c));
	c.status = up ? LINK_UP : 0;
	memcpy(net->dev.config, &c, sizeof(c));
	virtio_config_changed(&net->dev);
}

/* The tap has been removed under us: to the guest the cable is out. */
static void tap_gone(struct virtio_net *net)
{
	if (net->tap.fd < 0)
		return;
	loop_remove(net->loop, &net->tap);
	(void)close(net->tap.fd);
	net->tap.fd = -1;
	set_link(net, false);
}

/* Tell the tap what the driver can take; one that can't be told sends whole, checked frames. */
static void tell_offloads(struct virtio_net *net)
{
	uint64_t f = net->dev.driver_features;
	unsigned long flags = 0;

	if (net->offloads_told || net->tap.fd < 0)
		return;
	net->offloads_told = true;
	if (f & NET_F_GUEST_CSUM) {
		flags = TUN_F_CSUM;
		flags |= f & NET_F_GUEST_TSO4 ? TUN_F_TSO4 : 0;
		flags |= f & NET_F_GUEST_TSO6 ? TUN_F_TSO6 : 0;
		if ((flags & (TUN_F_TSO4 | TUN_F_TSO6)) && (f & NET_F_GUEST_ECN))
			flags |= TUN_F_TSO_ECN;
		if ((f & NET_F_GUEST_USO4) && (f & NET_F_GUEST_USO6))
			flags |= TUN_F_USO4 | TUN_F_USO6;
	}
	if (ioctl(net->tap.fd, TUNSETOFFLOAD, flags) < 0)
		return;
}

/* ------------------------------------------------------------------ from the guest */

static void send_frame(struct virtio_net *net, struct chain *c)
{
	struct iovec *io = net->io;
	struct net_hdr h, out;
	size_t n, head;
	int k;

	if (chain_get(c, &h, NET_HDR_BYTES) < 0 || net->tap.fd < 0)
		return;
	n = c->out_left;
	head = n < NET_HEAD_BYTES ? n : NET_HEAD_BYTES;
	if (n > NET_MAX_FRAME || chain_get(c, net->head, head) < 0 ||
	    net_frame_check_tx(net->dev.driver_features, net->mtu, &h, net->head, n, &out) < 0)
		return;
	io[0] = (struct iovec){ .iov_base = &out, .iov_len = NET_HDR_BYTES };
	io[1] = (struct iovec){ .iov_base = net->head, .iov_len = head };
	k = chain_out_iov(c, c->out_left, io + 2);
	if (k >= 0 && writev(net->tap.fd, io, k + 2) < 0 && errno == EBADFD)
		tap_gone(net);
}

static void pump_tx(struct virtio_net *net)
{
	struct virtq *q = &net->dev.q[NET_TX];
	unsigned left = NET_BUDGET;
	int r = 1;

	while (left > 0 && (r = virtq_pop(q, &net->chain)) > 0) {
		send_frame(net, &net->chain);
		virtq_push(q, net->chain.head, 0);
		left--;
	}
	if (r < 0)
		virtio_broken(&net->dev, "transmit queue");
	else if (left == 0)
		virtio_again(&net->dev, NET_TX);
	virtio_signal(&net->dev, NET_TX);
}

/* ------------------------------------------------------------------ to the guest */

/* Bytes of a frame that the buffers in hand can take. */
static size_t frame_room(const struct virtio_net *net)
{
	if (net->n_bufs == 0)
		return 0;
	if (!(net->dev.driver_features & NET_F_MRG_RXBUF))
		return net->bufs[0].bytes - NET_HDR_BYTES;
	return net->room - NET_HDR_BYTES;
}

static void keep_buffer(struct virtio_net *net)
{
	struct chain *c = &net->chain;
	uint32_t bytes = c->in_left > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)c->in_left;
	int k = chain_in_iov(c, 0, bytes, net->iov + net->n_iov);

	if (k < 0)
		return; /* can't be: there are as many */
	net->bufs[net->n_bufs++] =
		(struct rx_buf){ .head = c->head, .n_iov = (uint16_t)k, .bytes = bytes };
	net->n_iov += (unsigned)k;
	net->room += bytes;
}

/* Take buffers until @want bytes of a frame fit, or there are no more. @left: budget. */
static void take_buffers(struct virtio_net *net, size_t want, unsigned *left)
{
	struct virtq *q = &net->dev.q[NET_RX];
	int r = 1;

	while (*left > 0 && frame_room(net) < want && net->n_bufs < NET_QUEUE_SIZE &&
	       net->n_iov + CHAIN_MAX_IOV <= NET_IOVS && (r = virtq_pop(q, &net->chain)) > 0) {
		if (net->chain.in_left < NET_HDR_BYTES) {
			virtq_push(q, net->chain.head, 0); /* against 5.1.6.3.1, and of no use */
			(*left)--;
			continue;
		}
		keep_buffer(net);
		if (!(net->dev.driver_features & NET_F_MRG_RXBUF))
			break;
	}
	if (r < 0)
		virtio_broken(&net->dev, "receive queue");
}

/* Describe at most @n bytes of the buffers from byte @from on. Return: number of entries. */
static int describe(const struct virtio_net *net, size_t from, size_t n, struct iovec *out)
{
	int k = 0;

	for (unsigned i = 0; i < net->n_iov && n > 0; i++) {
		const struct iovec *v = &net->iov[i];
		size_t here;

		if (from >= v->iov_len) {
			from -= v->iov_len;
			continue;
		}
		here = v->iov_len - from < n ? v->iov_len - from : n;
		out[k++] = (struct iovec){ .iov_base = (uint8_t *)v->iov_base + from,
					   .iov_len = here };
		from = 0;
		n -= here;
	}
	return k;
}

static void copy_in(struct virtio_net *net, size_t at, const void *data, size_t n)
{
	const uint8_t *p = data;
	int k = describe(net, at, n, net->io);

	for (int i = 0; i < k; i++) {
		memcpy(net->io[i].iov_base, p, net->io[i].iov_len);
		p += net->io[i].iov_len;
	}
}

/* Give the first buffers back with the frame of @n bytes that lies in them behind its header. */
static void deliver(struct virtio_net *net, size_t n)
{
	struct virtq *q = &net->dev.q[NET_RX];
	size_t left = n + NET_HDR_BYTES;
	struct net_hdr h;
	unsigned used = 0;
	unsigned iovs = 0;

	if (net_frame_check_rx(net->dev.driver_features, &net->rx_hdr, &h) < 0)
		return; /* the buffers stay for the next frame */
	for (size_t have = 0; have < left; used++)
		have += net->bufs[used].bytes;
	h.num_buffers = (uint16_t)used;
	copy_in(net, 0, &h, NET_HDR_BYTES);
	for (unsigned i = 0; i < used; i++) {
		struct rx_buf *b = &net->bufs[i];
		uint32_t here = left < b->bytes ? (uint32_t)left : b->bytes;

		virtq_add_used(q, b->head, here);
		left -= here;
		iovs += b->n_iov;
		net->room -= b->bytes;
	}
	virtq_publish(q);
	net->n_bufs -= used;
	net->n_iov -= iovs;
	memmove(net->bufs, net->bufs + used, net->n_bufs * sizeof(net->bufs[0]));
	memmove(net->iov, net->iov + iovs, net->n_iov * sizeof(net->iov[0]));
}

/* Go on with a frame that found too few buffers. Return: false while it waits. */
static bool finish_pending(struct virtio_net *net, unsigned *left)
{
	size_t n = net->pending;
	bool full;

	if (n == 0)
		return true;
	take_buffers(net, n, left);
	full = net->n_bufs == NET_QUEUE_SIZE || net->n_iov + CHAIN_MAX_IOV > NET_IOVS ||
	       net->n_bufs == net->dev.q[NET_RX].size;
	if (frame_room(net) < n && !full)
		return false;
	net->pending = 0;
	if (frame_room(net) < n)
		return true; /* it will never fit into what this driver offers: dropped */
	copy_in(net, NET_HDR_BYTES + net->placed, net->spill, n - net->placed);
	deliver(net, n);
	return true;
}

/* Read one frame. Return: 1; 0 when there is none; -errno of the tap. */
static int receive(struct virtio_net *net)
{
	size_t room = frame_room(net) < NET_MAX_FRAME ? frame_room(net) : NET_MAX_FRAME;
	int k = describe(net, NET_HDR_BYTES, room, net->io + 1) + 1;
	size_t frame;
	ssize_t n;

	net->io[0] = (struct iovec){ .iov_base = &net->rx_hdr, .iov_len = NET_HDR_BYTES };
	net->io[k++] = (struct iovec){ .iov_base = net->spill, .iov_len = NET_MAX_FRAME - room };
	n = readv(net->tap.fd, net->io, k);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return -errno;
	if (n < (ssize_t)(NET_HDR_BYTES + NET_MIN_FRAME))
		return n == 0 ? 0 : 1;
	frame = (size_t)n - NET_HDR_BYTES;
	if (frame <= room) {
		deliver(net, frame);
	} else if (net->dev.driver_features & NET_F_MRG_RXBUF) {
		net->pending = frame;
		net->placed = room;
	}
	return 1;
}

static void pump_rx(struct virtio_net *net)
{
	unsigned left = NET_BUDGET;
	int r = 1;

	tell_offloads(net);
	while (left > 0 && r > 0 && net->tap.fd >= 0 && virtio_live(&net->dev)) {
		if (!finish_pending(net, &left))
			break;
		take_buffers(net, NET_MAX_FRAME, &left);
		if (net->n_bufs == 0)
			break;
		r = receive(net);
		left -= left > 0;
	}
	if (r == -EBADFD)
		tap_gone(net);
	else if (left == 0)
		virtio_again(&net->dev, NET_RX);
	virtio_signal(&net->dev, NET_RX);
}

static void net_notify(struct virtio_dev *dev, unsigned queue)
{
	struct virtio_net *net = (struct virtio_net *)dev;

	if (queue == NET_TX)
		pump_tx(net);
	else
		pump_rx(net);
}

static void on_tap(struct event *ev)
{
	struct virtio_net *net =
		(struct virtio_net *)((char *)ev - offsetof(struct virtio_net, tap));

	(void)pthread_mutex_lock(&net->dev.lock);
	if (virtio_live(&net->dev))
		pump_rx(net);
	(void)pthread_mutex_unlock(&net->dev.lock);
}

/* ------------------------------------------------------------------ the device */

static void net_reset(struct virtio_dev *dev)
{
	struct virtio_net *net = (struct virtio_net *)dev;

	net->n_bufs = 0;
	net->n_iov = 0;
	net->room = 0;
	net->pending = 0;
	net->offloads_told = false;
}

static const struct virtio_ops net_ops = {
	.name = "virtio-net",
	.nqueues = 2,
	.queue_size = NET_QUEUE_SIZE,
	.config_size = sizeof(struct net_config),
	.ioeventfds = 3,
	.notify = net_notify,
	.reset = net_reset,
};

static void describe_slot(struct virtio_net *net, const struct vm_net *from)
{
	struct net_config c = { .status = LINK_UP, .max_pairs = 1 };

	memcpy(c.mac, from->mac, sizeof(c.mac));
	c.mtu = (uint16_t)from->mtu;
	memcpy(net->dev.config, &c, sizeof(c));
	net->mtu = from->mtu;
	net->ops.id = VIRTIO_ID_NET;
	net->ops.features = base_features;
	if (from->flags & VM_NET_OFFER_MTU)
		net->ops.features |= NET_F_MTU;
	if (from->flags & VM_NET_USO)
		net->ops.features |= NET_F_GUEST_USO4 | NET_F_GUEST_USO6 | NET_F_HOST_USO;
}

static int take_tap(struct virtio_net *net, const struct vm_net *from)
{
	int r;

	net->tap = (struct event){ .fd = from->fd, .on_ready = on_tap };
	r = loop_add(net->loop, &net->tap, EPOLLIN | EPOLLET);
	if (r < 0) {
		(void)close(net->tap.fd);
		net->tap.fd = -1;
		return r;
	}
	describe_slot(net, from);
	net->offloads_told = false;
	return 0;
}

struct virtio_dev *virtio_net_new(const struct memory *mem, struct loop *loop,
				  const struct vm_net *from)
{
	struct virtio_net *net = calloc(1, sizeof(*net));

	if (!net)
		return NULL;
	net->ops = net_ops;
	net->loop = loop;
	net->tap.fd = -1;
	virtio_init(&net->dev, &net->ops, mem);
	if (from->fd >= 0 && take_tap(net, from) < 0) {
		free(net);
		return NULL;
	}
	return &net->dev;
}

int virtio_net_plug(struct virtio_dev *dev, const struct vm_net *from)
{
	struct virtio_net *net = (struct virtio_net *)dev;
	int r = 0;

	(void)pthread_mutex_lock(&dev->lock);
	if (from->fd < 0) {
		net->mtu = from->mtu;
	} else {
		tap_gone(net);
		r = take_tap(net, from);
		if (r == 0)
			virtio_config_changed(dev);
		if (r == 0 && virtio_live(dev))
			pump_rx(net);
	}
	(void)pthread_mutex_unlock(&dev->lock);
	return r;
}

void virtio_net_unplug(struct virtio_dev *dev)
{
	struct virtio_net *net = (struct virtio_net *)dev;

	(void)pthread_mutex_lock(&dev->lock);
	tap_gone(net);
	net->ops.id = 0; /* a placeholder, which drivers pass over (4.2.2.2) */
	(void)pthread_mutex_unlock(&dev->lock);
}
