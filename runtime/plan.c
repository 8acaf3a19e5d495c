/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan - what will be done for a container: spec + facts -> shares, machine, guest program. Pure.
 *
 * What is not built and would change what the container sees is refused here, by its JSON path.
 */
#include "runtime/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>

#include "runtime/notify.h"

/* kernel-config/README.md says why each is there. */
#define BASE_CMDLINE "reboot=t panic=-1 noreplace-smp dummy.numdummies=0 virtio_net.napi_tx=0"

/* Descriptors of the VMM beside the file server's. */
#define FDS_RESERVED 512u
#define FS_FDS_WANTED 65536u
#define FS_FDS_LEAST 256u

static int refuse(struct err *e, const char *path)
{
	return err_set(e, ENOTSUP, "config.json: %s: not supported yet", path);
}

int plan_check_process(const struct oci_process *p, struct err *e)
{
	if (!p)
		return err_set(e, EINVAL, "config.json: process: must be present");
	/*
	 * execCPUAffinity is about exec'd processes (config.md). Labels and profiles are the host's: what
	 * they would confine is behind the guest's kernel, and the VMM has a jail of its own.
	 */
	return 0;
}

static int check_namespaces(const struct oci_spec *s, struct err *e)
{
	for (size_t i = 0; i < s->lnx.n_namespaces; i++) {
		const struct oci_namespace *ns = &s->lnx.namespaces[i];

		if (ns->path && (ns->type == OCI_NS_PID || ns->type == OCI_NS_TIME))
			return err_set(e, ENOTSUP,
				       "config.json: linux.namespaces[%zu].path: the %s of another "
				       "container can't be shared: each is a machine of its own",
				       i, ns->type == OCI_NS_PID ? "processes" : "clocks");
	}
	if (!oci_spec_ns(s, OCI_NS_MOUNT))
		return err_set(e, EINVAL,
			       "config.json: linux.namespaces: a mount namespace is needed");
	return 0;
}

/* Everything of config.json that we don't do. */
static int check_supported(const struct oci_spec *s, struct err *e)
{
	if (s->lnx.n_net_devices)
		return refuse(e, "linux.netDevices");
	if (s->lnx.intel_rdt)
		return refuse(e, "linux.intelRdt");
	if (s->lnx.memory_policy)
		return refuse(e, "linux.memoryPolicy");
	if (plan_check_process(s->process, e) < 0)
		return -e->code;
	return check_namespaces(s, e);
}

/* Ourselves as root, then the ids that the host grants us. Return: number of lines. */
static size_t default_map(struct oci_id_map *out, uint32_t own, const struct oci_id_map *range)
{
	out[0] = (struct oci_id_map){ 0, own, 1 };
	out[1] = (struct oci_id_map){ 1, range->host_id, range->size };
	return range->size > 0 ? 2 : 1;
}

static void plan_ids(struct plan *p, const struct host_facts *f)
{
	const struct oci_linux *l = &p->spec->lnx;

	p->uid_map = l->uid_mappings;
	p->n_uid_map = l->n_uid_mappings;
	p->gid_map = l->gid_mappings;
	p->n_gid_map = l->n_gid_mappings;
	if (p->n_uid_map == 0 && p->n_gid_map == 0) {
		bool both = f->sub_uids.size > 0 && f->sub_gids.size > 0;
		const struct oci_id_map none = { 0 };

		p->uid_map = p->default_uids;
		p->gid_map = p->default_gids;
		p->n_uid_map = default_map(p->default_uids, f->euid, both ? &f->sub_uids : &none);
		p->n_gid_map = default_map(p->default_gids, f->egid, both ? &f->sub_gids : &none);
	}
	p->single_id = p->n_uid_map == 1 && p->uid_map[0].size == 1;
}

/*
 * The container's pid namespace is the guest's, and the monitor lives where create does. But an engine in
 * a user namespace, as podman is without root, must be able to enter the published pid's (podman cp), and
 * may not enter the host's. There the monitor gets one of its own.
 */
