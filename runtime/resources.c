/* SPDX-License-Identifier: Apache-2.0 */
/* resources - linux.resources as files of cgroup v2. Pure. The size of the machine: plan_size.c. */
#include "runtime/resources.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cgroup_writes_fini(struct cgroup_writes *w)
{
	for (size_t i = 0; i < w->n; i++) {
		free(w->v[i].file);
		free(w->v[i].value);
	}
	free(w->v);
	*w = (struct cgroup_writes){ 0 };
}

/* The lists under construction; sticky on failure. */
struct builder {
	struct cgroup_writes *host;
	struct cgroup_writes *guest;
	const struct plan_size *size;
	bool failed;
};

static void add(struct builder *b, struct cgroup_writes *to, const char *field, bool optional,
		const char *file, const char *value)
{
	struct cgroup_write *more = realloc(to->v, (to->n + 1) * sizeof(*more));
	struct cgroup_write *w;

	if (!more) {
		b->failed = true;
		return;
	}
	to->v = more;
	w = &to->v[to->n];
	*w = (struct cgroup_write){ strdup(file), strdup(value), field, optional, false };
	to->n++;
	b->failed |= !w->file || !w->value;
}

__attribute__((format(printf, 5, 6))) static void host(struct builder *b, const char *field,
							bool optional, const char *file,
							const char *fmt, ...)
{
	char value[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	add(b, b->host, field, optional, file, value);
}

__attribute__((format(printf, 4, 5))) static void both(struct builder *b, const char *field,
							const char *file, const char *fmt, ...)
{
	char value[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	add(b, b->host, field, false, file, value);
	add(b, b->guest, field, false, file, value);
}

/* "max" below zero, as -1 is "unlimited" in config.json. */
static void limit(struct builder *b, struct cgroup_writes *to, const char *field, bool optional,
		  const char *file, int64_t value, uint64_t extra)
{
	char text[32];

	if (value < 0 || (uint64_t)value > (uint64_t)INT64_MAX - extra)
		(void)snprintf(text, sizeof(text), "max");
	else
		(void)snprintf(text, sizeof(text), "%" PRIu64, (uint64_t)value + extra);
	add(b, to, field, optional, file, text);
}

static int refuse(struct err *e, const char *field, const char *why)
{
	return err_set(e, ENOTSUP, "linux.resources.%s: %s", field, why);
}

/* ------------------------------------------------------------------ memory */

static int add_swap(struct builder *b, const struct oci_memory *m, struct err *e)
{
	int64_t swap = m->swap;

	if (!m->has_swap)
		return 0;
	if (swap > 0 && (!m->has_limit || m->limit <= 0))
		return err_set(e, EINVAL,
			       "linux.resources.memory.swap: is the sum of both and needs memory.limit");
	if (swap > 0)
		swap -= m->limit;
	if (swap < 0 && m->swap > 0)
		return err_set(e, EINVAL, "linux.resources.memory.swap: less than memory.limit");
	/* a kernel without swap has no such file, and nothing to limit */
	limit(b, b->host, "memory.swap", true, "memory.swap.max", swap, 0);
	limit(b, b->guest, "memory.swap", true, "memory.swap.max", swap, 0);
	return 0;
}

static int add_memory(struct builder *b, const struct oci_memory *m, struct err *e)
{
	if (m->has_kernel)
		return refuse(e, "memory.kernel", "cgroup v2 has no such limit");
	if (m->has_kernel_tcp)
		return refuse(e, "memory.kernelTCP", "cgroup v2 has no such limit");
	if (m->has_swappiness)
		return refuse(e, "memory.swappiness", "cgroup v2 has no such setting");
	if (m->has_disable_oom_killer && m->disable_oom_killer)
		return refuse(e, "memory.disableOOMKiller", "cgroup v2 has no such setting");
	if (m->has_use_hierarchy && !m->use_hierarchy)
		return refuse(e, "memory.useHierarchy", "cgroup v2 is always hierarchical");
	/* 0 is how engines write "not set" */
	if (m->has_limit && m->limit != 0) {
		limit(b, b->host, "memory.limit", false, "memory.max", m->limit,
		      b->size->host_extra);
		limit(b, b->guest, "memory.limit", false, "memory.max", m->limit, 0);
	}
	if (m->has_reservation && m->reservation != 0) {
		limit(b, b->host, "memory.reservation", false, "memory.low", m->reservation, 0);
		limit(b, b->guest, "memory.reservation", false, "memory.low", m->reservation, 0);
	}
	return add_swap(b, m, e);
}

/* ------------------------------------------------------------------ cpu, pids */

uint64_t resources_weight(uint64_t shares)
{
	double l;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	/* the curve through (2, 1), (1024, 100) and (262144, 10000) that runc 1.4 and crun 1.23 have */
	l = log2((double)shares);
	return (uint64_t)ceil(pow(10, (l * l + 125 * l) / 612.0 - 7.0 / 34.0));
}

static void add_cpu_max(struct builder *b, struct cgroup_writes *to, const struct oci_cpu *c, const struct cpu_max *now)
{
	bool has_quota = c->has_quota && c->quota != 0;
	bool has_period = c->has_period && c->period != 0;
	int64_t quota = has_quota ? c->quota : now->quota;
	uint64_t period = has_period ? c->period : now->period;
	char first[32] = "max";
	char text[64];

	if (!has_quota && !has_period)
		return;
	if (quota >= 0)
		(void)snprintf(first, sizeof(first), "%" PRId64, quota);
	/* a quota alone leaves the period as it is (cgroup-v2.rst cpu.max), but systemd must hear of both */
	if (period == 0)
		(void)snprintf(text, sizeof(text), "%s", first);
	else
		(void)snprintf(text, sizeof(text), "%s %" PRIu64, first, period);
	add(b, to, has_quota ? "cpu.quota" : "cpu.period", false, "cpu.max", text);
}

static int add_cpu(struct builder *b, const struct oci_cpu *c, const struct cpu_now *now, struct err *e)
{
	static const struct cpu_max fresh = { .quota = -1 };

	if (c->has_realtime_runtime && c->realtime_runtime != 0)
		return refuse(e, "cpu.realtimeRuntime", "cgroup v2 has no such limit");
	if (c->has_realtime_period && c->realtime_period != 0)
		return refuse(e, "cpu.realtimePeriod", "cgroup v2 has no such limit");
	/* an idle group takes no weight */
	if (c->has_idle && c->idle == 0)
		both(b, "cpu.idle", "cpu.idle", "0");
	if (c->has_shares && c->shares != 0)
		both(b, "cpu.shares", "cpu.weight", "%" PRIu64, resources_weight(c->shares));
	if (c->has_idle && c->idle != 0)
		both(b, "cpu.idle", "cpu.idle", "%" PRId64, c->idle);
	/* a burst may not be above the quota: the old one goes first, the new one comes last */
	if (now && c->has_burst)
		both(b, "cpu.burst", "cpu.max.burst", "0");
	add_cpu_max(b, b->host, c, now ? &now->host : &fresh);
	add_cpu_max(b, b->guest, c, now ? &now->guest : &fresh);
	if (c->has_burst)
		both(b, "cpu.burst", "cpu.max.burst", "%" PRIu64, c->burst);
	if (c->cpus && *c->cpus) {
		add(b, b->host, "cpu.cpus", false, "cpuset.cpus", c->cpus);
		/* a number that the machine does not have is no error in it */
		add(b, b->guest, "cpu.cpus", true, "cpuset.cpus", c->cpus);
	}
	if (c->mems && *c->mems) {
		add(b, b->host, "cpu.mems", false, "cpuset.mems", c->mems);
		add(b, b->guest, "cpu.mems", true, "cpuset.mems", c->mems);
	}
	return 0;
}

/* ------------------------------------------------------------------ blockIO and the rest */

unsigned resources_io_weight(unsigned weight)
{
	return 1 + (weight - 10) * 9999 / 990;
}

/* BFQ's file takes the old numbers; where it is not there the other is written. */
static void add_io_weight(struct builder *b, const struct oci_block_io *io)
{
	if (io->has_weight && io->weight != 0) {
		host(b, "blockIO.weight", true, "io.bfq.weight", "%u", io->weight);
		host(b, "blockIO.weight", false, "io.weight", "%u", resources_io_weight(io->weight));
		if (!b->failed)
			b->host->v[b->host->n - 1].instead = true;
	}
	for (size_t i = 0; i < io->n_weight_devices; i++) {
		const struct oci_weight_device *d = &io->weight_devices[i];

		if (d->has_weight && d->weight != 0)
			host(b, "blockIO.weightDevice", false, "io.bfq.weight",
			     "%" PRId64 ":%" PRId64 " %u", d->major, d->minor, d->weight);
	}
}

static void add_throttles(struct builder *b, const char *field, const char *key,
			  const struct oci_throttle_device *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i].rate == 0)
			host(b, field, false, "io.max", "%" PRId64 ":%" PRId64 " %s=max", v[i].major,
			     v[i].minor, key);
		else
			host(b, field, false, "io.max", "%" PRId64 ":%" PRId64 " %s=%" PRIu64,
			     v[i].major, v[i].minor, key, v[i].rate);
	}
}

