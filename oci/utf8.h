/* SPDX-License-Identifier: Apache-2.0 */
/* utf8 - is this text UTF-8? */
#ifndef OCI_UTF8_H
#define OCI_UTF8_H

#include <stddef.h>

/**
 * utf8_len() - Length of the character at the start of a text
 * @s:	@n bytes
 * @n:	At least 1
 *
 * Strict (Unicode 15, table 3-7): no overlong forms, no surrogates, nothing above U+10FFFF.
 *
 * Return: 1 to 4, or 0 when the bytes are no UTF-8 character.
 */
size_t utf8_len(const char *s, size_t n);

/* Return: offset of the first byte that is not UTF-8, @n when all is well. */
size_t utf8_check(const char *s, size_t n);

#endif
