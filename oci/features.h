/* SPDX-License-Identifier: Apache-2.0 */
/* features - the document of runtime-spec features.md: what this runtime can do. */
#ifndef OCI_FEATURES_H
#define OCI_FEATURES_H

#include "runtime/base/err.h"

/**
 * features_format() - Write the document
 * @version:	Ours, for the annotation org.coracle.version
 * @commit:	Ours, for org.coracle.commit; NULL leaves it out
 * @mount_options: Names of the options of mounts, up to NULL; engines look for "rro" before they allow recursive
 *		read-only mounts
 * @out_text:	Pretty, with a newline; free() it
 *
 * The tables at the top of features.c are the whole truth; nothing is probed, since engines ask
 * as any user, without environment and without /dev/kvm (engine contract 4.8).
 *
 * Return: 0 or -ENOMEM.
 */
int features_format(const char *version, const char *commit, const char *const *mount_options, char **out_text) MUST_CHECK;

#endif
