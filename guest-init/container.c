/* SPDX-License-Identifier: Apache-2.0 */
/* container - one container from its program: namespaces, root, process. */
#include "guest-init/container.h"

#include <asm/ioctls.h>
#include <linux/capability.h>
#include <linux/netlink.h>

#include "guest-init/cgroup.h"
#include "guest-init/devices.h"
#include "guest-init/find.h"
#include "guest-init/hooks.h"
#include "guest-init/mounts.h"
#include "guest-init/net.h"
#include "guest-init/notify.h"
#include "guest-init/path.h"
#include "guest-init/process.h"
#include "guest-init/str.h"
#include "guest-init/sys.h"

#define PASSWD_BYTES (16u << 20) /* what is read of /etc/passwd */

int container_detached_proc(void)
{
	int fs = sys_fsopen("proc"), rc;

	if (fs < 0)
		return fs;
	rc = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL);
	if (rc == 0)
		rc = sys_fsmount(fs);
	sys_close(fs);
	return rc;
}

int container_proc(struct container *c)
{
	if (c->proc >= 0)
		return c->proc;
	if (program_has_fs(&c->program, "proc", "/proc"))
		c->proc = sys_openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY, 0);
	else
		c->proc = container_detached_proc();
	return c->proc;
}

static int set_names(struct container *c, struct err *e)
{
	const char *host = program_text(&c->program, c->program.head.hostname);
	const char *domain = program_text(&c->program, c->program.head.domainname);
	int rc;

	rc = *host != '\0' ? sys_sethostname(host, str_len(host)) : 0;
	if (rc < 0)
		return err_sys(e, rc, "hostname \"%s\"", host);
	rc = *domain != '\0' ? sys_setdomainname(domain, str_len(domain)) : 0;
	return rc < 0 ? err_sys(e, rc, "domainname \"%s\"", domain) : 0;
}

/*
 * Our kernel initializes packet filters, bridges and traffic control when they are first used (init-on-request in
 * kernel-config/README.md). Files below /proc/sys are no use of them: this makes them appear.
 */
static void request_filters(void)
{
	int fd = sys_netlink(NETLINK_NETFILTER);

	if (fd >= 0)
		sys_close(fd);
}

void container_show_filters(const struct container *c)
{
	if ((c->program.head.process.cap_bounding & 1ull << CAP_NET_ADMIN) != 0)
		request_filters();
}

int container_write_own_proc(const char *path, const char *text, size_t n)
{
	int proc = container_detached_proc(), rc;

	if (proc < 0)
		return proc;
	rc = path_write(proc, path, text, n);
	sys_close(proc);
	return rc;
}

int container_write_proc(struct container *c, const char *path, const char *text, size_t n)
{
	int rc = container_proc(c);

	if (rc >= 0)
		rc = path_write(rc, path, text, n);
	/* the container's may be read-only, or show processes alone */
	return rc == -EROFS || rc == -ENOENT ? container_write_own_proc(path, text, n) : rc;
}

static int write_sysctl(struct container *c, const char *path, const char *value)
{
	int rc = container_write_proc(c, path, value, str_len(value));

	if (rc != -ENOENT)
		return rc;
	request_filters();
	return container_write_own_proc(path, value, str_len(value));
}

static int set_sysctls(struct container *c, struct err *e)
{
	for (uint32_t i = 0; i < c->program.head.n_sysctls; i++) {
		struct proto_sysctl s = program_sysctl(&c->program, i);
		const char *value = program_text(&c->program, s.value);
		char path[PATH_BYTES];
		int rc;

		if (net_first_port() != 0 && str_eq(program_text(&c->program, s.path), NET_PORTS_SYSCTL))
			continue;
		str_fmt(path, sizeof(path), "sys/%s", program_text(&c->program, s.path));
		rc = write_sysctl(c, path, value);
		if (rc < 0)
			return err_sys(e, rc, "sysctl \"%s\"", program_text(&c->program, s.path));
	}
	return 0;
}

/* A device is the container's, or ours: it stays as it is. */
static int own_stream(int fd, uint32_t uid, uint32_t gid)
{
	struct stat st;
	int rc = sys_fstatat(fd, "", &st, AT_EMPTY_PATH);

	if (rc < 0 || (st.st_mode & S_IFMT) == S_IFCHR)
		return rc;
	return sys_fchown(fd, uid, gid);
}

