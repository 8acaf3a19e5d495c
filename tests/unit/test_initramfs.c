/* SPDX-License-Identifier: Apache-2.0 */
/* test_initramfs - which modules of a distribution's kernel are packed, and in which order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/initramfs.h"
#include "tests/unit/tap.h"

static struct initramfs_list list;

#define BUILTIN "kernel/fs/fuse/fuse.ko\nkernel/fs/fuse/virtiofs.ko\nkernel/drivers/char/virtio_console.ko\n"
#define DEP                                                                              \
	"kernel/drivers/virtio/virtio_mmio.ko.xz:\n"                                     \
	"kernel/net/other_virtio_mmio.ko.xz: kernel/nonesuch.ko.xz\n"                     \
	"kernel/net/vmw_vsock/vmw_vsock_virtio_transport.ko.xz: kernel/net/b.ko.xz "      \
	"kernel/net/a.ko.xz\n"                                                            \
	"kernel/drivers/char/hw_random/virtio-rng.ko.xz: kernel/net/a.ko.xz\n"

static void test_choose(void)
{
	static const char *const want[] = { "kernel/drivers/virtio/virtio_mmio.ko.xz",
					    "kernel/net/a.ko.xz", "kernel/net/b.ko.xz",
					    "kernel/net/vmw_vsock/vmw_vsock_virtio_transport.ko.xz",
					    "kernel/drivers/char/hw_random/virtio-rng.ko.xz" };
	struct err e = { 0 };

	is_int(initramfs_choose(DEP, BUILTIN, &list, &e), 0, "choose: goes well");
	is_int(list.n, 5, "choose: each once");
	for (size_t i = 0; i < 5; i++)
		is_str(list.path[i], want[i], "choose: in its order");
	is_int(initramfs_choose("", BUILTIN "kernel/virtio_mmio.ko\nkernel/vmw_vsock_virtio_transport.ko\n",
				&list, &e),
	       0, "choose: all is built in");
	is_int(list.n, 0, "choose: and no file is needed");
}

static void test_refused(void)
{
	static char many[200 * 40];
	struct err e = { 0 };
	char *p = many;

	is_int(initramfs_choose(DEP, "", &list, &e), -ENOENT, "refused: no file system");
	ok(strstr(e.msg, "virtiofs") != NULL, "refused: %s", e.msg);
	is_int(initramfs_choose("", "", &list, &e), -ENOENT, "refused: nothing at all");
	is_int(initramfs_choose("/etc/virtio_mmio.ko:\n", BUILTIN, &list, &e), -EINVAL,
	       "refused: an absolute path");
	is_int(initramfs_choose("a/virtio_mmio.ko: ../../b.ko\n", BUILTIN, &list, &e), -EINVAL,
	       "refused: a path that leads out");
	p += sprintf(p, "virtio_mmio.ko:");
	for (int i = 0; i < 100; i++)
		p += sprintf(p, " kernel/m%d.ko", i);
	is_int(initramfs_choose(many, BUILTIN, &list, &e), -E2BIG, "refused: too many");
	memset(many, 'x', 2000);
	memcpy(many, "virtio_mmio.ko: ", 16);
	strcpy(many + 2000, ".ko\n");
	is_int(initramfs_choose(many, BUILTIN, &list, &e), -EINVAL, "refused: too long a name");
	is_int(initramfs_choose("virtio_mmio.ko", BUILTIN, &list, &e), -ENOENT, "refused: no colon, no end");
}

int main(void)
{
	(void)alarm(60);
	test_choose();
	test_refused();
	return tap_done();
}
