/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_flow - one connection, or one client of a UDP port, carried from side to side. */
#include "guest-init/mirror_internal.h"
#include "guest-init/str.h"

#define UDP_IDLE_MS 60000u	 /* the side that opened a flow ends it */
#define UDP_IDLE_OTHER_MS 120000u /* the other, in case that it does not */
#define DATAGRAMS 64		 /* of one port before the others get their turn */
#define ACCEPTS 16
#define SLOT_MASK (MIRROR_FLOWS - 1)

_Static_assert((MIRROR_FLOWS & SLOT_MASK) == 0, "a slot is the low bits of an id");

static uint32_t our_bit(const struct mirror *m)
{
	return m->side == MIRROR_HOST ? 1 : 0;
}

static void note_slot(struct mirror *m, uint32_t by, uint32_t slot)
{
	if (m->top[by] <= slot)
		m->top[by] = slot + 1;
}

/* ------------------------------------------------------------------ the end of one */

static void forget(struct flow *f)
{
	*f = (struct flow){.state = FLOW_FREE, .fd = -1, .poll = -1};
}

/* Its socket and bytes go; what is owed is still sent. */
static void let_go(struct flow *f, bool abort)
{
	static const int now[2] = {1, 0}; /* struct linger: on, no seconds */

	if (f->fd >= 0 && abort && !f->udp)
		sys_set_option(f->fd, SYS_SOL_SOCKET, SYS_SO_LINGER, now, sizeof(now));
	if (f->fd >= 0)
		sys_close(f->fd);
	if (f->ring != NULL)
		sys_unmap(f->ring, MIRROR_WINDOW);
	f->fd = -1;
	f->ring = NULL;
	f->ring_n = 0;
	f->poll = -1;
	f->state = FLOW_OVER;
}

static void reset(struct flow *f)
{
	let_go(f, true);
	/* the other side has not heard of it yet */
	f->owe = f->owe & OWE_OPEN ? 0 : OWE_RESET;
	if (f->owe == 0)
		forget(f);
}

/* Both directions have come to their end. */
static void settle(struct flow *f)
{
	if (f->state != FLOW_OPEN || f->udp || !f->sent_eof || !f->got_eof || f->ring_n > 0)
		return;
	let_go(f, false);
	f->owe &= OWE_OPEN | OWE_EOF;
	if (f->owe == 0)
		forget(f);
}

/* ------------------------------------------------------------------ what is owed */

static bool pay(struct mirror *m, struct flow *f, uint32_t owed, uint32_t type)
{
	struct mirror_frame frame = {.type = type, .id = f->id};

	if (!(f->owe & owed))
		return true;
	if (!out_fits(m, sizeof(f->to)))
		return false;
	if (owed == OWE_CREDIT) {
		frame.number = f->eaten;
		f->eaten = 0;
	}
	if (owed == OWE_OPEN) {
		frame.length = sizeof(f->to);
		memcpy(out_payload(m, sizeof(f->to)), &f->to, sizeof(f->to));
	}
	out_frame(m, &frame);
	f->owe &= ~owed;
	return true;
}

void flows_pay(struct mirror *m)
{
	for (int by = 0; by < 2; by++) {
		for (uint32_t i = 0; i < m->top[by]; i++) {
			struct flow *f = &m->flows[by][i];

			if (f->owe == 0)
				continue;
			if (!pay(m, f, OWE_OPEN, MIRROR_OPEN) || !pay(m, f, OWE_CREDIT, MIRROR_CREDIT) ||
			    !pay(m, f, OWE_EOF, MIRROR_EOF) || !pay(m, f, OWE_RESET, MIRROR_RESET))
				return;
			if (f->state == FLOW_OVER)
				forget(f);
		}
		while (m->top[by] > 0 && m->flows[by][m->top[by] - 1].state == FLOW_FREE)
			m->top[by]--;
	}
}

void flows_age(struct mirror *m)
{
	for (int by = 0; by < 2; by++)
		for (uint32_t i = 0; i < m->top[by]; i++) {
			struct flow *f = &m->flows[by][i];
			uint64_t most = f->ours ? UDP_IDLE_MS : UDP_IDLE_OTHER_MS;

			if (f->state == FLOW_OPEN && f->udp && m->now_ms - f->used_ms > most)
				reset(f);
		}
}

/* ------------------------------------------------------------------ from our socket to the other side */

bool flows_room(struct mirror *m)
{
	const struct flow *flows = m->flows[our_bit(m)];

	for (uint32_t i = 0; i < MIRROR_FLOWS; i++)
		if (flows[i].state == FLOW_FREE)
			return true;
	return false;
}

