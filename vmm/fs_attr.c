/* SPDX-License-Identifier: Apache-2.0 */
/* fs_attr - what the guest is told about an object. */
#include <string.h>
#include <sys/sysmacros.h>

#include "vmm/fs_internal.h"

#define MS_PER_S 1000u
#define NS_PER_MS 1000000u

/* Inode numbers below this are told as they are, with the file system's index above. */
#define INO_BITS 48

uint64_t fs_stx_dev(const struct statx *stx)
{
	return makedev(stx->stx_dev_major, stx->stx_dev_minor);
}

/* Return: a small number for the host file system @dev, the same for the life of the server. */
static uint64_t dev_index(struct fs_server *fs, uint64_t dev)
{
	unsigned n = atomic_load_explicit(&fs->n_devs, memory_order_acquire);
	unsigned i;

	for (i = 0; i < n; i++) {
		if (fs->devs[i] == dev)
			return i;
	}
	(void)pthread_mutex_lock(&fs->lock);
	n = atomic_load_explicit(&fs->n_devs, memory_order_relaxed);
	for (; i < n && fs->devs[i] != dev;)
		i++;
	if (i == n && n < FS_MAX_DEVS) {
		fs->devs[n] = dev;
		atomic_store_explicit(&fs->n_devs, n + 1, memory_order_release);
	}
	(void)pthread_mutex_unlock(&fs->lock);
	return i;
}

/*
 * The guest sees one device: numbers of different host file systems must not meet (tar and du take
 * equal numbers for hard links). The same file seen through two shares is the same file.
 */
uint64_t fs_guest_ino(struct fs_server *fs, uint64_t dev, uint64_t ino)
{
	return ino ^ dev_index(fs, dev) << INO_BITS;
}

void fs_owner_get(struct fs_server *fs, const struct fs_inode *inode, struct fs_owner *out_owner)
{
	if (!fs->cfg.single_id) {
		*out_owner = (struct fs_owner){ .set = false };
		return;
	}
	(void)pthread_mutex_lock(&fs->lock);
	*out_owner = inode->owner;
	(void)pthread_mutex_unlock(&fs->lock);
}

/* As the kernel's new_encode_dev(): 12 bits of major, 20 of minor. */
static uint32_t encode_rdev(const struct statx *stx)
{
	uint32_t minor = stx->stx_rdev_minor;

	return (minor & 0xffu) | (stx->stx_rdev_major & 0xfffu) << 8 | (minor & 0xfff00u) << 12;
}

void fs_fill_attr(struct fs_server *fs, const struct fs_inode *inode, const struct statx *stx,
		  struct fuse_attr *out_attr)
{
	struct fs_owner owner;

	fs_owner_get(fs, inode, &owner);
	*out_attr = (struct fuse_attr){
		.ino = fs_guest_ino(fs, fs_stx_dev(stx), stx->stx_ino),
		.size = stx->stx_size,
		.blocks = stx->stx_blocks,
		.atime = (uint64_t)stx->stx_atime.tv_sec,
		.mtime = (uint64_t)stx->stx_mtime.tv_sec,
		.ctime = (uint64_t)stx->stx_ctime.tv_sec,
		.atimensec = stx->stx_atime.tv_nsec,
		.mtimensec = stx->stx_mtime.tv_nsec,
		.ctimensec = stx->stx_ctime.tv_nsec,
		.mode = stx->stx_mode,
		.nlink = stx->stx_nlink,
		.uid = owner.set ? owner.uid : stx->stx_uid,
		.gid = owner.set ? owner.gid : stx->stx_gid,
		.rdev = encode_rdev(stx),
		.blksize = stx->stx_blksize,
		.flags = fs_fifo_joins(fs, inode) ? FUSE_ATTR_HOST_FIFO : 0,
	};
}

static uint32_t valid_nsec(const struct fs_server *fs)
{
	return fs->cfg.attr_ms % MS_PER_S * NS_PER_MS;
}

void fs_fill_entry(struct fs_server *fs, const struct fs_inode *inode, const struct statx *stx,
		   struct fuse_entry_out *out_entry)
{
	fs_fill_negative(fs, out_entry);
	out_entry->nodeid = inode->nodeid;
	out_entry->attr_valid = fs->cfg.attr_ms / MS_PER_S;
	out_entry->attr_valid_nsec = valid_nsec(fs);
	fs_fill_attr(fs, inode, stx, &out_entry->attr);
}

/* Node id 0: there is no such name, and the guest may believe that for as long. */
void fs_fill_negative(struct fs_server *fs, struct fuse_entry_out *out_entry)
{
	memset(out_entry, 0, sizeof(*out_entry));
	out_entry->entry_valid = fs->cfg.attr_ms / MS_PER_S;
	out_entry->entry_valid_nsec = valid_nsec(fs);
}
