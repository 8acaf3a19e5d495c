/* SPDX-License-Identifier: Apache-2.0 */
/* confine - which cgroup a container gets, in the order that crun's users know. */
#include "runtime/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/host.h"
#include "runtime/systemd.h"

#define SUBGROUP "run.oci.systemd.subgroup" /* crun's: name of the cgroup inside the scope */
#define LEAVE_MS 500 /* for processes that were killed a moment ago */
#define REMOVE_MS 10000 /* as long as engines wait for a delete */

/* Root of the host, or of a user namespace only? */
static bool privileged(void)
{
	unsigned inside, outside, size;
	OWN_FREE char *map = NULL;

	if (geteuid() != 0)
		return false;
	return io_read_file(AT_FDCWD, "/proc/self/uid_map", 65536, &map, NULL) < 0 ||
	       (sscanf(map, "%u %u %u", &inside, &outside, &size) == 3 && inside == 0 &&
		outside == 0 && size == UINT32_MAX);
}

static bool not_allowed(int r)
{
	return r == -EACCES || r == -EPERM || r == -EROFS || r == -ENOTSUP || r == -EBUSY;
}

/* Limits that a machine can't enforce by itself. */
static int check_without(const struct confine *c, const struct err *why, struct err *e)
{
	static const char *const machine[] = { "memory.", "cpu.", "cpuset.", "pids." };

	for (size_t i = 0; i < c->limits->n; i++) {
		const struct cgroup_write *w = &c->limits->v[i];
		bool inside = false;

		for (size_t k = 0; k < sizeof(machine) / sizeof(machine[0]); k++)
			inside |= strncmp(w->file, machine[k], strlen(machine[k])) == 0;
		if (!inside)
			return err_set(e, why->code ? why->code : EPERM,
				       "config.json: linux.resources.%s: needs a cgroup: %s", w->field,
				       why->msg);
	}
	if (c->limits->n > 0)
		log_debug("create `%s`: no cgroup on the host, the machine alone enforces the limits",
			  c->id);
	return 0;
}

static int go_without(struct confine *c, const struct err *why, struct err *e)
{
	struct err none = { .msg = "they are disabled" };

	own_close_fd(&c->dir);
	free(c->cgroup->path);
	c->cgroup->path = NULL;
	c->cgroup->made = false;
	if (check_without(c, why ? why : &none, e) < 0)
		return -e->code;
	return c->remember(c->arg, e);
}

/* ------------------------------------------------------------------ cgroupfs */

/* @path is taken over. Return: 0 with the directory made and limited. */
static int try_path(struct confine *c, char *path, struct err *e)
{
	struct err ignored = { 0 };
	int r;

	free(c->cgroup->path);
	c->cgroup->path = path;
	if (!path)
		return err_set(e, ENOMEM, "out of memory");
	if (c->remember(c->arg, e) < 0)
		return -e->code;
	c->dir = cgroup_make(path, e);
	if (c->dir < 0)
		return c->dir;
	c->cgroup->made = true;
	r = cgroup_apply(c->dir, c->limits, e);
	if (r == 0)
		return 0;
	own_close_fd(&c->dir);
	c->cgroup->made = false;
	if (cgroup_remove(path, false, 0, &ignored) < 0)
		log_debug("%s", ignored.msg);
	return r;
}

static char *given_path(const char *wanted)
{
	char *path = NULL;

	return asprintf(&path, "/%s", wanted + strspn(wanted, "/")) < 0 ? NULL : path;
}

static char *sibling_path(const char *id)
{
	struct err ignored = { 0 };
	OWN_FREE char *own = NULL;
	char *path = NULL;

	if (cgroup_path_of(0, &own, &ignored) < 0)
		return NULL;
	*strrchr(own, '/') = '\0';
	return asprintf(&path, "%s/%s", own, id) < 0 ? NULL : path;
}

static int prepare_fs(struct confine *c, struct err *e)
{
	const char *wanted = c->spec->lnx.cgroups_path;
	struct err why = { 0 };
	char *sibling;
	int r;

	if (wanted && *wanted) {
		if (try_path(c, given_path(wanted), e) == 0)
			return 0;
		return err_wrap(e, strncmp(e->msg, "linux.", 6) == 0 ?
					   "config.json" :
					   "config.json: linux.cgroupsPath");
	}
	r = try_path(c, given_path(c->id), &why);
	sibling = not_allowed(r) ? sibling_path(c->id) : NULL;
	if (sibling)
		r = try_path(c, sibling, &why);
	if (r == 0)
		return 0;
	if (not_allowed(r) && !privileged())
		return go_without(c, &why, e);
	return err_set(e, -r, "%s%s", strncmp(why.msg, "linux.", 6) == 0 ? "config.json: " : "",
		       why.msg);
}

