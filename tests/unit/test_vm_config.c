/* SPDX-License-Identifier: Apache-2.0 */
/* test_vm_config - every field of the record, in and out of range. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/tap.h"
#include "vmm/config.h"

#define FIELD(f) offsetof(struct vm_config, f), sizeof(((struct vm_config *)0)->f)

static struct vm_config c;

static void good(void)
{
	memset(&c, 0, sizeof(c));
	c.magic = VM_CONFIG_MAGIC;
	c.version = VM_CONFIG_VERSION;
	c.memory_bytes = 128ull << 20;
	c.vcpus = 1;
	c.kvm_fd = 10;
	c.kernel_fd = 11;
	c.initrd_fd = 12;
	c.control_fd = 13;
	c.lock_fd = -1;
	c.net_fd = -1;
	for (int i = 0; i < VM_MAX_NETS; i++)
		c.nets[i].fd = -1;
	c.net_fd = -1;
	c.n_shares = 1;
	c.shares[0].fd = 14;
	c.n_streams = 1;
	c.streams[0].port = 1024;
	c.streams[0].in_fd = -1;
	c.streams[0].out_fd = 15;
}

static const struct {
	const char *name;
	size_t at;
	size_t bytes;
	uint64_t value;
	int want;
	const char *says; /* part of the message */
} rows[] = {
	{"as it should be", FIELD(magic), VM_CONFIG_MAGIC, 0, NULL},
	{"magic 0", FIELD(magic), 0, -EINVAL, "version"},
	{"magic swapped", FIELD(magic), 0x43564d43, -EINVAL, "version"},
	{"version 0", FIELD(version), 0, -EINVAL, "version"},
	{"version 2", FIELD(version), 2, -EINVAL, "version"},
	{"no vcpus", FIELD(vcpus), 0, -EINVAL, "vcpus"},
	{"most vcpus", FIELD(vcpus), VM_MAX_VCPUS, 0, NULL},
	{"too many vcpus", FIELD(vcpus), VM_MAX_VCPUS + 1, -EINVAL, "vcpus"},
	{"2^32-1 vcpus", FIELD(vcpus), 0xffffffff, -EINVAL, "vcpus"},
	{"no memory", FIELD(memory_bytes), 0, -EINVAL, "memory"},
	{"least memory", FIELD(memory_bytes), VM_MIN_MEMORY, 0, NULL},
	{"too little memory", FIELD(memory_bytes), VM_MIN_MEMORY - 4096, -EINVAL, "memory"},
	{"odd memory", FIELD(memory_bytes), VM_MIN_MEMORY + 1, -EINVAL, "memory"},
	{"half a page of memory", FIELD(memory_bytes), VM_MIN_MEMORY + 2048, -EINVAL, "memory"},
	{"most memory", FIELD(memory_bytes), VM_MAX_MEMORY, 0, NULL},
	{"too much memory", FIELD(memory_bytes), VM_MAX_MEMORY + 4096, -EINVAL, "memory"},
	{"2^64-4096 of memory", FIELD(memory_bytes), ~0xfffull, -EINVAL, "memory"},
	{"no kvm", FIELD(kvm_fd), 0xffffffff, -EINVAL, "descriptor"},
	{"no kernel", FIELD(kernel_fd), 0xffffffff, -EINVAL, "descriptor"},
	{"no initrd", FIELD(initrd_fd), 0xffffffff, -EINVAL, "descriptor"},
	{"no control", FIELD(control_fd), 0xffffffff, -EINVAL, "descriptor"},
	{"least descriptor", FIELD(control_fd), 0x80000000, -EINVAL, "descriptor"},
	{"a lock", FIELD(lock_fd), 20, 0, NULL},
	{"no shares", FIELD(n_shares), 0, -EINVAL, "n_shares"},
	{"a second share, of nothing", FIELD(n_shares), 2, -EINVAL, "shares.fd (1)"},
	{"too many shares", FIELD(n_shares), VM_MAX_SHARES + 1, -EINVAL, "n_shares"},
	{"2^32-1 shares", FIELD(n_shares), 0xffffffff, -EINVAL, "n_shares"},
	{"no streams", FIELD(n_streams), 0, 0, NULL},
	{"too many streams", FIELD(n_streams), VM_MAX_STREAMS + 1, -EINVAL, "n_streams"},
	{"2^32-1 streams", FIELD(n_streams), 0xffffffff, -EINVAL, "n_streams"},
	{"stream without port", FIELD(n_streams), 2, -EINVAL, "streams[1].port"},
	{"most interfaces", FIELD(n_nets), VM_MAX_NETS, 0, NULL},
	{"too many interfaces", FIELD(n_nets), VM_MAX_NETS + 1, -EINVAL, "n_nets"},
	{"2^32-1 interfaces", FIELD(n_nets), 0xffffffff, -EINVAL, "n_nets"},
	{"share without descriptor", FIELD(shares[0].fd), 0xffffffff, -EINVAL, "shares.fd (0)"},
	{"least known flags", FIELD(flags), VM_SINGLE_ID | VM_NESTED | VM_DEBUG, 0, NULL},
	{"an unknown flag", FIELD(flags), 1u << 31, -EINVAL, "flags"},
	{"all flags", FIELD(flags), 0xffffffff, -EINVAL, "flags"},
	{"an unknown flag of a share", FIELD(shares[0].flags), 2, -EINVAL, "shares[0].flags"},
	{"kvm is stdin", FIELD(kvm_fd), 0, -EINVAL, "kvm_fd"},
	{"kernel is stdout", FIELD(kernel_fd), 1, -EINVAL, "kernel_fd"},
	{"initrd is stderr", FIELD(initrd_fd), 2, -EINVAL, "initrd_fd"},
	{"lock is stdin", FIELD(lock_fd), 0, -EINVAL, "lock_fd"},
	{"lock is -2", FIELD(lock_fd), 0xfffffffe, -EINVAL, "lock_fd"},
	{"share is stderr", FIELD(shares[0].fd), 2, -EINVAL, "shares.fd (0)"},
	{"stream is stdout", FIELD(streams[0].out_fd), 1, -EINVAL, "streams.out_fd (0)"},
	{"stream reads -2", FIELD(streams[0].in_fd), 0xfffffffe, -EINVAL, "streams.in_fd (0)"},
	{"kernel is kvm", FIELD(kernel_fd), 10, -EINVAL, "twice"},
	{"share is the control socket", FIELD(shares[0].fd), 13, -EINVAL, "twice"},
	{"stream is a share", FIELD(streams[0].in_fd), 14, -EINVAL, "twice"},
	{"both ways of one stream", FIELD(streams[0].in_fd), 15, 0, NULL},
	{"interfaces that come later", FIELD(net_fd), 20, 0, NULL},
	{"their socket is the control socket", FIELD(net_fd), 13, -EINVAL, "net_fd"},
	{"tap beyond the count", FIELD(nets[0].fd), 13, 0, NULL},
	{"stream without descriptors", FIELD(streams[0].out_fd), 0xffffffff, 0, NULL},
};

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err e = {0};
		int r;

		good();
		memcpy((uint8_t *)&c + rows[i].at, &rows[i].value, rows[i].bytes);
		r = vm_config_check(&c, &e);
		ok(r == rows[i].want && (r == 0) == (e.code == 0), "%s", rows[i].name);
		if (rows[i].says)
			ok(strstr(e.msg, rows[i].says) != NULL, "%s: says so: %s", rows[i].name,
			   e.msg);
	}
}

