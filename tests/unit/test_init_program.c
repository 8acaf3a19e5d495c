/* SPDX-License-Identifier: Apache-2.0 */
/* test_init_program - the guest's check of a PROGRAM: what is whole is taken, all else refused. */
#include <errno.h>
#include <stdlib.h>

#include "guest-init/program.h"
#include "tests/unit/tap.h"

/* A payload in heap memory of exactly its size, so that a sanitizer sees each step beyond it. */
struct payload {
	uint8_t *bytes;
	size_t n;
};

static struct proto_program *head_of(struct payload *p)
{
	return (struct proto_program *)p->bytes;
}

static uint32_t add(struct payload *p, const void *data, size_t n)
{
	size_t at = p->n - sizeof(struct proto_program);

	p->bytes = realloc(p->bytes, p->n + n);
	memcpy(p->bytes + p->n, data, n);
	p->n += n;
	head_of(p)->pool_bytes = (uint32_t)(p->n - sizeof(struct proto_program));
	return (uint32_t)at;
}

static struct payload small(void)
{
	struct proto_program h = {.magic = PROTO_MAGIC, .version = PROTO_VERSION};
	struct payload p = {malloc(sizeof(h)), sizeof(h)};
	uint32_t at;

	memcpy(p.bytes, &h, sizeof(h));
	add(&p, "", 1);
	at = add(&p, "sh\0-c\0true", 11);
	head_of(&p)->process.args = at;
	head_of(&p)->process.n_args = 3;
	at = add(&p, "PATHS=no\0PATH=/bin:/usr/bin\0EMPTY=", 35);
	head_of(&p)->process.env = at;
	head_of(&p)->process.n_env = 3;
	at = add(&p, "/", 2);
	head_of(&p)->process.cwd = at;
	return p;
}

static struct payload large(void)
{
	struct payload p = small();
	struct proto_mount m = {.kind = PROTO_MOUNT_FS};
	struct proto_device d = {.type = 'c', .major = 1, .minor = 3, .mode = 0666};
	struct proto_rlimit r = {.resource = 7, .soft = 1, .hard = UINT64_MAX};
	struct proto_sysctl s = {0};
	struct proto_hook k = {.timeout_s = 3};
	uint32_t gids[2] = {5, 6}, at;
	uint64_t bpf[2] = {0};

	add(&p, "x", 2); /* arrays become unaligned */
	m.dest = add(&p, "/proc", 6);
	m.fstype = add(&p, "proc", 5);
	at = add(&p, &m, sizeof(m));
	add(&p, &m, sizeof(m));
	head_of(&p)->mounts = at;
	head_of(&p)->n_mounts = 2;
	d.path = add(&p, "/dev/null", 10);
	at = add(&p, &d, sizeof(d));
	head_of(&p)->devices = at;
	head_of(&p)->n_devices = 1;
	s.path = add(&p, "kernel/msgmax", 14);
	s.value = add(&p, "1", 2);
	at = add(&p, &s, sizeof(s));
	head_of(&p)->sysctls = at;
	head_of(&p)->n_sysctls = 1;
	k.path = add(&p, "/bin/hook", 10);
	k.args = add(&p, "hook\0arg", 9);
	k.n_args = 2;
	at = add(&p, &k, sizeof(k));
	head_of(&p)->hooks = at;
	head_of(&p)->n_hooks = 1;
	at = add(&p, "{}", 3);
	head_of(&p)->hook_state = at;
	at = add(&p, &r, sizeof(r));
	head_of(&p)->process.rlimits = at;
	head_of(&p)->process.n_rlimits = 1;
	at = add(&p, bpf, sizeof(bpf));
	head_of(&p)->process.seccomp = at;
	head_of(&p)->process.n_seccomp = 2;
	at = add(&p, gids, sizeof(gids));
	head_of(&p)->process.gids = at;
	head_of(&p)->process.n_gids = 2;
	return p;
}

/* Read everything an accepted program offers. */
static void walk(const struct program *p)
{
	const struct proto_process *r = &p->head.process;
	const char **list = calloc((size_t)r->n_args + r->n_env + 1, sizeof(*list));

	program_list(p, r->args, r->n_args, list);
	program_list(p, r->env, r->n_env, list);
	(void)!!program_env(p, "NO");
	for (uint32_t i = 0; i < p->head.n_mounts; i++) {
		struct proto_mount m = program_mount(p, i);

		(void)!strlen(program_text(p, m.dest));
		(void)!strlen(program_text(p, m.source));
		(void)!strlen(program_text(p, m.fstype));
		(void)!strlen(program_text(p, m.data));
	}
	for (uint32_t i = 0; i < p->head.n_hooks; i++) {
		struct proto_hook h = program_hook(p, i);
		const char **v = calloc((size_t)h.n_args + h.n_env + 1, sizeof(*v));

		program_list(p, h.args, h.n_args, v);
		program_list(p, h.env, h.n_env, v);
		(void)!strlen(program_text(p, h.path));
		free(v);
	}
	for (uint32_t i = 0; i < p->head.n_devices; i++)
		(void)!strlen(program_text(p, program_device(p, i).path));
	for (uint32_t i = 0; i < p->head.n_sysctls; i++)
		(void)!strlen(program_text(p, program_sysctl(p, i).value));
	for (uint32_t i = 0; i < r->n_rlimits; i++)
		(void)program_rlimit(p, i);
	free(list);
}

