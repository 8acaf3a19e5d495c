/* SPDX-License-Identifier: Apache-2.0 */
/* test_oci_parse - config.json into struct oci_spec: every key, every wrong type. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "oci/spec_check.h"
#include "oci/spec_parse.h"
#include "oci/spec_table.h"
#include "runtime/base/own.h"
#include "tests/unit/tap.h"

#define FULL "tests/golden/spec/full.json"

static int parse(const char *text, struct err *e)
{
	OWN(oci_spec_cleanup) struct oci_spec *spec = NULL;
	int r = spec_parse(text, strlen(text), &spec, e);

	ok((r == 0) == (spec != NULL), "a document comes with success only");
	return r;
}

static void full_process(const struct oci_process *p)
{
	ok(p->has_terminal && p->terminal, "terminal");
	ok(p->has_console_size && p->console_height == 24 && p->console_width == 80, "consoleSize");
	ok(p->has_user && p->user.uid == 1000 && p->user.gid == 1001, "user");
	ok(p->user.has_umask && p->user.umask == 022, "umask");
	ok(p->user.n_additional_gids == 2 && p->user.additional_gids[1] == 20, "additionalGids");
	is_int(p->n_args, 3, "args");
	is_str(p->args[2], "echo \"h\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "escapes");
	ok(!p->args[3], "args end with NULL");
	is_str(p->env[2], "ODD", "env");
	is_str(p->cwd, "/home", "cwd");
	is_str(p->capabilities->bounding[1], "CAP_CHOWN", "capabilities");
	ok(p->capabilities->inheritable && p->capabilities->n_inheritable == 0,
	   "an empty array is not NULL");
	ok(p->rlimits[0].resource == RLIMIT_CORE && p->rlimits[0].hard == UINT64_MAX, "rlimit");
	ok(p->rlimits[1].resource == RLIMIT_NOFILE && p->rlimits[1].hard == 1024, "with exponent");
	ok(p->has_no_new_privileges && !p->no_new_privileges, "noNewPrivileges: false, not absent");
	ok(p->has_oom_score_adj && p->oom_score_adj == -500, "oomScoreAdj");
	ok(p->io_priority->class == 2 && p->io_priority->priority == 4, "ioPriority");
	ok(p->scheduler->policy == 3 && p->scheduler->nice == -3 && p->scheduler->flags == 0x41,
	   "scheduler");
	is_str(p->cpu_affinity_final, "0-3,7", "execCPUAffinity");
}

static void full_resources(const struct oci_resources *r)
{
	ok(r->n_devices == 2 && !r->devices[0].type && !r->devices[0].has_major, "rule for all");
	ok(r->devices[1].type == 'c' && r->devices[1].minor == -1, "rule for some");
	ok(r->memory.limit == 536870912 && r->memory.swap == -1 && r->memory.has_kernel, "memory");
	ok(r->memory.has_disable_oom_killer && !r->memory.disable_oom_killer, "oom killer");
	ok(r->cpu.shares == 1024 && r->cpu.quota == -1 && r->cpu.idle == 1, "cpu");
	is_str(r->cpu.mems, "0-7", "cpu.mems");
	ok(r->has_pids_limit && r->pids_limit == 0, "pids: 0, not absent");
	ok(r->block_io.weight == 500 && r->block_io.weight_devices[0].leaf_weight == 300,
	   "blockIO");
	ok(r->block_io.read_bps[0].rate == 600 && r->block_io.write_bps[0].rate == 601 &&
		   r->block_io.read_iops[0].rate == 602 &&
		   r->block_io.write_iops[0].rate == UINT64_MAX,
	   "throttles");
	is_str(r->hugepage_limits[0].page_size, "2MB", "hugepageLimits");
	ok(r->has_net_class_id && r->net_class_id == 1048577 &&
		   r->net_priorities[0].priority == 500,
	   "network");
	is_str(r->rdma[1].device, "rxe3", "rdma");
	ok(!r->rdma[1].has_hca_handles && r->rdma[1].hca_objects == 7, "rdma limits");
	is_str(r->unified[1].value, "8:0 rbps=1", "unified");
}

static void full_linux(const struct oci_spec *s)
{
	const struct oci_linux *l = &s->lnx;

	is_int(l->n_namespaces, 8, "namespaces");
	is_str(oci_spec_ns(s, OCI_NS_NETWORK)->path, "/run/netns/x", "a namespace to join");
	ok(oci_spec_ns(s, OCI_NS_MOUNT) && !oci_spec_ns(s, OCI_NS_MOUNT)->path, "\"\" is absent");
	ok(l->uid_mappings[0].host_id == 100000 && l->gid_mappings[0].size == 65536, "mappings");
	ok(strcmp(l->time_offsets[0].clock, "monotonic") == 0 && l->time_offsets[0].secs == -172800,
	   "timeOffsets");
	ok(l->devices[0].type == 'c' && l->devices[0].minor == 229 && l->devices[0].has_uid &&
		   l->devices[0].file_mode == 0666 && l->devices[1].type == 'p',
	   "devices");
	is_str(l->net_devices[0].host_name, "eth0", "netDevices key");
	is_str(l->net_devices[0].name, "inner", "netDevices name");
	is_str(l->cgroups_path, "machine.slice:libpod:abc", "cgroupsPath");
	ok(l->seccomp->default_action == OCI_SECCOMP_ERRNO && l->seccomp->default_errno_ret == 38,
	   "seccomp");
	ok(l->seccomp->syscalls[1].args[0].value_two == UINT64_MAX &&
		   l->seccomp->syscalls[1].args[0].op == OCI_SECCOMP_MASKED_EQ,
	   "seccomp args");
	is_str(l->sysctl[0].key, "net.ipv4.ip_forward", "sysctl");
	ok(l->memory_policy->mode == 2 && l->memory_policy->flags == 1 << 15, "memoryPolicy");
	is_int(l->personality->domain, 8, "personality");
	ok(l->intel_rdt->enable_mbm && l->intel_rdt->n_schemata == 1, "intelRdt");
	full_resources(l->resources);
}

static void test_full(void)
{
	OWN(oci_spec_cleanup) struct oci_spec *s = NULL;
	struct spec_warnings w = { 0 };
	struct err e = { 0 };

	is_int(spec_load(AT_FDCWD, FULL, &s, &e), 0, "the full example is read");
	if (!s) {
		printf("# %s\n", e.msg);
		return;
	}
	full_process(s->process);
	ok(s->root->readonly, "root");
	is_str(s->domainname, "example.org", "domainname");
	is_str(s->mounts[1].destination, "/data", "a relative destination is anchored");
	ok(s->mounts[1].was_relative && !s->mounts[0].was_relative, "and marked");
	is_str(s->mounts[1].options[1], "ro", "mount options");
	is_int(s->hooks[OCI_HOOK_POSTSTOP].n, 2, "hooks");
	ok(s->hooks[OCI_HOOK_CREATE_RUNTIME].v[0].timeout == 10, "hook timeout");
	is_str(oci_hook_name(OCI_HOOK_POSTSTOP), "poststop", "hook names");
	is_str(oci_spec_annotation(s, "empty"), "", "an empty annotation stays");
	ok(!oci_spec_annotation(s, "none"), "absent annotation");
	full_linux(s);
	ok(s->vm->hw_config->vcpus == 2 && s->vm->hw_config->memory == 4294967296, "vm.hwConfig");
	ok(s->vm->hw_config->irqs[1] == 12 && s->vm->hw_config->iomems[0].nr_mfns == 3, "vm irqs");
	is_str(s->vm->kernel->initrd, "/boot/initrd", "vm.kernel");
	is_int(spec_check(s, &w, &e), 0, "and passes the check");
	is_int(w.n, 1, "with a warning of the relative mount");
}

/* ---- by the tables: for each key, every type but the right one, and null */

