/* SPDX-License-Identifier: Apache-2.0 */
/*
 * monitor - the process whose pid stands for the container.
 *
 * DOC: from the report on nothing may fail but the container itself
 *
 * Until the guest is ready every failure goes to the command that made us, in one line. Afterwards we
 * only end with the container's status: its own, 137 when it was killed, 255 when the machine died.
 * The reason of the latter stands in exit.json.
 */
#include "runtime/monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "guest-init/proto.h"
#include "runtime/asks.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/base/proc.h"
#include "runtime/caps.h"
#include "runtime/ctl.h"
#include "runtime/oom.h"
#include "runtime/execs.h"
#include "runtime/frames.h"
#include "runtime/hooks.h"
#include "runtime/net.h"
#include "runtime/net_end.h"
#include "runtime/plan.h"
#include "runtime/sandbox.h"
#include "runtime/sockets.h"

#define MAX_CALLERS 32u
#define EXIT_MACHINE_DIED 255
#define VMM_GONE_MS 3000 /* its memory goes back to the host first */
#define HELPER_GONE_MS 1000

enum phase { PHASE_BOOTING, PHASE_READY, PHASE_STARTING, PHASE_RUNNING };

struct monitor {
	struct monitor_args *a;
	struct sandbox sandbox;
	uid_t owner;	    /* who made the container, as we see him */
	struct net net;	    /* until the helper has it */
	struct net_end net_end;
	struct launched vmm;
	enum phase phase;
	pid_t pid;	/* ours and the VMM's, as others see them */
	pid_t vmm_pid;
	int signal_fd;
	int exit_fd;	/* exit.json: opened while we are still who owns it */
	bool told;	/* the command that made us knows that the program runs */
	bool size_due;	/* the terminal's size waits for room on the way to the guest */
	int starter_fd; /* the command that waits for its start; -1: none */
	unsigned n_callers;
	int callers[MAX_CALLERS]; /* connected, and nothing asked yet; the oldest makes room */
	struct execs execs;
	struct sockets sockets;
	struct asks asks;
	struct oom oom;
	struct frame_in in;
};

/* ------------------------------------------------------------------ reports and the end */

static void report(struct monitor *m, int code, const char *text)
{
	struct monitor_report r = { .code = code };

	(void)snprintf(r.text, sizeof(r.text), "%s", text);
	if (io_write_all(m->a->sync_fd, &r, sizeof(r)) < 0 && code == 0)
		_exit(1); /* the command died before it could hand over: roll back */
}

static void answer(int *fd, int code, const char *text)
{
	if (*fd >= 0)
		ctl_answer(*fd, code, text, strlen(text));
	own_close_fd(fd);
}

/* Tell whoever asked for the start: the command that made us, or one that came later. */
static void tell_starter(struct monitor *m, int code, const char *text)
{
	if (m->a->start && !m->told)
		report(m, code, text);
	else
		answer(&m->starter_fd, code, text);
	m->told = true;
}

/* The file was allocated at create: writing it can't meet a full disk. */
static void write_exit(struct monitor *m, int code, const char *why)
{
	char reason[301];
	char text[384];
	int n;

	(void)snprintf(reason, sizeof(reason), "%s", why);
	/* a guest's last words may be in it */
	for (char *c = reason; *c; c++)
		if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '?';
	n = snprintf(text, sizeof(text), "{\"exitCode\":%d,\"reason\":\"%s\"}\n", code, reason);
	if (pwrite(m->exit_fd, text, (size_t)n, 0) == n && ftruncate(m->exit_fd, n) < 0)
		return;
}

/* The container's own end; a machine that is full has shown it before. */
static void tell_oom(struct monitor *m)
{
	if (m->vmm.pid > 0) {
		(void)kill(m->vmm.pid, SIGKILL);
		if (proc_ended(m->vmm.pid, VMM_GONE_MS))
			(void)waitpid(m->vmm.pid, NULL, WNOHANG);
		m->vmm.pid = 0;
	}
	oom_tell(&m->oom);
}

/* In a pid namespace of ours the kernel won't let it outlive us. */
static void stop_helper(struct monitor *m)
{
	if (m->a->plan->new_pidns)
		net_end_stop(&m->net_end, HELPER_GONE_MS);
}

/* Before the container exists: tell the command, leave nothing. */
_Noreturn static void fail(struct monitor *m, int code, const char *text)
{
	net_close(&m->net);
	report(m, code ? code : EIO, text);
	if (m->vmm.pid > 0)
		(void)kill(m->vmm.pid, SIGKILL);
	stop_helper(m);
	_exit(1);
}

