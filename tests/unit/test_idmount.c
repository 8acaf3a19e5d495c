/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of the text of the options idmap= and ridmap=. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/idmount.h"
#include "tests/unit/tap.h"

static const struct oci_id_map own[] = { { 0, 1000, 1 }, { 1, 100000, 65536 } };

static const struct row {
	const char *text;
	int r;
	const char *want; /* uids, then gids */
} rows[] = {
	{ "uids=0-1-10;gids=0-1-10", 0, "0-1-10|0-1-10" },
	{ "gids=5-6-7;uids=1-2-3#10-20-30", 0, "1-2-3#10-20-30|5-6-7" },
	{ "uids=0-@0-1;gids=0-1-1", -EINVAL, NULL },
	{ "uids=@0-0-1;gids=@7-1-10", 0, "0-1000-1|7-100000-10" },
	{ "uids=@0-1-65536;gids=@0-65536-1", 0, "0-100000-65536|0-165535-1" },
	{ "uids=@0-1-65537;gids=0-0-1", -EINVAL, NULL },
	{ "uids=@0-0-2;gids=0-0-1", -EINVAL, NULL },
	{ "uids=@0-70000-1;gids=0-0-1", -EINVAL, NULL },
	{ "uids=0-4294967295-1;gids=0-0-1", 0, "0-4294967295-1|0-0-1" },
	{ "uids=0-4294967296-1;gids=0-0-1", -EINVAL, NULL },
	{ "uids=0-1-10", -EINVAL, NULL },
	{ "gids=0-1-10", -EINVAL, NULL },
	{ "uids=0-1-10;uids=0-1-10;gids=0-1-10", -EINVAL, NULL },
	{ "uids=0-1;gids=0-1-10", -EINVAL, NULL },
	{ "uids=0-1-10#;gids=0-1-10", -EINVAL, NULL },
	{ "uids=0-1-10x;gids=0-1-10", -EINVAL, NULL },
	{ "uids=;gids=", -EINVAL, NULL },
	{ "uids=-1-1-1;gids=0-0-1", -EINVAL, NULL },
	{ "users=0-1-1;gids=0-0-1", -EINVAL, NULL },
	{ "", -EINVAL, NULL },
};

static void print(FILE *f, const struct oci_id_map *m, size_t n)
{
	for (size_t i = 0; i < n; i++)
		(void)fprintf(f, "%s%u-%u-%u", i ? "#" : "", m[i].container_id, m[i].host_id, m[i].size);
}

int main(void)
{
	char text[8192] = "uids=0-0-1";
	struct idmount m;
	struct err e;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		char *got = NULL;
		size_t n;
		FILE *f;
		int rc;

		m = (struct idmount){ 0 };
		rc = idmount_parse(r->text, own, 2, own, 2, &m, &e);
		is_int(rc, r->r, r->text);
		if (rc < 0)
			continue;
		f = open_memstream(&got, &n);
		print(f, m.uids, m.n_uids);
		(void)fputc('|', f);
		print(f, m.gids, m.n_gids);
		(void)fclose(f);
		is_str(got, r->want, r->text);
		free(got);
		free(m.own);
	}
	for (int i = 1; i <= 340; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "#%d-%d-1", i, i);
	is_int(idmount_parse(text, own, 2, own, 2, &m, &e), -EINVAL, "over 340 ranges");
	return tap_done();
}
