/* SPDX-License-Identifier: Apache-2.0 */
/* test_fs_state - the file server's locks, extents, budget and kept owners. */
#include <sched.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "tests/unit/fs_guest.h"
#include "tests/unit/tap.h"

static struct guest g;

static int lock_at(uint32_t op, uint64_t node, uint64_t fh, uint64_t owner, uint32_t type, uint32_t fl,
		   uint64_t start, uint64_t end)
{
	struct fuse_lk_in in = {
		.fh = fh,
		.owner = owner,
		.lk = { .start = start, .end = end, .type = type, .pid = (uint32_t)owner },
		.lk_flags = fl
	};

	return guest_call(&g, op, node, &in, sizeof(in), NULL, 0);
}

static int do_lock(uint32_t op, uint64_t node, uint64_t fh, uint64_t owner, uint32_t type, uint32_t fl)
{
	return lock_at(op, node, fh, owner, type, fl, 10, 19);
}

static int lock_range(uint64_t node, uint64_t fh, uint64_t owner, uint32_t type, uint64_t start, uint64_t end)
{
	return lock_at(FUSE_SETLK, node, fh, owner, type, 0, start, end);
}

/* What is counted has to be what the host's kernel keeps: a program that goes on and on must not come to the cap. */
static void test_lock_ranges(uint64_t dir)
{
	enum { FILES = 33 };
	uint64_t node = 0, fh = 0, nodes[FILES], fhs[FILES];
	unsigned bad = 0;
	int ret = 0;

	is_int(guest_create(&g, dir, "ranges", O_RDWR, 0600, &node, &fh), 0, "CREATE");
	for (unsigned i = 0; i < 3000; i++)
		bad += lock_range(node, fh, 1, F_WRLCK, i, i) != 0;
	for (unsigned i = 0; i < 3000; i++)
		bad += lock_range(node, fh, 1, i % 2 ? F_RDLCK : F_WRLCK, 100, 199) != 0;
	for (unsigned i = 0; i < 3000; i++) {
		bad += lock_range(node, fh, 1, F_UNLCK, 1000, 1099) != 0;
		bad += lock_range(node, fh, 1, F_WRLCK, 1050, 1060) != 0;
	}
	is_int(bad, 0, "ranges that merge are one");
	is_int(lock_range(node, fh, 1, F_UNLCK, 0, INT64_MAX), 0, "none are left");
	for (unsigned i = 0; i < 2000 && ret == 0; i++) {
		ret = lock_range(node, fh, 1, F_WRLCK, 2 * i, 2 * i);
		bad += ret == 0;
	}
	ok(ret == -ENOLCK && bad == 1024, "an owner has 1024 of them");
	is_int(lock_range(node, fh, 1, F_WRLCK, 1, 1), 0, "one between two makes fewer");
	is_int(lock_range(node, fh, 1, F_WRLCK, 5000, 5000), 0, "which are free then");
	bad = 0;
	for (unsigned f = 0; f < FILES; f++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "ranges%u", f);
		bad += guest_create(&g, dir, name, O_RDWR, 0600, &nodes[f], &fhs[f]) != 0;
		for (unsigned i = 0; i < 1024; i++)
			bad += lock_range(nodes[f], fhs[f], 1, F_WRLCK, 2 * i, 2 * i) != 0;
	}
	is_int(bad, (FILES + 1) * 1024 - 32768, "all of them have 32768");
	is_int(lock_range(node, fh, 1, F_UNLCK, 0, INT64_MAX), 0, "one unlocks");
	is_int(lock_range(nodes[FILES - 1], fhs[FILES - 1], 1, F_WRLCK, 5000, 5000), 0, "and there is room for others");
	for (unsigned f = 0; f < FILES; f++) {
		(void)lock_range(nodes[f], fhs[f], 1, F_UNLCK, 0, INT64_MAX);
		(void)guest_release(&g, FUSE_RELEASE, nodes[f], fhs[f]);
	}
	is_int(guest_release(&g, FUSE_RELEASE, node, fh), 0, "RELEASE");
}