struct path_text {
	char json[512];	 /* what opens the place: {"a":[{"b": */
	char close[128]; /* and closes it again */
	char place[256];
};

static const char *const samples[] = { "true", "7", "\"x\"", "[]", "{}", "[{}]" };

static bool fits(const struct spec_field *f, const char *sample)
{
	switch (f->kind) {
	case SPEC_KEY:
	case SPEC_STR:
		return sample[0] == '"';
	case SPEC_BOOL:
		return sample[0] == 't';
	case SPEC_U16:
	case SPEC_I32:
	case SPEC_U32:
	case SPEC_I64:
	case SPEC_U64:
		return sample[0] == '7';
	case SPEC_WORD:
		return false;
	case SPEC_BITS:
	case SPEC_STRV:
	case SPEC_U32V:
		return strcmp(sample, "[]") == 0;
	case SPEC_KVV:
	case SPEC_INLINE:
	case SPEC_PTR:
	case SPEC_OBJMAP:
		return sample[0] == '{';
	case SPEC_ARRAY:
		return sample[0] == '[';
	}
	return false;
}

static void try_value(const struct path_text *p, const char *value, bool good)
{
	char text[768];
	struct err e = { 0 };
	struct oci_spec *spec = NULL;
	int r;

	snprintf(text, sizeof(text), "%s%s%s", p->json, value, p->close);
	r = spec_parse(text, strlen(text), &spec, &e);
	oci_spec_free(spec);
	if (good)
		ok(r == 0, "%s takes %s", p->place, value);
	else
		ok(r == -EINVAL && strncmp(e.msg, p->place, strlen(p->place)) == 0,
		   "%s refuses %s: %s", p->place, value, e.msg);
}

