/* SPDX-License-Identifier: Apache-2.0 */
/* fs_host - the only ways the file server asks the host for an object. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vmm/fs_internal.h"

/* Characters of a descriptor's number in decimal, with its NUL. */
#define FD_NAME_MAX 12

int fs_statx(int dirfd, const char *name, struct statx *out_stx)
{
	unsigned want = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;

	if (statx(dirfd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, want,
		  out_stx) < 0)
		return -errno;
	if (!(out_stx->stx_mask & STATX_BTIME)) {
		out_stx->stx_btime.tv_sec = 0;
		out_stx->stx_btime.tv_nsec = 0;
	}
	if (!(out_stx->stx_mask & STATX_MNT_ID))
		out_stx->stx_mnt_id = 0;
	return 0;
}

int fs_open_child(int dirfd, const char *name)
{
	/* Names are checked already; should that ever fail, the kernel still keeps us below. */
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, dirfd, name, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

int fs_reopen(struct fs_server *fs, int fd, int flags)
{
	char name[FD_NAME_MAX];
	int copy;

	(void)snprintf(name, sizeof(name), "%d", fd);
	copy = openat(fs->cfg.proc_self_fd, name, flags | O_CLOEXEC | O_NOCTTY);
	return copy < 0 ? -errno : copy;
}

int fs_chmod(struct fs_server *fs, int fd, mode_t mode)
{
	char name[FD_NAME_MAX];

	(void)snprintf(name, sizeof(name), "%d", fd);
	return fchmodat(fs->cfg.proc_self_fd, name, mode & 07777, 0) < 0 ? -errno : 0;
}

int fs_kill_priv(struct fs_server *fs, int fd)
{
	struct statx stx;
	mode_t mode;
	int r;

	r = fs_statx(fd, "", &stx);
	if (r < 0)
		return r;
	mode = stx.stx_mode;
	if (!S_ISREG(mode))
		return 0;
	mode &= ~(mode_t)S_ISUID;
	if (mode & S_IXGRP)
		mode &= ~(mode_t)S_ISGID;
	return mode == stx.stx_mode ? 0 : fs_chmod(fs, fd, mode);
}

bool fs_readonly(const struct fs_server *fs, const struct fs_inode *inode)
{
	return fs->cfg.shares[inode->share].readonly;
}
