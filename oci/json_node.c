/* SPDX-License-Identifier: Apache-2.0 */
/* json_node - the values of a JSON tree: their memory, their types, their places. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/json_internal.h"
#include "runtime/base/own.h"

#define JSON_BLOCK_BYTES ((size_t)32 << 10)
/* Below this every integer is a double of its own (IEEE 754, 53 bits of mantissa). */
#define JSON_EXACT_REAL 9007199254740992.0

struct json_block {
	struct json_block *next;
	size_t used;
	size_t size;
	_Alignas(max_align_t) char data[];
};

void *json_alloc(struct json_doc *doc, size_t n)
{
	struct json_block *block = doc->blocks;
	void *p;

	n = (n + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	if (!block || block->size - block->used < n) {
		size_t size = n > JSON_BLOCK_BYTES ? n : JSON_BLOCK_BYTES;

		block = calloc(1, sizeof(*block) + size);
		if (!block)
			return NULL;
		block->size = size;
		block->next = doc->blocks;
		doc->blocks = block;
	}
	p = block->data + block->used;
	block->used += n;
	return p;
}

const char *json_copy(struct json_doc *doc, const char *s, size_t n)
{
	char *copy = json_alloc(doc, n + 1);

	if (copy && n)
		memcpy(copy, s, n);
	return copy;
}

void json_free(struct json_doc *doc)
{
	if (!doc)
		return;
	while (doc->blocks) {
		struct json_block *block = doc->blocks;

		doc->blocks = block->next;
		free(block);
	}
	free(doc);
}

void json_cleanup(struct json_doc **doc)
{
	json_free(*doc);
	*doc = NULL;
}

void json_set_number(struct json *v, const char *text)
{
	bool neg = text[0] == '-';
	const char *digits = text + neg;
	uint64_t u = 0;
	bool whole = digits[strspn(digits, "0123456789")] == '\0';

	v->type = JSON_NUMBER;
	for (const char *p = digits; whole && *p; p++)
		whole = !__builtin_mul_overflow(u, 10u, &u) &&
			!__builtin_add_overflow(u, (unsigned int)(*p - '0'), &u);
	if (whole && (!neg || u == 0)) {
		v->u.num.kind = JSON_NUM_POS;
		v->u.num.pos = u;
	} else if (whole && u <= (uint64_t)INT64_MAX + 1) {
		v->u.num.kind = JSON_NUM_NEG;
		v->u.num.neg = -(int64_t)(u - 1) - 1; /* INT64_MIN has no positive twin */
	} else {
		v->u.num.kind = JSON_NUM_REAL;
		v->u.num.real = strtod(text, NULL);
	}
}

static int compare_keys(const void *a, const void *b)
{
	const struct json *x = *(const struct json *const *)a;
	const struct json *y = *(const struct json *const *)b;
	size_t n = x->key_len < y->key_len ? x->key_len : y->key_len;
	int order = memcmp(x->key, y->key, n);

	if (order)
		return order;
	if (x->key_len != y->key_len)
		return x->key_len < y->key_len ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

/* Turn every member that is followed by one of the same key into null, to be taken out. */
static int mark_duplicates(struct json *object)
{
	OWN_FREE struct json **v = NULL;
	size_t n = 0;

	if (object->u.kids.n < 2)
		return 0;
	v = calloc(object->u.kids.n, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (struct json *kid = object->u.kids.first; kid; kid = kid->next)
		v[n++] = kid;
	qsort(v, n, sizeof(*v), compare_keys);
	for (size_t i = 0; i + 1 < n; i++)
		if (v[i]->key_len == v[i + 1]->key_len &&
		    memcmp(v[i]->key, v[i + 1]->key, v[i]->key_len) == 0)
			v[i]->type = JSON_NULL;
	return 0;
}

int json_object_seal(struct json *object)
{
	struct json **link = &object->u.kids.first;
	int r = mark_duplicates(object);

	if (r < 0)
		return r;
	while (*link) {
		if ((*link)->type == JSON_NULL) {
			*link = (*link)->next;
			object->u.kids.n--;
		} else {
			link = &(*link)->next;
		}
	}
	return 0;
}

const struct json *json_root(const struct json_doc *doc)
{
	return doc->root;
}

enum json_type json_type(const struct json *v)
{
	return v->type;
}

static bool is_container(const struct json *v)
{
	return v->type == JSON_ARRAY || v->type == JSON_OBJECT;
}

const struct json *json_get(const struct json *v, const char *key)
{
	size_t n = strlen(key);

	if (v->type != JSON_OBJECT)
		return NULL;
	for (const struct json *kid = v->u.kids.first; kid; kid = kid->next)
		if (kid->key_len == n && memcmp(kid->key, key, n) == 0)
			return kid;
	return NULL;
}

const struct json *json_first(const struct json *v)
{
	return is_container(v) ? v->u.kids.first : NULL;
}

const struct json *json_next(const struct json *v)
{
	return v->next;
}

size_t json_count(const struct json *v)
{
	return is_container(v) ? v->u.kids.n : 0;
}

const char *json_key(const struct json *v)
{
	return v->key;
}

/* Text put at the end of a buffer, piece before piece. */
struct back_text {
	char *start;
	char *at; /* first byte used; a NUL stands at the end */
	bool full;
};

static void put_before(struct back_text *t, const char *s, size_t n)
{
	if ((size_t)(t->at - t->start) < n)
		t->full = true;
	if (t->full)
		return;
	t->at -= n;
	memcpy(t->at, s, n);
}

static bool is_plain_key(const struct json *v)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-";

	return v->key_len > 0 && strspn(v->key, plain) == v->key_len;
}

static void put_step(struct back_text *t, const struct json *v)
{
	char number[32];

	if (!v->key) {
		int n = snprintf(number, sizeof(number), "[%zu]", v->index);

		put_before(t, number, (size_t)n);
	} else if (is_plain_key(v)) {
		put_before(t, v->key, v->key_len);
		if (v->parent->parent)
			put_before(t, ".", 1);
	} else {
		put_before(t, "\"]", 2);
		put_before(t, v->key, strlen(v->key));
		put_before(t, "[\"", 2);
	}
}

const char *json_path(const struct json *v, char *buf, size_t n)
{
	static const char dots[] = "...";
	struct back_text t = { .start = buf + sizeof(dots), .at = buf + n - 1 };

	if (n <= sizeof(dots))
		return "";
	*t.at = '\0';
	for (; v->parent && !t.full; v = v->parent)
		put_step(&t, v);
	if (t.full) {
		t.at -= sizeof(dots) - 1;
		memcpy(t.at, dots, sizeof(dots) - 1);
	}
	return t.at;
}

int json_fail(const struct json *v, struct err *e, int code, const char *fmt, ...)
{
	char path[256];
	char text[512];
	const char *place = json_path(v, path, sizeof(path));
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, code, "%s%s%s", place, *place ? ": " : "", text);
}

int json_expect(const struct json *v, enum json_type type, struct err *e)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",	      [JSON_BOOL] = "a boolean",
		[JSON_NUMBER] = "a number",   [JSON_STRING] = "a string",
		[JSON_ARRAY] = "an array",    [JSON_OBJECT] = "an object",
	};

	if (v->type == type)
		return 0;
	return json_fail(v, e, EINVAL, "expected %s, found %s", names[type], names[v->type]);
}

