/* SPDX-License-Identifier: Apache-2.0 */
/* test_init_text - the guest's own formatter, error texts, search path and passwd reader. */
#include <errno.h>
#include <stdlib.h>

#include "guest-init/err.h"
#include "guest-init/find.h"
#include "guest-init/str.h"
#include "tests/unit/tap.h"

static void test_format(void)
{
	char s[64];

	is_int(str_fmt(s, sizeof(s), "%s=%d %u%% %x %c", "a", -5, 7u, 0xbeefu, 'z'), 14, "length");
	is_str(s, "a=-5 7% beef z", "all the small ones");
	str_fmt(s, sizeof(s), "%ld %lu %d", INT64_MIN, UINT64_MAX, 0);
	is_str(s, "-9223372036854775808 18446744073709551615 0", "extremes");
	is_int(str_fmt(s, 5, "%s", "abcdefgh"), 4, "cut to the room");
	is_str(s, "abcd", "and terminated");
	is_int(str_fmt(s, 1, "%d", 12345), 0, "room for the NUL only");
	is_str(s, "", "is empty");
}

static void test_strings(void)
{
	const char *p = "4294967295:";
	uint32_t v = 0;

	ok(str_number(&p, &v) && v == UINT32_MAX && *p == ':', "the largest number");
	p = "4294967296";
	ok(!str_number(&p, &v) && *p == '4', "one more is none");
	p = "x";
	ok(!str_number(&p, &v), "no digit is none");
	is_int(str_bounded("abc", 4), 3, "bounded");
	is_int(str_bounded("abc", 3), -1, "unbounded");
	ok(str_eq("", "") && !str_eq("a", "ab") && !str_eq("ab", "a"), "equality");
	ok(str_begins("abc", "ab") && str_begins("a", "") && !str_begins("a", "ab"), "prefix");
	ok(str_find("a:b", ':') != NULL && str_find("a", ':') == NULL, "find");
}

static void test_errors(void)
{
	char path[1000];
	struct err e;
	unsigned same = 0, known = 0;

	is_int(err_sys(&e, -ENOENT, "open \"%s\"", "/x"), -ENOENT, "result");
	is_str(e.text, "open \"/x\": No such file or directory", "text");
	is_int(e.code, ENOENT, "code");
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	err_sys(&e, -EACCES, "exec \"%s\"", path);
	is_int(strlen(e.text), PROTO_TEXT - 1, "a long path is cut");
	is_str(e.text + PROTO_TEXT - 1 - 19, ": Permission denied", "the reason is not");
	err_sys(&e, -4095, "x");
	is_str(e.text, "x: Unknown error 4095", "an errno of the future");
	for (int i = 1; i < 134; i++) {
		if (err_words(i) == NULL)
			continue;
		known++;
		same += strcmp(err_words(i), strerror(i)) == 0;
	}
	ok(known > 45 && same == known, "%u of %u words are the C library's", same, known);
}

static void test_search(void)
{
	const char *path = "/bin::/usr/bin";
	char out[16];

	ok(find_next(&path, "ls", out, sizeof(out)), "first");
	is_str(out, "/bin/ls", "first element");
	ok(find_next(&path, "ls", out, sizeof(out)), "second");
	is_str(out, "./ls", "an empty element is here");
	ok(find_next(&path, "ls", out, sizeof(out)) && path == NULL, "third and last");
	is_str(out, "/usr/bin/ls", "third element");
	path = "/bin";
	ok(find_next(&path, "0123456789", out, sizeof(out)), "fits exactly");
	is_str(out, "/bin/0123456789", "with its NUL");
	path = "/bin:/b";
	ok(!find_next(&path, "01234567890", out, sizeof(out)) && path != NULL, "too long, go on");
	ok(find_next(&path, "01234567890", out, sizeof(out)), "to the next");
	path = "/0123456789abcdef";
	ok(!find_next(&path, "x", out, sizeof(out)) && path == NULL, "a directory too long");
}

static void test_home(void)
{
	const char *passwd = "root:x:0:0:root:/root:/bin/sh\n"
			     "bad:x:10\n"
			     "\n"
			     "12:12:x:12:::\n"
			     "near:x:1000x:1:A,B:/no:/bin/sh\n"
			     "alice:x:1000:1:A,B:/home/alice:/bin/sh\n"
			     "none:x:7:7:::\n"
			     "last:x:9:9::/home/last";
	char out[16];

	is_int(find_home(passwd, 0, out, sizeof(out)), 6, "root");
	is_str(out, "/root", "root's home");
	find_home(passwd, 1000, out, sizeof(out));
	is_str(out, "/home/alice", "a user's home");
	find_home(passwd, 9, out, sizeof(out));
	is_str(out, "/home/last", "a last line without newline or shell");
	is_int(find_home(passwd, 7, out, sizeof(out)), 0, "an empty home is none");
	is_int(find_home(passwd, 10, out, sizeof(out)), 0, "a short line is none");
	is_int(find_home(passwd, 12, out, sizeof(out)), 0, "the number stands in its field");
	is_int(find_home(passwd, 1000, out, 11), 0, "a home too long is none");
	is_int(find_home("", 0, out, sizeof(out)), 0, "an empty file");
}

int main(void)
{
	test_format();
	test_strings();
	test_errors();
	test_search();
	test_home();
	return tap_done();
}