static void refuse(struct payload p, const char *want, const char *name)
{
	struct program out = {.pool = "untouched"};
	struct err e;
	int rc = program_check(p.bytes, p.n, &out, &e);

	ok(rc == -EPROTO && e.code == EPROTO && strcmp(e.text, want) == 0, "%s", name);
	if (strcmp(e.text, want) != 0)
		printf("# got \"%s\"\n", e.text);
	ok(strcmp(out.pool, "untouched") == 0, "%s: nothing is handed out", name);
	free(p.bytes);
}

static void test_good(void)
{
	struct payload p = large();
	struct program prog;
	const char *list[3];
	struct err e;

	is_int(program_check(p.bytes, p.n, &prog, &e), 0, "a whole program");
	program_list(&prog, prog.head.process.args, 3, list);
	is_str(list[2], "true", "third argument");
	is_str(program_env(&prog, "PATH"), "/bin:/usr/bin", "a variable, not its namesake");
	is_str(program_env(&prog, "EMPTY"), "", "an empty variable");
	ok(program_env(&prog, "PAT") == NULL, "a prefix is no variable");
	is_str(program_text(&prog, program_mount(&prog, 1).dest), "/proc", "second mount");
	is_int(program_device(&prog, 0).minor, 3, "device");
	ok(program_has_fs(&prog, "proc", "/proc") && program_has_fs(&prog, "proc", NULL) &&
		   !program_has_fs(&prog, "proc", "/x") && !program_has_fs(&prog, "cgroup2", NULL),
	   "file systems");
	is_str(program_text(&prog, 0), "", "offset 0 is none");
	free(p.bytes);
}

#define WITH(statement, want, name)                                                                \
	do {                                                                                       \
		struct payload p_ = large();                                                       \
		struct proto_program *h = head_of(&p_);                                            \
		statement;                                                                         \
		refuse(p_, "program: " want, name);                                                \
	} while (0)

#define WITH_MOUNT(statement, want, name)                                                          \
	do {                                                                                       \
		struct payload p_ = large();                                                       \
		uint8_t *at_ = p_.bytes + sizeof(struct proto_program) + head_of(&p_)->mounts;     \
		struct proto_mount m;                                                              \
		memcpy(&m, at_, sizeof(m));                                                        \
		statement;                                                                         \
		memcpy(at_, &m, sizeof(m));                                                        \
		refuse(p_, "program: " want, name);                                                \
	} while (0)

static void test_bad(void)
{
	WITH(h->magic++, "magic 0x43524332", "magic");
	WITH(h->version = 9, "version 9, this init speaks 4", "version");
	WITH(h->hostname = UINT32_MAX, "hostname", "hostname outside");
	WITH(h->domainname = h->pool_bytes, "hostname", "domainname at the end");
	WITH(h->n_mounts = UINT32_MAX, "mounts", "number of mounts");
	WITH(h->mounts = h->pool_bytes - 95, "mounts", "mounts one byte over");
	WITH(h->n_devices = 0x08000000, "devices", "size of devices wraps in 32 bits");
	WITH(h->sysctls = UINT32_MAX, "sysctls", "sysctls outside");
	WITH(h->n_net = PROTO_MAX_NET + 1, "net", "number of network records");
	WITH((h->n_net = 1, h->net = h->pool_bytes - 103), "net", "network records one byte over");
	WITH((h->n_net = 1, h->net = 0), "net[0]", "a network record of nonsense");
	WITH(h->n_hooks = 1u << 28, "hooks", "number of hooks");
	WITH(h->hooks = h->pool_bytes - 31, "hooks", "hooks one byte over");
	WITH(h->hook_state = UINT32_MAX, "hook_state", "hook_state outside");
	WITH(h->notify = h->process.args, "notify", "relative notify");
	WITH(h->process.n_args = 0, "process.args", "no args");
	WITH(h->process.n_args = UINT32_MAX, "process.args", "number of args");
	WITH(h->process.args = UINT32_MAX - 1, "process.args", "args outside");
	WITH(h->process.n_env = 100000, "process.env", "number of env");
	WITH(h->process.cwd = 0, "process.cwd", "no cwd");
	WITH(h->process.cwd = h->process.args, "process.cwd", "relative cwd");
	WITH(h->process.n_gids = 65537, "process.gids", "number of gids");
	WITH(h->process.gids++, "process.gids", "gids one byte over");
	WITH(h->process.n_rlimits = 1u << 30, "process.rlimits", "number of rlimits");
	WITH(h->process.n_seccomp = 4097, "process.seccomp", "too long a filter");
	WITH(h->process.n_seccomp = 4000, "process.seccomp", "filter outside");
	WITH_MOUNT(m.kind = 0, "mounts[0].kind 0", "mount kind 0");
	WITH_MOUNT(m.kind = 100, "mounts[0].kind 100", "mount kind 100");
	WITH_MOUNT((m.kind = PROTO_MOUNT_NODE, m.mode = 0100666), "mounts[0].mode 0x81b6", "a node that is a file");
	WITH_MOUNT((m.kind = PROTO_MOUNT_LINK, m.source = 0), "mounts[0].source", "a link to nothing");
	WITH_MOUNT(m.flags = 64, "mounts[0].flags 0x40", "mount flag");
	WITH_MOUNT(m.dest = m.fstype, "mounts[0].dest", "relative destination");
	WITH_MOUNT(m.data = UINT32_MAX, "mounts[0]: text outside the pool", "mount data");
	WITH_MOUNT(m.fstype = 0, "mounts[0].fstype", "no type");
	WITH_MOUNT(m.kind = PROTO_MOUNT_BIND, "mounts[0].source", "bind of nothing");
}

