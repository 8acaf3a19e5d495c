/* SPDX-License-Identifier: Apache-2.0 */
/* test_machine - coracle.conf, the `vm` section and annotations: what each may say, and who wins. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/machine.h"
#include "tests/unit/tap.h"

#define VMM "/usr/libexec/coracle/coracle-vmm"

static struct machine_conf conf;
static struct machine_settings got;

static const struct {
	const char *text;
	const char *says; /* NULL: it is fine */
} lines[] = {
	{ "", NULL },
	{ "# nothing = here\n\n  \t\n", NULL },
	{ "vcpus=2", NULL },
	{ "  vcpus\t=  2 \r\n", NULL },
	{ "memory = 512M", NULL },
	{ "memory = 33554432", NULL },
	{ "memory = 1T", NULL },
	{ "annotations = vcpus memory", NULL },
	{ "annotations =", NULL },
	{ "parameters = a=b c", NULL },
	{ "vcpu = 2", "f:1: vcpu: unknown key" },
	{ "\nVCPUS = 2", "f:2: VCPUS: unknown key" },
	{ "vcpus", "f:1: not `key = value`" },
	{ "= 2", "f:1: : unknown key" },
	{ "vcpus =", "f:1: vcpus: \"\" is no number" },
	{ "vcpus = 0", "f:1: vcpus: 0 CPUs" },
	{ "vcpus = 33", "f:1: vcpus: 33 CPUs" },
	{ "vcpus = -1", "f:1: vcpus: \"-1\" is no number" },
	{ "vcpus = 99999999999999999999", "f:1: vcpus: " },
	{ "vcpus = 2 # two", "f:1: vcpus: \"2 # two\" is no number" },
	{ "memory = 1M", "f:1: memory: 1048576 bytes are not in 32M..1024G" },
	{ "memory = 2T", "f:1: memory: 2199023255552 bytes" },
	{ "memory = 512m", "is no size" },
	{ "memory = 512MB", "is no size" },
	{ "memory = 99999999999999T", "too much" },
	{ "memory = M", "is no size" },
	{ "kernel = vmlinux", "f:1: kernel: \"vmlinux\" is not an absolute path" },
	{ "debug = yes", "f:1: debug: \"yes\" is neither true nor false" },
	{ "annotations = vcpus all", "f:1: annotations: \"all\" is no setting" },
	{ "parameters = caf\xc3\xa9", "f:1: parameters: a character" },
};

static void test_lines(void)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct err e = { 0 };
		int r = machine_conf_parse("f", lines[i].text, &conf, &e);

		if (lines[i].says)
			ok(r < 0 && strstr(e.msg, lines[i].says), "line %zu: %s", i, e.msg);
		else
			ok(r == 0, "line %zu is fine %s", i, e.msg);
	}
}

static void test_conf(void)
{
	struct err e = { 0 };

	is_int(machine_conf_parse("f",
				  "kernel = /k\ninitrd=/i\nvcpus = 4\nmemory = 1G\nparameters = a\n"
				  "parameters = b\nmax_vcpus = 8\nmax_memory = 2G\nnested = true\n"
				  "annotations = vcpus  debug\n",
				  &conf, &e),
	       0, "conf: all keys");
	is_str(conf.set.kernel, "/k", "conf: kernel");
	is_str(conf.set.initrd, "/i", "conf: initrd");
	is_str(conf.set.parameters, "a b", "conf: parameters add up");
	ok(conf.set.vcpus == 4 && conf.max_vcpus == 8, "conf: CPUs");
	ok(conf.set.memory_bytes == 1ull << 30 && conf.max_memory_bytes == 2ull << 30, "conf: memory");
	ok(conf.set.nested && !conf.set.debug, "conf: switches");
	is_int(conf.annotations, 1 << 3 | 1 << 5, "conf: allowed annotations");
}

/* Settle one annotation, and a `vm` section or none. Return: as machine_settle(). */
static int settle(const char *key, const char *value, struct oci_vm *vm, struct err *e)
{
	struct oci_kv a = { (char *)(uintptr_t)key, (char *)(uintptr_t)value };
	struct oci_spec s = { .annotations = &a, .n_annotations = key != NULL, .vm = vm };

	memset(e, 0, sizeof(*e));
	return machine_settle(&conf, &s, VMM, &got, e);
}

