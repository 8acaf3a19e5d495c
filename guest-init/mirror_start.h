/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_start - the guest's side of mirror, as a process of its own beside the container. */
#ifndef GUEST_INIT_MIRROR_START_H
#define GUEST_INIT_MIRROR_START_H

#include "guest-init/program.h"

/* Start it if the program asks for it. Return: what mirror_wait() takes; -1: there is none. */
int mirror_start(const struct program *p);

/* Wait until what listens on the host can be reached here, but not for ever; closes @ready. */
void mirror_wait(int ready);

#endif
