/* SPDX-License-Identifier: Apache-2.0 */
/* test_virtio_fs - who serves requests, for how long, and what a reset waits for. The server is a fake. */
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "vmm/virtio_fs.h"
#include "vmm/virtio_mmio.h"

#define RAM (8ull << 20)
#define DESC 0x10000ull
#define AVAIL 0x14000ull
#define USED 0x18000ull
#define BUF 0x20000ull
#define RING 512u
#define REQUESTS 1u
#define OP_LOOKUP 1u
#define OP_OPEN 14u
#define OP_READ 15u
#define OP_WRITE 16u
#define OP_FSYNC 20u
#define OP_SETLKW 33u
#define OP_INTERRUPT 36u
#define TURN 64u
#define MOST_WAITING 448u

static struct memory mem;
static struct virtio_dev *dev;
static uint16_t avail;
static atomic_uint served, sessions_ended;
static atomic_int feed;    /* requests that the fake guest still adds while it is served */
static atomic_bool hold;   /* the next service waits in the server */
static atomic_bool inside; /* a service is in the server */
static atomic_bool reset_done;
static atomic_bool locked; /* who waits for a lock goes on waiting */
static atomic_uint granted, refused, tries, of_data, for_all;
static int wait_fd = -1;
static struct loop loop;
static atomic_bool by_worker; /* the last one was served by the device's own thread */
static pthread_t driver;
static sem_t entered, leave;

static void offer_at(uint16_t desc)
{
	uint16_t slot = avail % RING;

	memcpy(mem.base + AVAIL + 4 + 2ull * slot, &desc, 2);
	avail++;
	__atomic_store_n((uint16_t *)(void *)(mem.base + AVAIL + 2), avail, __ATOMIC_RELEASE);
}

static void offer(void)
{
	offer_at(0);
}

static uint32_t opcode_of(const struct chain *c)
{
	uint32_t opcode;

	memcpy(&opcode, (const uint8_t *)c->iov[0].iov_base + 4, sizeof(opcode));
	return opcode;
}

void fs_refuse(struct fs_server *fs, struct chain *c, int error)
{
	(void)fs;
	(void)c;
	(void)error;
	atomic_fetch_add(&refused, 1);
}

enum fs_result fs_serve(struct fs_server *fs, struct chain *c)
{
	(void)fs;
	atomic_store(&by_worker, !pthread_equal(pthread_self(), driver));
	if (opcode_of(c) == OP_SETLKW) {
		if (atomic_load(&locked))
			return FS_LOCKED;
		atomic_fetch_add(&granted, 1);
		return FS_NO_REPLY;
	}
	if (opcode_of(c) == OP_OPEN || opcode_of(c) == OP_READ) {
		atomic_fetch_add(&tries, 1);
		if (atomic_load(&locked))
			return opcode_of(c) == OP_OPEN ? FS_OPENING : FS_WAIT;
		atomic_fetch_add(&granted, 1);
		return FS_NO_REPLY;
	}
	if (opcode_of(c) == OP_INTERRUPT)
		atomic_fetch_add(&for_all, 1);
	atomic_store(&inside, true);
	if (atomic_exchange(&hold, false)) {
		(void)sem_post(&entered);
		(void)sem_wait(&leave);
	}
	if (atomic_load(&feed) > 0 && atomic_fetch_sub(&feed, 1) > 0)
		offer();
	atomic_fetch_add(&served, 1);
	atomic_store(&inside, false);
	return FS_NO_REPLY;
}

int fs_news_fd(const struct fs_server *fs)
{
	(void)fs;
	return wait_fd;
}

void fs_take_news(struct fs_server *fs)
{
	uint64_t n;

	(void)fs;
	(void)!read(wait_fd, &n, sizeof(n));
	atomic_fetch_add(&of_data, 1);
}

struct fs_news fs_news(struct fs_server *fs)
{
	(void)fs;
	return (struct fs_news){ atomic_load(&of_data), atomic_load(&for_all) };
}

void fs_end_session(struct fs_server *fs)
{
	(void)fs;
	atomic_fetch_add(&sessions_ended, 1);
}

static void reg(uint32_t offset, uint32_t v)
{
	virtio_mmio_write(dev, offset, &v, sizeof(v));
}

/* Descriptor @i: @len bytes of a page of its own, and then descriptor @next, or 0. Return: the bytes. */
static uint8_t *describe(unsigned i, uint32_t len, uint16_t next)
{
	uint8_t *d = mem.base + DESC + 16ull * i;
	uint64_t at = BUF + 0x1000ull * i;
	uint16_t flags = next ? 1 : 0; /* VIRTQ_DESC_F_NEXT */

	memcpy(d, &at, 8);
	memcpy(d + 8, &len, 4);
	memcpy(d + 12, &flags, 2);
	memcpy(d + 14, &next, 2);
	return mem.base + at;
}

