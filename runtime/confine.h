/* SPDX-License-Identifier: Apache-2.0 */
/*
 * confine - which cgroup a container gets, in the order that crun's users know.
 *
 * cgroupfs: linux.cgroupsPath below the hierarchy's root, else /ID, else a sibling of the caller's. An
 * unprivileged caller to whom none of the last two is open goes without: then the machine's size and the
 * guest's own cgroup enforce the limits, and a limit that they can't enforce is an error.
 * systemd: a scope, in which the container has the sub-cgroup "container".
 */
#ifndef RUNTIME_CONFINE_H
#define RUNTIME_CONFINE_H

#include "oci/spec.h"
#include "runtime/base/err.h"
#include "runtime/cgroup.h"

struct confine {
	struct cgroup *cgroup; /* the record's: manager is given, the rest is filled in */
	const struct oci_spec *spec;
	const struct cgroup_writes *limits;
	const char *id;
	int (*remember)(void *arg, struct err *e); /* write the record: before every outside effect */
	void *arg;
	char *slice; /* systemd's, owned */
	int dir; /* the container's cgroup, limits in force; -1: none, or not yet */
};

/* Before the monitor exists: make and limit what can be made without it. */
int confine_prepare(struct confine *c, struct err *e) MUST_CHECK;

/*
 * Start a child in the cgroup as clone(2) does with @flags. Falls back to moving it.
 * Return: as fork(2), or -errno with @e.
 */
pid_t confine_clone(struct confine *c, unsigned long flags, struct err *e) MUST_CHECK;

/* After it: systemd's scope is made around process @pid, which must wait. */
int confine_adopt(struct confine *c, pid_t pid, struct err *e) MUST_CHECK;

/* Whose service manager is ours? */
bool confine_user_manager(void);

void confine_fini(struct confine *c);

/* Once nobody is in it. */
int confine_remove(const struct cgroup *c, struct err *e) MUST_CHECK;

#endif
