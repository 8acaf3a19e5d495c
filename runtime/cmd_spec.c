/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_spec - spec and features: documents that need no container. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/features.h"
#include "oci/template.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/cmd.h"
#include "runtime/mountopt.h"

static int write_new(const char *dir, const char *name, const char *text, struct err *e)
{
	OWN_FD int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	OWN_FD int fd = -1;
	int r;

	if (dir_fd < 0)
		return err_sys(e, "bundle \"%s\"", dir);
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0 && errno == EEXIST)
		return err_set(e, EEXIST, "File %s exists. Remove it first", name);
	if (fd < 0)
		return err_sys(e, "make \"%s/%s\"", dir, name);
	r = io_write_all(fd, text, strlen(text));
	if (r < 0) {
		(void)unlinkat(dir_fd, name, 0);
		return err_set(e, -r, "write \"%s/%s\": %s", dir, name, strerror(-r));
	}
	return 0;
}

int cmd_spec(const struct globals *g, int argc, char **argv)
{
	static const struct option options[] = { { "bundle", required_argument, NULL, 'b' },
						 { "config", required_argument, NULL, 'f' },
						 { "rootless", no_argument, NULL, 'r' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	struct template_opts t = { .host_uid = geteuid(), .host_gid = getegid() };
	const char *bundle = ".";
	const char *name = "config.json";
	OWN_FREE char *text = NULL;
	struct err e = { 0 };
	int opt;
	int r;

	(void)g;
	while ((opt = cmd_getopt(argc, argv, "+:b:f:h", options)) != -1) {
		if (opt == 'b')
			bundle = optarg;
		else if (opt == 'f')
			name = optarg;
		else if (opt == 'r')
			t.rootless = true;
		else
			return cmd_other_option(opt, argv);
	}
	if (argc != optind)
		return cmd_usage_error("no arguments are taken");
	r = template_format(&t, &text);
	if (r < 0)
		(void)err_set(&e, -r, "%s", strerror(-r));
	else
		r = write_new(bundle, name, text, &e);
	if (r < 0)
		log_err("spec: %s", e.msg);
	return r < 0 ? 1 : 0;
}

int cmd_features(const struct globals *g, int argc, char **argv)
{
	OWN_FREE char *text = NULL;
	int r;

	(void)g;
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return cmd_help();
	if (argc > 1)
		return cmd_usage_error("no arguments are taken");
	r = features_format(CORACLE_VERSION, CORACLE_COMMIT, mount_option_names, &text);
	if (r < 0) {
		log_err("features: %s", strerror(-r));
		return 1;
	}
	return fputs(text, stdout) < 0 || fflush(stdout) != 0;
}
