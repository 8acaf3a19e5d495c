/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup - the container's own cgroup in the guest, with the limits that were asked for. */
#ifndef GUEST_INIT_CGROUP_H
#define GUEST_INIT_CGROUP_H

#include <stdbool.h>

#include "guest-init/err.h"
#include "guest-init/program.h"

/*
 * cgroup_make - the container's cgroup, with the controllers of OCI limits
 *
 * The hierarchy is mounted nowhere: a descriptor is enough, and no mount is left for the container.
 *
 * @out_dir: for CLONE_INTO_CGROUP, which unlike writing cgroup.procs waits for no RCU grace period
 * Return: 0, or -errno with @e set.
 */
int cgroup_make(int *out_dir, struct err *e);

/*
 * cgroup_limit - write the program's values
 *
 * @pids: those of the pids controller, which come once the container's process exists: it may be
 *        the only one that is allowed; else all others
 * Return: 0, or -errno with @e naming the file.
 */
int cgroup_limit(int dir, const struct program *p, bool pids, struct err *e);

/* Processes in @dir and below that the kernel has killed for want of memory; 0 when unknown. */
uint32_t cgroup_oom_kills(int dir);

/* Write @value to @file of the cgroup, line by line. Return: 0 or -errno. */
int cgroup_write(int dir, const char *file, const char *value);

/*
 * Where the process @pid is, at or below @dir, the container's own: what runs systemd has moved its
 * processes and hands controllers down, so that nobody may be in @dir itself.
 * Return: a descriptor, or -errno.
 */
int cgroup_of(int dir, int pid);

#endif
