/* SPDX-License-Identifier: Apache-2.0 */
/* test_virtq - rings of honest and hostile drivers, written by hand (security.md 3.2, R1..R16). */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "tests/unit/virtio_guest.h"
#include "vmm/virtq.h"
#include "vmm/x86/layout.h"

#define RAM (8ull << 20)
#define LOW (4ull << 20) /* the rest of RAM is at LAYOUT_HIGH_RAM: a hole to jump into */
#define DESC 0x1000ull
#define AVAIL 0x4000ull
#define USED 0x6000ull
#define TABLE 0x10000ull
#define DATA 0x100000ull
#define F_NEXT 1u
#define F_WRITE 2u
#define F_INDIRECT 4u

struct desc {
	uint64_t addr;
	uint32_t len;
	uint16_t flags;
	uint16_t next;
};

static struct virtq q;
static struct chain c;

/* Offer @head as the next request. */
static void offer(unsigned head)
{
	uint16_t idx = r16(AVAIL + 2);

	w16(AVAIL + 4 + 2ull * (idx & (q.size - 1u)), head);
	w16(AVAIL + 2, idx + 1u);
}

static int setup(unsigned size, unsigned max)
{
	memset(mem.base, 0, 0x20000);
	virtq_init(&q, &mem, (uint16_t)max);
	q.size = (uint16_t)size;
	q.desc_gpa = DESC;
	q.avail_gpa = AVAIL;
	q.used_gpa = USED;
	return virtq_enable(&q);
}

static void fresh(unsigned size)
{
	if (setup(size, 256) < 0)
		abort();
}

/* R10 */
static void test_enable(void)
{
	static const struct {
		const char *name;
		unsigned size;
		gpa_t desc, avail, used;
		int want;
	} rows[] = {
		{"good", 16, DESC, AVAIL, USED, 0},
		{"size 0", 0, DESC, AVAIL, USED, -EINVAL},
		{"size 1", 1, DESC, AVAIL, USED, 0},
		{"size 3", 3, DESC, AVAIL, USED, -EINVAL},
		{"size 255", 255, DESC, AVAIL, USED, -EINVAL},
		{"size over the maximum", 512, DESC, AVAIL, USED, -EINVAL},
		{"size 32768", 32768, DESC, AVAIL, USED, -EINVAL},
		{"descriptors unaligned", 16, DESC + 8, AVAIL, USED, -EINVAL},
		{"available ring unaligned", 16, DESC, AVAIL + 1, USED, -EINVAL},
		{"used ring unaligned", 16, DESC, AVAIL, USED + 2, -EINVAL},
		{"descriptors outside", 16, LOW, AVAIL, USED, -EINVAL},
		{"descriptors end outside", 16, LOW - 240, AVAIL, USED, -EINVAL},
		{"descriptors end at the end", 16, LOW - 256, AVAIL, USED, 0},
		{"available ring ends outside", 16, DESC, LOW - 36, USED, -EINVAL},
		{"available ring ends at the end", 16, DESC, LOW - 38, USED, 0},
		{"used ring ends outside", 16, DESC, AVAIL, LOW - 132, -EINVAL},
		{"used ring ends at the end", 16, DESC, AVAIL, LOW - 136, 0},
		{"address wraps", 16, ~0xfull, AVAIL, USED, -EINVAL},
		{"address in the hole", 16, DESC, LAYOUT_MMIO_BASE, USED, -EINVAL},
		{"address in high memory", 16, LAYOUT_HIGH_RAM, AVAIL, USED, 0},
		{"end of high memory", 16, DESC, AVAIL, LAYOUT_HIGH_RAM + RAM - LOW - 132, -EINVAL},
		{"all at 0", 16, 0, 0, 0, 0}, /* overlapping rings are the driver's loss */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r;

		virtq_init(&q, &mem, 256);
		q.size = (uint16_t)rows[i].size;
		q.desc_gpa = rows[i].desc;
		q.avail_gpa = rows[i].avail;
		q.used_gpa = rows[i].used;
		r = virtq_enable(&q);
		ok(r == rows[i].want && q.enabled == (r == 0), "enable: %s", rows[i].name);
	}
}

