/* SPDX-License-Identifier: Apache-2.0 */
/* test_bzimage - setup headers of all kinds, the zero page, the ACPI tables. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "vmm/x86/acpi.h"
#include "vmm/x86/boot.h"
#include "vmm/x86/layout.h"

#define RAM (64ull << 20)
#define LOAD 0x1000000u
#define RUN 0x800000u
#define SECTORS 3u
#define OFFSET ((SECTORS + 1) * 512u)
#define BYTES 0x30010u
#define FILE_BYTES (OFFSET + BYTES)

static struct memory mem;
static uint8_t head[BZIMAGE_SETUP_MAX];

static void set(size_t at, uint64_t v, size_t n)
{
	memcpy(head + at, &v, n);
}

static void good(void)
{
	memset(head, 0, sizeof(head));
	set(0x1f1, SECTORS, 1);
	set(0x1f4, BYTES / 16, 4);
	set(0x1fe, 0xaa55, 2);
	set(0x201, 0x6a, 1);
	memcpy(head + 0x202, "HdrS", 4);
	set(0x206, 0x20f, 2);
	set(0x211, 1, 1);
	set(0x22c, 0x7fffffff, 4);
	set(0x230, 0x200000, 4);
	set(0x234, 1, 1);
	set(0x236, 0x7f, 2);
	set(0x238, 2047, 4);
	set(0x258, LOAD, 8);
	set(0x260, RUN, 4);
}

static const struct {
	const char *name;
	size_t at;
	size_t n;
	uint64_t value;
	int want;
} rows[] = {
	{ "as it should be", 0x1f1, 1, SECTORS, 0 },
	{ "no boot flag", 0x1fe, 2, 0, -ENOEXEC },
	{ "no HdrS", 0x202, 4, 0, -ENOEXEC },
	{ "protocol 2.11", 0x206, 2, 0x20b, -ENOEXEC },
	{ "protocol 2.12", 0x206, 2, 0x20c, 0 },
	{ "protocol 255.255", 0x206, 2, 0xffff, 0 },
	{ "zImage", 0x211, 1, 0, -ENOEXEC },
	{ "32 bits", 0x236, 2, 0, -ENOEXEC },
	{ "header without end", 0x201, 1, 0, -ENOEXEC },
	{ "header cut before init_size ends", 0x201, 1, 0x61, -ENOEXEC },
	{ "shortest header", 0x201, 1, 0x62, 0 },
	{ "longest header", 0x201, 1, 0x8e, 0 },
	{ "header over the zero page's place", 0x201, 1, 0x8f, -ENOEXEC },
	{ "header of 255 bytes", 0x201, 1, 0xff, -ENOEXEC },
	{ "0 sectors are 4", 0x1f1, 1, 0, -ENOEXEC }, /* and the rest is too short then */
	{ "255 sectors", 0x1f1, 1, 255, -ENOEXEC },
	{ "more paragraphs than the file has", 0x1f4, 4, BYTES / 16 + 1, -ENOEXEC },
	{ "2^32-1 paragraphs", 0x1f4, 4, 0xffffffff, -ENOEXEC },
	{ "fewer paragraphs: a signature follows", 0x1f4, 4, 1, 0 },
	{ "at 0", 0x258, 8, 0, -ENOEXEC },
	{ "below 1 MiB", 0x258, 8, 0xff000, -ENOEXEC },
	{ "at 3 GiB", 0x258, 8, 0xc0000000, -ENOEXEC },
	{ "above 4 GiB", 0x258, 8, 0x100000000, -ENOEXEC },
	{ "at 2^64 - 2 MiB", 0x258, 8, 0xffffffffffe00000, -ENOEXEC },
	{ "not aligned", 0x258, 8, LOAD + 4096, -ENOEXEC },
	{ "alignment 0", 0x230, 4, 0, -ENOEXEC },
	{ "alignment 3", 0x230, 4, 3, -ENOEXEC },
	{ "needs no memory", 0x260, 4, 0, -ENOEXEC },
	{ "needs less than it has", 0x260, 4, BYTES - 1, -ENOEXEC },
	{ "needs just what it has", 0x260, 4, BYTES, 0 },
	{ "needs 4 GiB", 0x260, 4, 0xffffffff, 0 }, /* refused when it is loaded */
};

static void test_parse(void)
{
	struct bzimage b;
	unsigned bad = 0;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = { 0 };

		good();
		set(rows[i].at, rows[i].value, rows[i].n);
		ok(bzimage_parse(head, FILE_BYTES, &b, &e) == rows[i].want && e.code == -rows[i].want,
		   "header: %s %s", rows[i].name, e.msg);
	}
	good();
	for (uint64_t n = 0; n < FILE_BYTES - 15; n += 61) {
		struct err e = { 0 };

		bad += bzimage_parse(head, n, &b, &e) != -ENOEXEC;
	}
	is_int(bad, 0, "header: cut short at every length");
}

static int image(void)
{
	int fd = memfd_create("bzImage", MFD_CLOEXEC);
	uint8_t last = 0x77;

	if (fd < 0 || pwrite(fd, head, sizeof(head), 0) < 0 || ftruncate(fd, FILE_BYTES) < 0 ||
	    pwrite(fd, "\xfa\xfc", 2, OFFSET) < 0 || pwrite(fd, &last, 1, FILE_BYTES - 1) < 0)
		abort();
	return fd;
}

