/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init - PID 1 of the guest: the boot order, then the loop.
 *
 * DOC: boot order
 *
 *   the kernel's built-in drivers have been probed before init runs, so nothing is waited for; a
 *   distribution's are modules, loaded now
 *   -> dial the host        raise loopback while it answers
 *   -> HELLO                mount the virtio-fs while the host makes its PROGRAM
 *   -> PROGRAM, clock
 *   -> dial the streams, clone the container
 *   -> the loop: control channel, SIGCHLD, the child's report, the streams
 *
 * DOC: phases
 *
 *   BUILDING -> READY -> STARTING -> RUNNING -> DRAINING -> over
 *
 * A signal that comes before the process runs would be lost on it (pid 1 of a namespace ignores
 * what it does not handle), so one whose default is to end a process ends it, and EXITED names it.
 *
 * PID 1 must not exit: whatever goes wrong is told to the host as FAILED, and the machine reset.
 */
#include <asm/ioctls.h>
#include <asm/termios.h>
#include <linux/signalfd.h>
#include <linux/wait.h>

#include "guest-init/ask.h"
#include "guest-init/boot.h"
#include "guest-init/cgroup.h"
#include "guest-init/container.h"
#include "guest-init/end.h"
#include "guest-init/exec.h"
#include "guest-init/link.h"
#include "guest-init/mirror_start.h"
#include "guest-init/notify.h"
#include "guest-init/net.h"
#include "guest-init/relay.h"
#include "guest-init/sockets.h"
#include "guest-init/sys.h"

#define DIAL_TRIES 100		    /* of 10 ms, for a device that is not there yet */
#define ACK_TIMEOUT_NS 10000000000u /* for readers of passed sockets that have stopped */
#define EXEC_GRACE_NS 10000000000u  /* for slow readers of other processes' output, at the end */
#define RELAY_BUFFER 65536u	    /* a pipe's default size, and half of vsock's credit */

enum phase { BUILDING, READY, STARTING, RUNNING, DRAINING };
enum { POLL_CONTROL, POLL_SIGCHLD, POLL_REPORT, POLL_NOTIFY, POLL_RELAY, POLLS = POLL_RELAY + RELAY_POLLS };

struct init {
	enum phase phase;
	int control;
	int sigchld;		 /* signalfd */
	int sock[RELAY_STREAMS]; /* dialled, until the relay has them */
	struct link_in in;
	struct container_handle child;
	bool terminal;
	bool start_asked; /* START has come */
	int mirror;	  /* for mirror_wait() */
	int first_stream; /* 1 when stdin is no stream but /dev/null */
	struct proto_resize size; /* the last one, for a terminal that is still to come */
	struct relay relay;
	uint32_t end_signal; /* sent before the process ran, and ends it */
	uint64_t started_ns;
	struct proto_event exited;
	uint64_t moved; /* of the relay, when it was last looked at */
	uint64_t moved_ns;
	uint64_t over_ns; /* when the container's own streams were over */
	bool synced;
	struct exec_table execs;
	struct notify notify;
	struct program program;
	uint8_t buffers[RELAY_STREAMS][RELAY_BUFFER];
	struct sockets sockets;
	struct pollfd polls[POLLS + EXEC_POLLS * PROTO_MAX_EXECS + SOCKETS_POLLS];
};

static void send_event(struct init *in, const struct proto_event *event)
{
	struct err e;
	int rc = link_send(in->control, event);

	if (rc < 0) {
		err_sys(&e, rc, "channel: send");
		end_unheard(&e);
	}
}

static void send_type(struct init *in, uint32_t type)
{
	struct proto_event event = {.type = type};

	send_event(in, &event);
}

/* ------------------------------------------------------------------ boot */

static int dial_control(void)
{
	int fd = -ENODEV;

	for (int i = 0; i < DIAL_TRIES; i++) {
		fd = link_dial(PROTO_PORT_CONTROL, 0);
		if (fd != -ENODEV && fd != -ENETUNREACH)
			break;
		sys_poll(NULL, 0, 10);
	}
	return fd;
}

static void say_hello(struct init *in, uint64_t boot_ns)
{
	struct proto_event hello = {
		.type = PROTO_HELLO,
		.version = PROTO_VERSION,
		.boot_ns = boot_ns,
	};
	int rc = in->control < 0 ? in->control : link_answer(in->control);
	struct err e;

	if (rc < 0) {
		err_sys(&e, rc, "channel: connect");
		end_unheard(&e);
	}
	sys_fcntl(in->control, F_SETFL, 0); /* what is sent on it is waited for */
	send_event(in, &hello);
}

