/* SPDX-License-Identifier: Apache-2.0 */
/* container - the life of a container as commands see it: create, start, kill, wait, delete. */
#include "runtime/container.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "oci/spec_check.h"
#include "oci/spec_parse.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/confine.h"
#include "runtime/console.h"
#include "runtime/ctl.h"
#include "runtime/hooks.h"
#include "runtime/host.h"
#include "runtime/idmap.h"
#include "runtime/interrupt.h"
#include "runtime/monitor.h"
#include "runtime/net.h"
#include "runtime/ns.h"
#include "runtime/pasta.h"
#include "runtime/plan.h"
#include "runtime/preserve.h"

#define GONE_TIMEOUT_MS 10000 /* engines wait no longer for a delete */
#define KILL_ANSWER_MS 1000 /* then SIGKILL goes to the monitor itself */
#define SIGNAL_ANSWER_MS 10000

/* What create opens and makes before the monitor exists. */
struct creation {
	char *config; /* config.json as it was parsed, until it is kept */
	size_t config_bytes;
	struct oci_spec *spec;
	struct plan plan;
	struct host_facts facts;
	struct statedir state;
	struct statedir_record record;
	struct console console;
	struct confine confine;
	struct preserved preserved;
	struct monitor_args args;
	struct interrupt interrupt;
	void *program;
	char *hook_state;
	char bundle[PATH_MAX];
	char *root;
	int sync_fd;
	pid_t pid;
	const char *pid_file; /* has been written */
	bool hooked; /* hooks have been run: poststop ones are due if it all fails */
};

static void creation_fini(struct creation *c)
{
	struct launch *l = &c->args.launch;

	pins_free(&c->args.pins);
	plan_fini(&c->plan);
	mount_sources_free(c->facts.sources, c->spec ? c->spec->n_mounts : 0);
	oci_spec_free(c->spec);
	c->record.oci_version = NULL; /* belongs to the spec */
	statedir_record_fini(&c->record);
	statedir_close(&c->state);
	own_close_fd(&c->console.master);
	own_close_fd(&c->console.slave);
	launch_close(l);
	for (int i = 0; i < 3; i++)
		own_close_fd(&l->stdio[i]);
	preserve_fini(&c->preserved);
	confine_fini(&c->confine);
	own_close_fd(&c->args.listen_fd);
	own_close_fd(&c->args.notify.fd);
	own_close_fd(&c->args.lock_fd);
	own_close_fd(&c->args.sync_fd);
	own_close_fd(&c->sync_fd);
	free(c->config);
	free(c->program);
	free(c->hook_state);
	free(c->root);
	interrupt_release(&c->interrupt);
}

static int check(const struct oci_spec *spec, struct err *e)
{
	struct spec_warnings warnings = { 0 };
	int r = spec_check(spec, &warnings, e);

	for (size_t i = 0; i < warnings.n && i < SPEC_MAX_WARNINGS; i++)
		log_debug("config.json: %s", warnings.text[i]);
	return r;
}

/* What startContainer hooks are told: the pid is the one they see. */
static int state_for_guest(const struct container_options *o, struct creation *c, struct err *e)
{
	struct oci_state state = hooks_spec_state(c->spec, o->id, c->bundle, OCI_STATUS_CREATED, 1);

	if (c->spec->hooks[OCI_HOOK_START_CONTAINER].n == 0)
		return 0;
	if (state_hook_format(&state, &c->hook_state) < 0)
		return err_set(e, ENOMEM, "out of memory");
	c->plan.hook_state = c->hook_state;
	return 0;
}

/* The names of a namespace that is joined, where config.json gives none. What can't be joined fails later. */
static void read_names(struct creation *c)
{
	const struct oci_namespace *uts = oci_spec_ns(c->spec, OCI_NS_UTS);
	const struct oci_namespace *user = oci_spec_ns(c->spec, OCI_NS_USER);

	if (uts && uts->path && !c->spec->hostname && !c->spec->domainname)
		(void)ns_read_names(uts->path, user ? user->path : NULL, c->plan.hostname,
				    c->plan.domainname);
}

