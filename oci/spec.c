/* SPDX-License-Identifier: Apache-2.0 */
/* spec - free the document, find things in it, set a variable. */
#include "oci/spec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/spec_table.h"

static size_t count_of(const struct spec_field *f, const void *p)
{
	return *(const size_t *)((const char *)p + f->aux);
}

static void free_strings(char **v, size_t n)
{
	for (size_t i = 0; v && i < n; i++)
		free(v[i]);
	free(v);
}

static void free_pairs(struct oci_kv *v, size_t n)
{
	for (size_t i = 0; v && i < n; i++) {
		free(v[i].key);
		free(v[i].value);
	}
	free(v);
}

static void free_structs(const struct spec_type *type, char *v, size_t n)
{
	for (size_t i = 0; v && i < n; i++)
		spec_type_release(type, v + i * type->size);
	free(v);
}

/* Recursion follows the tables, which are a few levels deep, never the document. */
static void release_field(const struct spec_field *f, void *p)
{
	void *member = (char *)p + f->at;

	switch (f->kind) {
	case SPEC_KEY:
	case SPEC_STR:
		free(*(char **)member);
		break;
	case SPEC_STRV:
		free_strings(*(char ***)member, count_of(f, p));
		break;
	case SPEC_U32V:
		free(*(uint32_t **)member);
		break;
	case SPEC_KVV:
		free_pairs(*(struct oci_kv **)member, count_of(f, p));
		break;
	case SPEC_INLINE:
		spec_type_release(f->type, member);
		break;
	case SPEC_PTR:
		free_structs(f->type, *(void **)member, 1);
		break;
	case SPEC_ARRAY:
	case SPEC_OBJMAP:
		free_structs(f->type, *(void **)member, count_of(f, p));
		break;
	case SPEC_BOOL:
	case SPEC_U16:
	case SPEC_I32:
	case SPEC_U32:
	case SPEC_I64:
	case SPEC_U64:
	case SPEC_WORD:
	case SPEC_BITS:
		break;
	}
}

void spec_type_release(const struct spec_type *type, void *p)
{
	for (const struct spec_field *f = type->fields; f->key; f++)
		release_field(f, p);
}

void oci_spec_free(struct oci_spec *spec)
{
	free_structs(&spec_document_type, (char *)spec, 1);
}

void oci_process_free(struct oci_process *process)
{
	free_structs(&spec_process_type, (char *)process, 1);
}

void oci_resources_free(struct oci_resources *resources)
{
	free_structs(&spec_resources_type, (char *)resources, 1);
}

void oci_spec_cleanup(struct oci_spec **spec)
{
	oci_spec_free(*spec);
	*spec = NULL;
}

void oci_process_cleanup(struct oci_process **process)
{
	oci_process_free(*process);
	*process = NULL;
}

void oci_resources_cleanup(struct oci_resources **resources)
{
	oci_resources_free(*resources);
	*resources = NULL;
}

void oci_env_last(struct oci_process *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n_env; i++) {
		size_t name = strcspn(p->env[i], "=");
		bool again = false;

		for (size_t k = i + 1; k < p->n_env && !again; k++)
			again = strncmp(p->env[i], p->env[k], name) == 0 &&
				(p->env[k][name] == '=' || p->env[k][name] == '\0');
		if (again)
			free(p->env[i]);
		else
			p->env[kept++] = p->env[i];
	}
	p->n_env = kept;
}

const struct oci_namespace *oci_spec_ns(const struct oci_spec *spec, enum oci_ns_type type)
{
	for (size_t i = 0; i < spec->lnx.n_namespaces; i++)
		if (spec->lnx.namespaces[i].type == type)
			return &spec->lnx.namespaces[i];
	return NULL;
}

const char *oci_spec_annotation(const struct oci_spec *spec, const char *key)
{
	for (size_t i = 0; i < spec->n_annotations; i++)
		if (strcmp(spec->annotations[i].key, key) == 0)
			return spec->annotations[i].value;
	return NULL;
}

const char *oci_ns_name(enum oci_ns_type type)
{
	for (const struct spec_word *w = spec_ns_words; w->word; w++)
		if (w->value == (int32_t)type)
			return w->word;
	return "none";
}

int oci_process_setenv(struct oci_process *p, const char *name, const char *value)
{
	char *entry;
	char **env;

	if (asprintf(&entry, "%s%s", name, value) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_env; i++)
		if (strncmp(p->env[i], name, strlen(name)) == 0) {
			free(p->env[i]);
			p->env[i] = entry;
			return 0;
		}
	env = realloc(p->env, (p->n_env + 2) * sizeof(*env));
	if (!env) {
		free(entry);
		return -ENOMEM;
	}
	p->env = env;
	env[p->n_env++] = entry;
	env[p->n_env] = NULL;
	return 0;
}
