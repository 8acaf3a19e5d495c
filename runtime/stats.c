/* SPDX-License-Identifier: Apache-2.0 */
/* stats - what a container uses, from both sides, in the shape of runc's events. */
#include "runtime/stats.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/json.h"
#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "runtime/cgroup.h"

#define MAX_FILE (256u << 10)

static void put(struct json_out *o, const char *key, uint64_t value)
{
	json_out_key(o, key);
	json_out_uint(o, value);
}

static void put_known(struct json_out *o, const char *key, uint64_t value)
{
	if (value != STATS_NONE)
		put(o, key, value);
}

static uint64_t times_1000(uint64_t usec)
{
	return usec == STATS_NONE ? 0 : usec * 1000;
}

static void put_cpu(struct json_out *o, const struct stats_source *s)
{
	OWN_FREE char *text = NULL;

	if (s->cgroup >= 0 && io_read_file(s->cgroup, "cpu.stat", MAX_FILE, &text, NULL) < 0)
		text = NULL;
	json_out_key(o, "cpu");
	json_out_object(o);
	json_out_key(o, "usage");
	json_out_object(o);
	put(o, "total", times_1000(cgroup_field(text, "usage_usec", s->guest->cpu_us)));
	put(o, "kernel", times_1000(cgroup_field(text, "system_usec", s->guest->system_us)));
	put(o, "user", times_1000(cgroup_field(text, "user_usec", s->guest->user_us)));
	json_out_object_end(o);
	json_out_key(o, "throttling");
	json_out_object(o);
	put_known(o, "periods", cgroup_field(text, "nr_periods", s->guest->periods));
	put_known(o, "throttledPeriods", cgroup_field(text, "nr_throttled", s->guest->throttled));
	put(o, "throttledTime", times_1000(cgroup_field(text, "throttled_usec", s->guest->throttled_us)));
	json_out_object_end(o);
	json_out_object_end(o);
}

/* Every kind of memory has the same four numbers. */
static void put_memory_kind(struct json_out *o, const char *key, uint64_t limit, uint64_t usage,
			    uint64_t max, uint64_t failures)
{
	json_out_key(o, key);
	json_out_object(o);
	put(o, "limit", limit);
	put(o, "usage", usage == STATS_NONE ? 0 : usage);
	put_known(o, "max", max);
	put(o, "failcnt", failures == STATS_NONE ? 0 : failures);
	json_out_object_end(o);
}

static uint64_t sum(uint64_t a, uint64_t b)
{
	return a == STATS_NONE || b == STATS_NONE || a > UINT64_MAX - b ? a : a + b;
}

static void put_raw(struct json_out *o, const struct proto_stats *g)
{
	json_out_key(o, "raw");
	json_out_object(o);
	put_known(o, "anon", g->anon);
	put_known(o, "file", g->file);
	put_known(o, "kernel", g->kernel);
	put_known(o, "shmem", g->shmem);
	put_known(o, "file_mapped", g->mapped);
	put_known(o, "file_dirty", g->dirty);
	put_known(o, "inactive_file", g->inactive_file);
	put_known(o, "active_file", g->active_file);
	put_known(o, "pgfault", g->pgfault);
	put_known(o, "pgmajfault", g->pgmajfault);
	json_out_object_end(o);
}

static void put_memory(struct json_out *o, const struct stats_source *s)
{
	const struct proto_stats *g = s->guest;
	uint64_t current = g->memory_current;
	uint64_t peak = g->memory_peak;

	if (current == STATS_NONE && s->cgroup >= 0) {
		current = cgroup_number(s->cgroup, "memory.current", STATS_NONE);
		peak = cgroup_number(s->cgroup, "memory.peak", STATS_NONE);
	}
	json_out_key(o, "memory");
	json_out_object(o);
	put_known(o, "cache", g->file);
	put_memory_kind(o, "usage", g->memory_max, current, peak, g->oom);
	/* the sum of both, as cgroup v1 had it and runc has it still */
	put_memory_kind(o, "swap", sum(g->swap_max, g->memory_max), sum(g->swap_current, current), STATS_NONE, 0);
	put_memory_kind(o, "kernel", STATS_NONE, g->kernel, STATS_NONE, 0);
	put_memory_kind(o, "kernelTCP", STATS_NONE, 0, STATS_NONE, 0);
	put_raw(o, g);
	json_out_object_end(o);
}

static void put_pids(struct json_out *o, const struct stats_source *s)
{
	uint64_t current = s->guest->pids_current;

	if (current == STATS_NONE && s->cgroup >= 0)
		current = cgroup_number(s->cgroup, "pids.current", STATS_NONE);
	json_out_key(o, "pids");
	json_out_object(o);
	put_known(o, "current", current);
	put_known(o, "limit", s->guest->pids_max);
	json_out_object_end(o);
}

/* One list of io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4". */
static void put_io_list(struct json_out *o, const char *key, const char *text, const char *in,
			const char *out)
{
	json_out_key(o, key);
	json_out_array(o);
	for (const char *s = text; s && *s; s = strchr(s, '\n') ? strchr(s, '\n') + 1 : NULL) {
		const char *const keys[] = { in, out };
		unsigned major, minor;

		if (sscanf(s, "%u:%u ", &major, &minor) != 2)
			continue;
		for (int i = 0; i < 2; i++) {
			const char *at = strstr(s, keys[i]);

			if (!at || at > s + strcspn(s, "\n"))
				continue;
			json_out_object(o);
			put(o, "major", major);
			put(o, "minor", minor);
			json_out_key_str(o, "op", i == 0 ? "Read" : "Write");
			put(o, "value", strtoull(at + strlen(keys[i]), NULL, 10));
			json_out_object_end(o);
		}
	}
	json_out_array_end(o);
}

