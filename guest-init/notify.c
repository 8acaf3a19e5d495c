/* SPDX-License-Identifier: Apache-2.0 */
/* notify - the container's socket for sd_notify(3): what is said there reaches the host as NOTIFY events. */
#include "guest-init/notify.h"

#include "guest-init/boot.h"
#include "guest-init/link.h"
#include "guest-init/path.h"
#include "guest-init/str.h"
#include "guest-init/sys.h"

#define NOTIFY_SOCKET "notify.sock" /* in the initramfs */
#define MAX_PER_SECOND 64u
#define SECOND_NS 1000000000u

int notify_open(struct notify *n, const struct program *p, struct err *e)
{
	struct sys_sockaddr_un at = {.family = SYS_AF_UNIX, .path = "/" NOTIFY_SOCKET};
	int rc;

	*n = (struct notify){.sock = -1};
	if (p->head.notify == 0)
		return 0;
	n->sock = sys_socket(SYS_AF_UNIX, SYS_SOCK_DGRAM | O_NONBLOCK);
	rc = n->sock < 0 ? n->sock : sys_bind_unix(n->sock, &at);
	if (rc == 0)
		rc = sys_fchmodat(AT_FDCWD, at.path, 0666);
	return rc < 0 ? err_sys(e, rc, "NOTIFY_SOCKET: make a socket") : 0;
}

int notify_place(struct container *c, struct err *e)
{
	const char *dest = program_text(&c->program, c->program.head.notify);
	int tree, rc;

	if (*dest == '\0')
		return 0;
	tree = sys_open_tree(c->old_root, NOTIFY_SOCKET, OPEN_TREE_CLONE);
	rc = tree < 0 ? tree : sys_move_mount(tree, AT_FDCWD, dest);
	if (rc == -ENOENT) {
		rc = path_make_file(dest);
		if (rc == 0)
			rc = sys_move_mount(tree, AT_FDCWD, dest);
	}
	if (tree >= 0)
		sys_close(tree);
	return rc < 0 ? err_sys(e, rc, "NOTIFY_SOCKET \"%s\"", dest) : 0;
}

struct pollfd notify_poll(struct notify *n, int *timeout_ms)
{
	struct pollfd p = {.fd = n->sock, .events = POLLIN};
	uint64_t now;

	if (n->sent < MAX_PER_SECOND)
		return p;
	now = boot_now(SYS_CLOCK_MONOTONIC);
	if (now - n->second_ns >= SECOND_NS) {
		n->second_ns = now;
		n->sent = 0;
		return p;
	}
	if (*timeout_ms < 0 || *timeout_ms > 100)
		*timeout_ms = 100;
	p.fd = -1;
	return p;
}

/* Cut at the last end of a line when there is more than fits. */
static void cut(char *text, size_t n, size_t got)
{
	text[n] = '\0';
	if (got <= n)
		return;
	while (n > 0 && text[n - 1] != '\n')
		n--;
	text[n] = '\0';
}

int notify_run(struct notify *n, int control)
{
	struct proto_event event = {.type = PROTO_NOTIFY};

	while (n->sock >= 0 && n->sent < MAX_PER_SECOND) {
		long got = sys_recv(n->sock, event.text, sizeof(event.text) - 1,
				    SYS_MSG_DONTWAIT | SYS_MSG_TRUNC);
		size_t have;
		int rc;

		if (got < 0)
			return 0;
		if (n->sent++ == 0)
			n->second_ns = boot_now(SYS_CLOCK_MONOTONIC);
		have = (size_t)got < sizeof(event.text) - 1 ? (size_t)got : sizeof(event.text) - 1;
		cut(event.text, have, (size_t)got);
		rc = event.text[0] != '\0' ? link_send(control, &event) : 0;
		if (rc < 0)
			return rc;
	}
	return 0;
}
