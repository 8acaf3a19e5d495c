/* SPDX-License-Identifier: Apache-2.0 */
/* mirror - what listens on one side of a machine's border can be reached on the other: the channel, the loop. */
#include "guest-init/mirror_internal.h"
#include "guest-init/str.h"

#define LOOK_SOON_MS 100u  /* while things are new */
#define LOOK_LATE_MS 1000u
#define NEW_MS 10000u	   /* from a change, or the beginning */
#define OTHERS 2u	   /* entries of poll before the ports: the channel, the kick */

/* ------------------------------------------------------------------ to the channel */

static bool fits(const struct mirror *m, size_t bytes)
{
	return OUT_BYTES - m->out_n >= bytes;
}

bool out_fits(const struct mirror *m, size_t payload)
{
	return fits(m, sizeof(struct mirror_frame) + payload);
}

uint8_t *out_payload(struct mirror *m, size_t payload)
{
	if (OUT_BYTES - m->out_at - m->out_n < sizeof(struct mirror_frame) + payload) {
		memmove(m->out, m->out + m->out_at, m->out_n);
		m->out_at = 0;
	}
	return m->out + m->out_at + m->out_n + sizeof(struct mirror_frame);
}

void out_frame(struct mirror *m, const struct mirror_frame *f)
{
	uint8_t *payload = out_payload(m, f->length);

	memcpy(payload - sizeof(*f), f, sizeof(*f));
	m->out_n += (uint32_t)(sizeof(*f) + f->length);
}

static void flush(struct mirror *m)
{
	while (m->out_n > 0) {
		long n = sys_send(m->channel, m->out + m->out_at, m->out_n, SYS_MSG_DONTWAIT);

		if (n == -EAGAIN || n == -EINTR)
			return;
		if (n < 0) {
			m->dead = true;
			return;
		}
		m->out_at += (uint32_t)n;
		m->out_n -= (uint32_t)n;
	}
	m->out_at = 0;
}

/* ------------------------------------------------------------------ lists */

static bool same_list(const struct mirror *m, const struct mirror_addr *list, uint32_t n)
{
	if (n != m->n_own)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		bool found = false;

		for (uint32_t k = 0; k < n && !found; k++)
			found = memcmp(&list[i], &m->own[k], sizeof(list[i])) == 0;
		if (!found)
			return false;
	}
	return true;
}

static void look(struct mirror *m)
{
	struct mirror_addr list[MIRROR_MAX_LISTENERS];
	int n = diag_listeners(m, list, MIRROR_MAX_LISTENERS);

	if (n >= 0 && !same_list(m, list, (uint32_t)n)) {
		memcpy(m->own, list, (uint32_t)n * sizeof(list[0]));
		m->n_own = (uint32_t)n;
		m->list_due = true;
		m->quiet_ms = m->now_ms + NEW_MS;
	}
	m->look_ms = m->now_ms + (m->now_ms < m->quiet_ms ? LOOK_SOON_MS : LOOK_LATE_MS);
}

static void send_list(struct mirror *m)
{
	size_t each = sizeof(struct mirror_frame) + sizeof(struct mirror_addr);
	struct mirror_frame end = {.type = MIRROR_LISTED, .number = ++m->list_no};

	if (!fits(m, (m->n_own + 1) * each)) {
		m->list_no--;
		return;
	}
	for (uint32_t i = 0; i < m->n_own; i++) {
		struct mirror_frame f = {.type = MIRROR_LISTENER, .length = sizeof(m->own[i])};

		memcpy(out_payload(m, f.length), &m->own[i], f.length);
		out_frame(m, &f);
	}
	out_frame(m, &end);
	m->list_due = false;
}

static void pay_lists(struct mirror *m)
{
	struct mirror_frame applied = {.type = MIRROR_APPLIED, .number = m->owe_applied};

	if (m->list_due)
		send_list(m);
	if (m->owe_applied != 0 && out_fits(m, 0)) {
		out_frame(m, &applied);
		m->owe_applied = 0;
	}
}

static void on_listed(struct mirror *m, uint32_t number)
{
	ports_apply(m);
	m->n_coming = 0;
	m->owe_applied = number;
	if (m->ready < 0)
		return;
	sys_write(m->ready, "", 1);
	sys_close(m->ready);
	m->ready = -1;
}

static void on_listener(struct mirror *m, const struct mirror_frame *f, const uint8_t *payload)
{
	struct mirror_addr a;

	if (f->length != sizeof(a) || m->n_coming == MIRROR_MAX_LISTENERS)
		return;
	memcpy(&a, payload, sizeof(a));
	if (addr_check(&a))
		m->coming[m->n_coming++] = a;
}

/* ------------------------------------------------------------------ from the channel */

static void on_frame(struct mirror *m, const struct mirror_frame *f, const uint8_t *payload)
{
	switch (f->type) {
	case MIRROR_LISTENER:
		on_listener(m, f, payload);
		break;
	case MIRROR_LISTED:
		on_listed(m, f->number);
		break;
	case MIRROR_APPLIED:
		if (m->kick_no != 0 && f->number == m->kick_no) {
			m->kick_no = 0;
			sys_send(m->kick, "", 1, SYS_MSG_DONTWAIT);
		}
		break;
	default:
		flow_frame(m, f, payload);
	}
}

