/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs - the file server: its life, and the way of a request through it.
 *
 * DOC: A request
 *
 * fs_serve() copies header and fixed argument out of the chain once and checks them against what is
 * there, makes sure that the answer fits, finds inode and handle as the table of operations says,
 * and calls the operation. Operations see checked copies; only names and bulk data are still in the
 * chain. What they hold (node, node2, handle, handle2) is put here.
 */
#include "vmm/fs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/own.h"
#include "vmm/fs_internal.h"

#define FIRST_BUCKETS 1024u
/* Requests that the guest sends without anybody waiting: read-ahead, asynchronous direct I/O. */
#define MAX_BACKGROUND 256
#define CONGESTION (MAX_BACKGROUND / 4 * 3)
#define EXT_UNIT 8u /* bytes; in_header.total_extlen counts these */

#define OFFERED                                                                           \
	(FUSE_ASYNC_READ | FUSE_POSIX_LOCKS | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES |     \
	 FUSE_DONT_MASK | FUSE_FLOCK_LOCKS | FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | \
	 FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES | \
	 FUSE_CACHE_SYMLINKS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_INIT_EXT)

/* What fs_serve() does before an operation. */
enum {
	NODE = 1 << 0,	    /* pin h.nodeid as r->node; not the synthetic root */
	ROOT_OK = 1 << 1,   /* with NODE: the synthetic root is fine, r->node is NULL */
	DIRECTORY = 1 << 2, /* with NODE: -ENOTDIR for others */
	CHANGES = 1 << 3,   /* with NODE: -EROFS on a read-only share */
	FILE_FH = 1 << 4,   /* in.fh is an open file of h.nodeid: r->handle */
	DIR_FH = 1 << 5,    /* in.fh is an open directory of h.nodeid: r->handle */
	EARLY = 1 << 6,	    /* fine before INIT */
	SILENT = 1 << 7,    /* never answered */
};

struct op {
	int (*run)(struct fs_req *r);
	uint16_t in_size;  /* bytes of fixed argument, copied to r->in */
	uint16_t out_size; /* bytes of fixed answer, r->out */
	uint16_t flags;
};

static int op_init(struct fs_req *r);
static int op_destroy(struct fs_req *r);
static int op_forget(struct fs_req *r);
static int op_batch_forget(struct fs_req *r);

static int op_no_ioctl(struct fs_req *r)
{
	(void)r;
	return -ENOTTY;
}

#define IN(name) sizeof(((union fs_in *)NULL)->name)
#define OUT(name) sizeof(((union fs_out *)NULL)->name)
#define DIR_CHANGE (NODE | DIRECTORY | CHANGES)

