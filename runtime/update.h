/* SPDX-License-Identifier: Apache-2.0 */
/* update - change the limits of a container that exists (engine contract 20.6). */
#ifndef RUNTIME_UPDATE_H
#define RUNTIME_UPDATE_H

#include "oci/spec.h"
#include "runtime/base/err.h"
#include "runtime/statedir.h"

/*
 * Only what is present in @r is changed: on the host's cgroup, by systemd where the container has a scope,
 * and in the guest. What can't be is an error before anything is changed.
 */
int container_update(struct statedir *d, const struct oci_resources *r, struct err *e) MUST_CHECK;

#endif
