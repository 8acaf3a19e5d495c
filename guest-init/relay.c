/* SPDX-License-Identifier: Apache-2.0 */
/* relay - carry the container's stdio between its pipes or pty and the host's vsock streams. */
#include "guest-init/relay.h"

#include "guest-init/sys.h"

#define ROUNDS 16 /* buffers per stream before the others get their turn */

static void drop(int *fd)
{
	if (*fd >= 0)
		sys_close(*fd);
	*fd = -1;
}

/* Close what no direction needs any more. */
static void settle(struct relay_stream *s)
{
	bool up = s->up.state == RELAY_OPEN || s->up.state == RELAY_ENDED;
	bool down = s->down.state != RELAY_OFF;

	if (!up && !down) {
		drop(&s->slave);
		drop(&s->local);
	}
	if (!down && s->up.state == RELAY_OFF)
		drop(&s->sock);
}

static void end_down(struct relay_stream *s)
{
	s->down.state = RELAY_OFF;
	s->down.len = 0;
	settle(s);
}

/* The host takes nothing more: the writer shall know, by EPIPE or by hang-up. */
static void reader_gone(struct relay_stream *s)
{
	s->up.state = RELAY_OFF;
	s->up.len = 0;
	end_down(s);
}

/* Pass on what @f holds. Return: bytes left, or a negative errno other than -EAGAIN. */
static long pass(struct relay *r, struct relay_flow *f, int to, bool to_sock)
{
	while (f->len > 0) {
		long n = to_sock ? sys_send(to, f->buf + f->at, f->len, SYS_MSG_DONTWAIT)
				 : sys_write(to, f->buf + f->at, f->len);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			break;
		if (n < 0)
			return n;
		f->at += (size_t)n;
		f->len -= (size_t)n;
		r->moved += (uint64_t)n;
	}
	return (long)f->len;
}

/* Fill an empty @f. Return: 1 when it holds bytes, 0 when there are none now; may end the flow. */
static int fill(const struct relay *r, struct relay_flow *f, int from, bool from_sock)
{
	for (;;) {
		long n = from_sock ? sys_recv(from, f->buf, r->piece, SYS_MSG_DONTWAIT)
				   : sys_read(from, f->buf, r->piece);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return 0;
		if (n <= 0) { /* a pty without slaves says EIO, a reset socket ECONNRESET */
			f->state = RELAY_ENDED;
			return 0;
		}
		f->at = 0;
		f->len = (size_t)n;
		return 1;
	}
}

static void run_up(struct relay *r, struct relay_stream *s)
{
	struct relay_flow *f = &s->up;

	for (int i = 0; i < ROUNDS; i++) {
		if (f->len == 0 && (f->state != RELAY_OPEN || fill(r, f, s->local, false) == 0))
			break;
		if (pass(r, f, s->sock, true) < 0) {
			reader_gone(s);
			r->moved++;
			return;
		}
		if (f->len > 0)
			return;
	}
	if (f->state == RELAY_ENDED && f->len == 0) {
		sys_shutdown(s->sock, SYS_SHUT_WR);
		f->state = RELAY_ACK;
		r->moved++;
		settle(s);
	}
}

static void run_down(struct relay *r, struct relay_stream *s)
{
	struct relay_flow *f = &s->down;

	for (int i = 0; i < ROUNDS; i++) {
		if (f->len == 0 && (f->state != RELAY_OPEN || fill(r, f, s->sock, true) == 0))
			break;
		if (pass(r, f, s->local, false) < 0) {
			end_down(s);
			return;
		}
		if (f->len > 0)
			return;
	}
	if (f->state == RELAY_ENDED && f->len == 0)
		end_down(s);
}

/* After our half-close the host's end of the stream is its acknowledgement. */
static void run_ack(struct relay *r, struct relay_stream *s)
{
	while (s->up.state == RELAY_ACK) {
		long n = sys_recv(s->sock, s->up.buf, r->piece, SYS_MSG_DONTWAIT);

		if (n == -EAGAIN)
			return;
		if (n > 0 || n == -EINTR)
			continue;
		s->up.state = RELAY_OFF;
		r->moved++;
		settle(s);
	}
}

/*
 * The host has closed its sending side. Whether it still reads no poll tells, but sending nothing
 * does: af_vsock checks for a closed peer before it looks at the length.
 */
static void probe(struct relay *r, struct relay_stream *s)
{
	s->probed = true;
	if (s->up.state != RELAY_OPEN && s->up.state != RELAY_ENDED)
		return;
	if (sys_send(s->sock, "", 0, SYS_MSG_DONTWAIT) < 0) {
		reader_gone(s);
		r->moved++;
	}
}

