/* SPDX-License-Identifier: Apache-2.0 */
/* notify - sd_notify(3) of a container: messages of the guest become datagrams to a socket of the host. */
#include "runtime/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/base/clock.h"
#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "runtime/rootfs.h"

/* What may be said: a line of the name alone, or of the name and a value. */
static const struct {
	const char *name;
	bool value;
} known[] = {
	{ "READY=1", false },	      { "RELOADING=1", false },	      { "STOPPING=1", false },
	{ "WATCHDOG=1", false },      { "WATCHDOG=trigger", false },  { "STATUS=", true },
	{ "NOTIFYSTATE=", true },     { "ERRNO=", true },	      { "BUSERROR=", true },
	{ "VARLINKERROR=", true },    { "EXIT_STATUS=", true },	      { "WATCHDOG_USEC=", true },
	{ "MONOTONIC_USEC=", true },  { "EXTEND_TIMEOUT_USEC=", true },
};

/* UTF-8 passes as it is; control characters make a line suspect. */
static bool printable(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
			return false;
	return true;
}

static bool passes(const char *line, size_t n)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t len = strlen(known[i].name);

		if (n >= len && strncmp(line, known[i].name, len) == 0 && (known[i].value || n == len))
			return printable(line, n);
	}
	return false;
}

static bool is(const char *line, size_t n, const char *name)
{
	return n >= strlen(name) && strncmp(line, name, strlen(name)) == 0;
}

size_t notify_filter(const char *text, pid_t mainpid, uint64_t now_usec, char out[NOTIFY_MAX])
{
	size_t at = 0;

	while (*text) {
		size_t n = strcspn(text, "\n");
		char line[NOTIFY_MAX];
		int len = 0;

		if (!passes(text, n))
			len = 0;
		else if (is(text, n, "MONOTONIC_USEC="))
			len = snprintf(line, sizeof(line), "MONOTONIC_USEC=%" PRIu64 "\n", now_usec);
		else if (is(text, n, "READY=1") && mainpid > 0)
			len = snprintf(line, sizeof(line), "MAINPID=%d\nREADY=1\n", mainpid);
		else
			len = snprintf(line, sizeof(line), "%.*s\n", (int)n, text);
		if (len > 0 && (size_t)len < sizeof(line) && at + (size_t)len <= NOTIFY_MAX) {
			memcpy(out + at, line, (size_t)len);
			at += (size_t)len;
		}
		text += n + (text[n] == '\n');
	}
	return at;
}

void notify_send(struct notify *n, const char *text)
{
	char out[NOTIFY_MAX];
	uint64_t now_ns;
	size_t bytes;

	if (n->fd < 0)
		return;
	now_ns = (uint64_t)clock_ns();
	bytes = notify_filter(text, n->mainpid, now_ns / 1000u, out);
	if (n->due_ns + NOTIFY_BURST_NS < now_ns)
		n->due_ns = now_ns - NOTIFY_BURST_NS;
	if (bytes == 0 || n->due_ns > now_ns)
		return;
	n->due_ns += 1000000000u / NOTIFY_PER_SECOND;
	if (send(n->fd, out, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return; /* nobody there: nobody to tell */
}

/* "@": abstract. Otherwise what @path_fd is. */
static int address(const char *path, int path_fd, struct sockaddr_un *out, socklen_t *out_n)
{
	int n;

	*out = io_unix_address(path_fd, "");
	if (*path == '@') {
		n = snprintf(out->sun_path, sizeof(out->sun_path), "%s", path);
		if (n < 0 || (size_t)n >= sizeof(out->sun_path))
			return -ENAMETOOLONG;
		out->sun_path[0] = '\0';
		*out_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n);
		return 0;
	}
	*out_n = sizeof(*out);
	return 0;
}

/* Who writes to a mount's source may be the container: what he links to stays below it. */
static int open_below(const char *path, size_t n)
{
	OWN_FREE char *source = strndup(path, n);
	OWN_FD int root = source ? open(source, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	int fd = root < 0 ? -1 : rootfs_open(root, path + n);

	if (root >= 0 && fd < 0)
		errno = -fd;
	return fd;
}

int notify_connect(const struct plan *p, struct err *e)
{
	const char *path = p->notify_host;
	OWN_FD int path_fd = -1;
	OWN_FD int fd = -1;
	struct sockaddr_un to;
	socklen_t n = 0;
	int r;

	if (*path != '@')
		path_fd = p->notify_below ? open_below(path, p->notify_below) : open(path, O_PATH | O_CLOEXEC);
	if (*path != '@' && path_fd < 0)
		return err_sys(e, "NOTIFY_SOCKET: \"%s\"", path);
	r = address(path, path_fd, &to, &n);
	if (r < 0)
		return err_set(e, -r, "NOTIFY_SOCKET: \"%s\": %s", path, strerror(-r));
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, n) < 0)
		return err_sys(e, "NOTIFY_SOCKET: connect to \"%s\"", path);
	return take_fd(&fd);
}

