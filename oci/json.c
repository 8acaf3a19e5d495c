/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json - the only file that knows yajl: texts to trees, calls to texts.
 *
 * yajl's own tree has no limits and recurses to free; its events have neither flaw, so the tree
 * is built here from events.
 */
#include "oci/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>
#include <yajl/yajl_parse.h>

#include "oci/json_internal.h"
#include "oci/utf8.h"
#include "runtime/base/own.h"

/* ------------------------------------------------------------------ reading */

struct json_builder {
	struct json_doc *doc;
	struct json *open; /* innermost container that is not yet closed */
	size_t depth;
	const char *key; /* waits for its value */
	size_t key_len;
	int code;	  /* what stopped us, 0: nothing */
	const char *what; /* and in words */
};

static int stop(struct json_builder *b, int code, const char *what)
{
	b->code = code;
	b->what = what;
	return 0; /* yajl's "cancel" */
}

/* Hang a fresh value where the text is. Return: NULL when a limit or memory ends. */
static struct json *add(struct json_builder *b, enum json_type type)
{
	struct json *v;

	if (b->doc->n_values >= JSON_MAX_VALUES) {
		(void)stop(b, E2BIG, "more than 262144 values");
		return NULL;
	}
	v = json_alloc(b->doc, sizeof(*v));
	if (!v) {
		(void)stop(b, ENOMEM, "out of memory");
		return NULL;
	}
	b->doc->n_values++;
	v->type = type;
	v->parent = b->open;
	v->key = b->key;
	v->key_len = b->key_len;
	b->key = NULL;
	b->key_len = 0;
	if (!b->open) {
		b->doc->root = v;
		return v;
	}
	v->index = b->open->u.kids.n++;
	if (b->open->u.kids.last)
		b->open->u.kids.last->next = v;
	else
		b->open->u.kids.first = v;
	b->open->u.kids.last = v;
	return v;
}

static int on_null(void *ctx)
{
	return add(ctx, JSON_NULL) != NULL;
}

static int on_bool(void *ctx, int value)
{
	struct json *v = add(ctx, JSON_BOOL);

	if (v)
		v->u.b = value != 0;
	return v != NULL;
}

static int on_number(void *ctx, const char *text, size_t n)
{
	struct json_builder *b = ctx;
	const char *copy = json_copy(b->doc, text, n);
	struct json *v;

	if (!copy)
		return stop(b, ENOMEM, "out of memory");
	v = add(b, JSON_NUMBER);
	if (v)
		json_set_number(v, copy);
	return v != NULL;
}

static int on_string(void *ctx, const unsigned char *text, size_t n)
{
	struct json_builder *b = ctx;
	const char *copy = json_copy(b->doc, (const char *)text, n);
	struct json *v;

	if (!copy)
		return stop(b, ENOMEM, "out of memory");
	v = add(b, JSON_STRING);
	if (v) {
		v->u.str.s = copy;
		v->u.str.n = n;
	}
	return v != NULL;
}

static int on_key(void *ctx, const unsigned char *text, size_t n)
{
	struct json_builder *b = ctx;

	b->key = json_copy(b->doc, (const char *)text, n);
	b->key_len = n;
	return b->key ? 1 : stop(b, ENOMEM, "out of memory");
}

static int open_container(struct json_builder *b, enum json_type type)
{
	struct json *v;

	if (b->depth >= JSON_MAX_DEPTH)
		return stop(b, E2BIG, "nested deeper than 128 levels");
	v = add(b, type);
	if (!v)
		return 0;
	b->open = v;
	b->depth++;
	return 1;
}

static int on_object(void *ctx)
{
	return open_container(ctx, JSON_OBJECT);
}

static int on_array(void *ctx)
{
	return open_container(ctx, JSON_ARRAY);
}

static int on_close(void *ctx)
{
	struct json_builder *b = ctx;

	if (b->open->type == JSON_OBJECT && json_object_seal(b->open) < 0)
		return stop(b, ENOMEM, "out of memory");
	b->open = b->open->parent;
	b->depth--;
	return 1;
}

