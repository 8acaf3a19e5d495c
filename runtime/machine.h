/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine - what a container's machine is made of: kernel, initrd, parameters, CPUs, memory.
 *
 * DOC: who may say it
 *
 * From weak to strong: what is built in and installed, coracle.conf of the host, linux.resources (the
 * size alone), the `vm` section of config.json (config-vm.md), annotations run.coracle.NAME in config.json.
 * Paths are opened by create, with the rights of who called it.
 *
 * config.json as such is trusted: who writes it has chosen the root file system and the mounts already. Its
 * annotations are not: image-spec's conversion makes them of the labels of an image, and Kubernetes passes
 * those of a pod's author. So none counts unless `annotations` in coracle.conf names it; one that is not
 * named there is an error, not ignored. What max_vcpus and max_memory say holds for all sources.
 */
#ifndef RUNTIME_MACHINE_H
#define RUNTIME_MACHINE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oci/spec.h"
#include "runtime/base/err.h"

#define MACHINE_PARAMETERS 1024 /* cap: bytes of kernel parameters from one source, NUL included */

/* Zero in all fields: nothing is said. */
struct machine_settings {
	char kernel[PATH_MAX]; /* vmlinux or bzImage, absolute */
	char initrd[PATH_MAX];
	char parameters[MACHINE_PARAMETERS]; /* appended to ours */
	uint32_t vcpus;
	uint64_t memory_bytes; /* whole huge pages */
	bool debug;	       /* the guest kernel's log goes to our stderr */
	bool nested;	       /* VMX or SVM are visible in the guest */
	bool pasta;	       /* the container's own network namespace gets the host's network by pasta(1) */
};

/* /etc/coracle/coracle.conf */
struct machine_conf {
	struct machine_settings set;
	uint32_t max_vcpus;   /* 0: no limit but the machine's own */
	uint64_t max_memory_bytes;
	uint32_t annotations; /* bit i: the i-th setting may come by annotation */
};

/*
 * Parse the text of coracle.conf: lines of `key = value`, comments begin with #. Pure.
 * @file: its name, for errors, which name the line as well.
 */
int machine_conf_parse(const char *file, const char *text, struct machine_conf *out,
		       struct err *e) MUST_CHECK;

/* Read it from @path; a file that does not exist says nothing. One that everybody may write is refused. */
int machine_conf_load(const char *path, struct machine_conf *out, struct err *e) MUST_CHECK;

/*
 * What the host, the `vm` section and the annotations of @spec say together, but for the host's sizes, which
 * count only where limits say nothing either. Pure.
 * @vmm: path of our VMM, the one hypervisor that may be named. Errors name the JSON path.
 */
int machine_settle(const struct machine_conf *conf, const struct oci_spec *spec, const char *vmm,
		   struct machine_settings *out, struct err *e) MUST_CHECK;

#endif
