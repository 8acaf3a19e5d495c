/* SPDX-License-Identifier: Apache-2.0 */
/* fs_inode - the inodes the guest knows, and the descriptor budget behind them. */
#include "vmm/fs_inode.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "vmm/fs_internal.h"

/* Rounds of opening ancestors before we believe that others evict as fast as we open. */
#define MAX_REVIVE_ROUNDS (2 * FS_MAX_DEPTH)

static void lock(struct fs_server *fs)
{
	(void)pthread_mutex_lock(&fs->lock);
}

static void unlock(struct fs_server *fs)
{
	(void)pthread_mutex_unlock(&fs->lock);
}

/* --- the hash over host identity --- */

static size_t hash_of(const struct fs_server *fs, uint32_t share, uint64_t dev, uint64_t ino)
{
	uint64_t h = ino ^ (dev << 20) ^ ((uint64_t)share << 52);

	h *= UINT64_C(0x9e3779b97f4a7c15); /* 2^64 / golden ratio: spreads neighbours */
	return (size_t)(h >> 32) & (fs->n_buckets - 1);
}

static struct fs_inode **bucket_of(struct fs_server *fs, const struct fs_inode *i)
{
	return &fs->bucket[hash_of(fs, i->share, i->dev, i->ino)];
}

static void unhash(struct fs_server *fs, struct fs_inode *i)
{
	struct fs_inode **p;

	if (!i->hashed)
		return;
	for (p = bucket_of(fs, i); *p != i;)
		p = &(*p)->hash_next;
	*p = i->hash_next;
	i->hash_next = NULL;
	i->hashed = false;
	fs->n_hashed--;
}

/* Grow when the chains get long; staying small is no error. */
static void rehash(struct fs_server *fs)
{
	struct fs_inode **old = fs->bucket;
	size_t n_old = fs->n_buckets;
	struct fs_inode **bigger;

	if (fs->n_hashed < n_old)
		return;
	bigger = calloc(n_old * 2, sizeof(struct fs_inode *));
	if (!bigger)
		return;
	fs->bucket = bigger;
	fs->n_buckets = n_old * 2;
	for (size_t k = 0; k < n_old; k++) {
		struct fs_inode *i, *next;

		for (i = old[k]; i; i = next) {
			struct fs_inode **b = bucket_of(fs, i);

			next = i->hash_next;
			i->hash_next = *b;
			*b = i;
		}
	}
	free(old);
}

static void hash_in(struct fs_server *fs, struct fs_inode *i)
{
	struct fs_inode **b;

	rehash(fs);
	b = bucket_of(fs, i);
	i->hash_next = *b;
	*b = i;
	i->hashed = true;
	fs->n_hashed++;
}

static void set_identity(struct fs_inode *i, const struct statx *stx)
{
	i->dev = fs_stx_dev(stx);
	i->ino = stx->stx_ino;
	i->mnt = stx->stx_mnt_id;
	i->type = stx->stx_mode & S_IFMT;
	i->btime_sec = stx->stx_btime.tv_sec;
	i->btime_nsec = stx->stx_btime.tv_nsec;
}

static bool same_number(const struct fs_inode *i, const struct statx *stx)
{
	return i->ino == stx->stx_ino && i->dev == fs_stx_dev(stx) && i->mnt == stx->stx_mnt_id;
}

static bool same_birth(int64_t sec, uint32_t nsec, const struct statx *stx)
{
	return sec == stx->stx_btime.tv_sec && nsec == stx->stx_btime.tv_nsec;
}

/*
 * Overlayfs keeps the number of a file that it copies up, and shows from then on when the copy was made. A directory is
 * copied with the first change of anything below it: a new inode for the guest would lose it the mounts there. And
 * files that were links of one another are none any more when one of them is copied, which alone gets a new number.
 * With a descriptor we can look; without one, in such a file system, the number must do.
 */
static bool same_object(struct fs_server *fs, const struct fs_inode *i, const struct statx *stx)
{
	const struct fs_inode *root = fs->roots[i->share];
	bool overlay = root->overlay && i->mnt == root->mnt;
	bool links = i->type != S_IFDIR && stx->stx_nlink > 1;
	struct statx now;

	if (!same_number(i, stx) || i->type != (stx->stx_mode & S_IFMT))
		return false;
	if (same_birth(i->btime_sec, i->btime_nsec, stx) && !(overlay && links))
		return true;
	if (i->fd < 0)
		return overlay;
	return fs_statx(i->fd, "", &now) == 0 && same_number(i, &now) &&
	       same_birth(now.stx_btime.tv_sec, now.stx_btime.tv_nsec, stx);
}

