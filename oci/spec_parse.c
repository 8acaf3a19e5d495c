/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_parse - config.json, process.json and resources.json to the structs of spec.h.
 *
 * Counts are stored before the elements are read, into zeroed memory: so what is half built when
 * an error comes can be freed like any other.
 */
#include "oci/spec_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "oci/json.h"
#include "oci/spec_table.h"
#include "runtime/base/io.h"
#include "runtime/base/own.h"

static int fill_struct(const struct spec_type *type, const struct json *v, void *p, struct err *e);

static int out_of_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

static int copy_string(const char *s, char **out_s, struct err *e)
{
	*out_s = strdup(s);
	return *out_s ? 0 : out_of_memory(e);
}

static int fill_key(const struct json *v, char **out_s, struct err *e)
{
	const char *s = NULL;
	int r = json_key_str(v, &s, e);

	return r < 0 ? r : copy_string(s, out_s, e);
}

static int fill_string(const struct json *v, char **out_s, struct err *e)
{
	const char *s = NULL;
	int r = json_str(v, &s, e);

	return r < 0 ? r : copy_string(s, out_s, e);
}

/* A string of its own: "" is how some engines write "absent". */
static int fill_optional_string(const struct json *v, char **out_s, struct err *e)
{
	const char *s = NULL;
	int r = json_str(v, &s, e);

	return r < 0 || !*s ? r : copy_string(s, out_s, e);
}

static int find_word(const struct spec_word *words, const struct json *v, int32_t *out_value,
		     struct err *e)
{
	const char *s = NULL;
	int r = json_str(v, &s, e);

	if (r < 0)
		return r;
	for (const struct spec_word *w = words; w->word; w++) {
		if (strcmp(w->word, s) == 0) {
			*out_value = w->value;
			return 0;
		}
	}
	return json_fail(v, e, EINVAL, "unknown value \"%.64s\"", s);
}

static int fill_bits(const struct spec_word *words, const struct json *v, uint64_t *out_bits,
		     struct err *e)
{
	int r = json_expect(v, JSON_ARRAY, e);

	for (v = r < 0 ? NULL : json_first(v); v; v = json_next(v)) {
		int32_t bit = 0;

		r = find_word(words, v, &bit, e);
		if (r < 0)
			return r;
		*out_bits |= (uint64_t)bit;
	}
	return r;
}

static int fill_signed(const struct spec_field *f, const struct json *v, void *member,
		       struct err *e)
{
	bool wide = f->kind == SPEC_I64;
	int64_t i = 0;
	int32_t narrow;
	int r = json_int(v, wide ? INT64_MIN : INT32_MIN, wide ? INT64_MAX : INT32_MAX, &i, e);

	if (r < 0)
		return r;
	narrow = (int32_t)i;
	memcpy(member, wide ? (void *)&i : (void *)&narrow, wide ? sizeof(i) : sizeof(narrow));
	return 0;
}

static int fill_unsigned(const struct spec_field *f, const struct json *v, void *member,
			 struct err *e)
{
	uint64_t max = f->kind == SPEC_U16 ? UINT16_MAX :
		       f->kind == SPEC_U32 ? UINT32_MAX :
					     UINT64_MAX;
	uint64_t u = 0;
	int r = json_uint(v, max, &u, e);

	if (r < 0)
		return r;
	if (f->kind == SPEC_U16)
		*(uint16_t *)member = (uint16_t)u;
	else if (f->kind == SPEC_U32)
		*(uint32_t *)member = (uint32_t)u;
	else
		*(uint64_t *)member = u;
	return 0;
}

/* As with strings of their own, "" is absent: Go writes it for a word that was never set. */
static bool is_unset_word(const struct spec_field *f, const struct json *v)
{
	const char *s = NULL;
	struct err unused;

	return f->kind == SPEC_WORD && json_type(v) == JSON_STRING &&
	       json_str(v, &s, &unused) == 0 && !*s;
}

/* A word into an enum of any name: their size is that of int32_t. */
static int fill_word(const struct spec_field *f, const struct json *v, void *member, struct err *e)
{
	int32_t value = 0;
	int r = find_word(f->words, v, &value, e);

	if (r == 0)
		memcpy(member, &value, sizeof(value));
	return r;
}

