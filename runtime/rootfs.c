/* SPDX-License-Identifier: Apache-2.0 */
/* rootfs - find and make places inside a tree that somebody else may have prepared against us. */
#include "runtime/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/own.h"

#define MAX_LINKS 40 /* as the kernel's own (path_resolution(7)) */
#define TRIES 16 /* RESOLVE_IN_ROOT says EAGAIN while somebody renames */

static int open_in_root(int root_fd, const char *path, int flags)
{
	struct open_how how = { .flags = (unsigned)(flags | O_CLOEXEC),
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

	for (int i = 0; i < TRIES; i++) {
		long fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));

		if (fd >= 0 || errno != EAGAIN)
			return fd >= 0 ? (int)fd : -errno;
	}
	return -EAGAIN;
}

int rootfs_open(int root_fd, const char *path)
{
	return open_in_root(root_fd, path, O_PATH);
}

/* Make the missing @name below @parent. Somebody else may have been quicker. */
static int make_one(int parent, const char *name, bool dir)
{
	OWN_FD int fd = -1;

	if (dir)
		return mkdirat(parent, name, 0755) < 0 && errno != EEXIST ? -errno : 0;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 && errno != EEXIST ? -errno : 0;
}

static int make_path(int root_fd, const char *path, bool dir, int links);

/*
 * @prefix, whose last component is @name in the directory @parent, is a symbolic link to nowhere: make
 * what it leads to, as crun does (an image's /var/run -> /run without a /run).
 */
static int make_target(int root_fd, int parent, const char *prefix, const char *name, bool dir,
		       int links)
{
	char target[PATH_MAX];
	char path[PATH_MAX];
	ssize_t n = readlinkat(parent, name, target, sizeof(target) - 1);

	if (n < 0)
		return errno == EINVAL ? -ENOENT : -errno;
	target[n] = '\0';
	if (links >= MAX_LINKS)
		return -ELOOP;
	n = snprintf(path, sizeof(path), "%.*s%s", target[0] == '/' ? 0 : (int)(name - prefix), prefix,
		     target);
	return (size_t)n < sizeof(path) ? make_path(root_fd, path, dir, links + 1) : -ENAMETOOLONG;
}

/* @prefix, whose last component is @name, exists or is made; all is resolved anew inside the root. */
static int make_prefix(int root_fd, char *prefix, char *name, bool dir, int links)
{
	OWN_FD int parent = -1;
	OWN_FD int there = open_in_root(root_fd, prefix, O_PATH);
	char saved;
	int r;

	if (there >= 0)
		return 0;
	if (there != -ENOENT)
		return there;
	saved = *name;
	*name = '\0';
	parent = open_in_root(root_fd, *prefix ? prefix : "/", O_PATH | O_DIRECTORY);
	*name = saved;
	if (parent < 0)
		return parent;
	r = make_one(parent, name, dir);
	if (r < 0)
		return r;
	there = open_in_root(root_fd, prefix, O_PATH);
	return there == -ENOENT ? make_target(root_fd, parent, prefix, name, dir, links) :
	       there < 0	? there :
				  0;
}

static int make_path(int root_fd, const char *path, bool dir, int links)
{
	char copy[PATH_MAX];
	char *name = copy;

	if ((size_t)snprintf(copy, sizeof(copy), "%s", path) >= sizeof(copy))
		return -ENAMETOOLONG;
	for (;;) {
		char *end;
		bool last;
		char saved;
		int r;

		name += strspn(name, "/");
		if (*name == '\0')
			return 0;
		end = name + strcspn(name, "/");
		last = end[strspn(end, "/")] == '\0';
		saved = *end;
		*end = '\0';
		r = make_prefix(root_fd, copy, name, dir || !last, links);
		*end = saved;
		if (r < 0)
			return r;
		name = end;
	}
}

int rootfs_make(int root_fd, const char *path, bool dir)
{
	int r = make_path(root_fd, path, dir, 0);

	return r < 0 ? r : open_in_root(root_fd, path, O_PATH);
}

int rootfs_link(int root_fd, const char *path, const char *target)
{
	char dir[PATH_MAX];
	char there[PATH_MAX];
	OWN_FD int parent = -1;
	char *name;
	ssize_t n;

	if ((size_t)snprintf(dir, sizeof(dir), "/%s", path) >= sizeof(dir))
		return -ENAMETOOLONG;
	for (n = (ssize_t)strlen(dir); n > 1 && dir[n - 1] == '/'; n--)
		dir[n - 1] = '\0';
	name = strrchr(dir, '/');
	*name++ = '\0';
	if (*name == '\0')
		return -EEXIST;
	parent = rootfs_make(root_fd, *dir ? dir : "/", true);
	if (parent < 0)
		return parent;
	if (symlinkat(target, parent, name) == 0)
		return 0;
	if (errno != EEXIST)
		return -errno;
	n = readlinkat(parent, name, there, sizeof(there) - 1);
	there[n > 0 ? n : 0] = '\0';
	return strcmp(there, target) == 0 ? 0 : -EEXIST;
}
