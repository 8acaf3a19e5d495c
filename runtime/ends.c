/* SPDX-License-Identifier: Apache-2.0 */
/* ends - descriptors of the caller's as the VMM wants them: one for each direction, and what it is. */
#include "runtime/ends.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/config.h"

int ends_duplicate(int fd, uint32_t *out_kind)
{
	int flags = fcntl(fd, F_GETFL);
	char path[32];
	struct stat st;
	int again = -1;

	if (flags < 0 || fstat(fd, &st) < 0)
		return -errno;
	*out_kind = VM_FD_PRESENT;
	if (S_ISSOCK(st.st_mode))
		*out_kind |= VM_FD_SOCKET | VM_FD_POLLABLE;
	else if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode) && !S_ISDIR(st.st_mode))
		*out_kind |= VM_FD_POLLABLE | (flags & O_NONBLOCK ? 0 : VM_FD_BLOCKING);
	/* a pipe that does not block may do so again, by another program that shares it */
	if (S_ISFIFO(st.st_mode) || ((*out_kind & VM_FD_BLOCKING) && isatty(fd))) {
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		again = open(path, (flags & O_ACCMODE) | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
		if (again >= 0)
			*out_kind &= ~VM_FD_BLOCKING;
	}
	if (again < 0)
		again = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return again < 0 ? -errno : again;
}
