/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pin - the sources of mounts, opened before a new user namespace takes away the right to reach them.
 *
 * DOC: why early
 *
 * An engine's files lie in folders of its own user (/run/user/UID is 0700). Root of a user namespace
 * below it is somebody else: it can neither walk there nor clone a mount of the namespace it has left.
 * Two copies, since a detached mount can't be cloned again before Linux 6.15.
 */
#include "runtime/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/own.h"
#include "runtime/tree.h"

static bool has_source(const struct plan_mount *m)
{
	return !m->mount_first &&
	       (m->kind == PLAN_SHARE || m->kind == PLAN_NODE || m->kind == PLAN_SOCKET);
}

static int pin_one(const struct plan_mount *m, struct pin *out, struct err *e)
{
	const size_t n = m->kind == PLAN_SHARE ? 2 : 1;
	int fds[2] = { -1, -1 };
	int r = 0;

	for (size_t i = 0; i < n && r >= 0; i++)
		r = fds[i] = tree_clone(AT_FDCWD, m->source, m->options.recursive);
	*out = (struct pin){ .served = n == 2 ? fds[0] : -1, .placed = fds[n - 1] };
	if (r < 0)
		return err_set(e, -r, "config.json: mounts[%zu].source: \"%s\": %s", m->index, m->source,
			       strerror(-r));
	if (m->idmount.uids && idmount_apply(&m->idmount, fds, n, e) < 0)
		return err_wrap(e, "config.json: mounts[%zu]: \"%s\"", m->index, m->source);
	return 0;
}

int pins_make(const struct plan *p, bool all, struct pins *out, struct err *e)
{
	out->n = 0;
	out->v = calloc(p->n_mounts + 1, sizeof(*out->v));
	if (!out->v)
		return err_set(e, ENOMEM, "out of memory");
	for (; out->n < p->n_mounts; out->n++)
		out->v[out->n] = (struct pin){ .served = -1, .placed = -1 };
	for (size_t i = 0; i < p->n_mounts; i++) {
		const struct plan_mount *m = &p->mounts[i];

		if (has_source(m) && (all || m->idmount.uids) && pin_one(m, &out->v[i], e) < 0)
			return -e->code;
	}
	return 0;
}

void pins_free(struct pins *p)
{
	for (size_t i = 0; i < p->n; i++) {
		own_close_fd(&p->v[i].served);
		own_close_fd(&p->v[i].placed);
	}
	free(p->v);
	*p = (struct pins){ 0 };
}
