/* SPDX-License-Identifier: Apache-2.0 */
/* sockets - UNIX sockets whose server is on the host: listen in their place, carry each connection over. */
#include "guest-init/sockets.h"

#include "guest-init/link.h"
#include "guest-init/str.h"
#include "guest-init/sys.h"

#define FAMILY_UNIX 1 /* AF_UNIX */
#define BACKLOG 128
#define ROUNDS 8 /* buffers per direction before the others get their turn */

void sockets_name(uint32_t i, char *out)
{
	str_fmt(out, SOCKETS_NAME, "socket%u", i);
}

static int listen_one(const struct proto_mount *m)
{
	struct {
		uint16_t family;
		char path[SOCKETS_NAME + 1];
	} address = {.family = FAMILY_UNIX, .path = "/"};
	bool stream = (m->flags & PROTO_MOUNT_DATAGRAMS) == 0;
	int fd = sys_socket(FAMILY_UNIX, (stream ? SYS_SOCK_STREAM : SYS_SOCK_DGRAM) | O_NONBLOCK);
	int rc;

	if (fd < 0)
		return fd;
	sockets_name(m->share, address.path + 1);
	rc = sys_bind(fd, &address, sizeof(address));
	if (rc == 0)
		rc = sys_fchmodat(AT_FDCWD, address.path, m->mode);
	if (rc == 0)
		rc = sys_fchownat(AT_FDCWD, address.path, m->uid, m->gid, AT_SYMLINK_NOFOLLOW);
	if (rc == 0 && stream)
		rc = sys_listen(fd, BACKLOG);
	if (rc < 0)
		sys_close(fd);
	return rc < 0 ? rc : fd;
}

int sockets_listen(struct sockets *s, const struct program *p, struct err *e)
{
	for (uint32_t i = 0; i < p->head.n_mounts; i++) {
		struct proto_mount m = program_mount(p, i);
		int fd;

		if (m.kind != PROTO_MOUNT_SOCKET)
			continue;
		if (s->n == PROTO_MAX_SOCKETS || m.share != s->n)
			return err_set(e, EPROTO, "mount \"%s\": number of the socket",
				       program_text(p, m.dest));
		fd = listen_one(&m);
		if (fd < 0)
			return err_sys(e, fd, "mount \"%s\": listen", program_text(p, m.dest));
		s->datagrams[s->n].in = (m.flags & PROTO_MOUNT_DATAGRAMS) != 0 ? fd : -1;
		s->listen[s->n++] = fd;
	}
	return 0;
}

static bool has_room(const struct sockets *s)
{
	for (uint32_t i = 0; i < s->used; i++)
		if (s->conn[i].state == SOCKETS_FREE)
			return true;
	return s->used < PROTO_MAX_SOCKET_CONNS;
}

static struct sockets_conn *find_free(struct sockets *s)
{
	for (uint32_t i = 0; i < PROTO_MAX_SOCKET_CONNS; i++)
		if (s->conn[i].state == SOCKETS_FREE) {
			s->used = i < s->used ? s->used : i + 1;
			return &s->conn[i];
		}
	return NULL;
}

static void drop(int *fd)
{
	if (*fd >= 0)
		sys_close(*fd);
	*fd = -1;
}

static void end(struct sockets_conn *c)
{
	drop(&c->local);
	drop(&c->sock);
	drop(&c->channel);
	c->state = SOCKETS_FREE;
}

/* Somebody wants socket number @index. Return: the token of the answer, or -errno. */
static int ask(struct sockets *s, uint32_t index, int control)
{
	struct proto_event event = {.type = PROTO_SOCKET, .code = (int32_t)index};
	int rc;

	event.signal = s->made++ % PROTO_TOKENS;
	rc = link_send(control, &event);
	return rc < 0 ? rc : (int)event.signal;
}

static void take_one(struct sockets *s, uint32_t index, int control)
{
	struct sockets_conn *c = find_free(s);
	int fd = c == NULL ? -EAGAIN : sys_accept(s->listen[index]);
	int token;

	if (fd < 0)
		return;
	c->state = SOCKETS_ASKED;
	c->local = fd;
	c->sock = c->channel = -1;
	c->gone = false;
	c->kind = 0;
	token = ask(s, index, control);
	c->token = (uint32_t)token;
	if (token < 0)
		end(c); /* the loop will see the channel's end by itself */
}

/* @open: there is such a direction. */
static void begin(struct sockets_flow *f, bool open)
{
	f->open = open;
	f->shut = !open;
	f->at = f->len = 0;
}

void sockets_refuse(const struct proto_exec *x)
{
	int fd = x->port == 0 ? -1 : link_port(x, 0);

	if (fd >= 0)
		sys_close(fd);
}