/*
 * Zeroed room for the elements of @v, one more than there are, so that vectors of strings end
 * with NULL and empty ones are not NULL.
 */
static int make_room(const struct json *v, enum json_type type, size_t size, void **member,
		     size_t *count, struct err *e)
{
	int r = json_expect(v, type, e);
	void *room;

	if (r < 0)
		return r;
	room = calloc(json_count(v) + 1, size);
	if (!room)
		return out_of_memory(e);
	*member = room;
	*count = json_count(v);
	return 0;
}

static int fill_strings(const struct json *v, char **to, struct err *e)
{
	int r = 0;

	for (v = json_first(v); v && r == 0; v = json_next(v))
		r = fill_string(v, to++, e);
	return r;
}

static int fill_numbers(const struct json *v, uint32_t *to, struct err *e)
{
	int r = 0;

	for (v = json_first(v); v && r == 0; v = json_next(v)) {
		uint64_t u = 0;

		r = json_uint(v, UINT32_MAX, &u, e);
		*to++ = (uint32_t)u;
	}
	return r;
}

static int fill_pairs(const struct json *v, struct oci_kv *to, struct err *e)
{
	int r = 0;

	for (v = json_first(v); v && r == 0; v = json_next(v), to++) {
		r = fill_key(v, &to->key, e);
		if (r == 0)
			r = fill_string(v, &to->value, e);
	}
	return r;
}

static int fill_structs(const struct spec_type *type, const struct json *v, char *to,
			struct err *e)
{
	int r = 0;

	for (v = json_first(v); v && r == 0; v = json_next(v), to += type->size)
		r = fill_struct(type, v, to, e);
	return r;
}

static int fill_many(const struct spec_field *f, const struct json *v, void *p, struct err *e)
{
	bool object = f->kind == SPEC_KVV || f->kind == SPEC_OBJMAP;
	size_t size = f->kind == SPEC_STRV ? sizeof(char *) :
		      f->kind == SPEC_U32V ? sizeof(uint32_t) :
		      f->kind == SPEC_KVV  ? sizeof(struct oci_kv) :
					     f->type->size;
	void *room = NULL;
	size_t n = 0;
	int r = make_room(v, object ? JSON_OBJECT : JSON_ARRAY, size, &room, &n, e);

	if (r < 0)
		return r;
	memcpy((char *)p + f->at, &room, sizeof(room));
	memcpy((char *)p + f->aux, &n, sizeof(n));
	if (f->kind == SPEC_STRV)
		return fill_strings(v, room, e);
	if (f->kind == SPEC_U32V)
		return fill_numbers(v, room, e);
	if (f->kind == SPEC_KVV)
		return fill_pairs(v, room, e);
	return fill_structs(f->type, v, room, e);
}

static int fill_pointer(const struct spec_field *f, const struct json *v, void *member,
			struct err *e)
{
	void *p = calloc(1, f->type->size);

	if (!p)
		return out_of_memory(e);
	memcpy(member, &p, sizeof(p));
	return fill_struct(f->type, v, p, e);
}

static int fill_member(const struct spec_field *f, const struct json *v, void *p, struct err *e)
{
	void *member = (char *)p + f->at;

	switch (f->kind) {
	case SPEC_KEY:
		return fill_key(v, member, e);
	case SPEC_STR:
		return fill_optional_string(v, member, e);
	case SPEC_BOOL:
		return json_bool(v, member, e);
	case SPEC_I32:
	case SPEC_I64:
		return fill_signed(f, v, member, e);
	case SPEC_U16:
	case SPEC_U32:
	case SPEC_U64:
		return fill_unsigned(f, v, member, e);
	case SPEC_WORD:
		return fill_word(f, v, member, e);
	case SPEC_BITS:
		return fill_bits(f->words, v, member, e);
	case SPEC_INLINE:
		return fill_struct(f->type, v, member, e);
	case SPEC_PTR:
		return fill_pointer(f, v, member, e);
	case SPEC_STRV:
	case SPEC_U32V:
	case SPEC_KVV:
	case SPEC_ARRAY:
	case SPEC_OBJMAP:
		return fill_many(f, v, p, e);
	}
	return 0;
}

