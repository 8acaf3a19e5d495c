/* SPDX-License-Identifier: Apache-2.0 */
/* label - SELinux: under which label this thread does something next (proc_pid_attr(5)). */
#ifndef RUNTIME_LABEL_H
#define RUNTIME_LABEL_H

#include "runtime/base/err.h"

/* @attr: "exec" or "sockcreate". Return: a descriptor, or -errno with @e naming process.selinuxLabel. */
int label_open(const char *attr, struct err *e) MUST_CHECK;

/* "": the policy's own choice again. Context: the thread that opened @fd. Return: 0, or -errno with @e. */
int label_set(int fd, const char *label, struct err *e) MUST_CHECK;

#endif