_Noreturn static void end(struct monitor *m, int code, const char *why)
{
	if (m->phase == PHASE_BOOTING)
		fail(m, EINTR, why);
	tell_starter(m, EINTR, why); /* unless it knows */
	write_exit(m, code, why);
	if (m->vmm.pid > 0)
		(void)kill(m->vmm.pid, SIGKILL);
	stop_helper(m);
	_exit(code);
}

/* ------------------------------------------------------------------ the guest */

static int send_frame(struct monitor *m, uint32_t type, const void *payload, size_t n)
{
	struct proto_head h = { .type = type, .length = (uint32_t)n };
	int r = io_write_all(m->vmm.guest_fd, &h, sizeof(h));

	return r < 0 || n == 0 ? r : io_write_all(m->vmm.guest_fd, payload, n);
}

/*
 * Once programs run, nothing here waits for the guest: one that is paused takes nothing, and one that is hostile need not.
 * Return: 0, or -EAGAIN when it has hundreds of frames before it and this one is lost.
 */
static int send_signal(struct monitor *m, uint32_t signal, uint32_t all)
{
	struct proto_signal s = { .signal = signal, .all = all };

	if (m->a->plan->holder) {
		if (signal == SIGTERM || signal == SIGINT)
			end(m, 0, "exited");
		return 0;
	}
	return frames_send(m->vmm.guest_fd, PROTO_SIGNAL, &s, sizeof(s));
}

static void send_size(struct monitor *m)
{
	struct proto_resize r = { 0 };
	struct winsize w;

	/* before PROGRAM the guest understands nothing else: on_ready() comes back to it */
	if (!m->a->plan->terminal || m->phase == PHASE_BOOTING ||
	    ioctl(m->a->launch.stdio[0], TIOCGWINSZ, &w) < 0)
		return;
	r.rows = w.ws_row;
	r.cols = w.ws_col;
	m->size_due = (w.ws_row || w.ws_col) && frames_send(m->vmm.guest_fd, PROTO_RESIZE, &r, sizeof(r)) < 0;
}

/* The streams among the descriptors from 3 on; the VMM has them then, and nobody else may. */
static void give_descriptors(struct monitor *m)
{
	struct preserved *p = m->a->preserved;

	for (uint32_t i = 0; i < p->n; i++) {
		if (p->v[i].fd.kind >= PROTO_FD_UNIX)
			continue;
		sockets_give(&m->sockets, &m->execs, &p->v[i].ends, p->v[i].in, p->v[i].out,
			     PROTO_FD_TOKEN(0, i), 0, m->vmm.control_fd, m->vmm.guest_fd);
		own_close_fd(&p->v[i].in);
		own_close_fd(&p->v[i].out);
	}
}

/* Sockets that listen for the container: nobody is let in before its program runs. */
static unsigned listen_polls(const struct monitor *m, struct pollfd *out)
{
	const struct preserved *p = m->a->preserved;
	bool room = m->phase == PHASE_RUNNING && m->sockets.n < PROTO_MAX_SOCKET_CONNS;

	for (uint32_t i = 0; i < p->n; i++)
		out[i] = (struct pollfd){ .fd = room ? p->v[i].in : -1, .events = POLLIN };
	return p->n;
}

static void listen_run(struct monitor *m, const struct pollfd *polls)
{
	const struct preserved *p = m->a->preserved;

	for (uint32_t i = 0; i < p->n; i++)
		if (polls[i].fd >= 0 && (polls[i].revents & POLLIN))
			sockets_accept(&m->sockets, &m->execs, p->v[i].in, i, m->vmm.control_fd,
				       m->vmm.guest_fd);
}

static void on_hello(struct monitor *m, const struct proto_event *ev)
{
	if (m->phase != PHASE_BOOTING)
		return;
	if (ev->version != PROTO_VERSION)
		fail(m, EPROTO, "coracle-init in the guest is of another version; reinstall coracle");
	program_stamp(m->a->program);
	if (send_frame(m, PROTO_PROGRAM, m->a->program, m->a->program_bytes) < 0)
		fail(m, EIO, "the guest did not take its program");
	if (m->a->start && send_frame(m, PROTO_START, NULL, 0) < 0)
		fail(m, EIO, "the guest is gone");
	give_descriptors(m);
}

