/* SPDX-License-Identifier: Apache-2.0 */
/* path - make what a mount or a device needs to stand on; "/" is the container's root by then. */
#include "guest-init/path.h"

#include "guest-init/str.h"
#include "guest-init/sys.h"

#define MAX_LINKS 8 /* dangling links followed on the way */

static int make_dirs(const char *path, size_t n, int links);

/*
 * @path, @n bytes of it, is a link to nowhere (an image's /var/run -> /run without /run): make
 * what it points to.
 */
static int make_target(const char *path, size_t n, int links)
{
	char copy[PATH_BYTES], target[PATH_BYTES];
	size_t dir = n;
	long len;

	if (links >= MAX_LINKS)
		return -ELOOP;
	memcpy(copy, path, n);
	copy[n] = '\0';
	while (dir > 0 && copy[dir - 1] != '/')
		dir--;
	len = sys_readlinkat(AT_FDCWD, copy, target, sizeof(target));
	if (len <= 0)
		return len == 0 ? -ENOENT : (int)len;
	if (target[0] == '/')
		return make_dirs(target, (size_t)len, links + 1);
	if (dir + (size_t)len >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy + dir, target, (size_t)len);
	return make_dirs(copy, dir + (size_t)len, links + 1);
}

/* Make every directory of the first @n bytes of @path, outermost first. */
static int make_dirs(const char *path, size_t n, int links)
{
	char part[PATH_BYTES];
	struct stat st;

	if (n >= sizeof(part))
		return -ENAMETOOLONG;
	for (size_t i = 1; i <= n; i++) {
		int rc;

		if (i < n && path[i] != '/')
			continue;
		if (path[i - 1] == '/')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		rc = sys_mkdirat(AT_FDCWD, part, 0755);
		if (rc == -EEXIST && sys_fstatat(AT_FDCWD, part, &st, 0) == -ENOENT)
			rc = make_target(part, i, links);
		/* on a read-only or foreign file system the ancestors that exist are enough */
		if (rc < 0 && rc != -EEXIST && sys_fstatat(AT_FDCWD, part, &st, 0) < 0)
			return rc;
	}
	return 0;
}

int path_make_dir(const char *path)
{
	return make_dirs(path, str_len(path), 0);
}

int path_make_parent(const char *path)
{
	size_t n = str_len(path);

	while (n > 0 && path[n - 1] == '/')
		n--;
	while (n > 0 && path[n - 1] != '/')
		n--;
	return n > 1 ? make_dirs(path, n, 0) : 0;
}

int path_make_file(const char *path)
{
	int rc = sys_mknodat(AT_FDCWD, path, S_IFREG | 0644, 0);

	if (rc == -ENOENT) {
		rc = path_make_parent(path);
		if (rc == 0)
			rc = sys_mknodat(AT_FDCWD, path, S_IFREG | 0644, 0);
	}
	if (rc == -EEXIST) {
		struct stat st;

		/* a dangling link (/etc/mtab) wants its target; all else the mount itself judges */
		if (sys_fstatat(AT_FDCWD, path, &st, 0) != -ENOENT)
			return 0;
		rc = sys_openat(AT_FDCWD, path, O_WRONLY | O_CREAT, 0644);
		if (rc >= 0)
			rc = sys_close(rc);
	}
	return rc;
}

int path_write(int dir, const char *path, const char *text, size_t n)
{
	int fd = sys_openat(dir, path, O_WRONLY, 0);
	long rc;

	if (fd < 0)
		return fd;
	rc = sys_write(fd, text, n);
	sys_close(fd);
	return rc < 0 ? (int)rc : 0;
}

long path_read(int dir, const char *path, char *buf, size_t cap)
{
	int fd = sys_openat(dir, path, O_RDONLY, 0);
	size_t have = 0;
	long n = 0;

	if (fd < 0)
		return fd;
	while (have < cap - 1) {
		n = sys_read(fd, buf + have, cap - 1 - have);
		if (n <= 0)
			break;
		have += (size_t)n;
	}
	sys_close(fd);
	buf[have] = '\0';
	return n < 0 ? n : (long)have;
}
