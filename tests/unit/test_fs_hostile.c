/* SPDX-License-Identifier: Apache-2.0 */
/* test_fs_hostile - the file server as a hostile guest sees it (security.md 3.3). */
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "tests/unit/fs_guest.h"
#include "tests/unit/tap.h"

#define LAST_OPCODE 60u
#define FSIZE_MAX (16u << 20) /* no random request shall fill the disk */

static struct guest g;
static uint64_t rw, ro, file, file_fh, dir_fh;

static uint32_t next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

/* Operations that take one name, with the argument before it. */
static const struct {
	uint32_t opcode;
	size_t arg;
} name_ops[] = {
	{ FUSE_LOOKUP, 0 },
	{ FUSE_UNLINK, 0 },
	{ FUSE_RMDIR, 0 },
	{ FUSE_MKNOD, sizeof(struct fuse_mknod_in) },
	{ FUSE_MKDIR, sizeof(struct fuse_mkdir_in) },
	{ FUSE_CREATE, sizeof(struct fuse_create_in) },
	{ FUSE_LINK, sizeof(struct fuse_link_in) },
};

#define N_NAME_OPS (sizeof(name_ops) / sizeof(name_ops[0]))

static void test_bad_names(void)
{
	static char long_name[65536];
	static const struct {
		const char *bytes;
		size_t n;
	} bad[] = {
		{ "..", 3 },	    { ".", 2 },		{ "", 1 },
		{ "", 0 },	    { "a/b", 4 },	{ "/", 2 },
		{ "/etc/x", 7 },    { "../x", 5 },	{ "a\0b", 4 },
		{ "a\0", 3 },	    { "noend", 5 },	{ "sub/", 5 },
		{ long_name, 257 }, { long_name, 300 }, { long_name, 65536 },
	};
	int refused = 0, wanted = 0;

	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[256] = '\0';
	for (size_t op = 0; op < N_NAME_OPS; op++) {
		for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++) {
			uint64_t arg[4] = { 0 };
			int r;

			arg[0] = name_ops[op].opcode == FUSE_LINK ? file
								  : 0644 | (uint64_t)S_IFREG << 32;
			r = guest_call(&g, name_ops[op].opcode, rw, arg, name_ops[op].arg,
				       bad[k].bytes, bad[k].n);
			wanted++;
			refused += r == -EINVAL || r == -ENAMETOOLONG;
			if (r != -EINVAL && r != -ENAMETOOLONG)
				printf("# opcode %u, name %zu: %d\n", name_ops[op].opcode, k, r);
		}
	}
	is_int(refused, wanted, "bad names are refused by every operation");
}

static void test_two_names(void)
{
	static const struct {
		const char *bytes;
		size_t n;
	} bad[] = {
		{ "a\0..", 5 }, { "..\0a", 5 }, { "a\0b/c", 6 }, { "a\0", 2 },	   { "a", 1 },
		{ "a\0\0", 3 }, { "\0a", 3 },	{ "a\0b", 3 },	 { "a\0b\0c", 6 }, { "", 0 },
	};
	struct fuse_rename2_in in = { .newdir = rw };
	int refused = 0, n = (int)(sizeof(bad) / sizeof(bad[0]));

	for (int k = 0; k < n; k++) {
		int r = guest_call(&g, FUSE_RENAME2, rw, &in, sizeof(in), bad[k].bytes, bad[k].n);

		refused += r == -EINVAL;
		if (r != -EINVAL)
			printf("# pair %d: %d\n", k, r);
	}
	is_int(refused, n, "bad pairs of names are refused");
	is_int(guest_call(&g, FUSE_SYMLINK, rw, NULL, 0, "../s\0/x", 8), -EINVAL, "SYMLINK ../s");
	is_int(guest_call(&g, FUSE_SYMLINK, rw, NULL, 0, "/s\0/x", 6), -EINVAL, "SYMLINK /s");
	is_int(guest_call(&g, FUSE_SYMLINK, rw, NULL, 0, "s\0/x", 4), -EINVAL,
	       "SYMLINK without end");
	is_int(guest_call(&g, FUSE_SYMLINK, rw, NULL, 0, "s\0", 3), -ENOENT, "SYMLINK to nothing");
}

