/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics as JSON, intervals, quotas as systemd keeps them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/json.h"
#include "runtime/stats.h"
#include "runtime/systemd.h"
#include "tests/unit/tap.h"

static const struct {
	const char *text;
	int ms; /* -1: refused */
} intervals[] = {
	{ "5s", 5000 },	 { "500ms", 500 }, { "1m30s", 90000 }, { "1.5s", 1500 }, { "2h", 7200000 },
	{ "1ms", 1 },	 { "", -1 },	   { "5", -1 },	       { "5x", -1 },	 { "-1s", -1 },
	{ "0s", -1 },	 { "1e30h", -1 },  { "nan", -1 },      { "s", -1 },	 { "5s ", -1 },
};

static const struct {
	const char *cpu_max;
	uint64_t usec, period;
} quotas[] = {
	{ "50000 100000", 500000, 100000 }, { "50000", 500000, 0 },
	{ "1 100000", 10000, 100000 },	    { "max", UINT64_MAX, 0 },
	{ "max 50000", UINT64_MAX, 50000 }, { "250000 100000", 2500000, 100000 },
};

/* The event, parsed; @at is a path of keys. */
static uint64_t number(const struct json *root, const char *const *keys)
{
	const struct json *v = root;
	struct err e;
	uint64_t n;

	for (; v && *keys; keys++)
		v = json_get(v, *keys);
	return v && json_uint(v, UINT64_MAX, &n, &e) == 0 ? n : 424242;
}

static void test_format(const struct proto_stats *guest, uint64_t usage, uint64_t limit,
			const char *name)
{
	struct stats_source s = { .id = "a\"b", .pid = getpid(), .cgroup = -1, .guest = guest };
	struct json_doc *doc = NULL;
	char *text = NULL;
	struct err e;

	ok(stats_format(&s, &text) == 0 && strchr(text, '\n') == NULL, "%s: one line", name);
	ok(json_parse(text, strlen(text), &doc, &e) == 0, "%s: JSON", name);
	is_int(number(json_root(doc), (const char *const[]){ "data", "memory", "usage", "usage", NULL }),
	       usage, "memory in use");
	ok(number(json_root(doc), (const char *const[]){ "data", "memory", "usage", "limit", NULL }) ==
		   limit,
	   "its limit");
	ok(json_get(json_get(json_root(doc), "data"), "network_interfaces") != NULL, "interfaces");
	json_free(doc);
	free(text);
}

/* The sum of both, as in cgroup v1. */
static void test_swap(const struct proto_stats *guest, uint64_t usage, uint64_t limit)
{
	struct stats_source s = { .id = "s", .pid = getpid(), .cgroup = -1, .guest = guest };
	struct json_doc *doc = NULL;
	char *text = NULL;
	struct err e;

	ok(stats_format(&s, &text) == 0 && json_parse(text, strlen(text), &doc, &e) == 0, "swap: JSON");
	is_int(number(json_root(doc), (const char *const[]){ "data", "memory", "swap", "usage", NULL }),
	       usage, "swap and memory in use");
	ok(number(json_root(doc), (const char *const[]){ "data", "memory", "swap", "limit", NULL }) == limit,
	   "swap and memory: their limit");
	json_free(doc);
	free(text);
}

int main(void)
{
	struct proto_stats guest;
	char *text = NULL;

	for (size_t i = 0; i < sizeof(intervals) / sizeof(intervals[0]); i++) {
		int ms = -1;

		if (stats_parse_interval(intervals[i].text, &ms) < 0)
			ms = -1;
		is_int(ms, intervals[i].ms, intervals[i].text);
	}
	for (size_t i = 0; i < sizeof(quotas) / sizeof(quotas[0]); i++) {
		uint64_t period;
		uint64_t usec = systemd_quota(quotas[i].cpu_max, &period);

		ok(usec == quotas[i].usec && period == quotas[i].period, "%s", quotas[i].cpu_max);
	}
	memset(&guest, 0xff, sizeof(guest));
	test_format(&guest, 0, UINT64_MAX, "a guest that says nothing");
	guest.memory_current = 4096;
	guest.memory_max = 8192;
	test_format(&guest, 4096, 8192, "a guest with a limit");
	guest.swap_current = 100;
	guest.swap_max = 1000;
	test_swap(&guest, 4196, 9192);
	guest.swap_max = UINT64_MAX;
	test_swap(&guest, 4196, UINT64_MAX);
	ok(stats_format_oom("x", &text) == 0 && strcmp(text, "{\"type\":\"oom\",\"id\":\"x\"}") == 0,
	   "oom");
	free(text);
	return tap_done();
}
