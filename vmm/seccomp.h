/* SPDX-License-Identifier: Apache-2.0 */
/* seccomp - one allow-list per class of thread; everything else kills the process. */
#ifndef VMM_SECCOMP_H
#define VMM_SECCOMP_H

enum seccomp_class {
	SECCOMP_LOOP, /* main thread: devices of the loop, control */
	SECCOMP_VCPU, /* runs the guest, serves files */
	SECCOMP_FILES, /* the file server's worker */
	SECCOMP_CLASSES,
	SECCOMP_MIRROR = SECCOMP_CLASSES /* another program's, see seccomp_compile.c */
};

/* Stands for our own pid, which is put in its place when a filter is loaded; no pid is as large. */
#define SECCOMP_OWN_PID 0x5ea1ed00u

/* Load the filter of @class on the calling thread. Without it nothing may run: failure aborts. */
void seccomp_seal(enum seccomp_class class);

#endif
