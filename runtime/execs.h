/* SPDX-License-Identifier: Apache-2.0 */
/* execs - what the monitor knows of further processes: who their proxies are, and their ports. */
#ifndef RUNTIME_EXECS_H
#define RUNTIME_EXECS_H

#include <poll.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/ctl.h"

struct execs {
	uint32_t made; /* numbers the ports: none is used twice */
	uint32_t n;
	struct {
		int fd; /* connection of the proxy: its end is the proxy's */
		pid_t pid;
	} v[VM_MAX_EXECS];
};

/*
 * Pass a request on to the VMM, which will open the ports and say so. @caller is owned from now on and is
 * told when it fails; @fds, those of @req's ends, stay the caller's. Return: the first port, or 0.
 */
uint32_t execs_open(struct execs *x, int caller, const struct ctl_exec *req, int control_fd, const int *fds,
		size_t n_fds);

/* Fill @out with what to wait for. Return: how many entries, at most VM_MAX_EXECS. */
unsigned execs_polls(const struct execs *x, struct pollfd *out);

/* Forget the proxies that have gone. */
void execs_run(struct execs *x, const struct pollfd *polls);

/*
 * Name VM_EXEC_PORTS ports that nobody has had in @c, and those of the guest that they are called from: random, so
 * that no process of the container can call in place of its init. Return: 0 or -errno.
 */
int execs_new_ports(struct execs *x, struct vm_command *c) MUST_CHECK;

/* Add the proxies to @out. */
void execs_pids(const struct execs *x, struct ctl_pids *out);

#endif
