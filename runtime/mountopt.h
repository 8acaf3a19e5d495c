/* SPDX-License-Identifier: Apache-2.0 */
/* mountopt - the options of one mount of config.json as flags and data. Pure. */
#ifndef RUNTIME_MOUNTOPT_H
#define RUNTIME_MOUNTOPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/err.h"

struct mount_options {
	uint64_t flags;	      /* MS_RDONLY, MS_NOSUID ... */
	uint64_t cleared;     /* MS_* that "rw", "suid" ... asked not to have */
	uint64_t cleared_rec; /* those of them that "rrw" ... asked for of the whole source tree */
	uint64_t propagation; /* MS_PRIVATE ... with MS_REC, or 0 */
	bool bind;
	bool recursive; /* rbind */
	bool remount;	/* change what is mounted at the destination already */
	bool tmpcopyup;
	bool copy_symlink;   /* a source that is a symbolic link is made anew instead of mounted */
	bool idmap;
	bool idmap_rec; /* ridmap */
	const char *idmap_text; /* of "idmap=TEXT", inside the options given; NULL: the container's */
	char data[4096];	/* what is left for the file system, comma separated (mount(2): a page) */
};

/*
 * Sort @n options, of which the last of several that contradict each other counts. @out points into
 * @options. Return: 0, or -errno naming the option that can't be had.
 */
int mount_options_parse(char *const *options, size_t n, struct mount_options *out,
			struct err *e) MUST_CHECK;

/* What a mount without the key "options" gets at the places every container has, as crun. */
void mount_options_default(const char *dest, struct mount_options *out);

/* Every option name that is understood, for `features`. NULL-terminated. */
extern const char *const mount_option_names[];

#endif
