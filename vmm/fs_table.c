/* SPDX-License-Identifier: Apache-2.0 */
/* fs_table - numbers for the guest instead of pointers. */
#include "vmm/fs_table.h"

#include <stdlib.h>

#define NO_SLOT UINT32_MAX
#define FIRST_CAP 64u

void fs_table_init(struct fs_table *t, uint32_t max)
{
	*t = (struct fs_table){ .max = max, .free_head = NO_SLOT };
}

void fs_table_fini(struct fs_table *t)
{
	free(t->slot);
	t->slot = NULL;
	t->n = 0;
	t->cap = 0;
	t->free_head = NO_SLOT;
}

static int grow(struct fs_table *t)
{
	uint32_t cap = t->cap ? t->cap * 2 : FIRST_CAP;
	struct fs_slot *slot;

	if (cap > t->max)
		cap = t->max;
	if (cap <= t->cap)
		return -1;
	slot = realloc(t->slot, cap * sizeof(*slot));
	if (!slot)
		return -1;
	t->slot = slot;
	t->cap = cap;
	return 0;
}

uint64_t fs_table_add(struct fs_table *t, void *obj)
{
	uint32_t i = t->free_head;

	if (i != NO_SLOT) {
		t->free_head = t->slot[i].next_free;
	} else {
		if (t->n == t->cap && grow(t) < 0)
			return 0;
		i = t->n++;
		t->slot[i].gen = 1;
	}
	t->slot[i].obj = obj;
	return (uint64_t)t->slot[i].gen << 32 | i;
}

void *fs_table_find(const struct fs_table *t, uint64_t id)
{
	uint32_t i = (uint32_t)id;

	if (i >= t->n || t->slot[i].gen != id >> 32)
		return NULL;
	return t->slot[i].obj;
}

void fs_table_del(struct fs_table *t, uint64_t id)
{
	uint32_t i = (uint32_t)id;

	if (!fs_table_find(t, id))
		return;
	t->slot[i].obj = NULL;
	if (++t->slot[i].gen == 0)
		t->slot[i].gen = 1;
	t->slot[i].next_free = t->free_head;
	t->free_head = i;
}
