/* SPDX-License-Identifier: Apache-2.0 */
/* machine - what a container's machine is made of: coracle.conf, `vm`, annotations. */
#include "runtime/machine.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "vmm/config.h"

#define ANNOTATION "run.coracle."
#define MAX_CONF (64u << 10) /* cap: bytes of coracle.conf */
#define HUGE_PAGE (2ull << 20)

/* The settings, in the order of machine_conf.annotations. */
enum setting { SET_KERNEL, SET_INITRD, SET_PARAMETERS, SET_VCPUS, SET_MEMORY, SET_DEBUG, SET_NESTED,
	       SET_NET };

static const char *const setting_names[] = {
	[SET_KERNEL] = "kernel", [SET_INITRD] = "initrd", [SET_PARAMETERS] = "parameters",
	[SET_VCPUS] = "vcpus",	 [SET_MEMORY] = "memory", [SET_DEBUG] = "debug",
	[SET_NESTED] = "nested", [SET_NET] = "net",
};
#define N_SETTINGS (sizeof(setting_names) / sizeof(setting_names[0]))

/* Return: its number, or -1. */
static int find_setting(const char *name, size_t n)
{
	for (size_t i = 0; i < N_SETTINGS; i++)
		if (strlen(setting_names[i]) == n && memcmp(setting_names[i], name, n) == 0)
			return (int)i;
	return -1;
}

/* ------------------------------------------------------------------ values */

static int parse_number(const char *text, uint64_t max, uint64_t *out, const char **out_end)
{
	char *end;
	unsigned long long v;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno != 0 || v > max)
		return -ERANGE;
	*out = v;
	*out_end = end;
	return 0;
}

static int set_vcpus(uint64_t n, uint32_t *out, struct err *e)
{
	if (n == 0 || n > VM_MAX_VCPUS)
		return err_set(e, EINVAL, "%llu CPUs are not in 1..%d", (unsigned long long)n,
			       VM_MAX_VCPUS);
	*out = (uint32_t)n;
	return 0;
}

