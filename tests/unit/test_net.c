/* SPDX-License-Identifier: Apache-2.0 */
/* test_net - the network device against honest and hostile guests and floods (security.md 3.6, N1..N7). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define RING 256u
#define TURNS 100
#include "tests/unit/tap.h"
#include "tests/unit/virtio_guest.h"
#include "vmm/net_frame.h"
#include "vmm/virtio_net.h"

#define RAM (16ull << 20)
#define BUF(q, i) (0x100000ull + (q)*0x400000ull + (i)*0x4000ull)
#define HDR 12u
#define MRG (1u << 15)
#define CSUM_BOTH 3u
#define TSO (1u << 7 | 1u << 8 | 1u << 11 | 1u << 12)

static int peer; /* the network's end of the tap */
static uint8_t packet[HDR + 70000];

static uint32_t look(uint32_t offset)
{
	uint32_t v;

	virtio_mmio_read(dev, offset, &v, sizeof(v));
	return v;
}

/* Has the device asked to be woken again? */
static bool rearmed(unsigned q)
{
	uint64_t n;

	return read(dev->kick[q].fd, &n, sizeof(n)) == (ssize_t)sizeof(n);
}

static int new_tap(void)
{
	int pair[2];
	int big = 8 << 20;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	(void)setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big));
	peer = pair[1];
	return pair[0];
}

static void begin(uint32_t features)
{
	struct vm_net n = {.fd = new_tap(), .mtu = 1500, .mac = {2, 0, 0, 0, 0, 1}};
	struct err e;

	if (loop_init(&loop, &e) < 0)
		abort();
	dev = virtio_net_new(&mem, &loop, &n);
	if (!dev)
		abort();
	dev->irq_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	for (int q = 0; q < 2; q++)
		dev->kick[q].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	negotiate(features);
}

static void end(void)
{
	reg(0x70, 0);
	virtio_net_unplug(dev);
	(void)close(dev->irq_fd);
	(void)close(dev->kick[0].fd);
	(void)close(dev->kick[1].fd);
	(void)close(loop.epoll_fd);
	(void)close(peer);
	free(dev);
	dev = NULL;
}

/* A TCP segment over IPv4 of @n bytes behind its headers. Return: bytes of the frame. */
static uint32_t tcp4(uint8_t *f, uint32_t n)
{
	memset(f, 0, 54 + n);
	f[12] = 8;
	f[14] = 0x45;
	f[23] = 6;
	f[46] = 0x50;
	for (uint32_t i = 0; i < n; i++)
		f[54 + i] = (uint8_t)(i * 7);
	return 54 + n;
}

/* Offer header and frame as @pieces descriptors. */
static void send_pieces(const void *h, uint32_t h_bytes, const void *frame, uint32_t n, unsigned pieces)
{
	uint32_t each = n / pieces;

	memcpy(at(BUF(TX, 0)), h, h_bytes);
	memcpy(at(BUF(TX, 1)), frame, n);
	desc(TX, 0, BUF(TX, 0), h_bytes, n ? 1 : 0, 1);
	for (unsigned i = 0; i < pieces && n; i++)
		desc(TX, 1 + i, BUF(TX, 1) + i * each, i == pieces - 1 ? n - i * each : each,
		     i == pieces - 1 ? 0 : 1, 2 + i);
	offer(TX, 0);
	kick(TX);
}

static ssize_t heard(void)
{
	return recv(peer, packet, sizeof(packet), MSG_DONTWAIT);
}

static void post(unsigned i, uint32_t bytes)
{
	desc(RX, i, BUF(RX, i % 64), bytes, 2, 0);
	offer(RX, i);
}

static void say(const struct net_hdr *h, uint32_t frame)
{
	static uint8_t out[HDR + 70000];

	memcpy(out, h, HDR);
	for (uint32_t i = 0; i < frame; i++)
		out[HDR + i] = (uint8_t)(i * 13);
	if (send(peer, out, HDR + frame, MSG_DONTWAIT) < 0)
		printf("# send: %d\n", errno);
}

static unsigned used(unsigned q)
{
	return (uint16_t)(r16(QUEUE(q) + 0x2002) - seen[q]);
}

