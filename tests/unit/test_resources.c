/* SPDX-License-Identifier: Apache-2.0 */
/* linux.resources as cgroup files on both sides, and as the size of the machine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/spec_parse.h"
#include "runtime/overhead.h"
#include "runtime/resources.h"
#include "tests/unit/tap.h"

static const struct size_facts facts = {
	.memory_bytes = 8ull << 30,
	.default_memory = 512ull << 20,
	.cpus = 4,
	.max_vcpus = 32,
};

struct result {
	struct oci_resources *r;
	struct plan_size size;
	struct cgroup_writes host, guest;
	struct err e;
	int rc;
};

static void make(struct result *t, const char *json)
{
	memset(t, 0, sizeof(*t));
	t->rc = resources_parse(json, strlen(json), &t->r, &t->e);
	if (t->rc == 0)
		t->rc = plan_size(t->r, &facts, &t->size, &t->e);
	if (t->rc == 0)
		t->rc = resources_writes(t->r, &t->size, NULL, &t->host, &t->guest, &t->e);
}

static void drop(struct result *t)
{
	oci_resources_free(t->r);
	cgroup_writes_fini(&t->host);
	cgroup_writes_fini(&t->guest);
}

/* All lines for @file, joined by ';'; "" for none. */
static const char *value(const struct cgroup_writes *w, const char *file)
{
	static char text[512];

	text[0] = '\0';
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->v[i].file, file) == 0)
			(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				       text[0] ? ";" : "", w->v[i].value);
	return text;
}

static void test_weights(void)
{
	ok(resources_weight(0) == 1 && resources_weight(2) == 1, "least shares, least weight");
	ok(resources_weight(1024) == 100, "the default of one is the default of the other");
	ok(resources_weight(262144) == 10000 && resources_weight(1u << 30) == 10000, "most shares");
	ok(resources_weight(512) < 100 && resources_weight(512) > 20, "half the shares, less weight");
	ok(resources_io_weight(10) == 1 && resources_io_weight(1000) == 10000, "ends of io.weight");
	for (uint64_t s = 3; s < 262145; s++)
		if (resources_weight(s) < resources_weight(s - 1) || resources_weight(s) > 10000) {
			ok(0, "weights never fall");
			return;
		}
	ok(1, "weights never fall");
}

