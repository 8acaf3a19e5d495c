/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_virtq - a guest's memory full of anything, popped as a queue.
 *
 * The input is size, flags and then the memory image (rings at fixed places, repeated to fill).
 * Built with -fsanitize=fuzzer, or with -DFUZZ_FILES to run over the files named on the command
 * line.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/virtq.h"

#define RAM (64u << 10)
#define MAX_POPS 600u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static struct memory mem;
static struct chain c;

static void check(const struct iovec *v)
{
	uint8_t *p = v->iov_base;

	if (p < mem.base || p > mem.base + RAM || v->iov_len > (size_t)(mem.base + RAM - p))
		abort();
}

static void use(struct virtq *q)
{
	uint8_t buf[100];
	size_t sum = 0;

	if (c.n_out + c.n_in > CHAIN_MAX_IOV || c.head >= q->size)
		abort();
	for (unsigned i = 0; i < c.n_out + c.n_in; i++) {
		check(&c.iov[i]);
		sum += c.iov[i].iov_len;
	}
	if (sum != c.out_left + c.in_left)
		abort();
	while (c.out_left > 0) {
		size_t part = c.out_left < sizeof(buf) ? c.out_left : sizeof(buf);

		if (chain_get(&c, buf, part) < 0 || chain_skip(&c, c.out_left / 2) < 0)
			abort();
	}
	memset(buf, 0x41, sizeof(buf));
	while (c.in_left > 0 && c.written < 1000)
		if (chain_put(&c, buf, c.in_left < sizeof(buf) ? c.in_left : sizeof(buf)) < 0)
			abort();
	virtq_push(q, c.head, (uint32_t)c.written);
	(void)virtq_needs_signal(q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct virtq q;
	struct err e;
	unsigned pops = 0;

	if (!mem.base && memory_init(&mem, RAM, &e) < 0)
		abort();
	if (n < 10)
		return 0;
	virtq_init(&q, &mem, CHAIN_MAX_IOV);
	q.size = (uint16_t)(1u << (data[0] % 10));
	if (data[0] >= 0xf0)
		memcpy(&q.size, data + 2, sizeof(q.size));
	q.event_idx = data[1] & 1;
	q.desc_gpa = data[4] * 16ull;
	q.avail_gpa = 0x4000 + data[5] * 2ull;
	q.used_gpa = data[1] & 2 ? data[6] * 4ull : 0x8000; /* over the descriptors, at times */
	q.last_avail = (uint16_t)(data[7] * 257);
	for (size_t at = 0; at < RAM; at += n - 8)
		memcpy(mem.base + at, data + 8, n - 8 < RAM - at ? n - 8 : RAM - at);
	if (virtq_enable(&q) < 0)
		return 0;
	while (pops++ < MAX_POPS && virtq_pop(&q, &c) > 0)
		use(&q);
	return 0;
}

#ifdef FUZZ_FILES
int main(int argc, char **argv)
{
	static uint8_t input[1 << 16];

	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, input, sizeof(input));

		if (n >= 0)
			(void)LLVMFuzzerTestOneInput(input, (size_t)n);
		(void)close(fd);
	}
	return 0;
}
#endif
