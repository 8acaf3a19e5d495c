/* SPDX-License-Identifier: Apache-2.0 */
/* foreground - wait for a process whose place we take towards our caller. */
#ifndef RUNTIME_FOREGROUND_H
#define RUNTIME_FOREGROUND_H

#include <sys/types.h>

/* Wait for our child @pid; signals that reach us are its. Return: its status as a shell says it. */
int foreground_wait(pid_t pid);

#endif
