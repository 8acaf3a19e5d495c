/* SPDX-License-Identifier: Apache-2.0 */
/* test_vsock - the stream device against an honest and a hostile guest (security.md 3.4, V1..V8).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define RING 32u
#define TURNS 1000
#include "tests/unit/tap.h"
#include "tests/unit/virtio_guest.h"
#include "vmm/virtio_vsock.h"

#define RAM (16ull << 20)
#define RX_BUF(i) (0x100000ull + (i)*0x2000ull)
#define TX_BUF(i) (0x400000ull + (i)*0x40000ull)
#define SLOTS 16u
#define BUFFER (128u << 10) /* what the device grants */
#define GUEST 3u
#define HOST 2u
#define PORT 1024u
#define PEER 5000u

enum { REQUEST = 1, RESPONSE, RST, SHUTDOWN, RW, UPDATE, CREDIT_REQUEST };

struct hdr {
	uint64_t src_cid, dst_cid;
	uint32_t src_port, dst_port, len;
	uint16_t type, op;
	uint32_t flags, buf_alloc, fwd_cnt;
};
#define HDR 44u

static int proc_fd;
static uint32_t rx_bytes;   /* size of the receive buffers */
static uint32_t alloc, fwd; /* the guest's credit */
static struct hdr got;
static uint8_t payload[BUFFER];
static uint8_t scratch[BUFFER + 4096];

static void post(unsigned i)
{
	desc(RX, i, RX_BUF(i), rx_bytes, 2, 0);
	offer(RX, i);
}

/* A device with the ports @s, and a guest that has posted @n_rx buffers of @bytes. */
static void begin_ports(const struct vm_stream s[2], unsigned n_rx, uint32_t bytes)
{
	struct err e;

	if (loop_init(&loop, &e) < 0)
		abort();
	dev = virtio_vsock_new(&mem, &loop, s, 2, proc_fd);
	if (!dev)
		abort();
	dev->irq_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	rx_bytes = bytes;
	alloc = 256u << 10;
	fwd = 0;
	negotiate(0);
	for (unsigned i = 0; i < n_rx; i++)
		post(i);
	kick(RX);
	(void)turn();
}

/* One port, @in and @out, and one without descriptors. */
static void begin_rx(int in, int out, unsigned n_rx, uint32_t bytes)
{
	const struct vm_stream s[2] = {{.port = PORT, .in_fd = in, .out_fd = out},
				       {.port = PORT + 1, .in_fd = -1, .out_fd = -1}};

	begin_ports(s, n_rx, bytes);
}

static void begin(int in, int out)
{
	begin_rx(in, out, 16, 4096);
}

static void end(void)
{
	reg(0x70, 0);
	(void)close(dev->irq_fd);
	(void)close(loop.epoll_fd);
	free(dev);
	dev = NULL;
}

static struct hdr make(unsigned op, uint32_t dst_port, uint32_t len)
{
	return (struct hdr){.src_cid = GUEST,
			    .dst_cid = HOST,
			    .src_port = PEER,
			    .dst_port = dst_port,
			    .len = len,
			    .type = 1,
			    .op = (uint16_t)op,
			    .buf_alloc = alloc,
			    .fwd_cnt = fwd};
}

/* Put a packet into TX slot @slot without a notification. */
static void stage(unsigned slot, const struct hdr *h, const void *data, uint32_t n)
{
	memcpy(at(TX_BUF(slot)), h, HDR);
	desc(TX, 2 * slot, TX_BUF(slot), HDR, n ? 1 : 0, 2 * slot + 1);
	desc(TX, 2 * slot + 1, TX_BUF(slot) + 64, n, 0, 0);
	if (n)
		memcpy(at(TX_BUF(slot) + 64), data, n);
	offer(TX, 2 * slot);
}

static void send_raw(const struct hdr *h, const void *data, uint32_t n)
{
	stage(0, h, data, n);
	kick(TX);
	seen[TX] = r16(QUEUE(TX) + 0x2002);
}

static void say(unsigned op, uint32_t flags)
{
	struct hdr h = make(op, PORT, 0);

	h.flags = flags;
	send_raw(&h, NULL, 0);
}

static void write_guest(const void *data, uint32_t n)
{
	struct hdr h = make(RW, PORT, n);

	send_raw(&h, data, n);
}

/* Take the next packet for the guest into got and payload. Return: there was one. */
static bool next(void)
{
	uint32_t elem[2];

	if (seen[RX] == r16(QUEUE(RX) + 0x2002))
		return false;
	memcpy(elem, at(QUEUE(RX) + 0x2004 + 8ull * (seen[RX]++ % RING)), sizeof(elem));
	memset(&got, 0, sizeof(got));
	memcpy(&got, at(RX_BUF(elem[0])), HDR);
	if (elem[1] != HDR + got.len || got.len > sizeof(payload))
		got.op = 999; /* used.len and the header disagree */
	else
		memcpy(payload, (uint8_t *)at(RX_BUF(elem[0])) + HDR, got.len);
	post(elem[0]);
	kick(RX);
	return true;
}

/* The next packet is @op. */
static bool expect(unsigned op)
{
	return next() && got.op == op && got.src_cid == HOST && got.dst_cid == GUEST &&
	       got.type == 1;
}

static bool quiet(void)
{
	(void)turn();
	return !next();
}

static bool open_port(void)
{
	say(REQUEST, 0);
	return expect(RESPONSE) && got.src_port == PORT && got.dst_port == PEER &&
	       got.buf_alloc == BUFFER;
}

static void pair(int *a, int *b)
{
	int s[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) < 0)
		abort();
	*a = s[0];
	*b = s[1];
	(void)fcntl(*b, F_SETFL, O_NONBLOCK); /* the test's side */
}

static void make_pipe(int *r, int *w, bool test_reads)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		abort();
	*r = p[0];
	*w = p[1];
	(void)fcntl(test_reads ? *r : *w, F_SETFL, O_NONBLOCK);
}

/* Everything readable now, at most @n bytes. */
static size_t slurp(int fd, void *buf, size_t n)
{
	size_t sum = 0;
	ssize_t r;

	while (sum < n && (r = read(fd, (uint8_t *)buf + sum, n - sum)) > 0)
		sum += (size_t)r;
	return sum;
}

static void pattern(uint8_t *p, size_t n, uint64_t from)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)((from + i) * 131 + (from + i) / 4093);
}

