/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup - directories of cgroup v2: make, limit, kill, remove.
 *
 * The monitor and the VMM live in the container's cgroup. Everything is done on descriptors, by commands
 * on the host, in the host's own mount of the hierarchy: nothing a guest can change is walked.
 */
#ifndef RUNTIME_CGROUP_H
#define RUNTIME_CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/base/err.h"
#include "runtime/resources.h"

enum cgroup_manager {
	CGROUP_DISABLED, /* the container stays in the caller's */
	CGROUP_FS,	 /* directories of our own making */
	CGROUP_SYSTEMD,	 /* a scope that systemd makes */
};

/* Where a container's processes are: what state.json remembers. Strings are owned. */
struct cgroup {
	enum cgroup_manager manager;
	char *path;  /* of the container's processes below the hierarchy's root, "/a/b"; NULL: none */
	char *scope; /* SYSTEMD: the unit */
	bool made;   /* it was made by us and holds nobody else */
};

void cgroup_fini(struct cgroup *c);

/* "cgroupfs" and so on. Return: 0, or -EINVAL. */
int cgroup_manager_parse(const char *name, enum cgroup_manager *out) MUST_CHECK;
const char *cgroup_manager_name(enum cgroup_manager m);

/* Open an existing one. Return: a descriptor, or -errno with @e. */
int cgroup_open(const char *path, struct err *e) MUST_CHECK;

/* The cgroup that process @pid (0: this one) is in, "/a/b"; *out is malloced. */
int cgroup_path_of(pid_t pid, char **out, struct err *e) MUST_CHECK;

/*
 * Make the directory @path and those above it, with all controllers handed down to it.
 * One that exists is taken when nobody is in it, else -EBUSY.
 * Return: a descriptor, or -errno with @e: "make cgroup "/a/b": ...".
 */
int cgroup_make(const char *path, struct err *e) MUST_CHECK;

/* Hand down all controllers from @dir to its children, as far as that is possible. */
void cgroup_enable(int dir);

/* Carry out @w in @dir. @e begins with the field's JSON path. */
int cgroup_apply(int dir, const struct cgroup_writes *w, struct err *e) MUST_CHECK;

/* Move process @pid into @dir. Return: 0 or -errno. */
int cgroup_join(int dir, pid_t pid) MUST_CHECK;

/*
 * Remove the directory @path. @kill: with all below it, and first whoever is still in it. Waits at most
 * @timeout_ms for processes that are exiting. What is not there is no error.
 */
int cgroup_remove(const char *path, bool kill, int timeout_ms, struct err *e) MUST_CHECK;

/* A number in file @name; "max" and what can't be read are @otherwise. */
uint64_t cgroup_number(int dir, const char *name, uint64_t otherwise);

/* The number of line "@key number" in @text, a flat keyed file; @otherwise without it, or with @text NULL. */
uint64_t cgroup_field(const char *text, const char *key, uint64_t otherwise);

#endif