/* A socket that is not there is the container's own affair, as it would be under crun. */
static void open_notify(const struct container_options *o, struct creation *c)
{
	struct err e = { 0 };

	if (!c->plan.notify_path || o->dry_run)
		return;
	c->args.notify.fd = notify_connect(&c->plan, &e);
	if (c->args.notify.fd >= 0)
		return;
	log_info("create `%s`: %s", o->id, e.msg);
	c->args.notify.fd = -1;
	c->plan.notify_path = NULL;
}

static int load(const struct container_options *o, struct creation *c, struct err *e)
{
	const char *bundle = o->bundle ? o->bundle : ".";
	const char *config = o->config ? o->config : "config.json";
	OWN_FD int dir = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct oci_process *p;

	if (dir < 0 || !realpath(bundle, c->bundle))
		return err_sys(e, "bundle \"%s\"", bundle);
	/* --config is relative to the current directory, as with crun */
	if (spec_read(o->config ? AT_FDCWD : dir, config, &c->config, &c->config_bytes, e) < 0)
		return -e->code;
	if (spec_parse(c->config, c->config_bytes, &c->spec, e) < 0)
		return err_wrap(e, "%s", config);
	if (check(c->spec, e) < 0)
		return err_wrap(e, "config.json");
	if (plan_check_process(c->spec->process, e) < 0)
		return -e->code;
	p = c->spec->process;
	if (host_inherit(p) < 0)
		return err_set(e, ENOMEM, "out of memory");
	if (p->terminal && !o->detached && !o->console_socket)
		console_our_size(&p->console_height, &p->console_width);
	if (host_facts_collect(&c->facts, e) < 0 ||
	    mount_sources_look(c->spec, c->bundle, &c->facts.sources, e) < 0)
		return -e->code;
	c->facts.debug = o->debug;
	if (notify_offer(c->spec, c->facts.notify_socket) < 0 ||
	    preserve_tell(c->spec->process, preserve_listen_fds()) < 0)
		return err_set(e, ENOMEM, "out of memory");
	if (plan_build(c->spec, &c->facts, c->bundle, &c->plan, e) < 0)
		return -e->code;
	read_names(c);
	open_notify(o, c);
	if (c->plan.terminal && o->detached && !o->console_socket && !o->dry_run)
		return err_set(e, EINVAL,
			       "config.json: process.terminal: needs --console-socket when detached");
	if (!c->plan.terminal && o->console_socket)
		return err_set(e, EINVAL,
			       "--console-socket: only with process.terminal in config.json");
	if (state_for_guest(o, c, e) < 0 ||
	    preserve_collect(preserve_listen_fds() + o->preserve_fds, true, &c->preserved, e) < 0)
		return -e->code;
	preserve_close_rest();
	c->plan.preserved = &c->preserved;
	return plan_encode(&c->plan, &c->program, &c->args.program_bytes, e);
}

static int open_part(const char *path, const char *what, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO is not waited for */

	return fd < 0 ? err_sys(e, "%s: open \"%s\"", what, path) : fd;
}

static int open_parts(struct creation *c, struct err *e)
{
	struct launch *l = &c->args.launch;

	l->kvm_fd = host_open_kvm(e);
	if (l->kvm_fd < 0)
		return l->kvm_fd;
	l->vmm_path = c->facts.vmm;
	l->vmm_exe = open_part(l->vmm_path, "VMM", e);
	if (l->vmm_exe >= 0)
		l->kernel_fd = open_part(c->plan.kernel, "kernel image", e);
	if (l->kernel_fd >= 0)
		l->initrd_fd = open_part(c->plan.initrd, "initrd", e);
	return l->vmm_exe < 0 || l->kernel_fd < 0 || l->initrd_fd < 0 ? -e->code : 0;
}

/* The container's own copies, above the numbers that everybody uses. */
static int open_stdio(const struct container_options *o, struct creation *c, struct err *e)
{
	struct launch *l = &c->args.launch;
	const struct oci_process *p = c->spec->process;

	l->terminal = c->plan.terminal;
	l->debug = c->plan.debug;
	for (int i = 0; i < 3 && !l->terminal; i++) {
		l->stdio[i] = fcntl(i, F_DUPFD_CLOEXEC, 10);
		if (l->stdio[i] < 0)
			return err_sys(e, "duplicate descriptor %d", i);
	}
	if (!l->terminal)
		return 0;
	if (console_open(&c->console, p->console_height, p->console_width, e) < 0)
		return -e->code;
	if (o->console_socket && console_send(o->console_socket, c->console.master, e) < 0)
		return -e->code;
	l->stdio[0] = take_fd(&c->console.slave);
	return 0;
}

