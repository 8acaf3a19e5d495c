/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs - the file server: FUSE requests of a hostile guest, served with descriptors only.
 *
 * Knows nothing of virtio: a request is a struct chain. No path string, no /proc lookup that the
 * guest can steer: O_PATH inodes, single-component names, *at() calls.
 */
/*
 * DOC: System calls
 *
 * fs_serve() makes these (Debian 12's glibc on x86-64), all relative to descriptors; openat on
 * proc_self_fd always names a number:
 *	statx openat openat2 close readlinkat getdents64 lseek
 *	preadv2 pwritev2 poll tee epoll_ctl epoll_wait ftruncate fallocate copy_file_range fsync fdatasync syncfs fstatfs
 *	mkdirat mknodat symlinkat linkat unlinkat renameat2 (glibc's name; flags 0 too: renameat)
 *	fchmodat fchownat utimensat fgetxattr fsetxattr flistxattr fremovexattr
 *	fcntl (F_OFD_SETLK, F_OFD_GETLK) flock
 * and what malloc (mmap munmap mremap brk madvise) and pthread mutexes (futex) need.
 * Its process ignores SIGXFSZ, has umask 0, and of capabilities in its user namespace CHOWN,
 * DAC_OVERRIDE, FOWNER, FSETID, SETFCAP.
 */
#ifndef VMM_FS_H
#define VMM_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/err.h"
#include "vmm/chain.h"

/* One entry of the synthetic root; its name is its number in decimal. */
struct fs_share {
	int fd; /* O_PATH (or open_tree) descriptor of a directory or a single file; owned by the
		   caller */
	bool readonly; /* also enforced by the mount behind fd; here for the right errno only */
	bool fifos;    /* its FIFOs join processes of guest and host; otherwise they are the guest's own */
};

struct fs_config {
	const struct fs_share *shares; /* number i is found as name "i" */
	size_t n_shares;
	int proc_self_fd; /* O_PATH directory /proc/self/fd: the one way to reopen an O_PATH inode
			   */
	size_t max_fds;	  /* descriptor budget for inodes and handles together */
	bool single_id;	  /* only one id is mapped: keep owners that the host refuses in an xattr */
	uint32_t attr_ms; /* validity of attributes and entries told to the guest */
	/*
	 * Locks stay inside the guest. Otherwise they hold against host processes as well, but
	 * virtiofs of Linux other than ours sends no INTERRUPT: a guest process that waits for one can't
	 * be killed before it gets it.
	 */
	bool guest_locks;
};

struct fs_server;

int fs_new(const struct fs_config *cfg, struct fs_server **out_fs, struct err *e) MUST_CHECK;
void fs_free(struct fs_server *fs);

/* Forget all that the guest knows and has open; it may begin anew with INIT. Context: any thread. */
void fs_end_session(struct fs_server *fs);

enum fs_result {
	FS_REPLY,    /* the answer is in the chain, chain->written bytes */
	FS_NO_REPLY, /* the request wants none (FORGET): push with 0 bytes */
	FS_LOCKED,    /* a lock is held by another: serve the same, rewound chain again later */
	FS_OPENING,  /* a FIFO's other end is not open yet: the same, and it may be long */
	FS_WAIT,     /* a FIFO is empty or full: the same when there is news of data */
};

/*
 * Serve one request, from a freshly popped or rewound chain.
 * Context: any thread, several at a time; may sleep in file system calls, never for a lock's owner.
 */
enum fs_result fs_serve(struct fs_server *fs, struct chain *c);

/* Answer a rewound chain with @error, a negative errno, instead of serving it again. */
void fs_refuse(struct fs_server *fs, struct chain *c, int error);

/* Return: a descriptor that is readable when fs_take_news() should be called; -1: never. Context: any thread. */
int fs_news_fd(const struct fs_server *fs);
void fs_take_news(struct fs_server *fs);

/* Numbers that change when requests that wait should be served again. */
struct fs_news {
	unsigned of_data; /* who waits by FS_WAIT */
	unsigned for_all;
};

/* To be read before a request is served, and compared when it waits. Context: any thread. */
struct fs_news fs_news(struct fs_server *fs);

#endif