/* An evicted entry doesn't hold its inode number: what has it now may be somebody else. */
static struct fs_inode *find_locked(struct fs_server *fs, uint32_t share, const struct statx *stx)
{
	struct fs_inode *i, *next;

	for (i = fs->bucket[hash_of(fs, share, fs_stx_dev(stx), stx->stx_ino)]; i; i = next) {
		next = i->hash_next;
		if (i->share != share || !same_number(i, stx))
			continue;
		if (same_object(fs, i, stx)) {
			if (!same_birth(i->btime_sec, i->btime_nsec, stx))
				set_identity(i, stx);
			return i;
		}
		if (i->fd < 0)
			unhash(fs, i);
	}
	return NULL;
}

/* --- references --- */

static void clear_place(struct fs_server *fs, struct fs_inode *i)
{
	if (!i->name)
		return;
	fs->name_bytes -= strlen(i->name) + 1;
	free(i->name);
	i->name = NULL;
	i->parent = NULL;
}

/* Drop one reference; the last one frees, and drops the parent in turn. */
static void unref(struct fs_server *fs, struct fs_inode *i)
{
	while (i && --i->refs == 0) {
		struct fs_inode *parent = i->parent;

		fs_lru_del(fs, i);
		unhash(fs, i);
		fs_table_del(&fs->inodes, i->nodeid);
		if (i->fd >= 0 && !i->root) {
			(void)close(i->fd);
			fs->n_fds--;
		}
		clear_place(fs, i);
		free(i);
		i = parent;
	}
}

static void pin(struct fs_server *fs, struct fs_inode *i)
{
	i->refs++;
	if (i->pins++ == 0)
		fs_lru_update(fs, i);
}

static void unpin(struct fs_server *fs, struct fs_inode *i)
{
	if (--i->pins == 0)
		fs_lru_update(fs, i);
	unref(fs, i);
}

static void forget_place(struct fs_server *fs, struct fs_inode *i)
{
	struct fs_inode *parent = i->parent;

	clear_place(fs, i);
	fs_lru_update(fs, i);
	unref(fs, parent);
}

/* Whether @i is @dir or above it, as far as we walk. */
static bool is_above(const struct fs_inode *i, const struct fs_inode *dir)
{
	for (unsigned depth = 0; dir; dir = dir->parent) {
		if (dir == i || ++depth > FS_MAX_DEPTH)
			return true;
	}
	return false;
}

/*
 * Remember where @i is. When that can't be had (no memory, or the host moved directories so that
 * the places would form a circle) the inode has no place and keeps its descriptor.
 */
static void set_place(struct fs_server *fs, struct fs_inode *i, struct fs_inode *parent,
		      const char *name)
{
	size_t n = strlen(name) + 1;
	char *copy;

	if (i->root || (i->parent == parent && strcmp(i->name, name) == 0))
		return;
	forget_place(fs, i);
	if (i->type == S_IFDIR && is_above(i, parent))
		return;
	if (fs->name_bytes + n > FS_MAX_NAME_BYTES)
		return;
	copy = malloc(n);
	if (!copy)
		return;
	memcpy(copy, name, n);
	fs->name_bytes += n;
	i->name = copy;
	i->parent = parent;
	parent->refs++;
	fs_lru_update(fs, i);
}

/* --- opening evicted ones again --- */

/* Give @i the descriptor @fd, whose reservation comes along, unless it has one by now. */
static void install(struct fs_server *fs, struct fs_inode *i, int fd)
{
	if (i->fd >= 0) {
		(void)close(fd);
		fs->n_fds--;
		return;
	}
	i->fd = fd;
	fs_lru_update(fs, i);
}

static int open_same(struct fs_server *fs, const struct fs_inode *i, const struct fs_inode *dir,
		     const char *name, int *out_fd)
{
	OWN_FD int fd = -1;
	struct statx stx;
	int r;

	fd = fs_open_child(dir->fd, name);
	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR ? -ESTALE : fd;
	r = fs_statx(fd, "", &stx);
	if (r < 0)
		return r;
	if (!same_object(fs, i, &stx))
		return -ESTALE;
	*out_fd = take_fd(&fd);
	return 0;
}