static int add_block_io(struct builder *b, const struct oci_block_io *io, struct err *e)
{
	if (io->has_leaf_weight && io->leaf_weight != 0)
		return refuse(e, "blockIO.leafWeight", "cgroup v2 has no such setting");
	for (size_t i = 0; i < io->n_weight_devices; i++)
		if (io->weight_devices[i].has_leaf_weight && io->weight_devices[i].leaf_weight != 0)
			return refuse(e, "blockIO.weightDevice.leafWeight",
				      "cgroup v2 has no such setting");
	add_io_weight(b, io);
	add_throttles(b, "blockIO.throttleReadBpsDevice", "rbps", io->read_bps, io->n_read_bps);
	add_throttles(b, "blockIO.throttleWriteBpsDevice", "wbps", io->write_bps, io->n_write_bps);
	add_throttles(b, "blockIO.throttleReadIOPSDevice", "riops", io->read_iops, io->n_read_iops);
	add_throttles(b, "blockIO.throttleWriteIOPSDevice", "wiops", io->write_iops,
		      io->n_write_iops);
	return 0;
}

/* The guest has huge pages of its own or none: what the host gives to the machine is what counts. */
static void add_hugepages(struct builder *b, const struct oci_resources *r)
{
	for (size_t i = 0; i < r->n_hugepage_limits; i++) {
		const struct oci_hugepage_limit *h = &r->hugepage_limits[i];
		char file[64];

		(void)snprintf(file, sizeof(file), "hugetlb.%s.max", h->page_size);
		host(b, "hugepageLimits", false, file, "%" PRIu64, h->limit);
		(void)snprintf(file, sizeof(file), "hugetlb.%s.rsvd.max", h->page_size);
		host(b, "hugepageLimits", true, file, "%" PRIu64, h->limit);
	}
}

