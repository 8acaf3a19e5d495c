/* SPDX-License-Identifier: Apache-2.0 */
/* test_chain - cursors over scattered buffers, and against a flat model. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "vmm/chain.h"

#define FLAT 4096u

static uint8_t out_mem[FLAT];
static uint8_t in_mem[FLAT];
static struct chain c;

static void reset(void)
{
	for (size_t i = 0; i < FLAT; i++)
		out_mem[i] = (uint8_t)(i * 7 + i / 256);
	memset(in_mem, 0, sizeof(in_mem));
	memset(&c, 0, sizeof(c));
}

/* Cut @bytes of @mem into pieces of the given sizes; the pieces lie end to end. */
static void cut(uint8_t *mem, const size_t *sizes, unsigned n, unsigned *count)
{
	size_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		c.iov[c.n_out + c.n_in] = (struct iovec){mem + at, sizes[i]};
		at += sizes[i];
		(*count)++;
	}
}

static void build(const size_t *outs, unsigned n_out, const size_t *ins, unsigned n_in)
{
	reset();
	cut(out_mem, outs, n_out, &c.n_out);
	cut(in_mem, ins, n_in, &c.n_in);
	chain_rewind(&c);
}

static void test_get(void)
{
	static const size_t outs[] = {0, 3, 0, 0, 5, 1, 0};
	uint8_t d[16] = {0};

	build(outs, 7, NULL, 0);
	is_int(c.out_left, 9, "get: the empty pieces count nothing");
	is_int(c.in_left, 0, "get: nothing to write");
	is_int(chain_get(&c, d, 10), -EBADMSG, "get: more than there is");
	is_int(c.out_left, 9, "get: nothing consumed by the refusal");
	is_int(chain_get(&c, d, 4), 0, "get: across an empty piece");
	is_int(chain_get(&c, d + 4, 5), 0, "get: exactly the rest");
	ok(memcmp(d, out_mem, 9) == 0, "get: the bytes in order");
	is_int(chain_get(&c, d, 1), -EBADMSG, "get: past the end");
	is_int(chain_get(&c, d, 0), 0, "get: nothing of nothing");
	chain_rewind(&c);
	is_int(chain_skip(&c, 8), 0, "skip: nearly all");
	is_int(chain_skip(&c, 2), -EBADMSG, "skip: too much");
	is_int(chain_skip(&c, SIZE_MAX), -EBADMSG, "skip: SIZE_MAX");
	is_int(chain_get(&c, d, 1), 0, "skip: last byte still there");
	is_int(d[0], out_mem[8], "skip: and it is the last");
}

static void test_put(void)
{
	static const size_t outs[] = {4};
	static const size_t ins[] = {2, 0, 4, 1};
	uint8_t d[16];

	memset(d, 0x5a, sizeof(d));
	build(outs, 1, ins, 4);
	is_int(c.in_left, 7, "put: room");
	is_int(chain_put(&c, d, 8), -ENOSPC, "put: too much");
	is_int(c.written, 0, "put: nothing written by the refusal");
	is_int(chain_put(&c, d, 3), 0, "put: across a boundary");
	is_int(chain_put(&c, d, 4), 0, "put: exactly the rest");
	is_int(c.written, 7, "put: written");
	is_int(chain_put(&c, d, 1), -ENOSPC, "put: full");
	ok(memcmp(in_mem, d, 7) == 0 && in_mem[7] == 0, "put: seven bytes and not one more");
	is_int(c.out_left, 4, "put: readable part untouched");
}

static size_t total(const struct iovec *v, int n)
{
	size_t sum = 0;

	for (int i = 0; i < n; i++)
		sum += v[i].iov_len;
	return sum;
}

