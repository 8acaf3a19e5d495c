/* SPDX-License-Identifier: Apache-2.0 */
/*
 * update - change the limits of a container that exists (engine contract 20.6).
 *
 * DOC: order
 *
 *   check all -> systemd's properties -> the host's cgroup -> the guest's: limits are wider outside than inside
 *   while this goes on. A memory limit that shrinks is the guest's first, which can drop its cache; the host's
 *   kernel can't tell that from what is in use, and would kill the machine.
 *
 * The machine's memory does not change: a limit beyond it is refused, since it would promise what is
 * not there.
 */
#include "runtime/update.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "oci/spec_check.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/confine.h"
#include "runtime/ctl.h"
#include "runtime/overhead.h"
#include "runtime/resources.h"
#include "runtime/systemd.h"

#define GUEST_MS 10000 /* shrinking a limit makes the guest's kernel reclaim first */
#define SETTLE_MS 20000 /* free page reporting takes seconds */

struct update {
	struct statedir *d;
	struct statedir_record r;
	struct oci_resources wanted; /* with what it goes with: its pointers are the caller's */
	struct plan_size size;
	struct cgroup_writes host;
	struct cgroup_writes guest;
	struct proto_stats stats; /* of the guest, before */
	int dir; /* host's cgroup; -1: none */
};

static int ask_stats(struct update *u, struct err *e)
{
	const struct proto_ask q = { .question = PROTO_ASK_STATS };
	struct ctl_reply reply;

	if (ctl_ask_guest(u->d, &q, GUEST_MS, &reply, e) < 0)
		return -e->code;
	memcpy(&u->stats, reply.text, sizeof(u->stats));
	return 0;
}

/* The machine was made with so much memory for its container. */
static uint64_t room(uint64_t memory_bytes)
{
	uint64_t bytes = memory_bytes > OVERHEAD_GUEST_BYTES ? memory_bytes - OVERHEAD_GUEST_BYTES : 0;

	return bytes - bytes / (OVERHEAD_GUEST_SHARE + 1);
}

static int check_memory(const struct update *u, struct err *e)
{
	bool unlimited = u->r.memory_limit < 0;
	int64_t limit = u->size.limit;

	if (u->wanted.memory.has_limit && u->wanted.memory.limit < 0 && !unlimited)
		return err_set(e, ENOTSUP,
			       "linux.resources.memory.limit: the machine was made with %llu MiB for "
			       "its container and can't grow",
			       (unsigned long long)(room(u->r.memory_bytes) >> 20));
	/* a machine without a limit is as large as the default: there a limit may be above it */
	if (limit > 0 && !unlimited && (uint64_t)limit > room(u->r.memory_bytes) &&
	    limit > u->r.memory_limit)
		return err_set(e, ENOTSUP,
			       "linux.resources.memory.limit: the machine was made with %llu MiB for "
			       "its container and can't grow",
			       (unsigned long long)(room(u->r.memory_bytes) >> 20));
	if (limit > 0 && u->wanted.memory.has_check_before_update &&
	    u->wanted.memory.check_before_update && u->stats.memory_current != UINT64_MAX &&
	    u->stats.memory_current > (uint64_t)limit)
		return err_set(e, EBUSY,
			       "linux.resources.memory.limit: %lld is less than the %llu bytes in use",
			       (long long)limit, (unsigned long long)u->stats.memory_current);
	return 0;
}

/* "max 100000". Without a cgroup of the host nothing is known, nor written. */
static struct cpu_max host_cpu_max(int dir)
{
	OWN_FREE char *text = NULL;
	struct cpu_max m = { .quota = -1 };

	if (dir < 0 || io_read_file(dir, "cpu.max", 64, &text, NULL) < 0)
		return m;
	if (strncmp(text, "max", 3) != 0)
		m.quota = strtoll(text, NULL, 10);
	m.period = strtoull(text + strcspn(text, " "), NULL, 10);
	return m;
}

/* What a quota or a period that comes alone goes with, on each side. */
static struct cpu_now current_cpu_max(const struct update *u)
{
	const struct proto_stats *s = &u->stats;

	return (struct cpu_now){
		.host = host_cpu_max(u->dir),
		.guest = { .quota = s->cpu_quota > INT64_MAX ? -1 : (int64_t)s->cpu_quota,
			   .period = s->cpu_period == UINT64_MAX ? 0 : s->cpu_period },
	};
}

static bool fits(const struct cgroup_write *w)
{
	struct proto_ask q;

	return strlen(w->file) < sizeof(q.file) && strlen(w->value) < sizeof(q.value);
}

/* Nothing has been changed yet. An optional one that does not fit is left out later. */
static int check_lengths(const struct cgroup_writes *w, struct err *e)
{
	for (size_t i = 0; i < w->n; i++)
		if (!w->v[i].optional && !fits(&w->v[i]))
			return err_set(e, E2BIG, "linux.resources.%s: too long", w->v[i].field);
	return 0;
}

