/* SPDX-License-Identifier: Apache-2.0 */
/*
 * idmount - bind mounts whose owners are mapped (mounts[].uidMappings, options idmap and ridmap).
 *
 * The host's kernel does it (mount_setattr(2), MOUNT_ATTR_IDMAP): the file server only ever sees mapped owners,
 * and what has none can't be had by anything that the guest sends. It takes CAP_SYS_ADMIN over the file system,
 * which no user namespace has: so it is done by the command, before the monitor is in one.
 */
#ifndef RUNTIME_IDMOUNT_H
#define RUNTIME_IDMOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "oci/spec.h"
#include "runtime/base/err.h"

/* Two maps, in the words of user_namespaces(7): inside is the source's id, outside what it becomes. */
struct idmount {
	const struct oci_id_map *uids, *gids; /* NULL: the owners stay as they are */
	size_t n_uids, n_gids;
	struct oci_id_map *own; /* memory of both, when they are from the option's text */
	bool recursive;
};

/*
 * The text of the option: "uids=0-1-10#10-30-5;gids=@0-0-5", lists of source, target and count; with @ the target
 * is an id of the container's, whose own maps are @uids and @gids. Pure.
 * Return: 0; -EINVAL or -E2BIG with @e. @out->own is malloced.
 */
int idmount_parse(const char *text, const struct oci_id_map *uids, size_t n_uids,
		  const struct oci_id_map *gids, size_t n_gids, struct idmount *out, struct err *e) MUST_CHECK;

/*
 * Map the owners in the @n detached copies (tree_clone()) of one source. Needs CAP_SYS_ADMIN over its file system, and
 * the right to write the maps. Context: the command. Return: 0 or -errno with @e.
 */
int idmount_apply(const struct idmount *m, const int *copies, size_t n, struct err *e) MUST_CHECK;

#endif
