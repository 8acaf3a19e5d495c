/* SPDX-License-Identifier: Apache-2.0 */
/* boot - put a kernel into guest memory: an ELF file started through PVH, or a bzImage. */
#ifndef VMM_X86_BOOT_H
#define VMM_X86_BOOT_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/err.h"
#include "vmm/memory.h"
#include "vmm/x86/bzimage.h"

#define BOOT_MAX_SEGMENTS 32u

/* Bytes of the file that still have to be read. */
struct boot_piece {
	gpa_t gpa;
	uint64_t bytes;
	uint64_t offset;
};

struct boot_kernel {
	uint32_t entry;	       /* in 32-bit protected mode */
	bool is_bzimage;
	struct bzimage bzimage; /* if it is one */
	gpa_t end;	       /* after the last byte that the kernel occupies */
	gpa_t shared;	       /* the largest piece that is mapped from the file: text and constants */
	uint64_t shared_bytes; /* whole pages, or 0 */
	Elf64_Ehdr header;     /* of an ELF file, with the segment that the largest piece is of */
	Elf64_Phdr text;
	unsigned n_rest;
	struct boot_piece rest[BOOT_MAX_SEGMENTS];
};

/*
 * Map what can be mapped of an ELF kernel's PT_LOAD segments, or load a bzImage. @out: zeroed by the caller.
 */
int boot_load_kernel(const struct memory *m, int fd, struct boot_kernel *out,
		     struct err *e) MUST_CHECK;

/* Read the rest from the same file. */
int boot_load_rest(const struct memory *m, int fd, const struct boot_kernel *k, struct err *e) MUST_CHECK;

/* Copy the pages of the largest piece, which there must be, that the kernel will write to: x86/patched.h. */
void boot_copy_patched(const struct memory *m, int fd, const struct boot_kernel *k);

/* Copy the initrd to the top of low memory, above the kernel, and write the start information. */
int boot_write_info(const struct memory *m, const struct boot_kernel *k, int initrd_fd,
		    const char *cmdline, struct err *e) MUST_CHECK;

#endif