void relay_init(struct relay *r, void *memory, size_t piece)
{
	r->memory = memory;
	r->piece = piece;
	for (int i = 0; i < RELAY_STREAMS; i++)
		r->stream[i] = (struct relay_stream){.sock = -1, .local = -1, .slave = -1};
	r->moved = 0;
}

void relay_pipe(struct relay *r, int index, int sock, int local)
{
	struct relay_stream *s = &r->stream[index];
	struct relay_flow flow = {
		.state = RELAY_OPEN,
		.buf = r->memory + (size_t)index * r->piece,
	};

	s->sock = sock;
	s->local = local;
	if (index == 0)
		s->down = flow;
	else
		s->up = flow;
}

void relay_tty(struct relay *r, int sock, int master, int slave)
{
	struct relay_stream *s = &r->stream[0];

	s->sock = sock;
	s->local = master;
	s->slave = slave;
	s->is_tty = true;
	s->down = (struct relay_flow){.state = RELAY_OPEN, .buf = r->memory};
	s->up = (struct relay_flow){.state = RELAY_OPEN, .buf = r->memory + r->piece};
}

/* A descriptor of no interest is left out: poll would report its hang-up again and again. */
void relay_polls(const struct relay *r, struct pollfd *out)
{
	for (int i = 0; i < RELAY_STREAMS; i++) {
		const struct relay_stream *s = &r->stream[i];
		short local = 0, sock = 0;
		bool writer = s->up.state == RELAY_OFF && s->down.state != RELAY_OFF;

		if (s->up.state == RELAY_OPEN && s->up.len == 0)
			local |= POLLIN;
		if (s->down.len > 0)
			local |= POLLOUT;
		if (s->down.state == RELAY_OPEN && s->down.len == 0)
			sock |= POLLIN;
		if (s->up.len > 0)
			sock |= POLLOUT;
		if (s->up.state == RELAY_ACK)
			sock |= POLLIN;
		if (!s->probed && s->up.state != RELAY_OFF)
			sock |= SYS_POLLRDHUP;
		/* a pipe we write to is watched even so: POLLERR says that its reader is gone */
		out[2 * i] = (struct pollfd){.fd = local != 0 || writer ? s->local : -1,
					     .events = local};
		out[2 * i + 1] = (struct pollfd){.fd = sock != 0 ? s->sock : -1, .events = sock};
	}
}

void relay_run(struct relay *r, const struct pollfd *polls)
{
	for (int i = 0; i < RELAY_STREAMS; i++) {
		struct relay_stream *s = &r->stream[i];
		short local = polls[2 * i].fd >= 0 ? polls[2 * i].revents : 0;
		short sock = polls[2 * i + 1].fd >= 0 ? polls[2 * i + 1].revents : 0;

		if (local == 0 && sock == 0)
			continue;
		if ((local & POLLERR) != 0 && !s->is_tty && s->down.state != RELAY_OFF)
			end_down(s);
		if ((sock & (SYS_POLLRDHUP | POLLHUP | POLLERR)) != 0 && !s->probed)
			probe(r, s);
		if (s->up.state == RELAY_OPEN || s->up.state == RELAY_ENDED)
			run_up(r, s);
		if (s->down.state != RELAY_OFF)
			run_down(r, s);
		if (s->up.state == RELAY_ACK)
			run_ack(r, s);
	}
}

void relay_process_gone(struct relay *r)
{
	for (int i = 0; i < RELAY_STREAMS; i++) {
		struct relay_stream *s = &r->stream[i];

		drop(&s->slave); /* now the master will end, after the last byte */
		if (s->down.state != RELAY_OFF)
			end_down(s);
	}
}

bool relay_over(const struct relay *r, bool *out_unsent)
{
	bool over = true;

	*out_unsent = false;
	for (int i = 0; i < RELAY_STREAMS; i++) {
		enum relay_state st = r->stream[i].up.state;

		if (st != RELAY_OFF)
			over = false;
		if (st == RELAY_OPEN || st == RELAY_ENDED)
			*out_unsent = true;
	}
	return over;
}

bool relay_quiet(const struct relay *r)
{
	for (int i = 0; i < RELAY_STREAMS; i++) {
		const struct relay_stream *s = &r->stream[i];
		struct pollfd p = {.fd = s->local, .events = POLLIN};

		if (s->up.len > 0 || s->up.state == RELAY_ENDED)
			return false;
		if (s->up.state == RELAY_OPEN && sys_poll(&p, 1, 0) > 0)
			return false;
	}
	return true;
}

void relay_cut(struct relay *r)
{
	for (int i = 0; i < RELAY_STREAMS; i++) {
		struct relay_stream *s = &r->stream[i];

		s->up.state = RELAY_OFF;
		s->down.state = RELAY_OFF;
		settle(s);
	}
}
