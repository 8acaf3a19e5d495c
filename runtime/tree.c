/* SPDX-License-Identifier: Apache-2.0 */
/* tree - detached mounts of our own: the few calls of the mount API (open_tree(2), mount_setattr(2)). */
#include "runtime/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sys/mount.h>

#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

int tree_clone(int dirfd, const char *path, bool recursive)
{
	long fd = syscall(SYS_open_tree, dirfd, path,
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) |
				  (*path ? 0 : AT_EMPTY_PATH));

	return fd < 0 ? -errno : (int)fd;
}

static int set_attr(int fd, struct mount_attr *a)
{
	return syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | AT_RECURSIVE, a, sizeof(*a)) < 0 ?
		       -errno :
		       0;
}

int tree_restrict(int fd, uint64_t more, uint64_t lift)
{
	struct mount_attr a = {
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			    (more & MS_RDONLY ? MOUNT_ATTR_RDONLY : 0) |
			    (more & MS_NOSYMFOLLOW ? MOUNT_ATTR_NOSYMFOLLOW : 0),
		.attr_clr = (lift & MS_RDONLY ? MOUNT_ATTR_RDONLY : 0) |
			    (lift & MS_NOEXEC ? MOUNT_ATTR_NOEXEC : 0),
	};

	return set_attr(fd, &a);
}

int tree_idmap(int fd, int userns_fd, bool recursive)
{
	struct mount_attr a = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)userns_fd };

	return syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a,
		       sizeof(a)) < 0 ?
		       -errno :
		       0;
}

int tree_move(int tree_fd, int dest_fd)
{
	return syscall(SYS_move_mount, tree_fd, "", dest_fd, "",
		       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ?
		       -errno :
		       0;
}

int tree_propagate(int fd, uint64_t propagation)
{
	struct mount_attr a = { .propagation = propagation & ~(uint64_t)MS_REC };

	return a.propagation ? set_attr(fd, &a) : 0;
}