static const struct {
	const char *json, *file, *host, *guest;
} writes[] = {
	{ "{\"memory\":{\"limit\":-1}}", "memory.max", "max", "max" },
	{ "{\"memory\":{\"limit\":0}}", "memory.max", "", "" },
	{ "{\"memory\":{\"limit\":1000000,\"swap\":3000000}}", "memory.swap.max", "2000000", "2000000" },
	{ "{\"memory\":{\"limit\":1000000,\"swap\":-1}}", "memory.swap.max", "max", "max" },
	{ "{\"memory\":{\"swap\":0}}", "memory.swap.max", "0", "0" },
	{ "{\"memory\":{\"reservation\":4096}}", "memory.low", "4096", "4096" },
	{ "{\"cpu\":{\"quota\":50000}}", "cpu.max", "50000", "50000" },
	{ "{\"cpu\":{\"quota\":50000,\"period\":200000}}", "cpu.max", "50000 200000", "50000 200000" },
	{ "{\"cpu\":{\"period\":200000}}", "cpu.max", "max 200000", "max 200000" },
	{ "{\"cpu\":{\"quota\":-1,\"period\":200000}}", "cpu.max", "max 200000", "max 200000" },
	{ "{\"cpu\":{\"quota\":-1}}", "cpu.max", "max", "max" },
	{ "{\"cpu\":{\"shares\":0}}", "cpu.weight", "", "" },
	{ "{\"cpu\":{\"shares\":1024}}", "cpu.weight", "100", "100" },
	{ "{\"cpu\":{\"burst\":2000}}", "cpu.max.burst", "2000", "2000" },
	{ "{\"cpu\":{\"idle\":1}}", "cpu.idle", "1", "1" },
	{ "{\"cpu\":{\"cpus\":\"0-1\"}}", "cpuset.cpus", "0-1", "0-1" },
	{ "{\"cpu\":{\"mems\":\"0\"}}", "cpuset.mems", "0", "0" },
	{ "{\"pids\":{\"limit\":10}}", "pids.max", "74", "10" },
	{ "{\"pids\":{\"limit\":-1}}", "pids.max", "max", "max" },
	{ "{\"pids\":{\"limit\":0}}", "pids.max", "", "" },
	{ "{\"blockIO\":{\"weight\":10}}", "io.weight", "1", "" },
	{ "{\"blockIO\":{\"weight\":10}}", "io.bfq.weight", "10", "" },
	{ "{\"blockIO\":{\"throttleReadBpsDevice\":[{\"major\":8,\"minor\":0,\"rate\":5}],"
	  "\"throttleWriteIOPSDevice\":[{\"major\":8,\"minor\":0,\"rate\":0}]}}",
	  "io.max", "8:0 rbps=5;8:0 wiops=max", "" },
	{ "{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":4096}]}", "hugetlb.2MB.max", "4096", "" },
	{ "{\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3,\"hcaObjects\":9}}}", "rdma.max",
	  "mlx5_1 hca_handle=3 hca_object=9", "" },
	{ "{\"unified\":{\"pids.max\":\"7\"}}", "pids.max", "71", "7" },
	{ "{\"unified\":{\"memory.high\":\"max\"}}", "memory.high", "max", "max" },
	{ "{\"unified\":{\"memory.low\":\"3k\"}}", "memory.low", "3072", "3k" },
	{ "{\"unified\":{\"memory.low\":\"3kB\"}}", "memory.low", "3kB", "3kB" },
	{ "{\"cpu\":{\"idle\":0,\"shares\":1024}}", "cpu.idle", "0", "0" },
	{ "{\"unified\":{\"io.max\":\"8:0 rbps=1\"}}", "io.max", "8:0 rbps=1", "" },
};

/*
 * What one that is there already has: 50000 of 80000, and in a guest that lies no quota of 1000. All lines of the group's
 * cpu files, in their order.
 */
static const struct {
	const char *json, *lines, *guest;
} changes[] = {
	{ "{\"cpu\":{\"quota\":20000}}", "cpu.max=20000 80000;", "cpu.max=20000 1000;" },
	{ "{\"cpu\":{\"period\":40000}}", "cpu.max=50000 40000;", "cpu.max=max 40000;" },
	{ "{\"cpu\":{\"quota\":-1}}", "cpu.max=max 80000;", "cpu.max=max 1000;" },
	{ "{\"cpu\":{\"quota\":20000,\"period\":10000}}", "cpu.max=20000 10000;", "cpu.max=20000 10000;" },
	{ "{\"cpu\":{\"shares\":1024}}", "cpu.weight=100;", "cpu.weight=100;" },
	{ "{\"cpu\":{\"quota\":10000,\"burst\":5000}}",
	  "cpu.max.burst=0;cpu.max=10000 80000;cpu.max.burst=5000;",
	  "cpu.max.burst=0;cpu.max=10000 1000;cpu.max.burst=5000;" },
	{ "{\"cpu\":{\"idle\":0,\"shares\":1024}}", "cpu.idle=0;cpu.weight=100;", "cpu.idle=0;cpu.weight=100;" },
	{ "{\"cpu\":{\"idle\":1,\"shares\":1024}}", "cpu.weight=100;cpu.idle=1;", "cpu.weight=100;cpu.idle=1;" },
};

static void lines_of(const struct cgroup_writes *w, char out[512])
{
	*out = '\0';
	for (size_t k = 0; k < w->n; k++)
		(void)snprintf(out + strlen(out), 512 - strlen(out), "%s=%s;", w->v[k].file, w->v[k].value);
}