static char *timestamp(void)
{
	char text[STATE_TIME_SIZE];
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return strdup(state_time(&now, text));
}

static int fill_record(struct creation *c, struct err *e)
{
	struct statedir_record *r = &c->record;
	const struct oci_spec *s = c->spec;

	r->bundle = strdup(c->bundle);
	r->rootfs = strdup(c->plan.rootfs);
	r->created = timestamp();
	r->boot_id = statedir_boot_id();
	r->oci_version = s->oci_version;
	r->pid = getpid();
	r->pid_start = statedir_pid_start(r->pid);
	r->annotations = calloc(s->n_annotations + 1, sizeof(*r->annotations));
	if (!r->bundle || !r->rootfs || !r->created || !r->annotations)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < s->n_annotations; i++) {
		const struct oci_kv *from = &s->annotations[i];

		r->annotations[i].key = strdup(from->key);
		r->annotations[i].value = strdup(from->value ? from->value : "");
		r->n_annotations++;
	}
	(void)snprintf(r->phase, sizeof(r->phase), "creating");
	return 0; /* written with the cgroup */
}

/* The flags, then the instructions. */
static int keep_filter(struct creation *c)
{
	const struct guest_filter *f = &c->plan.filter;
	size_t n = sizeof(f->flags) + (size_t)f->n * 8;
	OWN_FREE char *bytes = NULL;

	if (f->n == 0)
		return 0;
	bytes = malloc(n);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, &f->flags, sizeof(f->flags));
	memcpy(bytes + sizeof(f->flags), f->insns, n - sizeof(f->flags));
	return io_replace_file(c->state.fd, "seccomp.bpf", 0600, bytes, n);
}

/* exec needs it, when the bundle may have changed or gone. */
static int keep_config(struct creation *c, struct err *e)
{
	OWN_FREE char *text = TAKE(&c->config);
	int r = io_replace_file(c->state.fd, "config.json", 0600, text, c->config_bytes);

	if (r == 0)
		r = keep_filter(c);
	return r < 0 ? err_set(e, -r, "keep a copy of config.json in \"%s/%s\": %s", c->state.root,
			       c->state.id, strerror(-r)) :
		       0;
}

