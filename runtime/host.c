/* SPDX-License-Identifier: Apache-2.0 */
/* host - what this host is and has: the only place that looks around. */
#include "runtime/host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/nsfs.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "runtime/caps.h"
#include "runtime/netlink.h"

#define CONF_PATH "/etc/coracle/coracle.conf" /* CORACLE_CONF names another */

/* Our own files: where the user says, where they were installed, beside the program (a build tree). */
static int find_part(const char *env, const char *name, char *out, struct err *e)
{
	const char *said = getenv(env);
	char exe[PATH_MAX];
	ssize_t n;

	if (said && *said) {
		(void)snprintf(out, PATH_MAX, "%s", said);
		return access(out, R_OK) < 0 ? err_sys(e, "%s: \"%s\"", env, out) : 0;
	}
	(void)snprintf(out, PATH_MAX, "%s/%s", CORACLE_LIBEXECDIR, name);
	if (access(out, R_OK) == 0)
		return 0;
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n > 0) {
		exe[n] = '\0';
		*strrchr(exe, '/') = '\0';
		(void)snprintf(out, PATH_MAX, "%s/%s", exe, name);
		if (access(out, R_OK) == 0)
			return 0;
	}
	return err_set(e, ENOENT, "%s is not installed in %s; run `make install`, or set %s", name,
		       CORACLE_LIBEXECDIR, env);
}

/* The first range that /etc/subuid or /etc/subgid (subuid(5)) gives to the user. */
static void find_range(const char *file, uid_t uid, struct oci_id_map *out)
{
	FILE *f = fopen(file, "re");
	const struct passwd *pw = getpwuid(uid);
	char line[512];

	while (f && out->size == 0 && fgets(line, sizeof(line), f)) {
		char *start = strchr(line, ':');
		char *size = start ? strchr(start + 1, ':') : NULL;
		char *end;

		if (!size)
			continue;
		*start++ = '\0';
		*size++ = '\0';
		if (!(pw && strcmp(line, pw->pw_name) == 0) &&
		    !(strtoul(line, &end, 10) == uid && end != line && *end == '\0'))
			continue;
		out->host_id = (uint32_t)strtoul(start, NULL, 10);
		out->size = (uint32_t)strtoul(size, NULL, 10);
	}
	if (f)
		(void)fclose(f);
}

/* A namespace that we have no rights over shows nobody its owner. */
static bool pids_are_foreign(void)
{
	OWN_FD int pids = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	OWN_FD int owner = pids < 0 ? -1 : ioctl(pids, NS_GET_USERNS);

	return pids >= 0 && owner < 0 && errno == EPERM;
}

/* Classes come with a policy, which may hide them from us. Read-only it is somebody else's: of the host of a container. */
static bool selinux_judges(void)
{
	struct statvfs fs;

	if (access("/sys/fs/selinux/class/process", F_OK) < 0 && errno != EACCES)
		return false;
	return statvfs("/sys/fs/selinux", &fs) < 0 || !(fs.f_flag & ST_RDONLY);
}

int host_facts_collect(struct host_facts *f, struct err *e)
{
	struct rlimit r;
	struct utsname names;
	struct stat st;
	const char *conf = getenv("CORACLE_CONF");
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct sysinfo info;

	memset(f, 0, sizeof(*f));
	f->euid = geteuid();
	f->egid = getegid();
	f->can_mount = caps_have_sys_admin();
	f->foreign_pids = pids_are_foreign();
	if (!f->can_mount && access("/usr/bin/newuidmap", X_OK) == 0) {
		find_range("/etc/subuid", f->euid, &f->sub_uids);
		find_range("/etc/subgid", f->euid, &f->sub_gids);
	}
	if (uname(&names) < 0)
		return err_sys(e, "uname");
	(void)snprintf(f->hostname, sizeof(f->hostname), "%s", names.nodename);
	(void)snprintf(f->domainname, sizeof(f->domainname), "%s", names.domainname);
	f->notify_socket = getenv("NOTIFY_SOCKET");
	f->selinux = selinux_judges();
	f->stdin_null = fstat(STDIN_FILENO, &st) == 0 && S_ISCHR(st.st_mode) &&
			st.st_rdev == makedev(1, 3);
	f->cpus = cpus > 0 ? (unsigned)cpus : 1;
	if (sysinfo(&info) == 0)
		f->memory_bytes = (uint64_t)info.totalram * info.mem_unit;
	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return err_sys(e, "RLIMIT_NOFILE");
	f->nofile = r.rlim_max > 1000000 ? 1000000 : (unsigned)r.rlim_max;
	if (machine_conf_load(conf && *conf ? conf : CONF_PATH, &f->conf, e) < 0)
		return -e->code;
	if (find_part("CORACLE_VMM", "coracle-vmm", f->vmm, e) < 0 ||
	    (!f->conf.set.kernel[0] && find_part("CORACLE_KERNEL", "vmlinux", f->kernel, e) < 0) ||
	    find_part("CORACLE_INITRD", "coracle-init.cpio", f->initrd, e) < 0)
		return -e->code;
	return 0;
}