/* Descriptors 0 to 2, owned by the user, who may then open /dev/stdout anew. */
int container_stdio(struct container *c, struct err *e)
{
	const struct proto_process *p = &c->program.head.process;
	bool terminal = (p->flags & PROTO_PROC_TERMINAL) != 0;
	int rc = terminal ? sys_ioctl(c->slave, TIOCSCTTY, 0) : 0;

	if (rc < 0)
		return err_sys(e, rc, "terminal: control");
	for (int i = 0; i < 3; i++) {
		rc = sys_dup3(terminal ? c->slave : c->stdio[i], i, 0);
		if (rc >= 0 && !terminal)
			rc = own_stream(i, p->uid, p->gid);
		if (rc < 0)
			return err_sys(e, rc, "stdio: descriptor %d", i);
	}
	passed_own(&c->passed, p->uid, p->gid);
	return 0;
}

static int cwd_error(const struct container *c, int rc, struct err *e)
{
	return rc < 0 ? err_sys(e, rc, "process.cwd \"%s\"",
				program_text(&c->program, c->program.head.process.cwd)) : 0;
}

/* Everything that takes privilege. */
static int build(struct container *c, struct err *e)
{
	int rc;

	c->shares = sys_openat(AT_FDCWD, CONTAINER_SHARES, O_PATH | O_DIRECTORY, 0);
	c->old_root = sys_openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY, 0);
	if (c->shares < 0 || c->old_root < 0)
		return err_sys(e, c->shares < 0 ? c->shares : c->old_root, "shares");
	sys_umask(0); /* modes are exactly what is asked for */
	sys_setsid();
	rc = mounts_root(c, e);
	if (rc == 0)
		rc = set_names(c, e);
	if (rc == 0)
		rc = mounts_make(c, e);
	if (rc == 0)
		rc = devices_make(c, e);
	if (rc == 0)
		rc = notify_place(c, e);
	if (rc == 0 && (c->program.head.process.flags & PROTO_PROC_TERMINAL) != 0)
		rc = devices_terminal(c, e);
	if (rc == 0) {
		container_show_filters(c);
		rc = set_sysctls(c, e);
	}
	if (rc == 0)
		rc = process_limits(c, e);
	if (rc == 0)
		rc = cwd_error(c, process_make_cwd(c), e);
	if (rc == 0)
		rc = mounts_cover(c, e);
	if (rc == 0)
		rc = cwd_error(c, process_cwd(c), e);
	if (rc == 0)
		rc = container_stdio(c, e);
	return rc;
}

/* "HOME=..." for an environment that has none, else NULL; "/" for a user without an entry. */
static const char *home_entry(struct container *c)
{
	static char entry[PATH_BYTES];
	char *passwd;
	struct stat st;
	size_t at, size;

	if (program_env(&c->program, "HOME") != NULL)
		return NULL;
	at = str_fmt(entry, sizeof(entry), "HOME=");
	str_fmt(entry + at, sizeof(entry) - at, "/");
	if (sys_fstatat(AT_FDCWD, "/etc/passwd", &st, 0) < 0 || st.st_size <= 0)
		return entry;
	size = st.st_size < PASSWD_BYTES ? (size_t)st.st_size + 1 : PASSWD_BYTES;
	passwd = sys_pages(size); /* until execve */
	if (passwd != NULL && path_read(AT_FDCWD, "/etc/passwd", passwd, size) > 0)
		find_home(passwd, c->program.head.process.uid, entry + at, sizeof(entry) - at);
	return entry;
}

void container_report(struct container *c, const struct container_report *r)
{
	/* less than PIPE_BUF: whole or not at all */
	if (sys_write(c->report, r, sizeof(*r)) < 0)
		*c->last = *r;
}

void container_become(struct container *c, int built, struct container_report *r)
{
	static char path[PATH_BYTES];
	const char *name = program_text(&c->program, c->program.head.process.args);

	r->failed = built < 0;
	if (r->failed == 0) {
		c->path = path;
		c->home = home_entry(c);
		if (process_become(c, &r->error) < 0)
			r->failed = 1;
		else if (find_program(name, program_env(&c->program, "PATH"), path, sizeof(path),
				      &r->error) < 0)
			r->failed = r->exec_failed = 1;
	}
	r->master = c->master;
	r->slave = c->slave;
}

_Noreturn void container_exec(struct container *c, struct container_report *r)
{
	sys_sigmask(0);
	process_exec(c, c->path, c->home, &r->error);
	r->failed = r->exec_failed = 1;
	container_report(c, r);
	sys_exit(1);
}

static _Noreturn void child(struct container *c)
{
	struct container_report r = {0};
	char go;

	container_become(c, build(c, &r.error), &r);
	container_report(c, &r);
	if (r.failed != 0 || sys_read(c->go, &go, 1) != 1)
		sys_exit(1);
	mounts_refresh(c);
	if (hooks_run(c, c->home, &r.error) < 0) {
		r.failed = 1;
		container_report(c, &r);
		sys_exit(1);
	}
	container_exec(c, &r);
}

