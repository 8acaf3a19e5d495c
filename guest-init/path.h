/* SPDX-License-Identifier: Apache-2.0 */
/* path - make what a mount or a device needs to stand on; "/" is the container's root by then. */
#ifndef GUEST_INIT_PATH_H
#define GUEST_INIT_PATH_H

#include <stddef.h>

#define PATH_BYTES 4096 /* PATH_MAX */

/* Make the directory @path and all above it, 0755; what exists is fine. Return: 0 or -errno. */
int path_make_dir(const char *path);

/* Make the directories above @path. Return: 0 or -errno. */
int path_make_parent(const char *path);

/* Make an empty file @path, 0644, and the directories above it; what exists is fine. */
int path_make_file(const char *path);

/* Write @text, @n bytes, to the existing file @path below @dir. Return: 0 or -errno. */
int path_write(int dir, const char *path, const char *text, size_t n);

/*
 * Read at most @cap - 1 bytes of a file and terminate them.
 * Return: bytes read, or -errno.
 */
long path_read(int dir, const char *path, char *buf, size_t cap);

#endif
