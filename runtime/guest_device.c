/* SPDX-License-Identifier: Apache-2.0 */
/* guest_device - which devices the guest's kernel has, by number (kernel-config/, devices.txt). */
#include "runtime/guest_device.h"

#include <stddef.h>

/* What has the same meaning on every machine: no device of the host is behind any of them. */
static const struct {
	int type;
	uint32_t major;
	uint32_t first; /* minors, inclusive */
	uint32_t last;
} table[] = {
	{ 'c', 1, 3, 3 },     /* null */
	{ 'c', 1, 5, 5 },     /* zero */
	{ 'c', 1, 7, 9 },     /* full, random, urandom */
	{ 'c', 1, 11, 11 },   /* kmsg */
	{ 'c', 5, 0, 0 },     /* tty */
	{ 'c', 5, 2, 2 },     /* ptmx */
	{ 'c', 10, 200, 200 }, /* net/tun */
	{ 'c', 10, 229, 229 }, /* fuse */
	{ 'c', 10, 237, 237 }, /* loop-control */
	{ 'b', 7, 0, 255 },    /* loop0 ... */
};

bool guest_device_exists(int type, uint32_t major, uint32_t minor)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].type == type && table[i].major == major &&
		    minor >= table[i].first && minor <= table[i].last)
			return true;
	return false;
}
