/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mountopt - the options of one mount of config.json as flags and data (config.md "Mounts").
 *
 * DOC: the recursive ones
 *
 * The restrictions of a share hold for every mount below its source: the host's kernel is told so when
 * the source is pinned, and the guest sees one mount. So "rro" means what "ro" does, only that "rrw",
 * "rexec" and their like lift a restriction that the source's own mounts have.
 */
#include "runtime/mountopt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif

#define ATIMES (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)

struct option {
	const char *name;
	uint64_t set;
	uint64_t clear;
};

/* Those without "r" before them have no recursive form. */
static const struct option plain_table[] = {
	{ "defaults", 0, 0 },
	{ "iversion", MS_I_VERSION, 0 },
	{ "lazytime", MS_LAZYTIME, 0 },
	{ "loud", 0, MS_SILENT },
	{ "noiversion", 0, MS_I_VERSION },
	{ "nolazytime", 0, MS_LAZYTIME },
	{ "silent", MS_SILENT, 0 },
};

/* Each of these exists with an "r" before it as well. */
static const struct option attribute_table[] = {
	{ "async", 0, MS_SYNCHRONOUS },
	{ "atime", 0, MS_NOATIME },
	{ "dev", 0, MS_NODEV },
	{ "diratime", 0, MS_NODIRATIME },
	{ "dirsync", MS_DIRSYNC, 0 },
	{ "exec", 0, MS_NOEXEC },
	{ "mand", MS_MANDLOCK, 0 },
	{ "noatime", MS_NOATIME, ATIMES },
	{ "nodev", MS_NODEV, 0 },
	{ "nodiratime", MS_NODIRATIME, 0 },
	{ "noexec", MS_NOEXEC, 0 },
	{ "nomand", 0, MS_MANDLOCK },
	{ "norelatime", 0, MS_RELATIME },
	{ "nostrictatime", 0, MS_STRICTATIME },
	{ "nosuid", MS_NOSUID, 0 },
	{ "nosymfollow", MS_NOSYMFOLLOW, 0 },
	{ "relatime", MS_RELATIME, ATIMES },
	{ "ro", MS_RDONLY, 0 },
	{ "rw", 0, MS_RDONLY },
	{ "strictatime", MS_STRICTATIME, ATIMES },
	{ "suid", 0, MS_NOSUID },
	{ "symfollow", 0, MS_NOSYMFOLLOW },
	{ "sync", MS_SYNCHRONOUS, 0 },
};

static const struct option propagation_table[] = {
	{ "private", MS_PRIVATE, 0 },
	{ "rprivate", MS_PRIVATE | MS_REC, 0 },
	{ "rshared", MS_SHARED | MS_REC, 0 },
	{ "rslave", MS_SLAVE | MS_REC, 0 },
	{ "runbindable", MS_UNBINDABLE | MS_REC, 0 },
	{ "shared", MS_SHARED, 0 },
	{ "slave", MS_SLAVE, 0 },
	{ "unbindable", MS_UNBINDABLE, 0 },
};

static const struct {
	const char *name;
	size_t at; /* of a bool in struct mount_options */
} switch_table[] = {
	{ "bind", offsetof(struct mount_options, bind) },
	{ "copy-symlink", offsetof(struct mount_options, copy_symlink) },
	{ "idmap", offsetof(struct mount_options, idmap) },
	{ "remount", offsetof(struct mount_options, remount) },
	{ "ridmap", offsetof(struct mount_options, idmap_rec) },
	{ "tmpcopyup", offsetof(struct mount_options, tmpcopyup) },
};

/* They would change what is mounted or where: an error, never data that a bind mount ignores. */
static const char *const not_built[] = { "dest-nofollow", "src-nofollow" };

const char *const mount_option_names[] = {
	"async", "atime", "bind", "copy-symlink", "defaults", "dev", "diratime",
	"dirsync", "exec", "idmap", "iversion", "lazytime", "loud", "mand", "noatime", "nodev",
	"nodiratime", "noexec", "noiversion", "nolazytime", "nomand", "norelatime", "nostrictatime",
	"nosuid", "nosymfollow", "private", "rasync", "ratime", "rbind", "rdev", "rdiratime",
	"rdirsync", "relatime", "remount", "rexec", "ridmap", "rmand", "rnoatime", "rnodev",
	"rnodiratime", "rnoexec", "rnomand", "rnorelatime", "rnostrictatime", "rnosuid",
	"rnosymfollow", "ro", "rprivate", "rrelatime", "rro", "rrw", "rshared", "rslave",
	"rstrictatime", "rsuid", "rsymfollow", "rsync", "runbindable", "rw", "shared", "silent",
	"slave", "strictatime", "suid", "symfollow", "sync", "tmpcopyup",
	"unbindable", NULL,
};