static int lock_vmm(struct creation *c, struct err *e)
{
	struct flock fl = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = openat(c->state.fd, "vmm.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	c->args.launch.lock_fd = fd;
	if (fd < 0 || fcntl(fd, F_OFD_SETLK, &fl) < 0)
		return err_sys(e, "\"%s/%s/vmm.lock\"", c->state.root, c->state.id);
	return 0;
}

static int spawn_monitor(const struct container_options *o, struct creation *c, struct err *e)
{
	unsigned long flags = (c->plan.new_userns && !c->plan.late_userns ? CLONE_NEWUSER : 0) |
			      (c->plan.new_pidns ? CLONE_NEWPID : 0);
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_sys(e, "socketpair");
	c->sync_fd = pair[0];
	c->args.sync_fd = pair[1];
	c->args.plan = &c->plan;
	c->args.state = &c->state;
	c->args.bundle = c->bundle;
	c->args.program = c->program;
	c->args.start = o->start;
	c->args.preserved = &c->preserved;
	/* a raw clone: glibc's fork knows no namespaces; we are single-threaded */
	c->pid = confine_clone(&c->confine, flags, e);
	if (c->pid < 0)
		return -e->code;
	if (c->pid == 0) {
		own_close_fd(&c->sync_fd);
		own_close_fd(&c->console.master);
		c->args.own_cgroup = c->confine.dir >= 0 ||
				     c->record.cgroup.manager == CGROUP_SYSTEMD;
		monitor_main(&c->args);
	}
	own_close_fd(&c->args.sync_fd);
	return 0;
}

static int run_runtime_hooks(struct creation *c, struct err *e)
{
	struct oci_state state;

	c->hooked = true;
	c->record.pid = c->pid;
	state = hooks_state(&c->state, &c->record, OCI_STATUS_CREATING);
	if (hooks_run(c->spec, OCI_HOOK_PRESTART, &state, &c->interrupt, e) < 0 ||
	    hooks_run(c->spec, OCI_HOOK_CREATE_RUNTIME, &state, &c->interrupt, e) < 0)
		return -e->code;
	return 0;
}

/* Do what the monitor asks for. */
static int help(struct creation *c, enum monitor_stage stage, struct err *e)
{
	int r = stage == MONITOR_USERNS ? idmap_write(c->pid, &c->plan, e) :
					  run_runtime_hooks(c, e);

	if (r < 0)
		return r;
	return io_write_all(c->sync_fd, "h", 1) < 0 ?
		       err_set(e, EIO, "the container's monitor died while it was made") :
		       0;
}

static int hear(struct creation *c, struct monitor_report *r, struct err *e)
{
	if (interrupt_wait(&c->interrupt, c->sync_fd, -1, e) < 0)
		return -e->code;
	if (io_read_exact(c->sync_fd, r, sizeof(*r)) < 0)
		return err_set(e, EIO, "the container's monitor died without a word");
	r->text[sizeof(r->text) - 1] = '\0';
	return r->code ? err_set(e, r->code, "%s", r->text) : 0;
}

/* Let the monitor work and hear how it went. */
static int hand_over(const struct container_options *o, struct creation *c, struct err *e)
{
	struct monitor_report r;

	if (c->plan.new_userns && !c->plan.late_userns && idmap_write(c->pid, &c->plan, e) < 0)
		return -e->code;
	if (confine_adopt(&c->confine, c->pid, e) < 0)
		return -e->code;
	if (io_write_all(c->sync_fd, "g", 1) < 0)
		return err_set(e, EIO, "the container's monitor died");
	c->hooked = o->start && c->spec->hooks[OCI_HOOK_START_CONTAINER].n > 0;
	if (hear(c, &r, e) < 0)
		return -e->code;
	while (r.stage != MONITOR_MADE)
		if (help(c, (enum monitor_stage)r.stage, e) < 0 || hear(c, &r, e) < 0)
			return -e->code;
	c->record.pid = c->pid;
	c->record.pid_start = statedir_pid_start(c->pid);
	(void)snprintf(c->record.phase, sizeof(c->record.phase), "%s",
		       o->start ? "running" : "created");
	return statedir_write(&c->state, &c->record, e);
}

int container_pid_file(const char *path, pid_t pid, struct err *e)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", pid);
	int r = path ? io_replace_file(AT_FDCWD, path, 0644, text, (size_t)n) : 0;

	return r < 0 ? err_set(e, -r, "--pid-file: write \"%s\": %s", path, strerror(-r)) : 0;
}

/* The container is made and recorded: from here on it lives without us. */
static int let_go(const struct container_options *o, struct creation *c, struct err *e)
{
	/* a program that was started may be over by now, and the monitor with it */
	if (io_write_all(c->sync_fd, "l", 1) < 0 && !o->start)
		return err_set(e, EIO, "the container's monitor died");
	return 0;
}

static bool wait_gone(struct statedir *d, int timeout_ms)
{
	for (int waited = 0; waited <= timeout_ms; waited++) {
		struct timespec ms = { .tv_nsec = 1000000 };

		if (!statedir_alive(d) && !statedir_locked(d, "vmm.lock"))
			return true;
		(void)nanosleep(&ms, NULL);
	}
	return false;
}

/* Undo a create that failed: the monitor ends with its end of the sync socket, its VMM with it. */
static void roll_back(struct creation *c)
{
	struct err ignored = { 0 };

	own_close_fd(&c->sync_fd);
	if (c->pid > 0) {
		(void)kill(c->pid, SIGKILL);
		(void)waitpid(c->pid, NULL, 0);
	}
	if (c->pid_file)
		(void)unlink(c->pid_file);
	own_close_fd(&c->args.lock_fd);
	own_close_fd(&c->args.launch.lock_fd);
	(void)wait_gone(&c->state, GONE_TIMEOUT_MS);
	net_sweep(&c->state);
	if (confine_remove(&c->record.cgroup, &ignored) < 0 || statedir_remove(&c->state, &ignored) < 0)
		log_debug("%s", ignored.msg);
	if (c->hooked) {
		struct oci_state state = hooks_state(&c->state, &c->record, OCI_STATUS_STOPPED);

		hooks_run_all(c->spec, OCI_HOOK_POSTSTOP, &state);
	}
}

static int remember(void *arg, struct err *e)
{
	struct creation *c = arg;

	return statedir_write(&c->state, &c->record, e);
}

