/* SPDX-License-Identifier: Apache-2.0 */
/* fs_budget - how many descriptors the file server has open, and whose is closed for another. */
#include <errno.h>
#include <unistd.h>

#include "runtime/base/own.h"
#include "vmm/fs_internal.h"

void fs_lru_del(struct fs_server *fs, struct fs_inode *i)
{
	if (!i->in_lru)
		return;
	if (i->lru_prev)
		i->lru_prev->lru_next = i->lru_next;
	else
		fs->lru_head = i->lru_next;
	if (i->lru_next)
		i->lru_next->lru_prev = i->lru_prev;
	else
		fs->lru_tail = i->lru_prev;
	i->lru_prev = NULL;
	i->lru_next = NULL;
	i->in_lru = false;
}

void fs_lru_update(struct fs_server *fs, struct fs_inode *i)
{
	fs_lru_del(fs, i);
	if (i->fd < 0 || i->pins > 0 || i->handles > 0 || !i->parent || i->root)
		return;
	i->lru_prev = fs->lru_tail;
	if (fs->lru_tail)
		fs->lru_tail->lru_next = i;
	else
		fs->lru_head = i;
	fs->lru_tail = i;
	i->in_lru = true;
}

int fs_fd_reserve_locked(struct fs_server *fs, size_t n)
{
	while (fs->n_fds + n > fs->cfg.max_fds) {
		struct fs_inode *victim = fs->lru_head;

		if (!victim)
			return -ENFILE;
		fs_lru_del(fs, victim);
		(void)close(take_fd(&victim->fd));
		fs->n_fds--;
	}
	fs->n_fds += n;
	return 0;
}

int fs_fd_reserve(struct fs_server *fs, size_t n)
{
	int r;

	(void)pthread_mutex_lock(&fs->lock);
	r = fs_fd_reserve_locked(fs, n);
	(void)pthread_mutex_unlock(&fs->lock);
	return r;
}

void fs_fd_release(struct fs_server *fs, size_t n)
{
	(void)pthread_mutex_lock(&fs->lock);
	fs->n_fds -= n;
	(void)pthread_mutex_unlock(&fs->lock);
}