static void on_ready(struct monitor *m)
{
	if (m->phase != PHASE_BOOTING)
		return;
	m->phase = m->a->start ? PHASE_STARTING : PHASE_READY;
	send_size(m);
	(void)prctl(PR_SET_PDEATHSIG, 0); /* from now on its end is seen by that of sync_fd */
	if (!m->a->start) /* else it goes by itself */
		report(m, 0, "");
}

/* The command has recorded us and lets go, or is gone without having done so. */
static void on_sync(struct monitor *m)
{
	char byte;

	if (m->phase == PHASE_BOOTING || recv(m->a->sync_fd, &byte, 1, MSG_DONTWAIT) != 1)
		end(m, 1, "create was interrupted");
	own_close_fd(&m->a->sync_fd);
}

static void on_failed(struct monitor *m, const struct proto_event *ev)
{
	if (m->phase == PHASE_BOOTING)
		fail(m, ev->code, ev->text);
	if (m->phase == PHASE_RUNNING)
		return;
	tell_starter(m, ev->code, ev->text);
	end(m, 127, "not started");
}

/* The program runs, or the holder waits. */
static void on_started(struct monitor *m)
{
	m->phase = PHASE_RUNNING;
	statedir_mark_running(m->a->lock_fd);
	tell_starter(m, 0, "");
}

/* The helper follows changes from its first look on; one that was let go at once had none. */
static void follow_network(struct monitor *m)
{
	if (m->a->start && m->net_end.fd >= 0 && net_end_ask(&m->net_end) < 0)
		own_close_fd(&m->net_end.fd);
}

static void on_event(struct monitor *m, const struct proto_event *ev)
{
	switch (ev->type) {
	case PROTO_HELLO:
		on_hello(m, ev);
		break;
	case PROTO_READY:
		on_ready(m);
		break;
	case PROTO_STARTED:
		if (m->phase != PHASE_STARTING)
			break;
		follow_network(m);
		on_started(m);
		break;
	case PROTO_FAILED:
		on_failed(m, ev);
		break;
	case PROTO_SOCKET:
		sockets_connect(&m->sockets, &m->sandbox, &m->execs, ev, m->vmm.control_fd,
				m->vmm.guest_fd);
		break;
	case PROTO_ANSWER:
		asks_answered(&m->asks, ev);
		break;
	case PROTO_NOTIFY:
		if (m->phase >= PHASE_STARTING)
			notify_send(&m->a->notify, ev->text);
		break;
	case PROTO_EXITED:
		if (m->phase == PHASE_BOOTING)
			fail(m, EIO, "the guest's process ended before it was started");
		if (m->phase == PHASE_STARTING)
			tell_starter(m, 0, "");
		if (ev->oom_kills > 0)
			tell_oom(m);
		end(m, ev->code & 0xff, ev->oom_kills ? "exited; out of memory" : "exited");
	default:
		break; /* a newer init may say more */
	}
}

/* Its end is seen by the VMM's. Return: is there perhaps more? */
static bool read_guest(struct monitor *m)
{
	int r = frames_read(&m->in, m->vmm.guest_fd);

	if (r == -EPROTO && m->phase == PHASE_BOOTING)
		fail(m, EPROTO, "the guest does not speak coracle's protocol");
	if (r == -EPROTO)
		end(m, EXIT_MACHINE_DIED, "the guest broke the protocol");
	if (r > 0)
		on_event(m, &m->in.frame.event);
	return r > 0;
}

/* The machine has ended: what it said before counts, its exit above all. No more is there than a socket holds. */
static void read_rest(struct monitor *m)
{
	while (read_guest(m))
		;
}

/* The VMM has the ports of one more process: now the guest may connect to them. */
static void exec_opened(struct monitor *m, const struct vm_event *ev)
{
	struct proto_exec x = { .port = ev->port, .flags = ev->flags };

	memcpy(x.from, ev->from, sizeof(x.from));
	/* never waits for the guest: one that reads nothing has hundreds of these before it */
	if (frames_send(m->vmm.guest_fd, PROTO_EXEC, &x, sizeof(x)) < 0)
		return;
}

/* ------------------------------------------------------------------ the machine */

/* The last line of the guest kernel's log that says why, for the error message. */
static void machine_text(const struct vm_event *ev, char *out, size_t n)
{
	const char *why = strstr(ev->console, "Kernel panic");

	if (why)
		(void)snprintf(out, n, "the machine stopped: %s: %.*s", ev->text,
			       (int)strcspn(why, "\n"), why);
	else
		(void)snprintf(out, n, "the machine stopped: %s", ev->text);
}

