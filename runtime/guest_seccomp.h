/* SPDX-License-Identifier: Apache-2.0 */
/*
 * guest_seccomp - linux.seccomp of config.json as the BPF program that the guest's kernel loads.
 *
 * Compiled here so that the guest needs no library; it is loaded by coracle-init right before execve
 * (guest-init/process.h), and again for every exec'd process.
 *
 * As crun and runc do: names of system calls that libseccomp does not know are skipped, rules whose
 * action is the default one are left out, several conditions on one argument are alternatives, a call
 * of an architecture that is not listed kills. SCMP_ACT_NOTIFY can't be had: the listener is a process
 * of the host that looks into the caller's memory by its pid, and the caller is in a virtual machine.
 */
#ifndef RUNTIME_GUEST_SECCOMP_H
#define RUNTIME_GUEST_SECCOMP_H

#include <stdint.h>

#include "oci/spec.h"
#include "runtime/base/err.h"

/* The program. All zero: no filter. */
struct guest_filter {
	void *insns;	/* struct sock_filter, owned */
	uint32_t n;	/* how many */
	uint32_t flags; /* SECCOMP_FILTER_FLAG_* for seccomp(2) */
};

/*
 * Compile @s, which may be NULL. Takes a few milliseconds for the profiles of engines.
 * Return: 0, or -errno with @e naming the JSON path below linux.seccomp.
 */
int guest_seccomp_compile(const struct oci_seccomp *s, struct guest_filter *out,
			  struct err *e) MUST_CHECK;
void guest_filter_fini(struct guest_filter *f);

#endif