static const struct op ops[] = {
	[FUSE_INIT] = { op_init, FUSE_COMPAT_INIT_OUT_SIZE * 2, OUT(init), EARLY },
	[FUSE_DESTROY] = { op_destroy, 0, 0, EARLY },
	[FUSE_FORGET] = { op_forget, IN(forget), 0, SILENT },
	[FUSE_BATCH_FORGET] = { op_batch_forget, IN(batch_forget), 0, SILENT },
	[FUSE_INTERRUPT] = { fs_op_interrupt, IN(interrupt), 0, 0 },

	[FUSE_LOOKUP] = { fs_op_lookup, 0, OUT(entry), NODE | ROOT_OK | DIRECTORY },
	[FUSE_READLINK] = { fs_op_readlink, 0, 0, NODE },
	[FUSE_UNLINK] = { fs_op_unlink, 0, 0, DIR_CHANGE },
	[FUSE_RMDIR] = { fs_op_rmdir, 0, 0, DIR_CHANGE },
	[FUSE_RENAME] = { fs_op_rename, IN(rename), 0, DIR_CHANGE },
	[FUSE_RENAME2] = { fs_op_rename2, IN(rename2), 0, DIR_CHANGE },
	[FUSE_LINK] = { fs_op_link, IN(link), OUT(entry), DIR_CHANGE },

	[FUSE_SYMLINK] = { fs_op_symlink, 0, OUT(entry), DIR_CHANGE },
	[FUSE_MKNOD] = { fs_op_mknod, IN(mknod), OUT(entry), DIR_CHANGE },
	[FUSE_MKDIR] = { fs_op_mkdir, IN(mkdir), OUT(entry), DIR_CHANGE },
	[FUSE_CREATE] = { fs_op_create, IN(create), OUT(create), DIR_CHANGE },
	[FUSE_TMPFILE] = { fs_op_tmpfile, IN(create), OUT(create), DIR_CHANGE },

	[FUSE_GETATTR] = { fs_op_getattr, IN(getattr), OUT(attr), NODE | ROOT_OK },
	[FUSE_STATX] = { fs_op_statx, IN(statx), OUT(statx), NODE | ROOT_OK },
	[FUSE_SETATTR] = { fs_op_setattr, IN(setattr), OUT(attr), NODE | CHANGES },
	[FUSE_STATFS] = { fs_op_statfs, 0, OUT(statfs), NODE | ROOT_OK },

	[FUSE_OPEN] = { fs_op_open, IN(open), OUT(open), NODE },
	[FUSE_RELEASE] = { fs_op_release, IN(release), 0, FILE_FH },
	[FUSE_READ] = { fs_op_read, IN(read), 0, FILE_FH },
	[FUSE_WRITE] = { fs_op_write, IN(write), OUT(write), FILE_FH },
	[FUSE_FLUSH] = { fs_op_flush, IN(flush), 0, FILE_FH },
	[FUSE_FSYNC] = { fs_op_fsync, IN(fsync), 0, FILE_FH },
	[FUSE_LSEEK] = { fs_op_lseek, IN(lseek), OUT(lseek), FILE_FH },
	[FUSE_FALLOCATE] = { fs_op_fallocate, IN(fallocate), 0, FILE_FH },
	[FUSE_COPY_FILE_RANGE] = { fs_op_copy_file_range, IN(copy), OUT(write), FILE_FH },

	[FUSE_OPENDIR] = { fs_op_opendir, IN(open), OUT(open), NODE | ROOT_OK | DIRECTORY },
	[FUSE_READDIR] = { fs_op_readdir, IN(read), 0, DIR_FH },
	[FUSE_READDIRPLUS] = { fs_op_readdirplus, IN(read), 0, DIR_FH },
	[FUSE_RELEASEDIR] = { fs_op_release, IN(release), 0, DIR_FH },
	[FUSE_FSYNCDIR] = { fs_op_fsync, IN(fsync), 0, DIR_FH },
	[FUSE_SYNCFS] = { fs_op_syncfs, 0, 0, 0 },

	/* Without FUSE_SETXATTR_EXT the argument is the short one. */
	[FUSE_SETXATTR] = { fs_op_setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE, 0, NODE | CHANGES },
	[FUSE_GETXATTR] = { fs_op_getxattr, IN(getxattr), 0, NODE | ROOT_OK },
	[FUSE_LISTXATTR] = { fs_op_listxattr, IN(getxattr), 0, NODE | ROOT_OK },
	[FUSE_REMOVEXATTR] = { fs_op_removexattr, 0, 0, NODE | CHANGES },

	[FUSE_GETLK] = { fs_op_getlk, IN(lk), OUT(lk), FILE_FH },
	[FUSE_SETLK] = { fs_op_setlk, IN(lk), 0, FILE_FH },
	[FUSE_SETLKW] = { fs_op_setlkw, IN(lk), 0, FILE_FH },

	[FUSE_POLL] = { fs_op_poll, IN(poll), OUT(poll), FILE_FH },
	[FUSE_IOCTL] = { op_no_ioctl, 0, 0, 0 },
	/* ACCESS (the guest decides itself), BMAP, DAX mappings: ENOSYS, asked once. */
};

/* --- answers --- */

size_t fs_reply_room(const struct fs_req *r)
{
	size_t header = sizeof(struct fuse_out_header);

	return r->c->in_left < header ? 0 : r->c->in_left - header;
}

static int put_header(struct fs_req *r, int error, size_t n)
{
	struct fuse_out_header h = { .len = (uint32_t)(sizeof(h) + n),
				     .error = error,
				     .unique = r->h.unique };

	return chain_put(r->c, &h, sizeof(h));
}

int fs_reply_iov(struct fs_req *r, size_t n)
{
	if (put_header(r, 0, n) < 0)
		return FS_OP_SILENT;
	chain_wrote(r->c, n);
	return FS_OP_DONE;
}

int fs_reply_data(struct fs_req *r, const void *data, size_t n)
{
	if (n > fs_reply_room(r) || put_header(r, 0, n) < 0 || chain_put(r->c, data, n) < 0)
		return -EINVAL;
	return FS_OP_DONE;
}

static enum fs_result finish(struct fs_req *r, const struct op *op, int ret)
{
	if (ret == FS_OP_LOCKED)
		return FS_LOCKED;
	if (ret == FS_OP_WAIT)
		return FS_WAIT;
	if (ret == FS_OP_OPENING)
		return FS_OPENING;
	if (ret == FS_OP_DONE)
		return FS_REPLY;
	if (ret == FS_OP_SILENT || (op && op->flags & SILENT))
		return FS_NO_REPLY;
	if (ret == 0 && op && fs_reply_data(r, &r->out, op->out_size) == FS_OP_DONE)
		return FS_REPLY;
	return put_header(r, ret < 0 ? ret : -EIO, 0) < 0 ? FS_NO_REPLY : FS_REPLY;
}

