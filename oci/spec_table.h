/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spec_table - where each key of config.json lives in struct oci_spec.
 *
 * One description serves three: the parser fills by it, free walks by it, and a reader finds
 * here which keys we know. A new key is one row (and one member in spec.h).
 */
#ifndef OCI_SPEC_TABLE_H
#define OCI_SPEC_TABLE_H

#include <stddef.h>
#include <stdint.h>

/* What the member at `at` is, and what `aux` means. */
enum spec_kind {
	SPEC_KEY,    /* char *: not a member of the document, but the key the object stands under */
	SPEC_STR,    /* char * */
	SPEC_BOOL,   /* bool;     aux: its has_ flag */
	SPEC_U16,    /* uint16_t; aux: its has_ flag */
	SPEC_I32,    /* int32_t;  aux: its has_ flag */
	SPEC_U32,    /* uint32_t; aux: its has_ flag */
	SPEC_I64,    /* int64_t;  aux: its has_ flag */
	SPEC_U64,    /* uint64_t; aux: its has_ flag */
	SPEC_WORD,   /* int32_t or an enum, one of `words`; aux: its has_ flag */
	SPEC_BITS,   /* uint64_t: array of `words` or-ed */
	SPEC_STRV,   /* char **, ends with NULL; aux: count */
	SPEC_U32V,   /* uint32_t *; aux: count */
	SPEC_KVV,    /* struct oci_kv * of an object of strings; aux: count */
	SPEC_INLINE, /* the struct itself; aux: its has_ flag */
	SPEC_PTR,    /* pointer to one of `type` */
	SPEC_ARRAY,  /* pointer to many of `type`; aux: count */
	SPEC_OBJMAP, /* the same of an object of objects */
};

#define SPEC_NO_AUX SIZE_MAX

struct spec_word {
	const char *word; /* NULL ends a table */
	int32_t value;
};

struct spec_field {
	const char *key; /* NULL ends a table */
	enum spec_kind kind;
	size_t at; /* offset of the member in the struct */
	size_t aux;
	const struct spec_type *type;
	const struct spec_word *words;
};

struct spec_type {
	size_t size;
	const struct spec_field *fields;
};

/* Offset of member @m of struct @s, which has to be a @t. */
#define SPEC_AT(t, s, m) (offsetof(s, m) + 0 * sizeof(_Generic(&((s *)NULL)->m, t *: 0)))
#define SPEC_HAS(s, m) SPEC_AT(bool, s, has_##m)
#define SPEC_N(s, m) SPEC_AT(size_t, s, n_##m)

/* Rows; the second form of each scalar has a has_ flag. */
#define F_KEY(s, m) { "", SPEC_KEY, SPEC_AT(char *, s, m), SPEC_NO_AUX, NULL, NULL }
#define F_STR(k, s, m) { k, SPEC_STR, SPEC_AT(char *, s, m), SPEC_NO_AUX, NULL, NULL }
#define F_BOOL(k, s, m) { k, SPEC_BOOL, SPEC_AT(bool, s, m), SPEC_NO_AUX, NULL, NULL }
#define F_HBOOL(k, s, m) { k, SPEC_BOOL, SPEC_AT(bool, s, m), SPEC_HAS(s, m), NULL, NULL }
#define F_HU16(k, s, m) { k, SPEC_U16, SPEC_AT(uint16_t, s, m), SPEC_HAS(s, m), NULL, NULL }
#define F_I32(k, s, m) { k, SPEC_I32, SPEC_AT(int32_t, s, m), SPEC_NO_AUX, NULL, NULL }
#define F_HI32(k, s, m) { k, SPEC_I32, SPEC_AT(int32_t, s, m), SPEC_HAS(s, m), NULL, NULL }
#define F_U32(k, s, m) { k, SPEC_U32, SPEC_AT(uint32_t, s, m), SPEC_NO_AUX, NULL, NULL }
#define F_HU32(k, s, m) { k, SPEC_U32, SPEC_AT(uint32_t, s, m), SPEC_HAS(s, m), NULL, NULL }
#define F_I64(k, s, m) { k, SPEC_I64, SPEC_AT(int64_t, s, m), SPEC_NO_AUX, NULL, NULL }
#define F_HI64(k, s, m) { k, SPEC_I64, SPEC_AT(int64_t, s, m), SPEC_HAS(s, m), NULL, NULL }
#define F_U64(k, s, m) { k, SPEC_U64, SPEC_AT(uint64_t, s, m), SPEC_NO_AUX, NULL, NULL }
#define F_HU64(k, s, m) { k, SPEC_U64, SPEC_AT(uint64_t, s, m), SPEC_HAS(s, m), NULL, NULL }
#define F_ENUM(k, s, m, e, w) { k, SPEC_WORD, SPEC_AT(e, s, m), SPEC_NO_AUX, NULL, w }
#define F_HWORD(k, s, m, w) { k, SPEC_WORD, SPEC_AT(int32_t, s, m), SPEC_HAS(s, m), NULL, w }
#define F_BITS(k, s, m, w) { k, SPEC_BITS, SPEC_AT(uint64_t, s, m), SPEC_NO_AUX, NULL, w }
#define F_STRV(k, s, m) { k, SPEC_STRV, SPEC_AT(char **, s, m), SPEC_N(s, m), NULL, NULL }
#define F_U32V(k, s, m) { k, SPEC_U32V, SPEC_AT(uint32_t *, s, m), SPEC_N(s, m), NULL, NULL }
#define F_KVV(k, s, m) { k, SPEC_KVV, SPEC_AT(struct oci_kv *, s, m), SPEC_N(s, m), NULL, NULL }
#define F_INLINE(k, s, m, t) { k, SPEC_INLINE, offsetof(s, m), SPEC_NO_AUX, t, NULL }
#define F_HINLINE(k, s, m, t) { k, SPEC_INLINE, offsetof(s, m), SPEC_HAS(s, m), t, NULL }
#define F_PTR(k, s, m, t) { k, SPEC_PTR, offsetof(s, m), SPEC_NO_AUX, t, NULL }
#define F_ARRAY(k, s, m, t) { k, SPEC_ARRAY, offsetof(s, m), SPEC_N(s, m), t, NULL }
#define F_OBJMAP(k, s, m, t) { k, SPEC_OBJMAP, offsetof(s, m), SPEC_N(s, m), t, NULL }
/* An object of the document whose keys are members of the struct around it. */
#define F_FLAT(k, t) { k, SPEC_INLINE, 0, SPEC_NO_AUX, t, NULL }
#define F_END { NULL, SPEC_KEY, 0, 0, NULL, NULL }

extern const struct spec_type spec_document_type; /* struct oci_spec */
extern const struct spec_type spec_process_type;  /* struct oci_process */
extern const struct spec_type spec_linux_type;	  /* struct oci_linux */
extern const struct spec_type spec_resources_type; /* struct oci_resources */
extern const struct spec_type spec_id_map_type;	  /* struct oci_id_map */

/* Names of namespace types, by enum oci_ns_type. */
extern const struct spec_word spec_ns_words[];

/* Free what @p, a struct described by @type, owns; not @p itself. */
void spec_type_release(const struct spec_type *type, void *p);

#endif
