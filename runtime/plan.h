/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan - what will be done for a container: spec + facts -> shares, machine, guest program. Pure.
 *
 * A plan holds pointers into the spec it was made from and must not outlive it.
 */
#ifndef RUNTIME_PLAN_H
#define RUNTIME_PLAN_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "guest-init/proto.h"
#include "oci/spec.h"
#include "runtime/base/err.h"
#include "runtime/guest_seccomp.h"
#include "runtime/host.h"
#include "runtime/idmount.h"
#include "runtime/machine.h"
#include "runtime/mountopt.h"
#include "runtime/preserve.h"
#include "runtime/resources.h"
#include "vmm/config.h"

/* Guest memory without a limit, and the least that boots and works. */
#define PLAN_DEFAULT_MEMORY (512ull << 20)

/* plan_mounts.c says what they are. */
enum plan_mount_kind { PLAN_SHARE, PLAN_FS, PLAN_NODE, PLAN_LINK, PLAN_SOCKET };

#define PLAN_OVERFLOW_ID 65534u /* of an owner that is not mapped (user_namespaces(7)) */

struct plan_mount {
	enum plan_mount_kind kind;
	const char *dest;    /* as in config.json */
	char *own_dest;	     /* dest, when it is not from there */
	const char *source;  /* SHARE: host path; LINK: where it leads */
	const char *fstype;  /* FS */
	uint32_t share;	     /* SHARE, SOCKET: its number */
	bool mount_first;    /* SHARE: of fstype, source and data; mounted on the host */
	uint32_t mode;	     /* of the source, where it was looked at; 0: unknown */
	bool datagrams;	     /* SOCKET: of type SOCK_DGRAM */
	uint32_t major, minor; /* NODE */
	uint32_t uid, gid;   /* NODE, SOCKET: of the container */
	bool make_on_host;   /* the destination lies in a share: made before the guest runs */
	size_t index;	     /* in mounts[], for messages */
	struct mount_options options;
	struct idmount idmount; /* SHARE */
};

struct plan {
	const struct oci_spec *spec;
	char rootfs[PATH_MAX]; /* absolute */
	bool root_readonly;
	uint64_t root_propagation; /* MS_PRIVATE ... with MS_REC, of linux.rootfsPropagation; or 0 */
	bool new_userns;
	bool late_userns; /* it is made after others have been joined, by the monitor itself */
	bool join_userns;
	bool new_pidns; /* the monitor is the first process of one; see plan_pids() */
	bool single_id; /* one uid and one gid mapped */
	const struct oci_id_map *uid_map;
	size_t n_uid_map;
	const struct oci_id_map *gid_map;
	size_t n_gid_map;
	struct oci_id_map default_uids[2]; /* when config.json has no mappings, as crun does */
	struct oci_id_map default_gids[2];
	bool holder; /* of a pod's namespaces: it runs nothing, and needs no machine */
	bool new_netns;
	const char *join_netns; /* path, or NULL */
	size_t join_netns_index; /* in linux.namespaces, for messages */
	size_t n_mounts;
	struct plan_mount *mounts;
	uint32_t n_sockets;
	uint32_t n_shares; /* share 0 is the root */
	struct machine_settings machine; /* as said by coracle.conf and config.json */
	const char *kernel; /* paths on the host */
	const char *initrd;
	const char *vmm_label; /* SELinux's, which the VMM runs under; NULL: the caller's */
	bool debug; /* the guest kernel's log goes to our stderr */
	uint64_t memory_bytes;
	struct plan_size size; /* what the limits make of the machine */
	struct cgroup_writes host_cgroup;
	struct cgroup_writes guest_cgroup;
	uint32_t vcpus;
	uint32_t fs_max_fds;
	bool terminal;
	bool stdin_null; /* our stdin is /dev/null: so is the guest's own */
	char hostname[65]; /* what the guest is called: struct utsname; "" leaves it */
	char domainname[65];
	const char *notify_path; /* the container's socket for sd_notify(3), or NULL; in process.env */
	bool notify_ours; /* it leads to our own service manager */
	char notify_host[PATH_MAX]; /* what it leads to: a path, or "@" and an abstract name */
	size_t notify_below;	    /* what begins notify_host is a mount's source, and the rest stays below it; 0: no such */
	const char *hook_state; /* what startContainer hooks read; borrowed, set before plan_encode() */
	const struct preserved *preserved; /* as hook_state */
	struct guest_filter filter; /* linux.seccomp; owned */
	char cmdline[VM_MAX_CMDLINE];
};

/*
 * Decide everything. @bundle: absolute path. @out must not move afterwards: it points into itself.
 * Return: 0; an error names the JSON path that can't be had.
 */
int plan_build(const struct oci_spec *spec, const struct host_facts *facts, const char *bundle,
	       struct plan *out, struct err *e) MUST_CHECK;
void plan_fini(struct plan *p);

/* Can all that @p asks for be had? The same for the process of exec. */
int plan_check_process(const struct oci_process *p, struct err *e) MUST_CHECK;

/* Part of plan_build(), after the namespaces. @sources: of every mount; NULL: directories. */
int plan_mounts(struct plan *p, const struct mount_source *sources, struct err *e) MUST_CHECK;

/* Encode the guest's program (guest-init/proto.h); *out_payload is malloced. */
int plan_encode(const struct plan *p, void **out_payload, size_t *out_bytes, struct err *e) MUST_CHECK;

/* Tell the guest the time of now: just before @payload, of plan_encode(), is sent. */
void program_stamp(void *payload);

/* Has it hooks that run while the container is made: prestart, createRuntime, createContainer? */
bool plan_create_hooks(const struct plan *p);

/* The plan as text, for --dry-run and golden tests; then a payload of plan_encode(). */
void plan_print(const struct plan *p, FILE *to);
void plan_print_program(const void *payload, FILE *to);

/*
 * The same for a further process in the container of @spec (PROTO_EXEC): nothing but @process, in @cgroup below
 * the container's (NULL: there itself).
 */
int program_encode_exec(const struct oci_spec *spec, const struct oci_process *process,
			const struct guest_filter *filter, const struct preserved *preserved, const char *cgroup,
			bool stdin_null, void **out_payload, size_t *out_bytes, struct err *e) MUST_CHECK;

#endif
