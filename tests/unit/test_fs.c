/* SPDX-License-Identifier: Apache-2.0 */
/* test_fs - the file server as an honest guest sees it: names, data, attributes. */
#include <signal.h>
#include <sys/resource.h>
#include <sys/xattr.h>

#include "tests/unit/fs_guest.h"
#include "tests/unit/tap.h"
#include "vmm/fs_internal.h"

static struct guest g;

static void test_init(void)
{
	struct fuse_init_out out;

	is_int(guest_node(&g, FUSE_ROOT_ID, "0"), 0, "nothing before INIT");
	is_int(guest_init(&g), 0, "INIT");
	memcpy(&out, guest_body(&g), sizeof(out));
	is_int(g.n, sizeof(out), "INIT answer is whole");
	is_int(out.major, 7, "major");
	is_int(out.max_write, 1 << 20, "max_write");
	is_int(out.max_pages, 256, "max_pages");
	ok(out.flags & FUSE_HANDLE_KILLPRIV_V2, "KILLPRIV_V2");
	ok(!(out.flags & FUSE_WRITEBACK_CACHE), "no writeback cache");
	is_int(guest_init(&g), -EIO, "INIT again is refused");
}

static void test_lookup(void)
{
	struct fuse_entry_out e, f;
	struct fuse_attr a;

	is_int(guest_lookup(&g, FUSE_ROOT_ID, "0", &e), 0, "share 0");
	ok(S_ISDIR(e.attr.mode), "is a directory");
	is_int(e.attr_valid, 1, "validity, seconds");
	is_int(e.attr_valid_nsec, 500000000, "validity, rest");
	is_int(guest_lookup(&g, FUSE_ROOT_ID, "2", &f), 0, "share 2");
	ok(S_ISREG(f.attr.mode), "is a file");
	is_int(f.attr.size, 9, "its size");
	is_int(guest_lookup(&g, FUSE_ROOT_ID, "3", &f), -ENOENT, "no share 3");
	is_int(guest_lookup(&g, FUSE_ROOT_ID, "00", &f), -ENOENT, "no share 00");
	is_int(guest_lookup(&g, e.nodeid, "nope", &f), -ENOENT, "negative entry");
	is_int(f.entry_valid, 1, "with a validity");
	is_int(guest_getattr(&g, FUSE_ROOT_ID, &a), 0, "attributes of the root");
	is_int(a.mode, S_IFDIR | 0555, "mode of the root");
	is_int(guest_getattr(&g, 12345, &a), -ESTALE, "invented node");
}

/* A file that may not grow over 4096 bytes takes the place of a disk that is full. */
static void test_short(uint64_t node, uint64_t fh, const void *data)
{
	struct fuse_write_in in = { .fh = fh, .size = 8192, .write_flags = FUSE_WRITE_CACHE };
	struct rlimit was, low;

	if (getrlimit(RLIMIT_FSIZE, &was) < 0)
		abort();
	low = (struct rlimit){ 4096, was.rlim_max };
	(void)signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &low) < 0)
		abort();
	is_int(guest_write(&g, node, fh, 0, 0, data, 8192), 4096, "WRITE of what fits in part says how much");
	is_int(guest_call(&g, FUSE_WRITE, node, &in, sizeof(in), data, 8192), -EFBIG, "WRITE of pages is all or an error");
	if (setrlimit(RLIMIT_FSIZE, &was) < 0)
		abort();
	is_int(guest_call(&g, FUSE_WRITE, node, &in, sizeof(in), data, 8192), 0, "WRITE of pages");
	is_int(guest_read(&g, node, fh, 0, 1 << 20), 8192, "which are all there");
}

