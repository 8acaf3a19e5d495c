/* SPDX-License-Identifier: Apache-2.0 */
/* proxy - the process whose pid stands for a further process of a container (exec). */
#include "runtime/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "guest-init/proto.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/cgroup.h"
#include "runtime/ctl.h"
#include "runtime/ends.h"
#include "runtime/frames.h"

#define EXIT_MACHINE_DIED (128 + SIGKILL)
#define CLOSE_MS 1000 /* for the guest's end of the channel, after its last word */

struct running {
	struct proxy *p;
	int signal_fd;
	int monitor_fd; /* says why not, and ends with the monitor */
	int channel_fd;
	bool started;
	bool ended;
	int status;
	struct frame_in in;
};

/* ------------------------------------------------------------------ the report */

_Noreturn static void fail(struct running *x, int code, bool inside, const char *text)
{
	struct proxy_report r = { .code = code ? code : EIO, .inside = inside };

	(void)snprintf(r.text, sizeof(r.text), "%s", text);
	if (io_write_all(x->p->report_fd, &r, sizeof(r)) < 0)
		_exit(1);
	_exit(1);
}

static void report_started(struct running *x)
{
	struct proxy_report r = { 0 };

	if (x->started)
		return;
	x->started = true;
	if (x->p->detached)
		(void)prctl(PR_SET_PDEATHSIG, 0);
	if (io_write_all(x->p->report_fd, &r, sizeof(r)) < 0)
		_exit(1); /* the command died before it could hand over: roll back */
	own_close_fd(&x->p->report_fd);
}

/* ------------------------------------------------------------------ descriptors for the VMM */

struct request {
	struct ctl_exec ctl;
	int fds[CTL_EXEC_FDS];
	size_t n;
};

static int add_end(struct request *q, int fd, uint32_t *out_kind, struct err *e)
{
	int copy = ends_duplicate(fd, out_kind);

	if (copy < 0)
		return err_set(e, -copy, "duplicate descriptor %d: %s", fd, strerror(-copy));
	q->fds[q->n++] = copy;
	return 0;
}

static int fill_request(const struct proxy *p, int channel, struct request *q, struct err *e)
{
	bool terminal = p->flags & PROTO_EXEC_TERMINAL;
	struct vm_ends *ends = q->ctl.ends;

	q->ctl = (struct ctl_exec){ .op = CTL_EXEC, .flags = p->flags, .pid = getpid() };
	q->n = 0;
	if (add_end(q, channel, &ends[0].in, e) < 0 || add_end(q, channel, &ends[0].out, e) < 0)
		return -e->code;
	if (!(p->flags & PROTO_EXEC_STDIN_NULL) && add_end(q, p->stdio[0], &ends[1].in, e) < 0)
		return -e->code;
	if (terminal)
		return add_end(q, p->stdio[0], &ends[1].out, e);
	if (add_end(q, p->stdio[1], &ends[2].out, e) < 0)
		return -e->code;
	return add_end(q, p->stdio[2], &ends[3].out, e);
}

/* They are copies already; what is inherited of them besides goes with everything else (let_go()). */
static void add_preserved(const struct preserved *p, struct request *q)
{
	for (uint32_t i = 0; i < p->n; i++) {
		q->ctl.more[i] = p->v[i].ends;
		q->ctl.flags |= p->v[i].fd.kind << (PROTO_EXEC_FD_SHIFT + 2 * i);
		if (p->v[i].in >= 0)
			q->fds[q->n++] = p->v[i].in;
		if (p->v[i].out >= 0)
			q->fds[q->n++] = p->v[i].out;
	}
	q->ctl.n_more = p->n;
}