static void test_locks(uint64_t dir)
{
	struct fuse_flush_in flush = { .lock_owner = 1 };
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 12, .l_len = 1 };
	uint64_t node = 0, fh = 0, unique;
	struct fuse_interrupt_in intr;
	struct fuse_open_out o, two;
	struct fuse_lk_out lk;
	int fd;

	is_int(guest_create(&g, dir, "lock", O_RDWR, 0600, &node, &fh), 0, "CREATE");
	is_int(guest_open(&g, FUSE_OPEN, node, O_RDWR, &o), 0, "OPEN");
	flush.fh = fh;
	is_int(do_lock(FUSE_SETLK, node, fh, 1, F_WRLCK, 0), 0, "owner 1 locks");
	is_int(do_lock(FUSE_SETLK, node, fh, 1, F_WRLCK, 0), 0, "owner 1 again");
	is_int(do_lock(FUSE_SETLK, node, fh, 2, F_RDLCK, 0), -EAGAIN, "owner 2 can't");
	is_int(do_lock(FUSE_GETLK, node, o.fh, 2, F_RDLCK, 0), 0, "GETLK");
	memcpy(&lk, guest_body(&g), sizeof(lk));
	ok(lk.lk.type == F_WRLCK && lk.lk.start == 10 && lk.lk.end == 19 && lk.lk.pid == 1,
	   "says who");
	fd = openat(g.dirfd, "rw/lock", O_RDWR | O_CLOEXEC);
	is_int(fcntl(fd, F_SETLK, &fl), -1, "a host process can't either");
	is_int(do_lock(FUSE_SETLKW, node, fh, 2, F_RDLCK, 0), 1, "SETLKW isn't answered");
	is_int(g.result, FS_LOCKED, "but to be tried again");
	unique = g.unique;
	chain_rewind(&g.c);
	is_int(fs_serve(g.fs, &g.c), FS_LOCKED, "still");
	intr.unique = unique;
	(void)guest_call(&g, FUSE_INTERRUPT, 0, &intr, sizeof(intr), NULL, 0);
	is_int(g.result, FS_NO_REPLY, "INTERRUPT");
	g.unique = unique - 1;
	is_int(do_lock(FUSE_SETLKW, node, fh, 2, F_RDLCK, 0), -EINTR, "ends it");
	is_int(guest_call(&g, FUSE_FLUSH, node, &flush, sizeof(flush), NULL, 0), 0,
	       "owner 1 closes");
	is_int(do_lock(FUSE_SETLKW, node, fh, 2, F_RDLCK, 0), 0, "owner 2 gets it");
	is_int(do_lock(FUSE_SETLK, node, fh, 2, F_UNLCK, 0), 0, "and unlocks");
	is_int(fcntl(fd, F_SETLK, &fl), 0, "now the host can");
	is_int(do_lock(FUSE_SETLK, node, fh, 1, F_WRLCK, 0), -EAGAIN, "and the guest can't");
	fl.l_type = F_UNLCK;
	(void)fcntl(fd, F_SETLK, &fl);

	is_int(do_lock(FUSE_SETLK, node, fh, 1, F_WRLCK, FUSE_LK_FLOCK), 0, "flock");
	is_int(do_lock(FUSE_SETLK, node, o.fh, 1, F_WRLCK, FUSE_LK_FLOCK), -EAGAIN,
	       "by another file");
	(void)do_lock(FUSE_SETLKW, node, o.fh, 1, F_RDLCK, FUSE_LK_FLOCK);
	is_int(g.result, FS_LOCKED, "waits");
	is_int(flock(fd, LOCK_SH | LOCK_NB), -1, "the host sees it");
	is_int(guest_release(&g, FUSE_RELEASE, node, fh), 0, "RELEASE");
	is_int(do_lock(FUSE_SETLK, node, o.fh, 1, F_WRLCK, FUSE_LK_FLOCK), 0, "drops it");
	is_int(guest_open(&g, FUSE_OPEN, node, O_RDWR, &two), 0, "OPEN once more");
	is_int(do_lock(FUSE_SETLK, node, two.fh, 4, F_WRLCK, 0), 0, "an open file locks (OFD)");
	is_int(do_lock(FUSE_SETLK, node, o.fh, 3, F_WRLCK, 0), -EAGAIN, "owner 3 can't");
	is_int(guest_release(&g, FUSE_RELEASE, node, two.fh), 0, "its RELEASE, without FLUSH");
	is_int(do_lock(FUSE_SETLK, node, o.fh, 3, F_WRLCK, 0), 0, "owner 3 locks");
	is_int(guest_release(&g, FUSE_RELEASE, node, o.fh), 0, "the last RELEASE without FLUSH");
	fl.l_type = F_WRLCK;
	is_int(fcntl(fd, F_SETLK, &fl), 0, "leaves no lock");
	(void)close(fd);
}

