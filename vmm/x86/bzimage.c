/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bzimage - a distribution's kernel, which unpacks itself (Linux Documentation/arch/x86/boot.rst).
 *
 * Entered in 32-bit mode at the beginning of its protected-mode part, with esi pointing to the zero page;
 * the real-mode part is not run. Nothing is unpacked here: the file may be anybody's, and what it does is
 * done inside the guest. Of the setup header only sizes and addresses are used, and all are checked.
 */
#include "vmm/x86/bzimage.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "vmm/x86/layout.h"

/* Offsets in the file and in the zero page alike. */
enum {
	AT_ACPI_RSDP = 0x070,
	AT_E820_COUNT = 0x1e8,
	AT_SETUP_SECTS = 0x1f1,
	AT_SYSSIZE = 0x1f4,
	AT_BOOT_FLAG = 0x1fe,
	AT_JUMP = 0x200,
	AT_HEADER = 0x202,
	AT_VERSION = 0x206,
	AT_LOADER = 0x210,
	AT_LOADFLAGS = 0x211,
	AT_CODE32 = 0x214,
	AT_RAMDISK = 0x218,
	AT_RAMDISK_SIZE = 0x21c,
	AT_CMDLINE = 0x228,
	AT_INITRD_MAX = 0x22c,
	AT_ALIGNMENT = 0x230,
	AT_XLOADFLAGS = 0x236,
	AT_CMDLINE_SIZE = 0x238,
	AT_PREF_ADDRESS = 0x258,
	AT_INIT_SIZE = 0x260,
	AT_E820 = 0x2d0,
	ZERO_PAGE_BYTES = 4096,
};

#define SECTOR 512u
#define DEFAULT_SECTORS 4u /* what setup_sects 0 means */
#define PARAGRAPH 16u	   /* unit of syssize */
#define LEAST_VERSION 0x20cu /* 2.12 (Linux 3.8): xloadflags */
#define LOADED_HIGH 1u
#define XLF_KERNEL_64 1u
#define LOADER_UNDEFINED 0xffu
#define E820_RAM 1u
#define E820_RESERVED 2u
#define PIECE (1u << 20)

static uint64_t get(const uint8_t *p, size_t at, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, p + at, n);
	return v;
}

static void put(uint8_t *p, size_t at, uint64_t v, size_t n)
{
	memcpy(p + at, &v, n);
}

static int refuse(struct err *e, const char *why)
{
	return err_set(e, ENOEXEC, "kernel image: bzImage: %s", why);
}

bool bzimage_is(const uint8_t *head)
{
	return get(head, AT_BOOT_FLAG, 2) == 0xaa55 && memcmp(head + AT_HEADER, "HdrS", 4) == 0;
}

/* Where in the file the protected-mode part is. */
static int parse_extent(const uint8_t *head, uint64_t file_bytes, struct bzimage *b, struct err *e)
{
	uint64_t sectors = get(head, AT_SETUP_SECTS, 1);

	b->offset = ((sectors ? sectors : DEFAULT_SECTORS) + 1) * SECTOR;
	if (b->offset >= file_bytes)
		return refuse(e, "it is cut short");
	b->bytes = file_bytes - b->offset;
	/* the last paragraph need not be whole; a signature may follow */
	if (get(head, AT_SYSSIZE, 4) * PARAGRAPH > b->bytes + PARAGRAPH - 1)
		return refuse(e, "it is cut short");
	return 0;
}

/* Where in memory it wants to be. */
static int parse_place(const uint8_t *head, struct bzimage *b, struct err *e)
{
	uint64_t align = get(head, AT_ALIGNMENT, 4);

	b->load = get(head, AT_PREF_ADDRESS, 8);
	b->run_bytes = get(head, AT_INIT_SIZE, 4);
	if (b->load < LAYOUT_HIGH_START || b->load >= LAYOUT_LOW_RAM_MAX)
		return refuse(e, "it wants to be below 1 MiB or above 3 GiB");
	if (align == 0 || (align & (align - 1)) != 0 || b->load % align)
		return refuse(e, "its alignment is odd");
	if (b->run_bytes < b->bytes)
		return refuse(e, "it needs less memory than it has bytes");
	return 0;
}

