/* SPDX-License-Identifier: Apache-2.0 */
/* asks - commands that wait for an answer from the guest or the VMM, kept by the monitor. */
#include "runtime/asks.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "runtime/frames.h"
#include "vmm/config.h"

static void answer(int fd, int code, const char *text)
{
	ctl_answer(fd, code, text, strlen(text));
	(void)close(fd);
}

void asks_guest(struct asks *a, int fd, const struct proto_ask *q, int guest_fd)
{
	struct proto_ask ask = *q;
	uint32_t i = a->next++ % ASKS_MAX;

	ask.seq = ++a->seq;
	ask.file[sizeof(ask.file) - 1] = '\0';
	ask.value[sizeof(ask.value) - 1] = '\0';
	if (frames_send(guest_fd, PROTO_ASK, &ask, sizeof(ask)) < 0) {
		answer(fd, EAGAIN, "the guest takes no questions");
		return;
	}
	if (a->guest[i].fd > 0)
		answer(a->guest[i].fd, EBUSY, "the guest does not answer");
	a->guest[i].fd = fd;
	a->guest[i].seq = a->seq;
}

void asks_answered(struct asks *a, const struct proto_event *ev)
{
	for (uint32_t i = 0; i < ASKS_MAX; i++) {
		if (a->guest[i].fd <= 0 || a->guest[i].seq != ev->signal)
			continue;
		/* its number is its own: of the host's errors we speak alone */
		ctl_answer(a->guest[i].fd, ev->code ? EIO : 0, ev->text, sizeof(ev->text));
		(void)close(a->guest[i].fd);
		a->guest[i].fd = 0;
	}
}

void asks_pause(struct asks *a, int fd, bool on, int control_fd)
{
	struct vm_pause q = { .on = on };
	uint32_t i = a->next++ % ASKS_MAX;

	if (send(control_fd, &q, sizeof(q), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		answer(fd, EIO, "the VMM takes no requests");
		return;
	}
	if (a->vmm[i] > 0)
		answer(a->vmm[i], EBUSY, "the VMM does not answer");
	a->vmm[i] = fd;
}

void asks_paused(struct asks *a)
{
	for (uint32_t i = 0; i < ASKS_MAX; i++) {
		if (a->vmm[i] > 0)
			answer(a->vmm[i], 0, "");
		a->vmm[i] = 0;
	}
}
