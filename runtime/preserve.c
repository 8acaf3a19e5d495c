/* SPDX-License-Identifier: Apache-2.0 */
/* preserve - descriptors that a caller wants to have open in the container: --preserve-fds, LISTEN_FDS. */
#include "runtime/preserve.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "runtime/ends.h"

#define FIRST 3	     /* sd_listen_fds(3) */
#define MOST 65535u  /* more numbers than anybody uses */

static int option(int fd, int which)
{
	int value = 0;
	socklen_t n = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, which, &value, &n) < 0 ? -1 : value;
}

/* Fill in the kind of a socket. Return: NULL, or what it is when it can't be passed. */
static const char *look_at_socket(int fd, bool may_listen, struct proto_fd *out)
{
	struct sockaddr_storage at = { 0 };
	socklen_t n = sizeof(at);

	if (option(fd, SO_TYPE) != SOCK_STREAM)
		return "a socket for messages";
	if (option(fd, SO_ACCEPTCONN) <= 0) {
		out->kind = PROTO_FD_BOTH;
		return NULL;
	}
	if (!may_listen || getsockname(fd, (struct sockaddr *)&at, &n) < 0)
		return "a socket that listens on the host";
	out->kind = at.ss_family == AF_UNIX  ? PROTO_FD_UNIX :
		    at.ss_family == AF_INET  ? PROTO_FD_INET :
		    at.ss_family == AF_INET6 ? PROTO_FD_INET6 :
					       0;
	if (out->kind == PROTO_FD_INET)
		out->port = ntohs(((struct sockaddr_in *)&at)->sin_port);
	else if (out->kind == PROTO_FD_INET6)
		out->port = ntohs(((struct sockaddr_in6 *)&at)->sin6_port);
	return out->kind ? NULL : "a socket of an unknown family";
}

static const char *look_at(int fd, bool may_listen, struct proto_fd *out)
{
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	if (flags < 0 || fstat(fd, &st) < 0 || (flags & O_PATH))
		return "no stream";
	if (S_ISSOCK(st.st_mode))
		return look_at_socket(fd, may_listen, out);
	if (S_ISDIR(st.st_mode))
		return "a directory";
	if (isatty(fd))
		return "a terminal";
	out->kind = (flags & O_ACCMODE) == O_RDONLY ? PROTO_FD_IN :
		    (flags & O_ACCMODE) == O_WRONLY ? PROTO_FD_OUT :
						      0;
	if (out->kind)
		return NULL;
	return S_ISFIFO(st.st_mode) ? "a pipe open for reading and writing" :
	       S_ISREG(st.st_mode)  ? "a file open for reading and writing" :
				      "a device open for reading and writing";
}

static int add(int fd, struct preserved *p, struct err *e)
{
	uint32_t kind = p->v[p->n].fd.kind;
	int r = 0;

	p->v[p->n].in = p->v[p->n].out = -1;
	p->v[p->n].ends = (struct vm_ends){ 0 };
	if (kind >= PROTO_FD_UNIX) {
		r = p->v[p->n].in = fcntl(fd, F_DUPFD_CLOEXEC, FIRST);
		r = r < 0 ? -errno : r;
	} else if (kind & PROTO_FD_IN) {
		r = p->v[p->n].in = ends_duplicate(fd, &p->v[p->n].ends.in);
	}
	if (r >= 0 && kind < PROTO_FD_UNIX && (kind & PROTO_FD_OUT))
		r = p->v[p->n].out = ends_duplicate(fd, &p->v[p->n].ends.out);
	if (kind == PROTO_FD_BOTH)
		p->v[p->n].ends.out |= VM_FD_DUPLEX;
	p->n++;
	return r < 0 ? err_set(e, -r, "--preserve-fds: descriptor %d: %s", fd, strerror(-r)) : 0;
}

int preserve_collect(unsigned n, bool may_listen, struct preserved *out, struct err *e)
{
	out->n = 0;
	for (unsigned i = FIRST; i < FIRST + (n < MOST ? n : MOST) && i <= MOST; i++) {
		int flags = fcntl((int)i, F_GETFD);
		struct proto_fd *f = &out->v[out->n].fd;
		const char *what;

		if (flags != 0) /* closed, or our own, which are close-on-exec */
			continue;
		if (out->n == PROTO_MAX_FDS)
			return err_set(e, E2BIG, "--preserve-fds: over %d descriptors", PROTO_MAX_FDS);
		*f = (struct proto_fd){ .number = i };
		what = look_at((int)i, may_listen, f);
		if (what)
			return err_set(e, ENOTSUP,
				       "--preserve-fds: descriptor %u, %s, can't be passed into a virtual machine",
				       i, what);
		if (add((int)i, out, e) < 0)
			return -e->code;
		(void)close((int)i); /* whoever waits for its end must not wait for us */
	}
	return 0;
}

void preserve_close_rest(void)
{
	DIR *dir = opendir("/proc/self/fd");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (fd >= (int)FIRST && fcntl(fd, F_GETFD) == 0)
			(void)close(fd);
	}
	if (dir)
		(void)closedir(dir);
}

unsigned preserve_listen_fds(void)
{
	const char *pid = getenv("LISTEN_PID");
	const char *n = getenv("LISTEN_FDS");
	unsigned long count = n ? strtoul(n, NULL, 10) : 0;

	if (!pid || strtol(pid, NULL, 10) != getpid())
		return 0;
	return count < MOST ? (unsigned)count : MOST;
}

int preserve_tell(struct oci_process *p, unsigned n)
{
	const char *names = getenv("LISTEN_FDNAMES");
	char text[16];

	if (n == 0)
		return 0;
	(void)snprintf(text, sizeof(text), "%u", n);
	if (oci_process_setenv(p, "LISTEN_FDS=", text) < 0 ||
	    oci_process_setenv(p, "LISTEN_PID=", "1") < 0)
		return -ENOMEM;
	return names ? oci_process_setenv(p, "LISTEN_FDNAMES=", names) : 0;
}

void preserve_fini(struct preserved *p)
{
	for (uint32_t i = 0; i < p->n; i++) {
		own_close_fd(&p->v[i].in);
		own_close_fd(&p->v[i].out);
	}
	p->n = 0;
}