static void open_conn(struct sockets_conn *c, const struct proto_exec *x)
{
	c->channel = x->port == 0 ? -ECONNREFUSED : link_port(x, 0);
	c->sock = c->channel < 0 ? -1 : link_port(x, 1);
	if (c->sock < 0) {
		end(c);
		return;
	}
	c->state = SOCKETS_OPEN;
	begin(&c->up, c->kind != PROTO_FD_IN);
	begin(&c->down, true);
}

void sockets_open(struct sockets *s, const struct proto_exec *x)
{
	uint32_t token = x->flags >> PROTO_EXEC_TOKEN_SHIFT;

	for (uint32_t i = 0; i < s->used; i++)
		if (s->conn[i].state == SOCKETS_ASKED && s->conn[i].token == token) {
			open_conn(&s->conn[i], x);
			return;
		}
	for (uint32_t i = 0; i < s->n; i++)
		if (s->datagrams[i].state == DATAGRAMS_ASKED && s->datagrams[i].token == token) {
			datagrams_open(&s->datagrams[i], x);
			return;
		}
	sockets_refuse(x);
}

void sockets_carry(struct sockets *s, int local, const struct proto_exec *x)
{
	struct sockets_conn *c = find_free(s);

	if (c == NULL) {
		sys_close(local);
		sockets_refuse(x);
		return;
	}
	c->kind = 0;
	c->local = local;
	c->gone = false;
	open_conn(c, x);
}

int sockets_pass(struct sockets *s, uint32_t kind, uint32_t token)
{
	struct sockets_conn *c = find_free(s);
	int ours = kind == PROTO_FD_IN ? 1 : 0, ends[2], rc;

	if (c == NULL)
		return -EMFILE;
	rc = kind == PROTO_FD_BOTH ? sys_socketpair(ends) : sys_pipe(ends);
	if (rc < 0)
		return rc;
	sys_fcntl(ends[ours], F_SETFL, O_NONBLOCK);
	c->state = SOCKETS_ASKED;
	c->kind = kind;
	c->local = ends[ours];
	c->sock = c->channel = -1;
	c->gone = false;
	c->sent = 0;
	c->token = token;
	return ends[!ours];
}

void sockets_drop(struct sockets *s, uint32_t port)
{
	for (uint32_t i = 0; i < s->used; i++)
		for (uint32_t k = 0; k < PROTO_MAX_FDS; k++)
			if (s->conn[i].state == SOCKETS_ASKED &&
			    s->conn[i].token == PROTO_FD_TOKEN(port, k))
				end(&s->conn[i]);
}

bool sockets_over(struct sockets *s, bool passed)
{
	bool over = true;

	for (uint32_t i = 0; i < s->used; i++) {
		const struct sockets_conn *c = &s->conn[i];

		if (c->state != SOCKETS_FREE && (c->kind != 0) == passed && c->kind != PROTO_FD_IN)
			over = false;
	}
	for (uint32_t i = 0; i < s->n && !passed; i++)
		if (s->datagrams[i].in >= 0)
			over &= datagrams_over(&s->datagrams[i]);
	return over;
}

bool sockets_unsent(const struct sockets *s)
{
	for (uint32_t i = 0; i < s->used; i++)
		if (s->conn[i].state == SOCKETS_OPEN && s->conn[i].kind != 0 &&
		    s->conn[i].up.len > 0)
			return true;
	return false;
}

uint64_t sockets_sent(const struct sockets *s, uint32_t port, bool *out_quiet)
{
	uint64_t sent = 0;

	*out_quiet = true;
	for (uint32_t i = 0; i < s->used; i++) {
		const struct sockets_conn *c = &s->conn[i];
		struct pollfd p = {.fd = c->local, .events = POLLIN};

		if (c->kind == 0 || c->kind == PROTO_FD_IN || c->token - PROTO_FD_TOKEN(port, 0) >= PROTO_MAX_FDS)
			continue;
		if (c->state != SOCKETS_ASKED && c->state != SOCKETS_OPEN)
			continue;
		sent += c->sent;
		if ((c->state == SOCKETS_OPEN && c->up.len > 0) ||
		    (sys_poll(&p, 1, 0) > 0 && (p.revents & POLLIN) != 0))
			*out_quiet = false;
	}
	return sent;
}

/* No more bytes go this way: @to shall see the end, or @from that nobody reads. A pipe has just one way. */
static void close_way(struct sockets_conn *c, int fd, int how)
{
	if (fd == c->local && (c->kind == PROTO_FD_IN || c->kind == PROTO_FD_OUT))
		drop(&c->local);
	else if (fd >= 0)
		sys_shutdown(fd, how);
}

