/* SPDX-License-Identifier: Apache-2.0 */
/* exec - further processes in the container that runs: the parent's side. */
#include "guest-init/exec.h"

#include <asm/ioctls.h>
#include <asm/termios.h>
#include <linux/resource.h>

#include "guest-init/cgroup.h"
#include "guest-init/exec_child.h"
#include "guest-init/str.h"
#include "guest-init/sys.h"

#define PIECE 16384u		  /* buffer of a stream */
#define ENOUGH (1u << 20)	  /* fs.pipe-max-size: no process has more than this under way */
#define OUR_FILES 8192u		  /* EXEC_POLLS entries and descriptors for every process */

static void drop(int *fd)
{
	if (*fd >= 0)
		sys_close(*fd);
	*fd = -1;
}

/* Give everything back but the process itself, which may still have to be reaped. */
static void release(struct exec *p)
{
	relay_cut(&p->relay);
	drop(&p->channel);
	drop(&p->report);
	drop(&p->go);
	for (int i = 0; i < RELAY_STREAMS; i++) {
		drop(&p->sock[i]);
		drop(&p->stdio[i]);
	}
	if (p->relay.memory != NULL)
		sys_unmap(p->relay.memory, RELAY_STREAMS * PIECE);
	if (p->last != NULL)
		sys_unmap(p->last, sizeof(*p->last));
	p->last = NULL;
	p->relay.memory = NULL;
	p->state = p->pid != 0 ? EXEC_LINGERING : EXEC_FREE;
}

/* The host's end is gone: so is the process, with the group that it leads. */
static void abandon(struct exec *p)
{
	if (p->pid != 0) {
		sys_kill(-p->pid, SYS_SIGKILL);
		sys_kill(p->pid, SYS_SIGKILL);
	}
	release(p);
}

static void send_event(struct exec *p, const struct proto_event *event)
{
	if (p->channel >= 0 && link_send(p->channel, event) < 0)
		abandon(p);
}

static void send_failed(int channel, int code, bool exec_failed, const char *text)
{
	struct proto_event event = {
		.type = PROTO_FAILED,
		.code = code,
		.exec_failed = exec_failed,
	};

	str_fmt(event.text, sizeof(event.text), "%s", text);
	if (link_answer(channel) < 0)
		return;
	sys_fcntl(channel, F_SETFL, 0);
	link_send(channel, &event); /* a proxy that is gone needs no answer */
}

static void fail(struct exec *p, const struct err *e, bool exec_failed)
{
	if (p->channel >= 0)
		send_failed(p->channel, e->code, exec_failed, e->text);
	p->failed = true;
	release(p);
}

void exec_refuse(const struct proto_exec *x, int code, const char *why)
{
	int channel = link_dial(x->port, x->from[0]);

	if (channel < 0)
		return;
	send_failed(channel, code, false, why);
	sys_close(channel);
}

/* ------------------------------------------------------------------ begin */

/* Once: room for the descriptors of all, and the container's pid namespace for what we clone. */
static int prepare(struct exec_table *t, const struct container_handle *into, struct err *e)
{
	const uint64_t ours[2] = {OUR_FILES, OUR_FILES};
	int pidfd, rc;

	if (t->ready)
		return 0;
	rc = sys_prlimit(RLIMIT_NOFILE, ours, t->limit);
	if (rc < 0)
		return err_sys(e, rc, "exec: raise the limit of open files");
	pidfd = sys_pidfd_open(into->pid);
	rc = pidfd < 0 ? pidfd : sys_setns(pidfd, CLONE_NEWPID);
	if (pidfd >= 0)
		sys_close(pidfd);
	if (rc < 0)
		return err_sys(e, rc, "exec: join the container's pid namespace");
	t->ready = true;
	return 0;
}

static struct exec *new_exec(struct exec_table *t)
{
	unsigned i = 0;

