/* SPDX-License-Identifier: Apache-2.0 */
/* source - what stands at the source of each mount, looked at once so that the plan can decide. */
#include "runtime/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "runtime/mountopt.h"

/* statvfs(3) and mount(2) have the same flags under two names. */
static const struct {
	unsigned long st;
	uint64_t ms;
} flag_table[] = {
	{ ST_RDONLY, MS_RDONLY },	  { ST_NOSUID, MS_NOSUID },   { ST_NODEV, MS_NODEV },
	{ ST_NOEXEC, MS_NOEXEC },	  { ST_NOATIME, MS_NOATIME }, { ST_NODIRATIME, MS_NODIRATIME },
	{ ST_RELATIME, MS_RELATIME },
};

static uint64_t flags_of(int fd)
{
	struct statvfs v;
	uint64_t ms = 0;

	if (fstatvfs(fd, &v) < 0)
		return 0;
	for (size_t i = 0; i < sizeof(flag_table) / sizeof(flag_table[0]); i++)
		if (v.f_flag & flag_table[i].st)
			ms |= flag_table[i].ms;
	return ms & (MS_NOATIME | MS_RELATIME) ? ms : ms | MS_STRICTATIME;
}

static int read_link(const char *path, char **out)
{
	char text[PATH_MAX];
	ssize_t n = readlink(path, text, sizeof(text) - 1);

	if (n < 0)
		return 0; /* no link */
	text[n] = '\0';
	*out = strdup(text);
	return *out ? 0 : -ENOMEM;
}

/* Of which type a socket is, connecting one of ours says without disturbing its server. */
static bool takes_datagrams(int fd)
{
	OWN_FD int probe = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct sockaddr_un to = io_unix_address(fd, "");

	return probe >= 0 && connect(probe, (struct sockaddr *)&to, sizeof(to)) == 0;
}

static void look(const char *path, struct mount_source *out)
{
	OWN_FD int fd = open(path, O_PATH | O_CLOEXEC);
	struct statfs fs;
	struct statx stx;

	if (fd < 0 || fstatfs(fd, &fs) < 0 ||
	    statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) < 0)
		return;
	out->known = true;
	out->mode = stx.stx_mode;
	out->major = stx.stx_rdev_major;
	out->minor = stx.stx_rdev_minor;
	out->uid = stx.stx_uid;
	out->gid = stx.stx_gid;
	out->fs_type = (uint64_t)fs.f_type;
	out->inherited = flags_of(fd);
	out->mount_root = stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	out->datagrams = S_ISSOCK(stx.stx_mode) && takes_datagrams(fd);
}

static int look_one(const struct oci_mount *m, const char *bundle, struct mount_source *out)
{
	struct mount_options o;
	struct err ignored = { 0 };

	/* options that can't be had are the plan's to refuse */
	if (mount_options_parse(m->options, m->n_options, &o, &ignored) < 0 || !m->source ||
	    !(o.bind || (m->type && strcmp(m->type, "bind") == 0)))
		return 0;
	if (m->source[0] == '/')
		out->path = strdup(m->source);
	else if (asprintf(&out->path, "%s/%s", bundle, m->source) < 0)
		out->path = NULL;
	if (!out->path)
		return -ENOMEM;
	if (o.copy_symlink && read_link(out->path, &out->link) < 0)
		return -ENOMEM;
	look(out->path, out);
	return 0;
}

int mount_sources_look(const struct oci_spec *spec, const char *bundle, struct mount_source **out,
		       struct err *e)
{
	struct mount_source *v = calloc(spec->n_mounts + 1, sizeof(*v));
	int r = v ? 0 : -ENOMEM;

	for (size_t i = 0; i < spec->n_mounts && r == 0; i++)
		r = look_one(&spec->mounts[i], bundle, &v[i]);
	if (r < 0) {
		mount_sources_free(v, spec->n_mounts);
		return err_set(e, -r, "config.json: mounts: out of memory");
	}
	*out = v;
	return 0;
}

void mount_sources_free(struct mount_source *v, size_t n)
{
	for (size_t i = 0; v && i < n; i++) {
		free(v[i].path);
		free(v[i].link);
	}
	free(v);
}
