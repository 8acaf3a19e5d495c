/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_ops_xattr - extended attributes: user.* (but ours) and security.capability pass, nothing else
 * does.
 *
 * trusted.* would act on the host; other security.* belongs to the host's security modules; ACLs
 * are not offered (INIT without FUSE_POSIX_ACL).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "vmm/fs_internal.h"

static bool starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* Return: 0 when the guest may use @name, else what it is told. @reading: a missing one is just
 * missing. */
static int check(const char *name, bool reading)
{
	if (starts(name, FS_PRIVATE_XATTRS) || starts(name, "trusted."))
		return reading ? -ENODATA : -EPERM;
	if (starts(name, "user.") && name[sizeof("user.") - 1] != '\0')
		return 0;
	if (strcmp(name, FS_CAPABILITY_XATTR) == 0)
		return 0;
	return -EOPNOTSUPP;
}

/* The next @n bytes of the message are a name with its NUL. @out_name: XATTR_NAME_MAX + 1 bytes. */
static int get_name(struct fs_req *r, size_t n, char *out_name)
{
	if (n > XATTR_NAME_MAX + 1)
		return -ERANGE;
	if (n < 2 || n > r->left || chain_get(r->c, out_name, n) < 0)
		return -EINVAL;
	r->left -= n;
	if (memchr(out_name, '\0', n) != out_name + n - 1)
		return -EINVAL;
	return 0;
}

/* A descriptor for f*xattr(). Return: it, -EPERM for what can't have attributes, or -errno of open.
 */
static int open_node(struct fs_req *r)
{
	if (!r->node || (r->node->type != S_IFREG && r->node->type != S_IFDIR))
		return -EPERM;
	return fs_reopen(r->fs, r->node->fd, O_RDONLY | O_NONBLOCK);
}

int fs_op_setxattr(struct fs_req *r)
{
	const struct fuse_setxattr_in *in = &r->in.setxattr;
	char name[XATTR_NAME_MAX + 1];
	OWN_FREE void *value = NULL;
	OWN_FD int fd = -1;
	int ret;

	if (in->size > r->left)
		return -EINVAL;
	if (in->size > FS_MAX_XATTR)
		return -E2BIG;
	ret = get_name(r, r->left - in->size, name);
	if (ret == 0)
		ret = check(name, false);
	if (ret < 0)
		return ret;
	value = malloc(in->size + 1u);
	if (!value)
		return -ENOMEM;
	if (chain_get(r->c, value, in->size) < 0)
		return -EINVAL;
	fd = open_node(r);
	if (fd < 0)
		return fd;
	return fsetxattr(fd, name, value, in->size, (int)in->flags) < 0 ? -errno : 0;
}

/* Answer with the size alone when the guest gave no room, else with the value. */
static int reply_value(struct fs_req *r, const void *value, size_t n)
{
	uint32_t room = r->in.getxattr.size;

	if (room == 0) {
		struct fuse_getxattr_out out = { .size = (uint32_t)n };

		return fs_reply_data(r, &out, sizeof(out));
	}
	return n > room || n > fs_reply_room(r) ? -ERANGE : fs_reply_data(r, value, n);
}

int fs_op_getxattr(struct fs_req *r)
{
	size_t room = r->in.getxattr.size;
	char name[XATTR_NAME_MAX + 1];
	OWN_FREE void *value = NULL;
	OWN_FD int fd = -1;
	ssize_t n;
	int ret;

	ret = get_name(r, r->left, name);
	if (ret == 0)
		ret = check(name, true);
	if (ret < 0)
		return ret;
	if (room > FS_MAX_XATTR)
		room = FS_MAX_XATTR;
	fd = open_node(r);
	if (fd < 0)
		return fd == -EPERM ? -ENODATA : fd;
	if (room > 0) {
		value = malloc(room);
		if (!value)
			return -ENOMEM;
	}
	n = fgetxattr(fd, name, value, room);
	return n < 0 ? -errno : reply_value(r, value, (size_t)n);
}

/* Keep of the @n bytes of names in @list what the guest may read. Return: bytes left. */
static size_t filter(char *list, size_t n)
{
	size_t kept = 0;

	for (size_t at = 0; at < n;) {
		size_t len = strnlen(list + at, n - at) + 1;

		if (at + len > n)
			break;
		if (check(list + at, true) == 0) {
			memmove(list + kept, list + at, len);
			kept += len;
		}
		at += len;
	}
	return kept;
}

int fs_op_listxattr(struct fs_req *r)
{
	OWN_FREE char *list = NULL;
	OWN_FD int fd = -1;
	ssize_t n;

	fd = open_node(r);
	if (fd < 0)
		return fd == -EPERM ? reply_value(r, "", 0) : fd;
	list = malloc(FS_MAX_XATTR);
	if (!list)
		return -ENOMEM;
	n = flistxattr(fd, list, FS_MAX_XATTR);
	return n < 0 ? -errno : reply_value(r, list, filter(list, (size_t)n));
}

int fs_op_removexattr(struct fs_req *r)
{
	char name[XATTR_NAME_MAX + 1];
	OWN_FD int fd = -1;
	int ret;

	ret = get_name(r, r->left, name);
	if (ret == 0)
		ret = check(name, false);
	if (ret < 0)
		return ret;
	fd = open_node(r);
	if (fd < 0)
		return fd;
	return fremovexattr(fd, name) < 0 ? -errno : 0;
}
