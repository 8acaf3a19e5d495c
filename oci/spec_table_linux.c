/* SPDX-License-Identifier: Apache-2.0 */
/* spec_table_linux - the keys of config-linux.md. */
#include <assert.h>
#include <stdbool.h>

#include "oci/spec.h"
#include "oci/spec_table.h"

/* SPEC_WORD writes 4 bytes whatever the enum. */
static_assert(sizeof(enum oci_ns_type) == sizeof(int32_t), "enums are 32 bits");

/* ------------------------------------------------------------------ namespaces and devices */

/* In the order of the enum. */
const struct spec_word spec_ns_words[] = {
	{ "pid", OCI_NS_PID },
	{ "network", OCI_NS_NETWORK },
	{ "mount", OCI_NS_MOUNT },
	{ "ipc", OCI_NS_IPC },
	{ "uts", OCI_NS_UTS },
	{ "user", OCI_NS_USER },
	{ "cgroup", OCI_NS_CGROUP },
	{ "time", OCI_NS_TIME },
	{ NULL, 0 },
};

static_assert(sizeof(spec_ns_words) / sizeof(spec_ns_words[0]) == OCI_NS_TYPES,
	      "one name for each namespace");

static const struct spec_field namespace_fields[] = {
	F_ENUM("type", struct oci_namespace, type, enum oci_ns_type, spec_ns_words),
	F_STR("path", struct oci_namespace, path),
	F_END,
};
static const struct spec_type namespace_type = { sizeof(struct oci_namespace), namespace_fields };

static const struct spec_field time_offset_fields[] = {
	F_KEY(struct oci_time_offset, clock),
	F_I64("secs", struct oci_time_offset, secs),
	F_U32("nanosecs", struct oci_time_offset, nanosecs),
	F_END,
};
static const struct spec_type time_offset_type = {
	sizeof(struct oci_time_offset),
	time_offset_fields,
};

static const struct spec_word device_words[] = {
	{ "c", 'c' }, { "b", 'b' }, { "u", 'u' }, { "p", 'p' }, { NULL, 0 },
};

static const struct spec_field device_fields[] = {
	F_STR("path", struct oci_device, path),
	F_ENUM("type", struct oci_device, type, int32_t, device_words),
	F_I64("major", struct oci_device, major),
	F_I64("minor", struct oci_device, minor),
	F_HU32("fileMode", struct oci_device, file_mode),
	F_HU32("uid", struct oci_device, uid),
	F_HU32("gid", struct oci_device, gid),
	F_END,
};
static const struct spec_type device_type = { sizeof(struct oci_device), device_fields };

static const struct spec_field net_device_fields[] = {
	F_KEY(struct oci_net_device, host_name),
	F_STR("name", struct oci_net_device, name),
	F_END,
};
static const struct spec_type net_device_type = {
	sizeof(struct oci_net_device),
	net_device_fields,
};

/* ------------------------------------------------------------------ resources */

static const struct spec_word rule_words[] = {
	{ "a", 'a' }, { "b", 'b' }, { "c", 'c' }, { NULL, 0 },
};

static const struct spec_field rule_fields[] = {
	F_BOOL("allow", struct oci_device_rule, allow),
	F_ENUM("type", struct oci_device_rule, type, int32_t, rule_words),
	F_HI64("major", struct oci_device_rule, major),
	F_HI64("minor", struct oci_device_rule, minor),
	F_STR("access", struct oci_device_rule, access),
	F_END,
};
static const struct spec_type rule_type = { sizeof(struct oci_device_rule), rule_fields };

static const struct spec_field memory_fields[] = {
	F_HI64("limit", struct oci_memory, limit),
	F_HI64("reservation", struct oci_memory, reservation),
	F_HI64("swap", struct oci_memory, swap),
	F_HI64("kernel", struct oci_memory, kernel),
	F_HI64("kernelTCP", struct oci_memory, kernel_tcp),
	F_HU64("swappiness", struct oci_memory, swappiness),
	F_HBOOL("disableOOMKiller", struct oci_memory, disable_oom_killer),
	F_HBOOL("useHierarchy", struct oci_memory, use_hierarchy),
	F_HBOOL("checkBeforeUpdate", struct oci_memory, check_before_update),
	F_END,
};
static const struct spec_type memory_type = { sizeof(struct oci_memory), memory_fields };

