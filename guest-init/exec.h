/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec - further processes in the container that runs.
 *
 * DOC: one process
 *
 *   EXEC            dial its channel and streams, clone into the container's pid namespace and cgroup
 *   SETUP           the child reads its program from the channel, joins the other namespaces, becomes
 *                   the user and executes the program; we watch for the end of its proxy only
 *   RUNNING         signals and sizes from the channel, bytes on the streams
 *   ENDED           reaped; what it has written is being passed on
 *   LINGERING       EXITED was sent and the channel closed, but others hold its streams
 *
 * All of it happens in the init's one loop; nothing here waits for a process or for the host's reader.
 */
#ifndef GUEST_INIT_EXEC_H
#define GUEST_INIT_EXEC_H

#include "guest-init/container.h"
#include "guest-init/link.h"
#include "guest-init/relay.h"

#define EXEC_POLLS (2 + RELAY_POLLS) /* channel, report, streams */

enum exec_state { EXEC_FREE = 0, EXEC_SETUP, EXEC_RUNNING, EXEC_ENDED, EXEC_LINGERING };

/* Descriptors are -1 when not open. */
struct exec {
	enum exec_state state;
	int pid;		 /* 0 once it is reaped */
	int channel;		 /* -1 when the host's end is gone or all has been said */
	int report;		 /* read end: struct container_report, then the end at execve */
	int go;			 /* write end: lets it execve; with a terminal only */
	int sock[RELAY_STREAMS]; /* dialled, until the relay has them */
	int stdio[RELAY_STREAMS]; /* our ends of its pipes, until the relay has them */
	bool terminal;
	bool failed; /* FAILED was sent */
	struct container_report *last; /* shared with the child: words that its filter won't let it write */
	struct link_in in;
	struct relay relay;
	uint32_t port;
	uint64_t moved; /* to the host, when the process ended */
	struct proto_event exited;
};

struct exec_table {
	struct exec v[PROTO_MAX_EXECS];
	unsigned used;	   /* slots from here on have never been used */
	uint64_t limit[2]; /* of open files, for the processes: ours is raised */
	bool ready;
	struct sockets *sockets; /* carry the descriptors from 3 on */
};

/*
 * Begin what the host asks for; @into is the running container.
 * Failures go to the process's channel.
 */
void exec_open(struct exec_table *t, const struct proto_exec *x, const struct container_handle *into);

/* Answer an EXEC that cannot be: FAILED with @code and @why. */
void exec_refuse(const struct proto_exec *x, int code, const char *why);

/* Fill @out with what to wait for, EXEC_POLLS entries a process. Return: how many entries. */
unsigned exec_polls(const struct exec_table *t, struct pollfd *out);

/* Do what @polls, filled by exec_polls() and poll(2), allows. */
void exec_run(struct exec_table *t, const struct pollfd *polls);

/* End what can be ended; before every poll(2), which says nothing of a process that left no bytes. */
void exec_settle(struct exec_table *t);

/* A child of ours has ended. Return: whether it was one of these. */
bool exec_reaped(struct exec_table *t, int pid, int status);

/* Whether the host knows the end of every process, and somebody has read what it wrote. */
bool exec_over(const struct exec_table *t);

#endif
