/* SPDX-License-Identifier: Apache-2.0 */
/*
 * boot - put a kernel into guest memory: an ELF file started through PVH, or a bzImage.
 *
 * What the guest only reads is mapped privately from the file, so that all machines on the host share it;
 * what it writes is read, since each of its pages would cost two faults, one to map and one to copy.
 */
#include "vmm/x86/boot.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/x86/layout.h"
#include "vmm/x86/patched.h"

#define MAX_NOTES_BYTES 4096u
#define XEN_ELFNOTE_PHYS32_ENTRY 18u
#define START_MAGIC 0x336ec578u
#define E820_RAM 1u
#define E820_RESERVED 2u
#define PAGE 4096ull

struct hvm_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t nr_modules;
	uint64_t modlist_paddr;
	uint64_t cmdline_paddr;
	uint64_t rsdp_paddr;
	uint64_t memmap_paddr;
	uint32_t memmap_entries;
	uint32_t reserved;
};

struct hvm_modlist_entry {
	uint64_t paddr;
	uint64_t size;
	uint64_t cmdline_paddr;
	uint64_t reserved;
};

struct hvm_memmap_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
	uint32_t reserved;
};

static int not_a_kernel(struct err *e, const char *why)
{
	return err_set(e, ENOEXEC, "kernel image: %s; an uncompressed vmlinux with CONFIG_PVH or a bzImage is needed",
		       why);
}

static int read_at(int fd, void *dst, size_t n, uint64_t at, struct err *e)
{
	ssize_t got = pread(fd, dst, n, (off_t)at);

	if (got < 0)
		return err_sys(e, "kernel image: read");
	return (size_t)got == n ? 0 : not_a_kernel(e, "it is cut short");
}

/*
 * Map one segment's whole pages, if they are only read, and note what has to be read. The last page's rest
 * and the bss stay zero: guest memory is fresh. @out: told of the largest piece that was mapped.
 */
static int load_segment(const struct memory *m, int fd, uint64_t file_bytes, const Elf64_Phdr *p,
			struct boot_kernel *out, struct err *e)
{
	uint64_t whole = p->p_flags & PF_W ? 0 : p->p_filesz & ~(PAGE - 1);
	uint8_t *host;

	if (p->p_filesz > p->p_memsz || p->p_offset > file_bytes ||
	    p->p_filesz > file_bytes - p->p_offset)
		return not_a_kernel(e, "a segment lies outside the file");
	if (p->p_paddr < LAYOUT_HIGH_START)
		return not_a_kernel(e, "a segment lies below 1 MiB");
	host = memory_host(m, p->p_paddr, p->p_memsz);
	if (!host || p->p_paddr + p->p_memsz > m->low_bytes)
		return err_set(e, ENOMEM, "kernel image: does not fit into %llu MiB of memory",
			       (unsigned long long)(m->low_bytes >> 20));
	if (p->p_paddr % PAGE || p->p_offset % PAGE)
		whole = 0;
	if (whole > 0 && mmap(host, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd,
			      (off_t)p->p_offset) == MAP_FAILED)
		return err_sys(e, "kernel image: mmap");
	if (whole > out->shared_bytes) {
		out->shared = p->p_paddr;
		out->shared_bytes = whole;
		out->text = *p;
	}
	if (p->p_filesz > whole)
		out->rest[out->n_rest++] = (struct boot_piece){ .gpa = p->p_paddr + whole,
								.bytes = p->p_filesz - whole,
								.offset = p->p_offset + whole };
	return 0;
}

static uint64_t align4(uint64_t n)
{
	return (n + 3) & ~3ull;
}

