/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_inode - the inodes the guest knows, and the descriptor budget behind them.
 *
 * DOC: Life of an inode
 *
 * An entry is found by its node id (from the guest) or by what it is on the host (share, device,
 * inode, mount). It normally holds an O_PATH descriptor. When the budget is used up, the descriptor
 * of the entry that was idle longest is closed ("evicted"); the entry remembers its parent and name
 * and is opened again on use, accepted only if device, inode, mount, type and birth time are the
 * same, else ESTALE. An entry whose name is gone (unlinked through us), that has open handles, or
 * that is a share's root keeps its descriptor.
 *
 * Two counters: nlookup is what the guest believes, saturating, and holds exactly one of refs; refs
 * is the truth: one for nlookup > 0, one per pin, one per handle, one per child that names it as
 * its parent. A pin is held while a request uses the descriptor, and forbids eviction.
 */
#ifndef VMM_FS_INODE_H
#define VMM_FS_INODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "runtime/base/err.h"

struct fs_server;
struct fs_lock;

/* Owner kept beside the file because the host refused it (cfg.single_id). */
struct fs_owner {
	bool set;
	uint32_t uid;
	uint32_t gid;
};

/* Shows whether a file's content may have changed since the guest last opened it. */
struct fs_stamp {
	uint64_t size;
	struct statx_timestamp mtime;
	struct statx_timestamp ctime;
};

struct fs_inode {
	uint64_t nodeid;
	uint64_t dev; /* dev, ino, mnt, type: identity on the host, constant; so is btime, but on overlayfs */
	uint64_t ino;
	uint64_t mnt;
	int64_t btime_sec;
	uint32_t btime_nsec;
	uint32_t type;	/* mode & S_IFMT */
	uint32_t share; /* index into cfg.shares */
	int fd;		/* O_PATH; -1 while evicted; stable while pinned or with handles */
	uint32_t refs;
	uint32_t pins;
	uint32_t handles; /* open handles */
	bool root;	  /* a share's root: lives as long as the server, fd is the caller's */
	bool overlay;	  /* of a root: its file system is overlayfs */
	bool hashed;
	bool in_lru;
	bool opened; /* stamp is valid */
	uint64_t nlookup;
	struct fs_inode *parent; /* with name: where to find it again; both or neither */
	char *name;
	struct fs_inode *hash_next;
	struct fs_inode *lru_prev;
	struct fs_inode *lru_next;
	struct fs_lock *locks; /* one per lock owner */
	struct fs_owner owner;
	struct fs_stamp stamp;
};

/* Make the entry of share @index, whose descriptor stays the caller's. Return: 0 or -errno. */
int fs_inode_add_root(struct fs_server *fs, uint32_t index, struct fs_inode **out_inode) MUST_CHECK;

/*
 * Pin the inode @nodeid, with its descriptor open.
 * Return: 0, -ESTALE (unknown, or gone on the host), -ENFILE (budget), or another -errno of open.
 */
int fs_inode_get(struct fs_server *fs, uint64_t nodeid, struct fs_inode **out_inode) MUST_CHECK;

/* Drop a pin. NULL is fine. */
void fs_inode_put(struct fs_server *fs, struct fs_inode *inode);

/*
 * Find what @stx describes, seen as @name in @parent; count one lookup and pin it (the descriptor
 * may be evicted: only for answering). Return: NULL when it isn't known.
 */
struct fs_inode *fs_inode_find(struct fs_server *fs, struct fs_inode *parent, const char *name,
			       const struct statx *stx);

/*
 * As fs_inode_find(), making the entry when there is none. @fd: an O_PATH descriptor of it with its
 * reservation, owned from now on even in failure; or -1 to open it when needed. @name may be NULL
 * for what has none. Return: 0, -ENFILE, -ENOMEM.
 */
int fs_inode_adopt(struct fs_server *fs, struct fs_inode *parent, const char *name, int fd,
		   const struct statx *stx, struct fs_inode **out_inode) MUST_CHECK;

/* The guest forgets @n lookups; more than it has count as all. */
void fs_inode_forget(struct fs_server *fs, uint64_t nodeid, uint64_t n);

/* Forget everything but the share roots. */
void fs_inode_forget_all(struct fs_server *fs);

/*
 * Before a name goes away: pin what is known about @name in @parent, with its descriptor open so
 * that it survives. Return: NULL when the guest doesn't know it.
 */
struct fs_inode *fs_inode_hold_name(struct fs_server *fs, struct fs_inode *parent,
				    const char *name);

/* @inode (NULL is fine) is no longer called @name in @parent. */
void fs_inode_unname(struct fs_server *fs, struct fs_inode *inode, const struct fs_inode *parent,
		     const char *name);

/* @inode (NULL is fine) is now called @name in @parent. */
void fs_inode_rename(struct fs_server *fs, struct fs_inode *inode, struct fs_inode *parent,
		     const char *name);

/*
 * Count handles: the inode keeps its descriptor while there are some. The caller holds a pin.
 * Locks are taken through handles and none may outlive the last one: taking it away returns them
 * (or NULL), for fs_lock_free().
 */
void fs_inode_add_handle(struct fs_server *fs, struct fs_inode *inode);
struct fs_lock *fs_inode_del_handle(struct fs_server *fs, struct fs_inode *inode) MUST_CHECK;

/* Take @n descriptors out of the budget, evicting idle ones. Return: 0 or -ENFILE. */
int fs_fd_reserve(struct fs_server *fs, size_t n) MUST_CHECK;
void fs_fd_release(struct fs_server *fs, size_t n);

void fs_inode_fini(struct fs_server *fs);

#endif