static void describe_request(unsigned i, uint32_t opcode, uint16_t next)
{
	const uint32_t head[10] = {40, opcode};

	memcpy(describe(i, sizeof(head), next), head, sizeof(head));
}

static void make_live(uint32_t opcode)
{
	reg(0x70, 0); /* what is still under way goes nowhere */
	memset(mem.base + DESC, 0, 0x10000);
	describe_request(0, opcode, 0);
	avail = 0;
	reg(0x70, 3);
	reg(0x24, 1);
	reg(0x20, 1); /* VERSION_1 */
	reg(0x70, 11);
	reg(0x30, REQUESTS);
	reg(0x38, RING);
	reg(0x80, (uint32_t)DESC);
	reg(0x90, (uint32_t)AVAIL);
	reg(0xa0, (uint32_t)USED);
	reg(0x44, 1);
	reg(0x70, 15);
}

static void no_seal(void)
{
}

static void wait_served(unsigned n)
{
	while (atomic_load(&served) < n)
		(void)usleep(1000);
}

static void *do_reset(void *arg)
{
	(void)arg;
	reg(0x70, 0);
	ok(!atomic_load(&inside), "reset: returns with nobody in the server");
	atomic_store(&reset_done, true);
	return NULL;
}

/* A guest that adds a request for each one served does not keep the CPU's thread. */
static void test_turn(void)
{
	struct err e;

	make_live(OP_LOOKUP);
	atomic_store(&served, 0);
	atomic_store(&feed, 299);
	offer();
	reg(VIRTIO_MMIO_QUEUE_NOTIFY, REQUESTS);
	is_int(atomic_load(&served), TURN, "turn: over after its budget");
	if (virtio_fs_start(dev, no_seal, &e) < 0)
		abort();
	wait_served(300);
	ok(true, "turn: the worker goes on to the end");
}

static void test_reset(void)
{
	pthread_t thread;
	unsigned before;

	make_live(OP_FSYNC);
	before = atomic_load(&sessions_ended);
	atomic_store(&hold, true);
	offer();
	reg(VIRTIO_MMIO_QUEUE_NOTIFY, REQUESTS);
	(void)sem_wait(&entered);
	if (pthread_create(&thread, NULL, do_reset, NULL) != 0)
		abort();
	(void)usleep(200000);
	ok(!atomic_load(&reset_done), "reset: waits for the request in the server");
	reg(0x70, 3);
	is_int(dev->status, 0, "reset: registers don't change meanwhile");
	(void)sem_post(&leave);
	(void)pthread_join(thread, NULL);
	is_int(mem.base[USED + 2], 0, "reset: the answer of before goes nowhere");
	is_int(atomic_load(&sessions_ended), before + 1, "reset: ends the session");
	make_live(OP_LOOKUP);
	atomic_store(&served, 0);
	offer();
	reg(VIRTIO_MMIO_QUEUE_NOTIFY, REQUESTS);
	is_int(atomic_load(&served), 1, "reset: the next driver is served");
	is_int(mem.base[USED + 2], 1, "reset: and answered");
}

/* Who waits for a lock keeps an entry of the ring: not all of them, or nobody could unlock. */
static void test_waiting(void)
{
	make_live(OP_SETLKW);
	atomic_store(&locked, true);
	for (unsigned i = 0; i < MOST_WAITING + 2; i++)
		offer();
	reg(VIRTIO_MMIO_QUEUE_NOTIFY, REQUESTS);
	while (atomic_load(&refused) < 2)
		(void)usleep(1000);
	(void)usleep(50000);
	is_int(atomic_load(&refused), 2, "waiting: beyond the cap they are refused");
	is_int(atomic_load(&granted), 0, "waiting: the others wait");
	atomic_store(&locked, false);
	while (atomic_load(&granted) < MOST_WAITING)
		(void)usleep(1000);
	ok(true, "waiting: and get it in the end");
}

/* One waits for a lock, and the worker has something to do all the time. */
static void test_busy(void)
{
	make_live(OP_FSYNC);
	describe_request(1, OP_SETLKW, 0);
	atomic_store(&locked, true);
	atomic_store(&granted, 0);
	offer_at(1);
	atomic_store(&feed, INT32_MAX);
	offer();
	reg(VIRTIO_MMIO_QUEUE_NOTIFY, REQUESTS);
	(void)usleep(50000);
	atomic_store(&locked, false);
	for (unsigned ms = 0; ms < 20000 && atomic_load(&granted) == 0; ms++)
		(void)usleep(1000);
	is_int(atomic_load(&granted), 1, "busy: a lock that is free is found all the same");
	atomic_store(&feed, 0);
}

