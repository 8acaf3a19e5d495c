/* SPDX-License-Identifier: Apache-2.0 */
/* proc - what a process asks the kernel about itself, its parent and its children; its descriptors. */
#ifndef RUNTIME_BASE_PROC_H
#define RUNTIME_BASE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "runtime/base/err.h"

/*
 * Die by SIGKILL with the thread that is our parent. @parent: its pid as we see it, taken before the fork,
 * 0 when it is outside of our pid namespace.
 * Return: 0; -ESRCH when it has died already, and would never be noticed; -errno.
 */
int proc_die_with(pid_t parent) MUST_CHECK;

/*
 * Wait until our child @pid has ended, at most @timeout_ms (-1: for ever). It is not reaped.
 * Return: false when the time is over; true as well where it could not be watched.
 */
bool proc_ended(pid_t pid, int timeout_ms) MUST_CHECK;

/*
 * The number by which others know @pid, ourselves or a child: the one of the pid namespace that /proc
 * shows, where that is not ours.
 * Return: it, or -errno.
 */
pid_t proc_published(pid_t pid) MUST_CHECK;

/* In a child: no signal is blocked any more. Our own processes block those that they wait for. Return: 0 or -errno. */
int proc_unblock_signals(void);

/*
 * Close every descriptor but 0 to 2 and the @n of @keep, which are sorted; negative ones mean nothing.
 * Return: 0 or -errno.
 */
int proc_close_others(int *keep, size_t n);

#endif
