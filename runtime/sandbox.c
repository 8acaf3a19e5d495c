/* SPDX-License-Identifier: Apache-2.0 */
/* sandbox - the host side of a container, made in the monitor's process before the guest runs. */
#include "runtime/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "runtime/label.h"
#include "runtime/share.h"
#include "runtime/tree.h"

#include <sys/mount.h>

int sandbox_become_root(const struct plan *p, struct err *e)
{
	if (!p->new_userns && !p->join_userns)
		return 0;
	if (setgroups(0, NULL) < 0 && errno != EPERM)
		return err_sys(e, "setgroups");
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_set(e, errno,
			       "config.json: linux.uidMappings: id 0 must be mapped in the container");
	/* the kernel made us undumpable: engines look into /proc/PID of the monitor */
	return prctl(PR_SET_DUMPABLE, 1) < 0 ? err_sys(e, "PR_SET_DUMPABLE") : 0;
}

/*
 * Whether what the host mounts later below a source reaches the container is linux.rootfsPropagation's
 * to say; nothing ever goes the other way, since the container mounts in another kernel.
 */
static int receive_mounts(const struct plan *p, struct err *e)
{
	bool receive = (p->root_propagation & (MS_SHARED | MS_SLAVE)) != 0;

	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ||
	    (!receive && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
		return err_sys(e, "make mounts private");
	return 0;
}

static int make_namespaces(const struct plan *p, struct ns_joins *joins, struct err *e)
{
	return ns_rest(p, joins, e) < 0 ? -e->code : receive_mounts(p, e);
}

/* Share 0 and the root of the assembled tree: two clones of the root file system. */
static int open_rootfs(const struct plan *p, struct sandbox *s, struct err *e)
{
	OWN_FD int tree = -1;
	struct stat st;
	int r;

	if (stat(p->rootfs, &st) < 0)
		return err_sys(e, "config.json: root.path: \"%s\"", p->rootfs);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ENOTDIR, "config.json: root.path: \"%s\": not a directory", p->rootfs);
	s->share_fds[0] = tree_clone(AT_FDCWD, p->rootfs, true);
	if (s->share_fds[0] < 0)
		return err_set(e, -s->share_fds[0], "config.json: root.path: clone the mount of \"%s\": %s",
			       p->rootfs, strerror(-s->share_fds[0]));
	s->n_shares = 1;
	tree = tree_clone(AT_FDCWD, p->rootfs, true);
	r = tree < 0 ? tree : 0;
	if (r == 0) {
		OWN_FD int at = open(p->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);

		r = at < 0 ? -errno : tree_move(tree, at);
	}
	if (r == 0) {
		s->root_fd = tree; /* not by its path: "/" is found below what is mounted on it */
		tree = -1;
	}
	return r < 0 ? err_set(e, -r, "config.json: root.path: mount \"%s\": %s", p->rootfs,
			       strerror(-r)) :
		       0;
}

static int restrict_root(const struct plan *p, int fd)
{
	return tree_restrict(fd, MS_NOSYMFOLLOW | (p->root_readonly ? MS_RDONLY : 0), 0);
}

int sandbox_make(const struct plan *p, struct ns_joins *joins, struct pins *pins, struct sandbox *out,
		 struct err *e)
{
	int r;

	out->n_shares = 0;
	out->root_fd = -1;
	out->n_sockets = 0;
	out->label_fd = -1;
	out->label = p->vmm_label;
	out->own_fds = -1;
	if (make_namespaces(p, joins, e) < 0 || open_rootfs(p, out, e) < 0)
		return -e->code;
	(void)umask(022);
	for (size_t i = 0; i < p->n_mounts; i++) {
		struct pin none = { .served = -1, .placed = -1 };

		if (share_add(p, &p->mounts[i], pins->v ? &pins->v[i] : &none, out, e) < 0)
			return -e->code;
	}
	pins_free(pins);
	if (out->n_sockets > 0) {
		out->own_fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (out->own_fds < 0)
			return err_sys(e, "\"/proc/self/fd\"");
		if (p->vmm_label)
			out->label_fd = label_open("sockcreate", e);
		if (p->vmm_label && out->label_fd < 0)
			return -e->code;
	}
	/* last: destinations in the root file system have been made through the other clone */
	r = restrict_root(p, out->share_fds[0]);
	return r < 0 ? err_set(e, -r, "config.json: root: restrict the mount: %s", strerror(-r)) : 0;
}

int sandbox_look_again(const struct plan *p, struct sandbox *s, struct err *e)
{
	int fd = tree_clone(s->root_fd, "", true);
	int r = fd < 0 ? fd : restrict_root(p, fd);

	if (fd >= 0) {
		own_close_fd(&s->share_fds[0]);
		s->share_fds[0] = fd;
	}
	return r < 0 ? err_set(e, -r, "config.json: root: clone the mounts after hooks: %s",
			       strerror(-r)) :
		       0;
}

int sandbox_enter(struct sandbox *s, struct err *e)
{
	if (fchdir(s->root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return err_sys(e, "enter the container's root");
	(void)close(s->root_fd);
	s->root_fd = -1;
	return 0;
}
