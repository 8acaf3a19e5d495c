/* SPDX-License-Identifier: Apache-2.0 */
/* end - the ways the machine ends. PID 1 must not exit: that would be a kernel panic. */
#include "guest-init/end.h"

#include <linux/reboot.h>

#include "guest-init/link.h"
#include "guest-init/str.h"
#include "guest-init/sys.h"

#define WAIT_MS 60000 /* for the host, which may stand still, and is not obliged to close the channel */
#define KMSG 0x10b    /* 1:11, Documentation/admin-guide/devices.txt */

_Noreturn void end_now(void)
{
	for (;;)
		sys_reboot(LINUX_REBOOT_CMD_RESTART);
}

_Noreturn void end_wait(int control)
{
	struct pollfd p = {.fd = control, .events = POLLIN};
	uint8_t rest[64];

	/* a reset right away could overtake what was sent */
	while (sys_poll(&p, 1, WAIT_MS) > 0 &&
	       sys_recv(control, rest, sizeof(rest), SYS_MSG_DONTWAIT) > 0)
		;
	end_now();
}

_Noreturn void end_failed(int control, const struct err *e, bool exec_failed)
{
	struct proto_event event = {
		.type = PROTO_FAILED,
		.code = e->code,
		.exec_failed = exec_failed,
	};
	struct err lost;
	int rc;

	str_fmt(event.text, sizeof(event.text), "%s", e->text);
	rc = link_send(control, &event);
	if (rc < 0) {
		err_sys(&lost, rc, "%s; channel: send", e->text);
		end_unheard(&lost);
	}
	end_wait(control);
}

_Noreturn void end_unheard(const struct err *e)
{
	char line[PROTO_TEXT + 32];
	size_t n = str_fmt(line, sizeof(line), "coracle-init: %s\n", e->text);
	int fd;

	sys_mkdirat(AT_FDCWD, "/dev", 0755);
	sys_mknodat(AT_FDCWD, "/dev/kmsg", S_IFCHR | 0600, KMSG);
	fd = sys_openat(AT_FDCWD, "/dev/kmsg", O_WRONLY, 0);
	if (fd >= 0)
		sys_write(fd, line, n);
	end_now();
}
