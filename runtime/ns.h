/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ns - the monitor's namespaces: joined by path, or new.
 *
 * What is joined is what engines look at in /proc/PID/ns of the monitor, and what its hooks and its network
 * see; the processes of the container live in the guest's own. From a network namespace the guest gets its
 * interfaces, from a uts namespace its names, as they were at create. System V IPC and the mounts of another
 * container are not shared with the guest. Processes and clocks of another container can't be shared with a
 * machine: joining those is an error, since that is all they are asked for.
 *
 * DOC: order
 *
 *   ns_open()   opens every path, in the namespaces that we come from
 *   ns_first()  joins what it may, then the user namespace; or the caller makes a new one
 *   ns_rest()   joins the rest, which belong to that user namespace; makes the new ones
 */
#ifndef RUNTIME_NS_H
#define RUNTIME_NS_H

#include "runtime/base/err.h"
#include "runtime/plan.h"

#define NS_NAME 65 /* struct utsname */

struct ns_join {
	const struct oci_namespace *ns;
	size_t index; /* in linux.namespaces, for messages */
	int fd;	      /* -1: done */
};

struct ns_joins {
	struct ns_join v[OCI_NS_TYPES];
	size_t n;
};

int ns_open(const struct plan *p, struct ns_joins *out, struct err *e) MUST_CHECK;
int ns_first(struct ns_joins *j, struct err *e) MUST_CHECK;
int ns_rest(const struct plan *p, struct ns_joins *j, struct err *e) MUST_CHECK;

/* Is a single id mapped in the user namespace that we are in? */
bool ns_single_id(void);

/*
 * The names of the uts namespace at @path, by a child that joins it. @user: path of the user namespace that
 * is to be joined, or NULL: it may own the other. Return: 0; -errno leaves both as they are.
 */
int ns_read_names(const char *path, const char *user, char hostname[NS_NAME],
		  char domainname[NS_NAME]);

#endif
