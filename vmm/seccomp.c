/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp - load the filters that vmm/seccomp_compile.c made at build time; the rules stand there. */
#include "vmm/seccomp.h"

#include <linux/filter.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "seccomp_filters.h" /* generated */

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define MODE_FILTER 2 /* SECCOMP_MODE_FILTER */

static const struct {
	const struct sock_filter *code;
	size_t n;
} filters[SECCOMP_CLASSES] = {
	[SECCOMP_LOOP] = { loop_filter, N(loop_filter) },
	[SECCOMP_VCPU] = { vcpu_filter, N(vcpu_filter) },
	[SECCOMP_FILES] = { files_filter, N(files_filter) },
};

void seccomp_seal(enum seccomp_class class)
{
	struct sock_filter code[N(loop_filter) + N(vcpu_filter) + N(files_filter)];
	size_t n = filters[class].n;
	struct sock_fprog prog = { .len = (unsigned short)n, .filter = code };

	memcpy(code, filters[class].code, n * sizeof(code[0]));
	for (size_t i = 0; i < n; i++)
		if (code[i].k == SECCOMP_OWN_PID)
			code[i].k = (unsigned)getpid();
	if (prctl(PR_SET_SECCOMP, MODE_FILTER, &prog, 0, 0) < 0)
		abort();
}