/* V4, V6 */
static void test_connect(void)
{
	struct hdr h;
	int a, b;

	pair(&a, &b);
	begin(a, a);
	h = make(REQUEST, 22, 0);
	send_raw(&h, NULL, 0);
	ok(expect(RST) && got.src_port == 22 && got.dst_port == PEER, "connect: foreign port");
	h = make(REQUEST, 0, 0);
	send_raw(&h, NULL, 0);
	ok(expect(RST), "connect: port 0");
	h = make(REQUEST, 0xffffffffu, 0);
	send_raw(&h, NULL, 0);
	ok(expect(RST), "connect: port 2^32-1");
	write_guest("x", 1);
	ok(expect(RST) && slurp(b, scratch, 1) == 0, "connect: data before");
	ok(open_port(), "connect: our port");
	say(REQUEST, 0);
	ok(expect(RST), "connect: twice");
	h = make(REQUEST, PORT, 0);
	h.src_port = 7;
	send_raw(&h, NULL, 0);
	ok(expect(RST) && got.dst_port == 7, "connect: taken by another");
	h = make(RW, PORT, 4);
	h.src_port = 7;
	send_raw(&h, "evil", 4);
	ok(expect(RST) && slurp(b, scratch, 4) == 0, "connect: data from another's port");
	h = make(REQUEST, PORT + 1, 0);
	send_raw(&h, NULL, 0);
	ok(expect(RESPONSE) && got.src_port == PORT + 1, "connect: a port without descriptors");
	h = make(RW, PORT + 1, 5);
	send_raw(&h, "hello", 5);
	ok(quiet(), "connect: swallows what it gets");
	say(RST, 0);
	ok(quiet() && read(b, scratch, 1) == 0, "connect: RST closes, unanswered");
	say(REQUEST, 0);
	ok(expect(RST), "connect: not again");
	end();
	(void)close(b);
}

static void test_identity(void)
{
	static const struct {
		const char *name;
		uint64_t src, dst;
		uint16_t type;
	} rows[] = {
		{"source 0", 0, HOST, 1},
		{"source 1", 1, HOST, 1},
		{"source 2", 2, HOST, 1},
		{"source 4", 4, HOST, 1},
		{"source with high bits", 1ull << 32 | GUEST, HOST, 1},
		{"target ourselves", GUEST, GUEST, 1},
		{"target 0", GUEST, 0, 1},
		{"target with high bits", GUEST, 1ull << 32 | HOST, 1},
		{"type 0", GUEST, HOST, 0},
		{"SEQPACKET", GUEST, HOST, 2},
		{"type 65535", GUEST, HOST, 0xffff},
	};
	int a, b;

	pair(&a, &b);
	begin(a, a);
	if (!open_port())
		abort();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hdr h = make(RW, PORT, 4);

		h.src_cid = rows[i].src;
		h.dst_cid = rows[i].dst;
		h.type = rows[i].type;
		send_raw(&h, "evil", 4);
		while (next())
			;
		ok(slurp(b, scratch, 4) == 0, "identity: %s", rows[i].name);
	}
	write_guest("good", 4);
	ok(slurp(b, scratch, 9) == 4, "identity: the true one still works");
	end();
	(void)close(b);
}

static void test_both_ways(int in, int out, int to, int from, const char *what)
{
	begin(in, out);
	ok(open_port(), "%s: connect", what);
	write_guest("from the guest", 14);
	ok(slurp(from, scratch, 99) == 14 && memcmp(scratch, "from the guest", 14) == 0,
	   "%s: guest to host", what);
	ok(write(to, "from the host", 13) == 13, "%s: write", what);
	(void)turn();
	ok(expect(RW) && got.len == 13 && memcmp(payload, "from the host", 13) == 0,
	   "%s: host to guest", what);
	write_guest("", 0);
	ok(quiet(), "%s: empty packet", what);
	end();
}

static void test_kinds(void)
{
	int a, b, r, w, r2, w2;

	pair(&a, &b);
	test_both_ways(a, a, b, b, "socket pair");
	(void)close(b);
	make_pipe(&r, &w, false);
	make_pipe(&r2, &w2, true);
	test_both_ways(r, w2, w, r2, "pipes");
	(void)close(w);
	(void)close(r2);
}

/* V2, V8: packets whose lengths lie */
static void test_lies(void)
{
	static const uint32_t lens[] = {0, 3, 5, 0x7fffffff, 0xffffffff, 0xffffffff - 43};
	struct hdr h;
	int a, b;

	pair(&a, &b);
	begin(a, a);
	if (!open_port())
		abort();
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		h = make(RW, PORT, lens[i]);
		send_raw(&h, "evil", 4);
		(void)turn();
		while (next())
			;
		ok(slurp(b, scratch, 9) == 0, "lies: length %u of 4", lens[i]);
	}
	h = make(RW, PORT, 4);
	stage(0, &h, "evil", 4);
	desc(TX, 0, TX_BUF(0), 43, 0, 0);
	kick(TX);
	ok(quiet() && slurp(b, scratch, 9) == 0, "lies: a header of 43 bytes");
	stage(0, &h, "evil", 4);
	desc(TX, 0, TX_BUF(0), HDR, 2, 0);
	kick(TX);
	ok(quiet() && slurp(b, scratch, 9) == 0, "lies: a header that we shall write");
	for (unsigned i = 0; i < 22; i++)
		desc(TX, i, TX_BUF(0) + 2 * i, 2, 1, i + 1);
	desc(TX, 22, TX_BUF(0) + 64, 4, 0, 0);
	memcpy(at(TX_BUF(0) + 64), "good", 4);
	offer(TX, 0);
	kick(TX);
	ok(slurp(b, scratch, 9) == 4, "lies: a header in 22 pieces is fine");
	end();
	(void)close(b);
}

static void test_ops(void)
{
	static const unsigned ops[] = {0, RESPONSE, UPDATE, 8, 255, 0xffff};
	struct hdr h;
	int a, b;

	pair(&a, &b);
	begin(a, a);
	if (!open_port())
		abort();
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		h = make(ops[i], PORT, 4);
		send_raw(&h, "evil", 4);
		(void)turn();
		while (next())
			;
		ok(slurp(b, scratch, 9) == 0, "ops: %u carries nothing", ops[i]);
	}
	say(CREDIT_REQUEST, 0);
	ok(expect(UPDATE) && got.buf_alloc == BUFFER && got.fwd_cnt == 0, "ops: credit request");
	for (unsigned i = 0; i < 1000; i++)
		say(CREDIT_REQUEST, 0);
	end();
	(void)close(b);
}

