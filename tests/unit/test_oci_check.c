/* SPDX-License-Identifier: Apache-2.0 */
/* test_oci_check - the specification's MUSTs, each by one small document. */
#include <errno.h>

#include "oci/cap_names.h"
#include "oci/spec_check.h"
#include "oci/spec_parse.h"
#include "runtime/base/own.h"
#include "tests/unit/tap.h"

/* Documents are the three parts that every one needs, and what the row adds or replaces. */
#define BASE "{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"r\"},"
#define PROCESS(more) BASE "\"process\":{\"args\":[\"a\"],\"cwd\":\"/\"," more "}}"
#define LINUX(more) BASE "\"linux\":{" more "}}"
#define RES(more) LINUX("\"resources\":{" more "}")
#define SECCOMP(more) LINUX("\"seccomp\":{" more "}")
#define UTS "\"linux\":{\"namespaces\":[{\"type\":\"uts\"}]}"

static const struct {
	const char *text;
	const char *msg; /* how the error begins; NULL: none */
} rows[] = {
	/* the document */
	{ "{\"ociVersion\":\"1.0.2-dev\",\"root\":{\"path\":\"r\"}}", NULL },
	{ "{\"ociVersion\":\"1.3.0+x\",\"root\":{\"path\":\"r\"}}", NULL },
	{ "{\"ociVersion\":\"1.99.0\",\"root\":{\"path\":\"r\"}}", NULL },
	{ "{}", "ociVersion: must be present" },
	{ "{\"ociVersion\":\"2.0.0\"}", "ociVersion: 2.0.0 is not supported" },
	{ "{\"ociVersion\":\"10.0.0\"}", "ociVersion: 10.0.0 is not supported" },
	{ "{\"ociVersion\":\"1.0\"}", "ociVersion: not a version" },
	{ "{\"ociVersion\":\"1.0.0x\"}", "ociVersion: not a version" },
	{ "{\"ociVersion\":\"1.00.0\"}", "ociVersion: not a version" },
	{ "{\"ociVersion\":\"1.0.0\"}", "root.path: must be present" },
	{ "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"\"}}", "root.path: must be present" },
	{ BASE "\"annotations\":{\"\":\"x\"}}", "annotations: a key must not be empty" },
	{ BASE "\"hostname\":\"h\"}", "hostname: needs a uts namespace" },
	{ BASE "\"domainname\":\"h\"}", "domainname: needs a uts namespace" },
	{ BASE "\"hostname\":\"h\"," UTS "}", NULL },
	{ BASE "\"hostname\":\"a b\"," UTS "}", "hostname: not a name" },
	{ BASE "\"hostname\":\"0123456789012345678901234567890123456789012345678901234567890123"
	       "x\"," UTS "}",
	  "hostname: longer than 64 bytes" },
	/* mounts and hooks */
	{ BASE "\"mounts\":[{\"destination\":\"/a\"},{\"source\":\"x\"}]}",
	  "mounts[1].destination: must be present" },
	{ BASE "\"mounts\":[{\"destination\":\"/a\",\"uidMappings\":[{\"size\":1}]}]}",
	  "mounts[0]: uidMappings and gidMappings need each other" },
	{ BASE "\"mounts\":[{\"destination\":\"/a\",\"uidMappings\":[{\"size\":1}],"
	       "\"gidMappings\":[{\"size\":0}]}]}",
	  "mounts[0].gidMappings[0].size: must not be 0" },
	{ BASE "\"hooks\":{\"poststop\":[{\"path\":\"a\"}]}}",
	  "hooks.poststop[0].path: must be an absolute path" },
	{ BASE "\"hooks\":{\"prestart\":[{}]}}", "hooks.prestart[0].path: must be present" },
	{ BASE "\"hooks\":{\"prestart\":[{\"path\":\"/a\",\"timeout\":0}]}}",
	  "hooks.prestart[0].timeout: must be greater than zero" },
	/* process */
	{ BASE "\"process\":{\"cwd\":\"/\"}}", "process.args: must not be empty" },
	{ BASE "\"process\":{\"args\":[],\"cwd\":\"/\"}}", "process.args: must not be empty" },
	{ BASE "\"process\":{\"args\":[\"a\"]}}", "process.cwd: must be present" },
	{ BASE "\"process\":{\"args\":[\"a\"],\"cwd\":\"x\"}}",
	  "process.cwd: must be an absolute path" },
	{ PROCESS("\"env\":[\"NOEQUALS\",\"\",\"=x\"]"), NULL },
	{ PROCESS("\"user\":{\"umask\":512}"), "process.user.umask: 01000 is not in" },
	{ PROCESS("\"user\":{\"uid\":4294967295}"), "process.user.uid: 4294967295 is no id" },
	{ PROCESS("\"user\":{\"additionalGids\":[1,4294967295]}"),
	  "process.user.additionalGids[1]: 4294967295 is no id" },
	{ PROCESS("\"consoleSize\":{\"height\":65536,\"width\":1}"), "process.consoleSize: more" },
	{ PROCESS("\"rlimits\":[{\"soft\":1,\"hard\":1}]"),
	  "process.rlimits[0].type: must be present" },
	{ PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":2,\"hard\":1}]"),
	  "process.rlimits[0]: soft is greater than hard" },
	{ PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_CPU\"},{\"type\":\"RLIMIT_CPU\"}]"),
	  "process.rlimits[1].type: given twice" },
	{ PROCESS("\"oomScoreAdj\":1001"), "process.oomScoreAdj: 1001 is not in" },
	{ PROCESS("\"ioPriority\":{\"priority\":1}"), "process.ioPriority.class: must be present" },
	{ PROCESS("\"ioPriority\":{\"class\":\"IOPRIO_CLASS_RT\",\"priority\":8}"),
	  "process.ioPriority.priority: 8 is not in" },
	{ PROCESS("\"scheduler\":{}"), "process.scheduler.policy: must be present" },
	{ PROCESS("\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"nice\":20}"),
	  "process.scheduler.nice: 20 is not in" },
	{ PROCESS("\"scheduler\":{\"policy\":\"SCHED_FIFO\"}"),
	  "process.scheduler.priority: 0 is not in" },
	{ PROCESS("\"scheduler\":{\"policy\":\"SCHED_OTHER\",\"priority\":1}"),
	  "process.scheduler.priority: only for" },
	{ PROCESS("\"scheduler\":{\"policy\":\"SCHED_IDLE\",\"runtime\":1}"),
	  "process.scheduler: runtime, deadline and period are only" },
	{ PROCESS("\"execCPUAffinity\":{\"final\":\"all\"}"),
	  "process.execCPUAffinity.final: not a list" },
	/* linux */
	{ LINUX("\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\",\"path\":\"/x\"}]"),
	  "linux.namespaces[1]: a second pid namespace" },
	{ LINUX("\"namespaces\":[{}]"), "linux.namespaces[0].type: must be present" },
	{ LINUX("\"namespaces\":[{\"type\":\"pid\",\"path\":\"x\"}]"),
	  "linux.namespaces[0].path: must be an absolute path" },
	{ LINUX("\"uidMappings\":[{\"size\":0}]"), "linux.uidMappings[0].size: must not be 0" },
	{ LINUX("\"uidMappings\":[{\"hostID\":4294967295,\"size\":2}]"),
	  "linux.uidMappings[0]: goes beyond" },
	{ LINUX("\"gidMappings\":[{\"hostID\":10,\"size\":5},{\"containerID\":4,\"hostID\":90,"
		"\"size\":1}]"),
	  "linux.gidMappings[1]: overlaps with linux.gidMappings[0]" },
	{ LINUX("\"gidMappings\":[{\"hostID\":10,\"size\":5},{\"containerID\":5,\"hostID\":14,"
		"\"size\":1}]"),
	  "linux.gidMappings[1]: overlaps" },
	{ LINUX("\"gidMappings\":[{\"hostID\":10,\"size\":5},{\"containerID\":5,\"hostID\":15,"
		"\"size\":1}]"),
	  NULL },
	{ LINUX("\"timeOffsets\":{\"realtime\":{}}"), "linux.timeOffsets: unknown clock" },
	{ LINUX("\"timeOffsets\":{\"boottime\":{}}"), "linux.timeOffsets: needs a time" },
	{ LINUX("\"timeOffsets\":{\"boottime\":{\"nanosecs\":1000000000}}"),
	  "linux.timeOffsets.boottime.nanosecs: must be below" },
	{ LINUX("\"devices\":[{\"path\":\"x\"}]"), "linux.devices[0].path: must be an absolute" },
	{ LINUX("\"devices\":[{\"path\":\"/x\"}]"), "linux.devices[0].type: must be present" },
	{ LINUX("\"devices\":[{\"path\":\"/x\",\"type\":\"c\",\"major\":4096}]"),
	  "linux.devices[0]: no such device number: 4096:0" },
	{ LINUX("\"devices\":[{\"path\":\"/x\",\"type\":\"b\",\"minor\":-1}]"),
	  "linux.devices[0]: no such device number: 0:-1" },
	{ LINUX("\"devices\":[{\"path\":\"/x\",\"type\":\"c\",\"fileMode\":8630}]"), NULL },
	{ LINUX("\"devices\":[{\"path\":\"/x\",\"type\":\"c\",\"fileMode\":65536}]"),
	  "linux.devices[0].fileMode: 0200000 is no mode" },
	{ LINUX("\"netDevices\":{\"a/b\":{}}"), "linux.netDevices: not an interface name" },
	{ LINUX("\"netDevices\":{\"a\":{\"name\":\"0123456789abcdef\"}}"),
	  "linux.netDevices.a.name: not an interface name" },
	{ LINUX("\"sysctl\":{\"net.ipv4/../../x\":\"1\"}"), "linux.sysctl: not a key" },
	{ LINUX("\"sysctl\":{\"/etc\":\"1\"}"), "linux.sysctl: not a key" },
	{ LINUX("\"sysctl\":{\"net/ipv4/conf/eth0.1/forwarding\":\"1\"}"), NULL },
	{ LINUX("\"maskedPaths\":[\"/a\",\"b\"]"), "linux.maskedPaths[1]: must be an absolute" },
	{ LINUX("\"readonlyPaths\":[\"b\"]"), "linux.readonlyPaths[0]: must be an absolute" },
	{ LINUX("\"rootfsPropagation\":\"public\""), "linux.rootfsPropagation: unknown value" },
	{ LINUX("\"rootfsPropagation\":\"rslave\""), NULL },
	{ LINUX("\"cgroupsPath\":\"/a/../b\""), "linux.cgroupsPath: must not contain" },
	{ LINUX("\"intelRdt\":{\"closID\":\"a/b\"}"), "linux.intelRdt.closID: not a name" },
	{ LINUX("\"memoryPolicy\":{}"), "linux.memoryPolicy.mode: must be present" },
	{ LINUX("\"personality\":{}"), "linux.personality.domain: must be present" },
	{ LINUX("\"personality\":{\"domain\":\"LINUX\",\"flags\":[\"X\"]}"),
	  "linux.personality.flags: unknown value" },
	/* resources */
	{ RES("\"devices\":[{\"access\":\"rx\"}]"), "linux.resources.devices[0].access: \"rx\"" },
	{ RES("\"devices\":[{\"major\":-2}]"), "linux.resources.devices[0]: no such device" },
	{ RES("\"memory\":{\"limit\":-2}"), "linux.resources.memory.limit: -2 is below -1" },
	{ RES("\"memory\":{\"limit\":10,\"swap\":9}"), "linux.resources.memory.swap: less than" },
	{ RES("\"memory\":{\"limit\":10,\"swap\":-1}"), NULL },
	{ RES("\"memory\":{\"swappiness\":201}"), "linux.resources.memory.swappiness: 201" },
	{ RES("\"cpu\":{\"period\":999}"), "linux.resources.cpu.period: 999 is not in" },
	{ RES("\"cpu\":{\"period\":0,\"quota\":0}"), NULL },
	{ RES("\"cpu\":{\"idle\":2}"), "linux.resources.cpu.idle: 2 is not" },
	{ RES("\"cpu\":{\"cpus\":\"one\"}"), "linux.resources.cpu.cpus: not a list" },
	{ RES("\"blockIO\":{\"weight\":9}"), "linux.resources.blockIO.weight: 9 is not in" },
	{ RES("\"blockIO\":{\"weightDevice\":[{\"weight\":1001}]}"),
	  "linux.resources.blockIO.weightDevice[0]: 1001" },
	{ RES("\"blockIO\":{\"throttleReadIOPSDevice\":[{\"major\":-1}]}"),
	  "linux.resources.blockIO.throttleReadIOPSDevice[0]: no such device" },
	{ RES("\"hugepageLimits\":[{\"pageSize\":\"2M\"}]"),
	  "linux.resources.hugepageLimits[0].pageSize: not a size" },
	{ RES("\"hugepageLimits\":[{\"pageSize\":\"1GB\"},{}]"),
	  "linux.resources.hugepageLimits[1].pageSize: not a size" },
	{ RES("\"unified\":{\"../x.y\":\"1\"}"), "linux.resources.unified: not a file" },
	{ RES("\"unified\":{\"memory.high\":\"1\"}"), NULL },
	/* seccomp */
	{ SECCOMP("\"syscalls\":[]"), "linux.seccomp.defaultAction: must be present" },
	{ SECCOMP("\"defaultAction\":\"SCMP_ACT_NOTIFY\""), "linux.seccomp.defaultAction: must" },
	{ SECCOMP("\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":4096"),
	  "linux.seccomp.defaultErrnoRet: 4096 is no errno" },
	{ SECCOMP("\"defaultAction\":\"SCMP_ACT_LOG\",\"listenerMetadata\":\"x\""),
	  "linux.seccomp.listenerMetadata: needs listenerPath" },
	{ SECCOMP("\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[{}]"),
	  "linux.seccomp.syscalls[0].names: must not be empty" },
	{ SECCOMP("\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[{\"names\":[\"read\"]}]"),
	  "linux.seccomp.syscalls[0].action: must be present" },
	{ SECCOMP("\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[{\"names\":[\"read\"],"
		  "\"action\":\"SCMP_ACT_NOTIFY\"}]"),
	  "linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY needs" },
	{ SECCOMP("\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[{\"names\":[\"read\"],"
		  "\"action\":\"SCMP_ACT_KILL\",\"args\":[{\"index\":6}]}]"),
	  "linux.seccomp.syscalls[0].args[0].index: 6" },
	{ SECCOMP("\"defaultAction\":\"SCMP_ACT_LOG\",\"syscalls\":[{\"names\":[\"read\"],"
		  "\"action\":\"SCMP_ACT_KILL\",\"args\":[{\"index\":5}]}]"),
	  "linux.seccomp.syscalls[0].args[0].op: must be present" },
	/* vm */
	{ BASE "\"vm\":{}}", NULL },
	{ BASE "\"vm\":{\"kernel\":{}}}", "vm.kernel.path: must be present" },
	{ BASE "\"vm\":{\"kernel\":{\"path\":\"/k\",\"initrd\":\"i\"}}}",
	  "vm.kernel.initrd: must be an absolute path" },
	{ BASE "\"vm\":{\"hypervisor\":{\"path\":\"h\"}}}", "vm.hypervisor.path: must" },
	{ BASE "\"vm\":{\"image\":{\"path\":\"/i\",\"format\":\"iso\"}}}", "vm.image.format: unk" },
	{ BASE "\"vm\":{\"hwConfig\":{\"vcpus\":0}}}", "vm.hwConfig.vcpus: must not be 0" },
	{ BASE "\"vm\":{\"hwConfig\":{\"memory\":0}}}", "vm.hwConfig.memory: must not be 0" },
};

