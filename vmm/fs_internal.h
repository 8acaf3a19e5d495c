/* SPDX-License-Identifier: Apache-2.0 */
/* fs_internal - what the files of the file server share; nobody else includes it. */
#ifndef VMM_FS_INTERNAL_H
#define VMM_FS_INTERNAL_H

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "vmm/fs.h"
#include "vmm/fs_inode.h"
#include "vmm/fs_proto.h"
#include "vmm/fs_table.h"

/* The published caps of the file server. */
#define FS_MAX_IO (1u << 20)	      /* bytes of data in one READ or WRITE */
#define FS_MAX_PAGES 256	      /* the same in pages, as INIT wants it */
#define FS_MAX_INODES (1u << 21)      /* entries, with or without a descriptor */
#define FS_MAX_NAME_BYTES (64u << 20) /* of all remembered names together */
#define FS_MAX_HANDLES (1u << 16)     /* open files and directories; the budget is below it */
#define FS_MAX_LOCK_OWNERS 4096	      /* (inode, owner) pairs with POSIX locks */
#define FS_MAX_OWNER_RANGES 1024      /* ranges that such a pair has locked */
#define FS_MAX_LOCK_RANGES 32768      /* and all of them: 192 bytes of the host's kernel each, which no cgroup pays for */
#define FS_MAX_DEPTH 1024	      /* evicted ancestors in a row that we walk */
#define FS_MAX_DEVS 256		      /* host file systems with inode numbers of their own */
#define FS_MAX_XATTR 65536	      /* Linux XATTR_SIZE_MAX, XATTR_LIST_MAX */
#define FS_MAX_READDIR 65536	      /* bytes of one READDIR answer */
#define FS_MAX_COPY (1u << 30)	      /* bytes of one COPY_FILE_RANGE */
#define FS_DIR_BUF 8192		      /* bytes of getdents64 kept per directory in use */
#define FS_MAX_DIR_BUFS 256	      /* directories that keep them between two requests */
#define FS_MIN_FDS 8		      /* smallest budget that can walk a tree */
#define FS_INTERRUPTS 512	      /* interrupted request ids remembered: more than can wait */
#define FS_MAX_OPENINGS 64	      /* OPENs for reading that wait for a FIFO's first writer */

#define FS_OWNER_XATTR "user.coracle.owner"
#define FS_PRIVATE_XATTRS "user.coracle." /* hidden from the guest */
#define FS_CAPABILITY_XATTR "security.capability"

struct fs_server {
	struct fs_config cfg;	 /* cfg.shares is our copy */
	struct fs_inode **roots; /* one per share */
	atomic_bool ready;	 /* INIT is done */
	atomic_bool guest_joins_fifos; /* it said so with INIT */
	atomic_uint news_of_data; /* what fs_news() returns */
	atomic_uint news_for_all;
	int fifo_epoll;		 /* ends of FIFOs that requests wait for; -1: no share has any */
	pthread_mutex_t probing; /* the next; held as long as a process of the host makes a FIFO wait */
	int fifo_probe[2];	 /* a pipe that is empty otherwise */
	atomic_uint n_dir_bufs;
	pthread_mutex_t lock;	 /* all below; never held across slow system calls */
	struct fs_table inodes;
	struct fs_table handles;
	struct fs_inode **bucket; /* hash over identity */
	size_t n_buckets;	  /* a power of two */
	size_t n_hashed;
	struct fs_inode *lru_head; /* idle longest: evicted first */
	struct fs_inode *lru_tail;
	size_t n_fds; /* reserved descriptors */
	size_t name_bytes;
	size_t n_locks;
	size_t n_lock_ranges;
	uint64_t interrupted[FS_INTERRUPTS]; /* a ring */
	unsigned interrupted_at;
	struct fs_opening {
		uint64_t unique;
		uint64_t fh; /* 0: free */
		uint64_t nodeid;
	} openings[FS_MAX_OPENINGS];
	uint64_t devs[FS_MAX_DEVS]; /* append-only: readable up to n_devs without the lock */
	atomic_uint n_devs;
};

enum fs_handle_kind { FS_HANDLE_FILE, FS_HANDLE_DIR, FS_HANDLE_ROOT };