/* --- the way in --- */

static int read_message(struct fs_req *r, const struct op *op)
{
	size_t body = r->h.len - sizeof(r->h);
	size_t ext = r->h.total_extlen * (size_t)EXT_UNIT;

	if (body < op->in_size || ext > body - op->in_size)
		return -EINVAL;
	if (!(op->flags & SILENT) && fs_reply_room(r) < op->out_size)
		return -EINVAL;
	r->left = body - op->in_size - ext;
	return chain_get(r->c, &r->in, op->in_size) < 0 ? -EINVAL : 0;
}

static int find_node(struct fs_req *r, uint16_t flags)
{
	int ret;

	if (r->h.nodeid == FUSE_ROOT_ID) {
		if (flags & ROOT_OK)
			return 0;
		return flags & CHANGES ? -EROFS : -EPERM;
	}
	ret = fs_inode_get(r->fs, r->h.nodeid, &r->node);
	if (ret < 0)
		return ret;
	if (flags & DIRECTORY && r->node->type != S_IFDIR)
		return -ENOTDIR;
	if (flags & CHANGES && fs_readonly(r->fs, r->node))
		return -EROFS;
	return 0;
}

static int find_handle(struct fs_req *r, uint16_t flags)
{
	r->handle = fs_handle_get(r->fs, r->in.fh, r->h.nodeid);
	if (!r->handle || (r->handle->kind == FS_HANDLE_FILE) != !!(flags & FILE_FH))
		return -EBADF;
	return 0;
}

static int run(struct fs_req *r, const struct op *op)
{
	int ret = 0;

	if (!(op->flags & EARLY) && !atomic_load(&r->fs->ready))
		return -EIO;
	ret = read_message(r, op);
	if (ret == 0 && op->flags & NODE)
		ret = find_node(r, op->flags);
	if (ret == 0 && op->flags & (FILE_FH | DIR_FH))
		ret = find_handle(r, op->flags);
	return ret < 0 ? ret : op->run(r);
}

enum fs_result fs_serve(struct fs_server *fs, struct chain *c)
{
	struct fs_req r = { .fs = fs, .c = c };
	const struct op *op = NULL;
	size_t total = c->out_left;
	int ret;

	if (chain_get(c, &r.h, sizeof(r.h)) < 0)
		return FS_NO_REPLY; /* nothing to name in an answer */
	if (r.h.opcode < sizeof(ops) / sizeof(ops[0]) && ops[r.h.opcode].run)
		op = &ops[r.h.opcode];
	if (r.h.len != total)
		ret = -EINVAL;
	else
		ret = op ? run(&r, op) : -ENOSYS;

	fs_inode_put(fs, r.node);
	fs_inode_put(fs, r.node2);
	fs_handle_put(fs, r.handle);
	fs_handle_put(fs, r.handle2);
	if (ret < 0 && r.h.opcode == FUSE_OPEN)
		fs_fifo_give_up(fs, r.h.unique);
	return finish(&r, op, ret);
}

void fs_refuse(struct fs_server *fs, struct chain *c, int error)
{
	struct fs_req r = { .c = c };

	if (chain_get(c, &r.h, sizeof(r.h)) < 0)
		return; /* nothing to name in an answer */
	fs_fifo_give_up(fs, r.h.unique);
	if (put_header(&r, error, 0) < 0)
		return; /* no room for one */
}

/* --- session --- */

static int op_init(struct fs_req *r)
{
	struct fuse_init_out *out = &r->out.init;
	const struct fuse_init_in *in = &r->in.init;
	uint32_t want = OFFERED;
	uint32_t flags2 = 0;

	if (in->major < FUSE_KERNEL_VERSION ||
	    (in->major == FUSE_KERNEL_VERSION && in->minor < FS_PROTO_MIN_MINOR))
		return -EPROTO;
	out->major = FUSE_KERNEL_VERSION;
	out->minor = FS_PROTO_MINOR;
	if (in->major > FUSE_KERNEL_VERSION)
		return 0; /* the guest comes again with ours */

	if (atomic_exchange(&r->fs->ready, true))
		return -EIO; /* never reset what runs */
	if (in->flags & FUSE_INIT_EXT && chain_get(r->c, &flags2, sizeof(flags2)) < 0)
		flags2 = 0;
	atomic_store(&r->fs->guest_joins_fifos, (flags2 & FUSE_HOST_FIFOS_FLAGS2) != 0);
	if (r->fs->cfg.guest_locks)
		want &= ~(uint32_t)(FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS);
	out->max_readahead = in->max_readahead < FS_MAX_IO ? in->max_readahead : FS_MAX_IO;
	out->flags = in->flags & want;
	out->max_background = MAX_BACKGROUND;
	out->congestion_threshold = CONGESTION;
	out->max_write = FS_MAX_IO;
	out->time_gran = 1;
	out->max_pages = FS_MAX_PAGES;
	return 0;
}

