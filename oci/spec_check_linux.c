/* SPDX-License-Identifier: Apache-2.0 */
/* spec_check_linux - config-linux.md, except resources. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "oci/spec_check_internal.h"

#define NS_PER_SECOND 1000000000u
/* IFNAMSIZ of linux/if.h, with the NUL */
#define IF_NAME_SIZE 16
/* MAX_ERRNO of linux/err.h */
#define ERRNO_MAX 4095

/* config-linux.md "Namespaces": types MUST NOT be duplicated, paths MUST be absolute */
static int check_namespaces(const struct oci_linux *lnx, struct err *e)
{
	uint32_t seen = 0;
	char where[64];
	int r = 0;

	for (size_t i = 0; i < lnx->n_namespaces && r == 0; i++) {
		const struct oci_namespace *ns = &lnx->namespaces[i];
		uint32_t bit = UINT32_C(1) << ns->type;

		if (ns->type == OCI_NS_NONE)
			return err_set(e, EINVAL, "linux.namespaces[%zu].type: must be present",
				       i);
		if (seen & bit)
			return err_set(e, EINVAL, "linux.namespaces[%zu]: a second %s namespace",
				       i, oci_ns_name(ns->type));
		seen |= bit;
		(void)snprintf(where, sizeof(where), "linux.namespaces[%zu].path", i);
		r = check_absolute_if(where, ns->path, e);
	}
	return r;
}

/* config-linux.md "Offset for Time Namespace" */
static int check_time_offsets(const struct oci_spec *spec, struct err *e)
{
	for (size_t i = 0; i < spec->lnx.n_time_offsets; i++) {
		const struct oci_time_offset *t = &spec->lnx.time_offsets[i];

		if (strcmp(t->clock, "monotonic") != 0 && strcmp(t->clock, "boottime") != 0)
			return err_set(e, EINVAL, "linux.timeOffsets: unknown clock \"%s\"",
				       t->clock);
		if (t->nanosecs >= NS_PER_SECOND)
			return err_set(e, EINVAL,
				       "linux.timeOffsets.%s.nanosecs: must be below 1000000000",
				       t->clock);
		if (!oci_spec_ns(spec, OCI_NS_TIME))
			return err_set(e, EINVAL, "linux.timeOffsets: needs a time namespace");
	}
	return 0;
}

int check_device_numbers(const char *where, int64_t major, int64_t minor, struct err *e)
{
	if (major < 0 || major > 0xfff || minor < 0 || minor > 0xfffff)
		return err_set(e, EINVAL, "%s: no such device number: %" PRId64 ":%" PRId64, where,
			       major, minor);
	return 0;
}

/* config-linux.md "Devices". The mode may come with its file type: podman copies st_mode. */
static int check_device(const struct oci_device *d, size_t i, struct err *e)
{
	char where[64];
	int r;

	(void)snprintf(where, sizeof(where), "linux.devices[%zu].path", i);
	r = check_absolute(where, d->path, e);
	if (r < 0)
		return r;
	if (!d->type)
		return err_set(e, EINVAL, "linux.devices[%zu].type: must be present", i);
	if (d->file_mode > 0177777)
		return err_set(e, EINVAL, "linux.devices[%zu].fileMode: 0%o is no mode", i,
			       d->file_mode);
	if (d->type == 'p')
		return 0;
	(void)snprintf(where, sizeof(where), "linux.devices[%zu]", i);
	return check_device_numbers(where, d->major, d->minor, e);
}

/* dev_valid_name() of the kernel */
static bool is_if_name(const char *name)
{
	return *name && strlen(name) < IF_NAME_SIZE && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 && name[strcspn(name, "/: \t\n\v\f\r%")] == '\0';
}

/* config-linux.md "Network Devices" */
static int check_net_devices(const struct oci_linux *lnx, struct err *e)
{
	for (size_t i = 0; i < lnx->n_net_devices; i++) {
		const struct oci_net_device *d = &lnx->net_devices[i];

		if (!is_if_name(d->host_name))
			return err_set(e, EINVAL, "linux.netDevices: not an interface name: \"%s\"",
				       d->host_name);
		if (d->name && !is_if_name(d->name))
			return err_set(e, EINVAL,
				       "linux.netDevices.%s.name: not an interface name: \"%s\"",
				       d->host_name, d->name);
	}
	return 0;
}

