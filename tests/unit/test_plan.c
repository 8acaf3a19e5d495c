/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_plan - golden tests of the plan: config.json + host facts -> what --dry-run prints.
 *
 * Each row of `plans` is a configuration, made from the parts that every one needs and what the row adds;
 * tests/golden/plan/NAME.txt says in which lines its plan differs from that of the first row, which is
 * there in full: so a change of what all have in common is a change of one file. Each row of `answers` is one field, and whether it is taken:
 * tests/golden/plan/answers.txt. After a change that is meant to be seen, from the top of the tree:
 *
 *     make build/unit/test_plan && UPDATE=1 build/unit/test_plan && git diff tests/golden
 *
 * Sources of mounts are paths that no host has, and /dev/null, which every host has: the plan looks at
 * them to tell directories from files.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "oci/spec_check.h"
#include "oci/spec_parse.h"
#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "runtime/plan.h"
#include "tests/unit/tap.h"

#define FOLDER "tests/golden/plan/"

/* ------------------------------------------------------------------ hosts */

enum host { ROOT, USER, USER_ONE_ID, FEW_FILES, NESTED, SELINUX };

static const struct host_facts hosts[] = {
	[ROOT] = { .can_mount = true, .cpus = 4, .nofile = 1048576 },
	[USER] = { .euid = 1000,
		   .egid = 1000,
		   .sub_uids = { 0, 100000, 65536 },
		   .sub_gids = { 0, 200000, 65536 },
		   .cpus = 4,
		   .nofile = 1048576 },
	[USER_ONE_ID] = { .euid = 1000, .egid = 1001, .stdin_null = true, .cpus = 1, .nofile = 4096 },
	[FEW_FILES] = { .can_mount = true, .cpus = 4, .nofile = 700 },
	[NESTED] = { .can_mount = true, .foreign_pids = true, .cpus = 4, .nofile = 1048576 },
	[SELINUX] = { .can_mount = true, .selinux = true, .cpus = 4, .nofile = 1048576 },
};

/* ------------------------------------------------------------------ configurations */

#define NS(types) "\"namespaces\":[" types "]"
#define NS_ROOT                                                                                  \
	"{\"type\":\"pid\"},{\"type\":\"network\"},{\"type\":\"ipc\"},{\"type\":\"uts\"}," \
	"{\"type\":\"mount\"},{\"type\":\"cgroup\"}"
#define NS_USER NS_ROOT ",{\"type\":\"user\"}"
#define MOUNTS(list) "\"mounts\":[" list "],"
#define MOUNT(dest, type, source, options)                                                 \
	"{\"destination\":\"" dest "\",\"type\":\"" type "\",\"source\":\"" source "\"," \
	"\"options\":[" options "]}"
#define PROC MOUNT("/proc", "proc", "proc", "")

