/* SPDX-License-Identifier: Apache-2.0 */
/* patched - copy those pages of a mapped kernel that it will write to, before it runs. */
#include "vmm/x86/patched.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define MAX_SECTIONS 128u
#define MAX_NAMES 8192u
#define MAX_TABLE (64u << 10)
#define MAX_PAGES 16384u /* of a text of 64 MiB */
#define PAGE 4096ull

/* sizeof(struct alt_instr) of Linux 6.3 and later (arch/x86/include/asm/alternative.h) */
#define ALTERNATIVE_BYTES 14u
/* an entry of asm/runtime-const.h */
#define CONSTANT_BYTES 4u

static bool read_whole(int fd, void *dst, uint64_t n, uint64_t at)
{
	return pread(fd, dst, n, (off_t)at) == (ssize_t)n;
}

/* A file's section headers. */
struct sections {
	Elf64_Shdr headers[MAX_SECTIONS];
	char names[MAX_NAMES];
	uint64_t names_bytes;
	uint16_t n;
};

static bool read_sections(int fd, const Elf64_Ehdr *eh, struct sections *out)
{
	if (eh->e_shentsize != sizeof(out->headers[0]) || eh->e_shnum > MAX_SECTIONS ||
	    eh->e_shstrndx >= eh->e_shnum ||
	    !read_whole(fd, out->headers, eh->e_shnum * sizeof(out->headers[0]), eh->e_shoff))
		return false;
	out->n = eh->e_shnum;
	out->names_bytes = out->headers[eh->e_shstrndx].sh_size;
	return out->names_bytes <= sizeof(out->names) &&
	       read_whole(fd, out->names, out->names_bytes, out->headers[eh->e_shstrndx].sh_offset);
}

/* Whether the name of @s begins with @start. */
static bool is_named(const struct sections *all, const Elf64_Shdr *s, const char *start)
{
	size_t n = strlen(start);

	return n <= all->names_bytes && s->sh_name <= all->names_bytes - n &&
	       memcmp(all->names + s->sh_name, start, n) == 0;
}

/* What is being copied: a segment, and which of its pages are done. */
struct copying {
	const struct memory *memory;
	const Elf64_Phdr *segment;
	uint64_t mapped;
	uint32_t copied;
	uint8_t done[MAX_PAGES];
};

/* Copy the page at @offset of the segment, if it is one of those mapped. */
static void copy_page(struct copying *c, uint64_t offset)
{
	volatile uint8_t *byte;

	if (offset >= c->mapped || offset / PAGE >= MAX_PAGES || c->done[offset / PAGE])
		return;
	c->done[offset / PAGE] = 1;
	byte = memory_host(c->memory, c->segment->p_paddr + offset, 1);
	if (!byte)
		return;
	*byte = *byte; /* a write is what copies */
	c->copied++;
}

/* The pages of the instructions that @table names: entries of @entry_bytes that begin with their distance. */
static void copy_sites(struct copying *c, int fd, const Elf64_Shdr *table, uint64_t entry_bytes)
{
	static uint8_t entries[MAX_TABLE];

	if (table->sh_size > sizeof(entries) || table->sh_size % entry_bytes ||
	    !read_whole(fd, entries, table->sh_size, table->sh_offset))
		return;
	for (uint64_t at = 0; at < table->sh_size; at += entry_bytes) {
		int32_t from_here;

		memcpy(&from_here, entries + at, sizeof(from_here));
		copy_page(c, table->sh_addr + at + (uint64_t)(int64_t)from_here - c->segment->p_vaddr);
	}
}

/* Every page of section @s; whole ones, for so much is written to. */
static void copy_section(struct copying *c, const Elf64_Shdr *s)
{
	uint64_t first = s->sh_addr - c->segment->p_vaddr;

	for (uint64_t at = 0; at < s->sh_size && at < c->mapped; at += PAGE)
		copy_page(c, first + at);
	if (s->sh_size > 0)
		copy_page(c, first + s->sh_size - 1);
}

uint32_t patched_copy(const struct memory *m, int fd, const Elf64_Ehdr *eh, const Elf64_Phdr *segment,
		      uint64_t mapped)
{
	static struct copying c;
	static struct sections all;

	if (!read_sections(fd, eh, &all))
		return 0;
	c = (struct copying){ .memory = m, .segment = segment, .mapped = mapped };
	for (const Elf64_Shdr *s = all.headers; s < all.headers + all.n; s++) {
		if (is_named(&all, s, ".altinstructions"))
			copy_sites(&c, fd, s, ALTERNATIVE_BYTES);
		else if (is_named(&all, s, "runtime_shift_") || is_named(&all, s, "runtime_ptr_"))
			copy_sites(&c, fd, s, CONSTANT_BYTES);
		else if (is_named(&all, s, ".ro_after_init"))
			copy_section(&c, s);
	}
	return c.copied;
}
