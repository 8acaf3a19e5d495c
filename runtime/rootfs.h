/* SPDX-License-Identifier: Apache-2.0 */
/* rootfs - find and make places inside a tree that somebody else may have prepared against us. */
#ifndef RUNTIME_ROOTFS_H
#define RUNTIME_ROOTFS_H

#include <stdbool.h>

#include "runtime/base/err.h"

/*
 * Resolve @path inside @root_fd as if that were "/" (openat2 RESOLVE_IN_ROOT: no symlink leads out),
 * making missing directories (0755) and, unless @dir, a last empty file (0644), also
 * those that a symbolic link on the way leads to.
 * Return: an O_PATH descriptor, or -errno.
 */
int rootfs_make(int root_fd, const char *path, bool dir) MUST_CHECK;

/* Open the @path that is there, as above. Return: an O_PATH descriptor, or -errno. */
int rootfs_open(int root_fd, const char *path) MUST_CHECK;

/* Make the symbolic link @path to @target, as above. One that is there already and the same is fine. */
int rootfs_link(int root_fd, const char *path, const char *target) MUST_CHECK;

#endif
