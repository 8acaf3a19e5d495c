/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_bzimage - a file that says it is a kernel: its header, its load, the zero page made of it. */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/x86/boot.h"

#define RAM (64ull << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1, initrd = -1;
	struct boot_kernel k = { 0 };
	struct memory mem;
	struct err e;

	if (fd < 0) {
		fd = memfd_create("kernel", MFD_CLOEXEC);
		initrd = memfd_create("initrd", MFD_CLOEXEC);
		if (fd < 0 || initrd < 0 || ftruncate(initrd, 5000) < 0)
			abort();
	}
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	if (memory_init(&mem, RAM, &e) < 0)
		abort();
	if (boot_load_kernel(&mem, fd, &k, &e) == 0 && boot_load_rest(&mem, fd, &k, &e) == 0 &&
	    boot_write_info(&mem, &k, initrd, "quiet", &e) == 0 && k.end > RAM)
		abort();
	memory_fini(&mem);
	return 0;
}