int bzimage_parse(const uint8_t *head, uint64_t file_bytes, struct bzimage *out, struct err *e)
{
	struct bzimage b = { 0 };

	if (file_bytes < BZIMAGE_SETUP_MAX || !bzimage_is(head))
		return refuse(e, "it is none");
	if (get(head, AT_VERSION, 2) < LEAST_VERSION)
		return refuse(e, "older than boot protocol 2.12");
	if (!(get(head, AT_LOADFLAGS, 1) & LOADED_HIGH) ||
	    !(get(head, AT_XLOADFLAGS, 2) & XLF_KERNEL_64))
		return refuse(e, "not a 64-bit kernel");
	b.setup_end = AT_HEADER + get(head, AT_JUMP + 1, 1);
	if (b.setup_end < AT_INIT_SIZE + 4 || b.setup_end > BZIMAGE_SETUP_MAX)
		return refuse(e, "its setup header is odd");
	if (parse_extent(head, file_bytes, &b, e) < 0 || parse_place(head, &b, e) < 0)
		return -e->code;
	b.initrd_end = get(head, AT_INITRD_MAX, 4) + 1;
	b.cmdline_max = (uint32_t)get(head, AT_CMDLINE_SIZE, 4);
	memcpy(b.setup, head, b.setup_end);
	*out = b;
	return 0;
}

int bzimage_load(const struct bzimage *b, const struct memory *m, int fd, struct err *e)
{
	uint8_t *host = memory_host(m, b->load, b->run_bytes);

	if (!host || b->load + b->run_bytes > m->low_bytes)
		return err_set(e, ENOMEM, "kernel image: does not fit into %llu MiB of memory",
			       (unsigned long long)(m->low_bytes >> 20));
	for (uint64_t at = 0; at < b->bytes;) {
		uint64_t n = b->bytes - at < PIECE ? b->bytes - at : PIECE;
		ssize_t got = pread(fd, host + at, n, (off_t)(b->offset + at));

		if (got < 0)
			return err_sys(e, "kernel image: read");
		if (got == 0)
			return refuse(e, "it is cut short");
		at += (uint64_t)got;
	}
	return 0;
}

static void add_e820(uint8_t *page, gpa_t from, gpa_t to, uint32_t type)
{
	uint64_t n = get(page, AT_E820_COUNT, 1);
	size_t at = AT_E820 + n * 20;

	put(page, at, from, 8);
	put(page, at + 8, to - from, 8);
	put(page, at + 16, type, 4);
	put(page, AT_E820_COUNT, n + 1, 1);
}

void bzimage_write_zero_page(const struct bzimage *b, const struct memory *m,
			     const struct bzimage_info *info)
{
	uint8_t *page = memory_host(m, LAYOUT_ZERO_PAGE, ZERO_PAGE_BYTES);

	memset(page, 0, ZERO_PAGE_BYTES);
	memcpy(page + BZIMAGE_SETUP, b->setup + BZIMAGE_SETUP, b->setup_end - BZIMAGE_SETUP);
	put(page, AT_LOADER, LOADER_UNDEFINED, 1);
	put(page, AT_CODE32, b->load, 4);
	put(page, AT_CMDLINE, info->cmdline, 4);
	put(page, AT_RAMDISK, info->initrd, 4);
	put(page, AT_RAMDISK_SIZE, info->initrd_bytes, 4);
	put(page, AT_ACPI_RSDP, info->rsdp, 8);
	add_e820(page, 0, LAYOUT_LOW_END, E820_RAM);
	add_e820(page, LAYOUT_LOW_END, LAYOUT_HIGH_START, E820_RESERVED);
	add_e820(page, LAYOUT_HIGH_START, m->low_bytes, E820_RAM);
	if (m->high_bytes > 0)
		add_e820(page, LAYOUT_HIGH_RAM, LAYOUT_HIGH_RAM + m->high_bytes, E820_RAM);
}
