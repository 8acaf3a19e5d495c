/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_fs_threads - the file server on several CPUs' threads at once, with fewer descriptors than files.
 *
 * For data races build it with SAN=thread. Here: every answer is right, contents are what was written, and
 * afterwards no descriptor and no inode is left over.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/fs_guest.h"
#include "tests/unit/tap.h"

#define CPUS 4
#define ROUNDS 400
#define BUDGET 24 /* descriptors */
#define BYTES 3000u

static struct guest first;
static struct guest cpu[CPUS];
static uint64_t shared; /* a directory that all work in */
static atomic_uint wrong;

#define must(cond)                                                             \
	do {                                                                   \
		if (!(cond) && atomic_fetch_add(&wrong, 1) < 5)                \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);    \
	} while (0)

/* Too many at once for the budget is an answer; try again. */
static int make_file(struct guest *g, const char *name, uint64_t *node, uint64_t *fh)
{
	int r;

	do {
		r = guest_create(g, shared, name, O_RDWR, 0644, node, fh);
	} while (r == -ENFILE);
	return r;
}

static void check_file(struct guest *g, uint64_t node, uint64_t fh, uint8_t byte)
{
	uint8_t data[BYTES];

	memset(data, byte, sizeof(data));
	must(guest_write(g, node, fh, 0, 0, data, BYTES) == (int)BYTES);
	must(guest_read(g, node, fh, 0, BYTES) == (int)BYTES);
	must(memcmp(guest_body(g), data, BYTES) == 0);
	must(guest_release(g, FUSE_RELEASE, node, fh) == 0);
}

/* Each thread's own names in one directory. */
static void own_names(struct guest *g, unsigned id, unsigned round)
{
	uint64_t node = 0, fh = 0;
	char a[32], b[32];
	struct fuse_attr attr;
	int r;

	(void)snprintf(a, sizeof(a), "a%u.%u", id, round);
	(void)snprintf(b, sizeof(b), "b%u.%u", id, round);
	r = make_file(g, a, &node, &fh);
	must(r == 0);
	if (r != 0)
		return;
	check_file(g, node, fh, (uint8_t)(id * 16 + round));
	must(guest_rename(g, shared, a, shared, b, 0) == 0);
	do {
		r = guest_getattr(g, node, &attr);
	} while (r == -ENFILE);
	must(r == 0 && attr.size == BYTES);
	if (round % 2)
		must(guest_name(g, FUSE_UNLINK, shared, NULL, 0, b) == 0);
	guest_forget(g, node, 1);
}

/* One name that all fight for: any answer but a wrong one. */
static void common_name(struct guest *g, unsigned id, unsigned round)
{
	struct fuse_entry_out e;
	uint64_t node = 0;
	int r = guest_mkdir(g, shared, "common", 0755, &node);

	must(r == 0 || r == -EEXIST || r == -ENFILE || r == -ENOENT);
	if (r == 0)
		guest_forget(g, node, 1);
	r = guest_lookup(g, shared, "common", &e);
	must(r == 0 || r == -ENOENT || r == -ENFILE || r == -ESTALE);
	if (r == 0)
		guest_forget(g, e.nodeid, 1);
	if ((id + round) % 3 == 0) {
		r = guest_name(g, FUSE_RMDIR, shared, NULL, 0, "common");
		must(r == 0 || r == -ENOENT || r == -ENFILE);
	}
}

static void list(struct guest *g)
{
	struct fuse_read_in in = { .size = 8192 };
	struct fuse_open_out o;
	int r = guest_open(g, FUSE_OPENDIR, shared, 0, &o);

	must(r == 0 || r == -ENFILE);
	if (r != 0)
		return;
	in.fh = o.fh;
	must(guest_call(g, FUSE_READDIR, shared, &in, sizeof(in), NULL, 0) == 0);
	must(guest_release(g, FUSE_RELEASEDIR, shared, o.fh) == 0);
}

static void *run_cpu(void *arg)
{
	struct guest *g = arg;
	unsigned id = (unsigned)(g - cpu);

	for (unsigned round = 0; round < ROUNDS; round++) {
		own_names(g, id, round);
		common_name(g, id, round);
		if (round % 8 == 0)
			list(g);
	}
	return NULL;
}

static unsigned count_files(void)
{
	unsigned n = 0;

	for (unsigned id = 0; id < CPUS; id++) {
		for (unsigned round = 0; round < ROUNDS; round++) {
			char path[64];
			struct stat st;

			(void)snprintf(path, sizeof(path), "rw/d/b%u.%u", id, round);
			n += fstatat(first.dirfd, path, &st, 0) == 0 && st.st_size == BYTES;
		}
	}
	return n;
}

int main(void)
{
	pthread_t thread[CPUS];
	uint64_t rw;
	int before;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)alarm(300);
	before = guest_count_fds();
	if (guest_start(&first, BUDGET, false) < 0 || guest_init(&first) != 0)
		return 1;
	rw = guest_node(&first, FUSE_ROOT_ID, "0");
	is_int(guest_mkdir(&first, rw, "d", 0755, &shared), 0, "a directory");
	for (unsigned i = 0; i < CPUS; i++) {
		cpu[i].fs = first.fs;
		cpu[i].uid = first.uid;
		cpu[i].gid = first.gid;
		if (pthread_create(&thread[i], NULL, run_cpu, &cpu[i]) != 0)
			return 1;
	}
	for (unsigned i = 0; i < CPUS; i++)
		(void)pthread_join(thread[i], NULL);
	is_int(atomic_load(&wrong), 0, "no wrong answer");
	is_int(count_files(), CPUS * ROUNDS / 2, "the files that were left are there, whole");
	is_int(guest_call(&first, FUSE_DESTROY, 0, NULL, 0, NULL, 0), 0, "destroyed");
	guest_stop(&first);
	is_int(guest_count_fds(), before, "no descriptor is left");
	return tap_done();
}
