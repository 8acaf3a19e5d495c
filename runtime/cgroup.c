/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup - directories of cgroup v2: make, limit, kill, remove. */
#include "runtime/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"

#define HIERARCHY "/sys/fs/cgroup"
#define MAX_DEPTH 16 /* of what is removed below a container's cgroup */
#define MAX_FILE (64u << 10)

static const char *const manager_names[] = {
	[CGROUP_DISABLED] = "disabled",
	[CGROUP_FS] = "cgroupfs",
	[CGROUP_SYSTEMD] = "systemd",
};

void cgroup_fini(struct cgroup *c)
{
	free(c->path);
	free(c->scope);
	*c = (struct cgroup){ .manager = c->manager };
}

int cgroup_manager_parse(const char *name, enum cgroup_manager *out)
{
	for (unsigned i = 0; i < sizeof(manager_names) / sizeof(manager_names[0]); i++) {
		if (strcmp(name, manager_names[i]) != 0)
			continue;
		*out = (enum cgroup_manager)i;
		return 0;
	}
	return -EINVAL;
}

const char *cgroup_manager_name(enum cgroup_manager m)
{
	return manager_names[m];
}

/* Return: a descriptor, or an error that says what is mounted there instead. */
static int open_root(struct err *e)
{
	OWN_FD int fd = open(HIERARCHY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return err_sys(e, "\"%s\"", HIERARCHY);
	if (fs.f_type != CGROUP2_SUPER_MAGIC)
		return err_set(e, ENOTSUP, "\"%s\" is not cgroup v2", HIERARCHY);
	return take_fd(&fd);
}

/* No component leads out of the hierarchy or to another mount. */
static int open_below(int dir, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC | O_NOFOLLOW,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};
	int fd;

	while (*path == '/')
		path++;
	fd = (int)syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof(how));
	return fd < 0 ? -errno : fd;
}

static int cgroup_error(struct err *e, int r, const char *what, const char *path)
{
	return err_set(e, -r, "%s cgroup \"%s\": %s", what, path, strerror(-r));
}

int cgroup_open(const char *path, struct err *e)
{
	OWN_FD int root = open_root(e);
	int fd;

	if (root < 0)
		return root;
	fd = open_below(root, path, O_RDONLY | O_DIRECTORY);
	return fd < 0 ? cgroup_error(e, fd, "open", path) : fd;
}

int cgroup_path_of(pid_t pid, char **out, struct err *e)
{
	OWN_FREE char *text = NULL;
	char file[32] = "/proc/self/cgroup";
	char *line;
	int r;

	if (pid != 0)
		(void)snprintf(file, sizeof(file), "/proc/%d/cgroup", pid);
	r = io_read_file(AT_FDCWD, file, MAX_FILE, &text, NULL);
	if (r < 0)
		return err_set(e, -r, "\"%s\": %s", file, strerror(-r));
	line = strncmp(text, "0::/", 4) == 0 ? text : strstr(text, "\n0::/");
	if (!line)
		return err_set(e, ENOTSUP, "\"%s\": no cgroup v2", file);
	line = strchr(line, '/');
	line[strcspn(line, "\n")] = '\0';
	*out = strdup(line);
	return *out ? 0 : err_set(e, ENOMEM, "out of memory");
}

/* ------------------------------------------------------------------ make */

void cgroup_enable(int dir)
{
	OWN_FREE char *have = NULL;
	char want[512];
	char *save;
	size_t n = 0;
	int r;

	if (io_read_file(dir, "cgroup.controllers", sizeof(want) / 2, &have, NULL) < 0)
		return;
	for (char *s = strtok_r(have, " \n", &save); s; s = strtok_r(NULL, " \n", &save))
		n += (size_t)snprintf(want + n, sizeof(want) - n, "+%s ", s);
	r = n == 0 ? 0 : io_write_file(dir, "cgroup.subtree_control", want, n);
	/* with processes in it the rest would make it threaded: nobody could enter what is below (cgroup-v2.rst "Threads") */
	if (r == 0 || r == -EBUSY)
		return;
	/* it is all or none: what can't be handed down by itself is missed where a limit needs it */
	for (char *s = strtok_r(want, " ", &save); s; s = strtok_r(NULL, " ", &save))
		if (io_write_file(dir, "cgroup.subtree_control", s, strlen(s)) < 0)
			log_debug("cgroup: %s can't be handed down", s);
}

/* Is somebody in @dir or below? */
static bool populated(int dir)
{
	OWN_FREE char *text = NULL;

	return io_read_file(dir, "cgroup.events", 4096, &text, NULL) == 0 &&
	       strstr(text, "populated 1") != NULL;
}

/* One step down from *@dir. Return: 0 or -errno; @last: it is to be the container's alone. */
static int descend(int *dir, const char *name, bool last)
{
	OWN_FD int next = -1;
	bool fresh;
	int r;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	cgroup_enable(*dir);
	fresh = mkdirat(*dir, name, 0755) == 0;
	if (!fresh && errno != EEXIST)
		return -errno;
	r = open_below(*dir, name, O_RDONLY | O_DIRECTORY);
	if (r < 0)
		return r;
	next = r;
	if (last && !fresh && populated(next))
		return -EBUSY;
	(void)close(*dir);
	*dir = take_fd(&next);
	return 0;
}

