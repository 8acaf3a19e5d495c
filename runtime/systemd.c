/* SPDX-License-Identifier: Apache-2.0 */
/* systemd - scopes made by the service manager over D-Bus (engine contract 20.2). */
#include "runtime/systemd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/clock.h"
#include "runtime/base/own.h"
#include "runtime/sdbus.h"

#define MANAGER "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"
#define WAIT_USEC 30000000ull /* for a job; engines wait about as long */
#define PROPERTY "org.systemd.property."
#define MAX_CPUS 8192

static int bus_error(struct err *e, int r, const sd_bus_error *be, const char *what)
{
	return err_set(e, -r, "systemd: %s: %s", what,
		       be && be->message ? be->message : strerror(-r));
}

static int open_bus(bool user, sd_bus **out, struct err *e)
{
	int r = sdbus_load(e);

	if (r < 0)
		return r;
	r = user ? sdbus.open_user(out) : sdbus.open_system(out);
	return r < 0 ? err_set(e, -r, "--systemd-cgroup: connect to the %s bus: %s",
			       user ? "user's" : "system", strerror(-r)) :
		       0;
}

/* ------------------------------------------------------------------ jobs */

struct job {
	const char *path;
	bool done;
	bool good;
	char result[32];
};

static int on_removed(sd_bus_message *m, void *arg, sd_bus_error *ignored)
{
	struct job *j = arg;
	const char *path, *unit, *result;
	uint32_t id;

	(void)ignored;
	if (sdbus.message_read(m, "uoss", &id, &path, &unit, &result) < 0 || !j->path ||
	    strcmp(path, j->path) != 0)
		return 0;
	j->done = true;
	j->good = strcmp(result, "done") == 0;
	(void)snprintf(j->result, sizeof(j->result), "%s", result);
	return 0;
}

static uint64_t now_usec(void)
{
	return (uint64_t)clock_ns() / 1000;
}

/* Send @m, whose reply names a job, and wait for that. Return: 0, or -errno with *be or @e set. */
static int run_job(sd_bus *bus, sd_bus_message *m, sd_bus_error *be, struct err *e)
{
	sd_bus_message *reply = NULL;
	sd_bus_slot *slot = NULL;
	struct job j = { 0 };
	uint64_t end = now_usec() + WAIT_USEC;
	int r = sdbus.match_signal(bus, &slot, MANAGER, "JobRemoved", on_removed, &j);

	if (r >= 0)
		r = sdbus.call(bus, m, 0, be, &reply);
	if (r >= 0)
		r = sdbus.message_read(reply, "o", &j.path);
	if (r < 0)
		(void)bus_error(e, r, be, sdbus.message_get_member(m));
	while (r >= 0 && !j.done) {
		uint64_t now = now_usec();

		r = sdbus.process(bus, NULL);
		if (r == 0 && now < end)
			r = sdbus.wait(bus, end - now);
		else if (r == 0)
			r = -ETIMEDOUT;
		if (r < 0)
			(void)bus_error(e, r, NULL, "wait for the job");
	}
	if (r >= 0 && !j.good)
		r = err_set(e, EIO, "systemd: %s: the job ended as \"%s\"",
			    sdbus.message_get_member(m), j.result);
	sdbus.slot_unref(slot);
	sdbus.message_unref(reply);
	return r < 0 ? r : 0;
}

/* ------------------------------------------------------------------ limits as properties */

uint64_t systemd_quota(const char *cpu_max, uint64_t *out_period)
{
	char *end;
	uint64_t quota = strtoull(cpu_max, &end, 10);
	uint64_t period = strtoull(strncmp(cpu_max, "max", 3) == 0 ? cpu_max + 3 : end, NULL, 10);
	uint64_t usec;

	*out_period = period;
	if (strncmp(cpu_max, "max", 3) == 0)
		return UINT64_MAX;
	period = period ? period : 100000;
	if (quota > UINT64_MAX / 1000000)
		return UINT64_MAX;
	usec = quota * 1000000 / period;
	return (usec + 9999) / 10000 * 10000;
}