static const struct row {
	const char *name;
	enum host host;
	const char *process; /* more of process, ending with a comma */
	const char *top;     /* more of the document, ending with a comma */
	const char *lnx;     /* linux, namespaces as well */
} plans[] = {
	{ "root", ROOT, "", "", NS(NS_ROOT) },
	{ "rootless-range", USER, "", "", NS(NS_USER) },
	{ "rootless-one-id", USER_ONE_ID, "", "", NS(NS_USER) },
	{ "nested", NESTED, "", "", NS(NS_ROOT) },
	{ "nested-without-pids", NESTED, "", "", NS("{\"type\":\"mount\"}") },
	{ "selinux", SELINUX, "\"selinuxLabel\":\"a:b:c:d\",", "", NS(NS_ROOT) },
	{ "selinux-empty", SELINUX, "\"selinuxLabel\":\"\",", "", NS(NS_ROOT) },
	{ "maps-given", USER, "", "",
	  NS(NS_USER) ",\"uidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1},"
		      "{\"containerID\":1,\"hostID\":100000,\"size\":1000},"
		      "{\"containerID\":2000,\"hostID\":150000,\"size\":10}],"
		      "\"gidMappings\":[{\"containerID\":0,\"hostID\":1000,\"size\":1}]" },
	{ "maps-given-root", ROOT, "", "",
	  NS(NS_USER) ",\"uidMappings\":[{\"containerID\":0,\"hostID\":300000,\"size\":65536}],"
		      "\"gidMappings\":[{\"containerID\":0,\"hostID\":400000,\"size\":65536}]" },
	{ "vm", ROOT, "",
	  "\"vm\":{\"kernel\":{\"path\":\"/boot/vmlinuz\",\"initrd\":\"/boot/i\",\"parameters\":[\"a=b\",\"c\"]},"
	  "\"hwConfig\":{\"vcpus\":3,\"memory\":1000000000}},",
	  NS(NS_ROOT) },
	{ "terminal", ROOT,
	  "\"terminal\":true,\"consoleSize\":{\"height\":24,\"width\":80},", "", NS(NS_ROOT) },
	{ "stdin-null-but-terminal", USER_ONE_ID, "\"terminal\":true,", "", NS(NS_USER) },
	{ "process", ROOT,
	  "\"user\":{\"uid\":33,\"gid\":34,\"umask\":63,\"additionalGids\":[5,6]},"
	  "\"env\":[\"PATH=/bin\",\"A=b c\"],\"noNewPrivileges\":true,\"oomScoreAdj\":-500,"
	  "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1024,\"hard\":2048},"
	  "{\"type\":\"RLIMIT_CORE\",\"soft\":0,\"hard\":18446744073709551615}],"
	  "\"capabilities\":{\"bounding\":[\"CAP_CHOWN\",\"CAP_KILL\"],"
	  "\"effective\":[\"CAP_KILL\"],\"inheritable\":[],"
	  "\"permitted\":[\"CAP_KILL\"],\"ambient\":[\"CAP_KILL\"]},",
	  "", NS(NS_ROOT) },
	{ "names", ROOT, "", "\"hostname\":\"box\",\"domainname\":\"example.org\",", NS(NS_ROOT) },
	{ "mounts-in-the-guest", ROOT, "",
	  MOUNTS(PROC ","
		 MOUNT("/dev", "tmpfs", "tmpfs",
		       "\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"") ","
		 MOUNT("/dev/pts", "devpts", "devpts",
		       "\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"gid=5\"") ","
		 MOUNT("/dev/shm", "tmpfs", "shm",
		       "\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\"") ","
		 MOUNT("/dev/mqueue", "mqueue", "mqueue", "") ","
		 MOUNT("/sys", "sysfs", "sysfs", "\"nosuid\",\"noexec\",\"nodev\",\"ro\"") ","
		 MOUNT("/sys/fs/cgroup", "cgroup", "cgroup", "\"ro\"")),
	  NS(NS_ROOT) },
	{ "mounts-tmpfs", ROOT, "",
	  MOUNTS(MOUNT("/run", "tmpfs", "tmpfs", "\"ro\",\"tmpcopyup\"") ","
		 MOUNT("/srv", "tmpfs", "tmpfs", "\"rprivate\"")),
	  NS(NS_ROOT) },
	{ "mounts-bind", ROOT, "",
	  MOUNTS(MOUNT("/data", "bind", "/nonesuch/data", "\"rbind\",\"ro\",\"rprivate\"") ","
		 MOUNT("/etc/hosts", "bind", "/dev/null",
		       "\"bind\",\"nosuid\",\"nodev\",\"noexec\"") ","
		 MOUNT("/data/inner", "none", "/nonesuch/inner", "\"bind\",\"rslave\"")),
	  NS(NS_ROOT) },
	{ "mounts-nested", ROOT, "",
	  MOUNTS(MOUNT("/t", "tmpfs", "tmpfs", "") ","
		 MOUNT("/t/share", "bind", "/nonesuch/a", "\"rbind\"") ","
		 MOUNT("/t/share/t", "tmpfs", "tmpfs", "")),
	  NS(NS_ROOT) },
	{ "masked", ROOT, "", MOUNTS(PROC),
	  NS(NS_ROOT) ",\"maskedPaths\":[\"/proc/kcore\",\"/proc/keys\"],"
		      "\"readonlyPaths\":[\"/proc/sys\",\"/proc/irq\"]" },
	{ "devices", ROOT, "", "",
	  NS(NS_ROOT) ",\"devices\":[{\"path\":\"/dev/fuse\",\"type\":\"c\",\"major\":10,"
		      "\"minor\":229,\"fileMode\":432,\"uid\":1,\"gid\":2},"
		      "{\"path\":\"/dev/null\",\"type\":\"c\",\"major\":1,\"minor\":3},"
		      "{\"path\":\"/dev/fifo\",\"type\":\"p\"}]" },
	{ "sysctl", ROOT, "", "",
	  NS(NS_ROOT) ",\"sysctl\":{\"net.ipv4.ip_forward\":\"1\",\"kernel.shm_rmid_forced\":\"0\","
		      "\"net/ipv4/conf/eth0.1/forwarding\":\"1\"}" },
	{ "scheduling", ROOT,
	  "\"scheduler\":{\"policy\":\"SCHED_DEADLINE\",\"flags\":[\"SCHED_FLAG_RESET_ON_FORK\"],"
	  "\"runtime\":10000000,\"deadline\":20000000,\"period\":30000000},"
	  "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":5},",
	  "",
	  NS(NS_ROOT ",{\"type\":\"time\"}") ",\"personality\":{\"domain\":\"LINUX32\"},\"timeOffsets\":{"
		     "\"monotonic\":{\"secs\":-1,\"nanosecs\":5},\"boottime\":{\"secs\":86400}}" },
	{ "seccomp", ROOT, "", "",
	  NS(NS_ROOT) ",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"flags\":[\"SECCOMP_FILTER_FLAG_LOG\"],"
		      "\"syscalls\":[{\"names\":[\"chmod\"],\"action\":\"SCMP_ACT_ERRNO\"}]}" },
	{ "hooks", ROOT, "",
	  "\"hooks\":{\"prestart\":[{\"path\":\"/host\"}],\"startContainer\":[{\"path\":\"/bin/one\"},"
	  "{\"path\":\"/bin/two\",\"args\":[\"two\",\"a b\"],\"env\":[\"A=1\"],\"timeout\":5}]},",
	  NS(NS_ROOT) },
	{ "network-by-path", ROOT, "", "",
	  NS("{\"type\":\"mount\"},{\"type\":\"pid\"},"
	     "{\"type\":\"network\",\"path\":\"/run/netns/a\"}") },
	{ "holder", ROOT, "", "\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\"},",
	  NS(NS_ROOT) },
	{ "holder-is-not", ROOT, "",
	  "\"annotations\":{\"io.kubernetes.cri.container-type\":\"container\"},", NS(NS_ROOT) },
	{ "network-of-the-caller", ROOT, "", "", NS("{\"type\":\"mount\"},{\"type\":\"pid\"}") },
};