static void test_honest(void)
{
	fresh(16);
	is_int(virtq_pop(&q, &c), 0, "honest: empty");
	put(DESC, 3, DATA, 10, F_NEXT, 5);
	put(DESC, 5, DATA + 100, 20, F_NEXT | F_WRITE, 0);
	put(DESC, 0, DATA + 200, 30, F_WRITE, 99);
	offer(3);
	is_int(virtq_pop(&q, &c), 1, "honest: a request");
	ok(c.head == 3 && c.n_out == 1 && c.n_in == 2, "honest: its shape");
	ok(c.out_left == 10 && c.in_left == 50, "honest: its sizes");
	ok(c.iov[1].iov_base == at(DATA + 100), "honest: its memory");
	is_int(virtq_pop(&q, &c), 0, "honest: no more");
	virtq_push(&q, 3, 42);
	is_int(r16(USED + 2), 1, "honest: used index");
	ok(r32(USED + 4) == 3 && r32(USED + 8) == 42, "honest: used entry");
	ok(virtq_needs_signal(&q), "honest: signal");
	w16(AVAIL, 1);
	ok(!virtq_needs_signal(&q), "honest: no signal when the driver wants none");
}

static void fill_loop(gpa_t table, unsigned n, unsigned last_next)
{
	for (unsigned i = 0; i < n; i++)
		put(table, i, DATA, 1, i == n - 1 && last_next == n ? 0 : F_NEXT,
		    i == n - 1 ? last_next : i + 1);
}

/* What one offered request is answered with. */
static int pop_one(unsigned head)
{
	offer(head);
	return virtq_pop(&q, &c);
}

/* R1, R2 */
static void test_walk(void)
{
	fresh(16);
	put(DESC, 0, DATA, 1, F_NEXT, 0);
	is_int(pop_one(0), -EBADMSG, "walk: a descriptor that follows itself");
	is_int(virtq_pop(&q, &c), -EBADMSG, "walk: the queue stays dead");
	virtq_push(&q, 0, 1);
	ok(r16(USED + 2) == 0 && !virtq_needs_signal(&q), "walk: a dead queue writes nothing");
	fresh(16);
	fill_loop(DESC, 16, 7);
	is_int(pop_one(0), -EBADMSG, "walk: a loop of nine");
	fresh(16);
	fill_loop(DESC, 16, 16);
	is_int(pop_one(0), 1, "walk: as long as the queue");
	is_int(c.n_out, 16, "walk: all of it");
	fresh(16);
	is_int(pop_one(16), -EBADMSG, "walk: head = size");
	fresh(16);
	is_int(pop_one(0xffff), -EBADMSG, "walk: head 65535");
	fresh(16);
	put(DESC, 0, DATA, 1, F_NEXT, 16);
	put(DESC, 16, DATA, 1, 0, 0);
	is_int(pop_one(0), -EBADMSG, "walk: next = size");
	fresh(16);
	put(DESC, 0, DATA, 1, F_NEXT, 0xffff);
	is_int(pop_one(0), -EBADMSG, "walk: next 65535");
}

/* R3 */
static void test_index(void)
{
	static const unsigned jumps[] = {17, 18, 1000, 0x7fff, 0x8000, 0xffff};

	for (size_t i = 0; i < sizeof(jumps) / sizeof(jumps[0]); i++) {
		fresh(16);
		put(DESC, 0, DATA, 1, 0, 0);
		w16(AVAIL + 2, jumps[i]);
		is_int(virtq_pop(&q, &c), -EBADMSG, "index: a jump over the queue");
		w16(AVAIL + 2, 1);
		is_int(virtq_pop(&q, &c), -EBADMSG, "index: taken back too late");
	}
	fresh(16);
	put(DESC, 0, DATA, 1, 0, 0);
	w16(AVAIL + 2, 16);
	for (unsigned i = 0; i < 16; i++)
		if (virtq_pop(&q, &c) != 1)
			break;
	is_int(q.last_avail, 16, "index: exactly a full queue is fine");
	w16(AVAIL + 2, 15);
	is_int(virtq_pop(&q, &c), -EBADMSG, "index: backwards");
}