static int set_memory(uint64_t bytes, uint64_t *out, struct err *e)
{
	if (bytes < VM_MIN_MEMORY || bytes > VM_MAX_MEMORY)
		return err_set(e, EINVAL, "%llu bytes are not in %lluM..%lluG",
			       (unsigned long long)bytes, VM_MIN_MEMORY >> 20, VM_MAX_MEMORY >> 30);
	*out = (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	return 0;
}

static int parse_vcpus(const char *text, uint32_t *out, struct err *e)
{
	const char *end;
	uint64_t n;

	if (parse_number(text, UINT32_MAX, &n, &end) < 0 || *end != '\0')
		return err_set(e, EINVAL, "\"%s\" is no number", text);
	return set_vcpus(n, out, e);
}

/* Bytes, or a number with K, M, G or T (powers of 1024). */
static int parse_memory(const char *text, uint64_t *out, struct err *e)
{
	static const char units[] = "KMGT";
	const char *end;
	const char *unit;
	unsigned shift = 0;
	uint64_t n;

	if (parse_number(text, UINT64_MAX >> 1, &n, &end) < 0)
		return err_set(e, EINVAL, "\"%s\" is no size", text);
	unit = *end ? strchr(units, *end) : NULL;
	if (unit)
		shift = 10u * (unsigned)(unit - units + 1);
	if (unit ? end[1] != '\0' : *end != '\0')
		return err_set(e, EINVAL, "\"%s\" is no size: bytes, or a number with K, M, G, T",
			       text);
	if (n > UINT64_MAX >> shift)
		return err_set(e, EINVAL, "\"%s\" is too much", text);
	return set_memory(n << shift, out, e);
}

static int parse_bool(const char *text, bool *out, struct err *e)
{
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
		return err_set(e, EINVAL, "\"%s\" is neither true nor false", text);
	*out = text[0] == 't';
	return 0;
}

static int parse_path(const char *text, char *out, struct err *e)
{
	if (text[0] != '/')
		return err_set(e, EINVAL, "\"%s\" is not an absolute path", text);
	if (strlen(text) >= PATH_MAX)
		return err_set(e, ENAMETOOLONG, "the path is too long");
	(void)snprintf(out, PATH_MAX, "%s", text);
	return 0;
}

/* Append to the parameters of the kernel. One line of printable characters, as the kernel reads it. */
static int add_parameters(const char *text, char *out, struct err *e)
{
	size_t have = strlen(out);

	for (const char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			return err_set(e, EINVAL, "a character that is not printable ASCII");
	if (have + 1 + strlen(text) >= MACHINE_PARAMETERS)
		return err_set(e, E2BIG, "kernel parameters of over %d bytes", MACHINE_PARAMETERS - 1);
	(void)snprintf(out + have, MACHINE_PARAMETERS - have, "%s%s", have && *text ? " " : "", text);
	return 0;
}

static int parse_net(const char *text, bool *out, struct err *e)
{
	if (strcmp(text, "pasta") != 0)
		return err_set(e, EINVAL, "\"%s\" is not pasta", text);
	*out = true;
	return 0;
}

static int set(struct machine_settings *s, enum setting which, const char *text, struct err *e)
{
	switch (which) {
	case SET_KERNEL:
		return parse_path(text, s->kernel, e);
	case SET_INITRD:
		return parse_path(text, s->initrd, e);
	case SET_PARAMETERS:
		return add_parameters(text, s->parameters, e);
	case SET_VCPUS:
		return parse_vcpus(text, &s->vcpus, e);
	case SET_MEMORY:
		return parse_memory(text, &s->memory_bytes, e);
	case SET_DEBUG:
		return parse_bool(text, &s->debug, e);
	case SET_NET:
		return parse_net(text, &s->pasta, e);
	default:
		return parse_bool(text, &s->nested, e);
	}
}

/* ------------------------------------------------------------------ coracle.conf */

/* `annotations = vcpus memory ...`, or nothing at all. */
static int parse_allowed(const char *text, uint32_t *out, struct err *e)
{
	uint32_t mask = 0;

	while (*text) {
		size_t n = strcspn(text, " \t");
		int i = find_setting(text, n);

		if (i < 0)
			return err_set(e, EINVAL, "\"%.*s\" is no setting that an annotation has",
				       (int)n, text);
		mask |= 1u << i;
		text += n;
		text += strspn(text, " \t");
	}
	*out = mask;
	return 0;
}

static int conf_set(struct machine_conf *c, const char *key, const char *value, struct err *e)
{
	int i = find_setting(key, strlen(key));

	if (i == SET_NET)
		return err_set(e, EINVAL, "only an annotation may say this: engines have networks");
	if (i >= 0)
		return set(&c->set, (enum setting)i, value, e);
	if (strcmp(key, "annotations") == 0)
		return parse_allowed(value, &c->annotations, e);
	if (strcmp(key, "max_vcpus") == 0)
		return parse_vcpus(value, &c->max_vcpus, e);
	if (strcmp(key, "max_memory") == 0)
		return parse_memory(value, &c->max_memory_bytes, e);
	return err_set(e, EINVAL, "unknown key");
}

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t\r");
	n = strlen(s);
	while (n > 0 && strchr(" \t\r", s[n - 1]))
		s[--n] = '\0';
	return s;
}

static int conf_line(struct machine_conf *c, char *line, struct err *e)
{
	char *key = trim(line);
	char *equals;

	if (*key == '\0' || *key == '#')
		return 0;
	equals = strchr(key, '=');
	if (!equals)
		return err_set(e, EINVAL, "not `key = value`");
	*equals = '\0';
	key = trim(key);
	return conf_set(c, key, trim(equals + 1), e) < 0 ? err_wrap(e, "%s", key) : 0;
}

int machine_conf_parse(const char *file, const char *text, struct machine_conf *out, struct err *e)
{
	OWN_FREE char *copy = strdup(text);
	char *next = copy;
	char *line;

	memset(out, 0, sizeof(*out));
	if (!copy)
		return err_set(e, ENOMEM, "out of memory");
	for (unsigned n = 1; (line = strsep(&next, "\n")) != NULL; n++)
		if (conf_line(out, line, e) < 0)
			return err_wrap(e, "%s:%u", file, n);
	return 0;
}

int machine_conf_load(const char *path, struct machine_conf *out, struct err *e)
{
	OWN_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	OWN_FREE char *text = NULL;
	struct stat st;
	size_t n;
	int r;

	memset(out, 0, sizeof(*out));
	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "open \"%s\"", path);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "\"%s\"", path);
	if (!S_ISREG(st.st_mode) || (st.st_mode & S_IWOTH))
		return err_set(e, EPERM, "%s: not a file, or one that everybody may write", path);
	r = io_read_all(fd, MAX_CONF, &text, &n);
	if (r < 0)
		return err_set(e, -r, "%s: read: %s", path, strerror(-r));
	if (strlen(text) != n)
		return err_set(e, EINVAL, "%s: a NUL character", path);
	return machine_conf_parse(path, text, out, e);
}