static bool has_dotdot(const char *path, const char *separators)
{
	while (*path) {
		size_t n = strcspn(path, separators);

		if (n == 2 && path[0] == '.' && path[1] == '.')
			return true;
		path += n;
		path += strspn(path, separators);
	}
	return false;
}

/*
 * Keys become paths below /proc/sys, dots as slashes (or slashes written as such, sysctl(8)), so
 * they must not leave it. Which may be set is the guest's own matter: it is not our kernel.
 */
static int check_sysctl(const struct oci_linux *lnx, struct err *e)
{
	for (size_t i = 0; i < lnx->n_sysctl; i++) {
		const char *key = lnx->sysctl[i].key;
		bool bad = !*key || *key == '/' || *key == '.' || strstr(key, "..") ||
			   key[strcspn(key, " \t\r\n")];

		if (bad)
			return err_set(e, EINVAL, "linux.sysctl: not a key: \"%s\"", key);
	}
	return 0;
}

static int check_paths(const char *what, char *const *paths, size_t n, struct err *e)
{
	char where[64];
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		(void)snprintf(where, sizeof(where), "linux.%s[%zu]", what, i);
		r = check_absolute(where, paths[i], e);
	}
	return r;
}

/* config-linux.md "Rootfs Mount Propagation"; crun takes the recursive words as well */
static int check_propagation(const char *word, struct err *e)
{
	static const char *const words[] = {
		"shared",  "slave",  "private",	 "unbindable",
		"rshared", "rslave", "rprivate", "runbindable",
	};

	if (!word)
		return 0;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i], word) == 0)
			return 0;
	return err_set(e, EINVAL, "linux.rootfsPropagation: unknown value \"%s\"", word);
}

static int check_seccomp_args(const struct oci_seccomp_rule *rule, size_t i, struct err *e)
{
	for (size_t k = 0; k < rule->n_args; k++) {
		if (rule->args[k].index > 5) /* seccomp(2): struct seccomp_data */
			return err_set(e, EINVAL,
				       "linux.seccomp.syscalls[%zu].args[%zu].index: %u is not in "
				       "0 to 5",
				       i, k, rule->args[k].index);
		if (rule->args[k].op == OCI_SECCOMP_OP_NONE)
			return err_set(e, EINVAL,
				       "linux.seccomp.syscalls[%zu].args[%zu].op: must be present",
				       i, k);
	}
	return 0;
}

static int check_seccomp_rule(const struct oci_seccomp *s, size_t i, struct err *e)
{
	const struct oci_seccomp_rule *rule = &s->syscalls[i];

	if (rule->n_names == 0) /* "names MUST contain at least one entry" */
		return err_set(e, EINVAL, "linux.seccomp.syscalls[%zu].names: must not be empty",
			       i);
	if (rule->action == OCI_SECCOMP_NONE)
		return err_set(e, EINVAL, "linux.seccomp.syscalls[%zu].action: must be present",
			       i);
	if (rule->action == OCI_SECCOMP_ERRNO && rule->errno_ret > ERRNO_MAX)
		return err_set(e, EINVAL, "linux.seccomp.syscalls[%zu].errnoRet: %u is no errno", i,
			       rule->errno_ret);
	if (rule->action == OCI_SECCOMP_NOTIFY && !s->listener_path)
		return err_set(e, EINVAL,
			       "linux.seccomp.syscalls[%zu].action: SCMP_ACT_NOTIFY needs "
			       "listenerPath",
			       i);
	return check_seccomp_args(rule, i, e);
}

