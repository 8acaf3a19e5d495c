/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pause - stop a container's machine and let it go on (engine contract 21).
 *
 * The VMM stops its vCPUs and stays alive itself, so that kill and delete need nobody to thaw. The record
 * says "paused" before it is true and after it has ceased to be: whoever dies in between leaves a
 * container that resume repairs.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "runtime/base/clock.h"
#include "runtime/base/own.h"
#include "runtime/container.h"
#include "runtime/ctl.h"

#define SYNC_MS 5000   /* engines copy the files of a paused container: as much as can be done */
#define VMM_MS 20000   /* a vCPU may be in the middle of a file's operation */
#define CLOCK_MS 2000
#define STEP_MS 20

static int set_phase(struct statedir *d, struct statedir_record *r, const char *phase, struct err *e)
{
	(void)snprintf(r->phase, sizeof(r->phase), "%s", phase);
	return statedir_write(d, r, e);
}

static int pause_running(struct statedir *d, struct statedir_record *r, struct err *e)
{
	const struct proto_ask sync = { .question = PROTO_ASK_SYNC };
	const struct ctl_request req = { .op = CTL_PAUSE };
	const struct ctl_request undo = { .op = CTL_RESUME };
	struct err ignored = { 0 };
	struct ctl_reply reply;
	int rc;

	rc = ctl_ask_guest(d, &sync, SYNC_MS, &reply, &ignored);
	if (rc == -ESRCH)
		return err_set(e, ESRCH, "container not running");
	if (set_phase(d, r, "paused", e) < 0)
		return -e->code;
	rc = ctl_ask(d, &req, VMM_MS, e);
	/* a machine that has not stopped yet would do so later; one that can't be told stays "paused", for resume */
	if (rc < 0 && ctl_ask(d, &undo, VMM_MS, &ignored) != -ETIMEDOUT)
		(void)set_phase(d, r, "running", &ignored);
	return rc;
}

int container_pause(struct statedir *d, struct err *e)
{
	OWN_FD int turn = statedir_turn(d); /* until the return */
	struct statedir_record r;
	int rc = statedir_read(d, &r, e);

	(void)turn;
	if (rc < 0)
		return rc;
	if (statedir_status(d, &r) != OCI_STATUS_RUNNING)
		rc = err_set(e, EINVAL, "container not running");
	else
		rc = pause_running(d, &r, e);
	statedir_record_fini(&r);
	return rc;
}

/* The guest's clocks go on while it stands still; what it counts itself may have fallen behind. */
static void set_clock(struct statedir *d)
{
	struct proto_ask clock = { .question = PROTO_ASK_CLOCK };
	struct err ignored = { 0 };
	struct ctl_reply reply;
	const struct timespec step = { .tv_nsec = STEP_MS * 1000000 };
	struct timespec now;

	/* what came while it stood still, signals above all, may be in the way at first */
	for (int64_t end = clock_ms() + CLOCK_MS; clock_ms() < end;) {
		(void)clock_gettime(CLOCK_REALTIME, &now);
		clock.number = (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
		if (ctl_ask_guest(d, &clock, CLOCK_MS, &reply, &ignored) != -EAGAIN)
			return;
		(void)nanosleep(&step, NULL);
	}
}

int container_resume(struct statedir *d, struct err *e)
{
	const struct ctl_request req = { .op = CTL_RESUME };
	OWN_FD int turn = statedir_turn(d); /* until the return */
	struct statedir_record r;
	int rc = statedir_read(d, &r, e);

	(void)turn;
	if (rc < 0)
		return rc;
	if (statedir_status(d, &r) != OCI_STATUS_PAUSED)
		rc = err_set(e, EINVAL, "container not paused");
	else
		rc = ctl_ask(d, &req, VMM_MS, e);
	if (rc == 0)
		rc = set_phase(d, &r, "running", e);
	if (rc == 0)
		set_clock(d);
	statedir_record_fini(&r);
	return rc;
}