static void test_io(uint64_t dir)
{
	static uint8_t big[1 << 20];
	uint64_t node = 0, fh = 0, node2, fh2;
	struct fuse_open_out o;
	struct fuse_attr a;

	is_int(guest_create(&g, dir, "file", O_RDWR | O_EXCL, 0666, &node, &fh), 0, "CREATE");
	is_int(guest_write(&g, node, fh, 0, 0, "hello", 5), 5, "WRITE");
	is_int(guest_write(&g, node, fh, 0, O_APPEND, " world", 6), 6, "WRITE appending");
	is_int(guest_read(&g, node, fh, 0, 4096), 11, "READ");
	ok(memcmp(guest_body(&g), "hello world", 11) == 0, "what was written");
	is_int(guest_read(&g, node, fh, 1 << 30, 4096), 0, "READ past the end");
	is_int(guest_getattr(&g, node, &a), 0, "GETATTR");
	is_int(a.size, 11, "size");
	is_int(a.mode, S_IFREG | 0644, "mode without umask");
	is_int(guest_create(&g, dir, "file", O_RDWR | O_EXCL, 0666, &node2, &fh2), -EEXIST,
	       "O_EXCL");
	is_int(guest_create(&g, dir, "file", O_RDWR, 0666, &node2, &fh2), 0, "CREATE of existing");
	is_int(node2, node, "is the same node");
	is_int(guest_release(&g, FUSE_RELEASE, node2, fh2), 0, "RELEASE");
	is_int(guest_release(&g, FUSE_RELEASE, node2, fh2), -EBADF, "RELEASE twice");

	memset(big, 'x', sizeof(big));
	test_short(node, fh, big);
	is_int(guest_write(&g, node, fh, 0, 0, big, sizeof(big)), 1 << 20, "WRITE of 1 MiB");
	is_int(guest_read(&g, node, fh, 100, 1 << 20), (1 << 20) - 100, "READ of it");
	ok(memcmp(guest_body(&g), big, 1 << 19) == 0, "the same");
	is_int(guest_release(&g, FUSE_RELEASE, node, fh), 0, "RELEASE");

	is_int(guest_open(&g, FUSE_OPEN, node, O_RDONLY, &o), 0, "OPEN");
	ok(!(o.open_flags & FOPEN_KEEP_CACHE), "first: no cache kept");
	is_int(guest_release(&g, FUSE_RELEASE, node, o.fh), 0, "RELEASE");
	is_int(guest_open(&g, FUSE_OPEN, node, O_RDONLY, &o), 0, "OPEN");
	ok(o.open_flags & FOPEN_KEEP_CACHE, "unchanged: cache kept");
	is_int(guest_write(&g, node, o.fh, 0, 0, "x", 1), -EBADF, "WRITE on a read-only handle");
	is_int(guest_release(&g, FUSE_RELEASE, node, o.fh), 0, "RELEASE");
	is_int(guest_open(&g, FUSE_OPEN, node, O_RDWR | O_TRUNC, &o), 0, "OPEN with O_TRUNC");
	ok(!(o.open_flags & FOPEN_KEEP_CACHE), "changed: no cache kept");
	is_int(guest_read(&g, node, o.fh, 0, 10), 0, "is empty");
	is_int(guest_release(&g, FUSE_RELEASE, node, o.fh), 0, "RELEASE");
	is_int(guest_open(&g, FUSE_OPEN, node, O_ACCMODE, &o), -EINVAL, "access mode 3");
	is_int(guest_open(&g, FUSE_OPEN, dir, O_RDONLY, &o), -EISDIR, "OPEN of a directory");
}

static void test_single_file(void)
{
	uint64_t node = guest_node(&g, FUSE_ROOT_ID, "2");
	struct fuse_open_out o;
	struct fuse_entry_out e;

	is_int(guest_open(&g, FUSE_OPEN, node, O_RDWR, &o), 0, "OPEN of a file share");
	is_int(guest_read(&g, node, o.fh, 0, 100), 9, "READ it");
	is_int(guest_write(&g, node, o.fh, 0, 0, "ONE", 3), 3, "WRITE it");
	is_int(guest_release(&g, FUSE_RELEASE, node, o.fh), 0, "RELEASE");
	is_int(guest_lookup(&g, node, "rw", &e), -ENOTDIR, "no sibling below a file");
}

/* Count entries by reading all with answers of @room bytes. */
static int count_dir(uint64_t dir, uint32_t opcode, size_t room, int *nodes)
{
	struct fuse_read_in in = { .size = (uint32_t)room };
	size_t plus = opcode == FUSE_READDIRPLUS ? sizeof(struct fuse_entry_out) : 0;
	struct fuse_open_out o;
	int n = 0;

	*nodes = 0;
	if (guest_open(&g, FUSE_OPENDIR, dir, 0, &o) != 0)
		return -1;
	in.fh = o.fh;
	for (;;) {
		struct fuse_dirent d;
		size_t len = guest_message(&g, opcode, dir, &in, sizeof(in), NULL, 0);

		if (guest_serve(&g, len, room + sizeof(struct fuse_out_header)) != 0)
			return -1;
		if (g.n == 0)
			break;
		for (size_t at = 0; at < g.n;) {
			uint8_t *p = (uint8_t *)guest_body(&g) + at;
			struct fuse_entry_out e;

			if (plus) {
				memcpy(&e, p, sizeof(e));
				*nodes += e.nodeid != 0;
			}
			memcpy(&d, p + plus, sizeof(d));
			if (plus && e.nodeid && e.attr.ino != d.ino)
				return -2;
			in.offset = d.off;
			at += FUSE_REC_ALIGN(plus + FUSE_NAME_OFFSET + d.namelen);
			n++;
		}
	}
	(void)guest_release(&g, FUSE_RELEASEDIR, dir, o.fh);
	return n;
}