/* R4, R5, R9 */
static void test_address(void)
{
	static const struct {
		const char *name;
		uint64_t addr;
		uint32_t len;
		int want;
	} rows[] = {
		{"address 0", 0, 16, 1},
		{"last byte of low RAM", LOW - 1, 1, 1},
		{"one past low RAM", LOW - 1, 2, -EBADMSG},
		{"first byte after low RAM", LOW, 1, -EBADMSG},
		{"the hole", LAYOUT_MMIO_BASE, 4, -EBADMSG},
		{"before high RAM", LAYOUT_HIGH_RAM - 1, 1, -EBADMSG},
		{"over the start of high RAM", LAYOUT_HIGH_RAM - 1, 2, -EBADMSG},
		{"start of high RAM", LAYOUT_HIGH_RAM, 1, 1},
		{"end of high RAM", LAYOUT_HIGH_RAM + RAM - LOW - 1, 1, 1},
		{"one past high RAM", LAYOUT_HIGH_RAM + RAM - LOW - 1, 2, -EBADMSG},
		{"after high RAM", LAYOUT_HIGH_RAM + RAM - LOW, 1, -EBADMSG},
		{"length 0xffffffff", DATA, 0xffffffffu, -EBADMSG},
		{"length 0x80000000", DATA, 0x80000000u, -EBADMSG},
		{"wraps 64 bits", ~0ull, 2, -EBADMSG},
		{"wraps 64 bits to a good address", ~0ull - 15, 0x20000, -EBADMSG},
		{"top bit", 1ull << 63, 16, -EBADMSG},
		{"bit 32 only", (1ull << 36) + DATA, 16, -EBADMSG},
		{"length 0", DATA, 0, 1},
		{"length 0 outside", LOW, 0, -EBADMSG},
		{"all of low RAM", 0, (uint32_t)LOW, 1},
		{"all of low RAM and a byte", 0, (uint32_t)LOW + 1, -EBADMSG},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fresh(16);
		put(DESC, 0, rows[i].addr, rows[i].len, 0, 0);
		ok(pop_one(0) == rows[i].want, "address: %s", rows[i].name);
		fresh(16);
		put(DESC, 0, DATA, 1, F_NEXT, 1);
		put(DESC, 1, rows[i].addr, rows[i].len, F_WRITE, 0);
		ok(pop_one(0) == rows[i].want, "address, second and writable: %s", rows[i].name);
		fresh(16);
		put(DESC, 0, TABLE, 16, F_INDIRECT, 0);
		put(TABLE, 0, rows[i].addr, rows[i].len, 0, 0);
		ok(pop_one(0) == rows[i].want, "address, indirect: %s", rows[i].name);
	}
	fresh(16);
	put(DESC, 0, DATA, 8, F_NEXT | F_WRITE, 1);
	put(DESC, 1, DATA, 8, 0, 0);
	is_int(pop_one(0), -EBADMSG, "direction: readable after writable");
	fresh(16);
	put(DESC, 0, DATA, 8, F_NEXT, 1);
	put(DESC, 1, DATA, 8, F_NEXT | F_WRITE, 2);
	put(DESC, 2, DATA, 8, 0, 0);
	is_int(pop_one(0), -EBADMSG, "direction: interleaved");
}

static void test_sum(void)
{
	fresh(256);
	for (unsigned i = 0; i < 256; i++)
		put(DESC, i, 0, (uint32_t)LOW, i < 255 ? F_NEXT : 0, i + 1);
	is_int(pop_one(0), 1, "sum: 256 times all of RAM");
	ok(c.out_left == 256 * LOW, "sum: without overflow");
}

/* R6 */
static void test_indirect(void)
{
	static const struct {
		const char *name;
		uint64_t addr;
		uint32_t len;
		unsigned flags;
		int want;
	} rows[] = {
		{"good", TABLE, 64, F_INDIRECT, 1},
		{"one entry cut off", TABLE, 48, F_INDIRECT, -EBADMSG},
		{"with NEXT", TABLE, 64, F_INDIRECT | F_NEXT, -EBADMSG},
		{"with WRITE", TABLE, 64, F_INDIRECT | F_WRITE, -EBADMSG},
		{"length 0", TABLE, 0, F_INDIRECT, -EBADMSG},
		{"length 15", TABLE, 15, F_INDIRECT, -EBADMSG},
		{"length 65", TABLE, 65, F_INDIRECT, -EBADMSG},
		{"length 0xfffffff0", TABLE, 0xfffffff0u, F_INDIRECT, -EBADMSG},
		{"512 entries", TABLE, 512 * 16, F_INDIRECT, 1},
		{"513 entries", TABLE, 513 * 16, F_INDIRECT, -EBADMSG},
		{"table outside", LOW, 64, F_INDIRECT, -EBADMSG},
		{"table ends outside", LOW - 48, 64, F_INDIRECT, -EBADMSG},
		{"table wraps", ~0ull - 15, 64, F_INDIRECT, -EBADMSG},
		{"table unaligned", TABLE + 0x1001, 64, F_INDIRECT, 1},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fresh(16);
		fill_loop(TABLE, 4, 4);
		fill_loop(TABLE + 0x1001, 4, 4);
		put(DESC, 0, rows[i].addr, rows[i].len, rows[i].flags, 0);
		ok(pop_one(0) == rows[i].want, "indirect: %s", rows[i].name);
	}
	fresh(16);
	put(DESC, 0, TABLE, 32, F_INDIRECT, 0);
	put(TABLE, 0, DATA, 1, F_NEXT, 1);
	put(TABLE, 1, TABLE, 32, F_INDIRECT, 0);
	is_int(pop_one(0), -EBADMSG, "indirect: in indirect");
	fresh(16);
	put(DESC, 0, DATA, 1, F_NEXT, 1);
	put(DESC, 1, TABLE, 32, F_INDIRECT, 0);
	is_int(pop_one(0), -EBADMSG, "indirect: not first");
	fresh(16);
	put(DESC, 0, TABLE, 64, F_INDIRECT, 0);
	fill_loop(TABLE, 4, 1);
	is_int(pop_one(0), -EBADMSG, "indirect: a loop");
	fresh(16);
	put(DESC, 0, TABLE, 64, F_INDIRECT, 0);
	put(TABLE, 0, DATA, 1, F_NEXT, 4);
	is_int(pop_one(0), -EBADMSG, "indirect: next = entries");
	fresh(16);
	put(DESC, 0, TABLE, 512 * 16, F_INDIRECT, 0);
	fill_loop(TABLE, 512, 512);
	is_int(pop_one(0), 1, "indirect: 512 in one chain");
	is_int(c.n_out, 512, "indirect: all 512");
	fresh(16);
	put(DESC, 0, DESC, 256, F_INDIRECT, 0);
	is_int(pop_one(0), -EBADMSG, "indirect: the table is the queue itself");
}

