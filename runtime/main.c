/* SPDX-License-Identifier: Apache-2.0 */
/* coracle - an OCI runtime that runs each container in a microVM: global options, command table. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/log.h"
#include "runtime/cmd.h"

const struct command commands[] = {
	{ "create", cmd_create, "[options] ID", "make a container, ready to start" },
	{ "start", cmd_start, "ID", "let a created container's program run" },
	{ "run", cmd_run, "[options] ID", "create, start, wait and delete" },
	{ "exec", cmd_exec, "[options] ID COMMAND [ARG...] | --process FILE [options] ID",
	  "run one more process in a container" },
	{ "ps", cmd_ps, "[--format table|json] ID",
	  "list processes: those inside as a table, those of the host that are the container as json" },
	{ "state", cmd_state, "ID", "print a container's state as JSON" },
	{ "kill", cmd_kill, "[--all] ID [SIGNAL]", "send a signal (default SIGTERM)" },
	{ "delete", cmd_delete, "[--force] ID", "remove a stopped container" },
	{ "pause", cmd_pause, "ID", "stop a container's CPUs" },
	{ "resume", cmd_resume, "ID", "let a paused container go on" },
	{ "update", cmd_update, "[--resources FILE] [limits] ID", "change a container's limits" },
	{ "events", cmd_events, "[--stats] [--interval TIME] ID", "print statistics and events as JSON" },
	{ "list", cmd_list, "[--quiet] [--format table|json]", "list containers" },
	{ "spec", cmd_spec, "[--bundle DIR] [--rootless]", "write an example config.json" },
	{ "features", cmd_features, "", "print what this runtime supports as JSON" },
	{ "initramfs", cmd_initramfs, "VERSION|FOLDER FILE",
	  "write an initramfs for a distribution's kernel" },
	{ "check", cmd_check, "", "say what this host lacks, and how to mend it" },
	{ NULL, NULL, NULL, NULL },
};

const struct command *current_command;

static const char version_text[] = "coracle version " CORACLE_VERSION "\n"
				   "commit: " CORACLE_COMMIT "\n"
				   "spec: 1.3.0\n";

static void print_usage(FILE *to)
{
	(void)fprintf(to, "usage: coracle [global options] COMMAND [options] ...\n\n"
			  "Runs OCI containers, each in a virtual machine of its own.\n\n"
			  "commands:\n");
	for (const struct command *c = commands; c->name; c++)
		(void)fprintf(to, "  %-9s %-34s %s\n", c->name, c->usage, c->help);
	(void)fprintf(to,
		      "\nglobal options:\n"
		      "  --root DIR              where containers are remembered\n"
		      "  --log FILE              also log to FILE\n"
		      "  --log-format text|json  format of that log\n"
		      "  --log-level LEVEL       error, warning, info, debug\n"
		      "  --debug                 the same as --log-level debug, with the guest's kernel log\n"
		      "  --dry-run               create, run: print what would be done\n"
		      "  --cgroup-manager NAME   cgroupfs (default), systemd, disabled\n"
		      "  --systemd-cgroup        the same as --cgroup-manager systemd\n"
		      "  --rootless[=BOOL]       accepted; found out by itself\n"
		      "  --version, --help\n");
}

int cmd_usage_error(const char *fmt, ...)
{
	char msg[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	log_err("%s: %s (usage: coracle %s%s%s)", current_command->name, msg, current_command->name,
		*current_command->usage ? " " : "", current_command->usage);
	return 1;
}

static const struct option *current_options;

int cmd_getopt(int argc, char **argv, const char *letters, const struct option *options)
{
	current_options = options;
	return getopt_long(argc, argv, letters, options, NULL);
}

int cmd_help(void)
{
	static const char *const values[] = { [no_argument] = "",
					      [required_argument] = " VALUE",
					      [optional_argument] = "[=VALUE]" };

	(void)printf("usage: coracle [global options] %s %s\n\n%s\n\n%s\n",
		     current_command->name, current_command->usage, current_command->help,
		     current_options ? "options (see coracle(1)):" : "see coracle(1)");
	for (const struct option *o = current_options; o && o->name; o++)
		(void)printf("  %c%c%s --%s%s\n", o->val < 128 ? '-' : ' ', o->val < 128 ? o->val : ' ',
			     o->val < 128 ? "," : " ", o->name, values[o->has_arg]);
	return 0;
}

int cmd_other_option(int opt, char **argv)
{
	if (opt == 'h')
		return cmd_help();
	if (opt == ':')
		return cmd_usage_error("option \"%s\" needs a value", argv[optind - 1]);
	return cmd_usage_error("unknown option \"%s\"", argv[optind - 1]);
}

enum { OPT_ROOT = 256, OPT_LOG, OPT_LOG_FORMAT, OPT_LOG_LEVEL, OPT_DEBUG, OPT_SYSTEMD, OPT_CGROUP,
       OPT_ROOTLESS, OPT_DRY_RUN };

static const struct option global_options[] = {
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "log", required_argument, NULL, OPT_LOG },
	{ "log-format", required_argument, NULL, OPT_LOG_FORMAT },
	{ "log-level", required_argument, NULL, OPT_LOG_LEVEL },
	{ "debug", no_argument, NULL, OPT_DEBUG },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "systemd-cgroup", no_argument, NULL, OPT_SYSTEMD },
	{ "cgroup-manager", required_argument, NULL, OPT_CGROUP },
	{ "rootless", optional_argument, NULL, OPT_ROOTLESS },
	{ "version", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct log_options {
	const char *file;
	bool json;
};

static int open_log(const struct log_options *l)
{
	int fd;

	if (!l->file)
		return 0;
	fd = open(l->file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0) {
		log_err("--log: open \"%s\": %s", l->file, strerror(errno));
		return -1;
	}
	log_set_file(fd, l->json);
	return 0;
}

/* Return: -1 to go on, else the exit status. */
static int on_global(struct globals *g, struct log_options *l, int opt, char **argv)
{
	enum log_level level;

	switch (opt) {
	case OPT_ROOT:
		g->root = optarg;
		return -1;
	case OPT_LOG:
		l->file = optarg;
		return -1;
	case OPT_LOG_FORMAT:
		l->json = strcmp(optarg, "json") == 0;
		if (l->json || strcmp(optarg, "text") == 0)
			return -1;
		log_err("--log-format: \"%s\" is neither text nor json", optarg);
		return 1;
	case OPT_LOG_LEVEL:
		if (log_parse_level(optarg, &level) < 0) {
			log_err("--log-level: unknown level \"%s\"", optarg);
			return 1;
		}
		log_set_level(level);
		return -1;
	case OPT_DEBUG:
		g->debug = true;
		log_set_level(LOG_LEVEL_DEBUG);
		return -1;
	case OPT_DRY_RUN:
		g->dry_run = true;
		return -1;
	case OPT_CGROUP:
		if (cgroup_manager_parse(optarg, &g->cgroup_manager) == 0)
			return -1;
		log_err("--cgroup-manager: \"%s\" is none of cgroupfs, systemd, disabled",
			optarg);
		return 1;
	case OPT_SYSTEMD:
		g->cgroup_manager = CGROUP_SYSTEMD;
		return -1;
	case OPT_ROOTLESS:
		return -1;
	case 'v':
		(void)fputs(version_text, stdout);
		return 0;
	case 'h':
		print_usage(stdout);
		return 0;
	case ':':
		log_err("option \"%s\" needs a value; see coracle --help", argv[optind - 1]);
		return 1;
	default:
		log_err("unknown option \"%s\"; see coracle --help", argv[optind - 1]);
		return 1;
	}
}

