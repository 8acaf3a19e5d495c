/* SPDX-License-Identifier: Apache-2.0 */
/* test_exec_process - what exec is asked for, completed from the container's own process. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "oci/spec_parse.h"
#include "runtime/exec.h"
#include "tests/unit/tap.h"

static const char config[] =
	"{\"ociVersion\":\"1.0.0\",\"process\":{\"args\":[\"sleep\"],\"cwd\":\"/tmp\","
	"\"user\":{\"uid\":7,\"gid\":8,\"umask\":23,\"additionalGids\":[5]},"
	"\"env\":[\"PATH=/bin\",\"FROM=box\"],\"noNewPrivileges\":true,\"oomScoreAdj\":100,"
	"\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"inheritable\":[\"CAP_CHOWN\"]},"
	"\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":10,\"hard\":20}]}}";

static struct oci_spec *spec;
static struct oci_process *p;
static struct err e;
static char *command[] = {(char *)"id", NULL};

static int make(struct exec_options o)
{
	oci_process_free(p);
	p = NULL;
	e = (struct err){0};
	if (!o.process_file) {
		o.args = command;
		o.n_args = 1;
	}
	return exec_process(spec, &o, &p, &e);
}

static int from_json(const char *json)
{
	char path[] = "/tmp/test_exec_process.XXXXXX";
	int fd = mkstemp(path), r;

	if (fd < 0 || write(fd, json, strlen(json)) != (ssize_t)strlen(json))
		abort();
	(void)close(fd);
	r = make((struct exec_options){.process_file = path});
	(void)unlink(path);
	return r;
}

static void test_inherited(void)
{
	is_int(make((struct exec_options){0}), 0, "a command alone");
	is_str(p->args[0], "id", "its name");
	is_str(p->cwd, "/", "the directory is the root");
	ok(p->user.uid == 7 && p->user.gid == 8 && p->user.umask == 23, "the container's user");
	ok(p->user.n_additional_gids == 1 && p->user.additional_gids[0] == 5, "and groups");
	ok(p->n_env == 2 && strcmp(p->env[1], "FROM=box") == 0, "environment");
	ok(p->no_new_privileges, "noNewPrivileges");
	ok(p->capabilities && p->capabilities->n_bounding == 1 && p->capabilities->n_inheritable == 1,
	   "capabilities");
	ok(p->n_rlimits == 1 && p->rlimits[0].hard == 20, "rlimits");
	ok(!p->has_oom_score_adj && !p->terminal, "but neither oomScoreAdj nor terminal");
}

static void test_options(void)
{
	char *env[] = {(char *)"FROM=me", (char *)"NEW=1"};
	char *caps[] = {(char *)"kill", (char *)"CAP_CHOWN"};
	uint32_t gids[] = {3, 4};

	is_int(make((struct exec_options){.env = env, .n_env = 2}), 0, "env");
	ok(p->n_env == 3 && strcmp(p->env[1], "FROM=me") == 0, "the last of a name counts");
	is_int(make((struct exec_options){.user = "1:2", .gids = gids, .n_gids = 2}), 0, "user");
	ok(p->user.uid == 1 && p->user.gid == 2 && !p->user.has_umask, "another user has nothing of it");
	ok(p->user.n_additional_gids == 2 && p->user.additional_gids[1] == 4, "but the groups given");
	is_int(make((struct exec_options){.gids = gids, .n_gids = 2}), 0, "groups alone");
	is_int(p->user.n_additional_gids, 3, "are added");
	is_int(make((struct exec_options){.caps = caps, .n_caps = 2}), 0, "capabilities");
	ok(p->capabilities->n_bounding == 2 && p->capabilities->n_permitted == 2 &&
		   p->capabilities->n_inheritable == 0 && p->capabilities->n_ambient == 0,
	   "replace, and are not inheritable");
	is_int(make((struct exec_options){.cwd = "/x", .tty = true}), 0, "cwd and tty");
	ok(strcmp(p->cwd, "/x") == 0 && p->terminal, "are taken");
}

static void test_refused(void)
{
	static const char *const users[] = {"", "x", "1:", ":1", "1:x", "-1", "4294967295", "1 ", "1:2:3"};
	char *bad_env[] = {(char *)"NAME"}, *no_name[] = {(char *)"=1"};
	char *bad_cap[] = {(char *)"CAP_NONE"};

	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		ok(make((struct exec_options){.user = users[i]}) == -EINVAL && strstr(e.msg, "--user"),
		   "--user \"%s\"", users[i]);
	is_int(make((struct exec_options){.env = bad_env, .n_env = 1}), -EINVAL, "env without a value");
	is_int(make((struct exec_options){.env = no_name, .n_env = 1}), -EINVAL, "env without a name");
	is_int(make((struct exec_options){.caps = bad_cap, .n_caps = 1}), -EINVAL, "no such capability");
	is_int(make((struct exec_options){.cwd = "x"}), -EINVAL, "a relative directory");
}

static void test_json(void)
{
	is_int(from_json("{\"args\":[\"a\",\"b\"]}"), 0, "process: args alone");
	ok(p->n_args == 2 && p->user.uid == 7 && p->n_env == 2 && p->capabilities && p->n_rlimits == 1,
	   "process: the rest is the container's");
	is_int(from_json("{\"args\":[\"a\"],\"cwd\":\"/y\",\"user\":{\"uid\":0,\"gid\":0},\"capabilities\":{},"
			 "\"noNewPrivileges\":false,\"env\":[\"A=1\",\"B=2\",\"A=3\"]}"),
	       0, "process: all given");
	ok(p->user.uid == 0 && !p->user.has_umask && !p->no_new_privileges, "process: user, privileges");
	is_int(p->capabilities->n_bounding, 0, "process: no capabilities");
	ok(p->n_env == 2 && strcmp(p->env[1], "A=3") == 0, "process: the last of a name counts");
	is_int(from_json("{\"args\":[\"a\"],\"apparmorProfile\":\"p\",\"selinuxLabel\":\"l\"}"), 0,
	       "process: labels are taken");
	is_int(from_json("{\"args\":[]}"), -EINVAL, "process: no args");
	is_int(from_json("{\"args\":[\"a\"],\"cwd\":\"x\"}"), -EINVAL, "process: a relative directory");
	is_int(from_json("{"), -EINVAL, "process: no JSON");
	is_int(from_json("[]"), -EINVAL, "process: no object");
	is_int(make((struct exec_options){.process_file = "/no/such"}), -ENOENT, "process: no file");
	ok(strstr(e.msg, "/no/such") != NULL, "process: which is named");
}

int main(void)
{
	if (spec_parse(config, strlen(config), &spec, &e) < 0)
		return 1;
	test_inherited();
	test_options();
	test_refused();
	test_json();
	oci_process_free(p);
	oci_spec_free(spec);
	return tap_done();
}
