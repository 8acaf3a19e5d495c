/* SPDX-License-Identifier: Apache-2.0 */
/* features - the document of runtime-spec features.md: what this runtime can do. */
#include "oci/features.h"

#include <stdbool.h>
#include <stddef.h>

#include "oci/cap_names.h"
#include "oci/json.h"
#include "oci/spec.h"
#include "runtime/base/own.h"

/* ------------------------------------------------------------------ edit here */

static const char *const feature_hooks[] = {
	"prestart",	  "createRuntime", "createContainer",
	"startContainer", "poststart",	   "poststop",	      NULL,
};

static const char *const feature_namespaces[] = {
	"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts", NULL,
};

static const struct {
	bool cgroup_v1, cgroup_v2, cgroup_systemd, cgroup_systemd_user, cgroup_rdma;
	bool seccomp, apparmor, selinux, intel_rdt, idmap, net_devices;
} feature_built = {
	.cgroup_v2 = true,
	.cgroup_rdma = true,
	.cgroup_systemd = true,
	.cgroup_systemd_user = true,
	.seccomp = true,
	.selinux = true,
	.idmap = true,
};

static const char *const feature_seccomp_actions[] = {
	"SCMP_ACT_ALLOW",	 "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS",
	"SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG",	  "SCMP_ACT_TRACE", "SCMP_ACT_TRAP", NULL,
};

/* What belongs to listeners is accepted, and does nothing without them. */
static const char *const feature_seccomp_flags[] = {
	"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
	"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", NULL,
};

static const char *const feature_seccomp_operators[] = {
	"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE",
	"SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE", NULL,
};

static const char *const feature_seccomp_archs[] = {
	"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM",	  "SCMP_ARCH_MIPSEL",	"SCMP_ARCH_MIPSEL64",
	"SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64", "SCMP_ARCH_X32",
	"SCMP_ARCH_X86",	 "SCMP_ARCH_X86_64", NULL,
};

/* Annotations that change how well a container is kept in: names, or prefixes ending in ".". */
static const char *const feature_unsafe_annotations[] = { "run.coracle.", "run.oci.systemd.subgroup",
							   "org.systemd.property.", NULL };

/* ------------------------------------------------------------------ writing */

static void put_enabled(struct json_out *o, const char *key, bool enabled)
{
	json_out_key(o, key);
	json_out_object(o);
	json_out_key_bool(o, "enabled", enabled);
	json_out_object_end(o);
}

static void put_capabilities(struct json_out *o)
{
	json_out_key(o, "capabilities");
	json_out_array(o);
	for (unsigned int i = 0; i < CAP_NAMES_COUNT; i++)
		json_out_str(o, cap_name(i));
	json_out_array_end(o);
}

static void put_cgroup(struct json_out *o)
{
	json_out_key(o, "cgroup");
	json_out_object(o);
	json_out_key_bool(o, "v1", feature_built.cgroup_v1);
	json_out_key_bool(o, "v2", feature_built.cgroup_v2);
	json_out_key_bool(o, "systemd", feature_built.cgroup_systemd);
	json_out_key_bool(o, "systemdUser", feature_built.cgroup_systemd_user);
	json_out_key_bool(o, "rdma", feature_built.cgroup_rdma);
	json_out_object_end(o);
}

static void put_seccomp(struct json_out *o)
{
	json_out_key(o, "seccomp");
	json_out_object(o);
	json_out_key_bool(o, "enabled", feature_built.seccomp);
	if (feature_built.seccomp) {
		json_out_key_strv(o, "actions", feature_seccomp_actions);
		json_out_key_strv(o, "operators", feature_seccomp_operators);
		json_out_key_strv(o, "archs", feature_seccomp_archs);
		json_out_key_strv(o, "knownFlags", feature_seccomp_flags);
		json_out_key_strv(o, "supportedFlags", feature_seccomp_flags);
	}
	json_out_object_end(o);
}

static void put_linux(struct json_out *o)
{
	json_out_key(o, "linux");
	json_out_object(o);
	json_out_key_strv(o, "namespaces", feature_namespaces);
	put_capabilities(o);
	put_cgroup(o);
	put_seccomp(o);
	put_enabled(o, "apparmor", feature_built.apparmor);
	put_enabled(o, "selinux", feature_built.selinux);
	put_enabled(o, "intelRdt", feature_built.intel_rdt);
	json_out_key(o, "mountExtensions");
	json_out_object(o);
	put_enabled(o, "idmap", feature_built.idmap);
	json_out_object_end(o);
	put_enabled(o, "netDevices", feature_built.net_devices);
	json_out_object_end(o);
}

int features_format(const char *version, const char *commit, const char *const *mount_options, char **out_text)
{
	OWN(json_out_cleanup) struct json_out *o = json_out_new(true);

	json_out_object(o);
	json_out_key_str(o, "ociVersionMin", OCI_VERSION_MIN);
	json_out_key_str(o, "ociVersionMax", OCI_VERSION_MAX);
	json_out_key_strv(o, "hooks", feature_hooks);
	json_out_key_strv(o, "mountOptions", mount_options);
	put_linux(o);
	json_out_key(o, "annotations");
	json_out_object(o);
	json_out_key_str(o, "org.coracle.version", version);
	json_out_key_str(o, "org.coracle.commit", commit);
	json_out_object_end(o);
	json_out_key_strv(o, "potentiallyUnsafeConfigAnnotations", feature_unsafe_annotations);
	json_out_object_end(o);
	return json_out_end(o, out_text);
}
