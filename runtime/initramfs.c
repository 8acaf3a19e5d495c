/* SPDX-License-Identifier: Apache-2.0 */
/*
 * initramfs - our init with the modules of a distribution's kernel, as that kernel's initramfs.
 *
 * DOC: the file
 *
 * Two cpio archives, one after the other, as the kernel allows (Documentation/driver-api/early-userspace):
 * coracle-init.cpio as it was installed, and /modules/00, 01, ... in the order in which the init loads them.
 * Modules are unpacked here, by xz, zstd or gzip, so that neither the init nor the kernel need to.
 */
#include "runtime/initramfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/own.h"

#define MAX_TEXT (8u << 20)    /* cap: bytes of modules.dep */
#define MAX_MODULE (32u << 20) /* cap: bytes of one module */

/* Drivers of the machine (vmm/main.c), and what containers expect of the kernel. */
static const struct {
	const char *name;
	bool needed;
} wanted[] = {
	{ "virtio_mmio", true },     { "virtio_console", false }, { "vmw_vsock_virtio_transport", true },
	{ "virtiofs", true },	     { "virtio_net", false },	  { "virtio_rng", false },
	{ "virtio_balloon", false }, { "overlay", false },
};

/* Does @path, of @n bytes, end in the module @name? Names don't tell - from _. */
static bool is_module(const char *path, size_t n, const char *name)
{
	const char *base = path;
	size_t len = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (path[i] == '/')
			base = path + i + 1;
	if ((size_t)(path + n - base) < len + 3 || memcmp(base + len, ".ko", 3) != 0)
		return false;
	for (size_t i = 0; i < len; i++)
		if (base[i] != name[i] && !(base[i] == '-' && name[i] == '_'))
			return false;
	return true;
}

/* Return: the line of @text that is about @name, up to @until; NULL when there is none. */
static const char *find_line(const char *text, const char *name, char until)
{
	while (*text) {
		size_t line = strcspn(text, "\n");
		size_t n = strcspn(text, "\n:");

		if (is_module(text, n, name) && text[n] == until)
			return text;
		text += line + (text[line] == '\n');
	}
	return NULL;
}

static int add(struct initramfs_list *l, const char *path, size_t n, struct err *e)
{
	for (size_t i = 0; i < l->n; i++)
		if (strlen(l->path[i]) == n && memcmp(l->path[i], path, n) == 0)
			return 0;
	if (n >= INITRAMFS_MAX_NAME || memmem(path, n, "..", 2) || path[0] == '/')
		return err_set(e, EINVAL, "modules.dep: \"%.*s\" is no path below it",
			       n > 200 ? 200 : (int)n, path);
	if (l->n == INITRAMFS_MAX_MODULES)
		return err_set(e, E2BIG, "modules.dep: over %u modules are needed",
			       INITRAMFS_MAX_MODULES);
	memcpy(l->path[l->n], path, n);
	l->path[l->n++][n] = '\0';
	return 0;
}

/* A line is the module, a colon, then what it needs, the innermost last. */
static int add_line(struct initramfs_list *l, const char *line, struct err *e)
{
	size_t end = strcspn(line, "\n");
	size_t name = strcspn(line, ":");

	while (end > name) {
		size_t start = end;

		while (start > name + 1 && line[start - 1] != ' ')
			start--;
		if (end > start && add(l, line + start, end - start, e) < 0)
			return -e->code;
		end = start > name + 1 ? start - 1 : name;
	}
	return add(l, line, name, e);
}

int initramfs_choose(const char *dep, const char *builtin, struct initramfs_list *out, struct err *e)
{
	out->n = 0;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		const char *line = find_line(dep, wanted[i].name, ':');

		if (line && add_line(out, line, e) < 0)
			return -e->code;
		if (!line && wanted[i].needed && !find_line(builtin, wanted[i].name, '\n'))
			return err_set(e, ENOENT, "the kernel has no driver %s", wanted[i].name);
	}
	return 0;
}

/* ------------------------------------------------------------------ unpacking */

static const char *unpacker(const char *path)
{
	size_t n = strlen(path);

	if (n > 3 && strcmp(path + n - 3, ".xz") == 0)
		return "xz";
	if (n > 4 && strcmp(path + n - 4, ".zst") == 0)
		return "zstd";
	return n > 3 && strcmp(path + n - 3, ".gz") == 0 ? "gzip" : NULL;
}

/* Start `@program -dc` from @in. Return: the descriptor to read from, or -errno. */
static int start_unpacker(const char *program, int in, pid_t *out_pid)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	*out_pid = fork();
	if (*out_pid == 0) {
		if (dup2(in, 0) == 0 && dup2(p[1], 1) == 1)
			(void)execlp(program, program, "-dc", (char *)NULL);
		_exit(127);
	}
	(void)close(p[1]);
	if (*out_pid < 0)
		(void)close(p[0]);
	return *out_pid < 0 ? -EAGAIN : p[0];
}

