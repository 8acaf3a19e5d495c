/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio_guest - a guest by hand: its memory, and the driver of a device with two queues for who defines
 * RING (entries of a queue) and TURNS (most events that turn() serves).
 */
#ifndef TESTS_UNIT_VIRTIO_GUEST_H
#define TESTS_UNIT_VIRTIO_GUEST_H

#include <stdint.h>
#include <string.h>

#include "vmm/memory.h"

static struct memory mem;

static inline void *at(gpa_t gpa)
{
	return mem.base + gpa;
}

static inline uint16_t r16(gpa_t gpa)
{
	uint16_t v;

	memcpy(&v, at(gpa), sizeof(v));
	return v;
}

static inline uint32_t r32(gpa_t gpa)
{
	uint32_t v;

	memcpy(&v, at(gpa), sizeof(v));
	return v;
}

static inline void w16(gpa_t gpa, unsigned v)
{
	uint16_t x = (uint16_t)v;

	memcpy(at(gpa), &x, sizeof(x));
}

/* Descriptor @i of @table. */
static inline void put(gpa_t table, unsigned i, uint64_t addr, uint32_t len, unsigned flags, unsigned next)
{
	uint8_t *d = at(table + i * 16ull);
	uint16_t tail[2] = {(uint16_t)flags, (uint16_t)next};

	memcpy(d, &addr, 8);
	memcpy(d + 8, &len, 4);
	memcpy(d + 12, tail, 4);
}

#ifdef RING

#include <pthread.h>
#include <sys/epoll.h>

#include "vmm/loop.h"
#include "vmm/virtio_mmio.h"

/* of a queue: descriptors, + 0x1000: available ring, + 0x2000: used ring */
#define QUEUE(k) (0x10000ull * ((k) + 1))
#define RX 0u
#define TX 1u

static struct loop loop;
static struct virtio_dev *dev;
static uint16_t avail[2], seen[2];

static inline void desc(unsigned q, unsigned i, uint64_t addr, uint32_t len, unsigned flags, unsigned next)
{
	put(QUEUE(q), i, addr, len, flags, next);
}

static inline void offer(unsigned q, unsigned head)
{
	w16(QUEUE(q) + 0x1004 + 2ull * (avail[q] % RING), head);
	w16(QUEUE(q) + 0x1002, ++avail[q]);
}

static inline void reg(uint32_t offset, uint32_t v)
{
	virtio_mmio_write(dev, offset, &v, sizeof(v));
}

static inline void kick(unsigned q)
{
	(void)pthread_mutex_lock(&dev->lock);
	if (virtio_live(dev))
		dev->ops->notify(dev, q);
	(void)pthread_mutex_unlock(&dev->lock);
}

/* Serve host descriptors until they are quiet. Return: events served. */
static inline int turn(void)
{
	struct epoll_event ee;
	int n = 0;

	for (; n < TURNS && epoll_wait(loop.epoll_fd, &ee, 1, 0) > 0; n++) {
		struct event *ev = ee.data.ptr;

		ev->ready = ee.events;
		ev->on_ready(ev);
	}
	return n;
}

/* Reset the device and bring it up anew. @low: features 0 to 31; VERSION_1 is always taken. */
static inline void negotiate(uint32_t low)
{
	reg(0x70, 0);
	reg(0x70, 3);
	reg(0x24, 0);
	reg(0x20, low);
	reg(0x24, 1);
	reg(0x20, 1);
	reg(0x70, 11);
	for (unsigned q = 0; q < 2; q++) {
		memset(at(QUEUE(q)), 0, 0x3000);
		avail[q] = 0;
		seen[q] = 0;
		reg(0x30, q);
		reg(0x38, RING);
		reg(0x80, (uint32_t)QUEUE(q));
		reg(0x90, (uint32_t)QUEUE(q) + 0x1000);
		reg(0xa0, (uint32_t)QUEUE(q) + 0x2000);
		reg(0x44, 1);
	}
	reg(0x70, 15);
}

#endif

#endif