/* R3, R13: 200000 requests take both indices over 65535 three times */
static void test_wrap(void)
{
	unsigned bad = 0;

	fresh(16);
	q.event_idx = true;
	for (unsigned i = 0; i < 200000; i++) {
		unsigned slot = i & 15;

		put(DESC, slot, DATA, i % 100 + 1, F_WRITE, 0);
		bad += pop_one(slot) != 1 || c.head != slot || c.in_left != i % 100 + 1;
		virtq_push(&q, c.head, i);
		bad += r16(USED + 2) != (uint16_t)(i + 1);
		bad += r32(USED + 4 + 8ull * slot) != slot || r32(USED + 8 + 8ull * slot) != i;
		bad += virtq_pop(&q, &c) != 0;
		bad += r16(USED + 4 + 8 * 16) != (uint16_t)(i + 1);
	}
	is_int(bad, 0, "wrap: 200000 requests in order, avail_event follows");
	w16(USED + 2, 0x1234);
	put(DESC, 0, DATA, 1, F_WRITE, 0);
	offer(0);
	is_int(virtq_pop(&q, &c), 1, "wrap: a guest that rewrites the used index");
	virtq_push(&q, c.head, 0);
	is_int(r16(USED + 2), (uint16_t)200001, "wrap: is not believed");
}

/* virtio 1.2 2.7.10: used_event against the used index, all around 65535 */
static void test_event(void)
{
	unsigned bad = 0;

	fresh(16);
	ok(virtq_needs_signal(&q), "event: without the feature always");
	q.event_idx = true;
	for (unsigned i = 0; i < 3; i++) {
		w16(AVAIL + 4 + 2 * 16, 1000);
		virtq_push(&q, 0, 0);
		bad += virtq_needs_signal(&q) != (i == 0);
	}
	is_int(bad, 0, "event: the first time always, then not before used_event");
	for (unsigned used = 65530; used < 65545; used++) {
		for (unsigned event = 65525; event < 65550; event++) {
			for (unsigned batch = 0; batch < 4; batch++) {
				bool want = event >= used && event < used + batch;

				q.used_idx = (uint16_t)used;
				q.signalled_used = (uint16_t)used;
				q.signalled_valid = true;
				w16(AVAIL + 4 + 2 * 16, event);
				for (unsigned i = 0; i < batch; i++)
					virtq_push(&q, 0, 0);
				bad += virtq_needs_signal(&q) != want;
			}
		}
	}
	is_int(bad, 0, "event: around 65535, for every used_event and batch");
}

