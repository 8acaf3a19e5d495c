/* SPDX-License-Identifier: Apache-2.0 */
/* hooks - startContainer: programs of the image that run in the container, as its user, before its process. */
#include "guest-init/hooks.h"

#include "guest-init/str.h"
#include "guest-init/sys.h"

#define WORDS 200 /* of what a hook says in our error */

/* Files that stand in for its pipes. */
struct hook_files {
	int in;
	int words;
};

static const char **list(struct container *c, uint32_t at, uint32_t n, const char *last)
{
	const char **v = sys_pages(((size_t)n + 2) * sizeof(*v));

	if (v != NULL) {
		program_list(&c->program, at, n, v);
		v[n] = last;
	}
	return v;
}

/* In the hook's own process. */
static _Noreturn void become(struct container *c, const struct proto_hook *h, const char *home,
			     const struct hook_files *f)
{
	const struct proto_process *p = &c->program.head.process;
	bool own = (h->flags & PROTO_HOOK_HAS_ENV) != 0;
	const char *path = program_text(&c->program, h->path);
	const char **argv = list(c, h->args, h->n_args, h->n_args == 0 ? path : NULL);
	const char **envp = own ? list(c, h->env, h->n_env, NULL) : list(c, p->env, p->n_env, home);
	char text[64];
	struct err e;
	int rc = -ENOMEM;

	sys_setsid();
	sys_dup3(f->in, 0, 0);
	sys_dup3(f->words, 1, 0);
	sys_dup3(f->words, 2, 0);
	sys_sigmask(0);
	if (argv != NULL && envp != NULL)
		rc = sys_execve(path, argv, envp);
	err_sys(&e, rc, "exec");
	sys_write(2, text, str_fmt(text, sizeof(text), "%s", e.text));
	sys_exit(127);
}

/* One line of what it said. */
static void read_words(const struct hook_files *f, char out[WORDS])
{
	long n = sys_pread(f->words, out, WORDS - 1, 0);

	out[n > 0 ? n : 0] = '\0';
	while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == ' '))
		out[--n] = '\0';
	for (; n > 0; n--)
		if ((uint8_t)out[n - 1] < ' ')
			out[n - 1] = ' ';
}

/* Return: whether it ended in time; then @out_status is as wait(2) gives it. */
static bool wait_hook(int pid, uint32_t timeout_s, int *out_status)
{
	struct pollfd p = {.fd = sys_pidfd_open(pid), .events = POLLIN};
	int ms = timeout_s == 0 ? -1 : timeout_s > 2000000 ? 2000000000 : (int)(timeout_s * 1000);
	bool in_time = true;
	int rc;

	do
		rc = p.fd < 0 ? 1 : sys_poll(&p, 1, ms);
	while (rc == -EINTR);
	if (rc == 0) {
		in_time = false;
		sys_kill(-pid, SYS_SIGKILL);
		sys_kill(pid, SYS_SIGKILL);
	}
	do
		rc = sys_wait(pid, out_status, 0);
	while (rc == -EINTR);
	if (p.fd >= 0)
		sys_close(p.fd);
	return in_time;
}

static int run(struct container *c, const struct proto_hook *h, const char *home,
	       const struct hook_files *f, struct err *e)
{
	struct clone_args args = {.exit_signal = SYS_SIGCHLD};
	const char *path = program_text(&c->program, h->path);
	int status = 0, pid = sys_clone3(&args);
	char said[WORDS];
	bool in_time;

	if (pid < 0)
		return err_sys(e, pid, "\"%s\": clone", path);
	if (pid == 0)
		become(c, h, home, f);
	in_time = wait_hook(pid, h->timeout_s, &status);
	if (in_time && status == 0)
		return 0;
	read_words(f, said);
	if (!in_time)
		return err_set(e, ETIME, "\"%s\": killed after its timeout of %u s%s%s", path,
			       h->timeout_s, *said != '\0' ? ": " : "", said);
	if ((status & 0x7f) != 0)
		return err_set(e, ECANCELED, "\"%s\": killed by signal %d%s%s", path, status & 0x7f,
			       *said != '\0' ? ": " : "", said);
	return err_set(e, ECANCELED, "\"%s\": exited with status %d%s%s", path, status >> 8 & 0xff,
		       *said != '\0' ? ": " : "", said);
}

static int run_one(struct container *c, uint32_t i, const char *home, struct err *e)
{
	const char *state = program_text(&c->program, c->program.head.hook_state);
	struct proto_hook h = program_hook(&c->program, i);
	struct hook_files f = {.in = sys_memfd("state"), .words = sys_memfd("words")};
	struct err why;
	int rc;

	if (f.in < 0 || f.words < 0)
		rc = err_sys(&why, f.in < 0 ? f.in : f.words, "memfd");
	else if (sys_write(f.in, state, str_len(state)) < 0 || sys_rewind(f.in) < 0)
		rc = err_set(&why, EIO, "write its state");
	else
		rc = run(c, &h, home, &f, &why);
	if (f.in >= 0)
		sys_close(f.in);
	if (f.words >= 0)
		sys_close(f.words);
	return rc < 0 ? err_set(e, why.code, "config.json: hooks.startContainer[%u]: %s", i, why.text)
		      : 0;
}

int hooks_run(struct container *c, const char *home, struct err *e)
{
	for (uint32_t i = 0; i < c->program.head.n_hooks; i++)
		if (run_one(c, i, home, e) < 0)
			return -e->code;
	return 0;
}
