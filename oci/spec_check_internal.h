/* SPDX-License-Identifier: Apache-2.0 */
/* spec_check_internal - what the files of spec_check share. */
#ifndef OCI_SPEC_CHECK_INTERNAL_H
#define OCI_SPEC_CHECK_INTERNAL_H

#include "oci/spec_check.h"

/* Parts of spec_check(), one per file. */
int check_process(const struct oci_process *p, bool need_cwd, struct spec_warnings *w,
		  struct err *e) MUST_CHECK;
int check_linux(const struct oci_spec *spec, struct err *e) MUST_CHECK;
int check_seccomp(const struct oci_seccomp *s, struct err *e) MUST_CHECK;
int check_vm(const struct oci_vm *vm, struct err *e) MUST_CHECK;

/* @path has to be there and absolute; @where is its place. */
int check_absolute(const char *where, const char *path, struct err *e) MUST_CHECK;
/* As above, but it may be absent. */
int check_absolute_if(const char *where, const char *path, struct err *e) MUST_CHECK;
/* A list of numbers and ranges ("0-3,7"), as cpuset and NUMA files take; may be absent. */
int check_list(const char *where, const char *list, struct err *e) MUST_CHECK;
/* Numbers of a device node, 12 and 20 bits in the kernel (linux/kdev_t.h). */
int check_device_numbers(const char *where, int64_t major, int64_t minor,
			 struct err *e) MUST_CHECK;

void spec_warn(struct spec_warnings *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
