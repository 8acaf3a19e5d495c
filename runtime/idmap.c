/* SPDX-License-Identifier: Apache-2.0 */
/* idmap - write the id maps of a child's new user namespace (user_namespaces(7)). */
#include "runtime/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "runtime/caps.h"

#define MAX_LINES 340u /* the kernel's limit of one map */

struct map {
	const char *what;   /* "uid" or "gid" */
	const char *helper; /* newuidmap, newgidmap */
	const struct oci_id_map *v;
	size_t n;
	uint32_t own_id;
};

static int write_direct(pid_t pid, const struct map *m)
{
	char text[MAX_LINES * 36];
	char path[64];
	size_t n = 0;

	if (m->n > MAX_LINES)
		return -E2BIG;
	for (size_t i = 0; i < m->n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%u %u %u\n", m->v[i].container_id,
				      m->v[i].host_id, m->v[i].size);
	(void)snprintf(path, sizeof(path), "/proc/%d/%s_map", pid, m->what);
	return io_write_file(AT_FDCWD, path, text, n);
}

static int write_by_helper(pid_t pid, const struct map *m, struct err *e)
{
	static char *no_env[] = { NULL };
	char path[32];
	char(*numbers)[12] = calloc(3 * m->n + 1, sizeof(*numbers));
	char **argv = calloc(3 * m->n + 3, sizeof(*argv));
	char pid_text[12];
	int status = -1;
	pid_t child = -1;
	int r = numbers && argv ? 0 : ENOMEM;

	(void)snprintf(path, sizeof(path), "/usr/bin/%s", m->helper);
	(void)snprintf(pid_text, sizeof(pid_text), "%d", pid);
	if (r == 0) {
		argv[0] = path;
		argv[1] = pid_text;
		for (size_t i = 0; i < m->n; i++) {
			const uint32_t v[3] = { m->v[i].container_id, m->v[i].host_id,
						m->v[i].size };

			for (size_t k = 0; k < 3; k++) {
				(void)snprintf(numbers[3 * i + k], sizeof(*numbers), "%u", v[k]);
				argv[2 + 3 * i + k] = numbers[3 * i + k];
			}
		}
		r = posix_spawn(&child, path, NULL, NULL, argv, no_env);
	}
	if (r == 0 && waitpid(child, &status, 0) < 0)
		r = errno;
	free(numbers);
	free(argv);
	if (r == ENOENT)
		return err_set(e, r, "linux.%sMappings: \"%s\" is missing; install the package uidmap",
			       m->what, path);
	if (r != 0)
		return err_set(e, r, "linux.%sMappings: run \"%s\": %s", m->what, path, strerror(r));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_set(e, EPERM,
			       "linux.%sMappings: %s refused; /etc/sub%s must grant these ids", m->what,
			       m->helper, m->what);
	return 0;
}

static int write_map(pid_t pid, const struct map *m, bool privileged, struct err *e)
{
	bool own_only = m->n == 1 && m->v[0].size == 1 && m->v[0].host_id == m->own_id;
	int r;

	if (!privileged && !own_only)
		return write_by_helper(pid, m, e);
	r = write_direct(pid, m);
	return r < 0 ? err_set(e, -r, "linux.%sMappings: the kernel refuses the map: %s", m->what,
			       strerror(-r)) :
		       0;
}

int idmap_write(pid_t pid, const struct plan *p, struct err *e)
{
	struct map uids = { "uid", "newuidmap", p->uid_map, p->n_uid_map, geteuid() };
	struct map gids = { "gid", "newgidmap", p->gid_map, p->n_gid_map, getegid() };
	bool privileged = caps_have_sys_admin();
	char path[64];
	int r;

	if (uids.n == 0 || gids.n == 0)
		return err_set(e, EINVAL,
			       "config.json: linux.uidMappings and linux.gidMappings: a new user "
			       "namespace needs both");
	if (!privileged && gids.n == 1 && gids.v[0].size == 1) {
		(void)snprintf(path, sizeof(path), "/proc/%d/setgroups", pid);
		r = io_write_file(AT_FDCWD, path, "deny", 4);
		if (r < 0)
			return err_set(e, -r, "\"%s\": %s", path, strerror(-r));
	}
	if (write_map(pid, &gids, privileged, e) < 0 || write_map(pid, &uids, privileged, e) < 0)
		return err_wrap(e, "config.json");
	return 0;
}
