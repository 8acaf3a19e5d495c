/* SPDX-License-Identifier: Apache-2.0 */
/* test_boot - kernel images of all kinds, start information and the MP table. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "vmm/memory.h"
#include "vmm/x86/boot.h"
#include "vmm/x86/layout.h"
#include "vmm/x86/patched.h"
#include "vmm/x86/tables.h"

#define RAM (32ull << 20)
#define TEXT 0x2000ull /* file offset of the first segment */
#define TEXT_BYTES 0x1800ull
#define NOTE 0x1000ull
#define FILE_BYTES (TEXT + TEXT_BYTES)
#define ENTRY 0x01000040u

struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[40];
};

static struct memory mem;
static struct image img;
static const struct boot_kernel none = {.end = 0x100000};
static uint32_t note[6];

static void good(void)
{
	memset(&img, 0, sizeof(img));
	memcpy(img.eh.e_ident, ELFMAG, SELFMAG);
	img.eh.e_ident[EI_CLASS] = ELFCLASS64;
	img.eh.e_machine = EM_X86_64;
	img.eh.e_phoff = offsetof(struct image, ph);
	img.eh.e_phentsize = sizeof(Elf64_Phdr);
	img.eh.e_phnum = 2;
	img.ph[0] = (Elf64_Phdr){.p_type = PT_LOAD,
				 .p_offset = TEXT,
				 .p_paddr = 0x1000000,
				 .p_filesz = TEXT_BYTES,
				 .p_memsz = 0x4000};
	img.ph[1] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = NOTE, .p_filesz = sizeof(note)};
	memcpy(note, (uint32_t[]){4, 8, 18, 0x006e6558, ENTRY, 0}, sizeof(note));
}

static int temp_file(void)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	if (fd < 0)
		abort();
	return fd;
}

static int write_image(size_t bytes)
{
	static uint8_t text[TEXT_BYTES];
	int fd = temp_file();

	memset(text, 0xab, sizeof(text));
	if (pwrite(fd, text, sizeof(text), (off_t)TEXT) < 0 ||
	    pwrite(fd, note, sizeof(note), (off_t)NOTE) < 0 ||
	    pwrite(fd, &img, sizeof(img), 0) < 0 || ftruncate(fd, (off_t)bytes) < 0)
		abort();
	return fd;
}

/* A fresh machine and the image in it. */
static int load(size_t bytes, struct boot_kernel *out, struct err *e)
{
	int fd = write_image(bytes);
	int r;

	memory_fini(&mem);
	if (memory_init(&mem, RAM, e) < 0)
		abort();
	*out = (struct boot_kernel){0};
	r = boot_load_kernel(&mem, fd, out, e);
	if (r == 0)
		r = boot_load_rest(&mem, fd, out, e);
	(void)close(fd);
	return r;
}

static void refused(int want, const char *name)
{
	struct err e = {0};
	struct boot_kernel k;
	int r = load(FILE_BYTES, &k, &e);

	ok(r == want && e.code == -want, "%s: %s", name, e.msg);
}

static void test_good(void)
{
	struct err e = {0};
	struct boot_kernel k = {0};
	bool zero = true;

	good();
	is_int(load(FILE_BYTES, &k, &e), 0, "kernel: loads");
	is_int(k.entry, ENTRY, "kernel: entry");
	is_int(k.end, 0x1004000, "kernel: its end is that of its memory");
	ok(mem.base[0x1000000] == 0xab && mem.base[0x1000000 + TEXT_BYTES - 1] == 0xab,
	   "kernel: first and last byte");
	for (uint64_t i = TEXT_BYTES; i < 0x4000; i++)
		zero &= mem.base[0x1000000 + i] == 0;
	ok(zero, "kernel: bss is zero");
	ok(k.shared == 0x1000000 && k.shared_bytes == TEXT_BYTES / 4096 * 4096,
	   "kernel: whole pages of what is only read are mapped from the file");
	img.ph[0].p_flags = PF_R | PF_W;
	is_int(load(FILE_BYTES, &k, &e), 0, "kernel: loads what is written");
	ok(mem.base[0x1000000 + TEXT_BYTES - 1] == 0xab && k.shared_bytes == 0,
	   "kernel: what is written is read");
	good();
	img.ph[0].p_paddr = 0x1000010;
	is_int(load(FILE_BYTES, &k, &e), 0, "kernel: an unaligned segment is copied");
	ok(mem.base[0x100000f] == 0 && mem.base[0x1000010] == 0xab &&
		   mem.base[0x1000010 + TEXT_BYTES - 1] == 0xab &&
		   mem.base[0x1000010 + TEXT_BYTES] == 0,
	   "kernel: to where it belongs");
	good();
	img.ph[0].p_paddr = RAM - 0x4000;
	is_int(load(FILE_BYTES, &k, &e), 0, "kernel: at the very end of RAM");
	good();
	img.eh.e_phnum = 3;
	img.ph[2] = img.ph[0];
	img.ph[2].p_paddr += 0x1000;
	is_int(load(FILE_BYTES, &k, &e), 0, "kernel: overlapping segments stay in RAM");
	ok(mem.base[0x1001000 + TEXT_BYTES - 1] == 0xab, "kernel: the later one wins");
}

