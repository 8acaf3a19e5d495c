/* SPDX-License-Identifier: Apache-2.0 */
/* test_vm_config - every field of the records, in and out of range; descriptors on their way. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/base/io.h"
#include "tests/unit/tap.h"
#include "vmm/config.h"

#define FIELD(f) CONFIG, offsetof(struct vm_config, f), sizeof(((struct vm_config *)0)->f)
#define SERVED(f) DEVICES, offsetof(struct vm_devices, f), sizeof(((struct vm_devices *)0)->f)

enum record { CONFIG, DEVICES };

static struct vm_config c;
static struct vm_devices d;

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
	memset(&d, 0, sizeof(d));
	d.n_fds = 2;
	d.net_fd = -1;
	for (int i = 0; i < VM_MAX_NETS; i++)
		d.nets[i].fd = -1;
	d.n_shares = 1;
	d.shares[0].fd = 0;
	d.n_streams = 1;
	d.streams[0].port = 1024;
	d.streams[0].in_fd = -1;
	d.streams[0].out_fd = 1;
}

static const struct {
	const char *name;
	enum record record;
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
	{"version 1", FIELD(version), 1, -EINVAL, "version"},
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
	{"least known flags", FIELD(flags), VM_SINGLE_ID | VM_NESTED | VM_DEBUG, 0, NULL},
	{"an unknown flag", FIELD(flags), 1u << 31, -EINVAL, "flags"},
	{"all flags", FIELD(flags), 0xffffffff, -EINVAL, "flags"},
	{"kvm is stdin", FIELD(kvm_fd), 0, -EINVAL, "kvm_fd"},
	{"kernel is stdout", FIELD(kernel_fd), 1, -EINVAL, "kernel_fd"},
	{"initrd is stderr", FIELD(initrd_fd), 2, -EINVAL, "initrd_fd"},
	{"lock is stdin", FIELD(lock_fd), 0, -EINVAL, "lock_fd"},
	{"lock is -2", FIELD(lock_fd), 0xfffffffe, -EINVAL, "lock_fd"},
	{"kernel is kvm", FIELD(kernel_fd), 10, -EINVAL, "twice"},
	{"lock is the control socket", FIELD(lock_fd), 13, -EINVAL, "twice"},
	{"devices as they should be", SERVED(n_fds), 2, 0, NULL},
	{"a descriptor that is nobody's", SERVED(n_fds), 3, -EINVAL, "1 of 3"},
	{"fewer descriptors than fields", SERVED(n_fds), 1, -EINVAL, "streams.out_fd (0)"},
	{"too many descriptors", SERVED(n_fds), VM_MAX_DEVICE_FDS + 1, -EINVAL, "n_fds"},
	{"2^32-1 descriptors", SERVED(n_fds), 0xffffffff, -EINVAL, "n_fds"},
	{"no shares", SERVED(n_shares), 0, -EINVAL, "n_shares"},
	{"a second share, that has the first one's", SERVED(n_shares), 2, -EINVAL, "shares.fd (1)"},
	{"too many shares", SERVED(n_shares), VM_MAX_SHARES + 1, -EINVAL, "n_shares"},
	{"2^32-1 shares", SERVED(n_shares), 0xffffffff, -EINVAL, "n_shares"},
	{"no streams", SERVED(n_streams), 0, -EINVAL, "1 of 2"},
	{"too many streams", SERVED(n_streams), VM_MAX_STREAMS + 1, -EINVAL, "n_streams"},
	{"2^32-1 streams", SERVED(n_streams), 0xffffffff, -EINVAL, "n_streams"},
	{"stream without port", SERVED(n_streams), 2, -EINVAL, "streams[1].port"},
	{"most interfaces", SERVED(n_nets), VM_MAX_NETS, 0, NULL},
	{"too many interfaces", SERVED(n_nets), VM_MAX_NETS + 1, -EINVAL, "n_nets"},
	{"2^32-1 interfaces", SERVED(n_nets), 0xffffffff, -EINVAL, "n_nets"},
	{"share without descriptor", SERVED(shares[0].fd), 0xffffffff, -EINVAL, "shares.fd (0)"},
	{"an unknown flag of a share", SERVED(shares[0].flags), 4, -EINVAL, "shares[0].flags"},
	{"share is the least number", SERVED(shares[0].fd), 0x80000000, -EINVAL, "shares.fd (0)"},
	{"stream beyond the descriptors", SERVED(streams[0].out_fd), 2, -EINVAL, "streams.out_fd (0)"},
	{"stream reads -2", SERVED(streams[0].in_fd), 0xfffffffe, -EINVAL, "streams.in_fd (0)"},
	{"stream is a share", SERVED(streams[0].in_fd), 0, -EINVAL, "twice"},
	{"both ways of one stream", SERVED(streams[0].in_fd), 1, 0, NULL},
	{"the socket of interfaces is a share", SERVED(net_fd), 0, -EINVAL, "twice"},
	{"tap beyond the count", SERVED(nets[0].fd), 1, 0, NULL},
	{"stream without descriptors", SERVED(streams[0].out_fd), 0xffffffff, -EINVAL, "1 of 2"},
};

static void test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool first = rows[i].record == CONFIG;
		struct err e = {0};
		int r;

		good();
		memcpy((first ? (uint8_t *)&c : (uint8_t *)&d) + rows[i].at, &rows[i].value, rows[i].bytes);
		r = first ? vm_config_check(&c, &e) : vm_devices_check(&d, &e);
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

/* Full lists, each descriptor another one. */
static void full(void)
{
	int32_t n = 0;

	good();
	d.net_fd = n++;
	d.n_shares = VM_MAX_SHARES;
	d.n_streams = VM_MAX_STREAMS;
	d.n_nets = VM_MAX_NETS;
	for (uint32_t i = 0; i < VM_MAX_SHARES; i++)
		d.shares[i].fd = n++;
	for (uint32_t i = 0; i < VM_MAX_STREAMS; i++) {
		d.streams[i] = (struct vm_stream){.port = 1024 + i, .in_fd = n, .out_fd = n + 1};
		n += 2;
	}
	for (uint32_t i = 0; i < VM_MAX_NETS; i++)
		d.nets[i].fd = n++;
	d.n_fds = (uint32_t)n;
}

