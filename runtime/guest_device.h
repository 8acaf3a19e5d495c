/* SPDX-License-Identifier: Apache-2.0 */
/* guest_device - which devices the guest's kernel has, by number (kernel-config/, devices.txt). */
#ifndef RUNTIME_GUEST_DEVICE_H
#define RUNTIME_GUEST_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

/* Whether a node of @type ('c' or 'b') with these numbers would mean something in the guest. */
bool guest_device_exists(int type, uint32_t major, uint32_t minor);

#endif
