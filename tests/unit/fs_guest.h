/* SPDX-License-Identifier: Apache-2.0 */
/* fs_guest - a guest for tests of the file server: messages by hand, in chains of odd pieces. */
#ifndef TESTS_UNIT_FS_GUEST_H
#define TESTS_UNIT_FS_GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/fs.h"
#include "vmm/fs_proto.h"

#define GUEST_BUF (1u << 21)

struct guest {
	struct fs_server *fs;
	char dir[64]; /* temporary directory on the host */
	int dirfd;
	int procfd;
	struct fs_share share[3];
	uint64_t unique;
	uint32_t uid;
	uint32_t gid;
	enum fs_result result; /* of the last request */
	size_t n;	       /* bytes of answer behind the header */
	struct chain c;
	uint8_t msg[GUEST_BUF];
	uint8_t answer[GUEST_BUF];
};

/* Cut @n bytes at @p into pieces of 1, 7, 39, then pages. Return: number of pieces. */
static inline unsigned guest_cut(struct iovec *iov, uint8_t *p, size_t n)
{
	static const size_t first[] = { 1, 7, 39 };
	unsigned k = 0;

	while (n > 0) {
		size_t piece = k < 3 ? first[k] : 8192;

		if (piece > n)
			piece = n;
		iov[k++] = (struct iovec){ .iov_base = p, .iov_len = piece };
		p += piece;
		n -= piece;
	}
	return k;
}

/* Serve the @n bytes in g->msg with room for @room bytes of answer. Return: error of the answer. */
static inline int guest_serve(struct guest *g, size_t n, size_t room)
{
	struct fuse_out_header h;

	g->c.n_out = guest_cut(g->c.iov, g->msg, n);
	g->c.n_in = guest_cut(g->c.iov + g->c.n_out, g->answer, room);
	chain_rewind(&g->c);
	g->n = 0;
	g->result = fs_serve(g->fs, &g->c);
	if (g->result != FS_REPLY)
		return 1;
	memcpy(&h, g->answer, sizeof(h));
	if (h.len != g->c.written || h.len < sizeof(h) || h.len > room || h.unique != g->unique)
		return 2; /* a broken answer */
	g->n = h.len - sizeof(h);
	return h.error;
}

/* Put a message of header, @arg and @data into g->msg. Return: its length. */
static inline size_t guest_message(struct guest *g, uint32_t opcode, uint64_t nodeid,
				   const void *arg, size_t arg_n, const void *data, size_t data_n)
{
	struct fuse_in_header h = {
		.len = (uint32_t)(sizeof(h) + arg_n + data_n),
		.opcode = opcode,
		.unique = ++g->unique,
		.nodeid = nodeid,
		.uid = g->uid,
		.gid = g->gid,
		.pid = 1,
	};

	memcpy(g->msg, &h, sizeof(h));
	if (arg_n > 0)
		memcpy(g->msg + sizeof(h), arg, arg_n);
	if (data_n > 0)
		memcpy(g->msg + sizeof(h) + arg_n, data, data_n);
	return h.len;
}

/* One request with a big answer buffer. Return: error of the answer; 1 = none was given. */
static inline int guest_call(struct guest *g, uint32_t opcode, uint64_t nodeid, const void *arg,
			     size_t arg_n, const void *data, size_t data_n)
{
	size_t n = guest_message(g, opcode, nodeid, arg, arg_n, data, data_n);

	return guest_serve(g, n, GUEST_BUF / 2);
}

static inline int guest_name(struct guest *g, uint32_t opcode, uint64_t nodeid, const void *arg,
			     size_t arg_n, const char *name)
{
	return guest_call(g, opcode, nodeid, arg, arg_n, name, strlen(name) + 1);
}

static inline void *guest_body(struct guest *g)
{
	return g->answer + sizeof(struct fuse_out_header);
}

static inline int guest_init_with(struct guest *g, uint32_t flags2)
{
	struct fuse_init_in in = {
		.major = 7, .minor = 41, .max_readahead = 1 << 17, .flags = ~0u, .flags2 = flags2
	};

	return guest_call(g, FUSE_INIT, 0, &in, sizeof(in), NULL, 0);
}

