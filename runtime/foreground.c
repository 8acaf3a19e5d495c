/* SPDX-License-Identifier: Apache-2.0 */
/* foreground - wait for a process whose place we take towards our caller. */
#include "runtime/foreground.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

int foreground_wait(pid_t pid)
{
	sigset_t all;
	int status;
	int sig;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	for (;;) {
		pid_t done = waitpid(pid, &status, WNOHANG);

		if (done == pid)
			return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		if (done < 0 && errno != EINTR)
			return 1;
		if (sigwait(&all, &sig) == 0 && sig != SIGCHLD && sig != SIGURG &&
		    sig != SIGWINCH)
			(void)kill(pid, sig);
	}
}
