/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks - the programs that config.json names for moments of a container's life (config.md "POSIX-platform Hooks").
 *
 * DOC: who runs what, when, where
 *
 *   kind             run by              in                            status     a failure
 *   prestart         create              the runtime's namespaces      creating   undoes create
 *   createRuntime    create              the runtime's namespaces      creating   undoes create
 *   createContainer  monitor             the container's namespaces    creating   undoes create
 *                                        of the host, before it enters
 *                                        its root
 *   startContainer   coracle-init        the guest, in the container   created    fails start, ends
 *                                        and as its user                          the container
 *   poststart        start               the runtime's namespaces      running    a warning, goes on
 *   poststop         delete, and create  the runtime's namespaces      stopped    a warning, goes on
 *                    when a hook failed
 *
 * In this order; prestart to createContainer once the namespaces exist and everything is mounted, but
 * before the machine is started: what they change in the root file system, mounts made by createContainer
 * included, is there when the guest looks.
 *
 * Each reads the state document on stdin (a file: nobody waits for a hook that does not read), has its
 * stdout on /dev/null, the bundle as its directory, a process group of its own, and the environment it
 * names or else ours. What it says on stderr becomes part of the error. One that takes longer than its
 * timeout is killed with its process group, and so is one of create's own when a signal ends that command.
 */
#ifndef RUNTIME_HOOKS_H
#define RUNTIME_HOOKS_H

#include <sys/types.h>

#include "oci/spec.h"
#include "oci/state.h"
#include "runtime/base/err.h"
#include "runtime/interrupt.h"
#include "runtime/statedir.h"

/*
 * Run the hooks of a kind in order, up to the first that fails. @state: what they are told. @stop: what kills a
 * hook before its time; NULL: nothing.
 * Return: 0, or -errno with "config.json: hooks.KIND[N]: PATH: why".
 * Context: single-threaded; reaps the hooks itself.
 */
int hooks_run(const struct oci_spec *spec, enum oci_hook_kind kind, const struct oci_state *state,
	      const struct interrupt *stop, struct err *e) MUST_CHECK;

/* The same, all of them: a failure is a warning. */
void hooks_run_all(const struct oci_spec *spec, enum oci_hook_kind kind,
		   const struct oci_state *state);

/* Keep in the state directory what start and delete will run. Return: 0 or -errno with @e. */
int hooks_save(struct statedir *d, const struct oci_spec *spec, struct err *e) MUST_CHECK;

/* poststart or poststop as kept; a container without any has none to run. @r: its record. */
void hooks_run_saved(struct statedir *d, const struct statedir_record *r, enum oci_hook_kind kind,
		     enum oci_status status);

/* What was kept, for hooks that run when the directory is gone. NULL: none. */
struct oci_spec *hooks_load(struct statedir *d);

/* The state document's fields from a record. Borrows from both. */
struct oci_state hooks_state(const struct statedir *d, const struct statedir_record *r,
			     enum oci_status status);

/* The same from config.json, for hooks that are told another pid than the record's. Borrows from all. */
struct oci_state hooks_spec_state(const struct oci_spec *s, const char *id, const char *bundle,
				  enum oci_status status, pid_t pid);

#endif
