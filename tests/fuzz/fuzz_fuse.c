/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_fuse - libFuzzer target: the file server with a hostile guest.
 *
 * The input is a list of messages: two bytes of length, a byte that chooses how the chain is cut
 * and how much room the answer has, then the message from its opcode on. Header length, unique and
 * the ids of the caller are put right, or nothing would get past the first check; small node ids
 * and handles stand for those that were answered before.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/fs.h"
#include "vmm/fs_proto.h"

#define ROOM_MAX 16384u
#define KNOWN 8 /* nodes and handles remembered */
#define FSIZE_MAX (4u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char top[] = "/tmp/coracle-fuzz.XXXXXX";
static struct fs_share shares[2];
static int proc_fd;
static uint64_t nodes[KNOWN], handles[KNOWN];
static unsigned n_nodes, n_handles;

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st;
	(void)flag;
	return f->level > 0 ? remove(path) : 0;
}

static void clean_up(void)
{
	(void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	(void)rmdir(top);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct rlimit limit = { FSIZE_MAX, FSIZE_MAX };

	(void)argc;
	(void)argv;
	(void)umask(0);
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0 || !mkdtemp(top))
		abort();
	proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	(void)atexit(clean_up);
	return 0;
}

static struct fs_server *start(void)
{
	struct fs_config cfg = { .shares = shares,
				 .n_shares = 2,
				 .proc_self_fd = proc_fd,
				 .max_fds = 24,
				 .attr_ms = 1000 };
	struct fs_server *fs;
	struct err e;
	int fd;

	(void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	shares[0].fd = open(top, O_PATH | O_CLOEXEC);
	(void)mkdirat(shares[0].fd, "d", 0755);
	(void)symlinkat("/", shares[0].fd, "l");
	(void)mkfifoat(shares[0].fd, "p", 0644);
	fd = openat(shares[0].fd, "f", O_CREAT | O_RDWR | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, "content", 7) != 7)
		abort();
	(void)close(fd);
	shares[1].fd = openat(shares[0].fd, "f", O_PATH | O_CLOEXEC);
	shares[0].fifos = true;
	shares[1].readonly = true;
	if (fs_new(&cfg, &fs, &e) < 0)
		abort();
	n_nodes = 0;
	n_handles = 0;
	return fs;
}

/* Replace a small id at @p by one that was answered. */
static void known_id(uint8_t *p, const uint64_t *known, unsigned n)
{
	uint64_t id;

	memcpy(&id, p, sizeof(id));
	if (id >= 2 && id < KNOWN + 2 && n > 0)
		memcpy(p, &known[(id - 2) % n], sizeof(id));
}

static void learn(uint32_t opcode, const uint8_t *answer, size_t n)
{
	const uint8_t *body = answer + sizeof(struct fuse_out_header);

	if (n < sizeof(struct fuse_out_header) + sizeof(struct fuse_open_out))
		return;
	if (opcode == FUSE_OPEN || opcode == FUSE_OPENDIR)
		memcpy(&handles[n_handles++ % KNOWN], body, sizeof(handles[0]));
	if (n < sizeof(struct fuse_out_header) + sizeof(struct fuse_entry_out))
		return;
	if (opcode == FUSE_LOOKUP || opcode == FUSE_MKDIR || opcode == FUSE_MKNOD ||
	    opcode == FUSE_SYMLINK || opcode == FUSE_CREATE || opcode == FUSE_TMPFILE)
		memcpy(&nodes[n_nodes++ % KNOWN], body, sizeof(nodes[0]));
	if (opcode == FUSE_CREATE || opcode == FUSE_TMPFILE)
		memcpy(&handles[n_handles++ % KNOWN], body + sizeof(struct fuse_entry_out),
		       sizeof(handles[0]));
}

/* Serve one message. Everything is on the heap in its true size, for the sanitizer to see. */
static void serve(struct fs_server *fs, const uint8_t *data, size_t size, uint8_t how)
{
	static const size_t rooms[] = { 0, 15, 16, 144, 176, 304, 4096, ROOM_MAX };
	struct fuse_in_header h = { .opcode = FUSE_GETATTR, .unique = 1 };
	size_t len = sizeof(h) + size, room = rooms[how & 7], cut = how >> 3;
	struct chain *c = calloc(1, sizeof(*c));
	enum fs_result r = FS_NO_REPLY;
	uint8_t *msg = malloc(len), *answer = malloc(room + 1);

	if (!c || !msg || !answer)
		abort();
	if (size >= 9) {
		h.opcode = data[0] & 63;
		memcpy(&h.nodeid, data + 1, sizeof(h.nodeid));
		data += 9;
		size -= 9;
		len -= 9;
	}
	h.len = (uint32_t)len;
	known_id((uint8_t *)&h.nodeid, nodes, n_nodes < KNOWN ? n_nodes : KNOWN);
	memcpy(msg, &h, sizeof(h));
	memcpy(msg + sizeof(h), data, size);
	if (size >= 8 && h.opcode != FUSE_LINK && h.opcode != FUSE_RENAME2)
		known_id(msg + sizeof(h), handles, n_handles < KNOWN ? n_handles : KNOWN);
	else if (size >= 8)
		known_id(msg + sizeof(h), nodes, n_nodes < KNOWN ? n_nodes : KNOWN);

	if (cut > len)
		cut = len;
	c->iov[0] = (struct iovec){ .iov_base = msg, .iov_len = cut };
	c->iov[1] = (struct iovec){ .iov_base = msg + cut, .iov_len = len - cut };
	c->iov[2] = (struct iovec){ .iov_base = answer, .iov_len = cut < room ? cut : room };
	c->iov[3] = (struct iovec){ .iov_base = answer + c->iov[2].iov_len,
				    .iov_len = room - c->iov[2].iov_len };
	c->n_out = 2;
	c->n_in = 2;
	chain_rewind(c);
	if (h.opcode != FUSE_SYNCFS)
		r = fs_serve(fs, c);
	fs_take_news(fs);
	if (r == FS_LOCKED || r == FS_OPENING || r == FS_WAIT) {
		chain_rewind(c);
		/* a waiting request is served again, or there is no room for it to wait */
		if (how & 8)
			fs_refuse(fs, c, -ENOLCK);
		else
			r = fs_serve(fs, c);
	}
	if (r == FS_REPLY)
		learn(h.opcode, answer, c->written);
	free(answer);
	free(msg);
	free(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fs_server *fs = start();
	struct fuse_init_in init = { .major = 7, .minor = 38, .flags = ~0u, .flags2 = FUSE_HOST_FIFOS_FLAGS2 };
	uint8_t msg[9 + sizeof(init)] = { FUSE_INIT };
	uint8_t lookup[11] = { FUSE_LOOKUP, FUSE_ROOT_ID, 0, 0, 0, 0, 0, 0, 0, '0', 0 };

	memcpy(msg + 9, &init, sizeof(init));
	serve(fs, msg, sizeof(msg), 7);
	serve(fs, lookup, sizeof(lookup), 7);
	for (unsigned count = 0; size >= 3 && count < 64; count++) {
		size_t n = data[0] | (size_t)(data[1] & 3) << 8;
		uint8_t how = data[2];

		data += 3;
		size -= 3;
		if (n > size)
			n = size;
		serve(fs, data, n, how);
		data += n;
		size -= n;
	}
	fs_free(fs);
	(void)close(shares[0].fd);
	(void)close(shares[1].fd);
	return 0;
}
