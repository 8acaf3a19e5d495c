/* SPDX-License-Identifier: Apache-2.0 */
/*
 * layout - every guest physical address and interrupt number of the machine.
 *
 *   0x0000_0000  RAM
 *   0x0000_6000    hvm_start_info, its module list and memory map (one page)
 *   0x0000_7000    Linux zero page (bzImage only)
 *   0x0002_0000    kernel command line
 *   0x0009_fc00  end of low RAM as told to the guest
 *   0x000e_0000    ACPI tables (bzImage only)
 *   0x000f_0000    MP table (both reserved in the memory map)
 *   0x0010_0000  RAM: kernel at its p_paddr, initrd at the top
 *   0xc000_0000  end of low RAM at most
 *   0xd000_0000  virtio-mmio: one page per device
 *   0xfec0_0000  I/O APIC      0xfee0_0000  local APIC (both in the host kernel)
 *   0xfffb_d000  KVM's TSS and identity map pages (Intel)
 * 0x1_0000_0000  the rest of RAM
 */
#ifndef VMM_X86_LAYOUT_H
#define VMM_X86_LAYOUT_H

#define LAYOUT_START_INFO 0x6000ull
#define LAYOUT_MODLIST 0x6100ull
#define LAYOUT_MEMMAP 0x6200ull
#define LAYOUT_ZERO_PAGE 0x7000ull
#define LAYOUT_CMDLINE 0x20000ull
#define LAYOUT_CMDLINE_MAX 4096
#define LAYOUT_LOW_END 0x9fc00ull
#define LAYOUT_ACPI 0xe0000ull
#define LAYOUT_ACPI_BYTES 0x2000ull
#define LAYOUT_MPTABLE 0xf0000ull
#define LAYOUT_HIGH_START 0x100000ull
#define LAYOUT_LOW_RAM_MAX 0xc0000000ull
#define LAYOUT_MMIO_BASE 0xd0000000ull
#define LAYOUT_MMIO_STRIDE 0x1000ull
#define LAYOUT_MMIO_LINES 10 /* interrupt lines for devices */
#define LAYOUT_IOAPIC 0xfec00000u
#define LAYOUT_LAPIC 0xfee00000u
#define LAYOUT_TSS 0xfffbd000ull
#define LAYOUT_IDENTITY_MAP 0xfffbc000ull
#define LAYOUT_HIGH_RAM 0x100000000ull

/* ISA interrupts 5..14 belong to the virtio devices in order; what comes after shares the last. */
#define LAYOUT_IRQ_FIRST 5u

#endif
