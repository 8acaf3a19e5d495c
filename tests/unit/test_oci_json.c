/* SPDX-License-Identifier: Apache-2.0 */
/* test_oci_json - the reader's limits and types, and what the writer makes. */
#include <errno.h>
#include <stdlib.h>

#include "oci/json.h"
#include "oci/utf8.h"
#include "runtime/base/own.h"
#include "tests/unit/tap.h"

static struct json_doc *must_parse(const char *text)
{
	struct json_doc *doc = NULL;
	struct err e = { 0 };

	if (json_parse(text, strlen(text), &doc, &e) < 0)
		printf("# \"%s\": %s\n", text, e.msg);
	return doc;
}

static const struct {
	const char *text;
	const char *msg;
} broken[] = {
	{ "", "line 1, column 1: parse error: premature EOF" },
	{ "   ", "line 1, column 4: parse error: premature EOF" },
	{ "{", "line 1, column 2: parse error: premature EOF" },
	{ "{} x", NULL },
	{ "{}{}", NULL },
	{ "[1,]", NULL },
	{ "{\"a\":1,}", NULL },
	{ "{'a':1}", NULL },
	{ "{\"a\" 1}", NULL },
	{ "{a:1}", NULL },
	{ "[01]", NULL },
	{ "[1.]", NULL },
	{ "[+1]", NULL },
	{ "[0x1]", NULL },
	{ "[NaN]", NULL },
	{ "nul", NULL },
	{ "\"\\x\"", NULL },
	{ "\"\\u12g4\"", NULL },
	{ "\"tab\there\"", NULL },
	{ "/* no */ {}", NULL },
	{ "[1]]", NULL },
	{ "\xef\xbb\xbf{}", NULL },
	{ "\"\xff\"", "line 1, column 2: not UTF-8" },
	{ "{\n \"a\":\n  \"\xc0\x80\"}", "line 3, column 4: not UTF-8" },
	{ "\"\xed\xa0\x80\"", "line 1, column 2: not UTF-8" },
	{ "\"\xf4\x90\x80\x80\"", "line 1, column 2: not UTF-8" },
	{ "\"\xe2\x82\"", "line 1, column 2: not UTF-8" },
};

static void test_broken(void)
{
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct json_doc *doc = NULL;
		struct err e = { 0 };
		int r = json_parse(broken[i].text, strlen(broken[i].text), &doc, &e);

		ok(r == -EINVAL && !doc, "broken text %zu is refused: %s", i, e.msg);
		ok(!strchr(e.msg, '\n') && strncmp(e.msg, "line ", 5) == 0, "in one line");
		if (broken[i].msg)
			is_str(e.msg, broken[i].msg, "with the words expected");
		json_free(doc);
	}
}

static int parse_nested(size_t depth, const char *open, const char *close, struct err *e)
{
	OWN(json_cleanup) struct json_doc *doc = NULL;
	OWN_FREE char *text = malloc(depth * (strlen(open) + strlen(close)) + 2);
	size_t n = 0;

	for (size_t i = 0; i < depth; i++) {
		memcpy(text + n, open, strlen(open));
		n += strlen(open);
	}
	text[n++] = '1';
	for (size_t i = 0; i < depth; i++) {
		memcpy(text + n, close, strlen(close));
		n += strlen(close);
	}
	return json_parse(text, n, &doc, e);
}

static void test_limits(void)
{
	OWN(json_cleanup) struct json_doc *doc = NULL;
	OWN_FREE char *big = malloc(17u << 20);
	struct err e = { 0 };

	is_int(parse_nested(128, "[", "]", &e), 0, "128 levels pass");
	is_int(parse_nested(129, "[", "]", &e), -E2BIG, "129 do not");
	is_int(parse_nested(10000, "[", "]", &e), -E2BIG, "10000 do not");
	is_int(parse_nested(10000, "{\"a\":", "}", &e), -E2BIG, "nor do objects");
	ok(strstr(e.msg, "nested deeper than 128"), "and it says so: %s", e.msg);

	memset(big, ' ', 17u << 20);
	is_int(json_parse(big, 17u << 20, &doc, &e), -E2BIG, "17 MiB are refused");
	is_str(e.msg, "larger than 16 MiB", "and it says so");
	big[0] = '{';
	big[(16u << 20) - 1] = '}';
	is_int(json_parse(big, 16u << 20, &doc, &e), 0, "16 MiB are not");
	json_cleanup(&doc);

	for (size_t i = 0; i < 1u << 20; i++)
		big[i] = i % 2 ? ',' : '1';
	big[0] = '[';
	is_int(json_parse(big, 1u << 20, &doc, &e), -EINVAL, "a comma first is an error");
	big[1] = '1';
	big[2] = ',';
	for (size_t i = 3; i < 1u << 20; i++)
		big[i] = i % 2 ? '1' : ',';
	is_int(json_parse(big, 1u << 20, &doc, &e), -E2BIG, "more than 262144 values are refused");
	ok(!doc, "nothing is handed out then");
}

