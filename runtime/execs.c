/* SPDX-License-Identifier: Apache-2.0 */
/* execs - what the monitor knows of further processes: who their proxies are, and their ports. */
#include "runtime/execs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "guest-init/proto.h"
#include "runtime/base/io.h"
#include "runtime/base/own.h"

/* Numbers that fit the ports; at most VM_MAX_EXECS of them are in use. */
#define NUMBERS (1u << 28)
#define FIRST_FREE_PORT 1024u /* the guest's kernel reserves those below, and the last for "any" */

_Static_assert(VM_MAX_EXECS == PROTO_MAX_EXECS, "the guest takes as many as the VMM");
_Static_assert(VM_EXEC_PORTS == PROTO_EXEC_PORTS, "ports of a process");

static void refuse(int caller, int r)
{
	char text[128];

	(void)snprintf(text, sizeof(text),
		       r == -EAGAIN ? "over %u processes at once: %s" : "pass it on (%u at most): %s",
		       VM_MAX_EXECS, strerror(-r));
	ctl_answer(caller, -r, text, strlen(text));
}

int execs_new_ports(struct execs *x, struct vm_command *c)
{
	if (getrandom(c->from, sizeof(c->from), 0) != (ssize_t)sizeof(c->from))
		return -EIO;
	for (uint32_t i = 0; i < VM_EXEC_PORTS; i++)
		c->from[i] = FIRST_FREE_PORT + c->from[i] % (UINT32_MAX - FIRST_FREE_PORT);
	c->port = PROTO_PORT_EXEC + x->made++ % NUMBERS * PROTO_EXEC_PORTS;
	return 0;
}

uint32_t execs_open(struct execs *x, int caller, const struct ctl_exec *req, int control_fd, const int *fds,
		size_t n_fds)
{
	OWN_FD int fd = caller;
	struct vm_command c = {
		.type = VM_COMMAND_EXEC,
		.flags = req->flags,
	};
	int r = x->n < VM_MAX_EXECS ? execs_new_ports(x, &c) : -EAGAIN;

	memcpy(c.ends, req->ends, sizeof(c.ends));
	if (r == 0)
		r = io_send_fds(control_fd, &c, sizeof(c), fds, n_fds);
	if (r < 0) {
		refuse(fd, r);
		return 0;
	}
	x->v[x->n].pid = req->pid;
	x->v[x->n].fd = take_fd(&fd);
	x->n++;
	return c.port;
}

unsigned execs_polls(const struct execs *x, struct pollfd *out)
{
	for (uint32_t i = 0; i < x->n; i++)
		out[i] = (struct pollfd){ .fd = x->v[i].fd, .events = POLLIN };
	return x->n;
}

void execs_run(struct execs *x, const struct pollfd *polls)
{
	/* backwards: the last takes the place of one that goes */
	for (uint32_t i = x->n; i-- > 0;) {
		if (polls[i].revents == 0)
			continue;
		(void)close(x->v[i].fd);
		x->v[i] = x->v[--x->n];
	}
}

void execs_pids(const struct execs *x, struct ctl_pids *out)
{
	for (uint32_t i = 0; i < x->n && out->n < CTL_MAX_PIDS; i++)
		out->pid[out->n++] = x->v[i].pid;
}
