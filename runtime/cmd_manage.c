/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_manage - start, pause, resume, kill and delete: options, then container.c. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/cmd.h"
#include "runtime/container.h"

static const struct option manage_options[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "force", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct manage {
	bool all;
	bool force;
	struct statedir d;
};

/* Options of one letter out of @letters, then @min to @max words. Return: -1 to go on, or status. */
static int parse(struct manage *m, const char *letters, int min, int max, int argc, char **argv)
{
	int opt;

	while ((opt = cmd_getopt(argc, argv, "+:afh", manage_options)) != -1) {
		if (opt == 'h' || !strchr(letters, opt))
			return cmd_other_option(opt == 'h' ? 'h' : '?', argv);
		m->all |= opt == 'a';
		m->force |= opt == 'f';
	}
	if (argc - optind < min || argc - optind > max)
		return cmd_usage_error("wrong number of arguments");
	return -1;
}

static int open_container(const struct globals *g, const char *id, struct manage *m, struct err *e)
{
	OWN_FREE char *root = NULL;

	if (statedir_check_id(id, e) < 0 || statedir_root(g->root, false, &root, e) < 0)
		return -e->code;
	return statedir_open(root, id, &m->d, e);
}

static int finish(struct manage *m, const char *id, int r, struct err *e)
{
	statedir_close(&m->d);
	if (r >= 0)
		return 0;
	(void)err_wrap(e, "%s `%s`", current_command->name, id);
	log_err("%s", e->msg);
	return 1;
}

/* A command that takes an id and nothing else. */
static int simple(const struct globals *g, int argc, char **argv,
		  int (*act)(struct statedir *d, struct err *e))
{
	struct manage m = { .d = { .fd = -1 } };
	struct err e = { 0 };
	int r = parse(&m, "", 1, 1, argc, argv);

	if (r >= 0)
		return r;
	r = open_container(g, argv[optind], &m, &e);
	if (r == 0)
		r = act(&m.d, &e);
	return finish(&m, argv[optind], r, &e);
}

int cmd_start(const struct globals *g, int argc, char **argv)
{
	return simple(g, argc, argv, container_start);
}

int cmd_pause(const struct globals *g, int argc, char **argv)
{
	return simple(g, argc, argv, container_pause);
}

int cmd_resume(const struct globals *g, int argc, char **argv)
{
	return simple(g, argc, argv, container_resume);
}

/* "15", "TERM", "SIGterm", "RTMIN+3", "0". Return: 0..64, or -EINVAL. */
static int parse_signal(const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end != text && *end == '\0')
		return n >= 0 && n <= 64 ? (int)n : -EINVAL;
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	if (strncasecmp(text, "RTMIN", 5) == 0 || strncasecmp(text, "RTMAX", 5) == 0) {
		bool min = strncasecmp(text, "RTMIN", 5) == 0;

		n = text[5] ? strtol(text + 5, &end, 10) : 0;
		if (text[5] && *end)
			return -EINVAL;
		/* the numbers of programs: the C library keeps 32 and 33 for itself */
		n += min ? 34 : 64;
		return n >= 34 && n <= 64 ? (int)n : -EINVAL;
	}
	for (int i = 1; i < 32; i++)
		if (sigabbrev_np(i) && strcasecmp(text, sigabbrev_np(i)) == 0)
			return i;
	if (strcasecmp(text, "IOT") == 0)
		return SIGIOT;
	if (strcasecmp(text, "IO") == 0)
		return SIGIO;
	return -EINVAL;
}

int cmd_kill(const struct globals *g, int argc, char **argv)
{
	struct manage m = { .d = { .fd = -1 } };
	struct err e = { 0 };
	int signal = SIGTERM;
	int r = parse(&m, "a", 1, 2, argc, argv);

	if (r >= 0)
		return r;
	if (argc - optind == 2)
		signal = parse_signal(argv[optind + 1]);
	r = open_container(g, argv[optind], &m, &e);
	if (r == 0 && signal < 0)
		r = err_set(&e, EINVAL, "unknown signal \"%s\"", argv[optind + 1]);
	if (r == 0)
		r = container_kill(&m.d, signal, m.all, &e);
	return finish(&m, argv[optind], r, &e);
}

int cmd_delete(const struct globals *g, int argc, char **argv)
{
	struct manage m = { .d = { .fd = -1 } };
	struct err e = { 0 };
	int r = parse(&m, "f", 1, 1, argc, argv);

	if (r >= 0)
		return r;
	r = open_container(g, argv[optind], &m, &e);
	if (r == -ENOENT && m.force)
		return 0;
	if (r == 0)
		r = container_delete(&m.d, m.force, &e);
	return finish(&m, argv[optind], r, &e);
}
