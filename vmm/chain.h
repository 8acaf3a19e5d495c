/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chain - one request of a driver as host memory: readable bytes first, then writable ones.
 *
 * virtq_pop() makes chains out of descriptors, having checked each one; tests make them by hand.
 * The memory behind a chain belongs to the guest and may change at any moment: copy once with
 * chain_get(), check the copy, use the copy.
 */
#ifndef VMM_CHAIN_H
#define VMM_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "runtime/base/err.h"

/* Cap: pieces of memory in one chain, both directions together. Also the largest queue we offer. */
#define CHAIN_MAX_IOV 512

struct chain {
	uint16_t head;	 /* for virtq_push() */
	unsigned n_out;	 /* iov[0 .. n_out): device-readable */
	unsigned n_in;	 /* iov[n_out .. n_out + n_in): device-writable */
	unsigned out_at; /* cursor: index and offset of the next readable byte */
	size_t out_off;
	unsigned in_at; /* cursor of the next writable byte */
	size_t in_off;
	size_t out_left; /* bytes still to read, to write */
	size_t in_left;
	size_t written; /* bytes put so far: used.len */
	struct iovec iov[CHAIN_MAX_IOV];
};

/* Set the cursors of a chain whose iov, n_out and n_in are filled in. */
void chain_rewind(struct chain *c);

/* Copy the next @n readable bytes. Return: 0, or -EBADMSG when there are fewer (nothing consumed). */
int chain_get(struct chain *c, void *dst, size_t n) MUST_CHECK;

/* Copy @n bytes to the next writable ones. Return: 0, or -ENOSPC when they don't fit. */
int chain_put(struct chain *c, const void *src, size_t n) MUST_CHECK;

/* Skip @n readable bytes. Return: 0 or -EBADMSG. */
int chain_skip(struct chain *c, size_t n) MUST_CHECK;

/*
 * Describe the next @n readable (writable) bytes for readv/writev without copying them.
 * Return: number of entries in @out_iov (at most CHAIN_MAX_IOV), or -EBADMSG/-ENOSPC when there are
 * fewer than @n. The cursor does not move: call chain_skip() or chain_wrote() afterwards.
 */
int chain_out_iov(struct chain *c, size_t n, struct iovec *out_iov) MUST_CHECK;
int chain_in_iov(struct chain *c, size_t skip, size_t n, struct iovec *out_iov) MUST_CHECK;

/* Account for @n bytes written through chain_in_iov(.., 0, ..). @n is at most in_left. */
void chain_wrote(struct chain *c, size_t n);

#endif
