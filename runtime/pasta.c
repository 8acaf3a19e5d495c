/* SPDX-License-Identifier: Apache-2.0 */
/* pasta - a container's way out without an engine: Debian's passt package gives its namespace the host's network. */
#include "runtime/pasta.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "runtime/base/proc.h"

#define WORDS 400 /* of what pasta says on failure */

_Noreturn static void become_pasta(pid_t pid, int errors)
{
	char target[32];
	char *argv[] = { (char[]){ "pasta" }, (char[]){ "--config-net" }, (char[]){ "--quiet" }, target,
			 NULL };
	int null = open("/dev/null", O_RDWR);

	/* a process stands for both of its namespaces */
	(void)snprintf(target, sizeof(target), "%d", pid);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(errors, 2) < 0)
		_exit(126);
	/* nothing of ours is pasta's business, and it outlives us */
	(void)syscall(SYS_close_range, 3, ~0u, 0);
	(void)proc_unblock_signals();
	(void)execvp(argv[0], argv);
	_exit(errno == ENOENT ? 127 : 126);
}

/* The last line of what came: as root pasta begins with words that are no error. */
static const char *last_words(int fd, char *text, size_t n)
{
	ssize_t got = read(fd, text, n - 1);
	char *end;

	text[got > 0 ? got : 0] = '\0';
	while (got > 0 && text[got - 1] == '\n')
		text[--got] = '\0';
	end = strrchr(text, '\n');
	return end ? end + 1 : text;
}

int pasta_start(pid_t pid, struct err *e)
{
	OWN_FD int words = -1;
	OWN_FD int errors = -1;
	char text[WORDS];
	int status;
	int ends[2];
	pid_t child;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(e, "pasta: pipe");
	words = ends[0];
	errors = ends[1];
	child = fork();
	if (child == 0)
		become_pasta(pid, errors);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return err_sys(e, "pasta: fork");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(e, ENOENT, "pasta is not installed (Debian: the package passt)");
	(void)fcntl(words, F_SETFL, O_NONBLOCK);
	return err_set(e, EIO, "pasta failed: %s", last_words(words, text, sizeof(text)));
}