static void test_symlinks(void)
{
	struct fuse_setattr_in set = { .valid = FATTR_SIZE };
	struct fuse_entry_out e;
	struct fuse_open_out o;
	struct stat st;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/canary", g.dir);
	is_int(symlinkat(path, g.dirfd, "rw/out"), 0, "a link out of the share");
	is_int(symlinkat("/", g.dirfd, "rw/slash"), 0, "a link to /");
	(void)close(openat(g.dirfd, "canary", O_CREAT | O_WRONLY, 0600));
	is_int(guest_lookup(&g, rw, "slash", &e), 0, "LOOKUP finds the link");
	ok(S_ISLNK(e.attr.mode), "itself");
	is_int(guest_lookup(&g, e.nodeid, "etc", &(struct fuse_entry_out){ 0 }), -ENOTDIR,
	       "not through it");
	is_int(guest_open(&g, FUSE_OPENDIR, e.nodeid, 0, &o), -ENOTDIR, "OPENDIR neither");
	is_int(guest_lookup(&g, rw, "out", &e), 0, "LOOKUP");
	is_int(guest_open(&g, FUSE_OPEN, e.nodeid, O_RDWR, &o), -ENXIO, "OPEN");
	is_int(guest_call(&g, FUSE_SETATTR, e.nodeid, &set, sizeof(set), NULL, 0), -EINVAL,
	       "truncate");
	set.valid = FATTR_MODE;
	set.mode = 0777;
	is_int(guest_call(&g, FUSE_SETATTR, e.nodeid, &set, sizeof(set), NULL, 0), -EOPNOTSUPP,
	       "chmod");
	(void)fstatat(g.dirfd, "canary", &st, 0);
	is_int(st.st_mode & 0777, 0600, "the target is as it was");
	{
		struct fuse_create_in in = { .flags = O_RDWR, .mode = S_IFREG | 0644 };

		is_int(guest_name(&g, FUSE_CREATE, rw, &in, sizeof(in), "out"), -ESTALE,
		       "CREATE doesn't follow");
	}
}

static void test_forged(void)
{
	struct fuse_read_in in = { .size = 100 };
	struct fuse_open_out o;
	struct fuse_attr a;
	uint64_t node = 0, fh = 0;
	int r = 0;

	is_int(guest_getattr(&g, 0, &a), -ESTALE, "node 0");
	is_int(guest_getattr(&g, UINT64_MAX, &a), -ESTALE, "node -1");
	is_int(guest_getattr(&g, file + (UINT64_C(1) << 32), &a), -ESTALE, "another generation");
	is_int(guest_getattr(&g, file + (1 << 20), &a), -ESTALE, "a slot never used");
	is_int(guest_read(&g, file, 0, 0, 10), -EBADF, "handle 0");
	is_int(guest_read(&g, file, UINT64_MAX, 0, 10), -EBADF, "handle -1");
	is_int(guest_read(&g, rw, file_fh, 0, 10), -EBADF, "handle of another node");
	is_int(guest_read(&g, rw, dir_fh, 0, 10), -EBADF, "READ of a directory handle");
	in.fh = file_fh;
	is_int(guest_call(&g, FUSE_READDIR, file, &in, sizeof(in), NULL, 0), -EBADF,
	       "READDIR of a file");
	is_int(guest_release(&g, FUSE_RELEASEDIR, file, file_fh), -EBADF, "RELEASEDIR of a file");
	is_int(guest_create(&g, rw, "short", O_RDWR, 0600, &node, &fh), 0, "CREATE");
	(void)guest_release(&g, FUSE_RELEASE, node, fh);
	is_int(guest_read(&g, node, fh, 0, 10), -EBADF, "READ after RELEASE");
	is_int(guest_open(&g, FUSE_OPEN, node, O_RDONLY, &o), 0, "OPEN reuses the slot");
	ok(o.fh != fh, "under another number");
	is_int(guest_read(&g, node, fh, 0, 10), -EBADF, "the old one stays dead");
	(void)guest_release(&g, FUSE_RELEASE, node, o.fh);
	is_int(guest_read(&g, file, file_fh, UINT64_MAX, 10), -EINVAL, "offset -1");
	is_int(guest_read(&g, file, file_fh, INT64_MAX, 10) <= 0, 1, "the last offset");
	r = guest_read(&g, file, file_fh, 0, UINT32_MAX);
	ok(r >= 0 && r <= 1 << 20, "READ of 4 GiB");
}