/* Directories left in the middle: those that keep no records go on where they were, too. */
static void test_many_open(uint64_t dir)
{
	enum { OPEN = FS_MAX_DIR_BUFS + 20 };
	static uint64_t fh[OPEN];
	struct fuse_read_in in = { .size = 700 };
	struct fuse_open_out o;
	unsigned before = atomic_load(&g.fs->n_dir_bufs);
	unsigned bad = 0, kept;
	int nodes;

	for (unsigned i = 0; i < OPEN; i++) {
		bad += guest_open(&g, FUSE_OPENDIR, dir, 0, &o) != 0;
		fh[i] = in.fh = o.fh;
		bad += guest_serve(&g, guest_message(&g, FUSE_READDIR, dir, &in, sizeof(in), NULL, 0),
				   700 + sizeof(struct fuse_out_header)) != 0;
		bad += g.n < 300;
	}
	kept = atomic_load(&g.fs->n_dir_bufs);
	ok(bad == 0 && kept == FS_MAX_DIR_BUFS, "of many open directories %u keep records", kept);
	is_int(count_dir(dir, FUSE_READDIR, 700, &nodes), 3002, "and another one is read to its end");
	for (unsigned i = 0; i < OPEN; i++)
		(void)guest_release(&g, FUSE_RELEASEDIR, dir, fh[i]);
	is_int(atomic_load(&g.fs->n_dir_bufs), before, "none of them are left");
}

