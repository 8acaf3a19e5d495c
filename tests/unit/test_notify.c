/* SPDX-License-Identifier: Apache-2.0 */
/* test_notify - what of a container's sd_notify(3) messages passes, and where they go. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "oci/spec_parse.h"
#include "runtime/base/own.h"
#include "runtime/notify.h"
#include "tests/unit/tap.h"

static const char *filter(const char *text, pid_t mainpid)
{
	static char out[NOTIFY_MAX + 1];
	size_t n = notify_filter(text, mainpid, 123456789, out);

	out[n] = '\0';
	return out;
}

static void test_filter(void)
{
	char large[2000];

	is_str(filter("READY=1", 0), "READY=1\n", "ready");
	is_str(filter("READY=1\nSTATUS=all well\n", 42), "MAINPID=42\nREADY=1\nSTATUS=all well\n",
	       "with the pid, to our own manager");
	is_str(filter("STATUS=gr\xc3\xbcn", 0), "STATUS=gr\xc3\xbcn\n", "UTF-8");
	is_str(filter("RELOADING=1\nMONOTONIC_USEC=5", 0), "RELOADING=1\nMONOTONIC_USEC=123456789\n",
	       "the time is the host's");
	is_str(filter("MAINPID=1\nFDSTORE=1\nBARRIER=1\nNOTIFYACCESS=all\nMAINPIDFDID=3\nREADY=1", 0), "READY=1\n",
	       "what concerns pids, descriptors and access is dropped");
	is_str(filter("READY=0\nREADY=11\nREADY\n=\nREADY=1 \n\n", 0), "", "near misses");
	is_str(filter("STATUS=a\tb\nSTATUS=a\x1b[2J\nERRNO=2", 0), "ERRNO=2\n", "control characters");
	is_str(filter("WATCHDOG=1\nWATCHDOG=trigger\nSTOPPING=1", 0), "WATCHDOG=1\nWATCHDOG=trigger\nSTOPPING=1\n",
	       "the others");
	is_str(filter("", 9), "", "nothing");
	memset(large, 'x', sizeof(large));
	memcpy(large, "STATUS=", 7);
	strcpy(large + sizeof(large) - 9, "\nREADY=1");
	is_str(filter(large, 0), "READY=1\n", "a line that does not fit");
}

static void plan(const char *doc, const char *ours, const char *path, const char *host, const char *name)
{
	OWN(oci_spec_cleanup) struct oci_spec *spec = NULL;
	struct host_facts facts = { .can_mount = true, .nofile = 100000, .cpus = 1, .notify_socket = ours };
	struct plan *p = malloc(sizeof(*p));
	struct err e = { 0 };
	char text[2048];
	int r;

	(void)snprintf(text, sizeof(text),
		       "{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"/r\"},\"linux\":{\"namespaces\":[{\"type\":"
		       "\"mount\"}]},\"process\":{\"cwd\":\"/\",\"args\":[\"a\"],%s}",
		       doc);
	r = spec_parse(text, strlen(text), &spec, &e);
	if (r == 0)
		r = notify_offer(spec, ours);
	if (r == 0)
		r = plan_build(spec, &facts, "/b", p, &e);
	ok(r == 0, "%s: planned", name);
	if (r < 0)
		printf("# %s\n", e.msg);
	is_str(p->notify_path ? p->notify_path : "none", path, name);
	is_str(p->notify_path ? p->notify_host : "none", host, name);
	ok(p->notify_ours == (ours && strcmp(host, ours) == 0), "%s: whose", name);
	plan_fini(p);
	free(p);
}

#define ENV(path) "\"env\":[\"A=b\",\"NOTIFY_SOCKET=" path "\"]}"
#define BIND(dest, source) "{\"destination\":\"" dest "\",\"type\":\"bind\",\"source\":\"" source "\",\"options\":[\"rbind\"]}"

static void test_plan(void)
{
	plan("\"env\":[]}", NULL, "none", "none", "nobody asks");
	plan(ENV("/run/notify/notify.sock") ",\"mounts\":[" BIND("/run/notify", "/b/notify") "]", NULL,
	     "/run/notify/notify.sock", "/b/notify/notify.sock", "the engine's");
	plan(ENV("/run/notify/notify.sock") ",\"mounts\":[" BIND("/run/notify", "/b/notify") "]", "/run/systemd/notify",
	     "/run/notify/notify.sock", "/b/notify/notify.sock", "the engine's comes before ours");
	plan(ENV("/n/x") ",\"mounts\":[" BIND("/", "/never") "," BIND("/n/x", "/host/sock") "]", NULL, "/n/x", "/host/sock",
	     "a socket mounted alone");
	plan(ENV("/n/x") ",\"mounts\":[" BIND("/n", "/one") "," BIND("/nn", "/two") "," BIND("/n/", "/three") "]", NULL, "/n/x",
	     "/three/x", "the last mount counts");
	plan(ENV("/var/sock"), NULL, "none", "none", "in the root file system, which may lead anywhere");
	plan(ENV("/run/x/sock") ",\"mounts\":[{\"destination\":\"/run\",\"type\":\"tmpfs\"}]", NULL, "none", "none",
	     "in a file system of the guest");
	plan(ENV("@abstract"), NULL, "none", "none", "abstract: the guest's own");
	plan(ENV("/a/../b"), NULL, "none", "none", "a path with a way up");
	plan("\"env\":[]}", "/run/systemd/notify", NOTIFY_PATH, "/run/systemd/notify", "our own");
	plan("\"env\":[]}", "@/org/x", NOTIFY_PATH, "@/org/x", "our own, abstract");
	plan("\"env\":[]}", "relative", "none", "none", "our own, nonsense");
}

/* @n messages at once. Return: how many arrived. */
static unsigned arrived(struct notify *notify, int receiver, unsigned n)
{
	char buf[NOTIFY_MAX];
	unsigned sum = 0;

	for (unsigned i = 0; i < n; i++) {
		notify_send(notify, "STATUS=x");
		sum += recv(receiver, buf, sizeof(buf), MSG_DONTWAIT) > 0;
	}
	return sum;
}

static void test_rate(void)
{
	struct notify n = {.fd = -1};
	unsigned got;
	int s[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, s) < 0)
		abort();
	is_int(arrived(&n, s[1], 1), 0, "rate: nobody to tell");
	n.fd = s[0];
	is_int(arrived(&n, s[1], 200), 200, "rate: what came while we stood still for three seconds");
	(void)arrived(&n, s[1], 400);
	notify_send(&n, "EVIL=1");
	got = arrived(&n, s[1], 300);
	ok(got < 300, "rate: a flood is cut (%u)", got);
	(void)close(s[0]);
	(void)close(s[1]);
}

int main(void)
{
	test_filter();
	test_plan();
	test_rate();
	return tap_done();
}