static int put_number(sd_bus_message *m, const char *name, const char *value)
{
	uint64_t n = strncmp(value, "max", 3) == 0 ? UINT64_MAX : strtoull(value, NULL, 10);

	return sdbus.message_append(m, "(sv)", name, "t", n);
}

static int put_quota(sd_bus_message *m, const char *name, const char *value)
{
	uint64_t period;
	uint64_t quota = systemd_quota(value, &period);
	int r = sdbus.message_append(m, "(sv)", name, "t", quota);

	if (r >= 0 && period > 0)
		r = sdbus.message_append(m, "(sv)", "CPUQuotaPeriodUSec", "t", period);
	return r;
}

/* 0 is systemd's word for idle, the largest number for "not set". */
static int put_idle(sd_bus_message *m, const char *name, const char *value)
{
	return sdbus.message_append(m, "(sv)", name, "t", strcmp(value, "1") == 0 ? (uint64_t)0 : UINT64_MAX);
}

/* A device's weight is none of the unit's. */
static int put_io_weight(sd_bus_message *m, const char *name, const char *value)
{
	const char *n = strncmp(value, "default ", 8) == 0 ? value + 8 : value;

	return strchr(n, ':') ? 0 : put_number(m, name, n);
}

/* A list as a bitmap, bit N of byte N / 8. */
static int put_set(sd_bus_message *m, const char *name, const char *list)
{
	uint8_t bits[MAX_CPUS / 8] = { 0 };
	size_t bytes = 0;
	int r;

	while (*list) {
		char *end;
		unsigned long first = strtoul(list, &end, 10);
		unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;

		if (end == list || last >= MAX_CPUS)
			return 0; /* the kernel will say what is wrong with it */
		for (unsigned long i = first; i <= last; i++) {
			bits[i / 8] = (uint8_t)(bits[i / 8] | 1u << i % 8);
			bytes = i / 8 + 1 > bytes ? i / 8 + 1 : bytes;
		}
		list = *end ? end + 1 : end;
	}
	r = sdbus.message_open_container(m, 'r', "sv");
	if (r >= 0)
		r = sdbus.message_append(m, "s", name);
	if (r >= 0)
		r = sdbus.message_open_container(m, 'v', "ay");
	if (r >= 0)
		r = sdbus.message_append_array(m, 'y', bits, bytes);
	if (r >= 0)
		r = sdbus.message_close_container(m);
	return r < 0 ? r : sdbus.message_close_container(m);
}

static const struct {
	const char *file;
	const char *property;
	int (*put)(sd_bus_message *m, const char *name, const char *value);
} properties[] = {
	{ "memory.max", "MemoryMax", put_number },
	{ "memory.low", "MemoryLow", put_number },
	{ "memory.min", "MemoryMin", put_number },
	{ "memory.high", "MemoryHigh", put_number },
	{ "memory.swap.max", "MemorySwapMax", put_number },
	{ "cpu.weight", "CPUWeight", put_number },
	{ "cpu.idle", "CPUWeight", put_idle },
	{ "cpu.max", "CPUQuotaPerSecUSec", put_quota },
	{ "io.weight", "IOWeight", put_io_weight },
	{ "pids.max", "TasksMax", put_number },
	{ "cpuset.cpus", "AllowedCPUs", put_set },
	{ "cpuset.mems", "AllowedMemoryNodes", put_set },
};

static int put_limits(sd_bus_message *m, const struct cgroup_writes *w)
{
	int r = 0;

	for (size_t i = 0; i < w->n && r >= 0; i++)
		for (size_t k = 0; k < sizeof(properties) / sizeof(properties[0]) && r >= 0; k++)
			if (strcmp(w->v[i].file, properties[k].file) == 0)
				r = properties[k].put(m, properties[k].property, w->v[i].value);
	return r;
}

/* ------------------------------------------------------------------ annotations */

