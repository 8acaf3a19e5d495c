/* SPDX-License-Identifier: Apache-2.0 */
/* test_proto - what the wire contract promises about itself. */
#include "guest-init/proto.h"

#include "tests/unit/tap.h"

enum direction { GUEST_TO_HOST, HOST_TO_GUEST };

static const struct {
	const char *name;
	uint32_t value;
	enum direction direction;
} messages[] = {
#define ROW(name, value, direction) {#name, value, direction},
	PROTO_MESSAGES(ROW)
#undef ROW
};

#define COUNT (sizeof(messages) / sizeof(messages[0]))

int main(void)
{
	unsigned twice = 0, wrong = 0;

	for (size_t i = 0; i < COUNT; i++) {
		for (size_t k = 0; k < i; k++)
			twice += messages[i].value == messages[k].value;
		wrong += (messages[i].value >= 16) != (messages[i].direction == HOST_TO_GUEST);
	}
	is_int(twice, 0, "every message has a number of its own");
	is_int(wrong, 0, "the guest's are below 16, the host's above");
	is_int(PROTO_HELLO, 1, "HELLO stays 1: any version can be told by it");
	is_int(offsetof(struct proto_event, version), 4, "and its version stays where it is");
	is_int(offsetof(struct proto_program, magic), 0, "the magic stands first");
	is_int(offsetof(struct proto_program, version), 4, "then the version");
	is_int(offsetof(struct proto_mount, ms_flags) % 8, 0, "64-bit fields are aligned: mount");
	is_int(offsetof(struct proto_process, cap_bounding) % 8, 0, "process");
	is_int(sizeof(struct proto_signal) + sizeof(struct proto_resize), 16, "small frames");
	/* seccomp's sock_filter is 8 bytes, an unsigned short of them is the most */
	ok(4096 * 8 < PROTO_MAX_PROGRAM, "the longest filter fits a program");
	return tap_done();
}
