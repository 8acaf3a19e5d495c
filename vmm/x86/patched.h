/* SPDX-License-Identifier: Apache-2.0 */
/*
 * patched - copy those pages of a mapped kernel that it will write to, before it runs.
 *
 * Linux replaces instructions by those that suit the CPU (alternatives), puts addresses into them that boot decides
 * (runtime constants), and writes its "read only after init" data once. A page that is mapped from the kernel's file
 * then costs the guest two exits, one that takes the shared page away and one that maps the copy. Which pages these are
 * stands in the file.
 */
#ifndef VMM_X86_PATCHED_H
#define VMM_X86_PATCHED_H

#include <elf.h>
#include <stdint.h>

#include "vmm/memory.h"

/*
 * Copy the pages of @segment, a segment of the ELF file @fd whose first @mapped bytes are mapped into @m, that
 * sections .altinstructions and runtime_* name or section .ro_after_init (of our own kernel) takes up. It only saves
 * time: a file without them, or with another form of them, is left as it is. Return: how many pages.
 */
uint32_t patched_copy(const struct memory *m, int fd, const Elf64_Ehdr *eh, const Elf64_Phdr *segment,
		      uint64_t mapped);

#endif
