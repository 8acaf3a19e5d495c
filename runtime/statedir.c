/* SPDX-License-Identifier: Apache-2.0 */
/* statedir - what is remembered of a container on disk: ROOT/ID/{lock,state.json,exit.json,ctl.sock}. */
#include "runtime/statedir.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/io.h"
#include "runtime/base/own.h"

#define TURN_MS 90000 /* for another command that changes the record: longer than a pause may take */
#define EXIT_BYTES 512 /* preallocated: the last write of a container never meets a full disk */

int statedir_check_id(const char *id, struct err *e)
{
	size_t n = strlen(id);

	if (n == 0)
		return err_set(e, EINVAL, "container id must not be empty");
	if (n > STATEDIR_MAX_ID)
		return err_set(e, EINVAL, "invalid container id: longer than %u bytes",
			       STATEDIR_MAX_ID);
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)id[i]) && !strchr("_+-.", id[i]))
			return err_set(e, EINVAL,
				       "invalid container id `%s`: only letters, digits and _+-. are "
				       "allowed",
				       id);
	if (id[0] == '.')
		return err_set(e, EINVAL, "invalid container id `%s`: it starts with a dot", id);
	return 0;
}

static char *default_root(void)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	char *path = NULL;
	int n;

	if (xdg && *xdg)
		n = asprintf(&path, "%s/coracle", xdg);
	else if (geteuid() == 0)
		n = asprintf(&path, "/run/coracle");
	else
		n = asprintf(&path, "/tmp/coracle-%u", geteuid());
	return n < 0 ? NULL : path;
}

/* The directory must be ours alone: others could put sockets and states of their own there. */
static int check_root(const char *path, const char *from, struct err *e)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return err_sys(e, "state directory \"%s\"%s", path, from);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "state directory \"%s\"%s: not a directory", path, from);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return err_set(e, EPERM,
			       "state directory \"%s\"%s: must belong to uid %u and be writable for "
			       "nobody else",
			       path, from, geteuid());
	return 0;
}

static int make_path(const char *path, const char *from, struct err *e)
{
	OWN_FREE char *copy = strdup(path);

	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	for (char *p = copy + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return err_sys(e, "make state directory \"%s\"%s", copy, from);
		*p = '/';
	}
	if (mkdir(copy, 0700) < 0 && errno != EEXIST)
		return err_sys(e, "make state directory \"%s\"%s", path, from);
	return 0;
}

int statedir_root(const char *given, bool make, char **out, struct err *e)
{
	OWN_FREE char *path = NULL;
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	/* su and sudo leave another user's behind */
	const char *from = given ? " (of --root)" : xdg && *xdg ? " (of XDG_RUNTIME_DIR)" : "";

	if (given && given[0] != '/') {
		OWN_FREE char *cwd = getcwd(NULL, 0);

		if (!cwd || asprintf(&path, "%s/%s", cwd, given) < 0)
			return err_set(e, ENOMEM, "--root: out of memory");
	} else {
		path = given ? strdup(given) : default_root();
	}
	if (!path)
		return err_set(e, ENOMEM, "out of memory");
	if (strspn(path, "/") == strlen(path))
		return err_set(e, EINVAL, "--root: \"/\" can't be the state directory");
	if (make && make_path(path, from, e) < 0)
		return -e->code;
	if ((make || access(path, F_OK) == 0) && check_root(path, from, e) < 0)
		return -e->code;
	*out = TAKE(&path);
	return 0;
}

/* An OFD lock belongs to the open file, so that it goes with the descriptor through fork and exec. */
static int take_lock(int dir_fd, const char *name, int *out_fd)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	OWN_FD int fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &fl) < 0)
		return -errno;
	/* the byte of statedir_mark_running() */
	if (posix_fallocate(fd, 0, 1) != 0)
		return -ENOSPC;
	*out_fd = take_fd(&fd);
	return 0;
}

