/* SPDX-License-Identifier: Apache-2.0 */
/* copyup - fill a new tmpfs with what the directory under it held (option tmpcopyup). */
#include "guest-init/copyup.h"

#include "guest-init/path.h"
#include "guest-init/str.h"
#include "guest-init/sys.h"

#define MAX_DEPTH 64 /* each level takes DIRENT_BYTES of stack and two descriptors */
#define DIRENT_BYTES 2048
#define COPY_BYTES 32768

static int copy_dir(int from, int to, int depth);

static int copy_bytes(int from, int to)
{
	static uint8_t buf[COPY_BYTES];

	for (;;) {
		long n = sys_read(from, buf, sizeof(buf));

		if (n <= 0)
			return (int)n;
		for (long done = 0; done < n;) {
			long w = sys_write(to, buf + done, (size_t)(n - done));

			if (w < 0)
				return (int)w;
			done += w;
		}
	}
}

/* The contents are there, unless @rc says otherwise. */
static int finish(int in, int out, int rc, const struct stat *st)
{
	if (rc == 0)
		rc = sys_fchown(out, st->st_uid, st->st_gid);
	if (rc == 0)
		rc = sys_fchmod(out, st->st_mode & 07777);
	sys_close(in);
	if (out >= 0)
		sys_close(out);
	return rc;
}

static int copy_file(int from, int to, const char *name, const struct stat *st)
{
	int in = sys_openat(from, name, O_RDONLY | O_NOFOLLOW, 0);
	int out, rc;

	if (in < 0)
		return in;
	out = sys_openat(to, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	rc = out < 0 ? out : copy_bytes(in, out);
	return finish(in, out, rc, st);
}

static int copy_subdir(int from, int to, const char *name, const struct stat *st, int depth)
{
	int in = sys_openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	int out, rc;

	if (in < 0)
		return in;
	rc = sys_mkdirat(to, name, 0700);
	out = rc < 0 ? rc : sys_openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	rc = out < 0 ? out : copy_dir(in, out, depth + 1);
	return finish(in, out, rc, st);
}

static int copy_link(int from, int to, const char *name)
{
	char target[PATH_BYTES];
	long n = sys_readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return (int)n;
	target[n] = '\0';
	return sys_symlinkat(target, to, name);
}

static int copy_entry(int from, int to, const char *name, int depth)
{
	struct stat st;
	int rc = sys_fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW);

	if (rc < 0)
		return rc;
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return copy_file(from, to, name, &st);
	case S_IFDIR:
		return copy_subdir(from, to, name, &st, depth);
	case S_IFLNK:
		rc = copy_link(from, to, name);
		break;
	default:
		rc = sys_mknodat(to, name, st.st_mode, st.st_rdev);
		break;
	}
	return rc < 0 ? rc : sys_fchownat(to, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW);
}

static int copy_dir(int from, int to, int depth)
{
	_Alignas(struct sys_dirent) char buf[DIRENT_BYTES];

	if (depth > MAX_DEPTH)
		return -ELOOP;
	for (;;) {
		long n = sys_getdents(from, buf, sizeof(buf));

		if (n <= 0)
			return (int)n;
		for (long at = 0; at < n;) {
			struct sys_dirent *d = (struct sys_dirent *)(buf + at);
			int rc;

			at += d->reclen;
			if (str_eq(d->name, ".") || str_eq(d->name, ".."))
				continue;
			rc = copy_entry(from, to, d->name, depth);
			if (rc < 0)
				return rc;
		}
	}
}

int copyup_tree(int from, const char *dest)
{
	int to = sys_openat(AT_FDCWD, dest, O_RDONLY | O_DIRECTORY, 0);
	struct stat st;
	int rc;

	if (to < 0)
		return to;
	rc = copy_dir(from, to, 0);
	/* the mode is that of the mount's options, as runc leaves it; the owner is the image's */
	if (rc == 0)
		rc = sys_fstatat(from, "", &st, AT_EMPTY_PATH);
	if (rc == 0)
		rc = sys_fchown(to, st.st_uid, st.st_gid);
	sys_close(to);
	return rc;
}