static void test_forget(void)
{
	struct {
		struct fuse_batch_forget_in in;
		struct fuse_forget_one one[3];
	} batch = { 0 };
	struct fuse_attr a;
	uint64_t node = guest_node(&g, rw, "short");

	guest_forget(&g, node, 0);
	is_int(g.result, FS_NO_REPLY, "FORGET isn't answered");
	is_int(guest_getattr(&g, node, &a), 0, "FORGET of 0");
	guest_forget(&g, node, UINT64_MAX);
	is_int(guest_getattr(&g, node, &a), -ESTALE, "FORGET of 2^64-1");
	guest_forget(&g, node, 1);
	guest_forget(&g, FUSE_ROOT_ID, UINT64_MAX);
	guest_forget(&g, rw, UINT64_MAX);
	is_int(guest_getattr(&g, rw, &a), 0, "a share's root can't be forgotten");
	guest_forget(&g, file, UINT64_MAX);
	is_int(guest_read(&g, file, file_fh, 0, 1), 1, "an open file can't either");
	node = guest_node(&g, rw, "short");
	batch.in.count = UINT32_MAX;
	batch.one[0] = (struct fuse_forget_one){ .nodeid = node, .nlookup = 1 };
	(void)guest_call(&g, FUSE_BATCH_FORGET, 0, &batch, sizeof(batch), NULL, 0);
	is_int(guest_getattr(&g, node, &a), 0, "a count that isn't there is ignored");
	batch.in.count = 3;
	(void)guest_call(&g, FUSE_BATCH_FORGET, 0, &batch, sizeof(batch), NULL, 0);
	is_int(guest_getattr(&g, node, &a), -ESTALE, "BATCH_FORGET");
	file = guest_node(&g, rw, "file");
}

static void test_readonly(void)
{
	static const uint32_t plain[] = { FUSE_UNLINK, FUSE_RMDIR, FUSE_REMOVEXATTR };
	struct fuse_setattr_in set = { .valid = FATTR_MODE, .mode = 0777 };
	uint64_t arg[4] = { 0644 | (uint64_t)S_IFREG << 32 }, node;
	struct fuse_open_out o;
	int r, good = 0;

	(void)close(openat(g.dirfd, "ro/f", O_CREAT | O_WRONLY, 0644));
	node = guest_node(&g, ro, "f");
	for (size_t i = 1; i < N_NAME_OPS; i++)
		good += guest_call(&g, name_ops[i].opcode, ro, arg, name_ops[i].arg, "n", 2) ==
			-EROFS;
	is_int(good, N_NAME_OPS - 1, "read-only: names");
	good = 0;
	for (size_t i = 0; i < 3; i++)
		good += guest_name(&g, plain[i], ro, NULL, 0, "f") == -EROFS;
	is_int(good, 3, "read-only: removals");
	is_int(guest_call(&g, FUSE_SYMLINK, ro, NULL, 0, "s\0x", 4), -EROFS, "read-only: SYMLINK");
	is_int(guest_call(&g, FUSE_RENAME2, ro, &arg[1], 16, "f\0x", 4), -EROFS,
	       "read-only: RENAME2");
	is_int(guest_call(&g, FUSE_TMPFILE, ro, arg, 16, "/", 2), -EROFS, "read-only: TMPFILE");
	is_int(guest_call(&g, FUSE_SETATTR, node, &set, sizeof(set), NULL, 0), -EROFS,
	       "read-only: SETATTR");
	is_int(guest_call(&g, FUSE_SETXATTR, node, &arg[1], 8, "user.x", 7), -EROFS,
	       "read-only: SETXATTR");
	is_int(guest_open(&g, FUSE_OPEN, node, O_RDWR, &o), -EROFS, "read-only: OPEN to write");
	is_int(guest_open(&g, FUSE_OPEN, node, O_RDONLY | O_TRUNC, &o), -EROFS,
	       "read-only: O_TRUNC");
	r = guest_open(&g, FUSE_OPEN, node, O_RDONLY, &o);
	is_int(r, 0, "read-only: OPEN to read");
	is_int(guest_write(&g, node, o.fh, 0, 0, "x", 1), -EBADF, "read-only: WRITE");
	(void)guest_release(&g, FUSE_RELEASE, node, o.fh);
	is_int(guest_name(&g, FUSE_MKDIR, FUSE_ROOT_ID, arg, 8, "x"), -EROFS, "the root: MKDIR");
	is_int(guest_name(&g, FUSE_UNLINK, FUSE_ROOT_ID, NULL, 0, "0"), -EROFS, "the root: UNLINK");
}

