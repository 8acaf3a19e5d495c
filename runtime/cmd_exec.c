/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_exec - exec and ps: options, then exec.c. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/cmd.h"
#include "runtime/ctl.h"
#include "runtime/exec.h"

#define ANSWER_MS 10000

enum { OPT_PID_FILE = 256, OPT_CONSOLE, OPT_CWD, OPT_NO_NEW_PRIVS, OPT_LABEL, OPT_APPARMOR, OPT_CGROUP,
       OPT_PRESERVE, OPT_IGNORE_PAUSED };

static const struct option exec_options[] = {
	{ "process", required_argument, NULL, 'p' },
	{ "pid-file", required_argument, NULL, OPT_PID_FILE },
	{ "console-socket", required_argument, NULL, OPT_CONSOLE },
	{ "detach", no_argument, NULL, 'd' },
	{ "tty", optional_argument, NULL, 't' },
	{ "cwd", required_argument, NULL, OPT_CWD },
	{ "user", required_argument, NULL, 'u' },
	{ "additional-gids", required_argument, NULL, 'g' },
	{ "env", required_argument, NULL, 'e' },
	{ "cap", required_argument, NULL, 'c' },
	{ "no-new-privs", no_argument, NULL, OPT_NO_NEW_PRIVS },
	{ "process-label", required_argument, NULL, OPT_LABEL },
	{ "apparmor", required_argument, NULL, OPT_APPARMOR },
	{ "cgroup", required_argument, NULL, OPT_CGROUP },
	{ "preserve-fds", required_argument, NULL, OPT_PRESERVE },
	{ "ignore-paused", no_argument, NULL, OPT_IGNORE_PAUSED },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* The lists are as long as the command line at most. */
struct request {
	struct exec_options o;
	char *id;
};

static int parse_number(const char *text, unsigned long max, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	return errno || *text < '0' || *text > '9' || *end || *out > max ? -EINVAL : 0;
}

static bool is_no(const char *text)
{
	return text && (strcmp(text, "false") == 0 || strcmp(text, "no") == 0 || strcmp(text, "0") == 0);
}

/* Does @path lead up? */
static bool leaves(const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "/");

		if (n == 2 && strncmp(path, "..", 2) == 0)
			return true;
		path += n;
		path += strspn(path, "/");
	}
	return false;
}

/* Options with a value of their own form. Return: -1 to go on, else the exit status. */
static int on_value(struct exec_options *o, int opt)
{
	unsigned long n;

	switch (opt) {
	case 'g':
		if (parse_number(optarg, UINT32_MAX - 1, &n) < 0)
			return cmd_usage_error("--additional-gids: \"%s\" is no group id", optarg);
		o->gids[o->n_gids++] = (uint32_t)n;
		return -1;
	case OPT_PRESERVE:
		if (parse_number(optarg, 65535, &n) < 0)
			return cmd_usage_error("--preserve-fds: \"%s\" is no number", optarg);
		o->preserve_fds = (unsigned)n;
		return -1;
	case OPT_CGROUP:
		if (leaves(optarg))
			return cmd_usage_error("--cgroup: \"%s\": not below the container's cgroup", optarg);
		o->cgroup = optarg;
		return -1;
	default:
		return -1;
	}
}

static int on_option(struct exec_options *o, int opt, char **argv)
{
	switch (opt) {
	case 'p':
		o->process_file = optarg;
		return -1;
	case OPT_PID_FILE:
		o->pid_file = optarg;
		return -1;
	case OPT_CONSOLE:
		o->console_socket = optarg;
		return -1;
	case 'd':
		o->detach = true;
		return -1;
	case 't':
		o->tty = !is_no(optarg);
		return -1;
	case OPT_CWD:
		o->cwd = optarg;
		return -1;
	case 'u':
		o->user = optarg;
		return -1;
	case 'e':
		o->env[o->n_env++] = optarg;
		return -1;
	case 'c':
		o->caps[o->n_caps++] = optarg;
		return -1;
	case OPT_NO_NEW_PRIVS:
		o->no_new_privs = true;
		return -1;
	case OPT_LABEL:
		o->label = optarg;
		return -1;
	case OPT_APPARMOR:
		o->apparmor = optarg;
		return -1;
	case OPT_IGNORE_PAUSED:
		o->ignore_paused = true;
		return -1;
	case 'g':
	case OPT_PRESERVE:
	case OPT_CGROUP:
		return on_value(o, opt);
	default:
		return cmd_other_option(opt, argv);
	}
}

