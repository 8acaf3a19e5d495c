/* SPDX-License-Identifier: Apache-2.0 */
/* spec_check_resources - config-linux.md "Control groups". */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oci/spec_check_internal.h"

#define RES "linux.resources."

static int check_device_rule(const struct oci_device_rule *d, size_t i, struct err *e)
{
	/* -1 is how engines write "any" (runc's wildcard). */
	if (d->major < -1 || d->minor < -1)
		return err_set(e, EINVAL,
			       RES "devices[%zu]: no such device number: %" PRId64 ":%" PRId64, i,
			       d->major, d->minor);
	if (d->access && d->access[strspn(d->access, "rwm")] != '\0')
		return err_set(e, EINVAL, RES "devices[%zu].access: \"%s\" is not made of r, w, m",
			       i, d->access);
	return 0;
}

static int check_bytes(const char *key, int64_t bytes, struct err *e)
{
	return bytes < -1 ? err_set(e, EINVAL, RES "memory.%s: %" PRId64 " is below -1", key,
				    bytes) :
			    0;
}

static int check_memory(const struct oci_memory *m, struct err *e)
{
	int r = check_bytes("limit", m->limit, e);

	if (r == 0)
		r = check_bytes("reservation", m->reservation, e);
	if (r == 0)
		r = check_bytes("swap", m->swap, e);
	/* swap is the sum of both (config-linux.md "Memory"); crun refuses the same. */
	if (r == 0 && m->swap > 0 && m->limit > 0 && m->swap < m->limit)
		r = err_set(e, EINVAL, RES "memory.swap: less than memory.limit");
	if (r == 0 && m->has_swappiness && m->swappiness > 200) /* cgroup v1: 0 to 200 since 5.8 */
		r = err_set(e, EINVAL, RES "memory.swappiness: %" PRIu64 " is not in 0 to 200",
			    m->swappiness);
	return r;
}

static int check_cpu(const struct oci_cpu *c, struct err *e)
{
	int r;

	/* sched-bwc.rst: 1 ms to 1 s; 0 is how engines write "leave it". */
	if (c->period && (c->period < 1000 || c->period > 1000000))
		return err_set(e, EINVAL, RES "cpu.period: %" PRIu64 " is not in 1000 to 1000000",
			       c->period);
	if (c->idle != 0 && c->idle != 1)
		return err_set(e, EINVAL, RES "cpu.idle: %" PRId64 " is not 0 or 1", c->idle);
	r = check_list(RES "cpu.cpus", c->cpus, e);
	return r == 0 ? check_list(RES "cpu.mems", c->mems, e) : r;
}

static int check_weight(const char *where, uint16_t weight, struct err *e)
{
	/* cgroup-v1/blkio-controller.rst: 10 to 1000; 0 removes the weight. */
	if (weight && (weight < 10 || weight > 1000))
		return err_set(e, EINVAL, "%s: %u is not in 10 to 1000", where, weight);
	return 0;
}

static int check_throttles(const char *key, const struct oci_throttle_device *v, size_t n,
			   struct err *e)
{
	char where[96];
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		(void)snprintf(where, sizeof(where), RES "blockIO.%s[%zu]", key, i);
		r = check_device_numbers(where, v[i].major, v[i].minor, e);
	}
	return r;
}

static int check_weight_devices(const struct oci_block_io *b, struct err *e)
{
	char where[96];
	int r = 0;

	for (size_t i = 0; i < b->n_weight_devices && r == 0; i++) {
		const struct oci_weight_device *d = &b->weight_devices[i];

		(void)snprintf(where, sizeof(where), RES "blockIO.weightDevice[%zu]", i);
		r = check_device_numbers(where, d->major, d->minor, e);
		if (r == 0)
			r = check_weight(where, d->weight, e);
		if (r == 0)
			r = check_weight(where, d->leaf_weight, e);
	}
	return r;
}

static int check_block_io(const struct oci_block_io *b, struct err *e)
{
	int r = check_weight(RES "blockIO.weight", b->weight, e);

	if (r == 0)
		r = check_weight(RES "blockIO.leafWeight", b->leaf_weight, e);
	if (r == 0)
		r = check_weight_devices(b, e);
	if (r == 0)
		r = check_throttles("throttleReadBpsDevice", b->read_bps, b->n_read_bps, e);
	if (r == 0)
		r = check_throttles("throttleWriteBpsDevice", b->write_bps, b->n_write_bps, e);
	if (r == 0)
		r = check_throttles("throttleReadIOPSDevice", b->read_iops, b->n_read_iops, e);
	if (r == 0)
		r = check_throttles("throttleWriteIOPSDevice", b->write_iops, b->n_write_iops, e);
	return r;
}

/* "pageSize [...] MUST be of the form <size><unit-prefix>B" */
static bool is_page_size(const char *s)
{
	size_t n = s ? strspn(s, "0123456789") : 0;

	return n > 0 && s[0] != '0' && strchr("KMG", s[n]) && s[n] && strcmp(s + n + 1, "B") == 0;
}

static int check_hugepages(const struct oci_resources *res, struct err *e)
{
	for (size_t i = 0; i < res->n_hugepage_limits; i++) {
		const char *size = res->hugepage_limits[i].page_size;

		if (!is_page_size(size))
			return err_set(e, EINVAL,
				       RES "hugepageLimits[%zu].pageSize: not a size such as 2MB: "
					   "\"%s\"",
				       i, size ? size : "");
	}
	return 0;
}

/* Keys are file names in the cgroup (config-linux.md "Unified"): no way to another directory. */
static int check_unified(const struct oci_resources *res, struct err *e)
{
	for (size_t i = 0; i < res->n_unified; i++) {
		const char *key = res->unified[i].key;

		if (!strchr(key, '.') || strchr(key, '/') || *key == '.')
			return err_set(e, EINVAL, RES "unified: not a file of a cgroup: \"%s\"",
				       key);
	}
	return 0;
}

int resources_check(const struct oci_resources *resources, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < resources->n_devices && r == 0; i++)
		r = check_device_rule(&resources->devices[i], i, e);
	if (r == 0)
		r = check_memory(&resources->memory, e);
	if (r == 0)
		r = check_cpu(&resources->cpu, e);
	if (r == 0)
		r = check_block_io(&resources->block_io, e);
	if (r == 0)
		r = check_hugepages(resources, e);
	return r == 0 ? check_unified(resources, e) : r;
}