/* A VMM that ends with messages of ours unread leaves ECONNRESET before its own. Return: as recv(2). */
static ssize_t hear_vmm(const struct monitor *m, struct vm_event *ev, int flags)
{
	ssize_t n;

	do
		n = recv(m->vmm.control_fd, ev, sizeof(*ev), flags);
	while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	return n;
}

/* Return: whether there was one. */
static bool on_vm_event(struct monitor *m)
{
	struct vm_event ev;
	char text[768];
	ssize_t n = hear_vmm(m, &ev, MSG_DONTWAIT);

	if (n != (ssize_t)sizeof(ev))
		return false;
	ev.text[sizeof(ev.text) - 1] = '\0';
	ev.console[sizeof(ev.console) - 1] = '\0';
	if (ev.type == VM_EVENT_EXEC)
		exec_opened(m, &ev);
	if (ev.type == VM_EVENT_PAUSED || ev.type == VM_EVENT_RESUMED)
		asks_paused(&m->asks);
	if (ev.type == VM_EVENT_FAILED)
		fail(m, (int)ev.code, ev.text);
	if (ev.type != VM_EVENT_ENDED)
		return true;
	read_rest(m);
	machine_text(&ev, text, sizeof(text));
	if (m->phase == PHASE_BOOTING)
		fail(m, EIO, text);
	tell_starter(m, EIO, text);
	end(m, EXIT_MACHINE_DIED, text);
}

static void on_vmm_gone(struct monitor *m, int status)
{
	bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
	char text[128];

	while (on_vm_event(m)) /* its last words are behind others */
		;
	read_rest(m);
	m->vmm.pid = 0;
	if (WIFSIGNALED(status))
		(void)snprintf(text, sizeof(text), "the VMM was killed by signal %d",
			       WTERMSIG(status));
	else
		(void)snprintf(text, sizeof(text), "the VMM ended with status %d",
			       WEXITSTATUS(status));
	if (m->phase == PHASE_BOOTING)
		fail(m, EIO, text);
	tell_starter(m, EIO, text);
	end(m, killed ? 128 + SIGKILL : EXIT_MACHINE_DIED, text);
}

/* ------------------------------------------------------------------ commands and signals */

static void let_go(struct monitor *m)
{
	if (net_end_flush(&m->net_end, m->vmm.guest_fd, true) < 0 ||
	    send_frame(m, PROTO_START, NULL, 0) < 0)
		answer(&m->starter_fd, EIO, "the guest is gone");
	else
		m->phase = PHASE_STARTING;
}

/* The network may have been set up since create: it is looked at first. */
static void on_start(struct monitor *m, int fd)
{
	OWN_FD int caller = fd;

	if (m->phase != PHASE_READY || m->starter_fd >= 0) {
		answer(&caller, EINVAL, "cannot start an already running container");
		return;
	}
	m->starter_fd = take_fd(&caller);
	if (m->a->plan->holder)
		on_started(m);
	else if (m->net_end.fd < 0)
		let_go(m);
	else if (net_end_ask(&m->net_end) < 0)
		answer(&m->starter_fd, EIO, "the network helper is gone");
}

static void on_net(struct monitor *m)
{
	struct err e = { 0 };
	enum net_news news = net_end_read(&m->net_end, &e);

	if (m->phase != PHASE_READY)
		return; /* nobody waits for it */
	if (news == NET_NEWS_DONE)
		let_go(m);
	else if (news == NET_NEWS_FAILED)
		answer(&m->starter_fd, e.code, e.msg);
}

static void on_kill(struct monitor *m, int fd, const struct ctl_request *req)
{
	OWN_FD int caller = fd;

	/* what may be the end of us is answered first */
	if (req->signal == SIGKILL || m->a->plan->holder)
		answer(&caller, 0, "");
	/* SIGKILL must not depend on the guest */
	if (req->signal == SIGKILL)
		end(m, 128 + SIGKILL, "killed");
	if (send_signal(m, req->signal, req->all) < 0)
		answer(&caller, EAGAIN, "the guest has not taken the signals before this one");
	answer(&caller, 0, "");
}