/* Open the topmost evicted one of @i and its ancestors. Called and returns with the lock held. */
static int revive_step(struct fs_server *fs, struct fs_inode *i)
{
	char name[NAME_MAX + 1];
	struct fs_inode *dir;
	int fd = -1;
	int r;

	for (unsigned depth = 0; i->parent && i->parent->fd < 0; i = i->parent) {
		if (++depth > FS_MAX_DEPTH)
			return -ESTALE;
	}
	dir = i->parent;
	if (!dir)
		return -ESTALE;
	pin(fs, i);
	pin(fs, dir);
	memcpy(name, i->name, strlen(i->name) + 1);
	r = fs_fd_reserve_locked(fs, 1);
	if (r == 0) {
		unlock(fs);
		r = open_same(fs, i, dir, name, &fd);
		lock(fs);
		if (r == 0)
			install(fs, i, fd);
		else
			fs->n_fds--;
	}
	unpin(fs, dir);
	unpin(fs, i);
	return r;
}

/* Open the pinned inode @i if it is evicted. Called and returns with the lock held. */
static int revive(struct fs_server *fs, struct fs_inode *i)
{
	unsigned rounds = 0;
	int r = 0;

	while (i->fd < 0 && r == 0) {
		if (++rounds > MAX_REVIVE_ROUNDS)
			return -ENFILE;
		r = revive_step(fs, i);
	}
	return i->fd >= 0 ? 0 : r;
}

int fs_inode_get(struct fs_server *fs, uint64_t nodeid, struct fs_inode **out_inode)
{
	struct fs_inode *i;
	int r;

	lock(fs);
	i = fs_table_find(&fs->inodes, nodeid);
	if (!i) {
		unlock(fs);
		return -ESTALE;
	}
	pin(fs, i);
	r = revive(fs, i);
	if (r < 0)
		unpin(fs, i);
	else
		*out_inode = i;
	unlock(fs);
	return r;
}

void fs_inode_put(struct fs_server *fs, struct fs_inode *inode)
{
	if (!inode)
		return;
	lock(fs);
	unpin(fs, inode);
	unlock(fs);
}

/* --- making and forgetting --- */

static void count_lookup(struct fs_inode *i)
{
	if (i->nlookup == 0)
		i->refs++;
	if (i->nlookup < UINT64_MAX)
		i->nlookup++;
}

/* Return: a new entry in the tables with one reference for the caller, or NULL. */
static struct fs_inode *make(struct fs_server *fs, uint32_t share, const struct statx *stx)
{
	struct fs_inode *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->nodeid = fs_table_add(&fs->inodes, i);
	if (i->nodeid == 0) {
		free(i);
		return NULL;
	}
	i->fd = -1;
	i->share = share;
	i->refs = 1;
	set_identity(i, stx);
	hash_in(fs, i);
	return i;
}

int fs_inode_add_root(struct fs_server *fs, uint32_t index, struct fs_inode **out_inode)
{
	int fd = fs->cfg.shares[index].fd;
	struct fs_inode *i;
	struct statfs sfs;
	struct statx stx;
	int r;

	r = fs_statx(fd, "", &stx);
	if (r < 0)
		return r;
	lock(fs);
	i = make(fs, index, &stx);
	unlock(fs);
	if (!i)
		return -ENOMEM;
	i->fd = fd;
	i->root = true;
	i->overlay = fstatfs(fd, &sfs) == 0 && sfs.f_type == OVERLAYFS_SUPER_MAGIC;
	fs_owner_load(fs, fd, stx.stx_mode, &i->owner);
	*out_inode = i;
	return 0;
}

struct fs_inode *fs_inode_find(struct fs_server *fs, struct fs_inode *parent, const char *name,
			       const struct statx *stx)
{
	struct fs_inode *i;

	lock(fs);
	i = find_locked(fs, parent->share, stx);
	if (i) {
		pin(fs, i);
		count_lookup(i);
		set_place(fs, i, parent, name);
	}
	unlock(fs);
	return i;
}