/* Look for the entry point in a note segment. Return: 1 found, 0 not here, or an error. */
static int find_entry(int fd, const Elf64_Phdr *p, uint32_t *out_entry, struct err *e)
{
	uint8_t notes[MAX_NOTES_BYTES];
	uint64_t n = p->p_filesz < sizeof(notes) ? p->p_filesz : sizeof(notes);
	uint64_t at = 0;
	int r = read_at(fd, notes, n, p->p_offset, e);

	if (r < 0)
		return r;
	while (n - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr h;
		uint64_t name = at + sizeof(h);
		uint64_t desc;

		memcpy(&h, notes + at, sizeof(h));
		desc = name + align4(h.n_namesz);
		at = desc + align4(h.n_descsz);
		if (at > n)
			break;
		if (h.n_type == XEN_ELFNOTE_PHYS32_ENTRY && h.n_namesz == 4 && h.n_descsz >= 4 &&
		    memcmp(notes + name, "Xen", 4) == 0) {
			memcpy(out_entry, notes + desc, sizeof(*out_entry));
			return 1;
		}
	}
	return 0;
}

static int load_elf(const struct memory *m, int fd, uint64_t file_bytes, struct boot_kernel *out,
		    struct err *e)
{
	Elf64_Phdr ph[BOOT_MAX_SEGMENTS];
	Elf64_Ehdr eh;
	int found = 0;
	int r;

	r = read_at(fd, &eh, sizeof(eh), 0, e);
	if (r < 0)
		return r;
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) != 0 || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_machine != EM_X86_64)
		return not_a_kernel(e, "it is not an x86-64 ELF file");
	if (eh.e_phentsize != sizeof(ph[0]) || eh.e_phnum == 0 || eh.e_phnum > BOOT_MAX_SEGMENTS)
		return not_a_kernel(e, "its program headers are odd");
	r = read_at(fd, ph, eh.e_phnum * sizeof(ph[0]), eh.e_phoff, e);
	for (unsigned i = 0; r >= 0 && i < eh.e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD) {
			r = load_segment(m, fd, file_bytes, &ph[i], out, e);
			if (r >= 0 && ph[i].p_paddr + ph[i].p_memsz > out->end)
				out->end = ph[i].p_paddr + ph[i].p_memsz;
		} else if (ph[i].p_type == PT_NOTE && !found) {
			r = found = find_entry(fd, &ph[i], &out->entry, e);
		}
	}
	if (r < 0)
		return r;
	out->header = eh;
	return found ? 0 : not_a_kernel(e, "it has no PVH entry point");
}

static int load_bzimage(const struct memory *m, int fd, const uint8_t *head, uint64_t file_bytes,
			struct boot_kernel *out, struct err *e)
{
	int r = bzimage_parse(head, file_bytes, &out->bzimage, e);

	if (r == 0)
		r = bzimage_load(&out->bzimage, m, fd, e);
	out->is_bzimage = true;
	out->entry = (uint32_t)out->bzimage.load;
	out->end = out->bzimage.load + out->bzimage.run_bytes;
	return r;
}

int boot_load_kernel(const struct memory *m, int fd, struct boot_kernel *out, struct err *e)
{
	uint8_t head[BZIMAGE_SETUP_MAX] = { 0 };
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "kernel image: fstat");
	if (!S_ISREG(st.st_mode))
		return not_a_kernel(e, "it is not a regular file");
	if (pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) && bzimage_is(head))
		return load_bzimage(m, fd, head, (uint64_t)st.st_size, out, e);
	return load_elf(m, fd, (uint64_t)st.st_size, out, e);
}

int boot_load_rest(const struct memory *m, int fd, const struct boot_kernel *k, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; i < k->n_rest && r == 0; i++) {
		const struct boot_piece *p = &k->rest[i];

		r = read_at(fd, memory_host(m, p->gpa, p->bytes), p->bytes, p->offset, e);
	}
	return r;
}

void boot_copy_patched(const struct memory *m, int fd, const struct boot_kernel *k)
{
	(void)patched_copy(m, fd, &k->header, &k->text, k->shared_bytes);
}

