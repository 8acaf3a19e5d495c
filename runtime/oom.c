/* SPDX-License-Identifier: Apache-2.0 */
/* oom - make an out-of-memory kill inside the guest visible to engines (engine contract 20.7). */
#include "runtime/oom.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "runtime/base/proc.h"
#include "runtime/cgroup.h"

#define SLACK (4u << 20)   /* what the cgroup may take above what it has */
#define VICTIM (32u << 20) /* what the victim wants beyond that: more than anybody else here holds */
#define WAIT_MS 10000
#define SEEN_MS 1000 /* engines read the event in the cgroup, which systemd removes with its last process */

/* Page after page until it is killed; cached files are given up for it first. */
_Noreturn static void be_victim(uint64_t bytes)
{
	volatile char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)proc_unblock_signals();
	for (uint64_t i = 0; p != MAP_FAILED && i < bytes; i += 4096)
		p[i] = 1;
	_exit(0);
}

static bool put(int fd, const char *text)
{
	return fd >= 0 && pwrite(fd, text, strlen(text), 0) > 0;
}

static void raise_event(const struct oom *o)
{
	unsigned long long now;
	char text[32] = "";
	pid_t pid;

	if (o->current < 0 || pread(o->current, text, sizeof(text) - 1, 0) <= 0)
		return;
	now = strtoull(text, NULL, 10);
	if (now > INT64_MAX / 2)
		return;
	(void)snprintf(text, sizeof(text), "%llu", now + SLACK);
	if (!put(o->max, text))
		return;
	(void)put(o->swap_max, "0"); /* or swap would take the victim in */
	(void)put(o->score, "0");    /* or the kernel would rather kill a proxy, or nobody */
	pid = fork();
	if (pid == 0)
		be_victim(now + VICTIM);
	if (pid > 0 && !proc_ended(pid, WAIT_MS))
		(void)kill(pid, SIGKILL);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	(void)poll(NULL, 0, SEEN_MS);
}

void oom_tell(const struct oom *o)
{
	OWN_FD int fd = o->bundle < 0 ? -1 :
					openat(o->bundle, "oom",
					       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

	(void)fd;
	raise_event(o);
}

void oom_open(struct oom *o, const char *bundle, bool own_cgroup, bool spared)
{
	OWN_FREE char *path = NULL;
	struct err ignored = { 0 };
	OWN_FD int dir = -1;

	*o = (struct oom){ .current = -1, .max = -1, .swap_max = -1, .score = -1 };
	o->bundle = open(bundle, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!own_cgroup || cgroup_path_of(0, &path, &ignored) < 0)
		return;
	dir = cgroup_open(path, &ignored);
	if (dir < 0)
		return;
	o->current = openat(dir, "memory.current", O_RDONLY | O_CLOEXEC);
	o->max = openat(dir, "memory.max", O_WRONLY | O_CLOEXEC);
	o->swap_max = openat(dir, "memory.swap.max", O_WRONLY | O_CLOEXEC);
	if (spared)
		o->score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
}