static int confine(const struct container_options *o, struct creation *c, struct err *e)
{
	c->record.cgroup.manager = o->cgroup_manager;
	c->record.memory_bytes = c->plan.memory_bytes;
	c->record.memory_limit = c->plan.size.limit;
	c->record.host_extra = c->plan.size.host_extra;
	c->confine = (struct confine){
		.cgroup = &c->record.cgroup,
		.spec = c->spec,
		.limits = &c->plan.host_cgroup,
		.id = o->id,
		.remember = remember,
		.arg = c,
		.dir = -1,
	};
	return confine_prepare(&c->confine, e);
}

static int make(const struct container_options *o, struct creation *c, struct err *e)
{
	if (open_stdio(o, c, e) < 0 || fill_record(c, e) < 0 || keep_config(c, e) < 0 ||
	    hooks_save(&c->state, c->spec, e) < 0 || confine(o, c, e) < 0 || lock_vmm(c, e) < 0)
		return -e->code;
	c->args.listen_fd = ctl_listen(&c->state, e);
	if (c->args.listen_fd < 0)
		return -e->code;
	if (c->plan.join_netns && net_remember(&c->state, c->plan.join_netns, e) < 0)
		return -e->code;
	if (pins_make(&c->plan, c->plan.new_userns && c->facts.can_mount, &c->args.pins, e) < 0)
		return -e->code;
	if (spawn_monitor(o, c, e) < 0 || hand_over(o, c, e) < 0)
		return -e->code;
	if (c->plan.machine.pasta && pasta_start(c->pid, e) < 0)
		return err_wrap(e, "config.json: annotations[\"run.coracle.net\"]");
	if (container_pid_file(o->pid_file, c->pid, e) < 0)
		return -e->code;
	c->pid_file = o->pid_file;
	if (let_go(o, c, e) < 0)
		return -e->code;
	if (o->start) {
		struct oci_state state = hooks_state(&c->state, &c->record, OCI_STATUS_RUNNING);

		hooks_run_all(c->spec, OCI_HOOK_POSTSTART, &state);
	}
	return 0;
}

/* With pasta the program must wait until pasta has been there, which needs a container. */
static int make_with_pasta(const struct container_options *o, struct creation *c, struct err *e)
{
	struct container_options first = *o;

	first.start = false;
	if (make(&first, c, e) < 0)
		return -e->code;
	c->hooked |= o->start && c->spec->hooks[OCI_HOOK_START_CONTAINER].n > 0;
	return o->start ? container_start(&c->state, e) : 0;
}

static int create(const struct container_options *o, struct creation *c,
		  struct container_process *out, struct err *e)
{
	int r;

	if (statedir_check_id(o->id, e) < 0 || load(o, c, e) < 0)
		return -e->code;
	if (o->dry_run) {
		plan_print(&c->plan, stdout);
		plan_print_program(c->program, stdout);
		return 0;
	}
	if (statedir_root(o->root, true, &c->root, e) < 0)
		return -e->code;
	if (interrupt_hold(&c->interrupt, e) < 0)
		return -e->code;
	if (statedir_create(c->root, o->id, &c->state, &c->args.lock_fd, e) < 0)
		return -e->code;
	r = open_parts(c, e);
	if (r == 0)
		r = c->plan.machine.pasta ? make_with_pasta(o, c, e) : make(o, c, e);
	if (r < 0) {
		roll_back(c);
		return -e->code;
	}
	if (!c->plan.new_netns && !c->plan.join_netns)
		log_hint("create `%s`: config.json: linux.namespaces: without a network namespace the "
			 "container gets its own loopback and nothing of the host's network",
			 o->id);
	if (out) {
		out->pid = c->pid;
		out->master = o->console_socket ? -1 : take_fd(&c->console.master);
	}
	return 0;
}

int container_create(const struct container_options *o, struct container_process *out, struct err *e)
{
	struct creation c = {
		.confine = { .dir = -1 },
		.interrupt = { .fd = -1 },
		.state = { .fd = -1 },
		.console = { -1, -1 },
		.args = { .sync_fd = -1,
			  .notify = { .fd = -1 },
			  .listen_fd = -1,
			  .lock_fd = -1,
			  .launch = { .vmm_exe = -1,
				      .kvm_fd = -1,
				      .kernel_fd = -1,
				      .initrd_fd = -1,
				      .lock_fd = -1,
				      .stdio = { -1, -1, -1 } } },
		.sync_fd = -1,
	};
	int r = create(o, &c, out, e);

	creation_fini(&c);
	return r;
}

