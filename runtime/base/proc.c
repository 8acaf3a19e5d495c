/* SPDX-License-Identifier: Apache-2.0 */
/* proc - what a process asks the kernel about itself, its parent and its children; its descriptors. */
#include "runtime/base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/own.h"

int proc_die_with(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return -errno;
	/* a parent that died before the line above sends nothing */
	return getppid() == parent ? 0 : -ESRCH;
}

int proc_unblock_signals(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL) < 0 ? -errno : 0;
}

bool proc_ended(pid_t pid, int timeout_ms)
{
	OWN_FD int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int r;

	do
		r = fd < 0 ? 1 : poll(&p, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	return r != 0;
}

pid_t proc_published(pid_t pid)
{
	OWN_FD int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	OWN_FREE char *info = NULL;
	char path[64];
	const char *line;
	int r;

	if (fd < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	r = io_read_file(AT_FDCWD, path, 4096, &info, NULL);
	if (r < 0)
		return r;
	line = strstr(info, "\nPid:");
	pid = line ? (pid_t)strtol(line + strlen("\nPid:"), NULL, 10) : 0;
	return pid > 0 ? pid : -ESRCH;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

int proc_close_others(int *keep, size_t n)
{
	int next = STDERR_FILENO + 1;

	qsort(keep, n, sizeof(keep[0]), by_number);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < next)
			continue;
		if (keep[i] > next && syscall(SYS_close_range, next, keep[i] - 1, 0) < 0)
			return -errno;
		next = keep[i] + 1;
	}
	return syscall(SYS_close_range, next, ~0u, 0) < 0 ? -errno : 0;
}