/* A caller may have closed 0, 1 or 2: what we open next must not end up there. */
static void fill_stdio(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= 2);
	if (fd > 2)
		(void)close(fd);
}

/* An answer that did not get out is none. Return: the exit status. */
static int flush_output(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	log_err("%s: write to standard output: %s", current_command->name, strerror(errno));
	return status ? status : 1;
}

int main(int argc, char **argv)
{
	struct globals g = { .cgroup_manager = CGROUP_FS };
	struct log_options l = { 0 };
	int opt;
	int r;

	fill_stdio();
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL); /* a caller may ignore it: then we would hear of no child's end */
	opterr = 0;
	while ((opt = getopt_long(argc, argv, "+:vVh", global_options, NULL)) != -1) {
		r = on_global(&g, &l, opt == 'V' ? 'v' : opt, argv);
		if (r >= 0)
			return r;
	}
	if (open_log(&l) < 0)
		return 1;
	if (optind >= argc) {
		print_usage(stderr);
		return 1;
	}
	for (const struct command *c = commands; c->name; c++) {
		if (strcmp(c->name, argv[optind]) != 0)
			continue;
		current_command = c;
		argc -= optind;
		argv += optind;
		optind = 0; /* start over, with + */
		r = c->run(&g, argc, argv);
		return flush_output(r);
	}
	log_err("unknown command \"%s\"; see coracle --help", argv[optind]);
	return 1;
}
