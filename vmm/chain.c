/* SPDX-License-Identifier: Apache-2.0 */
/* chain - one request of a driver as host memory: readable bytes first, then writable ones. */
#include "vmm/chain.h"

#include <errno.h>
#include <string.h>

void chain_rewind(struct chain *c)
{
	c->out_at = 0;
	c->out_off = 0;
	c->in_at = c->n_out;
	c->in_off = 0;
	c->out_left = 0;
	c->in_left = 0;
	c->written = 0;
	for (unsigned i = 0; i < c->n_out; i++)
		c->out_left += c->iov[i].iov_len;
	for (unsigned i = c->n_out; i < c->n_out + c->n_in; i++)
		c->in_left += c->iov[i].iov_len;
}

/* Move a cursor by at most one entry's rest; @n is what is wanted. Return: bytes moved. */
static size_t step(const struct chain *c, unsigned *at, size_t *off, size_t n, uint8_t **out_p)
{
	const struct iovec *v = &c->iov[*at];
	size_t here = v->iov_len - *off;

	*out_p = (uint8_t *)v->iov_base + *off;
	if (here > n) {
		*off += n;
		return n;
	}
	(*at)++;
	*off = 0;
	return here;
}

int chain_get(struct chain *c, void *dst, size_t n)
{
	uint8_t *d = dst;

	if (n > c->out_left)
		return -EBADMSG;
	c->out_left -= n;
	while (n > 0) {
		uint8_t *p;
		size_t done = step(c, &c->out_at, &c->out_off, n, &p);

		memcpy(d, p, done);
		d += done;
		n -= done;
	}
	return 0;
}

int chain_skip(struct chain *c, size_t n)
{
	if (n > c->out_left)
		return -EBADMSG;
	c->out_left -= n;
	while (n > 0) {
		uint8_t *p;

		n -= step(c, &c->out_at, &c->out_off, n, &p);
	}
	return 0;
}

int chain_put(struct chain *c, const void *src, size_t n)
{
	const uint8_t *s = src;

	if (n > c->in_left)
		return -ENOSPC;
	c->in_left -= n;
	c->written += n;
	while (n > 0) {
		uint8_t *p;
		size_t done = step(c, &c->in_at, &c->in_off, n, &p);

		memcpy(p, s, done);
		s += done;
		n -= done;
	}
	return 0;
}

void chain_wrote(struct chain *c, size_t n)
{
	c->in_left -= n;
	c->written += n;
	while (n > 0) {
		uint8_t *p;

		n -= step(c, &c->in_at, &c->in_off, n, &p);
	}
}

static int describe(const struct chain *c, unsigned at, size_t off, size_t skip, size_t n,
		    struct iovec *out_iov)
{
	uint8_t *p;
	int k = 0;

	while (skip > 0)
		skip -= step(c, &at, &off, skip, &p);
	while (n > 0) {
		size_t done = step(c, &at, &off, n, &p);

		n -= done;
		if (done > 0)
			out_iov[k++] = (struct iovec){ .iov_base = p, .iov_len = done };
	}
	return k;
}

int chain_out_iov(struct chain *c, size_t n, struct iovec *out_iov)
{
	if (n > c->out_left)
		return -EBADMSG;
	return describe(c, c->out_at, c->out_off, 0, n, out_iov);
}

int chain_in_iov(struct chain *c, size_t skip, size_t n, struct iovec *out_iov)
{
	if (skip > c->in_left || n > c->in_left - skip)
		return -ENOSPC;
	return describe(c, c->in_at, c->in_off, skip, n, out_iov);
}
