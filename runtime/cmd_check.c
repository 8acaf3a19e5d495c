/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_check - say what this host lacks, and how to mend it. */
#include <stdio.h>

#include "runtime/cmd.h"
#include "runtime/host.h"

int cmd_check(const struct globals *g, int argc, char **argv)
{
	int missing = 0;

	(void)g;
	if (argc > 1 && (argv[1][0] == '-' && (argv[1][1] == 'h' || argv[1][1] == '-')))
		return cmd_help();
	if (argc > 1)
		return cmd_usage_error("no arguments are taken");
	for (size_t i = 0; i < n_host_checks; i++) {
		struct err e = { 0 };
		int r = host_checks[i].probe(&e);

		if (r < 0)
			(void)printf("missing  %s: %s\n", host_checks[i].name, e.msg);
		else
			(void)printf("ok       %s\n", host_checks[i].name);
		missing += r < 0;
	}
	return missing ? 1 : 0;
}