static void test_headers(void)
{
	size_t n;
	int r;

	n = guest_message(&g, FUSE_LOOKUP, rw, NULL, 0, "file", 5);
	g.msg[0]++; /* len */
	is_int(guest_serve(&g, n, 4096), -EINVAL, "len too big");
	n = guest_message(&g, FUSE_LOOKUP, rw, NULL, 0, "file", 5);
	is_int(guest_serve(&g, n + 1, 4096), -EINVAL, "len too small");
	is_int(guest_serve(&g, 39, 4096), 1, "no whole header");
	is_int(g.result, FS_NO_REPLY, "isn't answered");
	n = guest_message(&g, FUSE_LOOKUP, rw, NULL, 0, "file", 5);
	is_int(guest_serve(&g, n, 15), 1, "no room for an answer");
	is_int(guest_serve(&g, n, 16), -EINVAL, "room for an error only");
	is_int(guest_serve(&g, n, 16 + sizeof(struct fuse_entry_out)), 0,
	       "room for exactly the answer");
	n = guest_message(&g, FUSE_LOOKUP, rw, NULL, 0, "file", 5);
	g.msg[36] = 0xff; /* total_extlen */
	g.msg[37] = 0xff;
	is_int(guest_serve(&g, n, 4096), -EINVAL, "extensions that aren't there");
	is_int(guest_call(&g, 12345, rw, NULL, 0, NULL, 0), -ENOSYS, "unknown opcode");
	is_int(guest_call(&g, UINT32_MAX, rw, NULL, 0, NULL, 0), -ENOSYS, "opcode -1");
	r = guest_call(&g, FUSE_SETUPMAPPING, file, "0123456789012345678901234567890123456789", 40,
		       NULL, 0);
	is_int(r, -ENOSYS, "DAX");
}

static void test_init_forms(void)
{
	static const struct {
		uint32_t major, minor;
		int want;
	} forms[] = {
		{ 6, 38, -EPROTO }, { 7, 0, -EPROTO }, { 8, 0, 0 }, { 7, 31, 0 }, { 7, 99, -EIO },
	};
	static struct guest other;
	int good = 0, n = (int)(sizeof(forms) / sizeof(forms[0]));

	is_int(guest_start(&other, 64, false), 0, "another server");
	for (int i = 0; i < n; i++) {
		struct fuse_init_in in = { .major = forms[i].major, .minor = forms[i].minor };
		int r = guest_call(&other, FUSE_INIT, 0, &in, sizeof(in), NULL, 0);

		good += r == forms[i].want;
		if (r != forms[i].want)
			printf("# INIT %u.%u: %d\n", in.major, in.minor, r);
	}
	is_int(good, n, "forms of INIT");
	guest_stop(&other);
}

/* Every opcode with every length of argument and little room: what comes back must be well formed.
 */
static void test_lengths(void)
{
	static const uint8_t fill[] = { 0, 0xff, 'a' };
	static const uint16_t rooms[] = { 0, 8, 16, 40, 4096 };
	uint8_t body[160];
	int broken = 0;

	for (uint32_t op = 0; op <= LAST_OPCODE; op++) {
		if (op == FUSE_DESTROY)
			continue;
		for (size_t n = 0; n < sizeof(body); n++) {
			memset(body, fill[n % 3], sizeof(body));
			if (n % 2 && n >= 8)
				memcpy(body, &file_fh, sizeof(file_fh));
			for (size_t k = 0; k < 5; k++) {
				uint64_t node = n % 4 ? file : rw;
				size_t len = guest_message(&g, op, node, body, n, NULL, 0);

				memset(g.answer, 0x5a, 8192);
				broken += guest_serve(&g, len, rooms[k]) == 2;
				broken += g.c.written > rooms[k];
				for (size_t p = g.c.written; p < 4200; p++)
					broken += g.answer[p] != 0x5a && g.result == FS_REPLY &&
						  op != FUSE_READ;
			}
		}
	}
	is_int(broken, 0, "all opcodes, all lengths: well-formed answers");
}