static void read_channel(struct mirror *m)
{
	long n = sys_recv(m->channel, m->in + m->in_n, IN_BYTES - m->in_n, SYS_MSG_DONTWAIT);
	size_t at = 0;

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n <= 0) {
		m->dead = true;
		return;
	}
	m->in_n += (uint32_t)n;
	while (m->in_n - at >= sizeof(struct mirror_frame)) {
		struct mirror_frame f;

		memcpy(&f, m->in + at, sizeof(f));
		if (f.length > MIRROR_PAYLOAD) {
			m->dead = true;
			return;
		}
		if (m->in_n - at - sizeof(f) < f.length)
			break;
		on_frame(m, &f, m->in + at + sizeof(f));
		at += sizeof(f) + f.length;
	}
	memmove(m->in, m->in + at, m->in_n - at);
	m->in_n -= (uint32_t)at;
}

/* Look now; the answer comes when the other side has it. */
static void on_kick(struct mirror *m)
{
	char byte;

	if (sys_recv(m->kick, &byte, 1, SYS_MSG_DONTWAIT) != 1) {
		sys_close(m->kick);
		m->kick = -1;
		return;
	}
	look(m);
	m->list_due = true;
	m->kick_no = m->list_no + 1;
}

/* ------------------------------------------------------------------ the loop */

static uint64_t now_ms(void)
{
	struct __kernel_timespec t = {0};

	sys_clock_gettime(SYS_CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static unsigned fill_polls(struct mirror *m, struct pollfd *p)
{
	bool room = flows_room(m), out = out_fits(m, MIRROR_PAYLOAD + CONTROL_ROOM);
	unsigned n = OTHERS;

	p[0] = (struct pollfd){.fd = m->channel, .events = POLLIN | (m->out_n > 0 ? POLLOUT : 0)};
	p[1] = (struct pollfd){.fd = m->kick, .events = POLLIN};
	for (uint32_t i = 0; i < m->n_ports; i++) {
		bool take = m->ports[i].addr.protocol == MIRROR_TCP ? room : out;

		p[n++] = (struct pollfd){.fd = take ? m->ports[i].fd : -1, .events = POLLIN};
	}
	for (int by = 0; by < 2; by++)
		for (uint32_t i = 0; i < m->top[by]; i++) {
			struct flow *f = &m->flows[by][i];
			short events = flow_events(m, f);

			f->poll = events != 0 ? (int)n : -1;
			if (events != 0)
				p[n++] = (struct pollfd){.fd = f->fd, .events = events};
		}
	return n;
}

/* Ports change by frames alone: so those first, then flows, then what the channel brings. */
static void run_polls(struct mirror *m, const struct pollfd *p)
{
	for (uint32_t i = 0; i < m->n_ports; i++) {
		if (p[OTHERS + i].fd < 0 || p[OTHERS + i].revents == 0)
			continue;
		if (m->ports[i].addr.protocol == MIRROR_TCP)
			flow_accept(m, &m->ports[i]);
		else
			flow_datagrams(m, &m->ports[i]);
	}
	for (int by = 0; by < 2; by++)
		for (uint32_t i = 0; i < m->top[by]; i++) {
			struct flow *f = &m->flows[by][i];

			if (f->poll >= 0 && p[f->poll].revents != 0)
				flow_ready(m, f, p[f->poll].revents);
		}
	if (p[1].revents != 0)
		on_kick(m);
	if (p[0].revents & (POLLIN | POLLHUP | POLLERR))
		read_channel(m);
}

static void turn(struct mirror *m)
{
	static struct pollfd polls[OTHERS + MIRROR_MAX_LISTENERS + 2 * MIRROR_FLOWS];
	unsigned n = fill_polls(m, polls);
	uint64_t wait = m->look_ms > m->now_ms ? m->look_ms - m->now_ms : 0;

	if (sys_poll(polls, n, (int)wait) < 0)
		return;
	m->now_ms = now_ms();
	run_polls(m, polls);
	if (m->now_ms >= m->look_ms) {
		look(m);
		ports_retry(m);
		flows_age(m);
	}
	flows_pay(m);
	pay_lists(m);
	flush(m);
}

void mirror_run(enum mirror_side side, int channel, int kick, int ready, uint16_t clients)
{
	struct mirror *m = sys_pages(sizeof(*m));

	if (m == NULL)
		return;
	m->side = side;
	m->channel = channel;
	m->kick = kick;
	m->ready = ready;
	m->clients = clients;
	m->diag = diag_open();
	for (uint32_t i = 0; i < 2 * MIRROR_FLOWS; i++) {
		m->flows[i / MIRROR_FLOWS][i % MIRROR_FLOWS].fd = -1;
		m->flows[i / MIRROR_FLOWS][i % MIRROR_FLOWS].poll = -1;
	}
	m->now_ms = now_ms();
	m->look_ms = m->now_ms;
	m->quiet_ms = m->now_ms + NEW_MS;
	m->list_due = true;
	look(m);
	while (!m->dead)
		turn(m);
}
