/* SPDX-License-Identifier: Apache-2.0 */
/* spec_check - config.md and config-vm.md; the process and linux have files of their own. */
#include "oci/spec_check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "oci/spec_check_internal.h"

/* user_namespaces(7), "Defining user and group ID mappings" */
#define ID_MAPS_MAX 340

void spec_warn(struct spec_warnings *w, const char *fmt, ...)
{
	va_list ap;

	if (!w)
		return;
	if (w->n < SPEC_MAX_WARNINGS) {
		va_start(ap, fmt);
		(void)vsnprintf(w->text[w->n], sizeof(w->text[0]), fmt, ap);
		va_end(ap);
	}
	w->n++;
}

int check_absolute(const char *where, const char *path, struct err *e)
{
	if (!path)
		return err_set(e, EINVAL, "%s: must be present", where);
	if (path[0] != '/')
		return err_set(e, EINVAL, "%s: must be an absolute path, found \"%s\"", where,
			       path);
	return 0;
}

int check_absolute_if(const char *where, const char *path, struct err *e)
{
	return path ? check_absolute(where, path, e) : 0;
}

int check_list(const char *where, const char *list, struct err *e)
{
	if (list && list[strspn(list, "0123456789,- \n")] != '\0')
		return err_set(e, EINVAL, "%s: not a list such as 0-3,7: \"%s\"", where, list);
	return 0;
}

static bool ranges_overlap(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size)
{
	return (uint64_t)a < (uint64_t)b + b_size && (uint64_t)b < (uint64_t)a + a_size;
}

/* The kernel's own rules (user_namespaces(7)): it takes the whole list or nothing. */
static int check_id_map(const char *where, const struct oci_id_map *maps, size_t i, struct err *e)
{
	const struct oci_id_map *m = &maps[i];
	uint32_t end;

	if (m->size == 0)
		return err_set(e, EINVAL, "%s[%zu].size: must not be 0", where, i);
	if (__builtin_add_overflow(m->container_id, m->size, &end) ||
	    __builtin_add_overflow(m->host_id, m->size, &end))
		return err_set(e, EINVAL, "%s[%zu]: goes beyond the largest id", where, i);
	for (size_t k = 0; k < i; k++)
		if (ranges_overlap(m->container_id, m->size, maps[k].container_id, maps[k].size) ||
		    ranges_overlap(m->host_id, m->size, maps[k].host_id, maps[k].size))
			return err_set(e, EINVAL, "%s[%zu]: overlaps with %s[%zu]", where, i,
				       where, k);
	return 0;
}

int id_maps_check(const char *where, const struct oci_id_map *maps, size_t n, struct err *e)
{
	int r = 0;

	if (n > ID_MAPS_MAX)
		return err_set(e, EINVAL, "%s: more than %d mappings", where, ID_MAPS_MAX);
	for (size_t i = 0; i < n && r == 0; i++)
		r = check_id_map(where, maps, i, e);
	return r;
}

/* Skip one part of a version. Return: what follows, NULL when there is no number. */
static const char *skip_number(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n == 0 || (n > 1 && s[0] == '0') ? NULL : s + n;
}

/* config.md "Specification version": SemVer 2.0.0; every 1.x is compatible. */
static int check_version(const char *version, struct err *e)
{
	const char *s = version;

	if (!version)
		return err_set(e, EINVAL, "ociVersion: must be present");
	for (int part = 0; s && part < 3; part++) {
		s = skip_number(s);
		if (s && part < 2)
			s = *s == '.' ? s + 1 : NULL;
	}
	if (!s || (*s && *s != '-' && *s != '+'))
		return err_set(e, EINVAL, "ociVersion: not a version: \"%s\"", version);
	if (strncmp(version, "1.", 2) != 0)
		return err_set(e, EINVAL, "ociVersion: %s is not supported, only 1.x", version);
	return 0;
}

/* config.md "Mounts" */
static int check_mount(const struct oci_mount *m, size_t i, struct spec_warnings *w, struct err *e)
{
	char where[64];
	int r;

	(void)snprintf(where, sizeof(where), "mounts[%zu].destination", i);
	r = check_absolute(where, m->destination, e);
	if (r < 0)
		return r;
	if (m->was_relative)
		spec_warn(w, "%s: \"%s\" was not absolute", where, m->destination + 1);
	/* "If [one is] specified, [the other] MUST also be specified" (POSIX-platform Mounts) */
	if (!m->n_uid_mappings != !m->n_gid_mappings)
		return err_set(e, EINVAL,
			       "mounts[%zu]: uidMappings and gidMappings need each other", i);
	(void)snprintf(where, sizeof(where), "mounts[%zu].uidMappings", i);
	r = id_maps_check(where, m->uid_mappings, m->n_uid_mappings, e);
	if (r < 0)
		return r;
	(void)snprintf(where, sizeof(where), "mounts[%zu].gidMappings", i);
	return id_maps_check(where, m->gid_mappings, m->n_gid_mappings, e);
}