static void test_annotations(void)
{
	struct err e = { 0 };

	is_int(machine_conf_parse("f", "", &conf, &e), 0, "annotations: no coracle.conf");
	is_int(settle("run.coracle.vcpus", "2", NULL, &e), -EPERM, "annotations: none counts");
	ok(strstr(e.msg, "annotations[\"run.coracle.vcpus\"]: not allowed"), "annotations: %s", e.msg);
	is_int(settle("run.coracle.kernel", "/etc/shadow", NULL, &e), -EPERM, "annotations: no path");
	is_int(settle("run.coracle.cpus", "2", NULL, &e), -EINVAL, "annotations: an unknown one");
	is_int(settle("org.example.vcpus", "2", NULL, &e), 0, "annotations: of others");
	is_int(settle("run.coraclevcpus", "2", NULL, &e), 0, "annotations: nearly ours");
	is_int(machine_conf_parse("f", "vcpus = 4\nmax_vcpus = 6\nannotations = vcpus memory\n", &conf, &e),
	       0, "annotations: a policy");
	is_int(settle("run.coracle.vcpus", "2", NULL, &e), 0, "annotations: allowed");
	is_int(got.vcpus, 2, "annotations: stronger than coracle.conf");
	is_int(settle("run.coracle.vcpus", "7", NULL, &e), -EPERM, "annotations: over the host's limit");
	is_int(settle("run.coracle.vcpus", "", NULL, &e), -EINVAL, "annotations: empty");
	is_int(settle("run.coracle.memory", "100M", NULL, &e), 0, "annotations: memory");
	is_int(got.memory_bytes, 100ll << 20, "annotations: memory as said");
	is_int(settle("run.coracle.debug", "true", NULL, &e), -EPERM, "annotations: others are not");
	is_int(settle(NULL, NULL, NULL, &e), 0, "annotations: none at all");
	is_int(got.vcpus, 0, "annotations: then the limits count, then coracle.conf");
}

static void test_vm(void)
{
	char *parameters[] = { (char[]){ "a=b" }, (char[]){ "c" }, (char[]){ "d\n" } };
	struct oci_vm_kernel k = { .path = (char[]){ "/k" }, .parameters = parameters, .n_parameters = 2 };
	struct oci_vm_hw hw = { .has_vcpus = true, .vcpus = 3, .has_memory = true, .memory = 99999999 };
	struct oci_vm_hypervisor h = { .path = (char[]){ VMM } };
	struct oci_vm vm = { .kernel = &k, .hw_config = &hw, .hypervisor = &h };
	struct err e = { 0 };

	is_int(machine_conf_parse("f", "parameters = z\nvcpus = 1\nannotations = vcpus\n", &conf, &e), 0,
	       "vm: a host");
	is_int(settle(NULL, NULL, &vm, &e), 0, "vm: taken");
	ok(got.vcpus == 3 && got.memory_bytes == 96ull << 20, "vm: memory in whole huge pages");
	is_str(got.parameters, "z a=b c", "vm: parameters after the host's");
	is_int(settle("run.coracle.vcpus", "2", &vm, &e), 0, "vm: with an annotation");
	is_int(got.vcpus, 2, "vm: the annotation is stronger");
	k.n_parameters = 3;
	is_int(settle(NULL, NULL, &vm, &e), -EINVAL, "vm: a line break in a parameter");
	ok(strstr(e.msg, "vm.kernel.parameters[2]"), "vm: %s", e.msg);
	k.n_parameters = 0;
	hw.vcpus = 33;
	is_int(settle(NULL, NULL, &vm, &e), -EINVAL, "vm: too many CPUs");
	ok(strstr(e.msg, "vm.hwConfig.vcpus"), "vm: %s", e.msg);
	hw.vcpus = 1;
	hw.memory = 4096;
	is_int(settle(NULL, NULL, &vm, &e), -EINVAL, "vm: too little memory");
	hw.memory = UINT64_MAX;
	is_int(settle(NULL, NULL, &vm, &e), -EINVAL, "vm: too much memory");
	hw.has_memory = false;
	h.path = (char[]){ "/usr/bin/qemu-system-x86_64" };
	is_int(settle(NULL, NULL, &vm, &e), -ENOTSUP, "vm: another hypervisor");
}

static void test_load(void)
{
	char name[] = "/tmp/coracle-conf-XXXXXX";
	int fd = mkstemp(name);
	struct err e = { 0 };

	if (fd < 0 || write(fd, "vcpus = 2\n", 10) != 10)
		abort();
	is_int(machine_conf_load(name, &conf, &e), 0, "load: a file");
	is_int(conf.set.vcpus, 2, "load: what it says");
	(void)fchmod(fd, 0666);
	is_int(machine_conf_load(name, &conf, &e), -EPERM, "load: one that everybody may write");
	(void)fchmod(fd, 0644);
	if (write(fd, "a\0b", 3) != 3)
		abort();
	is_int(machine_conf_load(name, &conf, &e), -EINVAL, "load: a NUL character");
	(void)unlink(name);
	is_int(machine_conf_load(name, &conf, &e), 0, "load: none");
	is_int(conf.set.vcpus, 0, "load: says nothing");
	is_int(machine_conf_load("/tmp", &conf, &e), -EPERM, "load: a directory");
	(void)close(fd);
}

int main(void)
{
	(void)alarm(60);
	test_lines();
	test_conf();
	test_annotations();
	test_vm();
	test_load();
	return tap_done();
}
