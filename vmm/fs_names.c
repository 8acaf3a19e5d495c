/* SPDX-License-Identifier: Apache-2.0 */
/* fs_names - what the guest may say where a name is expected. */
#include <errno.h>
#include <string.h>

#include "vmm/fs_internal.h"

int fs_name_check(const char *name, size_t len)
{
	if (len > NAME_MAX)
		return -ENAMETOOLONG;
	if (len == 0 || memchr(name, '/', len) || memchr(name, '\0', len))
		return -EINVAL;
	if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
		return -EINVAL;
	return 0;
}

int fs_get_name(struct fs_req *r, char *out_name)
{
	size_t n = r->left;

	if (n == 0)
		return -EINVAL;
	if (n > NAME_MAX + 1)
		return -ENAMETOOLONG;
	if (chain_get(r->c, out_name, n) < 0 || out_name[n - 1] != '\0')
		return -EINVAL;
	r->left = 0;
	return fs_name_check(out_name, n - 1);
}

int fs_get_two(struct fs_req *r, char *buf, size_t n, const char **out_second)
{
	size_t len = r->left;
	const char *nul;
	size_t first;

	if (len == 0)
		return -EINVAL;
	if (len > n)
		return -ENAMETOOLONG;
	if (chain_get(r->c, buf, len) < 0 || buf[len - 1] != '\0')
		return -EINVAL;
	r->left = 0;
	nul = memchr(buf, '\0', len);
	first = (size_t)(nul - buf);
	if (first + 1 == len || memchr(nul + 1, '\0', len - first - 2))
		return -EINVAL;
	*out_second = nul + 1;
	return fs_name_check(buf, first);
}