/* V1, V2: the guest writes to a host that does not read */
static void test_slow_reader(void)
{
	size_t sum = 0;
	size_t more;
	uint32_t sent = 0;
	int r, w;

	make_pipe(&r, &w, true);
	begin(-1, w);
	if (!open_port())
		abort();
	pattern(scratch, 4096, 0);
	while (sent < 8u << 20) {
		while (next())
			;
		if (sent - got.fwd_cnt + 4096 > BUFFER)
			break;
		pattern(scratch, 4096, sent);
		write_guest(scratch, 4096);
		sent += 4096;
	}
	ok(sent >= BUFFER && sent <= BUFFER + (128u << 10), "slow reader: stops the guest after %u",
	   sent);
	write_guest("", 0);
	ok(quiet(), "slow reader: an empty packet is no violation");
	while ((more = slurp(r, scratch, sizeof(scratch))) > 0) {
		static uint8_t want[sizeof(scratch)];

		pattern(want, more, sum);
		if (memcmp(want, scratch, more) != 0)
			break;
		sum += more;
		(void)turn();
	}
	is_int(sum, sent, "slow reader: gets every byte in order");
	ok(next() && got.op == UPDATE, "slow reader: the grant is renewed");
	end();
	(void)close(r);
}

static void test_violation(void)
{
	static uint8_t big[BUFFER + 1];
	int r, w;
	size_t n;

	make_pipe(&r, &w, true);
	begin(-1, w);
	if (!open_port())
		abort();
	write_guest(big, BUFFER + 1);
	ok(expect(RST), "violation: one byte over the grant");
	ok(slurp(r, scratch, 99) == 0 && read(r, scratch, 1) == 0,
	   "violation: closed, undelivered");
	end();
	(void)close(r);
	make_pipe(&r, &w, true);
	begin(-1, w);
	if (!open_port())
		abort();
	write_guest(big, BUFFER); /* 64 KiB stay in the pipe, the rest is held */
	write_guest(big, BUFFER);
	while (next() && got.op != RST)
		;
	is_int(got.op, RST, "violation: in two packets");
	n = slurp(r, scratch, sizeof(scratch));
	ok(n > 0 && n <= BUFFER && read(r, scratch, 1) == 0, "violation: then closed");
	write_guest("x", 1);
	ok(expect(RST), "violation: and stays closed");
	end();
	(void)close(r);
}

/* V1: the guest's credit bounds what we send, whatever it says */
static void test_guest_credit(void)
{
	static const struct {
		const char *name;
		uint32_t alloc, fwd;
		uint32_t want;
	} rows[] = {
		{"nothing", 0, 0, 0},
		{"ten", 10, 0, 10},
		{"more forwarded than sent", 1000, 5000, 0},
		{"forwarded 2^32-1", 10, 0xffffffff, 9},
		{"everything", 0xffffffff, 0, 1000},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t sum = 0;
		int a, b;

		pair(&a, &b);
		begin(a, a);
		alloc = rows[i].alloc;
		fwd = rows[i].fwd;
		ok(open_port(), "credit: connect");
		ok(write(b, scratch, 1000) == 1000, "credit: host writes");
		(void)turn();
		while (next() && got.op == RW)
			sum += got.len;
		ok(sum == rows[i].want, "credit: %s: %u bytes", rows[i].name, sum);
		end();
		(void)close(b);
	}
}

static void test_shrink(void)
{
	int a, b;

	pair(&a, &b);
	begin(a, a);
	if (!open_port() || write(b, scratch, 3000) != 3000)
		abort();
	(void)turn();
	ok(expect(RW) && got.len == 3000, "shrink: sent");
	alloc = 2999;
	say(UPDATE, 0);
	if (write(b, scratch, 10) != 10)
		abort();
	ok(quiet(), "shrink: a grant below what is under way gives nothing");
	fwd = 11;
	say(UPDATE, 0);
	ok(expect(RW) && got.len == 10, "shrink: until it is over");
	end();
	(void)close(b);
}

static void test_eof(void)
{
	int r, w, r2, w2;

	make_pipe(&r, &w, false);
	make_pipe(&r2, &w2, true);
	begin(r, w2);
	if (!open_port() || write(w, "last", 4) != 4)
		abort();
	(void)close(w);
	(void)turn();
	ok(expect(RW) && got.len == 4, "eof: the last bytes");
	ok(expect(SHUTDOWN) && got.flags == 2, "eof: then we send no more");
	ok(quiet(), "eof: once");
	write_guest("still", 5);
	ok(slurp(r2, scratch, 9) == 5, "eof: the other direction goes on");
	say(SHUTDOWN, 2);
	ok(expect(RST), "eof: the guest's end");
	ok(read(r2, scratch, 1) == 0, "eof: reaches the host");
	end();
	(void)close(r2);
}

/* The guest's last bytes are in the host's hands before RST says so. */
static void test_drain(void)
{
	static uint8_t data[BUFFER];
	size_t sum = 0;
	bool early = false;
	int r, w;

	make_pipe(&r, &w, true);
	begin(-1, w);
	if (!open_port())
		abort();
	pattern(data, sizeof(data), 0);
	write_guest(data, sizeof(data));
	say(SHUTDOWN, 3);
	while (next())
		early |= got.op == RST;
	ok(!early, "drain: no RST while bytes wait");
	write_guest("x", 1);
	while (next())
		;
	for (int i = 0; i < 100 && sum < sizeof(data); i++) {
		sum += slurp(r, scratch + sum, sizeof(data) - sum);
		(void)turn();
	}
	ok(sum <= sizeof(data) && memcmp(data, scratch, sum) == 0, "drain: in order");
	end();
	(void)close(r);
	make_pipe(&r, &w, true);
	begin(-1, w);
	if (!open_port())
		abort();
	write_guest(data, sizeof(data));
	say(SHUTDOWN, 3);
	sum = 0;
	early = false;
	for (int i = 0; i < 100 && sum < sizeof(data); i++) {
		while (next())
			early |= got.op == RST && sum + 65536 < sizeof(data);
		sum += slurp(r, scratch + sum, sizeof(data) - sum);
		(void)turn();
	}
	ok(sum == sizeof(data) && memcmp(data, scratch, sum) == 0, "drain: every byte");
	while (got.op != RST && next())
		;
	ok(!early && got.op == RST && read(r, scratch, 1) == 0, "drain: then RST and the end");
	end();
	(void)close(r);
}

