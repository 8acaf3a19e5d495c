/* SPDX-License-Identifier: Apache-2.0 */
/* caps - capability names and our own capabilities; the only file here that knows libcap-ng. */
#ifndef RUNTIME_CAPS_H
#define RUNTIME_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Mask of names such as "CAP_KILL"; unknown ones are left out, as runc does. */
uint64_t caps_mask(char *const *names, size_t n);

/* May we mount, in the user namespace we are in? */
bool caps_have_sys_admin(void);

/*
 * For a process that does one thing: keep @capability (CAP_NET_ADMIN, ...) alone, get no other by execve, and
 * be nobody's to trace or dump. Return: 0 or -EPERM.
 */
int caps_confine(unsigned capability);

/* Drop every capability and the bounding set. Return: 0 or -EPERM. */
int caps_drop_all(void);

#endif
