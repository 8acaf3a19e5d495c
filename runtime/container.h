/* SPDX-License-Identifier: Apache-2.0 */
/* container - the life of a container as commands see it: create, start, kill, wait, delete. */
#ifndef RUNTIME_CONTAINER_H
#define RUNTIME_CONTAINER_H

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/base/err.h"
#include "runtime/cgroup.h"
#include "runtime/statedir.h"

struct container_options {
	const char *root;   /* state directory; NULL: the default */
	const char *bundle; /* NULL: "." */
	const char *config; /* instead of BUNDLE/config.json */
	const char *pid_file;
	const char *console_socket;
	const char *id;
	unsigned preserve_fds; /* from 3 on */
	bool detached;	/* nobody relays a terminal here */
	bool debug;
	bool dry_run;	/* print the plan instead */
	enum cgroup_manager cgroup_manager;
	bool start;	/* and start it, with one wait for both */
};

struct container_process {
	pid_t pid;  /* the monitor's: a child of ours */
	int master; /* its terminal, if it has one that was not sent away; -1 */
};

/*
 * Make a container up to just before its program runs, or let it run. On failure nothing is left.
 * @out: may be NULL.
 */
int container_create(const struct container_options *o, struct container_process *out,
		     struct err *e) MUST_CHECK;

/* What --pid-file asks for, of create and of exec. @path: NULL: nothing. */
int container_pid_file(const char *path, pid_t pid, struct err *e) MUST_CHECK;

/* Let the program of a created container go. Returns once it runs. */
int container_start(struct statedir *d, struct err *e) MUST_CHECK;

/* Send a signal. @all: to every process of it; then a stopped container is no error. */
int container_kill(struct statedir *d, int signal, bool all, struct err *e) MUST_CHECK;

/* Stop the machine's CPUs, or let them go on. Return once it has happened. */
int container_pause(struct statedir *d, struct err *e) MUST_CHECK;
int container_resume(struct statedir *d, struct err *e) MUST_CHECK;

/* Remove a stopped or created container; @force: any. Waits until its processes are gone. */
int container_delete(struct statedir *d, bool force, struct err *e) MUST_CHECK;

#endif
