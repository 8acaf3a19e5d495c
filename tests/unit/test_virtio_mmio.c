/* SPDX-License-Identifier: Apache-2.0 */
/* test_virtio_mmio - registers, negotiation, reset; two real devices (security.md 3.2
 * R10..R16, 3.7). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "vmm/virtio_balloon.h"
#include "vmm/virtio_console.h"
#include "vmm/virtio_mmio.h"
#include "vmm/virtio_rng.h"

#define RAM (8ull << 20)
#define RING 0x10000ull
#define DATA 0x40000ull
#define FEATURE (1ull << 5)

enum {
	DEV_SEL = 0x14,
	DRV = 0x20,
	DRV_SEL = 0x24,
	Q_SEL = 0x30,
	Q_MAX = 0x34,
	Q_NUM = 0x38,
	Q_READY = 0x44,
	NOTIFY = 0x50,
	INT = 0x60,
	ACK = 0x64,
	STATUS = 0x70,
	DESC = 0x80,
	AVAIL = 0x90,
	USED = 0xa0,
	CONFIG = 0x100,
};

static struct memory mem;
static struct virtio_dev fake;
static unsigned notified[4];
static unsigned resets;
static bool lock_held;
static bool feeder_stop;

static void on_notify(struct virtio_dev *dev, unsigned queue)
{
	notified[queue & 3]++;
	lock_held &= pthread_mutex_trylock(&dev->lock) == EBUSY;
}

static void on_reset(struct virtio_dev *dev)
{
	lock_held &= pthread_mutex_trylock(&dev->lock) == EBUSY;
	resets++;
}

static const struct virtio_ops fake_ops = {
	.name = "fake",
	.id = 42,
	.features = FEATURE,
	.nqueues = 2,
	.queue_size = 64,
	.config_size = 10,
	.inline_notify = true,
	.notify = on_notify,
	.reset = on_reset,
};

static uint32_t rd(struct virtio_dev *d, uint32_t offset)
{
	uint32_t v;

	virtio_mmio_read(d, offset, &v, sizeof(v));
	return v;
}

static void wr(struct virtio_dev *d, uint32_t offset, uint32_t v)
{
	virtio_mmio_write(d, offset, &v, sizeof(v));
}

static void fresh(void)
{
	memset(&fake, 0, sizeof(fake));
	virtio_init(&fake, &fake_ops, &mem);
	fake.irq_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (unsigned i = 0; i < VIRTIO_MAX_CONFIG; i++)
		fake.config[i] = (uint8_t)(0x40 + i);
	memset(notified, 0, sizeof(notified));
	resets = 0;
	lock_held = true;
}

static void done(void)
{
	(void)close(fake.irq_fd);
	ok(lock_held, "the device was called with its lock held");
}

static bool interrupted(int fd)
{
	uint64_t n;

	return read(fd, &n, sizeof(n)) == sizeof(n);
}

static void features(struct virtio_dev *d, uint64_t f)
{
	wr(d, STATUS, 0);
	wr(d, STATUS, 3);
	wr(d, DRV_SEL, 0);
	wr(d, DRV, (uint32_t)f);
	wr(d, DRV_SEL, 1);
	wr(d, DRV, (uint32_t)(f >> 32));
	wr(d, STATUS, 11);
}

static void queue(struct virtio_dev *d, uint32_t q, uint32_t size)
{
	wr(d, Q_SEL, q);
	wr(d, Q_NUM, size);
	wr(d, DESC, (uint32_t)(RING + q * 0x8000));
	wr(d, AVAIL, (uint32_t)(RING + q * 0x8000 + 0x2000));
	wr(d, USED, (uint32_t)(RING + q * 0x8000 + 0x4000));
	wr(d, Q_READY, 1);
}

static void live(struct virtio_dev *d)
{
	features(d, VIRTIO_F_VERSION_1);
	for (uint32_t q = 0; q < d->ops->nqueues; q++)
		queue(d, q, 8);
	wr(d, STATUS, 15);
}

static void test_identity(void)
{
	fresh();
	is_int(rd(&fake, 0), 0x74726976, "identity: magic");
	is_int(rd(&fake, 4), 2, "identity: version");
	is_int(rd(&fake, 8), 42, "identity: device");
	ok(rd(&fake, 0xb0) == ~0u && rd(&fake, 0xb4) == ~0u, "identity: no shared memory region");
	is_int(rd(&fake, Q_MAX), 64, "identity: queue size");
	wr(&fake, Q_SEL, 2);
	is_int(rd(&fake, Q_MAX), 0, "identity: no such queue");
	wr(&fake, Q_SEL, 0xffffffff);
	is_int(rd(&fake, Q_MAX) | rd(&fake, Q_READY), 0, "identity: nor that one");
	wr(&fake, DEV_SEL, 0);
	ok(rd(&fake, 0x10) == ((uint32_t)FEATURE | 3u << 28), "identity: features, low");
	wr(&fake, DEV_SEL, 1);
	is_int(rd(&fake, 0x10), 1, "identity: features, high");
	wr(&fake, DEV_SEL, 2);
	is_int(rd(&fake, 0x10), 0, "identity: no more features");
	wr(&fake, DEV_SEL, 0xffffffff);
	is_int(rd(&fake, 0x10), 0, "identity: the selector is no shift");
	done();
}

/* M1: every width at every offset, to read and to write */
static void test_sweep(void)
{
	struct {
		uint8_t before[8], data[8], after[8];
	} b;
	unsigned bad = 0;

	fresh();
	for (uint32_t offset = 0; offset < 0x1000; offset++) {
		for (uint32_t len = 1; len <= 8; len *= 2) {
			memset(&b, 0xee, sizeof(b));
			virtio_mmio_read(&fake, offset, b.data, len);
			for (unsigned i = 0; i < 8; i++)
				bad += b.before[i] != 0xee || b.after[i] != 0xee ||
				       (i >= len && b.data[i] != 0xee);
			if (offset < CONFIG && (len != 4 || offset % 4))
				for (unsigned i = 0; i < len; i++)
					bad += b.data[i] != 0;
			if (offset >= CONFIG)
				for (unsigned i = 0; i < len; i++)
					bad += b.data[i] != (offset + len <= CONFIG + 10
								     ? 0x40 + offset - CONFIG + i
								     : 0);
		}
	}
	is_int(bad, 0, "sweep: reads are defined and keep to their length");
	for (uint32_t offset = 0; offset < 0x1000; offset++)
		for (uint32_t len = 1; len <= 8; len *= 2)
			for (unsigned v = 0; v < 3; v++) {
				memset(&b, v == 0 ? 0 : v == 1 ? 0xff : 0x0f, sizeof(b));
				if (offset == STATUS && len == 4)
					continue;
				virtio_mmio_write(&fake, offset, b.data, len);
				bad += fake.status != 0 || fake.config[3] != 0x43;
			}
	is_int(bad, 0, "sweep: writes elsewhere change neither status nor configuration");
	for (uint32_t len = 1; len <= 8; len *= 2)
		if (len != 4)
			virtio_mmio_write(&fake, STATUS, b.data, len);
	is_int(fake.status, 0, "sweep: status wants 32 bits");
	is_int(notified[0] + notified[1] + notified[2] + notified[3], 0, "sweep: nobody notified");
	done();
}