static void dial_streams(struct init *in)
{
	for (int i = in->first_stream; i < (in->terminal ? 1 : RELAY_STREAMS); i++)
		in->sock[i] = link_dial((uint32_t)(PROTO_PORT_STDIO + i), 0);
}

/* Tie the streams to our ends of the pipes, or to a terminal. */
static void connect_streams(struct init *in, int master, int slave)
{
	for (int i = in->first_stream; i < (in->terminal ? 1 : RELAY_STREAMS); i++) {
		int rc = in->sock[i] < 0 ? in->sock[i] : link_answer(in->sock[i]);
		struct err e;

		if (rc < 0) {
			err_sys(&e, rc, "stdio: connect stream %d", i);
			end_failed(in->control, &e, false);
		}
		if (in->terminal)
			relay_tty(&in->relay, in->sock[i], master, slave);
		else
			relay_pipe(&in->relay, i, in->sock[i], in->child.stdio[i]);
	}
}

static void boot(struct init *in)
{
	uint64_t boot_ns = boot_now(SYS_CLOCK_MONOTONIC);
	struct program *program = &in->program;
	struct passed passed;
	struct err e;
	void *payload;
	size_t n;
	int lo;

	boot_stdio();
	boot_modules();
	in->control = dial_control();
	lo = boot_loopback(&e);
	say_hello(in, boot_ns);
	if (lo < 0 || boot_shares(&e) < 0 || link_program(in->control, &payload, &n, &e) < 0 ||
	    program_check(payload, n, program, &e) < 0)
		end_failed(in->control, &e, false);
	boot_clock(program->head.epoch_ns);
	if (net_program(program, &e) < 0)
		end_failed(in->control, &e, false);
	in->mirror = mirror_start(program);
	in->terminal = (program->head.process.flags & PROTO_PROC_TERMINAL) != 0;
	in->first_stream = (program->head.process.flags & PROTO_PROC_STDIN_NULL) != 0;
	in->sigchld = sys_signalfd(1ull << (SYS_SIGCHLD - 1));
	sys_sigmask(1ull << (SYS_SIGCHLD - 1));
	dial_streams(in);
	in->execs.sockets = &in->sockets;
	passed_init(&passed);
	if (sockets_listen(&in->sockets, program, &e) < 0 ||
	    passed_first(&passed, program, &in->sockets, &e) < 0 ||
	    notify_open(&in->notify, program, &e) < 0 ||
	    container_start(program, &passed, &in->child, &e) < 0)
		end_failed(in->control, &e, false);
	relay_init(&in->relay, in->buffers, RELAY_BUFFER);
	if (!in->terminal)
		connect_streams(in, -1, -1);
}

/* ------------------------------------------------------------------ the child */

static void resize(struct init *in)
{
	struct winsize size = {
		.ws_row = (unsigned short)in->size.rows,
		.ws_col = (unsigned short)in->size.cols,
	};
	int master = in->relay.stream[0].local;

	if (in->terminal && master >= 0 && (in->size.rows != 0 || in->size.cols != 0))
		sys_ioctl(master, TIOCSWINSZ, (long)&size);
}

/* The pty was made inside the container; fetch it from there. */
static void take_terminal(struct init *in, const struct container_report *r)
{
	int pidfd = sys_pidfd_open(in->child.pid);
	int master = pidfd < 0 ? pidfd : sys_pidfd_getfd(pidfd, r->master);
	int slave = master < 0 ? master : sys_pidfd_getfd(pidfd, r->slave);
	struct err e;

	if (slave < 0) {
		err_sys(&e, slave, "terminal: take over");
		end_failed(in->control, &e, false);
	}
	sys_close(pidfd);
	sys_fcntl(master, F_SETFL, O_NONBLOCK);
	connect_streams(in, master, slave);
	resize(in);
}

static void start(struct init *in)
{
	mirror_wait(in->mirror);
	in->phase = STARTING;
	in->started_ns = boot_now(SYS_CLOCK_MONOTONIC);
	sys_write(in->child.go, "", 1);
}