/* The client of a UDP port that has been silent longest makes room. */
static struct flow *evict(struct mirror *m)
{
	struct flow *flows = m->flows[our_bit(m)], *oldest = NULL;

	for (uint32_t i = 0; i < MIRROR_FLOWS; i++)
		if (flows[i].state == FLOW_OPEN && flows[i].udp &&
		    (oldest == NULL || flows[i].used_ms < oldest->used_ms))
			oldest = &flows[i];
	if (oldest != NULL)
		forget(oldest); /* a new id in its slot is understood */
	return oldest;
}

static struct flow *begin(struct mirror *m, bool udp)
{
	uint32_t by = our_bit(m);
	struct flow *f = NULL;

	for (uint32_t i = 0; i < MIRROR_FLOWS && f == NULL; i++)
		if (m->flows[by][i].state == FLOW_FREE)
			f = &m->flows[by][i];
	if (f == NULL && udp)
		f = evict(m);
	if (f == NULL)
		return NULL;
	m->generation++;
	*f = (struct flow){
		.state = FLOW_OPEN,
		.id = (by ? MIRROR_BY_HOST : 0) | ((m->generation * MIRROR_FLOWS) & ~MIRROR_BY_HOST) |
		      (uint32_t)(f - m->flows[by]),
		.owe = OWE_OPEN,
		.ours = true,
		.udp = udp,
		.fd = -1,
		.room = MIRROR_WINDOW,
		.used_ms = m->now_ms,
		.poll = -1,
	};
	note_slot(m, by, (uint32_t)(f - m->flows[by]));
	return f;
}

void flow_accept(struct mirror *m, struct port *p)
{
	for (int i = 0; i < ACCEPTS && flows_room(m); i++) {
		struct inet_addr name = {0};
		uint32_t n = sizeof(name);
		int fd = sys_accept(p->fd), yes = 1;
		struct flow *f;

		if (fd < 0)
			return;
		f = begin(m, false);
		if (f == NULL || inet_own_name(fd, &name, &n) < 0) {
			sys_close(fd);
			continue;
		}
		sys_set_option(fd, SYS_IPPROTO_TCP, SYS_TCP_NODELAY, &yes, sizeof(yes));
		f->fd = fd;
		addr_from_inet(&name, MIRROR_TCP, &f->to);
	}
}

static struct flow *find_client(struct mirror *m, const struct port *p, const struct inet_addr *client,
				uint32_t n)
{
	uint32_t by = our_bit(m);

	for (uint32_t i = 0; i < m->top[by]; i++) {
		struct flow *f = &m->flows[by][i];

		if (f->state == FLOW_OPEN && f->udp && f->client_bytes == n &&
		    memcmp(&f->client, client, n) == 0 &&
		    memcmp(&f->port, &p->addr, sizeof(p->addr)) == 0)
			return f;
	}
	return NULL;
}

/* Where a datagram for a wildcard address was sent to is not known: the loopback is always right. */
static void name_target(const struct mirror_addr *port, struct mirror_addr *out)
{
	static const uint8_t v4[4] = {127, 0, 0, 1};

	*out = *port;
	out->v6only = 0;
	if (!addr_is_any(port))
		return;
	if (port->family == MIRROR_V4)
		memcpy(out->addr, v4, sizeof(v4));
	else
		out->addr[15] = 1;
}

void flow_datagrams(struct mirror *m, struct port *p)
{
	for (int i = 0; i < DATAGRAMS && out_fits(m, MIRROR_PAYLOAD + CONTROL_ROOM); i++) {
		static uint8_t datagram[MIRROR_PAYLOAD];
		struct inet_addr client = {0};
		struct mirror_frame frame = {.type = MIRROR_DATA};
		uint32_t len = sizeof(client);
		long n = inet_recv_from(p->fd, datagram, sizeof(datagram), &client, &len);
		struct flow *f;

		if (n < 0 || len > sizeof(client))
			return;
		f = find_client(m, p, &client, len);
		if (f == NULL) {
			f = begin(m, true);
			if (f == NULL)
				continue; /* lost, as datagrams may be */
			f->client = client;
			f->client_bytes = len;
			f->port = p->addr;
			name_target(&p->addr, &f->to);
		}
		if (!pay(m, f, OWE_OPEN, MIRROR_OPEN))
			continue;
		f->used_ms = m->now_ms;
		frame.id = f->id;
		frame.length = (uint32_t)n;
		memcpy(out_payload(m, (size_t)n), datagram, (size_t)n);
		out_frame(m, &frame);
	}
}