static const struct option *find(const struct option *table, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].name, name) == 0)
			return &table[i];
	return NULL;
}
#define FIND(table, name) find(table, sizeof(table) / sizeof(table[0]), name)

static int add_data(struct mount_options *o, const char *text, struct err *e)
{
	size_t n = strlen(o->data);

	if (n + strlen(text) + 2 > sizeof(o->data))
		return err_set(e, E2BIG, "options: over %zu bytes", sizeof(o->data));
	(void)snprintf(o->data + n, sizeof(o->data) - n, "%s%s", n ? "," : "", text);
	return 0;
}

static void apply(struct mount_options *o, const struct option *found, bool whole_tree)
{
	o->flags = (o->flags & ~found->clear) | found->set;
	o->cleared = (o->cleared & ~found->set) | (found->set ? 0 : found->clear);
	o->cleared_rec &= ~found->set;
	if (whole_tree && !found->set)
		o->cleared_rec |= found->clear;
}

/* Return: whether @name is an option that says yes to something. */
static bool flip_switch(struct mount_options *o, const char *name)
{
	if (strcmp(name, "rbind") == 0) {
		o->bind = o->recursive = true;
		return true;
	}
	for (size_t i = 0; i < sizeof(switch_table) / sizeof(switch_table[0]); i++)
		if (strcmp(name, switch_table[i].name) == 0) {
			*(bool *)((char *)o + switch_table[i].at) = true;
			return true;
		}
	return false;
}

static int parse_one(struct mount_options *o, const char *name, struct err *e)
{
	const struct option *found = FIND(plain_table, name);
	bool whole_tree = false;

	if (!found)
		found = FIND(attribute_table, name);
	if (!found && name[0] == 'r') {
		found = FIND(attribute_table, name + 1);
		whole_tree = found != NULL;
	}
	if (found) {
		apply(o, found, whole_tree);
		return 0;
	}
	found = FIND(propagation_table, name);
	if (found) {
		o->propagation = found->set;
		return 0;
	}
	if (flip_switch(o, name))
		return 0;
	for (size_t i = 0; i < sizeof(not_built) / sizeof(not_built[0]); i++)
		if (strcmp(name, not_built[i]) == 0)
			return err_set(e, ENOTSUP, "options: \"%s\" is not supported", name);
	if (strncmp(name, "idmap=", 6) == 0 || strncmp(name, "ridmap=", 7) == 0) {
		o->idmap = name[0] == 'i';
		o->idmap_rec = !o->idmap;
		o->idmap_text = strchr(name, '=') + 1;
		return 0;
	}
	return add_data(o, name, e);
}

int mount_options_parse(char *const *options, size_t n, struct mount_options *out, struct err *e)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < n; i++) {
		int r = parse_one(out, options[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}

static const struct {
	const char *dest;
	uint64_t flags;
	const char *data;
} defaults[] = {
	{ "/dev", MS_NOEXEC | MS_STRICTATIME, "mode=755" },
	{ "/dev/mqueue", MS_NOEXEC | MS_NOSUID | MS_NODEV, "" },
	{ "/dev/pts", MS_NOEXEC | MS_NOSUID, "newinstance,ptmxmode=0666,mode=620,gid=5" },
	{ "/dev/shm", MS_NOEXEC | MS_NOSUID | MS_NODEV, "mode=1777,size=65536k" },
	{ "/sys", MS_NOEXEC | MS_NOSUID | MS_NODEV, "" },
	{ "/sys/fs/cgroup", MS_NOEXEC | MS_NOSUID | MS_STRICTATIME, "" },
};

void mount_options_default(const char *dest, struct mount_options *out)
{
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (strcmp(defaults[i].dest, dest) == 0) {
			out->flags = defaults[i].flags;
			(void)snprintf(out->data, sizeof(out->data), "%s", defaults[i].data);
		}
}