static void test_extents(uint64_t dir)
{
	struct fuse_fallocate_in fa = { .length = 1 << 20 };
	struct fuse_lseek_in ls = { .offset = 0, .whence = SEEK_HOLE };
	struct fuse_copy_file_range_in cp = { .len = 4096 };
	struct fuse_fsync_in fsy = { .fsync_flags = 1 };
	uint64_t node = 0, fh = 0, node2 = 0, fh2 = 0;
	struct fuse_statfs_out st;
	struct fuse_lseek_out lo;
	struct fuse_attr a;

	is_int(guest_create(&g, dir, "ext", O_RDWR, 0600, &node, &fh), 0, "CREATE");
	is_int(guest_create(&g, dir, "ext2", O_RDWR, 0600, &node2, &fh2), 0, "CREATE");
	is_int(guest_write(&g, node, fh, 1 << 16, 0, "data", 4), 4, "WRITE behind a hole");
	ls.fh = fh;
	ls.whence = SEEK_DATA;
	is_int(guest_call(&g, FUSE_LSEEK, node, &ls, sizeof(ls), NULL, 0), 0, "LSEEK");
	memcpy(&lo, guest_body(&g), sizeof(lo));
	is_int(lo.offset, 1 << 16, "finds data");
	ls.whence = SEEK_SET;
	is_int(guest_call(&g, FUSE_LSEEK, node, &ls, sizeof(ls), NULL, 0), -EINVAL,
	       "SEEK_SET is none");
	fa.fh = fh;
	is_int(guest_call(&g, FUSE_FALLOCATE, node, &fa, sizeof(fa), NULL, 0), 0, "FALLOCATE");
	is_int(guest_getattr(&g, node, &a), 0, "GETATTR");
	is_int(a.size, 1 << 20, "size");
	fa.mode = 0x40;
	is_int(guest_call(&g, FUSE_FALLOCATE, node, &fa, sizeof(fa), NULL, 0), -EOPNOTSUPP,
	       "odd mode");
	cp.fh_in = fh;
	cp.off_in = 1 << 16;
	cp.fh_out = fh2;
	cp.nodeid_out = node2;
	is_int(guest_call(&g, FUSE_COPY_FILE_RANGE, node, &cp, sizeof(cp), NULL, 0), 0,
	       "COPY_FILE_RANGE");
	is_int(guest_read(&g, node2, fh2, 0, 4), 4, "READ the copy");
	ok(memcmp(guest_body(&g), "data", 4) == 0, "is one");
	cp.nodeid_out = node;
	is_int(guest_call(&g, FUSE_COPY_FILE_RANGE, node, &cp, sizeof(cp), NULL, 0), -EBADF,
	       "wrong node");
	fsy.fh = fh;
	is_int(guest_call(&g, FUSE_FSYNC, node, &fsy, sizeof(fsy), NULL, 0), 0, "FSYNC");
	is_int(guest_call(&g, FUSE_STATFS, node, NULL, 0, NULL, 0), 0, "STATFS");
	memcpy(&st, guest_body(&g), sizeof(st));
	ok(st.st.blocks > 0 && st.st.namelen == 255, "numbers");
	is_int(guest_call(&g, FUSE_SYNCFS, FUSE_ROOT_ID, &cp, 8, NULL, 0), 0, "SYNCFS");
	(void)guest_release(&g, FUSE_RELEASE, node, fh);
	(void)guest_release(&g, FUSE_RELEASE, node2, fh2);
}

static void test_tmpfile(uint64_t dir)
{
	struct fuse_create_in in = { .flags = O_RDWR | O_TMPFILE, .mode = S_IFREG | 0640 };
	struct fuse_link_in link_in;
	struct fuse_entry_out e;
	struct fuse_open_out o;
	int r;

	r = guest_name(&g, FUSE_TMPFILE, dir, &in, sizeof(in), "/");
	if (r == -EOPNOTSUPP) {
		ok(1, "# SKIP no O_TMPFILE here");
		return;
	}
	is_int(r, 0, "TMPFILE");
	memcpy(&e, guest_body(&g), sizeof(e));
	memcpy(&o, (uint8_t *)guest_body(&g) + sizeof(e), sizeof(o));
	is_int(e.attr.nlink, 0, "no name");
	is_int(e.attr.mode & 07777, 0640, "mode");
	is_int(guest_write(&g, e.nodeid, o.fh, 0, 0, "tmp", 3), 3, "WRITE");
	link_in.oldnodeid = e.nodeid;
	is_int(guest_name(&g, FUSE_LINK, dir, &link_in, sizeof(link_in), "named"), 0, "LINK it");
	(void)guest_release(&g, FUSE_RELEASE, e.nodeid, o.fh);
	is_int(guest_node(&g, dir, "named"), e.nodeid, "has a name");
}

