/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec_process - what exec is asked for, completed from the container's own process.
 *
 * DOC: what is taken over
 *
 * user (with its groups and umask), env, capabilities, rlimits, noNewPrivileges and execCPUAffinity of the
 * container, each where it isn't given. On the command line env adds to the container's, and capabilities
 * replace the container's, as crun does it. cwd is "/", oom_score_adj ours and the terminal none unless asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "oci/cap_names.h"
#include "oci/spec_check.h"
#include "oci/spec_parse.h"
#include "runtime/base/io.h"
#include "runtime/base/log.h"
#include "runtime/base/own.h"
#include "runtime/exec.h"
#include "runtime/host.h"
#include "runtime/plan.h"

#define MAX_PROCESS (8u << 20) /* bytes of a process.json */

static int out_of_memory(struct err *e)
{
	return err_set(e, ENOMEM, "out of memory");
}

/* A list of strings with @extra more at its end. */
static int copy_strings(char ***out, size_t *out_n, char *const *v, size_t n, char *const *extra,
			size_t n_extra)
{
	char **copy = calloc(n + n_extra + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*out = copy;
	*out_n = n + n_extra;
	for (size_t i = 0; i < n + n_extra; i++) {
		copy[i] = strdup(i < n ? v[i] : extra[i - n]);
		if (!copy[i])
			return -ENOMEM;
	}
	return 0;
}

static int copy_gids(struct oci_user *to, const uint32_t *v, size_t n, const uint32_t *extra,
		     size_t n_extra)
{
	to->additional_gids = calloc(n + n_extra + 1, sizeof(*v));
	if (!to->additional_gids)
		return -ENOMEM;
	for (size_t i = 0; i < n + n_extra; i++)
		to->additional_gids[i] = i < n ? v[i] : extra[i - n];
	to->n_additional_gids = n + n_extra;
	return 0;
}

static int copy_caps(struct oci_process *to, const struct oci_capabilities *from)
{
	struct oci_capabilities *c = calloc(1, sizeof(*c));

	to->capabilities = c;
	if (!c ||
	    copy_strings(&c->bounding, &c->n_bounding, from->bounding, from->n_bounding, NULL, 0) < 0 ||
	    copy_strings(&c->effective, &c->n_effective, from->effective, from->n_effective, NULL, 0) < 0 ||
	    copy_strings(&c->inheritable, &c->n_inheritable, from->inheritable, from->n_inheritable,
			 NULL, 0) < 0 ||
	    copy_strings(&c->permitted, &c->n_permitted, from->permitted, from->n_permitted, NULL, 0) < 0 ||
	    copy_strings(&c->ambient, &c->n_ambient, from->ambient, from->n_ambient, NULL, 0) < 0)
		return -ENOMEM;
	return 0;
}

static int inherit_user(struct oci_process *p, const struct oci_process *own, const struct exec_options *o)
{
	p->has_user = true;
	p->user.uid = own->user.uid;
	p->user.gid = own->user.gid;
	p->user.has_umask = own->user.has_umask;
	p->user.umask = own->user.umask;
	return copy_gids(&p->user, own->user.additional_gids, own->user.n_additional_gids, o->gids,
			 o->n_gids);
}

/* Everything that isn't given is the container's. */
static int complete(struct oci_process *p, const struct oci_process *own, const struct exec_options *o)
{
	if (!p->has_user && inherit_user(p, own, o) < 0)
		return -ENOMEM;
	if (!p->cwd && !(p->cwd = strdup("/")))
		return -ENOMEM;
	if (p->n_env == 0) {
		free(p->env);
		if (copy_strings(&p->env, &p->n_env, own->env, own->n_env, NULL, 0) < 0)
			return -ENOMEM;
	}
	oci_env_last(p);
	if (!p->capabilities && own->capabilities && copy_caps(p, own->capabilities) < 0)
		return -ENOMEM;
	if (!p->cpu_affinity_final && own->cpu_affinity_final &&
	    !(p->cpu_affinity_final = strdup(own->cpu_affinity_final)))
		return -ENOMEM;
	if (!p->has_no_new_privileges)
		p->no_new_privileges = own->no_new_privileges;
	if (p->n_rlimits == 0 && own->n_rlimits > 0) {
		free(p->rlimits);
		p->rlimits = calloc(own->n_rlimits, sizeof(*p->rlimits));
		if (!p->rlimits)
			return -ENOMEM;
		memcpy(p->rlimits, own->rlimits, own->n_rlimits * sizeof(*p->rlimits));
		p->n_rlimits = own->n_rlimits;
	}
	return host_inherit(p);
}

static int parse_id(const char *text, char end, uint32_t *out, const char **out_rest)
{
	char *rest;
	unsigned long long v;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(text, &rest, 10);
	if (errno || v >= UINT32_MAX || (*rest && *rest != end))
		return -EINVAL;
	*out = (uint32_t)v;
	*out_rest = rest;
	return 0;
}

static int parse_user(const struct exec_options *o, struct oci_process *p, struct err *e)
{
	const char *rest = "";
	int r;

	if (!o->user)
		return 0;
	r = parse_id(o->user, ':', &p->user.uid, &rest);
	if (r == 0 && *rest == ':')
		r = parse_id(rest + 1, '\0', &p->user.gid, &rest);
	if (r < 0)
		return err_set(e, EINVAL, "--user: \"%s\" is not UID[:GID] in numbers", o->user);
	p->has_user = true;
	return copy_gids(&p->user, NULL, 0, o->gids, o->n_gids) < 0 ? out_of_memory(e) : 0;
}

/* "CAP_KILL" or "KILL" in the sets that hold without being passed on. */
static int add_caps(const struct exec_options *o, struct oci_process *p, struct err *e)
{
	struct oci_capabilities *c;

	if (o->n_caps == 0)
		return 0;
	for (size_t i = 0; i < o->n_caps; i++) {
		char name[64];

		(void)snprintf(name, sizeof(name), "CAP_%s", o->caps[i]);
		if (cap_number(o->caps[i]) < 0 && cap_number(name) < 0)
			return err_set(e, EINVAL, "--cap: unknown capability \"%s\"", o->caps[i]);
	}
	c = p->capabilities = calloc(1, sizeof(*c));
	if (!c || copy_strings(&c->bounding, &c->n_bounding, o->caps, o->n_caps, NULL, 0) < 0 ||
	    copy_strings(&c->effective, &c->n_effective, o->caps, o->n_caps, NULL, 0) < 0 ||
	    copy_strings(&c->permitted, &c->n_permitted, o->caps, o->n_caps, NULL, 0) < 0)
		return out_of_memory(e);
	return 0;
}

static int from_options(const struct oci_process *own, const struct exec_options *o,
			struct oci_process *p, struct err *e)
{
	for (size_t i = 0; i < o->n_env; i++)
		if (!strchr(o->env[i], '=') || o->env[i][0] == '=')
			return err_set(e, EINVAL, "--env: \"%s\" is not NAME=VALUE", o->env[i]);
	if (copy_strings(&p->args, &p->n_args, o->args, o->n_args, NULL, 0) < 0 ||
	    copy_strings(&p->env, &p->n_env, own->env, own->n_env, o->env, o->n_env) < 0)
		return out_of_memory(e);
	if (o->cwd && !(p->cwd = strdup(o->cwd)))
		return out_of_memory(e);
	p->terminal = o->tty;
	p->has_no_new_privileges = o->no_new_privs;
	p->no_new_privileges = o->no_new_privs;
	return parse_user(o, p, e) < 0 || add_caps(o, p, e) < 0 ? -e->code : 0;
}

static int from_file(const char *path, struct oci_process **out, struct err *e)
{
	OWN_FREE char *text = NULL;
	size_t n = 0;
	int r = io_read_file(AT_FDCWD, path, MAX_PROCESS, &text, &n);

	if (r < 0)
		return err_set(e, -r, "--process: \"%s\": %s", path, strerror(-r));
	r = process_parse(text, n, out, e);
	return r < 0 ? err_wrap(e, "--process: \"%s\"", path) : 0;
}

/* The guest has no security modules: the host's label is on the VMM (contract 17.5). */
static void forget_labels(struct oci_process *p)
{
	if (p->apparmor_profile)
		log_debug("exec: apparmor profile \"%s\" has no meaning in the guest", p->apparmor_profile);
	if (p->selinux_label)
		log_debug("exec: label \"%s\" has no meaning in the guest", p->selinux_label);
	free(TAKE(&p->apparmor_profile));
	free(TAKE(&p->selinux_label));
}

static int check(const struct oci_process *p, struct err *e)
{
	struct spec_warnings warnings = { 0 };
	int r = process_check(p, &warnings, e);

	for (size_t i = 0; i < warnings.n && i < SPEC_MAX_WARNINGS; i++)
		log_debug("%s", warnings.text[i]);
	return r < 0 ? r : plan_check_process(p, e);
}

int exec_process(const struct oci_spec *spec, const struct exec_options *o,
		 struct oci_process **out, struct err *e)
{
	struct oci_process *p = NULL;
	int r;

	if (o->process_file) {
		r = from_file(o->process_file, &p, e);
	} else {
		p = calloc(1, sizeof(*p));
		r = p ? from_options(spec->process, o, p, e) : out_of_memory(e);
		if (r == 0 && (o->apparmor || o->label))
			log_debug("exec: security labels have no meaning in the guest");
	}
	if (r == 0 && complete(p, spec->process, o) < 0)
		r = out_of_memory(e);
	if (r == 0) {
		forget_labels(p);
		r = check(p, e);
	}
	if (r < 0) {
		oci_process_free(p);
		return r;
	}
	*out = p;
	return 0;
}