static void test_full(void)
{
	struct err e = {0};

	full();
	is_int(d.n_fds, VM_MAX_DEVICE_FDS, "the most descriptors");
	is_int(vm_devices_check(&d, &e), 0, "full lists");
	d.shares[VM_MAX_SHARES - 1].fd = -1;
	is_int(vm_devices_check(&d, &e), -EINVAL, "the last share counts");
	full();
	d.streams[VM_MAX_STREAMS - 1].port = 0;
	is_int(vm_devices_check(&d, &e), -EINVAL, "the last stream counts");
}

/* ------------------------------------------------------------------ on the way */

static ino_t inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* Send the record and @n memory files, @at_once of them beside a message. Return: what receiving it gives. */
static int send_and_receive(uint32_t n, uint32_t at_once, const int *files, struct err *e)
{
	struct vm_devices out;
	int s[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s) < 0 || io_send_fds(s[0], &d, sizeof(d), NULL, 0) < 0)
		abort();
	for (uint32_t i = 0; i < n; i += at_once)
		if (io_send_fds(s[0], "", 1, files + i, n - i < at_once ? n - i : at_once) < 0)
			abort();
	(void)close(s[0]);
	r = vm_devices_receive(s[1], &out, e);
	(void)close(s[1]);
	d = out;
	return r;
}

static void test_way(void)
{
	static int files[VM_MAX_DEVICE_FDS];
	struct err e = {0};
	bool same = true;

	for (int i = 0; i < VM_MAX_DEVICE_FDS; i++)
		if ((files[i] = memfd_create("served", MFD_CLOEXEC)) < 0)
			abort();
	full();
	is_int(send_and_receive(VM_MAX_DEVICE_FDS, IO_MAX_FDS, files, &e), 0, "the fullest record comes over");
	same = inode(d.net_fd) == inode(files[0]);
	for (int i = 0; i < VM_MAX_SHARES; i++)
		same = same && inode(d.shares[i].fd) == inode(files[1 + i]);
	same = same && inode(d.streams[0].in_fd) == inode(files[1 + VM_MAX_SHARES]) &&
	       inode(d.streams[0].out_fd) == inode(files[2 + VM_MAX_SHARES]) &&
	       inode(d.nets[VM_MAX_NETS - 1].fd) == inode(files[VM_MAX_DEVICE_FDS - 1]);
	ok(same, "each descriptor is in its field");
	ok(fcntl(d.net_fd, F_GETFD) & FD_CLOEXEC, "close-on-exec");
	good();
	d.streams[0].in_fd = d.streams[0].out_fd;
	is_int(send_and_receive(2, 2, files, &e), 0, "a short one");
	is_int(d.streams[0].in_fd, d.streams[0].out_fd, "both ways of a stream are one descriptor");
	good();
	is_int(send_and_receive(0, 1, files, &e), -EPIPE, "the monitor goes in the middle");
	ok(strstr(e.msg, "gone") != NULL, "and that is said: %s", e.msg);
	good();
	is_int(send_and_receive(2, 1, files, &e), -EMFILE, "one descriptor is kept back");
	good();
	d.n_shares = 0;
	is_int(send_and_receive(2, 2, files, &e), -EINVAL, "a record that is wrong");
}

int main(void)
{
	(void)alarm(60);
	test_rows();
	test_cmdline();
	test_full();
	test_way();
	return tap_done();
}