static void walk(const struct spec_type *type, const struct path_text *parent);

static void walk_into(const struct spec_field *f, struct path_text *p)
{
	const char *open = f->kind == SPEC_ARRAY ? "[" : f->kind == SPEC_OBJMAP ? "{\"k\":" : "";
	const char *end = f->kind == SPEC_ARRAY ? "]" : f->kind == SPEC_OBJMAP ? "}" : "";
	const char *step = f->kind == SPEC_ARRAY ? "[0]" : f->kind == SPEC_OBJMAP ? ".k" : "";
	struct path_text inner;

	snprintf(inner.json, sizeof(inner.json), "%.400s%s", p->json, open);
	snprintf(inner.close, sizeof(inner.close), "%s%.100s", end, p->close);
	snprintf(inner.place, sizeof(inner.place), "%.200s%s", p->place, step);
	walk(f->type, &inner);
}

static void walk(const struct spec_type *type, const struct path_text *parent)
{
	for (const struct spec_field *f = type->fields; f->key; f++) {
		struct path_text p;

		if (f->kind == SPEC_KEY)
			continue;
		snprintf(p.json, sizeof(p.json), "%.400s{\"%s\":", parent->json, f->key);
		snprintf(p.close, sizeof(p.close), "}%.100s", parent->close);
		snprintf(p.place, sizeof(p.place), "%.200s%s%s", parent->place,
			 *parent->place ? "." : "", f->key);
		for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
			try_value(&p, samples[i], fits(f, samples[i]));
		try_value(&p, "null", true);
		if (f->kind == SPEC_WORD)
			try_value(&p, "\"\"", true);
		if (f->kind == SPEC_STRV || f->kind == SPEC_BITS)
			try_value(&p, "[1]", false);
		if (f->kind == SPEC_U32V)
			try_value(&p, "[\"x\"]", false);
		if (f->kind == SPEC_KVV)
			try_value(&p, "{\"k\":1}", false);
		if (f->type)
			walk_into(f, &p);
	}
}

static const struct {
	const char *text;
	const char *msg;
} wrong[] = {
	{ "[]", "expected an object, found an array" },
	{ "null", "expected an object, found null" },
	{ "{\"process\":{\"args\":[\"a\",\"b\",3]}}",
	  "process.args[2]: expected a string, found a number" },
	{ "{\"process\":{\"args\":[\"a\\u0000b\"]}}",
	  "process.args[0]: must not contain a NUL character" },
	{ "{\"process\":{\"args\":[null]}}", "process.args[0]: expected a string, found null" },
	{ "{\"process\":{\"user\":{\"uid\":-1}}}",
	  "process.user.uid: the number is out of range (0 to 4294967295)" },
	{ "{\"process\":{\"user\":{\"uid\":1.5}}}",
	  "process.user.uid: expected an integer, found 1.5" },
	{ "{\"process\":{\"oomScoreAdj\":3000000000}}",
	  "process.oomScoreAdj: the number is out of range (-2147483648 to 2147483647)" },
	{ "{\"process\":{\"rlimits\":[{\"type\":\"RLIMIT_FOO\"}]}}",
	  "process.rlimits[0].type: unknown value \"RLIMIT_FOO\"" },
	{ "{\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"foo\"}]}}",
	  "linux.namespaces[1].type: unknown value \"foo\"" },
	{ "{\"linux\":{\"resources\":{\"blockIO\":{\"weight\":65536}}}}",
	  "linux.resources.blockIO.weight: the number is out of range (0 to 65535)" },
	{ "{\"linux\":{\"sysctl\":{\"a.b\":1}}}",
	  "linux.sysctl[\"a.b\"]: expected a string, found a number" },
	{ "{\"annotations\":{\"a\\u0000b\":\"x\"}}",
	  "annotations[\"a\"]: the key must not contain a NUL character" },
	{ "{\"hooks\":{\"poststop\":[{\"path\":\"/x\"},{\"timeout\":\"1\"}]}}",
	  "hooks.poststop[1].timeout: expected a number, found a string" },
};