/* As Linux that knows nothing of the host's FIFOs. */
static inline int guest_init(struct guest *g)
{
	return guest_init_with(g, 0);
}

/* Return: 0 with *out, or the error; -ENOENT for a negative entry. */
static inline int guest_lookup(struct guest *g, uint64_t parent, const char *name,
			       struct fuse_entry_out *out)
{
	int r = guest_name(g, FUSE_LOOKUP, parent, NULL, 0, name);

	if (r != 0)
		return r;
	memcpy(out, guest_body(g), sizeof(*out));
	return out->nodeid == 0 ? -ENOENT : 0;
}

static inline uint64_t guest_node(struct guest *g, uint64_t parent, const char *name)
{
	struct fuse_entry_out e;

	return guest_lookup(g, parent, name, &e) == 0 ? e.nodeid : 0;
}

static inline int guest_create(struct guest *g, uint64_t parent, const char *name, uint32_t flags,
			       uint32_t mode, uint64_t *nodeid, uint64_t *fh)
{
	struct fuse_create_in in = { .flags = flags, .mode = mode | S_IFREG, .umask = 022 };
	struct fuse_entry_out e;
	struct fuse_open_out o;
	int r = guest_name(g, FUSE_CREATE, parent, &in, sizeof(in), name);

	if (r != 0)
		return r;
	memcpy(&e, guest_body(g), sizeof(e));
	memcpy(&o, (uint8_t *)guest_body(g) + sizeof(e), sizeof(o));
	*nodeid = e.nodeid;
	*fh = o.fh;
	return 0;
}

static inline int guest_mkdir(struct guest *g, uint64_t parent, const char *name, uint32_t mode,
			      uint64_t *nodeid)
{
	struct fuse_mkdir_in in = { .mode = mode };
	struct fuse_entry_out e;
	int r = guest_name(g, FUSE_MKDIR, parent, &in, sizeof(in), name);

	if (r != 0)
		return r;
	memcpy(&e, guest_body(g), sizeof(e));
	*nodeid = e.nodeid;
	return 0;
}

/* OPEN or OPENDIR. */
static inline int guest_open(struct guest *g, uint32_t opcode, uint64_t nodeid, uint32_t flags,
			     struct fuse_open_out *out)
{
	struct fuse_open_in in = { .flags = flags };
	int r = guest_call(g, opcode, nodeid, &in, sizeof(in), NULL, 0);

	if (r == 0)
		memcpy(out, guest_body(g), sizeof(*out));
	return r;
}

/* RELEASE or RELEASEDIR. */
static inline int guest_release(struct guest *g, uint32_t opcode, uint64_t nodeid, uint64_t fh)
{
	struct fuse_release_in in = { .fh = fh };

	return guest_call(g, opcode, nodeid, &in, sizeof(in), NULL, 0);
}

static inline void guest_forget(struct guest *g, uint64_t nodeid, uint64_t n)
{
	struct fuse_forget_in in = { .nlookup = n };

	(void)guest_call(g, FUSE_FORGET, nodeid, &in, sizeof(in), NULL, 0);
}

/* WRITE. Return: bytes or the error. */
static inline int guest_write(struct guest *g, uint64_t nodeid, uint64_t fh, uint64_t off,
			      uint32_t flags, const void *data, uint32_t n)
{
	struct fuse_write_in in = { .fh = fh, .offset = off, .size = n, .flags = flags };
	struct fuse_write_out out;
	int r = guest_call(g, FUSE_WRITE, nodeid, &in, sizeof(in), data, n);

	if (r != 0)
		return r;
	memcpy(&out, guest_body(g), sizeof(out));
	return (int)out.size;
}

/* READ, data at guest_body(). Return: bytes or the error. */
static inline int guest_read(struct guest *g, uint64_t nodeid, uint64_t fh, uint64_t off,
			     uint32_t n)
{
	struct fuse_read_in in = { .fh = fh, .offset = off, .size = n };
	int r = guest_call(g, FUSE_READ, nodeid, &in, sizeof(in), NULL, 0);

	return r != 0 ? r : (int)g->n;
}