static int prepare(struct update *u, struct err *e)
{
	struct size_facts facts = { .default_memory = u->r.memory_bytes,
				    .cpus = VM_MAX_VCPUS,
				    .max_vcpus = VM_MAX_VCPUS };
	struct cpu_now now;

	if (resources_check(&u->wanted, e) < 0)
		return -e->code;
	if (u->r.cgroup.path) {
		u->dir = cgroup_open(u->r.cgroup.path, e);
		if (u->dir < 0)
			return u->dir;
	}
	/* it is the sum of both, of which the other stays as it is */
	if (u->wanted.memory.has_swap && !u->wanted.memory.has_limit && u->r.memory_limit > 0) {
		u->wanted.memory.has_limit = true;
		u->wanted.memory.limit = u->r.memory_limit;
	}
	if (plan_size(&u->wanted, &facts, &u->size, e) < 0)
		return -e->code;
	/* the machine is what it is */
	u->size.host_extra = u->r.host_extra;
	if (ask_stats(u, e) < 0 || check_memory(u, e) < 0)
		return -e->code;
	now = current_cpu_max(u);
	if (resources_writes(&u->wanted, &u->size, &now, &u->host, &u->guest, e) < 0)
		return -e->code;
	return check_lengths(&u->guest, e);
}

static int limit_guest(struct update *u, struct err *e)
{
	for (size_t i = 0; i < u->guest.n; i++) {
		const struct cgroup_write *w = &u->guest.v[i];
		struct proto_ask q = { .question = PROTO_ASK_LIMIT };
		struct ctl_reply reply;

		if (!fits(w))
			continue;
		(void)snprintf(q.file, sizeof(q.file), "%s", w->file);
		(void)snprintf(q.value, sizeof(q.value), "%s", w->value);
		if (ctl_ask_guest(u->d, &q, GUEST_MS, &reply, e) < 0 && !w->optional)
			return err_wrap(e, "linux.resources.%s: in the guest", w->field);
	}
	return 0;
}

/* All of this took its time: the record is read anew, since a pause may have changed it. */
static int note_limit(const struct update *u, struct err *e)
{
	OWN_FD int turn = statedir_turn(u->d); /* until the return */
	struct statedir_record now;
	int rc = statedir_read(u->d, &now, e);

	(void)turn;
	if (rc < 0)
		return rc;
	now.memory_limit = u->size.limit;
	rc = statedir_write(u->d, &now, e);
	statedir_record_fini(&now);
	return rc;
}

static bool shrinks(const struct update *u)
{
	return u->size.limit > 0 && (u->r.memory_limit < 0 || u->size.limit < u->r.memory_limit);
}

/* Wait until the machine has given back what the host's new limit has no room for. */
static int settle(const struct update *u, struct err *e)
{
	const struct timespec step = { .tv_nsec = 100000000 };
	uint64_t most = (uint64_t)u->size.limit + u->r.host_extra - OVERHEAD_HOST_BYTES / 2;

	for (int ms = 0; u->dir >= 0; ms += 100) {
		OWN_FREE char *text = NULL;

		if (io_read_file(u->dir, "memory.stat", 65536, &text, NULL) < 0 ||
		    cgroup_field(text, "anon", 0) < most)
			return 0;
		if (ms >= SETTLE_MS)
			return err_set(e, EBUSY,
				       "linux.resources.memory.limit: the container has it, but the machine has not "
				       "given enough memory back for the host's limit: try again later");
		(void)nanosleep(&step, NULL);
	}
	return 0;
}

static int apply(struct update *u, struct err *e)
{
	bool less = shrinks(u);

	if (less && (limit_guest(u, e) < 0 || settle(u, e) < 0))
		return -e->code;
	if (u->r.cgroup.scope && u->host.n > 0 &&
	    systemd_set_limits(confine_user_manager(), u->r.cgroup.scope, &u->host, e) < 0)
		return -e->code;
	if (u->dir >= 0 && cgroup_apply(u->dir, &u->host, e) < 0)
		return -e->code;
	if (!less && limit_guest(u, e) < 0)
		return -e->code;
	if (u->size.limit <= 0)
		return 0;
	return note_limit(u, e);
}

int container_update(struct statedir *d, const struct oci_resources *r, struct err *e)
{
	struct update u = { .d = d, .wanted = *r, .dir = -1 };
	enum oci_status s;
	int rc = statedir_read(d, &u.r, e);

	if (rc < 0)
		return rc;
	s = statedir_status(d, &u.r);
	if (s == OCI_STATUS_PAUSED)
		rc = err_set(e, EBUSY, "a paused container can't be updated: resume it first");
	else if (s != OCI_STATUS_RUNNING && s != OCI_STATUS_CREATED)
		rc = err_set(e, ESRCH, "container not running");
	if (rc == 0)
		rc = prepare(&u, e);
	if (rc == 0)
		rc = apply(&u, e);
	own_close_fd(&u.dir);
	cgroup_writes_fini(&u.host);
	cgroup_writes_fini(&u.guest);
	statedir_record_fini(&u.r);
	return rc;
}