static int preallocate_exit(int dir_fd)
{
	OWN_FD int fd = openat(dir_fd, "exit.json", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return -errno;
	return -posix_fallocate(fd, 0, EXIT_BYTES);
}

bool statedir_death(const struct statedir *d, char *out, size_t size)
{
	OWN_FREE char *text = NULL;
	const char *why;

	if (io_read_file(d->fd, "exit.json", EXIT_BYTES, &text, NULL) < 0)
		return false;
	/* "the machine stopped", "the VMM was killed"; else "exited", "killed" */
	why = strstr(text, "\"reason\":\"the ");
	if (why)
		(void)snprintf(out, size, "%.*s", (int)strcspn(why + 10, "\""), why + 10);
	return why != NULL;
}

bool statedir_oom(const struct statedir *d)
{
	OWN_FREE char *text = NULL;

	return io_read_file(d->fd, "exit.json", EXIT_BYTES, &text, NULL) == 0 && strstr(text, "; out of memory\"");
}

/* The id is taken. Return: -EEXIST, with a word on what an interrupted create left. */
static int already_there(const char *root, const char *id, struct err *e)
{
	struct statedir d = { .fd = -1 };
	struct statedir_record r = { 0 };
	bool interrupted = statedir_open(root, id, &d, e) == 0 && !statedir_alive(&d) &&
			   statedir_read(&d, &r, e) == 0 && strcmp(r.phase, "creating") == 0;

	statedir_record_fini(&r);
	statedir_close(&d);
	return err_set(e, EEXIST, "container `%s` already exists%s", id,
		       interrupted ? ": its create was interrupted; delete it first" : "");
}

int statedir_create(const char *root, const char *id, struct statedir *out, int *out_lock_fd,
		    struct err *e)
{
	OWN_FD int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statedir d = { .fd = -1 };
	int r;

	if (root_fd < 0)
		return err_sys(e, "state directory \"%s\"", root);
	if (mkdirat(root_fd, id, 0700) < 0) {
		if (errno == EEXIST)
			return already_there(root, id, e);
		return err_sys(e, "make \"%s/%s\"", root, id);
	}
	d.fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	d.id = strdup(id);
	d.root = strdup(root);
	r = d.fd < 0 || !d.id || !d.root ? -ENOMEM : take_lock(d.fd, "lock", out_lock_fd);
	if (r == 0)
		r = preallocate_exit(d.fd);
	if (r < 0) {
		if (d.fd >= 0) {
			(void)unlinkat(d.fd, "lock", 0);
			(void)unlinkat(d.fd, "exit.json", 0);
		}
		(void)unlinkat(root_fd, id, AT_REMOVEDIR);
		statedir_close(&d);
		return err_set(e, -r, "\"%s/%s\": %s", root, id, strerror(-r));
	}
	*out = d;
	return 0;
}

/* Other runtimes keep theirs in the same ROOT when they are told so. One that is empty is nobody's yet, or any more. */
static bool is_ours(int fd)
{
	int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = again < 0 ? NULL : fdopendir(again);
	const struct dirent *entry;
	bool empty = true, ours = false;

	if (!dir) {
		own_close_fd(&again);
		return true;
	}
	while (!ours && (entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		empty = false;
		ours = strcmp(name, "lock") == 0 || strcmp(name, "exit.json") == 0 ||
		       strcmp(name, "vmm.lock") == 0;
	}
	(void)closedir(dir);
	return ours || empty;
}

bool statedir_foreign(const char *root, const char *id)
{
	OWN_FD int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	OWN_FD int fd = root_fd < 0 ? -1 : openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd >= 0 && !is_ours(fd);
}

int statedir_open(const char *root, const char *id, struct statedir *out, struct err *e)
{
	struct statedir d = { .fd = -1 };
	char *path = NULL;

	if (asprintf(&path, "%s/%s", root, id) < 0)
		return err_set(e, ENOMEM, "out of memory");
	d.fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	free(path);
	if (d.fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, ENOENT, "container `%s` does not exist", id);
	if (d.fd >= 0 && !is_ours(d.fd)) {
		(void)close(d.fd);
		return err_set(e, ENOENT, "container `%s` does not exist: \"%s/%s\" is of another runtime", id, root, id);
	}
	if (d.fd < 0)
		return err_sys(e, "\"%s/%s\"", root, id);
	d.id = strdup(id);
	d.root = strdup(root);
	if (!d.id || !d.root) {
		statedir_close(&d);
		return err_set(e, ENOMEM, "out of memory");
	}
	*out = d;
	return 0;
}

void statedir_close(struct statedir *d)
{
	if (d->fd >= 0)
		(void)close(d->fd);
	free(d->id);
	free(d->root);
	*d = (struct statedir){ .fd = -1 };
}

/* flock(2) knows nothing of the other lock on that file (fcntl(2)). */
int statedir_turn(const struct statedir *d)
{
	const struct timespec step = { .tv_nsec = 10000000 };
	OWN_FD int fd = openat(d->fd, "lock", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	int64_t end = clock_ms() + TURN_MS;

	while (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK && clock_ms() < end)
		(void)nanosleep(&step, NULL);
	return fd < 0 ? -1 : take_fd(&fd);
}

int statedir_hold(struct statedir *d, struct err *e)
{
	struct stat st;
	int r;

	do
		r = flock(d->fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	if (r < 0 || fstat(d->fd, &st) < 0)
		return err_sys(e, "lock \"%s/%s\"", d->root, d->id);
	return st.st_nlink > 0 ? 0 : err_set(e, ENOENT, "container `%s` does not exist", d->id);
}

void statedir_let_go(struct statedir *d)
{
	(void)flock(d->fd, LOCK_UN);
}

bool statedir_locked(struct statedir *d, const char *name)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	/* asking needs no right to write: the file system may be read-only by now */
	OWN_FD int fd = openat(d->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return errno != ENOENT && errno != ELOOP && errno != ENXIO;
	return fcntl(fd, F_OFD_GETLK, &fl) < 0 ? errno != EINVAL : fl.l_type != F_UNLCK;
}

/* Somebody may have removed the lock of a living container: its socket still answers then. */
static bool listening(const struct statedir *d)
{
	OWN_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const struct sockaddr_un a = io_unix_address(d->fd, "/ctl.sock");

	return fd >= 0 && (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EAGAIN);
}

bool statedir_alive(struct statedir *d)
{
	struct stat st;

	if (fstatat(d->fd, "lock", &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return listening(d);
	return statedir_locked(d, "lock");
}

void statedir_mark_running(int lock_fd)
{
	/* the byte was allocated at create: there is no way to fail */
	if (pwrite(lock_fd, "r", 1, 0) < 0)
		return;
}

enum oci_status statedir_status(struct statedir *d, const struct statedir_record *r)
{
	enum oci_status status = OCI_STATUS_CREATING;
	OWN_FD int fd = -1;
	char mark = 0;

	if (!statedir_alive(d))
		return OCI_STATUS_STOPPED;
	fd = openat(d->fd, "lock", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	/* a phase we don't know is a damaged record: as good as none */
	if (state_status_parse(r->phase, &status) < 0)
		status = OCI_STATUS_CREATING;
	/*
	 * Pause is written down before it is true, and resume afterwards: there the record is right. While a container is
	 * made the record has the pid of who makes it: what runs is told with the monitor's.
	 */
	if (fd >= 0 && pread(fd, &mark, 1, 0) == 1 && mark && status != OCI_STATUS_PAUSED &&
	    strcmp(r->phase, "creating") != 0)
		status = OCI_STATUS_RUNNING;
	return status;
}

char *statedir_boot_id(void)
{
	char *text = NULL;

	if (io_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL) == 0)
		text[strcspn(text, "\n")] = '\0';
	return text;
}

bool statedir_this_boot(const struct statedir_record *r)
{
	OWN_FREE char *now = statedir_boot_id();

	return !now || !r->boot_id || strcmp(now, r->boot_id) == 0;
}

/* Remove the files of the directory, but for the two that say what it is: those go last. */
static int remove_others(struct statedir *d, struct err *e)
{
	int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int r = 0;

	if (!dir) {
		r = err_sys(e, "read \"%s/%s\"", d->root, d->id);
		own_close_fd(&fd);
		return r == -ENOENT ? 0 : r;
	}
	while (r == 0 && (entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
		    strcmp(name, "state.json") == 0 || strcmp(name, "lock") == 0)
			continue;
		if (unlinkat(d->fd, name, 0) < 0 && errno != ENOENT &&
		    unlinkat(d->fd, name, AT_REMOVEDIR) < 0)
			r = err_sys(e, "remove \"%s/%s/%s\"", d->root, d->id, name);
	}
	(void)closedir(dir);
	return r;
}

int statedir_remove(struct statedir *d, struct err *e)
{
	static const char *const files[] = { "state.json", "lock" };
	OWN_FD int root_fd = open(d->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root_fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "state directory \"%s\"", d->root);
	if (remove_others(d, e) < 0)
		return -e->code;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (unlinkat(d->fd, files[i], 0) < 0 && errno != ENOENT &&
		    unlinkat(d->fd, files[i], AT_REMOVEDIR) < 0)
			return err_sys(e, "remove \"%s/%s/%s\"", d->root, d->id, files[i]);
	if (unlinkat(root_fd, d->id, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_sys(e, "remove \"%s/%s\"", d->root, d->id);
	return 0;
}

uint64_t statedir_pid_start(pid_t pid)
{
	OWN_FREE char *text = NULL;
	char path[64];
	char *p;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (io_read_file(AT_FDCWD, path, 4096, &text, NULL) < 0)
		return 0;
	p = strrchr(text, ')'); /* the name in field 2 may hold anything */
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p ? strtoull(p + 1, NULL, 10) : 0;
}
