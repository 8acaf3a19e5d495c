/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats - what a container uses, from both sides, in the shape of runc's events (engine contract 4.7).
 *
 * CPU time, disks and huge pages are the machine's, from the host's cgroup: that is what is paid for.
 * Memory and pids are the container's, from its own cgroup in the guest: that is what its limits count.
 * Where one side has nothing to say the other's number stands in.
 */
#ifndef RUNTIME_STATS_H
#define RUNTIME_STATS_H

#include <stdint.h>
#include <sys/types.h>

#include "guest-init/proto.h"
#include "runtime/base/err.h"

#define STATS_NONE UINT64_MAX /* as proto_stats writes it */

struct stats_source {
	const char *id;
	pid_t pid;  /* the monitor, whose network namespace is the container's */
	int cgroup; /* host's; -1: none */
	const struct proto_stats *guest;
};

/* One event of type "stats" as one line. Return: 0 or -ENOMEM; *out is malloced. */
int stats_format(const struct stats_source *s, char **out) MUST_CHECK;

/* {"type":"oom","id":ID}, one line. */
int stats_format_oom(const char *id, char **out) MUST_CHECK;

/* "5s", "500ms", "1m30s" as Go writes durations. Return: 0 with milliseconds, or -EINVAL. */
int stats_parse_interval(const char *text, int *out_ms) MUST_CHECK;

#endif