/* What a random guest knows: nodes, and open files with the node they belong to. */
struct world {
	uint64_t random;
	uint64_t node[16];
	struct {
		uint64_t node, fh;
	} open[16];
};

/* Requests: bytes of argument, whether it starts with a handle of the node, whether a name follows.
 */
static const struct {
	uint32_t opcode;
	size_t arg;
	bool by_handle;
	bool name;
} shapes[] = {
	{ FUSE_LOOKUP, 0, false, true },	   { FUSE_GETATTR, 16, false, false },
	{ FUSE_SETATTR, 88, false, false },	   { FUSE_READLINK, 0, false, false },
	{ FUSE_MKNOD, 16, false, true },	   { FUSE_MKDIR, 8, false, true },
	{ FUSE_UNLINK, 0, false, true },	   { FUSE_RMDIR, 0, false, true },
	{ FUSE_RENAME2, 16, false, true },	   { FUSE_LINK, 8, false, true },
	{ FUSE_SYMLINK, 0, false, true },	   { FUSE_OPEN, 8, false, false },
	{ FUSE_OPENDIR, 8, false, false },	   { FUSE_CREATE, 16, false, true },
	{ FUSE_TMPFILE, 16, false, true },	   { FUSE_READ, 40, true, false },
	{ FUSE_WRITE, 56, true, false },	   { FUSE_READDIR, 40, true, false },
	{ FUSE_READDIRPLUS, 40, true, false },	   { FUSE_RELEASE, 24, true, false },
	{ FUSE_RELEASEDIR, 24, true, false },	   { FUSE_FLUSH, 24, true, false },
	{ FUSE_LSEEK, 24, true, false },	   { FUSE_FALLOCATE, 32, true, false },
	{ FUSE_COPY_FILE_RANGE, 56, true, false }, { FUSE_GETLK, 48, true, false },
	{ FUSE_SETLK, 48, true, false },	   { FUSE_SETLKW, 48, true, false },
	{ FUSE_INTERRUPT, 8, false, false },	   { FUSE_FORGET, 8, false, false },
	{ FUSE_SETXATTR, 8, false, true },	   { FUSE_GETXATTR, 8, false, true },
	{ FUSE_LISTXATTR, 8, false, false },	   { FUSE_REMOVEXATTR, 0, false, true },
	{ FUSE_STATFS, 0, false, false },	   { FUSE_STATX, 24, false, false },
	{ FUSE_POLL, 24, true, false },
};

#define N_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

/* Small numbers mostly, existing ids often, noise sometimes. */
static void random_words(struct world *w, uint8_t *p, size_t n)
{
	for (size_t k = 0; k + 8 <= n; k += 8) {
		uint64_t v = next_random(&w->random) % 4;

		switch (next_random(&w->random) % 8) {
		case 0:
			v = w->node[next_random(&w->random) % 16];
			break;
		case 1:
			v = w->open[next_random(&w->random) % 16].fh;
			break;
		case 2:
			v = (uint64_t)next_random(&w->random) << 32 | next_random(&w->random);
			break;
		case 3:
			v = next_random(&w->random) % 4096;
			break;
		default:
			v |= (uint64_t)(next_random(&w->random) % 4) << 32;
			break;
		}
		memcpy(p + k, &v, 8);
	}
}

static void learn(struct world *w, const struct guest *me, uint32_t op, uint64_t node)
{
	const uint8_t *p = me->answer + sizeof(struct fuse_out_header);
	uint32_t at = next_random(&w->random) % 16;
	struct fuse_entry_out e;

	if (op == FUSE_OPEN || op == FUSE_OPENDIR) {
		memcpy(&w->open[at].fh, p, 8);
		w->open[at].node = node;
	}
	if (me->n < sizeof(e) || op == FUSE_READ || op == FUSE_READDIR || op == FUSE_STATX)
		return;
	memcpy(&e, p, sizeof(e));
	if (e.nodeid)
		w->node[2 + at % 14] = e.nodeid;
	if (op == FUSE_CREATE || op == FUSE_TMPFILE) {
		memcpy(&w->open[at].fh, p + sizeof(e), 8);
		w->open[at].node = e.nodeid;
	}
}

