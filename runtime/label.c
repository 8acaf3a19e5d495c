/* SPDX-License-Identifier: Apache-2.0 */
/* label - SELinux: under which label this thread does something next. */
#include "runtime/label.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "runtime/base/own.h"

#define FIELD "config.json: process.selinuxLabel: "

int label_open(const char *attr, struct err *e)
{
	char path[64];
	OWN_FD int fd = -1;
	struct statfs fs;

	(void)snprintf(path, sizeof(path), "/proc/thread-self/attr/%s", attr);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || fstatfs(fd, &fs) < 0)
		return err_sys(e, FIELD "\"%s\"", path);
	/* a mount namespace that was joined may have anything there */
	if (fs.f_type != PROC_SUPER_MAGIC)
		return err_set(e, EXDEV, FIELD "\"/proc\": not a proc file system");
	return take_fd(&fd);
}

int label_set(int fd, const char *label, struct err *e)
{
	ssize_t n = pwrite(fd, label, strlen(label), 0);

	if (n < 0)
		return err_sys(e, FIELD "\"%s\"", label);
	return (size_t)n == strlen(label) ? 0 : err_set(e, E2BIG, FIELD "too long");
}
