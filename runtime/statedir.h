/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statedir - what is remembered of a container on disk: ROOT/ID/{lock,state.json,config.json,exit.json,
 * ctl.sock,hooks.json}. config.json is a copy: what happens to the bundle after create is of no interest.
 *
 * The OFD write lock on `lock`, held by the command that creates and inherited by the monitor, says alive
 * or dead; no pid does. `vmm.lock` is held by the VMM in the same way until the kernel has torn it down. The flock(2)
 * of `lock` says whose turn it is (statedir_turn()).
 *
 * DOC: who writes what, so that kill -9 of anybody leaves the truth
 *
 *   state.json  the command that creates: before it makes anything ("creating", with its own pid), and
 *               once the container is made ("created", with the monitor's); pause, resume and update, which take
 *               turns (statedir_turn()). Replaced whole.
 *   lock        its first byte: does the program run? By the monitor, which alone knows: the command that
 *               asks for a start may die before it hears of it.
 *   exit.json   the monitor, when it leaves.
 *
 * Both bytes and exit.json are allocated at create: a full disk can't keep them from being written.
 *
 *   lock  state.json        state            kill          delete        delete --force
 *   held  none, creating    creating         busy          busy          kills the creator, removes
 *   held  created           created/running  works         created only  kills, removes
 *   held  damaged           error            works         error         kills, removes
 *   free  none              does not exist   not exist     removes       removes
 *   free  creating, created stopped          not running   removes       removes
 *   free  damaged           error            error         error         removes
 *   a folder with files of none of ours: another runtime's, as if it were not there
 */
#ifndef RUNTIME_STATEDIR_H
#define RUNTIME_STATEDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "oci/state.h"
#include "runtime/base/err.h"
#include "runtime/cgroup.h"

#define STATEDIR_MAX_ID 255u

struct statedir {
	int fd;	     /* ROOT/ID */
	char *id;
	char *root;  /* absolute path of ROOT */
};

/* What state.json holds. Strings are owned. */
struct statedir_record {
	char *bundle;
	char *rootfs;
	char *created; /* RFC 3339 */
	char *oci_version;
	char *boot_id;
	struct oci_kv *annotations;
	size_t n_annotations;
	pid_t pid;     /* of the monitor; while creating: of the command that creates */
	uint64_t pid_start; /* field 22 of its /proc/PID/stat */
	struct cgroup cgroup;
	uint64_t memory_bytes; /* of the machine */
	int64_t memory_limit;  /* of the container; -1: none */
	uint64_t host_extra;   /* plan_size's */
	char phase[16]; /* "creating", "created" */
	bool incomplete; /* there is no state.json: create has not come that far */
};

/* Letters, digits, _ + - . ; not starting with a dot. Return: 0 or -EINVAL with the text engines expect. */
int statedir_check_id(const char *id, struct err *e) MUST_CHECK;

/*
 * Path of ROOT: @given, else $XDG_RUNTIME_DIR/coracle, else /run/coracle, else /tmp/coracle-UID.
 * Made (0700) when @make; checked to be ours. *out is malloced.
 */
int statedir_root(const char *given, bool make, char **out, struct err *e) MUST_CHECK;

/* Claim an id. Return: 0, or -EEXIST. @out_lock_fd: the lock, held; hand it to the monitor. */
int statedir_create(const char *root, const char *id, struct statedir *out, int *out_lock_fd,
		    struct err *e) MUST_CHECK;

/* Has @root a folder of that name which another runtime made? */
bool statedir_foreign(const char *root, const char *id);

/* Open an existing one. Return: 0, or -ENOENT with "container `ID` does not exist", and why if there is a folder. */
int statedir_open(const char *root, const char *id, struct statedir *out, struct err *e) MUST_CHECK;
void statedir_close(struct statedir *d);

/*
 * Only one command at a time removes a container: wait until it is this one, and stays so until statedir_let_go() or the
 * close of @d. Return: 0, or -ENOENT like statedir_open() when another has removed it.
 */
int statedir_hold(struct statedir *d, struct err *e) MUST_CHECK;
void statedir_let_go(struct statedir *d);

/*
 * Only one command at a time changes the record of a living container: wait until it is this one, until the close of
 * the descriptor returned, but not for ever: it may have been stopped. -1: there is no lock. delete waits for nobody.
 */
int statedir_turn(const struct statedir *d) MUST_CHECK;

int statedir_write(struct statedir *d, const struct statedir_record *r, struct err *e) MUST_CHECK;
int statedir_read(struct statedir *d, struct statedir_record *out, struct err *e) MUST_CHECK;
void statedir_record_fini(struct statedir_record *r);

/* Why its machine died, if that was its end: the monitor's words, to @out. A container that ended or was killed has none. */
bool statedir_death(const struct statedir *d, char *out, size_t size);

/* Return: whether something in the container, which has ended, was killed for want of memory. */
bool statedir_oom(const struct statedir *d);

/* Is somebody holding the lock file @name of the container? What can't be found out counts as held. */
bool statedir_locked(struct statedir *d, const char *name);

/* Does its monitor, or the command that creates it, live? */
bool statedir_alive(struct statedir *d);

/* The truth about a container: lock and record together. */
enum oci_status statedir_status(struct statedir *d, const struct statedir_record *r);

/*
 * From now on the program runs: the living container is running, or paused if the record says so.
 * @lock_fd: of statedir_create(): the monitor may have no right to open the file any more.
 */
void statedir_mark_running(int lock_fd);

/* Was the record written since this host booted? No: what it names is another's by now. */
bool statedir_this_boot(const struct statedir_record *r);

/* Id of this boot, malloced; NULL: unknown. */
char *statedir_boot_id(void);

/* Remove all files and the directory. Tolerates what is missing. */
int statedir_remove(struct statedir *d, struct err *e) MUST_CHECK;

/* Start time of a process (field 22 of stat), 0 when there is none. */
uint64_t statedir_pid_start(pid_t pid);

#endif
