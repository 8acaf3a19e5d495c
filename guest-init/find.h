/* SPDX-License-Identifier: Apache-2.0 */
/* find - which file args[0] names, and where the user is at home. */
#ifndef GUEST_INIT_FIND_H
#define GUEST_INIT_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest-init/err.h"

/*
 * find_program - look for @name as the calling user, in @search (a PATH; NULL: the usual one)
 * @out_path: @cap bytes
 * Return: 0, or -errno with @e in the words that engines look for.
 */
int find_program(const char *name, const char *search, char *out_path, size_t cap, struct err *e);

/*
 * find_next - one element of a search path, joined with @name; pure
 * @search: moved behind the element; NULL after the last
 * Return: false when the result does not fit into @cap bytes; the element is skipped.
 */
bool find_next(const char **search, const char *name, char *out_path, size_t cap);

/*
 * find_home - the home directory of @uid in the text of a passwd file; pure
 * Return: length written to @out with its NUL, or 0 when there is none.
 */
size_t find_home(const char *passwd, uint32_t uid, char *out, size_t cap);

#endif