static void test_net(void)
{
	static const struct {
		const char *name;
		struct proto_net r;
		bool want;
	} rows[] = {
		{"begin", {.kind = PROTO_NET_BEGIN}, true},
		{"end", {.kind = PROTO_NET_END, .slot = 99}, true},
		{"kind 0", {.kind = 0}, false},
		{"kind 7", {.kind = 7, .family = 2}, false},
		{"link", {.kind = PROTO_NET_LINK, .slot = 15, .name = "eth0"}, true},
		{"link beyond the slots", {.kind = PROTO_NET_LINK, .slot = 16, .name = "eth0"}, false},
		{"link without a name", {.kind = PROTO_NET_LINK}, false},
		{"link whose name has no end", {.kind = PROTO_NET_LINK, .name = "0123456789abcdef"}, false},
		{"IPv4 address", {.kind = PROTO_NET_ADDR, .family = 2, .prefix = 32}, true},
		{"IPv4 address of 33 bits", {.kind = PROTO_NET_ADDR, .family = 2, .prefix = 33}, false},
		{"IPv6 route", {.kind = PROTO_NET_ROUTE, .family = 10, .prefix = 128}, true},
		{"IPv6 route of 129 bits", {.kind = PROTO_NET_ROUTE, .family = 10, .prefix = 129}, false},
		{"neighbour of no family", {.kind = PROTO_NET_NEIGH, .family = 7}, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ok(program_net_ok(&rows[i].r) == rows[i].want, "network: %s", rows[i].name);
}

static void test_sizes(void)
{
	struct payload p = large();
	struct program prog;
	unsigned taken = 0;
	struct err e;

	for (size_t n = 0; n < p.n; n++) {
		uint8_t *cut = malloc(n + (n == 0));

		memcpy(cut, p.bytes, n);
		taken += program_check(cut, n, &prog, &e) == 0;
		if (n >= sizeof(struct proto_program)) {
			/* the pool's size agrees: only what is in it can give it away */
			((struct proto_program *)cut)->pool_bytes =
				(uint32_t)(n - sizeof(struct proto_program));
			taken += program_check(cut, n, &prog, &e) == 0;
		}
		free(cut);
	}
	is_int(taken, 0, "no shorter payload is taken");
	p.bytes = realloc(p.bytes, p.n + 1);
	is_int(program_check(p.bytes, p.n + 1, &prog, &e), -EPROTO, "nor a longer one");
	free(p.bytes);
}

/* Every byte changed in turn, and random ones: what is accepted can be read whole. */
static void test_hostile(void)
{
	unsigned accepted = 0, seed = 1;
	struct payload p = large();

	for (size_t i = 0; i < p.n * 4 + 200000; i++) {
		uint8_t *copy = malloc(p.n);
		struct program prog;
		struct err e;

		memcpy(copy, p.bytes, p.n);
		if (i < p.n * 4) {
			copy[i / 4] = (uint8_t[]){0, 1, 0x7f, 0xff}[i % 4];
		} else {
			for (int k = 0; k < 3; k++) {
				seed = seed * 1103515245 + 12345;
				copy[8 + (seed >> 8) % (p.n - 8)] = (uint8_t)(seed >> 24);
			}
		}
		if (program_check(copy, p.n, &prog, &e) == 0) {
			walk(&prog);
			accepted++;
		}
		free(copy);
	}
	ok(accepted > 0, "%u spoilt programs were still whole, and read", accepted);
	free(p.bytes);
}

int main(void)
{
	test_good();
	test_bad();
	test_net();
	test_sizes();
	test_hostile();
	return tap_done();
}