	while (i < t->used && t->v[i].state != EXEC_FREE)
		i++;
	if (i == PROTO_MAX_EXECS)
		return NULL;
	if (i == t->used)
		t->used++;
	t->v[i] = (struct exec){
		.state = EXEC_SETUP,
		.channel = -1,
		.report = -1,
		.go = -1,
		.sock = {-1, -1, -1},
		.stdio = {-1, -1, -1},
	};
	relay_init(&t->v[i].relay, NULL, PIECE);
	return &t->v[i];
}

static int dial(struct exec *p, const struct proto_exec *x, struct err *e)
{
	int first = (x->flags & PROTO_EXEC_STDIN_NULL) != 0;

	p->channel = link_dial(x->port, x->from[0]);
	for (int i = first; i < (p->terminal ? 1 : RELAY_STREAMS); i++) {
		p->sock[i] = link_dial(x->port + 1 + (uint32_t)i, x->from[1 + i]);
		if (p->sock[i] < 0)
			return err_sys(e, p->sock[i], "exec: stream %d", i);
	}
	return p->channel < 0 ? err_sys(e, p->channel, "exec: channel") : 0;
}

static int make_pipes(struct exec *p, struct exec_child *c, struct err *e)
{
	int ends[2], rc;

	rc = sys_pipe(ends);
	if (rc < 0)
		return err_sys(e, rc, "exec: pipe");
	p->report = ends[0];
	c->container.report = ends[1];
	sys_fcntl(p->report, F_SETFL, O_NONBLOCK);
	if (!p->terminal) {
		rc = container_pipes(&c->container, p->stdio);
		return rc < 0 ? err_sys(e, rc, "exec: stdio") : 0;
	}
	rc = sys_pipe(ends);
	if (rc < 0)
		return err_sys(e, rc, "exec: pipe");
	c->container.go = ends[0];
	p->go = ends[1];
	return 0;
}

static int clone_into(int cgroup)
{
	struct clone_args args = {
		.flags = cgroup >= 0 ? CLONE_INTO_CGROUP : 0,
		.exit_signal = SYS_SIGCHLD,
		.cgroup = (__u64)(cgroup >= 0 ? cgroup : 0),
	};

	return sys_clone3(&args);
}

static int spawn(struct exec_table *t, struct exec *p, struct exec_child *c,
		 const struct container_handle *into, struct err *e)
{
	int rc = clone_into(into->cgroup);

	if (rc == -EBUSY) { /* the container hands controllers down: nobody may be above its leaves */
		int leaf = cgroup_of(into->cgroup, into->pid);

		rc = leaf < 0 ? leaf : clone_into(leaf);
		if (leaf >= 0 && rc != 0)
			sys_close(leaf);
	}
	if (rc < 0)
		return err_sys(e, rc, "exec: clone");
	if (rc == 0) {
		sys_prlimit(RLIMIT_NOFILE, t->limit, NULL);
		exec_child(c);
	}
	p->pid = rc;
	return 0;
}

void exec_open(struct exec_table *t, const struct proto_exec *x, const struct container_handle *into)
{
	static struct exec_child c;
	struct exec *p = new_exec(t);
	struct err e;
	int rc;

	if (p == NULL) {
		exec_refuse(x, EAGAIN, "exec: too many processes at once");
		return;
	}
	exec_child_init(&c, x, into);
	p->port = x->port;
	p->terminal = (x->flags & PROTO_EXEC_TERMINAL) != 0;
	rc = prepare(t, into, &e);
	if (rc == 0)
		rc = dial(p, x, &e);
	c.channel = p->channel;
	if (rc == 0)
		rc = make_pipes(p, &c, &e);
	if (rc == 0)
		rc = passed_exec(&c.container.passed, x, t->sockets, &e);
	p->relay.memory = rc == 0 ? sys_pages(RELAY_STREAMS * PIECE) : NULL;
	p->last = rc == 0 ? sys_shared_pages(sizeof(*p->last)) : NULL;
	c.container.last = p->last;
	if (rc == 0 && (p->relay.memory == NULL || p->last == NULL))
		rc = err_sys(&e, -ENOMEM, "exec: buffers");
	if (rc == 0)
		rc = spawn(t, p, &c, into, &e);
	exec_child_close(&c);
	if (rc < 0 && passed_count(x) > 0)
		sockets_drop(t->sockets, x->port);
	if (rc < 0 && p->channel < 0)
		exec_refuse(x, e.code, e.text);
	if (rc < 0)
		fail(p, &e, false);
}

