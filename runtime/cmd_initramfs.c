/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_initramfs - make the initramfs that lets a distribution's kernel run containers. */
#include <stdio.h>
#include <string.h>

#include "runtime/base/log.h"
#include "runtime/cmd.h"
#include "runtime/host.h"
#include "runtime/initramfs.h"

int cmd_initramfs(const struct globals *g, int argc, char **argv)
{
	struct host_facts facts;
	struct err e = { 0 };
	char folder[PATH_MAX];

	(void)g;
	if (argc > 1 && argv[1][0] == '-')
		return strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0 ?
			       cmd_help() :
			       cmd_usage_error("unknown option \"%s\"", argv[1]);
	if (argc != 3)
		return cmd_usage_error("a kernel version and a file to write are needed");
	/* a version, as in `uname -r`, or the folder itself */
	(void)snprintf(folder, sizeof(folder), "%s%s", argv[1][0] == '/' ? "" : "/lib/modules/", argv[1]);
	if (host_facts_collect(&facts, &e) < 0 ||
	    initramfs_write(folder, facts.initrd, argv[2], &e) < 0) {
		(void)err_wrap(&e, "initramfs");
		log_err("%s", e.msg);
		return 1;
	}
	return 0;
}