static uint32_t used_len(unsigned i)
{
	return r32(QUEUE(RX) + 0x2004 + 8ull * ((seen[RX] + i) % RING) + 4);
}

/* ------------------------------------------------------------------ headers alone */

static const struct {
	const char *name;
	uint64_t features;
	struct net_hdr h;
	uint32_t payload;
	int want;
} tx_rows[] = {
	{"plain", 0, {0}, 100, 0},
	{"full MTU", 0, {0}, 1446, 0},
	{"a VLAN tag more", 0, {0}, 1450, 0},
	{"over the MTU", 0, {0}, 1465, -EINVAL},
	{"checksum not negotiated", 0, {.flags = 1, .csum_start = 34, .csum_offset = 16}, 10, -EINVAL},
	{"checksum", 1, {.flags = 1, .csum_start = 34, .csum_offset = 16}, 10, 0},
	{"checksum beyond the frame", 1, {.flags = 1, .csum_start = 60, .csum_offset = 16}, 10, -EINVAL},
	{"checksum at 65535", 1, {.flags = 1, .csum_start = 65535, .csum_offset = 65535}, 10, -EINVAL},
	{"checksum in the Ethernet header", 1, {.flags = 1, .csum_start = 2, .csum_offset = 16}, 10, -EINVAL},
	{"DATA_VALID is not sent on", 1, {.flags = 2}, 10, 0},
	{"unknown flag", 1, {.flags = 4}, 10, -EINVAL},
	{"all flags", 1, {.flags = 255}, 10, -EINVAL},
	{"TSO", 1 | TSO, {1, 1, 54, 1448, 34, 16, 0}, 20000, 0},
	{"TSO, the driver's hdr_len is a lie", 1 | TSO, {1, 1, 9999, 1448, 34, 16, 0}, 20000, 0},
	{"TSO not negotiated", 1, {1, 1, 54, 1448, 34, 16, 0}, 20000, -EINVAL},
	{"TSO without checksum", 1 | TSO, {0, 1, 54, 1448, 34, 16, 0}, 20000, -EINVAL},
	{"TSO of size 0", 1 | TSO, {1, 1, 54, 0, 34, 16, 0}, 20000, -EINVAL},
	{"TSO of size 1", 1 | TSO, {1, 1, 54, 1, 34, 16, 0}, 20000, -EINVAL},
	{"TSO of size 65535", 1 | TSO, {1, 1, 54, 65535, 34, 16, 0}, 20000, 0},
	{"TSO, checksum elsewhere", 1 | TSO, {1, 1, 54, 1448, 35, 16, 0}, 20000, -EINVAL},
	{"TSO, checksum offset of UDP", 1 | TSO, {1, 1, 54, 1448, 34, 6, 0}, 20000, -EINVAL},
	{"TSO of IPv6 on IPv4", 1 | TSO, {1, 4, 54, 1448, 34, 16, 0}, 20000, -EINVAL},
	{"UFO", 1 | TSO, {1, 3, 54, 1448, 34, 16, 0}, 20000, -EINVAL},
	{"USO on TCP", 1 | TSO | NET_F_HOST_USO, {1, 5, 42, 1448, 34, 6, 0}, 20000, -EINVAL},
	{"unknown GSO", 1 | TSO, {1, 99, 54, 1448, 34, 16, 0}, 20000, -EINVAL},
	{"ECN not negotiated", 1 | TSO, {1, 0x81, 54, 1448, 34, 16, 0}, 20000, -EINVAL},
	{"ECN", 1 | TSO | NET_F_HOST_ECN, {1, 0x81, 54, 1448, 34, 16, 0}, 20000, 0},
	{"ECN alone", 1 | TSO | NET_F_HOST_ECN, {1, 0x80, 54, 1448, 34, 16, 0}, 20000, -EINVAL},
	{"TSO, largest", 1 | TSO, {1, 1, 54, 1448, 34, 16, 0}, NET_MAX_FRAME - 54, 0},
	{"TSO, too large", 1 | TSO, {1, 1, 54, 1448, 34, 16, 0}, NET_MAX_FRAME - 53, -EINVAL},
};

