/* SPDX-License-Identifier: Apache-2.0 */
/* host - what this host is and has: the only place that looks around. */
#ifndef RUNTIME_HOST_H
#define RUNTIME_HOST_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "oci/spec.h"
#include "runtime/base/err.h"
#include "runtime/machine.h"
#include "runtime/source.h"

struct host_facts {
	uid_t euid;
	gid_t egid;
	bool can_mount;	     /* CAP_SYS_ADMIN in our user namespace */
	bool foreign_pids;   /* our pid namespace belongs to a user namespace above ours */
	struct oci_id_map sub_uids; /* our range of /etc/subuid (host_id, size); size 0: none */
	struct oci_id_map sub_gids;
	char hostname[65]; /* of our uts namespace */
	char domainname[65];
	const char *notify_socket; /* our NOTIFY_SOCKET, or NULL */
	bool selinux;	     /* it judges this host's processes: it has a policy */
	bool stdin_null;     /* descriptor 0 is /dev/null */
	unsigned cpus;	     /* online */
	uint64_t memory_bytes; /* of the host; 0: unknown */
	unsigned nofile;     /* hard limit of descriptors */
	bool debug;	     /* --debug */
	struct machine_conf conf; /* coracle.conf */
	char vmm[PATH_MAX];  /* coracle-vmm */
	char kernel[PATH_MAX]; /* vmlinux; empty where coracle.conf names another */
	char initrd[PATH_MAX]; /* coracle-init.cpio */
	struct mount_source *sources; /* of every mount (mount_sources_look()); NULL: not looked at */
};

/* Collect the facts. Missing parts of our installation are an error that names them. */
int host_facts_collect(struct host_facts *f, struct err *e) MUST_CHECK;

/*
 * What the process isn't given, but would have from us on the host: its limit of open files, its oom_score_adj.
 * Return: 0, -ENOMEM.
 */
int host_inherit(struct oci_process *p) MUST_CHECK;

/*
 * What the host has not got, in the words of `coracle check`: a user namespace, a tap. @error: the errno of the try.
 * Return: -@error, with @e.
 */
int host_no_userns(int error, struct err *e);
int host_no_tun(int error, struct err *e);

/*
 * Open /dev/kvm and see that it can run ordinary guests.
 * Return: a descriptor, or -errno with one line that says what is missing and how to mend it.
 */
int host_open_kvm(struct err *e) MUST_CHECK;

/* One thing that a host needs, for `coracle check` and the errors of create. */
struct host_check {
	const char *name;
	int (*probe)(struct err *e); /* 0 = good; -errno with the reason and the mend */
};

extern const struct host_check host_checks[];
extern const size_t n_host_checks;

#endif