/* Section @name of @bytes at @at: a table of @entry_bytes each that names @sites, which may lie outside of the text. */
static uint32_t patched_section(const char *name, uint64_t at, uint64_t bytes, unsigned entry_bytes,
				const int64_t *sites, unsigned n, uint64_t vaddr)
{
	enum { TABLE = 0x3000, NAMES = 0x5000, SECTIONS = 0x6000 };
	char names[64] = "\0.text";
	Elf64_Shdr s[3] = {{0},
			   {.sh_name = 7, .sh_addr = at, .sh_offset = TABLE, .sh_size = bytes},
			   {.sh_offset = NAMES, .sh_size = sizeof(names)}};
	struct err e = {0};
	Elf64_Phdr text;
	uint32_t copied;
	int fd;

	(void)snprintf(names + 7, sizeof(names) - 7, "%s", name);
	good();
	img.eh.e_shoff = SECTIONS;
	img.eh.e_shentsize = sizeof(s[0]);
	img.eh.e_shnum = 3;
	img.eh.e_shstrndx = 2;
	fd = write_image(0x8000);
	for (unsigned i = 0; i < n; i++) {
		int32_t from_here = (int32_t)(vaddr + (uint64_t)sites[i] - at - entry_bytes * (uint64_t)i);

		if (pwrite(fd, &from_here, 4, TABLE + entry_bytes * (off_t)i) < 0)
			abort();
	}
	if (pwrite(fd, names, sizeof(names), NAMES) < 0 || pwrite(fd, s, sizeof(s), SECTIONS) < 0)
		abort();
	memory_fini(&mem);
	if (memory_init(&mem, RAM, &e) < 0)
		abort();
	text = (Elf64_Phdr){.p_vaddr = vaddr, .p_paddr = 0x1000000, .p_filesz = 0x8000};
	if (mmap(mem.base + 0x1000000, 0x8000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)
		abort();
	copied = patched_copy(&mem, fd, &img.eh, &text, 0x8000);
	ok(memcmp(mem.base + 0x1005000, names, sizeof(names)) == 0, "patched: the text stays as it is");
	(void)close(fd);
	return copied;
}

static uint32_t patched(const int64_t *sites, unsigned n, uint64_t bytes, uint64_t vaddr)
{
	return patched_section(".altinstructions", vaddr + 0x800000, bytes, 14, sites, n, vaddr);
}

static void test_patched(void)
{
	static const int64_t sites[] = {0, 5, 0x1fff, 0x2000, 0x7fff, 0x8000, -1, -0x40000000, 0x70000000};
	const uint64_t high = 0xffffffff81000000;

	is_int(patched(sites, 9, 9 * 14, high), 4, "patched: four pages of nine sites, three of them outside");
	is_int(patched(sites, 9, 2 * 14, high), 1, "patched: only those that the table has");
	is_int(patched(sites, 9, 9 * 14 + 1, high), 0, "patched: not of this form");
	is_int(patched(sites, 9, 1 << 20, high), 0, "patched: too many");
	is_int(patched(sites, 9, 0, high), 0, "patched: none");
	is_int(patched(sites, 9, 9 * 14, 0), 4, "patched: at address 0");
	is_int(patched_section("runtime_ptr_x", high + 0x800000, 9 * 4, 4, sites, 9, high), 4, "patched: runtime constants");
	is_int(patched_section("runtime_shift_x", high + 0x800000, 3 * 4, 4, sites, 9, high), 2, "patched: and shifts");
	is_int(patched_section("runtime_ptr_x", high + 0x800000, 9 * 4 + 1, 4, sites, 9, high), 0, "patched: of another form");
	is_int(patched_section("other", high + 0x800000, 9 * 4, 4, sites, 9, high), 0, "patched: another section");
	is_int(patched_section(".ro_after_init", high + 0x2800, 0x1800, 4, NULL, 0, high), 2, "patched: data, two pages");
	is_int(patched_section(".ro_after_init", high + 0x2800, 0x1801, 4, NULL, 0, high), 3, "patched: data, three pages");
	is_int(patched_section(".ro_after_init", high + 0x7000, 1ull << 60, 4, NULL, 0, high), 1, "patched: data beyond the text");
	is_int(patched_section(".ro_after_init", high - 0x1000, 0x1000, 4, NULL, 0, high), 0, "patched: data before it");
	img.eh.e_shstrndx = 3;
	is_int(patched_copy(&mem, -1, &img.eh, &img.ph[0], 0x8000), 0, "patched: no names");
	img.eh.e_shstrndx = 2;
	is_int(patched_copy(&mem, -1, &img.eh, &img.ph[0], 0x8000), 0, "patched: can't be read");
}

static void test_segments(void)
{
	static const struct {
		const char *name;
		uint64_t offset, paddr, filesz, memsz;
		int want;
	} rows[] = {
		{"below 1 MiB", TEXT, 0xff000, 0x1000, 0x1000, -ENOEXEC},
		{"at 0", TEXT, 0, 0x1000, 0x1000, -ENOEXEC},
		{"one byte over RAM", TEXT, RAM - 0x1000, 0x1000, 0x1001, -ENOMEM},
		{"after RAM", TEXT, RAM, 0x1000, 0x1000, -ENOMEM},
		{"in the hole", TEXT, LAYOUT_MMIO_BASE, 0x1000, 0x1000, -ENOMEM},
		{"above 4 GiB", TEXT, LAYOUT_HIGH_RAM, 0x1000, 0x1000, -ENOMEM},
		{"address wraps", TEXT, ~0xfffull, 0x1000, 0x2000, -ENOMEM},
		{"memory size wraps", TEXT, 0x1000000, 0x1000, ~0ull, -ENOMEM},
		{"memory size wraps to a good sum", TEXT, 0x1000000, 0x1000, ~0ull - 0xffffff,
		 -ENOMEM},
		{"larger in the file than in memory", TEXT, 0x1000000, 0x1001, 0x1000, -ENOEXEC},
		{"file size over the file", TEXT, 0x1000000, TEXT_BYTES + 1, 0x4000, -ENOEXEC},
		{"file size 2^64-1", TEXT, 0x1000000, ~0ull, ~0ull, -ENOEXEC},
		{"offset after the file", FILE_BYTES + 1, 0x1000000, 0, 0x1000, -ENOEXEC},
		{"offset 2^63", 1ull << 63, 0x1000000, 0x1000, 0x1000, -ENOEXEC},
		{"offset and size wrap", ~0ull - 0xfff, 0x1000000, 0x2000, 0x2000, -ENOEXEC},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		good();
		img.ph[0].p_offset = rows[i].offset;
		img.ph[0].p_paddr = rows[i].paddr;
		img.ph[0].p_filesz = rows[i].filesz;
		img.ph[0].p_memsz = rows[i].memsz;
		refused(rows[i].want, rows[i].name);
	}
}

static void test_headers(void)
{
	good();
	img.eh.e_ident[0] = 0;
	refused(-ENOEXEC, "header: magic");
	good();
	img.eh.e_ident[EI_CLASS] = ELFCLASS32;
	refused(-ENOEXEC, "header: 32 bits");
	good();
	img.eh.e_machine = EM_AARCH64;
	refused(-ENOEXEC, "header: machine");
	good();
	img.eh.e_phnum = 0;
	refused(-ENOEXEC, "header: no program headers");
	good();
	img.eh.e_phnum = 33;
	refused(-ENOEXEC, "header: 33 program headers");
	good();
	img.eh.e_phnum = 0xffff;
	refused(-ENOEXEC, "header: 65535 program headers");
	good();
	img.eh.e_phentsize = 32;
	refused(-ENOEXEC, "header: entry size");
	good();
	img.eh.e_phoff = FILE_BYTES - 56;
	refused(-ENOEXEC, "header: program headers cut short");
	good();
	img.eh.e_phoff = ~0ull;
	refused(-EINVAL, "header: program headers nowhere");
}

static void test_notes(void)
{
	good();
	img.eh.e_phnum = 1;
	refused(-ENOEXEC, "note: none");
	good();
	note[2] = 17;
	refused(-ENOEXEC, "note: another type");
	good();
	note[3] = 0x00756e47;
	refused(-ENOEXEC, "note: another name");
	good();
	note[1] = 3;
	refused(-ENOEXEC, "note: entry of 3 bytes");
	good();
	note[0] = 0xffffffff;
	refused(-ENOEXEC, "note: name of 4 GiB");
	good();
	note[1] = 0xffffffff;
	refused(-ENOEXEC, "note: entry of 4 GiB");
	good();
	note[0] = note[1] = 0xfffffffc;
	refused(-ENOEXEC, "note: both huge");
	good();
	img.ph[1].p_filesz = 19;
	refused(-ENOEXEC, "note: cut inside the entry");
	good();
	img.ph[1].p_filesz = 0;
	refused(-ENOEXEC, "note: empty");
	good();
	img.ph[1].p_offset = FILE_BYTES;
	refused(-ENOEXEC, "note: outside the file");
	good();
	img.ph[1].p_offset = ~0ull;
	refused(-EINVAL, "note: offset 2^64-1");
}

static void test_truncated(void)
{
	unsigned bad = 0;

	for (size_t n = 0; n < FILE_BYTES; n += n < 256 ? 1 : 97) {
		struct err e = {0};
		struct boot_kernel k;
		int r;

		good();
		r = load(n, &k, &e);
		bad += r >= 0 || e.code != -r || e.msg[0] == '\0';
	}
	is_int(bad, 0, "truncated: at every length refused with a reason");
}

static void test_odd_files(void)
{
	struct err e = {0};
	struct boot_kernel k = {0};
	int p[2];
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	is_int(boot_load_kernel(&mem, fd, &k, &e), -ENOEXEC, "odd file: a device");
	(void)close(fd);
	fd = open("/", O_RDONLY | O_CLOEXEC);
	is_int(boot_load_kernel(&mem, fd, &k, &e), -ENOEXEC, "odd file: a directory");
	(void)close(fd);
	if (pipe(p) < 0)
		abort();
	is_int(boot_load_kernel(&mem, p[0], &k, &e), -ENOEXEC, "odd file: a pipe");
	(void)close(p[0]);
	(void)close(p[1]);
	is_int(boot_load_kernel(&mem, -1, &k, &e), -EBADF, "odd file: none");
}

static uint64_t field(gpa_t gpa, size_t bytes)
{
	uint64_t v = 0;

	memcpy(&v, mem.base + gpa, bytes);
	return v;
}

static void test_info(void)
{
	static char line[LAYOUT_CMDLINE_MAX];
	struct err e = {0};
	int fd = temp_file();
	uint64_t gpa;

	is_int(boot_write_info(&mem, &none, fd, "a", &e), -EINVAL, "info: empty initrd");
	if (pwrite(fd, "cpio", 4, 4997) != 4)
		abort();
	is_int(boot_write_info(&mem, &none, fd, "a=b c", &e), 0, "info: written");
	is_int(field(LAYOUT_START_INFO, 4), 0x336ec578, "info: magic");
	is_int(field(LAYOUT_START_INFO + 12, 4), 1, "info: one module");
	is_int(field(LAYOUT_START_INFO + 16, 8), LAYOUT_MODLIST, "info: its list");
	is_str((char *)mem.base + field(LAYOUT_START_INFO + 24, 8), "a=b c", "info: command line");
	gpa = field(LAYOUT_MODLIST, 8);
	is_int(field(LAYOUT_MODLIST + 8, 8), 5001, "info: initrd size");
	ok(gpa % 4096 == 0 && gpa + 5001 <= RAM && gpa + 5001 > RAM - 4096,
	   "info: initrd at the top");
	ok(memcmp(mem.base + gpa + 4997, "cpio", 4) == 0, "info: initrd content");
	is_int(field(LAYOUT_START_INFO + 48, 4), 3, "info: three ranges");
	ok(field(LAYOUT_MEMMAP + 48, 8) == 0x100000 &&
		   field(LAYOUT_MEMMAP + 56, 8) == RAM - 0x100000,
	   "info: RAM after 1 MiB");
	memset(line, 'x', LAYOUT_CMDLINE_MAX / 2);
	is_int(boot_write_info(&mem, &none, fd, line, &e), -E2BIG, "info: command line too long");
	line[LAYOUT_CMDLINE_MAX / 2 - 1] = '\0';
	is_int(boot_write_info(&mem, &none, fd, line, &e), 0, "info: longest command line");
	if (ftruncate(fd, (off_t)RAM) < 0)
		abort();
	is_int(boot_write_info(&mem, &none, fd, "a", &e), -EINVAL, "info: initrd as large as RAM");
	(void)close(fd);
}

static void test_overlap(void)
{
	struct boot_kernel k = {.end = RAM - 0x2000};
	struct err e = {0};
	int fd = temp_file();

	if (ftruncate(fd, 0x2000) < 0)
		abort();
	is_int(boot_write_info(&mem, &k, fd, "a", &e), 0, "overlap: the initrd just fits");
	k.end++;
	is_int(boot_write_info(&mem, &k, fd, "a", &e), -ENOMEM, "overlap: a byte of the kernel");
	ok(strstr(e.msg, "initrd") != NULL, "overlap: says so: %s", e.msg);
	k.end = RAM;
	is_int(boot_write_info(&mem, &k, fd, "a", &e), -ENOMEM, "overlap: kernel to the end");
	(void)close(fd);
}

static void test_unreadable_initrd(void)
{
	char name[] = "/tmp/coracle-boot-XXXXXX";
	struct err e = {0};
	int w = mkstemp(name);
	int fd;

	if (w < 0 || ftruncate(w, 5000) < 0)
		abort();
	fd = open(name, O_WRONLY | O_CLOEXEC);
	is_int(boot_write_info(&mem, &none, fd, "a", &e), -EBADF, "info: initrd can't be read");
	(void)unlink(name);
	(void)close(fd);
	(void)close(w);
}

static unsigned sum(gpa_t gpa, uint64_t n)
{
	unsigned s = 0;

	while (n-- > 0)
		s += mem.base[gpa++];
	return s & 0xff;
}

static void test_tables(void)
{
	unsigned bad = 0;

	for (uint32_t vcpus = 1; vcpus <= 32; vcpus++) {
		gpa_t t = LAYOUT_MPTABLE + 16;
		uint32_t lines = 1 + vcpus % LAYOUT_MMIO_LINES;
		gpa_t last = t + 44 + 20 * vcpus + 16 + 8 * lines;

		tables_write(&mem, vcpus, lines);
		bad += memcmp(mem.base + LAYOUT_MPTABLE, "_MP_", 4) != 0;
		bad += field(LAYOUT_MPTABLE + 4, 4) != t || memcmp(mem.base + t, "PCMP", 4) != 0;
		bad += sum(LAYOUT_MPTABLE, 16) != 0 || sum(t, field(t + 4, 2)) != 0;
		bad += field(t + 34, 2) != vcpus + 1 + 1 + 1 + lines + 2;
		bad += field(t + 4, 2) != 44 + 20 * vcpus + 8 * (2 + 1 + lines + 2);
		bad += mem.base[last] != 3 || mem.base[last + 5] != LAYOUT_IRQ_FIRST + lines - 1 ||
		       mem.base[last + 7] != LAYOUT_IRQ_FIRST + lines - 1;
		bad += mem.base[t + 44 + 3] != 3 || (vcpus > 1 && mem.base[t + 64 + 3] != 1);
	}
	is_int(bad, 0, "tables: sums, counts and lengths for 1..32 CPUs");
}

int main(void)
{
	struct err e = {0};

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)alarm(60);
	if (memory_init(&mem, RAM, &e) < 0)
		return 1;
	test_good();
	test_patched();
	test_segments();
	test_headers();
	test_notes();
	test_truncated();
	test_odd_files();
	test_info();
	test_overlap();
	test_unreadable_initrd();
	test_tables();
	memory_fini(&mem);
	return tap_done();
}
