/* SPDX-License-Identifier: Apache-2.0 */
/* state - the state document of runtime.md, as `state`, `list -f json` and hooks give it. */
#ifndef OCI_STATE_H
#define OCI_STATE_H

#include <stddef.h>
#include <time.h>

#include "oci/spec.h"
#include "runtime/base/err.h"

/* runtime.md "State"; paused is what runc and crun add, and engines know no others. */
enum oci_status {
	OCI_STATUS_CREATING,
	OCI_STATUS_CREATED,
	OCI_STATUS_RUNNING,
	OCI_STATUS_PAUSED,
	OCI_STATUS_STOPPED,
	OCI_STATUSES
};

/* Everything is borrowed. A string that is NULL is left out. */
struct oci_state {
	const char *oci_version; /* of config.json; NULL: OCI_VERSION_MAX */
	const char *id;
	enum oci_status status;
	int pid;	     /* written as 0 when stopped */
	const char *bundle;  /* absolute */
	const char *rootfs;  /* absolute */
	const char *created; /* state_time() */
	const char *owner;   /* user name */
	const struct oci_kv *annotations;
	size_t n_annotations;
	const char *systemd_scope;
};

/* "created" and so on. */
const char *state_status_name(enum oci_status status);
/* Return: 0, or -EINVAL for a word that is no status. */
int state_status_parse(const char *word, enum oci_status *out_status) MUST_CHECK;

/* Answer of `state`, pretty, with a newline. Return: 0 or -ENOMEM. */
int state_format(const struct oci_state *state, char **out_text) MUST_CHECK;

/* Answer of `list -f json`: an array, "[]" for none. Return: 0 or -ENOMEM. */
int state_list_format(const struct oci_state *states, size_t n, char **out_text) MUST_CHECK;

/*
 * What hooks read on stdin: the keys of the specification only, in one line without newline.
 * For hooks inside the container pid has to be the one seen there. Return: 0 or -ENOMEM.
 */
int state_hook_format(const struct oci_state *state, char **out_text) MUST_CHECK;

#define STATE_TIME_SIZE 48

/* RFC 3339 in UTC with nanoseconds, as Go reads it. Return: @buf. */
const char *state_time(const struct timespec *t, char buf[STATE_TIME_SIZE]);

#endif
