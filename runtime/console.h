/* SPDX-License-Identifier: Apache-2.0 */
/* console - the host side of a container's terminal (engine contract section 15). */
#ifndef RUNTIME_CONSOLE_H
#define RUNTIME_CONSOLE_H

#include <stdint.h>

#include "runtime/base/err.h"

struct console {
	int master;
	int slave; /* raw: what programs see is the terminal in the guest */
};

/*
 * A program that runs on our own terminal starts with its size: set later, it would see a change. Left as it
 * is where we have no terminal.
 */
void console_our_size(uint32_t *rows, uint32_t *cols);

int console_open(struct console *c, unsigned rows, unsigned cols, struct err *e) MUST_CHECK;

/* Send the master to the engine listening on the UNIX socket @path. */
int console_send(const char *path, int master, struct err *e) MUST_CHECK;

/*
 * Relay between our own terminal (descriptors 0 and 1) and @master until that or our child @pid ends;
 * signals that reach us go to @pid.
 */
int console_relay(int master, int pid, struct err *e) MUST_CHECK;

#endif
