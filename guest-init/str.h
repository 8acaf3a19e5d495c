/* SPDX-License-Identifier: Apache-2.0 */
/* str - bytes and text for a program without a C library. */
#ifndef GUEST_INIT_STR_H
#define GUEST_INIT_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* mem.c; unit tests on the host link the C library's instead. */
void *memcpy(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
void *memmove(void *dst, const void *src, size_t n);
int memcmp(const void *a, const void *b, size_t n);

size_t str_len(const char *s);
bool str_eq(const char *a, const char *b);
/* Whether @s begins with @prefix. */
bool str_begins(const char *s, const char *prefix);
/* First @c in @s, or NULL. */
const char *str_find(const char *s, char c);
/* Length of @s when it ends within @n bytes, else -1: the only way to measure foreign text. */
ptrdiff_t str_bounded(const char *s, size_t n);
/*
 * Read a decimal number and step *@s behind it. Return: false without a digit, or beyond 32 bits.
 */
bool str_number(const char **s, uint32_t *out);

/*
 * Format into @dst of @cap bytes (at least 1), always terminated, cut when it does not fit.
 * Knows %s %c %d %u %x %% and the length "l".
 * Return: length of what was written.
 */
size_t str_fmt(char *dst, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
size_t str_vfmt(char *dst, size_t cap, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));

#endif