static void test_changes(void)
{
	static const struct cpu_now now = { .host = { 50000, 80000 }, .guest = { -1, 1000 } };

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		struct result t = { 0 };
		char host[512] = "", guest[512] = "";

		if (resources_parse(changes[i].json, strlen(changes[i].json), &t.r, &t.e) == 0 &&
		    resources_writes(t.r, &t.size, &now, &t.host, &t.guest, &t.e) == 0) {
			lines_of(&t.host, host);
			lines_of(&t.guest, guest);
		}
		ok(strcmp(host, changes[i].lines) == 0, "update %s: %s", changes[i].json, host);
		ok(strcmp(guest, changes[i].guest) == 0, "update %s: in the guest: %s", changes[i].json, guest);
		drop(&t);
	}
}

static const struct {
	const char *text;
	uint64_t bytes; /* 0: none */
} sizes[] = {
	{ "1", 1 }, { "4096", 4096 }, { "0x10", 16 }, { "2k", 2048 }, { "2K", 2048 }, { "3M", 3 << 20 },
	{ "1g", 1 << 30 }, { "1T", 1ull << 40 }, { "15E", 15ull << 60 }, { "16E", 0 }, { "", 0 },
	{ "max", 0 }, { "-1", 0 }, { " 1", 0 }, { "1kB", 0 }, { "1x", 0 }, { "k", 0 },
	{ "99999999999999999999", 0 },
};

static void test_bytes(void)
{
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t n = 0;
		bool good = resources_bytes(sizes[i].text, &n);

		ok(good == (sizes[i].bytes != 0) && (!good || n == sizes[i].bytes), "bytes of \"%s\"",
		   sizes[i].text);
	}
}

static const struct {
	const char *json, *field;
} refused[] = {
	{ "{\"memory\":{\"swap\":100}}", "memory.swap" },
	{ "{\"memory\":{\"limit\":100,\"swap\":50}}", "memory.swap" },
	{ "{\"memory\":{\"kernel\":100}}", "memory.kernel" },
	{ "{\"memory\":{\"kernelTCP\":100}}", "memory.kernelTCP" },
	{ "{\"memory\":{\"swappiness\":10}}", "memory.swappiness" },
	{ "{\"memory\":{\"disableOOMKiller\":true}}", "memory.disableOOMKiller" },
	{ "{\"cpu\":{\"realtimeRuntime\":100}}", "cpu.realtimeRuntime" },
	{ "{\"cpu\":{\"realtimePeriod\":100}}", "cpu.realtimePeriod" },
	{ "{\"blockIO\":{\"leafWeight\":10}}", "blockIO.leafWeight" },
	{ "{\"network\":{\"classID\":1}}", "network" },
};

static void test_writes(void)
{
	struct result t;

	for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++) {
		make(&t, writes[i].json);
		ok(t.rc == 0 && strcmp(value(&t.host, writes[i].file), writes[i].host) == 0,
		   "%s: %s", writes[i].json, writes[i].file);
		ok(t.rc == 0 && strcmp(value(&t.guest, writes[i].file), writes[i].guest) == 0,
		   "the same, in the guest");
		drop(&t);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		make(&t, refused[i].json);
		ok(t.rc < 0 && strstr(t.e.msg, refused[i].field) != NULL, "%s", refused[i].json);
		drop(&t);
	}
}