static void random_requests(struct guest *me, uint64_t seed, int count)
{
	static const char *const names[] = { "a",    "b",    "file", "user.x",
					     "d\0e", "a\0b", "out",  "x\0a" };
	static const size_t lens[] = { 2, 2, 5, 7, 4, 4, 4, 4 };
	struct world w = { .random = seed,
			   .node = { FUSE_ROOT_ID, guest_node(me, FUSE_ROOT_ID, "0") } };

	for (int i = 0; i < count; i++) {
		uint32_t s = next_random(&w.random) % N_SHAPES, k = next_random(&w.random) % 8;
		uint64_t node =
			w.node[next_random(&w.random) % 3 ? next_random(&w.random) % 16 : 1];
		size_t n = shapes[s].arg;
		uint8_t body[128];

		random_words(&w, body, sizeof(body));
		if (shapes[s].by_handle) {
			uint32_t h = next_random(&w.random) % 16;

			node = w.open[h].node;
			memcpy(body, &w.open[h].fh, 8);
		}
		if (shapes[s].name) {
			memcpy(body + n, names[k], lens[k]);
			n += lens[k];
		}
		n = guest_message(me, shapes[s].opcode, node, body, n, NULL, 0);
		if (guest_serve(me, n, 4096) == 0)
			learn(&w, me, shapes[s].opcode, node);
	}
}

static struct guest helper[3];

static void *helper_main(void *arg)
{
	struct guest *me = arg;

	random_requests(me, (uint64_t)(me - helper) + 99, 60000);
	return NULL;
}

static void test_random(void)
{
	pthread_t thread[3];
	struct fuse_open_out o;
	uint64_t keep;
	int fds, n = 0;

	is_int(guest_start(&g, 40, false), 0, "a server with a small budget");
	(void)mkfifoat(g.dirfd, "rw/a", 0666);
	(void)signal(SIGPIPE, SIG_IGN);
	fds = guest_count_fds();
	is_int(guest_init_with(&g, FUSE_HOST_FIFOS_FLAGS2), 0, "INIT");
	for (int i = 0; i < 3; i++) {
		helper[i].fs = g.fs;
		helper[i].uid = g.uid;
		helper[i].gid = g.gid;
		helper[i].unique = (uint64_t)i << 40;
		n += pthread_create(&thread[i], NULL, helper_main, &helper[i]) == 0;
	}
	for (int i = 0; i < n; i++)
		(void)pthread_join(thread[i], NULL);
	is_int(n, 3, "three threads of random requests");
	keep = guest_node(&g, FUSE_ROOT_ID, "0");
	ok(keep != 0, "the server still answers");
	is_int(guest_call(&g, FUSE_DESTROY, 0, NULL, 0, NULL, 0), 0, "DESTROY");
	is_int(guest_count_fds() - fds, 0, "no descriptor is lost");
	is_int(guest_init(&g), 0, "INIT");
	for (n = 0; guest_open(&g, FUSE_OPENDIR, FUSE_ROOT_ID, 0, &o) == 0;)
		n++;
	is_int(n, 40, "and the budget is whole");
	guest_stop(&g);
}

int main(void)
{
	struct rlimit limit = { FSIZE_MAX, FSIZE_MAX };
	struct fuse_open_out o;

	(void)signal(SIGXFSZ, SIG_IGN);
	(void)setrlimit(RLIMIT_FSIZE, &limit);
	if (guest_start(&g, 4096, false) < 0 || guest_init(&g) != 0)
		return 1;
	rw = guest_node(&g, FUSE_ROOT_ID, "0");
	ro = guest_node(&g, FUSE_ROOT_ID, "1");
	is_int(guest_create(&g, rw, "file", O_RDWR, 0600, &file, &file_fh), 0, "CREATE");
	is_int(guest_write(&g, file, file_fh, 0, 0, "content", 7), 7, "WRITE");
	is_int(guest_open(&g, FUSE_OPENDIR, rw, 0, &o), 0, "OPENDIR");
	dir_fh = o.fh;
	test_bad_names();
	test_two_names();
	test_symlinks();
	test_forged();
	test_forget();
	test_readonly();
	test_headers();
	test_lengths();
	guest_stop(&g);
	test_init_forms();
	test_random();
	return tap_done();
}