/* Return: guest address of the initrd, or 0 with @e. */
static uint64_t load_initrd(const struct memory *m, const struct boot_kernel *k, int fd,
			    uint64_t *out_bytes, struct err *e)
{
	struct stat st;
	gpa_t top = m->low_bytes;
	uint64_t bytes;
	ssize_t got;
	uint64_t gpa;

	if (fstat(fd, &st) < 0) {
		(void)err_sys(e, "initrd: fstat");
		return 0;
	}
	bytes = (uint64_t)st.st_size;
	if (!S_ISREG(st.st_mode) || bytes == 0 || bytes > m->low_bytes / 2) {
		(void)err_set(e, EINVAL, "initrd: not a file that fits into the guest's memory");
		return 0;
	}
	if (k->is_bzimage && top > k->bzimage.initrd_end)
		top = k->bzimage.initrd_end;
	gpa = bytes < top ? (top - bytes) & ~(PAGE - 1) : 0;
	if (gpa < k->end) {
		(void)err_set(e, ENOMEM, "initrd: kernel and initrd don't both fit into %llu MiB of memory",
			      (unsigned long long)(m->low_bytes >> 20));
		return 0;
	}
	got = pread(fd, memory_host(m, gpa, bytes), bytes, 0);
	if (got != (ssize_t)bytes) {
		(void)(got < 0 ? err_sys(e, "initrd: read") :
				 err_set(e, EIO, "initrd: it is cut short"));
		return 0;
	}
	*out_bytes = bytes;
	return gpa;
}

static uint32_t fill_memmap(const struct memory *m, struct hvm_memmap_entry *map)
{
	uint32_t n = 0;

	map[n++] = (struct hvm_memmap_entry){ 0, LAYOUT_LOW_END, E820_RAM, 0 };
	map[n++] = (struct hvm_memmap_entry){ LAYOUT_LOW_END, LAYOUT_HIGH_START - LAYOUT_LOW_END,
					      E820_RESERVED, 0 };
	map[n++] = (struct hvm_memmap_entry){ LAYOUT_HIGH_START,
					      m->low_bytes - LAYOUT_HIGH_START, E820_RAM, 0 };
	if (m->high_bytes > 0)
		map[n++] = (struct hvm_memmap_entry){ LAYOUT_HIGH_RAM, m->high_bytes, E820_RAM, 0 };
	return n;
}

static void write_pvh(const struct memory *m, gpa_t initrd, uint64_t initrd_bytes)
{
	struct hvm_start_info *info = memory_host(m, LAYOUT_START_INFO, PAGE);
	struct hvm_modlist_entry *mod = memory_host(m, LAYOUT_MODLIST, sizeof(*mod));
	struct hvm_memmap_entry *map = memory_host(m, LAYOUT_MEMMAP, PAGE / 4);

	*mod = (struct hvm_modlist_entry){ .paddr = initrd, .size = initrd_bytes };
	*info = (struct hvm_start_info){
		.magic = START_MAGIC,
		.version = 1,
		.nr_modules = 1,
		.modlist_paddr = LAYOUT_MODLIST,
		.cmdline_paddr = LAYOUT_CMDLINE,
		.memmap_paddr = LAYOUT_MEMMAP,
		.memmap_entries = fill_memmap(m, map),
	};
}

int boot_write_info(const struct memory *m, const struct boot_kernel *k, int initrd_fd,
		    const char *cmdline, struct err *e)
{
	char *line = memory_host(m, LAYOUT_CMDLINE, LAYOUT_CMDLINE_MAX);
	struct bzimage_info info = { .cmdline = LAYOUT_CMDLINE, .rsdp = LAYOUT_ACPI };
	size_t n = strlen(cmdline);

	if (n >= LAYOUT_CMDLINE_MAX / 2)
		return err_set(e, E2BIG, "kernel command line: over %d bytes",
			       LAYOUT_CMDLINE_MAX / 2);
	if (k->is_bzimage && n > k->bzimage.cmdline_max)
		return err_set(e, E2BIG, "kernel command line: this kernel takes %u bytes",
			       k->bzimage.cmdline_max);
	memcpy(line, cmdline, n + 1);
	info.initrd = load_initrd(m, k, initrd_fd, &info.initrd_bytes, e);
	if (info.initrd == 0)
		return -e->code;
	if (k->is_bzimage)
		bzimage_write_zero_page(&k->bzimage, m, &info);
	else
		write_pvh(m, info.initrd, info.initrd_bytes);
	return 0;
}
