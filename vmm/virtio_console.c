/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_console - the guest kernel's log, kept in a bounded ring (virtio 1.2 section 5.3).
 *
 * One port without input: the receive queue is never served. The ring is shown when the guest dies.
 */
#include "vmm/virtio_console.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONSOLE_RING 8192u  /* cap: bytes of log kept */
#define CONSOLE_PIECE 1024u /* bytes copied at a time */
#define CONSOLE_MAX_WRITE (64u << 10) /* cap: bytes of one request, its last, that are looked at */
#define CONSOLE_TX 1u

struct virtio_console {
	struct virtio_dev dev;
	int debug_fd;
	size_t at;	/* where the next byte goes */
	size_t filled;	/* bytes that are valid */
	char ring[CONSOLE_RING];
	struct chain chain;
};

static void keep(struct virtio_console *con, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		con->ring[con->at] = p[i];
		con->at = (con->at + 1) % CONSOLE_RING;
	}
	con->filled = con->filled + n < CONSOLE_RING ? con->filled + n : CONSOLE_RING;
	if (con->debug_fd >= 0 && write(con->debug_fd, p, n) < 0)
		con->debug_fd = -1;
}

static void serve(struct virtio_console *con, struct chain *c)
{
	char piece[CONSOLE_PIECE];

	if (c->out_left > CONSOLE_MAX_WRITE && chain_skip(c, c->out_left - CONSOLE_MAX_WRITE) < 0)
		return;
	while (c->out_left > 0) {
		size_t n = c->out_left < sizeof(piece) ? c->out_left : sizeof(piece);

		if (chain_get(c, piece, n) < 0)
			return;
		keep(con, piece, n);
	}
}

static void console_notify(struct virtio_dev *dev, unsigned queue)
{
	struct virtio_console *con = (struct virtio_console *)dev;
	unsigned left = VIRTIO_BUDGET;
	int r = 0;

	if (queue != CONSOLE_TX)
		return;
	while (left > 0 && (r = virtq_pop(&dev->q[queue], &con->chain)) > 0) {
		left--;
		serve(con, &con->chain);
		virtq_push(&dev->q[queue], con->chain.head, 0);
	}
	if (r < 0)
		virtio_broken(dev, "queue");
	virtio_signal(dev, queue);
	if (left == 0)
		virtio_again(dev, queue);
}

void virtio_console_tail(struct virtio_dev *dev, char *out, size_t n)
{
	struct virtio_console *con = (struct virtio_console *)dev;
	size_t len;

	out[0] = '\0';
	if (pthread_mutex_trylock(&dev->lock) != 0)
		return; /* a vCPU may wait for whoever reads what it prints, and the end must be told without that */
	len = con->filled < n - 1 ? con->filled : n - 1;
	for (size_t i = 0; i < len; i++) {
		char ch = con->ring[(con->at + CONSOLE_RING - len + i) % CONSOLE_RING];

		out[i] = (ch >= 0x20 && ch < 0x7f) || ch == '\n' ? ch : '?';
	}
	(void)pthread_mutex_unlock(&dev->lock);
	out[len] = '\0';
}

static const struct virtio_ops console_ops = {
	.name = "virtio-console",
	.id = VIRTIO_ID_CONSOLE,
	.nqueues = 2,
	.queue_size = 16,
	.config_size = 12,
	.inline_notify = true,
	.notify = console_notify,
};

struct virtio_dev *virtio_console_new(const struct memory *mem, int debug_fd)
{
	struct virtio_console *con = calloc(1, sizeof(*con));

	if (!con)
		return NULL;
	con->debug_fd = debug_fd;
	virtio_init(&con->dev, &console_ops, mem);
	return &con->dev;
}
