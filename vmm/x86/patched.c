/* SPDX-License-Identifier: Apache-2.0 */
/* patched - copy those pages of a kernel's text that it will patch, before it runs. */
#include "vmm/x86/patched.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define MAX_SECTIONS 128u
#define MAX_NAMES 8192u
#define MAX_TABLE (64u << 10)
#define MAX_PAGES 16384u /* of a text of 64 MiB */
#define PAGE 4096ull

/* struct alt_instr of Linux 6.3 and later (arch/x86/include/asm/alternative.h) */
struct site {
	int32_t instruction; /* from here */
	int32_t replacement;
	uint32_t feature;
	uint8_t bytes;
	uint8_t replacement_bytes;
} __attribute__((packed));

_Static_assert(sizeof(struct site) == 14, "Linux");

static bool read_whole(int fd, void *dst, uint64_t n, uint64_t at)
{
	return pread(fd, dst, n, (off_t)at) == (ssize_t)n;
}

static bool find_table(int fd, const Elf64_Ehdr *eh, Elf64_Shdr *out)
{
	static const char wanted[] = ".altinstructions";
	Elf64_Shdr sections[MAX_SECTIONS];
	char names[MAX_NAMES];
	const Elf64_Shdr *s;
	uint64_t n;

	if (eh->e_shentsize != sizeof(sections[0]) || eh->e_shnum > MAX_SECTIONS ||
	    eh->e_shstrndx >= eh->e_shnum ||
	    !read_whole(fd, sections, eh->e_shnum * sizeof(sections[0]), eh->e_shoff))
		return false;
	n = sections[eh->e_shstrndx].sh_size;
	if (n > sizeof(names) || !read_whole(fd, names, n, sections[eh->e_shstrndx].sh_offset))
		return false;
	for (s = sections; s < sections + eh->e_shnum; s++)
		if (n >= sizeof(wanted) && s->sh_name <= n - sizeof(wanted) &&
		    memcmp(names + s->sh_name, wanted, sizeof(wanted)) == 0) {
			*out = *s;
			return true;
		}
	return false;
}

uint32_t patched_copy(const struct memory *m, int fd, const Elf64_Ehdr *eh, const Elf64_Phdr *text,
		      uint64_t mapped)
{
	static struct site sites[MAX_TABLE / sizeof(struct site)];
	static uint8_t done[MAX_PAGES];
	uint32_t copied = 0;
	Elf64_Shdr table;

	if (!find_table(fd, eh, &table) || table.sh_size > sizeof(sites) ||
	    table.sh_size % sizeof(sites[0]) || !read_whole(fd, sites, table.sh_size, table.sh_offset))
		return 0;
	memset(done, 0, sizeof(done));
	for (uint64_t i = 0; i < table.sh_size / sizeof(sites[0]); i++) {
		uint64_t at = table.sh_addr + i * sizeof(sites[0]) + (uint64_t)(int64_t)sites[i].instruction -
			      text->p_vaddr;
		volatile uint8_t *byte;

		if (at >= mapped || at / PAGE >= MAX_PAGES || done[at / PAGE])
			continue;
		done[at / PAGE] = 1;
		byte = memory_host(m, text->p_paddr + at, 1);
		if (!byte)
			continue;
		*byte = *byte; /* a write is what copies */
		copied++;
	}
	return copied;
}