static const yajl_callbacks json_callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_close,
	.yajl_start_array = on_array,
	.yajl_end_array = on_close,
};

/* Report @what at byte @at of @text, for people: lines and columns start at 1. */
static int fail_at(const char *text, size_t at, struct err *e, int code, const char *what)
{
	size_t line = 1;
	size_t column = 1;

	for (size_t i = 0; i < at; i++) {
		column++;
		if (text[i] == '\n') {
			line++;
			column = 1;
		}
	}
	return err_set(e, code, "line %zu, column %zu: %.*s", line, column,
		       (int)strcspn(what, "\n"), what);
}

static int report(yajl_handle y, const struct json_builder *b, const char *text, size_t at,
		  struct err *e)
{
	unsigned char *words;
	int r;

	if (b->code)
		return fail_at(text, at, e, b->code, b->what);
	words = yajl_get_error(y, 0, NULL, 0);
	r = fail_at(text, at, e, EINVAL, words ? (const char *)words : "not JSON");
	if (words)
		yajl_free_error(y, words);
	return r;
}

static int run_yajl(struct json_builder *b, const char *text, size_t n, struct err *e)
{
	yajl_handle y = yajl_alloc(&json_callbacks, NULL, b);
	size_t at;
	int r = 0;

	if (!y)
		return err_set(e, ENOMEM, "out of memory");
	if (yajl_parse(y, (const unsigned char *)text, n) != yajl_status_ok) {
		at = yajl_get_bytes_consumed(y);
		r = report(y, b, text, at < n ? at : n, e);
	} else if (yajl_complete_parse(y) != yajl_status_ok) {
		r = report(y, b, text, n, e);
	}
	yajl_free(y);
	return r;
}

int json_parse(const char *text, size_t n, struct json_doc **out_doc, struct err *e)
{
	OWN(json_cleanup) struct json_doc *doc = NULL;
	struct json_builder b = { 0 };
	size_t good;
	int r;

	if (n > JSON_MAX_BYTES)
		return err_set(e, E2BIG, "larger than %zu MiB", JSON_MAX_BYTES >> 20);
	/* yajl's own check lets overlong forms and surrogates pass. */
	good = utf8_check(text, n);
	if (good < n)
		return fail_at(text, good, e, EINVAL, "not UTF-8");
	doc = calloc(1, sizeof(*doc));
	if (!doc)
		return err_set(e, ENOMEM, "out of memory");
	b.doc = doc;
	r = run_yajl(&b, text, n, e);
	if (r < 0)
		return r;
	*out_doc = TAKE(&doc);
	return 0;
}

/* ------------------------------------------------------------------ writing */

struct json_out {
	yajl_gen gen;
	bool failed;
	char pending; /* '{' or '[': opened, and nothing in it yet */
};

struct json_out *json_out_new(bool pretty)
{
	struct json_out *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->gen = yajl_gen_alloc(NULL);
	if (!o->gen) {
		free(o);
		return NULL;
	}
	(void)yajl_gen_config(o->gen, yajl_gen_beautify, pretty ? 1 : 0);
	(void)yajl_gen_config(o->gen, yajl_gen_indent_string, "  ");
	return o;
}

void json_out_free(struct json_out *o)
{
	if (!o)
		return;
	yajl_gen_free(o->gen);
	free(o);
}

void json_out_cleanup(struct json_out **o)
{
	json_out_free(*o);
	*o = NULL;
}

static void note(struct json_out *o, yajl_gen_status status)
{
	/* generation_complete says that more follows a whole document: a bug of the caller. */
	if (status != yajl_gen_status_ok)
		o->failed = true;
}

