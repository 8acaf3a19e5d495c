/* SPDX-License-Identifier: Apache-2.0 */
/* memory - guest RAM and the only translation from guest physical addresses to host memory. */
#include "vmm/memory.h"

#include <errno.h>
#include <sys/mman.h>

#include "vmm/x86/layout.h"

/* An access just past either end must fault rather than meet another mapping. */
#define GUARD_BYTES (2ull << 20)
#define PAGE_BYTES 4096ull
#define HUGE_BYTES (2ull << 20)

/* what Linux was seen to touch until its first process runs */
#define EARLY_BYTES (4ull << 20)
#define FIRST_USED (4ull << 20)
#define FIRST_USED_END (12ull << 20)

int memory_init(struct memory *m, uint64_t bytes, struct err *e)
{
	uint64_t span = bytes + 3 * GUARD_BYTES;
	uint8_t *p;

	p = mmap(NULL, span, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return err_sys(e, "reserve %llu bytes for the guest's memory",
			       (unsigned long long)span);
	/* host and guest addresses agree in their low bits, so that huge pages fit */
	m->base = (uint8_t *)(((uintptr_t)p + 2 * GUARD_BYTES - 1) & ~(GUARD_BYTES - 1));
	m->span = p;
	m->span_bytes = span;
	if (mprotect(m->base, bytes, PROT_READ | PROT_WRITE) < 0)
		return err_sys(e, "map %llu bytes of guest memory", (unsigned long long)bytes);
	m->low_bytes = bytes < LAYOUT_LOW_RAM_MAX ? bytes : LAYOUT_LOW_RAM_MAX;
	m->high_bytes = bytes - m->low_bytes;
	/* core dumps and merging would show one guest's secrets to others */
	(void)madvise(m->base, bytes, MADV_DONTDUMP);
	(void)madvise(m->base, bytes, MADV_UNMERGEABLE);
	/* a booting kernel touches thousands of pages: one fault in 2 MiB instead of one in 4 KiB */
	(void)madvise(m->base, bytes, MADV_HUGEPAGE);
	return 0;
}

static void populate(const struct memory *m, uint64_t from, uint64_t to)
{
	for (; from < to; from += HUGE_BYTES)
		(void)madvise(m->base + from, HUGE_BYTES, MADV_POPULATE_WRITE);
}

void memory_warm(const struct memory *m)
{
	uint64_t all = (m->low_bytes + m->high_bytes) & ~(HUGE_BYTES - 1);
	/* descriptions of pages, 64 bytes each, and hash tables */
	uint64_t top = (all / 64 + EARLY_BYTES + HUGE_BYTES - 1) & ~(HUGE_BYTES - 1);

	if (all < top + FIRST_USED_END)
		return; /* so small that it may have to do without */
	populate(m, all - top, all);
	populate(m, FIRST_USED, FIRST_USED_END);
}

void memory_fini(struct memory *m)
{
	if (m->base)
		(void)munmap(m->span, m->span_bytes);
	m->base = NULL;
}

void memory_discard(void *host, uint64_t len)
{
	uintptr_t first = ((uintptr_t)host + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
	uintptr_t end = ((uintptr_t)host + len) & ~(PAGE_BYTES - 1);

	/* a failure leaves the pages where they are: nothing is lost but the saving */
	if (first < end)
		(void)madvise((void *)first, end - first, MADV_DONTNEED);
}

void *memory_host(const struct memory *m, gpa_t gpa, uint64_t len)
{
	if (gpa < m->low_bytes && len <= m->low_bytes - gpa)
		return m->base + gpa;
	if (gpa >= LAYOUT_HIGH_RAM && gpa - LAYOUT_HIGH_RAM < m->high_bytes &&
	    len <= m->high_bytes - (gpa - LAYOUT_HIGH_RAM))
		return m->base + m->low_bytes + (gpa - LAYOUT_HIGH_RAM);
	return NULL;
}