static void test_killpriv(uint64_t dir)
{
	struct fuse_write_in in = { .size = 1, .write_flags = FUSE_WRITE_KILL_SUIDGID };
	uint64_t node = 0, fh = 0;
	struct fuse_attr a;

	is_int(guest_create(&g, dir, "suid", O_RDWR, 06755, &node, &fh), 0, "CREATE set-id");
	in.fh = fh;
	is_int(guest_call(&g, FUSE_WRITE, node, &in, sizeof(in), "x", 1), 0,
	       "WRITE with KILL_SUIDGID");
	is_int(guest_getattr(&g, node, &a), 0, "GETATTR");
	is_int(a.mode & 07777, 0755, "kills");
	(void)guest_release(&g, FUSE_RELEASE, node, fh);
}

/* Their requests don't say who may keep the bits. */
static void test_killpriv_without_a_word(uint64_t dir)
{
	struct fuse_fallocate_in fa = { .length = 4096 };
	struct fuse_copy_file_range_in cp = { .len = 1 };
	uint64_t node = 0, fh = 0, from = 0, from_fh = 0;
	struct fuse_attr a;

	is_int(guest_create(&g, dir, "suid2", O_RDWR, 06755, &node, &fh), 0, "CREATE set-id");
	fa.fh = fh;
	is_int(guest_call(&g, FUSE_FALLOCATE, node, &fa, sizeof(fa), NULL, 0), 0, "FALLOCATE");
	is_int(guest_getattr(&g, node, &a), 0, "GETATTR");
	is_int(a.mode & 07777, 0755, "FALLOCATE kills set-id");
	(void)guest_release(&g, FUSE_RELEASE, node, fh);
	is_int(guest_create(&g, dir, "suid3", O_RDWR, 06755, &node, &fh), 0, "CREATE set-id");
	is_int(guest_create(&g, dir, "from", O_RDWR, 06755, &from, &from_fh), 0, "CREATE what is copied");
	is_int(guest_write(&g, from, from_fh, 0, 0, "x", 1), 1, "WRITE");
	cp.fh_in = from_fh;
	cp.nodeid_out = node;
	cp.fh_out = fh;
	is_int(guest_call(&g, FUSE_COPY_FILE_RANGE, from, &cp, sizeof(cp), NULL, 0), 0, "COPY_FILE_RANGE");
	is_int(guest_getattr(&g, node, &a), 0, "GETATTR");
	is_int(a.mode & 07777, 0755, "COPY_FILE_RANGE kills set-id");
	is_int(guest_getattr(&g, from, &a), 0, "GETATTR of what is copied");
	is_int(a.mode & 07777, 06755, "which keeps its own");
	(void)guest_release(&g, FUSE_RELEASE, node, fh);
	(void)guest_release(&g, FUSE_RELEASE, from, from_fh);
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int r = fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : 0;

	(void)close(fd);
	return r;
}

