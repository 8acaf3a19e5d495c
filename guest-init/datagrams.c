/* SPDX-License-Identifier: Apache-2.0 */
/* datagrams - a mounted socket for datagrams: what is sent to it is carried to the server on the host. */
#include "guest-init/datagrams.h"

#include "guest-init/link.h"
#include "guest-init/sys.h"

#define ROUNDS 16 /* datagrams before others get their turn */

static void hang_up(struct datagrams *d)
{
	if (d->channel >= 0)
		sys_close(d->channel);
	if (d->sock >= 0)
		sys_close(d->sock);
	d->channel = d->sock = -1;
	d->state = DATAGRAMS_IDLE;
}

/* The next one becomes the frame. Return: there is one. */
static bool take(struct datagrams *d)
{
	for (int i = 0; i < ROUNDS; i++) {
		long n = sys_recv(d->in, d->frame + PROTO_DATAGRAM_HEAD, PROTO_MAX_DATAGRAM,
				  SYS_MSG_DONTWAIT | SYS_MSG_TRUNC);

		if (n < 0)
			return false;
		if (n > PROTO_MAX_DATAGRAM)
			continue;
		d->frame[0] = (uint8_t)n;
		d->frame[1] = (uint8_t)(n >> 8);
		d->n = PROTO_DATAGRAM_HEAD + (uint32_t)n;
		d->at = 0;
		return true;
	}
	return false;
}

/* Nobody is there for what waits. */
static void lose(struct datagrams *d)
{
	d->n = 0;
	for (int i = 0; i < ROUNDS && take(d); i++)
		d->n = 0;
}

/* Return: false when the connection is gone. */
static bool carry(struct datagrams *d)
{
	for (int i = 0; i < ROUNDS && (d->n > 0 || take(d)); i++) {
		long n = sys_write(d->sock, d->frame + d->at, d->n - d->at);

		if (n == -EAGAIN || n == -EINTR)
			return true;
		if (n < 0)
			return false;
		d->at += (uint32_t)n;
		if (d->at == d->n)
			d->n = 0;
	}
	return true;
}

struct pollfd datagrams_poll(const struct datagrams *d)
{
	switch (d->state) {
	case DATAGRAMS_IDLE:
		return (struct pollfd){.fd = d->in, .events = POLLIN};
	case DATAGRAMS_OPEN:
		return d->n > 0 ? (struct pollfd){.fd = d->sock, .events = POLLOUT} :
				  (struct pollfd){.fd = d->in, .events = POLLIN};
	case DATAGRAMS_LEAVING:
		return (struct pollfd){.fd = d->channel, .events = POLLIN};
	default:
		return (struct pollfd){.fd = -1};
	}
}

bool datagrams_run(struct datagrams *d)
{
	if (d->state == DATAGRAMS_LEAVING)
		hang_up(d);
	if (d->state == DATAGRAMS_OPEN) {
		if (carry(d))
			return false;
		hang_up(d); /* the server has gone: another one could not have this socket */
		d->n = 0;
	}
	if (d->state == DATAGRAMS_IDLE && take(d)) {
		d->state = DATAGRAMS_ASKED;
		return true;
	}
	return false;
}

void datagrams_open(struct datagrams *d, const struct proto_exec *x)
{
	d->channel = x->port == 0 ? -ECONNREFUSED : link_port(x, 0);
	d->sock = d->channel < 0 ? -1 : link_port(x, 1);
	if (d->sock < 0) {
		hang_up(d);
		lose(d);
		return;
	}
	d->state = DATAGRAMS_OPEN;
}

bool datagrams_over(struct datagrams *d)
{
	struct pollfd p = {.fd = d->in, .events = POLLIN};

	if (d->n > 0 || sys_poll(&p, 1, 0) > 0)
		return false;
	if (d->state == DATAGRAMS_OPEN) {
		d->state = DATAGRAMS_LEAVING;
		if (sys_send(d->channel, "", 1, SYS_MSG_DONTWAIT) != 1)
			hang_up(d);
	}
	return d->state == DATAGRAMS_IDLE;
}
