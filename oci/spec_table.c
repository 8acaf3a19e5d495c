/* SPDX-License-Identifier: Apache-2.0 */
/* spec_table - the keys of config.md and config-vm.md. */
#include "oci/spec_table.h"

#include <assert.h>
#include <stdbool.h>
#include <sys/resource.h>

#include "oci/spec.h"

/* ------------------------------------------------------------------ process */

static const struct spec_field user_fields[] = {
	F_U32("uid", struct oci_user, uid),
	F_U32("gid", struct oci_user, gid),
	F_HU32("umask", struct oci_user, umask),
	F_U32V("additionalGids", struct oci_user, additional_gids),
	F_STR("username", struct oci_user, username),
	F_END,
};
static const struct spec_type user_type = { sizeof(struct oci_user), user_fields };

static const struct spec_field capabilities_fields[] = {
	F_STRV("bounding", struct oci_capabilities, bounding),
	F_STRV("effective", struct oci_capabilities, effective),
	F_STRV("inheritable", struct oci_capabilities, inheritable),
	F_STRV("permitted", struct oci_capabilities, permitted),
	F_STRV("ambient", struct oci_capabilities, ambient),
	F_END,
};
static const struct spec_type capabilities_type = {
	sizeof(struct oci_capabilities),
	capabilities_fields,
};

