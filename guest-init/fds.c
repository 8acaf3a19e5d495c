/* SPDX-License-Identifier: Apache-2.0 */
/* fds - descriptors that a new process must not hold. */
#include "guest-init/fds.h"

#include "guest-init/sys.h"

void fds_close_others(const int *keep, size_t n)
{
	int from = 3;

	for (;;) {
		int next = -1;

		for (size_t i = 0; i < n; i++)
			if (keep[i] >= from && (next < 0 || keep[i] < next))
				next = keep[i];
		if (next < 0)
			break;
		if (next > from)
			sys_close_range((unsigned)from, (unsigned)next - 1);
		from = next + 1;
	}
	sys_close_range((unsigned)from, ~0u);
}