static int check(const char *text, struct spec_warnings *w, struct err *e)
{
	OWN(oci_spec_cleanup) struct oci_spec *spec = NULL;

	if (spec_parse(text, strlen(text), &spec, e) < 0) {
		printf("# does not parse: %s: %s\n", text, e->msg);
		return -EBADMSG;
	}
	return spec_check(spec, w, e);
}

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *want = rows[i].msg;
		struct err e = { 0 };
		int r = check(rows[i].text, NULL, &e);
		bool good = want ? r == -EINVAL && strncmp(e.msg, want, strlen(want)) == 0 : r == 0;

		ok(good, "%s: %s", want ? "refused" : "passes", rows[i].text);
		if (!good)
			printf("# got: %s\n# want: %s\n", e.msg, want ? want : "");
	}
}

static void test_warnings(void)
{
	struct spec_warnings w = { 0 };
	char many[2048] = BASE "\"process\":{\"args\":[\"a\"],\"cwd\":\"/\",\"capabilities\":{"
			       "\"bounding\":[\"CAP_KILL\",\"cap_chown\"";
	struct err e = { 0 };
	size_t n = strlen(many);

	for (int i = 0; i < 40; i++)
		n += (size_t)snprintf(many + n, sizeof(many) - n, ",\"CAP_NO_%d\"", i);
	snprintf(many + n, sizeof(many) - n, "]}},\"mounts\":[{\"destination\":\"rel\"}]}");
	is_int(check(many, &w, &e), 0, "unknown capabilities pass");
	is_int(w.n, 41, "all are counted, and the relative mount");
	is_str(w.text[0], "process.capabilities.bounding[2]: unknown capability \"CAP_NO_0\"",
	       "with their place");
	is_int(cap_number("CAP_CHECKPOINT_RESTORE"), 40, "the last capability has its number");
	is_int(cap_number("CAP_MAC_ADMIN"), 33, "and one in between");
	is_int(cap_number("CAP_"), -1, "a half name is none");
	ok(!cap_name(41), "and there is none behind the last");
}

static void test_many_mappings(void)
{
	static struct oci_id_map maps[341];
	struct err e = { 0 };

	for (uint32_t i = 0; i < 341; i++)
		maps[i] = (struct oci_id_map){ i, i, 1 };
	is_int(id_maps_check("m", maps, 340, &e), 0, "340 mappings pass");
	is_int(id_maps_check("m", maps, 341, &e), -EINVAL, "341 do not");
}

int main(void)
{
	test_rows();
	test_warnings();
	test_many_mappings();
	return tap_done();
}
