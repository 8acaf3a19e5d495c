/* SPDX-License-Identifier: Apache-2.0 */
/* template - the config.json that `spec` writes for people to start from. */
#ifndef OCI_TEMPLATE_H
#define OCI_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/err.h"

struct template_opts {
	bool rootless;	  /* adds a user namespace in which 0 is the caller */
	uint32_t host_uid; /* the caller's, when rootless */
	uint32_t host_gid;
};

/* Return: 0 or -ENOMEM; *out_text is pretty, ends with a newline, and passes spec_check(). */
int template_format(const struct template_opts *opts, char **out_text) MUST_CHECK;

#endif