static void test_half_close(void)
{
	int a, b;

	pair(&a, &b);
	begin(a, a);
	if (!open_port())
		abort();
	say(SHUTDOWN, 1); /* the guest reads no more */
	ok(quiet(), "half: reading ended");
	write_guest("on", 2);
	ok(slurp(b, scratch, 9) == 2, "half: writing goes on");
	if (write(b, "x", 1) < 0)
		ok(errno == EPIPE, "half: host can't write");
	ok(quiet(), "half: nothing comes after");
	say(SHUTDOWN, 0);
	ok(quiet(), "half: no flags, nothing");
	say(SHUTDOWN, 0xfffffffe);
	ok(expect(RST), "half: unknown flags don't hide the known one");
	end();
	(void)close(b);
}

static void test_reader_gone(void)
{
	int r, w;

	make_pipe(&r, &w, true);
	begin(-1, w);
	if (!open_port())
		abort();
	(void)close(r);
	(void)turn();
	ok(expect(SHUTDOWN) && got.flags == 3, "reader gone: the guest is told at once");
	for (unsigned i = 0; i < 100; i++)
		write_guest(scratch, 4096);
	while (next())
		;
	ok(got.op == UPDATE && got.fwd_cnt > 64u << 10, "reader gone: what comes is dropped");
	say(SHUTDOWN, 2);
	ok(expect(RST), "reader gone: the end");
	end();
	make_pipe(&r, &w, true);
	begin(-1, w);
	if (!open_port())
		abort();
	write_guest(scratch, BUFFER); /* half of it waits here */
	while (next())
		;
	(void)close(r);
	(void)turn();
	while (next() && got.op == UPDATE)
		;
	ok(got.op == SHUTDOWN && got.flags == 3 && got.fwd_cnt == BUFFER,
	   "reader gone: ring dropped");
	end();
}

/* The host's reader goes before the guest connects: the guest must hear it then, and not before. */
static void test_gone_before(void)
{
	int r, w;

	make_pipe(&r, &w, true);
	(void)close(r);
	begin(-1, w);
	ok(quiet(), "gone before: nothing is said to nobody");
	ok(open_port(), "gone before: connect");
	ok(expect(SHUTDOWN) && got.flags == 3, "gone before: the guest's writes shall fail");
	end();
}

static void test_file(void)
{
	char name[] = "/tmp/coracle-vsock-XXXXXX";
	int fd = mkstemp(name);
	size_t sum = 0;
	bool same = true;
	static uint8_t want[4096];

	if (fd < 0 || unlink(name) < 0)
		abort();
	pattern(scratch, 100000, 0);
	if (write(fd, scratch, 100000) != 100000 || lseek(fd, 0, SEEK_SET) != 0)
		abort();
	begin(fd, -1);
	ok(open_port(), "file: connect");
	while (next() && got.op == RW) {
		pattern(want, got.len, sum);
		same &= memcmp(want, payload, got.len) == 0;
		sum += got.len;
	}
	ok(same && sum == 100000, "file: as stdin");
	ok(got.op == SHUTDOWN && got.flags == 2, "file: and its end");
	end();
	begin(open("/dev/null", O_RDONLY | O_CLOEXEC), open("/dev/null", O_WRONLY | O_CLOEXEC));
	ok(open_port(), "null: connect");
	ok(expect(SHUTDOWN) && got.flags == 2, "null: empty");
	write_guest("gone", 4);
	say(CREDIT_REQUEST, 0);
	ok(expect(UPDATE) && got.fwd_cnt == 4, "null: takes all");
	say(SHUTDOWN, 2);
	ok(expect(RST), "null: end");
	end();
}

static void test_flood(void)
{
	unsigned rsts = 0;
	struct hdr h;
	int a, b;

	pair(&a, &b);
	begin(a, a);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned n = i % SLOTS + 1;

		for (unsigned s = 0; s < n; s++) {
			h = make(i % 9, i * 16 + s, s);
			h.src_port = i;
			stage(s, &h, scratch, i % 50);
		}
		kick(TX);
		if (r16(QUEUE(TX) + 0x2002) != avail[TX])
			break;
	}
	is_int(r16(QUEUE(TX) + 0x2002), avail[TX], "flood: every packet is returned");
	while (next() && got.op != 999)
		rsts += got.op == RST;
	ok(rsts > 0 && rsts <= 64, "flood: refusals are bounded (%u left)", rsts);
	ok(!(dev->status & VIRTIO_STATUS_NEEDS_RESET), "flood: no harm to the device");
	end();
	(void)close(b);
}

/* V7 */
static void test_no_buffers(void)
{
	int a, b;

	pair(&a, &b);
	begin_rx(a, a, 0, 4096);
	say(REQUEST, 0);
	if (write(b, scratch, 5000) != 5000)
		abort();
	for (unsigned i = 0; i < 100; i++)
		say(CREDIT_REQUEST, 0);
	ok(turn() < 20 && !next(), "no buffers: no spin, nothing sent");
	for (unsigned i = 0; i < 4; i++)
		post(i);
	kick(RX);
	ok(expect(RESPONSE), "no buffers: then the answer");
	ok(expect(UPDATE), "no buffers: one update for all requests");
	ok(expect(RW) && got.len == 4096 - HDR, "no buffers: then the data");
	end();
	(void)close(b);
	pair(&a, &b);
	begin_rx(a, a, 16, 1);
	say(REQUEST, 0);
	is_int(r16(QUEUE(RX) + 0x2002), 16, "tiny buffers: returned");
	ok(turn() < 20, "tiny buffers: no spin");
	rx_bytes = HDR;
	for (unsigned i = 0; i < 16; i++)
		post(i);
	kick(RX);
	is_int(r16(QUEUE(RX) + 0x2002), 32, "tiny buffers: of 44 bytes too");
	end();
	(void)close(b);
}

/* A guest that is short of buffers hears of every connection. */
static void test_fair(void)
{
	struct vm_stream s[2];
	unsigned heard[2] = {0};
	int far[2];

	for (unsigned i = 0; i < 2; i++) {
		int near;

		pair(&near, &far[i]);
		s[i] = (struct vm_stream){.port = PORT + i, .in_fd = near, .out_fd = near};
	}
	begin_ports(s, 1, 4096);
	for (unsigned i = 0; i < 2; i++) {
		struct hdr h = make(REQUEST, PORT + i, 0);

		send_raw(&h, NULL, 0);
		if (!expect(RESPONSE) || write(far[i], scratch, 60000) != 60000)
			abort();
	}
	(void)turn();
	for (unsigned i = 0; i < 10 && expect(RW); i++)
		heard[got.src_port - PORT]++;
	ok(heard[0] >= 4 && heard[1] >= 4, "fair: with one buffer at a time both are heard (%u, %u)", heard[0], heard[1]);
	end();
	(void)close(far[0]);
	(void)close(far[1]);
}

