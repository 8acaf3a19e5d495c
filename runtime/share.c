/* SPDX-License-Identifier: Apache-2.0 */
/*
 * share - pin the source of each mount and make the place where it goes.
 *
 * DOC: two copies of a source
 *
 * One is the file server's: detached, so that nobody finds it by a path, and following no symbolic link,
 * since the guest resolves its own. The other stands in the container's tree in our mount namespace,
 * where engines look for the container's files (/proc/PID/root).
 */
#include "runtime/share.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "runtime/rootfs.h"
#include "runtime/tree.h"

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

static int source_error(struct err *e, const struct plan_mount *m, int r)
{
	return err_set(e, -r, "config.json: mounts[%zu].source: \"%s\": %s", m->index, m->source,
		       strerror(-r));
}

static int dest_error(struct err *e, const struct plan_mount *m, int r)
{
	return err_set(e, -r, "config.json: mounts[%zu].destination: \"%s\": %s", m->index, m->dest,
		       strerror(-r));
}

/* A directory goes onto a directory, a file onto what is none: the kernel's own word is EINVAL. */
static int check_kind(int dest_fd, bool dir)
{
	struct stat st;

	if (fstat(dest_fd, &st) < 0)
		return -errno;
	if (dir == !!S_ISDIR(st.st_mode))
		return 0;
	return dir ? -ENOTDIR : -EISDIR;
}

/*
 * A file system with data of the host (overlay, a disk's): over the container's root for as long as it
 * takes to open it, since that is a directory which surely exists.
 */
static int mount_source(const struct plan *p, const struct plan_mount *m, struct err *e)
{
	const unsigned long own = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS |
				  MS_DIRSYNC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME |
				  MS_STRICTATIME;
	int fd;

	if (mount(m->source ? m->source : m->fstype, p->rootfs, m->fstype, m->options.flags & own,
		  m->options.data) < 0)
		return err_sys(e, "config.json: mounts[%zu]: mount \"%s\" of type \"%s\"", m->index,
			       m->source ? m->source : "", m->fstype);
	fd = open(p->rootfs, O_PATH | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return err_sys(e, "config.json: mounts[%zu]: open the new mount", m->index);
}

static int open_source(const struct plan *p, const struct plan_mount *m, struct err *e)
{
	int fd;

	if (m->mount_first)
		return mount_source(p, m, e);
	fd = open(m->source, O_PATH | O_CLOEXEC);
	return fd < 0 ? source_error(e, m, -errno) : fd;
}

/* What was planned for one kind must not be done with another. */
static int check_source(const struct plan_mount *m, const struct stat *st, struct err *e)
{
	if (m->kind == PLAN_NODE || m->kind == PLAN_SOCKET)
		return (st->st_mode & S_IFMT) == (m->mode & S_IFMT) ? 0 : source_error(e, m, -ESTALE);
	if (S_ISDIR(st->st_mode) || S_ISREG(st->st_mode) || S_ISFIFO(st->st_mode))
		return 0;
	return err_set(e, ENOTSUP,
		       "config.json: mounts[%zu].source: \"%s\": only directories, regular files, FIFOs, "
		       "devices and sockets can be mounted",
		       m->index, m->source);
}

/* @pinned: a copy that was made early, or -1. */
static int copy_source(const struct plan_mount *m, int source, int pinned, uint64_t more,
		       struct err *e)
{
	OWN_FD int fd = pinned >= 0 ? pinned :
				      tree_clone(source, "", m->options.recursive || m->mount_first);
	int r = fd < 0 ? fd : 0;

	more |= m->options.flags & MS_RDONLY;
	if (r == 0)
		r = tree_restrict(fd, more, m->options.cleared_rec);
	if (r == 0)
		r = tree_propagate(fd, m->options.propagation);
	return r < 0 ? source_error(e, m, r) : take_fd(&fd);
}

/* @copy stands in the container's tree from now on. */
static int place_copy(const struct plan_mount *m, int copy, bool dir, struct sandbox *s,
		      struct err *e)
{
	OWN_FD int dest = rootfs_make(s->root_fd, m->dest, dir);
	int r = dest < 0 ? dest : check_kind(dest, dir);

	if (r == 0)
		r = tree_move(copy, dest);
	return r < 0 ? dest_error(e, m, r) : 0;
}

/* The socket itself, for whoever connects later. */
static int pin_socket(const struct plan_mount *m, int source, struct sandbox *s, struct err *e)
{
	s->socket_fds[m->share] = fcntl(source, F_DUPFD_CLOEXEC, 3);
	if (s->socket_fds[m->share] < 0)
		return source_error(e, m, -errno);
	s->socket_datagrams[m->share] = m->datagrams;
	s->n_sockets = m->share + 1;
	return 0;
}

static int add_source(const struct plan *p, const struct plan_mount *m, int source,
		      struct pin *pin, struct sandbox *s, struct err *e)
{
	OWN_FD int copy = -1;
	struct stat st;
	int fd;

	if (fstat(source, &st) < 0)
		return source_error(e, m, -errno);
	if (check_source(m, &st, e) < 0)
		return -e->code;
	if (m->kind == PLAN_SHARE) {
		fd = copy_source(m, source, take_fd(&pin->served), MS_NOSYMFOLLOW, e);
		if (fd < 0)
			return fd;
		s->share_fds[s->n_shares++] = fd;
	}
	if (m->kind == PLAN_SOCKET && pin_socket(m, source, s, e) < 0)
		return -e->code;
	if (m->make_on_host) {
		copy = copy_source(m, source, take_fd(&pin->placed), 0, e);
		if (copy < 0)
			return copy;
	}
	/* what was mounted over the root must be out of the way of the destination */
	if (m->mount_first && umount2(p->rootfs, MNT_DETACH) < 0)
		return err_sys(e, "config.json: mounts[%zu]: detach", m->index);
	return m->make_on_host ? place_copy(m, copy, S_ISDIR(st.st_mode), s, e) : 0;
}

int share_add(const struct plan *p, const struct plan_mount *m, struct pin *pin, struct sandbox *s,
	      struct err *e)
{
	OWN_FD int fd = -1;
	int r = 0;

	switch (m->kind) {
	case PLAN_SHARE:
	case PLAN_NODE:
	case PLAN_SOCKET:
		if (pin->placed >= 0)
			return add_source(p, m, pin->placed, pin, s, e);
		fd = open_source(p, m, e);
		return fd < 0 ? fd : add_source(p, m, fd, pin, s, e);
	case PLAN_LINK:
		r = m->make_on_host ? rootfs_link(s->root_fd, m->dest, m->source) : 0;
		break;
	case PLAN_FS:
		fd = m->make_on_host ? rootfs_make(s->root_fd, m->dest, true) : -1;
		r = m->make_on_host && fd < 0 ? fd : 0;
		break;
	}
	return r < 0 ? dest_error(e, m, r) : 0;
}
