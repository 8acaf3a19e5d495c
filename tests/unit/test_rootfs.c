/* SPDX-License-Identifier: Apache-2.0 */
/* test_rootfs - places are made inside a tree whatever links it holds. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "runtime/rootfs.h"
#include "tests/unit/tap.h"

static char top[] = "/tmp/test_rootfs.XXXXXX";
static int root; /* top/root */
static int out;	 /* top */

static int make(const char *path, bool dir)
{
	int fd = rootfs_make(root, path, dir);

	if (fd < 0)
		return fd;
	(void)close(fd);
	return 0;
}

static char kind(int at, const char *path)
{
	struct stat st;

	if (fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return '-';
	return S_ISDIR(st.st_mode) ? 'd' : S_ISREG(st.st_mode) ? 'f' : S_ISLNK(st.st_mode) ? 'l' : '?';
}

static void test_plain(void)
{
	is_int(make("/a/b/c", true), 0, "directories");
	ok(kind(root, "a/b/c") == 'd', "made");
	is_int(make("/a/b/f", false), 0, "a file");
	ok(kind(root, "a/b/f") == 'f', "made");
	is_int(make("//a/./b/../x//", true), 0, "dots and slashes");
	ok(kind(root, "a/x") == 'd', "made");
	is_int(make("/", true), 0, "the root itself");
	is_int(make("/../../up", true), 0, "above the root");
	ok(kind(root, "up") == 'd' && kind(out, "up") == '-', "is in it");
	is_int(make("/a/b/f/x", true), -ENOTDIR, "below a file");
}

static void link_to(const char *target, const char *name)
{
	ok(symlinkat(target, root, name) == 0, "link %s -> %s", name, target);
}

static void test_links(void)
{
	link_to("/missing/dir", "abs");
	is_int(make("/abs", true), 0, "a link to nowhere");
	ok(kind(root, "missing/dir") == 'd' && kind(root, "abs") == 'l', "its target is made");
	link_to("other/file", "a/rel");
	is_int(make("/a/rel", false), 0, "a relative one to a file");
	ok(kind(root, "a/other/file") == 'f', "its target is made");
	link_to("../../../../../../../../../tmp/escape", "up1");
	is_int(make("/up1/x", true), 0, "one upwards");
	ok(kind(root, "tmp/escape/x") == 'd', "stays inside");
	link_to("/proc/self/cwd", "magic");
	is_int(make("/magic/x", true), 0, "to a path that is magic outside");
	ok(kind(root, "proc/self/cwd/x") == 'd', "is a plain one inside");
	link_to("loop2", "loop1");
	link_to("loop1", "loop2");
	is_int(make("/loop1/x", true), -ELOOP, "a loop");
	link_to("self/x", "self");
	ok(make("/self", true) < 0, "one that grows without end");
	link_to("missing2", "chain3");
	link_to("chain3", "chain2");
	link_to("chain2", "chain1");
	is_int(make("/chain1/f", false), 0, "a chain of them");
	ok(kind(root, "missing2/f") == 'f', "its end is made");
}

static void test_link(void)
{
	char text[64] = "";

	is_int(rootfs_link(root, "/new/deep/link", "../target"), 0, "make a link");
	ok(readlinkat(root, "new/deep/link", text, sizeof(text) - 1) > 0, "it is there");
	is_str(text, "../target", "and leads where it should");
	is_int(rootfs_link(root, "/new/deep/link/", "../target"), 0, "the same again");
	is_int(rootfs_link(root, "/new/deep/link", "elsewhere"), -EEXIST, "another in its place");
	is_int(rootfs_link(root, "/a", "x"), -EEXIST, "over a directory");
	is_int(rootfs_link(root, "/", "x"), -EEXIST, "over the root");
}

int main(void)
{
	char command[64];

	if (!mkdtemp(top))
		return 1;
	out = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (out < 0 || mkdirat(out, "root", 0755) < 0)
		return 1;
	root = openat(out, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	test_plain();
	test_links();
	test_link();
	(void)snprintf(command, sizeof(command), "rm -rf %s", top);
	if (system(command) != 0)
		return 1;
	return tap_done();
}