static bool plan_pids(const struct oci_spec *s, const struct host_facts *f)
{
	return f->can_mount && f->foreign_pids && oci_spec_ns(s, OCI_NS_PID);
}

static void plan_namespaces(struct plan *p, const struct host_facts *f)
{
	const struct oci_namespace *net = oci_spec_ns(p->spec, OCI_NS_NETWORK);

	const struct oci_namespace *user = oci_spec_ns(p->spec, OCI_NS_USER);

	p->new_userns = user && !user->path;
	p->join_userns = user && user->path;
	for (size_t i = 0; i < p->spec->lnx.n_namespaces; i++)
		p->late_userns |= p->new_userns && p->spec->lnx.namespaces[i].path;
	if (p->new_userns)
		plan_ids(p, f);
	p->new_pidns = plan_pids(p->spec, f);
	p->new_netns = net && !net->path;
	p->join_netns = net ? net->path : NULL;
	p->join_netns_index = net ? (size_t)(net - p->spec->lnx.namespaces) : 0;
}

/*
 * The first container of a pod is there to hold its namespaces: containerd and CRI-O say so, podman's runs
 * nothing but its own program that waits. A machine for it would take the pod's interfaces, and memory.
 */
static bool is_holder(const struct oci_spec *s)
{
	const char *type = oci_spec_annotation(s, "io.kubernetes.cri.container-type");
	const struct oci_process *p = s->process;

	if (!type)
		type = oci_spec_annotation(s, "io.kubernetes.cri-o.ContainerType");
	if (type)
		return strcmp(type, "sandbox") == 0;
	return p->n_args == 2 && strcmp(p->args[0], "/catatonit") == 0 && strcmp(p->args[1], "-P") == 0;
}

/* linux.resources; of `devices` nothing is left to do: no device of the host is in the guest. */
static int plan_limits(struct plan *p, const struct host_facts *f, struct err *e)
{
	const struct oci_resources *r = p->spec->lnx.resources;
	const struct size_facts size = {
		.memory_bytes = f->memory_bytes,
		.default_memory = f->conf.set.memory_bytes ? f->conf.set.memory_bytes :
							     PLAN_DEFAULT_MEMORY,
		.machine_memory = p->machine.memory_bytes,
		.cpus = f->cpus,
		.max_vcpus = VM_MAX_VCPUS,
	};

	if (plan_size(r, &size, &p->size, e) < 0 ||
	    resources_writes(r, &p->size, NULL, &p->host_cgroup, &p->guest_cgroup, e) < 0)
		return err_wrap(e, "config.json");
	return 0;
}

/* A namespace without names of its own begins with those of the host (uts_namespaces(7)). */
static void plan_names(struct plan *p, const struct host_facts *f)
{
	const struct oci_spec *s = p->spec;

	(void)snprintf(p->hostname, sizeof(p->hostname), "%s", s->hostname ? s->hostname : f->hostname);
	(void)snprintf(p->domainname, sizeof(p->domainname), "%s",
		       s->domainname ? s->domainname : f->domainname);
}

