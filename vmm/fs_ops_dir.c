/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_ops_dir - OPENDIR, READDIR, READDIRPLUS, SYNCFS.
 *
 * DOC: Positions
 *
 * The offset of a record is the host's own d_off: where the next one is read from. The guest may
 * come back with any offset; one that isn't where we are means a seek. What getdents64 gave and the
 * answer had no room for stays with the handle, for as many of them as the cap allows.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "vmm/fs_internal.h"

#define NOWHERE UINT64_MAX /* no offset of a guest's: they end at INT64_MAX */

/* Return codes of emit(), beside -errno. */
enum emitted { EMITTED, NO_ROOM };

struct listing {
	struct fs_req *r;
	bool plus;
	uint8_t *buf;
	size_t at;
	size_t size;
};

/* One record on its way to the guest. */
struct record {
	const char *name;
	size_t len;
	uint64_t ino;
	uint64_t off;
	uint32_t type; /* DT_* */
};

int fs_op_opendir(struct fs_req *r)
{
	int fd = -1;
	int ret;

	ret = fs_fd_reserve(r->fs, 1);
	if (ret < 0)
		return ret;
	if (!r->node)
		return fs_handle_new(r->fs, FS_HANDLE_ROOT, NULL, -1, &r->out.open.fh);
	fd = fs_reopen(r->fs, r->node->fd, O_RDONLY | O_DIRECTORY);
	if (fd < 0) {
		fs_fd_release(r->fs, 1);
		return fd;
	}
	return fs_handle_new(r->fs, FS_HANDLE_DIR, r->node, fd, &r->out.open.fh);
}

/* Look up for READDIRPLUS. Return: 0 (node id 0 in @entry: not told), or -ENOENT when it is gone.
 */
static int fill_plus(struct listing *l, const struct record *rec, struct fuse_entry_out *entry)
{
	struct fs_inode *dir = l->r->handle->inode;
	struct fs_server *fs = l->r->fs;
	struct fs_inode *inode;
	struct statx stx;
	int ret;

	memset(entry, 0, sizeof(*entry));
	if (!dir || fs_name_check(rec->name, rec->len) < 0) /* "." and ".." */
		return 0;
	ret = fs_lookup(fs, dir, rec->name, true, &stx, &inode);
	if (ret < 0)
		return ret == -ENOENT ? ret : 0;
	fs_fill_entry(fs, inode, &stx, entry);
	fs_inode_put(fs, inode);
	return 0;
}

static void append(struct listing *l, const void *data, size_t n)
{
	memcpy(l->buf + l->at, data, n);
	l->at += n;
}

/* Return: EMITTED (also when it was gone) or NO_ROOM. */
static enum emitted emit(struct listing *l, const struct record *rec)
{
	struct fuse_dirent head = {
		.ino = rec->ino, .off = rec->off, .namelen = (uint32_t)rec->len, .type = rec->type
	};
	size_t need = FUSE_NAME_OFFSET + rec->len;
	static const uint8_t zeros[sizeof(uint64_t)];
	struct fuse_entry_out entry;

	if (l->plus)
		need += sizeof(entry);
	if (FUSE_REC_ALIGN(need) > l->size - l->at)
		return NO_ROOM;
	if (l->plus) {
		if (fill_plus(l, rec, &entry) < 0)
			return EMITTED;
		append(l, &entry, sizeof(entry));
	}
	append(l, &head, FUSE_NAME_OFFSET);
	append(l, rec->name, rec->len);
	append(l, zeros, FUSE_REC_ALIGN(need) - need);
	return EMITTED;
}

static int list_root(struct listing *l)
{
	struct fs_server *fs = l->r->fs;
	uint64_t i = l->r->in.read.offset;

	for (; i < fs->cfg.n_shares + 2; i++) {
		char name[24]; /* a number in decimal */
		struct record rec = { .name = name, .ino = 1, .off = i + 1, .type = DT_DIR };
		const struct fs_inode *root = i < 2 ? NULL : fs->roots[i - 2];

		if (root) {
			(void)snprintf(name, sizeof(name), "%zu", (size_t)i - 2);
			rec.ino = fs_guest_ino(fs, root->dev, root->ino);
			rec.type = root->type >> 12; /* IFTODT() */
		} else {
			(void)snprintf(name, sizeof(name), "%s", i == 0 ? "." : "..");
		}
		rec.len = strlen(name);
		if (emit(l, &rec) == NO_ROOM)
			break;
	}
	return 0;
}

void fs_dir_drop(struct fs_server *fs, struct fs_handle *h)
{
	if (h->dir_buf)
		atomic_fetch_sub(&fs->n_dir_bufs, 1);
	free(h->dir_buf);
	h->dir_buf = NULL;
	h->dir_at = 0;
	h->dir_end = 0;
}

/*
 * A guest may open tens of thousands of directories and leave each in the middle: over the cap the host's position, set
 * back to the first record that was not told, does instead of the records.
 */
