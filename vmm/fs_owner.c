/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_owner - who owns a file, also where the host refuses to say so.
 *
 * With a range of ids mapped the host keeps owners. With one id (cfg.single_id) it refuses all but
 * that one; then "uid:gid" goes into an extended attribute that the guest can't name. Symlinks,
 * FIFOs and sockets can't have it and stay with the one id.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "vmm/fs_internal.h"

/* "4294967294:4294967294" and its NUL */
#define OWNER_TEXT_MAX 24

static bool can_keep(uint32_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode);
}

/* Return: the number at *@text, which ends at @end; UINT32_MAX, which is no id, when there is none.
 */
static uint32_t parse_id(const char **text, char end)
{
	const char *p = *text;
	uint64_t id = 0;

	if (*p < '0' || *p > '9')
		return UINT32_MAX;
	for (; *p >= '0' && *p <= '9'; p++) {
		id = id * 10 + (uint64_t)(*p - '0');
		if (id >= UINT32_MAX)
			return UINT32_MAX;
	}
	if (*p != end)
		return UINT32_MAX;
	*text = p + 1;
	return (uint32_t)id;
}

void fs_owner_load(struct fs_server *fs, int fd, uint32_t mode, struct fs_owner *out_owner)
{
	char text[OWNER_TEXT_MAX];
	const char *p = text;
	OWN_FD int copy = -1;
	struct fs_owner owner = { .set = true };
	ssize_t n;

	*out_owner = (struct fs_owner){ .set = false };
	if (!fs->cfg.single_id || !can_keep(mode))
		return;
	copy = fs_reopen(fs, fd, O_RDONLY | O_NONBLOCK);
	if (copy < 0)
		return;
	n = fgetxattr(copy, FS_OWNER_XATTR, text, sizeof(text) - 1);
	if (n < 0)
		return;
	text[n] = '\0';
	owner.uid = parse_id(&p, ':');
	if (owner.uid == UINT32_MAX)
		return;
	owner.gid = parse_id(&p, '\0');
	if (owner.gid != UINT32_MAX)
		*out_owner = owner;
}

/* Keep @owner with the object @fd (O_PATH) of @mode, or remove it when !owner->set. */
static int store(struct fs_server *fs, int fd, uint32_t mode, const struct fs_owner *owner)
{
	char text[OWNER_TEXT_MAX];
	OWN_FD int copy = -1;
	int n;

	if (!can_keep(mode))
		return 0;
	copy = fs_reopen(fs, fd, O_RDONLY | O_NONBLOCK);
	if (copy < 0)
		return copy;
	if (!owner->set)
		return fremovexattr(copy, FS_OWNER_XATTR) < 0 && errno != ENODATA ? -errno : 0;
	n = snprintf(text, sizeof(text), "%" PRIu32 ":%" PRIu32, owner->uid, owner->gid);
	if (fsetxattr(copy, FS_OWNER_XATTR, text, (size_t)n, 0) < 0)
		return errno == EOPNOTSUPP ? -EPERM : -errno;
	return 0;
}

static int host_chown(int fd, uint32_t uid, uint32_t gid)
{
	int flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;

	return fchownat(fd, "", uid, gid, flags) < 0 ? -errno : 0;
}

/* Whether @r is how the host says that an id isn't mapped. */
static bool not_mapped(int r)
{
	return r == -EINVAL || r == -EPERM;
}

/* Let the host own @fd as @uid:@gid, or keep that beside it. @owner is what is kept so far. */
static int set_single(struct fs_server *fs, int fd, uint32_t uid, uint32_t gid,
		      const struct statx *stx, struct fs_owner *owner)
{
	struct fs_owner want = { .set = true, .uid = uid, .gid = gid };
	int r;

	r = host_chown(fd, uid, gid);
	if (not_mapped(r))
		r = 1; /* to be kept by us */
	if (r == 0)
		want.set = false;
	if (r < 0 || (!want.set && !owner->set))
		return r;
	r = store(fs, fd, stx->stx_mode, &want);
	if (r == 0 && can_keep(stx->stx_mode))
		*owner = want;
	return r;
}

int fs_owner_change(struct fs_server *fs, struct fs_inode *inode, uint32_t uid, uint32_t gid)
{
	struct fs_owner owner;
	struct statx stx;
	int r;

	if (!fs->cfg.single_id)
		return host_chown(inode->fd, uid, gid);
	r = fs_statx(inode->fd, "", &stx);
	if (r < 0)
		return r;
	fs_owner_get(fs, inode, &owner);
	if (uid == UINT32_MAX)
		uid = owner.set ? owner.uid : stx.stx_uid;
	if (gid == UINT32_MAX)
		gid = owner.set ? owner.gid : stx.stx_gid;
	r = set_single(fs, inode->fd, uid, gid, &stx, &owner);
	if (r < 0)
		return r;
	(void)pthread_mutex_lock(&fs->lock);
	inode->owner = owner;
	(void)pthread_mutex_unlock(&fs->lock);
	return 0;
}

/* What a new object in @r->node belongs to: the caller, but the group of a set-gid directory. */
static int wanted_owner(struct fs_req *r, struct fs_owner *out_want)
{
	struct fs_owner parent;
	struct statx dir;
	int ret;

	ret = fs_statx(r->node->fd, "", &dir);
	if (ret < 0)
		return ret;
	*out_want = (struct fs_owner){ .set = true, .uid = r->h.uid, .gid = r->h.gid };
	if (dir.stx_mode & S_ISGID) {
		fs_owner_get(r->fs, r->node, &parent);
		out_want->gid = parent.set ? parent.gid : dir.stx_gid;
	}
	return 0;
}

int fs_owner_new(struct fs_req *r, int fd, uint32_t mode, struct statx *stx)
{
	struct fs_owner none = { .set = false };
	struct fs_owner want;
	int ret;

	if (stx->stx_uid == r->h.uid && stx->stx_gid == r->h.gid && !r->fs->cfg.single_id)
		return 0;
	ret = wanted_owner(r, &want);
	if (ret < 0)
		return ret;
	if (stx->stx_uid == want.uid && stx->stx_gid == want.gid)
		return 0;
	if (want.uid == UINT32_MAX || want.gid == UINT32_MAX)
		return -EINVAL; /* to chown it means "leave it" */
	ret = r->fs->cfg.single_id ? set_single(r->fs, fd, want.uid, want.gid, stx, &none)
				   : host_chown(fd, want.uid, want.gid);
	/* Changing the owner cleared these. */
	if (ret == 0 && S_ISREG(stx->stx_mode) && (mode & (S_ISUID | S_ISGID)))
		ret = fs_chmod(r->fs, fd, mode);
	return ret < 0 ? ret : fs_statx(fd, "", stx);
}
