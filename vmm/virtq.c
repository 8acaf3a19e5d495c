/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtq - the device side of a split virtqueue; the only code that touches one.
 *
 * DOC: hostile drivers
 *
 * Every field is read once, with an atomic load, into a local. Bounded are: the available index (never
 * more than `size` ahead), the head, each next index, the length of a chain, the size of an indirect
 * table, the sum of lengths. Readable descriptors must precede writable ones (2.7.4.2). An indirect
 * descriptor must be the only one of its chain here: Linux makes no others, and what is not accepted
 * can't be abused (2.7.5.3.1 lets a driver do it; no driver we serve does).
 */
#include "vmm/virtq.h"

#include <errno.h>
#include <string.h>

#define DESC_BYTES 16u
#define DESC_F_NEXT 1u
#define DESC_F_WRITE 2u
#define DESC_F_INDIRECT 4u
#define AVAIL_F_NO_INTERRUPT 1u

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

/* Ring fields are naturally aligned: virtq_enable() checked the bases. */
static uint16_t load16(const uint8_t *p)
{
	return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

static void store16(uint8_t *p, uint16_t v)
{
	__atomic_store_n((uint16_t *)(void *)p, v, __ATOMIC_RELEASE);
}

static struct desc load_desc(const uint8_t *table, uint16_t i)
{
	struct desc d;

	memcpy(&d, table + (size_t)i * DESC_BYTES, sizeof(d));
	/* the copy above may not be fetched again after the checks */
	__asm__ volatile("" : "+m"(d));
	return d;
}

void virtq_init(struct virtq *q, const struct memory *mem, uint16_t max_size)
{
	memset(q, 0, sizeof(*q));
	q->mem = mem;
	q->max_size = max_size;
	virtq_reset(q);
}

void virtq_reset(struct virtq *q)
{
	const struct memory *mem = q->mem;
	uint16_t max = q->max_size;

	memset(q, 0, sizeof(*q));
	q->mem = mem;
	q->max_size = max;
	q->size = max;
}

int virtq_enable(struct virtq *q)
{
	uint64_t n = q->size;

	/* virtio 1.2 2.7: a power of two; alignment 16, 2 and 4 */
	if (n == 0 || n > q->max_size || (n & (n - 1)) != 0)
		return -EINVAL;
	if (q->desc_gpa % 16 || q->avail_gpa % 2 || q->used_gpa % 4)
		return -EINVAL;
	q->desc = memory_host(q->mem, q->desc_gpa, n * DESC_BYTES);
	q->avail = memory_host(q->mem, q->avail_gpa, 6 + 2 * n);
	q->used = memory_host(q->mem, q->used_gpa, 6 + 8 * n);
	if (!q->desc || !q->avail || !q->used)
		return -EINVAL;
	q->enabled = true;
	return 0;
}

static int break_queue(struct virtq *q)
{
	q->broken = true;
	return -EBADMSG;
}

/* Add one descriptor's memory to the chain. Return: 0 or -EBADMSG. */
static int add(const struct virtq *q, struct chain *c, const struct desc *d)
{
	unsigned n = c->n_out + c->n_in;
	void *host;

	if (n == CHAIN_MAX_IOV)
		return -EBADMSG;
	if (c->n_in > 0 && !(d->flags & DESC_F_WRITE))
		return -EBADMSG;
	host = memory_host(q->mem, d->addr, d->len);
	if (!host)
		return -EBADMSG;
	c->iov[n] = (struct iovec){ .iov_base = host, .iov_len = d->len };
	if (d->flags & DESC_F_WRITE)
		c->n_in++;
	else
		c->n_out++;
	return 0;
}

/* Follow a chain through @table of @n entries from @i. Return: 0 or -EBADMSG. */
static int walk(const struct virtq *q, struct chain *c, const uint8_t *table, uint32_t n,
		uint16_t i)
{
	for (uint32_t steps = 0; steps < n; steps++) {
		struct desc d;

		if (i >= n)
			return -EBADMSG;
		d = load_desc(table, i);
		if ((d.flags & DESC_F_INDIRECT) || add(q, c, &d) < 0)
			return -EBADMSG;
		if (!(d.flags & DESC_F_NEXT))
			return 0;
		i = d.next;
	}
	return -EBADMSG; /* longer than the table: a loop */
}

static int fill(const struct virtq *q, struct chain *c)
{
	struct desc first;
	const uint8_t *table;

	if (c->head >= q->size)
		return -EBADMSG;
	first = load_desc(q->desc, c->head);
	if (!(first.flags & DESC_F_INDIRECT))
		return walk(q, c, q->desc, q->size, c->head);
	if ((first.flags & (DESC_F_NEXT | DESC_F_WRITE)) || first.len == 0 ||
	    first.len % DESC_BYTES || first.len / DESC_BYTES > CHAIN_MAX_IOV)
		return -EBADMSG;
	table = memory_host(q->mem, first.addr, first.len);
	if (!table)
		return -EBADMSG;
	return walk(q, c, table, first.len / DESC_BYTES, 0);
}

/* Ask for a notification at the next request; true when one has arrived meanwhile. */
static bool rearm(struct virtq *q)
{
	if (q->event_idx)
		store16(q->used + 4 + 8u * q->size, q->last_avail);
	/* pairs with the driver's barrier between its index and its look at avail_event */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load16(q->avail + 2) != q->last_avail;
}

int virtq_pop(struct virtq *q, struct chain *c)
{
	uint16_t ahead;

	if (!q->enabled)
		return 0;
	if (q->broken)
		return -EBADMSG;
	ahead = (uint16_t)(load16(q->avail + 2) - q->last_avail);
	if (ahead == 0) {
		if (!rearm(q))
			return 0;
		ahead = (uint16_t)(load16(q->avail + 2) - q->last_avail);
	}
	if (ahead > q->size)
		return break_queue(q);
	c->head = load16(q->avail + 4 + 2u * (q->last_avail & (q->size - 1u)));
	c->n_out = 0;
	c->n_in = 0;
	if (fill(q, c) < 0)
		return break_queue(q);
	q->last_avail++;
	chain_rewind(c);
	return 1;
}

void virtq_add_used(struct virtq *q, uint16_t head, uint32_t written)
{
	uint8_t *entry;
	uint32_t id = head;

	if (!q->enabled || q->broken)
		return;
	entry = q->used + 4 + 8u * (q->used_idx & (q->size - 1u));
	memcpy(entry, &id, sizeof(id));
	memcpy(entry + 4, &written, sizeof(written));
	q->used_idx++;
}

void virtq_publish(struct virtq *q)
{
	if (q->enabled && !q->broken)
		store16(q->used + 2, q->used_idx);
}

void virtq_push(struct virtq *q, uint16_t head, uint32_t written)
{
	virtq_add_used(q, head, written);
	virtq_publish(q);
}

bool virtq_needs_signal(struct virtq *q)
{
	uint16_t old = q->signalled_used;
	uint16_t event;
	bool valid = q->signalled_valid;

	if (!q->enabled || q->broken)
		return false;
	/* pairs with the driver's barrier between used_event and its look at our index */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!q->event_idx)
		return !(load16(q->avail) & AVAIL_F_NO_INTERRUPT);
	event = load16(q->avail + 4 + 2u * q->size);
	q->signalled_used = q->used_idx;
	q->signalled_valid = true;
	/* virtio 1.2 2.7.10: has the index passed used_event since the last signal? */
	return !valid ||
	       (uint16_t)(q->used_idx - event - 1) < (uint16_t)(q->used_idx - old);
}