static void test_headers(void)
{
	static uint8_t f[70000];

	for (size_t i = 0; i < sizeof(tx_rows) / sizeof(tx_rows[0]); i++) {
		struct net_hdr out = {0};
		uint32_t n = tcp4(f, tx_rows[i].payload);
		int r = net_frame_check_tx(tx_rows[i].features, 1500, &tx_rows[i].h, f, n, &out);

		ok(r == tx_rows[i].want, "header from the guest: %s", tx_rows[i].name);
		if (r == 0)
			ok(out.num_buffers == 0 && !(out.flags & ~1u) &&
				   (out.gso_type == 0 || out.hdr_len == 54),
			   "header from the guest: %s: is ours", tx_rows[i].name);
	}
	for (uint32_t n = 0; n < 14; n++) {
		struct net_hdr h = {0}, out;

		ok(net_frame_check_tx(1, 1500, &h, f, n, &out) == -EINVAL, "a frame of %u bytes", n);
	}
}

static void test_transport(void)
{
	uint8_t f[400] = {0};
	struct net_hdr h = {1, NET_GSO_TCPV6, 0, 100, 54, 16, 0}, out;
	uint64_t all = 1 | TSO | NET_F_HOST_USO;

	f[12] = 0x86;
	f[13] = 0xdd;
	f[14] = 0x60;
	f[20] = 6;
	f[54 + 12] = 0x50;
	is_int(net_frame_check_tx(all, 1500, &h, f, 400, &out), 0, "TSO over IPv6");
	is_int(out.hdr_len, 74, "its headers end where they do");
	f[54 + 12] = 0x40;
	is_int(net_frame_check_tx(all, 1500, &h, f, 400, &out), -EINVAL, "a TCP header of 16 bytes");
	f[54 + 12] = 0xf0;
	is_int(net_frame_check_tx(all, 1500, &h, f, 100, &out), -EINVAL, "options beyond the frame");
	f[20] = 17;
	h = (struct net_hdr){1, NET_GSO_UDP_L4, 0, 100, 54, 6, 0};
	is_int(net_frame_check_tx(all, 1500, &h, f, 400, &out), 0, "USO over IPv6");
	h.gso_size = 1;
	is_int(net_frame_check_tx(all, 1500, &h, f, 400, &out), -EINVAL, "338 datagrams of one byte");
	is_int(net_frame_check_tx(all, 1500, &h, f, 54 + 8 + 129, &out), -EINVAL, "129 datagrams");
	is_int(net_frame_check_tx(all, 1500, &h, f, 54 + 8 + 128, &out), 0, "128 datagrams");
	f[14] = 0x40;
	h.gso_size = 100;
	is_int(net_frame_check_tx(all, 1500, &h, f, 400, &out), -EINVAL, "version 4 in an IPv6 frame");
}

/* ------------------------------------------------------------------ from the guest */

static void test_send(void)
{
	struct net_hdr h = {0};
	static uint8_t f[70000];
	uint32_t n = tcp4(f, 1000);

	begin(CSUM_BOTH | TSO | MRG);
	is_int(look(0x08), VIRTIO_ID_NET, "the device says what it is");
	send_pieces(&h, HDR, f, n, 1);
	is_int(heard(), HDR + n, "a frame arrives whole");
	ok(memcmp(packet + HDR, f, n) == 0, "with its bytes");
	is_int(used(TX), 1, "and is given back");
	send_pieces(&h, HDR, f, n, 20);
	ok(heard() == (ssize_t)(HDR + n) && memcmp(packet + HDR, f, n) == 0, "in twenty pieces");
	send_pieces(&h, 11, f, 0, 1);
	send_pieces(&h, HDR, f, 0, 1);
	send_pieces(&h, HDR, f, 13, 1);
	send_pieces(&h, HDR, f, 1600, 1);
	h.flags = 0x40;
	send_pieces(&h, HDR, f, n, 1);
	is_int(heard(), -1, "short chains, long frames, bad headers: nothing goes out");
	is_int(used(TX), 7, "all of them are given back");
	h = (struct net_hdr){1, 1, 7, 1448, 34, 16, 9};
	n = tcp4(f, 60000);
	send_pieces(&h, HDR, f, n, 200);
	ok(heard() == (ssize_t)(HDR + n) && memcmp(packet + HDR, f, n) == 0, "60 KB to be segmented");
	ok(packet[2] == 54 && packet[10] == 0, "with a header of ours");
	end();
}

