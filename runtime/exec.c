/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec - one more process in a container that runs: the command's side.
 *
 * DOC: order
 *
 *   the container's state and its own config.json -> the process -> terminal -> fork the proxy, which asks
 *   the monitor and sends the program -> its report -> pid file -> relay and wait, or leave.
 */
#include "runtime/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-init/proto.h"
#include "oci/spec_parse.h"
#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "runtime/cgroup.h"
#include "runtime/console.h"
#include "runtime/container.h"
#include "runtime/foreground.h"
#include "runtime/guest_seccomp.h"
#include "runtime/preserve.h"
#include "runtime/plan.h"
#include "runtime/proxy.h"

#define FILTER_INSN 8u	       /* struct sock_filter */
#define MAX_FILTER_FILE 65536u /* BPF_MAXINSNS of them, and the flags */

/* What exec opens and makes before the proxy exists. */
struct execution {
	const struct exec_options *o;
	struct oci_spec *spec;
	struct oci_process *process;
	struct console console;
	struct proxy proxy;
	struct guest_filter filter;
	void *program;
	int report_fd; /* our end */
	pid_t pid;
	bool inside; /* the guest said why it failed */
};

static void execution_fini(struct execution *x)
{
	oci_process_free(x->process);
	oci_spec_free(x->spec);
	own_close_fd(&x->console.master);
	own_close_fd(&x->console.slave);
	own_close_fd(&x->report_fd);
	own_close_fd(&x->proxy.report_fd);
	own_close_fd(&x->proxy.cgroup_fd);
	preserve_fini(&x->proxy.preserved);
	guest_filter_fini(&x->filter);
	free(x->program);
}

static int check_state(struct statedir *d, bool ignore_paused, int *out_cgroup_fd, struct err *e)
{
	struct statedir_record r;
	struct err none = { 0 };
	enum oci_status s;

	if (statedir_read(d, &r, e) < 0)
		return -e->code;
	s = statedir_status(d, &r);
	if (r.cgroup.path)
		*out_cgroup_fd = cgroup_open(r.cgroup.path, &none);
	statedir_record_fini(&r);
	if (s == OCI_STATUS_STOPPED)
		return err_set(e, ESRCH, "cannot exec in a stopped container");
	if (s == OCI_STATUS_CREATING)
		return err_set(e, EBUSY, "the container is still being created");
	if (s == OCI_STATUS_PAUSED && !ignore_paused)
		return err_set(e, EBUSY, "cannot exec in a paused container (use --ignore-paused to override)");
	return 0;
}

static bool is_null(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3);
}

static int open_terminal(struct execution *x, struct err *e)
{
	struct oci_process *p = x->process;

	if (x->o->detach && !x->o->console_socket)
		return err_set(e, EINVAL, "process.terminal: needs --console-socket when detached");
	if (!x->o->console_socket)
		console_our_size(&p->console_height, &p->console_width);
	if (console_open(&x->console, p->console_height, p->console_width, e) < 0)
		return -e->code;
	if (x->o->console_socket) {
		if (console_send(x->o->console_socket, x->console.master, e) < 0)
			return -e->code;
		own_close_fd(&x->console.master);
	}
	x->proxy.stdio[0] = x->console.slave;
	x->proxy.flags |= PROTO_EXEC_TERMINAL;
	return 0;
}

/* As compiled at create; compiling takes longer than everything else here. */
static int load_filter(struct statedir *d, struct execution *x, struct err *e)
{
	struct guest_filter *f = &x->filter;
	OWN_FREE char *bytes = NULL;
	size_t n = 0;

	if (!x->spec->lnx.seccomp)
		return 0;
	if (io_read_file(d->fd, "seccomp.bpf", MAX_FILTER_FILE, &bytes, &n) < 0 || n < sizeof(f->flags) ||
	    (n - sizeof(f->flags)) % FILTER_INSN != 0)
		return guest_seccomp_compile(x->spec->lnx.seccomp, f, e);
	memcpy(&f->flags, bytes, sizeof(f->flags));
	f->n = (uint32_t)((n - sizeof(f->flags)) / FILTER_INSN);
	memmove(bytes, bytes + sizeof(f->flags), n - sizeof(f->flags));
	f->insns = TAKE(&bytes);
	return 0;
}

