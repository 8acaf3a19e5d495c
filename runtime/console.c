/* SPDX-License-Identifier: Apache-2.0 */
/* console - the host side of a container's terminal (engine contract section 15). */
#include "runtime/console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/own.h"

void console_our_size(uint32_t *rows, uint32_t *cols)
{
	struct winsize w;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &w) < 0 || !w.ws_row || !w.ws_col)
		return;
	*rows = w.ws_row;
	*cols = w.ws_col;
}

int console_open(struct console *c, unsigned rows, unsigned cols, struct err *e)
{
	struct winsize w = { .ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols };
	OWN_FD int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	OWN_FD int slave = -1;
	struct termios t;

	if (master < 0 || unlockpt(master) < 0)
		return err_sys(e, "process.terminal: open \"/dev/ptmx\"");
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return err_sys(e, "process.terminal: open the terminal");
	if (tcgetattr(slave, &t) < 0)
		return err_sys(e, "process.terminal: tcgetattr");
	cfmakeraw(&t);
	if (tcsetattr(slave, TCSANOW, &t) < 0)
		return err_sys(e, "process.terminal: tcsetattr");
	if (rows && cols && ioctl(master, TIOCSWINSZ, &w) < 0)
		return err_sys(e, "process.consoleSize");
	c->master = take_fd(&master);
	c->slave = take_fd(&slave);
	return 0;
}

int console_send(const char *path, int master, struct err *e)
{
	OWN_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	OWN_FD int at = open(path, O_PATH | O_CLOEXEC);
	const struct sockaddr_un a = io_unix_address(at, "");
	int r;

	if (fd < 0 || at < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(e, "--console-socket: connect to \"%s\"", path);
	/* the text is not read by anyone but must not be empty */
	r = io_send_fds(fd, "/dev/ptmx", 9, &master, 1);
	return r < 0 ? err_set(e, -r, "--console-socket: \"%s\": %s", path, strerror(-r)) : 0;
}

static void copy_size(int master)
{
	struct winsize w;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &w) == 0)
		(void)ioctl(master, TIOCSWINSZ, &w);
}

/* What was typed and the program has not taken yet. */
struct typed {
	char buf[8192];
	size_t at, n;
};

/* To whom we write may be slow, or gone: the program need not stop for it. */
static void put(const char *at, size_t n)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

	while (n > 0) {
		ssize_t done = write(STDOUT_FILENO, at, n);

		if (done < 0 && errno == EAGAIN)
			(void)poll(&p, 1, -1);
		else if (done < 0 && errno != EINTR)
			return;
		at += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
}

/* Show what the program has written. Return: false at the end. */
static bool show(int master)
{
	char buf[8192];
	ssize_t n = read(master, buf, sizeof(buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n > 0)
		put(buf, (size_t)n);
	return n > 0;
}

/* Return: false at the end. */
static bool take(struct typed *t)
{
	ssize_t n = read(STDIN_FILENO, t->buf, sizeof(t->buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	t->at = 0;
	t->n = n > 0 ? (size_t)n : 0;
	return n > 0;
}

/* Pass on what the terminal takes now: a program that doesn't read must not keep us from showing what it writes. */
static void pass(struct typed *t, int master)
{
	ssize_t n = write(master, t->buf + t->at, t->n - t->at);

	if (n > 0)
		t->at += (size_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		t->at = t->n; /* nobody reads any more: the end is near */
}

static bool has_ended(pid_t pid)
{
	siginfo_t si = { 0 };

	return waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid == pid;
}

/* What it wrote is there by then; others may hold the terminal for ever. */
static void drain(int master)
{
	struct pollfd p = { .fd = master, .events = POLLIN };

	while (poll(&p, 1, 0) > 0 && show(master))
		;
}

static void relay_loop(int master, int signal_fd, pid_t pid)
{
	bool ended = has_ended(pid); /* its SIGCHLD may have come before we listened */
	bool open = true;
	struct typed typed = { .n = 0 };
	struct pollfd p[3] = { { .fd = STDIN_FILENO, .events = POLLIN },
			       { .fd = master, .events = POLLIN },
			       { .fd = signal_fd, .events = POLLIN } };

	for (;;) {
		if (ended) {
			drain(master);
			return;
		}
		p[0].fd = open && typed.at == typed.n ? STDIN_FILENO : -1;
		p[1].events = POLLIN | (typed.at < typed.n ? POLLOUT : 0);
		if (poll(p, 3, -1) < 0)
			continue;
		if (p[2].revents) {
			struct signalfd_siginfo si;

			if (read(signal_fd, &si, sizeof(si)) <= 0)
				continue;
			if (si.ssi_signo == SIGWINCH)
				copy_size(master);
			else if (si.ssi_signo == SIGCHLD)
				ended = has_ended(pid);
			else
				(void)kill(pid, (int)si.ssi_signo);
		}
		if ((p[1].revents & ~POLLOUT) && !show(master))
			return;
		if (p[0].revents)
			open = take(&typed);
		if (typed.at < typed.n)
			pass(&typed, master);
	}
}

int console_relay(int master, int pid, struct err *e)
{
	struct termios saved;
	struct termios raw;
	bool tty = tcgetattr(STDIN_FILENO, &saved) == 0;
	OWN_FD int signal_fd = -1;
	sigset_t set;

	(void)sigfillset(&set);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (signal_fd < 0)
		return err_sys(e, "signalfd");
	if (fcntl(master, F_SETFL, O_NONBLOCK) < 0)
		return err_sys(e, "terminal");
	if (tty) {
		raw = saved;
		cfmakeraw(&raw);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
		copy_size(master);
	}
	relay_loop(master, signal_fd, pid);
	if (tty)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	return 0;
}