static void test_broken(void)
{
	int a, b;

	pair(&a, &b);
	begin(a, a);
	if (!open_port())
		abort();
	desc(TX, 0, ~0ull, 44, 0, 0);
	offer(TX, 0);
	kick(TX);
	ok(dev->status & VIRTIO_STATUS_NEEDS_RESET, "broken: transmit queue");
	if (write(b, "x", 1) != 1)
		abort();
	ok(quiet(), "broken: nothing is sent after it");
	negotiate(0);
	errno = 0;
	ok(!(dev->status & VIRTIO_STATUS_NEEDS_RESET), "broken: mended by a reset");
	/* with a byte unread, a socket ends with ECONNRESET */
	ok(read(b, scratch, 1) <= 0 && errno != EAGAIN, "broken: which closed the stream");
	say(REQUEST, 0);
	post(0);
	kick(RX);
	ok(expect(RST), "broken: for good");
	end();
	(void)close(b);
	pair(&a, &b);
	begin_rx(a, a, 0, 4096);
	w16(QUEUE(RX) + 0x1002, 33);
	kick(RX);
	ok(dev->status & VIRTIO_STATUS_NEEDS_RESET, "broken: receive queue");
	end();
	(void)close(b);
}

/* R12: resets with bytes under way in both directions */
static void test_reset(void)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < 300; i++) {
		int a, b;

		pair(&a, &b);
		begin(a, a);
		bad += !open_port();
		bad += write(b, scratch, 50000) < 4096;
		if (i & 1)
			(void)turn();
		write_guest(scratch, i * 400);
		if (i & 2)
			say(SHUTDOWN, 2);
		reg(0x70, 0);
		(void)turn();
		kick(RX);
		kick(TX);
		bad += dev->q[RX].enabled || dev->q[TX].enabled;
		if (i & 4)
			negotiate(0);
		(void)turn();
		end();
		(void)close(b);
	}
	is_int(bad, 0, "reset: 300 times with bytes under way");
	/* end() closed what was open: the next descriptor has a low number */
	ok(dup(0) < 40, "reset: no descriptor leaks");
}

#define MUCH (10u << 20)

static void test_much_out(bool use_pipe)
{
	static uint8_t want[BUFFER];
	uint32_t sent = 0, told = 0;
	size_t sum = 0;
	bool same = true;
	int a, b;

	if (use_pipe)
		make_pipe(&b, &a, true);
	else
		pair(&a, &b);
	begin(-1, a);
	if (!open_port())
		abort();
	for (unsigned i = 0; i < 1000000 && sum < MUCH && same; i++) {
		uint32_t room = BUFFER - (sent - told);
		uint32_t n = (i * 7919) % 9000 + 1;
		size_t r;

		n = n < room ? n : room;
		n = n < MUCH - sent ? n : MUCH - sent;
		if (n > 0) {
			pattern(scratch, n, sent);
			write_guest(scratch, n);
			sent += n;
		}
		(void)turn();
		while (next())
			told = got.fwd_cnt;
		if (i % 5)
			continue;
		r = slurp(b, scratch, (i * 31) % sizeof(scratch));
		pattern(want, r < BUFFER ? r : BUFFER, sum);
		same = memcmp(want, scratch, r < BUFFER ? r : BUFFER) == 0;
		sum += r;
	}
	ok(same && sum == MUCH, "10 MB to the host, %s", use_pipe ? "pipe" : "socket");
	end();
	(void)close(b);
}

static void test_much_in(bool use_pipe)
{
	static uint8_t want[BUFFER];
	uint32_t written = 0;
	uint32_t sum = 0;
	bool same = true;
	int a, b;

	if (use_pipe)
		make_pipe(&a, &b, false);
	else
		pair(&a, &b);
	begin(a, -1);
	alloc = 65536;
	if (!open_port())
		abort();
	for (unsigned i = 0; i < 1000000 && sum < MUCH && same; i++) {
		uint32_t n = (i * 7919) % 60000 + 1;
		ssize_t r;

		n = n < MUCH - written ? n : MUCH - written;
		pattern(scratch, n, written);
		r = n ? write(b, scratch, n) : 0;
		written += r > 0 ? (uint32_t)r : 0;
		(void)turn();
		while (next()) {
			same &= got.op == RW;
			pattern(want, got.len, sum);
			same &= memcmp(want, payload, got.len) == 0;
			sum += got.len;
			same &= sum - fwd <= alloc; /* our grant is kept */
		}
		if (i % 3 == 0) {
			fwd = sum;
			say(UPDATE, 0);
		}
	}
	ok(same && sum == MUCH, "10 MB to the guest, %s", use_pipe ? "pipe" : "socket");
	(void)close(b);
	fwd = sum;
	say(UPDATE, 0);
	(void)turn();
	ok(expect(SHUTDOWN) && got.flags == 2, "10 MB to the guest: then the end");
	end();
}

static bool feeder_stop;

/* A second CPU of the guest: a queue that is never empty. */
static void *keep_full(void *arg)
{
	gpa_t q = *(const gpa_t *)arg;
	uint16_t *idx = at(q + 0x1002);
	const uint16_t *used = at(q + 0x2002);

	while (!__atomic_load_n(&feeder_stop, __ATOMIC_ACQUIRE))
		__atomic_store_n(idx, (uint16_t)(__atomic_load_n(used, __ATOMIC_ACQUIRE) + RING),
				 __ATOMIC_RELEASE);
	return NULL;
}

/* Kick @q until something is left over for the next turn. Return: no turn was longer than 64. */
static bool bounded(unsigned q)
{
	gpa_t where = QUEUE(q);
	bool good = true;
	uint64_t n = 0;
	pthread_t feeder;

	feeder_stop = false;
	if (pthread_create(&feeder, NULL, keep_full, &where) != 0)
		abort();
	while (good && n == 0) {
		uint16_t before = r16(QUEUE(q) + 0x2002);

		kick(q);
		good = (uint16_t)(r16(QUEUE(q) + 0x2002) - before) <= VIRTIO_BUDGET;
		if (read(dev->kick[q].fd, &n, sizeof(n)) < 0)
			n = 0;
	}
	__atomic_store_n(&feeder_stop, true, __ATOMIC_RELEASE);
	(void)pthread_join(feeder, NULL);
	return good;
}