static int read_module(const char *folder, const char *path, char **out, size_t *out_n, struct err *e)
{
	OWN_FREE char *full = NULL;
	OWN_FD int fd = -1;
	OWN_FD int unpacked = -1;
	const char *program = unpacker(path);
	int status = 0;
	pid_t pid = 0;
	int r;

	if (asprintf(&full, "%s/%s", folder, path) < 0)
		return err_set(e, ENOMEM, "out of memory");
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open \"%s\"", full);
	if (program)
		unpacked = start_unpacker(program, fd, &pid);
	r = program && unpacked < 0 ? unpacked : io_read_all(program ? unpacked : fd, MAX_MODULE, out, out_n);
	own_close_fd(&unpacked); /* an unpacker that has more to say ends */
	if (pid > 0 && (waitpid(pid, &status, 0) < 0 || status != 0) && r == 0)
		return err_set(e, EIO, "\"%s\": %s could not unpack it", full, program);
	return r < 0 ? err_set(e, -r, "\"%s\": read: %s", full, strerror(-r)) : 0;
}

/* ------------------------------------------------------------------ writing */

/* One entry of a cpio archive, format newc. */
static void put_entry(FILE *f, const char *name, unsigned mode, const void *data, size_t n)
{
	static const char zeros[4];
	size_t len = strlen(name) + 1;

	(void)fprintf(f, "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X", 0u, mode, 0u,
		      0u, 1u, 0u, n, 0u, 0u, 0u, 0u, len, 0u);
	(void)fwrite(name, 1, len, f);
	(void)fwrite(zeros, 1, -(110 + len) & 3, f);
	if (n > 0)
		(void)fwrite(data, 1, n, f);
	(void)fwrite(zeros, 1, -n & 3, f);
}

static int put_modules(FILE *f, const char *folder, const struct initramfs_list *l, struct err *e)
{
	put_entry(f, "modules", 040755, NULL, 0);
	for (size_t i = 0; i < l->n; i++) {
		OWN_FREE char *data = NULL;
		char name[16];
		size_t n = 0;

		if (read_module(folder, l->path[i], &data, &n, e) < 0)
			return -e->code;
		(void)snprintf(name, sizeof(name), "modules/%02u", (unsigned)i);
		put_entry(f, name, 0100644, data, n);
	}
	put_entry(f, "TRAILER!!!", 0, NULL, 0);
	return 0;
}

static int load_list(const char *folder, struct initramfs_list *l, struct err *e)
{
	OWN_FD int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	OWN_FREE char *dep = NULL;
	OWN_FREE char *builtin = NULL;
	int r;

	if (dir < 0)
		return err_sys(e, "open \"%s\"", folder);
	r = io_read_file(dir, "modules.dep", MAX_TEXT, &dep, NULL);
	if (r < 0)
		return err_set(e, -r, "\"%s/modules.dep\": %s", folder, strerror(-r));
	r = io_read_file(dir, "modules.builtin", MAX_TEXT, &builtin, NULL);
	if (r < 0)
		return err_set(e, -r, "\"%s/modules.builtin\": %s", folder, strerror(-r));
	return initramfs_choose(dep, builtin, l, e) < 0 ? err_wrap(e, "%s", folder) : 0;
}

int initramfs_write(const char *folder, const char *init_cpio, const char *out_path, struct err *e)
{
	OWN_FREE struct initramfs_list *l = malloc(sizeof(*l));
	OWN_FREE char *init = NULL;
	OWN_FREE char *text = NULL;
	size_t init_n = 0;
	size_t n = 0;
	FILE *f;
	int r;

	if (!l)
		return err_set(e, ENOMEM, "out of memory");
	r = load_list(folder, l, e);
	if (r < 0)
		return r;
	r = io_read_file(AT_FDCWD, init_cpio, MAX_MODULE, &init, &init_n);
	if (r < 0)
		return err_set(e, -r, "\"%s\": %s", init_cpio, strerror(-r));
	f = open_memstream(&text, &n);
	if (!f)
		return err_set(e, ENOMEM, "out of memory");
	(void)fwrite(init, 1, init_n, f);
	r = put_modules(f, folder, l, e);
	if (fclose(f) != 0 && r == 0)
		r = err_set(e, ENOMEM, "out of memory");
	if (r < 0)
		return r;
	r = io_replace_file(AT_FDCWD, out_path, 0644, text, n);
	return r < 0 ? err_set(e, -r, "write \"%s\": %s", out_path, strerror(-r)) : 0;
}