/* The child has reported, or its end of the pipe is closed: by execve, or by its death. */
static void on_report(struct init *in)
{
	struct container_report r;
	long n = sys_read(in->child.report, &r, sizeof(r));

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n == (long)sizeof(r)) {
		if (r.failed != 0)
			end_failed(in->control, &r.error, r.exec_failed != 0);
		if (in->terminal)
			take_terminal(in, &r);
		in->phase = READY;
		send_type(in, PROTO_READY);
		if (in->start_asked)
			start(in);
		return;
	}
	if (in->child.last->failed != 0)
		end_failed(in->control, &in->child.last->error, in->child.last->exec_failed != 0);
	sys_close(in->child.report);
	in->child.report = -1;
	if (in->phase == STARTING) {
		in->phase = RUNNING;
		send_type(in, PROTO_STARTED);
	}
}

static void on_container_end(struct init *in, int status)
{
	uint32_t sig = (uint32_t)status & 0x7f;
	struct err e;

	while (in->child.report >= 0 && in->phase != RUNNING) {
		enum phase before = in->phase;

		on_report(in); /* what it said last comes first */
		if (in->child.report >= 0 && in->phase == before)
			break;
	}
	if (in->end_signal != 0)
		sig = in->end_signal;
	if (in->phase == BUILDING && in->end_signal == 0) {
		err_set(&e, EIO, "the container's process died while being set up, status 0x%x",
			(unsigned)status);
		end_failed(in->control, &e, false);
	}
	in->exited = (struct proto_event){
		.type = PROTO_EXITED,
		.signal = sig,
		.code = sig != 0 ? (int32_t)(128 + sig) : status >> 8 & 0xff,
		.boot_ns = in->started_ns != 0 ? boot_now(SYS_CLOCK_MONOTONIC) - in->started_ns : 0,
		.oom_kills = cgroup_oom_kills(in->child.cgroup),
	};
	in->phase = DRAINING;
	in->moved_ns = boot_now(SYS_CLOCK_MONOTONIC);
	relay_process_gone(&in->relay);
}

/* Ours, and the orphans that come to us. */
static void on_sigchld(struct init *in)
{
	struct signalfd_siginfo info;
	int pid, status;

	while (sys_read(in->sigchld, &info, sizeof(info)) > 0)
		;
	while ((pid = sys_wait(-1, &status, WNOHANG)) > 0)
		if (!exec_reaped(&in->execs, pid, status) && pid == in->child.pid)
			on_container_end(in, status);
}

/* ------------------------------------------------------------------ the host's frames */

/* Signals whose default is to do nothing: URG, CHLD, CONT, WINCH; and to stop: STOP to TTOU. */
static bool ends_a_process(uint32_t sig)
{
	const uint64_t harmless = 1ull << 23 | 1ull << 17 | 1ull << 18 | 1ull << 28 | 1ull << 19 |
				  1ull << 20 | 1ull << 21 | 1ull << 22;

	return sig >= 64 || (harmless >> sig & 1) == 0;
}

static void on_signal(struct init *in, const struct proto_signal *s)
{
	if (s->signal < 1 || s->signal > 64 || in->phase == DRAINING)
		return;
	if (in->phase == BUILDING || in->phase == READY) {
		if (!ends_a_process(s->signal))
			return;
		in->end_signal = s->signal;
		sys_kill(in->child.pid, SYS_SIGKILL);
		return;
	}
	/* everything else that may take a signal here is the container's */
	sys_kill(s->all != 0 ? -1 : in->child.pid, (int)s->signal);
}

/* What the process was promised it must have; later changes are the host's best effort and ours. */
static void on_net(struct init *in, const struct proto_net *r)
{
	struct err e;

	if (net_record(r, &e) < 0 && (in->phase == BUILDING || in->phase == READY))
		end_failed(in->control, &e, false);
}

static void on_ask(struct init *in, const struct proto_ask *q)
{
	struct proto_event answer;

	ask_answer(q, in->child.cgroup, &answer);
	send_event(in, &answer);
}

