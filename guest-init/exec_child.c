/* SPDX-License-Identifier: Apache-2.0 */
/* exec_child - further processes in the container that runs: the child's side. */
#include "guest-init/exec_child.h"

#include <linux/prctl.h>

#include "guest-init/devices.h"
#include "guest-init/fds.h"
#include "guest-init/link.h"
#include "guest-init/path.h"
#include "guest-init/process.h"
#include "guest-init/ps.h"
#include "guest-init/str.h"
#include "guest-init/sys.h"

#define KEPT (8 + PROTO_MAX_FDS) /* descriptors that the child needs */

void exec_child_init(struct exec_child *c, const struct proto_exec *x, const struct container_handle *into)
{
	*c = (struct exec_child){
		.container =
			{
				.shares = -1,
				.old_root = -1,
				.proc = -1,
				.master = -1,
				.slave = -1,
				.stdio = {-1, -1, -1},
				.report = -1,
				.go = -1,
			},
		.channel = -1,
		.pidfd = sys_pidfd_open(into->pid),
		.cgroup = into->cgroup,
		.flags = x->flags,
	};
	passed_init(&c->container.passed);
	c->n_passed = passed_count(x);
	if ((x->flags & PROTO_EXEC_STDIN_NULL) != 0)
		c->container.program.head.process.flags |= PROTO_PROC_STDIN_NULL;
}

void exec_child_close(struct exec_child *c)
{
	const int fds[] = {c->pidfd, c->container.report, c->container.go, c->container.stdio[0],
			   c->container.stdio[1], c->container.stdio[2]};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			sys_close(fds[i]);
	passed_close(&c->container.passed);
}

/*
 * What we hold of other processes' streams would keep them from ending, for as long as our program
 * takes to come. Descriptors 0 to 2 are the init's, and mean nothing.
 */
static void close_others(const struct exec_child *c)
{
	int keep[KEPT] = {c->channel,		 c->pidfd,		c->container.report,
			  c->container.go,	 c->container.stdio[0], c->container.stdio[1],
			  c->container.stdio[2], c->cgroup};

	memcpy(keep + KEPT - PROTO_MAX_FDS, c->container.passed.fd, sizeof(c->container.passed.fd));
	fds_close_others(keep, KEPT);
}

static int receive(struct exec_child *c, struct err *e)
{
	struct program *p = &c->container.program;
	bool terminal;
	void *payload;
	size_t n;
	int rc = link_answer(c->channel);

	if (rc < 0)
		return err_sys(e, rc, "exec: connect");
	sys_fcntl(c->channel, F_SETFL, 0);
	if (link_program(c->channel, &payload, &n, e) < 0)
		return -e->code;
	rc = program_check(payload, n, p, e);
	if (rc < 0)
		return rc;
	terminal = (p->head.process.flags & PROTO_PROC_TERMINAL) != 0;
	if (terminal != ((c->flags & PROTO_EXEC_TERMINAL) != 0) || p->head.n_fds != c->n_passed)
		return err_set(e, EPROTO, "exec: the program is not what was announced");
	return 0;
}

/* Where the program wants to be, below the container's own cgroup. */
static int enter_cgroup(struct exec_child *c, struct err *e)
{
	const char *sub = program_text(&c->container.program, c->container.program.head.sub_cgroup);
	static char path[PATH_BYTES];
	int rc;

	if (*sub == '\0')
		return 0;
	str_fmt(path, sizeof(path), "%s/cgroup.procs", sub);
	rc = path_write(c->cgroup, path, "0", 1);
	return rc < 0 ? err_sys(e, rc, "exec: enter cgroup `%s`", sub) : 0;
}

/* "/" is the container's root afterwards; the pid namespace is ours since the clone. */
static int join(struct exec_child *c, struct err *e)
{
	int rc = sys_setns(c->pidfd,
			   CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP);

	return rc < 0 ? err_sys(e, rc, "exec: join the container's namespaces") : 0;
}

/* The container's own /dev/null is what a program expects to find; a fake one is not taken. */
static void take_null(struct exec_child *x)
{
	struct stat st;
	int fd;

	if ((x->flags & PROTO_EXEC_STDIN_NULL) == 0)
		return;
	fd = sys_openat(AT_FDCWD, "/dev/null", O_RDWR | O_NOFOLLOW, 0);
	if (fd < 0)
		return;
	if (sys_fstatat(fd, "", &st, AT_EMPTY_PATH) == 0 && (st.st_mode & S_IFMT) == S_IFCHR &&
	    st.st_rdev == NULL_DEVICE)
		sys_dup3(fd, x->container.stdio[0], O_CLOEXEC);
	sys_close(fd);
}

/* Unlike the container's first process it finds its directory there or fails. */
static int enter_cwd(struct container *c, struct err *e)
{
	int rc = process_cwd(c);

	return rc < 0 ? err_sys(e, rc, "chdir to `%s`", program_text(&c->program, c->program.head.process.cwd)) : 0;
}

static int build(struct exec_child *x, struct err *e)
{
	struct container *c = &x->container;
	int rc = receive(x, e);

	if (rc == 0) {
		container_show_filters(c);
		rc = enter_cgroup(x, e);
	}
	if (rc == 0)
		rc = join(x, e);
	if (rc == 0 && (x->flags & PROTO_EXEC_TERMINAL) != 0)
		rc = devices_pty(c, e);
	if (rc == 0)
		rc = process_limits(c, e);
	if (rc == 0)
		rc = enter_cwd(c, e);
	if (rc == 0) {
		take_null(x);
		rc = container_stdio(c, e);
	}
	return rc;
}

static _Noreturn void print_processes(struct exec_child *x, struct container_report *r)
{
	if (join(x, &r->error) < 0) {
		r->failed = 1;
		container_report(&x->container, r);
		sys_exit(1);
	}
	sys_close(x->container.report); /* as execve would: now the pipes are read */
	sys_exit(ps_print(&x->container, &r->error) < 0);
}

/* Failures are reported; success is execve, which closes the report. A terminal is handed over first. */
_Noreturn void exec_child(struct exec_child *x)
{
	struct container_report r = {.master = -1, .slave = -1};
	struct container *c = &x->container;
	char go;

	/* until execve: a process of the container with our ids must not open what we hold */
	sys_prctl(PR_SET_DUMPABLE, 0, 0);
	close_others(x);
	sys_setsid();
	sys_umask(0);
	if ((x->flags & PROTO_EXEC_PS) != 0)
		print_processes(x, &r);
	container_become(c, build(x, &r.error), &r);
	if (r.failed != 0 || c->go >= 0)
		container_report(c, &r);
	if (r.failed != 0 || (c->go >= 0 && sys_read(c->go, &go, 1) != 1))
		sys_exit(1);
	container_exec(c, &r);
}