/* config-linux.md "Seccomp". Names of architectures and flags belong to libseccomp. */
int check_seccomp(const struct oci_seccomp *s, struct err *e)
{
	int r = 0;

	if (s->default_action == OCI_SECCOMP_NONE)
		return err_set(e, EINVAL, "linux.seccomp.defaultAction: must be present");
	if (s->default_action == OCI_SECCOMP_ERRNO && s->default_errno_ret > ERRNO_MAX)
		return err_set(e, EINVAL, "linux.seccomp.defaultErrnoRet: %u is no errno",
			       s->default_errno_ret);
	/* As runc: everything would wait for the agent, even what sends the descriptor to it. */
	if (s->default_action == OCI_SECCOMP_NOTIFY)
		return err_set(e, EINVAL,
			       "linux.seccomp.defaultAction: must not be SCMP_ACT_NOTIFY");
	/* "MUST NOT be set if listenerPath is not set" */
	if (s->listener_metadata && !s->listener_path)
		return err_set(e, EINVAL, "linux.seccomp.listenerMetadata: needs listenerPath");
	for (size_t i = 0; i < s->n_syscalls && r == 0; i++)
		r = check_seccomp_rule(s, i, e);
	return r;
}

/* closID is the name of a directory below /sys/fs/resctrl (config-linux.md "IntelRdt"). */
static int check_intel_rdt(const struct oci_intel_rdt *rdt, struct err *e)
{
	const char *id = rdt->clos_id;

	if (id && (strcmp(id, ".") == 0 || strcmp(id, "..") == 0 ||
		   (strchr(id, '/') && strcmp(id, "/") != 0)))
		return err_set(e, EINVAL, "linux.intelRdt.closID: not a name: \"%s\"", id);
	return 0;
}

static int check_small_objects(const struct oci_linux *lnx, struct err *e)
{
	if (lnx->memory_policy && !lnx->memory_policy->has_mode)
		return err_set(e, EINVAL, "linux.memoryPolicy.mode: must be present");
	if (lnx->personality && !lnx->personality->has_domain)
		return err_set(e, EINVAL, "linux.personality.domain: must be present");
	/* "the flags [...] currently there are none" */
	if (lnx->personality && lnx->personality->n_flags)
		return err_set(e, EINVAL, "linux.personality.flags: unknown value \"%s\"",
			       lnx->personality->flags[0]);
	/* A path of cgroupfs or slice:prefix:name of systemd; no way up in either. */
	if (lnx->cgroups_path && has_dotdot(lnx->cgroups_path, "/:"))
		return err_set(e, EINVAL, "linux.cgroupsPath: must not contain \"..\"");
	return lnx->memory_policy ?
		       check_list("linux.memoryPolicy.nodes", lnx->memory_policy->nodes, e) :
		       0;
}

static int check_ids_and_devices(const struct oci_linux *lnx, struct err *e)
{
	int r = id_maps_check("linux.uidMappings", lnx->uid_mappings, lnx->n_uid_mappings, e);

	if (r == 0)
		r = id_maps_check("linux.gidMappings", lnx->gid_mappings, lnx->n_gid_mappings, e);
	for (size_t i = 0; i < lnx->n_devices && r == 0; i++)
		r = check_device(&lnx->devices[i], i, e);
	if (r == 0)
		r = check_net_devices(lnx, e);
	return r;
}

int check_linux(const struct oci_spec *spec, struct err *e)
{
	const struct oci_linux *lnx = &spec->lnx;
	int r = check_namespaces(lnx, e);

	if (r == 0)
		r = check_ids_and_devices(lnx, e);
	if (r == 0)
		r = check_time_offsets(spec, e);
	if (r == 0 && lnx->resources)
		r = resources_check(lnx->resources, e);
	if (r == 0)
		r = check_propagation(lnx->rootfs_propagation, e);
	if (r == 0 && lnx->seccomp)
		r = check_seccomp(lnx->seccomp, e);
	if (r == 0)
		r = check_sysctl(lnx, e);
	if (r == 0)
		r = check_paths("maskedPaths", lnx->masked_paths, lnx->n_masked_paths, e);
	if (r == 0)
		r = check_paths("readonlyPaths", lnx->readonly_paths, lnx->n_readonly_paths, e);
	if (r == 0 && lnx->intel_rdt)
		r = check_intel_rdt(lnx->intel_rdt, e);
	return r == 0 ? check_small_objects(lnx, e) : r;
}
