/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec - config.json of runtime-spec 1.3 as plain C.
 *
 * DOC: Layout
 *
 * One rule for each kind of value, everywhere in this file:
 *
 *  - `char *x`           NULL when the key is absent, null or "" (Go's omitempty writes no other);
 *  - `T *x; size_t n_x`  an array; x is NULL when the key is absent, never NULL when it is present,
 *                        even if empty. Arrays of strings also end with a NULL pointer (execve);
 *  - `bool has_x`        stands before each optional scalar x: false means absent, then x is 0;
 *  - a pointer to a struct is NULL when the object is absent; an embedded struct is all zero;
 *  - enums start at 1: 0 means absent. Numbers of the kernel (RLIMIT_*, SCHED_*) have has_x.
 *
 * Everything is owned by the struct it hangs on. Strings never hold a NUL inside: the parser
 * refuses "\u0000". The sections of other platforms are not kept.
 */
#ifndef OCI_SPEC_H
#define OCI_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/err.h"

/* Newest specification understood, and what we write into documents of our own. */
#define OCI_VERSION_MAX "1.3.0"
#define OCI_VERSION_MIN "1.0.0"

/* One entry of a string-to-string object (annotations, sysctl, unified). */
struct oci_kv {
	char *key;
	char *value;
};

struct oci_id_map {
	uint32_t container_id;
	uint32_t host_id;
	uint32_t size;
};

/* ------------------------------------------------------------------ process (config.md) */

struct oci_user {
	uint32_t uid;
	uint32_t gid;
	bool has_umask;
	uint32_t umask;
	uint32_t *additional_gids;
	size_t n_additional_gids;
	char *username; /* Windows only by the specification; kept since engines send it */
};

/* Names as in the document ("CAP_KILL"); spec_check() warns of unknown ones. */
struct oci_capabilities {
	char **bounding;
	size_t n_bounding;
	char **effective;
	size_t n_effective;
	char **inheritable;
	size_t n_inheritable;
	char **permitted;
	size_t n_permitted;
	char **ambient;
	size_t n_ambient;
};

struct oci_rlimit {
	bool has_resource;
	int32_t resource; /* RLIMIT_* of Linux, generic numbering */
	uint64_t soft;
	uint64_t hard;
};

struct oci_scheduler {
	bool has_policy;
	int32_t policy; /* SCHED_* of Linux */
	int32_t nice;
	int32_t priority;
	uint64_t flags; /* SCHED_FLAG_* bits */
	uint64_t runtime;
	uint64_t deadline;
	uint64_t period;
};

struct oci_io_priority {
	int32_t class; /* IOPRIO_CLASS_*: 1 RT, 2 BE, 3 IDLE; 0 absent */
	int32_t priority;
};

struct oci_process {
	bool has_terminal; /* exec: absent is not false */
	bool terminal;
	bool has_console_size;
	uint32_t console_height; /* character cells */
	uint32_t console_width;
	bool has_user;
	struct oci_user user;
	char **args;
	size_t n_args;
	char **env;
	size_t n_env;
	char *cwd;
	struct oci_capabilities *capabilities;
	struct oci_rlimit *rlimits;
	size_t n_rlimits;
	bool has_no_new_privileges;
	bool no_new_privileges;
	char *apparmor_profile;
	bool has_oom_score_adj;
	int32_t oom_score_adj;
	char *selinux_label;
	struct oci_io_priority *io_priority;
	struct oci_scheduler *scheduler;
	char *cpu_affinity_initial; /* execCPUAffinity: a list such as "0-3,7" */
	char *cpu_affinity_final;
};

/* ------------------------------------------------------------------ root, mounts, hooks */

struct oci_root {
	char *path; /* as written: absolute, or relative to the bundle */
	bool readonly;
};

struct oci_mount {
	char *destination; /* always absolute after parsing */
	bool was_relative; /* destination had no leading slash; the parser put it there */
	char *source;
	char *type;
	char **options;
	size_t n_options;
	struct oci_id_map *uid_mappings;
	size_t n_uid_mappings;
	struct oci_id_map *gid_mappings;
	size_t n_gid_mappings;
};

struct oci_hook {
	char *path;
	char **args; /* argv, with args[0]; NULL: argv is the path alone */
	size_t n_args;
	char **env;
	size_t n_env;
	bool has_timeout;
	int32_t timeout; /* seconds */
};

enum oci_hook_kind {
	OCI_HOOK_PRESTART,
	OCI_HOOK_CREATE_RUNTIME,
	OCI_HOOK_CREATE_CONTAINER,
	OCI_HOOK_START_CONTAINER,
	OCI_HOOK_POSTSTART,
	OCI_HOOK_POSTSTOP,
	OCI_HOOK_KINDS
};

struct oci_hook_list {
	struct oci_hook *v;
	size_t n;
};

/* ------------------------------------------------------------------ linux (config-linux.md) */

enum oci_ns_type {
	OCI_NS_NONE,
	OCI_NS_PID,
	OCI_NS_NETWORK,
	OCI_NS_MOUNT,
	OCI_NS_IPC,
	OCI_NS_UTS,
	OCI_NS_USER,
	OCI_NS_CGROUP,
	OCI_NS_TIME,
	OCI_NS_TYPES
};

struct oci_namespace {
	enum oci_ns_type type;
	char *path; /* join this one; NULL: make a new one */
};

struct oci_time_offset {
	char *clock; /* "monotonic" or "boottime" */
	int64_t secs;
	uint32_t nanosecs;
};

struct oci_device {
	char *path;
	int32_t type; /* 'c', 'b', 'u' (as c) or 'p' */
	int64_t major;
	int64_t minor;
	bool has_file_mode;
	uint32_t file_mode;
	bool has_uid;
	uint32_t uid;
	bool has_gid;
	uint32_t gid;
};

struct oci_net_device {
	char *host_name; /* the key: name in the runtime's namespace */
	char *name;	 /* name inside; NULL: the same */
};

/* ---- linux.resources; the limits are those of the cgroup documents, v1 vocabulary */

struct oci_device_rule {
	bool allow;
	int32_t type; /* 'a', 'b', 'c'; 0: absent, means 'a' */
	bool has_major;
	int64_t major;
	bool has_minor;
	int64_t minor;
	char *access; /* of "rwm"; NULL: all */
};

/* Bytes; -1 is "unlimited". swap is memory plus swap. */
struct oci_memory {
	bool has_limit;
	int64_t limit;
	bool has_reservation;
	int64_t reservation;
	bool has_swap;
	int64_t swap;
	bool has_kernel;
	int64_t kernel;
	bool has_kernel_tcp;
	int64_t kernel_tcp;
	bool has_swappiness;
	uint64_t swappiness;
	bool has_disable_oom_killer;
	bool disable_oom_killer;
	bool has_use_hierarchy;
	bool use_hierarchy;
	bool has_check_before_update;
	bool check_before_update;
};

/* Times in microseconds. */
struct oci_cpu {
	bool has_shares;
	uint64_t shares;
	bool has_quota;
	int64_t quota;
	bool has_burst;
	uint64_t burst;
	bool has_period;
	uint64_t period;
	bool has_realtime_runtime;
	int64_t realtime_runtime;
	bool has_realtime_period;
	uint64_t realtime_period;
	bool has_idle;
	int64_t idle;
	char *cpus;
	char *mems;
};

struct oci_weight_device {
	int64_t major;
	int64_t minor;
	bool has_weight;
	uint16_t weight;
	bool has_leaf_weight;
	uint16_t leaf_weight;
};

struct oci_throttle_device {
	int64_t major;
	int64_t minor;
	uint64_t rate; /* bytes or operations per second */
};

struct oci_block_io {
	bool has_weight;
	uint16_t weight;
	bool has_leaf_weight;
	uint16_t leaf_weight;
	struct oci_weight_device *weight_devices;
	size_t n_weight_devices;
	struct oci_throttle_device *read_bps;
	size_t n_read_bps;
	struct oci_throttle_device *write_bps;
	size_t n_write_bps;
	struct oci_throttle_device *read_iops;
	size_t n_read_iops;
	struct oci_throttle_device *write_iops;
	size_t n_write_iops;
};

struct oci_hugepage_limit {
	char *page_size; /* "2MB" */
	uint64_t limit;	 /* bytes */
};

struct oci_if_priority {
	char *name;
	uint32_t priority;
};

struct oci_rdma {
	char *device; /* the key */
	bool has_hca_handles;
	uint32_t hca_handles;
	bool has_hca_objects;
	uint32_t hca_objects;
};

struct oci_resources {
	struct oci_device_rule *devices;
	size_t n_devices;
	struct oci_memory memory;
	struct oci_cpu cpu;
	bool has_pids_limit;
	int64_t pids_limit; /* negative: unlimited; 0 is a limit (1.3) */
	struct oci_block_io block_io;
	struct oci_hugepage_limit *hugepage_limits;
	size_t n_hugepage_limits;
	bool has_net_class_id;
	uint32_t net_class_id;
	struct oci_if_priority *net_priorities;
	size_t n_net_priorities;
	struct oci_rdma *rdma;
	size_t n_rdma;
	struct oci_kv *unified; /* cgroup v2 file name -> text */
	size_t n_unified;
};

/* ---- linux.seccomp */

enum oci_seccomp_action {
	OCI_SECCOMP_NONE,
	OCI_SECCOMP_KILL, /* SCMP_ACT_KILL and SCMP_ACT_KILL_THREAD */
	OCI_SECCOMP_KILL_PROCESS,
	OCI_SECCOMP_TRAP,
	OCI_SECCOMP_ERRNO,
	OCI_SECCOMP_TRACE,
	OCI_SECCOMP_ALLOW,
	OCI_SECCOMP_LOG,
	OCI_SECCOMP_NOTIFY,
};

enum oci_seccomp_op {
	OCI_SECCOMP_OP_NONE,
	OCI_SECCOMP_NE,
	OCI_SECCOMP_LT,
	OCI_SECCOMP_LE,
	OCI_SECCOMP_EQ,
	OCI_SECCOMP_GE,
	OCI_SECCOMP_GT,
	OCI_SECCOMP_MASKED_EQ, /* (arg & value) == value_two */
};

struct oci_seccomp_arg {
	uint32_t index; /* 0 to 5 */
	uint64_t value;
	uint64_t value_two;
	enum oci_seccomp_op op;
};

struct oci_seccomp_rule {
	char **names;
	size_t n_names;
	enum oci_seccomp_action action;
	bool has_errno_ret;
	uint32_t errno_ret; /* EPERM when absent */
	struct oci_seccomp_arg *args;
	size_t n_args;
};

struct oci_seccomp {
	enum oci_seccomp_action default_action;
	bool has_default_errno_ret;
	uint32_t default_errno_ret;
	char **architectures; /* "SCMP_ARCH_X86_64" */
	size_t n_architectures;
	char **flags; /* "SECCOMP_FILTER_FLAG_LOG" */
	size_t n_flags;
	char *listener_path;
	char *listener_metadata;
	struct oci_seccomp_rule *syscalls;
	size_t n_syscalls;
};

struct oci_intel_rdt {
	char *clos_id;
	char **schemata;
	size_t n_schemata;
	char *l3_cache_schema;
	char *mem_bw_schema;
	bool enable_monitoring;
	bool enable_cmt;
	bool enable_mbm;
};

struct oci_memory_policy {
	bool has_mode;
	int32_t mode; /* MPOL_* of Linux */
	char *nodes;
	uint64_t flags; /* MPOL_F_* bits */
};

struct oci_personality {
	bool has_domain;
	int32_t domain; /* PER_LINUX 0 or PER_LINUX32 8 */
	char **flags;	/* none is defined by the specification */
	size_t n_flags;
};

struct oci_linux {
	struct oci_namespace *namespaces;
	size_t n_namespaces;
	struct oci_id_map *uid_mappings;
	size_t n_uid_mappings;
	struct oci_id_map *gid_mappings;
	size_t n_gid_mappings;
	struct oci_time_offset *time_offsets;
	size_t n_time_offsets;
	struct oci_device *devices;
	size_t n_devices;
	struct oci_net_device *net_devices;
	size_t n_net_devices;
	char *cgroups_path;
	struct oci_resources *resources;
	char *rootfs_propagation;
	struct oci_seccomp *seccomp;
	struct oci_kv *sysctl;
	size_t n_sysctl;
	char **masked_paths;
	size_t n_masked_paths;
	char **readonly_paths;
	size_t n_readonly_paths;
	char *mount_label;
	struct oci_intel_rdt *intel_rdt;
	struct oci_memory_policy *memory_policy;
	struct oci_personality *personality;
};

/* ------------------------------------------------------------------ vm (config-vm.md) */

struct oci_vm_hypervisor {
	char *path;
	char **parameters;
	size_t n_parameters;
};

struct oci_vm_kernel {
	char *path;
	char **parameters;
	size_t n_parameters;
	char *initrd;
};

struct oci_vm_image {
	char *path;
	char *format; /* raw, qcow2, vdi, vmdk, vhd */
};

struct oci_vm_iomem {
	uint64_t first_gfn;
	uint64_t first_mfn;
	uint64_t nr_mfns;
};

struct oci_vm_hw {
	char *device_tree;
	bool has_vcpus;
	uint32_t vcpus;
	bool has_memory;
	uint64_t memory; /* bytes */
	char **dtdevs;
	size_t n_dtdevs;
	struct oci_vm_iomem *iomems;
	size_t n_iomems;
	uint32_t *irqs;
	size_t n_irqs;
};

struct oci_vm {
	struct oci_vm_hypervisor *hypervisor;
	struct oci_vm_kernel *kernel;
	struct oci_vm_image *image;
	struct oci_vm_hw *hw_config;
};

/* ------------------------------------------------------------------ the document */

struct oci_spec {
	char *oci_version;
	struct oci_process *process;
	struct oci_root *root;
	char *hostname;
	char *domainname;
	struct oci_mount *mounts;
	size_t n_mounts;
	struct oci_hook_list hooks[OCI_HOOK_KINDS];
	struct oci_kv *annotations;
	size_t n_annotations;
	bool has_linux;
	struct oci_linux lnx; /* `linux` is a macro in gnu17 */
	struct oci_vm *vm;
};

/* Of a variable that is there twice the last one counts: engines append theirs. */
void oci_env_last(struct oci_process *p);

/* Free the document or part and everything it owns. NULL and half built ones are fine. */
void oci_spec_free(struct oci_spec *spec);
void oci_process_free(struct oci_process *process);
void oci_resources_free(struct oci_resources *resources);

/* The same as OWN() wants them: `OWN(oci_spec_cleanup) struct oci_spec *spec = NULL;` */
void oci_spec_cleanup(struct oci_spec **spec);
void oci_process_cleanup(struct oci_process **process);
void oci_resources_cleanup(struct oci_resources **resources);

/**
 * oci_spec_ns() - Find a namespace by type
 * @spec:	The document
 * @type:	Which one
 *
 * Return: the entry of linux.namespaces, NULL when the document has none (the container then
 * stays in the runtime's, config-linux.md "Namespaces").
 */
const struct oci_namespace *oci_spec_ns(const struct oci_spec *spec, enum oci_ns_type type);

/* Set the variable @name ("NAME=") of @p; one that is there is replaced. Return: 0 or -ENOMEM. */
int oci_process_setenv(struct oci_process *p, const char *name, const char *value) MUST_CHECK;

/* Return: the value of annotation @key, or NULL. */
const char *oci_spec_annotation(const struct oci_spec *spec, const char *key);

/* The names of the document: "pid", "network", ...; "createRuntime", ... */
const char *oci_ns_name(enum oci_ns_type type);
const char *oci_hook_name(enum oci_hook_kind kind);

#endif
