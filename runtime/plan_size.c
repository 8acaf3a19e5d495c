/* SPDX-License-Identifier: Apache-2.0 */
/* plan_size - limits as the size of the machine. Pure. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/overhead.h"
#include "runtime/resources.h"

#define MIB (1ull << 20)

uint32_t resources_count_cpus(const char *list)
{
	uint32_t n = 0;

	while (*list) {
		char *end;
		unsigned long first = strtoul(list, &end, 10);
		unsigned long last = first;

		if (end == list)
			return 0;
		if (*end == '-') {
			list = end + 1;
			last = strtoul(list, &end, 10);
			if (end == list || last < first)
				return 0;
		}
		if (last >= 65536)
			return 0;
		n += (uint32_t)(last - first) + 1;
		if (*end == '\n')
			break;
		if (*end != ',' && *end != '\0')
			return 0;
		list = *end == ',' ? end + 1 : end;
	}
	return n;
}

static const char *unified_value(const struct oci_resources *r, const char *file)
{
	for (size_t i = 0; i < r->n_unified; i++)
		if (strcmp(r->unified[i].key, file) == 0 && r->unified[i].value)
			return r->unified[i].value;
	return NULL;
}

/* `unified` is written last, so that it decides. */
static int64_t memory_limit(const struct oci_resources *r)
{
	const char *said = unified_value(r, "memory.max");
	uint64_t n;

	if (said && resources_bytes(said, &n) && n > 0 && n <= INT64_MAX)
		return (int64_t)n;
	if (!said && r->memory.has_limit && r->memory.limit > 0)
		return r->memory.limit;
	return -1;
}

/* CPUs that a quota can keep busy, rounded up; 0: no quota. */
static uint32_t quota_cpus(const struct oci_resources *r, uint32_t most)
{
	uint64_t period = r->cpu.has_period && r->cpu.period ? r->cpu.period : 100000;
	uint64_t quota = r->cpu.has_quota && r->cpu.quota > 0 ? (uint64_t)r->cpu.quota : 0;
	const char *said = unified_value(r, "cpu.max");
	uint64_t cpus;

	if (said) {
		char *end;

		quota = strtoull(said, &end, 10);
		period = strtoull(end, NULL, 10);
		period = period ? period : 100000;
	}
	cpus = quota / period + (quota % period != 0);
	return cpus > most ? most : (uint32_t)cpus;
}

static uint32_t count_vcpus(const struct oci_resources *r, const struct size_facts *f)
{
	uint32_t most = f->cpus < f->max_vcpus ? f->cpus : f->max_vcpus;
	const char *list = unified_value(r, "cpuset.cpus");
	uint32_t n = quota_cpus(r, most);
	uint32_t set;

	list = list ? list : r->cpu.cpus;
	set = list ? resources_count_cpus(list) : 0;
	if (set > most)
		set = most;
	return n == 0 || (set > 0 && set < n) ? set : n;
}

int plan_size(const struct oci_resources *r, const struct size_facts *f, struct plan_size *out,
	      struct err *e)
{
	uint64_t bytes;

	*out = (struct plan_size){ .memory_bytes = f->default_memory, .limit = -1 };
	if (r) {
		out->limit = memory_limit(r);
		out->vcpus = count_vcpus(r, f);
	}
	if (out->limit > 0) {
		bytes = (uint64_t)out->limit;
		/* more than the host has can't be used, but would have to be described */
		if (f->memory_bytes > 0 && bytes > f->memory_bytes)
			bytes = f->memory_bytes;
		bytes += OVERHEAD_GUEST_BYTES + bytes / OVERHEAD_GUEST_SHARE;
		out->memory_bytes = (bytes + MIB - 1) / MIB * MIB;
		if (bytes > INT64_MAX / 2)
			return err_set(e, EINVAL, "linux.resources.memory.limit: too large");
	}
	if (f->machine_memory > 0)
		out->memory_bytes = f->machine_memory;
	/* a limit may come later, so that the guest's part counts without one as well */
	bytes = out->memory_bytes;
	out->host_extra = OVERHEAD_GUEST_BYTES + bytes / OVERHEAD_GUEST_SHARE;
	if (out->limit > 0 && bytes > (uint64_t)out->limit + out->host_extra)
		out->host_extra = bytes - (uint64_t)out->limit;
	out->host_extra += OVERHEAD_HOST_BYTES + bytes / OVERHEAD_HOST_SHARE;
	out->host_tasks = OVERHEAD_TASKS + f->max_vcpus;
	return 0;
}