/* ['a', 'b'] */
static int put_strings(sd_bus_message *m, const char *name, const char *value)
{
	OWN_FREE char *copy = strdup(value);
	char *parts[64] = { NULL };
	size_t n = 0;
	int r;

	for (char *s = copy ? strchr(copy, '\'') : NULL; s && n < 63; s = strchr(s, '\'')) {
		char *end = strchr(s + 1, '\'');

		if (!end)
			return -EINVAL;
		*end = '\0';
		parts[n++] = s + 1;
		s = end + 1;
	}
	r = sdbus.message_open_container(m, 'r', "sv");
	if (r >= 0)
		r = sdbus.message_append(m, "s", name);
	if (r >= 0)
		r = sdbus.message_open_container(m, 'v', "as");
	if (r >= 0)
		r = sdbus.message_append_strv(m, parts);
	if (r >= 0)
		r = sdbus.message_close_container(m);
	return r < 0 ? r : sdbus.message_close_container(m);
}

static int put_integer(sd_bus_message *m, const char *name, const char *value, uint64_t factor)
{
	static const struct {
		const char *word;
		const char *type;
	} types[] = { { "uint64 ", "t" }, { "int64 ", "x" }, { "uint32 ", "u" }, { "int32 ", "i" } };
	const char *type = "i";
	char *end;
	int64_t n;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		if (strncmp(value, types[i].word, strlen(types[i].word)) != 0)
			continue;
		value += strlen(types[i].word);
		type = types[i].type;
	}
	errno = 0;
	n = *type == 't' ? (int64_t)strtoull(value, &end, 10) : strtoll(value, &end, 10);
	if (errno || end == value || *end)
		return -EINVAL;
	n *= (int64_t)factor;
	if (*type == 't' || *type == 'x')
		return sdbus.message_append(m, "(sv)", name, type, n);
	return sdbus.message_append(m, "(sv)", name, type, (int32_t)n);
}

/* A value in GVariant's text form: what engines and people write of it. */
static int put_annotation(sd_bus_message *m, const char *key, const char *value)
{
	size_t n = strlen(key);
	uint64_t factor = 1;
	char name[128];

	if (n == 0 || n >= sizeof(name) - 2)
		return -EINVAL;
	(void)snprintf(name, sizeof(name), "%s", key);
	/* TimeoutStopSec is what people know; on the bus it is TimeoutStopUSec */
	if (n > 3 && strcmp(key + n - 3, "Sec") == 0 && (n == 4 || key[n - 4] != 'U')) {
		(void)snprintf(name + n - 3, sizeof(name) - n + 3, "USec");
		factor = 1000000;
	}
	if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
		return sdbus.message_append(m, "(sv)", name, "b", value[0] == 't');
	if (*value == '[')
		return put_strings(m, name, value);
	if (*value == '\'') {
		OWN_FREE char *text = strdup(value + 1);
		char *end = text ? strchr(text, '\'') : NULL;

		if (!end)
			return -EINVAL;
		*end = '\0';
		return sdbus.message_append(m, "(sv)", name, "s", text);
	}
	if (factor > 1 && strchr(value, ' ') == NULL) {
		char *end;
		uint64_t t = strtoull(value, &end, 10);

		return *end ? -EINVAL : sdbus.message_append(m, "(sv)", name, "t", t * factor);
	}
	return put_integer(m, name, value, factor);
}

static int put_annotations(sd_bus_message *m, const struct systemd_scope *s, struct err *e)
{
	for (size_t i = 0; i < s->n_annotations; i++) {
		const char *key = s->annotations[i].key;
		int r;

		if (strncmp(key, PROPERTY, strlen(PROPERTY)) != 0)
			continue;
		r = put_annotation(m, key + strlen(PROPERTY),
				   s->annotations[i].value ? s->annotations[i].value : "");
		if (r < 0)
			return err_set(e, EINVAL, "config.json: annotations.%s: not a value: \"%s\"",
				       key, s->annotations[i].value);
	}
	return 0;
}

/* ------------------------------------------------------------------ scopes */

static int put_scope(sd_bus_message *m, const struct systemd_scope *s)
{
	static const char *const on[] = { "Delegate", "CPUAccounting", "IOAccounting",
					  "MemoryAccounting", "TasksAccounting" };
	int r = sdbus.message_append(m, "(sv)(sv)(sv)(sv)", "Description", "s", s->description,
				     "Slice", "s", s->slice, "PIDs", "au", 1, (uint32_t)s->pid,
				     "DefaultDependencies", "b", 0);

	for (size_t i = 0; i < sizeof(on) / sizeof(on[0]) && r >= 0; i++)
		r = sdbus.message_append(m, "(sv)", on[i], "b", 1);
	return r < 0 ? r : put_limits(m, s->limits);
}