static const struct spec_field cpu_fields[] = {
	F_HU64("shares", struct oci_cpu, shares),
	F_HI64("quota", struct oci_cpu, quota),
	F_HU64("burst", struct oci_cpu, burst),
	F_HU64("period", struct oci_cpu, period),
	F_HI64("realtimeRuntime", struct oci_cpu, realtime_runtime),
	F_HU64("realtimePeriod", struct oci_cpu, realtime_period),
	F_HI64("idle", struct oci_cpu, idle),
	F_STR("cpus", struct oci_cpu, cpus),
	F_STR("mems", struct oci_cpu, mems),
	F_END,
};
static const struct spec_type cpu_type = { sizeof(struct oci_cpu), cpu_fields };

static const struct spec_field weight_fields[] = {
	F_I64("major", struct oci_weight_device, major),
	F_I64("minor", struct oci_weight_device, minor),
	F_HU16("weight", struct oci_weight_device, weight),
	F_HU16("leafWeight", struct oci_weight_device, leaf_weight),
	F_END,
};
static const struct spec_type weight_type = { sizeof(struct oci_weight_device), weight_fields };

static const struct spec_field throttle_fields[] = {
	F_I64("major", struct oci_throttle_device, major),
	F_I64("minor", struct oci_throttle_device, minor),
	F_U64("rate", struct oci_throttle_device, rate),
	F_END,
};
static const struct spec_type throttle_type = {
	sizeof(struct oci_throttle_device),
	throttle_fields,
};

static const struct spec_field block_io_fields[] = {
	F_HU16("weight", struct oci_block_io, weight),
	F_HU16("leafWeight", struct oci_block_io, leaf_weight),
	F_ARRAY("weightDevice", struct oci_block_io, weight_devices, &weight_type),
	F_ARRAY("throttleReadBpsDevice", struct oci_block_io, read_bps, &throttle_type),
	F_ARRAY("throttleWriteBpsDevice", struct oci_block_io, write_bps, &throttle_type),
	F_ARRAY("throttleReadIOPSDevice", struct oci_block_io, read_iops, &throttle_type),
	F_ARRAY("throttleWriteIOPSDevice", struct oci_block_io, write_iops, &throttle_type),
	F_END,
};
static const struct spec_type block_io_type = { sizeof(struct oci_block_io), block_io_fields };

static const struct spec_field hugepage_fields[] = {
	F_STR("pageSize", struct oci_hugepage_limit, page_size),
	F_U64("limit", struct oci_hugepage_limit, limit),
	F_END,
};
static const struct spec_type hugepage_type = {
	sizeof(struct oci_hugepage_limit),
	hugepage_fields,
};

static const struct spec_field if_priority_fields[] = {
	F_STR("name", struct oci_if_priority, name),
	F_U32("priority", struct oci_if_priority, priority),
	F_END,
};
static const struct spec_type if_priority_type = {
	sizeof(struct oci_if_priority),
	if_priority_fields,
};

static const struct spec_field rdma_fields[] = {
	F_KEY(struct oci_rdma, device),
	F_HU32("hcaHandles", struct oci_rdma, hca_handles),
	F_HU32("hcaObjects", struct oci_rdma, hca_objects),
	F_END,
};
static const struct spec_type rdma_type = { sizeof(struct oci_rdma), rdma_fields };

static const struct spec_field pids_fields[] = {
	F_HI64("limit", struct oci_resources, pids_limit),
	F_END,
};
static const struct spec_type pids_type = { sizeof(struct oci_resources), pids_fields };

static const struct spec_field network_fields[] = {
	F_HU32("classID", struct oci_resources, net_class_id),
	F_ARRAY("priorities", struct oci_resources, net_priorities, &if_priority_type),
	F_END,
};
static const struct spec_type network_type = { sizeof(struct oci_resources), network_fields };

