/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_vsock - a guest's packets, host bytes and resets in any order, against the stream device.
 *
 * The input is a program: each step is one opcode byte and its operands. Built with
 * -fsanitize=fuzzer, or with -DFUZZ_FILES to run over the files named on the command line.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RING 32u
#define TURNS 50
#include "tests/unit/virtio_guest.h"
#include "vmm/virtio_vsock.h"

#define RAM (1u << 20)
#define BUF(q, i) (0x40000ull + (q)*0x40000ull + (i)*0x1000ull)
#define HDR 44u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct input {
	const uint8_t *p;
	size_t n;
};

static int host[2];

static uint8_t take(struct input *in)
{
	if (in->n == 0)
		return 0;
	in->n--;
	return *in->p++;
}

static void post(unsigned q, unsigned slot, uint32_t len, unsigned flags)
{
	desc(q, slot, BUF(q, slot), len, flags, slot + 1);
	offer(q, slot);
	kick(q);
}

/* A good header, then bytes of it changed as the input says. */
static void packet(struct input *in)
{
	uint8_t h[HDR] = {3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 4};
	unsigned slot = avail[TX] % RING;
	uint32_t n = take(in) * 16u % 3000u;

	memcpy(h + 24, &n, 4);
	h[20] = take(in) & 1;
	h[28] = 1;
	h[30] = take(in) % 9;
	h[32] = take(in) & 3;
	h[37] = take(in); /* buf_alloc */
	memset(h + 40, take(in) & 1 ? 0xff : 0, 4);
	for (unsigned i = take(in) % 4; i > 0; i--)
		h[take(in) % HDR] = take(in);
	memcpy(mem.base + BUF(TX, slot), h, HDR);
	post(TX, slot, HDR + n, 0);
}

/* A process's ports, whose proxy may be gone already; its channel takes the host's place. */
static void open_exec(struct input *in)
{
	const uint32_t kind = VM_FD_PRESENT | VM_FD_SOCKET | VM_FD_POLLABLE;
	struct vm_command c = {
		.type = VM_COMMAND_EXEC,
		.port = 1024 + take(in) % 4,
		.ends = {{kind, kind}, {0, 0}, {0, take(in) & 1 ? kind : 0}},
	};
	int ends[2], fds[3];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0)
		abort();
	for (int i = 0; i < 3; i++)
		fds[i] = dup(ends[1]);
	(void)close(ends[1]);
	if (!c.ends[2].out)
		(void)close(fds[2]);
	if (virtio_vsock_exec(dev, &c, fds) < 0)
		abort();
	if (host[0] >= 0)
		(void)close(host[0]);
	host[0] = take(in) & 1 ? ends[0] : -1;
	if (host[0] < 0)
		(void)close(ends[0]);
	turn();
}

static void step(struct input *in)
{
	static uint8_t bytes[8192];
	uint8_t op = take(in);
	ssize_t r = 0;

	switch (op % 10) {
	case 0:
	case 1:
		packet(in);
		break;
	case 2:
		post(RX, avail[RX] % RING, take(in) * 17u, 2);
		break;
	case 3:
		r = host[0] < 0 ? 0 : write(host[0], bytes, take(in) * 32u);
		break;
	case 4:
		r = host[0] < 0 ? 0 : read(host[0], bytes, sizeof(bytes));
		break;
	case 5:
		turn();
		break;
	case 6: /* any 16 bits of the rings */
		mem.base[QUEUE(op & 1) + take(in) % 4 * 0x1000ull + take(in)] = take(in);
		break;
	case 8:
		open_exec(in);
		break;
	case 7:
		if (take(in) % 8 == 0)
			negotiate(0);
		break;
	default:
		if (take(in) % 8 == 0 && host[0] >= 0) {
			(void)close(host[0]);
			host[0] = -1;
		}
	}
	if (r < 0)
		turn();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct vm_stream s[2] = {{.port = 1024}, {.port = 1025, .in_fd = -1, .out_fd = -1}};
	struct input in = {data, n};
	struct err e;

	(void)signal(SIGPIPE, SIG_IGN);
	if (!mem.base && memory_init(&mem, RAM, &e) < 0)
		abort();
	if (loop_init(&loop, &e) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, host) < 0)
		abort();
	s[0].in_fd = host[1];
	s[0].out_fd = host[1];
	dev = virtio_vsock_new(&mem, &loop, s, 2, -1);
	if (!dev)
		abort();
	dev->complained = true; /* no log lines */
	negotiate(0);
	for (unsigned i = 0; in.n > 0 && i < 200; i++)
		step(&in);
	/* a last REQUEST opens what was never opened, so that the reset closes it */
	negotiate(0);
	packet(&(struct input){(const uint8_t[]){0, 0, 1, 0, 0, 0, 0}, 7});
	reg(0x70, 0);
	(void)close(host[0]);
	(void)close(loop.epoll_fd);
	free(dev);
	return 0;
}

#ifdef FUZZ_FILES
int main(int argc, char **argv)
{
	static uint8_t input[1 << 16];

	for (int i = 1; i < argc; i++) {
		int fd = open(argv[i], O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, input, sizeof(input));

		if (n >= 0)
			(void)LLVMFuzzerTestOneInput(input, (size_t)n);
		(void)close(fd);
	}
	return 0;
}
#endif
