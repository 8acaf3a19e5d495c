/* SPDX-License-Identifier: Apache-2.0 */
/* stream - read and write host descriptors of any kind without ever blocking the loop. */
#ifndef VMM_STREAM_H
#define VMM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct stream {
	int fd;	       /* owned; -1: none */
	bool socket;   /* MSG_DONTWAIT does what O_NONBLOCK would */
	bool blocking; /* neither: look with poll() first and move little */
	bool pollable; /* epoll knows it; regular files and some devices are always ready */
};

/*
 * Take @fd over (it may be -1). A pipe or terminal is reopened through @proc_self_fd so that O_NONBLOCK
 * is ours alone: the flag of a shared open file would surprise its other users.
 */
void stream_init(struct stream *s, int fd, int proc_self_fd);
/* Take @fd over as what @kind (VM_FD_* of vmm/config.h) says it is: without a system call. */
void stream_adopt(struct stream *s, int fd, uint32_t kind);
void stream_close(struct stream *s);

/* Return: bytes moved, 0 at the end (read), -EAGAIN, or another -errno. */
ssize_t stream_readv(struct stream *s, const struct iovec *iov, int n);
ssize_t stream_writev(struct stream *s, const struct iovec *iov, int n);

#endif