/* The root is of its own part, so that a row may replace it. */
#define ROOT_RW "\"root\":{\"path\":\"rootfs\"},"
#define ROOT_RO "\"root\":{\"path\":\"/nonesuch/root\",\"readonly\":true},"

static const struct row readonly_root = { "root-readonly", ROOT, "", "", NS(NS_ROOT) };

/* Fields that change what the container sees: done, or refused by name. */
static const struct row answers[] = {
	{ "no mount namespace", ROOT, "", "", NS("{\"type\":\"pid\"}") },
	{ "no user namespace, as a user", USER, "", "", NS(NS_ROOT) },
	{ "few descriptors", FEW_FILES, "", "", NS(NS_ROOT) },
	{ "linux.namespaces pid by path", ROOT, "", "",
	  NS("{\"type\":\"mount\"},{\"type\":\"pid\",\"path\":\"/proc/1/ns/pid\"}") },
	{ "linux.namespaces ipc by path", ROOT, "", "",
	  NS("{\"type\":\"mount\"},{\"type\":\"ipc\",\"path\":\"/proc/1/ns/ipc\"}") },
	{ "linux.namespaces uts by path", ROOT, "", "",
	  NS("{\"type\":\"mount\"},{\"type\":\"uts\",\"path\":\"/proc/1/ns/uts\"}") },
	{ "linux.namespaces user by path", ROOT, "", "",
	  NS("{\"type\":\"mount\"},{\"type\":\"user\",\"path\":\"/proc/1/ns/user\"}") },
	{ "linux.namespaces cgroup by path", ROOT, "", "",
	  NS("{\"type\":\"mount\"},{\"type\":\"cgroup\",\"path\":\"/proc/1/ns/cgroup\"}") },
	{ "linux.namespaces mount by path", ROOT, "", "",
	  NS("{\"type\":\"mount\",\"path\":\"/proc/1/ns/mnt\"}") },
	{ "linux.namespaces time", ROOT, "", "", NS("{\"type\":\"mount\"},{\"type\":\"time\"}") },
	{ "linux.timeOffsets", ROOT, "", "",
	  NS("{\"type\":\"mount\"},{\"type\":\"time\"}") ",\"timeOffsets\":{\"boottime\":{\"secs\":1}}" },
	{ "linux.cgroupsPath", ROOT, "", "", NS(NS_ROOT) ",\"cgroupsPath\":\"/a/b\"" },
	{ "linux.netDevices", ROOT, "", "", NS(NS_ROOT) ",\"netDevices\":{\"eth0\":{}}" },
	{ "linux.intelRdt", ROOT, "", "", NS(NS_ROOT) ",\"intelRdt\":{\"closID\":\"a\"}" },
	{ "linux.memoryPolicy", ROOT, "", "",
	  NS(NS_ROOT) ",\"memoryPolicy\":{\"mode\":\"MPOL_BIND\",\"nodes\":\"0\"}" },
	{ "linux.personality", ROOT, "", "", NS(NS_ROOT) ",\"personality\":{\"domain\":\"LINUX32\"}" },
	{ "linux.mountLabel", ROOT, "", "", NS(NS_ROOT) ",\"mountLabel\":\"a:b:c:d\"" },
	{ "linux.rootfsPropagation", ROOT, "", "", NS(NS_ROOT) ",\"rootfsPropagation\":\"rslave\"" },
	{ "linux.seccomp", ROOT, "", "",
	  NS(NS_ROOT) ",\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ALLOW\"}" },
	{ "linux.resources.devices", ROOT, "", "",
	  NS(NS_ROOT) ",\"resources\":{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}" },
	{ "linux.resources.memory", ROOT, "", "",
	  NS(NS_ROOT) ",\"resources\":{\"memory\":{\"limit\":134217728}}" },
	{ "linux.resources.cpu", ROOT, "", "",
	  NS(NS_ROOT) ",\"resources\":{\"cpu\":{\"quota\":50000,\"period\":100000}}" },
	{ "linux.resources.pids", ROOT, "", "",
	  NS(NS_ROOT) ",\"resources\":{\"pids\":{\"limit\":10}}" },
	{ "linux.resources.blockIO", ROOT, "", "",
	  NS(NS_ROOT) ",\"resources\":{\"blockIO\":{\"weight\":10}}" },
	{ "linux.resources.hugepageLimits", ROOT, "", "",
	  NS(NS_ROOT) ",\"resources\":{\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":0}]}" },
	{ "linux.resources.rdma", ROOT, "", "",
	  NS(NS_ROOT) ",\"resources\":{\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3}}}" },
	{ "linux.resources.network", ROOT, "", "",
	  NS(NS_ROOT) ",\"resources\":{\"network\":{\"classID\":1048577}}" },
	{ "linux.resources.unified", ROOT, "", "",
	  NS(NS_ROOT) ",\"resources\":{\"unified\":{\"memory.high\":\"1000000\"}}" },
	{ "process.apparmorProfile", ROOT, "\"apparmorProfile\":\"p\",", "", NS(NS_ROOT) },
	{ "process.selinuxLabel", ROOT, "\"selinuxLabel\":\"a:b:c:d\",", "", NS(NS_ROOT) },
	{ "process.scheduler", ROOT, "\"scheduler\":{\"policy\":\"SCHED_IDLE\"},", "", NS(NS_ROOT) },
	{ "process.ioPriority", ROOT, "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_IDLE\"},", "",
	  NS(NS_ROOT) },
	{ "process.execCPUAffinity", ROOT, "\"execCPUAffinity\":{\"initial\":\"0\"},", "",
	  NS(NS_ROOT) },
	{ "hooks.prestart", ROOT, "", "\"hooks\":{\"prestart\":[{\"path\":\"/h\"}]},", NS(NS_ROOT) },
	{ "hooks.createRuntime", ROOT, "", "\"hooks\":{\"createRuntime\":[{\"path\":\"/h\"}]},",
	  NS(NS_ROOT) },
	{ "hooks.createContainer", ROOT, "", "\"hooks\":{\"createContainer\":[{\"path\":\"/h\"}]},",
	  NS(NS_ROOT) },
	{ "hooks.startContainer", ROOT, "", "\"hooks\":{\"startContainer\":[{\"path\":\"/h\"}]},",
	  NS(NS_ROOT) },
	{ "hooks.poststart", ROOT, "", "\"hooks\":{\"poststart\":[{\"path\":\"/h\"}]},", NS(NS_ROOT) },
	{ "hooks.poststop", ROOT, "", "\"hooks\":{\"poststop\":[{\"path\":\"/h\"}]},", NS(NS_ROOT) },
	{ "vm.image", ROOT, "", "\"vm\":{\"image\":{\"path\":\"/i\",\"format\":\"raw\"}},", NS(NS_ROOT) },
	{ "vm.hypervisor", ROOT, "", "\"vm\":{\"hypervisor\":{\"path\":\"/usr/bin/qemu\"}},", NS(NS_ROOT) },
	{ "vm.hwConfig.irqs", ROOT, "", "\"vm\":{\"hwConfig\":{\"irqs\":[5]}},", NS(NS_ROOT) },
	{ "annotations run.coracle.memory", ROOT, "", "\"annotations\":{\"run.coracle.memory\":\"1G\"},",
	  NS(NS_ROOT) },
	{ "mount of an unknown type", ROOT, "", MOUNTS(MOUNT("/a", "nonesuchfs", "a", "")),
	  NS(NS_ROOT) },
	{ "mount of a disk", ROOT, "", MOUNTS(MOUNT("/a", "ext4", "/dev/sda1", "")), NS(NS_ROOT) },
	{ "mount of an overlay", ROOT, "",
	  MOUNTS(MOUNT("/a", "overlay", "overlay", "\"lowerdir=/l\",\"upperdir=/u\",\"workdir=/w\"")),
	  NS(NS_ROOT) },
	{ "mount without a type", ROOT, "", MOUNTS("{\"destination\":\"/a\"}"), NS(NS_ROOT) },
	{ "bind without a source", ROOT, "",
	  MOUNTS(PROC ",{\"destination\":\"/a\",\"type\":\"bind\"}"), NS(NS_ROOT) },
	{ "bind with an unknown option", ROOT, "",
	  MOUNTS(MOUNT("/a", "bind", "/nonesuch", "\"rbind\",\"nonesuch\"")), NS(NS_ROOT) },
	{ "mount with mappings of users only", ROOT, "",
	  MOUNTS("{\"destination\":\"/a\",\"type\":\"bind\",\"source\":\"/nonesuch\","
		 "\"uidMappings\":[{\"containerID\":0,\"hostID\":5,\"size\":1}],"
		 "\"options\":[\"bind\"]}"),
	  NS(NS_ROOT) },
	{ "tmpfs with id mappings", ROOT, "",
	  MOUNTS("{\"destination\":\"/a\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
		 "\"uidMappings\":[{\"containerID\":0,\"hostID\":5,\"size\":1}],"
		 "\"gidMappings\":[{\"containerID\":0,\"hostID\":5,\"size\":1}]}"),
	  NS(NS_ROOT) },
	{ "mount option idmap", ROOT, "", MOUNTS(MOUNT("/a", "bind", "/nonesuch", "\"bind\",\"idmap\"")),
	  NS(NS_ROOT) },
	{ "mount option copy-symlink", ROOT, "",
	  MOUNTS(MOUNT("/a", "bind", "/nonesuch", "\"bind\",\"copy-symlink\"")), NS(NS_ROOT) },
};

