/* SPDX-License-Identifier: Apache-2.0 */
/* test_statedir - who is alive, what is damaged, what is removed: the state directory without any container. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "runtime/base/own.h"
#include "runtime/statedir.h"
#include "tests/unit/tap.h"

static char root[] = "/tmp/test-statedir.XXXXXX";

static void write_text(const struct statedir *d, const char *name, const char *text)
{
	if (io_replace_file(d->fd, name, 0600, text, strlen(text)) < 0)
		abort();
}

static int read_it(struct statedir *d, struct statedir_record *r, struct err *e)
{
	memset(r, 0, sizeof(*r));
	return statedir_read(d, r, e);
}

static void test_life(void)
{
	struct statedir_record r = { .bundle = (char[]){ "/b" }, .pid = 7, .phase = "creating" };
	struct statedir_record got;
	struct statedir d = { .fd = -1 };
	struct statedir again = { .fd = -1 };
	struct err e = { 0 };
	struct stat st;
	int lock = -1;

	ok(statedir_create(root, "one", &d, &lock, &e) == 0, "an id is claimed");
	ok(statedir_create(root, "one", &again, &lock, &e) == -EEXIST, "once");
	is_str(e.msg, "container `one` already exists", "and says so");
	ok(read_it(&d, &got, &e) == 0 && got.incomplete, "no record yet");
	is_int(statedir_status(&d, &got), OCI_STATUS_CREATING, "with the lock: creating");
	statedir_record_fini(&got);
	ok(fstatat(d.fd, "exit.json", &st, 0) == 0 && st.st_size > 0 && st.st_blocks > 0,
	   "the exit record has its room");
	ok(statedir_write(&d, &r, &e) == 0, "the record is written");
	(void)snprintf(r.phase, sizeof(r.phase), "created");
	ok(statedir_write(&d, &r, &e) == 0 && read_it(&d, &got, &e) == 0, "and read");
	ok(!got.incomplete && got.pid == 7 && strcmp(got.bundle, "/b") == 0, "as it was");
	is_int(statedir_status(&d, &got), OCI_STATUS_CREATED, "created");
	statedir_mark_running(lock);
	is_int(statedir_status(&d, &got), OCI_STATUS_RUNNING, "running, whatever the record says");
	(void)snprintf(got.phase, sizeof(got.phase), "paused");
	is_int(statedir_status(&d, &got), OCI_STATUS_PAUSED, "but for paused");
	statedir_record_fini(&got);
	own_close_fd(&lock);
	ok(!statedir_alive(&d), "the lock goes with its descriptor");
	is_int(statedir_status(&d, &r), OCI_STATUS_STOPPED, "stopped");
	ok(statedir_open(root, "one", &again, &e) == 0 && statedir_hold(&d, &e) == 0, "held, while another has it open");
	ok(statedir_remove(&d, &e) == 0 && faccessat(d.fd, "lock", F_OK, 0) < 0, "removed");
	ok(statedir_remove(&d, &e) == 0, "removed twice");
	statedir_let_go(&d);
	ok(statedir_hold(&again, &e) == -ENOENT, "the other hears of it");
	statedir_close(&again);
	statedir_close(&d);
	ok(statedir_open(root, "one", &d, &e) == -ENOENT, "gone");
}

static void test_damaged(void)
{
	static const char *const texts[] = { "", "{", "[]", "null", "{}", "{\"phase\":1}",
					     "{\"phase\":\"created\",\"pid\":-1}",
					     "{\"phase\":\"created\",\"annotations\":{\"a\":1}}" };
	struct statedir_record got;
	struct statedir d = { .fd = -1 };
	struct err e = { 0 };
	int lock = -1;

	ok(statedir_create(root, "two", &d, &lock, &e) == 0, "another");
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_text(&d, "state.json", texts[i]);
		ok(read_it(&d, &got, &e) < 0 && strstr(e.msg, "two/state.json\" is damaged"),
		   "damaged: %s", texts[i]);
	}
	ok(unlinkat(d.fd, "state.json", 0) == 0 && mkfifoat(d.fd, "state.json", 0600) == 0 &&
		   read_it(&d, &got, &e) < 0,
	   "a FIFO keeps nobody waiting");
	ok(unlinkat(d.fd, "state.json", 0) == 0 && symlinkat("/etc/passwd", d.fd, "state.json") == 0 &&
		   read_it(&d, &got, &e) < 0,
	   "a link is not followed");
	ok(unlinkat(d.fd, "lock", 0) == 0 && !statedir_alive(&d), "without its lock nobody lives");
	ok(symlinkat("/dev/null", d.fd, "lock") == 0 && !statedir_alive(&d), "a link is no lock");
	ok(mkdirat(d.fd, "sub", 0700) == 0 && mkdirat(d.fd, "exit.json.d", 0700) == 0, "clutter");
	write_text(&d, ".state.json.77", "left by somebody killed");
	ok(statedir_remove(&d, &e) == 0, "all of it is removed");
	own_close_fd(&lock);
	statedir_close(&d);
}

static void test_interrupted(void)
{
	struct statedir_record r = { .phase = "creating" };
	struct statedir d = { .fd = -1 };
	struct statedir again = { .fd = -1 };
	struct err e = { 0 };
	int lock = -1;
	int none = -1;

	ok(statedir_create(root, "three", &d, &lock, &e) == 0 && statedir_write(&d, &r, &e) == 0,
	   "a create");
	own_close_fd(&lock);
	ok(statedir_create(root, "three", &again, &none, &e) == -EEXIST &&
		   strstr(e.msg, "interrupted"),
	   "that died: the next one says so");
	ok(statedir_remove(&d, &e) == 0, "and is removed");
	statedir_close(&d);
	r.boot_id = (char[]){ "no-such-boot" };
	ok(!statedir_this_boot(&r), "a record of another boot");
	r.boot_id = statedir_boot_id();
	ok(r.boot_id && statedir_this_boot(&r), "and of this one");
	free(r.boot_id);
}

static void test_root(void)
{
	char path[128];
	char *out = NULL;
	struct err e = { 0 };

	(void)snprintf(path, sizeof(path), "%s/open", root);
	(void)mkdir(path, 0777);
	(void)chmod(path, 0777);
	ok(statedir_root(path, false, &out, &e) == -EPERM && strstr(e.msg, "(of --root)"),
	   "a folder that all may write to");
	(void)setenv("XDG_RUNTIME_DIR", path, 1);
	(void)snprintf(path, sizeof(path), "%s/open/coracle", root);
	(void)mkdir(path, 0777);
	(void)chmod(path, 0777);
	ok(statedir_root(NULL, false, &out, &e) == -EPERM && strstr(e.msg, "(of XDG_RUNTIME_DIR)"),
	   "where the name comes from is said");
	ok(statedir_root("//", false, &out, &e) == -EINVAL, "not the root directory");
	(void)rmdir(path);
	(void)snprintf(path, sizeof(path), "%s/open", root);
	(void)rmdir(path);
}

int main(void)
{
	if (!mkdtemp(root))
		return 1;
	test_life();
	test_damaged();
	test_interrupted();
	test_root();
	ok(rmdir(root) == 0, "nothing is left");
	return tap_done();
}