int cgroup_make(const char *path, struct err *e)
{
	OWN_FD int dir = open_root(e);
	OWN_FREE char *copy = strdup(path);
	char *save;
	char *name;
	int r = 0;

	if (dir < 0)
		return dir;
	name = copy ? strtok_r(copy, "/", &save) : NULL;
	if (!name)
		return err_set(e, EINVAL, "make cgroup \"%s\": not the path of a new one", path);
	while (name && r == 0) {
		char *next = strtok_r(NULL, "/", &save);

		r = descend(&dir, name, next == NULL);
		name = next;
	}
	if (r == -EBUSY)
		return err_set(e, EBUSY, "make cgroup \"%s\": it exists and is in use", path);
	return r < 0 ? cgroup_error(e, r, "make", path) : take_fd(&dir);
}

int cgroup_join(int dir, pid_t pid)
{
	char text[16];

	return io_write_file(dir, "cgroup.procs", text,
			     (size_t)snprintf(text, sizeof(text), "%d", pid));
}

/* ------------------------------------------------------------------ limits */

/* Each line by itself, as files with one line a device want it. */
static int write_lines(int dir, const char *file, const char *value)
{
	OWN_FD int fd = openat(dir, file, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	while (*value) {
		size_t n = strcspn(value, "\n");

		if (n > 0 && write(fd, value, n) < 0)
			return -errno;
		value += n + (value[n] == '\n');
	}
	return 0;
}

static int apply_error(struct err *e, const struct cgroup_write *w, int r)
{
	if (r == -ENOENT && strchr(w->file, '.'))
		return err_set(e, ENOENT,
			       "linux.resources.%s: there is no file \"%s\" in the cgroup: the "
			       "controller `%.*s` is not available",
			       w->field, w->file, (int)strcspn(w->file, "."), w->file);
	return err_set(e, -r, "linux.resources.%s: write \"%.100s\" to \"%s\" of the cgroup: %s",
		       w->field, w->value, w->file, strerror(-r));
}

int cgroup_apply(int dir, const struct cgroup_writes *w, struct err *e)
{
	bool missed = true;

	for (size_t i = 0; i < w->n; i++) {
		const struct cgroup_write *one = &w->v[i];
		int r;

		if (one->instead && !missed)
			continue;
		r = write_lines(dir, one->file, one->value);
		missed = r == -ENOENT;
		if (r < 0 && !(missed && one->optional))
			return apply_error(e, one, r);
	}
	return 0;
}

uint64_t cgroup_number(int dir, const char *name, uint64_t otherwise)
{
	OWN_FREE char *text = NULL;
	char *end;
	uint64_t n;

	if (io_read_file(dir, name, 4096, &text, NULL) < 0)
		return otherwise;
	n = strtoull(text, &end, 10);
	return end == text ? otherwise : n;
}

uint64_t cgroup_field(const char *text, const char *key, uint64_t otherwise)
{
	size_t n = strlen(key);

	for (const char *s = text; s && *s; s = strchr(s, '\n') ? strchr(s, '\n') + 1 : NULL)
		if (strncmp(s, key, n) == 0 && s[n] == ' ')
			return strtoull(s + n + 1, NULL, 10);
	return otherwise;
}

/* ------------------------------------------------------------------ remove */

/* Remove what is below @dir. Return: 0, or -errno of the last that could not be. */
static int remove_below(int dir, int depth)
{
	DIR *d = fdopendir(fcntl(dir, F_DUPFD_CLOEXEC, 3));
	const struct dirent *de;
	int r = 0;

	if (!d)
		return -errno;
	rewinddir(d);
	while ((de = readdir(d))) {
		OWN_FD int sub = -1;

		if (de->d_type != DT_DIR || de->d_name[0] == '.' || depth == 0)
			continue;
		sub = open_below(dir, de->d_name, O_RDONLY | O_DIRECTORY);
		if (sub >= 0)
			(void)remove_below(sub, depth - 1);
		if (unlinkat(dir, de->d_name, AT_REMOVEDIR) < 0 && errno != ENOENT)
			r = -errno;
	}
	(void)closedir(d);
	return r;
}

/* @below: with the empty ones in it, for those are somebody else's in what isn't known to be ours. */
static int try_remove(int root, const char *path, bool below)
{
	OWN_FD int dir = open_below(root, path, O_RDONLY | O_DIRECTORY);

	if (dir < 0)
		return dir == -ENOENT ? 0 : dir;
	if (below)
		(void)remove_below(dir, MAX_DEPTH);
	return unlinkat(root, path + strspn(path, "/"), AT_REMOVEDIR) < 0 && errno != ENOENT ?
		       -errno :
		       0;
}

int cgroup_remove(const char *path, bool kill, int timeout_ms, struct err *e)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	OWN_FD int root = open_root(e);
	int r = root < 0 ? root : -EBUSY;

	if (root < 0)
		return r;
	for (int waited = 0; r == -EBUSY && waited <= timeout_ms; waited++) {
		if (waited > 0)
			(void)nanosleep(&ms, NULL);
		r = try_remove(root, path, kill);
		if (r == -EBUSY && kill && waited % 100 == 0) {
			OWN_FD int dir = open_below(root, path, O_RDONLY | O_DIRECTORY);

			/* Linux 5.14; before that whoever is in it is waited for */
			if (dir >= 0 && io_write_file(dir, "cgroup.kill", "1", 1) < 0)
				continue;
		}
	}
	return r < 0 ? cgroup_error(e, r, "remove", path) : 0;
}
