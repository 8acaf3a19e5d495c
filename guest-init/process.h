/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process - turn the child into the user's process: limits, directory, ids, capabilities, filter.
 *
 * DOC: order
 *
 *   process_limits()   needs privilege: oom_score_adj, rlimits
 *   process_make_cwd() as root, before "/" is read-only
 *   process_cwd()      when paths are covered: what was found before may be one of them
 *   process_become()   scheduling, personality, bounding set, groups, ids, capabilities, no_new_privs, umask
 *   find_program()     args[0] as the user will see it
 *   process_exec()     seccomp, then execve
 *
 * The filter comes last, so that it need not allow what we do ourselves. Without no_new_privs it
 * takes CAP_SYS_ADMIN: that stays permitted, not effective, until then, and execve takes it away
 * since nothing that it computes from has it (capabilities(7), "Transformation").
 */
#ifndef GUEST_INIT_PROCESS_H
#define GUEST_INIT_PROCESS_H

#include "guest-init/container.h"

/* Each returns 0, or -errno with @e set. */
int process_limits(struct container *c, struct err *e);
int process_become(struct container *c, struct err *e);

/*
 * process_cwd - go to the process's directory, but never out of the container's root
 *
 * One that we may not enter the user perhaps may: process_become() tries again.
 * Return: 0 or -errno; -ENOENT outside.
 */
int process_cwd(struct container *c);

/* The same, making it when it is missing. */
int process_make_cwd(struct container *c);

/*
 * process_exec - become the program
 * @path: found by find_program()
 * @home: "HOME=..." to add to the environment, or NULL
 * Return: only on failure, -errno with @e set.
 */
int process_exec(struct container *c, const char *path, const char *home, struct err *e);

#endif
