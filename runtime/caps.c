/* SPDX-License-Identifier: Apache-2.0 */
/* caps - capability names and our own capabilities. */
#include "runtime/caps.h"

#include <cap-ng.h>
#include <errno.h>
#include <strings.h>
#include <sys/prctl.h>
#include <unistd.h>

uint64_t caps_mask(char *const *names, size_t n)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < n; i++) {
		const char *name = names[i];
		int cap;

		if (strncasecmp(name, "CAP_", 4) == 0)
			name += 4;
		cap = capng_name_to_capability(name);
		if (cap >= 0 && cap < 64)
			mask |= 1ull << cap;
	}
	return mask;
}

bool caps_have_sys_admin(void)
{
	return capng_get_caps_process() == 0 &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN);
}

int caps_confine(unsigned capability)
{
	capng_setpid(getpid());
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, capability) < 0 ||
	    capng_apply(CAPNG_SELECT_ALL) < 0)
		return -EPERM;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ? -EPERM : 0;
}

int caps_drop_all(void)
{
	/* the library remembers the process that first asked: our parent */
	capng_setpid(getpid());
	capng_clear(CAPNG_SELECT_ALL);
	return capng_apply(CAPNG_SELECT_ALL) < 0 ? -EPERM : 0;
}
