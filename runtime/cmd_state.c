/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_state - state and list: what containers there are, and how they are. */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "oci/state.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/cmd.h"
#include "runtime/statedir.h"

/* One container as read from disk; owns what @state borrows. */
struct found {
	struct statedir dir;
	struct statedir_record record;
	char owner[64];
	struct oci_state state;
};

static void found_fini(struct found *f)
{
	statedir_record_fini(&f->record);
	statedir_close(&f->dir);
}

static void name_owner(struct found *f)
{
	const struct passwd *pw;
	struct stat st;

	if (fstat(f->dir.fd, &st) < 0)
		return;
	pw = getpwuid(st.st_uid);
	if (pw)
		(void)snprintf(f->owner, sizeof(f->owner), "%s", pw->pw_name);
	else
		(void)snprintf(f->owner, sizeof(f->owner), "#%u", st.st_uid);
}

static int find(const char *root, const char *id, struct found *f, struct err *e)
{
	memset(f, 0, sizeof(*f));
	f->dir.fd = -1;
	if (statedir_open(root, id, &f->dir, e) < 0)
		return -e->code;
	if (statedir_read(&f->dir, &f->record, e) < 0) {
		statedir_close(&f->dir);
		return -e->code;
	}
	f->state.status = statedir_status(&f->dir, &f->record);
	if (f->record.incomplete && f->state.status == OCI_STATUS_STOPPED) {
		found_fini(f);
		return err_set(e, ENOENT,
			       "container `%s` does not exist: its create was interrupted (delete "
			       "removes what it left)",
			       id);
	}
	name_owner(f);
	f->state = (struct oci_state){
		.oci_version = f->record.oci_version,
		.id = f->dir.id,
		.status = f->state.status,
		.pid = f->state.status == OCI_STATUS_CREATING ? 0 : f->record.pid,
		.bundle = f->record.bundle,
		.rootfs = f->record.rootfs,
		.created = f->record.created,
		.owner = f->owner,
		.systemd_scope = f->record.cgroup.scope,
		.annotations = f->record.annotations,
		.n_annotations = f->record.n_annotations,
	};
	return 0;
}

static int print_text(char *text, int r)
{
	if (r < 0)
		log_err("%s: %s", current_command->name, strerror(-r));
	else
		(void)fputs(text, stdout);
	free(text);
	return r < 0 ? 1 : 0;
}

int cmd_state(const struct globals *g, int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	OWN_FREE char *root = NULL;
	char *text = NULL;
	struct err e = { 0 };
	struct found f;
	int opt = cmd_getopt(argc, argv, "+:h", options);
	int r;

	if (opt != -1)
		return cmd_other_option(opt, argv);
	if (argc - optind != 1)
		return cmd_usage_error("exactly one container id is needed");
	if (statedir_check_id(argv[optind], &e) < 0 || statedir_root(g->root, false, &root, &e) < 0 ||
	    find(root, argv[optind], &f, &e) < 0) {
		(void)err_wrap(&e, "state `%s`", argv[optind]);
		log_err("%s", e.msg);
		return 1;
	}
	r = state_format(&f.state, &text);
	found_fini(&f);
	return print_text(text, r);
}

static int is_container(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static void print_table(const struct found *all, size_t n, bool quiet)
{
	if (!quiet)
		(void)printf("%-20s %-10s %-10s %-40s %-32s %s\n", "ID", "PID", "STATUS", "BUNDLE",
			     "CREATED", "OWNER");
	for (size_t i = 0; i < n; i++) {
		const struct oci_state *s = &all[i].state;

		if (quiet)
			(void)printf("%s\n", s->id);
		else
			(void)printf("%-20s %-10d %-10s %-40s %-32s %s\n", s->id,
				     s->status == OCI_STATUS_STOPPED ? 0 : s->pid,
				     state_status_name(s->status), s->bundle ? s->bundle : "",
				     s->created ? s->created : "", s->owner);
	}
}

static int print_json(const struct found *all, size_t n)
{
	struct oci_state *states = calloc(n + 1, sizeof(*states));
	char *text = NULL;
	int r = states ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++)
		states[i] = all[i].state;
	if (r == 0)
		r = state_list_format(states, n, &text);
	free(states);
	return print_text(text, r);
}

/* Broken entries are reported and left out. Return: number found, -1 without memory. */
static int collect(const char *root, struct found **out)
{
	struct dirent **names = NULL;
	int n = scandir(root, &names, is_container, alphasort);
	struct found *all = calloc(n > 0 ? (size_t)n : 1, sizeof(*all));
	int have = 0;

	for (int i = 0; i < n; i++) {
		struct err e = { 0 };

		if (all && find(root, names[i]->d_name, &all[have], &e) == 0)
			have++;
		else if (!statedir_foreign(root, names[i]->d_name))
			log_warn("%s", e.msg);
		free(names[i]);
	}
	free(names);
	*out = all;
	return all ? have : -1;
}

int cmd_list(const struct globals *g, int argc, char **argv)
{
	static const struct option options[] = { { "quiet", no_argument, NULL, 'q' },
						 { "format", required_argument, NULL, 'f' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	OWN_FREE char *root = NULL;
	struct found *all = NULL;
	struct err e = { 0 };
	bool quiet = false;
	bool json = false;
	int opt;
	int n;
	int r = 0;

	while ((opt = cmd_getopt(argc, argv, "+:qf:h", options)) != -1) {
		if (opt == 'q')
			quiet = true;
		else if (opt == 'f' && (strcmp(optarg, "json") == 0 || strcmp(optarg, "table") == 0))
			json = optarg[0] == 'j';
		else if (opt == 'f')
			return cmd_usage_error("--format: \"%s\" is neither table nor json", optarg);
		else
			return cmd_other_option(opt, argv);
	}
	if (argc != optind)
		return cmd_usage_error("no arguments are taken");
	if (statedir_root(g->root, false, &root, &e) < 0) {
		log_err("list: %s", e.msg);
		return 1;
	}
	n = collect(root, &all);
	if (n < 0)
		r = 1;
	else if (json && !quiet)
		r = print_json(all, (size_t)n);
	else
		print_table(all, (size_t)n, quiet);
	for (int i = 0; i < n; i++)
		found_fini(&all[i]);
	free(all);
	return r;
}
