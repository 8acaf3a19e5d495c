/* SPDX-License-Identifier: Apache-2.0 */
/* jail - what coracle-vmm gives up before the guest's first instruction. */
#ifndef VMM_JAIL_H
#define VMM_JAIL_H

#include "runtime/base/err.h"
#include "vmm/config.h"

/*
 * Stage 1, first thing: only the machine's descriptors stay open, nothing outlives the monitor, no core
 * dumps, the descriptor limit fits the budget.
 */
int jail_descriptors(const struct vm_config *c, struct err *e) MUST_CHECK;

/*
 * Stage 2, with everything opened: own namespaces, an empty root, capabilities of the file server
 * only, no new privileges, not dumpable. Before any thread is made. @out_proc_self_fd: O_PATH
 * directory of our own descriptors, the last thing that is opened by path.
 */
int jail_enter(int *out_proc_self_fd, struct err *e) MUST_CHECK;

#endif