static int inherit_files(struct oci_process *p)
{
	struct oci_rlimit *v;
	struct rlimit r;

	for (size_t i = 0; i < p->n_rlimits; i++)
		if (p->rlimits[i].resource == RLIMIT_NOFILE)
			return 0;
	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return 0;
	v = reallocarray(p->rlimits, p->n_rlimits + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v[p->n_rlimits++] = (struct oci_rlimit){
		.has_resource = true,
		.resource = RLIMIT_NOFILE,
		.soft = r.rlim_cur,
		.hard = r.rlim_max,
	};
	p->rlimits = v;
	return 0;
}

/* What our own processes have, theirs shall have: proc_pid_oom_score_adj(5). */
static void inherit_oom_score(struct oci_process *p)
{
	OWN_FREE char *text = NULL;

	if (p->has_oom_score_adj || io_read_file(AT_FDCWD, "/proc/self/oom_score_adj", 32, &text, NULL) < 0)
		return;
	p->oom_score_adj = (int32_t)strtol(text, NULL, 10);
	p->has_oom_score_adj = p->oom_score_adj != 0; /* as the guest's are */
}

int host_inherit(struct oci_process *p)
{
	inherit_oom_score(p);
	return inherit_files(p);
}

/* A paravirtual KVM back end shows no vmx or svm flag and can't boot ordinary kernels. */
static bool cpu_has_virtualisation(void)
{
	uint32_t a, b, c, d;

	__asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(1), "c"(0));
	if (c & (1u << 5))
		return true;
	__asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(0x80000001u), "c"(0));
	return c & (1u << 2);
}

int host_open_kvm(struct err *e)
{
	OWN_FD int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
		return err_set(e, errno,
			       "/dev/kvm: not there; enable virtualisation in the firmware and load "
			       "kvm_intel or kvm_amd");
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return err_set(e, errno,
			       "/dev/kvm: permission denied; add yourself to its group (usually "
			       "`usermod -aG kvm USER`)");
	if (fd < 0)
		return err_sys(e, "/dev/kvm");
	if (ioctl(fd, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return err_set(e, ENOTSUP, "/dev/kvm: not KVM of API version %d", KVM_API_VERSION);
	if (!cpu_has_virtualisation())
		return err_set(e, ENOTSUP,
			       "/dev/kvm: the CPU shows neither vmx nor svm, so this KVM can't boot "
			       "ordinary Linux guests; use a host with hardware or nested "
			       "virtualisation");
	return take_fd(&fd);
}

static int probe_kvm(struct err *e)
{
	OWN_FD int fd = host_open_kvm(e);

	return fd < 0 ? fd : 0;
}

int host_no_tun(int error, struct err *e)
{
	return err_set(e, error, "/dev/net/tun: %s; `modprobe tun`, and mode 0666 for it", strerror(error));
}

static int probe_tun(struct err *e)
{
	OWN_FD int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	return fd < 0 ? host_no_tun(errno, e) : 0;
}

/* In a namespace that ends with the child: lo redirected to itself. */
static int try_redirect(void)
{
	const struct net_link lo = { .index = 1, .name = "lo" };
	struct netlink nl;
	struct err e = { 0 };

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return 0; /* another line says so */
	if (netlink_open(&nl, &e) < 0 || netlink_redirect(&nl, &lo, lo.index, 0, &e) < 0 ||
	    netlink_redirect(&nl, &lo, lo.index, 1, &e) < 0)
		return e.code;
	return 0;
}

static int probe_redirect(struct err *e)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(try_redirect());
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return err_sys(e, "redirects: fork");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_set(e, WIFEXITED(status) ? WEXITSTATUS(status) : EIO,
		       "redirects: the kernel modules sch_ingress, cls_matchall, cls_u32, act_mirred and act_gact "
		       "are needed; `modprobe -a` them");
}

int host_no_userns(int error, struct err *e)
{
	return err_set(e, error,
		       "user namespaces: not allowed; set sysctl user.max_user_namespaces above 0 and "
		       "kernel.unprivileged_userns_clone and kernel.apparmor_restrict_unprivileged_userns "
		       "as your distribution documents");
}

static int probe_userns(struct err *e)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return err_sys(e, "user namespaces: fork");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return host_no_userns(WIFEXITED(status) ? WEXITSTATUS(status) : EPERM, e);
}

static int probe_mounts(struct err *e)
{
	if (syscall(SYS_open_tree, -1, "", 0) < 0 && errno == ENOSYS)
		return err_set(e, ENOSYS, "open_tree: Linux 5.12 or newer is needed");
	if (syscall(SYS_mount_setattr, -1, "", 0, NULL, 0) < 0 && errno == ENOSYS)
		return err_set(e, ENOSYS, "mount_setattr: Linux 5.12 or newer is needed");
	return 0;
}

static int probe_subids(struct err *e)
{
	if (geteuid() == 0)
		return 0;
	if (access("/usr/bin/newuidmap", X_OK) < 0)
		return err_set(e, ENOENT,
			       "newuidmap: not there, so containers with more than one id can't run; "
			       "install the package uidmap");
	return 0;
}

static int probe_parts(struct err *e)
{
	struct host_facts f;

	return host_facts_collect(&f, e);
}

const struct host_check host_checks[] = {
	{ "virtual machines (/dev/kvm)", probe_kvm },
	{ "user namespaces", probe_userns },
	{ "detached mounts", probe_mounts },
	{ "ranges of ids (newuidmap)", probe_subids },
	{ "network taps (/dev/net/tun)", probe_tun },
	{ "network redirects (tc)", probe_redirect },
	{ "coracle's own files", probe_parts },
};
const size_t n_host_checks = sizeof(host_checks) / sizeof(host_checks[0]);
