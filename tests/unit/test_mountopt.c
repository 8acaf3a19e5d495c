/* SPDX-License-Identifier: Apache-2.0 */
/* test_mountopt - every option that crun 1.21 knows has its meaning here. */
#include <errno.h>
#include <sys/mount.h>

#include "runtime/mountopt.h"
#include "tests/unit/tap.h"

#define ATIMES (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)

/* What crun's `features` lists as mountOptions, and what mount(2) calls them. */
static const struct {
	const char *name;
	uint64_t set;
	uint64_t clear;
	uint64_t propagation;
} crun[] = {
	{ "async", 0, MS_SYNCHRONOUS, 0 },
	{ "atime", 0, MS_NOATIME, 0 },
	{ "bind", 0, 0, 0 },
	{ "copy-symlink", 0, 0, 0 },
	{ "defaults", 0, 0, 0 },
	{ "dev", 0, MS_NODEV, 0 },
	{ "diratime", 0, MS_NODIRATIME, 0 },
	{ "dirsync", MS_DIRSYNC, 0, 0 },
	{ "exec", 0, MS_NOEXEC, 0 },
	{ "idmap", 0, 0, 0 },
	{ "mand", MS_MANDLOCK, 0, 0 },
	{ "noatime", MS_NOATIME, 0, 0 },
	{ "nodev", MS_NODEV, 0, 0 },
	{ "nodiratime", MS_NODIRATIME, 0, 0 },
	{ "noexec", MS_NOEXEC, 0, 0 },
	{ "nomand", 0, MS_MANDLOCK, 0 },
	{ "norelatime", 0, MS_RELATIME, 0 },
	{ "nostrictatime", 0, MS_STRICTATIME, 0 },
	{ "nosuid", MS_NOSUID, 0, 0 },
	{ "private", 0, 0, MS_PRIVATE },
	{ "rasync", 0, MS_SYNCHRONOUS, 0 },
	{ "ratime", 0, MS_NOATIME, 0 },
	{ "rbind", 0, 0, 0 },
	{ "rdev", 0, MS_NODEV, 0 },
	{ "rdiratime", 0, MS_NODIRATIME, 0 },
	{ "rdirsync", MS_DIRSYNC, 0, 0 },
	{ "relatime", MS_RELATIME, 0, 0 },
	{ "remount", 0, 0, 0 },
	{ "rexec", 0, MS_NOEXEC, 0 },
	{ "rmand", MS_MANDLOCK, 0, 0 },
	{ "rnoatime", MS_NOATIME, 0, 0 },
	{ "rnodev", MS_NODEV, 0, 0 },
	{ "rnodiratime", MS_NODIRATIME, 0, 0 },
	{ "rnoexec", MS_NOEXEC, 0, 0 },
	{ "rnomand", 0, MS_MANDLOCK, 0 },
	{ "rnorelatime", 0, MS_RELATIME, 0 },
	{ "rnostrictatime", 0, MS_STRICTATIME, 0 },
	{ "rnosuid", MS_NOSUID, 0, 0 },
	{ "ro", MS_RDONLY, 0, 0 },
	{ "rprivate", 0, 0, MS_PRIVATE | MS_REC },
	{ "rrelatime", MS_RELATIME, 0, 0 },
	{ "rro", MS_RDONLY, 0, 0 },
	{ "rrw", 0, MS_RDONLY, 0 },
	{ "rshared", 0, 0, MS_SHARED | MS_REC },
	{ "rslave", 0, 0, MS_SLAVE | MS_REC },
	{ "rstrictatime", MS_STRICTATIME, 0, 0 },
	{ "rsuid", 0, MS_NOSUID, 0 },
	{ "rsync", MS_SYNCHRONOUS, 0, 0 },
	{ "runbindable", 0, 0, MS_UNBINDABLE | MS_REC },
	{ "rw", 0, MS_RDONLY, 0 },
	{ "shared", 0, 0, MS_SHARED },
	{ "slave", 0, 0, MS_SLAVE },
	{ "strictatime", MS_STRICTATIME, 0, 0 },
	{ "suid", 0, MS_NOSUID, 0 },
	{ "sync", MS_SYNCHRONOUS, 0, 0 },
	{ "tmpcopyup", 0, 0, 0 },
	{ "unbindable", 0, 0, MS_UNBINDABLE },
};

