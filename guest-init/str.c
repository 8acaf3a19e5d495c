/* SPDX-License-Identifier: Apache-2.0 */
/* str - bytes and text for a program without a C library. */
#include "guest-init/str.h"

size_t str_len(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

bool str_eq(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

bool str_begins(const char *s, const char *prefix)
{
	while (*prefix != '\0')
		if (*s++ != *prefix++)
			return false;
	return true;
}

const char *str_find(const char *s, char c)
{
	for (; *s != '\0'; s++)
		if (*s == c)
			return s;
	return NULL;
}

ptrdiff_t str_bounded(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] == '\0')
			return (ptrdiff_t)i;
	return -1;
}

bool str_number(const char **s, uint32_t *out)
{
	const char *p = *s;
	uint32_t v = 0;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint32_t)(*p - '0'), &v))
			return false;
	if (p == *s)
		return false;
	*s = p;
	*out = v;
	return true;
}

struct sink {
	char *at;
	char *end; /* where the NUL must fit */
};

static void put(struct sink *k, const char *s, size_t n)
{
	size_t room = (size_t)(k->end - k->at);

	if (n > room)
		n = room;
	memcpy(k->at, s, n);
	k->at += n;
}

static void put_number(struct sink *k, uint64_t v, unsigned base, bool negative)
{
	char digits[24];
	size_t i = sizeof(digits);

	do {
		digits[--i] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v > 0);
	if (negative)
		digits[--i] = '-';
	put(k, digits + i, sizeof(digits) - i);
}

size_t str_vfmt(char *dst, size_t cap, const char *fmt, va_list ap)
{
	struct sink k = {.at = dst, .end = dst + cap - 1};

	for (; *fmt != '\0'; fmt++) {
		bool is_long = false;

		if (*fmt != '%') {
			put(&k, fmt, 1);
			continue;
		}
		if (*++fmt == 'l') {
			is_long = true;
			fmt++;
		}
		if (*fmt == 's') {
			const char *s = va_arg(ap, const char *);

			put(&k, s, str_len(s));
		} else if (*fmt == 'c') {
			char c = (char)va_arg(ap, int);

			put(&k, &c, 1);
		} else if (*fmt == 'd') {
			int64_t v = is_long ? va_arg(ap, long) : va_arg(ap, int);

			put_number(&k, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0);
		} else if (*fmt == 'u' || *fmt == 'x') {
			uint64_t v = is_long ? va_arg(ap, unsigned long) : va_arg(ap, unsigned);

			put_number(&k, v, *fmt == 'u' ? 10 : 16, false);
		} else if (*fmt == '%') {
			put(&k, "%", 1);
		} else {
			break; /* the compiler has refused everything else, or the text ended */
		}
	}
	*k.at = '\0';
	return (size_t)(k.at - dst);
}

size_t str_fmt(char *dst, size_t cap, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = str_vfmt(dst, cap, fmt, ap);
	va_end(ap);
	return n;
}
