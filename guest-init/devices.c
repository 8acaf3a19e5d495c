/* SPDX-License-Identifier: Apache-2.0 */
/* devices - the container's /dev: nodes, the customary links, and the terminal's place. */
#include "guest-init/devices.h"

#include <asm/termios.h>
#include <linux/magic.h>

#include "guest-init/path.h"
#include "guest-init/str.h"
#include "guest-init/sys.h"

/* runtime-spec config-linux.md, Default Devices; core is customary. */
static const char *const links[][2] = {
	{"/proc/self/fd", "/dev/fd"},	    {"/proc/self/fd/0", "/dev/stdin"},
	{"/proc/self/fd/1", "/dev/stdout"}, {"/proc/self/fd/2", "/dev/stderr"},
	{"/proc/kcore", "/dev/core"},	    {"pts/ptmx", "/dev/ptmx"},
};

/* The kernel's encoding, new_encode_dev(). */
uint64_t devices_number(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (uint64_t)major << 8 | (uint64_t)(minor & ~0xffu) << 12;
}

static unsigned node_type(const struct proto_device *d)
{
	if (d->type == 'p')
		return S_IFIFO;
	return d->type == 'b' ? S_IFBLK : S_IFCHR;
}

/* Whether the guest's kernel knows the device, by /sys/dev; the container's sysfs or our own. */
static bool exists(const struct proto_device *d)
{
	char path[64];
	struct statfs fs;
	struct stat st;
	int fd, sys = -1, rc;

	if (d->type == 'p')
		return true;
	str_fmt(path, sizeof(path), "/sys/dev/%s/%u:%u", d->type == 'b' ? "block" : "char",
		d->major, d->minor);
	if (sys_statfs("/sys", &fs) == 0 && fs.f_type == SYSFS_MAGIC)
		return sys_fstatat(AT_FDCWD, path, &st, 0) == 0;
	fd = sys_fsopen("sysfs");
	if (fd >= 0 && sys_fsconfig(fd, FSCONFIG_CMD_CREATE, NULL) == 0)
		sys = sys_fsmount(fd);
	rc = sys < 0 ? 0 : sys_fstatat(sys, path + str_len("/sys/"), &st, 0);
	if (fd >= 0)
		sys_close(fd);
	if (sys >= 0)
		sys_close(sys);
	return rc == 0;
}

/*
 * A node on a file system of the host's would not be ours to make, and the host must refuse it;
 * then one of the initramfs is bound into place.
 */
static int bind_node(struct container *c, const struct proto_device *d, const char *path,
		     uint32_t i)
{
	char name[16];
	int tree, rc;

	str_fmt(name, sizeof(name), "node%u", i);
	rc = sys_mknodat(c->old_root, name, node_type(d) | d->mode, devices_number(d->major, d->minor));
	if (rc == 0)
		rc = sys_fchownat(c->old_root, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW);
	if (rc < 0)
		return rc;
	tree = sys_open_tree(c->old_root, name, OPEN_TREE_CLONE);
	if (tree < 0)
		return tree;
	rc = path_make_file(path);
	if (rc == 0)
		rc = sys_move_mount(tree, AT_FDCWD, path);
	sys_close(tree);
	return rc;
}

static int make_node(const struct proto_device *d, const char *path)
{
	uint64_t dev = devices_number(d->major, d->minor);
	struct stat st;
	int rc = sys_mknodat(AT_FDCWD, path, node_type(d) | d->mode, dev);

	if (rc == -ENOENT) {
		rc = path_make_parent(path);
		if (rc == 0)
			rc = sys_mknodat(AT_FDCWD, path, node_type(d) | d->mode, dev);
	}
	if (rc == -EEXIST) {
		rc = sys_fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW);
		if (rc == 0 && ((st.st_mode & S_IFMT) != node_type(d) || st.st_rdev != dev))
			rc = -EEXIST;
		if (rc == 0)
			rc = sys_fchmodat(AT_FDCWD, path, d->mode);
	}
	if (rc == 0 && (d->uid != 0 || d->gid != 0))
		rc = sys_fchownat(AT_FDCWD, path, d->uid, d->gid, AT_SYMLINK_NOFOLLOW);
	return rc;
}

/* Whether the directory @path would be made in is one of the guest's own memory. */
static bool is_ours(const char *path)
{
	char dir[PATH_BYTES];
	struct statfs fs;
	size_t n = str_len(path);

	for (;;) {
		while (n > 0 && path[n - 1] != '/')
			n--;
		if (n == 0 || n >= sizeof(dir))
			return false;
		memcpy(dir, path, n);
		dir[n] = '\0';
		if (sys_statfs(dir, &fs) == 0)
			return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
		n--; /* not there yet: its parent decides */
	}
}

int devices_make(struct container *c, struct err *e)
{
	for (uint32_t i = 0; i < c->program.head.n_devices; i++) {
		struct proto_device d = program_device(&c->program, i);
		const char *path = program_text(&c->program, d.path);
		int rc;

		if (d.optional != 0 && !exists(&d))
			continue;
		rc = d.type == 'p' || is_ours(path) ? make_node(&d, path) : -EPERM;
		if (rc == -EPERM || rc == -EEXIST)
			rc = bind_node(c, &d, path, i);
		if (rc < 0 && d.optional == 0)
			return err_sys(e, rc, "device \"%s\"", path);
	}
	for (uint32_t i = 0; i < c->program.head.n_mounts; i++) {
		struct proto_mount m = program_mount(&c->program, i);

		if (m.kind == PROTO_MOUNT_SHARE &&
		    str_eq(program_text(&c->program, m.dest), "/dev"))
			return 0; /* someone's own directory: left as it is */
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		sys_symlinkat(links[i][0], AT_FDCWD, links[i][1]); /* what is there stays */
	return 0;
}

int devices_pty(struct container *c, struct err *e)
{
	const struct proto_process *p = &c->program.head.process;
	struct winsize size = {
		.ws_row = (unsigned short)p->rows,
		.ws_col = (unsigned short)p->cols,
	};
	int locked = 0, rc;

	c->master = sys_openat(AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY, 0);
	if (c->master < 0)
		c->master = sys_openat(AT_FDCWD, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, 0);
	if (c->master < 0)
		return err_sys(e, c->master, "terminal: open \"/dev/ptmx\"");
	rc = sys_ioctl(c->master, TIOCSPTLCK, (long)&locked);
	if (rc < 0)
		return err_sys(e, rc, "terminal: unlock");
	c->slave = sys_ioctl(c->master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c->slave < 0)
		return err_sys(e, c->slave, "terminal: open the slave");
	if (p->rows != 0 || p->cols != 0)
		sys_ioctl(c->master, TIOCSWINSZ, (long)&size);
	/* the group is devpts' choice, and root's it is already */
	rc = p->uid != 0 ? sys_fchown(c->slave, p->uid, UINT32_MAX) : 0;
	return rc < 0 ? err_sys(e, rc, "terminal: chown") : 0;
}

int devices_terminal(struct container *c, struct err *e)
{
	int rc = devices_pty(c, e);
	int tree;

	if (rc < 0)
		return rc;
	rc = path_make_file("/dev/console");
	if (rc < 0)
		return err_sys(e, rc, "terminal: make \"/dev/console\"");
	tree = sys_open_tree(c->slave, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
	if (tree < 0)
		return err_sys(e, tree, "terminal: \"/dev/console\"");
	rc = sys_move_mount(tree, AT_FDCWD, "/dev/console");
	sys_close(tree);
	return rc < 0 ? err_sys(e, rc, "terminal: \"/dev/console\"") : 0;
}