static int adopt_locked(struct fs_server *fs, struct fs_inode *parent, const char *name, int fd,
			const struct statx *stx, const struct fs_owner *owner,
			struct fs_inode **out_inode)
{
	struct fs_inode *i = find_locked(fs, parent->share, stx);

	if (i) {
		pin(fs, i);
	} else {
		i = make(fs, parent->share, stx);
		if (i) {
			i->pins = 1;
			i->owner = *owner;
		}
	}
	if (!i) {
		if (fd >= 0) {
			(void)close(fd);
			fs->n_fds--;
		}
		return -ENFILE;
	}
	if (fd >= 0)
		install(fs, i, fd);
	if (name)
		set_place(fs, i, parent, name);
	if (i->fd < 0 && !i->parent) { /* without a place nothing would ever find it */
		unpin(fs, i);
		return -ENFILE;
	}
	count_lookup(i);
	*out_inode = i;
	return 0;
}

int fs_inode_adopt(struct fs_server *fs, struct fs_inode *parent, const char *name, int fd,
		   const struct statx *stx, struct fs_inode **out_inode)
{
	struct fs_owner owner = { .set = false };
	int r;

	if (fd >= 0)
		fs_owner_load(fs, fd, stx->stx_mode, &owner);
	lock(fs);
	r = adopt_locked(fs, parent, name, fd, stx, &owner, out_inode);
	unlock(fs);
	return r;
}

void fs_inode_forget(struct fs_server *fs, uint64_t nodeid, uint64_t n)
{
	struct fs_inode *i;

	lock(fs);
	i = fs_table_find(&fs->inodes, nodeid);
	if (i && i->nlookup > 0 && n > 0) {
		i->nlookup -= n < i->nlookup ? n : i->nlookup;
		if (i->nlookup == 0)
			unref(fs, i);
	}
	unlock(fs);
}

void fs_inode_forget_all(struct fs_server *fs)
{
	lock(fs);
	for (uint32_t k = 0; k < fs->inodes.n; k++) {
		struct fs_inode *i = fs->inodes.slot[k].obj;

		if (i && i->nlookup > 0) {
			i->nlookup = 0;
			unref(fs, i);
		}
	}
	unlock(fs);
}

/* --- names that come and go --- */

struct fs_inode *fs_inode_hold_name(struct fs_server *fs, struct fs_inode *parent, const char *name)
{
	struct fs_inode *i;
	struct statx stx;

	if (fs_statx(parent->fd, name, &stx) < 0)
		return NULL;
	lock(fs);
	i = find_locked(fs, parent->share, &stx);
	if (i) {
		pin(fs, i);
		/* What can't be opened now would be lost either way. */
		if (revive(fs, i) < 0) {
			unpin(fs, i);
			i = NULL;
		}
	}
	unlock(fs);
	return i;
}

void fs_inode_unname(struct fs_server *fs, struct fs_inode *inode, const struct fs_inode *parent,
		     const char *name)
{
	if (!inode)
		return;
	lock(fs);
	if (inode->parent == parent && inode->name && strcmp(inode->name, name) == 0)
		forget_place(fs, inode);
	unlock(fs);
}

void fs_inode_rename(struct fs_server *fs, struct fs_inode *inode, struct fs_inode *parent,
		     const char *name)
{
	if (!inode)
		return;
	lock(fs);
	set_place(fs, inode, parent, name);
	unlock(fs);
}

void fs_inode_add_handle(struct fs_server *fs, struct fs_inode *inode)
{
	lock(fs);
	inode->handles++;
	inode->refs++;
	fs_lru_update(fs, inode);
	unlock(fs);
}

struct fs_lock *fs_inode_del_handle(struct fs_server *fs, struct fs_inode *inode)
{
	struct fs_lock *locks = NULL;

	lock(fs);
	if (--inode->handles == 0) {
		locks = inode->locks;
		inode->locks = NULL;
	}
	fs_lru_update(fs, inode);
	unref(fs, inode);
	unlock(fs);
	return locks;
}

void fs_inode_fini(struct fs_server *fs)
{
	fs_inode_forget_all(fs);
	lock(fs);
	for (size_t k = 0; fs->roots && k < fs->cfg.n_shares; k++)
		unref(fs, fs->roots[k]);
	unlock(fs);
	fs_table_fini(&fs->inodes);
	free(fs->bucket);
}
