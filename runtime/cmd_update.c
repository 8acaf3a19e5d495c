/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_update - update: limits from options or as JSON, then update.c. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "oci/spec_parse.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/cmd.h"
#include "runtime/update.h"

#define MAX_RESOURCES (1u << 20)

enum { OPT_FIRST = 256, OPT_IGNORED = 512, OPT_RDT };

/* One option that is a number: its field and the flag that says it is there. */
struct number {
	const char *name;
	size_t value;
	size_t has;
	size_t bytes; /* of the field */
	bool is_size; /* takes k, m, g */
	bool is_signed; /* below zero it is "unlimited" */
};

#define NUMBER(name, member, flag, size, sign)                                                   \
	{ name, offsetof(struct oci_resources, member), offsetof(struct oci_resources, flag),     \
	  sizeof(((struct oci_resources *)0)->member), size, sign }

static const struct number numbers[] = {
	NUMBER("blkio-weight", block_io.weight, block_io.has_weight, false, false),
	NUMBER("cpu-period", cpu.period, cpu.has_period, false, false),
	NUMBER("cpu-quota", cpu.quota, cpu.has_quota, false, true),
	NUMBER("cpu-burst", cpu.burst, cpu.has_burst, false, false),
	NUMBER("cpu-share", cpu.shares, cpu.has_shares, false, false),
	NUMBER("cpu-idle", cpu.idle, cpu.has_idle, false, true),
	NUMBER("cpu-rt-period", cpu.realtime_period, cpu.has_realtime_period, false, false),
	NUMBER("cpu-rt-runtime", cpu.realtime_runtime, cpu.has_realtime_runtime, false, true),
	NUMBER("memory", memory.limit, memory.has_limit, true, true),
	NUMBER("memory-reservation", memory.reservation, memory.has_reservation, true, true),
	NUMBER("memory-swap", memory.swap, memory.has_swap, true, true),
	NUMBER("pids-limit", pids_limit, has_pids_limit, false, true),
};
#define N_NUMBERS (sizeof(numbers) / sizeof(numbers[0]))

static const struct option others[] = {
	{ "resources", required_argument, NULL, 'r' },
	{ "cpuset-cpus", required_argument, NULL, 'c' },
	{ "cpuset-mems", required_argument, NULL, 'm' },
	{ "kernel-memory", required_argument, NULL, OPT_IGNORED },
	{ "kernel-memory-tcp", required_argument, NULL, OPT_IGNORED },
	{ "l3-cache-schema", required_argument, NULL, OPT_RDT },
	{ "mem-bw-schema", required_argument, NULL, OPT_RDT },
	{ "help", no_argument, NULL, 'h' },
};
#define N_OTHERS (sizeof(others) / sizeof(others[0]))

/* "-1", "100", "64m". Return: 0 or -EINVAL. */
static int parse_number(const struct number *n, const char *text, int64_t *out)
{
	static const char units[] = "bkmgt";
	const char *unit;
	char *end;

	errno = 0;
	*out = strtoll(text, &end, 10);
	if (errno || end == text)
		return -EINVAL;
	if (n->is_size && *end) {
		unit = strchr(units, *end | 0x20);
		if (!unit || (end[1] && strcmp(end + 1, "b") != 0 && strcmp(end + 1, "B") != 0) ||
		    *out < 0 || *out > INT64_MAX >> 10 * (unit - units))
			return -EINVAL;
		*out <<= 10 * (unit - units);
		return 0;
	}
	return *end ? -EINVAL : 0;
}

static int set_number(struct oci_resources *r, const struct number *n, const char *text)
{
	int64_t value;
	uint16_t small;

	if (parse_number(n, text, &value) < 0 || (value < 0 && !n->is_signed))
		return -EINVAL;
	*(bool *)((char *)r + n->has) = true;
	if (n->bytes == sizeof(small)) {
		small = (uint16_t)(value < 0 || value > UINT16_MAX ? UINT16_MAX : value);
		memcpy((char *)r + n->value, &small, sizeof(small));
	} else {
		memcpy((char *)r + n->value, &value, sizeof(value));
	}
	return 0;
}

static void make_options(struct option out[N_NUMBERS + N_OTHERS + 1])
{
	for (size_t i = 0; i < N_NUMBERS; i++)
		out[i] = (struct option){ numbers[i].name, required_argument, NULL,
					  OPT_FIRST + (int)i };
	memcpy(out + N_NUMBERS, others, sizeof(others));
	out[N_NUMBERS + N_OTHERS] = (struct option){ NULL, 0, NULL, 0 };
}

/* Return: -1 to go on, else the exit status. */
static int parse(struct oci_resources *r, const char **file, int argc, char **argv)
{
	struct option options[N_NUMBERS + N_OTHERS + 1];
	int opt;

	make_options(options);
	while ((opt = getopt_long(argc, argv, "+:r:h", options, NULL)) != -1) {
		if (opt >= OPT_FIRST && opt < OPT_FIRST + (int)N_NUMBERS) {
			if (set_number(r, &numbers[opt - OPT_FIRST], optarg) < 0)
				return cmd_usage_error("--%s: \"%s\" is not a number",
						       numbers[opt - OPT_FIRST].name, optarg);
		} else if (opt == 'r') {
			*file = optarg;
		} else if (opt == 'c' || opt == 'm') {
			char **list = opt == 'c' ? &r->cpu.cpus : &r->cpu.mems;

			free(*list);
			*list = strdup(optarg);
		} else if (opt == OPT_RDT) {
			return cmd_usage_error("linux.intelRdt is not supported");
		} else if (opt != OPT_IGNORED) {
			return cmd_other_option(opt, argv);
		}
	}
	if (argc - optind != 1)
		return cmd_usage_error("exactly one container id is needed");
	return -1;
}

static int load(const char *file, struct oci_resources **out, struct err *e)
{
	OWN_FREE char *text = NULL;
	size_t n;
	int r = strcmp(file, "-") == 0 ? io_read_all(STDIN_FILENO, MAX_RESOURCES, &text, &n) :
					 io_read_file(AT_FDCWD, file, MAX_RESOURCES, &text, &n);

	if (r < 0)
		return err_set(e, -r, "--resources: read \"%s\": %s", file, strerror(-r));
	return resources_parse(text, n, out, e) < 0 ? err_wrap(e, "--resources: \"%s\"", file) : 0;
}

static int update(const struct globals *g, const char *id, const struct oci_resources *r,
		  struct err *e)
{
	struct statedir d = { .fd = -1 };
	OWN_FREE char *root = NULL;
	int rc;

	if (statedir_check_id(id, e) < 0 || statedir_root(g->root, false, &root, e) < 0 ||
	    statedir_open(root, id, &d, e) < 0)
		return -e->code;
	rc = container_update(&d, r, e);
	statedir_close(&d);
	return rc;
}

int cmd_update(const struct globals *g, int argc, char **argv)
{
	struct oci_resources *r = calloc(1, sizeof(*r));
	struct oci_resources *loaded = NULL;
	const char *file = NULL;
	struct err e = { 0 };
	int rc = r ? parse(r, &file, argc, argv) : 1;

	if (rc < 0) {
		const char *id = argv[optind];

		/* as with runc and crun: the file stands for all */
		rc = file ? load(file, &loaded, &e) : 0;
		if (rc == 0)
			rc = update(g, id, loaded ? loaded : r, &e);
		if (rc < 0) {
			(void)err_wrap(&e, "update `%s`", id);
			log_err("%s", e.msg);
		}
		rc = rc < 0 ? 1 : 0;
	}
	oci_resources_free(loaded);
	oci_resources_free(r);
	return rc;
}