static void test_send_flood(void)
{
	struct net_hdr h = {0};
	static uint8_t f[100];
	int got = 0;

	begin(0);
	memcpy(at(BUF(TX, 0)), &h, HDR);
	(void)tcp4(at(BUF(TX, 0) + HDR), 40);
	for (unsigned i = 0; i < RING; i++) {
		desc(TX, i, BUF(TX, 0), HDR + sizeof(f), 0, 0);
		offer(TX, i);
	}
	kick(TX);
	is_int(used(TX), 64, "a flood: 64 frames at a time");
	ok(rearmed(TX), "and the rest comes after the others");
	for (int i = 0; i < 10 && used(TX) < RING; i++)
		kick(TX);
	while (heard() > 0)
		got++;
	is_int(used(TX), RING, "until all are served");
	ok(got > 0 && got <= (int)RING, "the network took %d, the rest was dropped", got);
	end();
}

/* ------------------------------------------------------------------ to the guest */

static bool holds(unsigned i, uint32_t from, uint32_t at_byte, uint32_t n)
{
	const uint8_t *p = at(BUF(RX, i) + from);

	for (uint32_t k = 0; k < n; k++)
		if (p[k] != (uint8_t)((at_byte + k) * 13))
			return false;
	return true;
}

static void test_receive(void)
{
	struct net_hdr h = {0};

	begin(CSUM_BOTH | TSO | MRG);
	for (unsigned i = 0; i < 50; i++)
		post(i, 1536);
	kick(RX);
	say(&h, 1000);
	turn();
	is_int(used(RX), 1, "a frame in one buffer");
	ok(used_len(0) == HDR + 1000 && r16(BUF(RX, 0) + 10) == 1 && holds(0, HDR, 0, 1000),
	   "length, count and bytes");
	seen[RX] = r16(QUEUE(RX) + 0x2002);
	say(&h, 4000);
	turn();
	is_int(used(RX), 3, "a longer one in three");
	ok(used_len(0) == 1536 && used_len(2) == 4000 + HDR - 2 * 1536 && r16(BUF(RX, 1) + 10) == 3,
	   "full but the last");
	ok(holds(1, HDR, 0, 1524) && holds(2, 0, 1524, 1536) && holds(3, 0, 3060, 940), "its bytes");
	seen[RX] = r16(QUEUE(RX) + 0x2002);
	say(&h, 5);
	say(&h, 60);
	turn();
	is_int(used(RX), 1, "a short frame is skipped, the next one is not");
	h.gso_type = 5;
	say(&h, 60);
	turn();
	is_int(used(RX), 1, "what was not negotiated is dropped");
	end();
}

static void test_receive_wait(void)
{
	struct net_hdr h = {0};

	begin(MRG);
	post(0, 1536);
	kick(RX);
	say(&h, 3000);
	say(&h, 100);
	turn();
	is_int(used(RX), 0, "too few buffers: the frame waits");
	post(1, 1536);
	kick(RX);
	is_int(used(RX), 2, "and comes with the next one");
	ok(holds(0, HDR, 0, 1524) && holds(1, 0, 1524, 1476) && r16(BUF(RX, 0) + 10) == 2, "whole");
	post(2, 1536);
	kick(RX);
	is_int(used(RX), 3, "the one behind it too");
	end();

	begin(MRG);
	for (unsigned i = 0; i < RING; i++)
		post(i, 12);
	kick(RX);
	say(&h, 60000);
	say(&h, 100);
	turn();
	is_int(used(RX), 10, "a frame that never fits is dropped, the next one is not");
	end();

	begin(MRG);
	for (unsigned i = 0; i < 100; i++)
		post(i, 1);
	kick(RX);
	is_int(used(RX), 64, "buffers of one byte come back");
	ok(rearmed(RX), "some at a time");
	kick(RX);
	is_int(used(RX), 100, "all of them");
	for (unsigned i = 0; i < 50; i++)
		post(100 + i, 1536);
	kick(RX);
	say(&h, 100);
	turn();
	is_int(used(RX), 101, "and good ones work afterwards");
	end();
}