static int ask_monitor(struct running *x, struct err *e)
{
	struct request q;
	OWN_FD int ours = -1;
	OWN_FD int theirs = -1;
	int pair[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	ours = pair[0];
	theirs = pair[1];
	if (fill_request(x->p, theirs, &q, e) < 0)
		return -e->code;
	add_preserved(&x->p->preserved, &q);
	x->monitor_fd = ctl_connect(x->p->state, e);
	if (x->monitor_fd < 0)
		return x->monitor_fd;
	r = io_send_fds(x->monitor_fd, &q.ctl, sizeof(q.ctl), q.fds, q.n);
	for (size_t i = 0; i < q.n; i++)
		(void)close(q.fds[i]);
	if (r < 0)
		return err_set(e, ESRCH, "container not running");
	x->channel_fd = take_fd(&ours);
	return 0;
}

/* ------------------------------------------------------------------ the guest */

static void send_size(struct running *x)
{
	struct proto_resize r = { 0 };
	struct winsize w;

	if (!(x->p->flags & PROTO_EXEC_TERMINAL) || ioctl(x->p->stdio[0], TIOCGWINSZ, &w) < 0)
		return;
	r.rows = w.ws_row;
	r.cols = w.ws_col;
	/* what cannot be sent goes to a process that has ended, which is heard of otherwise */
	if ((w.ws_row || w.ws_col) && frames_send(x->channel_fd, PROTO_RESIZE, &r, sizeof(r)) < 0)
		return;
}

static void on_signal(struct running *x)
{
	struct signalfd_siginfo si;
	struct proto_signal s = { 0 };

	if (read(x->signal_fd, &si, sizeof(si)) != (ssize_t)sizeof(si) || si.ssi_signo == SIGCHLD)
		return;
	if (si.ssi_signo == SIGWINCH && (x->p->flags & PROTO_EXEC_TERMINAL)) {
		send_size(x);
		return;
	}
	s.signal = si.ssi_signo;
	if (frames_send(x->channel_fd, PROTO_SIGNAL, &s, sizeof(s)) < 0)
		return;
}

static void on_event(struct running *x, const struct proto_event *ev)
{
	if (ev->type == PROTO_STARTED) {
		report_started(x);
		send_size(x); /* it may have changed since the program was sent */
	} else if (ev->type == PROTO_FAILED && !x->started) {
		fail(x, ev->code, true, ev->text);
	} else if (ev->type == PROTO_EXITED) {
		report_started(x);
		x->ended = true;
		x->status = ev->code & 0xff;
	}
}

/* The monitor has refused, or is gone. */
static void on_monitor(struct running *x)
{
	struct ctl_reply r = { 0 };

	if (x->started)
		_exit(x->ended ? x->status : EXIT_MACHINE_DIED);
	if (recv(x->monitor_fd, &r, sizeof(r), MSG_DONTWAIT) != (ssize_t)sizeof(r))
		fail(x, ESRCH, false, "container not running");
	r.text[sizeof(r.text) - 1] = '\0';
	fail(x, r.code, false, r.text);
}

static void read_channel(struct running *x)
{
	int r = frames_read(&x->in, x->channel_fd);

	if (r > 0)
		on_event(x, &x->in.frame.event);
	if (r >= 0)
		return;
	if (r != -EPROTO && x->ended)
		_exit(x->status);
	if (x->started)
		_exit(EXIT_MACHINE_DIED);
	if (r == -EPROTO)
		fail(x, EPROTO, false, "the guest does not speak coracle's protocol");
	on_monitor(x); /* who refuses closes our channel as well */
}

_Noreturn static void serve(struct running *x)
{
	struct pollfd p[3] = {
		{ .fd = x->signal_fd, .events = POLLIN },
		{ .fd = x->channel_fd, .events = POLLIN },
		{ .fd = x->monitor_fd, .events = POLLIN },
	};

	for (;;) {
		int n = poll(p, 3, x->ended ? CLOSE_MS : -1);

		if (n == 0)
			_exit(x->status); /* the guest has said it, and should have closed */
		if (n < 0)
			continue;
		if (p[1].revents)
			read_channel(x);
		else if (p[2].revents)
			on_monitor(x);
		if (p[0].revents)
			on_signal(x);
	}
}

/* ------------------------------------------------------------------ set-up */

static int block_signals(struct running *x, struct err *e)
{
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	x->signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return x->signal_fd < 0 ? err_sys(e, "signalfd") : 0;
}

/* The VMM has the process's streams now; nobody else may keep them open, nor what else we inherited. */
static void let_go(struct running *x)
{
	int *const keep[] = { &x->signal_fd, &x->monitor_fd, &x->channel_fd, &x->p->report_fd,
			      &x->p->stdio[0] };
	const int n = x->p->flags & PROTO_EXEC_TERMINAL ? 5 : 4;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 3; i++)
		(void)dup2(null, i);
	/* to the numbers from 3 on: first out of the way, as some may be there already */
	for (int i = 0; i < n; i++)
		*keep[i] = fcntl(*keep[i], F_DUPFD_CLOEXEC, 16);
	for (int i = 0; i < n; i++)
		*keep[i] = dup3(*keep[i], 3 + i, O_CLOEXEC);
	(void)syscall(SYS_close_range, 3 + n, ~0u, 0);
}

static int set_up(struct running *x, pid_t parent, struct err *e)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	(void)setsid();
	/* a user may not be allowed to move processes out of the session: then it stays there */
	if (x->p->cgroup_fd >= 0 && cgroup_join(x->p->cgroup_fd, getpid()) < 0)
		log_debug("exec: the proxy stays in the caller's cgroup");
	if (block_signals(x, e) < 0)
		return -e->code;
	if (x->p->flags & PROTO_EXEC_TERMINAL)
		(void)ioctl(x->p->stdio[0], TIOCSCTTY, 0); /* its size reaches us as SIGWINCH */
	if (ask_monitor(x, e) < 0)
		return -e->code;
	let_go(x);
	return 0;
}

/* It may wait for the guest: until the process runs we die with the command. */
static void send_program(struct running *x)
{
	struct proto_head h = { .type = PROTO_PROGRAM, .length = (uint32_t)x->p->program_bytes };

	if (!x->p->program)
		return;
	if (io_write_all(x->channel_fd, &h, sizeof(h)) < 0 ||
	    io_write_all(x->channel_fd, x->p->program, x->p->program_bytes) < 0)
		return; /* refused: read on and hear why */
}

_Noreturn void proxy_main(struct proxy *p, pid_t parent)
{
	struct running x = { .p = p, .signal_fd = -1, .monitor_fd = -1, .channel_fd = -1 };
	struct err e = { 0 };

	if (set_up(&x, parent, &e) < 0)
		fail(&x, e.code, false, e.msg);
	send_program(&x);
	serve(&x);
}
