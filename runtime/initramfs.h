/* SPDX-License-Identifier: Apache-2.0 */
/* initramfs - our init with the modules of a distribution's kernel, as that kernel's initramfs. */
#ifndef RUNTIME_INITRAMFS_H
#define RUNTIME_INITRAMFS_H

#include <stddef.h>

#include "runtime/base/err.h"

#define INITRAMFS_MAX_MODULES 64u
#define INITRAMFS_MAX_NAME 512u /* bytes of a path in modules.dep, NUL included */

/* What is loaded, in this order: each after what it depends on. */
struct initramfs_list {
	size_t n;
	char path[INITRAMFS_MAX_MODULES][INITRAMFS_MAX_NAME]; /* below the folder of modules.dep */
};

/*
 * Choose the drivers that a machine of ours needs. Pure.
 * @dep: text of modules.dep (depmod(8)); @builtin: of modules.builtin, what needs no file.
 * Return: 0, or -ENOENT with the name of a driver that the kernel lacks.
 */
int initramfs_choose(const char *dep, const char *builtin, struct initramfs_list *out,
		     struct err *e) MUST_CHECK;

/*
 * Write @out_path: the archive @init_cpio, then one with the modules of @folder (/lib/modules/VERSION),
 * unpacked. Replaces the file at once or not at all.
 */
int initramfs_write(const char *folder, const char *init_cpio, const char *out_path,
		    struct err *e) MUST_CHECK;

#endif
