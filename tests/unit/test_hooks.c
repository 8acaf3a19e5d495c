/* SPDX-License-Identifier: Apache-2.0 */
/* test_hooks - the hooks of the host: what they are given, in which order, how they fail, and what is kept of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci/hooks_doc.h"
#include "oci/spec_parse.h"
#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "runtime/hooks.h"
#include "tests/unit/tap.h"

static char folder[] = "/tmp/test_hooks.XXXXXX";

static struct oci_spec *parse(const char *hooks)
{
	struct oci_spec *spec = NULL;
	char text[4096];
	struct err e;

	(void)snprintf(text, sizeof(text), "{\"hooks\":{%s}}", hooks);
	if (spec_parse(text, strlen(text), &spec, &e) < 0)
		printf("Bail out! %s\n", e.msg);
	return spec;
}

static const struct oci_kv notes[] = { { (char[]){ "k" }, (char[]){ "v" } } };

static int run_until(const struct interrupt *stop, const char *hooks, enum oci_hook_kind kind, struct err *e)
{
	OWN(oci_spec_cleanup) struct oci_spec *spec = parse(hooks);
	struct oci_state state = { .oci_version = "1.2.0",
				   .id = "c1",
				   .status = OCI_STATUS_CREATING,
				   .pid = 77,
				   .bundle = folder,
				   .annotations = notes,
				   .n_annotations = 1 };

	memset(e, 0, sizeof(*e));
	(void)unlink("log");
	return hooks_run(spec, kind, &state, stop, e);
}

static int run(const char *hooks, enum oci_hook_kind kind, struct err *e)
{
	return run_until(NULL, hooks, kind, e);
}

static const char *logged(void)
{
	static char *text;

	free(text);
	text = NULL;
	return io_read_file(AT_FDCWD, "log", 65536, &text, NULL) < 0 ? "(none)" : text;
}

#define SH(script) "{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"" script "\"]}"
#define LIST(kind, list) "\"" kind "\":[" list "]"

static void test_given(void)
{
	struct err e;

	is_int(run(LIST("prestart", SH("cat >log")), OCI_HOOK_PRESTART, &e), 0, "a hook");
	ok(strstr(logged(), "\"status\":\"creating\"") && strstr(logged(), "\"pid\":77") &&
		   strstr(logged(), "\"annotations\":{\"k\":\"v\"}") && strstr(logged(), "\"id\":\"c1\""),
	   "reads the state");
	(void)setenv("NOTIFY_SOCKET", "/x", 1);
	(void)setenv("OURS", "1", 1);
	is_int(run(LIST("prestart", SH("echo $OURS.$NOTIFY_SOCKET. $0 >log; pwd >>log; ls /proc/self/fd | wc -l >>log")),
		   OCI_HOOK_PRESTART, &e),
	       0, "our environment");
	ok(strncmp(logged(), "1.. sh\n/tmp/test_hooks.", 22) == 0, "without NOTIFY_SOCKET, in the bundle");
	ok(strstr(logged(), "\n4\n") != NULL, "three descriptors and ls's own");
	is_int(run(LIST("createRuntime", "{\"path\":\"/bin/sh\",\"args\":[\"x\",\"-c\",\"echo $A$OURS $0 $1 >log\",\"zero\",\"\"],"
					 "\"env\":[\"A=b\"]}"),
		   OCI_HOOK_CREATE_RUNTIME, &e),
	       0, "its own environment and arguments");
	is_str(logged(), "b zero\n", "and nothing of ours");
	is_int(run(LIST("prestart", "{\"path\":\"/bin/true\"}"), OCI_HOOK_PRESTART, &e), 0, "without args");
	is_int(run(LIST("prestart", SH("trap")), OCI_HOOK_PRESTART, &e), 0, "signals as usual");
	is_int(run(LIST("prestart", SH("echo 1 >>log") "," SH("echo 2 >>log") "," SH("echo 3 >>log")),
		   OCI_HOOK_PRESTART, &e),
	       0, "several");
	is_str(logged(), "1\n2\n3\n", "in their order");
	is_int(run(LIST("prestart", SH("sleep 60 & echo done >log")), OCI_HOOK_PRESTART, &e), 0,
	       "one that leaves a daemon is not waited for");
}

static void fails(const char *hook, const char *want, const char *name)
{
	char list[2048];
	struct err e;

	(void)snprintf(list, sizeof(list), LIST("createContainer", SH("echo 1 >log") ",%s," SH("echo 3 >>log")),
		       hook);
	ok(run(list, OCI_HOOK_CREATE_CONTAINER, &e) < 0, "%s", name);
	is_str(e.msg, want, name);
	ok(strncmp(logged(), "1\n", 2) == 0 && !strstr(logged(), "3"), "%s: the first ran, the last did not", name);
}

static void test_failures(void)
{
	fails(SH("echo oh no >&2; echo and more >&2; echo out; exit 3"),
	      "config.json: hooks.createContainer[1]: \"/bin/sh\": exited with status 3: oh no and more",
	      "a failure with words");
	fails(SH("kill -9 $$"), "config.json: hooks.createContainer[1]: \"/bin/sh\": killed by signal 9", "a signal");
	fails("{\"path\":\"/nonesuch\"}",
	      "config.json: hooks.createContainer[1]: \"/nonesuch\": exited with status 127: No such file or directory",
	      "a missing program");
	fails("{\"path\":\"/etc/passwd\"}",
	      "config.json: hooks.createContainer[1]: \"/etc/passwd\": exited with status 127: Permission denied",
	      "no program");
	fails("{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"echo slow >&2; (sleep 77; echo late >>log) & wait\"],\"timeout\":1}",
	      "config.json: hooks.createContainer[1]: \"/bin/sh\": killed after its timeout of 1 s: slow",
	      "a timeout");
}

static void test_kept(void)
{
	OWN(oci_spec_cleanup) struct oci_spec *spec =
		parse(LIST("poststart", "{\"path\":\"/a\",\"args\":[\"a\",\"\"],\"env\":[\"B=\\\"c\"],\"timeout\":4}") ","
		      LIST("prestart", "{\"path\":\"/p\"}") "," LIST("poststop", "{\"path\":\"/b\"},{\"path\":\"/c\"}"));
	OWN(oci_spec_cleanup) struct oci_spec *none = parse(LIST("prestart", "{\"path\":\"/p\"}"));
	OWN(oci_spec_cleanup) struct oci_spec *back = NULL;
	struct statedir d = { .fd = open(folder, O_RDONLY | O_DIRECTORY), .id = (char[]){ "i" }, .root = folder };
	const struct oci_hook *h;
	struct err e = { 0 };

	ok(hooks_doc_needed(spec) && !hooks_doc_needed(none), "only what runs after create is kept");
	is_int(hooks_save(&d, none, &e), 0, "nothing to keep");
	ok(access("hooks.json", F_OK) < 0 && hooks_load(&d) == NULL, "no file");
	is_int(hooks_save(&d, spec, &e), 0, "something to keep");
	back = hooks_load(&d);
	ok(back && back->hooks[OCI_HOOK_POSTSTART].n == 1 && back->hooks[OCI_HOOK_POSTSTOP].n == 2 &&
		   back->hooks[OCI_HOOK_PRESTART].n == 0,
	   "comes back");
	h = back->hooks[OCI_HOOK_POSTSTART].v;
	ok(strcmp(h->path, "/a") == 0 && h->n_args == 2 && !*h->args[1] && h->n_env == 1 &&
		   strcmp(h->env[0], "B=\"c") == 0 && h->timeout == 4,
	   "whole");
	h = back->hooks[OCI_HOOK_POSTSTOP].v;
	ok(!h->args && !h->env && !h->has_timeout && strcmp(h[1].path, "/c") == 0, "and nothing more");
	(void)close(d.fd);
}

/* Ctrl-C while a hook runs that would never end. */
static void test_interrupt(void)
{
	static const char hooks[] = LIST("prestart", SH("kill -TERM $PPID; exec sleep 78"));
	struct interrupt stop;
	struct err e = { 0 };

	ok(interrupt_hold(&stop, &e) == 0, "signals are held");
	is_int(run_until(&stop, hooks, OCI_HOOK_PRESTART, &e), -EINTR, "a hook that hangs is interrupted");
	is_str(e.msg, "config.json: hooks.prestart[0]: \"/bin/sh\": killed: interrupted by SIGTERM", "and named");
	interrupt_release(&stop);
}

int main(void)
{
	if (!mkdtemp(folder) || chdir(folder) < 0)
		return 1;
	test_given();
	test_failures();
	test_interrupt();
	test_kept();
	(void)unlink("log");
	(void)unlink("hooks.json");
	(void)rmdir(folder);
	return tap_done();
}