#define N(v) (sizeof(v) / sizeof((v)[0]))

/* ------------------------------------------------------------------ comparing */

static char *document(const struct row *r, const char *root)
{
	char *text = NULL;

	if (asprintf(&text,
		     "{\"ociVersion\":\"1.3.0\",%s%s\"process\":{%s\"args\":[\"sh\",\"-c\",\"a b\"],"
		     "\"cwd\":\"/\"},\"linux\":{%s}}",
		     root, r->top, r->process, r->lnx) < 0)
		abort();
	return text;
}

/* Everything that create does before it touches anything; print what comes of it. */
static int plan(const struct row *r, const char *root, FILE *to, struct err *e)
{
	OWN(oci_spec_cleanup) struct oci_spec *spec = NULL;
	OWN_FREE char *text = document(r, root);
	OWN_FREE void *payload = NULL;
	struct plan p = { 0 };
	size_t n;
	int rc = spec_parse(text, strlen(text), &spec, e);

	if (rc == 0)
		rc = spec_check(spec, NULL, e);
	if (rc == 0) {
		rc = plan_build(spec, &hosts[r->host], "/bundle", &p, e);
		if (rc == 0)
			rc = plan_encode(&p, &payload, &n, e);
		if (rc == 0 && to) {
			plan_print(&p, to);
			plan_print_program(payload, to);
		}
		plan_fini(&p);
	}
	return rc;
}

