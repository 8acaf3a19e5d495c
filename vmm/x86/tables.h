/* SPDX-License-Identifier: Apache-2.0 */
/* tables - the MP table that tells the guest its CPUs and interrupt lines (Intel MP spec 1.4). */
#ifndef VMM_X86_TABLES_H
#define VMM_X86_TABLES_H

#include <stdint.h>

#include "vmm/memory.h"

/*
 * Write the table for @vcpus CPUs. @lines: interrupt lines of devices, from LAYOUT_IRQ_FIRST on, LAYOUT_MMIO_LINES at
 * most; each line that is listed costs the guest a dozen exits, used or not.
 */
void tables_write(const struct memory *m, uint32_t vcpus, uint32_t lines);

#endif