static const struct spec_field resources_fields[] = {
	F_ARRAY("devices", struct oci_resources, devices, &rule_type),
	F_INLINE("memory", struct oci_resources, memory, &memory_type),
	F_INLINE("cpu", struct oci_resources, cpu, &cpu_type),
	F_FLAT("pids", &pids_type),
	F_INLINE("blockIO", struct oci_resources, block_io, &block_io_type),
	F_ARRAY("hugepageLimits", struct oci_resources, hugepage_limits, &hugepage_type),
	F_FLAT("network", &network_type),
	F_OBJMAP("rdma", struct oci_resources, rdma, &rdma_type),
	F_KVV("unified", struct oci_resources, unified),
	F_END,
};
const struct spec_type spec_resources_type = { sizeof(struct oci_resources), resources_fields };

/* ------------------------------------------------------------------ seccomp */

static const struct spec_word action_words[] = {
	{ "SCMP_ACT_KILL", OCI_SECCOMP_KILL },
	{ "SCMP_ACT_KILL_THREAD", OCI_SECCOMP_KILL },
	{ "SCMP_ACT_KILL_PROCESS", OCI_SECCOMP_KILL_PROCESS },
	{ "SCMP_ACT_TRAP", OCI_SECCOMP_TRAP },
	{ "SCMP_ACT_ERRNO", OCI_SECCOMP_ERRNO },
	{ "SCMP_ACT_TRACE", OCI_SECCOMP_TRACE },
	{ "SCMP_ACT_ALLOW", OCI_SECCOMP_ALLOW },
	{ "SCMP_ACT_LOG", OCI_SECCOMP_LOG },
	{ "SCMP_ACT_NOTIFY", OCI_SECCOMP_NOTIFY },
	{ NULL, 0 },
};

static const struct spec_word op_words[] = {
	{ "SCMP_CMP_NE", OCI_SECCOMP_NE },
	{ "SCMP_CMP_LT", OCI_SECCOMP_LT },
	{ "SCMP_CMP_LE", OCI_SECCOMP_LE },
	{ "SCMP_CMP_EQ", OCI_SECCOMP_EQ },
	{ "SCMP_CMP_GE", OCI_SECCOMP_GE },
	{ "SCMP_CMP_GT", OCI_SECCOMP_GT },
	{ "SCMP_CMP_MASKED_EQ", OCI_SECCOMP_MASKED_EQ },
	{ NULL, 0 },
};

static const struct spec_field arg_fields[] = {
	F_U32("index", struct oci_seccomp_arg, index),
	F_U64("value", struct oci_seccomp_arg, value),
	F_U64("valueTwo", struct oci_seccomp_arg, value_two),
	F_ENUM("op", struct oci_seccomp_arg, op, enum oci_seccomp_op, op_words),
	F_END,
};
static const struct spec_type arg_type = { sizeof(struct oci_seccomp_arg), arg_fields };

static const struct spec_field syscall_fields[] = {
	F_STRV("names", struct oci_seccomp_rule, names),
	F_ENUM("action", struct oci_seccomp_rule, action, enum oci_seccomp_action, action_words),
	F_HU32("errnoRet", struct oci_seccomp_rule, errno_ret),
	F_ARRAY("args", struct oci_seccomp_rule, args, &arg_type),
	F_END,
};
static const struct spec_type syscall_type = { sizeof(struct oci_seccomp_rule), syscall_fields };

static const struct spec_field seccomp_fields[] = {
	F_ENUM("defaultAction", struct oci_seccomp, default_action, enum oci_seccomp_action,
	       action_words),
	F_HU32("defaultErrnoRet", struct oci_seccomp, default_errno_ret),
	F_STRV("architectures", struct oci_seccomp, architectures),
	F_STRV("flags", struct oci_seccomp, flags),
	F_STR("listenerPath", struct oci_seccomp, listener_path),
	F_STR("listenerMetadata", struct oci_seccomp, listener_metadata),
	F_ARRAY("syscalls", struct oci_seccomp, syscalls, &syscall_type),
	F_END,
};
static const struct spec_type seccomp_type = { sizeof(struct oci_seccomp), seccomp_fields };