/* config.md "POSIX-platform Hooks" */
static int check_hooks(const struct oci_spec *spec, struct err *e)
{
	char where[64];
	int r = 0;

	for (enum oci_hook_kind kind = 0; kind < OCI_HOOK_KINDS; kind++) {
		for (size_t i = 0; i < spec->hooks[kind].n && r == 0; i++) {
			const struct oci_hook *h = &spec->hooks[kind].v[i];

			(void)snprintf(where, sizeof(where), "hooks.%s[%zu].path",
				       oci_hook_name(kind), i);
			r = check_absolute(where, h->path, e);
			if (r == 0 && h->has_timeout && h->timeout <= 0)
				r = err_set(e, EINVAL,
					    "hooks.%s[%zu].timeout: must be greater than zero",
					    oci_hook_name(kind), i);
		}
	}
	return r;
}

static bool is_hostname_char(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && c != '/';
}

/* sethostname(2): at most 64 bytes. Without a namespace of its own it would rename the host. */
static int check_uts_name(const struct oci_spec *spec, const char *where, const char *name,
			  struct err *e)
{
	if (!name)
		return 0;
	if (!oci_spec_ns(spec, OCI_NS_UTS))
		return err_set(e, EINVAL, "%s: needs a uts namespace", where);
	if (strlen(name) > 64)
		return err_set(e, EINVAL, "%s: longer than 64 bytes", where);
	for (const char *p = name; *p; p++)
		if (!is_hostname_char(*p))
			return err_set(e, EINVAL, "%s: not a name: \"%s\"", where, name);
	return 0;
}

/* config.md "Annotations": keys MUST NOT be an empty string. */
static int check_annotations(const struct oci_spec *spec, struct err *e)
{
	for (size_t i = 0; i < spec->n_annotations; i++)
		if (!*spec->annotations[i].key)
			return err_set(e, EINVAL, "annotations: a key must not be empty");
	return 0;
}

/* config-vm.md "Virtual Machine Image" */
static int check_vm_image(const struct oci_vm_image *image, struct err *e)
{
	static const char *const formats[] = { "raw", "qcow2", "vdi", "vmdk", "vhd" };
	int r = check_absolute("vm.image.path", image->path, e);

	if (r < 0)
		return r;
	if (!image->format)
		return err_set(e, EINVAL, "vm.image.format: must be present");
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (strcmp(image->format, formats[i]) == 0)
			return 0;
	return err_set(e, EINVAL, "vm.image.format: unknown value \"%s\"", image->format);
}

int check_vm(const struct oci_vm *vm, struct err *e)
{
	int r = 0;

	if (vm->hypervisor)
		r = check_absolute("vm.hypervisor.path", vm->hypervisor->path, e);
	if (r == 0 && vm->kernel)
		r = check_absolute("vm.kernel.path", vm->kernel->path, e);
	if (r == 0 && vm->kernel)
		r = check_absolute_if("vm.kernel.initrd", vm->kernel->initrd, e);
	if (r == 0 && vm->image)
		r = check_vm_image(vm->image, e);
	if (r < 0 || !vm->hw_config)
		return r;
	if (vm->hw_config->has_vcpus && vm->hw_config->vcpus == 0)
		return err_set(e, EINVAL, "vm.hwConfig.vcpus: must not be 0");
	if (vm->hw_config->has_memory && vm->hw_config->memory == 0)
		return err_set(e, EINVAL, "vm.hwConfig.memory: must not be 0");
	return 0;
}

int process_check(const struct oci_process *process, struct spec_warnings *warnings, struct err *e)
{
	return check_process(process, false, warnings, e);
}

int spec_check(const struct oci_spec *spec, struct spec_warnings *warnings, struct err *e)
{
	int r = check_version(spec->oci_version, e);

	/* config.md "Root": REQUIRED everywhere but on Windows with Hyper-V */
	if (r == 0 && (!spec->root || !spec->root->path))
		r = err_set(e, EINVAL, "root.path: must be present");
	if (r == 0 && spec->process)
		r = check_process(spec->process, true, warnings, e);
	for (size_t i = 0; i < spec->n_mounts && r == 0; i++)
		r = check_mount(&spec->mounts[i], i, warnings, e);
	if (r == 0)
		r = check_hooks(spec, e);
	if (r == 0)
		r = check_linux(spec, e);
	if (r == 0)
		r = check_uts_name(spec, "hostname", spec->hostname, e);
	if (r == 0)
		r = check_uts_name(spec, "domainname", spec->domainname, e);
	if (r == 0)
		r = check_annotations(spec, e);
	if (r == 0 && spec->vm)
		r = check_vm(spec->vm, e);
	return r;
}
