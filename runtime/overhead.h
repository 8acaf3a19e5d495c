/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overhead - what a machine takes beside the container in it: one table, the numbers of the man page.
 *
 * A container with a memory limit gets a machine with that much memory for itself, and the host's cgroup
 * allows the machine on top. Measured: tests/cli/35-cgroups.sh fills a container to its limit.
 */
#ifndef RUNTIME_OVERHEAD_H
#define RUNTIME_OVERHEAD_H

/* Inside the machine: its kernel, the init, what it keeps free, and a share that describes the memory. */
#define OVERHEAD_GUEST_BYTES (56ull << 20)
#define OVERHEAD_GUEST_SHARE 16u /* one part in so many of the container's memory */

/* On the host: the VMM and the monitor, and the page tables of the machine's memory. */
#define OVERHEAD_HOST_BYTES (32ull << 20)
#define OVERHEAD_HOST_SHARE 256u /* one part in so many of the machine's memory */

/* Tasks on the host beside the virtual CPUs: monitor, loop, file server, helpers of a moment. */
#define OVERHEAD_TASKS 32u

#endif
