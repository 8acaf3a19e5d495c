/* SPDX-License-Identifier: Apache-2.0 */
/* exec - one more process in a container that runs (engine contract section 17). */
#ifndef RUNTIME_EXEC_H
#define RUNTIME_EXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oci/spec.h"
#include "runtime/base/err.h"
#include "runtime/statedir.h"

struct exec_options {
	const char *process_file; /* JSON of a process object; then what follows up to `args` is not read */
	const char *cwd;
	const char *user; /* UID[:GID] */
	const char *apparmor;
	const char *label;
	char **env;
	size_t n_env;
	char **caps;
	size_t n_caps;
	uint32_t *gids;
	size_t n_gids;
	bool tty;
	bool no_new_privs;
	char **args;
	size_t n_args;
	const char *pid_file;
	const char *console_socket;
	const char *cgroup; /* below the container's, in the guest; NULL: the container's own */
	unsigned preserve_fds;
	bool detach;
	bool ignore_paused;
};

/* exec_run() failed before there was a process in the container: exit status of runc and crun. */
#define EXEC_FAILED_INSIDE 255

/*
 * Start the process and, unless detached, wait for its end.
 * @out_status: 0 when detached, else as a shell says it; after a failure the command's exit status
 * Return: 0, or -errno with @e.
 */
int exec_run(struct statedir *d, const struct exec_options *o, int *out_status, struct err *e) MUST_CHECK;

/* Print the container's processes as seen inside it to our stdout. Return: 0, or -errno with @e. */
int exec_ps(struct statedir *d, struct err *e) MUST_CHECK;

/*
 * exec_process() - what is asked for, completed from the container's own process
 * @spec: of the container; must have a process
 * Return: 0 with a process for oci_process_free(), or -errno with @e.
 */
int exec_process(const struct oci_spec *spec, const struct exec_options *o,
		 struct oci_process **out, struct err *e) MUST_CHECK;

#endif