static void keep_few(struct fs_server *fs, struct fs_handle *h)
{
	if (!h->dir_buf || atomic_load(&fs->n_dir_bufs) <= FS_MAX_DIR_BUFS)
		return;
	fs_dir_drop(fs, h);
	if (lseek(h->fd, (off_t)h->dir_off, SEEK_SET) < 0)
		h->dir_off = NOWHERE;
}

/* Make the record at h->dir_at one from position @off. Return: 1, 0 at the end, or -errno. */
static int load(struct fs_server *fs, struct fs_handle *h)
{
	ssize_t n;

	if (h->dir_at < h->dir_end)
		return 1;
	if (!h->dir_buf) {
		h->dir_buf = malloc(FS_DIR_BUF);
		if (!h->dir_buf)
			return -ENOMEM;
		atomic_fetch_add(&fs->n_dir_bufs, 1);
	}
	h->dir_at = 0;
	h->dir_end = 0;
	n = getdents64(h->fd, h->dir_buf, FS_DIR_BUF);
	if (n > 0) {
		h->dir_end = (size_t)n;
		return 1;
	}
	n = n < 0 ? -errno : 0;
	fs_dir_drop(fs, h);
	return (int)n;
}

static int seek_to(struct fs_server *fs, struct fs_handle *h, uint64_t off)
{
	if (off != 0 && off == h->dir_off)
		return 0;
	if (off > INT64_MAX)
		return -EINVAL;
	fs_dir_drop(fs, h);
	if (lseek(h->fd, (off_t)off, SEEK_SET) < 0)
		return -errno;
	h->dir_off = off;
	return 0;
}

/* List from the guest's offset until the answer is full. The handle's dir_lock is held. */
static int list(struct listing *l)
{
	struct fs_handle *h = l->r->handle;
	const struct fs_inode *dir = h->inode;
	int ret;

	ret = seek_to(l->r->fs, h, l->r->in.read.offset);
	if (ret < 0)
		return ret;
	while ((ret = load(l->r->fs, h)) > 0) {
		const struct dirent64 *d = (const void *)(h->dir_buf + h->dir_at);
		struct record rec = { .name = d->d_name,
				      .len = strlen(d->d_name),
				      .off = (uint64_t)d->d_off,
				      .type = d->d_type };
		bool up = strcmp(d->d_name, "..") == 0;

		/* What is above a share's root is not for the guest, not even its number. */
		rec.ino = fs_guest_ino(l->r->fs, dir->dev, up && dir->root ? dir->ino : d->d_ino);
		if (emit(l, &rec) == NO_ROOM)
			return l->at > 0 ? 0 : -EINVAL;
		h->dir_at += d->d_reclen;
		h->dir_off = rec.off;
	}
	return l->at > 0 ? 0 : ret;
}

static int read_dir(struct fs_req *r, bool plus)
{
	struct listing l = { .r = r, .plus = plus, .size = r->in.read.size };
	OWN_FREE uint8_t *buf = NULL;
	int ret;

	if (l.size > fs_reply_room(r))
		l.size = fs_reply_room(r);
	if (l.size > FS_MAX_READDIR)
		l.size = FS_MAX_READDIR;
	buf = malloc(l.size + 1);
	if (!buf)
		return -ENOMEM;
	l.buf = buf;
	if (r->handle->kind == FS_HANDLE_ROOT) {
		ret = list_root(&l);
	} else {
		(void)pthread_mutex_lock(&r->handle->dir_lock);
		ret = list(&l);
		keep_few(r->fs, r->handle);
		(void)pthread_mutex_unlock(&r->handle->dir_lock);
	}
	return ret < 0 ? ret : fs_reply_data(r, buf, l.at);
}

int fs_op_readdir(struct fs_req *r)
{
	return read_dir(r, false);
}

int fs_op_readdirplus(struct fs_req *r)
{
	return read_dir(r, true);
}

static int sync_share(struct fs_server *fs, const struct fs_inode *root)
{
	OWN_FD int fd = -1;

	if (fs_readonly(fs, root) || (root->type != S_IFDIR && root->type != S_IFREG))
		return 0;
	fd = fs_reopen(fs, root->fd, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fd;
	/* A single file doesn't make us flush all of the file system it is on. */
	if ((root->type == S_IFDIR ? syncfs(fd) : fsync(fd)) < 0)
		return -errno;
	return 0;
}

/* The guest syncs its mount: all shares, each host file system once. */
int fs_op_syncfs(struct fs_req *r)
{
	struct fs_server *fs = r->fs;
	int ret = 0;

	for (size_t i = 0; i < fs->cfg.n_shares; i++) {
		const struct fs_inode *root = fs->roots[i];
		bool done = false;
		int one;

		for (size_t k = 0; k < i && !done; k++)
			done = fs->roots[k]->dev == root->dev && fs->roots[k]->type == S_IFDIR &&
			       !fs_readonly(fs, fs->roots[k]);
		one = done ? 0 : sync_share(fs, root);
		if (ret == 0)
			ret = one;
	}
	return ret;
}