static void test_duplicates(void)
{
	OWN(json_cleanup) struct json_doc *doc = must_parse(
		"{\"b\":1,\"a\":[1],\"b\":{\"x\":1},\"b\":\"last\","
		"\"c\":null,\"ab\":2,\"a\":null}");
	const struct json *root = json_root(doc);
	const char *s = NULL;
	struct err e;

	is_int(json_count(root), 2, "duplicates and nulls are gone");
	is_int(json_str(json_get(root, "b"), &s, &e), 0, "there is one b");
	is_str(s, "last", "and it is the last");
	ok(!json_get(root, "a"), "a later null hides an earlier value");
	ok(!json_get(root, "c"), "null is absent");
	ok(!json_get(root, "nothing"), "absent is absent");
	is_str(json_key(json_next(json_first(root))), "ab", "a walk sees the others");
}

static void test_many_duplicates(void)
{
	enum { MEMBERS = 60000 };
	OWN(json_cleanup) struct json_doc *doc = NULL;
	OWN_FREE char *text = malloc(MEMBERS * 16);
	struct err e = { 0 };
	size_t n = 0;

	text[n++] = '{';
	for (int i = 0; i < MEMBERS; i++)
		n += (size_t)snprintf(text + n, 16, "%s\"%d\":%d", i ? "," : "", i % 2, i);
	text[n++] = '}';
	is_int(json_parse(text, n, &doc, &e), 0, "60000 members of 2 keys");
	is_int(json_count(json_root(doc)), 2, "are 2 members");
}

static const struct {
	const char *text;
	int64_t value;
	int r;
} ints[] = {
	{ "0", 0, 0 },
	{ "-0", 0, 0 },
	{ "9223372036854775807", INT64_MAX, 0 },
	{ "-9223372036854775808", INT64_MIN, 0 },
	{ "9223372036854775808", 0, -ERANGE },
	{ "-9223372036854775809", 0, -ERANGE },
	{ "1e3", 1000, 0 },
	{ "-2.50e1", -25, 0 },
	{ "1.0", 1, 0 },
	{ "1.5", 0, -EINVAL },
	{ "1e-1", 0, -EINVAL },
	{ "1e400", 0, -ERANGE },
	{ "-1e400", 0, -ERANGE },
	{ "1e18", 0, -ERANGE },
	{ "123456789012345678901234567890", 0, -ERANGE },
	{ "\"1\"", 0, -EINVAL },
	{ "true", 0, -EINVAL },
};

static void test_numbers(void)
{
	OWN(json_cleanup) struct json_doc *huge = must_parse("18446744073709551615");
	OWN(json_cleanup) struct json_doc *neg = must_parse("-1");
	uint64_t u = 0;
	struct err e;

	for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
		OWN(json_cleanup) struct json_doc *doc = must_parse(ints[i].text);
		int64_t got = 0;
		int r = json_int(json_root(doc), INT64_MIN, INT64_MAX, &got, &e);

		ok(r == ints[i].r && got == ints[i].value, "%s as int64", ints[i].text);
	}
	ok(json_uint(json_root(huge), UINT64_MAX, &u, &e) == 0 && u == UINT64_MAX,
	   "the largest uint64");
	is_int(json_uint(json_root(huge), UINT32_MAX, &u, &e), -ERANGE, "is too large for 32 bits");
	is_str(e.msg, "the number is out of range (0 to 4294967295)", "which is told");
	is_int(json_uint(json_root(neg), UINT64_MAX, &u, &e), -ERANGE, "-1 is not unsigned");
}

