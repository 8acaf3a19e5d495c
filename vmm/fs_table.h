/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fs_table - numbers for the guest instead of pointers.
 *
 * An id is (generation << 32 | slot); generations start at 1 and change with every reuse of a slot,
 * so a stale or invented id finds nothing, and no id is ever 0 or FUSE_ROOT_ID. Context: the caller
 * holds the lock that protects the table.
 */
#ifndef VMM_FS_TABLE_H
#define VMM_FS_TABLE_H

#include <stdint.h>

struct fs_slot {
	void *obj; /* NULL = free */
	uint32_t gen;
	uint32_t next_free;
};

struct fs_table {
	struct fs_slot *slot;
	uint32_t n;   /* slots ever used */
	uint32_t cap; /* slots allocated */
	uint32_t max; /* bound on cap */
	uint32_t free_head;
};

void fs_table_init(struct fs_table *t, uint32_t max);
void fs_table_fini(struct fs_table *t);

/* Return: a fresh id for @obj, or 0 when the table is full or memory is. */
uint64_t fs_table_add(struct fs_table *t, void *obj);

/* Return: the object of @id, or NULL. */
void *fs_table_find(const struct fs_table *t, uint64_t id);

void fs_table_del(struct fs_table *t, uint64_t id);

#endif