/* Pass on what there is, and the end behind the last byte. */
static void move(struct sockets *s, struct sockets_conn *c, struct sockets_flow *f)
{
	bool up = f == &c->up;

	for (int i = 0; i < ROUNDS; i++) {
		int from = up ? c->local : c->sock, to = up ? c->sock : c->local;
		long n;

		if (f->len == 0 && f->open) {
			n = sys_read(from, f->buf, SOCKETS_BUFFER);
			if (n == -EAGAIN || n == -EINTR)
				break;
			f->open = n > 0;
			f->at = 0;
			f->len = n > 0 ? (uint32_t)n : 0;
		}
		if (f->len == 0)
			break;
		n = sys_write(to, f->buf + f->at, f->len);
		if (n == -EAGAIN || n == -EINTR)
			break;
		if (n < 0) { /* nobody takes it any more */
			f->open = false;
			f->len = 0;
			close_way(c, from, SYS_SHUT_RD);
			break;
		}
		f->at += (uint32_t)n;
		f->len -= (uint32_t)n;
		s->moved += up ? (uint64_t)n : 0;
		c->sent += up ? (uint64_t)n : 0;
	}
	if (!f->open && f->len == 0 && !f->shut) {
		close_way(c, up ? c->sock : c->local, SYS_SHUT_WR);
		f->shut = true;
	}
}

static void polls_of(const struct sockets_conn *c, struct pollfd *out)
{
	short local = 0, sock = 0;

	out[0] = (struct pollfd){.fd = -1};
	out[1] = (struct pollfd){.fd = c->state == SOCKETS_LEAVING ? c->channel : -1, .events = POLLIN};
	if (c->state != SOCKETS_OPEN)
		return;
	if (c->up.open && c->up.len == 0)
		local |= POLLIN;
	if (c->down.len > 0)
		local |= POLLOUT;
	if (c->down.open && c->down.len == 0)
		sock |= POLLIN;
	if (c->up.len > 0)
		sock |= POLLOUT;
	/* that both sides of local have gone is told unasked, and once is enough */
	out[0] = (struct pollfd){.fd = c->gone && local != POLLIN ? -1 : c->local, .events = local};
	out[1] = (struct pollfd){.fd = sock != 0 ? c->sock : -1, .events = sock};
}

unsigned sockets_polls(const struct sockets *s, struct pollfd *out)
{
	bool room = s->n > 0 && has_room(s);

	for (uint32_t i = 0; i < s->n; i++)
		out[i] = s->datagrams[i].in >= 0 ? datagrams_poll(&s->datagrams[i]) :
						  (struct pollfd){.fd = room ? s->listen[i] : -1, .events = POLLIN};
	for (uint32_t i = 0; i < s->used; i++)
		polls_of(&s->conn[i], out + s->n + 2 * i);
	return s->n + 2 * s->used;
}

/* What we have sent is on its way: on the channel the host learns that, and answers by closing it. */
static void leave(struct sockets_conn *c)
{
	if (c->kind == PROTO_FD_IN || sys_send(c->channel, "", 1, SYS_MSG_DONTWAIT) != 1) {
		end(c);
		return;
	}
	drop(&c->local);
	c->state = SOCKETS_LEAVING;
}

static void run_one(struct sockets *s, struct sockets_conn *c, const struct pollfd *polls)
{
	if (c->state == SOCKETS_LEAVING) {
		s->moved++;
		end(c);
		return;
	}
	if (polls[0].fd >= 0 && (polls[0].revents & (POLLHUP | POLLERR)) != 0)
		c->gone = true;
	move(s, c, &c->up);
	move(s, c, &c->down);
	if (c->up.shut && (c->down.shut || c->gone))
		leave(c);
}

static void carry_datagrams(struct sockets *s, struct datagrams *d, uint32_t index, int control)
{
	s->moved++;
	if (datagrams_run(d))
		d->token = (uint32_t)ask(s, index, control);
}

void sockets_run(struct sockets *s, const struct pollfd *polls, int control)
{
	const struct pollfd *p = polls + s->n;

	for (uint32_t i = 0; i < s->used; i++, p += 2)
		if ((s->conn[i].state == SOCKETS_OPEN || s->conn[i].state == SOCKETS_LEAVING) &&
		    (p[0].revents | p[1].revents) != 0)
			run_one(s, &s->conn[i], p);
	/* last: what is new was not polled */
	for (uint32_t i = 0; i < s->n; i++)
		if (polls[i].fd < 0 || polls[i].revents == 0)
			continue;
		else if (s->datagrams[i].in >= 0)
			carry_datagrams(s, &s->datagrams[i], i, control);
		else
			take_one(s, i, control);
}
