/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sdbus - sd-bus of libsystemd, loaded when it is needed.
 *
 * Linked in, libsystemd and the six libraries behind it would be mapped at the start of each command, although
 * only --systemd-cgroup speaks D-Bus. sdbus.X() is sd_bus_X() of sd-bus(3), once sdbus_load() has
 * succeeded.
 */
#ifndef RUNTIME_SDBUS_H
#define RUNTIME_SDBUS_H

#include <systemd/sd-bus.h>

#include "runtime/base/err.h"

#define SDBUS_FUNCTIONS(X)          \
	X(call)                     \
	X(call_method)              \
	X(error_free)               \
	X(error_has_name)           \
	X(flush_close_unref)        \
	X(match_signal)             \
	X(message_append)           \
	X(message_append_array)     \
	X(message_append_strv)      \
	X(message_close_container)  \
	X(message_get_member)       \
	X(message_new_method_call)  \
	X(message_open_container)   \
	X(message_read)             \
	X(message_unref)            \
	X(open_system)              \
	X(open_user)                \
	X(process)                  \
	X(slot_unref)               \
	X(wait)

#define SDBUS_MEMBER(name) __typeof__(&sd_bus_##name) name;
struct sdbus {
	SDBUS_FUNCTIONS(SDBUS_MEMBER)
};
#undef SDBUS_MEMBER

extern struct sdbus sdbus;

/* Load the library, once. Return: 0, or -errno with @e saying what to install. */
int sdbus_load(struct err *e) MUST_CHECK;

#endif