struct fs_handle {
	uint64_t fh;
	enum fs_handle_kind kind;
	int fd;			/* -1 for the synthetic root */
	struct fs_inode *inode; /* NULL for the synthetic root */
	uint32_t refs;
	uint32_t armed;		/* of a FIFO: events that fs_news_fd() tells of; under the server's lock */
	bool watched;		/* and whether it knows fd */
	pthread_mutex_t dir_lock; /* the members below and the position of fd */
	uint8_t *dir_buf;	  /* getdents64 records not yet handed out */
	size_t dir_at;
	size_t dir_end;
	uint64_t dir_off; /* position of the record at dir_at */
};

/* Free what a directory keeps. Context: h->dir_lock held, or nobody else has @h. */
void fs_dir_drop(struct fs_server *fs, struct fs_handle *h);

struct fs_create_out {
	struct fuse_entry_out entry;
	struct fuse_open_out open;
};

union fs_in {
	struct fuse_init_in init;
	struct fuse_forget_in forget;
	struct fuse_batch_forget_in batch_forget;
	struct fuse_getattr_in getattr;
	struct fuse_setattr_in setattr;
	struct fuse_statx_in statx;
	struct fuse_mknod_in mknod;
	struct fuse_mkdir_in mkdir;
	struct fuse_rename_in rename;
	struct fuse_rename2_in rename2;
	struct fuse_link_in link;
	struct fuse_open_in open;
	struct fuse_create_in create;
	struct fuse_release_in release;
	struct fuse_flush_in flush;
	struct fuse_read_in read;
	struct fuse_write_in write;
	struct fuse_fsync_in fsync;
	struct fuse_setxattr_in setxattr;
	struct fuse_getxattr_in getxattr;
	struct fuse_lk_in lk;
	struct fuse_interrupt_in interrupt;
	struct fuse_fallocate_in fallocate;
	struct fuse_lseek_in lseek;
	struct fuse_copy_file_range_in copy;
	struct fuse_poll_in poll;
	uint64_t fh; /* where an operation has a handle, it comes first */
};

union fs_out {
	struct fuse_init_out init;
	struct fuse_entry_out entry;
	struct fuse_attr_out attr;
	struct fuse_statx_out statx;
	struct fuse_open_out open;
	struct fs_create_out create;
	struct fuse_write_out write;
	struct fuse_statfs_out statfs;
	struct fuse_getxattr_out getxattr;
	struct fuse_lk_out lk;
	struct fuse_lseek_out lseek;
	struct fuse_poll_out poll;
};

/* One request being served; on the stack of fs_serve(). */
struct fs_req {
	struct fs_server *fs;
	struct chain *c;
	struct fuse_in_header h; /* checked copy */
	union fs_in in;		 /* copy of the fixed argument */
	size_t left;		 /* bytes of the message after it, still in the chain */
	union fs_out out;	 /* zeroed; the first out_len bytes are the answer */
	size_t out_len;
	struct fs_inode *node;	  /* inode of h.nodeid; NULL for the synthetic root */
	struct fs_inode *node2;	  /* a second one, pinned by the operation, put by fs_serve() */
	struct fs_handle *handle; /* of in.fh */
	struct fs_handle *handle2;
};

/* What an operation returns besides 0 (answer r->out) and -errno. */
#define FS_OP_DONE 1   /* the answer is in the chain */
#define FS_OP_LOCKED 2  /* fs_serve() returns FS_LOCKED */
#define FS_OP_SILENT 3 /* fs_serve() returns FS_NO_REPLY */
#define FS_OP_WAIT 4   /* fs_serve() returns FS_WAIT */
#define FS_OP_OPENING 5 /* fs_serve() returns FS_OPENING */

/* Operations by file. */
int fs_op_lookup(struct fs_req *r);
int fs_op_readlink(struct fs_req *r);
int fs_op_unlink(struct fs_req *r);
int fs_op_rmdir(struct fs_req *r);
int fs_op_rename(struct fs_req *r);
int fs_op_rename2(struct fs_req *r);
int fs_op_link(struct fs_req *r);

int fs_op_symlink(struct fs_req *r);
int fs_op_mknod(struct fs_req *r);
int fs_op_mkdir(struct fs_req *r);
int fs_op_create(struct fs_req *r);
int fs_op_tmpfile(struct fs_req *r);

