/* SPDX-License-Identifier: Apache-2.0 */
/* tables - the MP table that tells the guest its CPUs and interrupt lines (Intel MP spec 1.4, ch. 4). */
#include "vmm/x86/tables.h"

#include <string.h>

#include "vmm/x86/layout.h"

#define TIMER_LINE 0
#define APIC_VERSION 0x14u

struct mp_floating {
	char signature[4];
	uint32_t table;
	uint8_t length; /* in 16 bytes */
	uint8_t revision;
	uint8_t checksum;
	uint8_t features[5];
};

struct mp_header {
	char signature[4];
	uint16_t length;
	uint8_t revision;
	uint8_t checksum;
	char oem[8];
	char product[12];
	uint32_t oem_table;
	uint16_t oem_size;
	uint16_t entries;
	uint32_t lapic;
	uint16_t ext_length;
	uint8_t ext_checksum;
	uint8_t reserved;
};

struct mp_cpu {
	uint8_t type;
	uint8_t apic_id;
	uint8_t version;
	uint8_t flags; /* 1: usable, 2: boot CPU */
	uint32_t signature;
	uint32_t features;
	uint32_t reserved[2];
};

struct mp_bus {
	uint8_t type;
	uint8_t id;
	char name[6];
};

struct mp_ioapic {
	uint8_t type;
	uint8_t id;
	uint8_t version;
	uint8_t flags;
	uint32_t address;
};

struct mp_interrupt {
	uint8_t type;
	uint8_t kind; /* 0: INT, 1: NMI, 3: ExtINT */
	uint16_t flags;
	uint8_t bus;
	uint8_t line;
	uint8_t apic;
	uint8_t pin;
};

_Static_assert(sizeof(struct mp_floating) == 16, "MP 4.1");
_Static_assert(sizeof(struct mp_header) == 44, "MP 4.2");
_Static_assert(sizeof(struct mp_cpu) == 20, "MP 4.3.1");

static uint8_t checksum(const void *p, size_t n)
{
	const uint8_t *b = p;
	uint8_t sum = 0;

	while (n-- > 0)
		sum = (uint8_t)(sum + *b++);
	return (uint8_t)-sum;
}

static uint8_t *append(uint8_t *at, struct mp_header *h, const void *entry, size_t n)
{
	memcpy(at, entry, n);
	h->entries++;
	return at + n;
}

static uint8_t *append_line(uint8_t *at, struct mp_header *h, uint8_t ioapic, uint8_t i)
{
	struct mp_interrupt line = { .type = 3, .line = i, .apic = ioapic, .pin = i };

	return append(at, h, &line, sizeof(line));
}

static uint8_t *append_lines(uint8_t *at, struct mp_header *h, uint8_t ioapic, uint32_t lines)
{
	at = append_line(at, h, ioapic, TIMER_LINE);
	for (uint32_t i = 0; i < lines; i++)
		at = append_line(at, h, ioapic, (uint8_t)(LAYOUT_IRQ_FIRST + i));
	/* local interrupts: ExtINT on LINT0, NMI on LINT1 of every CPU */
	at = append(at, h, &(struct mp_interrupt){ .type = 4, .kind = 3, .apic = 0xff }, 8);
	return append(at, h, &(struct mp_interrupt){ .type = 4, .kind = 1, .apic = 0xff, .pin = 1 },
		      8);
}

void tables_write(const struct memory *m, uint32_t vcpus, uint32_t lines)
{
	struct mp_floating *f = memory_host(m, LAYOUT_MPTABLE, 4096);
	struct mp_header *h = (struct mp_header *)(f + 1);
	uint8_t *at = (uint8_t *)(h + 1);
	uint8_t ioapic = (uint8_t)vcpus; /* ids of CPUs and I/O APICs share one space */

	memset(f, 0, 4096);
	memcpy(h->signature, "PCMP", 4);
	h->revision = 4;
	memcpy(h->oem, "CORACLE ", 8);
	memcpy(h->product, "MICROVM     ", 12);
	h->lapic = LAYOUT_LAPIC;
	for (uint32_t i = 0; i < vcpus; i++) {
		struct mp_cpu cpu = { .apic_id = (uint8_t)i,
				      .version = APIC_VERSION,
				      .flags = i == 0 ? 3 : 1 };

		at = append(at, h, &cpu, sizeof(cpu));
	}
	at = append(at, h, &(struct mp_bus){ .type = 1, .name = "ISA   " }, sizeof(struct mp_bus));
	at = append(at, h,
		    &(struct mp_ioapic){ .type = 2, .id = ioapic, .version = 0x11, .flags = 1,
					 .address = LAYOUT_IOAPIC },
		    sizeof(struct mp_ioapic));
	at = append_lines(at, h, ioapic, lines);
	h->length = (uint16_t)(at - (uint8_t *)h);
	h->checksum = checksum(h, h->length);
	memcpy(f->signature, "_MP_", 4);
	f->table = (uint32_t)(LAYOUT_MPTABLE + sizeof(*f));
	f->length = 1;
	f->revision = 4;
	f->checksum = checksum(f, sizeof(*f));
}
