/* SPDX-License-Identifier: Apache-2.0 */
/* hooks - run the programs that config.json names for moments of a container's life. */
#include "runtime/hooks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oci/hooks_doc.h"
#include "oci/spec_parse.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/base/proc.h"

#define FILE_NAME "hooks.json"
#define WORDS 400u /* of a hook's stderr in our error */

static int signals_to_default(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };

	for (int i = 1; i < 32; i++)
		(void)sigaction(i, &dfl, NULL);
	return proc_unblock_signals();
}

/* Ours, less what speaks to our own service manager. */
static char **inherited(void)
{
	(void)unsetenv("NOTIFY_SOCKET");
	return environ;
}

/*
 * In the child. What goes wrong here is said as the program would, on its stderr.
 * @parent: the monitor, whose mounts and network it works in: it goes with it. 0: nobody.
 */
_Noreturn static void become(const struct oci_hook *h, const char *bundle, int in, int words, pid_t parent)
{
	char *alone[] = { h->path, NULL };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)setpgid(0, 0);
	if (parent > 0 && proc_die_with(parent) < 0)
		_exit(126);
	if (dup2(in, 0) < 0 || dup2(null, 1) < 0 || dup2(words, 2) < 0 ||
	    syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC) < 0 || signals_to_default() < 0)
		_exit(126);
	if (chdir(bundle) == 0)
		(void)execve(h->path, h->args ? h->args : alone, h->env ? h->env : inherited());
	(void)dprintf(2, "%s", strerror(errno));
	_exit(127);
}