static void test_dead(void)
{
	memset(mem.base, 0, 0x20000);
	virtq_init(&q, &mem, 256);
	is_int(virtq_pop(&q, &c), 0, "off: nothing to pop");
	virtq_push(&q, 0, 1);
	ok(!virtq_needs_signal(&q) && r16(2) == 0, "off: nothing is written or signalled");
	fresh(16);
	put(DESC, 0, DATA, 1, 0, 0);
	is_int(pop_one(0), 1, "off: request in hand");
	virtq_reset(&q);
	virtq_push(&q, 0, 1);
	is_int(r16(USED + 2), 0, "off: not answered after a reset");
	ok(!q.enabled && q.size == 256 && q.max_size == 256 && q.mem == &mem, "off: as new");
	is_int(q.desc_gpa | q.avail_gpa | q.used_gpa, 0, "off: addresses forgotten");
}

/* R8: a reply over the rings themselves */
static void test_overlap(void)
{
	static uint8_t junk[0x4000];

	fresh(16);
	memset(junk, 0xff, sizeof(junk));
	put(DESC, 0, DESC, 0x4000, F_WRITE, 0);
	is_int(pop_one(0), 1, "overlap: a buffer over the rings");
	is_int(chain_put(&c, junk, sizeof(junk)), 0, "overlap: overwritten");
	virtq_push(&q, c.head, (uint32_t)c.written);
	is_int(virtq_pop(&q, &c), -EBADMSG, "overlap: then the queue is dead, and we are not");
}

static int stop;

static void *flip(void *arg)
{
	struct desc good = {DATA, 64, 0, 0};
	struct desc evil = {~0ull - 8, 0xffffffffu, F_INDIRECT | F_NEXT, 0xffff};

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		memcpy(at(DESC), &evil, sizeof(evil));
		__asm__ volatile("" ::: "memory");
		memcpy(at(DESC), &good, sizeof(good));
	}
	return NULL;
}

static bool inside(const struct iovec *v)
{
	uint8_t *p = v->iov_base;

	return p >= mem.base && p <= mem.base + RAM && v->iov_len <= (size_t)(mem.base + RAM - p);
}

static bool all_inside(void)
{
	for (unsigned i = 0; i < c.n_out + c.n_in; i++)
		if (!inside(&c.iov[i]))
			return false;
	return true;
}

/* R7: another CPU rewrites the descriptor all the time */
static void test_flipper(void)
{
	unsigned bad = 0;
	unsigned seen[2] = {0};
	pthread_t t;

	fresh(16);
	__atomic_store_n(&stop, 0, __ATOMIC_SEQ_CST);
	if (pthread_create(&t, NULL, flip, NULL) != 0)
		abort();
	/* long enough to meet both states, whatever else the machine does */
	for (unsigned i = 0; i < 20000 || !seen[0] || !seen[1]; i++) {
		int r;

		q.broken = false;
		q.last_avail = 0;
		w16(AVAIL + 2, 1);
		r = virtq_pop(&q, &c);
		seen[r == 1]++;
		bad += r == 1 && !all_inside();
	}
	__atomic_store_n(&stop, 1, __ATOMIC_SEQ_CST);
	(void)pthread_join(t, NULL);
	ok(bad == 0 && seen[0] && seen[1], "flipper: never memory outside RAM (%u dead, %u taken)",
	   seen[0], seen[1]);
}

static uint32_t seed = 7;

static uint32_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

static void test_random(void)
{
	unsigned bad = 0;
	unsigned taken = 0;

	for (unsigned round = 0; round < 5000; round++) {
		fresh(8);
		q.event_idx = rnd() & 1;
		for (unsigned i = 0; i < 16; i++)
			put(i < 8 ? DESC : TABLE, i & 7, rnd() & 1 ? DATA : rnd(), rnd() % 5000,
			    rnd() % (rnd() & 3 ? 4 : 8), rnd() % 9);
		put(DESC, 0, TABLE, 128, rnd() & 1 ? F_INDIRECT : 0, 1);
		for (unsigned i = 0; i < 8; i++)
			offer(rnd() % 8);
		for (unsigned i = 0; i < 10 && virtq_pop(&q, &c) == 1; i++) {
			taken++;
			bad += !all_inside();
			virtq_push(&q, c.head, 1);
			(void)virtq_needs_signal(&q);
		}
	}
	ok(bad == 0 && taken > 1000, "random: %u chains of random rings, all inside RAM", taken);
}

int main(void)
{
	struct err e = {0};

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)alarm(120);
	if (memory_init(&mem, RAM, &e) < 0)
		return 1;
	mem.low_bytes = LOW;
	mem.high_bytes = RAM - LOW;
	test_enable();
	test_honest();
	test_walk();
	test_index();
	test_address();
	test_sum();
	test_indirect();
	test_wrap();
	test_event();
	test_dead();
	test_overlap();
	test_flipper();
	test_random();
	memory_fini(&mem);
	return tap_done();
}
