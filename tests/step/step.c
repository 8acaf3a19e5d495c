/* SPDX-License-Identifier: Apache-2.0 */
/*
 * step - run a command and kill one of its processes at the N-th system call that it makes.
 *
 *     step -r cli|monitor|vmm -o FILE [-n N] [-a PID] COMMAND [ARGUMENT...]
 *
 * cli is COMMAND itself, monitor the first process that it forks, vmm the first that the monitor forks.
 * -a: the process to count and kill lives already; COMMAND is not looked at. Without -n nothing is killed:
 * the number of system calls is what one wants to know. FILE gets "CALLS KILLED" (0 or 1) and COMMAND's
 * status as a shell says it. What lives when COMMAND has ended is let go.
 *
 * DOC: what is not followed
 *
 * Children made by vfork (posix_spawn): newuidmap is a setuid program, which a traced process can't have.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_TRACED 512
#define LIMIT_S 120 /* a command that takes longer hangs */

enum role { CLI, MONITOR, VMM, OTHER, UNKNOWN };

static const char *const role_names[] = { "cli", "monitor", "vmm" };

struct traced {
	pid_t tid;
	pid_t tgid;
	enum role role;
	bool waits; /* it has stopped before we know whose child it is */
};

static struct traced all[MAX_TRACED];
static size_t n_all;
static bool forked[OTHER]; /* has a process of this role made its first child? */
static enum role target = CLI;
static unsigned long kill_at; /* 0: never */
static unsigned long calls;
static bool killed;

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static void on_alarm(int sig)
{
	(void)sig;
	for (size_t i = 0; i < n_all; i++)
		(void)kill(all[i].tgid, SIGKILL);
	_exit(98);
}

static struct traced *find(pid_t tid)
{
	for (size_t i = 0; i < n_all; i++)
		if (all[i].tid == tid)
			return &all[i];
	return NULL;
}

static struct traced *add(pid_t tid, pid_t tgid, enum role role)
{
	struct traced *t = find(tid);

	if (!t && n_all == MAX_TRACED)
		die("too many processes");
	if (!t)
		t = &all[n_all++];
	*t = (struct traced){ .tid = tid, .tgid = tgid, .role = role };
	return t;
}

static void forget(pid_t tid)
{
	struct traced *t = find(tid);

	if (t)
		*t = all[--n_all];
}

static void go_on(pid_t tid, int sig)
{
	/* it may have been killed meanwhile: then its end is what we hear of next */
	if (ptrace(PTRACE_SYSCALL, tid, 0, (long)sig) < 0 && errno != ESRCH)
		die("PTRACE_SYSCALL");
}

static bool enters_call(pid_t tid)
{
	struct __ptrace_syscall_info info;

	return ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) > 0 &&
	       info.op == PTRACE_SYSCALL_INFO_ENTRY;
}

static void on_call(struct traced *t)
{
	if (t->role == target && !killed && enters_call(t->tid)) {
		calls++;
		if (kill_at && calls == kill_at) {
			killed = true;
			(void)kill(t->tgid, SIGKILL);
			return;
		}
	}
	go_on(t->tid, 0);
}

static void on_child(struct traced *parent, bool thread)
{
	unsigned long tid = 0;
	struct traced *t;
	enum role role = parent->role;
	pid_t tgid = parent->tgid;
	bool waited;

	if (ptrace(PTRACE_GETEVENTMSG, parent->tid, 0, &tid) < 0)
		return;
	if (!thread) {
		bool first = role < VMM && !forked[role];

		if (first)
			forked[role] = true;
		role = first ? role + 1 : OTHER;
		tgid = (pid_t)tid;
	}
	t = find((pid_t)tid);
	waited = t && t->waits;
	(void)add((pid_t)tid, tgid, role);
	if (waited)
		go_on((pid_t)tid, 0);
}

static void on_stop(pid_t tid, int status)
{
	struct traced *t = find(tid);
	int event = status >> 16;
	int sig = WSTOPSIG(status);

	if (!t) {
		add(tid, tid, UNKNOWN)->waits = true;
		return;
	}
	if (sig == (SIGTRAP | 0x80)) {
		on_call(t);
		return;
	}
	if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_CLONE) {
		pid_t parent = t->tid;

		on_child(t, event == PTRACE_EVENT_CLONE);
		go_on(parent, 0);
		return;
	}
	if (event == PTRACE_EVENT_STOP && sig != SIGTRAP)
		(void)ptrace(PTRACE_LISTEN, tid, 0, 0);
	else
		go_on(tid, event ? 0 : sig);
}