/* Wait for its end, at most @timeout_ms (-1: for ever). Return: its status, or -errno of interrupt_wait() with @e. */
static int wait_hook(pid_t pid, const struct interrupt *stop, int timeout_ms, struct err *e)
{
	OWN_FD int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	int r = fd < 0 ? err_sys(e, "pidfd_open") : interrupt_wait(stop, fd, timeout_ms, e);
	int status = 0;

	if (r < 0)
		(void)kill(-pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return r < 0 ? r : status;
}

/* One line of what it said. */
static void read_words(int fd, char out[WORDS])
{
	ssize_t n = pread(fd, out, WORDS - 1, 0);

	out[n > 0 ? n : 0] = '\0';
	while (n > 0 && strchr(" \n\r\t", out[n - 1]))
		out[--n] = '\0';
	for (char *c = out; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
}

static int judge(int status, const struct oci_hook *h, int words, struct err *e)
{
	char said[WORDS];
	const char *colon;

	if (status == 0)
		return 0;
	read_words(words, said);
	colon = *said ? ": " : "";
	if (status == -ETIME)
		return err_set(e, ETIME, "\"%s\": killed after its timeout of %d s%s%s", h->path,
			       h->timeout, colon, said);
	if (status < 0)
		return err_wrap(e, "\"%s\": killed%s%s", h->path, colon, said);
	if (WIFSIGNALED(status))
		return err_set(e, ECANCELED, "\"%s\": killed by signal %d%s%s", h->path,
			       WTERMSIG(status), colon, said);
	return err_set(e, ECANCELED, "\"%s\": exited with status %d%s%s", h->path,
		       WEXITSTATUS(status), colon, said);
}

/* Files stand in for pipes: nothing to drain, and a hook that leaves a daemon behind holds nothing of ours. */
static int run_hook(const struct oci_hook *h, const char *bundle, const char *state,
		    const struct interrupt *stop, pid_t parent, struct err *e)
{
	OWN_FD int in = memfd_create("state", MFD_CLOEXEC);
	OWN_FD int words = memfd_create("stderr", MFD_CLOEXEC);
	long timeout_ms = h->has_timeout ? (long)h->timeout * 1000 : -1;
	pid_t pid;
	int status;

	if (in < 0 || words < 0)
		return err_sys(e, "memfd_create");
	if (io_write_all(in, state, strlen(state)) < 0 || lseek(in, 0, SEEK_SET) < 0)
		return err_sys(e, "write the state for \"%s\"", h->path);
	if (timeout_ms > INT32_MAX)
		timeout_ms = INT32_MAX;
	pid = fork();
	if (pid < 0)
		return err_sys(e, "fork for \"%s\"", h->path);
	if (pid == 0)
		become(h, bundle, in, words, parent);
	(void)setpgid(pid, pid); /* whoever is first: it must be there when we kill */
	status = wait_hook(pid, stop, (int)timeout_ms, e);
	return judge(status, h, words, e);
}

static int run_one(const struct oci_spec *spec, enum oci_hook_kind kind, size_t i,
		   const struct oci_state *state, const struct interrupt *stop, struct err *e)
{
	OWN_FREE char *text = NULL;
	int r = state_hook_format(state, &text);

	if (r < 0)
		r = err_set(e, -r, "out of memory");
	else
		r = run_hook(&spec->hooks[kind].v[i], state->bundle, text, stop,
			     kind == OCI_HOOK_CREATE_CONTAINER ? getpid() : 0, e);
	return r < 0 ? err_wrap(e, "config.json: hooks.%s[%zu]", oci_hook_name(kind), i) : 0;
}

int hooks_run(const struct oci_spec *spec, enum oci_hook_kind kind, const struct oci_state *state,
	      const struct interrupt *stop, struct err *e)
{
	for (size_t i = 0; i < spec->hooks[kind].n; i++)
		if (run_one(spec, kind, i, state, stop, e) < 0)
			return -e->code;
	return 0;
}

void hooks_run_all(const struct oci_spec *spec, enum oci_hook_kind kind,
		   const struct oci_state *state)
{
	for (size_t i = 0; i < spec->hooks[kind].n; i++) {
		struct err e = { 0 };

		if (run_one(spec, kind, i, state, NULL, &e) < 0)
			log_warn("%s", e.msg);
	}
}

int hooks_save(struct statedir *d, const struct oci_spec *spec, struct err *e)
{
	OWN_FREE char *text = NULL;
	int r = 0;

	if (!hooks_doc_needed(spec))
		return 0;
	r = hooks_doc_format(spec, &text);
	if (r == 0)
		r = io_replace_file(d->fd, FILE_NAME, 0600, text, strlen(text));
	return r < 0 ? err_set(e, -r, "write \"%s/%s/" FILE_NAME "\": %s", d->root, d->id,
			       strerror(-r)) :
		       0;
}

struct oci_spec *hooks_load(struct statedir *d)
{
	struct oci_spec *spec = NULL;
	struct err e = { 0 };
	int r = faccessat(d->fd, FILE_NAME, F_OK, 0) < 0 ? -errno : 0;

	if (r == -ENOENT)
		return NULL;
	if (spec_load(d->fd, FILE_NAME, &spec, &e) < 0)
		log_warn("\"%s/%s\": %s: no hooks are run", d->root, d->id, e.msg);
	return spec;
}

struct oci_state hooks_state(const struct statedir *d, const struct statedir_record *r,
			     enum oci_status status)
{
	return (struct oci_state){
		.oci_version = r->oci_version,
		.id = d->id,
		.status = status,
		.pid = r->pid,
		.bundle = r->bundle,
		.annotations = r->annotations,
		.n_annotations = r->n_annotations,
	};
}

struct oci_state hooks_spec_state(const struct oci_spec *s, const char *id, const char *bundle,
				  enum oci_status status, pid_t pid)
{
	return (struct oci_state){
		.oci_version = s->oci_version,
		.id = id,
		.status = status,
		.pid = pid,
		.bundle = bundle,
		.annotations = s->annotations,
		.n_annotations = s->n_annotations,
	};
}

void hooks_run_saved(struct statedir *d, const struct statedir_record *r, enum oci_hook_kind kind,
		     enum oci_status status)
{
	OWN(oci_spec_cleanup) struct oci_spec *spec = hooks_load(d);
	struct oci_state state = hooks_state(d, r, status);

	if (spec)
		hooks_run_all(spec, kind, &state);
}
