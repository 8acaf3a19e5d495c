/* SPDX-License-Identifier: Apache-2.0 */
/* find - which file args[0] names, and where the user is at home. */
#include "guest-init/find.h"

#include "guest-init/str.h"
#include "guest-init/sys.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

bool find_next(const char **search, const char *name, char *out_path, size_t cap)
{
	const char *colon = str_find(*search, ':');
	size_t dir = colon != NULL ? (size_t)(colon - *search) : str_len(*search);
	size_t n = str_len(name);
	const char *from = *search;

	*search = colon != NULL ? colon + 1 : NULL;
	if (dir == 0) { /* POSIX: an empty element is the current directory */
		from = ".";
		dir = 1;
	}
	if (dir >= cap || n >= cap - dir - 1)
		return false;
	memcpy(out_path, from, dir);
	out_path[dir] = '/';
	memcpy(out_path + dir + 1, name, n + 1);
	return true;
}

/* Return: 0 when @path can be executed, -EISDIR, -EACCES, or why it cannot be looked at. */
static int check(const char *path)
{
	struct stat st;
	int rc = sys_fstatat(AT_FDCWD, path, &st, 0);

	if (rc < 0)
		return rc;
	if ((st.st_mode & S_IFMT) == S_IFDIR)
		return -EISDIR;
	if ((st.st_mode & S_IFMT) != S_IFREG)
		return -EACCES;
	return sys_faccessat(AT_FDCWD, path, SYS_X_OK);
}

static int search_path(const char *name, const char *search, char *out_path, size_t cap)
{
	int found = -ENOENT;

	while (search != NULL) {
		int rc;

		if (!find_next(&search, name, out_path, cap))
			continue;
		rc = check(out_path);
		if (rc == 0)
			return 0;
		if (rc == -EACCES && found == -ENOENT)
			found = rc; /* as execvp does: go on, but remember */
	}
	return found;
}

int find_program(const char *name, const char *search, char *out_path, size_t cap, struct err *e)
{
	size_t n = str_len(name);
	int rc;

	if (n == 0 || str_find(name, '/') == NULL) {
		if (search == NULL)
			search = DEFAULT_PATH;
		rc = n == 0 ? -ENOENT : search_path(name, search, out_path, cap);
		if (rc == -ENOENT)
			return err_sys(e, rc, "executable file `%s` not found in $PATH", name);
		return rc < 0 ? err_sys(e, rc, "exec \"%s\"", name) : 0;
	}
	rc = n < cap ? check(name) : -ENAMETOOLONG;
	if (rc == -EISDIR)
		return err_sys(e, -EACCES, "exec \"%s\": is a directory", name);
	if (rc == -EACCES)
		return err_sys(e, rc, "exec \"%s\"", name);
	if (rc < 0)
		return err_sys(e, rc, "open executable \"%s\"", name);
	memcpy(out_path, name, n + 1);
	return 0;
}

size_t find_home(const char *passwd, uint32_t uid, char *out, size_t cap)
{
	const char *line = passwd;

	while (*line != '\0') {
		const char *end = str_find(line, '\n');
		const char *at = line;
		uint32_t id = 0;
		int field = 0;

		if (end == NULL)
			end = line + str_len(line);
		for (; at < end && field < 2; at++)
			field += *at == ':';
		/* name:password:uid:gid:gecos:home:shell */
		if (field == 2 && str_number(&at, &id) && *at == ':' && id == uid) {
			size_t n = 0;

			for (; at < end && field < 5; at++)
				field += *at == ':';
			while (at + n < end && at[n] != ':')
				n++;
			if (field != 5 || n == 0 || n >= cap)
				return 0;
			memcpy(out, at, n);
			out[n] = '\0';
			return n + 1;
		}
		line = *end == '\n' ? end + 1 : end;
	}
	return 0;
}
