/* SPDX-License-Identifier: Apache-2.0 */
/* boot - put a kernel into guest memory: an ELF file started through PVH, or a bzImage. */
#ifndef VMM_X86_BOOT_H
#define VMM_X86_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/err.h"
#include "vmm/memory.h"
#include "vmm/x86/bzimage.h"

struct boot_kernel {
	uint32_t entry;	       /* in 32-bit protected mode */
	bool is_bzimage;
	struct bzimage bzimage; /* if it is one */
	gpa_t end;	       /* after the last byte that the kernel occupies */
	gpa_t shared;	       /* the largest piece that is mapped from the file: text and constants */
	uint64_t shared_bytes; /* whole pages, or 0 */
};

/* Load the PT_LOAD segments of an ELF kernel, or a bzImage. @out: zeroed by the caller. */
int boot_load_kernel(const struct memory *m, int fd, struct boot_kernel *out,
		     struct err *e) MUST_CHECK;

/* Copy the initrd to the top of low memory, above the kernel, and write the start information. */
int boot_write_info(const struct memory *m, const struct boot_kernel *k, int initrd_fd,
		    const char *cmdline, struct err *e) MUST_CHECK;

#endif