int container_start(struct statedir *d, struct err *e)
{
	struct ctl_request req = { .op = CTL_START };
	struct statedir_record r;
	int rc = statedir_read(d, &r, e);

	if (rc < 0)
		return rc;
	switch (statedir_status(d, &r)) {
	case OCI_STATUS_STOPPED:
		rc = err_set(e, EINVAL, "cannot start a container that has stopped");
		break;
	case OCI_STATUS_RUNNING:
		rc = err_set(e, EINVAL, "cannot start an already running container");
		break;
	case OCI_STATUS_CREATING:
		rc = err_set(e, EBUSY, "container `%s` is still being created", d->id);
		break;
	default:
		rc = ctl_ask(d, &req, -1, e);
		if (rc == 0)
			hooks_run_saved(d, &r, OCI_HOOK_POSTSTART, OCI_STATUS_RUNNING);
	}
	statedir_record_fini(&r);
	return rc;
}

static void kill_pid(pid_t pid, uint64_t start)
{
	int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;

	if (fd < 0)
		return;
	/* between the record and the descriptor the number may have become another's */
	if (!start || statedir_pid_start(pid) == start)
		(void)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0);
	(void)close(fd);
}

/* The monitor, or while it creates the command, when it does not answer or can't be asked. */
static void kill_by_pid(struct statedir *d, const struct statedir_record *r)
{
	if (r->pid > 0 && statedir_this_boot(r))
		kill_pid(r->pid, r->pid_start);
	else
		kill_pid(ctl_peer(d), 0);
}

static int kill_living(struct statedir *d, const struct statedir_record *r, int signal, bool all,
		       struct err *e)
{
	struct ctl_request req = { .op = CTL_KILL, .signal = (uint32_t)signal, .all = all };
	int rc = ctl_ask(d, &req, signal == SIGKILL ? KILL_ANSWER_MS : SIGNAL_ANSWER_MS, e);

	/* a SIGKILL answered by the end of the monitor has done its work; this does no harm then */
	if (rc < 0 && signal == SIGKILL) {
		kill_by_pid(d, r);
		return 0;
	}
	return rc;
}

int container_kill(struct statedir *d, int signal, bool all, struct err *e)
{
	struct statedir_record r = { 0 };
	bool alive = statedir_alive(d);
	int rc = statedir_read(d, &r, e);

	/* with a damaged record the monitor can still be asked */
	if (rc < 0 && alive && signal != 0)
		rc = kill_living(d, &r, signal, all, e);
	else if (rc < 0)
		return rc;
	else if (r.incomplete && !alive)
		rc = err_set(e, ENOENT, "container `%s` does not exist", d->id);
	else if (!alive)
		rc = all ? 0 : err_set(e, ESRCH, "container not running");
	else if (statedir_status(d, &r) == OCI_STATUS_CREATING)
		rc = err_set(e, EBUSY, "container `%s` is still being created", d->id);
	else if (signal != 0) /* as in kill(2): 0 asks whether there is somebody */
		rc = kill_living(d, &r, signal, all, e);
	statedir_record_fini(&r);
	return rc;
}

/*
 * Kill what lives of a container until nothing does. The record is read anew each time: a create may be
 * under way, and at first have no more than the lock.
 */
static int end_processes(struct statedir *d, struct err *e)
{
	for (int i = 0; i < 5; i++) {
		struct statedir_record r = { 0 };
		struct err ignored = { 0 };
		bool creating;

		if (statedir_read(d, &r, &ignored) < 0)
			memset(&r, 0, sizeof(r));
		creating = strcmp(r.phase, "creating") == 0;
		if (i > 0 || creating)
			kill_by_pid(d, &r);
		else
			(void)kill_living(d, &r, SIGKILL, true, &ignored);
		statedir_record_fini(&r);
		if (wait_gone(d, GONE_TIMEOUT_MS / 5))
			return 0;
	}
	return err_set(e, EBUSY, "container %s: its processes are still exiting", d->id);
}