int fs_op_getattr(struct fs_req *r);
int fs_op_statx(struct fs_req *r);
int fs_op_setattr(struct fs_req *r);
int fs_op_statfs(struct fs_req *r);

int fs_op_open(struct fs_req *r);
int fs_op_release(struct fs_req *r);
int fs_op_read(struct fs_req *r);
int fs_op_write(struct fs_req *r);
int fs_op_flush(struct fs_req *r);
int fs_op_fsync(struct fs_req *r);
int fs_op_lseek(struct fs_req *r);
int fs_op_fallocate(struct fs_req *r);
int fs_op_copy_file_range(struct fs_req *r);

int fs_op_opendir(struct fs_req *r);
int fs_op_readdir(struct fs_req *r);
int fs_op_readdirplus(struct fs_req *r);
int fs_op_syncfs(struct fs_req *r);

int fs_op_setxattr(struct fs_req *r);
int fs_op_getxattr(struct fs_req *r);
int fs_op_listxattr(struct fs_req *r);
int fs_op_removexattr(struct fs_req *r);

int fs_op_getlk(struct fs_req *r);
int fs_op_setlk(struct fs_req *r);
int fs_op_setlkw(struct fs_req *r);
int fs_op_interrupt(struct fs_req *r);

int fs_op_poll(struct fs_req *r);

/* fs.c: answers whose data is already in, or is copied to, the chain after the header's place. */

/* Account for @n bytes written behind the header's place, and write the header. Return: FS_OP_DONE.
 */
int fs_reply_iov(struct fs_req *r, size_t n);
/* Answer with @n bytes of @data. Return: FS_OP_DONE, or -EINVAL when they don't fit. */
int fs_reply_data(struct fs_req *r, const void *data, size_t n) MUST_CHECK;
/* Return: bytes of data that an answer to @r can hold. */
size_t fs_reply_room(const struct fs_req *r);

/* fs_names.c: what the guest may say. */

/* Return: 0, -EINVAL or -ENAMETOOLONG; 0 means a single component that cannot leave its directory.
 */
int fs_name_check(const char *name, size_t len) MUST_CHECK;
/* The rest of the message is exactly one name with its NUL. @out_name: NAME_MAX + 1 bytes. */
int fs_get_name(struct fs_req *r, char *out_name) MUST_CHECK;
/*
 * The rest of the message is exactly two strings with their NULs, the first one a name.
 * @buf: @n bytes for both. @out_second points into it and is not checked any further.
 */
int fs_get_two(struct fs_req *r, char *buf, size_t n, const char **out_second) MUST_CHECK;

/* fs_host.c: the only ways we ask the host for an object. */

/* @name in @dirfd, or @dirfd itself if "". A symlink is described, not followed. */
int fs_statx(int dirfd, const char *name, struct statx *out_stx) MUST_CHECK;
/* O_PATH descriptor of the single component @name, which may be a symlink but is not followed. */
int fs_open_child(int dirfd, const char *name) MUST_CHECK;
/* Open again what @fd is: a regular file or a directory, a FIFO with O_NONBLOCK, or anything with O_PATH. */
int fs_reopen(struct fs_server *fs, int fd, int flags) MUST_CHECK;
int fs_chmod(struct fs_server *fs, int fd, mode_t mode) MUST_CHECK;
/* Clear set-id bits of the regular file @fd as a write by an unprivileged user does. */
int fs_kill_priv(struct fs_server *fs, int fd) MUST_CHECK;
/* Return: whether the share of @inode refuses changes. */
bool fs_readonly(const struct fs_server *fs, const struct fs_inode *inode);

/* fs_attr.c: what the guest is told about an object. */
uint64_t fs_guest_ino(struct fs_server *fs, uint64_t dev, uint64_t ino);
uint64_t fs_stx_dev(const struct statx *stx);
void fs_fill_attr(struct fs_server *fs, const struct fs_inode *inode, const struct statx *stx,
		  struct fuse_attr *out_attr);
void fs_fill_entry(struct fs_server *fs, const struct fs_inode *inode, const struct statx *stx,
		   struct fuse_entry_out *out_entry);
void fs_fill_negative(struct fs_server *fs, struct fuse_entry_out *out_entry);
void fs_owner_get(struct fs_server *fs, const struct fs_inode *inode, struct fs_owner *out_owner);

/* fs_owner.c */

