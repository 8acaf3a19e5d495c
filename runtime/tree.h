/* SPDX-License-Identifier: Apache-2.0 */
/* tree - detached mounts of our own: the few calls of the mount API (open_tree(2), mount_setattr(2)). */
#ifndef RUNTIME_TREE_H
#define RUNTIME_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/base/err.h"

/*
 * A detached copy of the mount at @path below @dirfd; @path "": of @dirfd itself. @recursive: with all
 * mounts below it. Return: a descriptor, or -errno.
 */
int tree_clone(int dirfd, const char *path, bool recursive) MUST_CHECK;

/*
 * Forbid set-id programs and devices on the whole tree @fd, and what of MS_RDONLY and MS_NOSYMFOLLOW is
 * in @more; lift what of MS_RDONLY and MS_NOEXEC is in @lift. From here on the host's kernel refuses,
 * whoever asks. Return: 0 or -errno.
 */
int tree_restrict(int fd, uint64_t more, uint64_t lift) MUST_CHECK;

/*
 * Map owners as the user namespace @userns_fd does; @recursive: of the mounts below as well. Needs CAP_SYS_ADMIN
 * over the file system. Return: 0 or -errno.
 */
int tree_idmap(int fd, int userns_fd, bool recursive) MUST_CHECK;

/* Put the detached tree onto the place that @dest_fd is open on. Return: 0 or -errno. */
int tree_move(int tree_fd, int dest_fd) MUST_CHECK;

/* Which later mounts the whole tree exchanges with its source: MS_PRIVATE, MS_SLAVE ... */
int tree_propagate(int fd, uint64_t propagation) MUST_CHECK;

#endif
