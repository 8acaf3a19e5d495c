/* SPDX-License-Identifier: Apache-2.0 */
/* ns - the monitor's namespaces: joined by path, or new. */
#include "runtime/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/own.h"

static const int kinds[OCI_NS_TYPES] = {
	[OCI_NS_NETWORK] = CLONE_NEWNET, [OCI_NS_MOUNT] = CLONE_NEWNS,
	[OCI_NS_IPC] = CLONE_NEWIPC,	 [OCI_NS_UTS] = CLONE_NEWUTS,
	[OCI_NS_USER] = CLONE_NEWUSER,	 [OCI_NS_CGROUP] = CLONE_NEWCGROUP,
};

static int fail(const struct ns_join *j, int code, const char *what, struct err *e)
{
	return err_set(e, code, "config.json: linux.namespaces[%zu].path: %s \"%s\": %s", j->index,
		       what, j->ns->path, strerror(code));
}

static bool is_ours(int fd, const char *self)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(self, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

static int open_one(struct ns_join *j, struct err *e)
{
	OWN_FD int fd = open(j->ns->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int kind;

	if (fd < 0)
		return fail(j, errno, "open", e);
	kind = ioctl(fd, NS_GET_NSTYPE);
	if (kind != kinds[j->ns->type])
		return err_set(e, EINVAL,
			       "config.json: linux.namespaces[%zu].path: \"%s\": not a %s namespace",
			       j->index, j->ns->path, oci_ns_name(j->ns->type));
	/* the kernel refuses to enter one's own user namespace anew */
	if (kind == CLONE_NEWUSER && is_ours(fd, "/proc/self/ns/user"))
		return 0;
	j->fd = take_fd(&fd);
	return 0;
}

int ns_open(const struct plan *p, struct ns_joins *out, struct err *e)
{
	const struct oci_linux *l = &p->spec->lnx;

	out->n = 0;
	for (size_t i = 0; i < l->n_namespaces; i++) {
		struct ns_join *j = &out->v[out->n];

		if (!l->namespaces[i].path)
			continue;
		*j = (struct ns_join){ .ns = &l->namespaces[i], .index = i, .fd = -1 };
		if (open_one(j, e) < 0)
			return -e->code;
		out->n++;
	}
	return 0;
}

/* Return: 0, -EPERM when that is @later's matter, or an error with @e. */
static int join(struct ns_join *j, bool later, struct err *e)
{
	if (j->fd < 0)
		return 0;
	if (setns(j->fd, kinds[j->ns->type]) < 0)
		return errno == EPERM && later ? -EPERM : fail(j, errno, "join", e);
	own_close_fd(&j->fd);
	return 0;
}

int ns_first(struct ns_joins *j, struct err *e)
{
	struct ns_join *user = NULL;

	for (size_t i = 0; i < j->n; i++) {
		int r = 0;

		if (j->v[i].ns->type == OCI_NS_USER)
			user = &j->v[i];
		else
			r = join(&j->v[i], true, e);
		if (r < 0 && r != -EPERM)
			return r;
	}
	return user ? join(user, false, e) : 0;
}

int ns_rest(const struct plan *p, struct ns_joins *j, struct err *e)
{
	int flags = CLONE_NEWNS | (p->new_netns ? CLONE_NEWNET : 0); /* pasta needs one that nobody named */

	for (size_t i = 0; i < j->n; i++)
		if (join(&j->v[i], false, e) < 0)
			return -e->code;
	for (size_t i = 0; i < p->spec->lnx.n_namespaces; i++) {
		const struct oci_namespace *ns = &p->spec->lnx.namespaces[i];

		if (!ns->path && ns->type != OCI_NS_USER)
			flags |= kinds[ns->type];
	}
	if (unshare(flags) < 0)
		return err_sys(e, "make namespaces");
	/* whoever joins reads the names there: the members of a pod */
	if ((flags & CLONE_NEWUTS) && (sethostname(p->hostname, strlen(p->hostname)) < 0 ||
				       setdomainname(p->domainname, strlen(p->domainname)) < 0))
		return err_sys(e, "set the host name of the namespace");
	return 0;
}

bool ns_single_id(void)
{
	OWN_FREE char *text = NULL;
	unsigned inside, outside, size;
	int n = 0;

	return io_read_file(AT_FDCWD, "/proc/self/uid_map", 65536, &text, NULL) == 0 &&
	       sscanf(text, "%u %u %u %n", &inside, &outside, &size, &n) == 3 && size == 1 &&
	       text[n] == '\0';
}

/* In the child: the user namespace may be ours already, or may not have to be joined. */
static int tell_names(int uts, int user, int out)
{
	struct utsname names;

	if (setns(uts, CLONE_NEWUTS) < 0 &&
	    (user < 0 || setns(user, CLONE_NEWUSER) < 0 || setns(uts, CLONE_NEWUTS) < 0))
		return 1;
	return uname(&names) < 0 || io_write_all(out, &names, sizeof(names)) < 0;
}

int ns_read_names(const char *path, const char *user, char hostname[NS_NAME],
		  char domainname[NS_NAME])
{
	OWN_FD int uts = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	OWN_FD int owner = user ? open(user, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	OWN_FD int in = -1;
	OWN_FD int out = -1;
	struct utsname names;
	int ends[2];
	pid_t pid;
	int r;

	if (uts < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	in = ends[0];
	out = ends[1];
	pid = fork();
	if (pid == 0)
		_exit(tell_names(uts, owner, out));
	own_close_fd(&out);
	r = pid < 0 ? -errno : io_read_exact(in, &names, sizeof(names));
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	if (r < 0)
		return r;
	(void)snprintf(hostname, NS_NAME, "%s", names.nodename);
	(void)snprintf(domainname, NS_NAME, "%s", names.domainname);
	return 0;
}