/* In a child: a user namespace with one id, where the host refuses others. */
static int single_id_child(void)
{
	uint64_t rw, node = 0, fh = 0, sub = 0;
	struct fuse_setattr_in in = { .valid = FATTR_UID, .uid = 0 };
	const struct fuse_setattr_in given = { .valid = FATTR_UID | FATTR_KILL_SUIDGID, .uid = 5 };
	/* struct vfs_cap_data of version 2: CAP_CHOWN, permitted and effective */
	const uint8_t caps[20] = { 1, 0, 0, 2, 1 };
	char map[64], text[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	struct fuse_attr a;
	ssize_t n;
	int fd;

	if (unshare(CLONE_NEWUSER) < 0)
		return 77;
	(void)snprintf(map, sizeof(map), "0 %u 1", uid);
	(void)snprintf(text, sizeof(text), "0 %u 1", gid);
	if (put("/proc/self/uid_map", map) < 0 || put("/proc/self/setgroups", "deny") < 0 ||
	    put("/proc/self/gid_map", text) < 0)
		return 77;
	if (guest_start(&g, 64, true) < 0 || guest_init(&g) != 0)
		return 1;
	g.uid = 1000;
	g.gid = 1000;
	rw = guest_node(&g, FUSE_ROOT_ID, "0");
	if (guest_create(&g, rw, "f", O_RDWR, 0644, &node, &fh) != 0)
		return 2;
	if (guest_getattr(&g, node, &a) != 0 || a.uid != 1000 || a.gid != 1000)
		return 3;
	(void)guest_release(&g, FUSE_RELEASE, node, fh);
	if (guest_mkdir(&g, rw, "d", 0755, &sub) != 0 || guest_getattr(&g, sub, &a) != 0 ||
	    a.uid != 1000)
		return 4;
	if (guest_call(&g, FUSE_SYMLINK, rw, NULL, 0, "l\0x", 4) != 0)
		return 5;
	if (guest_setattr(&g, node, &in, &a) != 0 || a.uid != 0 || a.gid != 1000)
		return 6;
	fd = openat(g.dirfd, "rw/f", O_RDONLY);
	n = fgetxattr(fd, "user.coracle.owner", text, sizeof(text));
	if (n != 6 || memcmp(text, "0:1000", 6) != 0)
		return 7;
	if (fsetxattr(fd, "security.capability", caps, sizeof(caps), 0) < 0)
		return 13;
	if (guest_setattr(&g, node, &given, &a) != 0 || a.uid != 5)
		return 10;
	if (fgetxattr(fd, "security.capability", text, sizeof(text)) >= 0 || errno != ENODATA)
		return 11;
	if (guest_setattr(&g, node, &in, &a) != 0)
		return 12;
	guest_forget(&g, node, 100);
	node = guest_node(&g, rw, "f");
	if (guest_getattr(&g, node, &a) != 0 || a.uid != 0 || a.gid != 1000)
		return 8;
	if (guest_getxattr(&g, node, "user.coracle.owner", 100) != -ENODATA)
		return 9;
	guest_stop(&g);
	return 0;
}

/* The same where the host shows the file's group as one that isn't mapped: capabilities can't be asked for. */
static int foreign_group_child(void)
{
	const struct fuse_setattr_in given = { .valid = FATTR_UID | FATTR_KILL_SUIDGID, .uid = 5 };
	uint64_t rw, node = 0, fh = 0;
	uid_t uid = geteuid();
	struct fuse_attr a;
	char map[64];

	(void)snprintf(map, sizeof(map), "0 %u 1", uid);
	if (unshare(CLONE_NEWUSER) < 0 || put("/proc/self/uid_map", map) < 0)
		return 77;
	if (guest_start(&g, 64, true) < 0 || guest_init(&g) != 0)
		return 1;
	rw = guest_node(&g, FUSE_ROOT_ID, "0");
	if (guest_create(&g, rw, "f", O_RDWR, 0644, &node, &fh) != 0)
		return 2;
	if (guest_setattr(&g, node, &given, &a) != 0 || a.uid != 5)
		return 3;
	guest_stop(&g);
	return 0;
}

static void in_child(int (*f)(void), const char *name)
{
	int status = 0;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		_exit(f());
	(void)waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
		ok(1, "# SKIP no user namespace here");
		return;
	}
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s (wait status 0x%x)", name, status);
}