static int plan_machine(struct plan *p, const struct host_facts *f, struct err *e)
{
	const struct machine_settings *m = &p->machine;
	const struct machine_conf *c = &f->conf;

	if (machine_settle(c, p->spec, f->vmm, &p->machine, e) < 0 || plan_limits(p, f, e) < 0)
		return -e->code;
	if (m->pasta && p->join_netns)
		return err_set(e, EINVAL,
			       "config.json: annotations[\"run.coracle.net\"]: the network namespace "
			       "of linux.namespaces[%zu].path is somebody else's",
			       p->join_netns_index);
	if (m->pasta && !p->new_userns)
		return err_set(e, ENOTSUP,
			       "config.json: annotations[\"run.coracle.net\"]: pasta gives its rights up "
			       "before it enters a namespace: not without a user namespace of the "
			       "container's own (linux.namespaces)");
	p->new_netns |= m->pasta;
	p->memory_bytes = p->size.memory_bytes;
	if (c->max_memory_bytes && p->memory_bytes > c->max_memory_bytes)
		return err_set(e, EPERM,
			       "config.json: linux.resources.memory: %lluM of RAM are over max_memory of "
			       "coracle.conf, %lluM",
			       (unsigned long long)p->memory_bytes >> 20,
			       (unsigned long long)c->max_memory_bytes >> 20);
	p->vcpus = m->vcpus ? m->vcpus : p->size.vcpus ? p->size.vcpus : c->set.vcpus;
	p->vcpus = p->vcpus ? p->vcpus : 1;
	if (c->max_vcpus && p->vcpus > c->max_vcpus)
		p->vcpus = c->max_vcpus;
	p->kernel = m->kernel[0] ? m->kernel : f->kernel;
	p->initrd = m->initrd[0] ? m->initrd : f->initrd;
	p->debug = f->debug || m->debug;
	if (f->selinux && p->spec->process->selinux_label && *p->spec->process->selinux_label)
		p->vmm_label = p->spec->process->selinux_label;
	p->fs_max_fds = FS_FDS_WANTED;
	if (f->nofile < FS_FDS_WANTED + FDS_RESERVED)
		p->fs_max_fds = f->nofile > FDS_RESERVED ? f->nofile - FDS_RESERVED : 0;
	if (p->fs_max_fds < FS_FDS_LEAST)
		return err_set(e, EMFILE,
			       "the limit of open files is %u; at least %u are needed (ulimit -n)",
			       f->nofile, FDS_RESERVED + FS_FDS_LEAST);
	(void)snprintf(p->cmdline, sizeof(p->cmdline), "console=hvc0%s %s%s%s",
		       p->debug ? "" : " quiet", BASE_CMDLINE, m->parameters[0] ? " " : "",
		       m->parameters);
	return 0;
}

int plan_build(const struct oci_spec *spec, const struct host_facts *facts, const char *bundle,
	       struct plan *out, struct err *e)
{
	int n;

	memset(out, 0, sizeof(*out));
	out->spec = spec;
	if (check_supported(spec, e) < 0)
		return -e->code;
	if (!facts->can_mount && !oci_spec_ns(spec, OCI_NS_USER))
		return err_set(e, EPERM,
			       "config.json: linux.namespaces: an unprivileged user needs a user "
			       "namespace in it (see `coracle spec --rootless`)");
	if (spec->root->path[0] == '/')
		n = snprintf(out->rootfs, sizeof(out->rootfs), "%s", spec->root->path);
	else
		n = snprintf(out->rootfs, sizeof(out->rootfs), "%s/%s", bundle, spec->root->path);
	if (n < 0 || (size_t)n >= sizeof(out->rootfs))
		return err_set(e, ENAMETOOLONG, "config.json: root.path: too long");
	out->root_readonly = spec->root->readonly;
	out->terminal = spec->process->terminal;
	out->stdin_null = facts->stdin_null && !out->terminal;
	plan_namespaces(out, facts);
	out->holder = is_holder(spec);
	plan_names(out, facts);
	if (guest_seccomp_compile(spec->lnx.seccomp, &out->filter, e) < 0)
		return err_wrap(e, "config.json");
	if (plan_mounts(out, facts->sources, e) < 0)
		return -e->code;
	notify_plan(out, facts->notify_socket);
	return plan_machine(out, facts, e);
}

bool plan_create_hooks(const struct plan *p)
{
	const struct oci_hook_list *h = p->spec->hooks;

	return h[OCI_HOOK_PRESTART].n > 0 || h[OCI_HOOK_CREATE_RUNTIME].n > 0 ||
	       h[OCI_HOOK_CREATE_CONTAINER].n > 0;
}

static void fini_mount(struct plan_mount *m)
{
	free(m->own_dest);
	free(m->idmount.own);
}

void plan_fini(struct plan *p)
{
	for (size_t i = 0; i < p->n_mounts; i++)
		fini_mount(&p->mounts[i]);
	free(p->mounts);
	cgroup_writes_fini(&p->host_cgroup);
	cgroup_writes_fini(&p->guest_cgroup);
	p->mounts = NULL;
	guest_filter_fini(&p->filter);
}
