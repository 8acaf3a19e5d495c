/* SPDX-License-Identifier: Apache-2.0 */
/*
 * systemd - scopes made by the service manager over D-Bus (engine contract 20.2).
 *
 * The only file that knows sd-bus. Root of the host speaks with the system's manager, everybody else with
 * the user's, whose bus is found through XDG_RUNTIME_DIR or DBUS_SESSION_BUS_ADDRESS.
 */
#ifndef RUNTIME_SYSTEMD_H
#define RUNTIME_SYSTEMD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "oci/spec.h"
#include "runtime/base/err.h"
#include "runtime/resources.h"

struct systemd_scope {
	bool user;	   /* of the user's manager */
	const char *name;  /* "libpod-ID.scope" */
	const char *slice; /* "user.slice" */
	const char *description;
	pid_t pid; /* what it is made around */
	const struct cgroup_writes *limits; /* those that are properties; the rest is the caller's */
	const struct oci_kv *annotations;   /* org.systemd.property.NAME: value in GVariant's text form */
	size_t n_annotations;
};

/* Start it and wait until systemd has moved the process. */
int systemd_start_scope(const struct systemd_scope *s, struct err *e) MUST_CHECK;

/* Change its limits. */
int systemd_set_limits(bool user, const char *name, const struct cgroup_writes *limits,
		       struct err *e) MUST_CHECK;

/* Stop it and wait; one that is not there, or has failed, is gone afterwards as well. */
int systemd_stop_scope(bool user, const char *name, struct err *e) MUST_CHECK;

/*
 * A cgroup value as a number of systemd's: "max" is UINT64_MAX. For tests.
 * cpu.max as microseconds a second, rounded up to what systemd keeps (10 ms).
 */
uint64_t systemd_quota(const char *cpu_max, uint64_t *out_period);

#endif
