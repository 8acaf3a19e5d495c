/* SPDX-License-Identifier: Apache-2.0 */
/* test_virtio_fs - who serves requests, for how long, and what a reset waits for. The server is a fake. */
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
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
#define OP_FSYNC 20u
#define TURN 64u

static struct memory mem;
static struct virtio_dev *dev;
static uint16_t avail;
static atomic_uint served, sessions_ended;
static atomic_int feed;    /* requests that the fake guest still adds while it is served */
static atomic_bool hold;   /* the next service waits in the server */
static atomic_bool inside; /* a service is in the server */
static atomic_bool reset_done;
static sem_t entered, leave;

static void offer(void)
{
	uint16_t slot = avail % RING;

	memcpy(mem.base + AVAIL + 4 + 2ull * slot, &(uint16_t){0}, 2);
	avail++;
	__atomic_store_n((uint16_t *)(void *)(mem.base + AVAIL + 2), avail, __ATOMIC_RELEASE);
}

enum fs_result fs_serve(struct fs_server *fs, struct chain *c)
{
	(void)fs;
	(void)c;
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

void fs_end_session(struct fs_server *fs)
{
	(void)fs;
	atomic_fetch_add(&sessions_ended, 1);
}

static void reg(uint32_t offset, uint32_t v)
{
	virtio_mmio_write(dev, offset, &v, sizeof(v));
}

static void make_live(uint32_t opcode)
{
	uint32_t head[10] = {40, opcode};
	uint8_t d[16] = {0};
	uint64_t at = BUF;
	uint32_t len = sizeof(head);

	reg(0x70, 0); /* what is still under way goes nowhere */
	memset(mem.base + DESC, 0, 0x10000);
	memcpy(mem.base + BUF, head, sizeof(head));
	memcpy(d, &at, 8);
	memcpy(d + 8, &len, 4);
	memcpy(mem.base + DESC, d, sizeof(d));
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

int main(void)
{
	struct err e;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)alarm(60);
	if (memory_init(&mem, RAM, &e) < 0)
		return 1;
	(void)sem_init(&entered, 0, 0);
	(void)sem_init(&leave, 0, 0);
	dev = virtio_fs_new(&mem, NULL, "tag");
	dev->irq_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	test_turn();
	test_reset();
	_exit(tap_done() | fflush(stdout)); /* the worker never ends */
}
