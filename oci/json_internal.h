/* SPDX-License-Identifier: Apache-2.0 */
/* json_internal - the tree behind json.h, for json.c (which builds) and json_node.c only. */
#ifndef OCI_JSON_INTERNAL_H
#define OCI_JSON_INTERNAL_H

#include "oci/json.h"

enum json_num { JSON_NUM_NEG, JSON_NUM_POS, JSON_NUM_REAL };

struct json {
	enum json_type type;
	struct json *parent; /* NULL: the root */
	struct json *next;   /* sibling */
	size_t index;	     /* position among the siblings as written */
	const char *key;     /* members only */
	size_t key_len;
	union {
		bool b;
		struct {
			const char *s; /* NUL after the end, maybe others before it */
			size_t n;
		} str;
		struct {
			enum json_num kind;
			int64_t neg; /* below zero */
			uint64_t pos;
			double real; /* what has a fraction, an exponent, or is too large */
		} num;
		struct {
			struct json *first;
			struct json *last;
			size_t n;
		} kids;
	} u;
};

struct json_block;

struct json_doc {
	struct json_block *blocks; /* the arena: all nodes and strings */
	struct json *root;
	size_t n_values;
};

/* From the arena, zeroed and aligned for anything. Return: NULL without memory. */
void *json_alloc(struct json_doc *doc, size_t n);
/* Copy @n bytes and put a NUL behind them. */
const char *json_copy(struct json_doc *doc, const char *s, size_t n);
/* Make @v the number that the JSON number @text (NUL-terminated) is. */
void json_set_number(struct json *v, const char *text);
/* A whole object: take out members that are null or have a successor. Return: 0 or -ENOMEM. */
int json_object_seal(struct json *object) MUST_CHECK;

#endif