static void test_receive_plain(void)
{
	struct net_hdr h = {0};

	begin(0);
	post(0, 1536);
	post(1, 1536);
	kick(RX);
	say(&h, 1600);
	say(&h, 1400);
	turn();
	is_int(used(RX), 1, "without mergeable buffers a frame too long is dropped");
	is_int(used_len(0), HDR + 1400, "and the next one fits");
	h.flags = 1;
	say(&h, 100);
	turn();
	is_int(used(RX), 1, "a checksum left to a driver that can't: dropped");
	end();
}

static void test_receive_flood(void)
{
	struct net_hdr h = {0};
	unsigned before;

	begin(MRG);
	for (unsigned i = 0; i < RING; i++)
		post(i, 2048);
	kick(RX);
	for (unsigned round = 0; round < 3; round++) {
		int n = 0;

		for (; n < 200; n++)
			if (send(peer, packet, HDR + 60, MSG_DONTWAIT) < 0)
				break;
		before = used(RX);
		turn();
		ok(used(RX) - before <= 64, "a flood from the network: %u at a time", used(RX) - before);
	}
	say(&h, 60);
	while (used(RX) < RING && (rearmed(RX) || heard() < 0)) {
		before = used(RX);
		kick(RX);
		if (used(RX) == before)
			break;
	}
	ok(used(RX) > 0 && used(RX) <= RING, "%u buffers used", used(RX));
	is_int(used(RX), RING, "all");
	(void)rearmed(RX);
	kick(RX);
	ok(!rearmed(RX), "without buffers nothing spins");
	end();
}

/* ------------------------------------------------------------------ plugging */

static void test_plug(void)
{
	struct vm_net n = {.fd = -1, .mtu = 1500};
	struct net_hdr h = {0};
	struct err e;
	uint16_t status;
	uint8_t f[100] = {0};

	if (loop_init(&loop, &e) < 0)
		abort();
	dev = virtio_net_new(&mem, &loop, &n);
	dev->irq_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	for (int q = 0; q < 2; q++)
		dev->kick[q].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	is_int(look(0x08), 0, "an empty slot is nobody");
	n = (struct vm_net){.fd = new_tap(), .mtu = 1500, .mac = {2, 0, 0, 0, 0, 7}};
	is_int(virtio_net_plug(dev, &n), 0, "plugged");
	is_int(look(0x08), VIRTIO_ID_NET, "it's a network card");
	negotiate(MRG);
	for (unsigned i = 0; i < 50; i++)
		post(i, 1536);
	kick(RX);
	say(&h, 100);
	turn();
	is_int(used(RX), 1, "which works");
	virtio_net_unplug(dev);
	virtio_mmio_read(dev, 0x106, &status, sizeof(status));
	is_int(status, 0, "unplugged: the link is down");
	is_int(look(0xfc), 2, "the configuration's generation has moved");
	send_pieces(&h, HDR, f, 60, 1);
	is_int(used(TX), 1, "frames are swallowed");
	(void)close(peer);
	n.fd = new_tap();
	is_int(virtio_net_plug(dev, &n), 0, "plugged again");
	say(&h, 100);
	turn();
	is_int(used(RX), 2, "under a driver that stayed");
	end();
}

static void test_reset(void)
{
	struct net_hdr h = {0};

	begin(MRG);
	post(0, 1536);
	kick(RX);
	say(&h, 3000);
	turn();
	negotiate(MRG);
	for (unsigned i = 0; i < 50; i++)
		post(i, 1536);
	kick(RX);
	say(&h, 100);
	turn();
	ok(used(RX) >= 1 && used_len(used(RX) - 1) == HDR + 100, "a reset forgets what was under way");
	w16(QUEUE(TX) + 0x1002, 1000);
	kick(TX);
	ok(look(0x70) & VIRTIO_STATUS_NEEDS_RESET, "a broken ring stops the device");
	say(&h, 100);
	turn();
	is_int(used(RX), 1, "in both directions");
	end();
}

int main(void)
{
	struct err e = {0};

	(void)alarm(60);
	if (memory_init(&mem, RAM, &e) < 0)
		abort();
	test_headers();
	test_transport();
	test_send();
	test_send_flood();
	test_receive();
	test_receive_wait();
	test_receive_plain();
	test_receive_flood();
	test_plug();
	test_reset();
	memory_fini(&mem);
	return tap_done();
}