static inline int guest_getattr(struct guest *g, uint64_t nodeid, struct fuse_attr *out)
{
	struct fuse_getattr_in in = { .getattr_flags = 0 };
	int r = guest_call(g, FUSE_GETATTR, nodeid, &in, sizeof(in), NULL, 0);

	if (r == 0)
		memcpy(out, (uint8_t *)guest_body(g) + offsetof(struct fuse_attr_out, attr),
		       sizeof(*out));
	return r;
}

static inline int guest_rename(struct guest *g, uint64_t from, const char *a, uint64_t to,
			       const char *b, uint32_t flags)
{
	struct fuse_rename2_in in = { .newdir = to, .flags = flags };
	char names[512];
	size_t n = strlen(a) + 1;

	memcpy(names, a, n);
	memcpy(names + n, b, strlen(b) + 1);
	return guest_call(g, FUSE_RENAME2, from, &in, sizeof(in), names, n + strlen(b) + 1);
}

static inline int guest_setattr(struct guest *g, uint64_t node, const struct fuse_setattr_in *in,
				struct fuse_attr *out)
{
	int r = guest_call(g, FUSE_SETATTR, node, in, sizeof(*in), NULL, 0);

	if (r == 0)
		memcpy(out, (uint8_t *)guest_body(g) + offsetof(struct fuse_attr_out, attr),
		       sizeof(*out));
	return r;
}

static inline int guest_getxattr(struct guest *g, uint64_t node, const char *name, uint32_t size)
{
	struct fuse_getxattr_in in = { .size = size };

	return guest_name(g, FUSE_GETXATTR, node, &in, sizeof(in), name);
}

static inline int guest_remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	(void)f;
	return remove(path);
}

/*
 * A host directory with "rw", "ro" (read-only share) and "single" (a single-file share, "1" in the
 * share list being ro and "2" the file), and a server of these. Return: 0 or -1.
 */
static inline int guest_start(struct guest *g, size_t max_fds, bool single_id)
{
	struct fs_config cfg = { .shares = g->share,
				 .n_shares = 3,
				 .max_fds = max_fds,
				 .single_id = single_id,
				 .attr_ms = 1500 };
	struct err e;
	int fd;

	memset(g, 0, sizeof(*g));
	cfg.shares = g->share;
	(void)umask(0);
	g->uid = geteuid();
	g->gid = getegid();
	(void)snprintf(g->dir, sizeof(g->dir), "%s/coracle-fs.XXXXXX",
		       getenv("FS_TEST_DIR") ? getenv("FS_TEST_DIR") : "/tmp");
	if (!mkdtemp(g->dir))
		return -1;
	g->dirfd = open(g->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	g->procfd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (mkdirat(g->dirfd, "rw", 0755) < 0 || mkdirat(g->dirfd, "ro", 0755) < 0)
		return -1;
	fd = openat(g->dirfd, "single", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, "one file\n", 9) != 9)
		return -1;
	(void)close(fd);
	g->share[0].fd = openat(g->dirfd, "rw", O_PATH | O_CLOEXEC);
	g->share[0].fifos = true;
	g->share[1].fd = openat(g->dirfd, "ro", O_PATH | O_CLOEXEC);
	g->share[1].readonly = true;
	g->share[2].fd = openat(g->dirfd, "single", O_PATH | O_CLOEXEC);
	cfg.proc_self_fd = g->procfd;
	if (fs_new(&cfg, &g->fs, &e) < 0) {
		printf("# %s\n", e.msg);
		return -1;
	}
	return 0;
}

static inline void guest_stop(struct guest *g)
{
	fs_free(g->fs);
	for (int i = 0; i < 3; i++)
		(void)close(g->share[i].fd);
	(void)close(g->procfd);
	(void)close(g->dirfd);
	(void)nftw(g->dir, guest_remove_one, 32, FTW_DEPTH | FTW_PHYS);
}

/* Number of descriptors this process has open. */
static inline int guest_count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 4096; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

#endif
