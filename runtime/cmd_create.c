/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_create - create and run: options, then container.c. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/cmd.h"
#include "runtime/console.h"
#include "runtime/container.h"
#include "runtime/interrupt.h"
#include "runtime/foreground.h"

enum { OPT_PID_FILE = 256, OPT_CONSOLE, OPT_PRESERVE, OPT_IGNORED, OPT_KEEP };

static const struct option create_options[] = {
	{ "bundle", required_argument, NULL, 'b' },
	{ "config", required_argument, NULL, 'f' },
	{ "pid-file", required_argument, NULL, OPT_PID_FILE },
	{ "console-socket", required_argument, NULL, OPT_CONSOLE },
	{ "preserve-fds", required_argument, NULL, OPT_PRESERVE },
	{ "no-pivot", no_argument, NULL, OPT_IGNORED },
	{ "no-new-keyring", no_argument, NULL, OPT_IGNORED },
	{ "no-subreaper", no_argument, NULL, OPT_IGNORED },
	{ "detach", no_argument, NULL, 'd' },
	{ "keep", no_argument, NULL, OPT_KEEP },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct request {
	struct container_options o;
	bool keep;
};

static int parse_count(const char *text, unsigned *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end || *text == '-' || n > 65535)
		return -EINVAL;
	*out = (unsigned)n;
	return 0;
}

/* Return: -1 to go on, else the exit status. */
static int parse(struct request *q, bool run, int argc, char **argv)
{
	int opt;

	while ((opt = cmd_getopt(argc, argv, "+:b:f:dh", create_options)) != -1) {
		switch (opt) {
		case 'b':
			q->o.bundle = optarg;
			break;
		case 'f':
			q->o.config = optarg;
			break;
		case OPT_PID_FILE:
			q->o.pid_file = optarg;
			break;
		case OPT_CONSOLE:
			q->o.console_socket = optarg;
			break;
		case OPT_PRESERVE:
			if (parse_count(optarg, &q->o.preserve_fds) < 0)
				return cmd_usage_error("--preserve-fds: \"%s\" is no number", optarg);
			break;
		case OPT_IGNORED:
			break;
		case 'd':
		case OPT_KEEP:
			if (!run)
				return cmd_usage_error("--detach and --keep belong to run");
			q->keep |= opt == OPT_KEEP;
			q->o.detached |= opt == 'd';
			break;
		default:
			return cmd_other_option(opt, argv);
		}
	}
	if (argc - optind != 1)
		return cmd_usage_error("exactly one container id is needed");
	q->o.id = argv[optind];
	return -1;
}

static int fail(const char *id, struct err *e)
{
	(void)err_wrap(e, "%s `%s`", current_command->name, id);
	log_err("%s", e->msg);
	return 1;
}

int cmd_create(const struct globals *g, int argc, char **argv)
{
	struct request q = { .o = { .root = g->root, .detached = true, .debug = g->debug,
				    .dry_run = g->dry_run,
				    .cgroup_manager = g->cgroup_manager } };
	struct err e = { 0 };
	int r = parse(&q, false, argc, argv);

	if (r >= 0)
		return r;
	return container_create(&q.o, NULL, &e) < 0 ? fail(q.o.id, &e) : 0;
}

static void explain(struct statedir *d)
{
	char why[384];

	if (statedir_death(d, why, sizeof(why)))
		log_err("run `%s`: %s", d->id, why);
}

static int run_foreground(const struct request *q, struct container_process *p,
			  struct statedir *d)
{
	struct err e = { 0 };
	int status;

	if (p->master >= 0 && console_relay(p->master, p->pid, &e) < 0)
		log_err("%s", e.msg);
	status = foreground_wait(p->pid);
	if (d->fd < 0)
		return status;
	explain(d);
	if (!q->keep && container_delete(d, true, &e) < 0)
		log_warn("delete `%s`: %s", q->o.id, e.msg);
	return status;
}

int cmd_run(const struct globals *g, int argc, char **argv)
{
	struct request q = { .o = { .root = g->root, .debug = g->debug, .dry_run = g->dry_run,
				    .cgroup_manager = g->cgroup_manager, .start = true } };
	struct container_process p = { .master = -1 };
	struct statedir d = { .fd = -1 };
	OWN_FREE char *root = NULL;
	struct err e = { 0 };
	struct interrupt held = { .fd = -1 };
	int r = parse(&q, true, argc, argv);

	if (r >= 0)
		return r;
	/* from create to wait no signal may part us from the container */
	if (interrupt_hold(&held, &e) < 0 || container_create(&q.o, &p, &e) < 0)
		return fail(q.o.id, &e);
	if (g->dry_run)
		return 0;
	/* removed by somebody already: its status is ours to tell all the same */
	if (statedir_root(q.o.root, false, &root, &e) < 0 ||
	    statedir_open(root, q.o.id, &d, &e) < 0)
		d.fd = -1;
	r = q.o.detached ? 0 : run_foreground(&q, &p, &d);
	own_close_fd(&p.master);
	own_close_fd(&held.fd);
	statedir_close(&d);
	return r;
}