/* ------------------------------------------------------------------ systemd */

/* "slice:prefix:name" in three strings; *out[] are malloced, "" where there is nothing. */
static int split_path(const char *path, char *out[3], struct err *e)
{
	size_t a = strcspn(path, ":");
	size_t b = path[a] ? strcspn(path + a + 1, ":") : 0;

	if (!path[a] || !path[a + 1 + b] || strchr(path + a + b + 2, ':') || strchr(path, '/') ||
	    path[a + b + 2] == '\0')
		return err_set(e, EINVAL,
			       "config.json: linux.cgroupsPath: \"%s\" is not of the form "
			       "slice:prefix:name, which --systemd-cgroup wants",
			       path);
	out[0] = strndup(path, a);
	out[1] = strndup(path + a + 1, b);
	out[2] = strdup(path + a + b + 2);
	return out[0] && out[1] && out[2] ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int name_scope(struct confine *c, struct err *e)
{
	const char *path = c->spec->lnx.cgroups_path;
	char *part[3] = { NULL };
	int n = -1;
	int r = 0;

	if (path && *path)
		r = split_path(path, part, e);
	if (r == 0 && !part[0])
		n = asprintf(&c->cgroup->scope, "coracle-%s.scope", c->id);
	else if (r == 0)
		n = asprintf(&c->cgroup->scope, "%s%s%s.scope", part[1], *part[1] ? "-" : "",
			     part[2]);
	if (r == 0 && part[0])
		c->slice = strdup(strcmp(part[0], "-") == 0 ? "-.slice" : part[0]);
	if (r == 0 && (!c->slice || *c->slice == '\0')) {
		free(c->slice);
		c->slice = strdup(privileged() ? "system.slice" : "user.slice");
	}
	for (int i = 0; i < 3; i++)
		free(part[i]);
	if (r == 0 && (n < 0 || !c->slice))
		r = err_set(e, ENOMEM, "out of memory");
	return r;
}

static int prepare_systemd(struct confine *c, struct err *e)
{
	return name_scope(c, e) < 0 ? -e->code : c->remember(c->arg, e);
}

/* What the container's processes are moved into; "" leaves them in the scope itself. */
static const char *subgroup(const struct oci_spec *s)
{
	const char *name = oci_spec_annotation(s, SUBGROUP);

	return name ? name : "container";
}

/* The cgroup that process @pid is in, which must be of the scope that we asked for. */
static int scope_path(const struct confine *c, pid_t pid, char **out, struct err *e)
{
	OWN_FREE char *path = NULL;

	if (cgroup_path_of(pid, &path, e) < 0)
		return err_set(e, EIO, "the container's monitor died");
	if (strcmp(strrchr(path, '/') + 1, c->cgroup->scope) != 0)
		return err_set(e, EIO, "systemd: the container is not in \"%s\" but in \"%s\"",
			       c->cgroup->scope, path);
	*out = TAKE(&path);
	return 0;
}

static int enter_scope(struct confine *c, pid_t pid, struct err *e)
{
	const char *sub = subgroup(c->spec);
	OWN_FREE char *path = NULL;
	OWN_FD int scope = -1;
	int r;

	if (strchr(sub, '/') || sub[0] == '.')
		return err_set(e, EINVAL, "config.json: annotations.%s: \"%s\" is not a name", SUBGROUP,
			       sub);
	if (scope_path(c, pid, &path, e) < 0)
		return -e->code;
	scope = cgroup_open(path, e);
	if (scope < 0 || asprintf(&c->cgroup->path, "%s%s%s", path, *sub ? "/" : "", sub) < 0)
		return scope < 0 ? scope : err_set(e, ENOMEM, "out of memory");
	if (!*sub) {
		c->dir = take_fd(&scope);
		return 0;
	}
	/* no controller goes down while a process is in the scope itself */
	c->dir = cgroup_make(c->cgroup->path, e);
	if (c->dir < 0)
		return c->dir;
	r = cgroup_join(c->dir, pid);
	if (r < 0)
		return err_set(e, -r, "enter cgroup \"%s\": %s", c->cgroup->path, strerror(-r));
	cgroup_enable(scope);
	return 0;
}

int confine_prepare(struct confine *c, struct err *e)
{
	c->dir = -1;
	switch (c->cgroup->manager) {
	case CGROUP_FS:
		return prepare_fs(c, e);
	case CGROUP_SYSTEMD:
		return prepare_systemd(c, e);
	default:
		return go_without(c, NULL, e);
	}
}

/* ------------------------------------------------------------------ processes */

pid_t confine_clone(struct confine *c, unsigned long flags, struct err *e)
{
	struct clone_args args = {
		.flags = flags,
		.exit_signal = SIGCHLD,
	};
	pid_t pid;
	int r = 0;

	if (c->dir >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)c->dir;
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid >= 0)
		return pid;
	if (c->dir >= 0 && (errno == EACCES || errno == EPERM) && !privileged() &&
	    !c->spec->lnx.cgroups_path) {
		struct err why = { .code = errno };
		struct cgroup was = { .path = TAKE(&c->cgroup->path), .made = true };
		struct err ignored = { 0 };

		(void)snprintf(why.msg, sizeof(why.msg), "enter cgroup \"%s\": %s", was.path,
			       strerror(errno));
		if (cgroup_remove(was.path, false, 0, &ignored) < 0)
			log_debug("%s", ignored.msg);
		cgroup_fini(&was);
		return go_without(c, &why, e) < 0 ? -e->code : confine_clone(c, flags, e);
	}
	/* with a cgroup it may have been that */
	if (flags & CLONE_NEWUSER && (errno == ENOSPC || (c->dir < 0 && (errno == EPERM || errno == EACCES))))
		return host_no_userns(errno, e);
	if (errno != ENOSYS)
		return err_sys(e, "start the container's monitor%s%s%s",
			       flags & CLONE_NEWUSER ? " in a user namespace" : "",
			       flags & CLONE_NEWPID ? " in a pid namespace" : "",
			       c->dir >= 0 ? " in its cgroup" : "");
	/* a sandbox around us that knows no clone3 */
	pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	if (pid > 0 && c->dir >= 0)
		r = cgroup_join(c->dir, pid);
	if (pid < 0 || r == 0)
		return pid < 0 ? err_sys(e, "start the container's monitor") : pid;
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return err_set(e, -r, "enter cgroup \"%s\": %s", c->cgroup->path, strerror(-r));
}