/* ------------------------------------------------------------------ config.json */

static int take_kernel(const struct oci_vm_kernel *k, struct machine_settings *s, struct err *e)
{
	if (k->path && parse_path(k->path, s->kernel, e) < 0)
		return err_wrap(e, "config.json: vm.kernel.path");
	if (k->initrd && parse_path(k->initrd, s->initrd, e) < 0)
		return err_wrap(e, "config.json: vm.kernel.initrd");
	for (size_t i = 0; i < k->n_parameters; i++)
		if (add_parameters(k->parameters[i], s->parameters, e) < 0)
			return err_wrap(e, "config.json: vm.kernel.parameters[%zu]", i);
	return 0;
}

/* Hardware that is passed through belongs to Xen-like hypervisors. */
static int take_hardware(const struct oci_vm_hw *h, struct machine_settings *s, struct err *e)
{
	const char *no = h->device_tree ? "deviceTree" :
			 h->n_dtdevs	? "dtdevs" :
			 h->n_iomems	? "iomems" :
			 h->n_irqs	? "irqs" :
					  NULL;

	if (no)
		return err_set(e, ENOTSUP, "config.json: vm.hwConfig.%s: not supported", no);
	if (h->has_vcpus && set_vcpus(h->vcpus, &s->vcpus, e) < 0)
		return err_wrap(e, "config.json: vm.hwConfig.vcpus");
	if (h->has_memory && set_memory(h->memory, &s->memory_bytes, e) < 0)
		return err_wrap(e, "config.json: vm.hwConfig.memory");
	return 0;
}

static int take_vm(const struct oci_vm *vm, const char *vmm, struct machine_settings *s,
		   struct err *e)
{
	const struct oci_vm_hypervisor *h = vm->hypervisor;

	if (h && h->path && strcmp(h->path, vmm) != 0)
		return err_set(e, ENOTSUP, "config.json: vm.hypervisor.path: only \"%s\" is possible",
			       vmm);
	if (h && h->n_parameters > 0)
		return err_set(e, ENOTSUP, "config.json: vm.hypervisor.parameters: not supported");
	if (vm->image)
		return err_set(e, ENOTSUP,
			       "config.json: vm.image: not supported; root.path is the root file system");
	if (vm->kernel && take_kernel(vm->kernel, s, e) < 0)
		return -e->code;
	return vm->hw_config ? take_hardware(vm->hw_config, s, e) : 0;
}

static int take_annotation(const struct machine_conf *c, const struct oci_kv *a,
			   struct machine_settings *s, struct err *e)
{
	const char *name = a->key + strlen(ANNOTATION);
	int i = find_setting(name, strlen(name));

	if (i < 0)
		(void)err_set(e, EINVAL, "unknown");
	else if (!(c->annotations & (1u << i)))
		(void)err_set(e, EPERM,
			      "not allowed on this host; `annotations = %s` in coracle.conf would "
			      "allow it",
			      name);
	else if (set(s, (enum setting)i, a->value ? a->value : "", e) == 0)
		return 0;
	return err_wrap(e, "config.json: annotations[\"%s\"]", a->key);
}

static int check_limits(const struct machine_conf *c, const struct machine_settings *s,
			struct err *e)
{
	if (c->max_vcpus && s->vcpus > c->max_vcpus)
		return err_set(e, EPERM, "%u CPUs are over max_vcpus of coracle.conf, %u", s->vcpus,
			       c->max_vcpus);
	if (c->max_memory_bytes && s->memory_bytes > c->max_memory_bytes)
		return err_set(e, EPERM, "%lluM of memory are over max_memory of coracle.conf, %lluM",
			       (unsigned long long)s->memory_bytes >> 20,
			       (unsigned long long)c->max_memory_bytes >> 20);
	return 0;
}

int machine_settle(const struct machine_conf *conf, const struct oci_spec *spec, const char *vmm,
		   struct machine_settings *out, struct err *e)
{
	*out = conf->set;
	out->vcpus = 0; /* sizes of the host are for containers that say nothing, limits included */
	out->memory_bytes = 0;
	if (spec->vm && take_vm(spec->vm, vmm, out, e) < 0)
		return -e->code;
	for (size_t i = 0; i < spec->n_annotations; i++) {
		const struct oci_kv *a = &spec->annotations[i];

		if (strncmp(a->key, ANNOTATION, strlen(ANNOTATION)) == 0 &&
		    take_annotation(conf, a, out, e) < 0)
			return -e->code;
	}
	return check_limits(conf, out, e);
}