static void on_frame(struct init *in, const struct link_frame *f)
{
	switch (f->type) {
	case PROTO_START:
		in->start_asked = true;
		if (in->phase == READY)
			start(in);
		break;
	case PROTO_SIGNAL:
		on_signal(in, &f->signal);
		break;
	case PROTO_RESIZE:
		in->size = f->resize;
		resize(in);
		break;
	case PROTO_ASK:
		on_ask(in, &f->ask);
		break;
	case PROTO_NET:
		on_net(in, &f->net);
		break;
	case PROTO_EXEC:
		if ((f->exec.flags & PROTO_EXEC_SOCKET) != 0 && (f->exec.flags & PROTO_EXEC_LISTEN) != 0)
			passed_connected(&in->program, &in->sockets, &f->exec);
		else if ((f->exec.flags & PROTO_EXEC_SOCKET) != 0)
			sockets_open(&in->sockets, &f->exec);
		else if (in->phase == BUILDING || in->phase == DRAINING)
			exec_refuse(&f->exec, ESRCH, "container not running");
		else
			exec_open(&in->execs, &f->exec, &in->child);
		break;
	case PROTO_STOP:
		sys_sync();
		end_now();
	default:
		break; /* of a newer host: it knows our version and does without an answer */
	}
}

static void on_control(struct init *in)
{
	struct link_frame frame;
	struct err e;
	int rc;

	while ((rc = link_next(in->control, &in->in, &frame)) > 0)
		on_frame(in, &frame);
	if (rc < 0) {
		err_sys(&e, rc, "channel");
		end_unheard(&e);
	}
}

/* ------------------------------------------------------------------ the end */

/*
 * Until somebody has read the program's output is waited for as long as it takes, others' for a while.
 * What the processes wrote to files must be with the host as well: sync(2), since shares may be
 * file systems of their own, and while the host is busy with its answer.
 */
static bool is_drained(struct init *in)
{
	bool unsent, read = relay_over(&in->relay, &unsent);
	bool over = read && sockets_over(&in->sockets, true);
	uint64_t now, moved = in->relay.moved + in->sockets.moved;

	unsent |= sockets_unsent(&in->sockets);

	if (!unsent && !in->synced) {
		sys_sync();
		in->synced = true;
		in->moved_ns = boot_now(SYS_CLOCK_MONOTONIC); /* that was not the streams' time */
	}
	now = boot_now(SYS_CLOCK_MONOTONIC);

	if (moved != in->moved || unsent || !read) {
		in->moved = moved;
		in->moved_ns = now;
	}
	if (now - in->moved_ns > ACK_TIMEOUT_NS)
		return true;
	if (over && in->over_ns == 0)
		in->over_ns = now;
	return over && ((exec_over(&in->execs) && sockets_over(&in->sockets, false)) || now - in->over_ns > EXEC_GRACE_NS);
}

static void pass_notify(struct init *in)
{
	int rc = notify_run(&in->notify, in->control);
	struct err e;

	if (rc < 0) {
		err_sys(&e, rc, "channel: send");
		end_unheard(&e);
	}
}

static void step(struct init *in)
{
	struct pollfd *polls = in->polls;
	int timeout_ms = in->phase == DRAINING ? 1000 : -1;
	unsigned n, n_sockets;

	polls[POLL_CONTROL] = (struct pollfd){.fd = in->control, .events = POLLIN};
	polls[POLL_SIGCHLD] = (struct pollfd){.fd = in->sigchld, .events = POLLIN};
	polls[POLL_REPORT] = (struct pollfd){.fd = in->child.report, .events = POLLIN};
	polls[POLL_NOTIFY] = notify_poll(&in->notify, &timeout_ms);
	relay_polls(&in->relay, polls + POLL_RELAY);
	exec_settle(&in->execs);
	n = exec_polls(&in->execs, polls + POLLS);
	n_sockets = sockets_polls(&in->sockets, polls + POLLS + n);
	if (sys_poll(polls, POLLS + n + n_sockets, timeout_ms) < 0)
		return;
	relay_run(&in->relay, polls + POLL_RELAY);
	exec_run(&in->execs, polls + POLLS);
	sockets_run(&in->sockets, polls + POLLS + n, in->control);
	if (polls[POLL_NOTIFY].revents != 0)
		pass_notify(in);
	if (polls[POLL_REPORT].revents != 0)
		on_report(in);
	if (polls[POLL_SIGCHLD].revents != 0)
		on_sigchld(in);
	if (polls[POLL_CONTROL].revents != 0)
		on_control(in);
}

_Noreturn void init_main(void);

_Noreturn void init_main(void)
{
	static struct init in;

	boot(&in);
	while (in.phase != DRAINING || !is_drained(&in))
		step(&in);
	in.notify.sent = 0; /* nobody is left to say more than the socket holds */
	pass_notify(&in);
	send_event(&in, &in.exited);
	end_wait(in.control);
}