int confine_adopt(struct confine *c, pid_t pid, struct err *e)
{
	OWN_FREE char *text = NULL;
	struct systemd_scope s = {
		.user = !privileged(),
		.name = c->cgroup->scope,
		.slice = c->slice,
		.pid = pid,
		.limits = c->limits,
		.annotations = c->spec->annotations,
		.n_annotations = c->spec->n_annotations,
	};

	if (c->cgroup->manager != CGROUP_SYSTEMD)
		return 0;
	if (asprintf(&text, "container %s of coracle", c->id) < 0)
		return err_set(e, ENOMEM, "out of memory");
	s.description = text;
	if (systemd_start_scope(&s, e) < 0)
		return -e->code;
	c->cgroup->made = true;
	if (enter_scope(c, pid, e) < 0)
		return -e->code;
	return cgroup_apply(c->dir, c->limits, e) < 0 ? err_wrap(e, "config.json") : 0;
}

bool confine_user_manager(void)
{
	return !privileged();
}

void confine_fini(struct confine *c)
{
	own_close_fd(&c->dir);
	free(c->slice);
	c->slice = NULL;
}

int confine_remove(const struct cgroup *c, struct err *e)
{
	int r;

	if (c->scope && c->made) {
		struct err why = { 0 };

		/* systemd stops a scope by itself once nobody is in it: all that counts comes below */
		if (systemd_stop_scope(!privileged(), c->scope, &why) < 0)
			log_debug("%s", why.msg);
	}
	if (!c->path)
		return 0;
	/* not ours as far as is known: who was ours in it is on his way out, whoever else is in it stays */
	r = cgroup_remove(c->path, c->made, c->made ? REMOVE_MS : LEAVE_MS, e);
	return c->made ? r : 0;
}
