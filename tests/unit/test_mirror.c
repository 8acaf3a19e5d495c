/* SPDX-License-Identifier: Apache-2.0 */
/* test_mirror - the host's side of mirror.h against honest and hostile guests, over real sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest-init/mirror.h"
#include "tests/unit/tap.h"

#define PATIENCE_MS 20000

bool addr_check(const struct mirror_addr *a);
bool addr_covers(const struct mirror_addr *listener, const struct mirror_addr *to);

static int channel, kick;
static pid_t pid;
static uint8_t payload[MIRROR_PAYLOAD];
static struct mirror_frame frame;

static void begin(void)
{
	int c[2], k[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, c) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, k) < 0)
		exit(1);
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0) {
		(void)close(c[0]);
		(void)close(k[0]);
		mirror_run(MIRROR_HOST, c[1], k[1], -1, 0);
		_exit(7);
	}
	(void)close(c[1]);
	(void)close(k[1]);
	channel = c[0];
	kick = k[0];
}

/* Close the channel. Return: whether the process ended by itself and well. */
static int end(void)
{
	int status = 0;

	(void)close(channel);
	(void)close(kick);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7;
}

static int read_all(void *to, size_t n)
{
	uint8_t *at = to;

	while (n > 0) {
		struct pollfd p = { .fd = channel, .events = POLLIN };
		ssize_t got = poll(&p, 1, PATIENCE_MS) == 1 ? recv(channel, at, n, 0) : -1;

		if (got <= 0)
			return -1;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

static int next(void)
{
	if (read_all(&frame, sizeof(frame)) < 0 || frame.length > sizeof(payload))
		return -1;
	return read_all(payload, frame.length);
}

/* Skip to a frame of @type. */
static int await(uint32_t type)
{
	do
		if (next() < 0)
			return -1;
	while (frame.type != type);
	return 0;
}

static int say(uint32_t type, uint32_t id, uint32_t number, const void *data, uint32_t n)
{
	struct mirror_frame f = { .type = type, .id = id, .number = number, .length = n };

	if (send(channel, &f, sizeof(f), MSG_NOSIGNAL) != (ssize_t)sizeof(f))
		return -1;
	return n == 0 || send(channel, data, n, MSG_NOSIGNAL) == (ssize_t)n ? 0 : -1;
}

static struct mirror_addr local(uint8_t protocol, uint16_t port)
{
	return (struct mirror_addr){
		.protocol = protocol, .family = MIRROR_V4, .port = port, .addr = { 127, 0, 0, 1 }
	};
}

static struct sockaddr_in name(const char *host, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	(void)inet_pton(AF_INET, host, &a.sin_addr);
	return a;
}

/* A socket of ours. @port: 0 for any, and which it was. */
static int bound(int type, const char *host, uint16_t *port)
{
	int fd = socket(AF_INET, type, 0);
	struct sockaddr_in a = name(host, *port);
	socklen_t n = sizeof(a);

	if (bind(fd, (struct sockaddr *)&a, n) < 0 || (type == SOCK_STREAM && listen(fd, 8) < 0) ||
	    getsockname(fd, (struct sockaddr *)&a, &n) < 0) {
		(void)close(fd);
		return -1;
	}
	*port = ntohs(a.sin_port);
	return fd;
}

static uint16_t free_port(int type)
{
	uint16_t port = 0;

	(void)close(bound(type, "127.0.0.1", &port));
	/* as a client's the kernel's own choice would not be mirrored */
	return type == SOCK_STREAM ? port : (uint16_t)(20000 + port % 10000);
}

static int call(int type, uint16_t port)
{
	int fd = socket(AF_INET, type, 0);
	struct sockaddr_in a = name("127.0.0.1", port);
	struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static int announce(const struct mirror_addr *a, uint32_t n, uint32_t number)
{
	for (uint32_t i = 0; i < n; i++)
		if (say(MIRROR_LISTENER, 0, 0, &a[i], sizeof(a[i])) < 0)
			return -1;
	if (say(MIRROR_LISTED, 0, number, NULL, 0) < 0)
		return -1;
	do
		if (await(MIRROR_APPLIED) < 0)
			return -1;
	while (frame.number != number);
	return 0;
}

static void tcp_from_the_namespace(void)
{
	uint16_t port = free_port(SOCK_STREAM);
	struct mirror_addr a = local(MIRROR_TCP, port), to;
	char text[8] = "";
	uint32_t id;
	int fd;

	begin();
	ok(announce(&a, 1, 1) == 0, "a list is applied");
	fd = call(SOCK_STREAM, port);
	ok(fd >= 0, "the guest's port can be called");
	ok(await(MIRROR_OPEN) == 0 && frame.length == sizeof(to), "and the guest is told");
	id = frame.id;
	memcpy(&to, payload, sizeof(to));
	ok(memcmp(&to, &a, sizeof(to)) == 0 && (id & MIRROR_BY_HOST), "where the caller wanted to go");
	ok(send(fd, "hello", 5, 0) == 5 && await(MIRROR_DATA) == 0 && frame.id == id && frame.length == 5 &&
		   memcmp(payload, "hello", 5) == 0,
	   "bytes go in");
	ok(say(MIRROR_DATA, id, 0, "world", 5) == 0 && recv(fd, text, 5, MSG_WAITALL) == 5 &&
		   memcmp(text, "world", 5) == 0,
	   "and out");
	ok(shutdown(fd, SHUT_WR) == 0 && await(MIRROR_EOF) == 0 && frame.id == id, "a half-close goes in");
	ok(say(MIRROR_DATA, id, 0, "more", 4) == 0 && say(MIRROR_EOF, id, 0, NULL, 0) == 0 &&
		   recv(fd, text, 5, MSG_WAITALL) == 4,
	   "what comes after it still goes out, then the end");
	(void)close(fd);
	fd = call(SOCK_STREAM, port);
	ok(await(MIRROR_OPEN) == 0 && frame.id != id, "the next flow has another id");
	ok(say(MIRROR_RESET, frame.id, 0, NULL, 0) == 0 && recv(fd, text, 1, 0) < 0 && errno == ECONNRESET,
	   "a flow that the guest refuses is reset");
	(void)close(fd);
	ok(announce(NULL, 0, 2) == 0 && call(SOCK_STREAM, port) < 0, "an empty list closes the port");
	ok(end(), "it ends with the channel");
}

static void tcp_to_the_namespace(void)
{
	uint16_t port = 0;
	int server = bound(SOCK_STREAM, "127.0.0.1", &port), fd;
	struct mirror_addr a = local(MIRROR_TCP, port), other = local(MIRROR_TCP, free_port(SOCK_STREAM));
	struct pollfd p = { .fd = server, .events = POLLIN };
	char text[8];
	int found = 0;

	begin();
	while (next() == 0 && frame.type == MIRROR_LISTENER)
		found |= memcmp(payload, &a, sizeof(a)) == 0;
	ok(found && frame.type == MIRROR_LISTED, "what listens in the namespace is listed");
	ok(say(MIRROR_OPEN, 512, 0, &a, sizeof(a)) == 0 && poll(&p, 1, PATIENCE_MS) == 1,
	   "the guest may call it");
	fd = accept(server, NULL, NULL);
	ok(say(MIRROR_DATA, 512, 0, "hello", 5) == 0 && recv(fd, text, 5, MSG_WAITALL) == 5, "bytes go out");
	ok(say(MIRROR_OPEN, 513, 0, &other, sizeof(other)) == 0 && await(MIRROR_RESET) == 0 &&
		   frame.id == 513,
	   "nothing else");
	ok(say(MIRROR_OPEN, 1u << 31 | 514, 0, &a, sizeof(a)) == 0 && say(MIRROR_DATA, 77, 0, "x", 1) == 0 &&
		   say(MIRROR_CREDIT, 512, ~0u, NULL, 0) == 0,
	   "ids of the host's, of nobody, and too much credit are borne");
	ok(announce(&a, 1, 3) == 0 && say(MIRROR_DATA, 512, 0, "still", 5) == 0 &&
		   recv(fd, text, 5, MSG_WAITALL) == 5,
	   "an address that is taken is left alone");
	/* the server does not read: what goes beyond socket buffers and window breaks the rules */
	memset(payload, 'x', sizeof(payload));
	for (int i = 0; i < 400; i++)
		(void)say(MIRROR_DATA, 512, 0, payload, MIRROR_WINDOW);
	ok(await(MIRROR_RESET) == 0 && frame.id == 512, "more than was granted ends the flow");
	(void)close(fd);
	(void)close(server);
	ok(end(), "it ends with the channel");
}

static void udp(void)
{
	uint16_t port = free_port(SOCK_DGRAM), resolver_port = 0;
	int resolver = bound(SOCK_DGRAM, "127.0.0.77", &resolver_port);
	struct mirror_addr a = { .protocol = MIRROR_UDP, .family = MIRROR_V4, .port = port }, want;
	struct mirror_addr dns = local(MIRROR_UDP, 53);
	char text[8];
	int fd, found = 0, plain = 0;
	uint32_t id;

	dns.addr[3] = 77;
	begin();
	while (next() == 0 && frame.type == MIRROR_LISTENER) {
		found |= memcmp(payload, &dns, sizeof(dns)) == 0;
		memcpy(&want, payload, sizeof(want));
		plain |= want.port == resolver_port && want.protocol == MIRROR_UDP;
	}
	ok(found, "a resolver at some port has port 53");
	ok(!plain, "and a port of the kernel's choice is no service");
	ok(announce(&a, 1, 1) == 0, "a UDP port");
	fd = call(SOCK_DGRAM, port);
	ok(send(fd, "ping", 4, 0) == 4 && await(MIRROR_OPEN) == 0, "a datagram opens a flow");
	memcpy(&want, payload, sizeof(want));
	ok(want.addr[0] == 127 && want.port == port, "to the loopback, where all are listened at");
	id = frame.id;
	ok(await(MIRROR_DATA) == 0 && frame.id == id && frame.length == 4, "and goes in");
	ok(say(MIRROR_DATA, id, 0, "pong!", 5) == 0 && recv(fd, text, sizeof(text), 0) == 5, "its answer out");
	ok(send(fd, "", 0, 0) == 0 && await(MIRROR_DATA) == 0 && frame.id == id && frame.length == 0,
	   "an empty one is one, too");
	(void)close(fd);
	(void)close(resolver);
	ok(end(), "it ends with the channel");
}

static void kicks(void)
{
	struct pollfd p = { .fd = kick, .events = POLLIN };
	char byte;

	begin();
	ok(await(MIRROR_LISTED) == 0 && frame.number == 1, "the first list comes by itself");
	p.fd = kick;
	ok(send(kick, "?", 1, 0) == 1 && await(MIRROR_LISTED) == 0, "a kick asks for one more");
	ok(poll(&p, 1, 0) == 0, "which is not answered before the guest has it");
	ok(say(MIRROR_APPLIED, 0, 12345, NULL, 0) == 0 &&
		   say(MIRROR_APPLIED, 0, frame.number, NULL, 0) == 0 && poll(&p, 1, PATIENCE_MS) == 1 &&
		   recv(kick, &byte, 1, 0) == 1,
	   "but then");
	ok(end(), "it ends with the channel");
}

static void hostile(void)
{
	static struct mirror_addr many[1000];
	struct mirror_frame bad = { .type = MIRROR_DATA, .length = MIRROR_PAYLOAD + 1 };
	uint16_t port = free_port(SOCK_STREAM);
	int fd;

	for (uint16_t i = 0; i < 1000; i++)
		many[i] = local(i % 2 ? MIRROR_TCP : 99, (uint16_t)(i / 2));
	many[1] = local(MIRROR_TCP, port);
	begin();
	ok(announce(many, 1000, 1) == 0, "a thousand addresses, half of them nonsense");
	fd = call(SOCK_STREAM, port);
	ok(fd >= 0, "the first is there");
	(void)close(fd);
	ok(announce(NULL, 0, 2) == 0, "and they go");
	for (uint32_t i = 0; i < 2000; i++)
		(void)say(MIRROR_OPEN, i, 0, many, sizeof(many[0]));
	ok(announce(NULL, 0, 3) == 0, "thousands of flows to nowhere");
	ok(send(channel, &bad, sizeof(bad), 0) == (ssize_t)sizeof(bad) && await(99) < 0,
	   "a frame that is too long ends it all");
	ok(end(), "by itself");
}

static void addresses(void)
{
	struct mirror_addr any = { .protocol = MIRROR_TCP, .family = MIRROR_V6, .port = 80 };
	struct mirror_addr one = local(MIRROR_TCP, 80), mapped = any, only = any;

	mapped.addr[10] = mapped.addr[11] = 0xff;
	mapped.addr[12] = 127;
	mapped.addr[15] = 1;
	only.v6only = 1;
	ok(addr_covers(&any, &mapped) && !addr_covers(&only, &mapped), "IPv4 by an IPv6 socket, unless it says no");
	ok(!addr_covers(&any, &one) && addr_covers(&one, &one), "families are told apart");
	mapped.port = 81;
	ok(!addr_covers(&any, &mapped), "and ports");
	any.addr[0] = 0xfe;
	any.addr[1] = 0x80;
	ok(!addr_check(&any), "no link-local address");
	one.addr[0] = 224;
	ok(!addr_check(&one), "no multicast");
	one = local(MIRROR_TCP, 0);
	ok(!addr_check(&one), "no port 0");
	one = local(MIRROR_TCP, 1);
	one.addr[9] = 1;
	ok(!addr_check(&one), "nothing behind an IPv4 address");
}

int main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	(void)alarm(300);
	addresses();
	tcp_from_the_namespace();
	tcp_to_the_namespace();
	udp();
	kicks();
	hostile();
	return tap_done();
}