static struct mount_options o;
static struct err e;

static int parse(size_t n, const char *const *v)
{
	memset(&e, 0, sizeof(e));
	return mount_options_parse((char *const *)v, n, &o, &e);
}
#define PARSE(...)                                                            \
	({                                                                    \
		const char *const v_[] = { __VA_ARGS__ };                     \
		parse(sizeof(v_) / sizeof(v_[0]), v_);                        \
	})

static bool listed(const char *name)
{
	for (const char *const *n = mount_option_names; *n; n++)
		if (strcmp(*n, name) == 0)
			return true;
	return false;
}

static void test_table(void)
{
	for (size_t i = 0; i < sizeof(crun) / sizeof(crun[0]); i++) {
		int r = PARSE(crun[i].name);

		ok(r == 0 && o.flags == crun[i].set && o.propagation == crun[i].propagation &&
			   o.cleared == crun[i].clear && !o.data[0],
		   "%s means what it does with crun", crun[i].name);
		ok(listed(crun[i].name), "%s is listed", crun[i].name);
	}
	for (const char *const *n = mount_option_names; *n; n++)
		ok(PARSE(*n) == 0 && !o.data[0], "%s is no data", *n);
}

static void test_order(void)
{
	is_int(PARSE("ro", "rw"), 0, "ro, rw");
	ok(o.flags == 0 && o.cleared == MS_RDONLY, "the last counts");
	is_int(PARSE("rw", "ro"), 0, "rw, ro");
	ok(o.flags == MS_RDONLY && o.cleared == 0, "the last counts");
	is_int(PARSE("noatime", "strictatime"), 0, "two kinds of access times");
	ok((o.flags & ATIMES) == MS_STRICTATIME, "only one is left");
	is_int(PARSE("rrw", "rexec", "dev"), 0, "lifted for the whole tree");
	ok(o.cleared_rec == (MS_RDONLY | MS_NOEXEC), "what the recursive ones name");
	is_int(PARSE("rrw", "ro"), 0, "rrw, ro");
	ok(o.cleared_rec == 0 && o.flags == MS_RDONLY, "nothing is lifted that is forbidden after");
	is_int(PARSE("rprivate", "rslave"), 0, "two propagations");
	ok(o.propagation == (MS_SLAVE | MS_REC), "the last counts");
}

static void test_switches(void)
{
	is_int(PARSE("rbind", "tmpcopyup", "copy-symlink", "remount"), 0, "switches");
	ok(o.bind && o.recursive && o.tmpcopyup && o.copy_symlink && o.remount, "all on");
	is_int(PARSE("bind"), 0, "bind");
	ok(o.bind && !o.recursive, "not recursive");
	is_int(PARSE("idmap=uids=0-1-10;gids=0-1-10"), 0, "idmap with a map");
	ok(o.idmap, "is on");
	is_str(o.idmap_text, "uids=0-1-10;gids=0-1-10", "its text");
	is_int(PARSE("src-nofollow"), -ENOTSUP, "not built");
	ok(strstr(e.msg, "src-nofollow") != NULL, "is named");
}

static void test_data(void)
{
	static char big[5000];

	is_int(PARSE("size=64k", "nosuid", "mode=1777", "nr_inodes=5"), 0, "data");
	is_str(o.data, "size=64k,mode=1777,nr_inodes=5", "in order");
	is_int(PARSE("ronly", "rbinding", "idmapped"), 0, "what only begins like an option");
	is_str(o.data, "ronly,rbinding,idmapped", "is data");
	memset(big, 'x', sizeof(big) - 1);
	is_int(PARSE("lowerdir=/a", big), -E2BIG, "too much data");
}

static void test_default(void)
{
	mount_options_default("/dev/shm", &o);
	ok(o.flags == (MS_NOSUID | MS_NODEV | MS_NOEXEC), "/dev/shm: flags");
	is_str(o.data, "mode=1777,size=65536k", "/dev/shm: data");
	mount_options_default("/proc", &o);
	ok(o.flags == 0 && !o.data[0], "/proc: none");
}

int main(void)
{
	test_table();
	test_order();
	test_switches();
	test_data();
	test_default();
	return tap_done();
}
