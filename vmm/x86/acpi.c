/* SPDX-License-Identifier: Apache-2.0 */
/*
 * acpi - tables for a distribution's kernel, which finds virtio-mmio devices in no other way.
 *
 * DOC: which (ACPI 6.5, chapter 5)
 *
 *   root pointer -> XSDT -> FADT (hardware-reduced: no power management, no legacy devices) -> DSDT
 *                        -> MADT (CPUs and the I/O APIC)
 *
 * The DSDT has one Device for each page of registers, with the id that Linux's virtio_mmio driver is bound
 * to. Our own kernel has no ACPI and never looks.
 */
#include "vmm/x86/acpi.h"

#include <string.h>

#include "vmm/x86/layout.h"

#define HEADER 36u  /* 5.2.6 */
#define RSDP 36u    /* 5.2.5.3 */
#define FADT 276u   /* 5.2.9, revision 6 */
#define AT_XSDT (LAYOUT_ACPI + 0x40)
#define AT_FADT (LAYOUT_ACPI + 0x100)
#define AT_MADT (LAYOUT_ACPI + 0x400)
#define AT_DSDT (LAYOUT_ACPI + 0x1000)
#define HW_REDUCED_ACPI (1u << 20)
#define IAPC_NO_VGA_MSI_CMOS (1u << 2 | 1u << 3 | 1u << 5)
#define RESOURCES 23u /* bytes of _CRS: memory, interrupt, end tag */

static void put(uint8_t *p, size_t at, uint64_t v, size_t n)
{
	memcpy(p + at, &v, n);
}

static uint8_t checksum(const uint8_t *p, size_t n)
{
	uint8_t sum = 0;

	while (n-- > 0)
		sum = (uint8_t)(sum + *p++);
	return (uint8_t)-sum;
}

static void finish_table(uint8_t *t, const char *signature, uint8_t revision, size_t bytes)
{
	memcpy(t, signature, 4);
	put(t, 4, bytes, 4);
	t[8] = revision;
	memcpy(t + 10, "CORACLMICROVM ", 14);
	put(t, 24, 1, 4);
	memcpy(t + 28, "CRCL", 4);
	put(t, 32, 1, 4);
	t[9] = 0;
	t[9] = checksum(t, bytes);
}

/* 20.2.4: the length of a package, its own two bytes included. */
static uint8_t *put_length(uint8_t *p, size_t n)
{
	p[0] = (uint8_t)(0x40 | (n & 0xf));
	p[1] = (uint8_t)(n >> 4);
	return p + 2;
}

static uint8_t *put_name(uint8_t *p, const char *name)
{
	*p = 0x08; /* NameOp */
	memcpy(p + 1, name, 4);
	return p + 5;
}

/* 6.4: Memory32Fixed, Interrupt (edge, active high, shared), the end. */
static uint8_t *put_resources(uint8_t *p, const struct acpi_device *d)
{
	p = put_name(p, "_CRS");
	*p = 0x11; /* BufferOp */
	p = put_length(p + 1, 2 + 2 + RESOURCES);
	*p++ = 0x0a;
	*p++ = RESOURCES;
	memcpy(p, (const uint8_t[]){ 0x86, 9, 0, 1 }, 4);
	put(p, 4, d->gpa, 4);
	put(p, 8, LAYOUT_MMIO_STRIDE, 4);
	memcpy(p + 12, (const uint8_t[]){ 0x89, 6, 0, 0x0b, 1 }, 5);
	put(p, 17, d->irq, 4);
	memcpy(p + 21, (const uint8_t[]){ 0x79, 0 }, 2);
	return p + RESOURCES;
}

static uint8_t *put_device(uint8_t *p, const struct acpi_device *d, uint32_t i)
{
	static const char digits[] = "0123456789ABCDEF";
	uint8_t *start = p + 2; /* of the length */
	uint8_t *body = start + 2;

	memcpy(p, (const uint8_t[]){ 0x5b, 0x82 }, 2); /* DeviceOp */
	memcpy(body, (const char[]){ 'V', 'M', digits[i / 16 % 16], digits[i % 16] }, 4);
	body = put_name(body + 4, "_HID");
	memcpy(body, "\x0dLNRO0005", 10);
	body = put_name(body + 10, "_UID");
	body[0] = 0x0a;
	body[1] = (uint8_t)i;
	body = put_resources(body + 2, d);
	(void)put_length(start, (size_t)(body - start));
	return body;
}

static void write_dsdt(uint8_t *t, const struct acpi_device *devices, uint32_t n)
{
	uint8_t *start = t + HEADER + 1;
	uint8_t *p = start + 2;

	t[HEADER] = 0x10; /* ScopeOp */
	memcpy(p, "\\_SB_", 5);
	p += 5;
	for (uint32_t i = 0; i < n; i++)
		p = put_device(p, &devices[i], i);
	(void)put_length(start, (size_t)(p - start));
	finish_table(t, "DSDT", 2, (size_t)(p - t));
}

static void write_fadt(uint8_t *t)
{
	put(t, 40, AT_DSDT, 4);
	put(t, 109, IAPC_NO_VGA_MSI_CMOS, 2);
	put(t, 112, HW_REDUCED_ACPI, 4);
	put(t, 131, 5, 1); /* minor version */
	put(t, 140, AT_DSDT, 8);
	finish_table(t, "FACP", 6, FADT);
}

static void write_madt(uint8_t *t, uint32_t vcpus)
{
	size_t n = HEADER + 8;

	put(t, HEADER, LAYOUT_LAPIC, 4);
	for (uint32_t i = 0; i < vcpus; i++, n += 8) { /* 5.2.12.2 */
		t[n + 1] = 8;
		t[n + 2] = (uint8_t)i;
		t[n + 3] = (uint8_t)i;
		t[n + 4] = 1; /* enabled */
	}
	t[n] = 1; /* 5.2.12.3 */
	t[n + 1] = 12;
	t[n + 2] = (uint8_t)vcpus; /* its id, after those of the CPUs */
	put(t, n + 4, LAYOUT_IOAPIC, 4);
	finish_table(t, "APIC", 5, n + 12);
}

void acpi_write(const struct memory *m, uint32_t vcpus, const struct acpi_device *devices, uint32_t n)
{
	uint8_t *base = memory_host(m, LAYOUT_ACPI, LAYOUT_ACPI_BYTES);
	uint8_t *xsdt = base + (AT_XSDT - LAYOUT_ACPI);

	memset(base, 0, LAYOUT_ACPI_BYTES);
	write_dsdt(base + (AT_DSDT - LAYOUT_ACPI), devices, n);
	write_fadt(base + (AT_FADT - LAYOUT_ACPI));
	write_madt(base + (AT_MADT - LAYOUT_ACPI), vcpus);
	put(xsdt, HEADER, AT_FADT, 8);
	put(xsdt, HEADER + 8, AT_MADT, 8);
	finish_table(xsdt, "XSDT", 1, HEADER + 16);
	memcpy(base, "RSD PTR ", 8);
	memcpy(base + 9, "CORACL", 6);
	base[15] = 2;
	put(base, 20, RSDP, 4);
	put(base, 24, AT_XSDT, 8);
	base[8] = checksum(base, 20);
	base[32] = checksum(base, RSDP);
}