/* Opening is put off until something is in it, since yajl writes "[", "]" on lines of their own. */
static bool ready(struct json_out *o)
{
	if (!o)
		return false;
	if (o->pending == '{')
		note(o, yajl_gen_map_open(o->gen));
	else if (o->pending == '[')
		note(o, yajl_gen_array_open(o->gen));
	o->pending = 0;
	return true;
}

void json_out_object(struct json_out *o)
{
	if (ready(o))
		o->pending = '{';
}

void json_out_array(struct json_out *o)
{
	if (ready(o))
		o->pending = '[';
}

void json_out_object_end(struct json_out *o)
{
	if (!o)
		return;
	if (o->pending == '{') /* a "number" is any text that stands for a value */
		note(o, yajl_gen_number(o->gen, "{}", 2));
	else
		note(o, o->pending ? yajl_gen_in_error_state : yajl_gen_map_close(o->gen));
	o->pending = 0;
}

void json_out_array_end(struct json_out *o)
{
	if (!o)
		return;
	if (o->pending == '[')
		note(o, yajl_gen_number(o->gen, "[]", 2));
	else
		note(o, o->pending ? yajl_gen_in_error_state : yajl_gen_array_close(o->gen));
	o->pending = 0;
}

/* Write @s with U+FFFD in place of each byte that is not UTF-8. */
static void put_repaired(struct json_out *o, const char *s, size_t n)
{
	OWN_FREE char *copy = malloc(n * 3 + 1); /* U+FFFD is 3 bytes */
	size_t used = 0;

	if (!copy) {
		o->failed = true;
		return;
	}
	for (size_t at = 0; at < n;) {
		size_t len = utf8_len(s + at, n - at);

		memcpy(copy + used, len ? s + at : "\xef\xbf\xbd", len ? len : 3);
		used += len ? len : 3;
		at += len ? len : 1;
	}
	note(o, yajl_gen_string(o->gen, (const unsigned char *)copy, used));
}

void json_out_str(struct json_out *o, const char *s)
{
	size_t n = strlen(s);

	if (!ready(o))
		return;
	if (utf8_check(s, n) < n)
		put_repaired(o, s, n);
	else
		note(o, yajl_gen_string(o->gen, (const unsigned char *)s, n));
}

void json_out_key(struct json_out *o, const char *key)
{
	json_out_str(o, key);
}

void json_out_int(struct json_out *o, int64_t i)
{
	if (ready(o))
		note(o, yajl_gen_integer(o->gen, i));
}

void json_out_uint(struct json_out *o, uint64_t u)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)u);

	if (ready(o)) /* yajl_gen_integer() is signed */
		note(o, yajl_gen_number(o->gen, text, (size_t)n));
}

void json_out_key_str(struct json_out *o, const char *key, const char *s)
{
	if (!s)
		return;
	json_out_key(o, key);
	json_out_str(o, s);
}

void json_out_key_int(struct json_out *o, const char *key, int64_t i)
{
	json_out_key(o, key);
	json_out_int(o, i);
}

void json_out_key_bool(struct json_out *o, const char *key, bool b)
{
	json_out_key(o, key);
	if (ready(o))
		note(o, yajl_gen_bool(o->gen, b));
}

void json_out_key_strv(struct json_out *o, const char *key, const char *const *v)
{
	json_out_key(o, key);
	json_out_array(o);
	for (; *v; v++)
		json_out_str(o, *v);
	json_out_array_end(o);
}

int json_out_end(struct json_out *o, char **out_text)
{
	const unsigned char *text;
	char *copy;
	size_t n;

	if (!o)
		return -ENOMEM;
	if (o->failed || o->pending)
		return -EINVAL;
	/* Whole documents only: one more value is refused exactly then. */
	if (yajl_gen_null(o->gen) != yajl_gen_generation_complete)
		return -EINVAL;
	if (yajl_gen_get_buf(o->gen, &text, &n) != yajl_gen_status_ok)
		return -EINVAL;
	copy = malloc(n + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, n);
	copy[n] = '\0';
	*out_text = copy;
	return 0;
}
