/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jail - what coracle-vmm gives up before the guest's first instruction.
 *
 * DOC: stages
 *
 *   1 jail_descriptors()  close what was not meant for us, limits, die with the parent
 *   2 jail_enter()        namespaces, empty root, capabilities, privileges
 *   3 seccomp.c           one filter per thread, loaded by the thread itself
 *
 * A stage that can't be set up is an error: there is no way to run with less.
 */
#include "vmm/jail.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "runtime/base/proc.h"

#define MAX_EXEC (VM_EXEC_FDS * VM_MAX_EXECS)
#define MAX_KEEP (16 + VM_MAX_DEVICE_FDS)

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

static int limit(__rlimit_resource_t resource, rlim_t value, const char *name, struct err *e)
{
	struct rlimit r = { value, value };

	return setrlimit(resource, &r) < 0 ? err_sys(e, "jail: limit %s", name) : 0;
}

static int limit_files(const struct vm_config *c, struct err *e)
{
	struct rlimit r;
	rlim_t want = (rlim_t)c->fs_max_fds + MAX_KEEP + 64;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return err_sys(e, "jail: RLIMIT_NOFILE");
	/* processes to come: as many as there is room for, the rest is refused when it comes */
	if (want <= r.rlim_max)
		want = want + MAX_EXEC < r.rlim_max ? want + MAX_EXEC : r.rlim_max;
	if (want > r.rlim_max)
		return err_set(e, EMFILE,
			       "jail: the file server's budget of %u descriptors is over the limit %llu",
			       c->fs_max_fds, (unsigned long long)r.rlim_max);
	return limit(RLIMIT_NOFILE, want, "RLIMIT_NOFILE", e);
}

int jail_descriptors(const struct vm_config *c, struct err *e)
{
	int keep[] = { c->kvm_fd, c->kernel_fd, c->initrd_fd, c->control_fd, c->lock_fd };
	struct pollfd control = { .fd = c->control_fd };
	int r = proc_close_others(keep, sizeof(keep) / sizeof(keep[0]));

	if (r < 0)
		return err_set(e, -r, "jail: close foreign descriptors");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, "jail: PR_SET_PDEATHSIG");
	/* a monitor that died before the line above sends nothing; its end of the socket is closed */
	if (poll(&control, 1, 0) != 0 && (control.revents & (POLLHUP | POLLERR | POLLNVAL)))
		return err_set(e, ESRCH, "jail: the monitor has gone");
	if (limit(RLIMIT_CORE, 0, "RLIMIT_CORE", e) < 0 ||
	    limit(RLIMIT_MSGQUEUE, 0, "RLIMIT_MSGQUEUE", e) < 0)
		return -e->code;
	return limit_files(c, e);
}

/* A root without anything: a read-only tmpfs of two inodes, everything else detached. */
static int empty_root(struct err *e)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "jail: make mounts private");
	if (mount("none", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  "size=4k,nr_inodes=2,mode=0500") < 0)
		return err_sys(e, "jail: mount an empty root");
	if (chdir("/proc") < 0)
		return err_sys(e, "jail: enter the empty root");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(e, "jail: pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(e, "jail: detach the old root");
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) < 0)
		return err_sys(e, "jail: make the empty root read-only");
	return chdir("/") < 0 ? err_sys(e, "jail: chdir") : 0;
}

/* What a file server for several owners needs, and nothing that reaches beyond files. */
static int keep_file_capabilities(struct err *e)
{
	static const unsigned keep[] = { CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_SETFCAP };

	if (capng_get_caps_process() < 0)
		return err_set(e, EPERM, "jail: read capabilities");
	for (unsigned cap = 0; cap <= CAP_LAST_CAP; cap++) {
		bool wanted = false;

		for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++)
			wanted |= keep[i] == cap;
		if (wanted && capng_have_capability(CAPNG_PERMITTED, cap))
			continue;
		(void)capng_update(CAPNG_DROP,
				   CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE |
					   CAPNG_BOUNDING_SET | CAPNG_AMBIENT,
				   cap);
	}
	if (capng_apply(CAPNG_SELECT_ALL) < 0)
		return err_set(e, EPERM, "jail: drop capabilities");
	return 0;
}

static int give_up_privileges(struct err *e)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "jail: PR_SET_NO_NEW_PRIVS");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, "jail: PR_SET_DUMPABLE");
	/* Linux 6.3; older hosts don't know it and the seccomp filter forbids PROT_EXEC as well */
	if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) < 0 && errno != EINVAL)
		return err_sys(e, "jail: PR_SET_MDWE");
	return 0;
}

int jail_enter(int *out_proc_self_fd, struct err *e)
{
	OWN_FD int fd = -1;
	int r;

	if (unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP) < 0)
		return err_sys(e, "jail: make namespaces");
	/* a mount of its own: ".." ends there instead of showing the rest of /proc */
	fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/proc/self/fd",
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "jail: open \"/proc/self/fd\"");
	r = empty_root(e);
	if (r == 0)
		r = keep_file_capabilities(e);
	if (r == 0)
		r = give_up_privileges(e);
	if (r < 0)
		return r;
	*out_proc_self_fd = take_fd(&fd);
	return 0;
}
