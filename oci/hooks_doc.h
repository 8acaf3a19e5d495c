/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks_doc - the hooks that run after create, as a document of their own: later changes of config.json have
 * no effect (runtime.md "Lifecycle"), so start and delete read this.
 */
#ifndef OCI_HOOKS_DOC_H
#define OCI_HOOKS_DOC_H

#include <stdbool.h>

#include "oci/spec.h"
#include "runtime/base/err.h"

/* Has @spec hooks of a kind that runs after create on the host: poststart, poststop? */
bool hooks_doc_needed(const struct oci_spec *spec);

/* What spec_parse() reads back as a spec with these hooks and nothing else. Return: 0 or -ENOMEM. */
int hooks_doc_format(const struct oci_spec *spec, char **out_text) MUST_CHECK;

#endif
