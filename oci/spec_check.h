/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_check - does a parsed document say something that can be done? Pure: no system call.
 *
 * What the specification says with MUST, and values that no kernel would take. Where runc and
 * crun differ, crun's practice counts. What one cannot know from the document alone (files,
 * architectures of seccomp, the host's limits) is checked where it is used.
 */
#ifndef OCI_SPEC_CHECK_H
#define OCI_SPEC_CHECK_H

#include "oci/spec.h"
#include "runtime/base/err.h"

#define SPEC_MAX_WARNINGS 16

/* What is odd, yet taken. In place, zeroed by the caller; nothing to free. */
struct spec_warnings {
	size_t n; /* may count more than are kept: the first SPEC_MAX_WARNINGS are */
	char text[SPEC_MAX_WARNINGS][192];
};

/**
 * spec_check() - Check a config.json
 * @spec:	The document
 * @warnings:	Adds to these; may be NULL
 * @e:		One line that begins with the place: "process.args: must not be empty"
 *
 * Return: 0 or -EINVAL.
 */
int spec_check(const struct oci_spec *spec, struct spec_warnings *warnings,
	       struct err *e) MUST_CHECK;

/* The process of exec alone: as in a config.json, but cwd may be absent. Places as there. */
int process_check(const struct oci_process *process, struct spec_warnings *warnings,
		  struct err *e) MUST_CHECK;

/* The resources of update alone. Places begin with "linux.resources". */
int resources_check(const struct oci_resources *resources, struct err *e) MUST_CHECK;

/*
 * One list of id mappings, named @where in errors: sizes, sums, overlaps, and the kernel's limit
 * of 340 lines (user_namespaces(7)).
 */
int id_maps_check(const char *where, const struct oci_id_map *maps, size_t n,
		  struct err *e) MUST_CHECK;

#endif