static void say_difference(const char *got, const char *want)
{
	for (int line = 1; *got || *want; line++) {
		size_t g = strcspn(got, "\n");
		size_t w = strcspn(want, "\n");

		if (g != w || memcmp(got, want, g) != 0) {
			printf("# line %d\n# got:  %.*s\n# want: %.*s\n", line, (int)g, got, (int)w,
			       want);
			return;
		}
		got += g + (got[g] != '\0');
		want += w + (want[w] != '\0');
	}
}

/* Is @got what the file says? With UPDATE, make it so. */
static void compare(const char *name, const char *got)
{
	OWN_FREE char *want = NULL;
	char path[128];
	int same;

	(void)snprintf(path, sizeof(path), FOLDER "%s.txt", name);
	if (getenv("UPDATE"))
		ok(io_replace_file(AT_FDCWD, path, 0644, got, strlen(got)) == 0, "write %s", path);
	if (io_read_file(AT_FDCWD, path, 1u << 20, &want, NULL) < 0) {
		ok(0, "%s is there (run from the top of the tree)", path);
		return;
	}
	same = strcmp(got, want) == 0;
	ok(same, "%s", name);
	if (!same)
		say_difference(got, want);
}

static char *plan_text(const struct row *r, const char *root)
{
	char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);
	struct err e = { 0 };

	if (plan(r, root, to, &e) < 0)
		(void)fprintf(to, "refused: %s\n", e.msg);
	(void)fclose(to);
	return text;
}