/* Return: -1 to go on, else the exit status. */
static int parse(struct request *q, int argc, char **argv)
{
	int opt, r;

	while ((opt = cmd_getopt(argc, argv, "+:p:dt::u:g:e:c:h", exec_options)) != -1) {
		r = on_option(&q->o, opt, argv);
		if (r >= 0)
			return r;
	}
	if (argc - optind < 1)
		return cmd_usage_error("a container id is needed");
	if (!q->o.process_file && argc - optind < 2)
		return cmd_usage_error("a command or --process is needed");
	q->id = argv[optind];
	q->o.args = argv + optind + 1;
	q->o.n_args = (size_t)(argc - optind - 1);
	return -1;
}

static int open_container(const struct globals *g, const char *id, struct statedir *d, struct err *e)
{
	OWN_FREE char *root = NULL;

	if (statedir_check_id(id, e) < 0 || statedir_root(g->root, false, &root, e) < 0)
		return -e->code;
	return statedir_open(root, id, d, e);
}

static int fail(const char *id, int status, struct err *e)
{
	(void)err_wrap(e, "%s `%s`", current_command->name, id);
	log_err("%s", e->msg);
	return status;
}

int cmd_exec(const struct globals *g, int argc, char **argv)
{
	OWN_FREE char **env = calloc((size_t)argc, sizeof(*env));
	OWN_FREE char **caps = calloc((size_t)argc, sizeof(*caps));
	OWN_FREE uint32_t *gids = calloc((size_t)argc, sizeof(*gids));
	struct request q = { .o = { .env = env, .caps = caps, .gids = gids } };
	struct statedir d = { .fd = -1 };
	struct err e = { 0 };
	int status = 1;
	int r;

	if (!env || !caps || !gids)
		return 1;
	r = parse(&q, argc, argv);
	if (r >= 0)
		return r;
	r = open_container(g, q.id, &d, &e);
	if (r == 0)
		r = exec_run(&d, &q.o, &status, &e);
	statedir_close(&d);
	return r < 0 ? fail(q.id, status, &e) : status;
}

/* ------------------------------------------------------------------ ps */

static const struct option ps_options[] = {
	{ "format", required_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static int print_pids(struct statedir *d, struct err *e)
{
	struct ctl_pids pids = { 0 };
	struct err ignored = { 0 };
	struct statedir_record r;
	bool stopped;

	if (statedir_read(d, &r, e) < 0)
		return -e->code;
	stopped = statedir_status(d, &r) == OCI_STATUS_STOPPED;
	statedir_record_fini(&r);
	if (!stopped && ctl_pids(d, ANSWER_MS, &pids, &ignored) < 0 &&
	    ignored.code != ESRCH) /* it has just ended */
		return err_set(e, ignored.code, "%s", ignored.msg);
	(void)putchar('[');
	for (uint32_t i = 0; i < pids.n; i++)
		(void)printf("%s%d", i ? "," : "", pids.pid[i]);
	(void)puts("]");
	return 0;
}

int cmd_ps(const struct globals *g, int argc, char **argv)
{
	struct statedir d = { .fd = -1 };
	struct err e = { 0 };
	bool json = false;
	int opt;
	int r;

	while ((opt = cmd_getopt(argc, argv, "+:f:h", ps_options)) != -1) {
		if (opt != 'f')
			return cmd_other_option(opt, argv);
		json = strcmp(optarg, "json") == 0;
		if (!json && strcmp(optarg, "table") != 0)
			return cmd_usage_error("--format: \"%s\" is neither table nor json", optarg);
	}
	if (argc - optind < 1)
		return cmd_usage_error("a container id is needed");
	for (int i = optind + 1; i < argc; i++)
		if (strcmp(argv[i], "-ef") != 0 && strcmp(argv[i], "-e") != 0 &&
		    strcmp(argv[i], "-f") != 0)
			return cmd_usage_error("\"%s\": the table is always that of -ef, made in the guest",
					       argv[i]);
	r = open_container(g, argv[optind], &d, &e);
	if (r == 0)
		r = json ? print_pids(&d, &e) : exec_ps(&d, &e);
	statedir_close(&d);
	return r < 0 ? fail(argv[optind], 1, &e) : 0;
}
