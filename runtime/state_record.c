/* SPDX-License-Identifier: Apache-2.0 */
/* state_record - state.json, both directions. Ours alone: engines see the answer of `state`. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "oci/json.h"
#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "runtime/statedir.h"

#define MAX_STATE_BYTES (16u << 20)

static void write_cgroup(struct json_out *o, const struct cgroup *c)
{
	json_out_key(o, "cgroup");
	json_out_object(o);
	json_out_key_str(o, "manager", cgroup_manager_name(c->manager));
	json_out_key_str(o, "path", c->path);
	json_out_key_str(o, "scope", c->scope);
	json_out_key_bool(o, "made", c->made);
	json_out_object_end(o);
}

int statedir_write(struct statedir *d, const struct statedir_record *r, struct err *e)
{
	OWN(json_out_cleanup) struct json_out *o = json_out_new(true);
	OWN_FREE char *text = NULL;
	int rc;

	json_out_object(o);
	json_out_key_str(o, "phase", r->phase);
	json_out_key_int(o, "pid", r->pid);
	json_out_key(o, "pidStart");
	json_out_uint(o, r->pid_start);
	json_out_key_str(o, "bootId", r->boot_id);
	json_out_key_str(o, "ociVersion", r->oci_version);
	json_out_key_str(o, "bundle", r->bundle);
	json_out_key_str(o, "rootfs", r->rootfs);
	json_out_key_str(o, "created", r->created);
	write_cgroup(o, &r->cgroup);
	json_out_key(o, "memoryBytes");
	json_out_uint(o, r->memory_bytes);
	json_out_key_int(o, "memoryLimit", r->memory_limit);
	json_out_key(o, "hostExtra");
	json_out_uint(o, r->host_extra);
	json_out_key(o, "annotations");
	json_out_object(o);
	for (size_t i = 0; i < r->n_annotations; i++)
		json_out_key_str(o, r->annotations[i].key, r->annotations[i].value);
	json_out_object_end(o);
	json_out_object_end(o);
	rc = json_out_end(o, &text);
	if (rc == 0)
		rc = io_replace_file(d->fd, "state.json", 0600, text, strlen(text));
	return rc < 0 ? err_set(e, -rc, "write \"%s/%s/state.json\": %s", d->root, d->id,
				strerror(-rc)) :
			0;
}

static int read_str(const struct json *root, const char *key, char **out, struct err *e)
{
	const struct json *v = json_get(root, key);
	const char *s;

	if (!v)
		return 0;
	if (json_str(v, &s, e) < 0)
		return -e->code;
	*out = strdup(s);
	return *out ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int read_annotations(const struct json *root, struct statedir_record *r, struct err *e)
{
	const struct json *all = json_get(root, "annotations");

	if (!all)
		return 0;
	r->annotations = calloc(json_count(all) + 1, sizeof(*r->annotations));
	if (!r->annotations)
		return err_set(e, ENOMEM, "out of memory");
	for (const struct json *v = json_first(all); v; v = json_next(v)) {
		const char *key;
		const char *value;
		struct oci_kv *slot = &r->annotations[r->n_annotations];

		if (json_key_str(v, &key, e) < 0 || json_str(v, &value, e) < 0)
			return -e->code;
		slot->key = strdup(key);
		slot->value = strdup(value);
		r->n_annotations++;
		if (!slot->key || !slot->value)
			return err_set(e, ENOMEM, "out of memory");
	}
	return 0;
}

static int read_cgroup(const struct json *root, struct cgroup *c, struct err *e)
{
	const struct json *v = json_get(root, "cgroup");
	const struct json *made = v ? json_get(v, "made") : NULL;
	OWN_FREE char *manager = NULL;

	if (!v)
		return 0;
	if (read_str(v, "manager", &manager, e) < 0 || read_str(v, "path", &c->path, e) < 0 ||
	    read_str(v, "scope", &c->scope, e) < 0 || (made && json_bool(made, &c->made, e) < 0))
		return -e->code;
	if (manager && cgroup_manager_parse(manager, &c->manager) < 0)
		return json_fail(v, e, EINVAL, "unknown manager \"%s\"", manager);
	return 0;
}

static int read_memory(const struct json *root, struct statedir_record *r, struct err *e)
{
	const struct json *bytes = json_get(root, "memoryBytes");
	const struct json *limit = json_get(root, "memoryLimit");
	const struct json *extra = json_get(root, "hostExtra");

	r->memory_limit = -1;
	if ((bytes && json_uint(bytes, UINT64_MAX, &r->memory_bytes, e) < 0) ||
	    (limit && json_int(limit, -1, INT64_MAX, &r->memory_limit, e) < 0) ||
	    (extra && json_uint(extra, UINT64_MAX, &r->host_extra, e) < 0))
		return -e->code;
	return 0;
}

static int read_numbers(const struct json *root, struct statedir_record *r, struct err *e)
{
	const struct json *pid = json_get(root, "pid");
	const struct json *start = json_get(root, "pidStart");
	int64_t n = 0;

	if (pid && json_int(pid, 0, INT32_MAX, &n, e) < 0)
		return -e->code;
	r->pid = (pid_t)n;
	return start ? json_uint(start, UINT64_MAX, &r->pid_start, e) : 0;
}

/* As io_read_file(), but of a plain file only: nothing else that lies there may keep us waiting. */
static int read_plain(int dir_fd, const char *name, char **out, size_t *out_n)
{
	OWN_FD int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? io_read_all(fd, MAX_STATE_BYTES, out, out_n) : -EINVAL;
}

