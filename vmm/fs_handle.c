/* SPDX-License-Identifier: Apache-2.0 */
/* fs_handle - open files and directories of the guest. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "vmm/fs_internal.h"

int fs_handle_new(struct fs_server *fs, enum fs_handle_kind kind, struct fs_inode *inode, int fd,
		  uint64_t *out_fh)
{
	struct fs_handle *h = calloc(1, sizeof(*h));

	if (h) {
		h->kind = kind;
		h->fd = fd;
		h->inode = inode;
		h->refs = 1;
		(void)pthread_mutex_init(&h->dir_lock, NULL);
		if (inode)
			fs_inode_add_handle(fs, inode);
		(void)pthread_mutex_lock(&fs->lock);
		h->fh = fs_table_add(&fs->handles, h);
		(void)pthread_mutex_unlock(&fs->lock);
		if (h->fh != 0) {
			*out_fh = h->fh;
			return 0;
		}
		if (inode)
			fs_lock_free(fs, fs_inode_del_handle(fs, inode));
		(void)pthread_mutex_destroy(&h->dir_lock);
		free(h);
	}
	if (fd >= 0)
		(void)close(fd);
	fs_fd_release(fs, 1);
	return -ENFILE;
}

struct fs_handle *fs_handle_get(struct fs_server *fs, uint64_t fh, uint64_t nodeid)
{
	struct fs_handle *h;

	(void)pthread_mutex_lock(&fs->lock);
	h = fs_table_find(&fs->handles, fh);
	if (h && nodeid != (h->inode ? h->inode->nodeid : FUSE_ROOT_ID))
		h = NULL;
	if (h)
		h->refs++;
	(void)pthread_mutex_unlock(&fs->lock);
	return h;
}

static void destroy(struct fs_server *fs, struct fs_handle *h)
{
	if (h->inode)
		fs_lock_free(fs, fs_inode_del_handle(fs, h->inode));
	if (h->fd >= 0)
		(void)close(h->fd);
	fs_fd_release(fs, 1);
	(void)pthread_mutex_destroy(&h->dir_lock);
	fs_dir_drop(fs, h);
	free(h);
}

void fs_handle_put(struct fs_server *fs, struct fs_handle *h)
{
	bool last;

	if (!h)
		return;
	(void)pthread_mutex_lock(&fs->lock);
	last = --h->refs == 0;
	(void)pthread_mutex_unlock(&fs->lock);
	if (last)
		destroy(fs, h);
}

void fs_handle_close(struct fs_server *fs, struct fs_handle *h)
{
	bool open;

	(void)pthread_mutex_lock(&fs->lock);
	open = fs_table_find(&fs->handles, h->fh) == h;
	if (open)
		fs_table_del(&fs->handles, h->fh);
	(void)pthread_mutex_unlock(&fs->lock);
	if (open)
		fs_handle_put(fs, h);
}

/* Any open handle, held; NULL when there is none from slot *at on. */
static struct fs_handle *next_open(struct fs_server *fs, uint32_t *at)
{
	struct fs_handle *h = NULL;

	(void)pthread_mutex_lock(&fs->lock);
	while (!h && *at < fs->handles.n)
		h = fs->handles.slot[(*at)++].obj;
	if (h)
		h->refs++;
	(void)pthread_mutex_unlock(&fs->lock);
	return h;
}

void fs_handle_close_all(struct fs_server *fs)
{
	struct fs_handle *h;
	uint32_t at = 0;

	while ((h = next_open(fs, &at)) != NULL) {
		fs_handle_close(fs, h);
		fs_handle_put(fs, h);
	}
}
