/* SPDX-License-Identifier: Apache-2.0 */
/* boot - what the guest needs before there is a container. */
#include "guest-init/boot.h"

#include <linux/sockios.h>

#include "guest-init/container.h"
#include "guest-init/sys.h"

#define MAX_MODULES 100u /* what two digits can name */
#define NS_PER_S 1000000000u
#define TOLERANCE_NS 100000000u /* a paravirtual clock is closer than our channel is fast */
#define IFF_UP_BIT 1		/* IFF_UP of <linux/if.h>, which needs the C library */

uint64_t boot_now(int clock)
{
	struct __kernel_timespec t;

	sys_clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

void boot_stdio(void)
{
	int fd = sys_openat(AT_FDCWD, "/", O_PATH, 0);

	while (fd >= 0 && fd < 2)
		fd = sys_dup(fd);
	if (fd > 2)
		sys_close(fd);
}

void boot_modules(void)
{
	char path[] = "/modules/00";

	for (unsigned i = 0; i < MAX_MODULES; i++) {
		int fd;

		path[9] = (char)('0' + i / 10);
		path[10] = (char)('0' + i % 10);
		fd = sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
		if (fd < 0)
			return;
		sys_finit_module(fd);
		sys_close(fd);
	}
}

/* Without IPv4 in the kernel there is nothing to do. */
int boot_loopback(struct err *e)
{
	struct {
		char name[16];
		short flags;
		char pad[22]; /* struct ifreq has 40 bytes */
	} request = {.name = "lo"};
	int fd = sys_socket(SYS_AF_INET, SYS_SOCK_DGRAM);
	int rc;

	if (fd < 0)
		return 0;
	request.flags = IFF_UP_BIT;
	rc = sys_ioctl(fd, SIOCSIFFLAGS, (long)&request);
	sys_close(fd);
	return rc < 0 ? err_sys(e, rc, "network: raise lo") : 0;
}

int boot_shares(struct err *e)
{
	int rc = sys_mkdirat(AT_FDCWD, CONTAINER_SHARES, 0755);

	if (rc == 0 || rc == -EEXIST)
		rc = sys_mount(PROTO_FS_TAG, CONTAINER_SHARES, "virtiofs", 0, NULL);
	return rc < 0 ? err_sys(e, rc, "shares: mount") : 0;
}

void boot_clock(uint64_t epoch_ns)
{
	uint64_t now = boot_now(SYS_CLOCK_REALTIME);
	uint64_t off = now > epoch_ns ? now - epoch_ns : epoch_ns - now;
	struct __kernel_timespec t = {
		.tv_sec = (long long)(epoch_ns / NS_PER_S),
		.tv_nsec = (long long)(epoch_ns % NS_PER_S),
	};

	if (epoch_ns != 0 && off > TOLERANCE_NS)
		sys_clock_settime(SYS_CLOCK_REALTIME, &t);
}
