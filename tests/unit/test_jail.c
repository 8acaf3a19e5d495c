/* SPDX-License-Identifier: Apache-2.0 */
/* test_jail - nothing of ours outlives its parent, also one that has died already. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/proc.h"
#include "tests/unit/tap.h"
#include "vmm/jail.h"

/* Run @f in a child. Return: its exit status. */
static int in_child(int (*f)(int arg), int arg)
{
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(f(arg));
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		abort();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static int die_with(int parent)
{
	return -proc_die_with(parent);
}

static int descriptors(int close_peer)
{
	struct vm_config c = { .kvm_fd = -1, .kernel_fd = -1, .initrd_fd = -1, .lock_fd = -1,
			       .fs_max_fds = 64 };
	struct err e = { 0 };
	int s[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) < 0)
		return 255;
	c.control_fd = s[0];
	if (close_peer)
		(void)close(s[1]);
	else
		c.lock_fd = s[1]; /* keeps the monitor's end open */
	return -jail_descriptors(&c, &e);
}

int main(void)
{
	(void)alarm(60);
	is_int(in_child(die_with, getpid()), 0, "parent: alive");
	is_int(in_child(die_with, 1 << 22), ESRCH, "parent: another by now");
	is_int(in_child(descriptors, 0), 0, "jail: with a monitor");
	is_int(in_child(descriptors, 1), ESRCH, "jail: whose monitor has gone");
	return tap_done();
}