/* It has stopped: let it go as it was. What it has just forked stops by itself. */
static void release(pid_t tid, int status)
{
	int event = status >> 16;
	int sig = WSTOPSIG(status);
	unsigned long child;

	if ((event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_CLONE) &&
	    ptrace(PTRACE_GETEVENTMSG, tid, 0, &child) == 0 && !find((pid_t)child))
		(void)add((pid_t)child, (pid_t)child, OTHER);
	if (event || sig == (SIGTRAP | 0x80))
		sig = 0;
	(void)ptrace(PTRACE_DETACH, tid, 0, (long)sig);
}

/* In the order in which they stop or end: a process is not gone before its threads are. */
static void let_go(void)
{
	for (size_t i = n_all; i-- > 0;) {
		pid_t tid = all[i].tid;

		if (all[i].waits) {
			(void)ptrace(PTRACE_DETACH, tid, 0, 0);
			forget(tid);
		} else {
			(void)ptrace(PTRACE_INTERRUPT, tid, 0, 0);
		}
	}
	while (n_all > 0) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0)
			return;
		if (WIFSTOPPED(status))
			release(tid, status);
		forget(tid);
	}
}

#define OPTIONS                                                                \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | \
	 PTRACE_O_TRACEEXEC)

static pid_t start(char **argv, bool traced)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		if (traced)
			(void)raise(SIGSTOP);
		(void)execvp(argv[0], argv);
		die(argv[0]);
	}
	if (!traced)
		return pid;
	if (waitpid(pid, &status, WUNTRACED) < 0 || ptrace(PTRACE_SEIZE, pid, 0, OPTIONS) < 0)
		die("PTRACE_SEIZE");
	(void)add(pid, pid, CLI);
	(void)kill(pid, SIGCONT);
	return pid;
}

/* All threads of a process that lives already. */
static void attach(pid_t pid)
{
	char path[64];
	DIR *dir;
	const struct dirent *entry;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	if (!dir)
		die(path);
	while ((entry = readdir(dir))) {
		pid_t tid = (pid_t)atoi(entry->d_name);

		if (tid <= 0)
			continue;
		if (ptrace(PTRACE_SEIZE, tid, 0, OPTIONS) < 0 ||
		    ptrace(PTRACE_INTERRUPT, tid, 0, 0) < 0)
			die("PTRACE_SEIZE");
		(void)add(tid, pid, target);
	}
	(void)closedir(dir);
}

/* Return: the status of @command as a shell says it. */
static int run(pid_t command)
{
	for (;;) {
		int status;
		pid_t tid = waitpid(-1, &status, __WALL);

		if (tid < 0)
			die("waitpid");
		if (WIFSTOPPED(status)) {
			on_stop(tid, status);
			continue;
		}
		forget(tid);
		if (tid == command)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
}

int main(int argc, char **argv)
{
	const char *out = NULL;
	pid_t existing = 0;
	int status;
	int opt;
	FILE *f;

	while ((opt = getopt(argc, argv, "+r:n:a:o:")) != -1) {
		if (opt == 'n')
			kill_at = strtoul(optarg, NULL, 10);
		else if (opt == 'a')
			existing = (pid_t)atoi(optarg);
		else if (opt == 'o')
			out = optarg;
		else if (opt == 'r')
			for (target = CLI; target < OTHER; target++)
				if (strcmp(optarg, role_names[target]) == 0)
					break;
	}
	if (optind == argc || target == OTHER || !out) {
		(void)fprintf(stderr, "usage: step -r cli|monitor|vmm -o FILE [-n N] [-a PID] COMMAND\n");
		return 99;
	}
	(void)signal(SIGALRM, on_alarm);
	(void)alarm(LIMIT_S);
	if (existing)
		attach(existing);
	status = run(start(argv + optind, !existing));
	let_go();
	f = fopen(out, "w");
	if (!f || fprintf(f, "%lu %d %d\n", calls, killed, status) < 0 || fclose(f) != 0)
		die(out);
	return 0;
}
