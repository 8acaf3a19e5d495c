/* SPDX-License-Identifier: Apache-2.0 */
/* passed - descriptors that the caller gives to a process besides 0 to 2. */
#include "guest-init/passed.h"

#include <linux/fcntl.h>

#include "guest-init/inet.h"
#include "guest-init/str.h"

#define BACKLOG 4096 /* the host's own queue comes before it */
#define NAME_BYTES 16

union address {
	uint16_t family;
	struct inet_addr inet;
	struct {
		uint16_t family;
		char path[NAME_BYTES];
	} local;
};

void passed_init(struct passed *p)
{
	for (uint32_t i = 0; i < PROTO_MAX_FDS; i++)
		p->fd[i] = -1;
}

void passed_close(struct passed *p)
{
	for (uint32_t i = 0; i < PROTO_MAX_FDS; i++)
		if (p->fd[i] >= 0)
			sys_close(p->fd[i]);
	passed_init(p);
}

/* ------------------------------------------------------------------ sockets that listen */

/* Where descriptor @i of the program listens in the guest. Return: bytes of the address. */
static size_t address_of(const struct proto_fd *f, uint32_t i, union address *out)
{
	memset(out, 0, sizeof(*out));
	if (f->kind == PROTO_FD_UNIX) {
		out->family = SYS_AF_UNIX;
		str_fmt(out->local.path, sizeof(out->local.path), "/listen%u", i);
		return sizeof(out->local);
	}
	out->inet.port[0] = (uint8_t)(f->port >> 8);
	out->inet.port[1] = (uint8_t)f->port;
	if (f->kind == PROTO_FD_INET) {
		out->family = SYS_AF_INET;
		out->inet.v4[0] = 127;
		out->inet.v4[3] = 1;
		return INET_V4_BYTES;
	}
	out->family = SYS_AF_INET6;
	out->inet.v6[15] = 1;
	return INET_V6_BYTES;
}

static int listen_at(const struct proto_fd *f, uint32_t i)
{
	union address at;
	size_t n = address_of(f, i, &at);
	int fd = sys_socket(at.family, SYS_SOCK_STREAM);
	int rc;

	if (fd < 0)
		return fd;
	rc = sys_bind(fd, &at, n);
	if (rc == 0)
		rc = sys_listen(fd, BACKLOG);
	if (rc < 0)
		sys_close(fd);
	return rc < 0 ? rc : fd;
}

void passed_connected(const struct program *p, struct sockets *s, const struct proto_exec *x)
{
	uint32_t i = x->flags >> PROTO_EXEC_TOKEN_SHIFT;
	struct proto_fd f = {0};
	union address to;
	size_t n;
	int fd, rc;

	if (i < p->head.n_fds)
		f = program_fd(p, i);
	if (f.kind < PROTO_FD_UNIX) {
		sockets_refuse(x);
		return;
	}
	n = address_of(&f, i, &to);
	fd = sys_socket(to.family, SYS_SOCK_STREAM | O_NONBLOCK);
	rc = fd < 0 ? fd : sys_connect_to(fd, &to, n);
	if (rc < 0 && rc != -EINPROGRESS) {
		if (fd >= 0)
			sys_close(fd);
		sockets_refuse(x);
		return;
	}
	sockets_carry(s, fd, x);
}

/* ------------------------------------------------------------------ the process's ends */

int passed_first(struct passed *out, const struct program *p, struct sockets *s, struct err *e)
{
	for (uint32_t i = 0; i < p->head.n_fds; i++) {
		struct proto_fd f = program_fd(p, i);

		out->fd[i] = f.kind >= PROTO_FD_UNIX ?
				     listen_at(&f, i) :
				     sockets_pass(s, f.kind, PROTO_FD_TOKEN(0, i));
		if (out->fd[i] < 0)
			return err_sys(e, out->fd[i], "descriptor %u", f.number);
	}
	return 0;
}

static uint32_t kind_of(const struct proto_exec *x, uint32_t i)
{
	return x->flags >> (PROTO_EXEC_FD_SHIFT + 2 * i) & 3;
}

uint32_t passed_count(const struct proto_exec *x)
{
	uint32_t n = 0;

	while (n < PROTO_MAX_FDS && kind_of(x, n) != 0)
		n++;
	return n;
}

int passed_exec(struct passed *out, const struct proto_exec *x, struct sockets *s, struct err *e)
{
	for (uint32_t i = 0; i < passed_count(x); i++) {
		out->fd[i] = sockets_pass(s, kind_of(x, i), PROTO_FD_TOKEN(x->port, i));
		if (out->fd[i] < 0)
			return err_sys(e, out->fd[i], "exec: --preserve-fds");
	}
	return 0;
}

void passed_own(const struct passed *p, uint32_t uid, uint32_t gid)
{
	for (uint32_t i = 0; i < PROTO_MAX_FDS; i++)
		if (p->fd[i] >= 0)
			sys_fchown(p->fd[i], uid, gid); /* a socket needs no owner */
}

int passed_place(struct passed *p, const struct program *program, int *keep, struct err *e)
{
	uint32_t n = program->head.n_fds;
	int above = n > 0 ? (int)program_fd(program, n - 1).number + 1 : 0;
	int rc = 0;

	if (n > 0 && *keep >= 0)
		rc = *keep = sys_fcntl(*keep, F_DUPFD_CLOEXEC, above);
	for (uint32_t i = 0; rc >= 0 && i < n; i++)
		rc = p->fd[i] = sys_fcntl(p->fd[i], F_DUPFD_CLOEXEC, above);
	for (uint32_t i = 0; rc >= 0 && i < n; i++)
		rc = sys_dup3(p->fd[i], (int)program_fd(program, i).number, 0);
	return rc < 0 ? err_sys(e, rc, "descriptors from 3 on") : 0;
}