/* ------------------------------------------------------------------ where it is */

static const char *own_socket(const struct oci_spec *spec)
{
	const struct oci_process *p = spec->process;

	for (size_t i = 0; i < p->n_env; i++)
		if (strncmp(p->env[i], "NOTIFY_SOCKET=", 14) == 0)
			return p->env[i] + 14;
	return NULL;
}

static int add_tmpfs(struct oci_spec *spec, const char *dest)
{
	static const char *const options[] = { "nosuid", "nodev", "noexec", "mode=755", "size=64k" };
	const size_t n_options = sizeof(options) / sizeof(options[0]);
	struct oci_mount *mounts = realloc(spec->mounts, (spec->n_mounts + 1) * sizeof(*mounts));
	struct oci_mount *m;

	if (!mounts)
		return -ENOMEM;
	spec->mounts = mounts;
	m = &mounts[spec->n_mounts++];
	*m = (struct oci_mount){ .destination = strdup(dest),
				 .source = strdup("tmpfs"),
				 .type = strdup("tmpfs"),
				 .options = calloc(n_options + 1, sizeof(*m->options)) };
	if (!m->destination || !m->source || !m->type || !m->options)
		return -ENOMEM;
	for (size_t i = 0; i < n_options; i++) {
		m->options[i] = strdup(options[i]);
		if (!m->options[i])
			return -ENOMEM;
		m->n_options++;
	}
	return 0;
}

int notify_offer(struct oci_spec *spec, const char *ours)
{
	int r;

	if (!spec->process || !ours || (*ours != '/' && *ours != '@') || own_socket(spec))
		return 0;
	r = add_tmpfs(spec, NOTIFY_FOLDER);
	return r < 0 ? r : oci_process_setenv(spec->process, "NOTIFY_SOCKET=", NOTIFY_PATH);
}

/* Length of @dest if @path is below it, else 0. "/" has none. */
static size_t covers(const char *dest, const char *path)
{
	size_t n = strlen(dest);

	while (n > 0 && dest[n - 1] == '/')
		n--;
	return strncmp(dest, path, n) == 0 && (path[n] == '/' || path[n] == '\0') ? n : 0;
}

void notify_plan(struct plan *p, const char *ours)
{
	const char *path = p->spec->process ? own_socket(p->spec) : NULL;
	const char *host = NULL; /* the image's own file system is no way to a socket of the host */
	size_t longest = 0;

	if (!path || *path != '/' || strstr(path, "/../"))
		return;
	for (size_t i = 0; i < p->n_mounts; i++) {
		size_t n = covers(p->mounts[i].dest, path);

		if (n == 0 || n < longest)
			continue;
		longest = n;
		host = p->mounts[i].kind == PLAN_SHARE ? p->mounts[i].source : NULL;
	}
	if (host) {
		(void)snprintf(p->notify_host, sizeof(p->notify_host), "%s%s", host, path + longest);
		p->notify_below = path[longest] ? strlen(host) : 0;
	} else if (ours && strcmp(path, NOTIFY_PATH) == 0) {
		(void)snprintf(p->notify_host, sizeof(p->notify_host), "%s", ours);
	} else {
		return; /* a socket of the container's own */
	}
	p->notify_ours = !host;
	p->notify_path = path;
}