/* The loop has others to serve than a guest that keeps a ring full. */
static void test_turn(void)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct hdr h;

	begin_rx(zero, -1, 0, 4096);
	dev->kick[TX].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	dev->kick[RX].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	h = make(CREDIT_REQUEST, 77, 0);
	stage(0, &h, NULL, 0);
	ok(bounded(TX), "turn: a transmit ring that is kept full");
	end();

	zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	begin_rx(zero, -1, 0, 4096);
	dev->kick[RX].fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	for (unsigned i = 0; i < RING; i++)
		desc(RX, i, RX_BUF(i), 100, 2, 0);
	alloc = 1u << 31; /* room for all that the feeder can post */
	h = make(REQUEST, PORT, 0);
	send_raw(&h, NULL, 0);
	ok(bounded(RX), "turn: a receive ring that is kept full, a source without end");
	end();
}

/* ------------------------------------------------------------------ further processes */

#define EXEC_PORT 8192u
#define BOTH (VM_FD_PRESENT | VM_FD_SOCKET | VM_FD_POLLABLE)

/* Open a process's ports: its channel, whose other end is the proxy's, and an output to @out_w. */
static int open_exec(uint32_t port, int *out_proxy, int out_w)
{
	struct vm_command c = {.type = VM_COMMAND_EXEC, .port = port, .from = {PEER, PEER, PEER, PEER}};
	int ours, fds[3], r;

	pair(&ours, out_proxy);
	c.ends[0] = (struct vm_ends){BOTH, BOTH};
	c.ends[2].out = out_w >= 0 ? VM_FD_PRESENT | VM_FD_POLLABLE : 0;
	fds[0] = ours;
	fds[1] = dup(ours);
	fds[2] = out_w;
	if (vm_command_check(&c, out_w >= 0 ? 3 : 2) < 0)
		abort();
	r = virtio_vsock_exec(dev, &c, fds);
	if (r < 0) {
		(void)close(fds[0]);
		(void)close(fds[1]);
		(void)close(*out_proxy);
	}
	return r;
}

static bool answered(unsigned op, uint32_t port, unsigned want)
{
	struct hdr h = make(op, port, 0);

	send_raw(&h, NULL, 0);
	return expect(want) && got.src_port == port;
}

static bool called_from(uint32_t from, uint32_t port, unsigned want)
{
	struct hdr h = make(REQUEST, port, 0);

	h.src_port = from;
	send_raw(&h, NULL, 0);
	return expect(want) && got.src_port == port && got.dst_port == from;
}

static void say_at(uint32_t port, const void *data, uint32_t n)
{
	struct hdr h = make(RW, port, n);

	send_raw(&h, data, n);
}

static void test_exec_connect(void)
{
	int a, b, proxy, r, w;

	pair(&a, &b);
	make_pipe(&r, &w, true);
	begin(a, a);
	(void)fcntl(w, F_SETFL, O_NONBLOCK);
	ok(answered(REQUEST, EXEC_PORT, RST), "exec: no port before it is told");
	is_int(open_exec(EXEC_PORT, &proxy, w), 0, "exec: open");
	ok(called_from(PEER + 1, EXEC_PORT, RST), "exec: the channel, from another port");
	ok(called_from(PEER - 1, EXEC_PORT + 2, RST), "exec: its output, from another port");
	ok(answered(REQUEST, EXEC_PORT, RESPONSE), "exec: the channel");
	ok(answered(REQUEST, EXEC_PORT, RST), "exec: the channel, once");
	ok(answered(REQUEST, EXEC_PORT + 1, RST), "exec: a stream that it has not");
	ok(answered(REQUEST, EXEC_PORT + 2, RESPONSE), "exec: its output");
	ok(answered(REQUEST, EXEC_PORT + 4, RST), "exec: the next one's");
	ok(write(proxy, "program", 7) == 7 && turn() > 0 && expect(RW) && got.len == 7 &&
		   memcmp(payload, "program", 7) == 0,
	   "exec: from the proxy");
	say_at(EXEC_PORT, "exited", 6);
	ok(slurp(proxy, scratch, 10) == 6, "exec: to the proxy");
	say_at(EXEC_PORT + 2, "out", 3);
	ok(slurp(r, scratch, 10) == 3, "exec: output");
	(void)close(proxy);
	(void)turn();
	ok(expect(RST) && got.src_port == EXEC_PORT, "exec: the proxy's end ends the channel");
	ok(expect(RST) && got.src_port == EXEC_PORT + 2, "exec: and the rest");
	ok(read(r, scratch, 1) == 0, "exec: the output with it");
	ok(answered(RW, EXEC_PORT + 2, RST), "exec: nothing is left of it");
	end();
	(void)close(b);
	(void)close(r);
}

/* An exec whose channel and output the guest has connected, with the pipe @r at its end. */
static void connect_exec(int *proxy, int *r)
{
	int w;

	make_pipe(r, &w, true);
	(void)fcntl(w, F_SETFL, O_NONBLOCK);
	if (open_exec(EXEC_PORT, proxy, w) < 0 || !answered(REQUEST, EXEC_PORT, RESPONSE) ||
	    !answered(REQUEST, EXEC_PORT + 2, RESPONSE))
		abort();
}

/* It says more than the pipe holds, and its status. */
static void say_much(void)
{
	pattern(scratch, 100000, 0);
	say_at(EXEC_PORT + 2, scratch, 100000);
	say_at(EXEC_PORT, "exited", 6);
}

/* Read it from @r. Return: how much came. */
static size_t hear_much(int r)
{
	size_t sum = 0, n = 1;

	for (; sum < 100000 && n > 0; sum += n) {
		n = slurp(r, scratch, sizeof(scratch));
		(void)turn();
	}
	return sum;
}

/* The exit status must not overtake the output, however slow its reader is. */
static void test_exec_order(void)
{
	int a, b, proxy, r;

	pair(&a, &b);
	begin(a, a);
	connect_exec(&proxy, &r);
	say_much();
	is_int(slurp(proxy, scratch, 6), 0, "exec: the status waits for the output");
	is_int(hear_much(r), 100000, "exec: all of the output");
	is_int(slurp(proxy, scratch, 6), 6, "exec: then the status");
	say_at(EXEC_PORT + 2, scratch, 100000);
	say_at(EXEC_PORT, "more", 4);
	(void)close(r);
	(void)turn();
	is_int(slurp(proxy, scratch, 6), 4, "exec: a reader that goes away holds nothing up");
	end();
	(void)close(b);
	(void)close(proxy);
}

