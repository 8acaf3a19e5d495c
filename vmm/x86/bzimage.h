/* SPDX-License-Identifier: Apache-2.0 */
/* bzimage - a distribution's kernel, which unpacks itself (Linux Documentation/arch/x86/boot.rst). */
#ifndef VMM_X86_BZIMAGE_H
#define VMM_X86_BZIMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/err.h"
#include "vmm/memory.h"

#define BZIMAGE_SETUP 0x1f1u	 /* where the setup header begins, in the file and in the zero page */
#define BZIMAGE_SETUP_MAX 0x290u /* where it ends at the latest: the zero page has other things there */

/* What the setup header says, checked. */
struct bzimage {
	uint64_t offset;   /* of the protected-mode part in the file */
	uint64_t bytes;	   /* of it */
	gpa_t load;	   /* where it wants to be; also its 32-bit entry point */
	uint64_t run_bytes; /* what it needs from there while it unpacks itself */
	gpa_t initrd_end;  /* the initrd must end here at the latest */
	uint32_t cmdline_max; /* bytes without NUL */
	size_t setup_end;
	uint8_t setup[BZIMAGE_SETUP_MAX]; /* the file's first bytes up to setup_end */
};

/* Return: whether the file that begins with @head (at least BZIMAGE_SETUP_MAX bytes) calls itself one. */
bool bzimage_is(const uint8_t *head);

/* Check the header of a file of @file_bytes that begins with @head (BZIMAGE_SETUP_MAX bytes). Pure. */
int bzimage_parse(const uint8_t *head, uint64_t file_bytes, struct bzimage *out,
		  struct err *e) MUST_CHECK;

/* Read the protected-mode part into guest memory. */
int bzimage_load(const struct bzimage *b, const struct memory *m, int fd, struct err *e) MUST_CHECK;

/* What the kernel is told in its zero page. */
struct bzimage_info {
	gpa_t cmdline;
	gpa_t initrd;
	uint64_t initrd_bytes;
	gpa_t rsdp;
};

/* Write the zero page at LAYOUT_ZERO_PAGE. */
void bzimage_write_zero_page(const struct bzimage *b, const struct memory *m,
			     const struct bzimage_info *info);

#endif
