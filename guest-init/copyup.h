/* SPDX-License-Identifier: Apache-2.0 */
/* copyup - fill a new tmpfs with what the directory under it held (option tmpcopyup). */
#ifndef GUEST_INIT_COPYUP_H
#define GUEST_INIT_COPYUP_H

/*
 * Copy the directory open as @from to @dest: files, directories, links, devices and fifos with
 * their mode and owner. Return: 0 or -errno.
 */
int copyup_tree(int from, const char *dest);

#endif
