/* SPDX-License-Identifier: Apache-2.0 */
/* test_init_ps - lines of /proc/PID/stat, with the names that programs give themselves. */
#include "guest-init/ps.h"
#include "tests/unit/tap.h"

#define REST " S 1 7 7 34816 7 4194304 1 2 3 4 150 50 0 0 20 0 1 0 1234 5 6"

static struct ps_stat st;

int main(void)
{
	ok(ps_parse("42 (sh)" REST, &st), "a line");
	is_str(st.comm, "sh", "name");
	is_int(st.ppid, 1, "parent");
	is_int(st.tty, 34816, "terminal");
	is_int(st.ticks, 200, "time");
	is_int(st.start, 1234, "start");
	ok(ps_parse("42 (a) R 1) b)" REST, &st) && strcmp(st.comm, "a) R 1) b") == 0, "a name with brackets");
	ok(ps_parse("42 ()" REST, &st) && st.comm[0] == '\0', "no name");
	ok(ps_parse("42 (0123456789012345678901234567890123456789012345678901234567890123456789)" REST, &st) &&
		   strlen(st.comm) == 63,
	   "a long name is cut");
	ok(ps_parse("1 (x) S 0 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1", &st), "no terminal's group");
	ok(!ps_parse("", &st), "nothing");
	ok(!ps_parse("42", &st), "a number");
	ok(!ps_parse("42 (sh", &st), "no end of the name");
	ok(!ps_parse("42 (sh)", &st), "no fields");
	ok(!ps_parse("42 (sh) ", &st), "no state");
	ok(!ps_parse("42 (sh) S 1 2 3", &st), "too few fields");
	ok(!ps_parse("42 (sh) S 1 2 x 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20", &st), "no number");
	return tap_done();
}