/* Read the kept owner of the object @fd (O_PATH) of @mode; none when there is none to be read. */
void fs_owner_load(struct fs_server *fs, int fd, uint32_t mode, struct fs_owner *out_owner);
/* Owner changes as the guest asks; UINT32_MAX = as it is. */
int fs_owner_change(struct fs_server *fs, struct fs_inode *inode, uint32_t uid,
		    uint32_t gid) MUST_CHECK;
/* Give the new object @fd (O_PATH), as @stx, to the caller; @stx is renewed when that changes it.
 */
int fs_owner_new(struct fs_req *r, int fd, uint32_t mode, struct statx *stx) MUST_CHECK;

/* fs_ops_name.c */

/*
 * Look @name up and count it. @lazy: no descriptor before it is needed.
 * Return: 0 with a pinned inode, or -errno.
 */
int fs_lookup(struct fs_server *fs, struct fs_inode *parent, const char *name, bool lazy,
	      struct statx *out_stx, struct fs_inode **out_inode) MUST_CHECK;

/* fs_ops_file.c */

/* Return: flags for a host open of a regular file, or -EINVAL. */
int fs_open_flags(uint32_t guest_flags) MUST_CHECK;
/* Open the pinned regular file @inode. */
int fs_open_inode(struct fs_req *r, struct fs_inode *inode, uint32_t guest_flags,
		  uint32_t open_flags, struct fuse_open_out *out_open) MUST_CHECK;

/* fs_handle.c */

/*
 * Make a handle. @fd and its reservation are owned from now on even in failure.
 * Return: 0, -ENFILE, -ENOMEM.
 */
int fs_handle_new(struct fs_server *fs, enum fs_handle_kind kind, struct fs_inode *inode, int fd,
		  uint64_t *out_fh) MUST_CHECK;
/* Hold the handle @fh, which must be one of the inode @nodeid. Return: NULL when it isn't. */
struct fs_handle *fs_handle_get(struct fs_server *fs, uint64_t fh, uint64_t nodeid);
void fs_handle_put(struct fs_server *fs, struct fs_handle *h);
/* The guest closes it; it goes away with its last user. */
void fs_handle_close(struct fs_server *fs, struct fs_handle *h);
void fs_handle_close_all(struct fs_server *fs);

/* fs_budget.c. The server's lock is held for these three; the others are in fs_inode.h. */

/* Take @i off the list of inodes whose descriptor may be closed. */
void fs_lru_del(struct fs_server *fs, struct fs_inode *i);
/* Put @i at the young end of that list, or take it off, as its state says. */
void fs_lru_update(struct fs_server *fs, struct fs_inode *i);
int fs_fd_reserve_locked(struct fs_server *fs, size_t n) MUST_CHECK;

/* fs_ops_fifo.c */
int fs_fifo_init(struct fs_server *fs) MUST_CHECK; /* Return: 0 or -errno */
void fs_fifo_fini(struct fs_server *fs);
/* Return: whether @inode is a FIFO that the guest shares with the host, not one of its own. */
bool fs_fifo_joins(const struct fs_server *fs, const struct fs_inode *inode);
/* OPEN of r->node, READ and WRITE of r->handle, which are such FIFOs: as the operations return. */
int fs_fifo_open(struct fs_req *r);
int fs_fifo_read(struct fs_req *r, const struct iovec *iov, int k);
int fs_fifo_write(struct fs_req *r, const struct iovec *iov, int k);
/* The OPEN @unique, if it has waited for a FIFO, will not be served again. */
void fs_fifo_give_up(struct fs_server *fs, uint64_t unique);
/* All requests that wait are to be served again. */
void fs_tell_all(struct fs_server *fs);

/* fs_ops_lock.c */

/* Return: whether the guest gave @unique up, which is forgotten by that. */
bool fs_interrupted(struct fs_server *fs, uint64_t unique);
void fs_lock_drop_owner(struct fs_server *fs, struct fs_inode *inode, uint64_t owner);

/* The handle @fh is being closed: the locks go that were last changed through it. */
void fs_lock_drop_handle(struct fs_server *fs, struct fs_inode *inode, uint64_t fh);

/* Drop a list of locks that nobody else knows any more. NULL is fine. */
void fs_lock_free(struct fs_server *fs, struct fs_lock *list);

#endif