/* getrlimit(2) */
static const struct spec_word rlimit_words[] = {
	{ "RLIMIT_AS", RLIMIT_AS },
	{ "RLIMIT_CORE", RLIMIT_CORE },
	{ "RLIMIT_CPU", RLIMIT_CPU },
	{ "RLIMIT_DATA", RLIMIT_DATA },
	{ "RLIMIT_FSIZE", RLIMIT_FSIZE },
	{ "RLIMIT_LOCKS", RLIMIT_LOCKS },
	{ "RLIMIT_MEMLOCK", RLIMIT_MEMLOCK },
	{ "RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "RLIMIT_NICE", RLIMIT_NICE },
	{ "RLIMIT_NOFILE", RLIMIT_NOFILE },
	{ "RLIMIT_NPROC", RLIMIT_NPROC },
	{ "RLIMIT_RSS", RLIMIT_RSS },
	{ "RLIMIT_RTPRIO", RLIMIT_RTPRIO },
	{ "RLIMIT_RTTIME", RLIMIT_RTTIME },
	{ "RLIMIT_SIGPENDING", RLIMIT_SIGPENDING },
	{ "RLIMIT_STACK", RLIMIT_STACK },
	{ NULL, 0 },
};

static const struct spec_field rlimit_fields[] = {
	F_HWORD("type", struct oci_rlimit, resource, rlimit_words),
	F_U64("soft", struct oci_rlimit, soft),
	F_U64("hard", struct oci_rlimit, hard),
	F_END,
};
static const struct spec_type rlimit_type = { sizeof(struct oci_rlimit), rlimit_fields };

/* linux/sched.h; ISO is reserved there and kept by the specification. */
static const struct spec_word sched_policy_words[] = {
	{ "SCHED_OTHER", 0 },
	{ "SCHED_FIFO", 1 },
	{ "SCHED_RR", 2 },
	{ "SCHED_BATCH", 3 },
	{ "SCHED_ISO", 4 },
	{ "SCHED_IDLE", 5 },
	{ "SCHED_DEADLINE", 6 },
	{ NULL, 0 },
};

static const struct spec_word sched_flag_words[] = {
	{ "SCHED_FLAG_RESET_ON_FORK", 0x01 },
	{ "SCHED_FLAG_RECLAIM", 0x02 },
	{ "SCHED_FLAG_DL_OVERRUN", 0x04 },
	{ "SCHED_FLAG_KEEP_POLICY", 0x08 },
	{ "SCHED_FLAG_KEEP_PARAMS", 0x10 },
	{ "SCHED_FLAG_UTIL_CLAMP_MIN", 0x20 },
	{ "SCHED_FLAG_UTIL_CLAMP_MAX", 0x40 },
	{ NULL, 0 },
};

static const struct spec_field scheduler_fields[] = {
	F_HWORD("policy", struct oci_scheduler, policy, sched_policy_words),
	F_I32("nice", struct oci_scheduler, nice),
	F_I32("priority", struct oci_scheduler, priority),
	F_BITS("flags", struct oci_scheduler, flags, sched_flag_words),
	F_U64("runtime", struct oci_scheduler, runtime),
	F_U64("deadline", struct oci_scheduler, deadline),
	F_U64("period", struct oci_scheduler, period),
	F_END,
};
static const struct spec_type scheduler_type = { sizeof(struct oci_scheduler), scheduler_fields };

/* linux/ioprio.h */
static const struct spec_word io_class_words[] = {
	{ "IOPRIO_CLASS_RT", 1 },
	{ "IOPRIO_CLASS_BE", 2 },
	{ "IOPRIO_CLASS_IDLE", 3 },
	{ NULL, 0 },
};

static const struct spec_field io_priority_fields[] = {
	F_ENUM("class", struct oci_io_priority, class, int32_t, io_class_words),
	F_I32("priority", struct oci_io_priority, priority),
	F_END,
};
static const struct spec_type io_priority_type = {
	sizeof(struct oci_io_priority),
	io_priority_fields,
};

static const struct spec_field console_size_fields[] = {
	F_U32("height", struct oci_process, console_height),
	F_U32("width", struct oci_process, console_width),
	F_END,
};
static const struct spec_type console_size_type = {
	sizeof(struct oci_process),
	console_size_fields,
};

static const struct spec_field affinity_fields[] = {
	F_STR("initial", struct oci_process, cpu_affinity_initial),
	F_STR("final", struct oci_process, cpu_affinity_final),
	F_END,
};
static const struct spec_type affinity_type = { sizeof(struct oci_process), affinity_fields };

static const struct spec_field process_fields[] = {
	F_HBOOL("terminal", struct oci_process, terminal),
	{ "consoleSize", SPEC_INLINE, 0, SPEC_HAS(struct oci_process, console_size),
	  &console_size_type, NULL },
	F_HINLINE("user", struct oci_process, user, &user_type),
	F_STRV("args", struct oci_process, args),
	F_STRV("env", struct oci_process, env),
	F_STR("cwd", struct oci_process, cwd),
	F_PTR("capabilities", struct oci_process, capabilities, &capabilities_type),
	F_ARRAY("rlimits", struct oci_process, rlimits, &rlimit_type),
	F_HBOOL("noNewPrivileges", struct oci_process, no_new_privileges),
	F_STR("apparmorProfile", struct oci_process, apparmor_profile),
	F_HI32("oomScoreAdj", struct oci_process, oom_score_adj),
	F_STR("selinuxLabel", struct oci_process, selinux_label),
	F_PTR("ioPriority", struct oci_process, io_priority, &io_priority_type),
	F_PTR("scheduler", struct oci_process, scheduler, &scheduler_type),
	F_FLAT("execCPUAffinity", &affinity_type),
	F_END,
};
const struct spec_type spec_process_type = { sizeof(struct oci_process), process_fields };

/* ------------------------------------------------------------------ root, mounts, hooks */

static const struct spec_field root_fields[] = {
	F_STR("path", struct oci_root, path),
	F_BOOL("readonly", struct oci_root, readonly),
	F_END,
};
static const struct spec_type root_type = { sizeof(struct oci_root), root_fields };

static const struct spec_field id_map_fields[] = {
	F_U32("containerID", struct oci_id_map, container_id),
	F_U32("hostID", struct oci_id_map, host_id),
	F_U32("size", struct oci_id_map, size),
	F_END,
};
const struct spec_type spec_id_map_type = { sizeof(struct oci_id_map), id_map_fields };

static const struct spec_field mount_fields[] = {
	F_STR("destination", struct oci_mount, destination),
	F_STR("source", struct oci_mount, source),
	F_STR("type", struct oci_mount, type),
	F_STRV("options", struct oci_mount, options),
	F_ARRAY("uidMappings", struct oci_mount, uid_mappings, &spec_id_map_type),
	F_ARRAY("gidMappings", struct oci_mount, gid_mappings, &spec_id_map_type),
	F_END,
};
static const struct spec_type mount_type = { sizeof(struct oci_mount), mount_fields };

static const struct spec_field hook_fields[] = {
	F_STR("path", struct oci_hook, path),
	F_STRV("args", struct oci_hook, args),
	F_STRV("env", struct oci_hook, env),
	F_HI32("timeout", struct oci_hook, timeout),
	F_END,
};
static const struct spec_type hook_type = { sizeof(struct oci_hook), hook_fields };

#define F_HOOKS(k, kind) \
	{ k, SPEC_ARRAY, offsetof(struct oci_spec, hooks[kind].v), \
	  offsetof(struct oci_spec, hooks[kind].n), &hook_type, NULL }

static const struct spec_field hooks_fields[] = {
	F_HOOKS("prestart", OCI_HOOK_PRESTART),
	F_HOOKS("createRuntime", OCI_HOOK_CREATE_RUNTIME),
	F_HOOKS("createContainer", OCI_HOOK_CREATE_CONTAINER),
	F_HOOKS("startContainer", OCI_HOOK_START_CONTAINER),
	F_HOOKS("poststart", OCI_HOOK_POSTSTART),
	F_HOOKS("poststop", OCI_HOOK_POSTSTOP),
	F_END,
};
static const struct spec_type hooks_type = { sizeof(struct oci_spec), hooks_fields };

const char *oci_hook_name(enum oci_hook_kind kind)
{
	return hooks_fields[kind].key; /* rows stand in the order of the enum */
}

static_assert(sizeof(hooks_fields) / sizeof(hooks_fields[0]) == OCI_HOOK_KINDS + 1,
	      "one row for each kind of hook");

/* ------------------------------------------------------------------ vm */

static const struct spec_field hypervisor_fields[] = {
	F_STR("path", struct oci_vm_hypervisor, path),
	F_STRV("parameters", struct oci_vm_hypervisor, parameters),
	F_END,
};
static const struct spec_type hypervisor_type = {
	sizeof(struct oci_vm_hypervisor),
	hypervisor_fields,
};

static const struct spec_field kernel_fields[] = {
	F_STR("path", struct oci_vm_kernel, path),
	F_STRV("parameters", struct oci_vm_kernel, parameters),
	F_STR("initrd", struct oci_vm_kernel, initrd),
	F_END,
};
static const struct spec_type kernel_type = { sizeof(struct oci_vm_kernel), kernel_fields };

static const struct spec_field image_fields[] = {
	F_STR("path", struct oci_vm_image, path),
	F_STR("format", struct oci_vm_image, format),
	F_END,
};
static const struct spec_type image_type = { sizeof(struct oci_vm_image), image_fields };

static const struct spec_field iomem_fields[] = {
	F_U64("firstGFN", struct oci_vm_iomem, first_gfn),
	F_U64("firstMFN", struct oci_vm_iomem, first_mfn),
	F_U64("nrMFNs", struct oci_vm_iomem, nr_mfns),
	F_END,
};
static const struct spec_type iomem_type = { sizeof(struct oci_vm_iomem), iomem_fields };

static const struct spec_field hw_fields[] = {
	F_STR("deviceTree", struct oci_vm_hw, device_tree),
	F_HU32("vcpus", struct oci_vm_hw, vcpus),
	F_HU64("memory", struct oci_vm_hw, memory),
	F_STRV("dtdevs", struct oci_vm_hw, dtdevs),
	F_ARRAY("iomems", struct oci_vm_hw, iomems, &iomem_type),
	F_U32V("irqs", struct oci_vm_hw, irqs),
	F_END,
};
static const struct spec_type hw_type = { sizeof(struct oci_vm_hw), hw_fields };

static const struct spec_field vm_fields[] = {
	F_PTR("hypervisor", struct oci_vm, hypervisor, &hypervisor_type),
	F_PTR("kernel", struct oci_vm, kernel, &kernel_type),
	F_PTR("image", struct oci_vm, image, &image_type),
	F_PTR("hwConfig", struct oci_vm, hw_config, &hw_type),
	F_END,
};
static const struct spec_type vm_type = { sizeof(struct oci_vm), vm_fields };

/* ------------------------------------------------------------------ the document */

static const struct spec_field document_fields[] = {
	F_STR("ociVersion", struct oci_spec, oci_version),
	F_PTR("process", struct oci_spec, process, &spec_process_type),
	F_PTR("root", struct oci_spec, root, &root_type),
	F_STR("hostname", struct oci_spec, hostname),
	F_STR("domainname", struct oci_spec, domainname),
	F_ARRAY("mounts", struct oci_spec, mounts, &mount_type),
	F_FLAT("hooks", &hooks_type),
	F_KVV("annotations", struct oci_spec, annotations),
	{ "linux", SPEC_INLINE, offsetof(struct oci_spec, lnx), SPEC_HAS(struct oci_spec, linux),
	  &spec_linux_type, NULL },
	F_PTR("vm", struct oci_spec, vm, &vm_type),
	F_END,
};
const struct spec_type spec_document_type = { sizeof(struct oci_spec), document_fields };