/* Is the line of @n bytes at @line one of @text? */
static int has_line(const char *text, const char *line, size_t n)
{
	for (; *text; text += strcspn(text, "\n"), text += *text != '\0')
		if (strcspn(text, "\n") == n && memcmp(text, line, n) == 0)
			return 1;
	return 0;
}

/* The lines of @text that @other has not, in their order. */
static void print_lines(FILE *to, char mark, const char *text, const char *other)
{
	for (size_t n; *text; text += n + (text[n] != '\0')) {
		n = strcspn(text, "\n");
		if (!has_line(other, text, n))
			(void)fprintf(to, "%c %.*s\n", mark, (int)n, text);
	}
}

static void test_plan(const struct row *r, const char *root, const char *first)
{
	OWN_FREE char *whole = plan_text(r, root);
	OWN_FREE char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	print_lines(to, '-', first, whole);
	print_lines(to, '+', whole, first);
	(void)fclose(to);
	compare(r->name, text);
}

static void test_answers(void)
{
	OWN_FREE char *text = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&text, &n);

	for (size_t i = 0; i < N(answers); i++) {
		struct err e = { 0 };
		int rc = plan(&answers[i], ROOT_RW, NULL, &e);

		(void)fprintf(to, "%s\n    %s\n\n", answers[i].name, rc < 0 ? e.msg : "taken");
	}
	(void)fclose(to);
	compare("answers", text);
}

int main(void)
{
	OWN_FREE char *first = plan_text(&plans[0], ROOT_RW);

	compare(plans[0].name, first);
	for (size_t i = 1; i < N(plans); i++)
		test_plan(&plans[i], ROOT_RW, first);
	test_plan(&readonly_root, ROOT_RO, first);
	test_answers();
	return tap_done();
}
