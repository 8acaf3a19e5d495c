/* SPDX-License-Identifier: Apache-2.0 */
/* utf8 - is this text UTF-8? */
#include "oci/utf8.h"

#include <stdint.h>

/* Rows of table 3-7: lead bytes, what the second byte may be, length; later ones are 80..BF. */
static const struct {
	uint8_t lead_min, lead_max, second_min, second_max, len;
} utf8_rows[] = {
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
	{ 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 },
	{ 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

size_t utf8_len(const char *s, size_t n)
{
	const uint8_t *p = (const uint8_t *)s;

	if (p[0] < 0x80)
		return 1;
	for (size_t i = 0; i < sizeof(utf8_rows) / sizeof(utf8_rows[0]); i++) {
		if (p[0] < utf8_rows[i].lead_min || p[0] > utf8_rows[i].lead_max)
			continue;
		if (n < utf8_rows[i].len)
			return 0;
		if (p[1] < utf8_rows[i].second_min || p[1] > utf8_rows[i].second_max)
			return 0;
		for (size_t k = 2; k < utf8_rows[i].len; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return utf8_rows[i].len;
	}
	return 0;
}

size_t utf8_check(const char *s, size_t n)
{
	size_t at = 0;

	while (at < n) {
		size_t len = utf8_len(s + at, n - at);

		if (len == 0)
			break;
		at += len;
	}
	return at;
}