/* Read once from the socket into a frame. */
static void pull(struct mirror *m, struct flow *f)
{
	struct mirror_frame frame = {.type = MIRROR_DATA, .id = f->id};
	size_t most = f->udp ? MIRROR_PAYLOAD : f->room < PIECE ? f->room : PIECE;
	long n;

	if (f->sent_eof || (f->owe & OWE_OPEN) || most == 0 || !out_fits(m, most))
		return;
	n = sys_recv(f->fd, out_payload(m, most), most, SYS_MSG_DONTWAIT);
	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n < 0 && f->udp)
		return; /* nobody listens any more, as a sender is told */
	if (n < 0) {
		reset(f);
		return;
	}
	if (n == 0 && !f->udp) {
		f->sent_eof = true;
		f->owe |= OWE_EOF;
		settle(f);
		return;
	}
	f->used_ms = m->now_ms;
	if (!f->udp)
		f->room -= (uint32_t)n;
	frame.length = (uint32_t)n;
	out_frame(m, &frame);
}

/* ------------------------------------------------------------------ from the other side to our socket */

static void eat(struct flow *f, uint32_t n)
{
	f->eaten += n;
	if (f->eaten >= MIRROR_WINDOW / 4)
		f->owe |= OWE_CREDIT;
}

/* All is passed on and no more comes. */
static void end_ours(struct flow *f)
{
	if (f->state != FLOW_OPEN || !f->got_eof || f->ring_n > 0)
		return;
	sys_shutdown(f->fd, SYS_SHUT_WR);
	settle(f);
}

static void push(struct flow *f)
{
	while (f->ring_n > 0) {
		uint32_t to_end = MIRROR_WINDOW - f->ring_at;
		uint32_t n = f->ring_n < to_end ? f->ring_n : to_end;
		long done = sys_send(f->fd, f->ring + f->ring_at, n, SYS_MSG_DONTWAIT);

		if (done == -EAGAIN || done == -EINTR)
			return;
		if (done < 0) {
			reset(f);
			return;
		}
		f->ring_at = (f->ring_at + (uint32_t)done) % MIRROR_WINDOW;
		f->ring_n -= (uint32_t)done;
		eat(f, (uint32_t)done);
	}
	end_ours(f);
}

static bool keep(struct flow *f, const uint8_t *data, uint32_t n)
{
	if (n == 0)
		return true;
	if (n > MIRROR_WINDOW - f->ring_n)
		return false; /* more than was granted */
	if (f->ring == NULL) {
		f->ring = sys_pages(MIRROR_WINDOW);
		f->ring_at = 0;
	}
	if (f->ring == NULL)
		return false;
	while (n > 0) {
		uint32_t at = (f->ring_at + f->ring_n) % MIRROR_WINDOW;
		uint32_t piece = n < MIRROR_WINDOW - at ? n : MIRROR_WINDOW - at;

		memcpy(f->ring + at, data, piece);
		f->ring_n += piece;
		data += piece;
		n -= piece;
	}
	return true;
}

static void on_bytes(struct flow *f, const uint8_t *data, uint32_t n)
{
	long done = 0;

	if (f->got_eof) {
		reset(f);
		return;
	}
	if (f->ring_n == 0 && f->state == FLOW_OPEN && n > 0)
		done = sys_send(f->fd, data, n, SYS_MSG_DONTWAIT);
	if (done == -EAGAIN || done == -EINTR)
		done = 0;
	if (done < 0) {
		reset(f);
		return;
	}
	eat(f, (uint32_t)done);
	if (!keep(f, data + done, n - (uint32_t)done))
		reset(f);
}

static int port_fd(const struct mirror *m, const struct mirror_addr *a)
{
	for (uint32_t i = 0; i < m->n_ports; i++)
		if (memcmp(&m->ports[i].addr, a, sizeof(*a)) == 0)
			return m->ports[i].fd;
	return -1;
}

/* What can't be sent is lost. */
static void on_datagram(struct mirror *m, struct flow *f, const uint8_t *data, uint32_t n)
{
	int fd = f->ours ? port_fd(m, &f->port) : f->fd;

	f->used_ms = m->now_ms;
	if (fd >= 0 && f->ours)
		inet_send_to(fd, data, n, &f->client, f->client_bytes);
	else if (fd >= 0)
		sys_send(fd, data, n, SYS_MSG_DONTWAIT);
}

/* Whether somebody listens here at this very address, not at any. */
static bool is_named(const struct mirror *m, const struct mirror_addr *to)
{
	for (uint32_t i = 0; i < m->n_own; i++)
		if (!addr_is_any(&m->own[i]) && addr_covers(&m->own[i], to))
			return true;
	return false;
}