/* R11 */
static void test_features(void)
{
	fresh();
	features(&fake, VIRTIO_F_VERSION_1);
	is_int(rd(&fake, STATUS), 11, "features: version 1 is enough");
	wr(&fake, DRV_SEL, 0);
	wr(&fake, DRV, (uint32_t)FEATURE);
	ok(fake.driver_features == VIRTIO_F_VERSION_1, "features: frozen by FEATURES_OK");
	features(&fake, FEATURE);
	is_int(rd(&fake, STATUS), 3, "features: without version 1 no FEATURES_OK");
	wr(&fake, STATUS, 15);
	is_int(rd(&fake, STATUS), 3, "features: and no DRIVER_OK");
	features(&fake, VIRTIO_F_VERSION_1 | 1);
	is_int(rd(&fake, STATUS), 3, "features: one that was not offered");
	features(&fake, ~0ull);
	is_int(rd(&fake, STATUS), 3, "features: all of them");
	wr(&fake, STATUS, 0);
	wr(&fake, DRV_SEL, 2);
	wr(&fake, DRV, 0xffffffff);
	wr(&fake, DRV_SEL, 0xffffffff);
	wr(&fake, DRV, 0xffffffff);
	ok(fake.driver_features == 0, "features: a selector out of range");
	wr(&fake, STATUS, 4);
	is_int(rd(&fake, STATUS), 0, "status: DRIVER_OK alone");
	wr(&fake, STATUS, VIRTIO_STATUS_NEEDS_RESET);
	is_int(rd(&fake, STATUS), 0, "status: NEEDS_RESET is not the driver's");
	live(&fake);
	is_int(rd(&fake, STATUS), 15, "status: live");
	wr(&fake, STATUS, 1);
	is_int(rd(&fake, STATUS), 15, "status: bits are not taken back");
	done();
}

