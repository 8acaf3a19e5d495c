/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source - what stands at the source of each mount, looked at once so that the plan can decide.
 *
 * The monitor pins the sources later and makes sure that they are still of that kind.
 */
#ifndef RUNTIME_SOURCE_H
#define RUNTIME_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "oci/spec.h"
#include "runtime/base/err.h"

struct mount_source {
	bool known;	    /* false: nothing to look at, or we may not; the monitor will tell */
	uint32_t mode;	    /* S_IFMT and permissions */
	uint32_t major;	    /* of a device */
	uint32_t minor;
	uint32_t uid;	    /* as our user namespace sees it */
	uint32_t gid;
	uint64_t fs_type;   /* magic number of its file system, statfs(2) */
	uint64_t inherited; /* MS_* of the mount it is on */
	bool mount_root;    /* it is the root of its mount */
	bool datagrams;	    /* it is a socket of type SOCK_DGRAM, and somebody has it open */
	char *path;	    /* absolute */
	char *link;	    /* option copy-symlink and it is a link: where that leads */
};

/*
 * Look at every bind mount's source; relative ones are relative to @bundle. What is not there is no
 * error yet. Return: 0 and an array of spec->n_mounts for mount_sources_free(); -ENOMEM.
 */
int mount_sources_look(const struct oci_spec *spec, const char *bundle, struct mount_source **out,
		       struct err *e) MUST_CHECK;
void mount_sources_free(struct mount_source *v, size_t n);

#endif
