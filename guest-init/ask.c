/* SPDX-License-Identifier: Apache-2.0 */
/* ask - what the host wants to know or have done while the container runs (PROTO_ASK). */
#include "guest-init/ask.h"

#include <asm/errno.h>

#include "guest-init/boot.h"
#include "guest-init/cgroup.h"
#include "guest-init/err.h"
#include "guest-init/path.h"
#include "guest-init/str.h"
#include "guest-init/sys.h"

#define NONE UINT64_MAX
#define FILE_BYTES 8192 /* of memory.stat */

/* A number of up to 64 bits at @s; "max" is none. */
static uint64_t number(const char *s)
{
	uint64_t n = 0;

	if (*s < '0' || *s > '9')
		return NONE;
	for (; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (uint64_t)(*s - '0');
	return n;
}

static uint64_t single(int dir, const char *file)
{
	char text[64];

	return path_read(dir, file, text, sizeof(text)) > 0 ? number(text) : NONE;
}

/* One "key number" line of a file that has many. */
struct row {
	const char *key;
	size_t offset; /* in struct proto_stats */
};

#define ROW(key, member) {key, offsetof(struct proto_stats, member)}

static const struct row memory_stat[] = {
	ROW("anon", anon),	     ROW("file", file),
	ROW("kernel", kernel),	     ROW("shmem", shmem),
	ROW("file_mapped", mapped),  ROW("file_dirty", dirty),
	ROW("inactive_file", inactive_file), ROW("active_file", active_file),
	ROW("pgfault", pgfault),     ROW("pgmajfault", pgmajfault),
	{NULL, 0},
};

static const struct row memory_events[] = {
	ROW("oom", oom), ROW("oom_kill", oom_kill), {NULL, 0},
};

static const struct row cpu_stat[] = {
	ROW("usage_usec", cpu_us),   ROW("user_usec", user_us),
	ROW("system_usec", system_us), ROW("nr_periods", periods),
	ROW("nr_throttled", throttled), ROW("throttled_usec", throttled_us),
	{NULL, 0},
};

static void table(int dir, const char *file, const struct row *rows, struct proto_stats *out)
{
	static char text[FILE_BYTES];
	const char *line = text;

	if (path_read(dir, file, text, sizeof(text)) <= 0)
		return;
	while (line != NULL && *line != '\0') {
		for (const struct row *r = rows; r->key != NULL; r++) {
			size_t n = str_len(r->key);
			uint64_t value;

			if (!str_begins(line, r->key) || line[n] != ' ')
				continue;
			value = number(line + n + 1);
			memcpy((char *)out + r->offset, &value, sizeof(value));
		}
		line = str_find(line, '\n');
		line += line != NULL;
	}
}

static void quota(int dir, struct proto_stats *s)
{
	char text[64];
	const char *period;

	if (path_read(dir, "cpu.max", text, sizeof(text)) <= 0)
		return;
	s->cpu_quota = number(text);
	period = str_find(text, ' ');
	s->cpu_period = period != NULL ? number(period + 1) : NONE;
}

static void stats(int dir, struct proto_stats *s)
{
	memset(s, 0xff, sizeof(*s)); /* NONE everywhere */
	if (dir < 0)
		return;
	s->memory_current = single(dir, "memory.current");
	s->memory_peak = single(dir, "memory.peak");
	s->memory_max = single(dir, "memory.max");
	s->swap_current = single(dir, "memory.swap.current");
	s->swap_max = single(dir, "memory.swap.max");
	s->pids_current = single(dir, "pids.current");
	s->pids_max = single(dir, "pids.max");
	table(dir, "memory.stat", memory_stat, s);
	table(dir, "memory.events", memory_events, s);
	table(dir, "cpu.stat", cpu_stat, s);
	quota(dir, s);
}

static int limit(const struct proto_ask *q, int dir, struct err *e)
{
	int rc;

	if (str_bounded(q->file, sizeof(q->file)) <= 0 ||
	    str_bounded(q->value, sizeof(q->value)) < 0 || str_find(q->file, '/') != NULL)
		return err_set(e, EPROTO, "cgroup: not a file and its value");
	if (dir < 0)
		return err_set(e, ENOENT, "the container was made without a cgroup of its own");
	rc = cgroup_write(dir, q->file, q->value);
	return rc < 0 ? err_sys(e, rc, "cgroup: write \"%s\" to \"%s\"", q->value, q->file) : 0;
}

void ask_answer(const struct proto_ask *q, int cgroup, struct proto_event *out)
{
	struct proto_stats s;
	struct err e = {0};
	int rc = 0;

	*out = (struct proto_event){.type = PROTO_ANSWER, .signal = q->seq};
	switch (q->question) {
	case PROTO_ASK_SYNC:
		sys_sync();
		break;
	case PROTO_ASK_CLOCK:
		boot_clock(q->number);
		break;
	case PROTO_ASK_LIMIT:
		rc = limit(q, cgroup, &e);
		break;
	case PROTO_ASK_STATS:
		stats(cgroup, &s);
		memcpy(out->text, &s, sizeof(s));
		break;
	default:
		rc = err_set(&e, EINVAL, "coracle-init does not know question %u", q->question);
	}
	if (rc < 0) {
		out->code = -rc;
		str_fmt(out->text, sizeof(out->text), "%s", e.text);
	}
}
