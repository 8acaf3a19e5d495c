/* SPDX-License-Identifier: Apache-2.0 */
/* acpi - tables for a distribution's kernel, which finds virtio-mmio devices in no other way. */
#ifndef VMM_X86_ACPI_H
#define VMM_X86_ACPI_H

#include <stdint.h>

#include "vmm/memory.h"

#define ACPI_MAX_DEVICES 48u /* as many as fit into the room for the tables */

struct acpi_device {
	uint32_t gpa; /* register page of 4 KiB */
	uint32_t irq;
};

/* Write the tables at LAYOUT_ACPI; the root pointer is their first. @n is at most ACPI_MAX_DEVICES. */
void acpi_write(const struct memory *m, uint32_t vcpus, const struct acpi_device *devices, uint32_t n);

#endif