/* What its children go on writing, faster than anybody reads, does not hold it back. */
static void test_exec_children(void)
{
	int a, b, proxy, r;
	size_t sum = 0;

	pair(&a, &b);
	begin(a, a);
	connect_exec(&proxy, &r);
	say_much();
	for (unsigned i = 0; i < 40 && sum < 200000; i++) {
		sum += slurp(r, scratch, 10000);
		(void)turn();
		pattern(scratch, 10000, 0);
		say_at(EXEC_PORT + 2, scratch, 10000);
		if (slurp(proxy, scratch, 6) == 6)
			break;
		(void)turn();
		while (next())
			;
	}
	ok(sum >= 100000 - 65536 && sum < 200000, "exec: the status does not wait for what came after it (%zu)", sum);
	end();
	(void)close(b);
	(void)close(proxy);
	(void)close(r);
}

/* The guest's close ends by itself after some seconds, with a reader of the output that takes longer. */
static void test_exec_slow_reader(void)
{
	int a, b, proxy, r;
	struct hdr h;

	pair(&a, &b);
	begin(a, a);
	connect_exec(&proxy, &r);
	say_much();
	for (unsigned i = 0; i < 2; i++) {
		h = make(SHUTDOWN, EXEC_PORT + 2 * i, 0);
		h.flags = 3;
		send_raw(&h, NULL, 0);
		h = make(RST, EXEC_PORT + 2 * i, 0);
		send_raw(&h, NULL, 0);
	}
	(void)turn();
	is_int(slurp(proxy, scratch, 6), 0, "exec: a guest that has given up, and the status still waits");
	is_int(hear_much(r), 100000, "exec: all of the output");
	is_int(slurp(proxy, scratch, 6), 6, "exec: then the status");
	(void)turn();
	ok(read(r, scratch, 1) == 0 && read(proxy, scratch, 1) == 0, "exec: and both are closed");
	end();
	(void)close(b);
	(void)close(r);
	(void)close(proxy);
}

static void test_exec_end(void)
{
	int a, b, proxy, r, w;
	struct hdr h = make(SHUTDOWN, EXEC_PORT, 0);

	pair(&a, &b);
	make_pipe(&r, &w, true);
	begin(a, a);
	(void)fcntl(w, F_SETFL, O_NONBLOCK);
	if (open_exec(EXEC_PORT, &proxy, w) < 0)
		abort();
	(void)close(proxy);
	(void)turn();
	ok(answered(REQUEST, EXEC_PORT, RST), "exec: a proxy that dies before the guest has connected");
	ok(read(r, scratch, 1) == 0, "exec: its output is closed");
	connect_exec(&proxy, &r);
	h.flags = 3;
	send_raw(&h, NULL, 0);
	ok(expect(RST) && got.src_port == EXEC_PORT, "exec: the guest closes the channel");
	ok(read(proxy, scratch, 1) == 0, "exec: the proxy sees it");
	(void)close(proxy);
	(void)turn();
	say_at(EXEC_PORT + 2, "late", 4);
	is_int(slurp(r, scratch, 9), 4, "exec: a stream outlives the channel");
	end();
	ok(read(r, scratch, 1) == 0, "exec: but not the machine");
	(void)close(b);
	(void)close(r);
}

/* A connection of a mounted socket: each direction ends by itself, and the channel tells when all was delivered. */
static void test_exec_duplex(void)
{
	struct vm_command c = {.type = VM_COMMAND_EXEC, .port = EXEC_PORT, .from = {PEER, PEER, PEER, PEER}};
	struct hdr h = make(SHUTDOWN, EXEC_PORT + 1, 0);
	int a, b, channel, proxy, ours, peer, fds[4];
	int little = 4096;

	pair(&a, &b);
	pair(&channel, &proxy);
	pair(&ours, &peer);
	(void)setsockopt(ours, SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
	begin(a, a);
	c.ends[0] = (struct vm_ends){BOTH, BOTH};
	c.ends[1] = (struct vm_ends){BOTH, BOTH | VM_FD_DUPLEX};
	fds[0] = channel;
	fds[1] = dup(channel);
	fds[2] = ours;
	fds[3] = dup(ours);
	if (vm_command_check(&c, 4) < 0 || virtio_vsock_exec(dev, &c, fds) < 0 ||
	    !answered(REQUEST, EXEC_PORT, RESPONSE) || !answered(REQUEST, EXEC_PORT + 1, RESPONSE))
		abort();
	pattern(scratch, 100000, 0);
	say_at(EXEC_PORT + 1, scratch, 100000);
	h.flags = 2;
	send_raw(&h, NULL, 0);
	say_at(EXEC_PORT, "", 1);
	is_int(read(proxy, scratch, 1), -1, "duplex: the last word waits for the bytes");
	for (size_t sum = 0, n; sum < 100000; sum += n) {
		n = slurp(peer, scratch, sizeof(scratch));
		if (n == 0)
			break;
		(void)turn();
	}
	is_int(read(peer, scratch, 1), 0, "duplex: all of them, then the end of this direction");
	is_int(read(proxy, scratch, 2), 1, "duplex: then the last word");
	ok(write(peer, "late", 4) == 4 && turn() > 0, "duplex: the host goes on");
	while (next() && got.op != RW)
		;
	ok(got.op == RW && got.len == 4 && memcmp(payload, "late", 4) == 0, "duplex: and the guest hears it");
	(void)close(proxy);
	(void)turn();
	ok(expect(RST) && expect(RST) && quiet(), "duplex: the channel's end ends it");
	ok(write(peer, "x", 1) < 0 && errno == EPIPE, "duplex: on the host as well");
	end();
	(void)close(b);
	(void)close(peer);
}

/* A mounted socket for datagrams, connected. Return: its server. */
static int open_datagrams(int *b, int *proxy)
{
	struct vm_command c = {.type = VM_COMMAND_EXEC, .port = EXEC_PORT, .from = {PEER, PEER, PEER, PEER}};
	int a, channel, ends[2], fds[3];

	pair(&a, b);
	pair(&channel, proxy);
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) < 0)
		abort();
	begin(a, a);
	c.ends[0] = (struct vm_ends){BOTH, BOTH};
	c.ends[1] = (struct vm_ends){0, BOTH | VM_FD_DATAGRAMS};
	fds[0] = channel;
	fds[1] = dup(channel);
	fds[2] = ends[0];
	if (vm_command_check(&c, 3) < 0 || virtio_vsock_exec(dev, &c, fds) < 0 ||
	    !answered(REQUEST, EXEC_PORT, RESPONSE) || !answered(REQUEST, EXEC_PORT + 1, RESPONSE))
		abort();
	return ends[1];
}

