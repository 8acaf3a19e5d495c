/* SPDX-License-Identifier: Apache-2.0 */
/*
 * preserve - descriptors that a caller wants to have open in the container: --preserve-fds, LISTEN_FDS.
 *
 * A descriptor is a thing of the host's kernel: what reaches the guest is a stream of bytes. Pipes, files and
 * devices become pipes, connected stream sockets one end of a pair, and for a socket that listens another one
 * listens in the guest. Numbers that are closed are skipped, since engines leave holes. The rest is an error that
 * says what it is, because a program that finds another one in its place, or none, would fail far from the cause.
 */
#ifndef RUNTIME_PRESERVE_H
#define RUNTIME_PRESERVE_H

#include "guest-init/proto.h"
#include "oci/spec.h"
#include "runtime/base/err.h"
#include "vmm/config.h"

struct preserved {
	uint32_t n;
	struct {
		struct proto_fd fd; /* what the guest is told */
		int in;	 /* copies: read here; or the socket that listens. -1: none */
		int out; /* written here */
		struct vm_ends ends;
	} v[PROTO_MAX_FDS];
};

/*
 * Collect @n descriptors from 3 on, of --preserve-fds: copies, and the numbers themselves are closed.
 * @may_listen: sockets that listen are fine.
 * Return: 0, or -errno with @e: "--preserve-fds: descriptor 4, ...".
 */
int preserve_collect(unsigned n, bool may_listen, struct preserved *out, struct err *e) MUST_CHECK;

/*
 * Close whatever else the caller left open (ours is close-on-exec): the container's monitor would hold it, a lock or
 * the end of a pipe, as long as the container lives.
 */
void preserve_close_rest(void);

/*
 * How many a service manager gave to us (sd_listen_fds(3)) to pass on, as runc and crun do; they come before those
 * of --preserve-fds. 0: none.
 */
unsigned preserve_listen_fds(void);

/* Tell the process about @n of them, in the words of sd_listen_fds(3). Return: 0 or -ENOMEM. */
int preserve_tell(struct oci_process *p, unsigned n) MUST_CHECK;

/* Close all copies. */
void preserve_fini(struct preserved *p);

#endif
