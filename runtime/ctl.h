/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctl - what commands say to a container's monitor: fixed records over ROOT/ID/ctl.sock
 * (SOCK_SEQPACKET), one request and one answer a connection. Only the owner of the monitor and root
 * are heard.
 */
#ifndef RUNTIME_CTL_H
#define RUNTIME_CTL_H

#include <stdint.h>

#include "guest-init/proto.h"
#include "runtime/base/err.h"
#include "runtime/statedir.h"
#include "vmm/config.h"

enum ctl_op {
	CTL_START = 1,
	CTL_KILL = 2, /* arg: signal, all: every process */
	CTL_PAUSE = 3,
	CTL_RESUME = 4,
	CTL_EXEC = 16, /* struct ctl_exec with descriptors; no answer but an error */
	CTL_PIDS = 17, /* answered by struct ctl_pids */
	CTL_ASK = 32, /* struct ctl_ask */
};

struct ctl_request {
	uint32_t op; /* enum ctl_op */
	uint32_t signal;
	uint32_t all;
	uint32_t reserved;
};

/*
 * One more process: the descriptors of @ends come with it, those of the channel first (vmm/config.h), then those
 * of @more, its descriptors from 3 on. Who asks
 * is the process's proxy; it keeps the connection open, and hears on it only why the request failed.
 */
struct ctl_exec {
	uint32_t op; /* CTL_EXEC */
	uint32_t flags; /* PROTO_EXEC_* */
	int32_t pid; /* the proxy's own */
	uint32_t n_more; /* as @flags announce them */
	struct vm_ends ends[VM_EXEC_PORTS];
	struct vm_ends more[PROTO_MAX_FDS];
};

#define CTL_EXEC_FDS (VM_EXEC_FDS + 2 * PROTO_MAX_FDS)
#define CTL_MAX_PIDS (VM_MAX_EXECS + 2)

/* The processes of the host that are the container: monitor, VMM, proxies. */
struct ctl_pids {
	uint32_t n;
	int32_t pid[CTL_MAX_PIDS];
};

/* A question for the guest, passed on as it is; the reply's text is its answer's. */
struct ctl_ask {
	uint32_t op; /* CTL_ASK */
	uint32_t reserved;
	struct proto_ask ask;
};

struct ctl_reply {
	int32_t code; /* 0, or a positive errno */
	char text[1024];
};

/*
 * The process that listens, found without any record: the monitor, or while it creates the command.
 * Return: its pid, or -ESRCH.
 */
pid_t ctl_peer(struct statedir *d);

/* Listen in the state directory. Return: a descriptor or -errno with @e. */
int ctl_listen(struct statedir *d, struct err *e) MUST_CHECK;

/* Who made the socket @fd, or a pair of which it is one, in the numbers of our user namespace. */
uid_t ctl_maker(int fd);

/* Take the next caller that may speak: @owner is one. Return: a descriptor, or -errno (try again later). */
int ctl_accept(int listen_fd, uid_t owner) MUST_CHECK;

/*
 * Answer a caller, without waiting for it. @code: 0, or a positive errno; @text: @n bytes, which need not be
 * text where the question was the guest's. @fd stays open.
 */
void ctl_answer(int fd, int code, const void *text, size_t n);

/* Return: a connection to the monitor, or -ESRCH when nobody listens. */
int ctl_connect(struct statedir *d, struct err *e) MUST_CHECK;

/* Fetch the container's processes of the host. Return: 0 or as ctl_ask(). */
int ctl_pids(struct statedir *d, int timeout_ms, struct ctl_pids *out, struct err *e) MUST_CHECK;

/*
 * Ask the monitor and wait for its answer, at most @timeout_ms (-1: for ever).
 * Return: 0, -ESRCH when nobody listens, or the monitor's own error.
 */
int ctl_ask(struct statedir *d, const struct ctl_request *req, int timeout_ms,
	    struct err *e) MUST_CHECK;

/*
 * Ask the guest. @out: its answer; what it says is its own and not to be believed, but its text is
 * terminated and printable. Return: 0, or as ctl_ask(), an error of the guest's included.
 */
int ctl_ask_guest(struct statedir *d, const struct proto_ask *q, int timeout_ms,
		  struct ctl_reply *out, struct err *e) MUST_CHECK;

#endif
