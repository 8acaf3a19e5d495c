/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oom - make an out-of-memory kill inside the guest visible to engines (engine contract 20.7).
 *
 * Engines look at the host: conmon, containerd and kubelet at oom_kill in memory.events of the cgroup that
 * the container's pid is in, CRI-O at the file BUNDLE/oom. What the guest's kernel did is neither. So
 * before the container's end is told the file is made, and the host's kernel is given something to kill:
 * a child that fills the little memory which the cgroup, the machine gone, is left with.
 */
#ifndef RUNTIME_OOM_H
#define RUNTIME_OOM_H

#include <stdbool.h>

/* Opened while the host's files can be reached, and by whoever may write them. */
struct oom {
	int bundle;
	int current; /* memory.* of the container's cgroup; -1: it has none */
	int max;
	int swap_max;
	int score; /* oom_score_adj of ours, which is below zero; else -1 */
};

/*
 * @own_cgroup: the cgroup that we are in is the container's alone. @spared: our oom_score_adj is below zero.
 * What can't be had is not told.
 */
void oom_open(struct oom *o, const char *bundle, bool own_cgroup, bool spared);

/*
 * Tell it. Takes at most a few seconds. Context: the monitor, its VMM reaped, nothing else of the
 * container alive on the host but proxies.
 */
void oom_tell(const struct oom *o);

#endif