/* ------------------------------------------------------------------ the rest */

static const struct spec_field intel_rdt_fields[] = {
	F_STR("closID", struct oci_intel_rdt, clos_id),
	F_STRV("schemata", struct oci_intel_rdt, schemata),
	F_STR("l3CacheSchema", struct oci_intel_rdt, l3_cache_schema),
	F_STR("memBwSchema", struct oci_intel_rdt, mem_bw_schema),
	F_BOOL("enableMonitoring", struct oci_intel_rdt, enable_monitoring),
	F_BOOL("enableCMT", struct oci_intel_rdt, enable_cmt),
	F_BOOL("enableMBM", struct oci_intel_rdt, enable_mbm),
	F_END,
};
static const struct spec_type intel_rdt_type = { sizeof(struct oci_intel_rdt), intel_rdt_fields };

/* linux/mempolicy.h */
static const struct spec_word policy_words[] = {
	{ "MPOL_DEFAULT", 0 },
	{ "MPOL_PREFERRED", 1 },
	{ "MPOL_BIND", 2 },
	{ "MPOL_INTERLEAVE", 3 },
	{ "MPOL_LOCAL", 4 },
	{ "MPOL_PREFERRED_MANY", 5 },
	{ "MPOL_WEIGHTED_INTERLEAVE", 6 },
	{ NULL, 0 },
};

static const struct spec_word policy_flag_words[] = {
	{ "MPOL_F_NUMA_BALANCING", 1 << 13 },
	{ "MPOL_F_RELATIVE_NODES", 1 << 14 },
	{ "MPOL_F_STATIC_NODES", 1 << 15 },
	{ NULL, 0 },
};

static const struct spec_field memory_policy_fields[] = {
	F_HWORD("mode", struct oci_memory_policy, mode, policy_words),
	F_STR("nodes", struct oci_memory_policy, nodes),
	F_BITS("flags", struct oci_memory_policy, flags, policy_flag_words),
	F_END,
};
static const struct spec_type memory_policy_type = {
	sizeof(struct oci_memory_policy),
	memory_policy_fields,
};

/* linux/personality.h */
static const struct spec_word domain_words[] = { { "LINUX", 0 }, { "LINUX32", 8 }, { NULL, 0 } };

static const struct spec_field personality_fields[] = {
	F_HWORD("domain", struct oci_personality, domain, domain_words),
	F_STRV("flags", struct oci_personality, flags),
	F_END,
};
static const struct spec_type personality_type = {
	sizeof(struct oci_personality),
	personality_fields,
};

static const struct spec_field linux_fields[] = {
	F_ARRAY("namespaces", struct oci_linux, namespaces, &namespace_type),
	F_ARRAY("uidMappings", struct oci_linux, uid_mappings, &spec_id_map_type),
	F_ARRAY("gidMappings", struct oci_linux, gid_mappings, &spec_id_map_type),
	F_OBJMAP("timeOffsets", struct oci_linux, time_offsets, &time_offset_type),
	F_ARRAY("devices", struct oci_linux, devices, &device_type),
	F_OBJMAP("netDevices", struct oci_linux, net_devices, &net_device_type),
	F_STR("cgroupsPath", struct oci_linux, cgroups_path),
	F_PTR("resources", struct oci_linux, resources, &spec_resources_type),
	F_STR("rootfsPropagation", struct oci_linux, rootfs_propagation),
	F_PTR("seccomp", struct oci_linux, seccomp, &seccomp_type),
	F_KVV("sysctl", struct oci_linux, sysctl),
	F_STRV("maskedPaths", struct oci_linux, masked_paths),
	F_STRV("readonlyPaths", struct oci_linux, readonly_paths),
	F_STR("mountLabel", struct oci_linux, mount_label),
	F_PTR("intelRdt", struct oci_linux, intel_rdt, &intel_rdt_type),
	F_PTR("memoryPolicy", struct oci_linux, memory_policy, &memory_policy_type),
	F_PTR("personality", struct oci_linux, personality, &personality_type),
	F_END,
};
const struct spec_type spec_linux_type = { sizeof(struct oci_linux), linux_fields };
