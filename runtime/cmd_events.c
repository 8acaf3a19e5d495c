/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_events - events: statistics once, or again and again with what happens in between. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/cgroup.h"
#include "runtime/cmd.h"
#include "runtime/ctl.h"
#include "runtime/stats.h"

#define GUEST_MS 5000
#define DEFAULT_INTERVAL_MS 5000
#define OOM_INTERVAL_MS 1000 /* how soon an out-of-memory kill is told */

struct watch {
	struct statedir d;
	pid_t pid;
	int pidfd;  /* the monitor's: readable when it has ended */
	int cgroup;
	struct proto_stats guest;
};

static int open_watch(const struct globals *g, const char *id, struct watch *w, struct err *e)
{
	struct err none = { 0 };
	struct statedir_record r;
	OWN_FREE char *root = NULL;
	enum oci_status s;

	if (statedir_check_id(id, e) < 0 || statedir_root(g->root, false, &root, e) < 0 ||
	    statedir_open(root, id, &w->d, e) < 0 || statedir_read(&w->d, &r, e) < 0)
		return -e->code;
	s = statedir_status(&w->d, &r);
	w->pid = r.pid;
	if (r.cgroup.path)
		w->cgroup = cgroup_open(r.cgroup.path, &none);
	statedir_record_fini(&r);
	if (s == OCI_STATUS_STOPPED || s == OCI_STATUS_CREATING)
		return err_set(e, ESRCH, "container not running");
	w->pidfd = (int)syscall(SYS_pidfd_open, w->pid, 0);
	return w->pidfd < 0 ? err_set(e, ESRCH, "container not running") : 0;
}

/* A guest that stands still, or does not want to, has no numbers. */
static void ask(struct watch *w)
{
	const struct proto_ask q = { .question = PROTO_ASK_STATS };
	struct err ignored = { 0 };
	struct statedir_record r;
	struct ctl_reply reply;
	bool paused = false;

	memset(&w->guest, 0xff, sizeof(w->guest));
	if (statedir_read(&w->d, &r, &ignored) == 0) {
		paused = statedir_status(&w->d, &r) == OCI_STATUS_PAUSED;
		statedir_record_fini(&r);
	}
	if (!paused && ctl_ask_guest(&w->d, &q, GUEST_MS, &reply, &ignored) == 0)
		memcpy(&w->guest, reply.text, sizeof(w->guest));
}

static int print(char *text, int r, struct err *e)
{
	if (r < 0)
		return err_set(e, -r, "out of memory");
	(void)printf("%s\n", text);
	free(text);
	return fflush(stdout) != 0 ? err_sys(e, "write") : 0;
}

static int print_stats(struct watch *w, const char *id, struct err *e)
{
	const struct stats_source s = {
		.id = id, .pid = w->pid, .cgroup = w->cgroup, .guest = &w->guest
	};
	char *text = NULL;
	int r = stats_format(&s, &text);

	return print(text, r, e);
}

/* One event for the kills since the last look: the guest can't make us print without end. */
static int print_ooms(const struct watch *w, const char *id, uint64_t *seen, struct err *e)
{
	char *text = NULL;
	int r;

	if (w->guest.oom_kill == STATS_NONE || w->guest.oom_kill <= *seen)
		return 0;
	*seen = w->guest.oom_kill;
	r = stats_format_oom(id, &text);
	return print(text, r, e);
}

/* Until the container ends. */
static int stream(struct watch *w, const char *id, int interval_ms, struct err *e)
{
	int64_t due = clock_ms();
	uint64_t seen = 0;
	int r = 0;

	while (r == 0) {
		struct pollfd p = { .fd = w->pidfd, .events = POLLIN };
		int64_t left;

		ask(w);
		r = print_ooms(w, id, &seen, e);
		if (r == 0 && clock_ms() >= due) {
			r = print_stats(w, id, e);
			due += interval_ms;
			if (due < clock_ms())
				due = clock_ms() + interval_ms;
		}
		left = due - clock_ms();
		left = left > OOM_INTERVAL_MS ? OOM_INTERVAL_MS : left;
		if (poll(&p, 1, left > 0 ? (int)left : 0) > 0)
			break;
	}
	/* the kill that ended it came after the last look */
	if (r == 0 && seen == 0 && statedir_oom(&w->d)) {
		w->guest.oom_kill = 1;
		r = print_ooms(w, id, &seen, e);
	}
	return r;
}

int cmd_events(const struct globals *g, int argc, char **argv)
{
	static const struct option options[] = { { "stats", no_argument, NULL, 's' },
						 { "interval", required_argument, NULL, 'i' },
						 { "help", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	struct watch w = { .d = { .fd = -1 }, .pidfd = -1, .cgroup = -1 };
	int interval_ms = DEFAULT_INTERVAL_MS;
	struct err e = { 0 };
	bool once = false;
	int opt;
	int r;

	while ((opt = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		if (opt == 's')
			once = true;
		else if (opt != 'i')
			return cmd_other_option(opt, argv);
		else if (stats_parse_interval(optarg, &interval_ms) < 0)
			return cmd_usage_error("--interval: \"%s\" is not a time such as 5s", optarg);
	}
	if (argc - optind != 1)
		return cmd_usage_error("exactly one container id is needed");
	r = open_watch(g, argv[optind], &w, &e);
	if (r == 0 && once) {
		ask(&w);
		r = print_stats(&w, argv[optind], &e);
	} else if (r == 0) {
		r = stream(&w, argv[optind], interval_ms, &e);
	}
	statedir_close(&w.d);
	own_close_fd(&w.pidfd);
	own_close_fd(&w.cgroup);
	if (r >= 0)
		return 0;
	(void)err_wrap(&e, "events `%s`", argv[optind]);
	log_err("%s", e.msg);
	return 1;
}