static void test_eviction(void)
{
	uint64_t nodes[500], dirs[20], top, node = 0, fh = 0, dir;
	char name[32];
	struct fuse_attr a;
	int before, good = 0;

	is_int(guest_start(&g, 32, false), 0, "server with 32 descriptors");
	before = guest_count_fds();
	is_int(guest_init(&g), 0, "INIT");
	top = guest_node(&g, FUSE_ROOT_ID, "0");
	dir = top;
	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "d%d", i);
		if (guest_mkdir(&g, dir, name, 0755, &dirs[i]) != 0)
			break;
		dir = dirs[i];
	}
	for (int i = 0; i < 500; i++) {
		uint64_t in = dirs[i % 20];

		(void)snprintf(name, sizeof(name), "f%d", i);
		if (guest_create(&g, in, name, O_RDWR, 0644, &nodes[i], &fh) == 0) {
			good += guest_write(&g, nodes[i], fh, 0, 0, name, (uint32_t)strlen(name)) >
				0;
			(void)guest_release(&g, FUSE_RELEASE, nodes[i], fh);
		}
	}
	is_int(good, 500, "500 files in a tree 20 deep");
	ok(guest_count_fds() - before <= 32, "within the budget");
	good = 0;
	for (int i = 499; i >= 0; i--) {
		struct fuse_open_out o;

		(void)snprintf(name, sizeof(name), "f%d", i);
		if (guest_open(&g, FUSE_OPEN, nodes[i], O_RDONLY, &o) == 0) {
			good += guest_read(&g, nodes[i], o.fh, 0, 100) == (int)strlen(name) &&
				memcmp(guest_body(&g), name, strlen(name)) == 0;
			(void)guest_release(&g, FUSE_RELEASE, nodes[i], o.fh);
		}
	}
	is_int(good, 500, "all found again by node");
	is_int(guest_rename(&g, top, "d0", top, "moved", 0), 0, "RENAME the top directory");
	is_int(guest_getattr(&g, nodes[19], &a), 0, "what is below is found");
	is_int(guest_name(&g, FUSE_UNLINK, dirs[0], NULL, 0, "f0"), 0, "UNLINK an evicted one");
	for (int i = 1; i < 500; i++)
		(void)guest_getattr(&g, nodes[i], &a);
	is_int(guest_getattr(&g, nodes[0], &a), 0, "it isn't lost");
	is_int(a.nlink, 0, "though it has no name");
	is_int(unlinkat(g.dirfd, "rw/moved/f20", 0), 0, "the host removes an evicted one");
	for (int i = 21; i < 500; i++)
		(void)guest_getattr(&g, nodes[i], &a);
	is_int(guest_getattr(&g, nodes[20], &a), -ESTALE, "gone");
	(void)close(openat(g.dirfd, "rw/moved/f20", O_CREAT | O_WRONLY, 0600));
	is_int(guest_getattr(&g, nodes[20], &a), -ESTALE, "another of that name is another");
	node = guest_node(&g, dirs[0], "f20");
	ok(node != 0 && node != nodes[20], "with a node of its own");
	good = 0;
	for (int i = 0; i < 40; i++) {
		struct fuse_open_out o;

		good += guest_open(&g, FUSE_OPEN, nodes[100 + i], O_RDONLY, &o) == 0;
	}
	ok(good >= 10 && good < 32, "open handles are bounded: %d", good);
	is_int(guest_call(&g, FUSE_DESTROY, 0, NULL, 0, NULL, 0), 0, "DESTROY");
	is_int(guest_count_fds() - before, 0, "leaves no descriptor");
	is_int(guest_getattr(&g, dirs[0], &a), -EIO, "nothing after DESTROY");
	is_int(guest_init(&g), 0, "INIT again");
	guest_stop(&g);
}

static void test_guest_locks(void)
{
	struct fs_config cfg = { .max_fds = 64, .guest_locks = true };
	struct fuse_init_out out;
	struct err e;

	cfg.proc_self_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY);
	memset(&g, 0, sizeof(g));
	is_int(fs_new(&cfg, &g.fs, &e), 0, "server without shares");
	is_int(guest_init(&g), 0, "INIT");
	memcpy(&out, guest_body(&g), sizeof(out));
	ok(!(out.flags & (FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS)), "guest_locks offers no locks");
	fs_free(g.fs);
	(void)close(cfg.proc_self_fd);
	cfg.max_fds = 1;
	is_int(fs_new(&cfg, &g.fs, &e), -EINVAL, "one descriptor is too few");
}

int main(void)
{
	uint64_t rw;

	if (guest_start(&g, 4096, false) < 0 || guest_init(&g) != 0)
		return 1;
	rw = guest_node(&g, FUSE_ROOT_ID, "0");
	test_locks(rw);
	test_lock_ranges(rw);
	test_extents(rw);
	test_tmpfile(rw);
	test_killpriv(rw);
	test_killpriv_without_a_word(rw);
	guest_stop(&g);
	test_eviction();
	in_child(single_id_child, "single id: owners are kept");
	in_child(foreign_group_child, "single id: a file of a foreign group is given away");
	test_guest_locks();
	return tap_done();
}