/* ------------------------------------------------------------------ the child's report */

/* Tie the streams to our ends of the pipes, or to the terminal. */
static int connect(struct exec *p, int master, int slave, struct err *e)
{
	for (int i = 0; i < RELAY_STREAMS; i++) {
		int sock = p->sock[i], rc;

		if (sock < 0)
			continue;
		rc = link_answer(sock);
		if (rc < 0)
			return err_sys(e, rc, "exec: connect stream %d", i);
		p->sock[i] = -1;
		if (p->terminal)
			relay_tty(&p->relay, sock, master, slave);
		else
			relay_pipe(&p->relay, i, sock, p->stdio[i]);
		p->stdio[i] = -1;
	}
	return 0;
}

/* The pty was made by the child, within the container; fetch it from there and let it go. */
static int take_terminal(struct exec *p, const struct container_report *r, struct err *e)
{
	int pidfd = sys_pidfd_open(p->pid);
	int master = pidfd < 0 ? pidfd : sys_pidfd_getfd(pidfd, r->master);
	int slave = master < 0 ? master : sys_pidfd_getfd(pidfd, r->slave);

	if (pidfd >= 0)
		sys_close(pidfd);
	if (slave < 0) {
		if (master >= 0)
			sys_close(master);
		return err_sys(e, slave, "terminal: take over");
	}
	sys_fcntl(master, F_SETFL, O_NONBLOCK);
	if (connect(p, master, slave, e) < 0)
		return -e->code;
	sys_write(p->go, "", 1);
	return 0;
}

/* The child has reported, or its end of the pipe is closed: by execve, or by its death. */
static void on_report(struct exec *p)
{
	struct proto_event started = {.type = PROTO_STARTED};
	struct container_report r;
	struct err e;
	long n = sys_read(p->report, &r, sizeof(r));

	if (n == -EAGAIN || n == -EINTR)
		return;
	if (n == (long)sizeof(r)) {
		if (r.failed != 0) {
			fail(p, &r.error, r.exec_failed != 0);
		} else if (p->terminal && take_terminal(p, &r, &e) < 0) {
			fail(p, &e, false);
			sys_kill(p->pid, SYS_SIGKILL);
		}
		return;
	}
	drop(&p->report);
	if (p->last->failed != 0) {
		fail(p, &p->last->error, p->last->exec_failed != 0);
		return;
	}
	if (!p->terminal && connect(p, -1, -1, &e) < 0) {
		fail(p, &e, false);
		sys_kill(p->pid, SYS_SIGKILL);
		return;
	}
	p->state = EXEC_RUNNING;
	sys_fcntl(p->channel, F_SETFL, 0); /* what is sent on it is waited for */
	send_event(p, &started);
}

/* ------------------------------------------------------------------ the host's frames */

static void resize(struct exec *p, const struct proto_resize *r)
{
	struct winsize size = {
		.ws_row = (unsigned short)r->rows,
		.ws_col = (unsigned short)r->cols,
	};
	int master = p->relay.stream[0].local;

	if (p->terminal && master >= 0)
		sys_ioctl(master, TIOCSWINSZ, (long)&size);
}

