/* SPDX-License-Identifier: Apache-2.0 */
/* pasta - a container's way out without an engine: Debian's passt package gives its namespace the host's network. */
#ifndef RUNTIME_PASTA_H
#define RUNTIME_PASTA_H

#include <sys/types.h>

#include "runtime/base/err.h"

/*
 * Run pasta(1) for the namespaces of process @pid, its own user namespace among them, and wait until it has configured them. It goes on in the
 * background, and ends when the namespace does.
 * Context: the command, which is single-threaded and outside of the namespaces.
 */
int pasta_start(pid_t pid, struct err *e) MUST_CHECK;

#endif