static void test_wrong(void)
{
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct err e = { 0 };

		ok(parse(wrong[i].text, &e) < 0, "refused: %s", wrong[i].text);
		is_str(e.msg, wrong[i].msg, "by its place");
	}
}

static void test_tolerance(void)
{
	OWN(oci_spec_cleanup) struct oci_spec *s = NULL;
	static const char text[] = "{\"process\":null,\"root\":{\"path\":null},\"mounts\":null,"
				   "\"linux\":{\"namespaces\":null,\"resources\":null},"
				   "\"hooks\":{\"prestart\":null},\"annotations\":null,"
				   "\"Unknown\":[[[]]],\"hostname\":\"a\",\"hostname\":\"b\"}";
	struct err e = { 0 };

	is_int(spec_parse(text, strlen(text), &s, &e), 0, "null is absent everywhere");
	ok(!s->process && s->root && !s->root->path && !s->mounts && !s->lnx.resources, "as NULL");
	ok(s->has_linux && !s->vm, "an empty object is present");
	is_str(s->hostname, "b", "of two keys the last counts");
	is_int(parse("{}", &e), 0, "an empty object is a document");
	ok(parse("", &e) < 0 && parse("{} 1", &e) < 0, "no text and two texts are not");
}

static void test_parts(void)
{
	OWN(oci_process_cleanup) struct oci_process *p = NULL;
	OWN(oci_resources_cleanup) struct oci_resources *r = NULL;
	static const char process[] = "{\"args\":[\"ls\"],\"env\":[]}";
	static const char res[] = "{\"memory\":{\"limit\":5},\"pids\":{\"limit\":-1}}";
	struct err e = { 0 };

	is_int(process_parse(process, strlen(process), &p, &e), 0, "a process alone");
	ok(p->n_args == 1 && p->env && !p->cwd && !p->has_user && !p->has_terminal, "partial");
	is_int(process_check(p, NULL, &e), 0, "needs no cwd");
	is_int(resources_parse(res, strlen(res), &r, &e), 0, "resources alone");
	ok(r->memory.limit == 5 && r->pids_limit == -1 && !r->cpu.has_shares, "partial");
	ok(process_parse("{\"args\":1}", 10, &p, &e) < 0, "a wrong process");
	is_str(e.msg, "args: expected an array, found a number", "by its place");
	oci_process_free(NULL);
	oci_resources_free(NULL);
	oci_spec_free(NULL);
}

static void test_files(void)
{
	char dir[] = "/tmp/test_oci_parse.XXXXXX";
	OWN(oci_spec_cleanup) struct oci_spec *s = NULL;
	OWN_FD int dirfd = -1;
	OWN_FD int fd = -1;
	struct err e = { 0 };

	if (!mkdtemp(dir))
		return;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	is_int(spec_load(dirfd, "config.json", &s, &e), -ENOENT, "no file");
	is_str(e.msg, "config.json: No such file or directory", "is told by name");
	fd = openat(dirfd, "config.json", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ok(write(fd, "{\"root\":\n7}", 11) == 11, "a broken file");
	is_int(spec_load(dirfd, "config.json", &s, &e), -EINVAL, "is refused");
	is_str(e.msg, "config.json: root: expected an object, found a number", "by name and place");
	ok(ftruncate(fd, 17 << 20) == 0, "a file of 17 MiB");
	is_int(spec_load(dirfd, "config.json", &s, &e), -EFBIG, "is refused");
	is_str(e.msg, "config.json: larger than 16 MiB", "by name");
	ok(unlinkat(dirfd, "config.json", 0) == 0 && rmdir(dir) == 0 && !s, "tidy");
}

int main(void)
{
	struct path_text root = { 0 };

	test_full();
	test_wrong();
	walk(&spec_document_type, &root);
	test_tolerance();
	test_parts();
	test_files();
	return tap_done();
}
