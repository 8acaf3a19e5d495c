/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks - startContainer: programs of the image that run in the container, as its user, before its process.
 *
 * Each reads the state on stdin, a file; what it says on stdout and stderr, in a file too, is part of the error
 * when it fails. One that takes longer than its timeout is killed with its session.
 */
#ifndef GUEST_INIT_HOOKS_H
#define GUEST_INIT_HOOKS_H

#include "guest-init/container.h"

/*
 * hooks_run - run them in order, up to the first that fails
 * @home: an environment entry for those that have the process's environment, or NULL
 *
 * Return: 0, or -errno with @e set. Context: the child that becomes the process, after process_become().
 */
int hooks_run(struct container *c, const char *home, struct err *e);

#endif
