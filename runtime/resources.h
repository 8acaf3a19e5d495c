/* SPDX-License-Identifier: Apache-2.0 */
/*
 * resources - linux.resources as files of cgroup v2, on the host and in the guest, and as the size of
 * the machine. Pure.
 *
 * The container sees exactly what was asked for: these values go to its cgroup in the guest. The host's
 * cgroup holds the whole machine, so memory and pids there get the overhead of overhead.h on top.
 */
#ifndef RUNTIME_RESOURCES_H
#define RUNTIME_RESOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oci/spec.h"
#include "runtime/base/err.h"

/* One file of a cgroup. */
struct cgroup_write {
	char *file;
	char *value;	   /* lines; each is written by itself */
	const char *field; /* below linux.resources, for messages */
	bool optional;	   /* no error where the kernel has no such file */
	bool instead;	   /* only where the one before had no file */
};

struct cgroup_writes {
	struct cgroup_write *v;
	size_t n;
};

void cgroup_writes_fini(struct cgroup_writes *w);

/* What limits make of the machine. */
struct plan_size {
	uint64_t memory_bytes; /* RAM, whole MiB */
	int64_t limit;	       /* of the container, in bytes; -1: none */
	uint64_t host_extra;   /* what memory.max of the host is above the container's */
	uint32_t vcpus;	       /* as many as the limits can keep busy; 0: they say nothing */
	uint32_t host_tasks;   /* what pids.max of the host is above the container's */
};

/* What plan_size() must know of the host. */
struct size_facts {
	uint64_t memory_bytes;	 /* the host's; 0: unknown */
	uint64_t default_memory; /* RAM of a machine without a limit */
	uint64_t machine_memory; /* RAM that was asked for, whatever the limit; 0: none was */
	uint32_t cpus;		 /* online */
	uint32_t max_vcpus;
};

/* @r may be NULL. Return: 0, or -EINVAL with @e naming the field. */
int plan_size(const struct oci_resources *r, const struct size_facts *f, struct plan_size *out,
	      struct err *e) MUST_CHECK;

/* cpu.max in force, in microseconds. */
struct cpu_max {
	int64_t quota;	 /* -1: none */
	uint64_t period; /* 0: unknown */
};

/* Of both sides: what the guest says decides about its own alone. */
struct cpu_now {
	struct cpu_max host;
	struct cpu_max guest;
};

/*
 * The values for both sides. @now: for a quota or a period that comes alone; NULL: nothing is in force yet.
 * Return: 0, or an error that names the field below config.json's linux.resources which can't be had.
 */
int resources_writes(const struct oci_resources *r, const struct plan_size *size, const struct cpu_now *now,
		     struct cgroup_writes *host, struct cgroup_writes *guest,
		     struct err *e) MUST_CHECK;

/* cpu.shares of v1 (2 to 262144) as cpu.weight of v2 (1 to 10000). */
uint64_t resources_weight(uint64_t shares);

/* blkio.weight of v1 (10 to 1000) as io.weight of v2. */
unsigned resources_io_weight(unsigned weight);

/* A number of bytes as the kernel reads it (memparse): "100M", "0x1000". Return: false if it is none. */
bool resources_bytes(const char *text, uint64_t *out);

/* Number of CPUs in a list such as "0-3,7"; 0 for one that is none. */
uint32_t resources_count_cpus(const char *list);

#endif