static void on_channel(struct exec *p)
{
	struct link_frame f;
	int rc;

	while ((rc = link_next(p->channel, &p->in, &f)) > 0) {
		if (f.type == PROTO_SIGNAL && p->pid != 0 && f.signal.signal >= 1 &&
		    f.signal.signal <= 64)
			sys_kill(p->pid, (int)f.signal.signal);
		else if (f.type == PROTO_RESIZE)
			resize(p, &f.resize);
	}
	if (rc < 0)
		abandon(p);
}

/* ------------------------------------------------------------------ the end */

/* Bytes of @p's that the host has; @out_quiet: nothing more waits on this side. */
static uint64_t sent(const struct exec_table *t, const struct exec *p, bool *out_quiet)
{
	uint64_t bytes = p->relay.moved + sockets_sent(t->sockets, p->port, out_quiet);

	*out_quiet &= relay_quiet(&p->relay);
	return bytes;
}

bool exec_reaped(struct exec_table *t, int pid, int status)
{
	uint32_t sig = (uint32_t)status & 0x7f;
	bool quiet;

	for (unsigned i = 0; i < t->used; i++) {
		struct exec *p = &t->v[i];

		if (p->state == EXEC_FREE || p->pid != pid)
			continue;
		/* what it said last comes first: at most a report, then the end */
		for (int k = 0; k < 2 && p->report >= 0; k++)
			on_report(p);
		p->pid = 0;
		if (p->state == EXEC_LINGERING) {
			release(p);
			return true;
		}
		p->exited = (struct proto_event){
			.type = PROTO_EXITED,
			.signal = sig,
			.code = sig != 0 ? (int32_t)(128 + sig) : status >> 8 & 0xff,
		};
		p->state = EXEC_ENDED;
		relay_process_gone(&p->relay);
		p->moved = sent(t, p, &quiet);
		return true;
	}
	return false;
}

static void settle(const struct exec_table *t, struct exec *p)
{
	bool quiet, unsent;

	if (p->state == EXEC_ENDED && (sent(t, p, &quiet) > p->moved + ENOUGH || quiet)) {
		send_event(p, &p->exited);
		drop(&p->channel);
		if (p->state == EXEC_ENDED)
			p->state = EXEC_LINGERING;
	}
	if (p->state == EXEC_LINGERING && p->pid == 0 && relay_over(&p->relay, &unsent))
		release(p);
}

bool exec_over(const struct exec_table *t)
{
	for (unsigned i = 0; i < t->used; i++)
		if (t->v[i].state != EXEC_FREE)
			return false;
	return true;
}

/* ------------------------------------------------------------------ the loop's part */

unsigned exec_polls(const struct exec_table *t, struct pollfd *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->used; i++) {
		const struct exec *p = &t->v[i];
		short in = p->state == EXEC_RUNNING ? POLLIN : 0;

		if (p->state == EXEC_FREE)
			continue;
		out[n] = (struct pollfd){.fd = p->channel, .events = in | SYS_POLLRDHUP};
		out[n + 1] = (struct pollfd){.fd = p->report, .events = POLLIN};
		relay_polls(&p->relay, out + n + 2);
		n += EXEC_POLLS;
	}
	return n;
}

void exec_run(struct exec_table *t, const struct pollfd *polls)
{
	unsigned n = 0;

	for (unsigned i = 0; i < t->used; i++) {
		struct exec *p = &t->v[i];

		if (p->state == EXEC_FREE)
			continue;
		relay_run(&p->relay, polls + n + 2);
		if (p->report >= 0 && polls[n + 1].revents != 0)
			on_report(p);
		if (p->channel >= 0 && p->state == EXEC_RUNNING && polls[n].revents != 0)
			on_channel(p);
		else if (p->channel >= 0 && (polls[n].revents & (SYS_POLLRDHUP | POLLHUP)) != 0)
			abandon(p);
		n += EXEC_POLLS;
	}
}

void exec_settle(struct exec_table *t)
{
	for (unsigned i = 0; i < t->used; i++)
		if (t->v[i].state != EXEC_FREE)
			settle(t, &t->v[i]);
}
