/* SPDX-License-Identifier: Apache-2.0 */
/* state - the state document of runtime.md, as `state`, `list -f json` and hooks give it. */
#include "oci/state.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "oci/json.h"
#include "runtime/base/own.h"

static const char *const status_names[] = {
	[OCI_STATUS_CREATING] = "creating", [OCI_STATUS_CREATED] = "created",
	[OCI_STATUS_RUNNING] = "running",   [OCI_STATUS_PAUSED] = "paused",
	[OCI_STATUS_STOPPED] = "stopped",
};

static_assert(sizeof(status_names) / sizeof(status_names[0]) == OCI_STATUSES,
	      "one name for each status");

const char *state_status_name(enum oci_status status)
{
	return status_names[status];
}

int state_status_parse(const char *word, enum oci_status *out_status)
{
	for (enum oci_status s = 0; s < OCI_STATUSES; s++) {
		if (strcmp(status_names[s], word) == 0) {
			*out_status = s;
			return 0;
		}
	}
	return -EINVAL;
}

static void put_annotations(struct json_out *o, const struct oci_state *s)
{
	if (s->n_annotations == 0)
		return;
	json_out_key(o, "annotations");
	json_out_object(o);
	for (size_t i = 0; i < s->n_annotations; i++)
		json_out_key_str(o, s->annotations[i].key, s->annotations[i].value);
	json_out_object_end(o);
}

/*
 * Engine contract 4.4. CRI-O decodes this into a record with more keys, so nothing may be added
 * that has a name of its own there.
 */
static void put_state(struct json_out *o, const struct oci_state *s, bool hook)
{
	json_out_object(o);
	json_out_key_str(o, "ociVersion", s->oci_version ? s->oci_version : OCI_VERSION_MAX);
	json_out_key_str(o, "id", s->id);
	json_out_key_int(o, "pid", s->status == OCI_STATUS_STOPPED ? 0 : s->pid);
	json_out_key_str(o, "status", status_names[s->status]);
	json_out_key_str(o, "bundle", s->bundle);
	if (!hook) {
		json_out_key_str(o, "rootfs", s->rootfs);
		json_out_key_str(o, "created", s->created);
		json_out_key_str(o, "owner", s->owner);
		json_out_key_str(o, "systemd-scope", s->systemd_scope);
	}
	put_annotations(o, s);
	json_out_object_end(o);
}

int state_format(const struct oci_state *state, char **out_text)
{
	OWN(json_out_cleanup) struct json_out *o = json_out_new(true);

	put_state(o, state, false);
	return json_out_end(o, out_text);
}

int state_list_format(const struct oci_state *states, size_t n, char **out_text)
{
	OWN(json_out_cleanup) struct json_out *o = json_out_new(true);

	json_out_array(o);
	for (size_t i = 0; i < n; i++)
		put_state(o, &states[i], false);
	json_out_array_end(o);
	return json_out_end(o, out_text);
}

int state_hook_format(const struct oci_state *state, char **out_text)
{
	OWN(json_out_cleanup) struct json_out *o = json_out_new(false);

	put_state(o, state, true);
	return json_out_end(o, out_text);
}

const char *state_time(const struct timespec *t, char buf[STATE_TIME_SIZE])
{
	struct tm tm = { .tm_mday = 1 };
	char date[32] = "";

	(void)gmtime_r(&t->tv_sec, &tm);
	(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(buf, STATE_TIME_SIZE, "%s.%09ldZ", date, t->tv_nsec);
	return buf;
}
