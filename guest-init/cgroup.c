/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup - the container's own cgroup in the guest, with the limits that were asked for.
 *
 * DOC: two levels
 *
 * The container's cgroup is the root of what it sees and holds its limits, or none. The one above it
 * keeps the container below the machine's memory: a machine that is full altogether would evict and
 * fetch again the pages of every program for minutes before its kernel gives a process up, and what the
 * kernel needs for itself has to come from somewhere.
 */
#include "guest-init/cgroup.h"

#include "guest-init/container.h"
#include "guest-init/path.h"
#include "guest-init/str.h"
#include "guest-init/sys.h"

#define LIST_BYTES 256
#define GUARD "machine"
#define NAME "container"
#define RESERVE (16ull << 20) /* of memory for the kernel's own, and one part in so many */
#define RESERVE_SHARE 32

/* What a container's limits are made of; each further one costs its files at every start. */
static const char *const wanted[] = {"cpuset", "cpu", "io", "memory", "pids"};

/* One write for all: nothing is lost when a kernel lacks some. */
static void enable_controllers(int root)
{
	char have[LIST_BYTES], want[LIST_BYTES];
	size_t n = 0;

	if (path_read(root, "cgroup.controllers", have, sizeof(have)) <= 0)
		return;
	for (const char *s = have; s != NULL; s = str_find(s, ' ')) {
		s += *s == ' ';
		for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
			size_t len = str_len(wanted[i]);

			if (str_begins(s, wanted[i]) && (s[len] == ' ' || s[len] == '\n'))
				n += str_fmt(want + n, sizeof(want) - n, "+%s ", wanted[i]);
		}
	}
	if (n > 0)
		path_write(root, "cgroup.subtree_control", want, n);
}

static void guard_memory(int dir)
{
	struct sysinfo info;
	uint64_t bytes, keep;
	char text[32];

	if (sys_sysinfo(&info) < 0)
		return;
	bytes = (uint64_t)info.totalram * info.mem_unit;
	keep = RESERVE + bytes / RESERVE_SHARE;
	/* a machine so small is full with its first program */
	if (bytes > 2 * keep)
		path_write(dir, "memory.max", text,
			   str_fmt(text, sizeof(text), "%lu", (unsigned long)(bytes - keep)));
}

/* Make the directory @name below @dir, which hands its controllers down. Return: it, or -errno. */
static int make_child(int dir, const char *name)
{
	int rc;

	enable_controllers(dir);
	rc = sys_mkdirat(dir, name, 0755);
	return rc < 0 ? rc : sys_openat(dir, name, O_RDONLY | O_DIRECTORY, 0);
}

int cgroup_make(int *out_dir, struct err *e)
{
	int fs = sys_fsopen("cgroup2");
	int root, guard, rc;

	if (fs < 0)
		return err_sys(e, fs, "cgroup");
	/* what systemd mounts with: a namespace's root cgroup is its own only from the inside */
	sys_fsconfig(fs, FSCONFIG_SET_FLAG, "nsdelegate");
	sys_fsconfig(fs, FSCONFIG_SET_FLAG, "memory_recursiveprot");
	rc = sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL);
	root = rc < 0 ? rc : sys_fsmount(fs);
	sys_close(fs);
	if (root < 0)
		return err_sys(e, root, "cgroup: mount");
	guard = make_child(root, GUARD);
	rc = guard < 0 ? guard : make_child(guard, NAME);
	if (guard >= 0) {
		guard_memory(guard);
		sys_close(guard);
	}
	/* `root` stays open: closing the last descriptor of a detached mount waits for RCU */
	if (rc < 0)
		return err_sys(e, rc, "cgroup: make");
	*out_dir = rc;
	return 0;
}

int cgroup_write(int dir, const char *file, const char *value)
{
	int rc = 0;

	while (rc == 0 && *value != '\0') {
		const char *end = str_find(value, '\n');
		size_t n = end != NULL ? (size_t)(end - value) : str_len(value);

		if (n > 0)
			rc = path_write(dir, file, value, n);
		value += n + (end != NULL);
	}
	return rc;
}

int cgroup_limit(int dir, const struct program *p, bool pids, struct err *e)
{
	for (uint32_t i = 0; i < p->head.n_cgroup; i++) {
		struct proto_cgroup c = program_cgroup(p, i);
		const char *file = program_text(p, c.file);
		const char *value = program_text(p, c.value);
		int rc;

		if (str_begins(file, "pids.") != pids)
			continue;
		rc = cgroup_write(dir, file, value);
		if (rc < 0 && c.optional == 0)
			return err_sys(e, rc, "cgroup: write \"%s\" to \"%s\"", value, file);
	}
	return 0;
}

uint32_t cgroup_oom_kills(int dir)
{
	static const char key[] = "oom_kill ";
	char text[LIST_BYTES];
	uint32_t n = 0;

	if (dir < 0 || path_read(dir, "memory.events", text, sizeof(text)) <= 0)
		return 0;
	for (const char *s = text; s != NULL; s = str_find(s, '\n')) {
		s += *s == '\n';
		if (!str_begins(s, key))
			continue;
		s += sizeof(key) - 1;
		return str_number(&s, &n) ? n : 0;
	}
	return 0;
}

int cgroup_of(int dir, int pid)
{
	static const char top[] = "0::/" GUARD "/" NAME "/";
	char path[64], text[PATH_BYTES];
	int proc = container_detached_proc();
	size_t n;
	long got;

	if (proc < 0)
		return proc;
	str_fmt(path, sizeof(path), "%d/cgroup", pid);
	got = path_read(proc, path, text, sizeof(text));
	sys_close(proc);
	if (got < 0)
		return (int)got;
	n = str_len(text);
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	if (!str_begins(text, top))
		return -ENOENT;
	return sys_openat(dir, text + sizeof(top) - 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}