/* A device of our own: the container's /dev does not exist yet, or isn't ours. */
static int open_null(void)
{
	sys_mknodat(AT_FDCWD, "/null", S_IFCHR | 0666, NULL_DEVICE);
	return sys_openat(AT_FDCWD, "/null", O_RDWR | O_CLOEXEC, 0);
}

int container_pipes(struct container *c, int out_ours[3])
{
	for (int i = 0; i < 3; i++) {
		int ends[2], rc;

		if (i == 0 && (c->program.head.process.flags & PROTO_PROC_STDIN_NULL) != 0) {
			c->stdio[0] = open_null();
			if (c->stdio[0] < 0)
				return c->stdio[0];
			continue;
		}
		rc = sys_pipe(ends);
		if (rc < 0)
			return rc;
		c->stdio[i] = ends[i == 0 ? 0 : 1];
		out_ours[i] = ends[i == 0 ? 1 : 0];
		sys_fcntl(out_ours[i], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

/* Both ends of everything, before the clone. */
static int make_pipes(struct container *c, struct container_handle *h)
{
	int ends[2], rc;

	c->last = sys_shared_pages(sizeof(*c->last));
	if (c->last == NULL)
		return -ENOMEM;
	h->last = c->last;
	rc = sys_pipe(ends);
	if (rc < 0)
		return rc;
	h->report = ends[0];
	c->report = ends[1];
	sys_fcntl(h->report, F_SETFL, O_NONBLOCK);
	rc = sys_pipe(ends);
	if (rc < 0)
		return rc;
	c->go = ends[0];
	h->go = ends[1];
	if ((c->program.head.process.flags & PROTO_PROC_TERMINAL) != 0)
		return 0;
	return container_pipes(c, h->stdio);
}

/*
 * The children that come after, exec'd ones too, live in a time namespace whose clocks are off. Offsets can
 * be set until the first of them is there (time_namespaces(7)).
 */
static int make_time(struct container *c, struct err *e)
{
	const struct proto_program *h = &c->program.head;
	const struct proto_time_offset *m = &h->monotonic, *b = &h->boottime;
	char text[128];
	size_t n = str_fmt(text, sizeof(text), "monotonic %ld %u\nboottime %ld %u\n", m->secs,
			   m->nanosecs, b->secs, b->nanosecs);
	int rc = sys_unshare(CLONE_NEWTIME);

	if (rc < 0)
		return err_sys(e, rc, "linux.namespaces: time");
	rc = container_write_own_proc("self/timens_offsets", text, n);
	return rc < 0 ? err_sys(e, rc, "linux.timeOffsets: %ld s and %ld s, on a machine that has just booted",
				m->secs, b->secs) : 0;
}

int container_start(const struct program *p, struct passed *passed, struct container_handle *out,
		    struct err *e)
{
	static struct container c;
	struct container_handle h = {.stdio = {-1, -1, -1}, .cgroup = -1};
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS,
		.exit_signal = SYS_SIGCHLD,
	};
	int rc, dir = -1;

	c = (struct container){
		.program = *p, .proc = -1, .master = -1, .slave = -1, .stdio = {-1, -1, -1},
		.passed = *passed};
	rc = cgroup_make(&dir, e);
	if (rc == 0)
		rc = cgroup_limit(dir, p, false, e);
	if (rc < 0)
		return rc;
	args.flags |= CLONE_INTO_CGROUP;
	args.cgroup = (__u64)dir;
	rc = make_pipes(&c, &h);
	if (rc < 0)
		return err_sys(e, rc, "stdio: pipe");
	rc = (p->head.flags & PROTO_TIME_NS) != 0 ? make_time(&c, e) : 0;
	if (rc < 0)
		return rc;
	rc = sys_clone3(&args);
	if (rc < 0)
		return err_sys(e, rc, "clone");
	if (rc == 0) {
		/* the namespace's root is the cgroup its maker is in: not before the clone */
		sys_unshare(CLONE_NEWCGROUP);
		child(&c);
	}
	h.pid = rc;
	h.cgroup = dir;
	rc = cgroup_limit(dir, p, true, e);
	if (rc < 0)
		return rc;
	passed_close(passed);
	sys_close(c.report);
	sys_close(c.go);
	for (int i = 0; i < 3; i++)
		if (c.stdio[i] >= 0)
			sys_close(c.stdio[i]);
	*out = h;
	return 0;
}