void fs_end_session(struct fs_server *fs)
{
	atomic_store(&fs->ready, false);
	(void)pthread_mutex_lock(&fs->lock);
	memset(fs->openings, 0, sizeof(fs->openings));
	memset(fs->interrupted, 0, sizeof(fs->interrupted));
	(void)pthread_mutex_unlock(&fs->lock);
	fs_handle_close_all(fs);
	fs_inode_forget_all(fs);
	fs_tell_all(fs);
}

static int op_destroy(struct fs_req *r)
{
	fs_end_session(r->fs);
	return 0;
}

static int op_forget(struct fs_req *r)
{
	fs_inode_forget(r->fs, r->h.nodeid, r->in.forget.nlookup);
	return FS_OP_SILENT;
}

static int op_batch_forget(struct fs_req *r)
{
	struct fuse_forget_one one;

	if (r->in.batch_forget.count > r->left / sizeof(one))
		return FS_OP_SILENT;
	for (uint32_t i = 0; i < r->in.batch_forget.count; i++) {
		if (chain_get(r->c, &one, sizeof(one)) < 0)
			break;
		fs_inode_forget(r->fs, one.nodeid, one.nlookup);
	}
	return FS_OP_SILENT;
}

static int copy_config(struct fs_server *fs, const struct fs_config *cfg)
{
	struct fs_share *shares = calloc(cfg->n_shares + 1, sizeof(*shares));

	fs->cfg = *cfg;
	fs->cfg.shares = shares;
	fs->roots = calloc(cfg->n_shares + 1, sizeof(struct fs_inode *));
	fs->bucket = calloc(FIRST_BUCKETS, sizeof(struct fs_inode *));
	if (!shares || !fs->roots || !fs->bucket)
		return -ENOMEM;
	if (cfg->n_shares > 0)
		memcpy(shares, cfg->shares, cfg->n_shares * sizeof(*shares));
	fs->n_buckets = FIRST_BUCKETS;
	return 0;
}

static void free_server(struct fs_server **fs)
{
	fs_free(*fs);
}

int fs_new(const struct fs_config *cfg, struct fs_server **out_fs, struct err *e)
{
	OWN(free_server) struct fs_server *fs = NULL;
	int r;

	if (cfg->max_fds < FS_MIN_FDS)
		return err_set(e, EINVAL, "file server: %zu descriptors are too few", cfg->max_fds);
	fs = calloc(1, sizeof(*fs));
	if (!fs)
		return err_set(e, ENOMEM, "file server: out of memory");
	fs->fifo_epoll = -1;
	fs->fifo_probe[0] = -1;
	fs->fifo_probe[1] = -1;
	(void)pthread_mutex_init(&fs->lock, NULL);
	(void)pthread_mutex_init(&fs->probing, NULL);
	fs_table_init(&fs->inodes, FS_MAX_INODES);
	fs_table_init(&fs->handles, FS_MAX_HANDLES);
	if (copy_config(fs, cfg) < 0)
		return err_set(e, ENOMEM, "file server: out of memory");
	r = fs_fifo_init(fs);
	if (r < 0)
		return err_set(e, -r, "file server: watch FIFOs: %s", strerror(-r));
	for (size_t i = 0; i < cfg->n_shares; i++) {
		r = fs_inode_add_root(fs, (uint32_t)i, &fs->roots[i]);

		if (r < 0)
			return err_set(e, -r, "file server: share %zu: %s", i, strerror(-r));
	}
	*out_fs = TAKE(&fs);
	return 0;
}

void fs_free(struct fs_server *fs)
{
	if (!fs)
		return;
	fs_handle_close_all(fs);
	fs_inode_fini(fs);
	fs_fifo_fini(fs);
	fs_table_fini(&fs->handles);
	(void)pthread_mutex_destroy(&fs->lock);
	(void)pthread_mutex_destroy(&fs->probing);
	free(fs->roots);
	free((void *)(uintptr_t)fs->cfg.shares);
	free(fs);
}
