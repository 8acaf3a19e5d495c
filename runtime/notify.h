/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify - sd_notify(3) of a container: messages of the guest become datagrams to a socket of the host.
 *
 * DOC: which socket
 *
 *   the container's NOTIFY_SOCKET   the engine has put it into process.env and has mounted a socket of its
 *                                   own there (podman --sdnotify=container): found by the mounts
 *   our own NOTIFY_SOCKET           we run in a service: the container gets a socket in a tmpfs on
 *                                   /run/notify and a variable that names it; with READY=1 goes MAINPID=,
 *                                   the pid that stands for the container. The unit needs NotifyAccess=all,
 *                                   since the sender is that process
 *
 * The command opens and connects the socket, the monitor sends on it; the VMM has no part in it.
 *
 * DOC: what passes
 *
 * Whole lines of known variables with printable values. What speaks of pids, descriptors, barriers or access
 * means nothing outside the machine and is dropped. MONOTONIC_USEC becomes the host's time. At most
 * NOTIFY_PER_SECOND messages a second, after silence those of NOTIFY_BURST_NS at once: a monitor that stood still
 * has as many to read. A receiver that is not there, or slow, loses them.
 */
#ifndef RUNTIME_NOTIFY_H
#define RUNTIME_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "runtime/base/err.h"
#include "runtime/plan.h"

#define NOTIFY_PER_SECOND 100u
#define NOTIFY_BURST_NS 5000000000u
#define NOTIFY_MAX 1024u /* bytes of a message */

struct notify {
	int fd;	       /* connected; -1: none */
	pid_t mainpid; /* told with READY=1; 0: not ours to tell */
	uint64_t due_ns; /* when the next is due in a stream of NOTIFY_PER_SECOND */
};

#define NOTIFY_FOLDER "/run/notify" /* as runc */
#define NOTIFY_PATH NOTIFY_FOLDER "/notify.sock"

/*
 * Give the container a socket when we have one ourselves and it has none: a variable and a mount in @spec.
 * @ours: our NOTIFY_SOCKET, or NULL. Return: 0 or -ENOMEM.
 */
int notify_offer(struct oci_spec *spec, const char *ours) MUST_CHECK;

/* Find out where the container's NOTIFY_SOCKET leads to, by the mounts; pure. @ours: as above. */
void notify_plan(struct plan *p, const char *ours);

/* Connect to it. Return: a descriptor, or -errno with @e. */
int notify_connect(const struct plan *p, struct err *e) MUST_CHECK;

/* Send what passes of @text (NUL-terminated, the guest's). */
void notify_send(struct notify *n, const char *text);

/*
 * The filter alone, pure: @text to @out. @now_usec: the host's CLOCK_MONOTONIC.
 * Return: bytes in @out; 0: nothing passes.
 */
size_t notify_filter(const char *text, pid_t mainpid, uint64_t now_usec, char out[NOTIFY_MAX]);

#endif