static void test_size(void)
{
	struct result t;
	char text[32];

	make(&t, "{}");
	ok(t.size.memory_bytes == facts.default_memory && t.size.limit == -1 && t.size.vcpus == 0,
	   "no limits, the default machine");
	ok(t.host.n == 0 && t.guest.n == 0, "and nothing to write");
	drop(&t);
	make(&t, "{\"memory\":{\"limit\":104857600}}");
	ok(t.size.memory_bytes >= 104857600 + OVERHEAD_GUEST_BYTES && t.size.limit == 104857600,
	   "a limit, and the guest's overhead on top");
	ok(t.size.memory_bytes % (1u << 20) == 0, "whole MiB");
	(void)snprintf(text, sizeof(text), "%llu",
		       104857600ull + (unsigned long long)t.size.host_extra);
	is_str(value(&t.host, "memory.max"), text, "the host allows the machine");
	ok(104857600 + t.size.host_extra > t.size.memory_bytes, "which is more than its memory");
	is_str(value(&t.guest, "memory.max"), "104857600", "the container sees what was asked for");
	drop(&t);
	make(&t, "{\"memory\":{\"limit\":9223372036854775807}}");
	ok(t.rc == 0 && t.size.memory_bytes < 9ull << 30, "no more memory than the host has");
	is_str(value(&t.host, "memory.max"), "max", "no overflow");
	drop(&t);
	make(&t, "{\"memory\":{\"limit\":104857600},\"unified\":{\"memory.max\":\"209715200\"}}");
	ok(t.size.limit == 209715200, "unified decides");
	drop(&t);
	make(&t, "{\"unified\":{\"memory.max\":\"200M\"}}");
	ok(t.size.limit == 209715200 && t.size.memory_bytes > 209715200, "unified: a number with a unit");
	ok(strtoull(value(&t.host, "memory.max"), NULL, 10) == 209715200ull + t.size.host_extra,
	   "unified: and the machine's share on the host");
	drop(&t);
	make(&t, "{\"unified\":{\"memory.max\":\"max\"}}");
	ok(t.size.limit == -1 && t.size.memory_bytes == facts.default_memory, "unified: max");
	drop(&t);
}

static void test_machine_memory(void)
{
	struct size_facts f = facts;
	struct oci_resources r = { .memory = { .has_limit = true, .limit = 64 << 20 } };
	struct plan_size s;
	struct err e;

	f.machine_memory = 1ull << 30;
	ok(plan_size(&r, &f, &s, &e) == 0 && s.memory_bytes == 1ull << 30,
	   "memory that was asked for stands");
	ok((64ull << 20) + s.host_extra > 1ull << 30, "and the host allows all of it");
	f.machine_memory = 64 << 20;
	ok(plan_size(&r, &f, &s, &e) == 0 && s.memory_bytes == 64 << 20, "less than the limit as well");
}

static const struct {
	const char *json;
	unsigned vcpus;
} vcpus[] = {
	{ "{\"cpu\":{\"quota\":50000}}", 1 },
	{ "{\"cpu\":{\"quota\":100000}}", 1 },
	{ "{\"cpu\":{\"quota\":100001}}", 2 },
	{ "{\"cpu\":{\"quota\":250000,\"period\":100000}}", 3 },
	{ "{\"cpu\":{\"quota\":10000000}}", 4 },
	{ "{\"cpu\":{\"quota\":-1}}", 0 },
	{ "{\"cpu\":{\"cpus\":\"0-1,3\"}}", 3 },
	{ "{\"cpu\":{\"cpus\":\"0-63\"}}", 4 },
	{ "{\"cpu\":{\"cpus\":\"1\",\"quota\":300000}}", 1 },
	{ "{\"cpu\":{\"cpus\":\"0-3\",\"quota\":200000}}", 2 },
	{ "{\"unified\":{\"cpu.max\":\"150000 100000\"}}", 2 },
	{ "{\"unified\":{\"cpu.max\":\"max 100000\"}}", 0 },
	{ "{\"unified\":{\"cpuset.cpus\":\"2\"}}", 1 },
	{ "{}", 0 },
};

static void test_vcpus(void)
{
	for (size_t i = 0; i < sizeof(vcpus) / sizeof(vcpus[0]); i++) {
		struct result t;

		make(&t, vcpus[i].json);
		ok(t.rc == 0 && t.size.vcpus == vcpus[i].vcpus, "%s", vcpus[i].json);
		drop(&t);
	}
	ok(resources_count_cpus("3-1") == 0 && resources_count_cpus("a") == 0 &&
		   resources_count_cpus("0-99999999999") == 0 && resources_count_cpus("") == 0,
	   "lists that are none");
}

int main(void)
{
	test_weights();
	test_writes();
	test_changes();
	test_bytes();
	test_size();
	test_vcpus();
	test_machine_memory();
	return tap_done();
}
