/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirror_start - the guest's side of mirror, as a process of its own beside the container.
 *
 * It is a child of the init in the machine's own namespaces, and ends with the machine. The init waits for
 * it once: what a program asks a resolver first must not come before there is one.
 */
#include "guest-init/mirror_start.h"

#include "guest-init/fds.h"
#include "guest-init/link.h"
#include "guest-init/mirror.h"
#include "guest-init/net.h"
#include "guest-init/sys.h"

#define WAIT_MS 2000 /* for a host whose side has died */

_Noreturn static void child(int ready)
{
	int keep[2], channel;

	sys_sigmask(~0ull); /* `kill --all` means the container's */
	channel = link_dial(PROTO_PORT_MIRROR, 0);
	if (channel < 0 || link_answer(channel) < 0)
		sys_exit(1);
	keep[0] = channel;
	keep[1] = ready;
	fds_close_others(keep, 2);
	mirror_run(MIRROR_GUEST, channel, -1, ready, net_first_port());
	sys_exit(0);
}

int mirror_start(const struct program *p)
{
	const struct clone_args args = {.exit_signal = SYS_SIGCHLD};
	int ends[2], pid;

	if ((p->head.flags & PROTO_MIRROR) == 0 || sys_pipe(ends) < 0)
		return -1;
	pid = sys_clone3(&args);
	if (pid == 0)
		child(ends[1]);
	sys_close(ends[1]);
	return ends[0];
}

void mirror_wait(int ready)
{
	struct pollfd p = {.fd = ready, .events = POLLIN};

	if (ready < 0)
		return;
	sys_poll(&p, 1, WAIT_MS);
	sys_close(ready);
}