int statedir_read(struct statedir *d, struct statedir_record *out, struct err *e)
{
	OWN(json_cleanup) struct json_doc *doc = NULL;
	struct statedir_record r = { .phase = "creating" };
	OWN_FREE char *text = NULL;
	OWN_FREE char *phase = NULL;
	const struct json *root;
	size_t n;
	int rc = read_plain(d->fd, "state.json", &text, &n);

	if (rc == -ENOENT) { /* died, or busy, before its first record */
		r.incomplete = true;
		*out = r;
		return 0;
	}
	if (rc < 0)
		return err_set(e, -rc,
			       "\"%s/%s/state.json\" can't be read (delete --force removes it): %s",
			       d->root, d->id, strerror(-rc));
	rc = json_parse(text, n, &doc, e);
	if (rc == 0) {
		root = json_root(doc);
		rc = read_str(root, "phase", &phase, e);
		if (rc == 0 && !phase)
			rc = err_set(e, EINVAL, "phase: missing");
		if (rc == 0)
			(void)snprintf(r.phase, sizeof(r.phase), "%s", phase);
		if (rc == 0 &&
		    (read_numbers(root, &r, e) < 0 || read_str(root, "bundle", &r.bundle, e) < 0 ||
		     read_str(root, "rootfs", &r.rootfs, e) < 0 ||
		     read_str(root, "created", &r.created, e) < 0 ||
		     read_str(root, "bootId", &r.boot_id, e) < 0 ||
		     read_str(root, "ociVersion", &r.oci_version, e) < 0 ||
		     read_cgroup(root, &r.cgroup, e) < 0 || read_memory(root, &r, e) < 0 ||
		     read_annotations(root, &r, e) < 0))
			rc = -e->code;
	}
	if (rc < 0) {
		statedir_record_fini(&r);
		return err_wrap(e, "\"%s/%s/state.json\" is damaged (delete --force removes it)",
				d->root, d->id);
	}
	*out = r;
	return 0;
}

void statedir_record_fini(struct statedir_record *r)
{
	free(r->bundle);
	free(r->rootfs);
	free(r->created);
	free(r->oci_version);
	free(r->boot_id);
	cgroup_fini(&r->cgroup);
	for (size_t i = 0; i < r->n_annotations; i++) {
		free(r->annotations[i].key);
		free(r->annotations[i].value);
	}
	free(r->annotations);
	memset(r, 0, sizeof(*r));
}
