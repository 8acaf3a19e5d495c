/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_parse - config.json, process.json and resources.json to the structs of spec.h.
 *
 * The shape is checked, the meaning is not: that is spec_check.h. Unknown keys are ignored
 * (config.md "Extensibility"), null is like absent, and a wrong type or an unknown word where
 * the specification lists the words is an error with its place: `process.args[2]: expected a
 * string, found a number`. A relative mount destination gets its leading slash here.
 */
#ifndef OCI_SPEC_PARSE_H
#define OCI_SPEC_PARSE_H

#include "oci/spec.h"
#include "runtime/base/err.h"

/**
 * spec_parse() - Read a config.json
 * @text:	@n bytes
 * @n:		Length
 * @out_spec:	oci_spec_free() it
 * @e:		One line, without the name of the file
 *
 * Return: 0, -EINVAL, -ERANGE (a number), -E2BIG (limits of json.h), -ENOMEM.
 */
int spec_parse(const char *text, size_t n, struct oci_spec **out_spec, struct err *e) MUST_CHECK;

/* Read file @path below @dirfd, which is what @e begins with, for spec_parse(). @out_text: free() it. */
int spec_read(int dirfd, const char *path, char **out_text, size_t *out_n, struct err *e) MUST_CHECK;

/* Both. @e always begins with the file. */
int spec_load(int dirfd, const char *path, struct oci_spec **out_spec, struct err *e) MUST_CHECK;

/* The same for the `process` object alone (exec --process). */
int process_parse(const char *text, size_t n, struct oci_process **out_process,
		  struct err *e) MUST_CHECK;

/* The same for the `linux.resources` object alone (update --resources). */
int resources_parse(const char *text, size_t n, struct oci_resources **out_resources,
		    struct err *e) MUST_CHECK;

#endif