/* The socket to who listens here. Return: it, or -errno. */
static int dial(struct mirror *m, const struct mirror_addr *asked)
{
	struct mirror_addr to = *asked;
	struct inet_addr name;
	int fd, rc, yes = 1;
	uint32_t n;

	/* who listens at every address need not have the one that the guest names */
	if (m->side == MIRROR_HOST && !addr_is_loopback(&to) && !is_named(m, &to)) {
		memset(to.addr, 0, sizeof(to.addr));
		name_target(&to, &to);
	}
	fd = sys_socket(to.family, (to.protocol == MIRROR_TCP ? SYS_SOCK_STREAM : SYS_SOCK_DGRAM) | O_NONBLOCK);
	if (fd < 0)
		return fd;
	if (to.protocol == MIRROR_TCP)
		sys_set_option(fd, SYS_IPPROTO_TCP, SYS_TCP_NODELAY, &yes, sizeof(yes));
	n = addr_to_inet(&to, &name);
	rc = sys_connect_to(fd, &name, n);
	if (rc == 0 || rc == -EINPROGRESS)
		return fd;
	sys_close(fd);
	return rc;
}

static void on_open(struct mirror *m, uint32_t id, const struct mirror_addr *to)
{
	uint32_t by = id >> 31, slot = id & SLOT_MASK;
	struct flow *f = &m->flows[by][slot];
	bool listed = false;

	if (by == our_bit(m))
		return;
	if (f->state != FLOW_FREE && f->state != FLOW_OVER)
		let_go(f, true);
	*f = (struct flow){
		.state = FLOW_CONNECTING,
		.id = id,
		.udp = to->protocol == MIRROR_UDP,
		.fd = -1,
		.room = MIRROR_WINDOW,
		.to = *to,
		.used_ms = m->now_ms,
		.poll = -1,
	};
	note_slot(m, by, slot);
	for (uint32_t i = 0; i < m->n_own && !listed; i++)
		listed = addr_covers(&m->own[i], to);
	if (addr_check(to) && listed)
		f->fd = dial(m, to);
	if (f->fd < 0)
		reset(f);
	else if (f->udp)
		f->state = FLOW_OPEN;
}

static struct flow *find(struct mirror *m, uint32_t id)
{
	struct flow *f = &m->flows[id >> 31][id & SLOT_MASK];

	return f->id == id && (f->state == FLOW_OPEN || f->state == FLOW_CONNECTING) ? f : NULL;
}

void flow_frame(struct mirror *m, const struct mirror_frame *frame, const uint8_t *payload)
{
	struct mirror_addr to;
	struct flow *f;

	if (frame->type == MIRROR_OPEN && frame->length == sizeof(to)) {
		memcpy(&to, payload, sizeof(to));
		on_open(m, frame->id, &to);
		return;
	}
	f = find(m, frame->id);
	if (f == NULL)
		return; /* over here; the other side has been told or will see */
	if (frame->type == MIRROR_DATA && f->udp) {
		on_datagram(m, f, payload, frame->length);
	} else if (frame->type == MIRROR_DATA) {
		on_bytes(f, payload, frame->length);
	} else if (frame->type == MIRROR_CREDIT) {
		f->room = frame->number > MIRROR_WINDOW - f->room ? MIRROR_WINDOW
								   : f->room + frame->number;
	} else if (frame->type == MIRROR_EOF && !f->udp) {
		f->got_eof = true;
		end_ours(f);
	} else if (frame->type == MIRROR_RESET) {
		let_go(f, true);
		forget(f);
	}
}

/* ------------------------------------------------------------------ the loop's part */

short flow_events(const struct mirror *m, const struct flow *f)
{
	short events = 0;

	if (f->state == FLOW_CONNECTING)
		return POLLOUT;
	if (f->state != FLOW_OPEN || f->fd < 0)
		return 0;
	if (!f->sent_eof && (f->udp || f->room > 0) && out_fits(m, MIRROR_PAYLOAD))
		events |= POLLIN;
	if (f->ring_n > 0)
		events |= POLLOUT;
	return events;
}

void flow_ready(struct mirror *m, struct flow *f, short revents)
{
	int error = 0;

	if (f->state == FLOW_CONNECTING) {
		if (sys_socket_error(f->fd, &error) < 0 || error != 0) {
			reset(f);
			return;
		}
		f->state = FLOW_OPEN;
		push(f);
	}
	if (f->state == FLOW_OPEN && f->ring_n > 0)
		push(f);
	if (f->state == FLOW_OPEN && (revents & (POLLIN | POLLHUP | POLLERR)) != 0)
		pull(m, f);
}
