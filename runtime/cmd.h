/* SPDX-License-Identifier: Apache-2.0 */
/* cmd - the sub-commands: each parses its options and calls the layers below. */
#ifndef RUNTIME_CMD_H
#define RUNTIME_CMD_H

#include <getopt.h>
#include <stdbool.h>

#include "runtime/cgroup.h"

/* Options that stand before the sub-command. */
struct globals {
	const char *root;
	bool debug;
	bool dry_run;
	enum cgroup_manager cgroup_manager;
};

struct command {
	const char *name;
	int (*run)(const struct globals *g, int argc, char **argv); /* -> exit status */
	const char *usage; /* after the name */
	const char *help;
};

extern const struct command commands[];

/* The command under way, for its usage text. */
extern const struct command *current_command;

/* "coracle NAME USAGE" on stderr. Return: 1, the exit status. */
int cmd_usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* getopt_long(3) of the current command; cmd_help() lists @options. */
int cmd_getopt(int argc, char **argv, const char *letters, const struct option *options);

/* Print the help of the current command. Return: 0. */
int cmd_help(void);

/* A getopt answer that is not the command's own: --help, or an error. Return: exit status. */
int cmd_other_option(int opt, char **argv);

int cmd_create(const struct globals *g, int argc, char **argv);
int cmd_run(const struct globals *g, int argc, char **argv);
int cmd_start(const struct globals *g, int argc, char **argv);
int cmd_state(const struct globals *g, int argc, char **argv);
int cmd_kill(const struct globals *g, int argc, char **argv);
int cmd_pause(const struct globals *g, int argc, char **argv);
int cmd_resume(const struct globals *g, int argc, char **argv);
int cmd_update(const struct globals *g, int argc, char **argv);
int cmd_events(const struct globals *g, int argc, char **argv);
int cmd_delete(const struct globals *g, int argc, char **argv);
int cmd_exec(const struct globals *g, int argc, char **argv);
int cmd_ps(const struct globals *g, int argc, char **argv);
int cmd_list(const struct globals *g, int argc, char **argv);
int cmd_spec(const struct globals *g, int argc, char **argv);
int cmd_features(const struct globals *g, int argc, char **argv);
int cmd_check(const struct globals *g, int argc, char **argv);
int cmd_initramfs(const struct globals *g, int argc, char **argv);

#endif
