/* SPDX-License-Identifier: Apache-2.0 */
/* hooks_doc - the hooks that run after create, as a document of their own. */
#include "oci/hooks_doc.h"

#include "oci/json.h"
#include "runtime/base/own.h"

static const enum oci_hook_kind kept[] = { OCI_HOOK_POSTSTART, OCI_HOOK_POSTSTOP };
#define N_KEPT (sizeof(kept) / sizeof(kept[0]))

bool hooks_doc_needed(const struct oci_spec *spec)
{
	bool needed = false;

	for (size_t i = 0; i < N_KEPT; i++)
		needed |= spec->hooks[kept[i]].n > 0;
	return needed;
}

static void put_hook(struct json_out *o, const struct oci_hook *h)
{
	json_out_object(o);
	json_out_key_str(o, "path", h->path);
	if (h->args)
		json_out_key_strv(o, "args", (const char *const *)h->args);
	if (h->env)
		json_out_key_strv(o, "env", (const char *const *)h->env);
	if (h->has_timeout)
		json_out_key_int(o, "timeout", h->timeout);
	json_out_object_end(o);
}

int hooks_doc_format(const struct oci_spec *spec, char **out_text)
{
	OWN(json_out_cleanup) struct json_out *o = json_out_new(true);

	json_out_object(o);
	json_out_key(o, "hooks");
	json_out_object(o);
	for (size_t i = 0; i < N_KEPT; i++) {
		const struct oci_hook_list *list = &spec->hooks[kept[i]];

		json_out_key(o, oci_hook_name(kept[i]));
		json_out_array(o);
		for (size_t k = 0; k < list->n; k++)
			put_hook(o, &list->v[k]);
		json_out_array_end(o);
	}
	json_out_object_end(o);
	json_out_object_end(o);
	return json_out_end(o, out_text);
}
