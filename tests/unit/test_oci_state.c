/* SPDX-License-Identifier: Apache-2.0 */
/* test_oci_state - the documents we write: state, list, hooks, features, spec. */
#include <errno.h>

#include "oci/features.h"
#include "oci/json.h"
#include "oci/spec_check.h"
#include "oci/spec_parse.h"
#include "oci/state.h"
#include "oci/template.h"
#include "runtime/base/own.h"
#include "tests/unit/tap.h"

static struct oci_kv annotation = { (char *)"a", (char *)"b" };

static struct oci_state example(void)
{
	return (struct oci_state){
		.oci_version = "1.2.0",
		.id = "web",
		.status = OCI_STATUS_RUNNING,
		.pid = 42,
		.bundle = "/b",
		.rootfs = "/b/rootfs",
		.created = "2024-01-02T03:04:05.000000006Z",
		.owner = "root",
		.annotations = &annotation,
		.n_annotations = 1,
	};
}

static void test_state(void)
{
	struct oci_state s = example();
	OWN_FREE char *text = NULL;
	OWN_FREE char *hook = NULL;
	OWN_FREE char *stopped = NULL;

	is_int(state_format(&s, &text), 0, "state");
	is_str(text,
	       "{\n  \"ociVersion\": \"1.2.0\",\n  \"id\": \"web\",\n  \"pid\": 42,\n"
	       "  \"status\": \"running\",\n  \"bundle\": \"/b\",\n  \"rootfs\": \"/b/rootfs\",\n"
	       "  \"created\": \"2024-01-02T03:04:05.000000006Z\",\n  \"owner\": \"root\",\n"
	       "  \"annotations\": {\n    \"a\": \"b\"\n  }\n}\n",
	       "is what engines read");
	is_int(state_hook_format(&s, &hook), 0, "for hooks");
	is_str(hook,
	       "{\"ociVersion\":\"1.2.0\",\"id\":\"web\",\"pid\":42,\"status\":\"running\","
	       "\"bundle\":\"/b\",\"annotations\":{\"a\":\"b\"}}",
	       "in one line, the specification's keys only");
	s = (struct oci_state){ .id = "x\xff", .status = OCI_STATUS_STOPPED, .pid = 9 };
	is_int(state_hook_format(&s, &stopped), 0, "a stopped one");
	is_str(stopped,
	       "{\"ociVersion\":\"1.3.0\",\"id\":\"x\xef\xbf\xbd\",\"pid\":0,"
	       "\"status\":\"stopped\"}",
	       "has pid 0");
}

static void test_list(void)
{
	struct oci_state two[2] = { example(), example() };
	OWN(json_cleanup) struct json_doc *doc = NULL;
	OWN_FREE char *none = NULL;
	OWN_FREE char *text = NULL;
	struct err e;

	is_int(state_list_format(NULL, 0, &none), 0, "an empty list");
	is_str(none, "[]\n", "is []");
	is_int(state_list_format(two, 2, &text), 0, "a list");
	is_int(json_parse(text, strlen(text), &doc, &e), 0, "is JSON");
	is_int(json_count(json_root(doc)), 2, "of two");
}

static void test_words(void)
{
	static const struct timespec t = { .tv_sec = 1704164645, .tv_nsec = 6 };
	char buf[STATE_TIME_SIZE];
	enum oci_status s = OCI_STATUS_CREATING;

	is_str(state_time(&t, buf), "2024-01-02T03:04:05.000000006Z", "time as Go reads it");
	is_int(state_status_parse("paused", &s), 0, "a status");
	is_str(state_status_name(s), "paused", "and back");
	is_int(state_status_parse("dead", &s), -EINVAL, "no status");
}

static void test_features(void)
{
	OWN(json_cleanup) struct json_doc *doc = NULL;
	OWN_FREE char *text = NULL;
	const struct json *lnx;
	const char *s = NULL;
	struct err e;

	static const char *const options[] = { "rro", NULL };

	is_int(features_format("0.1.0", "abc", options, &text), 0, "features");
	is_int(json_parse(text, strlen(text), &doc, &e), 0, "is JSON");
	is_int(json_str(json_get(json_root(doc), "ociVersionMin"), &s, &e), 0, "with");
	is_str(s, "1.0.0", "ociVersionMin");
	is_int(json_str(json_get(json_root(doc), "ociVersionMax"), &s, &e), 0, "with");
	is_str(s, "1.3.0", "ociVersionMax");
	lnx = json_get(json_root(doc), "annotations");
	is_int(json_str(json_get(lnx, "org.coracle.version"), &s, &e), 0, "with");
	is_str(s, "0.1.0", "our version");
	lnx = json_get(json_root(doc), "linux");
	is_int(json_count(json_get(lnx, "capabilities")), 41, "with all capabilities");
	ok(json_get(json_get(json_get(lnx, "mountExtensions"), "idmap"), "enabled"), "with idmap");
}

static void test_template(bool rootless)
{
	struct template_opts opts = { rootless, 1000, 1001 };
	OWN(oci_spec_cleanup) struct oci_spec *spec = NULL;
	struct spec_warnings w = { 0 };
	OWN_FREE char *text = NULL;
	struct err e = { 0 };

	is_int(template_format(&opts, &text), 0, "a template");
	is_int(spec_parse(text, strlen(text), &spec, &e), 0, "can be read");
	is_int(spec_check(spec, &w, &e), 0, "and passes the check");
	is_int(w.n, 0, "without warnings");
	is_str(spec->process->args[0], "sh", "runs sh");
	is_int(spec->n_mounts, 7, "with the default mounts");
	is_int(spec->mounts[2].n_options, rootless ? 5 : 6, "gid 5 for root's terminals");
	is_int(spec->lnx.n_namespaces, rootless ? 7 : 6, "namespaces");
	ok(!oci_spec_ns(spec, OCI_NS_USER) == !rootless, "user namespace for the rootless");
	if (rootless)
		ok(spec->lnx.uid_mappings[0].host_id == 1000 &&
			   spec->lnx.gid_mappings[0].host_id == 1001,
		   "mapped to the caller");
}

int main(void)
{
	test_state();
	test_list();
	test_words();
	test_features();
	test_template(false);
	test_template(true);
	return tap_done();
}