int json_str(const struct json *v, const char **out_s, struct err *e)
{
	int r = json_expect(v, JSON_STRING, e);

	if (r < 0)
		return r;
	if (strlen(v->u.str.s) != v->u.str.n)
		return json_fail(v, e, EINVAL, "must not contain a NUL character");
	*out_s = v->u.str.s;
	return 0;
}

int json_key_str(const struct json *v, const char **out_key, struct err *e)
{
	if (!v->key)
		return json_fail(v, e, EINVAL, "has no key");
	if (strlen(v->key) != v->key_len)
		return json_fail(v, e, EINVAL, "the key must not contain a NUL character");
	*out_key = v->key;
	return 0;
}

int json_bool(const struct json *v, bool *out_b, struct err *e)
{
	int r = json_expect(v, JSON_BOOL, e);

	if (r == 0)
		*out_b = v->u.b;
	return r;
}

/* Give a copy of number @v without fraction or exponent, if its value allows. */
static int as_integer(const struct json *v, struct json *out, struct err *e)
{
	double d = v->u.num.real;
	int r = json_expect(v, JSON_NUMBER, e);

	if (r < 0)
		return r;
	*out = *v;
	if (v->u.num.kind != JSON_NUM_REAL)
		return 0;
	if (d <= -JSON_EXACT_REAL || d >= JSON_EXACT_REAL)
		return json_fail(v, e, ERANGE, "the number is out of range");
	if ((double)(int64_t)d != d)
		return json_fail(v, e, EINVAL, "expected an integer, found %g", d);
	out->u.num.kind = d < 0 ? JSON_NUM_NEG : JSON_NUM_POS;
	if (d < 0)
		out->u.num.neg = (int64_t)d;
	else
		out->u.num.pos = (uint64_t)d;
	return 0;
}

int json_int(const struct json *v, int64_t min, int64_t max, int64_t *out_i, struct err *e)
{
	struct json num;
	int64_t i = 0;
	int r = as_integer(v, &num, e);

	if (r < 0)
		return r;
	if (num.u.num.kind == JSON_NUM_NEG)
		i = num.u.num.neg;
	else if (num.u.num.pos <= INT64_MAX)
		i = (int64_t)num.u.num.pos;
	else
		return json_fail(v, e, ERANGE, "the number is out of range (at most %lld)",
				 (long long)max);
	if (i < min || i > max)
		return json_fail(v, e, ERANGE, "the number is out of range (%lld to %lld)",
				 (long long)min, (long long)max);
	*out_i = i;
	return 0;
}

int json_uint(const struct json *v, uint64_t max, uint64_t *out_u, struct err *e)
{
	struct json num;
	int r = as_integer(v, &num, e);

	if (r < 0)
		return r;
	if (num.u.num.kind == JSON_NUM_NEG || num.u.num.pos > max)
		return json_fail(v, e, ERANGE, "the number is out of range (0 to %llu)",
				 (unsigned long long)max);
	*out_u = num.u.num.pos;
	return 0;
}