static void add_rdma(struct builder *b, const struct oci_resources *r)
{
	for (size_t i = 0; i < r->n_rdma; i++) {
		const struct oci_rdma *d = &r->rdma[i];
		char line[160];
		size_t n = (size_t)snprintf(line, sizeof(line), "%.100s", d->device);

		if (d->has_hca_handles)
			n += (size_t)snprintf(line + n, sizeof(line) - n, " hca_handle=%u",
					      d->hca_handles);
		if (d->has_hca_objects)
			(void)snprintf(line + n, sizeof(line) - n, " hca_object=%u", d->hca_objects);
		host(b, "rdma", false, "rdma.max", "%s", line);
	}
}

/* ------------------------------------------------------------------ unified */

/* Files whose number stands for the machine on the host and for the container in the guest. */
static uint64_t extra_of(const struct plan_size *s, const char *file)
{
	if (strcmp(file, "memory.max") == 0 || strcmp(file, "memory.high") == 0)
		return s->host_extra;
	return strcmp(file, "pids.max") == 0 ? s->host_tasks : 0;
}

bool resources_bytes(const char *text, uint64_t *out)
{
	static const char units[] = "kmgtpe";
	const char *unit;
	unsigned long long n;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	n = strtoull(text, &end, 0);
	unit = *end ? strchr(units, *end | 0x20) : NULL;
	if (unit) {
		unsigned shift = 10 * (unsigned)(unit - units + 1);

		if (n > UINT64_MAX >> shift)
			return false;
		n <<= shift;
		end++;
	}
	*out = n;
	return errno == 0 && *end == '\0';
}

static void add_unified(struct builder *b, const struct oci_resources *r)
{
	static const char *const in_guest[] = { "memory.", "cpu.", "cpuset.", "pids." };

	for (size_t i = 0; i < r->n_unified; i++) {
		const char *file = r->unified[i].key;
		const char *value = r->unified[i].value ? r->unified[i].value : "";
		uint64_t n;

		if (*value == '\0')
			continue;
		/* in bytes, for the sum here and for systemd, which hears the number */
		if ((strncmp(file, "memory.", 7) == 0 || strcmp(file, "pids.max") == 0) &&
		    resources_bytes(value, &n) && n <= INT64_MAX)
			limit(b, b->host, "unified", false, file, (int64_t)n, extra_of(b->size, file));
		else
			add(b, b->host, "unified", false, file, value);
		for (size_t k = 0; k < sizeof(in_guest) / sizeof(in_guest[0]); k++)
			if (strncmp(file, in_guest[k], strlen(in_guest[k])) == 0)
				add(b, b->guest, "unified", true, file, value);
	}
}

int resources_writes(const struct oci_resources *r, const struct plan_size *size,
		     const struct cpu_now *now, struct cgroup_writes *to_host,
		     struct cgroup_writes *to_guest, struct err *e)
{
	struct builder b = { .host = to_host, .guest = to_guest, .size = size };

	if (!r)
		return 0;
	if (r->has_net_class_id || r->n_net_priorities)
		return refuse(e, "network", "cgroup v2 has no such settings");
	if (add_memory(&b, &r->memory, e) < 0 || add_cpu(&b, &r->cpu, now, e) < 0)
		return -e->code;
	/* 0 is how engines older than runtime-spec 1.3 write "not set" */
	if (r->has_pids_limit && r->pids_limit != 0) {
		limit(&b, to_host, "pids.limit", false, "pids.max", r->pids_limit, size->host_tasks);
		limit(&b, to_guest, "pids.limit", false, "pids.max", r->pids_limit, 0);
	}
	if (add_block_io(&b, &r->block_io, e) < 0)
		return -e->code;
	add_hugepages(&b, r);
	add_rdma(&b, r);
	add_unified(&b, r);
	return b.failed ? err_set(e, ENOMEM, "linux.resources: out of memory") : 0;
}