static long clock_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *run_loop(void *arg)
{
	(void)arg;
	loop_run(&loop);
}

/* What waits for a FIFO's data is tried when there is word of it, what waits for its other end now and then. */
static void test_fifos(void)
{
	const uint64_t one = 1;
	pthread_t thread;
	long begin;
	unsigned n;

	if (pthread_create(&thread, NULL, run_loop, NULL) != 0)
		abort();
	make_live(OP_READ);
	atomic_store(&locked, true);
	atomic_store(&granted, 0);
	atomic_store(&tries, 0);
	offer();
	reg(VIRTIO_MMIO_QUEUE_NOTIFY, REQUESTS);
	(void)usleep(100000);
	is_int(atomic_load(&tries), 1, "fifos: data are not looked for");
	(void)!write(wait_fd, &one, sizeof(one));
	while (atomic_load(&tries) < 2)
		(void)usleep(1000);
	ok(true, "fifos: until they are told of");
	(void)usleep(50000);
	is_int(atomic_load(&tries), 2, "fifos: once");
	atomic_store(&locked, false);
	(void)!write(wait_fd, &one, sizeof(one));
	while (atomic_load(&granted) < 1)
		(void)usleep(1000);
	ok(true, "fifos: each time");

	make_live(OP_OPEN);
	atomic_store(&locked, true);
	atomic_store(&granted, 0);
	atomic_store(&tries, 0);
	offer();
	reg(VIRTIO_MMIO_QUEUE_NOTIFY, REQUESTS);
	while (atomic_load(&tries) < 50)
		(void)usleep(1000);
	n = atomic_load(&tries);
	begin = clock_ms();
	(void)usleep(200000);
	ok(atomic_load(&tries) - n <= (unsigned)(clock_ms() - begin) / 50 + 2, "fifos: the other end is looked for, and not too often");
	atomic_store(&locked, false);
	while (atomic_load(&granted) < 1)
		(void)usleep(1000);
	ok(true, "fifos: until it is there");

	/* given up by a request that a CPU's thread serves */
	make_live(OP_READ);
	describe_request(1, OP_INTERRUPT, 0);
	atomic_store(&locked, true);
	atomic_store(&tries, 0);
	offer();
	reg(VIRTIO_MMIO_QUEUE_NOTIFY, REQUESTS);
	(void)usleep(50000);
	offer_at(1);
	reg(VIRTIO_MMIO_QUEUE_NOTIFY, REQUESTS);
	while (atomic_load(&tries) < 2)
		(void)usleep(1000);
	ok(true, "fifos: what the guest may have given up is looked at");

	make_live(OP_READ);
	atomic_store(&refused, 0);
	for (unsigned i = 0; i < MOST_WAITING + 2; i++)
		offer();
	reg(VIRTIO_MMIO_QUEUE_NOTIFY, REQUESTS);
	while (atomic_load(&refused) < 2)
		(void)usleep(1000);
	ok(true, "fifos: beyond the cap they are refused");

	make_live(OP_READ);
	atomic_store(&locked, true);
	offer();
	reg(VIRTIO_MMIO_QUEUE_NOTIFY, REQUESTS);
	make_live(OP_LOOKUP);
	n = atomic_load(&tries);
	(void)!write(wait_fd, &one, sizeof(one));
	(void)usleep(50000);
	is_int(atomic_load(&tries), n, "fifos: what waited when the device was reset waits no more");
}

static bool worker_takes(uint32_t flags)
{
	struct fuse_write_in in = {.flags = flags};
	unsigned before;

	make_live(OP_WRITE);
	describe_request(0, OP_WRITE, 1);
	memcpy(describe(1, sizeof(in), 0), &in, sizeof(in));
	before = atomic_load(&served);
	offer();
	reg(VIRTIO_MMIO_QUEUE_NOTIFY, REQUESTS);
	wait_served(before + 1);
	return atomic_load(&by_worker);
}

static void test_append(void)
{
	ok(!worker_takes(0) && !worker_takes(O_APPEND) && !worker_takes(O_DIRECT), "small writes are served at once");
	ok(worker_takes(O_APPEND | O_DIRECT), "but parts of one that appends, in their order");
}

int main(void)
{
	struct err e;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)alarm(60);
	if (memory_init(&mem, RAM, &e) < 0)
		return 1;
	(void)sem_init(&entered, 0, 0);
	(void)sem_init(&leave, 0, 0);
	wait_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop_init(&loop, &e) < 0)
		return 1;
	dev = virtio_fs_new(&mem, &loop, NULL, "tag");
	dev->irq_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	driver = pthread_self();
	test_turn();
	test_reset();
	test_waiting();
	test_busy();
	test_append();
	test_fifos();
	_exit(tap_done() | fflush(stdout)); /* the worker never ends */
}