static void test_iov(void)
{
	static const size_t outs[] = {5, 0, 5};
	static const size_t ins[] = {4, 4, 4};
	static struct iovec v[CHAIN_MAX_IOV];
	int k;

	build(outs, 3, ins, 3);
	is_int(chain_out_iov(&c, 11, v), -EBADMSG, "out_iov: too much");
	k = chain_out_iov(&c, 7, v);
	is_int(k, 2, "out_iov: an empty piece makes no entry");
	is_int(total(v, k), 7, "out_iov: exactly what was asked");
	ok(v[0].iov_base == out_mem && v[1].iov_base == out_mem + 5, "out_iov: where");
	is_int(c.out_left, 10, "out_iov: cursor still");
	is_int(chain_out_iov(&c, 0, v), 0, "out_iov: of nothing");
	k = chain_in_iov(&c, 5, 6, v);
	is_int(k, 2, "in_iov: after a skip");
	ok(v[0].iov_base == in_mem + 5 && v[0].iov_len == 3 && v[1].iov_len == 3, "in_iov: where");
	is_int(chain_in_iov(&c, 5, 8, v), -ENOSPC, "in_iov: one too many");
	is_int(chain_in_iov(&c, 13, 0, v), -ENOSPC, "in_iov: skip past the end");
	is_int(chain_in_iov(&c, SIZE_MAX, 2, v), -ENOSPC, "in_iov: the sum wraps");
	is_int(chain_in_iov(&c, 2, SIZE_MAX, v), -ENOSPC, "in_iov: SIZE_MAX");
	chain_wrote(&c, 5);
	is_int(c.in_left, 7, "wrote: room left");
	k = chain_in_iov(&c, 0, 7, v);
	ok(k == 2 && v[0].iov_base == in_mem + 5, "wrote: cursor moved");
	chain_wrote(&c, 7);
	is_int(c.written, 12, "wrote: all");
}

static void test_full(void)
{
	static size_t ones[CHAIN_MAX_IOV];
	static struct iovec v[CHAIN_MAX_IOV];
	uint8_t d[CHAIN_MAX_IOV];

	for (size_t i = 0; i < CHAIN_MAX_IOV; i++)
		ones[i] = 1;
	build(ones, CHAIN_MAX_IOV, NULL, 0);
	is_int(chain_out_iov(&c, CHAIN_MAX_IOV, v), CHAIN_MAX_IOV, "full: every entry described");
	is_int(chain_get(&c, d, CHAIN_MAX_IOV), 0, "full: every byte copied");
	ok(memcmp(d, out_mem, CHAIN_MAX_IOV) == 0, "full: in order");
	build(NULL, 0, ones, CHAIN_MAX_IOV);
	is_int(chain_put(&c, out_mem, CHAIN_MAX_IOV), 0, "full: written to the last entry");
	ok(memcmp(in_mem, out_mem, CHAIN_MAX_IOV) == 0, "full: in order");
}

static uint32_t seed = 1;

static uint32_t rnd(uint32_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % below;
}

/* One operation on the chain and on the flat buffers. Return: they agree. */
static int agree(size_t *out_at, size_t *in_at)
{
	static struct iovec v[CHAIN_MAX_IOV];
	uint8_t d[64];
	size_t n = rnd(sizeof(d));
	size_t left = c.out_left;
	size_t room = c.in_left;
	int k;

	switch (rnd(4)) {
	case 0:
		k = chain_get(&c, d, n);
		if (k < 0)
			return n > left;
		*out_at += n;
		return n <= left && memcmp(d, out_mem + *out_at - n, n) == 0;
	case 1:
		k = chain_skip(&c, n);
		*out_at += k < 0 ? 0 : n;
		return (k < 0) == (n > left);
	case 2:
		memset(d, (int)rnd(255) + 1, sizeof(d));
		k = chain_put(&c, d, n);
		if (k < 0)
			return n > room;
		*in_at += n;
		return n <= room && memcmp(d, in_mem + *in_at - n, n) == 0;
	default:
		k = chain_in_iov(&c, 0, n, v);
		if (k < 0)
			return n > room;
		chain_wrote(&c, n);
		*in_at += n;
		return total(v, k) == n && (k == 0 || v[0].iov_base == in_mem + *in_at - n);
	}
}

static void test_model(void)
{
	size_t outs[20];
	size_t ins[20];
	int good = 1;

	for (unsigned round = 0; round < 2000 && good; round++) {
		size_t out_at = 0;
		size_t in_at = 0;

		for (unsigned i = 0; i < 20; i++) {
			outs[i] = rnd(4) ? rnd(60) : 0;
			ins[i] = rnd(4) ? rnd(60) : 0;
		}
		build(outs, 20, ins, 20);
		for (unsigned i = 0; i < 60 && good; i++)
			good = agree(&out_at, &in_at) && c.written == in_at;
	}
	ok(good, "model: 2000 random chains behave as flat buffers (seed %u)", seed);
}

int main(void)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)alarm(60);
	test_get();
	test_put();
	test_iov();
	test_full();
	test_model();
	return tap_done();
}