static bool has_flag(enum spec_kind kind)
{
	return (kind >= SPEC_BOOL && kind <= SPEC_WORD) || kind == SPEC_INLINE;
}

static int fill_struct(const struct spec_type *type, const struct json *v, void *p, struct err *e)
{
	int r = json_expect(v, JSON_OBJECT, e);

	for (const struct spec_field *f = type->fields; r == 0 && f->key; f++) {
		const struct json *member = f->kind == SPEC_KEY ? v : json_get(v, f->key);

		if (!member || is_unset_word(f, member))
			continue;
		r = fill_member(f, member, p, e);
		if (r == 0 && has_flag(f->kind) && f->aux != SPEC_NO_AUX)
			*(bool *)((char *)p + f->aux) = true;
	}
	return r;
}

/* Parse @text as one @type. On failure nothing is left behind. */
static int parse_as(const struct spec_type *type, const char *text, size_t n, void **out_p,
		    struct err *e)
{
	OWN(json_cleanup) struct json_doc *doc = NULL;
	void *p;
	int r = json_parse(text, n, &doc, e);

	if (r < 0)
		return r;
	p = calloc(1, type->size);
	if (!p)
		return out_of_memory(e);
	r = fill_struct(type, json_root(doc), p, e);
	if (r < 0) {
		spec_type_release(type, p);
		free(p);
		return r;
	}
	*out_p = p;
	return 0;
}

/*
 * config.md "Mounts": destination MUST be an absolute path, but old engines wrote relative ones;
 * runc and crun take them as relative to "/".
 */
static int anchor_mounts(struct oci_spec *spec, struct err *e)
{
	for (size_t i = 0; i < spec->n_mounts; i++) {
		struct oci_mount *m = &spec->mounts[i];
		size_t n;
		char *anchored;

		if (!m->destination || m->destination[0] == '/')
			continue;
		n = strlen(m->destination);
		anchored = malloc(n + 2);
		if (!anchored)
			return out_of_memory(e);
		anchored[0] = '/';
		memcpy(anchored + 1, m->destination, n + 1);
		free(m->destination);
		m->destination = anchored;
		m->was_relative = true;
	}
	return 0;
}

int spec_parse(const char *text, size_t n, struct oci_spec **out_spec, struct err *e)
{
	OWN(oci_spec_cleanup) struct oci_spec *spec = NULL;
	void *p = NULL;
	int r = parse_as(&spec_document_type, text, n, &p, e);

	if (r < 0)
		return r;
	spec = p;
	r = anchor_mounts(spec, e);
	if (r < 0)
		return r;
	if (spec->process)
		oci_env_last(spec->process);
	*out_spec = TAKE(&spec);
	return 0;
}

int spec_read(int dirfd, const char *path, char **out_text, size_t *out_n, struct err *e)
{
	struct stat st;
	int r;

	/* a FIFO would keep us waiting, a directory or device says nothing */
	if (fstatat(dirfd, path, &st, 0) == 0 && !S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "%s: not a regular file", path);
	r = io_read_file(dirfd, path, JSON_MAX_BYTES, out_text, out_n);
	if (r == -EFBIG)
		return err_set(e, EFBIG, "%s: larger than %zu MiB", path, JSON_MAX_BYTES >> 20);
	return r < 0 ? err_set(e, -r, "%s: %s", path, strerror(-r)) : 0;
}

int spec_load(int dirfd, const char *path, struct oci_spec **out_spec, struct err *e)
{
	OWN_FREE char *text = NULL;
	size_t n = 0;
	int r = spec_read(dirfd, path, &text, &n, e);

	if (r < 0)
		return r;
	r = spec_parse(text, n, out_spec, e);
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}

int process_parse(const char *text, size_t n, struct oci_process **out_process, struct err *e)
{
	void *p = NULL;
	int r = parse_as(&spec_process_type, text, n, &p, e);

	if (r == 0)
		*out_process = p;
	return r;
}

int resources_parse(const char *text, size_t n, struct oci_resources **out_resources,
		    struct err *e)
{
	void *p = NULL;
	int r = parse_as(&spec_resources_type, text, n, &p, e);

	if (r == 0)
		*out_resources = p;
	return r;
}
