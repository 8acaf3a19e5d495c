/* SPDX-License-Identifier: Apache-2.0 */
/*
 * container - one container from its program: namespaces, root, process.
 *
 * DOC: the two sides
 *
 * container_start() clones. The child builds the container around itself and becomes its process:
 * it is pid 1 of its namespace from its first instruction. The parent goes on as supervisor. Two
 * pipes tie them: `report` brings one struct container_report when the child is ready or has
 * failed, and ends (close-on-exec) when execve has succeeded; a byte on `go` lets it execve.
 */
#ifndef GUEST_INIT_CONTAINER_H
#define GUEST_INIT_CONTAINER_H

#include <stdbool.h>

#include "guest-init/err.h"
#include "guest-init/passed.h"
#include "guest-init/program.h"

/* Where the init mounts the virtio-fs; the child inherits it with the mount namespace. */
#define CONTAINER_SHARES "/shares"

#define NULL_DEVICE 0x103 /* 1:3, devices.txt */

struct container_report;

/* What the child's functions share. Descriptors are -1 when not open. */
struct container {
	struct program program;
	int shares;   /* O_PATH: root of the virtio-fs */
	int old_root; /* O_PATH: the initramfs */
	int proc;     /* a procfs, see container_proc() */
	int master;   /* terminal; -1 for pipes */
	int slave;
	int stdio[3];	  /* the process's ends of its pipes, or -1 */
	struct passed passed; /* the process's further descriptors */
	int report;	  /* write end */
	struct container_report *last; /* shared: for words that the filter won't let us write */
	int go;		  /* read end */
	bool cwd_pending; /* only the user may enter it, root could not */
	const char *path; /* of its program, and "HOME=..." or NULL: see container_become() */
	const char *home;
};

struct container_report {
	uint32_t failed;      /* 0: ready; 1: `error` says why not */
	uint32_t exec_failed; /* the program could not be found or executed */
	int32_t master;	      /* descriptors in the child, -1 without a terminal */
	int32_t slave;
	struct err error;
};

/* What the parent holds of a running child. */
struct container_handle {
	int pid;
	int report;   /* read end, non-blocking */
	const struct container_report *last; /* failed: execve did, and the child could not say it */
	int go;	      /* write end */
	int stdio[3]; /* our ends, non-blocking; -1 with a terminal */
	int cgroup;   /* directory of its cgroup; -1: it has none */
};

/*
 * container_start - clone the child
 * @passed: what it gets besides stdio; closed here
 * Return: 0, or -errno with @e set. The child never returns.
 */
int container_start(const struct program *p, struct passed *passed, struct container_handle *out,
		    struct err *e);

/* A procfs of our pid namespace that is mounted nowhere. Return: a descriptor, or -errno. */
int container_detached_proc(void);

/* Write @path of such a one. Return: 0, or -errno. */
int container_write_own_proc(const char *path, const char *text, size_t n);

/* Make pipes for the streams of @c, /dev/null where it asks for it: our ends go to @out_ours. */
int container_pipes(struct container *c, int out_ours[3]);

/* In the child: make the pipes or the terminal descriptors 0 to 2. Return: 0, or -errno with @e set. */
int container_stdio(struct container *c, struct err *e);

/*
 * In the child, which may be an exec's: when the process may have CAP_NET_ADMIN, have the kernel initialize what that
 * administers, for it looks for the files of it below /proc/sys first.
 */
void container_show_filters(const struct container *c);

/*
 * In the child, when everything that takes privilege is done (@built: how that went): take the user's ids
 * and find the program as the user sees it. @r says the outcome.
 */
void container_become(struct container *c, int built, struct container_report *r);

/* Tell the parent. */
void container_report(struct container *c, const struct container_report *r);

/* Execute what container_become() has found; a failure is reported. */
_Noreturn void container_exec(struct container *c, struct container_report *r);

/*
 * The procfs to write to: the container's own when it has one at /proc, else a detached one.
 * Return: a descriptor that @c owns, or -errno.
 */
int container_proc(struct container *c);

/* Write a file of procfs, whatever the container's own shows of it and allows. Return: 0 or -errno. */
int container_write_proc(struct container *c, const char *path, const char *text, size_t n);

#endif
