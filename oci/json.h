/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json - read a document into a tree with limits, read values by type, write documents.
 *
 * DOC: Reading
 *
 * The text is hostile: its size, its depth and its number of values are limited, it has to be
 * UTF-8, and nothing recurses. A tree is read only and lives until json_free().
 *
 *  - Of two members with one key the last counts (as in Go); the first cannot be seen.
 *  - Members that are null cannot be seen either (as in Go): absent and null are the same.
 *    Elements of arrays that are null can.
 *  - Numbers keep 64 bits: the whole of int64_t and of uint64_t. Others (1e3, 2.0) are read as
 *    double, and taken as an integer when they are one of less than 2^53.
 *
 * A type that does not fit is an error that names the place:
 * `process.args[2]: expected a string, found a number`.
 */
#ifndef OCI_JSON_H
#define OCI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/base/err.h"

#define JSON_MAX_BYTES ((size_t)16 << 20)
#define JSON_MAX_DEPTH 128
#define JSON_MAX_VALUES ((size_t)1 << 18)

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_doc; /* a tree */
struct json;	 /* a value in it */

/**
 * json_parse() - Read a text
 * @text:	@n bytes, need not end with NUL
 * @n:		At most JSON_MAX_BYTES
 * @out_doc:	The tree; json_free() it
 * @e:		Says line and column for a broken text
 *
 * Return: 0, -EINVAL for what is not JSON, -E2BIG past a limit, -ENOMEM.
 */
int json_parse(const char *text, size_t n, struct json_doc **out_doc, struct err *e) MUST_CHECK;
void json_free(struct json_doc *doc);
void json_cleanup(struct json_doc **doc);

const struct json *json_root(const struct json_doc *doc);
enum json_type json_type(const struct json *v);
/* Return: member @key of object @v; NULL when it is absent, null, or @v is no object. */
const struct json *json_get(const struct json *v, const char *key);
/* Walk over an array or object: NULL at the end; members come with their key. */
const struct json *json_first(const struct json *v);
const struct json *json_next(const struct json *v);
/* Number of elements or members that a walk finds. */
size_t json_count(const struct json *v);
/* Return: the key of a member, NULL for elements and the root. May hold NUL: see json_key_str. */
const char *json_key(const struct json *v);

/* Values by type. Return: 0, or -EINVAL with the place in @e; -ERANGE for a number too large. */
int json_expect(const struct json *v, enum json_type type, struct err *e) MUST_CHECK;
/* A string is refused when it holds a NUL; the text lives as long as the tree. */
int json_str(const struct json *v, const char **out_s, struct err *e) MUST_CHECK;
int json_key_str(const struct json *v, const char **out_key, struct err *e) MUST_CHECK;
int json_bool(const struct json *v, bool *out_b, struct err *e) MUST_CHECK;
int json_int(const struct json *v, int64_t min, int64_t max, int64_t *out_i,
	     struct err *e) MUST_CHECK;
int json_uint(const struct json *v, uint64_t max, uint64_t *out_u, struct err *e) MUST_CHECK;

/* Set @e to "place: text". Return: -code. */
int json_fail(const struct json *v, struct err *e, int code, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
/* Put the place of @v ("linux.devices[3].path") into @buf; one too long begins with "...". */
const char *json_path(const struct json *v, char *buf, size_t n);

/*
 * DOC: Writing
 *
 * Calls append; the writer remembers the first failure and json_out_end() tells it, so that
 * callers check once. Opened objects and arrays must be closed in order, and in an object each
 * value comes after json_out_key(). Text that is not UTF-8 never fails: each wrong byte becomes
 * U+FFFD, as in Go.
 */
struct json_out;

/* Return: a writer, NULL without memory (which every function below accepts). */
struct json_out *json_out_new(bool pretty);
void json_out_free(struct json_out *o);
void json_out_cleanup(struct json_out **o);
void json_out_object(struct json_out *o);
void json_out_object_end(struct json_out *o);
void json_out_array(struct json_out *o);
void json_out_array_end(struct json_out *o);
void json_out_key(struct json_out *o, const char *key);
void json_out_str(struct json_out *o, const char *s);
void json_out_int(struct json_out *o, int64_t i);
void json_out_uint(struct json_out *o, uint64_t u);
/* Key and value in one line; the string one writes nothing at all for NULL. */
void json_out_key_str(struct json_out *o, const char *key, const char *s);
void json_out_key_int(struct json_out *o, const char *key, int64_t i);
void json_out_key_bool(struct json_out *o, const char *key, bool b);
/* "key": ["a", "b"]; @v ends with NULL. */
void json_out_key_strv(struct json_out *o, const char *key, const char *const *v);

/**
 * json_out_end() - Take the text
 * @o:		The writer; free it afterwards
 * @out_text:	Fresh string; ends with a newline when pretty
 *
 * Return: 0, -ENOMEM, or -EINVAL when the calls did not make one whole document (our bug).
 */
int json_out_end(struct json_out *o, char **out_text) MUST_CHECK;

#endif