static void put_block_io(struct json_out *o, const struct stats_source *s)
{
	OWN_FREE char *text = NULL;

	json_out_key(o, "blkio");
	json_out_object(o);
	if (s->cgroup >= 0 && io_read_file(s->cgroup, "io.stat", MAX_FILE, &text, NULL) == 0) {
		put_io_list(o, "ioServiceBytesRecursive", text, " rbytes=", " wbytes=");
		put_io_list(o, "ioServicedRecursive", text, " rios=", " wios=");
	}
	json_out_object_end(o);
}

static void put_hugepages(struct json_out *o, const struct stats_source *s)
{
	OWN_FD int dir = s->cgroup >= 0 ? openat(s->cgroup, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) :
					  -1;
	DIR *d = dir >= 0 ? fdopendir(dir) : NULL;
	const struct dirent *de;

	json_out_key(o, "hugetlb");
	json_out_object(o);
	while (d && (de = readdir(d))) {
		char size[32];
		char tail[32] = "";

		if (sscanf(de->d_name, "hugetlb.%31[0-9KMGB].%31s", size, tail) != 2 ||
		    strcmp(tail, "current") != 0)
			continue;
		json_out_key(o, size);
		json_out_object(o);
		put(o, "usage", cgroup_number(s->cgroup, de->d_name, 0));
		put(o, "failcnt", 0);
		json_out_object_end(o);
	}
	json_out_object_end(o);
	if (d) {
		(void)closedir(d);
		(void)take_fd(&dir);
	}
}

/* A line of /proc/net/dev: eight numbers received, eight sent. */
static void put_interface(struct json_out *o, const char *name, const char *numbers)
{
	static const char *const keys[] = { "RxBytes", "RxPackets", "RxErrors", "RxDropped",
					    NULL,      NULL,	    NULL,	NULL,
					    "TxBytes", "TxPackets", "TxErrors", "TxDropped" };
	char *end;

	json_out_object(o);
	json_out_key_str(o, "Name", name);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		uint64_t n = strtoull(numbers, &end, 10);

		if (keys[i])
			put(o, keys[i], n);
		numbers = end;
	}
	json_out_object_end(o);
}

static void put_network(struct json_out *o, const struct stats_source *s)
{
	OWN_FREE char *text = NULL;
	char path[64];
	char *save;

	(void)snprintf(path, sizeof(path), "/proc/%d/net/dev", s->pid);
	if (io_read_file(AT_FDCWD, path, MAX_FILE, &text, NULL) < 0)
		return;
	json_out_key(o, "network_interfaces");
	json_out_array(o);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *colon = strchr(line, ':');
		char *name = line + strspn(line, " ");

		if (!colon)
			continue;
		*colon = '\0';
		/* our taps carry what their interfaces count already */
		if (strcmp(name, "lo") != 0 && strncmp(name, "coracle", 7) != 0)
			put_interface(o, name, colon + 1);
	}
	json_out_array_end(o);
}

static void begin(struct json_out *o, const char *type, const char *id)
{
	json_out_object(o);
	json_out_key_str(o, "type", type);
	json_out_key_str(o, "id", id);
}

int stats_format(const struct stats_source *s, char **out)
{
	OWN(json_out_cleanup) struct json_out *o = json_out_new(false);

	begin(o, "stats", s->id);
	json_out_key(o, "data");
	json_out_object(o);
	put_cpu(o, s);
	put_memory(o, s);
	put_pids(o, s);
	put_block_io(o, s);
	put_hugepages(o, s);
	json_out_key(o, "intel_rdt");
	json_out_object(o);
	json_out_object_end(o);
	put_network(o, s);
	json_out_object_end(o);
	json_out_object_end(o);
	return json_out_end(o, out);
}

int stats_format_oom(const char *id, char **out)
{
	OWN(json_out_cleanup) struct json_out *o = json_out_new(false);

	begin(o, "oom", id);
	json_out_object_end(o);
	return json_out_end(o, out);
}

int stats_parse_interval(const char *text, int *out_ms)
{
	static const struct {
		const char *unit;
		double ms;
	} units[] = { { "ms", 1 }, { "us", 0.001 }, { "ns", 0.000001 }, { "h", 3600000 },
		      { "m", 60000 }, { "s", 1000 } };
	double sum = 0;

	while (*text) {
		char *end;
		double n = strtod(text, &end);
		size_t i = 0;

		if (end == text || !(n >= 0))
			return -EINVAL;
		while (i < 6 && strncmp(end, units[i].unit, strlen(units[i].unit)) != 0)
			i++;
		if (i == 6)
			return -EINVAL;
		sum += n * units[i].ms;
		text = end + strlen(units[i].unit);
	}
	if (sum < 1 || sum > 86400000.0 * 20)
		return -EINVAL;
	*out_ms = (int)sum;
	return 0;
}