/* What the guest sends in one piece, or in many, arrives with its borders. */
static void test_exec_datagrams(void)
{
	static const uint8_t three[] = {3, 0, 'o', 'n', 'e', 0, 0, 2, 0, 'o'};
	struct hdr h = make(SHUTDOWN, EXEC_PORT + 1, 0);
	static uint8_t big[60002];
	int b, proxy, server;
	unsigned late = 0;

	server = open_datagrams(&b, &proxy);
	say_at(EXEC_PORT + 1, three, sizeof(three));
	ok(recv(server, scratch, 99, 0) == 3 && memcmp(scratch, "one", 3) == 0, "datagrams: one");
	is_int(recv(server, scratch, 99, 0), 0, "datagrams: an empty one");
	is_int(recv(server, scratch, 99, 0), -1, "datagrams: half of one waits");
	say_at(EXEC_PORT + 1, "k", 1);
	ok(recv(server, scratch, 99, 0) == 2 && memcmp(scratch, "ok", 2) == 0, "datagrams: until it is whole");
	big[0] = 60000 & 0xff;
	big[1] = 60000 >> 8;
	for (unsigned i = 0; i < 10; i++) {
		pattern(big + 2, 60000, i);
		for (unsigned at = 0; at < sizeof(big); at += 30001)
			say_at(EXEC_PORT + 1, big + at, 30001);
		late += recv(server, scratch, sizeof(scratch), 0) != 60000 || memcmp(scratch, big + 2, 60000) != 0;
		(void)turn();
		while (next())
			;
	}
	is_int(late, 0, "datagrams: large ones, across the end of the ring");
	say_at(EXEC_PORT + 1, three, 5);
	say_at(EXEC_PORT + 1, three, 4);
	h.flags = 2;
	send_raw(&h, NULL, 0);
	is_int(recv(server, scratch, 99, 0), 3, "datagrams: the last");
	ok(recv(server, scratch, 99, 0) <= 0 && expect(RST) && got.src_port == EXEC_PORT + 1,
	   "datagrams: what is cut off is lost, and keeps nothing open");
	end();
	(void)close(b);
	(void)close(proxy);
	(void)close(server);
}

/* Its server has a queue that is full, then is gone. */
static void test_exec_datagrams_wait(void)
{
	static const uint8_t one[] = {1, 0, 'x'};
	int b, proxy, server;
	unsigned n = 0;

	server = open_datagrams(&b, &proxy);
	for (unsigned i = 0; i < 1000; i++)
		say_at(EXEC_PORT + 1, one, sizeof(one));
	for (unsigned idle = 0; n < 1000 && idle < 3; idle++)
		for (; recv(server, scratch, 99, 0) == 1; n++)
			idle = turn() > 0 ? 0 : idle;
	is_int(n, 1000, "datagrams: a full queue loses none");
	(void)close(server);
	say_at(EXEC_PORT + 1, one, sizeof(one));
	(void)turn();
	ok(expect(SHUTDOWN) && got.src_port == EXEC_PORT + 1, "datagrams: the server is gone");
	end();
	(void)close(b);
	(void)close(proxy);
}

static void test_exec_many(void)
{
	static int proxy[VM_MAX_EXECS];
	unsigned failed = 0;
	int a, b, one;

	pair(&a, &b);
	begin(a, a);
	for (unsigned round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < VM_MAX_EXECS; i++)
			failed += open_exec(EXEC_PORT + 4 * i, &proxy[i], -1) < 0;
		is_int(failed, 0, "exec: as many as there may be");
		is_int(open_exec(EXEC_PORT + 4 * VM_MAX_EXECS, &one, -1), -EAGAIN, "exec: no more");
		ok(answered(REQUEST, EXEC_PORT + 4 * (VM_MAX_EXECS - 1), RESPONSE), "exec: the last");
		for (uint32_t i = 0; i < VM_MAX_EXECS; i++)
			(void)close(proxy[i]);
		(void)turn();
		ok(expect(RST), "exec: all ended");
	}
	ok(open_port(), "exec: the fixed port is as it was");
	end();
	(void)close(b);
}

static void test_exec_command(void)
{
	struct vm_command good = {.type = VM_COMMAND_EXEC, .port = EXEC_PORT, .from = {1, 2, 3, 4}, .ends = {{BOTH, BOTH}}}, c;

	is_int(vm_command_check(&good, 2), 0, "exec: the least command");
	is_int(vm_command_check(&good, 3), -EINVAL, "exec: a descriptor too many");
	is_int(vm_command_check(&good, 1), -EINVAL, "exec: one too few");
	c = good, c.type = 7;
	is_int(vm_command_check(&c, 2), -EINVAL, "exec: another command");
	c = good, c.port = 0;
	is_int(vm_command_check(&c, 2), -EINVAL, "exec: port 0");
	c = good, c.port = UINT32_MAX - 1;
	is_int(vm_command_check(&c, 2), -EINVAL, "exec: ports beyond 32 bits");
	c = good, c.from[3] = 0;
	is_int(vm_command_check(&c, 2), -EINVAL, "exec: called from anywhere");
	c = good, c.ends[0].out = 0;
	is_int(vm_command_check(&c, 1), -EINVAL, "exec: a channel of one direction");
	c = good, c.ends[0].in = VM_FD_PRESENT;
	is_int(vm_command_check(&c, 2), -EINVAL, "exec: a channel that is no socket");
	c = good, c.ends[3].in = VM_FD_KINDS + 1;
	is_int(vm_command_check(&c, 2), -EINVAL, "exec: an unknown kind");
	c = good, c.ends[3].in = VM_FD_PRESENT, c.ends[1].out = VM_FD_PRESENT;
	is_int(vm_command_check(&c, 4), 0, "exec: any ends");
}

int main(void)
{
	struct err e = {0};

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)alarm(120);
	(void)signal(SIGPIPE, SIG_IGN);
	proc_fd = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc_fd < 0 || memory_init(&mem, RAM, &e) < 0)
		return 1;
	test_connect();
	test_identity();
	test_kinds();
	test_lies();
	test_ops();
	test_slow_reader();
	test_violation();
	test_guest_credit();
	test_shrink();
	test_eof();
	test_drain();
	test_half_close();
	test_reader_gone();
	test_gone_before();
	test_file();
	test_flood();
	test_no_buffers();
	test_fair();
	test_broken();
	test_reset();
	test_turn();
	test_much_out(true);
	test_much_out(false);
	test_much_in(true);
	test_much_in(false);
	test_exec_connect();
	test_exec_order();
	test_exec_children();
	test_exec_slow_reader();
	test_exec_end();
	test_exec_duplex();
	test_exec_datagrams();
	test_exec_datagrams_wait();
	test_exec_many();
	test_exec_command();
	memory_fini(&mem);
	return tap_done();
}