/* Whether a component of @path is named after the container: "ID", "libpod-ID", "crio-ID.scope". */
static bool named_after(const char *path, const char *id)
{
	size_t want = strlen(id);

	while (*(path += strspn(path, "/"))) {
		size_t n = strcspn(path, "/");
		const char *end = path + n;

		if (n > 6 && strncmp(end - 6, ".scope", 6) == 0)
			end -= 6;
		if ((size_t)(end - path) >= want && strncmp(end - want, id, want) == 0 &&
		    (end - want == path || *(end - want - 1) == '-'))
			return true;
		path += n;
	}
	return false;
}

/*
 * Where a container whose record is damaged has its cgroup: where its monitor is, if that is named after it, and
 * whoever is in it goes. What cgroupfs would have called it by default may be another's: it goes if it is empty.
 */
static void guess_cgroup(struct statedir *d, struct cgroup *out)
{
	OWN_FREE char *own = NULL;
	struct err ignored = { 0 };

	out->made = cgroup_path_of(ctl_peer(d), &own, &ignored) == 0 && named_after(own, d->id);
	if (out->made)
		out->path = TAKE(&own);
	else if (asprintf(&out->path, "/%s", d->id) < 0)
		out->path = NULL;
}

/* The processes are gone. A create that they were part of may have written more since @r was read. */
static int remove_all(struct statedir *d, const struct statedir_record *r, struct err *e)
{
	OWN(oci_spec_cleanup) struct oci_spec *hooks = hooks_load(d);
	struct statedir_record now = { 0 };
	struct err ignored = { 0 };
	bool better = statedir_read(d, &now, &ignored) == 0 && (now.cgroup.path || !r->cgroup.path);
	const struct statedir_record *last = better ? &now : r;
	/* after a boot a cgroup of that name is somebody else's */
	int rc = statedir_this_boot(last) ? confine_remove(&last->cgroup, e) : 0;

	if (rc == 0)
		net_sweep(d);
	if (rc == 0)
		rc = statedir_remove(d, e);
	/* the hooks are no business of the next container of that name */
	statedir_let_go(d);
	/* poststop comes when everything is gone (runtime.md "Lifecycle") */
	if (rc == 0 && hooks) {
		struct oci_state state = hooks_state(d, last, OCI_STATUS_STOPPED);

		hooks_run_all(hooks, OCI_HOOK_POSTSTOP, &state);
	}
	statedir_record_fini(&now);
	return rc;
}

/* An engine shows a status at most: of a machine that died the reason goes to the system's log. */
static void log_death(const struct statedir *d)
{
	char why[384];

	if (!statedir_death(d, why, sizeof(why)))
		return;
	openlog("coracle", LOG_PID, LOG_DAEMON);
	syslog(LOG_ERR, "container `%s`: %s", d->id, why);
	closelog();
}

int container_delete(struct statedir *d, bool force, struct err *e)
{
	struct statedir_record r = { 0 };
	bool incomplete;
	enum oci_status s;
	int rc = statedir_hold(d, e);

	if (rc < 0) /* another has deleted it: with force that is what was wanted */
		return force && rc == -ENOENT ? 0 : rc;
	rc = statedir_read(d, &r, e);
	if (rc < 0 && !force)
		return rc;
	if (rc < 0)
		log_warn("delete `%s`: %s", d->id, e->msg);
	if (rc < 0 || (r.incomplete && force && !r.cgroup.path))
		guess_cgroup(d, &r.cgroup);
	s = statedir_status(d, &r);
	incomplete = r.incomplete;
	if (s == OCI_STATUS_STOPPED)
		rc = wait_gone(d, GONE_TIMEOUT_MS) ?
			     0 :
			     err_set(e, EBUSY, "container %s: its processes are still exiting", d->id);
	else if (s == OCI_STATUS_CREATED || force)
		rc = end_processes(d, e);
	else
		rc = err_set(e, EBUSY, "cannot delete container %s that is not stopped: %s", d->id,
			     state_status_name(s));
	if (rc == 0 && s == OCI_STATUS_STOPPED)
		log_death(d);
	if (rc == 0)
		rc = remove_all(d, &r, e);
	statedir_record_fini(&r);
	if (rc == 0 && incomplete && s == OCI_STATUS_STOPPED && !force)
		rc = err_set(e, ENOENT,
			     "container `%s` does not exist: removed what an interrupted create left",
			     d->id);
	return rc;
}
