/* SPDX-License-Identifier: Apache-2.0 */
/* io - whole reads and writes, atomic files, descriptors over sockets. */
#ifndef RUNTIME_BASE_IO_H
#define RUNTIME_BASE_IO_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

#include "runtime/base/err.h"

/* Write all of @n bytes. Return: 0 or -errno. */
int io_write_all(int fd, const void *data, size_t n) MUST_CHECK;

/* Read exactly @n bytes. Return: 0, -errno, or -ENODATA when the end came first. */
int io_read_exact(int fd, void *data, size_t n) MUST_CHECK;

/*
 * Read all of @fd, at most @max bytes, into a fresh NUL-terminated buffer.
 * Return: 0, -errno, -EFBIG past @max.
 */
int io_read_all(int fd, size_t max, char **out_data, size_t *out_n) MUST_CHECK;

/* As io_read_all() of the file @path below @dirfd. */
int io_read_file(int dirfd, const char *path, size_t max, char **out_data, size_t *out_n) MUST_CHECK;

/* Write @path below @dirfd in place (proc, sysfs, cgroup). Return: 0 or -errno. */
int io_write_file(int dirfd, const char *path, const void *data, size_t n) MUST_CHECK;

/* Replace @path below @dirfd atomically by a file of @mode. Return: 0 or -errno. */
int io_replace_file(int dirfd, const char *path, mode_t mode, const void *data, size_t n) MUST_CHECK;

/*
 * The address of the socket @fd (O_PATH does), or with @below ("/NAME", else "") of the one of that name in the directory
 * @fd: a path may be longer than an address holds. It is good in processes that have @fd.
 */
struct sockaddr_un io_unix_address(int fd, const char *below);

#define IO_MAX_FDS 64u /* descriptors of one message; SCM_MAX_FD is 253 */

/* Send @n bytes and @nfds descriptors in one message. Return: 0 or -errno. */
int io_send_fds(int sock, const void *data, size_t n, const int *fds, size_t nfds) MUST_CHECK;

/*
 * Receive one message of at most @n bytes and @max_fds descriptors, close-on-exec.
 * Return: number of bytes (0 = end) or -errno; *out_nfds descriptors belong to the caller.
 */
ssize_t io_recv_fds(int sock, void *data, size_t n, int *out_fds, size_t max_fds,
		    size_t *out_nfds) MUST_CHECK;

#endif