static void test_strings_and_places(void)
{
	OWN(json_cleanup) struct json_doc *doc = must_parse(
		"{\"a\":[{\"b.c\":\"x\\u0000y\"}, \"\\ud83d\\ude00\", null], \"k\\u0000\": 1}");
	const struct json *a = json_get(json_root(doc), "a");
	const struct json *el = json_first(a);
	const struct json *nul_key = json_next(a);
	OWN(json_cleanup) struct json_doc *top = must_parse("[]");
	char small[12];
	const char *s = NULL;
	bool b;
	struct err e;

	is_int(json_str(json_first(el), &s, &e), -EINVAL, "a string with NUL is refused");
	is_str(e.msg, "a[0][\"b.c\"]: must not contain a NUL character", "by its place");
	is_int(json_str(json_next(el), &s, &e), 0, "surrogates");
	is_str(s, "\xf0\x9f\x98\x80", "become one character");
	is_int(json_bool(json_next(json_next(el)), &b, &e), -EINVAL, "null in an array stays");
	is_str(e.msg, "a[2]: expected a boolean, found null", "and has no type");
	is_int(json_key_str(nul_key, &s, &e), -EINVAL, "a key with NUL is refused");
	ok(!json_get(json_root(doc), "k"), "and is not its first half");
	ok(strncmp(json_path(json_first(el), small, sizeof(small)), "...", 3) == 0,
	   "a long place is cut at the front");
	is_int(json_expect(json_root(top), JSON_OBJECT, &e), -EINVAL, "the root has types too");
	is_str(e.msg, "expected an object, found an array", "but no place");
}

static void test_writer(void)
{
	static const char *const none[] = { NULL };
	OWN(json_out_cleanup) struct json_out *o = json_out_new(false);
	OWN(json_out_cleanup) struct json_out *pretty = json_out_new(true);
	OWN(json_out_cleanup) struct json_out *open = json_out_new(false);
	OWN(json_out_cleanup) struct json_out *twice = json_out_new(false);
	OWN_FREE char *text = NULL;
	OWN_FREE char *nice = NULL;
	char *no = NULL;

	json_out_object(o);
	json_out_key_str(o, "s", "a\"\n\x01\xff\xc3\xa9\xe2\x82");
	json_out_key_str(o, "gone", NULL);
	json_out_key_int(o, "i", INT64_MIN);
	json_out_key(o, "u");
	json_out_uint(o, UINT64_MAX);
	json_out_key_bool(o, "b", true);
	json_out_key_strv(o, "v", none);
	json_out_key(o, "o");
	json_out_object(o);
	json_out_object_end(o);
	json_out_object_end(o);
	is_int(json_out_end(o, &text), 0, "a document");
	is_str(text,
	       "{\"s\":\"a\\\"\\n\\u0001\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\","
	       "\"i\":-9223372036854775808,\"u\":18446744073709551615,"
	       "\"b\":true,\"v\":[],\"o\":{}}",
	       "is what was written, UTF-8 repaired");

	json_out_array(pretty);
	json_out_int(pretty, 1);
	json_out_array_end(pretty);
	is_int(json_out_end(pretty, &nice), 0, "a pretty document");
	is_str(nice, "[\n  1\n]\n", "has lines");

	json_out_object(open);
	is_int(json_out_end(open, &no), -EINVAL, "an object left open is an error");
	json_out_int(twice, 1);
	json_out_int(twice, 2);
	is_int(json_out_end(twice, &no), -EINVAL, "two documents are an error");
	json_out_key_str(NULL, "a", "b");
	is_int(json_out_end(NULL, &no), -ENOMEM, "no writer is no memory");
	ok(!no, "and gives nothing");
}

int main(void)
{
	is_int(utf8_check("a\xf0\x9f\x98\x80\xc1\xbf", 7), 5, "utf8_check finds the wrong byte");
	test_broken();
	test_limits();
	test_duplicates();
	test_many_duplicates();
	test_numbers();
	test_strings_and_places();
	test_writer();
	return tap_done();
}