static void test_queue_registers(void)
{
	static const struct {
		const char *name;
		uint32_t offset, value;
		bool good;
	} rows[] = {
		{"as it should be", Q_NUM, 8, true},
		{"size 0", Q_NUM, 0, false},
		{"size 3", Q_NUM, 3, false},
		{"size 128 of 64", Q_NUM, 128, false},
		{"size 65536 + 8", Q_NUM, 65544, false},
		{"size 2^32-1", Q_NUM, 0xffffffff, false},
		{"descriptors outside", DESC + 4, 1, false},
		{"available ring outside", AVAIL + 4, 0x80000000, false},
		{"used ring outside", USED + 4, 0xffffffff, false},
		{"unaligned", DESC, 0x10008, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fresh();
		features(&fake, VIRTIO_F_VERSION_1);
		wr(&fake, Q_SEL, 1);
		wr(&fake, Q_NUM, 8);
		wr(&fake, DESC, 0x1000);
		wr(&fake, AVAIL, 0x2000);
		wr(&fake, USED, 0x3000);
		wr(&fake, rows[i].offset, rows[i].value);
		wr(&fake, Q_READY, 1);
		ok(rd(&fake, Q_READY) == rows[i].good &&
			   (rd(&fake, STATUS) & VIRTIO_STATUS_NEEDS_RESET ? 0 : 1) == rows[i].good,
		   "queue: %s", rows[i].name);
		(void)close(fake.irq_fd);
	}
}

static void test_frozen(void)
{
	struct virtq before;

	fresh();
	wr(&fake, Q_NUM, 8);
	ok(fake.q[0].size == 64, "frozen: nothing before FEATURES_OK");
	features(&fake, VIRTIO_F_VERSION_1);
	queue(&fake, 0, 8);
	before = fake.q[0];
	wr(&fake, DESC, 0x20000);
	wr(&fake, Q_NUM, 16);
	wr(&fake, Q_READY, 0);
	ok(memcmp(&before, &fake.q[0], sizeof(before)) == 0, "frozen: a ready queue");
	wr(&fake, STATUS, 15);
	queue(&fake, 1, 16);
	ok(!fake.q[1].enabled && fake.q[1].desc_gpa == 0, "frozen: every queue after DRIVER_OK");
	wr(&fake, Q_SEL, 7);
	wr(&fake, DESC, 0x20000);
	wr(&fake, Q_READY, 1);
	ok(memcmp(&before, &fake.q[0], sizeof(before)) == 0, "frozen: by no other selector");
	done();
}

/* R14, R16 */
static void test_notify(void)
{
	fresh();
	wr(&fake, NOTIFY, 0);
	features(&fake, VIRTIO_F_VERSION_1);
	queue(&fake, 0, 8);
	wr(&fake, NOTIFY, 0);
	is_int(notified[0], 0, "notify: not before DRIVER_OK");
	wr(&fake, STATUS, 15);
	wr(&fake, NOTIFY, 0);
	wr(&fake, NOTIFY, 1);
	wr(&fake, NOTIFY, 2);
	wr(&fake, NOTIFY, 0xffffffff);
	wr(&fake, NOTIFY, 0x10000);
	ok(notified[0] == 1 && notified[1] == 1 && notified[2] + notified[3] == 0,
	   "notify: our queues only");
	virtio_broken(&fake, "test");
	wr(&fake, NOTIFY, 0);
	is_int(notified[0], 1, "notify: not after the driver broke the rules");
	ok(rd(&fake, INT) == VIRTIO_INT_CONFIG && interrupted(fake.irq_fd), "notify: it is told");
	is_int(rd(&fake, INT), 0, "notify: once told, it need not be acknowledged");
	fake.interrupt_status = VIRTIO_INT_USED;
	wr(&fake, ACK, 0xffffffff);
	is_int(rd(&fake, INT), VIRTIO_INT_USED, "notify: what came since is not lost by a late acknowledgement");
	wr(&fake, STATUS, 0);
	is_int(rd(&fake, STATUS), 0, "notify: reset mends");
	wr(&fake, NOTIFY, 0);
	is_int(notified[0], 1, "notify: not after a reset");
	is_int(resets, 2, "notify: the device heard of the resets");
	done();
}

static const struct virtio_ops looped_ops = {
	.name = "looped",
	.id = 43,
	.nqueues = 2,
	.queue_size = 64,
	.notify = on_notify,
};

/* What the loop serves is never served on a vCPU's thread, however the notification gets here. */
static void test_notify_loop(void)
{
	fresh();
	fake.ops = &looped_ops;
	fake.kick[1].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	live(&fake);
	wr(&fake, NOTIFY, 1);
	is_int(notified[1], 0, "notify: not here, where the loop serves");
	ok(interrupted(fake.kick[1].fd), "notify: the loop is told");
	wr(&fake, NOTIFY, 2);
	ok(!interrupted(fake.kick[1].fd), "notify: the loop hears of our queues only");
	(void)close(fake.kick[1].fd);
	done();
}

static void test_reset(void)
{
	uint32_t generation;

	fresh();
	live(&fake);
	generation = fake.generation;
	virtq_push(&fake.q[0], 3, 9);
	virtio_signal(&fake, 0);
	ok(rd(&fake, INT) == 1 && interrupted(fake.irq_fd), "reset: an interrupt before");
	wr(&fake, STATUS, 0);
	ok(!fake.q[0].enabled && !fake.q[1].enabled && fake.q[0].desc_gpa == 0, "reset: queues");
	ok(fake.driver_features == 0 && rd(&fake, INT) == 0 && fake.queue_sel == 0,
	   "reset: the rest");
	is_int(fake.generation, generation + 1, "reset: counted");
	virtio_signal(&fake, 0);
	ok(!interrupted(fake.irq_fd), "reset: no interrupt after");
	live(&fake);
	ok(fake.q[0].enabled && fake.q[0].used_idx == 0, "reset: and again");
	done();
}

static void put_desc(unsigned q, unsigned i, uint64_t addr, uint32_t len, uint16_t flags)
{
	uint8_t *d = mem.base + RING + q * 0x8000 + i * 16;
	uint16_t tail[2] = {flags, (uint16_t)(i + 1)};

	memcpy(d, &addr, 8);
	memcpy(d + 8, &len, 4);
	memcpy(d + 12, tail, 4);
}

static void offer(unsigned q, unsigned n)
{
	uint16_t *a = (uint16_t *)(void *)(mem.base + RING + q * 0x8000 + 0x2000);

	for (unsigned i = 0; i < n; i++)
		a[2 + (a[1]++ & 7)] = 0;
}

static uint32_t used_len(unsigned q, unsigned i)
{
	uint32_t v;

	memcpy(&v, mem.base + RING + q * 0x8000 + 0x4000 + 8 + 8ull * i, sizeof(v));
	return v;
}

static uint16_t used_idx(unsigned q)
{
	uint16_t v;

	memcpy(&v, mem.base + RING + q * 0x8000 + 0x4002, sizeof(v));
	return v;
}

static struct virtio_dev *start(struct virtio_dev *d)
{
	if (!d)
		abort();
	memset(mem.base + RING, 0, 0x20000);
	d->irq_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	live(d);
	return d;
}

static void finish(struct virtio_dev *d)
{
	(void)close(d->irq_fd);
	free(d);
}

static unsigned zeros(gpa_t gpa, size_t n)
{
	unsigned z = 0;

	for (size_t i = 0; i < n; i++)
		z += mem.base[gpa + i] == 0;
	return z;
}

static void test_rng(void)
{
	struct virtio_dev *d = start(virtio_rng_new(&mem));

	memset(mem.base + DATA, 0, 4096);
	put_desc(0, 0, DATA, 64, 2);
	offer(0, 1);
	wr(d, NOTIFY, 0);
	ok(used_idx(0) == 1 && used_len(0, 0) == 64, "rng: 64 bytes");
	ok(zeros(DATA, 64) < 10 && zeros(DATA + 64, 64) == 64, "rng: and no more");
	ok(interrupted(d->irq_fd), "rng: interrupt");
	put_desc(0, 0, DATA, 4096, 2);
	offer(0, 1);
	wr(d, NOTIFY, 0);
	ok(used_len(0, 1) == 256 && zeros(DATA + 256, 3840) == 3840,
	   "rng: a piece of a large request");
	put_desc(0, 0, DATA, 64, 0);
	offer(0, 1);
	wr(d, NOTIFY, 0);
	ok(used_idx(0) == 3 && used_len(0, 2) == 0, "rng: nothing to write to");
	put_desc(0, 0, DATA, 0, 2);
	offer(0, 8);
	wr(d, NOTIFY, 0);
	is_int(used_idx(0), 11, "rng: a full ring of empty requests");
	put_desc(0, 0, RAM - 1, 2, 2);
	offer(0, 1);
	wr(d, NOTIFY, 0);
	ok(rd(d, STATUS) & VIRTIO_STATUS_NEEDS_RESET && used_idx(0) == 11, "rng: outside RAM");
	finish(d);
}

static void test_console(void)
{
	struct virtio_dev *d = start(virtio_console_new(&mem, -1));
	char tail[100];

	virtio_console_tail(d, tail, sizeof(tail));
	is_str(tail, "", "console: empty");
	memcpy(mem.base + DATA, "boot\033[m\n", 8);
	put_desc(1, 0, DATA, 8, 0);
	offer(1, 1);
	wr(d, NOTIFY, 1);
	virtio_console_tail(d, tail, sizeof(tail));
	is_str(tail, "boot?[m\n", "console: control characters don't get out");
	virtio_console_tail(d, tail, 4);
	is_str(tail, "[m\n", "console: the end of it");
	virtio_console_tail(d, tail, 1);
	is_str(tail, "", "console: room for nothing");
	memset(mem.base + DATA, 'x', 300000);
	memcpy(mem.base + DATA + 299997, "end", 3);
	put_desc(1, 0, DATA, 300000, 0);
	offer(1, 8);
	wr(d, NOTIFY, 1);
	virtio_console_tail(d, tail, sizeof(tail));
	ok(strlen(tail) == 99 && strcmp(tail + 96, "end") == 0, "console: a flood leaves its end");
	put_desc(0, 0, DATA, 16, 2);
	offer(0, 8);
	wr(d, NOTIFY, 0);
	is_int(used_idx(0), 0, "console: no input");
	finish(d);
}

/* The loop's part: nobody kicks it here. */
static void serve_queue(struct virtio_dev *d, unsigned q)
{
	(void)pthread_mutex_lock(&d->lock);
	d->ops->notify(d, q);
	(void)pthread_mutex_unlock(&d->lock);
}

static void test_balloon(void)
{
	struct virtio_dev *d = start(virtio_balloon_new(&mem));

	is_int(rd(d, CONFIG), 0, "balloon: asks for no page");
	memset(mem.base + DATA, 7, 0x10000);
	put_desc(0, 0, DATA, 0x1000, 0);
	offer(0, 1);
	serve_queue(d, 0);
	ok(used_idx(0) == 1 && mem.base[DATA] == 7, "balloon: what goes into it stays there");
	put_desc(2, 0, DATA + 0x800, 0x2900, 2);
	offer(2, 1);
	serve_queue(d, 2);
	ok(used_idx(2) == 1 && used_len(2, 0) == 0, "balloon: a report is given back");
	ok(mem.base[DATA + 0xfff] == 7 && mem.base[DATA + 0x3000] == 7,
	   "balloon: pages that are reported in part stay");
	is_int(zeros(DATA + 0x1000, 0x2000), 0x2000, "balloon: whole ones are gone");
	put_desc(2, 0, DATA + 0x4000, 0x1000, 0);
	offer(2, 1);
	serve_queue(d, 2);
	is_int(mem.base[DATA + 0x4000], 7, "balloon: what may only be read stays");
	put_desc(2, 0, DATA + 0x5001, 0xffe, 2);
	offer(2, 1);
	serve_queue(d, 2);
	is_int(mem.base[DATA + 0x5001], 7, "balloon: less than a page stays");
	put_desc(2, 0, RAM - 0x1000, 0x2000, 2);
	offer(2, 1);
	serve_queue(d, 2);
	ok(rd(d, STATUS) & VIRTIO_STATUS_NEEDS_RESET, "balloon: outside RAM");
	finish(d);
}

/* A second CPU of the guest: a ring of 8 that is never empty. */
static void *keep_full(void *arg)
{
	const gpa_t ring = *(const gpa_t *)arg;
	uint16_t *avail = (uint16_t *)(void *)(mem.base + ring + 0x2002);
	const uint16_t *used = (const uint16_t *)(const void *)(mem.base + ring + 0x4002);

	while (!__atomic_load_n(&feeder_stop, __ATOMIC_ACQUIRE))
		__atomic_store_n(avail, (uint16_t)(__atomic_load_n(used, __ATOMIC_ACQUIRE) + 8),
				 __ATOMIC_RELEASE);
	return NULL;
}

/* One notification serves a bounded number of requests and leaves the rest to the loop. */
static void budget(struct virtio_dev *d, unsigned q, const char *name)
{
	gpa_t ring = RING + q * 0x8000;
	bool bounded = true;
	bool left_over = false;
	pthread_t feeder;

	d->kick[q].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	feeder_stop = false;
	if (pthread_create(&feeder, NULL, keep_full, &ring) != 0)
		abort();
	while (!left_over && bounded) {
		uint16_t before = used_idx(q);

		wr(d, NOTIFY, q);
		bounded = (uint16_t)(used_idx(q) - before) <= VIRTIO_BUDGET;
		left_over = interrupted(d->kick[q].fd);
	}
	__atomic_store_n(&feeder_stop, true, __ATOMIC_RELEASE);
	(void)pthread_join(feeder, NULL);
	ok(bounded && left_over, "%s: a ring that is kept full has its turn", name);
	(void)close(d->kick[q].fd);
}

static void test_budget(void)
{
	struct virtio_dev *d = start(virtio_rng_new(&mem));

	put_desc(0, 0, DATA, 1, 2);
	budget(d, 0, "rng");
	finish(d);
	d = start(virtio_console_new(&mem, -1));
	put_desc(1, 0, DATA, 1, 0);
	budget(d, 1, "console");
	finish(d);
}

static void test_console_flood(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC);
	struct virtio_dev *d = start(virtio_console_new(&mem, fd));

	put_desc(1, 0, DATA, 4u << 20, 0);
	offer(1, 1);
	wr(d, NOTIFY, 1);
	is_int(lseek(fd, 0, SEEK_END), 64 << 10, "console: of a huge request the end is read");
	(void)close(fd);
	finish(d);
}

int main(void)
{
	struct err e = {0};

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)alarm(60);
	if (memory_init(&mem, RAM, &e) < 0)
		return 1;
	test_identity();
	test_sweep();
	test_features();
	test_queue_registers();
	test_frozen();
	test_notify();
	test_notify_loop();
	test_reset();
	test_rng();
	test_console();
	test_console_flood();
	test_balloon();
	test_budget();
	memory_fini(&mem);
	return tap_done();
}
