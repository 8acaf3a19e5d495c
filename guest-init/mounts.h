/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts - the container's root and everything mounted in it.
 *
 * DOC: order
 *
 *   mounts_root()   the root share becomes "/"; from here on the kernel itself resolves every path
 *                   inside the container's root, links and ".." included
 *   mounts_make()   the list, without what covers
 *   (devices, terminal, cwd)
 *   mounts_cover()  masked and read-only paths, then everything that becomes read-only last
 *
 * DOC: no pivot_root
 *
 * The initramfs cannot be pivoted away, so the root is mounted over "/" and entered by chroot. Seen
 * from inside there is nothing beneath: "/" of the namespace, ".." of the root and mountinfo all
 * lead to the topmost mount, and user namespaces may be made. No descriptor to beneath survives
 * execve. Were one found, it would show the shares this container was given, and nothing else: the
 * boundary is the machine.
 */
#ifndef GUEST_INIT_MOUNTS_H
#define GUEST_INIT_MOUNTS_H

#include "guest-init/container.h"

/* Each returns 0, or -errno with @e set. */
int mounts_root(struct container *c, struct err *e);
int mounts_make(struct container *c, struct err *e);
int mounts_cover(struct container *c, struct err *e);

/*
 * Look at files of the host anew: between create and start engines write to those that they mount (podman its
 * /etc/hosts and resolv.conf, once the network of a user namespace is there), and the program must not
 * begin with what was seen before.
 */
void mounts_refresh(struct container *c);

#endif
