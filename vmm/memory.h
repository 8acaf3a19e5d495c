/* SPDX-License-Identifier: Apache-2.0 */
/* memory - guest RAM and the only translation from guest physical addresses to host memory. */
#ifndef VMM_MEMORY_H
#define VMM_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/base/err.h"

typedef uint64_t gpa_t;

/* Two ranges of guest memory, back to back in one host mapping with guard regions at both ends. */
struct memory {
	uint8_t *base;
	uint64_t low_bytes;  /* at gpa 0 */
	uint64_t high_bytes; /* at LAYOUT_HIGH_RAM */
	void *span;	     /* the mapping with its guards */
	uint64_t span_bytes;
};

int memory_init(struct memory *m, uint64_t bytes, struct err *e) MUST_CHECK;
void memory_fini(struct memory *m);

/*
 * Translate a range. Return: host address, or NULL unless all of [gpa, gpa + len) is one range of RAM.
 * Context: any thread. The guest may change what is there at any moment.
 */
void *memory_host(const struct memory *m, gpa_t gpa, uint64_t len);

/*
 * Have memory ready that every kernel touches while it boots: what it allocates early, at the top, and where its
 * allocator begins. Clearing a huge page takes long, and the vCPU need not wait for it. Returns when it is done; a
 * failure (a limit, an old kernel) costs only time. Context: any thread, while the guest runs.
 */
void memory_warm(const struct memory *m);

/*
 * Give the whole pages of a translated range back to the host; they read as zeros, or as the file they were
 * mapped from, when they are touched again. Context: any thread.
 */
void memory_discard(void *host, uint64_t len);

#endif