static void on_pids(struct monitor *m, int fd)
{
	OWN_FD int caller = fd;
	struct ctl_pids pids = { .n = m->vmm.pid > 0 ? 2 : 1, .pid = { m->pid, m->vmm_pid } };

	execs_pids(&m->execs, &pids);
	if (send(caller, &pids, sizeof(pids), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

static size_t count_ends(const struct vm_ends *v, size_t n)
{
	size_t fds = 0;

	for (size_t i = 0; i < n; i++)
		fds += (v[i].in & VM_FD_PRESENT) + (v[i].out & VM_FD_PRESENT);
	return fds;
}

/* One more process, then its descriptors from 3 on: the guest learns of them in this order. */
static void on_exec(struct monitor *m, int caller, const struct ctl_exec *req, const int *fds, size_t n_fds)
{
	size_t at = count_ends(req->ends, VM_EXEC_PORTS);
	uint32_t port;

	if (m->a->plan->holder) {
		answer(&caller, EOPNOTSUPP, "it holds the namespaces of a pod and has no machine");
		return;
	}
	if (req->n_more > PROTO_MAX_FDS || at + count_ends(req->more, req->n_more) != n_fds) {
		answer(&caller, EINVAL, "broken request");
		return;
	}
	port = execs_open(&m->execs, caller, req, m->vmm.control_fd, fds, at);
	for (uint32_t i = 0; port && i < req->n_more; i++) {
		int in = req->more[i].in & VM_FD_PRESENT ? fds[at++] : -1;
		int out = req->more[i].out & VM_FD_PRESENT ? fds[at++] : -1;

		sockets_give(&m->sockets, &m->execs, &req->more[i], in, out, PROTO_FD_TOKEN(port, i),
			     0, m->vmm.control_fd, m->vmm.guest_fd);
	}
}

/* The request of somebody who has connected. */
static void on_caller(struct monitor *m, int fd)
{
	union {
		struct ctl_request req;
		struct ctl_exec exec;
		struct ctl_ask ask;
	} in;
	struct ctl_request req;
	int fds[CTL_EXEC_FDS];
	size_t n_fds = 0;
	ssize_t n = io_recv_fds(fd, &in, sizeof(in), fds, CTL_EXEC_FDS, &n_fds);

	if (n == (ssize_t)sizeof(in.exec) && in.exec.op == CTL_EXEC) {
		if (m->phase < PHASE_READY)
			answer(&fd, EBUSY, "the container is still being created");
		else
			on_exec(m, fd, &in.exec, fds, n_fds);
		fd = -1;
	} else if (n == (ssize_t)sizeof(in.ask) && in.ask.op == CTL_ASK && m->a->plan->holder) {
		answer(&fd, ENOTSUP, "a pod's holder has no machine");
	} else if (n == (ssize_t)sizeof(in.ask) && in.ask.op == CTL_ASK && m->phase >= PHASE_READY) {
		asks_guest(&m->asks, fd, &in.ask.ask, m->vmm.guest_fd);
		fd = -1;
	}
	for (size_t i = 0; i < n_fds; i++)
		(void)close(fds[i]);
	if (fd < 0)
		return;
	if (n != (ssize_t)sizeof(req)) {
		(void)close(fd);
		return;
	}
	req = in.req;
	if (req.op == CTL_START)
		on_start(m, fd);
	else if (req.op == CTL_KILL && req.signal >= 1 && req.signal <= 64)
		on_kill(m, fd, &req);
	else if (req.op == CTL_PIDS)
		on_pids(m, fd);
	else if ((req.op == CTL_PAUSE || req.op == CTL_RESUME) && m->a->plan->holder)
		answer(&fd, 0, ""); /* it stands still anyway */
	else if ((req.op == CTL_PAUSE || req.op == CTL_RESUME) && m->phase >= PHASE_READY)
		asks_pause(&m->asks, fd, req.op == CTL_PAUSE, m->vmm.control_fd);
	else
		answer(&fd, EINVAL, "unknown request");
}

/* The request comes right behind the connection, but on a host that is busy not at once. */
static void on_connection(struct monitor *m)
{
	int fd = ctl_accept(m->a->listen_fd, m->owner);

	if (fd < 0)
		return;
	if (m->n_callers == MAX_CALLERS) {
		(void)close(m->callers[0]);
		memmove(m->callers, m->callers + 1, --m->n_callers * sizeof(m->callers[0]));
	}
	m->callers[m->n_callers++] = fd;
}

static unsigned callers_polls(const struct monitor *m, struct pollfd *p)
{
	for (unsigned i = 0; i < m->n_callers; i++)
		p[i] = (struct pollfd){ .fd = m->callers[i], .events = POLLIN };
	return m->n_callers;
}

static void callers_run(struct monitor *m, const struct pollfd *p)
{
	unsigned n = m->n_callers;

	m->n_callers = 0;
	for (unsigned i = 0; i < n; i++)
		if (p[i].revents)
			on_caller(m, p[i].fd);
		else
			m->callers[m->n_callers++] = p[i].fd;
}

static void reap(struct monitor *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == m->vmm.pid)
			on_vmm_gone(m, status);
}

static void on_signal(struct monitor *m)
{
	struct signalfd_siginfo si;

	if (read(m->signal_fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	if (si.ssi_signo == SIGCHLD)
		reap(m);
	else if (si.ssi_signo == SIGWINCH && m->a->plan->terminal)
		send_size(m);
	else if (m->phase >= PHASE_READY && send_signal(m, si.ssi_signo, 0) < 0)
		return; /* as many of them wait for it as it may have */
}

_Noreturn static void serve(struct monitor *m)
{
	struct pollfd p[6 + VM_MAX_EXECS + SOCKETS_MOST + PROTO_MAX_FDS + MAX_CALLERS] = {
		{ .fd = m->signal_fd, .events = POLLIN },
		{ .fd = m->vmm.control_fd, .events = POLLIN },
		{ .fd = m->vmm.guest_fd, .events = POLLIN },
		{ .fd = m->a->listen_fd, .events = POLLIN },
		{ .fd = m->a->sync_fd, .events = POLLIN },
		{ .events = POLLIN },
	};
	unsigned n, n_listen, callers;

	for (;;) {
		p[4].fd = m->a->sync_fd;
		p[5].fd = m->net_end.fd;
		/* a list of the network's goes out when there is room for all of it */
		p[2].events = POLLIN |
			      (m->size_due || (m->net_end.whole && m->phase == PHASE_RUNNING) ? POLLOUT : 0);
		n_listen = listen_polls(m, p + 6);
		n = 6 + n_listen + execs_polls(&m->execs, p + 6 + n_listen);
		callers = n + sockets_polls(&m->sockets, p + n);
		if (poll(p, callers + callers_polls(m, p + callers), -1) < 0)
			continue;
		sockets_run(&m->sockets, p + n, m->vmm.guest_fd);
		execs_run(&m->execs, p + 6 + n_listen);
		listen_run(m, p + 6);
		if (p[2].revents & ~POLLOUT)
			(void)read_guest(m);
		if (m->size_due && (p[2].revents & POLLOUT))
			send_size(m);
		if (p[1].revents)
			on_vm_event(m);
		if (p[0].revents)
			on_signal(m);
		callers_run(m, p + callers);
		if (p[3].revents)
			on_connection(m);
		if (p[5].revents)
			on_net(m);
		if (m->phase == PHASE_RUNNING &&
		    net_end_flush(&m->net_end, m->vmm.guest_fd, false) < 0)
			m->net_end.whole = false; /* the guest is going */
		if (p[4].revents && m->a->sync_fd >= 0)
			on_sync(m);
		/* both are level-triggered ends, followed by SIGCHLD */
		if (p[2].revents & POLLHUP)
			p[2].fd = -1;
		if (p[1].revents & POLLHUP)
			p[1].fd = -1;
	}
}

/* ------------------------------------------------------------------ set-up */

static int block_signals(struct monitor *m)
{
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	m->signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	return m->signal_fd < 0 ? -errno : 0;
}

/* The VMM has the container's streams now; nobody else may keep them open. */
static void let_go_of_stdio(struct monitor *m)
{
	struct launch *l = &m->a->launch;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 3; i++) {
		(void)dup2(null, i);
		if (!(m->a->plan->terminal && i == 0))
			own_close_fd(&l->stdio[i]);
	}
	own_close_fd(&null);
	launch_close(l);
	for (uint32_t i = 0; i < m->sandbox.n_shares; i++)
		own_close_fd(&m->sandbox.share_fds[i]);
}

/* Resizing the terminal reaches its foreground process group: us. */
static void own_terminal(const struct monitor *m)
{
	if (m->a->plan->terminal)
		(void)ioctl(m->a->launch.stdio[0], TIOCSCTTY, 0);
}

static int wait_until_sealed(struct monitor *m, struct err *e)
{
	struct vm_event ev;
	ssize_t n = hear_vmm(m, &ev, 0);
	int status = 0;

	if (n != (ssize_t)sizeof(ev)) {
		(void)waitpid(m->vmm.pid, &status, 0);
		m->vmm.pid = 0;
		if (WIFSIGNALED(status))
			return err_set(e, EIO, "coracle-vmm: killed by signal %d", WTERMSIG(status));
		return err_set(e, EIO, "coracle-vmm: could not be run (status %d)",
			       WEXITSTATUS(status));
	}
	ev.text[sizeof(ev.text) - 1] = '\0';
	return ev.type == VM_EVENT_RUNNING ? 0 : err_set(e, (int)ev.code, "%s", ev.text);
}

/* What a policy denies the VMM may fail anywhere, as anything: descriptors that are not allowed are /dev/null then. */
static int suspect_label(const struct plan *p, struct err *e)
{
	struct err why = *e;

	if (!p->vmm_label)
		return -e->code;
	return err_set(e, why.code,
		       "config.json: process.selinuxLabel: \"%s\": %s; `ausearch -m avc` shows whether the policy "
		       "denied it",
		       p->vmm_label, why.msg);
}

/* Let the command do its part. When it fails, it says so itself. */
static void ask_command(struct monitor *m, enum monitor_stage stage)
{
	struct monitor_report ask = { .stage = stage };
	char done;

	if (io_write_all(m->a->sync_fd, &ask, sizeof(ask)) < 0 ||
	    io_read_exact(m->a->sync_fd, &done, 1) < 0)
		_exit(1);
}

/* Join by path, with the rights that we come with and then with those of a new user namespace. */
static int join_namespaces(struct monitor *m, struct ns_joins *joins, struct err *e)
{
	const struct plan *p = m->a->plan;

	if (ns_open(p, joins, e) < 0 || ns_first(joins, e) < 0)
		return -e->code;
	if (!p->late_userns)
		return 0;
	if (unshare(CLONE_NEWUSER) < 0)
		return err_sys(e, "make a user namespace");
	ask_command(m, MONITOR_USERNS);
	return 0;
}

/* The runtime's hooks are the command's to run; then those that run here. */
static int run_hooks(struct monitor *m, struct err *e)
{
	const struct plan *p = m->a->plan;
	/* they are told the pid as it is where they run (runtime-spec, State) */
	struct oci_state state = hooks_spec_state(p->spec, m->a->state->id, m->a->bundle,
						  OCI_STATUS_CREATING, getpid());

	if (!plan_create_hooks(p))
		return 0;
	ask_command(m, MONITOR_HOOKS);
	if (p->spec->hooks[OCI_HOOK_CREATE_CONTAINER].n == 0)
		return 0;
	if (hooks_run(p->spec, OCI_HOOK_CREATE_CONTAINER, &state, NULL, e) < 0)
		return -e->code;
	return sandbox_look_again(p, &m->sandbox, e);
}

/* For whom no place is left has the namespace's loopback, by the mirror, and not its interfaces. */
static void tell_shared(const struct net *n, const struct statedir *d)
{
	if (n->taken[0])
		log_hint("create `%s`: network: %s is shared by %d containers of this namespace already: "
			 "this one gets the loopback alone",
			 d->id, n->taken, 1 + PROTO_NET_PLACES);
}

/* The interfaces of a holder's namespace are for those who join it. */
static int raise_loopback(struct monitor *m, struct err *e)
{
	if (m->a->plan->new_netns && net_open(&m->net, true, false, -1, e) < 0)
		return -e->code;
	net_close(&m->net);
	return 0;
}

static int set_up_network(struct monitor *m, struct err *e)
{
	const struct plan *p = m->a->plan;

	/* in a namespace of our own nobody listens or calls, unless a hook or pasta is led there */
	bool mirrored = p->join_netns || plan_create_hooks(p) || p->machine.pasta;

	if (p->holder)
		return raise_loopback(m, e);
	if (!p->new_netns && !p->join_netns)
		return 0;
	if (net_open(&m->net, p->new_netns, mirrored, m->a->launch.lock_fd, e) < 0)
		return -e->code;
	tell_shared(&m->net, m->a->state);
	return net_add_to_program(&m->net, &m->a->program, &m->a->program_bytes, e);
}

static int start_net_helper(struct monitor *m, struct err *e)
{
	int fd = m->net.on ? net_helper_start(&m->net, e) : -1;

	if (fd < 0 && m->net.on)
		return fd;
	m->net_end.fd = fd;
	return 0;
}

static int publish(const struct monitor *m, pid_t pid, pid_t *out, struct err *e)
{
	*out = m->a->plan->new_pidns ? proc_published(pid) : pid;
	return *out < 0 ? err_set(e, -*out, "the pid that others know: /proc: %s", strerror(-*out)) : 0;
}

/*
 * It is made beside the sandbox, of which it needs no more than the user namespace; but after hooks, if there
 * are any: what they do to the published process, a limit or a cgroup, is for the machine. A holder has none.
 */
static int begin_machine(struct monitor *m, bool hooks_over, struct err *e)
{
	const struct plan *p = m->a->plan;

	if (p->holder || plan_create_hooks(p) != hooks_over)
		return 0;
	if (launch_vmm(&m->a->launch, p, p->join_userns ? ns_single_id() : p->single_id, &m->vmm, e) < 0)
		return -e->code;
	return publish(m, m->vmm.pid, &m->vmm_pid, e);
}

/* The streams of a holder go all the same. */
static int start_machine(struct monitor *m, struct err *e)
{
	const struct plan *p = m->a->plan;

	if (!p->holder && launch_devices(&m->a->launch, p, &m->sandbox, &m->net, &m->vmm, e) < 0)
		return -e->code;
	net_handed_over(&m->net);
	let_go_of_stdio(m);
	if (p->holder || wait_until_sealed(m, e) == 0)
		return 0;
	return suspect_label(p, e);
}

/* Whom the host's kernel kills for want of memory: the machine's memory is the container's. */
static void take_oom_score(const struct oci_process *p)
{
	char text[16];
	int n = p->has_oom_score_adj ? snprintf(text, sizeof(text), "%d", p->oom_score_adj) : 0;
	int r = n > 0 ? io_write_file(AT_FDCWD, "/proc/self/oom_score_adj", text, (size_t)n) : 0;

	/* below what we were given takes CAP_SYS_RESOURCE: the guest has it all the same */
	if (r < 0)
		log_debug("process.oomScoreAdj %d: on the host: %s", p->oom_score_adj, strerror(-r));
}

static int set_up(struct monitor *m, struct err *e)
{
	struct monitor_args *a = m->a;
	const struct oci_process *p = a->plan->spec->process;
	struct ns_joins joins;
	char go;

	(void)prctl(PR_SET_PDEATHSIG, 0);
	(void)setsid();
	if (block_signals(m) < 0)
		return err_sys(e, "signalfd");
	if (publish(m, getpid(), &m->pid, e) < 0)
		return -e->code;
	a->notify.mainpid = a->plan->notify_ours ? m->pid : 0;
	own_terminal(m);
	m->exit_fd = openat(a->state->fd, "exit.json", O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (m->exit_fd < 0)
		return err_sys(e, "\"%s/%s/exit.json\"", a->state->root, a->state->id);
	if (io_read_exact(a->sync_fd, &go, 1) < 0)
		_exit(1); /* the command failed, and has said so */
	/* a listener is known by who called this last: ctl_peer() */
	(void)listen(a->listen_fd, 16);
	take_oom_score(p);
	oom_open(&m->oom, a->bundle, a->own_cgroup, p->has_oom_score_adj && p->oom_score_adj < 0);
	if (join_namespaces(m, &joins, e) < 0 || sandbox_become_root(a->plan, e) < 0 ||
	    begin_machine(m, false, e) < 0 || sandbox_make(a->plan, &joins, &a->pins, &m->sandbox, e) < 0)
		return -e->code;
	m->owner = ctl_maker(a->sync_fd);
	/* until we serve, nobody looks for the end of sync_fd; changes of ids forget this: so not before */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (recv(a->sync_fd, &go, 1, MSG_DONTWAIT | MSG_PEEK) == 0)
		_exit(1);
	if (run_hooks(m, e) < 0 || begin_machine(m, true, e) < 0 || set_up_network(m, e) < 0 || start_machine(m, e) < 0)
		return -e->code;
	if (sandbox_enter(&m->sandbox, e) < 0 || start_net_helper(m, e) < 0)
		return -e->code;
	if (caps_drop_all() < 0)
		return err_set(e, EPERM, "drop capabilities");
	return prctl(PR_SET_DUMPABLE, 1) < 0 ? err_sys(e, "PR_SET_DUMPABLE") : 0;
}

_Noreturn void monitor_main(struct monitor_args *a)
{
	struct monitor m = { .a = a, .starter_fd = -1, .vmm = { .control_fd = -1, .guest_fd = -1 } };
	struct err e = { 0 };

	net_end_init(&m.net_end, -1);
	if (set_up(&m, &e) < 0)
		fail(&m, e.code, e.msg);
	if (a->plan->holder) {
		on_ready(&m);
		if (a->start)
			on_started(&m);
	}
	serve(&m);
}