/* The unit's name as the only argument, with a mode where the method takes one. */
static void call(sd_bus *bus, const char *method, const char *name)
{
	sd_bus_error be = SD_BUS_ERROR_NULL;

	(void)sdbus.call_method(bus, MANAGER, method, &be, NULL, "s", name);
	sdbus.error_free(&be);
}

static int try_start(sd_bus *bus, const struct systemd_scope *s, bool *out_exists, struct err *e)
{
	sd_bus_error be = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	int r = sdbus.message_new_method_call(bus, &m, MANAGER, "StartTransientUnit");

	if (r >= 0)
		r = sdbus.message_append(m, "ss", s->name, "fail");
	if (r >= 0)
		r = sdbus.message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = put_scope(m, s);
	if (r >= 0 && put_annotations(m, s, e) < 0) {
		sdbus.message_unref(m);
		return -e->code;
	}
	if (r >= 0)
		r = sdbus.message_close_container(m);
	if (r >= 0)
		r = sdbus.message_append(m, "a(sa(sv))", 0);
	if (r < 0)
		(void)bus_error(e, r, NULL, "StartTransientUnit");
	else
		r = run_job(bus, m, &be, e);
	*out_exists = sdbus.error_has_name(&be, "org.freedesktop.systemd1.UnitExists");
	sdbus.error_free(&be);
	sdbus.message_unref(m);
	return r < 0 ? err_wrap(e, "\"%s\"", s->name) : 0;
}

int systemd_start_scope(const struct systemd_scope *s, struct err *e)
{
	sd_bus *bus = NULL;
	bool exists = false;
	int r = open_bus(s->user, &bus, e);

	if (r < 0)
		return r;
	r = try_start(bus, s, &exists, e);
	if (r < 0 && exists) {
		/* the remains of one that failed keep its name */
		call(bus, "ResetFailedUnit", s->name);
		r = try_start(bus, s, &exists, e);
	}
	sdbus.flush_close_unref(bus);
	return r;
}

int systemd_set_limits(bool user, const char *name, const struct cgroup_writes *limits, struct err *e)
{
	sd_bus_error be = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	sd_bus *bus = NULL;
	int r = open_bus(user, &bus, e);

	if (r < 0)
		return r;
	r = sdbus.message_new_method_call(bus, &m, MANAGER, "SetUnitProperties");
	if (r >= 0)
		r = sdbus.message_append(m, "sb", name, 1);
	if (r >= 0)
		r = sdbus.message_open_container(m, 'a', "(sv)");
	if (r >= 0)
		r = put_limits(m, limits);
	if (r >= 0)
		r = sdbus.message_close_container(m);
	if (r >= 0)
		r = sdbus.call(bus, m, 0, &be, NULL);
	if (r < 0)
		(void)bus_error(e, r, &be, "SetUnitProperties");
	sdbus.error_free(&be);
	sdbus.message_unref(m);
	sdbus.flush_close_unref(bus);
	return r < 0 ? r : 0;
}

int systemd_stop_scope(bool user, const char *name, struct err *e)
{
	sd_bus_error be = SD_BUS_ERROR_NULL;
	sd_bus_message *m = NULL;
	sd_bus *bus = NULL;
	int r = open_bus(user, &bus, e);

	if (r < 0)
		return r;
	r = sdbus.message_new_method_call(bus, &m, MANAGER, "StopUnit");
	if (r >= 0)
		r = sdbus.message_append(m, "ss", name, "replace");
	if (r < 0)
		(void)bus_error(e, r, NULL, "StopUnit");
	else
		r = run_job(bus, m, &be, e);
	if (sdbus.error_has_name(&be, "org.freedesktop.systemd1.NoSuchUnit"))
		r = 0;
	call(bus, "ResetFailedUnit", name);
	sdbus.error_free(&be);
	sdbus.message_unref(m);
	sdbus.flush_close_unref(bus);
	return r;
}