static int prepare(struct statedir *d, struct execution *x, struct err *e)
{
	const struct exec_options *o = x->o;
	bool stdin_null = is_null(STDIN_FILENO);

	if (preserve_collect(o->preserve_fds, false, &x->proxy.preserved, e) < 0 ||
	    check_state(d, o->ignore_paused, &x->proxy.cgroup_fd, e) < 0)
		return -e->code;
	if (spec_load(d->fd, "config.json", &x->spec, e) < 0)
		return err_wrap(e, "\"%s/%s\"", d->root, d->id);
	if (!x->spec->process)
		return err_set(e, EINVAL, "the container has no process");
	if (exec_process(x->spec, o, &x->process, e) < 0)
		return -e->code;
	if (load_filter(d, x, e) < 0)
		return -e->code;
	if (o->console_socket && !x->process->terminal)
		return err_set(e, EINVAL, "--console-socket: only with a terminal");
	if (x->process->terminal && open_terminal(x, e) < 0)
		return -e->code;
	if (x->process->terminal)
		stdin_null = false;
	x->proxy.flags |= stdin_null ? PROTO_EXEC_STDIN_NULL : 0;
	x->proxy.detached = o->detach;
	return program_encode_exec(x->spec, x->process, &x->filter, &x->proxy.preserved, o->cgroup, stdin_null,
				   &x->program, &x->proxy.program_bytes, e);
}

/* Fork the proxy and hear how it went. */
static int spawn(struct statedir *d, struct execution *x, struct err *e)
{
	struct proxy_report r;
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "pipe");
	x->report_fd = ends[0];
	x->proxy.report_fd = ends[1];
	x->proxy.state = d;
	x->proxy.program = x->program;
	x->pid = fork();
	if (x->pid < 0)
		return err_sys(e, "fork");
	if (x->pid == 0)
		proxy_main(&x->proxy, parent);
	own_close_fd(&x->proxy.report_fd);
	own_close_fd(&x->console.slave);
	preserve_fini(&x->proxy.preserved);
	if (io_read_exact(x->report_fd, &r, sizeof(r)) < 0) {
		(void)waitpid(x->pid, NULL, 0);
		return err_set(e, EIO, "the process was killed before it ran");
	}
	r.text[sizeof(r.text) - 1] = '\0';
	if (r.code == 0)
		return 0;
	(void)waitpid(x->pid, NULL, 0);
	x->inside = r.inside;
	return err_set(e, r.code, "%s", r.text);
}

static int write_pid_file(const struct execution *x, struct err *e)
{
	if (container_pid_file(x->o->pid_file, x->pid, e) == 0)
		return 0;
	(void)kill(x->pid, SIGKILL);
	(void)waitpid(x->pid, NULL, 0);
	return -e->code;
}

static int wait_for_end(struct execution *x, int *out_status, struct err *e)
{
	if (x->console.master >= 0 && console_relay(x->console.master, x->pid, e) < 0)
		return -e->code;
	*out_status = foreground_wait(x->pid);
	return 0;
}

int exec_run(struct statedir *d, const struct exec_options *o, int *out_status, struct err *e)
{
	struct execution x = {
		.o = o,
		.console = { -1, -1 },
		.proxy = { .stdio = { 0, 1, 2 }, .report_fd = -1, .cgroup_fd = -1 },
		.report_fd = -1,
	};
	int r = prepare(d, &x, e);

	*out_status = 1;
	if (r == 0)
		r = spawn(d, &x, e);
	if (r < 0 && x.inside)
		*out_status = EXEC_FAILED_INSIDE;
	if (r == 0)
		r = write_pid_file(&x, e);
	if (r == 0)
		*out_status = 0;
	if (r == 0 && !o->detach)
		r = wait_for_end(&x, out_status, e);
	execution_fini(&x);
	return r;
}

int exec_ps(struct statedir *d, struct err *e)
{
	static const struct exec_options none;
	struct execution x = {
		.o = &none,
		.console = { -1, -1 },
		.proxy = { .stdio = { 0, 1, 2 },
			   .report_fd = -1,
			   .cgroup_fd = -1,
			   .flags = PROTO_EXEC_PS | PROTO_EXEC_STDIN_NULL },
		.report_fd = -1,
	};
	int r = check_state(d, false, &x.proxy.cgroup_fd, e);

	if (r == -ESRCH)
		return err_set(e, ESRCH, "container not running");
	if (r == -EBUSY)
		return err_set(e, EBUSY, "the container is being created, or paused");
	if (r == 0)
		r = spawn(d, &x, e);
	if (r == 0 && foreground_wait(x.pid) != 0)
		r = err_set(e, EIO, "the guest could not list its processes");
	execution_fini(&x);
	return r;
}