static void test_readdir(uint64_t dir)
{
	uint64_t many = 0;
	int nodes, fd;

	is_int(guest_mkdir(&g, dir, "many", 0755, &many), 0, "MKDIR");
	fd = openat(g.dirfd, "rw/many", O_RDONLY | O_DIRECTORY);
	for (int i = 0; i < 3000; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "entry-%d-%.*s", i, i % 30,
			       "abcdefghijklmnopqrstuvwxyzabcd");
		(void)close(openat(fd, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	}
	(void)close(fd);
	is_int(count_dir(many, FUSE_READDIR, 700, &nodes), 3002, "READDIR, small answers");
	is_int(count_dir(many, FUSE_READDIR, 65536, &nodes), 3002, "READDIR, big answers");
	is_int(count_dir(many, FUSE_READDIRPLUS, 700, &nodes), 3002, "READDIRPLUS, small answers");
	is_int(nodes, 3000, "with a node each, but . and ..");
	is_int(count_dir(many, FUSE_READDIRPLUS, 4096, &nodes), 3002, "READDIRPLUS again");
	is_int(count_dir(FUSE_ROOT_ID, FUSE_READDIR, 64, &nodes), 5, "READDIR of the root");
	is_int(count_dir(FUSE_ROOT_ID, FUSE_READDIRPLUS, 4096, &nodes), 5,
	       "READDIRPLUS of the root");
	is_int(count_dir(many, FUSE_READDIR, 8, &nodes), -1, "no room for one entry is no end");
	test_many_open(many);
}

static void test_names(uint64_t dir)
{
	struct fuse_link_in link_in;
	uint64_t a = 0, b = 0, fh = 0, sub = 0, ro = guest_node(&g, FUSE_ROOT_ID, "1");
	struct fuse_entry_out e;
	struct fuse_attr at;

	is_int(guest_mkdir(&g, dir, "sub", 0700, &sub), 0, "MKDIR");
	is_int(guest_create(&g, dir, "a", O_WRONLY, 0600, &a, &fh), 0, "CREATE a");
	(void)guest_release(&g, FUSE_RELEASE, a, fh);
	is_int(guest_create(&g, dir, "b", O_WRONLY, 0600, &b, &fh), 0, "CREATE b");
	(void)guest_release(&g, FUSE_RELEASE, b, fh);
	is_int(guest_rename(&g, dir, "a", dir, "b", 1 /* NOREPLACE */), -EEXIST,
	       "RENAME_NOREPLACE");
	is_int(guest_rename(&g, dir, "a", dir, "b", 2 /* EXCHANGE */), 0, "RENAME_EXCHANGE");
	is_int(guest_node(&g, dir, "a"), b, "a is b");
	is_int(guest_node(&g, dir, "b"), a, "b is a");
	is_int(guest_rename(&g, dir, "a", dir, "b", 8), -EINVAL, "unknown flag");
	is_int(guest_rename(&g, dir, "b", sub, "c", 0), 0, "RENAME into another directory");
	is_int(guest_node(&g, sub, "c"), a, "is the same node");
	is_int(guest_rename(&g, dir, "a", ro, "a", 0), -EXDEV, "RENAME into another share");
	is_int(guest_rename(&g, dir, "sub", sub, "x", 0), -EINVAL, "RENAME below itself");
	is_int(guest_rename(&g, sub, "c", dir, "a", 0), 0, "RENAME over another");
	is_int(guest_node(&g, dir, "a"), a, "target is the moved one");
	is_int(guest_getattr(&g, b, &at), 0, "the replaced one lives on");
	is_int(at.nlink, 0, "without a name");

	link_in.oldnodeid = a;
	is_int(guest_name(&g, FUSE_LINK, sub, &link_in, sizeof(link_in), "hard"), 0, "LINK");
	memcpy(&e, guest_body(&g), sizeof(e));
	is_int(e.nodeid, a, "same node");
	is_int(e.attr.nlink, 2, "two links");
	is_int(guest_name(&g, FUSE_LINK, ro, &link_in, sizeof(link_in), "hard"), -EROFS,
	       "LINK to ro");
	is_int(guest_name(&g, FUSE_UNLINK, sub, NULL, 0, "hard"), 0, "UNLINK");
	is_int(guest_name(&g, FUSE_RMDIR, dir, NULL, 0, "sub"), 0, "RMDIR");
	is_int(guest_name(&g, FUSE_UNLINK, dir, NULL, 0, "a"), 0, "UNLINK");
	is_int(guest_getattr(&g, a, &at), 0, "an unlinked node still answers");
	guest_forget(&g, a, 1000);
	is_int(guest_getattr(&g, a, &at), -ESTALE, "until it is forgotten");
}

static void test_special(uint64_t dir)
{
	static const char text[] = "link\0/etc/passwd";
	struct fuse_mknod_in in = { .mode = S_IFIFO | 0644 };
	struct fuse_entry_out e;
	struct fuse_open_out o;

	is_int(guest_call(&g, FUSE_SYMLINK, dir, NULL, 0, text, sizeof(text)), 0, "SYMLINK");
	memcpy(&e, guest_body(&g), sizeof(e));
	ok(S_ISLNK(e.attr.mode), "is one");
	is_int(guest_call(&g, FUSE_READLINK, e.nodeid, NULL, 0, NULL, 0), 0, "READLINK");
	ok(g.n == 11 && memcmp(guest_body(&g), "/etc/passwd", 11) == 0, "its target");
	is_int(guest_open(&g, FUSE_OPEN, e.nodeid, O_RDONLY, &o), -ENXIO, "OPEN doesn't follow");

	is_int(guest_name(&g, FUSE_MKNOD, dir, &in, sizeof(in), "fifo"), 0, "MKNOD of a FIFO");
	memcpy(&e, guest_body(&g), sizeof(e));
	is_int(guest_open(&g, FUSE_OPEN, e.nodeid, O_RDONLY, &o), -ENXIO, "which is never opened");
	in.mode = S_IFSOCK | 0644;
	is_int(guest_name(&g, FUSE_MKNOD, dir, &in, sizeof(in), "sock"), 0, "MKNOD of a socket");
	in.mode = S_IFREG | 0644;
	is_int(guest_name(&g, FUSE_MKNOD, dir, &in, sizeof(in), "reg"), 0, "MKNOD of a file");
	in.mode = S_IFCHR | 0644;
	in.rdev = 0x103;
	is_int(guest_name(&g, FUSE_MKNOD, dir, &in, sizeof(in), "chr"), -EPERM,
	       "MKNOD of a device");
	in.mode = S_IFBLK | 0644;
	is_int(guest_name(&g, FUSE_MKNOD, dir, &in, sizeof(in), "blk"), -EPERM,
	       "MKNOD of a block device");
}

/* Whether the host lets us give files away: not without privilege, nor with a single id mapped. */
static bool can_chown(void)
{
	return fchownat(g.dirfd, "single", 5, 6, 0) == 0 &&
	       fchownat(g.dirfd, "single", g.uid, g.gid, 0) == 0;
}

static void test_setattr(uint64_t dir)
{
	uint64_t node = 0, fh = 0;
	struct fuse_setattr_in in = { .valid = FATTR_MODE, .mode = 06751 };
	struct fuse_statx_in sx = { .sx_mask = STATX_BASIC_STATS | STATX_BTIME };
	struct fuse_statx_out so;
	struct fuse_attr a;

	is_int(guest_create(&g, dir, "attr", O_RDWR, 0600, &node, &fh), 0, "CREATE");
	is_int(guest_setattr(&g, node, &in, &a), 0, "SETATTR of mode");
	is_int(a.mode & 07777, 06751, "with set-id bits");
	in = (struct fuse_setattr_in){ .valid = FATTR_SIZE | FATTR_KILL_SUIDGID, .size = 100 };
	is_int(guest_setattr(&g, node, &in, &a), 0, "SETATTR of size");
	is_int(a.size, 100, "size");
	is_int(a.mode & 07777, 0751, "killed set-id bits");
	in = (struct fuse_setattr_in){ .valid = FATTR_SIZE | FATTR_FH, .size = 50, .fh = fh };
	is_int(guest_setattr(&g, node, &in, &a), 0, "SETATTR of size by handle");
	is_int(a.size, 50, "size");
	in = (struct fuse_setattr_in){ .valid = FATTR_SIZE | FATTR_FH, .size = 50, .fh = fh + 1 };
	is_int(guest_setattr(&g, node, &in, &a), -EBADF, "by a wrong handle");
	in = (struct fuse_setattr_in){
		.valid = FATTR_MTIME | FATTR_ATIME, .mtime = 1000, .mtimensec = 7, .atime = 2000
	};
	is_int(guest_setattr(&g, node, &in, &a), 0, "SETATTR of times");
	ok(a.mtime == 1000 && a.mtimensec == 7 && a.atime == 2000, "times");
	in = (struct fuse_setattr_in){ .valid = FATTR_MTIME | FATTR_MTIME_NOW };
	is_int(guest_setattr(&g, node, &in, &a), 0, "SETATTR of now");
	ok(a.mtime > 1000000 && a.atime == 2000, "now, atime as it was");
	in = (struct fuse_setattr_in){ .valid = FATTR_UID, .uid = UINT32_MAX };
	is_int(guest_setattr(&g, node, &in, &a), -EINVAL, "uid -1");
	if (can_chown()) {
		in = (struct fuse_setattr_in){ .valid = FATTR_UID | FATTR_GID, .uid = 5, .gid = 6 };
		is_int(guest_setattr(&g, node, &in, &a), 0, "SETATTR of owner");
		ok(a.uid == 5 && a.gid == 6, "owner");
	}
	is_int(guest_call(&g, FUSE_STATX, node, &sx, sizeof(sx), NULL, 0), 0, "STATX");
	memcpy(&so, guest_body(&g), sizeof(so));
	is_int(so.stat.size, 50, "size");
	(void)guest_release(&g, FUSE_RELEASE, node, fh);
}

static void test_ownership(uint64_t dir)
{
	struct fuse_entry_out e;
	uint64_t node = 0, fh, sgid = 0;
	struct fuse_attr a;

	if (!can_chown()) {
		ok(1, "# SKIP ownership needs ids to give files to");
		return;
	}
	g.uid = 1000;
	g.gid = 1001;
	is_int(guest_create(&g, dir, "own", O_RDWR, 04755, &node, &fh), 0,
	       "CREATE by another user");
	is_int(guest_getattr(&g, node, &a), 0, "GETATTR");
	ok(a.uid == 1000 && a.gid == 1001, "belongs to the caller");
	is_int(a.mode & 07777, 04755, "keeps its set-id bit");
	(void)guest_release(&g, FUSE_RELEASE, node, fh);
	is_int(guest_mkdir(&g, dir, "sgid", 0755, &sgid), 0, "MKDIR");
	is_int(fchmodat(g.dirfd, "rw/sgid", 02775, 0), 0, "made set-gid");
	is_int(fchownat(g.dirfd, "rw/sgid", 1, 77, 0), 0, "with another group");
	is_int(guest_create(&g, sgid, "f", O_RDWR, 0644, &node, &fh), 0, "CREATE in it");
	is_int(guest_getattr(&g, node, &a), 0, "GETATTR");
	ok(a.uid == 1000 && a.gid == 77, "group of the directory");
	(void)guest_release(&g, FUSE_RELEASE, node, fh);
	is_int(guest_mkdir(&g, sgid, "d", 0755, &node), 0, "MKDIR in it");
	is_int(guest_getattr(&g, node, &a), 0, "GETATTR");
	ok(a.gid == 77 && (a.mode & S_ISGID), "group and set-gid are inherited");
	g.uid = UINT32_MAX;
	is_int(guest_mkdir(&g, dir, "nobody", 0755, &node), -EINVAL, "caller -1");
	is_int(guest_lookup(&g, dir, "nobody", &e), -ENOENT, "leaves nothing behind");
	g.uid = geteuid();
	g.gid = getegid();
}

static int do_setxattr(uint64_t node, const char *name, const char *value)
{
	struct {
		uint32_t size, flags;
	} in = { .size = (uint32_t)strlen(value) };
	char buf[512];
	int n = snprintf(buf, sizeof(buf), "%s%c%s", name, '\0', value);

	return guest_call(&g, FUSE_SETXATTR, node, &in, sizeof(in), buf, (size_t)n);
}

static void test_xattr(uint64_t dir)
{
	struct fuse_getxattr_in list = { .size = 4096 };
	uint64_t node = 0, fh = 0, link;
	uint32_t size;

	is_int(guest_create(&g, dir, "xattr", O_RDWR, 0600, &node, &fh), 0, "CREATE");
	(void)guest_release(&g, FUSE_RELEASE, node, fh);
	is_int(do_setxattr(node, "user.a", "value"), 0, "SETXATTR user.a");
	is_int(guest_getxattr(&g, node, "user.a", 0), 0, "GETXATTR of its size");
	memcpy(&size, guest_body(&g), sizeof(size));
	is_int(size, 5, "size");
	is_int(guest_getxattr(&g, node, "user.a", 3), -ERANGE, "too small");
	is_int(guest_getxattr(&g, node, "user.a", 100), 0, "GETXATTR");
	ok(g.n == 5 && memcmp(guest_body(&g), "value", 5) == 0, "value");
	is_int(do_setxattr(node, "user.coracle.owner", "0:0"), -EPERM, "ours is refused");
	is_int(do_setxattr(node, "trusted.x", "1"), -EPERM, "trusted.*");
	is_int(do_setxattr(node, "security.selinux", "1"), -EOPNOTSUPP, "security.selinux");
	is_int(do_setxattr(node, "security.capabilityx", "1"), -EOPNOTSUPP, "not quite capability");
	is_int(do_setxattr(node, "system.posix_acl_access", "1"), -EOPNOTSUPP, "ACL");
	is_int(do_setxattr(node, "user.", "1"), -EOPNOTSUPP, "user. alone");
	is_int(guest_getxattr(&g, node, "security.capability", 100), -ENODATA, "no capability");
	is_int(guest_getxattr(&g, node, "system.posix_acl_access", 100), -EOPNOTSUPP, "no ACL");

	is_int(setxattr(g.dir, "user.coracle.owner", "1:1", 3, 0), 0, "ours, on the host");
	is_int(guest_call(&g, FUSE_LISTXATTR, node, &list, sizeof(list), NULL, 0), 0, "LISTXATTR");
	ok(g.n == 7 && memcmp(guest_body(&g), "user.a", 7) == 0, "lists one");
	is_int(guest_name(&g, FUSE_REMOVEXATTR, node, NULL, 0, "user.a"), 0, "REMOVEXATTR");
	is_int(guest_getxattr(&g, node, "user.a", 100), -ENODATA, "is gone");
	link = guest_node(&g, dir, "link");
	is_int(guest_getxattr(&g, link, "user.a", 100), -ENODATA, "a symlink has none");
	is_int(do_setxattr(link, "user.a", "1"), -EPERM, "and gets none");
	is_int(guest_getxattr(&g, FUSE_ROOT_ID, "user.a", 100), -ENODATA, "nor has the root");
}

int main(void)
{
	uint64_t rw;

	if (guest_start(&g, 4096, false) < 0)
		return 1;
	test_init();
	rw = guest_node(&g, FUSE_ROOT_ID, "0");
	test_lookup();
	test_io(rw);
	test_single_file();
	test_readdir(rw);
	test_names(rw);
	test_special(rw);
	test_setattr(rw);
	test_ownership(rw);
	test_xattr(rw);
	guest_stop(&g);
	return tap_done();
}
