/* SPDX-License-Identifier: Apache-2.0 */
/* template - the config.json that `spec` writes for people to start from; as runc's. */
#include "oci/template.h"

#include <stddef.h>

#include "oci/json.h"
#include "oci/spec.h"
#include "runtime/base/own.h"

static const char *const template_args[] = { "sh", NULL };

static const char *const template_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"TERM=xterm",
	NULL,
};

static const char *const template_caps[] = {
	"CAP_AUDIT_WRITE",
	"CAP_KILL",
	"CAP_NET_BIND_SERVICE",
	NULL,
};

static const char *const template_masked[] = {
	"/proc/acpi",	      "/proc/asound",	      "/proc/kcore",
	"/proc/keys",	      "/proc/latency_stats",  "/proc/timer_list",
	"/proc/timer_stats",  "/proc/sched_debug",    "/proc/scsi",
	"/sys/firmware",      "/sys/devices/virtual/powercap", NULL,
};

static const char *const template_readonly[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

static const char *const template_namespaces[] = {
	"pid", "ipc", "uts", "mount", "network", "cgroup", NULL,
};

#define TEMPLATE_MAX_OPTIONS 8

/*
 * The same for the rootless: runc binds the host's /sys there, since an unprivileged sysfs needs
 * a network namespace of one's own; ours is the guest's.
 */
static const struct template_mount {
	const char *destination;
	const char *type;
	const char *source;
	const char *options[TEMPLATE_MAX_OPTIONS];
	const char *root_option; /* not for the rootless */
} template_mounts[] = {
	{ "/proc", "proc", "proc", { NULL }, NULL },
	{ "/dev", "tmpfs", "tmpfs", { "nosuid", "strictatime", "mode=755", "size=65536k" }, NULL },
	{ "/dev/pts", "devpts", "devpts",
	  { "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620" },
	  "gid=5" }, /* gid 5 is not mapped there */
	{ "/dev/shm", "tmpfs", "shm",
	  { "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" }, NULL },
	{ "/dev/mqueue", "mqueue", "mqueue", { "nosuid", "noexec", "nodev" }, NULL },
	{ "/sys", "sysfs", "sysfs", { "nosuid", "noexec", "nodev", "ro" }, NULL },
	{ "/sys/fs/cgroup", "cgroup", "cgroup",
	  { "nosuid", "noexec", "nodev", "relatime", "ro" }, NULL },
};

static void put_mount(struct json_out *o, const struct template_mount *m, bool rootless)
{
	json_out_object(o);
	json_out_key_str(o, "destination", m->destination);
	json_out_key_str(o, "type", m->type);
	json_out_key_str(o, "source", m->source);
	if (m->options[0]) {
		json_out_key(o, "options");
		json_out_array(o);
		for (const char *const *option = m->options; *option; option++)
			json_out_str(o, *option);
		if (m->root_option && !rootless)
			json_out_str(o, m->root_option);
		json_out_array_end(o);
	}
	json_out_object_end(o);
}

static void put_mounts(struct json_out *o, bool rootless)
{
	json_out_key(o, "mounts");
	json_out_array(o);
	for (size_t i = 0; i < sizeof(template_mounts) / sizeof(template_mounts[0]); i++)
		put_mount(o, &template_mounts[i], rootless);
	json_out_array_end(o);
}

static void put_rlimits(struct json_out *o)
{
	json_out_key(o, "rlimits");
	json_out_array(o);
	json_out_object(o);
	json_out_key_str(o, "type", "RLIMIT_NOFILE");
	json_out_key_int(o, "hard", 1024);
	json_out_key_int(o, "soft", 1024);
	json_out_object_end(o);
	json_out_array_end(o);
}

static void put_process(struct json_out *o)
{
	json_out_key(o, "process");
	json_out_object(o);
	json_out_key_bool(o, "terminal", true);
	json_out_key(o, "user");
	json_out_object(o);
	json_out_key_int(o, "uid", 0);
	json_out_key_int(o, "gid", 0);
	json_out_object_end(o);
	json_out_key_strv(o, "args", template_args);
	json_out_key_strv(o, "env", template_env);
	json_out_key_str(o, "cwd", "/");
	json_out_key(o, "capabilities");
	json_out_object(o);
	json_out_key_strv(o, "bounding", template_caps);
	json_out_key_strv(o, "effective", template_caps);
	json_out_key_strv(o, "permitted", template_caps);
	json_out_object_end(o);
	put_rlimits(o);
	json_out_key_bool(o, "noNewPrivileges", true);
	json_out_object_end(o);
}

static void put_namespaces(struct json_out *o, bool rootless)
{
	json_out_key(o, "namespaces");
	json_out_array(o);
	for (const char *const *type = template_namespaces; *type; type++) {
		json_out_object(o);
		json_out_key_str(o, "type", *type);
		json_out_object_end(o);
	}
	if (rootless) {
		json_out_object(o);
		json_out_key_str(o, "type", "user");
		json_out_object_end(o);
	}
	json_out_array_end(o);
}

static void put_id_map(struct json_out *o, const char *key, uint32_t host_id)
{
	json_out_key(o, key);
	json_out_array(o);
	json_out_object(o);
	json_out_key_int(o, "containerID", 0);
	json_out_key_int(o, "hostID", host_id);
	json_out_key_int(o, "size", 1);
	json_out_object_end(o);
	json_out_array_end(o);
}

/* No device but the default ones; the rootless have no cgroup to say that in. */
static void put_resources(struct json_out *o)
{
	json_out_key(o, "resources");
	json_out_object(o);
	json_out_key(o, "devices");
	json_out_array(o);
	json_out_object(o);
	json_out_key_bool(o, "allow", false);
	json_out_key_str(o, "access", "rwm");
	json_out_object_end(o);
	json_out_array_end(o);
	json_out_object_end(o);
}

static void put_linux(struct json_out *o, const struct template_opts *opts)
{
	json_out_key(o, "linux");
	json_out_object(o);
	if (opts->rootless) {
		put_id_map(o, "uidMappings", opts->host_uid);
		put_id_map(o, "gidMappings", opts->host_gid);
	} else {
		put_resources(o);
	}
	put_namespaces(o, opts->rootless);
	json_out_key_strv(o, "maskedPaths", template_masked);
	json_out_key_strv(o, "readonlyPaths", template_readonly);
	json_out_object_end(o);
}

int template_format(const struct template_opts *opts, char **out_text)
{
	OWN(json_out_cleanup) struct json_out *o = json_out_new(true);

	json_out_object(o);
	json_out_key_str(o, "ociVersion", OCI_VERSION_MAX);
	put_process(o);
	json_out_key(o, "root");
	json_out_object(o);
	json_out_key_str(o, "path", "rootfs");
	json_out_key_bool(o, "readonly", true);
	json_out_object_end(o);
	json_out_key_str(o, "hostname", "coracle");
	put_mounts(o, opts->rootless);
	put_linux(o, opts);
	json_out_object_end(o);
	return json_out_end(o, out_text);
}