static void test_cmdline(void)
{
	struct err e = {0};

	good();
	memset(c.cmdline, 'x', sizeof(c.cmdline) - 1);
	is_int(vm_config_check(&c, &e), 0, "longest command line");
	c.cmdline[sizeof(c.cmdline) - 1] = 'x';
	is_int(vm_config_check(&c, &e), -EINVAL, "command line without an end");
}

static void test_full(void)
{
	struct err e = {0};

	good();
	c.n_shares = VM_MAX_SHARES;
	c.n_streams = VM_MAX_STREAMS;
	for (int i = 0; i < VM_MAX_SHARES; i++)
		c.shares[i].fd = 100 + i;
	for (uint32_t i = 0; i < VM_MAX_STREAMS; i++)
		c.streams[i] = (struct vm_stream){.port = 1024 + i, .in_fd = -1, .out_fd = -1};
	is_int(vm_config_check(&c, &e), 0, "full lists");
	c.shares[VM_MAX_SHARES - 1].fd = -1;
	is_int(vm_config_check(&c, &e), -EINVAL, "the last share counts");
	c.shares[VM_MAX_SHARES - 1].fd = 99;
	c.streams[VM_MAX_STREAMS - 1].port = 0;
	is_int(vm_config_check(&c, &e), -EINVAL, "the last stream counts");
}

int main(void)
{
	(void)alarm(60);
	test_rows();
	test_cmdline();
	test_full();
	return tap_done();
}