static uint64_t field(gpa_t gpa, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, mem.base + gpa, n);
	return v;
}

static void test_load(void)
{
	struct boot_kernel k = { 0 };
	struct err e = { 0 };
	char line[3000];
	int fd, initrd = memfd_create("initrd", MFD_CLOEXEC);

	if (initrd < 0 || ftruncate(initrd, 5000) < 0)
		abort();
	good();
	set(0x22c, 0x2ffffff, 4); /* the initrd below 48 MiB */
	fd = image();
	is_int(boot_load_kernel(&mem, fd, &k, &e), 0, "load: goes well");
	ok(k.is_bzimage && k.entry == LOAD && k.end == LOAD + RUN, "load: entry and end");
	ok(field(LOAD, 2) == 0xfcfa && field(LOAD + BYTES - 1, 1) == 0x77 && field(LOAD + BYTES, 1) == 0,
	   "load: first and last byte");
	is_int(boot_write_info(&mem, &k, initrd, "a=b", &e), 0, "info: written");
	is_int(field(LAYOUT_ZERO_PAGE + 0x202, 4), 0x53726448, "info: the header is copied");
	is_int(field(LAYOUT_ZERO_PAGE + 0x210, 1), 0xff, "info: loader");
	is_int(field(LAYOUT_ZERO_PAGE + 0x228, 4), LAYOUT_CMDLINE, "info: command line");
	is_str((char *)mem.base + LAYOUT_CMDLINE, "a=b", "info: its text");
	is_int(field(LAYOUT_ZERO_PAGE + 0x21c, 4), 5000, "info: size of the initrd");
	is_int(field(LAYOUT_ZERO_PAGE + 0x218, 4), 0x2ffe000, "info: the initrd where the kernel wants it");
	is_int(field(LAYOUT_ZERO_PAGE + 0x70, 8), LAYOUT_ACPI, "info: ACPI");
	is_int(field(LAYOUT_ZERO_PAGE + 0x1e8, 1), 3, "info: three ranges");
	ok(field(LAYOUT_ZERO_PAGE + 0x2d0 + 40, 8) == 0x100000 &&
		   field(LAYOUT_ZERO_PAGE + 0x2d0 + 48, 8) == RAM - 0x100000 &&
		   field(LAYOUT_ZERO_PAGE + 0x2d0 + 56, 4) == 1,
	   "info: RAM after 1 MiB");
	memset(line, 'x', sizeof(line));
	line[2047] = '\0';
	k.bzimage.cmdline_max = 255;
	is_int(boot_write_info(&mem, &k, initrd, line, &e), -E2BIG, "info: a longer line than it takes");
	k.bzimage.initrd_end = LOAD + RUN + 4096;
	is_int(boot_write_info(&mem, &k, initrd, "", &e), -ENOMEM, "info: no place for the initrd");
	k.bzimage.initrd_end = 1;
	is_int(boot_write_info(&mem, &k, initrd, "", &e), -ENOMEM, "info: no place at all");
	(void)close(fd);
	set(0x260, 0xffffffff, 4);
	fd = image();
	is_int(boot_load_kernel(&mem, fd, &k, &e), -ENOMEM, "load: it needs 4 GiB");
	(void)close(fd);
	(void)close(initrd);
}

static unsigned sum(gpa_t gpa, uint64_t n)
{
	unsigned s = 0;

	while (n-- > 0)
		s += mem.base[gpa++];
	return s & 0xff;
}

static unsigned bad_table(gpa_t t, const char *signature)
{
	return (unsigned)(memcmp(mem.base + t, signature, 4) != 0) + (sum(t, field(t + 4, 4)) != 0);
}

static void test_acpi(void)
{
	struct acpi_device d[ACPI_MAX_DEVICES];
	unsigned bad = 0;

	for (uint32_t i = 0; i < ACPI_MAX_DEVICES; i++)
		d[i] = (struct acpi_device){ 0xd0000000u + i * 4096, 5 + i % 10 };
	for (uint32_t n = 1; n <= ACPI_MAX_DEVICES; n++) {
		uint32_t vcpus = 1 + n % 32;
		gpa_t xsdt, fadt, madt, dsdt;

		acpi_write(&mem, vcpus, d, n);
		bad += sum(LAYOUT_ACPI, 20) != 0 || sum(LAYOUT_ACPI, 36) != 0;
		xsdt = field(LAYOUT_ACPI + 24, 8);
		bad += bad_table(xsdt, "XSDT");
		fadt = field(xsdt + 36, 8);
		madt = field(xsdt + 44, 8);
		bad += bad_table(fadt, "FACP") + bad_table(madt, "APIC");
		dsdt = field(fadt + 140, 8);
		bad += bad_table(dsdt, "DSDT");
		bad += field(madt + 4, 4) != 44 + 8 * vcpus + 12;
		bad += field(dsdt + 4, 4) != 36 + 8 + 63 * n;
		bad += dsdt + field(dsdt + 4, 4) > LAYOUT_ACPI + LAYOUT_ACPI_BYTES;
	}
	is_int(bad, 0, "acpi: sums, lengths and places for every number of devices");
}

int main(void)
{
	struct err e = { 0 };

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)alarm(60);
	if (memory_init(&mem, RAM, &e) < 0)
		return 1;
	test_parse();
	test_load();
	test_acpi();
	memory_fini(&mem);
	return tap_done();
}
