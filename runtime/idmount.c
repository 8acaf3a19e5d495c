/* SPDX-License-Identifier: Apache-2.0 */
/* idmount - bind mounts whose owners are mapped (mounts[].uidMappings, options idmap and ridmap). */
#include "runtime/idmount.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "runtime/base/proc.h"
#include "runtime/idmap.h"
#include "runtime/plan.h"
#include "runtime/tree.h"

#define MAX_RANGES 340u /* the kernel's limit of one map (user_namespaces(7)) */

/* ------------------------------------------------------------------ the option's text */

static int number(const char **at, char end, uint32_t *out)
{
	uint64_t n = 0;

	if (**at < '0' || **at > '9')
		return -EINVAL;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		n = n * 10 + (uint64_t)(**at - '0');
		if (n > UINT32_MAX)
			return -EINVAL;
	}
	if (end && **at != end)
		return -EINVAL;
	*at += end != '\0';
	*out = (uint32_t)n;
	return 0;
}

/* An id of the container's as the host knows it. Return: 0, or -EINVAL when the range has none. */
static int to_host(struct oci_id_map *m, const struct oci_id_map *map, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t off = m->host_id - map[i].container_id;

		if (m->host_id < map[i].container_id || off >= map[i].size || m->size > map[i].size - off)
			continue;
		m->host_id = map[i].host_id + off;
		return 0;
	}
	return -EINVAL;
}

/* Ranges separated by "#", up to ";" or the end. Return: how many, or -errno. */
static int ranges(const char **at, const struct oci_id_map *map, size_t n_map, struct oci_id_map *out)
{
	unsigned n = 0;

	do {
		struct oci_id_map *m = &out[n];
		bool relative = **at == '@';

		*at += relative;
		if (n == MAX_RANGES)
			return -E2BIG;
		if (number(at, '-', &m->container_id) < 0 || number(at, '-', &m->host_id) < 0 ||
		    number(at, '\0', &m->size) < 0 || (relative && to_host(m, map, n_map) < 0))
			return -EINVAL;
		n++;
	} while (*(*at)++ == '#');
	(*at)--;
	return **at == ';' || **at == '\0' ? (int)n : -EINVAL;
}

int idmount_parse(const char *text, const struct oci_id_map *uids, size_t n_uids,
		  const struct oci_id_map *gids, size_t n_gids, struct idmount *out, struct err *e)
{
	OWN_FREE struct oci_id_map *v = calloc((size_t)2 * MAX_RANGES, sizeof(*v));
	const char *at = text;
	int n_u = 0, n_g = 0;

	if (!v)
		return err_set(e, ENOMEM, "out of memory");
	while (*at && n_u >= 0 && n_g >= 0) {
		if (strncmp(at, "uids=", 5) == 0 && n_u == 0) {
			at += 5;
			n_u = ranges(&at, uids, n_uids, v);
		} else if (strncmp(at, "gids=", 5) == 0 && n_g == 0) {
			at += 5;
			n_g = ranges(&at, gids, n_gids, v + MAX_RANGES);
		} else {
			n_u = -EINVAL;
		}
		at += *at == ';';
	}
	if (n_u <= 0 || n_g <= 0)
		return err_set(e, EINVAL,
			       "options: \"idmap=%s\": not of the form uids=A-B-N#...;gids=A-B-N#...", text);
	*out = (struct idmount){ .uids = v,
				 .n_uids = (size_t)n_u,
				 .gids = v + MAX_RANGES,
				 .n_gids = (size_t)n_g,
				 .own = v };
	v = NULL;
	return 0;
}

/* ------------------------------------------------------------------ the mounts */

/* A user namespace that nobody is in. Return: a descriptor, or -errno with @e. */
static int make_userns(const struct idmount *m, struct err *e)
{
	const struct plan maps = { .uid_map = m->uids,
				   .n_uid_map = m->n_uids,
				   .gid_map = m->gids,
				   .n_gid_map = m->n_gids };
	char path[64];
	int ends[2];
	char byte;
	pid_t pid, seen = 0, self = getpid();
	int r, fd = -1;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	pid = fork();
	if (pid == 0) {
		if (proc_die_with(self) < 0)
			_exit(1);
		if (unshare(CLONE_NEWUSER) == 0 && write(ends[1], "", 1) == 1)
			(void)pause();
		_exit(1);
	}
	(void)close(ends[1]);
	if (pid < 0)
		r = err_sys(e, "fork");
	else if (read(ends[0], &byte, 1) != 1)
		r = err_set(e, EPERM, "make a user namespace");
	else if ((seen = proc_published(pid)) < 0)
		r = err_set(e, -seen, "the pid of a helper: %s", strerror(-seen));
	else
		r = idmap_write(seen, &maps, e);
	(void)close(ends[0]);
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", seen);
	if (r == 0)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (r == 0 && fd < 0)
		r = err_sys(e, "\"%s\"", path);
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	return r < 0 ? r : fd;
}

int idmount_apply(const struct idmount *m, const int *copies, size_t n, struct err *e)
{
	OWN_FD int userns = make_userns(m, e);
	int r = 0;

	if (userns < 0)
		return userns;
	for (size_t i = 0; i < n && r == 0; i++)
		r = tree_idmap(copies[i], userns, m->recursive);
	return r < 0 ? err_set(e, -r, "map the owners: %s", strerror(-r)) : 0;
}
