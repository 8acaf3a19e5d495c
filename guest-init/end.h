/* SPDX-License-Identifier: Apache-2.0 */
/* end - the ways the machine ends. PID 1 must not exit: that would be a kernel panic. */
#ifndef GUEST_INIT_END_H
#define GUEST_INIT_END_H

#include <stdbool.h>

#include "guest-init/err.h"

/* At once. */
_Noreturn void end_now(void);

/* The last word has been said on @control: wait for the host to end the machine, or do it. */
_Noreturn void end_wait(int control);

/* Tell the host FAILED, then as end_wait(). */
_Noreturn void end_failed(int control, const struct err *e, bool exec_failed);

/* There is no channel: the kernel's log is the last place to say why. */
_Noreturn void end_unheard(const struct err *e);

#endif
