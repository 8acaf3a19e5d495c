/* SPDX-License-Identifier: Apache-2.0 */
/* sdbus - load libsystemd; nothing else belongs here. */
#include "runtime/sdbus.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libsystemd.so.0"

struct sdbus sdbus;

int sdbus_load(struct err *e)
{
#define SDBUS_ROW(name) { "sd_bus_" #name, offsetof(struct sdbus, name) },
	static const struct {
		const char *name;
		size_t at;
	} rows[] = { SDBUS_FUNCTIONS(SDBUS_ROW) };
#undef SDBUS_ROW
	static void *library;

	if (library)
		return 0;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return err_set(e, ENOENT, "--systemd-cgroup: %s; install it (libsystemd0)", dlerror());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void *f = dlsym(library, rows[i].name);

		if (!f)
			return err_set(e, ENOTSUP, "--systemd-cgroup: %s is too old: no %s", LIBRARY,
				       rows[i].name);
		memcpy((char *)&sdbus + rows[i].at, &f, sizeof(f));
	}
	return 0;
}
